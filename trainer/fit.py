"""The command that trains: edgegan fit."""

from __future__ import annotations

import argparse
import math
import signal
import threading
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import FrameType
from typing import Any, Protocol, TypeVar

import numpy as np
import yaml

from edgegan.runtime.detector import Detector, find_detector
from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import atomic_write, remove_leftovers
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.grid import BASELINE_IMAGES
from edgegan.runtime.latent import Stream, draw_latents, parse_seed
from edgegan.runtime.models import find_run
from edgegan.runtime.options import add_cascade_option, positive_number, whole_number
from edgegan.runtime.run_folder import BEST, LAST, RECIPE, SKIPPED
from edgegan.runtime.score import score_images
from edgegan.trainer import checkpoint, device, recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.data import Batches, pack, split
from edgegan.trainer.loop import GeneratorTraining, Training
from edgegan.trainer.monitor import Monitor, TrainingFailed
from edgegan.trainer.recipe import VALUE_RANGES, AnyRecipe, R, Recipe
from edgegan.trainer.selection import select

T = TypeVar("T")

EXAMPLES = """\
examples:
  edgegan fit --recipe dcgan --data faces/ --out runs/dcgan
  edgegan fit --recipe wgan --data faces.zip --out runs/wgan --set generator.width=32
  edgegan fit --resume --data faces.zip --out runs/wgan --minutes 60
  edgegan fit --start-from runs/wgan --data faces.zip --out runs/wgan_slow \
      --set generator.optimizer.learning_rate=1e-5
"""
VALIDATION_GRIDS = 8  # grids of 25 whose mean count of faces a checkpoint is judged by
REAL_FACES = 24.2  # of 25, found in grids of real faces by the graders' procedure
DEFAULT_RECIPE = "dcgan"


def main(argv: list[str] | None = None) -> int:
    """Train, or go on with a run; returns 0.

    Raises:
        UserError: bad options, pictures, recipe or checkpoint, or a training that diverged.
    """
    options = _parser().parse_args(argv)
    folder = Path(options.out)
    last = last_checkpoint(folder, options.resume, Recipe)
    start = checkpoint.load(find_run(options.start_from)) if options.start_from else None
    chosen = _choose_recipe(last, start, options)
    seed = agree("seed", last and last.facts["seed"], options.seed, default=0)
    where = device.choose(options.device, chosen.precision)
    batches = real_batches(Path(options.data), options.skip_bad, chosen, seed, last)
    pictures, training_indices = batches.pictures, batches.indices
    detector = find_detector(options.cascade)
    training = Training(chosen, seed, where, len(training_indices))
    if last:
        training.set_state(last.facts["step"], last.arrays)
    if start:
        before, now = start.recipe.discriminator, chosen.discriminator
        training.start_from(start.arrays, before.architecture == now.architecture)
    write_recipe(folder, chosen)
    if pictures.skipped:
        with atomic_write(folder / SKIPPED) as temporary:
            temporary.write_text("\n".join(pictures.skipped) + "\n", encoding="utf-8")
    total_steps = _total_steps(options, chosen, len(training_indices), last)
    Run(training, batches, folder, detector, total_steps, last, start).fit(options.minutes)
    return 0


