"""Whatever a command is given in place of a file, a folder or a number: one sentence, status 2."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import socket
import sys
import tempfile
import zlib
from argparse import Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from importlib import import_module
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import numpy as np
import pytest

import edgegan.runtime.detector
from edgegan.__main__ import COMMANDS, main
from edgegan.runtime import run_cgan, run_gan
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import FAULT, run_command
from edgegan.runtime.grid import write_png
from edgegan.runtime.page.onnxruntime_web import SHA256
from training_help import TINY, write_pictures
from words_help import make_conditional_generator

MOST_SECONDS = 10  # a command that waits for what never comes
NOBODY = 65534

REPOSITORY = Path(__file__).parents[1]
MODULES = [  # of all commands, of those too that edgegan does not list
    ".".join([*["edgegan"] * (folder != "benchmarks"), *path.relative_to(REPOSITORY).parts])[:-3]
    for folder in ("runtime", "trainer", "export", "benchmarks")
    for path in sorted((REPOSITORY / folder).rglob("*.py"))
    if {"def main(argv: list[str] | None = None) -> int:", "    run_command(main)"}
    <= set(path.read_text(encoding="utf-8").splitlines())
]

Answer = tuple[int, str]
SCRIPTS = {"run_gan.sh": run_gan.main, "run_cgan.sh": run_cgan.main}


class Argument(NamedTuple):
    """An argument of a command, ``{}`` among its words; the others are words that are right.

    ``kind`` is "in" for what is read, "out" for a file that is written, "folder" for a folder that
    is written to; ``suffix`` ends the names of what is put there. What it ``may_be`` is no error.
    """

    words: str
    kind: str
    suffix: str = ""
    may_be: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.words}{self.suffix}"


FIT = "fit --data {data} --out {out}/run --steps 1 " + " ".join(f"--set {word}" for word in TINY)
ARGUMENTS = [
    Argument("generate --output {out}/grid.png --model {}", "in", ".onnx"),
    Argument("generate --model {model} --output {}", "out", ".png"),
    Argument("generate --model {model} --count 2 --images {}", "folder"),
    Argument(
        "generate --model {conditional} --output {out}/grid.png --texts {}",
        "in",
        ".txt",
    ),
    Argument("interpolate --seeds 1,2 --output {out}/walk.png --model {}", "in", ".onnx"),
    Argument("interpolate --seeds 1,2 --frames 2 --model {model} --output {}", "out", ".png"),
    Argument("interpolate --seeds 1,2 --frames 2 --model {model} --output {}", "out", ".gif"),
    Argument("page -o {out}/page.html {}", "in", ".onnx"),
    Argument("page {model} -o {}", "out", ".html"),
    Argument("score {}", "in", ".png"),
    Argument("score --seeds 1 --model {}", "in", ".onnx"),
    Argument("score {grid} --annotate {}", "out", ".png"),
    Argument("score {grid} --annotate {}", "folder"),
    Argument("score {grid} --cascade {}", "in", ".xml"),
    Argument("show {}", "in", ".onnx"),
    Argument("show {}", "in", ".npz"),
    Argument("show {}", "in"),
    Argument(FIT.replace("{data}", "{}"), "in"),
    Argument(FIT.replace("{data}", "{}"), "in", ".zip"),
    Argument(FIT.replace("{data}", "{}"), "in", ".rec"),
    Argument(FIT.replace("{out}/run", "{}") + " --dry-run", "folder"),
    Argument(f"{FIT} --recipe {{}}", "in", ".yaml"),
    Argument(f"{FIT} --start-from {{}}", "in"),
    Argument(f"{FIT} --start-from {{}}", "in", ".npz"),
    Argument(f"{FIT} --cascade {{}}", "in", ".xml"),
    Argument("recipes {}", "in", ".yaml"),
    Argument("evaluate --data {data} {}", "in", ".onnx"),
    Argument("evaluate --data {data} {}", "in", ".npz"),
    Argument("evaluate {model} --data {}", "in", ".zip"),
    Argument("evaluate {model} --data {data} --cascade {}", "in", ".xml"),
    Argument("report -o {out}/page.html {}", "in"),
    Argument("report {run} -o {}", "out", ".html"),
    Argument("judge --steps 1 --data {data} {}", "in"),
    Argument("judge --steps 1 --data {data} {}", "in", ".npz"),
    Argument("judge --steps 1 {run} --data {}", "in", ".zip"),
    Argument("distil --out {out}/student {}", "in", ".onnx"),
    Argument("distil --dry-run {model} --out {}", "folder"),
    Argument("distil --dry-run {model} --out {out}/student --cascade {}", "in", ".xml"),
    Argument("export -o {out}/new.onnx {}", "in"),
    Argument("export -o {out}/new.onnx {}", "in", ".npz"),
    Argument("export --optimize 0 {run} -o {}", "out", ".onnx"),
    Argument("optimize -o {out}/new.onnx {}", "in", ".onnx"),
    Argument("optimize --optimize 0 {model} -o {}", "out", ".onnx"),
    Argument("run_gan.sh --output {out}/grid.png --model {}", "in", ".onnx"),
    Argument("run_gan.sh --model {model} --output {}", "out", ".png"),
    Argument(
        "run_gan.sh --model {model} --output {out}/grid.png --compare {}",
        "in",
        ".png",
        may_be=("missing", "no UTF-8", "two lines", "below a file", "a loop"),
    ),
    Argument("run_gan.sh --model {model} --output {out}/grid.png --cascade {}", "in", ".xml"),
    Argument("run_cgan.sh {texts} --output {out}/grid.png --model {}", "in", ".onnx"),
    Argument("run_cgan.sh --model {conditional} --output {out}/grid.png {}", "in", ".txt"),
    Argument("run_cgan.sh {texts} --model {conditional} --output {}", "out", ".png"),
]
BAD = {
    "in": (
        *("missing", "a folder", "empty", "random", "no text", "a long name", "no UTF-8"),
        *("two lines", "below a file", "a device", "a pipe", "a socket", "a loop", "locked"),
        *("in a locked folder",),
    ),
    "out": (
        *("a folder", "no text", "a long name", "below a file", "a device", "a full device"),
        *("a pipe", "a socket", "a loop", "in a locked folder"),
    ),
    "folder": (
        *("empty", "random", "no text", "a long name", "below a file", "a device", "a pipe"),
        *("a socket", "a loop", "in a locked folder"),
    ),
}
GOOD = ("no UTF-8", "two lines")  # names that a file can be written to
NO_NUMBERS = ["-1", "1e400", "nan", "9" * 4301, "9" * 10_000, "seven", "", "0x10", "\u00b2"]
WHOLE_NUMBERS = [
    "generate --output {out}/grid.png --model {model} --seed",
    "generate --output {out}/grid.png --model {model} --best-of",
    "generate --output {out}/grid.png --model {model} --layout tight --rows",
    "generate --output {out}/grid.png --model {model} --layout tight --columns",
    "generate --output {out}/grid.png --model {model} --layout tight --gap",
    "generate --images {out}/images --model {model} --count",
    "generate --images {out}/images --model {conditional} --text red --each",
    "interpolate --model {model} --output {out}/walk.png --seeds",
    "interpolate --model {model} --output {out}/walk.png --seeds 1,2 --frames",
    "score --model {model} --seeds",
    "score --model {model} --seeds 1 --best-of",
    f"{FIT} --seed",
    "fit --data {data} --out {out}/run --steps",
    "fit --data {data} --out {out}/run --epochs",
    f"{FIT} --set image_size=8 --device",
    "evaluate {model} --data {data} --images",
    "evaluate {model} --data {data} --seed",
    "judge {run} --data {data} --steps",
    "distil {model} --out {out}/student --steps",
    "distil {model} --out {out}/student --seed",
    "export {run} -o {out}/new.onnx --optimize",
    "optimize {model} -o {out}/new.onnx --optimize",
    "run_gan.sh --model {model} --output {out}/grid.png --seed",
    "run_cgan.sh {texts} --model {conditional} --output {out}/grid.png --seed",
    "cache --clear",
]
POSITIVE_NUMBERS = [
    f"{FIT} --minutes",
    "distil {model} --out {out}/student --minutes",
    "export {run} -o {out}/new.onnx --optimize 3 --quality",
]
NOT_ZERO = (
    *(
        "--best-of",
        "--rows",
        "--columns",
        "--count",
        "--each",
        "--frames",
        "--steps",
        "--epochs",
        "--images",
    ),
)


class Place:
    """A folder with what commands take, ``words`` by name, and with what they do not."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.words = {"out": str(folder / "out")}

    def make(self, what: str, suffix: str) -> str:
        """What is put in place of an argument."""
        name = what.replace(" ", "_") + suffix
        path = self.folder / name
        if what == "no text":
            return ""
        if what == "a long name":
            return str(self.folder / ("x" * 300 + suffix))
        if what == "no UTF-8":
            return os.fsdecode(os.fsencode(self.folder) + b"/\xff" + os.fsencode(suffix))
        if what == "two lines":
            return f"{self.folder}/two\nlines{suffix}"
        if what == "in a locked folder":
            (self.folder / "closed").mkdir(mode=0, exist_ok=True)
            return str(self.folder / "closed" / f"a{suffix}")
        if what == "below a file":
            (self.folder / "file").touch()
            return str(self.folder / "file" / f"a{suffix}")
        if not os.path.lexists(path):
            self._put(what, path)
        return str(path)

    def _put(self, what: str, path: Path) -> None:
        if what == "a folder":
            path.mkdir()
        elif what == "empty":
            path.touch()
        elif what in ("random", "locked"):
            path.write_bytes(np.random.default_rng(0).bytes(1000))
            path.chmod(0 if what == "locked" else 0o644)
        elif what == "a device":
            path.symlink_to("/dev/null")
        elif what == "a full device":
            path.symlink_to("/dev/full")
        elif what == "a pipe":
            os.mkfifo(path)
        elif what == "a socket":
            with socket.socket(socket.AF_UNIX) as listening:
                listening.bind(os.path.relpath(path))
        elif what == "a loop":
            path.symlink_to(path.name)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, whom no permission keeps out."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(NOBODY)
    try:
        yield
    finally:
        os.seteuid(0)


