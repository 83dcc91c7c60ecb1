"""The command that generates: edgegan generate."""

from __future__ import annotations

import argparse

import numpy as np

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.faces import IMAGE_NAME, Faces, TextFaces
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
from edgegan.runtime.named_texts import EACH, faces_of_each, given_texts, read_texts
from edgegan.runtime.options import (
    add_best_of_option,
    add_model_options,
    add_seed_option,
    named_path,
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

examples with words:
  edgegan generate --model cgan --text "blue hair red eyes" --each 25 --output grid.png
  edgegan generate --model cgan --text "blue hair" --text hair=red,eyes=green --output rows.png
  edgegan generate --model cgan --texts testing_tags.txt --output grid.png
  edgegan generate --model cgan --texts testing_tags.txt --each 100 --images drawn/

Faces are counted through all texts. Face k of a seed keeps its latent whatever its words are, so
another --text draws the same faces in other colours.
"""
MOST_TILES = 10_000
MOST_IN_A_ROW = 1_000
MOST_GAP = 256


def main(argv: list[str] | None = None) -> int:
    """Generate a grid, single images, or both; returns the exit status.

    Raises:
        UserError: a bad model, seed or text, a grid that is too large, or an output that cannot be
            written or is the model itself.
    """
    options = _parse(argv)
    if options.output is not None:
        check_not_read("--output", [options.output], model_files(options.model))
    generator = Generator.load(options.model, options.provider, options.best_of, options.prefer)
    faces = _faces(generator, options)
    if options.output is not None and options.layout == "tight":
        tile = (generator.metadata.image_size, generator.metadata.image_size)
        check_size(*tight_grid_size(options.rows, options.columns, tile, options.gap))
    print(generator.provider_line)
    if options.output is not None:
        write_png(options.output, _draw_grid(faces, options))
        print(f"wrote {options.output}")
    if options.images is not None:
        written = _write_images(faces, options)
        there = f" ({options.count - written} were there)" if written < options.count else ""
        print(f"wrote {written} images to {options.images}{there}")
    return 0


def _faces(generator: Generator, options: argparse.Namespace) -> Faces:
    if not options.texts:
        return Faces(generator, options.seed)
    return TextFaces(generator, options.seed, options.texts, options.each)


def _draw_grid(faces: Faces, options: argparse.Namespace) -> np.ndarray:
    if options.layout != "tight":
        return baseline_grid(faces.images(BASELINE_IMAGES))
    images = faces.images(options.rows * options.columns)
    return tight_grid(images, options.rows, options.columns, options.gap)


def _write_images(faces: Faces, options: argparse.Namespace) -> int:
    from edgegan.runtime.image_folder import write_images  # needs more than a grid does

    return write_images(faces, options.count, options.images)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan generate",
        description="Generate faces from a seed. A seed always gives the same pictures.",
        epilog=EXAMPLES,
    )
    add_model_options(parser)
    add_seed_option(parser)
    add_best_of_option(parser)
    _add_text_options(parser)
    parser.add_argument(
        "--output",
        type=output_file("--output", ".png"),
        metavar="FILE",
        help="write a grid to this PNG file",
    )
    parser.add_argument(
        "--layout",
        choices=("baseline", "tight"),
        help="lay the grid out as the graders do, 5 x 5, or as tiles side by side, of texts a row "
        "each (baseline; tight where texts make more or fewer than 25 faces)",
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
        help="write single images to this folder, but for those that are there from the same job: "
        "000000.png and so on, or ID_1.png, ID_2.png and so on of each text",
    )
    parser.add_argument(
        "--count",
        type=whole_number("--count", 1),
        metavar="N",
        help="write so many single images (25)",
    )
    return parser


def _add_text_options(parser: argparse.ArgumentParser) -> None:
    texts = parser.add_mutually_exclusive_group()
    texts.add_argument(
        "--text",
        action="append",
        default=[],
        help='draw faces of this, such as "blue hair red eyes" or hair=blue,eyes=red, by a model '
        "with words; may be given again for more texts; the seed draws what a text does not name",
    )
    texts.add_argument(
        "--texts",
        type=named_path("--texts"),
        dest="texts_file",
        metavar="FILE",
        help="draw faces of the texts of this file, UTF-8, a line each: TEXT, or ID,TEXT with a "
        "number as the ID",
    )
    parser.add_argument(
        "--each",
        type=whole_number("--each", 1),
        metavar="N",
        help=f"draw so many faces of each text ({EACH}; 1 of {EACH**2} texts)",
    )


def _parse(argv: list[str] | None) -> argparse.Namespace:
    options = _parser().parse_args(argv)
    if options.output is None and options.images is None:
        raise UserError("nothing to write: give --output FILE for a grid, or --images DIR")
    if options.images is None and options.count is not None:
        raise UserError("--count is for --images only")
    if options.output is None and options.layout is not None:
        raise UserError("--layout is for --output only")
    _take_texts(options)
    for name, default in (("rows", 5), ("columns", 5), ("gap", 2)):
        if getattr(options, name) is None:
            setattr(options, name, default)
        elif options.output is None or options.layout != "tight":
            raise UserError(f"--{name} is for --output with --layout tight only")
    if options.count is None:
        options.count = 25
    if options.output and options.images and _is_one_of_the_images(options):
        raise UserError(
            f"--output is {options.output}, which has the name of an image in --images: choose "
            "another file"
        )
    if options.rows * options.columns > MOST_TILES:
        made_by = "the texts and --each" if options.texts else "--rows and --columns"
        raise UserError(
            f"{made_by} make {options.rows * options.columns} faces, expected at most "
            f"{MOST_TILES} in a grid"
        )
    return options


def _take_texts(options: argparse.Namespace) -> None:
    """Read the texts, and settle what they decide: how many faces there are and in what grid."""
    if options.texts_file is None:
        options.texts = given_texts("--text", options.text)
    else:
        options.texts = read_texts(options.texts_file)
    if not options.texts:
        if options.each is not None:
            raise UserError("--each is for --text and --texts only")
        return
    for name in ("rows", "columns", "count"):
        if getattr(options, name) is not None:
            raise UserError(f"--{name} is not for texts: a row of a grid is a text's, --each faces")
    options.each = options.each or faces_of_each(options.texts)
    options.count = len(options.texts) * options.each
    if options.output is None:
        return
    if options.layout == "baseline" and options.count != BASELINE_IMAGES:
        raise UserError(
            f"--layout is baseline and the texts and --each make {options.count} faces, expected "
            f"{BASELINE_IMAGES}, or --layout tight"
        )
    if options.layout is None and options.count != BASELINE_IMAGES:
        options.layout = "tight"
    if options.layout == "tight":
        options.rows, options.columns = len(options.texts), options.each


def _is_one_of_the_images(options: argparse.Namespace) -> bool:
    """Whether the grid would go over one of the single images."""
    in_their_folder = options.output.resolve().parent == options.images.resolve()
    return in_their_folder and IMAGE_NAME.fullmatch(options.output.name) is not None


if __name__ == "__main__":
    run_command(main)
