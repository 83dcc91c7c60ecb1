"""No command writes over what it reads, or over a file of another kind than its output is."""

from __future__ import annotations

import argparse
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import comparison, measure
from edgegan.export import optimize, to_onnx
from edgegan.runtime import generate, interpolate, run_gan
from edgegan.runtime.errors import UserError
from edgegan.runtime.grid import write_png
from edgegan.runtime.options import output_file, output_folder
from edgegan.runtime.page import build
from edgegan.runtime.page.onnxruntime_web import SHA256
from edgegan.runtime.run_folder import BEST, GRIDS, JUDGE, LAST, RECIPE
from edgegan.trainer import distil, fit, train_colour_classifier
from edgegan.trainer.report import __main__ as report
from training_help import write_pictures

Command = Callable[[list[str]], int]
WAYS = ("itself", "link", "hard link")


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))


def contents(folder: Path) -> dict[Path, bytes]:
    """What is in every file of a folder and those below it."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def another_name(path: Path, way: str, name: str) -> Path:
    """A name beside a file that stands for it, in one of the WAYS."""
    place = path.with_name(name)
    if way == "itself":
        return path
    if way == "link":
        place.symlink_to(path)
    else:
        os.link(path, place)
    return place


def assert_refused(command: Command, arguments: list[object], sentence: str, folder: Path) -> None:
    """The command ends with such a sentence, and every file of the folder is as it was."""
    before = contents(folder)
    with pytest.raises(UserError, match=sentence):
        command([str(argument) for argument in arguments])
    assert contents(folder) == before


@pytest.mark.parametrize("way", WAYS)
def test_a_model_is_not_written_over(
    make_generator: Callable[..., Path], tmp_path: Path, way: str
) -> None:
    model = make_generator()
    output = another_name(model, way, "out.onnx")
    sentence = r"--output would write to .*tiny\.onnx.*, which is read: choose another"
    assert_refused(optimize.main, [model, "-o", output], sentence, tmp_path)
    image = another_name(model, way, "out.png")
    sentence = "expected a .png" if way == "itself" else r"out\.png, a file that is there and is no"
    for command in (generate.main, interpolate.main, run_gan.main):
        seeds = ["--seeds", "1,2"] if command is interpolate.main else []
        assert_refused(command, ["--model", model, *seeds, "--output", image], sentence, tmp_path)


@pytest.mark.parametrize("way", WAYS)
def test_a_model_with_the_suffix_of_a_picture_is_not_written_over(
    make_generator: Callable[..., Path], tmp_path: Path, way: str
) -> None:
    """Even where it began as a picture does, which no model can."""
    model = tmp_path / "model.png"
    write_png(model, np.zeros((4, 4, 3), np.uint8))
    output = another_name(model, way, "out.png")
    sentence = r"--output would write to .*model\.png.*, which is read"
    assert_refused(generate.main, ["--model", model, "--output", output], sentence, tmp_path)


@pytest.mark.parametrize("way", ["link", "hard link"])
def test_a_checkpoint_is_not_written_over(tmp_path: Path, way: str) -> None:
    run = tmp_path / "run"
    run.mkdir()
    for name in (BEST, LAST, JUDGE):
        np.savez(run / name, name=name)
        output = another_name(run / name, way, f"{name}.onnx")
        sentence = rf"{name}\.onnx, a file that is there and is no \.onnx file by its content"
        for part in ("generator", "discriminator"):
            words = [run, "--part", part, "-o", output]
            assert_refused(to_onnx.main, words, sentence, tmp_path)
    sentence = r"best\.npz', expected a \.onnx file"
    assert_refused(to_onnx.main, [run, "-o", run / BEST], sentence, tmp_path)


def test_a_checkpoint_that_begins_as_a_model_does_is_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "x.npz").write_bytes(b"\x08")
    os.link(tmp_path / "x.npz", tmp_path / "x.onnx")
    words = [tmp_path / "x.npz", "-o", tmp_path / "x.onnx"]
    assert_refused(to_onnx.main, words, r"--output would write to .*x\.npz, the same as", tmp_path)


def test_a_runs_events_are_not_written_over(tmp_path: Path) -> None:
    (tmp_path / "events.1").write_bytes(b"\x18\0\0\0\0\0\0\0 an event")
    (tmp_path / "report.html").symlink_to(tmp_path / "events.1")
    words = [tmp_path, "-o", tmp_path / "report.html"]
    assert_refused(report.main, words, "is no page that edgegan report wrote", tmp_path)


HEAD = """<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{}</title>
"""
POLICY = (
    """<meta http-equiv="Content-Security-Policy" content="default-src 'none'; """
    """script-src 'sha256-AAAA' blob: 'wasm-unsafe-eval'">"""
)
HOMEPAGES = [
    "<!doctype html>\n<title>Me</title>\n<p>Hello",
    HEAD.format("edgegan") + "</head>\n<body>My homework",
    HEAD.format("Me") + POLICY,
    "<p>" + "x" * 10_000 + HEAD.format("edgegan") + POLICY,
    "edgegan",
]


