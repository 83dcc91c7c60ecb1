"""The Fréchet distance within words: as the whole's, but of the pictures of one word at a time.

The intra-FID of Miyato and Koyama 2018, section 6, https://arxiv.org/abs/1802.05637.
"""

from __future__ import annotations

import numpy as np

from edgegan.trainer.metrics import LOWER, Column
from edgegan.trainer.metrics.frechet_distance import frechet_distance
from edgegan.trainer.word_metrics import WordedPictures, WordMetric

ENOUGH = 50  # pictures of a word on both sides


class FrechetWithin(WordMetric):
    """Sees pictures of one word that are like those of another, or fewer kinds of them."""

    columns = (Column("frechet_within", "Fréchet distance within words", LOWER, ".2f"),)

    def measure(self, generated: WordedPictures, real: WordedPictures) -> dict[str, float]:
        found = [
            frechet_distance(generated.with_word(group, word), real.with_word(group, word))
            for group, word in enough(generated, real)
        ]
        return {"frechet_within": float(np.mean(found))} if found else {}


def enough(generated: WordedPictures, real: WordedPictures) -> list[tuple[int, int]]:
    """Groups and words, as numbers, with ENOUGH pictures on both sides."""
    return [
        (group, int(word))
        for group in range(real.choices.shape[1])
        for word in np.unique(real.choices[:, group])
        if min(len(side.with_word(group, word)) for side in (generated, real)) >= ENOUGH
    ]
