"""Files of every kind that is read, broken in thousands of ways.

Whatever a file holds, a command ends within seconds, with its result or with one sentence, and
loses nothing that was there. The short form runs with the other tests, the long one (10,000 files)
by ``pytest -m campaign``.
"""

from __future__ import annotations

import faulthandler
import io
import json
import shutil
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgegan.__main__ import main as edgegan
from edgegan.runtime import errors
from edgegan.runtime.pictures import BadPicture, decode
from edgegan.runtime.run_folder import HEADER, LAST
from edgegan.trainer import recipe
from edgegan.trainer.data import pack
from edgegan.trainer.train_colour_classifier import main as train_colour_classifier
from training_help import TINY, encode, random_picture, write_pictures

SECONDS = 10  # of one file; more is a hang
STUCK = 120  # after which the whole process is ended, and says where it was
FAULTS = ("Traceback", "a fault in edgegan")
INTERESTING = [b"\x00", b"\xff", b"\x7f\xff\xff\xff", b"\xff" * 8, b"\x80" * 10, b"\x00" * 64]
WORDS = [
    b"nan",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"null",
    b"[[[[",
    b"{}",
    b"&a *a",
    b"!!python/x",
    b"\n",
]

Mutate = Callable[[bytes], bytes]
# How many changes the campaign makes; each is made of several files, 10,200 in all.
LONG = {
    "pictures": 400,
    "sets": 750,
    "records": 1000,
    "recipes": 300,
    "tags": 500,
    "checkpoints": 750,
    "models": 500,
}
SHORT = 10


