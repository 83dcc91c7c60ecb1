"""What the figures of edgegan evaluate make of spoiled pictures: benchmarks.spoiled_pictures.

    python -m benchmarks.spoiled_pictures --data extra_data.zip

Real pictures of the training part are spoiled in known ways and measured against those held out, so
that it is known which figure tells what. It prints the table of docs/colour_classifier.md.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from scipy import ndimage

from benchmarks import measure
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.latent import Stream, philox
from edgegan.trainer.data import pack, read_pictures
from edgegan.trainer.evaluate import IMAGES, Seen, evaluate
from edgegan.trainer.features import find_extractors
from edgegan.trainer.metrics import find_columns
from edgegan.trainer.options import add_data_options
from edgegan.trainer.split import HELD_OUT, VALIDATION, split

PACKAGES = ("numpy", "onnxruntime", "opencv-python", "scipy")
FEATURES = "colour_classifier"
IMAGE_SIZE = 64
SEED = 0
# Of the columns of edgegan evaluate.
SHOWN = ("frechet_distance", "kernel_distance", "precision", "recall", "coverage", "diversity")

Spoil = Callable[[np.ndarray, np.random.Generator], np.ndarray]  # uint8 (N, S, S, 3), likewise


def main(argv: list[str] | None = None) -> int:
    """Spoil, measure and print; returns 0.

    Raises:
        UserError: the pictures cannot be read, or are too few.
    """
    options = _parse(argv)
    pictures = pack(options.data, IMAGE_SIZE, options.skip_bad)
    parts = split(pictures, HELD_OUT, VALIDATION)
    if len(parts.training) < IMAGES:
        raise UserError(
            f"{options.data} has {len(parts.training)} pictures to train on, expected {IMAGES}"
        )
    training, held_out = (
        read_pictures(pictures, philox(SEED, Stream.SHUFFLE, number).permutation(part)[:most])
        for number, (part, most) in enumerate(((parts.training, IMAGES), (parts.held_out, None)))
    )
    extract = find_extractors()[FEATURES]()
    real = extract(held_out)
    columns = {name: find_columns()[name] for name in SHOWN}
    rows = []
    for number, (name, spoil) in enumerate(SPOILED.items()):
        measure.progress(name)
        spoiled = spoil(training, philox(SEED, Stream.AUGMENTATION, number))
        metrics = evaluate(Seen(extract(spoiled), [], {}), real)["metrics"]
        rows.append([name, *(column.show(metrics[key]) for key, column in columns.items())])
    machine = measure.machine(available_cores())
    versions = ", ".join(f"{name} {found}" for name, found in measure.versions(PACKAGES).items())
    print(f"{IMAGES} pictures of the training part, spoiled, against {len(held_out)} held out\n")
    print(f"{machine['cpu']}, Python {machine['python']}, {versions}\n")
    print(tables.markdown(["pictures", *(column.title for column in columns.values())], rows))
    return 0


def as_they_are(images: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    return images


def blurred(images: np.ndarray, draws: np.random.Generator, sigma: float) -> np.ndarray:
    """By a Gaussian of that deviation, in pixels."""
    return to_bytes(ndimage.gaussian_filter(images.astype(np.float32), (0, sigma, sigma, 0)))


def noisy(images: np.ndarray, draws: np.random.Generator, deviation: float) -> np.ndarray:
    """With normal noise of that deviation, in levels of 255."""
    return to_bytes(images + draws.normal(0, deviation, images.shape))


def half_as_colourful(images: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Half way to their own grey."""
    greys = np.stack([cv2.cvtColor(image, cv2.COLOR_RGB2GRAY) for image in images])
    return to_bytes((images + greys[..., None].astype(np.float64)) / 2)


def shuffled_quarters(images: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """Each picture's quarters in an order drawn for it."""
    half = images.shape[1] // 2
    places = [(rows, columns) for rows in (0, half) for columns in (0, half)]
    mixed = np.empty_like(images)
    for number, image in enumerate(images):
        for place, chosen in zip(places, draws.permutation(len(places))):
            mixed[number][_quarter(place, half)] = image[_quarter(places[chosen], half)]
    return mixed


def _quarter(place: tuple[int, int], half: int) -> tuple[slice, slice]:
    row, column = place
    return slice(row, row + half), slice(column, column + half)


def over_and_over(images: np.ndarray, draws: np.random.Generator, kept: int) -> np.ndarray:
    """The first of them as often as it takes, with noise of one level, so that no two are equal."""
    repeated = images[np.arange(len(images)) % kept]
    return noisy(repeated[draws.permutation(len(images))], draws, 1)


def to_bytes(values: np.ndarray) -> np.ndarray:
    return np.rint(values).clip(0, 255).astype(np.uint8)


SPOILED: dict[str, Spoil] = {
    "as they are": as_they_are,
    "blurred, sigma 0.7 pixels": partial(blurred, sigma=0.7),
    "sigma 1": partial(blurred, sigma=1),
    "sigma 2": partial(blurred, sigma=2),
    "noisy, deviation 8 of 255 levels": partial(noisy, deviation=8),
    "deviation 24": partial(noisy, deviation=24),
    "deviation 36": partial(noisy, deviation=36),
    "half as colourful": half_as_colourful,
    "quarters of each in another order": shuffled_quarters,
    "500 of them over and over": partial(over_and_over, kept=500),
    "100": partial(over_and_over, kept=100),
    "20": partial(over_and_over, kept=20),
    "4": partial(over_and_over, kept=4),
}


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.spoiled_pictures",
        description="Measure real pictures that were spoiled in known ways.",
    )
    add_data_options(parser, "spoil the training pictures of")
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
