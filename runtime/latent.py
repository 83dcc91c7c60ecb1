"""Seeds to latents: randomness that is counted, not carried.

What is drawn for (seed, stream, index) comes from a counter-based generator that starts there, so
it does not depend on what was drawn before, on how much is drawn, or on the machine. The generator
is Philox (Salmon et al., "Parallel Random Numbers: As Easy as 1, 2, 3", SC 2011), as in numpy.
"""

from __future__ import annotations

from enum import IntEnum

import numpy as np

from edgegan.runtime.arguments import check_integer
from edgegan.runtime.choices import check_choice
from edgegan.runtime.errors import UserError, quoted

MAX_SEED = 2**63 - 1
MOST_DIGITS = 1_000
MOST = 2**64 - 1  # of a stream or an index
DISTRIBUTIONS = ("normal", "uniform")


class Stream(IntEnum):
    """What randomness is drawn for; draws for different streams never overlap."""

    LATENT = 0  # the pictures that a user asks for
    DISCRIMINATOR_LATENT = 1  # a training step of the discriminator
    SHUFFLE = 2
    AUGMENTATION = 3
    INITIALISATION = 4
    PARITY = 6
    VALIDATION = 7  # the grids a trainer judges its checkpoints by
    GENERATOR_LATENT = 8  # a training step of the generator
    DISCRIMINATOR_VIEW = 9  # how the discriminator sees the pictures of its own update
    GENERATOR_VIEW = 10  # and those of the generator's
    OBJECTIVE = 11  # labels, places between pictures: an objective's own randomness
    CALIBRATION = 12  # what an export measures ranges of numbers on
    DISTILLATION = 13  # the pictures that a student copies from its teacher
    GENERATOR_OBJECTIVE = 14  # an objective's own randomness in the generator's update
    VALIDATION_PICTURES = 15  # the real ones that a trainer compares its checkpoints with
    CONDITION = 16  # the words of the pictures that a user asks for
    DISCRIMINATOR_CONDITION = 17  # those of pictures that are drawn for its update
    GENERATOR_CONDITION = 18  # and for the generator's
    WRONG_CONDITION = 19  # those that a real picture is shown with and does not have
    VALIDATION_CONDITION = 20  # of the grids that a trainer judges its checkpoints by
    PARITY_CONDITION = 21
    CALIBRATION_CONDITION = 22
    DISTILLATION_CONDITION = 23
    NEIGHBOUR = 24  # directions to what is like a face, on the page in a browser
    NEGATIVES = 25  # what spoils real pictures that the discriminator is to tell from real ones


def check_seed(value: int) -> int:
    """Return a seed, Python's or numpy's whole number, as an int.

    Raises:
        TypeError: it is no whole number.
        UserError: it is not 0 to MAX_SEED.
    """
    try:
        return check_integer("seed", value, 0, MAX_SEED)
    except ValueError as error:
        raise UserError(_seed_sentence(str(value))) from error


def parse_seed(text: str) -> int:
    """Read a seed from a command line (an argparse type); raises UserError in one sentence."""
    value = parse_digits(text)
    if value is None:
        raise UserError(_seed_sentence(text))
    return check_seed(value)


def parse_digits(text: str) -> int | None:
    """Read what consists of the digits 0 to 9 and nothing else; None where it does not.

    Nor where there are thousands of them, which Python takes for no number.
    """
    return int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else None


def philox(seed: int, stream: int, index: int) -> np.random.Generator:
    """Return the random generator of (seed, stream, index).

    Seed and stream are Philox's key. The index is the top 64 bits of its 256-bit counter, so the
    draws of one index would have to exceed 2**192 blocks to reach those of the next.

    Raises:
        UserError: the seed is not 0 to MAX_SEED.
        TypeError, ValueError: stream or index is not a whole number of 64 bits.
    """
    stream = check_integer("stream", stream, 0, MOST)
    key = np.array([check_seed(seed), stream], dtype=np.uint64)
    counter = np.array([0, 0, 0, check_integer("index", index, 0, MOST)], dtype=np.uint64)
    return np.random.Generator(np.random.Philox(key=key, counter=counter))


def draw_latents(
    seed: int,
    count: int,
    latent_size: int,
    distribution: str,
    *,
    first: int = 0,
    stream: int = Stream.LATENT,
) -> np.ndarray:
    """Draw latents `first` to `first + count - 1` of a seed.

    Latent k depends on (seed, stream, k) only, not on `first` or `count`.

    Args:
        distribution: "normal", the standard normal, or "uniform", over [-1, 1].

    Returns:
        float32 (count, latent_size).

    Raises:
        UserError: the seed is not 0 to MAX_SEED.
        ValueError: an unknown distribution, or a number below 0 (`latent_size`: below 1).
        TypeError: a number is not whole.
    """
    check_seed(seed)
    check_choice("distribution", distribution, DISTRIBUTIONS)
    count, first = check_integer("count", count), check_integer("first", first)
    latent_size = check_integer("latent_size", latent_size, 1)
    latents = np.empty((count, latent_size), dtype=np.float32)
    for row in range(count):
        generator = philox(seed, stream, first + row)
        # Drawn as float64 and rounded: numpy has changed how it draws float32 before.
        if distribution == "normal":
            latents[row] = generator.standard_normal(latent_size)
        else:
            latents[row] = 2 * generator.random(latent_size) - 1
    return latents


def _seed_sentence(found: str) -> str:
    return f"seed is {quoted(found)}, expected a whole number from 0 to {MAX_SEED}"
