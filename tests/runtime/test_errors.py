from __future__ import annotations

import errno
import os
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from edgegan.runtime.errors import FAULT, UserError, run_command
from edgegan.runtime.grid import write_png

REPOSITORY = Path(__file__).parents[2]


def run(*command: str, cwd: Path | None = None) -> subprocess.CompletedProcess:
    environment = {**os.environ, "PYTHONPATH": str(REPOSITORY)}
    return subprocess.run(
        [sys.executable, *command], capture_output=True, text=True, cwd=cwd, env=environment
    )


def assert_one_sentence(finished: subprocess.CompletedProcess, *parts: str) -> None:
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith("error: ")
    assert FAULT not in line
    for part in parts:
        assert part in line


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (
            ["--model", "dcgn"],
            ["'dcgn'", "is neither a file nor a shipped model", "or the path of an .onnx file"],
        ),
        (["--model", "truncated.onnx"], ["truncated.onnx", "is not a whole ONNX model"]),
        (["--model", "theirs.onnx"], ["theirs.onnx", "is not a generator of this project"]),
        (["--model", "none.onnx"], ["cannot read none.onnx: No such file"]),
        (["--model", "ours.onnx", "--seed", "-1"], ["seed is '-1'", "a whole number from 0"]),
        (["--model", "ours.onnx", "--seed", "seven"], ["seed is 'seven'"]),
        (["--model", "ours.onnx", "--best-of", "0"], ["--best-of is '0'", "from 1 to 1000"]),
        (
            ["--model", "ours.onnx", "--best-of", "4"],
            ["ours.onnx has no discriminator beside it", "make ours.discriminator.onnx with"],
        ),
        (["--model", "ours.onnx", "--output", "."], ["--output is '.', expected a .png file"]),
        (["--model", "ours.onnx", "--output", "ours.onnx/grid.png"], ["a file is in its place"]),
        (["--model", "ours.onnx", "--images", "ours.onnx"], ["--images is", "expected a folder"]),
    ],
)
def test_bad_input_to_generate(make_generator, tmp_path, arguments, parts):
    ours = make_generator("ours.onnx")
    make_generator("theirs.onnx", metadata={})
    (tmp_path / "truncated.onnx").write_bytes(ours.read_bytes()[:1000])
    output = [] if {"--output", "--images"} & set(arguments) else ["--output", "grid.png"]
    finished = run("-m", "runtime.generate", *arguments, *output, cwd=tmp_path)
    assert_one_sentence(finished, *parts)
    assert not (tmp_path / "grid.png").exists()


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["--seeds", "3"], ["--seeds is 3 alone", "expected two or more"]),
        (["--seeds", "3,8", "--output", "ours.onnx/walk.gif"], ["a file is in its place"]),
    ],
)
def test_bad_input_to_interpolate(make_generator, tmp_path, arguments, parts):
    make_generator("ours.onnx")
    output = [] if "--output" in arguments else ["--output", "walk.png"]
    command = ["-m", "runtime.interpolate", "--model", "ours.onnx", *arguments, *output]
    assert_one_sentence(run(*command, cwd=tmp_path), *parts)
    assert [path.name for path in tmp_path.iterdir()] == ["ours.onnx"]


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["none.png"], ["cannot read none.png: No such file"]),
        (["truncated.png"], ["cannot read truncated.png: truncated PNG"]),
        (["empty"], ["empty has no picture in it"]),
        (["grid.png", "--annotate", "grid.png/faces"], ["a file is in its place"]),
        (["grid.png", "--cascade", "text.xml"], ["text.xml is not the known cascade", "SHA-256"]),
        (["--model", "dcgan", "--seeds", "x"], ["seed is 'x'"]),
    ],
)
@pytest.mark.usefixtures("cascade")
def test_bad_input_to_score(tmp_path, arguments, parts):
    write_png(tmp_path / "grid.png", np.full((480, 640, 3), 200, np.uint8))
    content = (tmp_path / "grid.png").read_bytes()
    (tmp_path / "truncated.png").write_bytes(content[: len(content) // 2])
    (tmp_path / "text.xml").write_text("<cascade/>")
    (tmp_path / "empty").mkdir()
    assert_one_sentence(run("-m", "runtime.score", *arguments, cwd=tmp_path), *parts)


def test_debug_shows_the_traceback(tmp_path):
    command = ["-m", "runtime.show", "none.onnx", "--debug"]
    finished = run(*command, cwd=tmp_path)
    assert finished.returncode == 2
    assert "Traceback" in finished.stderr
    assert finished.stderr.splitlines()[-1].startswith("error: cannot read none.onnx")


def test_help_shows_real_calls_and_debug():
    for module in ("generate", "interpolate", "score"):
        finished = run("-m", f"runtime.{module}", "--help")
        assert finished.returncode == 0
        assert finished.stdout.count(f"  edgegan {module} ") >= 2
        assert "--debug" in finished.stdout


@pytest.mark.parametrize("status", [0, 1])
def test_the_status_is_what_main_returns(status):
    with pytest.raises(SystemExit) as stopped:
        run_command(lambda _: status)
    assert stopped.value.code == status


@pytest.fixture
def command(monkeypatch, capsys):
    """A command as a shell runs it: what it returns or raises -> its status and its stderr."""

    def run(outcome, *arguments):
        def main(_):
            return outcome()

        monkeypatch.setattr(sys, "argv", ["command", *arguments])
        with pytest.raises(SystemExit) as stopped:
            run_command(main)
        return stopped.value.code, capsys.readouterr().err

    return run


def raiser(error):
    def fail():
        raise error

    return fail


def interrupted_in_c():
    """As Cython and pybind11 report it."""
    try:
        raise KeyboardInterrupt
    except KeyboardInterrupt as cause:
        raise SystemError("a call returned a result with an exception set") from cause


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (UserError("x is bad"), "x is bad"),
        (UserError("no such file: a\nb\x1b[31m"), "no such file: a\\nb\\x1b[31m"),
        (UserError("no such file: \u202egnp.exe"), "no such file: \\u202egnp.exe"),
        (
            PermissionError(errno.EACCES, "Permission denied", "a/b"),
            "cannot use a/b: Permission denied",
        ),
        (
            OSError(errno.EXDEV, "Invalid cross-device link", b"a", None, "b"),
            "cannot use a and b: Invalid cross-device link",
        ),
        (OSError(errno.ENAMETOOLONG, "File name too long", "é\udcff"), "é\\udcff: File name too"),
        (OSError(errno.ENOSPC, "No space left on device"), "cannot go on: No space left on device"),
        (OSError(errno.EBADF, "Bad file descriptor", 7), "cannot go on: Bad file descriptor"),
        (OSError("libm.so: cannot open"), "cannot go on: libm.so: cannot open"),
        (TimeoutError(), "cannot go on: TimeoutError"),
        (MemoryError(), "there is not enough memory"),
        (MemoryError("Unable to allocate 9 GiB"), "not enough memory: Unable to allocate 9 GiB"),
        (RuntimeError("[1:2] std::bad_alloc\nStack trace"), "not enough memory: [1:2] std::bad_"),
        (RecursionError("maximum recursion depth"), "nested too deeply: maximum recursion depth"),
        (RuntimeError("can't start new thread"), "cannot go on: can't start new thread"),
    ],
)
def test_an_error_is_one_sentence_and_status_2(command, error, sentence):
    status, stderr = command(raiser(error))
    (line,) = stderr.splitlines()
    assert (status, line.startswith("error: ")) == (2, True)
    assert sentence in line
    assert FAULT not in line


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (ZeroDivisionError("division by zero\nof one"), "ZeroDivisionError: division by zero"),
        (KeyError("name"), "KeyError: 'name'"),
        (AssertionError(), "AssertionError"),
        (
            RuntimeError("Traceback (most recent call last):\n  File a.cc\nError: no axis 7\n"),
            "RuntimeError: Error: no axis 7",
        ),
        (BaseException("a panic"), "BaseException: a panic"),
    ],
)
def test_what_nobody_foresaw_is_called_a_fault(command, error, told):
    sentence = f"error: a fault in edgegan: {told}; run it again with --debug\n"
    assert command(raiser(error)) == (2, sentence)
    status, stderr = command(raiser(error), "--debug")
    assert status == 2
    assert stderr.startswith("Traceback (most recent call last)")
    assert stderr.endswith(sentence)


