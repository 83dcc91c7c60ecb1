"""The comparison of recipes: its plan, and runs that end, go on and fail."""

from __future__ import annotations

import json
import re
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import pytest

from benchmarks import comparison, comparison_page, comparison_plan, measure, zoo
from benchmarks.comparison_plan import PLAN, Trial, read_plan
from benchmarks.comparison_record import Record
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator
from edgegan.runtime.run_folder import LAST
from edgegan.trainer import checkpoint, recipe
from training_help import TINY, write_pictures

MINUTES = 0.005
FLOOR = {"metrics": {"frechet_distance": 1.0}}


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))


def write_plan(path: Path, *overrides: str) -> Path:
    everywhere = ", ".join([*TINY, "evaluate_every=1000000", *overrides])
    path.write_text(
        f"systems:\n  minutes: {MINUTES}\n  at_most: 5\n  everywhere: [{everywhere}]\n  runs:\n"
        "    small: {recipe: dcgan, seeds: 2}\n"
        "    other: {recipe: dcgan, set: [discriminator_steps=2]}\n"
    )
    return path


def evaluation(minutes: float, distance: float, faces: float, diversity: float) -> dict[str, Any]:
    """What edgegan evaluate says of a run after so many minutes, as far as is used here."""
    return {
        "minutes": minutes,
        "step": round(100 * minutes),
        "images_seen": round(3200 * minutes),
        "metrics": {"frechet_distance": distance, "diversity": diversity},
        "faces": {"mean": faces},
        "floor": FLOOR,
    }


def test_every_run_of_the_plan_is_a_recipe_and_no_two_are_the_same() -> None:
    runs = read_plan(PLAN)
    loaded = [recipe.load(run.recipe, run.overrides) for run in runs]
    settings = [(one.to_mapping(), run.seed) for one, run in zip(loaded, runs)]
    assert all(one not in settings[:number] for number, one in enumerate(settings))
    assert len({run.name for run in runs}) == len(runs)
    # Seeds come one after the other, so that a comparison that is broken off has one of each.
    assert [run.seed for run in runs] == sorted(run.seed for run in runs)


def test_systems_of_the_plan_differ_from_their_recipes_in_little() -> None:
    """What may be changed to make a recipe pass, so that it is still that of its source."""
    allowed = re.compile(r"(generator|discriminator)\.(width|optimizer\.learning_rate)|batch_size")
    plan = read_plan(PLAN)
    systems = [run for run in plan if run.at_most]
    assert len({run.recipe for run in systems}) >= 23
    for run in systems:
        changed = {one.partition("=")[0] for one in run.overrides} - {"evaluate_every"}
        assert all(map(allowed.fullmatch, changed)), run.name


def test_marks_are_the_common_ones_and_the_end_of_the_trials_minutes() -> None:
    trial = Trial("run", "dcgan", 0, [], minutes=12)
    assert trial.marks == [2.5, 5, 10, 12]
    assert trial.measured_at == 4
    longer = replace(trial, minutes=15.0, at_most=30)
    assert longer.marks == [2.5, 5, 10, 15, 20, 30]
    assert longer.measured_at == 4


