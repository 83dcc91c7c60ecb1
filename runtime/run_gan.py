"""The command behind run_gan.sh: draw a grid, compare it with the original, count its faces."""

from __future__ import annotations

import argparse

import numpy as np

from edgegan.runtime.detector import PASS_ABOVE, Detector, find_cascade
from edgegan.runtime.errors import add_debug_option, run_command
from edgegan.runtime.files import check_not_read
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import BASELINE_IMAGES, baseline_grid, read_picture, write_png
from edgegan.runtime.models import model_files
from edgegan.runtime.options import (
    add_cascade_option,
    add_model_options,
    add_seed_option,
    named_path,
    output_file,
)

EXAMPLES = """\
examples:
  ./run_gan.sh
  ./run_gan.sh --model wgan --seed 7 --output grid.png
"""


def main(argv: list[str] | None = None) -> int:
    """Draw and grade a grid; returns 0 if it passes and 1 if it fails.

    Raises:
        UserError: a bad model or seed, an output that cannot be written, or no cascade to grade
            with; the grid is written before the cascade is looked for.
    """
    options = _parse(argv)
    read = filter(None, [*model_files(options.model), options.compare])
    check_not_read("--output", [options.output], read)
    original = _original(options)
    generator = Generator.load(options.model, options.provider, prefer=options.prefer)
    print(generator.provider_line)
    grid = baseline_grid(generator.images(options.seed, BASELINE_IMAGES))
    write_png(options.output, grid)
    print(f"wrote {options.output}")
    if original is not None:
        print(f"{_comparison(grid, original)} {options.compare}")

    faces = len(Detector(find_cascade(options.cascade)).faces(grid))
    passes = faces > PASS_ABOVE
    print(f"{faces} of {BASELINE_IMAGES} faces found: {'PASS' if passes else 'FAIL'}")
    return 0 if passes else 1


def _original(options: argparse.Namespace) -> np.ndarray | None:
    """The picture to compare with, where there is one."""
    if options.compare is None or not options.compare.exists():
        return None
    return read_picture(options.compare)


def _comparison(grid: np.ndarray, original: np.ndarray) -> str:
    """Say how a grid compares with another: by pixels, since encoders of PNG differ."""
    if grid.shape != original.shape:
        return "it is of another size than"
    differing = int((grid != original).any(axis=2).sum())
    if not differing:
        return "it is identical to"
    return f"{differing} of its {grid.shape[0] * grid.shape[1]} pixels differ from those of"


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="./run_gan.sh",
        description="Draw 25 faces from a seed as the graders do, and count them as they do.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model_options(parser)
    add_seed_option(parser)
    parser.add_argument(
        "--output",
        type=output_file("--output", ".png"),
        required=True,
        metavar="FILE",
        help="write the grid to this PNG (samples/gan.png)",
    )
    parser.add_argument(
        "--compare",
        type=named_path("--compare"),
        metavar="FILE",
        help="compare the grid with this PNG, where there is one",
    )
    add_cascade_option(parser)
    add_debug_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