@contextmanager
def in_time() -> Iterator[None]:
    """Fail where it takes more than MOST_SECONDS, also in a call that does not return."""

    def fail(signum: int, frame: FrameType | None) -> None:
        pytest.fail(f"it hangs: {MOST_SECONDS} s")

    before = signal.signal(signal.SIGALRM, fail)
    signal.alarm(MOST_SECONDS)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture(scope="module")
def place() -> Iterator[Place]:
    """Pictures, a grid of them, a run of one step, and a model: the networks draw 8 x 8 pixels."""
    folder = Path(tempfile.mkdtemp())  # pytest's own is locked for all but its user
    folder.chmod(0o755)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEGAN_CACHE", str(folder / "cache"))
        patch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: None)
        patch.setattr("edgegan.trainer.run.VALIDATION_GRIDS", 1)
        made = Place(folder)
        (folder / "out").mkdir()
        made.words.update(
            data=str(write_pictures(folder / "faces", 10)),
            grid=str(folder / "grid.png"),
            run=str(folder / "trained"),
            model=str(folder / "model.onnx"),
            conditional=str(make_conditional_generator(folder / "conditional.onnx")),
            texts=str(folder / "texts.txt"),
        )
        (folder / "texts.txt").write_text("1,blue hair\n2,red hair\n")
        write_png(folder / "grid.png", np.full((480, 640, 3), 200, np.uint8))
        assert main(split(FIT.replace("{out}/run", "{run}"), made)) == 0
        assert main(split("export --optimize 0 {run} -o {model}", made)) == 0
    for path in (folder, *folder.rglob("*")):
        path.chmod(0o777 if path.is_dir() else 0o666)
    try:
        yield made
    finally:
        shutil.rmtree(folder)


