"""A discriminator that is trained on its own: what moves, what does not, and what is refused."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from edgegan.runtime.errors import run_command
from edgegan.runtime.files import locked
from edgegan.runtime.run_folder import BEST, JUDGE, LAST
from edgegan.trainer import checkpoint
from edgegan.trainer.batches import Batches
from edgegan.trainer.checkpoint import Checkpoint, part_of
from edgegan.trainer.fit import main as fit_main
from edgegan.trainer.judge import main as judge_main
from edgegan.trainer.loop import Training
from training_help import (
    TINY,
    expect_error,
    parts_of,
    random_batches,
    refuse_bfloat16,
    tiny_recipe,
    write_pictures,
)

pytestmark = pytest.mark.usefixtures("apart")

Command = Callable[..., tuple[int, str, str]]
SETTINGS = [word for override in [*TINY, "evaluate_every=3"] for word in ("--set", override)]


@pytest.fixture
def run(faces: Path, tmp_path: Path) -> Path:
    """A run of three steps, each of two updates of the discriminator."""
    folder = tmp_path / "run"
    options = ["--data", str(faces), "--out", str(folder), "--steps", "3", *SETTINGS]
    assert fit_main([*options, "--set", "discriminator_steps=2"]) == 0
    return folder


@pytest.fixture
def judge(
    faces: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """The command as a shell runs it: exit status, and what it wrote to stdout and stderr."""

    def command(run: Path, *arguments: str, data: Path = faces) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["judge", str(run), "--data", str(data), *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_command(judge_main)
        return ended.value.code, *capfd.readouterr()

    return command


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)


def test_only_the_discriminator_and_its_optimizer_move(
    run: Path, judge: Command, faces: Path
) -> None:
    status, out, err = judge(run, "--steps", "4")
    assert status == 0
    assert f"wrote {run / JUDGE}: 4 updates of the discriminator alone, from {run / BEST}" in out
    assert "update 4 of 4: D" in err
    assert f"training: the discriminator of {run / BEST} alone, 4 updates" in out
    training = parts_of(faces).count("training")
    assert f"pictures: {training} to train on, " in out
    command = f"edgegan export {run} -o run.discriminator.onnx --part discriminator"
    assert out.splitlines()[-1] == f"next: {command}"
    before, after = checkpoint.load(run / BEST), checkpoint.load(run / JUDGE)
    assert after.recipe == before.recipe
    assert after.facts == {**before.facts, "images_seen": before.facts["images_seen"] + 4 * 4}
    assert after.arrays["discriminator_optimizer/updates"] == 6 + 4
    for name, array in before.arrays.items():
        moved = (after.arrays[name] != array).any()
        assert moved == name.startswith("discriminator"), name


def test_the_run_goes_on_as_if_nothing_had_been_judged(
    run: Path, judge: Command, faces: Path
) -> None:
    files = {name: (run / name).read_bytes() for name in (BEST, LAST)}
    judge(run, "--steps", "2")
    assert {name: (run / name).read_bytes() for name in files} == files


def test_the_same_run_gives_the_same_judge_and_more_steps_go_on_from_it(
    run: Path, judge: Command
) -> None:
    judge(run, "--steps", "5")
    whole = checkpoint.load(run / JUDGE)
    judge(run, "--steps", "5")
    assert_same(checkpoint.load(run / JUDGE), whole)
    judge(run, "--steps", "2")
    judge(run / JUDGE, "--steps", "3")
    gone_on = checkpoint.load(run / JUDGE)
    assert_same(gone_on, whole)
    assert gone_on.facts == whole.facts


def test_batches_start_after_those_of_the_run(
    run: Path, judge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    started = []
    starting_at = Batches.starting_at

    def record(self: Batches, index: int) -> object:
        started.append(index)
        return starting_at(self, index)

    monkeypatch.setattr(Batches, "starting_at", record)
    judge(run, "--steps", "1")
    assert started == [3 * 2]


def test_an_update_is_that_of_training_on_what_the_average_draws_in_use() -> None:
    """Where generator and average are the same and without batch norm, both updates are one."""
    overrides = ["generator.norm=none", "ema_decay=0"]
    states = []
    for alone in (True, False):
        training = Training(tiny_recipe("dcgan", *overrides), 0, mx.cpu(), pictures=100)
        batches = random_batches(training.recipe)
        for _ in range(2):
            training.step(batches)
        if alone:
            training.update_discriminator_alone(next(batches))
        else:
            training.step(batches)
        states.append(part_of(training.state(), "discriminator"))
    for name, array in states[0].items():
        if "running" not in name:  # of batch norm, which a step of the generator moves as well
            np.testing.assert_array_equal(array, states[1][name], err_msg=name)


def test_a_judge_learns_to_tell_the_generators_pictures() -> None:
    recipe = tiny_recipe("dcgan", "discriminator.optimizer.learning_rate=0.01")
    training = Training(recipe, 0, mx.cpu(), pictures=100)
    batches = random_batches(recipe)
    training.step(batches)
    losses = [
        training.update_discriminator_alone(next(batches))["discriminator_loss"] for _ in range(60)
    ]
    assert np.mean(losses[-5:]) < 0.5 * np.mean(losses[:5])


def test_a_judge_is_trained_of_a_run_alone(judge: Command, tmp_path: Path) -> None:
    expect_error(judge(Path("dcgan")), "dcgan is a shipped model, not a run: expected")
    (tmp_path / "x.onnx").touch()
    expect_error(judge(tmp_path / "x.onnx"), "x.onnx is an exported file, not a run: expected")


def test_ctrl_c_says_that_nothing_was_written(
    run: Path, judge: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Training, "update_discriminator_alone", interrupted)
    status, out, err = judge(run)
    assert (status, "Traceback" in err) == (130, False)
    assert out.splitlines()[-1] == "stopped: nothing was written; the same command begins again"
    assert not (run / JUDGE).exists()


def test_a_folder_that_another_process_writes_to(run: Path, judge: Command) -> None:
    with locked(run, "edgegan fit"):
        for name in (run, run / LAST):
            expect_error(judge(name), f"{run} is being written by edgegan fit (process ")
    assert not (run / JUDGE).exists()


def test_bad_options(run: Path, judge: Command, tmp_path: Path) -> None:
    expect_error(judge(tmp_path / "none"), "no such file or folder", "none, expected a run's")
    expect_error(judge(run, "--steps", "0"), "--steps is '0'", "a whole number from 1")
    expect_error(judge(run, "--device", "tpu"), "device 'tpu' is unknown")
    assert not (run / JUDGE).exists()


def test_bad_pictures(run: Path, judge: Command, tmp_path: Path) -> None:
    expect_error(judge(run, data=tmp_path / "no"), "no such folder or file", "no")
    others = write_pictures(tmp_path / "others", 11)
    expect_error(judge(run, data=others), "the run was trained on 10 pictures", "has 11")
    assert not (run / JUDGE).exists()


def test_a_processor_without_bfloat16_is_told_of_before_pictures_are_packed(
    run: Path, judge: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = tiny_recipe("dcgan", "precision=bfloat16")
    source = checkpoint.load(run / BEST)
    Checkpoint(chosen, source.facts, source.arrays).save(run / BEST)
    refuse_bfloat16(monkeypatch)
    refused = judge(run, "--device", "cpu", data=tmp_path / "none")
    expect_error(refused, "precision is bfloat16")


def test_a_discriminator_of_batches_is_refused(run: Path, judge: Command) -> None:
    training = Training(
        tiny_recipe("dcgan", "discriminator.network=minibatch"), 0, mx.cpu(), pictures=100
    )
    facts = checkpoint.load(run / BEST).facts
    Checkpoint(training.recipe, facts, training.state()).save(run / BEST)
    expect_error(judge(run), "best.npz has the discriminator minibatch", "single pictures")
    assert not (run / JUDGE).exists()


def test_a_training_that_fails_leaves_the_judge_before(run: Path, judge: Command) -> None:
    judge(run, "--steps", "1")
    before = (run / JUDGE).read_bytes()
    source = checkpoint.load(run / BEST)
    for name, array in source.arrays.items():
        if name.startswith("discriminator/") and name.endswith("weight"):
            array[...] = np.nan
    source.save(run / BEST)
    expect_error(judge(run, "--steps", "3"), "failed at update 1", "is nan, expected a finite")
    assert (run / JUDGE).read_bytes() == before


def test_help_shows_calls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        judge_main(["--help"])
    assert "edgegan judge runs/dcgan --data faces.zip" in capsys.readouterr().out
