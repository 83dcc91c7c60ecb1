"""A student that is distilled from an exported generator: what it learns, and what is refused."""

from __future__ import annotations

import hashlib
import re
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest

from edgegan.export import pipeline, translation
from edgegan.export.to_onnx import main as export_main
from edgegan.runtime.files import locked
from edgegan.runtime.generator import Generator, from_bytes
from edgegan.runtime.latent import Stream, draw_latents
from edgegan.runtime.metadata import ModelMetadata, TrainingPictures
from edgegan.runtime.run_folder import BEST, LAST
from edgegan.trainer import checkpoint, recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.distil import main as distil_main
from edgegan.trainer.fit import main as fit_main
from edgegan.trainer.judge import main as judge_main
from edgegan.trainer.loop import Training
from edgegan.trainer.recipe import StudentRecipe
from edgegan.trainer.student import Distillation, Teacher, digest_of
from export_help import METADATA
from training_help import expect_error, tiny_recipe, write_pictures
from words_help import WORDS, make_conditional_generator

Command = Callable[..., tuple[int, str, str]]
REPOSITORY = Path(__file__).parents[2]
TINY = ["generator.width=4", "batch_size=4", "evaluate_every=5"]
SETTINGS = [word for override in TINY for word in ("--set", override)]

# The command in a process that kills itself in its N-th step as kill -9 does.
KILLED = """
import os, signal, sys
import edgegan.trainer.distil, edgegan.trainer.student, edgegan.trainer.run
from edgegan.runtime.errors import run_command
number = int(sys.argv.pop(1))
edgegan.trainer.distil.find_detector = lambda cascade: None
edgegan.trainer.run.VALIDATION_GRIDS = 1
step = edgegan.trainer.student.Distillation.step
def step_or_die(self, batches):
    if self.step_count + 1 == number: os.kill(os.getpid(), signal.SIGKILL)
    return step(self, batches)
edgegan.trainer.student.Distillation.step = step_or_die
run_command(edgegan.trainer.distil.main)
"""


@pytest.fixture(autouse=True)
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and no face detector: it is slow and may not be there."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edgegan.trainer.distil.find_detector", lambda cascade: None)
    monkeypatch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: None)
    monkeypatch.setattr("edgegan.trainer.run.VALIDATION_GRIDS", 1)


@pytest.fixture
def teacher(make_generator: Callable[..., Path]) -> Path:
    """An exported generator of 16 x 16 pictures from 16 normal numbers."""
    return make_generator()


@pytest.fixture
def distil(teacher: Path, tmp_path: Path, command: Command) -> Command:
    """The command that distils into ``out`` from ``of``."""

    def run(
        *arguments: str, of: str | Path = teacher, out: str | Path = "run"
    ) -> tuple[int, str, str]:
        return command(distil_main, of, "--out", tmp_path / out, *arguments)

    return run


def expect_success(answer: tuple[int, str, str]) -> None:
    assert answer[0] == 0, answer


def load(path: Path) -> Checkpoint[StudentRecipe]:
    return checkpoint.load(path, StudentRecipe)


def assert_same_weights(one: Checkpoint, other: Checkpoint) -> None:
    assert one.facts["step"] == other.facts["step"]
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        np.testing.assert_array_equal(array, other.arrays[name], err_msg=name)


def student_recipe(of: ModelMetadata, *overrides: str) -> StudentRecipe:
    latent = {"size": of.latent_size, "distribution": of.latent_distribution}
    of_teacher = {"latent": latent, "image_size": of.image_size, "value_range": "signed"}
    return recipe.load_student([*TINY, *overrides], of_teacher)


def teacher_of(generator: Generator, chosen: StudentRecipe, seed: int) -> Teacher:
    return Teacher(generator, digest_of(generator), chosen, seed)


def exported(path: Path, *overrides: str) -> tuple[Training, Generator]:
    """A tiny GAN whose pictures differ well, and its generator's file."""
    chosen = tiny_recipe("dcgan", *overrides)
    training = Training(chosen, 5, mx.cpu(), pictures=100)
    for network in (training.generator, training.average):
        for parameter in network.collect_params(".*weight").values():
            parameter.set_data(parameter.data() * 15)  # which DCGAN begins near 0
    facts = {"step": 0, "images_seen": 0}
    original = translation.generator_of(Checkpoint(chosen, facts, training.state()), path, "ema")
    pipeline.export(original, path)
    return training, Generator.load(path, "cpu")


