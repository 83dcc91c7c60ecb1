"""What run_gan.sh and run_cgan.sh share: their options, and how a grid is written and graded."""

from __future__ import annotations

import argparse

import numpy as np

from edgegan.runtime.detector import PASS_ABOVE, Detector, find_cascade, named_cascade
from edgegan.runtime.files import check_not_read
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import BASELINE_IMAGES, read_picture, write_png
from edgegan.runtime.models import model_files
from edgegan.runtime.options import (
    add_cascade_option,
    add_model_options,
    add_seed_option,
    named_path,
    output_file,
)


def add_options(parser: argparse.ArgumentParser, model: str, output: str) -> None:
    """Declare what the functions below read: ``model`` draws, and ``output`` is usually written."""
    add_model_options(parser, model)
    add_seed_option(parser)
    parser.add_argument(
        "--output",
        type=output_file("--output", ".png"),
        default=output,
        metavar="FILE",
        help=f"write the grid to this PNG ({output})",
    )
    parser.add_argument(
        "--compare",
        type=named_path("--compare"),
        metavar="FILE",
        help="compare the grid with this PNG, where there is one",
    )
    add_cascade_option(parser)


def read_original(options: argparse.Namespace) -> np.ndarray | None:
    """The picture to compare with, uint8 (H, W, 3), RGB, where there is one.

    Raises:
        UserError: it cannot be read, or what is read would be written over.
    """
    read = filter(None, [*model_files(options.model), options.compare])
    check_not_read("--output", [options.output], read)
    if options.compare is None or not options.compare.exists():
        return None
    return read_picture(options.compare)


def named_detector(options: argparse.Namespace) -> Detector | None:
    """Load the cascade that was named, if one was: before anything is written.

    Raises:
        UserError: it cannot be read or is another file.
    """
    if named_cascade(options.cascade) is None:
        return None
    return Detector(find_cascade(options.cascade))


def load_generator(options: argparse.Namespace) -> Generator:
    """Load what draws; raises UserError as Generator.load does."""
    return Generator.load(options.model, options.provider, prefer=options.prefer)


def write(grid: np.ndarray, original: np.ndarray | None, options: argparse.Namespace) -> None:
    """Write a grid, and say how it compares with the original; raises UserError if it cannot."""
    write_png(options.output, grid)
    print(f"wrote {options.output}")
    if original is not None:
        print(f"{_comparison(grid, original)} {options.compare}")


def grade(grid: np.ndarray, images: int, detector: Detector | None) -> int:
    """Count the faces in a grid of so many images and say the verdict; returns the exit status.

    Of 25 images the graders let more than PASS_ABOVE faces pass, and of others the same share.

    Args:
        detector: that of the cascade that was named; None to look for one.

    Raises:
        CascadeNotFound: there is none to grade with.
    """
    faces = len((detector or Detector(find_cascade())).faces(grid))
    passes = faces * BASELINE_IMAGES > PASS_ABOVE * images
    print(f"{faces} of {images} faces found: {'PASS' if passes else 'FAIL'}")
    return 0 if passes else 1


def _comparison(grid: np.ndarray, original: np.ndarray) -> str:
    """Say how a grid compares with another: by pixels, since encoders of PNG differ."""
    if grid.shape != original.shape:
        return "it is of another size than"
    differing = int((grid != original).any(axis=2).sum())
    if not differing:
        return "it is identical to"
    return f"{differing} of its {grid.shape[0] * grid.shape[1]} pixels differ from those of"
