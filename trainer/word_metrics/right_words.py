"""How many pictures have the words that they were asked for, by a classifier."""

from __future__ import annotations

import numpy as np

from edgegan.trainer.metrics import HIGHER, Column
from edgegan.trainer.word_metrics import WordedPictures, WordMetric


class RightWords(WordMetric):
    """Reads as a rate only beside that of real pictures, which no classifier names all rightly."""

    columns = (Column("right_words", "all words right", HIGHER, ".1%", headline=True),)

    def measure(self, generated: WordedPictures, real: WordedPictures) -> dict[str, float]:
        right = all_right(generated)
        return {"right_words": float(right.mean())} if len(right) else {}

    def floor(self, training: WordedPictures, held_out: WordedPictures) -> dict[str, float]:
        """Of those held out that have not trained the classifier."""
        return self.measure(held_out.unseen_ones(), held_out)


def all_right(pictures: WordedPictures) -> np.ndarray:
    """Whether every word of each picture is named as it should be, bool (N,)."""
    return (pictures.named == pictures.choices).all(axis=1)