# What is learnt


def test_a_student_with_its_teachers_weights_is_off_by_the_bytes_rounding_only(
    tmp_path: Path,
) -> None:
    # Without batch norm: a network in training computes what it does in use.
    gan, generator = exported(tmp_path / "teacher.onnx", "generator.norm=none")
    chosen = student_recipe(generator.metadata, "generator.norm=none")
    losses = []
    for start in ({}, gan.state()):
        student = Distillation(chosen, 0, mx.cpu())
        if start:
            student.start_from(start)
        losses.append(student.step(teacher_of(generator, chosen, 0).starting_at(0)).generator_loss)
    level = 2 / 255
    assert losses[0] > 10 * level
    assert losses[1] < 0.5 * level + 1e-6


def test_the_loss_is_the_mean_distance_from_what_the_file_draws(teacher: Path) -> None:
    generator = Generator.load(teacher, "cpu")
    chosen = student_recipe(generator.metadata, "generator.norm=none")
    student = Distillation(chosen, 3, mx.cpu())
    batches = teacher_of(generator, chosen, 3).starting_at(0)
    for step in range(3):
        latents = draw_latents(3, 4, 16, "normal", first=4 * step, stream=Stream.DISTILLATION)
        drawn = student.generator(mx.nd.array(latents)).asnumpy().transpose(0, 2, 3, 1)
        target = generator.images_of(latents) / 127.5 - 1
        loss = student.step(batches).generator_loss
        np.testing.assert_allclose(loss, np.abs(drawn - target).mean(), rtol=1e-5)


def test_a_student_learns(tmp_path: Path) -> None:
    _, generator = exported(tmp_path / "teacher.onnx")
    rate = "generator.optimizer.learning_rate=0.01"
    chosen = student_recipe(generator.metadata, rate, "generator.width=8", "batch_size=16")
    student = Distillation(chosen, 0, mx.cpu())
    latents = generator.latents(0, 50)  # of a seed that a user asks for
    target = generator.images_of(latents) / 127.5 - 1

    def distance() -> float:
        return np.abs(student.images(latents).transpose(0, 2, 3, 1) - target).mean()

    before, batches = distance(), teacher_of(generator, chosen, 0).starting_at(0)
    losses = [student.step(batches).generator_loss for _ in range(200)]
    assert np.mean(losses[-10:]) < 0.5 * np.mean(losses[:10])
    assert distance() < 0.5 * before


def test_a_student_keeps_what_is_known_of_its_teachers_pictures(tmp_path: Path) -> None:
    """It is measured as its teacher is: of this one, which has no facts of a run, by its recipe."""
    _, generator = exported(tmp_path / "teacher.onnx", "held_out=0.2", "crop_from=12")
    chosen = student_recipe(generator.metadata)
    facts = {"images_seen": 0, **teacher_of(generator, chosen, 0).facts()}
    state = Distillation(chosen, 0, mx.cpu()).state()
    path = tmp_path / LAST
    Checkpoint(chosen, facts, state).save(path)
    student = translation.generator_of(checkpoint.load(path, StudentRecipe), path, "ema")
    assert student.metadata.pictures == TrainingPictures(None, 1, 0.2, 0.05, 12)


def test_a_teachers_batches_depend_on_the_seed_and_their_number_alone(teacher: Path) -> None:
    generator = Generator.load(teacher, "cpu")
    chosen = student_recipe(generator.metadata)
    batches = teacher_of(generator, chosen, 1).starting_at(0)
    first, _, third = (next(batches) for _ in range(3))
    np.testing.assert_array_equal(next(teacher_of(generator, chosen, 1).starting_at(2)), third)
    assert (first != third).any()
    assert (next(teacher_of(generator, chosen, 2).starting_at(0)) != first).any()
    assert first.shape == (4, 3, 16, 16)
    assert first.dtype == np.float32
    assert np.abs(first).max() <= 1


