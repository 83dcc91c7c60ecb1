"""The command, whole: killed, resumed, stopped, and given what is wrong."""

from __future__ import annotations

import json
import math
import os
import re
import resource
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from edgegan.export import to_onnx
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import LOCK, cache_directory, locked
from edgegan.runtime.generator import from_bytes
from edgegan.runtime.run_folder import BEST, LAST
from edgegan.trainer import checkpoint, recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.data import pack, read_pictures
from edgegan.trainer.fit import main as fit_main
from edgegan.trainer.loop import StepResult, Training
from edgegan.trainer.split import SPLIT_VERSION, is_of_old_split, split
from training_help import (
    TINY,
    encode,
    expect_error,
    parts_of,
    random_picture,
    refuse_bfloat16,
    write_pictures,
)

Arguments = list[str]
pytestmark = pytest.mark.usefixtures("apart")

Command = Callable[..., tuple[int, str, str]]
REPOSITORY = Path(__file__).parents[2]
ALL = ["--set", "held_out=0", "--set", "validation=0"]
SETTINGS = [word for override in [*TINY, "evaluate_every=5"] for word in ("--set", override)]

# The command in a process that kills itself as kill -9 does: before step N ("step N"), while the
# N-th checkpoint file is being written ("write N"), or right after it ("written N").
KILLED = """
import os, signal, sys
import edgegan.trainer.fit, edgegan.trainer.loop, edgegan.trainer.run, edgegan.runtime.files
from edgegan.runtime.errors import run_command
where, number = sys.argv.pop(1), int(sys.argv.pop(1))
def kill(): os.kill(os.getpid(), signal.SIGKILL)
edgegan.trainer.fit.find_detector = lambda cascade: None
edgegan.trainer.run.VALIDATION_GRIDS = 1
step = edgegan.trainer.loop.Training.step
def step_or_die(self, batches):
    if where == "step" and self.step_count + 1 == number: kill()
    return step(self, batches)
edgegan.trainer.loop.Training.step = step_or_die
replace, count = os.replace, 0
def replace_or_die(source, target):
    global count
    count += str(target).endswith(".npz")
    if where == "write" and count == number: kill()
    replace(source, target)
    if where == "written" and count == number: kill()
os.replace = replace_or_die
run_command(edgegan.trainer.fit.main)
"""


@pytest.fixture
def fit(
    faces: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> Command:
    """The command as a shell runs it: exit status, and what it wrote to stdout and stderr."""

    def run(*arguments: str, out: str = "run", data: Path = faces) -> tuple[int, str, str]:
        paths = ["--data", str(data), "--out", str(tmp_path / out)]
        monkeypatch.setattr(sys, "argv", ["fit", *paths, *arguments])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_command(fit_main)
        return ended.value.code, *capfd.readouterr()

    return run


class Finding:
    """A detector that finds as many faces in each grid as it is told."""

    def __init__(self, counts: Iterator[int]) -> None:
        self.counts = counts

    def faces(self, image: np.ndarray) -> np.ndarray:
        return np.zeros((next(self.counts), 4), np.int32)


def expect_success(answer: tuple[int, str, str]) -> None:
    assert answer[0] == 0, answer


def assert_same_weights(one: Checkpoint, other: Checkpoint) -> None:
    assert one.facts["step"] == other.facts["step"]
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)


# A run


def test_a_run_leaves_all_that_it_should(fit: Command, tmp_path: Path) -> None:
    status, _, err = fit("--steps", "7", *SETTINGS)
    assert status == 0
    assert "Warning" not in err
    folder = tmp_path / "run"
    names = {path.name.split(".")[0] for path in folder.iterdir()}
    assert names == {"recipe", "last", "best", "events", "grids"}
    assert sorted(path.name for path in (folder / "grids").iterdir()) == [
        "0000005.png",
        "0000007.png",
    ]
    last = checkpoint.load(folder / LAST)
    assert last.facts["step"] == 7
    assert last.facts["images_seen"] == 7 * 4
    assert last.facts["pictures"] == 10
    assert "step 7: faces not counted, 28 images seen" in err
    # The resolved recipe is a recipe: it trains the same.
    fit("--steps", "7", "--recipe", str(folder / "recipe.yaml"), out="again")
    assert_same_weights(checkpoint.load(tmp_path / "again" / LAST), last)


@pytest.mark.parametrize(("epochs", "held_out", "validation"), [(1, 0, 0), (3, 0.2, 0.3)])
def test_epochs_are_passes_over_the_training_pictures(
    fit: Command, faces: Path, tmp_path: Path, epochs: int, held_out: float, validation: float
) -> None:
    shares = ["--set", f"held_out={held_out}", "--set", f"validation={validation}"]
    fit("--epochs", str(epochs), *SETTINGS, *shares)
    training = parts_of(faces, held_out, validation).count("training")
    steps = checkpoint.load(tmp_path / "run" / LAST).facts["step"]
    assert steps == math.ceil(epochs * training / 4)