@pytest.mark.parametrize("outcome", [raiser(KeyboardInterrupt()), interrupted_in_c])
def test_an_interrupt_is_quiet(command, outcome):
    assert command(outcome) == (130, "")


def test_what_a_library_warns_of_is_a_line(command):
    def warn():
        warnings.warn("odd\nthing", UserWarning, stacklevel=1)
        return 0

    with warnings.catch_warnings():
        warnings.simplefilter("always")
        assert command(warn) == (0, "warning: odd\\nthing\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
@pytest.mark.parametrize("main", ["print('x') or 0", "[print('x' * 9999) for _ in 'ab'] and 0"])
def test_a_full_disk_behind_stdout_is_one_sentence(main):
    program = f"from runtime.errors import run_command\nrun_command(lambda _: {main})"
    with Path("/dev/full").open("w") as full:
        finished = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=REPOSITORY,
        )
    assert_one_sentence(finished, "No space left on device")


@pytest.mark.parametrize("unbuffered", ["", "1"])  # what could not be written may be kept, or not
@pytest.mark.parametrize("stream", [">&-", "2>&-", "2>/dev/full"])
def test_a_closed_or_full_stream_changes_no_status(stream, unbuffered):
    program = (
        "from runtime.errors import UserError, run_command\n"
        "def main(_):\n print('out')\n raise UserError('x is bad')\nrun_command(main)"
    )
    finished = subprocess.run(
        ["bash", "-c", f'"$0" -c "$1" {stream}', sys.executable, program],
        capture_output=True,
        text=True,
        cwd=REPOSITORY,
        env={**os.environ, "PYTHONUNBUFFERED": unbuffered},
    )
    assert finished.returncode == 2
    assert finished.stderr in ("error: x is bad\n", "")


def test_a_reader_that_leaves_ends_a_command_quietly():
    program = (
        "from runtime.errors import run_command\n"
        "run_command(lambda _: [print('x' * 1000) for _ in range(1000)] and 0)"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=REPOSITORY,
    ) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait() == 141
