"""The command behind run_cgan.sh: draw a grid of texts, compare it, count its faces and colours."""

from __future__ import annotations

import argparse

import numpy as np

from edgegan.runtime import graded_grid
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.faces import TextFaces
from edgegan.runtime.grid import BASELINE_IMAGES, baseline_grid, tight_grid
from edgegan.runtime.named_texts import NamedText, faces_of_each, given_texts, read_texts
from edgegan.runtime.options import named_path

MODEL = "cgan"
TEXTS = (  # the assignment's own
    "blue hair blue eyes",
    "blue hair green eyes",
    "blue hair red eyes",
    "green hair blue eyes",
    "green hair red eyes",
)
ORIGINAL = "cgan_original.png"  # is of these texts
GAP = 2  # pixels between the tiles of a tight grid
MOST_TEXTS = 1_000

EXAMPLES = """\
examples:
  ./run_cgan.sh
  ./run_cgan.sh testing_tags.txt
  ./run_cgan.sh sample_testing_text.txt --seed 7 --output grid.png

Of 25 texts one face each is drawn, else five. 25 faces are laid out as the graders do, others with
a row for each text.
"""


def main(argv: list[str] | None = None) -> int:
    """Draw and grade a grid of texts; returns 0 if it passes and 1 if it fails.

    Raises:
        UserError: a bad model, seed, text or cascade, a file that is none of texts or has too many,
            or an output that cannot be written.
        CascadeNotFound: no cascade to grade with; where none was named, the grid is written before
            one is looked for.
    """
    options = _parse(argv)
    original = graded_grid.read_original(options)
    texts = _texts(options)
    detector = graded_grid.named_detector(options)
    generator = graded_grid.load_generator(options)
    faces = TextFaces(generator, options.seed, texts, faces_of_each(texts))
    print(generator.provider_line)
    images = faces.images(faces.count)
    grid = _grid(images, faces.each)
    if _has_other_texts(options, texts):  # to count the pixels that differ would say nothing
        original = None
    graded_grid.write(grid, original, options)
    _say_colours(images, faces)
    return graded_grid.grade(grid, faces.count, detector)


def _texts(options: argparse.Namespace) -> list[NamedText]:
    if options.texts is None:
        return given_texts("the assignment's texts, drawn without FILE", TEXTS)
    texts = read_texts(options.texts)
    if len(texts) > MOST_TEXTS:
        raise UserError(f"{options.texts} has {len(texts)} texts, expected at most {MOST_TEXTS}")
    return texts


def _has_other_texts(options: argparse.Namespace, texts: list[NamedText]) -> bool:
    """Whether the grid is to be compared with that of the assignment's texts, and is of others."""
    compared = options.compare is not None and options.compare.name == ORIGINAL
    return compared and [text.text for text in texts] != list(TEXTS)


def _grid(images: np.ndarray, columns: int) -> np.ndarray:
    """25 images as the graders lay them out, others with a row for each text."""
    if len(images) == BASELINE_IMAGES:
        return baseline_grid(images)
    return tight_grid(images, len(images) // columns, columns, GAP)


def _say_colours(images: np.ndarray, faces: TextFaces) -> None:
    """Say how many images have the colours of their texts, if all words are known ones."""
    from edgegan.runtime.colour_classifier import shipped_namer

    name = shipped_namer(faces.words)
    if name is None:
        return
    asked = faces.asked()
    right = ((name(images) == asked) | (asked < 0)).all(axis=1)
    print(
        f"{right.sum()} of {len(right)} have the colours of their texts, by the colour classifier"
    )


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="./run_cgan.sh",
        description="Draw faces of texts as the graders do, count them as they do, and count how "
        "many have the colours of their texts.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "texts",
        type=named_path("FILE"),
        nargs="?",
        metavar="FILE",
        help="draw faces of the texts of this file, UTF-8, a line each: TEXT, or ID,TEXT with a "
        "number as the ID (the assignment's five texts)",
    )
    graded_grid.add_options(parser, MODEL, "samples/cgan.png")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
