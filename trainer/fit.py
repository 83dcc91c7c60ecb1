"""The command that trains: edgegan fit."""

from __future__ import annotations

import argparse
import math
import os
import re
import shlex
from contextlib import suppress
from pathlib import Path

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.detector import find_detector
from edgegan.runtime.errors import UserError, one_line, run_command
from edgegan.runtime.files import write_bytes
from edgegan.runtime.models import find_run
from edgegan.runtime.options import named_path, whole_number
from edgegan.runtime.run_folder import SKIPPED
from edgegan.trainer import checkpoint, device, recipe
from edgegan.trainer.batches import real_batches
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.conditioned import training_of
from edgegan.trainer.data import PackedPictures
from edgegan.trainer.loop import Training
from edgegan.trainer.options import add_data_options, add_run_options, resumed_options
from edgegan.trainer.recipe import Recipe
from edgegan.trainer.resuming import agree, check_same_recipe, check_same_words, last_checkpoint
from edgegan.trainer.run import Run, carry_out, check_inputs, only_writer

EXAMPLES = """\
examples:
  edgegan fit --recipe dcgan --data faces/ --out runs/dcgan
  edgegan fit --recipe wgan --data faces.zip --out runs/wgan --set generator.width=32
  edgegan fit --resume --data faces.zip --out runs/wgan --minutes 60
  edgegan fit --start-from runs/wgan --data faces.zip --out runs/wgan_slow \\
      --set generator.optimizer.learning_rate=1e-5
"""
DEFAULT_RECIPE = "dcgan"
DECIDES_GENERATOR = re.compile(r"generator\.(?!optimizer)|latent\.|image_size")  # keys of a recipe


def main(argv: list[str] | None = None) -> int:
    """Train, or go on with a run; returns 0.

    Raises:
        UserError: bad options, pictures, recipe or checkpoint, a folder that another process
            writes to, or a training that diverged.
    """
    options = _parser().parse_args(argv)
    with only_writer(options, "edgegan fit"):
        _train(options)
    return 0


def _train(options: argparse.Namespace) -> None:
    """Train as the options say."""
    folder: Path = options.out
    last = last_checkpoint(folder, options.resume, Recipe)
    check_inputs(folder, _inputs(options))
    start = checkpoint.load(find_run(options.start_from)) if options.start_from else None
    chosen = _choose_recipe(last, start, options)
    seed = agree("seed", last and last.facts["seed"], options.seed, default=0)
    where = device.choose(options.device, chosen.precision)
    batches = real_batches(options.data, options.skip_bad, chosen, seed, last)
    detector = find_detector(options.cascade)
    with device.enough_memory():
        training = training_of(chosen, seed, where, batches)
    if last:
        training.set_state(last.facts["step"], last.arrays)
    if start:
        _start_from(start, training, options.start_from)
    total_steps = _total_steps(options, chosen, len(batches.indices), last)
    run = Run(training, batches, folder, detector, total_steps, last, start)
    if not options.dry_run:
        _write_skipped(folder, batches.pictures)
    pictures = batches.describe(options.data)
    about = [device.describe(where), *pictures]
    if start:
        before = f"recipe {start.recipe.name}, step {start.facts['step']}"
        about.insert(0, f"starting from: {options.start_from}, {before}")
    carry_out(run, about, options.minutes, options.dry_run, _resume_command(options))


def _inputs(options: argparse.Namespace) -> list[str | Path]:
    """The files and folders that the training is made from, but for the run itself."""
    if options.resume:
        return [options.data]
    own_recipe = options.recipe is not None and os.path.isfile(options.recipe)  # noqa: PTH113
    named = [options.recipe] if own_recipe else []  # not a folder with the name of a shipped one
    return [options.data, *named, *([options.start_from] if options.start_from else [])]


def _choose_recipe(
    last: Checkpoint | None, start: Checkpoint | None, options: argparse.Namespace
) -> Recipe:
    """The recipe asked for, which has to be that of the run that goes on."""
    if start and options.recipe is None:
        return recipe.override(start.recipe, options.set)
    if not last:
        name = DEFAULT_RECIPE if options.recipe is None else options.recipe
        return recipe.load(name, options.set)
    if options.recipe is not None:
        asked = recipe.load(options.recipe, options.set)
    else:
        asked = recipe.override(last.recipe, options.set)
    check_same_recipe(options.out, last.recipe, asked)
    return asked


def _start_from(start: Checkpoint, training: Training, name: Path) -> None:
    """Begin with the networks of the checkpoint that ``name`` is of.

    Raises:
        UserError: they are others than the recipe's, or take other words than the pictures have.
    """
    check_same_words(name, checkpoint.words_of(start), training.words)
    try:
        training.start_from(start.arrays, start.recipe)
    except UserError as error:
        differ = recipe.differences(start.recipe, training.recipe)
        found = [differ[key] for key in differ if DECIDES_GENERATOR.match(key)]
        raise UserError(
            f"--start-from is {name}, which has another generator than was asked for: it has "
            f"{next(iter(found), error)}"
        ) from error


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


def _write_skipped(folder: Path, pictures: PackedPictures) -> None:
    """Name what of the source is not among its pictures, each with the reason."""
    everything = [*pictures.left_out, *pictures.skipped]
    if everything:
        lines = (one_line(f"{name}: {reason}") for name, reason in everything)
        write_bytes(folder / SKIPPED, "\n".join([*lines, ""]).encode("utf-8", "surrogateescape"))
    else:  # of an earlier start
        with suppress(OSError):
            (folder / SKIPPED).unlink()


def _resume_command(options: argparse.Namespace) -> str:
    """What goes on with this run, as a shell takes it."""
    command = ["edgegan", "fit", "--resume", "--data", str(options.data)]
    command += resumed_options(options)
    return shlex.join(command + ["--skip-bad"] * options.skip_bad)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan fit",
        description="Train a GAN by a recipe on a folder, zip or RecordIO file of pictures.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--recipe",
        help=f"train by this recipe: one of {', '.join(recipe.names())}, or a YAML file of your "
        f"own ({DEFAULT_RECIPE})",
    )
    add_data_options(parser, "train on the pictures of")
    beginning = parser.add_mutually_exclusive_group()
    beginning.add_argument("--resume", action="store_true", help="go on with the run in --out")
    beginning.add_argument(
        "--start-from",
        type=named_path("--start-from"),
        metavar="RUN",
        help="begin with the networks and the recipe of another run, or of one of its checkpoints; "
        "--set changes the recipe, and a discriminator of another architecture begins untrained",
    )
    length = parser.add_mutually_exclusive_group()
    length.add_argument("--steps", type=whole_number("--steps", 1), help="train to this step")
    length.add_argument(
        "--epochs",
        type=whole_number("--epochs", 1),
        help="train for so many passes over the pictures (as the recipe says)",
    )
    add_run_options(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
