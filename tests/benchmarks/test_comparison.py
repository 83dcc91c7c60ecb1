"""The comparison of recipes: its plan, and runs that end, go on and fail."""

from __future__ import annotations

import json
import re
import shutil
import sys
from pathlib import Path

import cv2
import pytest

from benchmarks import comparison
from edgegan.runtime.errors import UserError
from edgegan.runtime.run_folder import LAST
from edgegan.trainer import checkpoint, recipe
from training_help import TINY, write_pictures

MINUTES = 0.005


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))


def write_plan(path: Path, *overrides: str) -> Path:
    everywhere = ", ".join([*TINY, "evaluate_every=1000000", *overrides])
    path.write_text(
        f"everywhere: [{everywhere}]\nruns:\n  small: {{recipe: dcgan, seeds: 2}}\n"
        "  other: {recipe: dcgan, set: [discriminator_steps=2]}\n"
    )
    return path


def test_every_run_of_the_plan_is_a_recipe_and_no_two_are_the_same() -> None:
    runs = comparison.read_plan(comparison.PLAN)
    loaded = [recipe.load(run.recipe, run.overrides) for run in runs]
    settings = [(one.to_mapping(), run.seed) for one, run in zip(loaded, runs)]
    assert all(one not in settings[:number] for number, one in enumerate(settings))
    assert len({run.name for run in runs}) == len(runs)
    # Seeds come one after the other, so that a comparison that is broken off has one of each.
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)


def train(trials: list[comparison.Trial], data: Path, minutes: float, out: Path) -> None:
    """Train runs without measuring them, which wants many pictures."""
    comparison.run_all(trials, lambda trial: comparison.training(trial, data, minutes, out), out)


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures, the plan and the runs of a comparison, trained once."""
    folder = tmp_path_factory.mktemp("comparison")
    faces = write_pictures(folder / "faces", 10)
    plan, out = write_plan(folder / "plan.yaml"), folder / "runs"
    out.mkdir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEGAN_CACHE", str(folder / "cache"))
        train(comparison.read_plan(plan), faces, MINUTES, out)
    return folder


def test_runs_are_trained_for_their_minutes_and_not_twice(trained: Path, tmp_path: Path) -> None:
    folder = shutil.copytree(trained, tmp_path / "trained")
    trials, out = comparison.read_plan(folder / "plan.yaml"), folder / "runs"
    assert [trial.name for trial in trials] == ["small-0", "other-0", "small-1"]
    for trial in trials:
        assert checkpoint.load(out / trial.name / LAST).facts["minutes"] >= MINUTES
        assert comparison.training(trial, folder / "faces", MINUTES, out) == []
    first = checkpoint.load(out / "other-0" / LAST)
    assert first.recipe.discriminator_steps == 2
    assert first.facts["step"] > 0
    minutes = first.facts["minutes"] + MINUTES  # its evaluation took some of them
    train(trials[1:2], folder / "faces", minutes, out)
    longer = checkpoint.load(out / "other-0" / LAST).facts
    assert longer["step"] > first.facts["step"]
    assert longer["minutes"] >= minutes


def test_the_page_has_means_over_seeds_and_what_a_setting_changed(
    trained: Path, tmp_path: Path
) -> None:
    out = shutil.copytree(trained / "runs", tmp_path / "runs")
    other = checkpoint.load(out / "other-0" / LAST)
    page = comparison.write_page([out / "other-0"], out).read_text()
    assert re.search(rf"^\| other +\| 1 +\| {other.facts['step']} +\| ", page, re.MULTILINE)
    assert "![](faces/other-0.jpg)" in page
    strip = cv2.imread(str(out / "faces" / "other-0.jpg"))
    side = other.recipe.image_size
    assert strip.shape == (64, (5 * side + 4 * 2) * 64 // side, 3)
    for name, distance in (("small-0", 10.0), ("small-1", 14.0), ("other-0", 40.0)):
        evaluation = {"metrics": {"frechet_distance": distance}}
        (out / name / "evaluation.json").write_text(json.dumps(evaluation))
    folders = [out / name for name in ("small-0", "small-1", "other-0")]
    page = comparison.write_page(folders, out).read_text()
    lines = [re.sub(" +", " ", line) for line in page.splitlines()]
    small = next(line for line in lines if line.startswith("| small |"))
    assert "| 2 |" in small
    assert "| **12.0** (10.0 to 14.0) |" in small
    assert "| small → other | 12.0 (10.0 to 14.0) → 40.0 |" in lines


def test_every_run_that_fails_is_said_and_ends_at_the_command_that_failed(tmp_path: Path) -> None:
    trials = [comparison.Trial("run", "dcgan", seed, []) for seed in range(3)]

    def commands(trial: comparison.Trial) -> list[list[str]]:
        """Two, of which the first fails but for seed 1."""
        first = f"print('first'); raise SystemExit({int(trial.seed != 1)})"
        return [[sys.executable, "-c", code] for code in (first, "print('second')")]

    with pytest.raises(UserError, match=r"2 of the runs failed: see .*run-0\.log, .*run-2\.log$"):
        comparison.run_all(trials, commands, tmp_path)
    said = [(tmp_path / f"run-{seed}.log").read_text().split() for seed in range(3)]
    assert said == [["first"], ["first", "second"], ["first"]]


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    faces = write_pictures(tmp_path / "faces", 10)
    plan = write_plan(tmp_path / "plan.yaml", "batch_size=0")
    common = ["--data", str(faces), "--minutes", "1", "--out", str(tmp_path / "runs")]
    with pytest.raises(UserError, match=r"1 of the runs failed: see .*other-0\.log$"):
        comparison.main([*common, "--plan", str(plan), "--only", "other"])
    assert "batch_size is 0" in (tmp_path / "runs" / "other-0.log").read_text()
    with pytest.raises(UserError, match="has no run called nothing"):
        comparison.main([*common, "--plan", str(plan), "--only", "nothing"])
    with pytest.raises(UserError, match="cannot read"):
        comparison.main([*common, "--plan", str(tmp_path / "none.yaml")])
    plan.write_text("runs: 3")
    with pytest.raises(UserError, match="is no plan of runs"):
        comparison.main([*common, "--plan", str(plan)])
    with pytest.raises(UserError, match="no such folder or file"):
        comparison.main([*common, "--data", str(tmp_path / "nowhere")])