def split(words: str, place: Place, argument: str = "") -> list[str]:
    """The words of a command, with what is right, and the argument in the place of ``{}``."""
    return [argument if word == "{}" else word.format(**place.words) for word in words.split(" ")]


class NoFaces:
    """A detector that loads nothing."""

    def __init__(self, cascade: object) -> None:
        pass

    def faces(self, image: np.ndarray) -> np.ndarray:
        return np.zeros((0, 4), np.int32)


@pytest.fixture
def run(
    place: Place, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[list[str]], Answer]:
    """A command as a shell runs it, but in this process: its status and its stderr.

    A cascade is looked for only where one is named, a report is a page without curves, and the page
    that draws is without what runs its models.
    """
    find = edgegan.runtime.detector.find_cascade

    def find_named(explicit: Path | None = None) -> Path:
        return find(explicit) if explicit else Path("none")

    monkeypatch.setenv("EDGEGAN_CACHE", str(place.folder / "cache"))
    for module in ("detector", "score", "graded_grid"):
        monkeypatch.setattr(f"edgegan.runtime.{module}.find_cascade", find_named)
        monkeypatch.setattr(f"edgegan.runtime.{module}.Detector", NoFaces)

    monkeypatch.setattr("edgegan.trainer.report.__main__.render", lambda *_: "page")
    nothing = dict.fromkeys(SHA256, b"")
    monkeypatch.setattr("edgegan.runtime.page.build.onnxruntime_web", lambda: nothing)

    def command(words: list[str]) -> Answer:
        shutil.rmtree(place.folder / "out")
        (place.folder / "out").mkdir()
        (place.folder / "out").chmod(0o777)
        name, *arguments = words
        chosen = SCRIPTS.get(name, main)
        given = arguments if name in SCRIPTS else words
        monkeypatch.setattr(sys, "argv", ["edgegan", *words])
        capfd.readouterr()
        with in_time(), pytest.raises(SystemExit) as ended:
            run_command(lambda _: chosen(given))
        return ended.value.code, capfd.readouterr().err

    return command


