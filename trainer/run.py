"""A run: a training, and the folder that keeps what comes of it."""

from __future__ import annotations

import argparse
import shlex
import signal
import threading
from collections.abc import Generator, Iterable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, nullcontext
from pathlib import Path
from types import FrameType
from typing import Any, Protocol

import numpy as np
import yaml

from edgegan.runtime.detector import PASS_ABOVE, Detector
from edgegan.runtime.files import atomic_write, check_not_read, locked, remove_leftovers
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.grid import BASELINE_IMAGES
from edgegan.runtime.run_folder import BEST, GRIDS, LAST, RECIPE, SKIPPED, read_header
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.device import enough_memory
from edgegan.trainer.loop import GeneratorTraining
from edgegan.trainer.monitor import Monitor, TrainingFailed
from edgegan.trainer.recipe import VALUE_RANGES
from edgegan.trainer.validation import LEAST_PICTURES, Grader, best_of

VALIDATION_GRIDS = 8  # grids of 25 that a checkpoint is judged by


class Source(Protocol):
    """Where a training's batches come from, and what its checkpoints are compared with.

    Attributes:
        validation_name: what the pictures to compare with are, in words.
        validation_count: how many of them there are.
    """

    @property
    def validation_name(self) -> str: ...

    @property
    def validation_count(self) -> int: ...

    def validation_pictures(self) -> Iterator[np.ndarray]:
        """The pictures that checkpoints are compared with, a few at a time, uint8 (N, S, S, 3)."""

    def validation_conditions(self) -> list[np.ndarray]:
        """The words of all of these pictures, float32 (N, W), where there are words."""

    def starting_at(self, index: int) -> Generator[Any, None, None]:
        """Batches ``index``, ``index + 1``, … without end, as the training takes them."""

    def facts(self) -> dict[str, Any]:
        """What tells this source from others, to be kept in checkpoints."""


class Run:
    """A training and the folder that keeps its checkpoints, grids and events."""

    def __init__(
        self,
        training: GeneratorTraining,
        source: Source,
        folder: Path,
        detector: Detector | None,
        total_steps: int,
        last: Checkpoint | None,
        start: Checkpoint | None,
    ) -> None:
        self.training = training
        self.source = source
        self.folder = folder
        self.detector = detector
        self.total_steps = total_steps
        self.best = best_of(last.facts) if last else None
        self.stages: list[dict[str, Any]] = []
        self.earlier_minutes = 0.0
        if before := last or start:
            self.stages = before.facts.get("stages", [])
            self.earlier_minutes = before.facts["minutes"]
        if start:
            self.stages = [*self.stages, _stage(start)]

    @property
    def finished(self) -> bool:
        """Whether the last step is made."""
        return self.training.step_count >= self.total_steps

    def fit(self, minutes: float) -> None:
        """Train up to the last step, or for ``minutes``, or until asked to stop."""
        training, evaluate_every = self.training, self.training.recipe.evaluate_every
        with atomic_write(self.folder / RECIPE) as temporary:
            mapping = training.recipe.to_mapping()
            temporary.write_text(yaml.safe_dump(mapping, sort_keys=False))
        for name in (LAST, BEST, RECIPE, SKIPPED, GRIDS):
            remove_leftovers(self.folder / name)
        real = self.source.validation_pictures() if self._by_distance else ()
        grader = Grader(self.detector, real, *self.source.validation_conditions())
        batches = self.source.starting_at(training.batches_used)
        monitor = Monitor(training, self.total_steps, self.folder, minutes)
        with closing(batches), monitor, stop_signal() as stopped:
            if not training.step_count:
                self._save(LAST, monitor, self._state())  # so that any kill can be resumed
            while not self.finished and monitor.minutes() < minutes and not stopped.is_set():
                monitor.step(training.step(batches))
                if training.step_count % evaluate_every == 0:
                    self._evaluate(monitor, grader)
            if stopped.is_set():
                monitor.say("asked to stop: writing a checkpoint")
            if training.step_count % evaluate_every:
                self._evaluate(monitor, grader)  # the last step, wherever it came

    def plan(self) -> str:
        """What is going to be trained, in a line."""
        training, recipe = self.training, self.training.recipe
        done = f"from step {training.step_count} " if training.step_count else ""
        return (
            f"training: recipe {recipe.name}, seed {training.seed}, {done}to step "
            f"{self.total_steps}, {recipe.batch_size} pictures a batch"
        )

    def results(self) -> str:
        """Where what comes of it goes, in a line."""
        return f"results: {self.folder}"

    def choice(self) -> str:
        """What chooses the best checkpoint, in a line."""
        count, pictures = self.source.validation_count, self.source.validation_name
        if self._by_distance:
            first = f"checkpoints with more than {PASS_ABOVE} faces of 25 come first"
            gate = first if self.detector else "faces are not counted"
            return f"best checkpoint: the nearest to {count} {pictures}; {gate}"
        few = f"there are too few {pictures} to compare with"
        by_faces = "the one with the most and most various faces, as"
        chosen = by_faces if self.detector else "the last, as faces are not counted and"
        return f"best checkpoint: {chosen} {few}: {count}, expected at least {LEAST_PICTURES}"

    def already_finished(self, resume: str) -> str:
        """What is said where there is nothing to do.

        Args:
            resume: the command that goes on with the run.
        """
        step, total = self.training.step_count, self.total_steps
        reached = f"step {step} of {total}" if step == total else f"step {step}, past step {total}"
        return (
            f"{self.folder} is finished: it is at {reached}; to train on: "
            f"{resume} --steps {2 * step}"
        )

    def outcome(self, resume: str) -> list[str]:
        """What was written, and what comes next, in a few lines.

        Args:
            resume: the command that goes on with the run.
        """
        lines = []
        if not self.finished:
            step = self.training.step_count
            lines = [f"stopped at step {step} of {self.total_steps}; to go on: {resume}"]
        checkpoints, grade = [f"{LAST} (step {self.training.step_count})"], None
        if (self.folder / BEST).is_file():
            facts = read_header(self.folder / BEST).facts
            grade = best_of(facts)
            checkpoints.append(f"{BEST} (step {facts['step']}{f', {grade}' if grade else ''})")
        written = [*checkpoints, RECIPE, f"{GRIDS}/", "events for TensorBoard"]
        lines.append(f"wrote {self.folder}: {', '.join(written)}")
        if self.finished and grade and grade.faces is not None and not grade.passes:
            lines.append(
                f"grids with no more than {PASS_ABOVE} faces do not pass; to train on: "
                f"{resume} --steps {2 * self.training.step_count}"
            )
        exported = f"{self.folder.resolve().name}.onnx"
        export = shlex.join(["edgegan", "export", str(self.folder), "-o", exported])
        return [*lines, f"next: {export}"]

    @property
    def _by_distance(self) -> bool:
        return self.source.validation_count >= LEAST_PICTURES

    def _evaluate(self, monitor: Monitor, grader: Grader) -> None:
        """Draw and grade grids; keep the checkpoint as the last, and as the best if it is."""
        state = self._state()
        inputs = self.training.validation_inputs(BASELINE_IMAGES * VALIDATION_GRIDS)
        images = self._validation_images(inputs)
        grids = images.reshape(VALIDATION_GRIDS, -1, *images.shape[1:])
        grade = grader.grade(grids, *inputs[1:])
        monitor.evaluation(images, grade)
        if grade.is_better_than(self.best):
            self.best = grade
            self._save(BEST, monitor, state)
        self._save(LAST, monitor, state)

    def _validation_images(self, inputs: list[np.ndarray]) -> np.ndarray:
        """What the moving average draws, uint8 (25 * VALIDATION_GRIDS, S, S, 3).

        Raises:
            UserError: a number in them is not finite.
        """
        grids = zip(*(np.split(array, VALIDATION_GRIDS) for array in inputs))
        images = np.concatenate([self.training.images(*grid) for grid in grids])
        self._check_finite("a generated picture", images)
        return to_bytes(images, VALUE_RANGES[self.training.recipe.value_range])

    def _state(self) -> dict[str, np.ndarray]:
        """The training's state.

        Raises:
            UserError: a number in it is not finite, so it is no checkpoint to go on from.
        """
        state = self.training.state()
        for name, array in state.items():
            self._check_finite(name, array)
        return state

    def _check_finite(self, name: str, array: np.ndarray) -> None:
        if not np.isfinite(array).all():
            raise TrainingFailed(self.training.step_count, f"{name} is not finite")

    def _save(self, name: str, monitor: Monitor, state: dict[str, np.ndarray]) -> None:
        facts = {
            "step": self.training.step_count,
            "seed": self.training.seed,
            "total_steps": self.total_steps,
            **self.source.facts(),
            "images_seen": self.training.images_seen + sum(s["images_seen"] for s in self.stages),
            "stages": self.stages,
            **(self.best.facts() if self.best else {"best_faces": -1.0}),
            "minutes": self.earlier_minutes + monitor.minutes(),
        }
        Checkpoint(self.training.recipe, facts, state).save(self.folder / name)


