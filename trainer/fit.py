"""The command that trains: python -m trainer.fit."""

from __future__ import annotations

import argparse
import math
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TypeVar

import numpy as np
import yaml

from runtime.detector import CascadeNotFound, Detector, find_cascade
from runtime.errors import UserError, add_debug_option, run_command
from runtime.files import atomic_write
from runtime.generator import to_bytes
from runtime.grid import BASELINE_IMAGES
from runtime.latent import Stream, draw_latents, parse_seed
from runtime.score import score_images
from trainer import checkpoint, device, recipe
from trainer.checkpoint import BEST, LAST, Checkpoint
from trainer.data import Batches, PackedPictures, pack
from trainer.loop import Training
from trainer.monitor import Monitor
from trainer.recipe import Recipe

T = TypeVar("T")
N = TypeVar("N", int, float)

EXAMPLES = """\
examples:
  python -m trainer.fit --recipe dcgan --data faces/ --out runs/dcgan
  python -m trainer.fit --recipe wgan --data faces.zip --out runs/wgan --set generator.width=32
  python -m trainer.fit --resume --data faces.zip --out runs/wgan --minutes 60
"""
VALIDATION_GRIDS = 8  # grids of 25 whose mean count of faces a checkpoint is judged by
DEFAULT_RECIPE = "dcgan"
RECIPE = "recipe.yaml"


def main(argv: list[str] | None = None) -> int:
    """Train, or go on with a run; returns 0.

    Raises:
        UserError: bad options, pictures, recipe or checkpoint, or a training that diverged.
    """
    options = _parser().parse_args(argv)
    folder = Path(options.out)
    last = _last_checkpoint(folder, options.resume)
    chosen = _choose_recipe(last, options)
    seed = _agree("seed", last and last.facts["seed"], options.seed, default=0)
    where = device.choose(options.device)
    pictures = pack(Path(options.data), chosen.image_size, options.skip_bad)
    if last:
        _agree("number of pictures", last.facts["pictures"], pictures.count)
    count_faces = _face_counter(options.cascade)
    training = Training(chosen, seed, where)
    if last:
        training.set_state(last.facts["step"], last.arrays)
    with atomic_write(folder / RECIPE) as temporary:
        temporary.write_text(yaml.safe_dump(chosen.to_mapping(), sort_keys=False))
    run = Run(training, pictures, folder, count_faces, last)
    run.fit(_total_steps(options, chosen, pictures), options.minutes)
    return 0


class Run:
    """A training and the folder that keeps its checkpoints, grids and events."""

    def __init__(
        self,
        training: Training,
        pictures: PackedPictures,
        folder: Path,
        count_faces: Callable[[np.ndarray], int] | None,
        last: Checkpoint | None,
    ) -> None:
        self.training = training
        self.pictures = pictures
        self.folder = folder
        self.count_faces = count_faces
        self.best_faces = last.facts["best_faces"] if last else -1.0
        self.earlier_minutes = last.facts["minutes"] if last else 0.0

    def fit(self, total_steps: int, minutes: float) -> None:
        """Train up to ``total_steps`` in all, or for ``minutes``, or until asked to stop."""
        training, every = self.training, self.training.recipe.evaluate_every
        recipe = training.recipe
        batches = Batches(
            self.pictures, recipe.batch_size, training.seed, recipe.horizontal_flip
        ).starting_at(training.batches_used)
        with closing(batches), Monitor(training, total_steps, self.folder, minutes) as monitor:
            with _stop_signal() as stopped:
                while training.step_count < total_steps and monitor.minutes() < minutes:
                    monitor.step(training.step(batches))
                    if training.step_count % every == 0 or training.step_count == total_steps:
                        self._evaluate(monitor)
                    if stopped.is_set():
                        break
            self._save(LAST, monitor, self._state())
            monitor.say(
                f"{self.folder / LAST}: step {training.step_count}, "
                f"{training.images_seen} images seen"
            )

    def _evaluate(self, monitor: Monitor) -> None:
        """Draw and grade grids; keep the checkpoint as the last, and as the best if it is."""
        state = self._state()
        images = self._validation_images()
        faces = None
        if self.count_faces:
            grids = images.reshape(VALIDATION_GRIDS, -1, *images.shape[1:])
            faces = sum(map(self.count_faces, grids)) / VALIDATION_GRIDS
        monitor.evaluation(images, faces)
        score = -1.0 if faces is None else faces
        # Of equals the later is the better: the count saturates before the pictures are good.
        if score >= self.best_faces:
            self.best_faces = score
            self._save(BEST, monitor, state)
        self._save(LAST, monitor, state)

    def _validation_images(self) -> np.ndarray:
        """Pictures from fixed latents, uint8 (25 * VALIDATION_GRIDS, S, S, 3).

        Raises:
            UserError: a number in them is not finite.
        """
        latent = self.training.recipe.latent
        count = BASELINE_IMAGES * VALIDATION_GRIDS
        latents = draw_latents(0, count, latent.size, latent.distribution, stream=Stream.VALIDATION)
        batches = latents.reshape(VALIDATION_GRIDS, BASELINE_IMAGES, latent.size)
        images = np.concatenate([self.training.images(batch) for batch in batches])
        self._check_finite("a generated picture", images)
        return to_bytes(images)

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
            raise UserError(
                f"training failed at step {self.training.step_count}: {name} is not finite; "
                "the last checkpoint is kept, a lower learning rate may help"
            )

    def _save(self, name: str, monitor: Monitor, state: dict[str, np.ndarray]) -> None:
        facts = {
            "step": self.training.step_count,
            "seed": self.training.seed,
            "pictures": self.pictures.count,
            "images_seen": self.training.images_seen,
            "best_faces": self.best_faces,
            "minutes": self.earlier_minutes + monitor.minutes(),
        }
        Checkpoint(self.training.recipe, facts, state).save(self.folder / name)


