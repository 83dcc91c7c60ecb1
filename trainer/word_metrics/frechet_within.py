"""The Fréchet distance within words: as the whole's, but of the pictures of one word at a time.

The intra-FID of Miyato and Koyama 2018, section 6, https://arxiv.org/abs/1802.05637. The distance
is the larger the fewer pictures there are, and words are unlike each other. So the same number is
taken of every word and on both sides, and real pictures alone tell which words are measured: what
generators and real ones measure is then a mean over the same words.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from edgegan.trainer.metrics import LOWER, Column
from edgegan.trainer.metrics.frechet_distance import frechet_distance

COLUMN = Column("frechet_within", "Fréchet distance within words", LOWER, ".2f")
PICTURES = 50  # of a word, on either side


def measured_words(*parts: np.ndarray) -> list[tuple[int, int]]:
    """Groups and words, as numbers, that PICTURES of each part have: choices, int64 (N, groups)."""
    return [
        (group, int(word))
        for group in range(parts[0].shape[1])
        for word in np.unique(parts[0][:, group])
        if all((choices[:, group] == word).sum() >= PICTURES for choices in parts)
    ]


def first_with(choices: np.ndarray, word: tuple[int, int]) -> np.ndarray:
    """Where the first PICTURES are that have a word, of pictures in no order: int64 (PICTURES,)."""
    group, number = word
    return np.flatnonzero(choices[:, group] == number)[:PICTURES]


def frechet_within(generated: Sequence[np.ndarray], real: Sequence[np.ndarray]) -> dict[str, float]:
    """The mean over words, by the column's key; none where there is no word.

    Args:
        generated, real: features of the same number of pictures, float (PICTURES, D), by word.
    """
    if not real:
        return {}
    found = [frechet_distance(*sides) for sides in zip(generated, real)]
    return {COLUMN.key: float(np.mean(found))}