def test_a_wgans_epoch_has_fewer_generator_steps(fit: Command, tmp_path: Path) -> None:
    fit("--epochs", "4", "--recipe", "wgan", *SETTINGS, *ALL)
    last = checkpoint.load(tmp_path / "run" / LAST)
    assert last.facts["step"] == 4 * 10 / (4 * 5)
    assert last.facts["images_seen"] == 40


def test_every_key_about_the_pictures_changes_what_is_trained_on(
    fit: Command, tmp_path: Path
) -> None:
    keys = [
        "horizontal_flip=true",  # as it is anyway
        "horizontal_flip=false",
        "rotation_degrees=90",
        "crop_from=12",
        "value_range=unit",
        "held_out=0.5",
        "validation=0.5",
    ]
    every_picture = ["--set", "batch_size=20"]  # so that one more or less is seen
    weights = set()
    for key in keys:
        expect_success(fit("--steps", "1", *SETTINGS, *every_picture, "--set", key, out=key))
        arrays = checkpoint.load(tmp_path / key / LAST).arrays
        weights.add(arrays["discriminator/convolution0_weight"].tobytes())
    assert len(weights) == len(keys)


def test_minutes_end_a_run_that_can_be_gone_on_with(fit: Command, tmp_path: Path) -> None:
    expect_success(fit("--minutes", "0.01", "--epochs", "1000000", *SETTINGS))
    first = checkpoint.load(tmp_path / "run" / LAST).facts
    assert first["step"] > 0
    assert first["minutes"] > 0
    expect_success(fit("--resume", "--minutes", "0.01"))
    second = checkpoint.load(tmp_path / "run" / LAST).facts
    assert second["step"] > first["step"]
    assert second["minutes"] > first["minutes"]


def test_of_few_pictures_the_best_checkpoint_is_kept_by_its_faces(
    fit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([3, 9, 4, 8])
    monkeypatch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: Finding(counts))
    expect_success(fit("--steps", "20", *SETTINGS))
    best = checkpoint.load(tmp_path / "run" / BEST).facts
    assert (best["step"], best["best_faces"], best["best_distance"]) == (10, 9, None)
    assert checkpoint.load(tmp_path / "run" / LAST).facts["best_faces"] == 9

    # Steps whose faces are not counted do not replace one that has a count.
    monkeypatch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: None)
    expect_success(fit("--resume", "--steps", "25"))
    assert checkpoint.load(tmp_path / "run" / BEST).facts["step"] == 10


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of which enough are left for validation where that is half of them."""
    return write_pictures(tmp_path_factory.mktemp("many") / "faces", 460)


def test_of_enough_pictures_the_best_checkpoint_is_the_nearest_to_those_that_validate(
    fit: Command, many: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Most faces are found where it draws noise, as the detector of this test would have it.

    At step 2 it draws those that validate, before they have more than 20 faces; at step 3 pictures
    of the same kind; at step 5 two of them over and over; at step 4 and 6 noise.
    """
    halves = ["--set", "validation=0.5", "--set", "held_out=0", "--set", "evaluate_every=1"]
    pictures = pack(many, 8)
    validating = read_pictures(pictures, split(pictures, 0, 0.5).validation)
    alike = np.stack([cv2.resize(random_picture(1000 + k), (8, 8)) for k in range(200)])

    def drawn(self: Training, latents: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(self.step_count).integers(0, 256, alike.shape, np.uint8)
        choices = {2: validating, 3: alike, 5: alike[:2].repeat(100, axis=0)}
        images = choices.get(self.step_count, noise)[: len(latents)]
        return from_bytes(images)

    counts = iter([25, 20, 21, 25, 25, 25])
    monkeypatch.setattr(Training, "images", drawn)
    monkeypatch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: Finding(counts))
    _, out, _ = fit("--steps", "4", *SETTINGS, *halves, data=many)
    assert (
        f"best checkpoint: the nearest to {len(validating)} validation pictures; "
        "checkpoints with more than 20 faces of 25 come first"
    ) in out
    _, out, err = fit("--resume", "--steps", "6", data=many)
    best = checkpoint.load(tmp_path / "run" / BEST).facts
    assert (best["step"], best["best_faces"]) == (3, 21)
    told = f"distance {best['best_distance']:.4f}"
    assert f"best.npz (step 3, 21.00 faces of 25, {told})" in out
    assert re.search(r"step 5: 25.00 faces of 25, distance \d+\.\d{4}, ", err)


