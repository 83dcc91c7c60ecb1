from __future__ import annotations

import json
import os
import shutil

import cv2
import numpy as np
import pytest

from edgegan import Generator
from edgegan.runtime import score
from edgegan.runtime.detector import Detector
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import locked
from edgegan.runtime.grid import baseline_grid, read_picture, write_png
from edgegan.runtime.score import Score, annotate, main, score_images, summarise

FACES_BY_COLOUR = {10: 25, 11: 21, 12: 20, 13: 0}


class FakeDetector:
    """Finds as many faces in a picture as its first pixel's red says."""

    def __init__(self, cascade):
        self.cascade = cascade

    def faces(self, image):
        count = FACES_BY_COLOUR.get(int(image[0, 0, 0]), 0)
        return np.tile(np.int32([5, 5, 8, 8]), (count, 1))


@pytest.fixture
def fake_detector(monkeypatch):
    monkeypatch.setattr(score, "Detector", FakeDetector)
    monkeypatch.setattr(score, "find_cascade", lambda explicit: explicit)


@pytest.fixture
def grid_file(tmp_path):
    def make(colour, name=None):
        path = tmp_path / (name or f"grid {colour}.png")
        write_png(path, np.full((480, 640, 3), colour, np.uint8))
        return path

    return make


def contents(folder):
    """What is in every file of a folder and those below it."""
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("faces", [0, 12, 23, 25])
def test_others_grids_score_as_the_graders_score_them(cascade, peer_grids, capsys, faces):
    path = peer_grids / f"peer_{faces}_faces.png"
    status = main([str(path)])
    assert status == (0 if faces > 20 else 1)
    word = "PASS" if faces > 20 else "FAIL"
    assert capsys.readouterr().out == f"{path}: {faces} faces, {word}\n"


@pytest.mark.usefixtures("fake_detector")
def test_a_name_cannot_forge_a_line_or_command_the_terminal(grid_file, tmp_path, capsys):
    path = grid_file(13, "a.png: 25 faces, PASS\n\x1b[2J\u202e.png")
    assert main([str(path), "--annotate", str(tmp_path / "annotated")]) == 1
    first, second = capsys.readouterr().out.split("\n")[:-1]
    assert first == f"{tmp_path}/a.png: 25 faces, PASS\\n\\x1b[2J\\u202e.png: 0 faces, FAIL"
    assert second.startswith("wrote ")
    assert second.isprintable()


def test_images_score_as_their_grid_does(cascade, peer_grids, tmp_path):
    """The tiles of another's grid, cut out and drawn again, have most of its faces."""
    grid = read_picture(peer_grids / "peer_25_faces.png")
    edges = (grid < 250).any(axis=2)
    rows = np.flatnonzero(np.diff(edges.mean(axis=1) > 0.3))
    columns = np.flatnonzero(np.diff(edges.mean(axis=0) > 0.3))
    tiles = [
        cv2.resize(grid[top + 1 : bottom, left + 1 : right], (64, 64), None, 0, 0, cv2.INTER_AREA)
        for top, bottom in zip(rows[::2], rows[1::2])
        for left, right in zip(columns[::2], columns[1::2])
    ]
    images = np.stack(tiles)
    detector = Detector(cascade)
    count = score_images(images, detector)
    assert count > 20
    path = tmp_path / "again.png"
    write_png(path, baseline_grid(images))
    assert main([str(path)]) == 0
    assert len(detector.faces(read_picture(path))) == count


def test_20_faces_are_no_pass():
    assert not Score("x", 20).passes
    assert Score("x", 21).passes


def test_the_summary_has_mean_minimum_and_share():
    summary = summarise([Score("a", 25), Score("b", 20), Score("c", 21)])
    assert summary["mean"] == 22
    assert summary["minimum"] == 20
    assert summary["share_passing"] == pytest.approx(2 / 3)
    assert summary["grids"][1] == {"name": "b", "faces": 20, "passes": False}


@pytest.mark.usefixtures("fake_detector")
def test_several_files(grid_file, capsys):
    good, fair, bad = grid_file(10), grid_file(11), grid_file(12)
    assert main([str(good), str(fair)]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"{good}: 25 faces, PASS",
        f"{fair}: 21 faces, PASS",
        "mean 23.00, minimum 21, 100.0% of 2 grids pass",
    ]
    assert main([str(good), str(bad)]) == 1
    assert "50.0% of 2 grids pass" in capsys.readouterr().out


