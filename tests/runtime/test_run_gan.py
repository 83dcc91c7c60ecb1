"""What run_gan.sh runs: a grid, its comparison with the original, and its faces."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgegan.runtime.detector import CascadeNotFound
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import baseline_grid, read_picture, write_png
from edgegan.runtime.run_gan import main


@pytest.fixture
def arguments(make_generator: Callable[..., Path], tmp_path: Path) -> list[str]:
    return ["--model", str(make_generator()), "--output", str(tmp_path / "gan.png")]


def test_the_grid_is_written_compared_and_graded(
    arguments: list[str], tmp_path: Path, cascade: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    original = tmp_path / "original.png"
    assert main([*arguments, "--compare", str(original)]) == 1  # noise has no face
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:] == [f"wrote {tmp_path / 'gan.png'}", "0 of 25 faces found: FAIL"]
    grid = baseline_grid(Generator.load(arguments[1]).images(0, 25))
    np.testing.assert_array_equal(read_picture(tmp_path / "gan.png"), grid)

    write_png(original, grid)
    main([*arguments, "--compare", str(original)])
    assert f"it is identical to {original}" in capsys.readouterr().out
    grid[0, :3] = 0
    write_png(original, grid)
    main([*arguments, "--compare", str(original)])
    assert f"3 of its 307200 pixels differ from those of {original}" in capsys.readouterr().out
    write_png(original, grid[:64, :64])
    main([*arguments, "--compare", str(original)])
    assert f"it is of another size than {original}" in capsys.readouterr().out


def test_faces_are_counted_in_the_grid_that_was_drawn(
    arguments: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Finder:
        def __init__(self, cascade: Path) -> None:
            self.found = 21

        def faces(self, grid: np.ndarray) -> np.ndarray:
            assert grid.shape == (480, 640, 3)
            return np.zeros((self.found, 4))

    monkeypatch.setattr("edgegan.runtime.graded_grid.Detector", Finder)
    monkeypatch.setattr("edgegan.runtime.graded_grid.find_cascade", lambda *_: Path("cascade"))
    assert main(arguments) == 0
    assert "21 of 25 faces found: PASS" in capsys.readouterr().out


def test_the_original_is_not_overwritten(arguments: list[str], tmp_path: Path) -> None:
    write_png(tmp_path / "gan.png", np.zeros((4, 4, 3), np.uint8))
    before = (tmp_path / "gan.png").read_bytes()
    with pytest.raises(UserError, match=r"would write to .*gan\.png, which is read"):
        main([*arguments, "--compare", str(tmp_path / "gan.png")])
    assert (tmp_path / "gan.png").read_bytes() == before


def test_a_damaged_original_is_told_before_anything_is_written(
    arguments: list[str], tmp_path: Path
) -> None:
    original = tmp_path / "original.png"
    original.write_bytes(b"\x89PNG\r\n\x1a\n")
    with pytest.raises(UserError, match=f"cannot read {original}: truncated PNG"):
        main([*arguments, "--compare", str(original)])
    assert not (tmp_path / "gan.png").exists()


@pytest.mark.parametrize("way", ["option", "environment"])
def test_a_file_that_is_no_cascade_is_told_before_anything_is_written(
    arguments: list[str],
    tmp_path: Path,
    way: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    named = tmp_path / "text.txt"
    named.write_text("no cascade")
    if way == "option":
        arguments += ["--cascade", str(named)]
    else:
        monkeypatch.setenv("EDGEGAN_CASCADE", str(named))
    with pytest.raises(UserError, match=f"{named} is not the known cascade"):
        main(arguments)
    assert not (tmp_path / "gan.png").exists()
    assert capsys.readouterr().out == ""


def test_without_a_cascade_the_grid_is_written_all_the_same(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def nowhere() -> Path:
        raise CascadeNotFound("how to get it")

    monkeypatch.setattr("edgegan.runtime.graded_grid.find_cascade", nowhere)
    with pytest.raises(CascadeNotFound, match="how to get it"):
        main(arguments)
    assert read_picture(tmp_path / "gan.png").shape == (480, 640, 3)
