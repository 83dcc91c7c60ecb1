"""Variety within a text: how unlike the pictures of one text are, by how unlike real ones are.

0 where all pictures of a text are the same; 1 where they differ as real ones of that text do.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import comb

import numpy as np

from edgegan.trainer.metrics import HIGHER, Column
from edgegan.trainer.metrics.distances import distances
from edgegan.trainer.word_metrics import WordedPictures, WordMetric

TOGETHER = 5  # pictures: what a person sees of a text at once in the assignment's grid


class Variety(WordMetric):
    """What is left of a text's pictures beside its words."""

    columns = (Column("variety", "variety within a text", HIGHER, ".2f", headline=True),)

    def measure(self, generated: WordedPictures, real: WordedPictures) -> dict[str, float]:
        value = variety(generated, real)
        return {} if value is None else {"variety": value}


def variety(generated: WordedPictures, real: WordedPictures) -> float | None:
    """The expected distance to the nearest other of TOGETHER pictures of a text, over that of real.

    Both are means over the texts that have so many pictures on both sides, weighted by the number
    of real ones: a text with few is known less well, and is used all the same. Of real pictures
    that are near-duplicates of each other one counts.

    Returns:
        None where no text has enough pictures, or all real ones are alike.
    """
    weights, spreads, real_spreads = [], [], []
    for choice, features in texts(real):
        same = generated.features[(generated.choices == choice).all(axis=1)]
        if min(len(features), len(same)) >= TOGETHER:
            weights.append(len(features))
            spreads.append(expected_nearest(same))
            real_spreads.append(expected_nearest(features))
    if not np.any(real_spreads):
        return None
    return float(np.dot(weights, spreads) / np.dot(weights, real_spreads))


def texts(pictures: WordedPictures) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Each choice, int64 (groups,), and its pictures' features, one of each origin."""
    _, first = np.unique(pictures.origins, return_index=True)
    choices, features = pictures.choices[first], pictures.features[first]
    for choice in np.unique(choices, axis=0):
        yield choice, features[(choices == choice).all(axis=1)]


def expected_nearest(features: np.ndarray) -> float:
    """The mean distance to the nearest other one of TOGETHER pictures, over all ways to take them.

    It does not depend on how many pictures there are, float (N, D), N >= TOGETHER: of N - 1
    others, in order of distance, the k-th is the nearest of TOGETHER - 1 taken among them with
    probability C(N - 1 - k, TOGETHER - 2) / C(N - 1, TOGETHER - 1).
    """
    others, taken = len(features) - 1, TOGETHER - 1
    ways = [comb(others - k, taken - 1) for k in range(1, others + 1)]
    apart = distances(features, features)
    np.fill_diagonal(apart, -1)  # itself, however near another is
    nearest = np.sort(apart, axis=1)[:, 1:]
    return float((nearest @ (np.array(ways) / comb(others, taken))).mean())
