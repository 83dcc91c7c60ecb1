"""The command that exports: edgegan export."""

from __future__ import annotations

import shlex
from pathlib import Path

from edgegan.export import command, translation
from edgegan.export.translation import WEIGHTS
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import check_not_read
from edgegan.runtime.metadata import GENERATOR, PARTS
from edgegan.runtime.models import find_run
from edgegan.runtime.options import named_path
from edgegan.runtime.run_folder import JUDGE
from edgegan.trainer import checkpoint
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.recipe import AnyRecipe

EXAMPLES = """\
examples:
  edgegan export runs/dcgan -o dcgan.onnx
  edgegan export runs/dcgan -o small.onnx --float16
  edgegan export runs/dcgan -o fast.onnx --optimize 3 --quality 40dB --explain
  edgegan export runs/dcgan -o page.onnx --target web --explain
  edgegan export runs/dcgan -o gpu.onnx --target cuda --optimize 3
  edgegan export runs/wgan/last.npz -o last.onnx --weights generator
  edgegan export runs/dcgan -o dcgan.discriminator.onnx --part discriminator
"""


def main(argv: list[str] | None = None) -> int:
    """Export a run's generator or discriminator; returns 0.

    Raises:
        UserError: no checkpoint there, a discriminator that scores no single pictures, the parity
            check or a bound on quality failed, or the file cannot be written.
    """
    options = _parser().parse_args(argv)
    command.check_options(options, options.part)
    _check_is_no_file(options.run)
    if options.part == GENERATOR:
        path = find_run(options.run)
        check_not_read("--output", [options.output], [path])
        source: Checkpoint = checkpoint.load(path, AnyRecipe)
        original = translation.generator_of(source, path, options.weights or WEIGHTS[0])
    else:
        if options.weights:
            raise UserError(f"--weights is {options.weights!r}, expected of a generator only")
        path = _find_judge(options.run)
        check_not_read("--output", [options.output], [path])
        source = checkpoint.load(path)
        original = translation.discriminator_of(source, path)
    origin = (
        f"{path}, recipe {source.recipe.name}, step {source.facts['step']}, "
        f"{source.facts['images_seen']} images seen"
    )
    command.write(original, options, origin)
    return 0


def _check_is_no_file(run: Path) -> None:
    """Raise UserError for an .onnx file, which another command takes."""
    if run.suffix == ".onnx" and run.is_file():
        raise UserError(
            f"{run} is exported already, expected a run's folder or a checkpoint: "
            f"{shlex.join(['edgegan', 'optimize', str(run), '-o', 'NEW.onnx'])} writes it anew"
        )


def _find_judge(run: Path) -> Path:
    """The checkpoint whose discriminator was trained on its own in the end, else the run's best."""
    return run / JUDGE if (run / JUDGE).is_file() else find_run(run)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan export",
        description="Export a trained network as one ONNX file, verified against the network.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "run",
        type=named_path("RUN"),
        help="folder of a run (its best checkpoint), or a checkpoint",
    )
    parser.add_argument(
        "--part",
        choices=PARTS,
        default=GENERATOR,
        help="the generator (default), or the discriminator: the one of judge.npz, which "
        "edgegan judge writes, where a run has it",
    )
    parser.add_argument(
        "--weights",
        choices=WEIGHTS,
        help="of the generator: the moving average (default), or as the last step left it",
    )
    command.add_options(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
