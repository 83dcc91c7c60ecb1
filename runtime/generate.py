"""The command that generates: edgegan generate."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import check_not_read
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import (
    BASELINE_IMAGES,
    baseline_grid,
    check_size,
    tight_grid,
    tight_grid_size,
    write_png,
)
from edgegan.runtime.models import model_files
from edgegan.runtime.options import (
    add_best_of_option,
    add_model_options,
    add_seed_option,
    output_file,
    output_folder,
    whole_number,
)

EXAMPLES = """\
examples:
  edgegan generate --seed 7 --output grid.png
  edgegan generate --model wgan --layout tight --rows 4 --columns 8 --output wall.png
  edgegan generate --model dcgan.onnx --images drawn/ --count 100000
  edgegan generate --model dcgan.onnx --best-of 4 --output best.png
"""
MOST_TILES = 10_000
MOST_IN_A_ROW = 1_000
MOST_GAP = 256


def main(argv: list[str] | None = None) -> int:
    """Generate a grid, single images, or both; returns the exit status.

    Raises:
        UserError: a bad model or seed, a grid that is too large, or an output that cannot be
            written or is the model itself.
    """
    options = _parse(argv)
    if options.output is not None:
        check_not_read("--output", [options.output], model_files(options.model))
    generator = Generator.load(options.model, options.provider, options.best_of, options.prefer)
    if options.output is not None and options.layout == "tight":
        tile = (generator.metadata.image_size, generator.metadata.image_size)
        check_size(*tight_grid_size(options.rows, options.columns, tile, options.gap))
    print(generator.provider_line)
    if options.output is not None:
        write_png(options.output, _draw_grid(generator, options))
        print(f"wrote {options.output}")
    if options.images is not None:
        written = _write_images(generator, options)
        there = f" ({options.count - written} were there)" if written < options.count else ""
        print(f"wrote {written} images to {options.images}{there}")
    return 0


def _draw_grid(generator: Generator, options: argparse.Namespace) -> np.ndarray:
    if options.layout != "tight":
        return baseline_grid(generator.images(options.seed, BASELINE_IMAGES))
    images = generator.images(options.seed, options.rows * options.columns)
    return tight_grid(images, options.rows, options.columns, options.gap)


def _write_images(generator: Generator, options: argparse.Namespace) -> int:
    from edgegan.runtime.image_folder import write_images  # needs more than a grid does

    return write_images(generator, options.seed, options.count, options.images)


def _is_an_image_of(folder: Path, output: Path) -> bool:
    """Whether a grid would go over one of the images of a folder."""
    from edgegan.runtime.image_folder import NUMBERED  # needs more than a grid does

    return output.resolve().parent == folder.resolve() and output.match(NUMBERED)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgegan generate",
        description="Generate faces from a seed. A seed always gives the same pictures.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model_options(parser)
    add_seed_option(parser)
    add_best_of_option(parser)
    parser.add_argument(
        "--output",
        type=output_file("--output", ".png"),
        metavar="FILE",
        help="write a grid to this PNG file",
    )
    parser.add_argument(
        "--layout",
        choices=("baseline", "tight"),
        help="lay the grid out as the graders do, 5 x 5, or as tiles side by side (baseline)",
    )
    parser.add_argument(
        "--rows",
        type=whole_number("--rows", 1, MOST_IN_A_ROW),
        metavar="R",
        help="so many rows in a tight grid (5)",
    )
    parser.add_argument(
        "--columns",
        type=whole_number("--columns", 1, MOST_IN_A_ROW),
        metavar="C",
        help="so many columns in a tight grid (5)",
    )
    parser.add_argument(
        "--gap",
        type=whole_number("--gap", 0, MOST_GAP),
        metavar="P",
        help="so many pixels between the tiles of a tight grid (2)",
    )
    parser.add_argument(
        "--images",
        type=output_folder("--images"),
        metavar="DIR",
        help="write single images to this folder, but for those that are there from the same job",
    )
    parser.add_argument(
        "--count",
        type=whole_number("--count", 1),
        metavar="N",
        help="write so many single images (25)",
    )
    add_debug_option(parser)
    return parser


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = _parser()
    options = parser.parse_args(argv)
    if options.output is None and options.images is None:
        parser.error("nothing to write: give --output FILE for a grid, or --images DIR")
    if options.images is None and options.count is not None:
        parser.error("--count is for --images only")
    if options.output is None and options.layout is not None:
        parser.error("--layout is for --output only")
    for name, default in (("rows", 5), ("columns", 5), ("gap", 2)):
        if getattr(options, name) is None:
            setattr(options, name, default)
        elif options.output is None or options.layout != "tight":
            parser.error(f"--{name} is for --output with --layout tight only")
    if options.count is None:
        options.count = 25
    if options.output and options.images and _is_an_image_of(options.images, options.output):
        raise UserError(
            f"--output is {options.output}, which has the name of an image in --images: choose "
            "another file"
        )
    if options.rows * options.columns > MOST_TILES:
        raise UserError(
            f"--rows and --columns make {options.rows * options.columns} faces, expected at most "
            f"{MOST_TILES} in a grid"
        )
    return options


if __name__ == "__main__":
    run_command(main)
