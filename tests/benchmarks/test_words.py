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
from edgegan.runtime.metadata import TrainingPictures
from edgegan.runtime.words import Words
from edgegan.trainer import evaluate
from edgegan.trainer.conditional_generator import Conditional
from edgegan.trainer.data import pack
from edgegan.trainer.split import split
from training_help import encode

PICTURES = evaluate.Pictures(64)
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


def opens(monkeypatch: pytest.MonkeyPatch, words: Words, wrong: bool = False) -> None:
    """Let every generator draw these words, or the first of all in place of what is asked for."""

    def draw(latents: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        choices = words.choices_of(conditions)
        seeds = np.abs(latents[:, 0] * 1e6).astype(int)
        return np.stack([drawn(c * (not wrong), s) for c, s in zip(choices, seeds)])

    generator = Conditional(words, 4, "normal", draw)
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
    judge = benchmark.make_judge(source, False, cascade, PICTURES)
    assert len(judge.words.combinations) == len(TEXTS)
    opens(monkeypatch, judge.words, wrong)
    report = tmp_path / "report.json"
    arguments = ["g", "--data", str(source), "--cascade", str(cascade), "--each", "5"]
    assert benchmark.main([*arguments, "--json", str(report)]) == 0
    (name, real), (_, found) = json.loads(report.read_text())["results"].items()
    assert (found["compared_with"], found["standing"]) == (name, "not known")
    assert real["right"] == 1
    assert set(real["pairs"]) == set(found["pairs"]) == set(TEXTS)
    first = judge.words.describe((0, 0))
    expected = {text: float(text == first or not wrong) for text in TEXTS}
    assert found["pairs"] == {text: {"right": e, "pictures": 5} for text, e in expected.items()}
    assert sum(pair["pictures"] for pair in real["pairs"].values()) == len(judge.real.choices)
    assert found["right"] == np.mean(list(expected.values()))
    assert found["assignment"] == found["assignment_least"] == (0 if wrong else 25)
    assert found["lacking"] == (0 if wrong else 1)
    assert found["faces"]["grids"] == 1
    said = capsys.readouterr().out
    assert f"{sum(not share for share in expected.values())} below 80% and below real" in said
    assert "by real pictures that may have been trained on (what was is not known):" in said


def test_a_grid_of_the_assignment_is_read_as_it_was_drawn(
    source: Path, cascade: Path, tmp_path: Path
) -> None:
    images = np.stack([drawn(np.array([0, 0]), seed) for seed in range(25)])
    tiles = benchmark.tiles_of_grid(baseline_grid(images))
    hidden = len(BASELINE_HIDDEN) * 5  # the first row of these is not in the grid
    assert (tiles == images).all(axis=(1, 2, 3)).sum() == 25 - hidden
    assert (tiles[:, 1:] == images[:, 1:]).all()
    write_png(tmp_path / "grid.png", baseline_grid(images))
    judge = benchmark.make_judge(source, False, cascade, PICTURES)
    found = benchmark.measure_picture(tmp_path / "grid.png", judge)
    assert found["assignment"] == 0
    assert found["faces"]["grids"] == 1


def test_what_cannot_be_measured_is_said(
    source: Path, cascade: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    judge = benchmark.make_judge(source, False, cascade, PICTURES)
    write_png(tmp_path / "other.png", np.zeros((100, 90, 3), np.uint8))
    with pytest.raises(
        UserError, match=r"other.png has 90 x 100 pixels, expected .* 4 x 3 squares"
    ):
        benchmark.measure_picture(tmp_path / "other.png", judge)
    plain = evaluate.MeasuredGenerator("g", 64, None, lambda *_: np.empty(0), {})
    with pytest.raises(UserError, match="g takes no words, expected a conditional generator"):
        benchmark.conditional_of(plain, judge)
    monkeypatch.setattr(benchmark, "shipped_namer", lambda words: None)
    with pytest.raises(UserError, match=r"pictures\.zip has words that the colour classifier does"):
        benchmark.make_judge(source, False, cascade, PICTURES)


@pytest.mark.parametrize(("share", "expected"), [(0.05, 0.05), (0.3, 0.1), (0, 0.1)])
def test_real_pictures_are_those_held_out_from_generator_and_classifier(
    share: float, expected: float, source: Path, cascade: Path
) -> None:
    known = TrainingPictures("digest", 2, held_out=share, validation=0, crop_from=96)
    generator = evaluate.MeasuredGenerator("g", 48, known, lambda *_: np.empty(0), {})
    which = benchmark.compared_with(generator)
    assert which == evaluate.Pictures(48, 96, expected)
    assert benchmark.compared_with(None) == PICTURES
    judge = benchmark.make_judge(source, False, cascade, which)
    packed = pack(source, 48, crop_from=96, with_words=True)
    assert len(judge.real.choices) == len(split(packed, expected, 0).held_out)
    assert judge.name.startswith("real pictures, 48 x 48 cropped from 96: ")


def pair(right: int, pictures: int) -> dict[str, float]:
    return {"right": right / pictures, "pictures": pictures}


def test_pairs_are_below_where_they_are_below_both_marks() -> None:
    pairs = {
        "a": pair(79, 100),
        "b": pair(79, 100),
        "c": pair(80, 100),
        "d": pair(70, 100),
        "e": pair(3, 100),
    }
    real = {"a": pair(3, 4), "b": pair(4, 4), "c": pair(9, 9), "e": pair(9, 10)}
    assert benchmark.below(pairs, real) == ["b", "d", "e"]
    worst, below, *each = benchmark.pair_lines(pairs, real).splitlines()
    assert worst == (
        "the worst of 5 pairs: e 3% (real 90% of 10), d 70% (no real one), a 79% (real 75% of 4), "
        "b 79% (real 100% of 4), c 80% (real 100% of 9)"
    )
    assert below.startswith("3 below 80% and below real pictures, 2 of them by more than chance ")
    assert each == ["- b 79% (real 100% of 4)", "- d 70% (no real one)", "- e 3% (real 90% of 10)"]


@pytest.mark.parametrize("right", [0, 3, 7])
def test_chance_is_what_fisher_says(right: int) -> None:
    from scipy.stats import fisher_exact

    expected = fisher_exact([[right, 7 - right], [9, 2]], alternative="less")[1]
    assert benchmark.by_chance(pair(right, 7), pair(9, 11)) == pytest.approx(expected)