@pytest.fixture
def built(monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A page that draws, but for what runs its models."""
    nothing = dict.fromkeys(SHA256, b"")
    monkeypatch.setattr("edgegan.runtime.page.build.onnxruntime_web", lambda: nothing)
    return build.build([])


@pytest.mark.parametrize("command", [build.main, report.main])
@pytest.mark.parametrize("homepage", HOMEPAGES)
def test_a_page_of_others_is_not_written_over(
    tmp_path: Path, homepage: str, command: Command
) -> None:
    output = tmp_path / "index.html"
    output.write_text(homepage)
    words = ["student" if command is build.main else tmp_path, "-o", output]
    by = "built" if command is build.main else "wrote"
    sentence = rf"index\.html, a file that is there and is no page that edgegan \w+ {by}: choose"
    assert_refused(command, words, sentence, tmp_path)


def test_a_page_is_replaced_by_one_of_the_same_command(tmp_path: Path, built: bytes) -> None:
    """Also by its beginning alone, and one of an older version."""
    older = (HEAD.format("edgegan") + POLICY).encode()
    reported = HEAD.format("Training runs: a, b").replace("doctype", "DOCTYPE").encode()
    output = tmp_path / "index.html"
    build_page = output_file("--output", ".html", kind=build.BUILT)
    write_report = output_file("--output", ".html", kind=report.WRITTEN)
    for content, own, other in (
        *((content, build_page, write_report) for content in (built, built[:2000], older)),
        (reported, write_report, build_page),
    ):
        output.write_bytes(content)
        assert own(str(output)) == output
        with pytest.raises(UserError, match="is no page that edgegan"):
            other(str(output))


def test_pictures_are_not_written_over(tmp_path: Path) -> None:
    faces = write_pictures(tmp_path / "faces", 3)
    archive = Path(shutil.make_archive(str(tmp_path / "faces"), "zip", faces))
    os.link(archive, tmp_path / "faces.onnx")
    classifier = ["--data", archive, "--out", tmp_path / "faces.onnx"]
    sentence = r"is no \.onnx file by its content"
    assert_refused(train_colour_classifier.main, classifier, sentence, tmp_path)
    (tmp_path / "link").symlink_to(faces)
    sentence = "--out would write to .*faces.*, which is read"
    for out in (faces, tmp_path / "link"):
        assert_refused(fit.main, ["--data", faces, "--out", out], sentence, tmp_path)
        assert_refused(comparison.main, ["--data", faces, "--out", out], sentence, tmp_path)
    (tmp_path / "run").mkdir()
    faces.rename(tmp_path / "run" / GRIDS)
    words = ["--data", tmp_path / "run" / GRIDS, "--out", tmp_path / "run"]
    assert_refused(fit.main, words, "--out would write to .*grids, which is read", tmp_path)


def test_a_recipe_of_ones_own_is_not_written_over(tmp_path: Path) -> None:
    faces, run = write_pictures(tmp_path / "faces", 3), tmp_path / "run"
    run.mkdir()
    (run / RECIPE).write_text("# mine\nextends: dcgan\n")
    words = ["--recipe", run / RECIPE, "--data", faces, "--out", run]
    assert_refused(fit.main, words, r"--out would write to .*recipe\.yaml, which is read", tmp_path)


@pytest.mark.parametrize("name", [BEST, LAST, JUDGE])
def test_what_is_left_of_a_run_is_not_written_over(tmp_path: Path, name: str) -> None:
    faces, run = write_pictures(tmp_path / "faces", 3), tmp_path / "run"
    run.mkdir()
    (run / name).write_bytes(b"of hours")
    words = ["--data", faces, "--out", run]
    assert_refused(fit.main, words, "run holds a run already: choose another --out", tmp_path)
    words = ["dcgan", "--out", run]
    assert_refused(distil.main, words, "run holds a run already: choose another --out", tmp_path)


def test_a_benchmarks_report_is_json(tmp_path: Path) -> None:
    parser = argparse.ArgumentParser()
    measure.add_json_option(parser)
    (tmp_path / "model.onnx").write_bytes(b"\x08")
    (tmp_path / "link.json").symlink_to(tmp_path / "model.onnx")
    for name, sentence in (("model.onnx", "expected a .json file"), ("link.json", "is no .json")):
        words: list[object] = ["--json", tmp_path / name]
        assert_refused(lambda argv: bool(parser.parse_args(argv)), words, sentence, tmp_path)
    parser.parse_args(["--json", str(tmp_path / "new.json")])


# Outputs by themselves


BEGINNINGS = {
    ".png": b"\x89PNG\r\n\x1a\n",
    ".gif": b"GIF89a",
    ".webp": b"RIFF\x10\0\0\0WEBP",
    ".onnx": b"\x08\x08\x12\x07edgegan",
    ".json": b'{\n  "benchmark": 1',
    ".npz": b"PK\x03\x04",
}


@pytest.mark.parametrize("suffix", [suffix for suffix in BEGINNINGS if suffix != ".npz"])
def test_a_file_is_replaced_by_one_of_its_kind_only(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    read = output_file("--output", suffix)
    assert read(str(path)) == path
    for other, beginning in BEGINNINGS.items():
        path.write_bytes(beginning)
        if other == suffix:
            assert read(str(path)) == path
        else:
            with pytest.raises(UserError, match=rf"--output is {path}, a file that is there and"):
                read(str(path))
    path.write_bytes(b"")
    assert read(str(path)) == path
    upper = tmp_path / f"Y{suffix.upper()}"
    upper.write_bytes(BEGINNINGS[suffix])
    assert read(str(upper)) == upper


def test_a_place_where_no_file_can_be_is_told_at_once(tmp_path: Path) -> None:
    read = output_file("--output", ".png")
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe.png")
    for name, sentence in (
        ("folder.png", "it is a folder, and a file was expected"),
        ("pipe.png", "it is no regular file"),
        ("file/x.png", "a file is in its place"),
        ("x" * 300 + ".png", "File name too long"),
    ):
        with pytest.raises(UserError, match=sentence):
            read(str(tmp_path / name))


def test_a_folder_that_takes_no_file_is_told_though_the_file_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "grid.png"
    path.write_bytes(BEGINNINGS[".png"])
    # Root may write anywhere, so the answer is made up.
    monkeypatch.setattr(os, "access", lambda place, _: Path(place) != tmp_path)
    with pytest.raises(UserError, match=f"no permission to write in {tmp_path}$"):
        output_file("--output", ".png")(str(path))


@pytest.mark.parametrize("name", ["grid", "grid.jpg", "grid.jpeg", "best.npz", "png", ".png", ""])
def test_another_suffix_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=re.escape(f"--output is {name!r}, expected a .png file")):
        output_file("--output", ".png")(name)


@pytest.mark.parametrize("name", ["faces.png", "faces.ZIP", "run.npz", "m.onnx"])
def test_a_folder_is_not_named_as_a_file_is(tmp_path: Path, name: str) -> None:
    read = output_folder("--out")
    with pytest.raises(UserError, match="the name of a file, expected a folder"):
        read(str(tmp_path / name))
    (tmp_path / name).mkdir()
    assert read(str(tmp_path / name)) == tmp_path / name
    assert read(str(tmp_path / "v1.2")) == tmp_path / "v1.2"
