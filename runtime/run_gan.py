"""The command behind run_gan.sh: draw a grid, compare it with the original, count its faces."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from runtime.detector import Detector, find_cascade
from runtime.errors import add_debug_option, run_command
from runtime.generate import DEFAULT_SEED
from runtime.generator import DEFAULT_MODEL, Generator
from runtime.grid import BASELINE_IMAGES, baseline_grid, read_picture, write_png
from runtime.latent import parse_seed
from runtime.score import PASS_ABOVE
from runtime.session import PROVIDERS

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
    generator = Generator.load(options.model, options.provider)
    print(generator.provider_line)
    grid = baseline_grid(generator.images(options.seed, BASELINE_IMAGES))
    write_png(options.output, grid)
    print(f"wrote {options.output}")
    if options.compare is not None and options.compare.exists():
        print(f"{_comparison(grid, read_picture(options.compare))} {options.compare}")

    faces = len(Detector(find_cascade(options.cascade)).faces(grid))
    passes = faces > PASS_ABOVE
    print(f"{faces} of {BASELINE_IMAGES} faces found: {'PASS' if passes else 'FAIL'}")
    return 0 if passes else 1


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
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"a shipped model's name, or the path of an exported .onnx ({DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--seed", type=parse_seed, default=DEFAULT_SEED, help=f"what to draw ({DEFAULT_SEED})"
    )
    parser.add_argument("--provider", choices=PROVIDERS, default="auto", help="where to run (auto)")
    parser.add_argument(
        "--output",
        type=Path,
        default=Path("gan.png"),
        metavar="FILE",
        help="the PNG to write (samples/gan.png)",
    )
    parser.add_argument(
        "--compare", type=Path, metavar="FILE", help="a PNG to compare it with, where there is one"
    )
    parser.add_argument("--cascade", type=Path, metavar="FILE", help="the detector's cascade")
    add_debug_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
