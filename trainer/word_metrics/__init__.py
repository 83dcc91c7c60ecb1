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
    """

    features: np.ndarray
    choices: np.ndarray
    named: np.ndarray
    origins: np.ndarray

    @classmethod
    def drawn(cls, features: np.ndarray, choices: np.ndarray, named: np.ndarray) -> WordedPictures:
        """Those of a generator, of which each counts, however alike they are."""
        return cls(features, choices, named, np.arange(len(features)))

    def with_word(self, group: int, word: int) -> np.ndarray:
        """The features of those that have a word of a group, float (M, D)."""
        return self.features[self.choices[:, group] == word]


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
    from edgegan.trainer.word_metrics.classification_accuracy import COLUMN

    found = [column for metric in find_word_metrics() for column in metric.columns]
    return {column.key: column for column in [*found, COLUMN]}
