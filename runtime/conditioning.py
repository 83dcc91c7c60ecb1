"""What a generator takes beside latents: nothing, or a condition that its words make.

A generator has one of two kinds of conditioning, so that where there are no words no step asks.
Conditions are what a network takes after its latents: a tuple of no array, or of one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import numpy as np

from edgegan.runtime.arguments import check_array
from edgegan.runtime.errors import UserError

if TYPE_CHECKING:
    from edgegan.runtime.metadata import ModelMetadata
    from edgegan.runtime.words import Text, Words

Conditions = tuple[np.ndarray, ...]


class Unconditional:
    """Of a generator that takes latents alone.

    Attributes:
        words: None, there are no words.
    """

    words = None

    def __init__(self, path: Path) -> None:
        self._path = path

    def of_texts(self, texts: Sequence[Text]) -> NoReturn:
        """Raise the UserError that there are no words."""
        raise self._no_words()

    def of_seed(self, *_: object) -> NoReturn:
        """Raise the UserError that there are no words."""
        raise self._no_words()

    def for_images(
        self, seed: int, count: int, first: int, condition: np.ndarray | None
    ) -> Conditions:
        """Return none; raises UserError where one was asked for."""
        if condition is not None:
            raise self._no_words()
        return ()

    def for_latents(self, conditions: np.ndarray | None, count: int) -> Conditions:
        """Return none; raises TypeError where there are some."""
        if conditions is not None:
            raise TypeError(f"conditions: found some, expected None: {self._path} takes no words")
        return ()

    def _no_words(self) -> UserError:
        return UserError(
            f"{self._path} takes no words, expected a model that was trained with words, such as "
            "the shipped cgan"
        )


class Conditional:
    """Of a generator that takes a condition, float32 (N, words.size).

    Attributes:
        words: the groups of words that a condition is made of.
    """

    def __init__(self, words: Words) -> None:
        self.words = words

    def of_texts(self, texts: Sequence[Text]) -> np.ndarray:
        """Turn texts into conditions; a group that a text does not name is zeros in its row."""
        if isinstance(texts, (str, Mapping)):
            raise TypeError(f"texts: found {type(texts).__name__}, expected a list of texts")
        choices = np.full((len(texts), len(self.words.groups)), -1)
        for row, text in zip(choices, texts):
            row[:] = [-1 if number is None else number for number in self.words.parse(text)]
        return self.words.one_hot(choices)

    def of_seed(
        self, seed: int, count: int, first: int, condition: np.ndarray | None
    ) -> np.ndarray:
        """Fill in the conditions of images `first` on: a group of zeros is drawn."""
        size = self.words.size
        if condition is None:
            condition = np.zeros((1, size), np.float32)
        for_all = isinstance(condition, np.ndarray) and condition.shape[:1] == (1,)
        check_array("condition", condition, "float32", (1 if for_all else count, size))
        each = np.broadcast_to(condition, (count, size))
        return self.words.filled(seed, each, first=first)

    def for_images(
        self, seed: int, count: int, first: int, condition: np.ndarray | None
    ) -> Conditions:
        """Return those of of_seed."""
        return (self.of_seed(seed, count, first, condition),)

    def for_latents(self, conditions: np.ndarray | None, count: int) -> Conditions:
        """Return them as they are, one for each of `count` latents."""
        check_array("conditions", conditions, "float32", (count, self.words.size))
        return (np.asarray(conditions),)


def conditioning_of(metadata: ModelMetadata, path: Path) -> Unconditional | Conditional:
    """The kind that the generator of a file has."""
    return Unconditional(path) if metadata.words is None else Conditional(metadata.words)
