"""Measures of pictures that were asked for in words, one file each: arrays in, numbers out.

A file has one subclass of ``WordMetric``, which says how its numbers are shown, too. Nothing here
needs mxnet.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgegan.trainer import plugins
from edgegan.trainer.metrics import Column


@dataclass(frozen=True)
class WordedPictures:
    """What is known of pictures and their words.

    Attributes:
        features: float (N, D).
        choices: the words that each has or was asked for, as numbers within their groups, int64
            (N, groups).
        named: the words that a classifier names, likewise.
        origins: the number of each picture's group of near-duplicates, int64 (N,).
        unseen: which of them the classifier that names them was not trained on, bool (N,).
    """

    features: np.ndarray
    choices: np.ndarray
    named: np.ndarray
    origins: np.ndarray
    unseen: np.ndarray

    @classmethod
    def drawn(cls, features: np.ndarray, choices: np.ndarray, named: np.ndarray) -> WordedPictures:
        """Those of a generator, of which each counts, however alike they are."""
        count = len(features)
        return cls(features, choices, named, np.arange(count), np.ones(count, bool))

    def unseen_ones(self) -> WordedPictures:
        """Those that tell how rightly the classifier names: it was not trained on them."""
        return WordedPictures(*(array[self.unseen] for array in vars(self).values()))


class WordMetric(ABC):
    """What tells whether pictures are what their words say, in one number or several."""

    columns: ClassVar[tuple[Column, ...]]

    @abstractmethod
    def measure(self, generated: WordedPictures, real: WordedPictures) -> dict[str, float]:
        """A number by each key of ``columns``; what too few pictures tell is left out."""

    def floor(self, training: WordedPictures, held_out: WordedPictures) -> dict[str, float]:
        """What real pictures measure in place of generated ones, against those held out."""
        return self.measure(training, held_out)


def find_word_metrics() -> list[WordMetric]:
    """One of each."""
    found = plugins.find(__name__, WordMetric)  # type: ignore[type-abstract]
    return [metric() for metric in found.values()]


def find_word_columns() -> dict[str, Column]:
    """What stands above each number of all of them, by its key."""
    from edgegan.trainer.word_metrics import classification_accuracy, frechet_within

    found = [column for metric in find_word_metrics() for column in metric.columns]
    # For these a generator draws pictures of their own.
    found += [frechet_within.COLUMN, classification_accuracy.COLUMN]
    return {column.key: column for column in found}
