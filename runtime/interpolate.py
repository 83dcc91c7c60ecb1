"""The command that interpolates: edgegan interpolate."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from edgegan.runtime.animation import FORMATS, write_animation
from edgegan.runtime.damage import MOST_PIXELS
from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import check_not_read
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import (
    WHITE,
    check_size,
    tight_grid,
    tight_grid_size,
    write_png,
)
from edgegan.runtime.interpolation import lerp, slerp, walk
from edgegan.runtime.models import model_files
from edgegan.runtime.options import add_model_options, output_file, parse_seeds, whole_number

PATHS = {"slerp": slerp, "lerp": lerp}
MOST_FRAMES = 1_000  # 50 seconds of animation
STRIP_COLUMNS = 10
STRIP_GAP = 2  # pixels

EXAMPLES = """\
examples:
  edgegan interpolate --seeds 3,8 --output walk.png
  edgegan interpolate --seeds 3,8,12,3 --frames 20 --output walk.webp
  edgegan interpolate --model wgan --seeds 0-4 --path lerp --output walk.gif
"""


def main(argv: list[str] | None = None) -> int:
    """Walk from the first face of each seed to that of the next; returns the exit status.

    Raises:
        UserError: a bad model, too few seeds, too many or too large frames, or an output that is
            neither PNG nor an animation, is the model itself or cannot be written.
    """
    options = _parse(argv)
    check_not_read("--output", [options.output], model_files(options.model))
    generator = Generator.load(options.model, options.provider, prefer=options.prefer)
    print(generator.provider_line)
    _check_size(options, generator.metadata.image_size)
    waypoints = np.concatenate([generator.latents(seed, 1) for seed in options.seeds])
    images = generator.images_of(walk(waypoints, options.frames, PATHS[options.path]))
    write = write_strip if options.output.suffix.lower() == ".png" else write_animation
    write(options.output, images)
    print(f"wrote {options.output}: {len(images)} frames")
    return 0


def _check_size(options: argparse.Namespace, size: int) -> None:
    """Raise UserError where the frames would be too large to be written, before they are drawn."""
    frames = _frames(options)
    if options.output.suffix.lower() == ".png":
        columns = min(frames, STRIP_COLUMNS)
        check_size(*tight_grid_size(-(-frames // columns), columns, (size, size), STRIP_GAP))
    elif frames * size**2 > MOST_PIXELS:
        raise UserError(
            f"--seeds and --frames make {frames} frames of {size} x {size} pixels, expected at "
            f"most {MOST_PIXELS} pixels in all"
        )


def _frames(options: argparse.Namespace) -> int:
    """How many are drawn; a seed in the middle ends one way and begins the next with one."""
    return (len(options.seeds) - 1) * (options.frames - 1) + 1


def write_strip(path: str | Path, images: np.ndarray) -> None:
    """Write images as one PNG file, ten to a row in reading order, and white after the last.

    Args:
        images: uint8 (N, H, W, 3), RGB, one or more.

    Raises:
        UserError: the file cannot be written.
    """
    columns = min(len(images), STRIP_COLUMNS)
    missing = -len(images) % columns
    tiles = np.pad(images, ((0, missing), (0, 0), (0, 0), (0, 0)), constant_values=WHITE)
    write_png(path, tight_grid(tiles, len(tiles) // columns, columns, STRIP_GAP))


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="edgegan interpolate",
        description="Walk through the latents from the first face of a seed to that of the next.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_model_options(parser)
    parser.add_argument(
        "--seeds",
        type=parse_seeds,
        required=True,
        help="walk along the faces of these, two or more, in order: 3,8 or 0-4,0",
    )
    parser.add_argument(
        "--frames",
        type=whole_number("--frames", 2),
        default=30,
        metavar="N",
        help="draw so many from one seed to the next, with both of their faces (30)",
    )
    parser.add_argument(
        "--path",
        choices=tuple(PATHS),
        default="slerp",
        help="walk along the great circle (slerp) or the straight line (lerp) (slerp)",
    )
    parser.add_argument(
        "--output",
        type=output_file("--output", ".png", *FORMATS),
        required=True,
        metavar="FILE",
        help="write to this file: a .png shows all frames, ten to a row; a .gif or .webp moves",
    )
    add_debug_option(parser)

    options = parser.parse_args(argv)
    if len(options.seeds) < 2:
        raise UserError(f"--seeds is {options.seeds[0]} alone, expected two or more, such as 3,8")
    frames = _frames(options)
    if frames > MOST_FRAMES:
        raise UserError(
            f"--seeds and --frames make {frames} frames, expected at most {MOST_FRAMES}"
        )
    return options


if __name__ == "__main__":
    run_command(main)