def in_turn(*evaluations: dict[str, Any]) -> Iterator[list[str]]:
    """Commands that print these, one after the other."""
    for one in evaluations:
        yield [sys.executable, "-c", f"print({json.dumps([one])!r})"]


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the pictures, the plan and the runs of a comparison, trained once.

    What measures them, which wants many pictures, says that they have not passed.
    """
    folder = tmp_path_factory.mktemp("comparison")
    faces = write_pictures(folder / "faces", 10)
    plan, out = write_plan(folder / "plan.yaml"), folder / "runs"
    found = evaluation(MINUTES, 10.0, 21.0, 0.5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEGAN_CACHE", str(folder / "cache"))
        patch.setattr(comparison, "has_passed", lambda trial, record: True)
        patch.setattr(comparison, "evaluation_command", lambda *_: next(in_turn(found)))
        comparison.main(["--data", str(faces), "--out", str(out), "--plan", str(plan)])
    return folder


def test_runs_are_trained_for_their_minutes_and_not_twice(trained: Path) -> None:
    trials, out = read_plan(trained / "plan.yaml"), trained / "runs"
    assert [trial.name for trial in trials] == ["small-0", "other-0", "small-1"]
    for trial in trials:
        last = checkpoint.load(out / trial.name / LAST)
        assert last.facts["minutes"] >= MINUTES
        assert comparison.training(trial, trained / "faces", MINUTES, out / trial.name) == []
        record = Record.read(out / "records" / f"{trial.name}.json")
        assert record.recipe == last.recipe.to_mapping()
        assert (record.seed, record.run) == (trial.seed, trial.run)
        assert record.evaluations == [evaluation(MINUTES, 10.0, 21.0, 0.5)]
        assert record.at_most == (5 if trial.seed == 0 else None)
    assert checkpoint.load(out / "other-0" / LAST).recipe.discriminator_steps == 2
    strip = cv2.imread(str(out / "faces" / "other-0.jpg"))
    side = last.recipe.image_size
    assert strip.shape == (64, (5 * side + 4 * 2) * 64 // side, 3)


def test_a_run_goes_on_from_mark_to_mark_until_it_passes(
    trained: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = shutil.copytree(trained / "runs", tmp_path / "runs")
    before = checkpoint.load(out / "other-0" / LAST).facts
    trial = next(t for t in read_plan(trained / "plan.yaml") if t.run == "other")
    marks = [before["minutes"] + further * MINUTES for further in (1, 6, 12)]
    monkeypatch.setattr(comparison_plan, "MARKS", (*marks, 5))
    further = in_turn(evaluation(1, 9.0, 20.0, 0.9), evaluation(2, 8.0, 20.1, 0.61))
    monkeypatch.setattr(comparison, "evaluation_command", lambda *_: next(further))

    def work(trial: Trial, run: comparison.Run) -> None:
        comparison.carry_out(trial, run, trained / "faces", out, comparison.has_passed)

    comparison.run_all([trial], work, out)
    record = Record.read(out / "records" / "other-0.json")
    assert [one["minutes"] for one in record.evaluations] == [MINUTES, 1, 2]
    assert record.first_passing == record.evaluations[2]
    assert record.passes
    assert record.as_compared.evaluation == record.evaluations[0]  # as it was with the others
    last = checkpoint.load(out / "other-0" / LAST).facts
    assert last["step"] > before["step"]
    assert last["minutes"] >= marks[1]
    elsewhere = replace(record, machine={"cpu": "of another machine"})
    elsewhere.write(out / "records" / "other-0.json")
    comparison.run_all([trial], work, out)  # which has nothing left to do
    assert Record.read(out / "records" / "other-0.json") == elsewhere


def test_a_run_that_does_not_pass_ends_with_its_time(trained: Path) -> None:
    record = Record.read(trained / "runs" / "records" / "small-0.json")
    trial = Trial("small", "dcgan", 0, [], minutes=2.5, at_most=5)
    assert not comparison.has_passed(trial, record)
    over = replace(record, evaluations=2 * record.evaluations)
    assert not over.passes
    assert comparison.has_passed(trial, over)
    assert comparison.has_passed(trial, replace(record, at_most=None))  # it was not asked to


def test_the_tables_have_means_over_seeds_and_what_a_setting_changed(
    trained: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    records = shutil.copytree(trained / "runs" / "records", tmp_path / "records")
    measured = {
        "small-0": [(MINUTES, 10.0, 19.0, 0.7), (20.0, 6.0, 20.5, 0.7)],
        "small-1": [(MINUTES, 14.0, 24.0, 0.7)],
        "other-0": [(MINUTES, 40.0, 24.0, 0.5), (20.0, 30.0, 24.0, 0.5)],
    }
    for name, values in measured.items():
        path = records / f"{name}.json"
        evaluations = [evaluation(*figures) for figures in values]
        replace(Record.read(path), evaluations=evaluations).write(path)
    comparison_page.main([str(records)])
    lines = [re.sub(" +", " ", line) for line in capsys.readouterr().out.splitlines()]
    assert "| small | 20.0 | 2,000 | 64,000 | 20.50 | 0.70 | 20.0 |" in lines
    assert "| other | not passed | 2,000 | 64,000 | 24.00 | 0.50 | 20.0 |" in lines
    small = next(line for line in lines if line.startswith("| small | 2 |"))
    assert "| **12.0** (10.0 to 14.0) |" in small
    pair = next(line for line in lines if line.startswith("| other → small |"))
    assert "| 40.0 → 12.0 (10.0 to 14.0) |" in pair
    assert "| other | ![](faces/other-0.jpg) |" in lines


def test_records_that_are_none_are_said(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="has no records of the comparison"):
        comparison_page.main([str(tmp_path)])
    (tmp_path / "run-0.json").write_text('{"name": "run-0"}')
    with pytest.raises(UserError, match=r"run-0\.json is no record of a run"):
        comparison_page.main([str(tmp_path)])


def test_every_run_that_fails_is_said_and_ends_at_the_command_that_failed(tmp_path: Path) -> None:
    trials = [Trial("run", "dcgan", seed, [], minutes=1) for seed in range(3)]

    def work(trial: Trial, run: comparison.Run) -> None:
        """Two commands, of which the first fails but for seed 1."""
        first = f"print('first'); raise SystemExit({int(trial.seed != 1)})"
        for code in (first, "print('second')"):
            run([sys.executable, "-c", code])

    with pytest.raises(UserError, match=r"2 of the runs failed: see .*run-0\.log, .*run-2\.log$"):
        comparison.run_all(trials, work, tmp_path)
    said = [(tmp_path / f"run-{seed}.log").read_text().split() for seed in range(3)]
    assert [words[:2] for words in said] == [
        ["first", "Command"],  # which is named, with its status
        ["first", "second"],
        ["first", "Command"],
    ]


def test_a_damaged_record_fails_its_run_alone(tmp_path: Path) -> None:
    trials = [Trial("run", "dcgan", seed, [], minutes=1) for seed in range(2)]
    done = []

    def work(trial: Trial, run: comparison.Run) -> None:
        if trial.seed == 0:
            Record.read(tmp_path / "none.json")
        done.append(trial.name)

    with pytest.raises(UserError, match=r"1 of the runs failed: see .*run-0\.log$"):
        comparison.run_all(trials, work, tmp_path)
    assert done == ["run-1"]
    assert "none.json" in (tmp_path / "run-0.log").read_text()


def test_what_cannot_be_run_is_said(tmp_path: Path) -> None:
    faces = write_pictures(tmp_path / "faces", 10)
    plan = write_plan(tmp_path / "plan.yaml", "batch_size=0")
    common = ["--data", str(faces), "--out", str(tmp_path / "runs")]
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


def test_the_zoo_has_the_systems_that_pass(
    trained: Path,
    tmp_path: Path,
    cascade: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("EDGEGAN_CASCADE", str(cascade))
    monkeypatch.setattr(zoo, "GRIDS", "0-1")
    runs = shutil.copytree(trained / "runs", tmp_path / "runs")
    path = runs / "records" / "small-0.json"
    passing = evaluation(20.0, 30.0, 24.0, 0.7)
    replace(Record.read(path), evaluations=[passing]).write(path)
    out = tmp_path / "zoo"
    zoo.main([str(runs), "--out", str(out)])
    # The other one has not passed, and that of another seed is not asked to.
    assert sorted(file.name for file in out.iterdir()) == ["small.jpg", "small.json", "small.onnx"]
    assert Record.read(out / "small.json") == Record.read(path)
    generator = Generator.load(out / "small.onnx", "cpu")
    small = checkpoint.load(runs / "small-0" / LAST)
    assert generator.metadata.recipe == small.recipe.name
    assert cv2.imread(str(out / "small.jpg")).shape == (64, 8 * 64, 3)
    (row,) = (line for line in capsys.readouterr().out.splitlines() if "small.onnx" in line)
    assert [cell.strip() for cell in row.split("|")[4:6]] == ["30", "0.70"]
    monkeypatch.setattr(zoo, "MOST_BYTES", 1000)
    monkeypatch.setattr(measure, "run_checked", lambda *_: None)  # the file is there
    with pytest.raises(UserError, match=r"small\.onnx is \d+ bytes, expected 1000 at most"):
        zoo.main([str(runs), "--out", str(out)])