def test_every_evaluation_draws_the_same_latents(
    fit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[np.ndarray] = []
    images = Training.images

    def recorded(self: Training, latents: np.ndarray) -> np.ndarray:
        drawn.append(latents)
        return images(self, latents)

    monkeypatch.setattr("edgegan.trainer.fit.Training.images", recorded)
    expect_success(fit("--steps", "10", "--seed", "1", *SETTINGS))
    expect_success(fit("--steps", "5", "--seed", "2", *SETTINGS, out="another"))
    assert len(drawn) == 3
    assert drawn[0].shape == (25, 6)
    for latents in drawn[1:]:
        np.testing.assert_array_equal(latents, drawn[0])


# Killed and resumed


def test_a_run_that_was_killed_ends_as_one_that_was_not(
    fit: Command, faces: Path, tmp_path: Path
) -> None:
    expect_success(fit("--steps", "23", *SETTINGS, out="whole"))
    whole = checkpoint.load(tmp_path / "whole" / LAST)

    folder = tmp_path / "killed"
    command = ["--data", str(faces), "--out", str(folder), "--steps", "23", *SETTINGS]

    def killed(where: str, number: int) -> int:
        """Run until the kill; returns the step of the last checkpoint."""
        again = ["--resume"] if folder.exists() else []
        ended = subprocess.run(
            [sys.executable, "-c", KILLED, where, str(number), *command, *again],
            cwd=REPOSITORY,
            capture_output=True,
            check=False,
        )
        assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
        return checkpoint.load(folder / LAST).facts["step"]

    assert killed("step", 3) == 0  # before the first evaluation
    command = ["--data", str(faces), "--out", str(folder)]  # the run knows the rest
    assert killed("written", 3) == 5  # right after one: best and last are two files
    assert killed("write", 2) == 5  # step 10's best is written, its last is under way
    assert checkpoint.load(folder / BEST).facts["step"] == 10
    assert list(folder.glob(f".*-{LAST}"))  # what the kill left half written
    expect_success(fit("--resume", out="killed"))
    assert not list(folder.glob(".*"))
    assert_same_weights(checkpoint.load(folder / LAST), whole)
    assert_same_weights(checkpoint.load(folder / BEST), checkpoint.load(tmp_path / "whole" / BEST))


def test_kill_9_from_outside_at_any_moment(fit: Command, faces: Path, tmp_path: Path) -> None:
    folder = tmp_path / "killed"
    command = ["--data", str(faces), "--out", str(folder), "--steps", "1000000", *SETTINGS]
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, "never", "0", *command],
        cwd=REPOSITORY,
        stderr=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while not (folder / BEST).exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        told = fit("--resume", out="killed")
        expect_error(told, f"killed is being written by edgegan fit (process {process.pid} on ")
        time.sleep(float(np.random.default_rng().uniform(0, 0.5)))
    finally:
        process.kill()
        process.wait()
    step = checkpoint.load(folder / LAST).facts["step"]
    assert step > 0
    assert step % 5 == 0
    end = str(step + 7)
    expect_success(fit("--resume", "--steps", end, out="killed"))
    expect_success(fit("--steps", end, *SETTINGS, out="whole"))
    assert_same_weights(checkpoint.load(folder / LAST), checkpoint.load(tmp_path / "whole" / LAST))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_saves_and_ends_well(
    fit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    step = Training.step

    def interrupted(self: Training, batches: Iterator[np.ndarray]) -> StepResult:
        if self.step_count == 7:
            os.kill(os.getpid(), number)
        return step(self, batches)

    before = signal.getsignal(number)
    with monkeypatch.context() as patched:
        patched.setattr(Training, "step", interrupted)
        status, out, err = fit("--steps", "13", *SETTINGS)
    assert signal.getsignal(number) is before
    assert (status, "Traceback" in err) == (0, False)
    assert "asked to stop: writing a checkpoint" in err
    assert "stopped at step 8 of 13; to go on: edgegan fit --resume --data " in out
    assert checkpoint.load(tmp_path / "run" / LAST).facts["step"] == 8
    expect_success(fit("--steps", "13", "--resume"))
    expect_success(fit("--steps", "13", *SETTINGS, out="whole"))
    assert_same_weights(
        checkpoint.load(tmp_path / "run" / LAST), checkpoint.load(tmp_path / "whole" / LAST)
    )


# What it says


def test_a_run_says_what_it_does_and_what_comes_next(
    fit: Command, faces: Path, tmp_path: Path
) -> None:
    parts = parts_of(faces, 0.2, 0.3)
    (faces / "other.txt").write_bytes(b"")
    (faces / "gone.png").symlink_to(tmp_path / "none")
    shares = ["--set", "held_out=0.2", "--set", "validation=0.3"]
    status, out, _ = fit("--steps", "7", *SETTINGS, *shares)
    assert status == 0
    run = tmp_path / "run"
    assert out.splitlines() == [
        "training: recipe dcgan, seed 0, to step 7, 4 pictures a batch",
        f"device: CPU, {os.environ['OMP_NUM_THREADS']} thread"
        + "s" * (os.environ["OMP_NUM_THREADS"] != "1"),
        f"pictures: {parts.count('training')} to train on, {parts.count('validation')} to "
        f"validate with, {parts.count('held out')} held out to measure with, from {faces}",
        "left out: 1 x .txt, 1 x dead link",
        f"results: {run}",
        "best checkpoint: the last, as faces are not counted and there are too few validation "
        f"pictures to compare with: {parts.count('validation')}, expected at least 200",
        f"wrote {run}: last.npz (step 7), best.npz (step 7), recipe.yaml, grids/, "
        "events for TensorBoard",
        f"next: edgegan export {run} -o run.onnx",
    ]


def test_the_best_checkpoint_is_told_with_its_faces(
    fit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([3, 9, 4])
    monkeypatch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: Finding(counts))
    _, out, _ = fit("--steps", "15", *SETTINGS)
    assert "last.npz (step 15), best.npz (step 10, 9.00 faces of 25)" in out
    assert "best checkpoint: the one with the most and most various faces, as there are too" in out
    assert "not counted" not in out
    assert "grids with no more than 20 faces do not pass; to train on: edgegan fit --resume" in out
    assert out.splitlines()[-2].endswith("--steps 30")


def test_a_run_whose_grids_pass_is_not_told_to_train_on(
    fit: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "edgegan.trainer.fit.find_detector", lambda cascade: Finding(iter([3, 21, 4]))
    )
    _, out, _ = fit("--steps", "15", *SETTINGS)
    assert "21.00 faces of 25" in out
    assert "do not pass" not in out


def test_a_dry_run_says_it_and_writes_nothing(fit: Command, tmp_path: Path) -> None:
    settings = [*SETTINGS, *ALL, "--set", "instance_selection=0.5"]
    status, out, _ = fit("--steps", "7", "--dry-run", *settings)
    assert status == 0
    assert "pictures: 5 to train on, the likeliest of 10, 0 to validate with, 0 held out" in out
    assert out.splitlines()[-1] == f"dry run: nothing was written to {tmp_path / 'run'}"
    assert not (tmp_path / "run").exists()
    expect_success(fit("--steps", "2", *SETTINGS))
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*")}
    status, out, _ = fit("--resume", "--steps", "7", "--dry-run")
    assert "training: recipe dcgan, seed 0, from step 2 to step 7" in out
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*")} == before
    expect_error(fit("--resume", "--seed", "4", "--dry-run"), "has seed 0, found 4")


def test_a_finished_run_says_so_and_how_to_train_on(fit: Command, tmp_path: Path) -> None:
    expect_success(fit("--steps", "7", *SETTINGS))
    before = {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*")}
    status, out, _ = fit("--resume")
    assert status == 0
    (line,) = out.splitlines()
    assert line.startswith(f"{tmp_path / 'run'} is finished: it is at step 7 of 7; to train on: ")
    assert {path: path.read_bytes() for path in (tmp_path / "run").rglob("*.*")} == before
    told = shlex.split(line.partition("to train on: ")[2])
    assert told[:2] == ["edgegan", "fit"]
    assert fit_main(told[2:]) == 0
    assert checkpoint.load(tmp_path / "run" / LAST).facts["step"] == 14
    assert "it is at step 14, past step 3; to train on: " in fit("--resume", "--steps", "3")[1]


def test_a_run_that_was_stopped_says_how_to_go_on(
    fit: Command, faces: Path, tmp_path: Path
) -> None:
    faces = faces.rename(tmp_path / "my faces")
    arguments = ["--steps", "6", "--minutes", "1e-9", "--skip-bad", "--device", "cpu"]
    status, out, _ = fit(*arguments, *SETTINGS, data=faces)
    assert status == 0
    (line,) = [line for line in out.splitlines() if line.startswith("stopped")]
    assert line.startswith("stopped at step 0 of 6; to go on: edgegan fit --resume --data '")
    assert fit_main(shlex.split(line.partition("to go on: ")[2])[2:]) == 0
    assert checkpoint.load(tmp_path / "run" / LAST).facts["step"] == 6


# What a run is not mixed up with


def test_a_run_is_not_overwritten(fit: Command, tmp_path: Path) -> None:
    expect_success(fit("--steps", "2", *SETTINGS))
    before = (tmp_path / "run" / LAST).read_bytes()
    expect_error(fit("--steps", "9", *SETTINGS), "run holds a run already", "--resume")
    assert (tmp_path / "run" / LAST).read_bytes() == before


def test_a_run_is_gone_on_with_as_it_was(fit: Command, tmp_path: Path) -> None:
    expect_success(fit("--steps", "2", "--seed", "3", *SETTINGS))
    before = (tmp_path / "run" / LAST).read_bytes()
    other = "is of another recipe than was asked for: it has "
    expect_error(fit("--resume", "--recipe", "wgan"), f"{other}name dcgan, not wgan: go on without")
    expect_error(fit("--resume", "--set", "generator.width=5"), f"{other}generator.width 4, not 5")
    expect_error(fit("--resume", "--seed", "4"), "has seed 3, found 4")
    more = write_pictures(tmp_path / "more", 11)
    expect_error(fit("--resume", data=more), "was trained on 10 pictures", "has 11: go on with")
    others = write_pictures(tmp_path / "others", 10)
    (others / "000.png").write_bytes((more / "010.png").read_bytes())
    expect_error(fit("--resume", data=others), "was trained on 10 pictures", "has others: go on")
    assert (tmp_path / "run" / LAST).read_bytes() == before
    expect_success(fit("--resume", "--seed", "3", "--steps", "3", "--recipe", "dcgan", *SETTINGS))
    expect_success(fit("--resume", "--steps", "4"))
    assert checkpoint.load(tmp_path / "run" / LAST).facts["step"] == 4


def test_a_run_of_the_old_split_is_not_gone_on_with_but_can_be_exported(
    fit: Command, tmp_path: Path
) -> None:
    expect_success(fit("--steps", "2", *SETTINGS))
    path = tmp_path / "run" / LAST
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays["header"]))
    del header["facts"]["split"], header["recipe"]["validation"]  # as it was written
    np.savez(path, **{**arrays, "header": np.array(json.dumps(header))})
    assert checkpoint.load(path).recipe.validation == 0
    expect_error(fit("--resume", "--steps", "3"), f"{path} is of the old split of its pictures")
    assert to_onnx.main([str(path), "-o", str(tmp_path / "old.onnx")]) == 0
    # What starts from it begins with networks that have seen what is held out now, and says so.
    expect_success(fit("--start-from", str(path), "--steps", "1", out="new"))
    facts = checkpoint.load(tmp_path / "new" / LAST).facts
    assert (facts["split"], is_of_old_split(facts)) == (SPLIT_VERSION, True)
    expect_success(fit("--resume", "--steps", "2", out="new"))


