"""The command that trains a discriminator on its own: edgegan judge.

A discriminator that goes on learning when its generator is done becomes the stronger judge, and the
pictures that it scores highest are the ones to keep: edgegan generate --best-of.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from tqdm import tqdm

from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import remove_leftovers
from edgegan.runtime.models import find_run
from edgegan.runtime.options import whole_number
from edgegan.runtime.run_folder import JUDGE
from edgegan.trainer import checkpoint, device
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.fit import real_batches
from edgegan.trainer.loop import Training

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
            pictures, or a training that diverged.
    """
    options = _parser().parse_args(argv)
    path = find_run(Path(options.run))
    source = checkpoint.load(path)
    checkpoint.check_scores_pictures(source, path)
    recipe, seed = source.recipe, source.facts["seed"]
    where = device.choose(options.device, recipe.precision)
    batches = real_batches(Path(options.data), options.skip_bad, recipe, seed, source)
    training = Training(recipe, seed, where, len(batches.indices))
    training.set_state(source.facts["step"], source.arrays)
    judge = path.parent / JUDGE
    remove_leftovers(judge)
    with closing(batches.starting_at(training.discriminator_optimizer.updates)) as real:
        _train(training, real, options.steps)
    images = options.steps * recipe.batch_size
    facts = {**source.facts, "images_seen": source.facts["images_seen"] + images}
    Checkpoint(recipe, facts, training.state()).save(judge)
    print(f"{judge}: {options.steps} updates of the discriminator alone, from {path}")
    return 0


def _train(training: Training, real_batches: Iterator[np.ndarray], steps: int) -> None:
    """Update the discriminator ``steps`` times.

    Raises:
        UserError: a figure is not finite any more.
    """
    batch_size = training.recipe.batch_size
    with tqdm(total=steps * batch_size, unit=" images", disable=None) as bar:
        for number in range(1, steps + 1):
            figures = training.update_judge(next(real_batches))
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgegan judge",
        description="Train a run's discriminator on its own, against the moving average of the "
        "generator, and write judge.npz beside the checkpoint.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", help="folder of a run (its best checkpoint), or a checkpoint")
    parser.add_argument("--data", required=True, help="the pictures that the run was trained on")
    parser.add_argument(
        "--steps",
        type=whole_number("--steps", 1),
        default=DEFAULT_STEPS,
        help=f"updates of the discriminator ({DEFAULT_STEPS})",
    )
    parser.add_argument("--device", default="auto", help="auto, cpu or gpu:N")
    parser.add_argument("--skip-bad", action="store_true", help="leave unreadable pictures out")
    add_debug_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