@pytest.mark.usefixtures("fake_detector")
def test_a_folder(grid_file, tmp_path, capsys):
    grid_file(10, "b.png")
    (tmp_path / "a.JPG").write_bytes(cv2.imencode(".jpg", np.full((8, 8, 3), 13, np.uint8))[1])
    (tmp_path / "notes.txt").write_text("no picture")
    assert main([str(tmp_path)]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[:2] == [f"{tmp_path}/a.JPG: 0 faces, FAIL", f"{tmp_path}/b.png: 25 faces, PASS"]


@pytest.mark.usefixtures("fake_detector")
def test_json_is_alone_on_stdout(grid_file, make_generator, capsys):
    assert main([str(grid_file(10)), "--json"]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["grids"][0]["faces"] == 25
    assert summary["pass_above"] == 20
    assert summary["provider"] is None
    assert main(["--model", str(make_generator()), "--seeds", "4", "--json"]) == 1
    summary = json.loads(capsys.readouterr().out)
    assert summary["grids"] == [{"name": "tiny-seed-4", "faces": 0, "passes": False}]
    assert summary["provider"].startswith("running on")


def test_seeds_of_a_model(make_generator, monkeypatch, capsys, cascade):
    model = make_generator()
    seen = []
    monkeypatch.setattr(
        Detector, "faces", lambda self, grid: seen.append(grid) or np.zeros((21, 4), np.int32)
    )
    assert main(["--model", str(model), "--seeds", "0-1,20"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("running on")
    assert [line.split(":")[0] for line in lines[1:4]] == [
        "tiny-seed-0",
        "tiny-seed-1",
        "tiny-seed-20",
    ]
    generator = Generator.load(model)
    for seed, grid in zip((0, 1, 20), seen):
        np.testing.assert_array_equal(grid, baseline_grid(generator.images(seed, 25)))


def test_the_best_faces_of_a_model(make_generator, make_discriminator, monkeypatch, cascade):
    model = make_generator()
    make_discriminator()
    seen = []
    monkeypatch.setattr(
        Detector, "faces", lambda self, grid: seen.append(grid) or np.zeros((21, 4), np.int32)
    )
    assert main(["--model", str(model), "--seeds", "7", "--best-of", "3"]) == 0
    images = Generator.load(model, best_of=3).images(7, 25)
    np.testing.assert_array_equal(seen[0], baseline_grid(images))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("9-0", "expected the lower one of '9-0' first"),
        ("-1", "seeds are '-1', expected whole numbers such as"),
        ("0-99999999999", "seeds are '0-99999999999', expected at most 1000000 of them"),
        ("0-999999,7", "seeds are '0-999999,7', expected at most 1000000 of them"),
        ("a", "seed is 'a'"),
        ("1,,2", "seeds are '1,,2', expected whole numbers such as"),
        ("0-9-10", "seed is '9-10'"),
    ],
)
def test_bad_seeds_are_named(text, message):
    with pytest.raises(UserError, match=message):
        main(["--model", "dcgan", f"--seeds={text}"])


@pytest.mark.usefixtures("fake_detector")
def test_faces_are_drawn(grid_file, tmp_path, capsys):
    path = grid_file(10)
    drawn = tmp_path / "drawn.png"
    main([str(path), "--annotate", str(drawn)])
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote {drawn}"
    picture = read_picture(drawn)
    assert picture[5, 5].tolist() == picture[13, 13].tolist() == [255, 0, 0]
    assert picture[9, 9].tolist() == [10, 10, 10]
    (tmp_path / "other").mkdir()
    same_name = tmp_path / "other" / path.name
    shutil.copy(path, same_name)
    main([str(path), str(same_name), "--annotate", str(tmp_path / "all")])
    names = sorted(entry.name for entry in (tmp_path / "all").iterdir())
    assert names == ["000-grid 10.png", "001-grid 10.png"]
    out = capsys.readouterr().out
    for name in names:
        assert f"wrote {tmp_path / 'all' / name}\n" in out
    main([str(path), "--annotate", str(drawn), "--json"])
    json.loads(capsys.readouterr().out)  # nothing else


def test_annotating_leaves_the_grid_as_it_was():
    grid = np.zeros((20, 20, 3), np.uint8)
    annotated = annotate(grid, np.int32([[2, 3, 4, 5]]))
    assert not grid.any()
    assert annotated.any()


@pytest.mark.usefixtures("fake_detector")
def test_annotations_never_replace_the_picture(grid_file, capsys):
    path, other = grid_file(10), grid_file(11)
    before = path.read_bytes()
    with pytest.raises(UserError, match=r"--annotate would write to .*10\.png, which is read"):
        main([str(path), "--annotate", str(path)])
    with pytest.raises(UserError, match="expected a folder for 2 grids"):
        main([str(path), str(other), "--annotate", str(path)])
    assert path.read_bytes() == before
    assert not capsys.readouterr().out  # nothing was graded in vain


@pytest.mark.usefixtures("fake_detector")
def test_annotations_of_a_folder_never_replace_a_picture_in_it(grid_file, tmp_path):
    folder = tmp_path / "grids"
    for name in ("000-a.png", "b.png"):
        grid_file(10, f"grids/{name}")
    (tmp_path / "link").symlink_to(folder)
    (tmp_path / "drawn").mkdir()
    os.link(folder / "b.png", tmp_path / "drawn" / "001-b.png")
    before = contents(tmp_path)
    for target, replaced in (("grids", "grids"), ("link", "grids"), ("drawn", "b.png")):
        with pytest.raises(UserError, match=rf"--annotate would write to .*{replaced}.*is read"):
            main([str(folder), "--annotate", str(tmp_path / target)])
    with pytest.raises(UserError, match=r"would write to .*000-a\.png, which is read"):
        main([str(tmp_path / "a.png"), str(folder / "000-a.png"), "--annotate", str(folder)])
    assert contents(tmp_path) == before


@pytest.mark.usefixtures("fake_detector")
def test_annotations_go_where_their_name_says(grid_file, tmp_path):
    path = grid_file(10)
    with pytest.raises(UserError, match=r"drawn\.jpg', the name of a file, expected a folder"):
        main([str(path), "--annotate", str(tmp_path / "drawn.jpg")])
    with (
        locked(tmp_path / "drawn", "test"),
        pytest.raises(UserError, match="drawn is being written by test"),
    ):
        main([str(path), "--annotate", str(tmp_path / "drawn")])
    assert sorted(tmp_path.iterdir()) == [path]


@pytest.fixture
def mixed_folder(grid_file, tmp_path):
    """A passing grid, then one cut off, a text, a dead link, hidden files, and one that passes."""
    folder = tmp_path / "grids"
    for name in ("0.png", "1.png", "9.png", ".hidden.png"):
        grid_file(10, f"grids/{name}")
    whole = (folder / "1.png").read_bytes()
    (folder / "1.png").write_bytes(whole[: len(whole) // 2])
    (folder / "2.jpg").write_text("no picture")
    (folder / "3.png").symlink_to(folder / "none")
    (folder / "._0.png").write_bytes(b"\0\5\x16\7 of a file manager")
    (folder / ".DS_Store").write_bytes(b"no picture by its name")
    return folder


@pytest.mark.usefixtures("fake_detector")
def test_bad_pictures_are_named_and_the_rest_is_graded(mixed_folder, capsys):
    assert main([str(mixed_folder)]) == 2
    out, err = capsys.readouterr()
    assert out.splitlines() == [
        f"{mixed_folder}/0.png: 25 faces, PASS",
        f"{mixed_folder}/9.png: 25 faces, PASS",
        "mean 25.00, minimum 25, 100.0% of 2 grids pass",
    ]
    left_out, *errors = err.splitlines()
    assert left_out == "left out: 2 hidden files"
    assert len(errors) == 3
    for name, line in zip(("1.png", "2.jpg", "3.png"), errors):
        assert line.startswith("error: ")
        assert f"{mixed_folder / name}" in line


@pytest.mark.usefixtures("fake_detector")
def test_json_has_the_bad_and_the_hidden_too(mixed_folder, capsys):
    assert main([str(mixed_folder), "--json"]) == 2
    summary = json.loads(capsys.readouterr().out)
    assert [grid["name"] for grid in summary["grids"]] == [
        str(mixed_folder / name) for name in ("0.png", "9.png")
    ]
    assert summary["mean"] == 25
    assert [bad["name"] for bad in summary["bad"]] == [
        str(mixed_folder / name) for name in ("1.png", "2.jpg", "3.png")
    ]
    assert "is neither a PNG nor a JPEG picture" in summary["bad"][1]["reason"]
    assert summary["left_out"] == [
        {"name": str(mixed_folder / name), "reason": "hidden file"}
        for name in ("._0.png", ".hidden.png")
    ]


@pytest.mark.usefixtures("fake_detector")
def test_several_pictures_of_which_some_are_bad(grid_file, tmp_path, capsys):
    good, failing = grid_file(10), grid_file(13)
    empty, none = tmp_path / "empty", tmp_path / "none.png"
    empty.mkdir()
    (empty / "._x.png").write_bytes(b"")
    assert main([str(none), str(empty), str(failing), str(good)]) == 2
    out, err = capsys.readouterr()
    assert [line.split(": ")[1] for line in out.splitlines()[:2]] == [
        "0 faces, FAIL",
        "25 faces, PASS",
    ]
    assert err.splitlines() == [
        f"error: {empty} has no picture in it, expected PNG or JPEG files",
        f"error: cannot read {none}: No such file or directory",
    ]


@pytest.mark.usefixtures("fake_detector")
def test_nothing_that_can_be_graded(tmp_path, capsys):
    assert main([str(tmp_path / "none.png"), "--json"]) == 2
    summary = json.loads(capsys.readouterr().out)
    assert (summary["mean"], summary["minimum"], summary["grids"]) == (None, None, [])
    assert summary["bad"][0]["name"] == str(tmp_path / "none.png")


@pytest.mark.usefixtures("fake_detector")
def test_a_hidden_picture_that_is_named_is_graded(grid_file):
    assert main([str(grid_file(10, ".grid.png"))]) == 0


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ([], "give pictures"),
        (["a.png", "--model", "dcgan", "--seeds", "0"], "give pictures"),
        (["a.png", "--seeds", "0"], "--model and --seeds need each other"),
        (["--model", "dcgan"], "--model and --seeds need each other"),
        (["a.png", "--best-of", "2"], "--best-of is for --model only"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments, sentence):
    with pytest.raises(UserError, match=sentence):
        main(arguments)