# A run


def test_a_run_is_exported_as_any_other_and_shows_the_same_latents(
    distil: Command, teacher: Path, tmp_path: Path, command: Command
) -> None:
    status, _, err = distil("--steps", "7", *SETTINGS)
    assert status == 0
    assert re.search(r"step 7: faces not counted, distance \d+\.\d{4}, 28 images seen", err)
    folder = tmp_path / "run"
    assert {"recipe.yaml", LAST, BEST, "grids"} <= {path.name for path in folder.iterdir()}
    assert not any("discriminator" in name for name in load(folder / LAST).arrays)
    file = tmp_path / "student.onnx"
    expect_success(command(export_main, folder, "-o", file))
    student, original = Generator.load(file, "cpu"), Generator.load(teacher, "cpu")
    assert student.metadata == replace(
        original.metadata, recipe="student", objective="distillation", images_seen=28
    )
    np.testing.assert_array_equal(student.latents(7, 5), original.latents(7, 5))
    assert student.images(7, 5).shape == (5, 16, 16, 3)


def test_latents_and_pictures_are_the_teachers(tmp_path: Path, distil: Command) -> None:
    path = tmp_path / "uniform.onnx"
    exported(path, "latent.distribution=uniform", "value_range=unit")
    expect_success(distil("--steps", "1", *SETTINGS, of=path))
    chosen = load(tmp_path / "run" / LAST).recipe
    assert (chosen.latent.size, chosen.latent.distribution) == (6, "uniform")
    assert (chosen.image_size, chosen.value_range) == (8, "unit")


def test_a_shipped_model_is_a_teacher(distil: Command, tmp_path: Path) -> None:
    expect_success(distil("--steps", "1", *SETTINGS, of="wgan"))
    chosen = load(tmp_path / "run" / LAST).recipe
    assert (chosen.latent.size, chosen.image_size, chosen.generator.architecture.width) == (
        128,
        64,
        4,
    )


