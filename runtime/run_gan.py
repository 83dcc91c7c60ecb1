"""The command behind run_gan.sh: draw a grid, compare it with the original, count its faces."""

from __future__ import annotations

import argparse

from edgegan.runtime import graded_grid
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import run_command
from edgegan.runtime.grid import BASELINE_IMAGES, baseline_grid
from edgegan.runtime.options import DEFAULT_MODEL

EXAMPLES = """\
examples:
  ./run_gan.sh
  ./run_gan.sh --model wgan --seed 7 --output grid.png
"""


def main(argv: list[str] | None = None) -> int:
    """Draw and grade a grid; returns 0 if it passes and 1 if it fails.

    Raises:
        UserError: a bad model, seed or cascade, or an output that cannot be written.
        CascadeNotFound: no cascade to grade with; where none was named, the grid is written before
            one is looked for.
    """
    options = _parse(argv)
    original = graded_grid.read_original(options)
    detector = graded_grid.named_detector(options)
    generator = graded_grid.load_generator(options)
    print(generator.provider_line)
    grid = baseline_grid(generator.images(options.seed, BASELINE_IMAGES))
    graded_grid.write(grid, original, options)
    return graded_grid.grade(grid, BASELINE_IMAGES, detector)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="./run_gan.sh",
        description="Draw 25 faces from a seed as the graders do, and count them as they do.",
        epilog=EXAMPLES,
    )
    graded_grid.add_options(parser, DEFAULT_MODEL, "samples/gan.png")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