class Source(Protocol):
    """Where a training's batches come from."""

    def starting_at(self, index: int) -> Generator[np.ndarray, None, None]:
        """Batches ``index``, ``index + 1``, … without end, float32 (batch_size, 3, S, S)."""

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
        self.best_faces = -1.0
        self.stages: list[dict[str, Any]] = []
        self.earlier_minutes = 0.0
        if before := last or start:
            self.stages = before.facts.get("stages", [])
            self.earlier_minutes = before.facts["minutes"]
        if last:
            self.best_faces = last.facts["best_faces"]
        if start:
            self.stages = [*self.stages, _stage(start)]

    def fit(self, minutes: float) -> None:
        """Train up to the last step, or for ``minutes``, or until asked to stop."""
        training, recipe = self.training, self.training.recipe
        for name in (LAST, BEST):
            remove_leftovers(self.folder / name)
        batches = self.source.starting_at(training.batches_used)
        monitor = Monitor(training, self.total_steps, self.folder, minutes)
        with closing(batches), monitor, _stop_signal() as stopped:
            if not training.step_count:
                self._save(LAST, monitor, self._state())  # so that any kill can be resumed
            while training.step_count < self.total_steps and monitor.minutes() < minutes:
                monitor.step(training.step(batches))
                if training.step_count % recipe.evaluate_every == 0:
                    self._evaluate(monitor)
                if stopped.is_set():
                    break
            if training.step_count % recipe.evaluate_every:
                self._evaluate(monitor)  # the last step, wherever it came

    def _evaluate(self, monitor: Monitor) -> None:
        """Draw and grade grids; keep the checkpoint as the last, and as the best if it is."""
        state = self._state()
        images = self._validation_images()
        faces = None
        if self.detector:
            grids = images.reshape(VALIDATION_GRIDS, -1, *images.shape[1:])
            faces = sum(score_images(grid, self.detector) for grid in grids) / VALIDATION_GRIDS
        monitor.evaluation(images, faces)
        # Above what real faces score a count says that faces are plain, not that they are good; of
        # equals the later is the better.
        score = -1.0 if faces is None else min(faces, REAL_FACES)
        if score >= self.best_faces:
            self.best_faces = score
            self._save(BEST, monitor, state)
        self._save(LAST, monitor, state)

    def _validation_images(self) -> np.ndarray:
        """Pictures from fixed latents, uint8 (25 * VALIDATION_GRIDS, S, S, 3).

        Raises:
            UserError: a number in them is not finite.
        """
        recipe = self.training.recipe
        count = BASELINE_IMAGES * VALIDATION_GRIDS
        latents = draw_latents(
            0, count, recipe.input_size, recipe.latent.distribution, stream=Stream.VALIDATION
        )
        batches = latents.reshape(VALIDATION_GRIDS, BASELINE_IMAGES, -1)
        images = np.concatenate([self.training.images(batch) for batch in batches])
        self._check_finite("a generated picture", images)
        return to_bytes(images, VALUE_RANGES[recipe.value_range])

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
            "best_faces": self.best_faces,
            "minutes": self.earlier_minutes + monitor.minutes(),
        }
        Checkpoint(self.training.recipe, facts, state).save(self.folder / name)


def real_batches(
    data: Path, skip_bad: bool, recipe: Recipe, seed: int, last: Checkpoint | None
) -> Batches:
    """The batches that a recipe trains on, of the pictures of ``last`` where a run goes on.

    Raises:
        UserError: the pictures cannot be read, are not those of ``last``, or others of them are
            chosen than for it.
    """
    pictures = pack(data, recipe.image_size, skip_bad, recipe.crop_from)
    if last:
        agree("number of pictures", last.facts["pictures"], pictures.count)
        agree("pictures of digest", last.facts["pictures_digest"], pictures.digest)
    training_indices, _ = split(pictures.count, recipe.held_out)
    batches = Batches(
        pictures,
        select(pictures, training_indices, recipe.instance_selection),
        recipe.batch_size,
        seed,
        recipe.horizontal_flip,
        recipe.rotation_degrees,
        recipe.value_range,
    )
    if last:
        # Another numpy or OpenCV may select others; older runs have not noted theirs.
        before, found = last.facts.get("chosen_digest"), batches.facts()["chosen_digest"]
        agree("pictures chosen to train on of digest", before, found)
    return batches


def write_recipe(folder: Path, recipe: AnyRecipe) -> None:
    """Write the resolved recipe to a run's folder; raises UserError where it cannot."""
    with atomic_write(folder / RECIPE) as temporary:
        temporary.write_text(yaml.safe_dump(recipe.to_mapping(), sort_keys=False))