def test_a_run_that_was_killed_ends_as_one_that_was_not(
    distil: Command, teacher: Path, tmp_path: Path
) -> None:
    expect_success(distil("--steps", "13", *SETTINGS, out="whole"))
    arguments = [str(teacher), "--out", str(tmp_path / "run"), "--steps", "13", *SETTINGS]
    ended = subprocess.run(
        [sys.executable, "-c", KILLED, "8", *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGKILL, ended.stderr.decode()
    assert load(tmp_path / "run" / LAST).facts["step"] == 5
    expect_success(distil("--resume"))  # the run knows the rest
    assert_same_weights(load(tmp_path / "run" / LAST), load(tmp_path / "whole" / LAST))


def test_minutes_end_a_run_that_can_be_gone_on_with(distil: Command, tmp_path: Path) -> None:
    expect_success(distil("--steps", "6", "--minutes", "1e-9", *SETTINGS))
    assert load(tmp_path / "run" / LAST).facts["step"] == 0
    expect_success(distil("--resume"))
    assert load(tmp_path / "run" / LAST).facts["step"] == 6


def test_a_run_keeps_the_digest_of_the_file_that_taught_it(
    distil: Command,
    teacher: Path,
    make_generator: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    taught = teacher.read_bytes()
    other = make_generator("other.onnx", replace(METADATA, recipe="wgan").to_strings())
    step = Distillation.step

    def replaced(self: Distillation, *arguments: object) -> object:
        if self.step_count == 2:
            teacher.write_bytes(other.read_bytes())
        elif self.step_count == 7:
            teacher.unlink()
        return step(self, *arguments)

    with monkeypatch.context() as patch:
        patch.setattr(Distillation, "step", replaced)
        expect_success(distil("--steps", "12", *SETTINGS))
    digest = [hashlib.sha256(taught).hexdigest()]
    for name in (BEST, LAST):
        assert load(tmp_path / "run" / name).facts["teacher"] == digest
    expect_error(distil("--resume", of=other), "is another teacher than that of the run in")
    teacher.write_bytes(taught)
    expect_success(distil("--resume", "--steps", "13"))


def test_the_best_checkpoint_is_the_nearest_to_what_the_teacher_draws(
    distil: Command, teacher: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At step 2 the student's average draws what its teacher does, and before and after noise."""
    generator = Generator.load(teacher, "cpu")

    def drawn(self: Distillation, latents: np.ndarray) -> np.ndarray:
        if self.step_count == 2:
            return from_bytes(generator.images_of(latents))
        random = np.random.default_rng(self.step_count)
        return random.uniform(-1, 1, (len(latents), 3, 16, 16)).astype(np.float32)

    monkeypatch.setattr(Distillation, "images", drawn)
    monkeypatch.setattr("edgegan.trainer.run.VALIDATION_GRIDS", 8)
    _, out, err = distil("--steps", "3", *SETTINGS, "--set", "evaluate_every=1")
    facts = load(tmp_path / "run" / BEST).facts
    assert facts["step"] == 2
    assert abs(facts["best_distance"]) < 0.5  # that of noise is 20 and more
    assert f"best.npz (step 2, faces not counted, distance {facts['best_distance']:.4f})" in out
    assert f"step 2: faces not counted, distance {facts['best_distance']:.4f}, " in err


# What it says


def test_a_student_says_what_it_does_and_what_comes_next(
    distil: Command, teacher: Path, tmp_path: Path
) -> None:
    status, out, _ = distil("--steps", "3", "--dry-run", *SETTINGS)
    run = tmp_path / "run"
    start = [
        "training: recipe student, seed 0, to step 3, 4 pictures a batch",
        f"teacher: {teacher}, recipe dcgan, 16 x 16 pictures",
        f"results: {run}",
        "best checkpoint: the nearest to 1000 pictures of the teacher's; faces are not counted",
    ]
    assert status == 0
    assert not run.exists()
    assert [line for line in out.splitlines() if not line.startswith("device: CPU")] == [
        *start,
        f"dry run: nothing was written to {run}",
    ]
    _, out, _ = distil("--steps", "3", *SETTINGS)
    assert f"next: edgegan export {run} -o run.onnx" in out
    _, out, _ = distil("--resume")
    on = f"edgegan distil {teacher} --resume --out {run} --steps 6"
    assert out == f"{run} is finished: it is at step 3 of 3; to train on: {on}\n"


def test_a_run_is_no_teacher_before_it_is_exported(distil: Command, tmp_path: Path) -> None:
    expect_success(distil("--steps", "1", *SETTINGS, out="first"))
    run = tmp_path / "first"
    advice = f"is a run: export it first with edgegan export {run} -o first.onnx"
    expect_error(distil(of=run), advice)


# What is refused


def test_what_is_no_teacher(
    distil: Command,
    make_generator: Callable[..., Path],
    make_discriminator: Callable[..., Path],
    tmp_path: Path,
) -> None:
    others = make_generator("others.onnx", metadata={})
    expect_error(distil(of=others), "others.onnx is not a generator of this project")
    judge = make_discriminator("judge.onnx")
    expect_error(distil(of=judge), "judge.onnx is a discriminator, expected a generator")
    expect_error(distil(of="dcgn"), "model 'dcgn' is neither a file nor", "did you mean dcgan")
    expect_error(distil(of=tmp_path / "none.onnx"), "cannot read", "none.onnx")
    odd = make_generator("odd.onnx", replace(METADATA, value_range=(-2.0, 2.0)).to_strings())
    expect_error(distil(of=odd), "odd.onnx has the value range (-2.0, 2.0), expected one of")
    assert not (tmp_path / "run").exists()


def test_a_recipe_that_does_not_fit_the_teacher(distil: Command, tmp_path: Path) -> None:
    def expect_refusal(override: str, *words: str) -> None:
        expect_error(distil("--set", override), *words)

    expect_refusal("image_size=32", "image_size is 32, expected 16 as the teacher has it")
    expect_refusal("latent.size=8", "latent.size is 8, expected 16")
    expect_refusal("latent.distribution=uniform", "'uniform', expected 'normal'")
    expect_refusal("latent=8", "latent is 8, expected {'size': 16, 'distribution': 'normal'}")
    expect_refusal("latent.length=8", "latent.length is 8, expected {'size': 16,")
    expect_refusal("generator.dropout=0.1", "generator takes", "expected the 16")
    expect_refusal("discriminator.width=4", "recipe student: unknown key 'discriminator'")
    expect_refusal("steps=0", "steps is 0, expected at least 1")
    schedule = "generator.optimizer.schedule={name: constant, warm_up: 1}"
    expect_refusal(schedule, "schedule counts epochs, expected null: a student has no epochs")
    assert not (tmp_path / "run").exists()


def test_a_run_is_not_mixed_up_with_another(
    distil: Command, make_generator: Callable[..., Path], tmp_path: Path
) -> None:
    expect_error(distil("--resume"), "run holds no run to resume")
    expect_success(distil("--steps", "2", *SETTINGS))
    before = (tmp_path / "run" / LAST).read_bytes()
    expect_error(distil(*SETTINGS), "run holds a run already", "--resume")
    expect_error(
        distil("--resume", "--set", "generator.width=5"),
        "is of another recipe than was asked for: it has generator.width 4, not 5",
    )
    expect_error(distil("--resume", "--seed", "4"), "has seed 0, found 4")
    other = make_generator("other.onnx", replace(METADATA, recipe="wgan").to_strings())
    expect_error(distil("--resume", of=other), "is another teacher than that of the run in")
    assert (tmp_path / "run" / LAST).read_bytes() == before


def test_a_folder_that_another_process_writes_to(distil: Command, tmp_path: Path) -> None:
    with locked(tmp_path / "run", "edgegan fit"):
        expect_error(distil(), "run is being written by edgegan fit (process ")
        expect_success(distil("--dry-run"))


def test_students_and_gans_are_told_apart(
    distil: Command, command: Command, tmp_path: Path
) -> None:
    expect_success(distil("--steps", "2", *SETTINGS))
    student = tmp_path / "run"
    of_student = "is a checkpoint of edgegan distil, expected one of edgegan fit"
    data = ["--data", write_pictures(tmp_path / "faces", 10)]
    resumed = command(fit_main, *data, "--out", student, "--resume")
    expect_error(resumed, of_student)
    started = command(fit_main, *data, "--out", tmp_path / "x", "--start-from", student)
    expect_error(started, of_student)
    expect_error(command(judge_main, student, *data), of_student)
    part = ["-o", tmp_path / "d.onnx", "--part", "discriminator"]
    expect_error(command(export_main, student, *part), of_student)
    gan = tmp_path / "gan"
    gan.mkdir()
    chosen = tiny_recipe("dcgan")
    Checkpoint(chosen, {"step": 0}, {}).save(gan / LAST)
    expect_error(
        distil("--resume", out=gan),
        "is a checkpoint of edgegan fit, expected one of edgegan distil",
    )


def test_help_shows_calls(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        distil_main(["--help"])
    assert "edgegan distil dcgan --out runs/student" in capsys.readouterr().out


def test_a_student_takes_the_words_of_its_teacher(
    distil: Command, command: Command, tmp_path: Path
) -> None:
    of = make_conditional_generator(tmp_path / "words.onnx")
    expect_success(distil("--set", "generator.width=4", "--steps", "4", of=of, out="whole"))
    expect_success(distil("--set", "generator.width=4", "--steps", "2", of=of))
    expect_success(distil("--resume", "--steps", "4", of=of))
    whole, resumed = (load(tmp_path / name / LAST) for name in ("whole", "run"))
    assert_same_weights(whole, resumed)
    assert checkpoint.words_of(whole) == WORDS

    generator = Generator.load(of, "cpu")
    chosen = student_recipe(generator.metadata, "generator.width=4")
    batch = next(teacher_of(generator, chosen, 0).starting_at(3))
    student = Distillation(chosen, 0, mx.cpu(), words=generator.words)
    latents, conditions = student.inputs(0, len(batch), 3 * len(batch), Stream.DISTILLATION)
    expected = from_bytes(generator.images_of(latents, conditions))
    np.testing.assert_array_equal(batch, expected)
