"""The benchmark of words, on generators that draw what is known."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import numpy as np
import pytest

from benchmarks import words as benchmark
from edgegan.runtime.errors import UserError
from edgegan.runtime.grid import BASELINE_HIDDEN, baseline_grid, write_png
from edgegan.runtime.words import Words
from edgegan.trainer import evaluate
from edgegan.trainer.evaluate_words import Conditional
from training_help import encode

TEXTS = [*benchmark.ASSIGNMENT, "purple hair red eyes", "blue hair black eyes"]


@pytest.fixture(autouse=True)
def small(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Few pictures, a cache of the test's own, and words that are named by the first pixels."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(benchmark, "GRIDS", 2)
    monkeypatch.setattr(benchmark, "FACE_GRIDS", 1)
    monkeypatch.setattr(benchmark, "LACKING_IMAGES", 4)
    monkeypatch.setattr(benchmark, "shipped_namer", lambda words: first_pixels)


def first_pixels(images: np.ndarray) -> np.ndarray:
    """Choices as ``drawn`` writes them: 20 levels for each number."""
    return np.rint(images[:, 0, :2, 0] / 20).astype(np.int64)


def drawn(choice: np.ndarray, seed: int) -> np.ndarray:
    picture = np.random.default_rng(seed).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    picture[0, :2] = 20 * choice[:, None]
    return picture


@pytest.fixture
def source(tmp_path: Path) -> Path:
    """300 pictures of the texts, of which each shows its own."""
    path = tmp_path / "pictures.zip"
    lines = [f"{number},{TEXTS[number % len(TEXTS)]}" for number in range(300)]
    hair, eyes = ["blue", "green", "purple"], ["black", "blue", "green", "red"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("tags.csv", "\n".join(lines))
        for number, line in enumerate(lines):
            colours = line.partition(",")[2].split()
            choice = np.array([hair.index(colours[0]), eyes.index(colours[2])])
            archive.writestr(f"{number}.png", encode(drawn(choice, number)))
    return path


def opens(monkeypatch: pytest.MonkeyPatch, words: Words | None, wrong: bool = False) -> None:
    """Let every generator draw these words, or the first of all in place of what is asked for."""

    def draw(latents: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        assert words
        choices = words.choices_of(conditions)
        seeds = np.abs(latents[:, 0] * 1e6).astype(int)
        return np.stack([drawn(c * (not wrong), s) for c, s in zip(choices, seeds)])

    generator = Conditional(words, 4, "normal", draw) if words else None
    opened = evaluate.MeasuredGenerator("g", 64, None, lambda *_: None, {}, None, generator)
    monkeypatch.setattr(benchmark, "open_generator", lambda name, seed: opened)


@pytest.mark.parametrize("wrong", [False, True])
def test_right_words_are_counted_by_pair_text_and_seed(
    wrong: bool,
    source: Path,
    cascade: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    judge = benchmark.make_judge(source, False, cascade)
    assert len(judge.words.combinations) == len(TEXTS)
    opens(monkeypatch, judge.words, wrong)
    report = tmp_path / "report.json"
    arguments = ["g", "--data", str(source), "--cascade", str(cascade), "--each", "5"]
    assert benchmark.main([*arguments, "--json", str(report)]) == 0
    real, found = json.loads(report.read_text())["results"].values()
    assert real["right"] == 1
    assert set(real["pairs"]) == set(found["pairs"]) == set(TEXTS)
    first = judge.words.describe((0, 0))
    expected = {text: float(text == first or not wrong) for text in TEXTS}
    assert found["pairs"] == expected
    assert found["right"] == np.mean(list(expected.values()))
    assert found["assignment"] == found["assignment_least"] == (0 if wrong else 25)
    assert found["lacking"] == (0 if wrong else 1)
    assert found["faces"]["grids"] == 1
    said = capsys.readouterr().out
    assert f"{sum(not share for share in expected.values())} below 80 % and below real" in said


def test_a_grid_of_the_assignment_is_read_as_it_was_drawn(
    source: Path, cascade: Path, tmp_path: Path
) -> None:
    images = np.stack([drawn(np.array([0, 0]), seed) for seed in range(25)])
    tiles = benchmark.tiles_of_grid(baseline_grid(images))
    hidden = len(BASELINE_HIDDEN) * 5  # the first row of these is not in the grid
    assert (tiles == images).all(axis=(1, 2, 3)).sum() == 25 - hidden
    assert (tiles[:, 1:] == images[:, 1:]).all()
    write_png(tmp_path / "grid.png", baseline_grid(images))
    judge = benchmark.make_judge(source, False, cascade)
    found = benchmark.measure_picture(tmp_path / "grid.png", judge)
    assert found["assignment"] == 0
    assert found["faces"]["grids"] == 1


def test_what_cannot_be_measured_is_said(
    source: Path, cascade: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = benchmark.make_judge(source, False, cascade)
    write_png(tmp_path / "other.png", np.zeros((100, 90, 3), np.uint8))
    with pytest.raises(
        UserError, match=r"other.png has 90 x 100 pixels, expected .* 4 x 3 squares"
    ):
        benchmark.measure_picture(tmp_path / "other.png", judge)
    opens(monkeypatch, None)
    with pytest.raises(UserError, match="g takes no words, expected a conditional generator"):
        benchmark.open_conditional("g", judge)
    monkeypatch.setattr(benchmark, "shipped_namer", lambda words: None)
    with pytest.raises(UserError, match=r"pictures\.zip has words that the colour classifier does"):
        benchmark.make_judge(source, False, cascade)
