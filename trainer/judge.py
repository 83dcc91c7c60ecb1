"""The command that trains a discriminator on its own: edgegan judge.

A discriminator that goes on learning when its generator is done becomes the stronger judge, and the
pictures that it scores highest are the ones to keep: edgegan generate --best-of.
"""

from __future__ import annotations

import argparse
import shlex
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import locked, remove_leftovers
from edgegan.runtime.metadata import DISCRIMINATOR
from edgegan.runtime.models import DISCRIMINATOR_SUFFIX, find_run
from edgegan.runtime.options import named_path, whole_number
from edgegan.runtime.run_folder import JUDGE
from edgegan.trainer import checkpoint, device
from edgegan.trainer.batches import real_batches
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.conditioned import training_of
from edgegan.trainer.loop import Training
from edgegan.trainer.options import add_data_options, add_device_option
from edgegan.trainer.resuming import check_split
from edgegan.trainer.run import say

EXAMPLES = """\
examples:
  edgegan judge runs/dcgan --data faces.zip
  edgegan judge runs/dcgan/last.npz --data faces/ --steps 2000
"""
DEFAULT_STEPS = 500
LINES = 10  # said about a whole training


def main(argv: list[str] | None = None) -> int:
    """Train a run's discriminator alone and write judge.npz beside its checkpoint; returns 0.

    Raises:
        UserError: bad options or pictures, no checkpoint, a discriminator that scores no single
            pictures, a folder that another process writes to, or a training that diverged.
    """
    options = _parser().parse_args(argv)
    path = find_run(options.run)
    with locked(path.parent, "edgegan judge"):
        _train_judge(path, options)
    return 0


def _train_judge(path: Path, options: argparse.Namespace) -> None:
    """Train the discriminator of the checkpoint at ``path`` as the options say."""
    source = checkpoint.load(path)
    checkpoint.check_scores_pictures(source, path)
    check_split(path, source.facts)
    recipe, seed = source.recipe, source.facts["seed"]
    where = device.choose(options.device, recipe.precision)
    batches = real_batches(options.data, options.skip_bad, recipe, seed, source)
    training = training_of(recipe, seed, where, batches)
    training.set_state(source.facts["step"], source.arrays)
    judge = path.parent / JUDGE
    say(
        f"training: the discriminator of {path} alone, {options.steps} updates, "
        f"{recipe.batch_size} pictures a batch",
        device.describe(where),
        *batches.describe(options.data),
        f"results: {judge}",
    )
    remove_leftovers(judge)
    try:
        with closing(batches.starting_at(training.discriminator_optimizer.updates)) as real:
            _train(training, real, options.steps)
    except KeyboardInterrupt:
        say("stopped: nothing was written; the same command begins again")
        raise
    images = options.steps * recipe.batch_size
    facts = {**source.facts, "images_seen": source.facts["images_seen"] + images}
    Checkpoint(recipe, facts, training.state()).save(judge)
    exported = f"{judge.resolve().parent.name}{DISCRIMINATOR_SUFFIX}"
    command = ["edgegan", "export", str(judge.parent), "-o", exported, "--part", DISCRIMINATOR]
    say(
        f"wrote {judge}: {options.steps} updates of the discriminator alone, from {path}",
        f"next: {shlex.join(command)}",
    )


def _train(training: Training, real_batches: Iterator[np.ndarray], steps: int) -> None:
    """Update the discriminator ``steps`` times.

    Raises:
        UserError: a figure is not finite any more.
    """
    batch_size = training.recipe.batch_size
    with tqdm(total=steps * batch_size, unit=" images", disable=None) as bar:
        for number in range(1, steps + 1):
            figures = training.update_discriminator_alone(next(real_batches))
            for name, value in figures.items():
                if not np.isfinite(value):
                    raise UserError(
                        f"the discriminator's training failed at update {number}: {name} is "
                        f"{value}, expected a finite number: nothing was written"
                    )
            bar.update(batch_size)
            if number % max(1, steps // LINES) == 0:
                line = (
                    f"update {number} of {steps}: D {figures['discriminator_loss']:.3f}, scores "
                    f"{figures['real_score']:.3f} real, {figures['generated_score']:.3f} generated"
                )
                bar.write(line, file=sys.stderr)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan judge",
        description="Train a run's discriminator on its own, against the moving average of the "
        "generator, and write judge.npz beside the checkpoint.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "run",
        type=named_path("RUN"),
        help="train on the discriminator of this run (its best checkpoint), or checkpoint",
    )
    add_data_options(parser, "train on the pictures that the run was trained on:")
    parser.add_argument(
        "--steps",
        type=whole_number("--steps", 1),
        default=DEFAULT_STEPS,
        help=f"update the discriminator so many times ({DEFAULT_STEPS})",
    )
    add_device_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