def expect_one_sentence(what: str, answer: Answer) -> None:
    """``what`` was given in place of what is right."""
    status, err = answer
    assert (status, FAULT in err) == (2, False), (what, answer)
    assert (err.count("\n"), err[:7], err[-1]) == (1, "error: ", "\n"), (what, answer)


def is_model(argument: Argument) -> bool:
    """Whether it is a model that is read."""
    return (argument.kind, argument.suffix) == ("in", ".onnx")


def test_every_command_is_tried() -> None:
    every = [*(argument.words for argument in ARGUMENTS), *WHOLE_NUMBERS]
    tried = {words.split()[0] for words in every}
    assert tried == COMMANDS.keys() - {"providers"} | SCRIPTS.keys()


@pytest.mark.parametrize("module", MODULES)
def test_an_unknown_option_and_a_missing_one_are_one_sentence(
    module: str, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    parsers = []
    read = CommandParser.parse_args

    def watched(parser: CommandParser, words: list[str]) -> Namespace:
        parsers.append(parser)
        return read(parser, words)

    def answer(*words: str) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["command", *words])
        capfd.readouterr()
        with in_time(), pytest.raises(SystemExit) as ended:
            run_command(lambda _: command(list(words)))
        return ended.value.code, *capfd.readouterr()

    monkeypatch.setattr(CommandParser, "parse_args", watched)
    command = import_module(module).main
    status, out, err = answer("--debog")
    (parser,) = parsers
    told = f"option '--debog' is unknown: did you mean --debug? See {parser.prog} --help"
    assert (status, out, err) == (2, "", f"error: {told}\n")
    required = [each for each in parser._actions if each.required and each.nargs != "*"]
    if required:
        status, out, err = answer()
        told = "error: the following arguments are required: "
        assert (status, out, err[: len(told)]) == (2, "", told)
        assert err.endswith(f"; see {parser.prog} --help\n")
        assert err.count("\n") == 1
        assert err.count(", ") == len(required) - 1


@pytest.mark.parametrize("argument", ARGUMENTS, ids=str)
def test_a_bad_path_is_one_sentence(
    argument: Argument, place: Place, run: Callable[[list[str]], Answer]
) -> None:
    for what in BAD[argument.kind]:
        if what in argument.may_be:
            continue
        words = split(argument.words, place, place.make(what, argument.suffix))
        with as_nobody() if "locked" in what else nullcontext():
            expect_one_sentence(what, run(words))


