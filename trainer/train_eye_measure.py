"""The command that trains the two networks of the eye measure.

It sees the training part of the course assignment's extra data and nothing that was generated. Of
what is held out it then measures how many eyes agree: nearly all of real pictures, and nearly none
where a picture's halves are those of two.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import run_command
from edgegan.runtime.options import named_path, output_folder
from edgegan.trainer.classifier import Examples
from edgegan.trainer.data import pack
from edgegan.trainer.eyes.made_pairs import PairMaker
from edgegan.trainer.eyes.measure import (
    CHANNELS,
    EYE_SIZE,
    LOCATOR,
    MATCHER,
    SIZE,
    EyeFinder,
    EyeMeasure,
)
from edgegan.trainer.eyes.networks import Locator, Matcher, train_locator, train_matcher
from edgegan.trainer.framework import mx
from edgegan.trainer.options import add_skip_bad_option
from edgegan.trainer.split import HELD_OUT, VALIDATION, split
from edgegan.trainer.train_colour_classifier import HEADS, read_tagged_pictures, write_network

EXAMPLES = """\
examples:
  python -m edgegan.trainer.train_eye_measure --data extra_data.zip --out trainer/eyes
"""
SEAM = 8  # columns over which halves go over into each other


def main(argv: list[str] | None = None) -> int:
    """Train both networks, write them as ONNX and print what they measure; returns 0.

    Raises:
        UserError: the pictures or their tags cannot be read, or a file cannot be written.
    """
    options = _parser().parse_args(argv)
    tagged = read_tagged_pictures(options.data, options.skip_bad)
    parts = split(pack(options.data, SIZE, options.skip_bad), HELD_OUT, VALIDATION)
    group = HEADS.index("eyes")
    faces = Examples(tagged.images, tagged.choices[:, [group]])
    training, held_out = faces.part(parts.training), faces.part(parts.held_out)

    options.out.mkdir(parents=True, exist_ok=True)
    locator, matcher = (options.out / path.name for path in (LOCATOR, MATCHER))
    export_locator(train_locator(training, len(tagged.words[group])), locator)
    paired = training.part(np.arange(0, len(training.images), 2))  # half of them are enough
    eyes = EyeFinder(locator)(paired.images)
    export_matcher(train_matcher(PairMaker(eyes.cut, paired.choices[:, 0])), matcher)

    rates = measure_rates(EyeMeasure(locator, matcher), held_out)
    print(
        f"{options.out}: of {len(held_out.images)} pictures held out the eyes agree in "
        f"{rates.real:.1%}, and of pictures with the halves of two in {rates.other_word:.1%} where "
        f"other words name their colours, in {rates.same_word:.1%} where the same one does"
    )
    return 0


class Rates(NamedTuple):
    """Shares of pictures whose eyes agree: real ones, and those with the halves of two."""

    real: float
    other_word: float
    same_word: float


def measure_rates(measure: EyeMeasure, faces: Examples) -> Rates:
    """What a measure says of pictures with the numbers of their eyes' colours, int (N, 1)."""
    words = faces.choices[:, 0]
    # Far from each other in their order, since pictures that are much alike often stand together.
    others = np.roll(np.arange(len(words)), len(words) // 2)
    alike = others.copy()
    for word in np.unique(words):
        members = np.flatnonzero(words == word)
        alike[members] = np.roll(members, len(members) // 2)
    differ = np.flatnonzero(words != words[others])
    pairs = {
        "other_word": (differ, others[differ]),
        "same_word": (np.arange(len(words)), alike),
    }
    joined = {
        name: float(measure.match(join_halves(*(faces.images[part] for part in halves))).mean())
        for name, halves in pairs.items()
    }
    return Rates(real=float(measure.match(faces.images).mean()), **joined)


def join_halves(left: np.ndarray, right: np.ndarray) -> np.ndarray:
    """The left halves of some pictures with the right ones of others, uint8 (N, H, W, 3).

    They go over into each other in the middle, so that there is no seam to be seen.
    """
    width = left.shape[2]
    place = np.arange(width) - (width - 1) / 2
    share = np.clip(place / SEAM + 0.5, 0, 1)[:, np.newaxis].astype(np.float32)
    return np.rint(left * (1 - share) + right * share).astype(np.uint8)


def export_locator(network: Locator, path: Path) -> None:
    """Write the locator as ONNX: ``image`` in, ``eyes`` and ``colours`` out.

    Raises:
        UserError: the file cannot be written.
    """
    outputs = dict(zip(("eyes", "colours"), network(mx.sym.var("image"))))
    write_network(network, outputs, {"image": (3, SIZE, SIZE)}, path)


def export_matcher(network: Matcher, path: Path) -> None:
    """Write the matcher as ONNX: ``left`` and ``right`` in, ``match`` out.

    Raises:
        UserError: the file cannot be written.
    """
    match = network(mx.sym.var("left"), mx.sym.var("right"))
    shape = CHANNELS, EYE_SIZE, EYE_SIZE
    write_network(network, {"match": match}, {"left": shape, "right": shape}, path)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="python -m edgegan.trainer.train_eye_measure",
        description="Train the networks that find a face's eyes and say whether they agree.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--data",
        type=named_path("--data"),
        required=True,
        help="zip of pictures, with their colours in tags.csv",
    )
    parser.add_argument(
        "--out",
        type=output_folder("--out"),
        required=True,
        help=f"the folder for {LOCATOR.name} and {MATCHER.name}",
    )
    add_skip_bad_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
