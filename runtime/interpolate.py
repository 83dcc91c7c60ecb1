"""The command that interpolates: edgegan interpolate."""

from __future__ import annotations

import argparse
import unicodedata
from pathlib import Path

import numpy as np

from edgegan.runtime.animation import FORMATS, write_animation
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.damage import MOST_PIXELS
from edgegan.runtime.errors import UserError, quoted, run_command
from edgegan.runtime.faces import conditions_of
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
from edgegan.runtime.named_texts import given_texts
from edgegan.runtime.options import (
    DEFAULT_SEED,
    add_model_options,
    output_file,
    parse_seeds,
    whole_number,
)

PATHS = {"slerp": slerp, "lerp": lerp}
MOST_FRAMES = 1_000  # 50 seconds of animation
STRIP_COLUMNS = 10
STRIP_GAP = 2  # pixels

EXAMPLES = """\
examples:
  edgegan interpolate --seeds 3,8 --output walk.png
  edgegan interpolate --seeds 3,8,12,3 --frames 20 --output walk.webp
  edgegan interpolate --model wgan --seeds 0-4 --path lerp --output walk.gif

examples with words:
  edgegan interpolate --model cgan --texts "blue hair red eyes,red hair red eyes" --output walk.png
  edgegan interpolate --model cgan --seeds 3,8 --texts "blue hair,red hair" --output walk.webp
  edgegan interpolate --model cgan --text hair=blue,eyes=red --text hair=red --output walk.webp
"""


def main(argv: list[str] | None = None) -> int:
    """Walk from the first face of each seed, or text, to that of the next; returns the exit status.

    Raises:
        UserError: a bad model or text, too few seeds and texts, too many or too large frames, or an
            output that is neither PNG nor an animation, is the model itself or cannot be written.
    """
    options = _parse(argv)
    check_not_read("--output", [options.output], model_files(options.model))
    generator = Generator.load(options.model, options.provider, prefer=options.prefer)
    print(generator.provider_line)
    _check_size(options, generator.metadata.image_size)
    waypoints = np.concatenate([generator.latents(seed, 1) for seed in options.seeds])
    latents = walk(waypoints, options.frames, PATHS[options.path])
    images = generator.images_of(latents, _conditions(generator, options))
    write = write_strip if options.output.suffix.lower() == ".png" else write_animation
    write(options.output, images)
    print(f"wrote {options.output}: {len(images)} frames")
    return 0


def _conditions(generator: Generator, options: argparse.Namespace) -> np.ndarray | None:
    """What the frames are drawn by, where the generator takes words: mixtures on straight lines.

    At each end are the words that the seed's first face has, of its text where there are texts.
    """
    asked = conditions_of(generator, options.texts) if options.texts else None
    if generator.words is None:
        return None
    waypoints = [
        generator.conditions(seed, 1, condition=None if asked is None else asked[[place]])
        for place, seed in enumerate(options.seeds)
    ]
    return walk(np.concatenate(waypoints), options.frames, lerp)