def test_a_run_goes_on_with_the_pictures_that_it_selected(
    fit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def others(pictures: object, indices: np.ndarray, share: float) -> np.ndarray:
        return indices[: round(share * len(indices))]

    expect_success(fit("--steps", "5", *SETTINGS, "--set", "instance_selection=0.5"))
    path = tmp_path / "run" / LAST
    expect_success(fit("--resume", "--steps", "6"))
    monkeypatch.setattr("edgegan.trainer.batches.select", others)
    kept = path.read_bytes()
    expect_error(fit("--resume", "--steps", "7"), "are selected to train on than the run has")
    assert path.read_bytes() == kept
    expect_success(fit("--start-from", str(path), "--steps", "1", out="second"))


def test_a_run_goes_on_to_the_step_that_it_was_meant_to(fit: Command, tmp_path: Path) -> None:
    expect_success(fit("--steps", "6", "--minutes", "1e-9", *SETTINGS))
    assert checkpoint.load(tmp_path / "run" / LAST).facts["step"] == 0
    expect_success(fit("--resume"))
    assert checkpoint.load(tmp_path / "run" / LAST).facts["step"] == 6
    expect_success(fit("--resume", "--set", "generator.width=4"))  # as it is anyway


def test_a_run_starts_from_the_networks_of_another(fit: Command, tmp_path: Path) -> None:
    expect_success(fit("--steps", "5", *SETTINGS, out="first"))
    first = checkpoint.load(tmp_path / "first" / LAST)
    slow = ["--set", "generator.optimizer.learning_rate=1e-9", "--set", "ema_decay=0"]
    still = ["--set", "discriminator.optimizer.learning_rate=1e-9"]
    start = ["--start-from", str(tmp_path / "first"), *slow, *still]
    expect_success(fit(*start, "--steps", "3", out="second"))
    second = checkpoint.load(tmp_path / "second" / LAST)
    for part in ("generator", "discriminator"):
        weights = checkpoint.part_of(second.arrays, part)
        for name, array in checkpoint.part_of(first.arrays, part).items():
            if "running" not in name:
                np.testing.assert_allclose(weights[name], array, atol=1e-7, err_msg=name)
    assert second.recipe.ema_decay == 0
    assert second.recipe.latent == first.recipe.latent  # its recipe, but for what was set
    assert (second.facts["step"], second.facts["images_seen"]) == (3, (5 + 3) * 4)
    assert second.facts["minutes"] > first.facts["minutes"]
    (stage,) = second.facts["stages"]
    assert (stage["step"], stage["images_seen"]) == (5, 5 * 4)
    assert stage["recipe"] == first.recipe.to_mapping()
    began_with = checkpoint.load(tmp_path / "first" / BEST).facts
    for fact in ("minutes", "split", "pictures_digest"):
        assert stage[fact] == began_with[fact]


def test_a_run_that_started_from_another_is_gone_on_with_and_started_from(
    fit: Command, tmp_path: Path
) -> None:
    expect_success(fit("--steps", "2", *SETTINGS, out="first"))
    start = ["--start-from", str(tmp_path / "first" / LAST)]
    expect_success(fit(*start, "--steps", "3", out="second"))
    expect_success(fit("--resume", "--steps", "6", out="second"))
    expect_success(fit(*start, "--steps", "6", out="whole"))
    resumed = checkpoint.load(tmp_path / "second" / LAST)
    assert_same_weights(resumed, checkpoint.load(tmp_path / "whole" / LAST))
    expect_success(fit("--start-from", str(tmp_path / "second"), "--steps", "1", out="third"))
    third = checkpoint.load(tmp_path / "third" / LAST)
    stages = third.facts["stages"]
    assert [stage["step"] for stage in stages] == [2, 6]
    before = checkpoint.load(tmp_path / "second" / BEST).facts["minutes"]
    assert sum(stage["minutes"] for stage in stages) == pytest.approx(before)
    assert third.facts["images_seen"] == (2 + 6 + 1) * 4


def test_a_run_that_is_gone_on_with_from_step_0_has_no_stage_of_its_own(
    fit: Command, tmp_path: Path
) -> None:
    expect_success(fit("--steps", "2", "--minutes", "1e-9", *SETTINGS))
    expect_success(fit("--resume"))
    assert checkpoint.load(tmp_path / "run" / LAST).facts["stages"] == []
    start = ["--start-from", str(tmp_path / "run"), "--steps", "2"]
    expect_success(fit(*start, "--minutes", "1e-9", out="second"))
    expect_success(fit("--resume", out="second"))
    facts = checkpoint.load(tmp_path / "second" / LAST).facts
    assert [stage["step"] for stage in facts["stages"]] == [2]
    assert facts["images_seen"] == (2 + 2) * 4


def test_a_discriminator_of_another_architecture_begins_untrained(
    fit: Command, tmp_path: Path
) -> None:
    expect_success(fit("--steps", "5", *SETTINGS, out="first"))
    still = ["generator.optimizer.learning_rate", "discriminator.optimizer.learning_rate"]
    slow = [word for key in still for word in ("--set", f"{key}=1e-9")]
    wider = ["--set", "discriminator.width=6", *slow, "--steps", "1"]
    expect_success(fit("--start-from", str(tmp_path / "first"), *wider, out="second"))
    first, second = (checkpoint.load(tmp_path / name / LAST) for name in ("first", "second"))
    generators = [checkpoint.part_of(each.arrays, "generator") for each in (first, second)]
    for name, array in generators[0].items():
        if "running" not in name:
            np.testing.assert_allclose(generators[1][name], array, atol=1e-7, err_msg=name)
    expect_success(fit(*SETTINGS, *wider, out="new"))
    new = checkpoint.part_of(checkpoint.load(tmp_path / "new" / LAST).arrays, "discriminator")
    for name, array in checkpoint.part_of(second.arrays, "discriminator").items():
        if name.endswith("weight"):
            np.testing.assert_allclose(array, new[name], atol=1e-7, err_msg=name)


def test_what_cannot_be_started_from(fit: Command, tmp_path: Path) -> None:
    expect_success(fit("--steps", "2", *SETTINGS, out="first"))
    first = ["--start-from", str(tmp_path / "first")]
    expect_error(fit("--start-from", str(tmp_path / "none")), "no such file or folder", "none")
    expect_error(
        fit(*first, "--set", "generator.width=5"),
        "first, which has another generator than was asked for",
        "it has generator.width 4, not 5",
    )
    expect_error(fit(*first, out="first"), "first holds a run already")
    assert fit(*first, "--resume")[0] == 2
    assert not (tmp_path / "run").exists()


def test_there_has_to_be_a_run_to_resume(fit: Command, tmp_path: Path) -> None:
    expect_error(fit("--resume", *SETTINGS), "run holds no run to resume")
    assert not (tmp_path / "run").exists()


def test_all_pictures_that_were_skipped_are_listed(
    fit: Command, faces: Path, tmp_path: Path
) -> None:
    bad = [f"bad{number}.png" for number in range(7)]
    for name in bad:
        (faces / name).write_text("no picture")
    expect_success(fit("--steps", "1", "--skip-bad", *SETTINGS))
    assert (tmp_path / "run" / "skipped.txt").read_text() == "".join(
        f"{name}: of no known kind\n" for name in bad
    )


def test_a_damaged_checkpoint_is_told(fit: Command, tmp_path: Path) -> None:
    expect_success(fit("--steps", "2", *SETTINGS))
    path = tmp_path / "run" / LAST
    path.write_bytes(path.read_bytes()[:-50])
    expect_error(fit("--resume"), str(path), "truncated")


# What fails


@pytest.mark.parametrize("rate", ["1e39", "1e30"])
def test_a_training_that_fails_keeps_the_last_good_checkpoint(
    fit: Command, tmp_path: Path, rate: str
) -> None:
    expect_success(fit("--steps", "5", *SETTINGS))
    path = tmp_path / "run" / LAST
    good = checkpoint.load(path)
    changed = good.recipe.to_mapping()
    for network in ("generator", "discriminator"):
        changed[network]["optimizer"]["learning_rate"] = float(rate)
    Checkpoint(recipe.from_mapping(changed, "test"), good.facts, good.arrays).save(path)
    before = path.read_bytes()
    status, _, err = fit("--resume", "--steps", "100")
    assert status == 2
    assert err.splitlines()[-1].startswith("error: training failed at step ")
    assert "the last checkpoint is kept" in err
    assert "Traceback" not in err
    kept = checkpoint.load(path)
    if kept.facts["step"] == 5:
        assert path.read_bytes() == before
    assert all(np.isfinite(array).all() for array in kept.arrays.values())


def test_a_loss_that_is_nan_stops_the_run(
    fit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = Training.step

    def failing(self: Training, batches: object) -> object:
        result = step(self, batches)
        if self.step_count == 8:
            object.__setattr__(result, "generator_loss", math.nan)
        return result

    monkeypatch.setattr("edgegan.trainer.fit.Training.step", failing)
    status, _, err = fit("--steps", "20", *SETTINGS)
    assert status == 2
    assert err.splitlines()[-1].startswith("error: training failed at step 8: the generator loss")
    assert checkpoint.load(tmp_path / "run" / LAST).facts["step"] == 5


@pytest.mark.parametrize("size", [1500, 6000, 20000])
def test_a_disk_that_fills_up_leaves_the_last_checkpoint(
    fit: Command, tmp_path: Path, size: int
) -> None:
    expect_success(fit("--steps", "5", *SETTINGS))
    path = tmp_path / "run" / LAST
    before = path.read_bytes()
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, limits[1]))
    try:
        status, _, err = fit("--resume", "--steps", "50")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert status == 2
    assert err.splitlines()[-1].startswith("error: cannot write ")
    assert "Traceback" not in err
    assert path.read_bytes() == before
    assert not [name for name in (tmp_path / "run").iterdir() if name.name.startswith(".")]
    expect_success(fit("--resume", "--steps", "10"))