@pytest.mark.parametrize("argument", [each for each in ARGUMENTS if is_model(each)], ids=str)
def test_every_command_says_the_same_of_what_is_no_model(
    argument: Argument, place: Place, run: Callable[[list[str]], Answer]
) -> None:
    text = place.folder / "text.onnx"
    text.write_text("my notes")
    cut = place.folder / "cut.onnx"
    cut.write_bytes(Path(place.words["model"]).read_bytes()[:1000])
    for path, sentence in (
        (place.make("empty", ".onnx"), " is empty, expected an ONNX model\n"),
        (str(text), " is no ONNX model\n"),
        (str(cut), " is not a whole ONNX model: field 7 ends too early (1000 bytes read)\n"),
    ):
        answer = run(split(argument.words, place, path))
        assert answer == (2, f"error: {path}{sentence}")


@pytest.mark.parametrize("argument", ARGUMENTS, ids=str)
def test_an_address_is_no_path(
    argument: Argument, place: Place, run: Callable[[list[str]], Answer]
) -> None:
    address = f"https://example.com/x{argument.suffix}"
    status, err = run(split(argument.words, place, address))
    assert status == 2
    ends = f" is {address}, an address: expected the path of a file or folder\n"
    assert err.endswith(ends), err


@pytest.mark.parametrize("argument", [each for each in ARGUMENTS if each.kind != "in"], ids=str)
def test_any_name_that_the_system_takes_is_written(
    argument: Argument, place: Place, run: Callable[[list[str]], Answer]
) -> None:
    for what in GOOD:
        name = place.make(what, argument.suffix)
        if argument.kind == "out":  # that of another command may be there
            Path(name).unlink(missing_ok=True)
        status, err = run(split(argument.words, place, name))
        assert status in (0, 1), err


@pytest.mark.parametrize("option", [*WHOLE_NUMBERS, *POSITIVE_NUMBERS])
def test_a_bad_number_is_one_sentence(
    option: str, place: Place, run: Callable[[list[str]], Answer]
) -> None:
    not_whole = ["1.5"] if option in WHOLE_NUMBERS else []
    zero = ["0"] if option in POSITIVE_NUMBERS or option.endswith(NOT_ZERO) else []
    for number in (*NO_NUMBERS, *not_whole, *zero):
        answer = run([*split(option, place), number])
        expect_one_sentence(number, answer)
        assert len(answer[1]) < 300


@pytest.mark.parametrize(
    ("words", "where", "error", "sentence"),
    [
        (
            FIT,
            "edgegan.trainer.batches.read_picture",
            MemoryError("of 9 GiB"),
            "there is not enough memory: of 9 GiB",
        ),
        (
            FIT,
            "edgegan.trainer.batches.read_picture",
            OSError(errno.EIO, "Input/output error"),
            "cannot go on: Input/output error",
        ),
        (
            "generate --model {model} --count 2 --images {out}/images",
            "edgegan.runtime.image_folder.encode_png",
            MemoryError(),
            "there is not enough memory",
        ),
    ],
)
def test_what_fails_in_a_thread_is_one_sentence(
    words: str,
    where: str,
    error: Exception,
    sentence: str,
    place: Place,
    run: Callable[[list[str]], Answer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(where, fail)
    status, err = run(split(words, place))
    assert (status, err.splitlines()[-1]) == (2, f"error: {sentence}")
    assert "Traceback" not in err


@pytest.mark.parametrize("annotate", ["", " --annotate {out}/faces.png"])
def test_a_picture_of_too_many_pixels_is_one_sentence(
    annotate: str, place: Place, run: Callable[[list[str]], Answer]
) -> None:
    """A PNG that says that it has 2**31 - 1 pixels a side, and a check sum to go with it."""
    content = bytearray((place.folder / "grid.png").read_bytes())
    content[16:24] = 2 * (2**31 - 1).to_bytes(4, "big")
    content[29:33] = zlib.crc32(content[12:29]).to_bytes(4, "big")
    path = place.folder / "huge.png"
    path.write_bytes(content)
    answer = run(split(f"score {{}}{annotate}", place, str(path)))
    expect_one_sentence("a huge picture", answer)
    assert str(path) in answer[1]
