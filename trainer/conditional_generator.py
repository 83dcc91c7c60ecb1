"""A conditional generator as what draws pictures of words, and what is seen of its pictures."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from edgegan.runtime.colour_classifier import Namer, resize
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.words import Words
from edgegan.trainer.classifier import IMAGE_SIZE
from edgegan.trainer.data import PackedPictures, read_pictures
from edgegan.trainer.features import Extractor
from edgegan.trainer.word_metrics import WordedPictures

BATCH = 25  # pictures drawn and looked at together, so that memory does not grow with their number


@dataclass(frozen=True)
class Conditional:
    """A conditional generator.

    Attributes:
        draw: latents float32 (N, latent_size) and conditions float32 (N, words.size) to pictures,
            uint8 (N, S, S, 3), RGB.
    """

    words: Words
    latent_size: int
    distribution: str
    draw: Callable[[np.ndarray, np.ndarray], np.ndarray]

    def choices(self, seed: int, count: int, first: int = 0) -> np.ndarray:
        """The words of pictures ``first`` and on of a seed where none are given."""
        return self.words.draw(seed, count, first=first)

    def images(self, seed: int, choices: np.ndarray, first: int = 0) -> np.ndarray:
        """Pictures ``first`` and on of a seed with these words, int64 (N, groups)."""
        latents = draw_latents(seed, len(choices), self.latent_size, self.distribution, first=first)
        return self.draw(latents, self.words.one_hot(choices))

    def batches(self, seed: int, choices: np.ndarray, first: int = 0) -> Iterator[np.ndarray]:
        """The same, BATCH at a time."""
        for start in range(0, len(choices), BATCH):
            yield self.images(seed, choices[start : start + BATCH], first + start)

    def recoloured(self, seed: int, choices: np.ndarray) -> np.ndarray:
        """The first picture of a seed, with each of these words in turn."""
        latent = draw_latents(seed, 1, self.latent_size, self.distribution)
        parts = np.split(choices, range(BATCH, len(choices), BATCH))
        return np.concatenate(
            [
                self.draw(latent.repeat(len(part), axis=0), self.words.one_hot(part))
                for part in parts
            ]
        )


def look_at(
    batches: Iterable[np.ndarray], choices: np.ndarray, extract: Extractor, namer: Namer
) -> WordedPictures:
    """What is seen of pictures, uint8 (B, H, W, 3) each, that are to have these words."""
    seen = [(extract(batch), namer(batch)) for batch in batches]
    features, named = map(np.concatenate, zip(*seen))
    return WordedPictures.drawn(features, choices, named)


def read_batches(pictures: PackedPictures, indices: np.ndarray) -> Iterator[np.ndarray]:
    """The packed pictures of these indices, BATCH at a time; raises UserError if damaged."""
    for start in range(0, len(indices), BATCH):
        yield read_pictures(pictures, indices[start : start + BATCH])


def resized(batches: Iterable[np.ndarray], count: int) -> np.ndarray:
    """So many pictures as a classifier takes them, uint8 (count, 64, 64, 3), none held twice."""
    images = np.empty((count, IMAGE_SIZE, IMAGE_SIZE, 3), np.uint8)
    start = 0
    for batch in batches:
        images[start : start + len(batch)] = resize(batch, IMAGE_SIZE)
        start += len(batch)
    return images