def test_bad_options(fit: Command, tmp_path: Path) -> None:
    expect_error(fit("--seed", "-1"), "seed is '-1', expected a whole number")
    expect_error(fit("--seed", "x"), "seed is 'x'")
    for name in ("--steps", "--epochs"):
        for value in ("0", "-3", "2.5", "many"):
            expect_error(fit(name, value), f"{name} is '{value}', expected a whole number from 1")
    for value in ("0", "-1", "nan", "soon"):
        expect_error(fit("--minutes", value), f"--minutes is '{value}', expected a positive number")
    expect_error(fit("--device", "tpu"), "device 'tpu' is unknown")
    expect_error(fit("--device", "gpu:99"), "device 'gpu:99' is not here")
    expect_error(fit("--recipe", "dcgn"), "'dcgn' does not exist: did you mean dcgan")
    expect_error(
        fit("--set", "widht=3"),
        "unknown key 'widht': did you mean generator.width or discriminator.width? The keys of a",
    )
    expect_error(fit("--recipe", str(REPOSITORY)), "is no recipe, expected the name of one or a")
    expect_error(fit("--recipe", ""), "'' is no recipe")
    expect_error(fit("--recipe", "none.yaml"), "no such recipe: none.yaml")
    expect_error(fit("--recipe", "student"), "recipe student is of edgegan distil, expected one of")
    expect_error(fit("--set", "epochs"), "--set 'epochs' is not understood: expected key=value")
    expect_error(fit("--out", ""), "--out is empty")
    expect_error(fit("--data", ""), "--data is empty")
    expect_error(fit("--set", "image_size=x"), "image_size")
    expect_error(fit("--set", "batch_size=0"), "batch_size is 0")
    expect_error(fit("--set", "held_out=1"), "held_out is 1.0")
    expect_error(fit("--set", "crop_from=40"), "crop_from is 40, expected 64 to 1024")
    expect_error(fit("--set", "value_range=bytes"), "value_range 'bytes' is unknown")
    expect_error(fit("--set", "rotation_degrees=-5"), "rotation_degrees is -5.0")
    assert not (tmp_path / "run").exists()
    assert not cache_directory().exists()  # all of it is told before the pictures are packed