def inputs(kind: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a test ``mutate``, in so many ways: a few, or as many as the campaign asks for."""

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        marked = pytest.param(LONG[kind], marks=pytest.mark.campaign)
        return pytest.mark.parametrize("count", [SHORT, marked])(test)

    return decorate


def try_all(count: int, one: Callable[[Mutate], None]) -> None:
    """Call ``one`` with so many mutations, the same at every run."""

    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(mutations())
    def each(mutate: Mutate) -> None:
        with in_time():
            one(mutate)

    each()


@contextmanager
def in_time() -> Iterator[None]:
    faulthandler.dump_traceback_later(STUCK, exit=True)
    started = time.monotonic()
    try:
        yield
    finally:
        faulthandler.cancel_dump_traceback_later()
    assert time.monotonic() - started < SECONDS


@st.composite
def mutations(draw: st.DrawFn) -> Mutate:
    """Up to five changes of a file: bits, bytes, and spans that are cut out, moved or doubled."""
    place = st.floats(0, 1, exclude_max=True)
    kinds = ["bit", "put", "insert", "cut", "truncate", "double", "zero", "move"]
    payload = st.sampled_from([*INTERESTING, *WORDS]) | st.binary(min_size=1, max_size=12)
    change = st.tuples(st.sampled_from(kinds), place, place, payload)
    changes = draw(st.lists(change, min_size=1, max_size=5))

    def mutate(content: bytes) -> bytes:
        for kind, first, second, put in changes:
            content = _change(content, kind, first, second, put)
        return content

    return mutate


def _change(content: bytes, kind: str, first: float, second: float, put: bytes) -> bytes:
    start = int(first * len(content))
    length = 1 + int(second**4 * len(content))  # most spans are short
    before, span, after = (
        content[:start],
        content[start : start + length],
        content[start + length :],
    )
    if kind == "bit":
        flipped = bytes([span[0] ^ 1 << int(second * 8)]) if span else b""
        return before + flipped + content[start + 1 :]
    if kind == "put":
        return before + put + content[start + len(put) :]
    if kind == "insert":
        return before + put + content[start:]
    if kind == "cut":
        return before + after
    if kind == "truncate":
        return before
    if kind == "double":
        return before + span + span + after
    if kind == "zero":
        return before + bytes(len(span)) + after
    return before + after[: len(span)] + span + after[len(span) :]


def run(monkeypatch: pytest.MonkeyPatch, *words: object) -> tuple[int, str]:
    """``edgegan WORDS`` in this process; returns its status and what it wrote to stderr."""
    return run_main(monkeypatch, edgegan, *words)


def run_main(
    monkeypatch: pytest.MonkeyPatch, main: Callable[[list[str] | None], int], *words: object
) -> tuple[int, str]:
    """A command as a shell runs it: one sentence at most, and no fault of ours."""
    monkeypatch.setattr(sys, "argv", ["edgegan", *map(str, words)])
    out, err = io.StringIO(), io.StringIO()
    with redirect_stdout(out), redirect_stderr(err), pytest.raises(SystemExit) as ended:
        errors.run_command(main)
    status, said = ended.value.code, err.getvalue()
    assert status in (0, 1, 2), said
    assert not any(fault in said + out.getvalue() for fault in FAULTS), said
    sentences = [line for line in said.splitlines() if line.startswith("error: ")]
    assert len(sentences) == (status == 2), said
    return int(status), said


def contents(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: None)


# Pictures


def pictures() -> list[bytes]:
    """A small picture in each kind of file."""
    picture = random_picture(0, 24, 20)
    kinds = [("JPEG", {}), ("JPEG", {"progressive": True}), ("PNG", {}), ("WEBP", {}), ("BMP", {})]
    return [encode(picture, kind, **options) for kind, options in [*kinds, ("GIF", {})]]


@inputs("pictures")
def test_pictures(
    count: int, tmp_path: Path, cascade: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    originals = pictures()

    def one(mutate: Mutate) -> None:
        for original in originals:
            content = mutate(original)
            with suppress(BadPicture):
                decoded = decode(content)
                assert decoded.dtype == np.uint8
                assert decoded.shape[2:] == (3,)
        for number in (0, 2):  # what is graded: JPEG and PNG
            path = tmp_path / "grid.png"
            content = mutate(originals[number])
            path.write_bytes(content)
            run(monkeypatch, "score", path, "--cascade", cascade)
            assert path.read_bytes() == content

    try_all(count, one)


# Sets of pictures


def pack_or_say(monkeypatch: pytest.MonkeyPatch, source: Path, cache: Path) -> None:
    """Pack a set; a bad one is a sentence, and nothing half written is left."""
    content = source.read_bytes()
    shutil.rmtree(cache, ignore_errors=True)
    with redirect_stderr(io.StringIO()), suppress(errors.UserError):
        assert pack(source, 8, skip_bad=True).count > 0
    assert source.read_bytes() == content
    assert not list(cache.rglob(".*-*"))


@inputs("sets")
def test_zips(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    originals = pictures()

    def make(change_member: Mutate) -> bytes:
        written = io.BytesIO()
        with zipfile.ZipFile(written, "w", zipfile.ZIP_DEFLATED) as archive:
            for number, content in enumerate(originals):
                content = change_member(content) if number == 1 else content
                archive.writestr(f"faces/{number}.jpg", content)
        return written.getvalue()

    def one(mutate: Mutate) -> None:
        path = tmp_path / "faces.zip"
        for content in (mutate(make(lambda member: member)), make(mutate)):
            path.write_bytes(content)
            pack_or_say(monkeypatch, path, tmp_path / "cache")

    try_all(count, one)


@inputs("records")
def test_records(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "faces.rec"
    writer = mx.recordio.MXRecordIO(str(path), "w")
    for number, content in enumerate(pictures()):
        writer.write(mx.recordio.pack(mx.recordio.IRHeader(0, 0.0, number, 0), content))
    writer.close()
    original = path.read_bytes()

    def one(mutate: Mutate) -> None:
        path.write_bytes(mutate(original))
        pack_or_say(monkeypatch, path, tmp_path / "cache")

    try_all(count, one)


# Recipes and tags


@inputs("recipes")
def test_recipes(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["dcgan", "wgan", "dragan", "relativistic"]
    originals = [
        json.dumps(recipe.load(name, TINY).to_mapping(), indent=1).encode() for name in names
    ]
    originals += [b"# mine\nextends: dcgan\ngenerator: {width: 8}\nlatent:\n  size: 6\n"]

    def one(mutate: Mutate) -> None:
        for number, original in enumerate(originals):
            path = tmp_path / f"{number}.yaml"
            path.write_bytes(mutate(original))
            status, said = run(monkeypatch, "recipes", path)
            assert status == 0 or path.name in said

    try_all(count, one)


@inputs("tags")
def test_tags(count: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = b"".join(
        b"%d,%s hair blue eyes\n%d,aqua hair red eyes\n" % (number, colour, number + 1)
        for number, colour in zip(range(0, 20, 2), (b"aqua", b"red") * 5)
    )
    path, output = tmp_path / "tagged.zip", tmp_path / "classifier.onnx"

    def all_was_read(*_: object) -> None:
        raise errors.UserError("all was read")

    monkeypatch.setattr("edgegan.trainer.train_colour_classifier.train", all_was_read)

    def said_of(tags: bytes) -> str:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("tags.csv", tags)
            for number in range(20):
                archive.writestr(f"images/{number}.png", encode(random_picture(number)))
        _, said = run_main(monkeypatch, train_colour_classifier, "--data", path, "--out", output)
        assert not output.exists()
        return said

    assert "all was read" in said_of(original)
    try_all(count, lambda mutate: said_of(mutate(original)))


# Checkpoints and models


@pytest.fixture
def trained(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run of one step on a few pictures, which lie beside it."""
    monkeypatch.setattr("edgegan.trainer.run.VALIDATION_GRIDS", 1)
    faces = write_pictures(tmp_path / "faces", 30)
    tiny = [word for value in TINY for word in ("--set", value)]
    out = tmp_path / "run"
    run(monkeypatch, "fit", "--data", faces, "--out", out, "--steps", "1", *tiny)
    return out


def change_header(checkpoint: bytes, mutate: Mutate) -> bytes:
    """A checkpoint with another text in its header, whole in all else."""
    stored = dict(np.load(io.BytesIO(checkpoint)))
    header = mutate(str(stored[HEADER]).encode()).decode(errors="replace")
    written = io.BytesIO()
    np.savez(written, **{**stored, HEADER: np.array(header)})
    return written.getvalue()


@inputs("checkpoints")
def test_checkpoints(
    count: int, tmp_path: Path, trained: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    last = trained / LAST
    original = last.read_bytes()
    output = tmp_path / "exported.onnx"
    status, said = run(monkeypatch, "export", last, "-o", output)
    assert status == 0, said
    older = output.read_bytes()
    resume = ["fit", "--resume", "--data", tmp_path / "faces", "--out", trained, "--dry-run"]

    def one(mutate: Mutate) -> None:
        for content in (mutate(original), change_header(original, mutate)):
            last.write_bytes(content)
            before = contents(trained)
            run(monkeypatch, "show", last)
            run(monkeypatch, *resume)
            assert contents(trained) == before
            output.write_bytes(older)
            status, _ = run(monkeypatch, "export", last, "-o", output)
            assert status == 0 or output.read_bytes() == older
            assert contents(trained) == before

    try_all(count, one)


@inputs("models")
def test_models(
    count: int,
    tmp_path: Path,
    make_generator: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = make_generator()
    optimized = tmp_path / "optimized.onnx"
    status, said = run(monkeypatch, "optimize", path, "-o", optimized, "--optimize", 2)
    assert status == 0, said
    grid = tmp_path / "grid.png"
    status, said = run(monkeypatch, "generate", "--model", path, "--output", grid)
    assert status == 0, said
    older = {output: output.read_bytes() for output in (grid, optimized)}
    originals = [path.read_bytes(), older[optimized]]

    def one(mutate: Mutate) -> None:
        for original in originals:
            content = mutate(original)
            path.write_bytes(content)
            for output in older:
                output.write_bytes(older[output])
            status, _ = run(monkeypatch, "generate", "--model", path, "--output", grid)
            assert status == 0 or grid.read_bytes() == older[grid]
            run(monkeypatch, "show", path)
            status, _ = run(monkeypatch, "optimize", path, "-o", optimized, "--optimize", 1)
            assert status == 0 or optimized.read_bytes() == older[optimized]
            assert path.read_bytes() == content

    try_all(count, one)