def _last_checkpoint(folder: Path, resume: bool) -> Checkpoint | None:
    """The checkpoint to go on from; a run that was killed before its first begins again."""
    path = folder / LAST
    if not path.exists():
        return None
    if not resume:
        raise UserError(f"{folder} holds a run already: choose another --out, or --resume it")
    return checkpoint.load(path)


def _choose_recipe(last: Checkpoint | None, options: argparse.Namespace) -> Recipe:
    """The recipe asked for, which has to be that of the run that goes on."""
    if last and not options.recipe and not options.set:
        return last.recipe
    asked = recipe.load(options.recipe or DEFAULT_RECIPE, options.set)
    if last and asked != last.recipe:
        raise UserError(
            f"{Path(options.out) / LAST} is of another recipe than --recipe and --set give: "
            f"leave both out to go on with it"
        )
    return asked


def _agree(what: str, before: T | None, asked: T | None, default: T | None = None) -> T:
    """What the run had before, unless something else is asked for now."""
    if before is not None and asked is not None and before != asked:
        raise UserError(f"the run to resume has {what} {before}, found {asked}")
    return next(value for value in (before, asked, default) if value is not None)


def _total_steps(options: argparse.Namespace, chosen: Recipe, pictures: PackedPictures) -> int:
    if options.steps:
        return int(options.steps)
    images = (options.epochs or chosen.epochs) * pictures.count
    return math.ceil(images / (chosen.batch_size * chosen.discriminator_steps))


def _face_counter(cascade: Path | None) -> Callable[[np.ndarray], int] | None:
    """What counts the faces of a grid; None, with a warning, where there is no cascade."""
    try:
        detector = Detector(find_cascade(cascade))
    except CascadeNotFound as error:
        print(f"warning: {error}; faces are not counted, the best checkpoint is the last")
        return None
    return lambda images: score_images(images, detector)


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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer.fit",
        description="Train a GAN by a recipe on a folder, zip or RecordIO file of pictures.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--recipe", help=f"{', '.join(recipe.names())}, or a YAML file ({DEFAULT_RECIPE})"
    )
    parser.add_argument("--data", required=True, help="folder, zip or .rec file of JPEG or PNG")
    parser.add_argument("--out", required=True, help="folder of the run")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override the recipe"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=_positive("steps", int), help="generator steps in all")
    length.add_argument(
        "--epochs", type=_positive("epochs", int), help="passes over the pictures in all"
    )
    parser.add_argument(
        "--minutes",
        type=_positive("minutes", float),
        default=math.inf,
        help="stop after so many minutes",
    )
    parser.add_argument("--seed", type=parse_seed, help="of weights, latents and order (0)")
    parser.add_argument("--device", default="auto", help="auto, cpu or gpu:N")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable pictures out")
    parser.add_argument("--cascade", type=Path, help="the face detector's file")
    add_debug_option(parser)
    return parser


def _positive(what: str, kind: Callable[[str], N]) -> Callable[[str], N]:
    """What reads a positive number from the command line, or raises UserError."""

    def read(text: str) -> N:
        with suppress(ValueError):
            value = kind(text)
            if value > 0:
                return value
        whole = "whole " if kind is int else ""
        raise UserError(f"{what} is {text!r}, expected a positive {whole}number")

    return read


if __name__ == "__main__":
    run_command(main)
