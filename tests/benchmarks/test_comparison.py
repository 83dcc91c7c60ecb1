"""The comparison of recipes: its plan, and runs that end, go on and fail."""

from __future__ import annotations

import json
import re
from pathlib import Path

import cv2
import pytest

from benchmarks import comparison
from edgegan.runtime.errors import UserError
from edgegan.runtime.run_folder import LAST
from edgegan.trainer import checkpoint, recipe
from training_help import TINY, write_pictures


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


def train(plan: Path, data: Path, minutes: float, out: Path) -> list[Path]:
    """Train a plan's runs without measuring them, which wants many pictures; their folders."""
    out.mkdir(exist_ok=True)
    trials = comparison.read_plan(plan)
    comparison.run_all(trials, lambda trial: comparison.training(trial, data, minutes, out), out)
    return [out / trial.name for trial in trials]


def test_runs_are_trained_for_their_minutes_and_not_twice(tmp_path: Path) -> None:
    faces = write_pictures(tmp_path / "faces", 10)
    plan, out = write_plan(tmp_path / "plan.yaml"), tmp_path / "runs"
    folders = train(plan, faces, 0.02, out)
    assert [folder.name for folder in folders] == ["small-0", "other-0", "small-1"]
    assert all(checkpoint.load(folder / LAST).facts["minutes"] >= 0.02 for folder in folders)
    other = out / "other-0"
    first = checkpoint.load(other / LAST)
    assert first.recipe.discriminator_steps == 2
    assert first.facts["step"] > 0
    page = comparison.write_page([other], out).read_text()
    assert re.search(rf"^\| other +\| 1 +\| {first.facts['step']} +\| ", page, re.MULTILINE)
    assert "![](faces/other-0.jpg)" in page
    strip = cv2.imread(str(out / "faces" / "other-0.jpg"))
    side = first.recipe.image_size
    assert strip.shape == (64, (5 * side + 4 * 2) * 64 // side, 3)
    train(plan, faces, 0.02, out)
    assert checkpoint.load(other / LAST).facts == first.facts
    minutes = first.facts["minutes"] + 0.02  # its evaluation took some of them
    train(plan, faces, minutes, out)
    longer = checkpoint.load(other / LAST).facts
    assert longer["step"] > first.facts["step"]
    assert longer["minutes"] >= minutes


def test_the_page_has_means_over_seeds_and_what_a_setting_changed(tmp_path: Path) -> None:
    faces = write_pictures(tmp_path / "faces", 10)
    plan, out = write_plan(tmp_path / "plan.yaml"), tmp_path / "runs"
    train(plan, faces, 0.02, out)
    for name, distance in (("small-0", 10.0), ("small-1", 14.0), ("other-0", 40.0)):
        evaluation = {"metrics": {"frechet_distance": distance}}
        (out / name / "evaluation.json").write_text(json.dumps(evaluation))
    page = comparison.write_page([out / "small-0", out / "small-1", out / "other-0"], out)
    lines = [re.sub(" +", " ", line) for line in page.read_text().splitlines()]
    small = next(line for line in lines if line.startswith("| small |"))
    assert "| 2 |" in small
    assert "| **12.0** (10.0 to 14.0) |" in small
    assert "| small → other | 12.0 (10.0 to 14.0) → 40.0 |" in lines


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    faces = write_pictures(tmp_path / "faces", 10)
    plan = write_plan(tmp_path / "plan.yaml", "batch_size=0")
    common = ["--data", str(faces), "--minutes", "1", "--out", str(tmp_path / "runs")]
    with pytest.raises(UserError, match=r"3 of the runs failed: see .*other-0\.log"):
        comparison.main([*common, "--plan", str(plan)])
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