def last_checkpoint(folder: Path, resume: bool, kind: type[R]) -> Checkpoint[R] | None:
    """The checkpoint to go on from; None for a new run.

    Raises:
        UserError: there is none to resume, it is of another kind of recipe, or there is one that a
            new run would overwrite.
    """
    path = folder / LAST
    if resume and not path.exists():
        raise UserError(f"{folder} holds no run to resume: no such file as {path}")
    if path.exists() and not resume:
        raise UserError(f"{folder} holds a run already: choose another --out, or --resume it")
    return checkpoint.load(path, kind) if resume else None


def _stage(before: Checkpoint) -> dict[str, Any]:
    """What a checkpoint that a run starts from adds to that run's history."""
    facts = before.facts
    images = facts["images_seen"] - sum(s["images_seen"] for s in facts.get("stages", []))
    return {
        "recipe": before.recipe.to_mapping(),
        "seed": facts["seed"],
        "step": facts["step"],
        "images_seen": images,
    }


def _choose_recipe(
    last: Checkpoint | None, start: Checkpoint | None, options: argparse.Namespace
) -> Recipe:
    """The recipe asked for, which has to be that of the run that goes on."""
    if start and not options.recipe:
        return recipe.override(start.recipe, options.set)
    if not last:
        return recipe.load(options.recipe or DEFAULT_RECIPE, options.set)
    if options.recipe:
        asked = recipe.load(options.recipe, options.set)
    else:
        asked = recipe.override(last.recipe, options.set)
    check_same_recipe(Path(options.out), last.recipe, asked)
    return asked


def check_same_recipe(folder: Path, before: AnyRecipe, asked: AnyRecipe) -> None:
    """Raise UserError where the run in ``folder`` has another recipe than was asked for."""
    if asked != before:
        raise UserError(
            f"{folder / LAST} is of another recipe than was asked for: it has "
            f"{recipe.first_difference(before, asked)}"
        )


def agree(what: str, before: T | None, asked: T | None, default: T | None = None) -> T:
    """What the run had before, unless something else is asked for now."""
    if before is not None and asked is not None and before != asked:
        raise UserError(f"the run to resume has {what} {before}, found {asked}")
    return next(value for value in (before, asked, default) if value is not None)


def _total_steps(
    options: argparse.Namespace, chosen: Recipe, training_pictures: int, last: Checkpoint | None
) -> int:
    """The last step: as asked for now, as the run was meant to, or as the recipe has it."""
    if options.steps:
        return int(options.steps)
    if last and not options.epochs:
        return int(last.facts["total_steps"])
    images = (options.epochs or chosen.epochs) * training_pictures
    return math.ceil(images / (chosen.batch_size * chosen.discriminator_steps))


@contextmanager
def _stop_signal() -> Iterator[threading.Event]:
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


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare what every run can be told, whatever it trains."""
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override the recipe"
    )
    parser.add_argument(
        "--minutes",
        type=positive_number("--minutes"),
        default=math.inf,
        help="stop after so many minutes",
    )
    parser.add_argument("--seed", type=parse_seed, help="of all that is drawn at random (0)")
    parser.add_argument("--device", default="auto", help="auto, cpu or gpu:N")
    add_cascade_option(parser)
    add_debug_option(parser)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgegan fit",
        description="Train a GAN by a recipe on a folder, zip or RecordIO file of pictures.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--recipe", help=f"{', '.join(recipe.names())}, or a YAML file ({DEFAULT_RECIPE})"
    )
    parser.add_argument("--data", required=True, help="folder, zip or .rec file of JPEG or PNG")
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument("--resume", action="store_true", help="go on with the run in --out")
    beginning.add_argument(
        "--start-from",
        type=Path,
        metavar="RUN",
        help="begin with the networks of another run, or checkpoint, and its recipe; --set changes "
        "that; a discriminator of another architecture begins untrained",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=whole_number("--steps", 1), help="generator steps in all")
    length.add_argument(
        "--epochs", type=whole_number("--epochs", 1), help="passes over the pictures in all"
    )
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable pictures out")
    add_run_options(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
