"""What a network is tried on: latents or pictures, and words where it takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np

from edgegan.runtime.latent import Stream, draw_latents, philox
from edgegan.runtime.metadata import DISCRIMINATOR, GENERATOR, ModelMetadata
from edgegan.runtime.words import Words

COUNT = 64  # of examples, or one for each word where that is more
INPUT = {GENERATOR: "latent", DISCRIMINATOR: "image"}
CONDITION = "condition"  # the input after that one, of networks that take words

Inputs = Mapping[str, np.ndarray]  # what a network takes, in its order: float32 (N, ...), by name


def parity_latents(metadata: ModelMetadata) -> Inputs:
    """What every export of a generator is checked on: latents, and conditions with every word."""
    return _with_words(
        INPUT[GENERATOR],
        lambda count: _latents(metadata, count, Stream.PARITY),
        metadata.words,
        Stream.PARITY_CONDITION,
    )


def calibration_latents(metadata: ModelMetadata) -> Inputs:
    """What ranges of numbers are measured on: none of what quality is then measured on."""
    return _with_words(
        INPUT[GENERATOR],
        lambda count: _latents(metadata, count, Stream.CALIBRATION),
        metadata.words,
        Stream.CALIBRATION_CONDITION,
    )


def noise(metadata: ModelMetadata) -> Inputs:
    """What a discriminator is checked on where nothing draws: uniform in the value range."""
    low, high = metadata.value_range
    size = metadata.image_size
    random = philox(0, Stream.PARITY, 0)
    return _with_words(
        INPUT[DISCRIMINATOR],
        lambda count: random.uniform(low, high, (count, 3, size, size)).astype(np.float32),
        metadata.words,
        Stream.PARITY_CONDITION,
    )


def first(inputs: Inputs, count: int) -> Inputs:
    """The first `count` examples."""
    return {name: array[:count] for name, array in inputs.items()}


def every_word(words: Words, stream: Stream) -> np.ndarray:
    """Choices as training pictures have them, with every word among them.

    A word that 64 draws lack gets an example of its own after them, whose other words are drawn as
    pictures with that word have them. So there are at most 64 and the number of words, 576 in all.

    Returns:
        int64 (64 or more, groups).
    """
    choices = words.draw(0, COUNT, stream=stream)
    for index, group in enumerate(words.groups):
        for number in sorted(set(range(len(group.words))) - set(choices[:, index].tolist())):
            given = tuple(number if other == index else None for other in range(len(words.groups)))
            one_more = words.draw(0, 1, given, first=len(choices), stream=stream)
            choices = np.concatenate([choices, one_more])
    return choices


def _latents(metadata: ModelMetadata, count: int, stream: Stream) -> np.ndarray:
    size, distribution = metadata.latent_size, metadata.latent_distribution
    return draw_latents(0, count, size, distribution, stream=stream)


def _with_words(
    name: str, draw: Callable[[int], np.ndarray], words: Words | None, stream: Stream
) -> Inputs:
    """An input of that name, and conditions for it where there are words."""
    if words is None:
        return {name: draw(COUNT)}
    conditions = words.one_hot(every_word(words, stream))
    return {name: draw(len(conditions)), CONDITION: conditions}