def _stage(before: Checkpoint) -> dict[str, Any]:
    """What a checkpoint that a run starts from adds to that run's history."""
    facts = before.facts
    stages = facts.get("stages", [])
    return {
        "recipe": before.recipe.to_mapping(),
        "seed": facts["seed"],
        "step": facts["step"],
        "images_seen": facts["images_seen"] - sum(s["images_seen"] for s in stages),
        "minutes": facts["minutes"] - sum(s.get("minutes", 0.0) for s in stages),
        "split": facts.get("split"),
        "pictures_digest": facts.get("pictures_digest"),
    }


@contextmanager
def stop_signal() -> Iterator[threading.Event]:
    """An event set by Ctrl-C or a polite kill, so that the step under way is finished."""
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def check_inputs(folder: Path, inputs: Iterable[str | Path]) -> None:
    """Raise UserError where a run in a folder would write over what it is made from."""
    names = (LAST, BEST, RECIPE, SKIPPED, GRIDS)
    check_not_read("--out", [folder, *(folder / name for name in names)], inputs)


def only_writer(options: argparse.Namespace, purpose: str) -> AbstractContextManager[None]:
    """What keeps other processes from writing to --out; nothing for a dry run, which does not."""
    return nullcontext() if options.dry_run else locked(options.out, purpose)


def carry_out(run: Run, about: list[str], minutes: float, dry_run: bool, resume: str) -> None:
    """Say what is trained, train it, and say what came of it and what comes next.

    Args:
        about: lines about what it is trained on.
        dry_run: stop before anything is written.
        resume: the command that goes on with the run.
    """
    if run.finished:
        say(run.already_finished(resume))
        return
    say(run.plan(), *about, run.results(), run.choice())
    if dry_run:
        say(f"dry run: nothing was written to {run.folder}")
        return
    with enough_memory():
        run.fit(minutes)
    say(*run.outcome(resume))


def say(*lines: str) -> None:
    """Print lines at once: what follows may take hours, or go to stderr."""
    print(*lines, sep="\n", flush=True)