def _check_size(options: argparse.Namespace, size: int) -> None:
    """Raise UserError where the frames would be too large to be written, before they are drawn."""
    frames = _frames(options)
    if options.output.suffix.lower() == ".png":
        columns = min(frames, STRIP_COLUMNS)
        check_size(*tight_grid_size(-(-frames // columns), columns, (size, size), STRIP_GAP))
    elif frames * size**2 > MOST_PIXELS:
        raise UserError(
            f"{_named(options)} and --frames make {frames} frames of {size} x {size} pixels, "
            f"expected at most {MOST_PIXELS} pixels in all"
        )


def _frames(options: argparse.Namespace) -> int:
    """How many are drawn; a face in the middle ends one way and begins the next with one."""
    return (len(options.seeds) - 1) * (options.frames - 1) + 1


def _named(options: argparse.Namespace) -> str:
    """The options that said along what it walks."""
    seeds = ["--seeds"] if options.seeds_given else []
    return ", ".join([*seeds, *{text.place: None for text in options.texts}])


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
    parser = CommandParser(
        prog="edgegan interpolate",
        description="Walk through the latents from the first face of a seed to that of the next, "
        "or from words to words, or both at once.",
        epilog=EXAMPLES,
    )
    add_model_options(parser)
    parser.add_argument(
        "--seeds",
        type=parse_seeds,
        help="walk along the faces of these, two or more, in order: 3,8 or 0-4,0; with texts one "
        f"will do, which keeps its latent ({DEFAULT_SEED} where there are texts)",
    )
    texts = parser.add_mutually_exclusive_group()
    texts.add_argument(
        "--texts",
        type=_plain_texts,
        default=[],
        metavar="A,B",
        help="walk along these texts in order, in straight lines from words to words, by a model "
        "with words; as many as seeds, or one; none with = or commas in it",
    )
    texts.add_argument(
        "--text",
        action="append",
        metavar="A",
        help="one of these texts, given again for the next: also such as hair=blue,eyes=red",
    )
    parser.add_argument(
        "--frames",
        type=whole_number("--frames", 2),
        default=30,
        metavar="N",
        help="draw so many from one face to the next, with both of them (30)",
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

    options = parser.parse_args(argv)
    if options.text is None:
        options.texts = given_texts("--texts", options.texts)
    else:
        options.texts = given_texts("--text", options.text)
    options.seeds_given = options.seeds is not None
    if options.seeds is None:
        if not options.texts:
            raise UserError(
                "nothing to walk along: give --seeds, or --texts for a model with words"
            )
        options.seeds = [DEFAULT_SEED]
    _pair_seeds_with_texts(options)
    frames = _frames(options)
    if frames > MOST_FRAMES:
        raise UserError(
            f"{_named(options)} and --frames make {frames} frames, expected at most {MOST_FRAMES}"
        )
    return options


def _plain_texts(text: str) -> list[str]:
    """Texts with commas between; where one has a =, the commas may be within it."""
    if "=" in unicodedata.normalize("NFKC", text):
        raise UserError(
            f"--texts is {quoted(text)}, which has a =, expected each of such texts as a --text of "
            "its own"
        )
    return text.split(",")


def _pair_seeds_with_texts(options: argparse.Namespace) -> None:
    """Have as many texts as seeds, where there are texts: a single one of either stays all along.

    Raises:
        UserError: there is nowhere to go, or there are other numbers of both.
    """
    seeds, texts = len(options.seeds), len(options.texts)
    if max(seeds, texts) < 2:
        raise _nowhere_to_go(options)
    if seeds == 1:
        options.seeds *= texts
    elif texts == 1:
        options.texts *= seeds
    elif texts and texts != seeds:
        raise UserError(
            f"--seeds are {seeds} and {options.texts[0].place} {texts}, expected as many of both, "
            "or one of either"
        )


def _nowhere_to_go(options: argparse.Namespace) -> UserError:
    """Of one seed, one text, or one of each."""
    seed = f"--seeds is {options.seeds[0]} alone"
    if not options.texts:
        return UserError(f"{seed}, expected two or more, such as 3,8")
    (text,) = options.texts
    if _is_file(text.text):
        return UserError(
            f"{text.place} is {quoted(text.text)}, which is a file, expected two texts or more: "
            "interpolate reads none from a file"
        )
    found = f"{text.place} is {quoted(text.text)} alone"
    if options.seeds_given:
        return UserError(f"{seed} and {found}, expected two or more of either")
    how = "with a comma between them" if text.place == "--texts" else "each with a --text"
    return UserError(f"{found}, expected two texts or more, {how}")


def _is_file(text: str) -> bool:
    try:
        return Path(text).is_file()
    except OSError:  # as of a text that is too long for a name
        return False


if __name__ == "__main__":
    run_command(main)