def test_a_processor_without_bfloat16_is_told_of_before_pictures_are_packed(
    fit: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refuse_bfloat16(monkeypatch)
    bfloat16 = ["--set", "precision=bfloat16", "--device", "cpu"]
    expect_error(fit(*SETTINGS, *bfloat16, data=tmp_path / "none"), "precision is bfloat16")


def test_bad_pictures(fit: Command, tmp_path: Path) -> None:
    expect_error(fit(data=tmp_path / "nowhere"), "nowhere")
    (tmp_path / "empty").mkdir()
    expect_error(fit(data=tmp_path / "empty"), "no pictures in", "empty")
    mixed = write_pictures(tmp_path / "两 faces", 3)
    (mixed / "文 字.jpg").write_text("text")
    jpeg = encode(random_picture(0, 64, 64), "JPEG")
    (mixed / "truncated.jpg").write_bytes(jpeg[: len(jpeg) // 2])
    expect_error(fit(data=mixed), "2 of 5 pictures", "文 字.jpg", "truncated.jpg", "--skip-bad")
    few = write_pictures(tmp_path / "few", 2)
    none = ["--set", "held_out=0.5", "--set", "validation=0.4999999"]
    expect_error(fit(*none, data=few), "which leaves none of 2 pictures to train on")
    broken = tmp_path / "broken.zip"
    broken.write_bytes(b"PK\x03\x04 and no more")
    expect_error(fit(data=broken), "broken.zip")
    broken = tmp_path / "broken.rec"
    broken.write_bytes(b"no records" * 10)
    expect_error(fit(data=broken), "broken.rec is a broken RecordIO file")
    assert not (tmp_path / "run").exists()
    status, out, err = fit("--skip-bad", "--steps", "1", *SETTINGS, data=mixed)
    assert status == 0
    assert "skipped 2 of 5 pictures" in err
    assert "left out: 1 x of no known kind, 1 x truncated JPEG" in out


def test_what_is_left_out_is_written_with_its_reason(fit: Command, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "mixed", 3)
    (pictures / "notes.txt").write_text("text")
    (pictures / ".thumbnails").mkdir()
    (pictures / os.fsdecode(b"no\nutf\x1b\xff.png")).write_bytes(b"")
    (pictures / "gone.png").symlink_to(tmp_path / "nowhere")
    arguments = ["--skip-bad", "--steps", "1", *SETTINGS]
    status, out, _ = fit(*arguments, data=pictures)
    assert status == 0
    assert "left out: 1 x .txt, 1 x an empty file, 1 x dead link, 1 x hidden folder" in out
    assert (tmp_path / "run" / "skipped.txt").read_bytes().splitlines() == [
        b".thumbnails/: hidden folder",
        b"gone.png: dead link",
        b"notes.txt: .txt",
        b"no\\nutf\\x1b\xff.png: an empty file",
    ]


def test_a_run_within_the_folder_of_its_pictures_goes_on(fit: Command, tmp_path: Path) -> None:
    pictures = write_pictures(tmp_path / "pictures", 6)
    expect_success(fit("--steps", "2", *SETTINGS, data=pictures, out="pictures/run"))
    status, told, _ = fit("--resume", "--steps", "3", data=pictures, out="pictures/run")
    assert status == 0
    assert "folder of a run" in told


def test_a_folder_that_another_process_writes_to(fit: Command, tmp_path: Path) -> None:
    with locked(tmp_path / "run", "edgegan judge"):
        expect_error(fit(*SETTINGS), "run is being written by edgegan judge (process ", "choose")
        expect_success(fit("--dry-run", *SETTINGS))
        assert [path.name for path in (tmp_path / "run").iterdir()] == [LOCK]
    assert not (tmp_path / "run").exists()


def test_an_out_that_is_a_file(fit: Command, tmp_path: Path) -> None:
    (tmp_path / "run").write_text("a file")
    expect_error(fit("--steps", "1", *SETTINGS), "a file is in its place")
    expect_error(fit("--steps", "1", *SETTINGS, "--dry-run"), "a file is in its place")
    expect_error(fit("--steps", "1", out="run/within"), "a file is in its place")
    assert not cache_directory().exists()  # it is told before the pictures are packed
    assert (tmp_path / "run").read_text() == "a file"


def test_networks_that_do_not_fit_in_memory(fit: Command, tmp_path: Path) -> None:
    huge = ["--set", "generator.width=4096", "--set", "image_size=64"]
    expect_error(fit(*SETTINGS, *huge, "--dry-run"), "do not fit in memory, expected a smaller")
    assert not (tmp_path / "run").exists()


def test_a_cascade_that_is_another_file(
    faces: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()  # the real detector
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    (tmp_path / "cascade.xml").write_text("<xml/>")
    arguments = ["--data", str(faces), "--out", str(tmp_path / "run"), *SETTINGS]
    with pytest.raises(UserError, match="is not the known cascade"):
        fit_main([*arguments, "--cascade", str(tmp_path / "cascade.xml")])
    assert not (tmp_path / "run").exists()


def test_help_shows_calls(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as ended:
        fit_main(["--help"])
    assert ended.value.code == 0
    assert "edgegan fit --recipe dcgan --data faces/ --out" in capsys.readouterr().out
