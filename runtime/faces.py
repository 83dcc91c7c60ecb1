"""The faces of a seed that a command is asked for: with words as the data has them, or of texts."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator
from edgegan.runtime.latent import check_seed
from edgegan.runtime.named_texts import NamedText
from edgegan.runtime.words import Words

# What ``file_name`` gives, of faces with texts or without.
IMAGE_NAME = re.compile(r"[0-9]{6,}\.png|[0-9]{1,18}_[1-9][0-9]*\.png")


class Faces:
    """The faces of a seed; what words they have, if any, is left to the seed.

    Raises:
        UserError: the seed is negative or too large.
        TypeError: it is no whole number.
    """

    def __init__(self, generator: Generator, seed: int) -> None:
        self.generator = generator
        self.seed = check_seed(seed)

    def identity(self) -> dict[str, object]:
        """What decides how they look, as JSON can hold it."""
        return {"seed": self.seed, **self.generator.identity()}

    def images(self, count: int, *, first: int = 0) -> np.ndarray:
        """Draw faces ``first`` to ``first + count - 1``, as Generator.images does."""
        return self.generator.images(self.seed, count, first=first)

    def file_name(self, number: int) -> str:
        """The name of the file for a face."""
        return f"{number:06}.png"


class TextFaces(Faces):
    """So many faces of each text of a list, one text after the other.

    They are counted through all texts, and face k of the seed has its own latent whatever its text
    is: 25 lines of one face each, five times five of them equal, draw what five of five do.

    Raises:
        UserError: the generator takes no words, or a text is none that it takes; the sentence says
            where that was given.
    """

    def __init__(
        self, generator: Generator, seed: int, texts: Sequence[NamedText], each: int
    ) -> None:
        super().__init__(generator, seed)
        self.texts = texts
        self.each = each
        self._conditions = conditions_of(generator, texts)

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.texts) * self.each

    def identity(self) -> dict[str, object]:
        """What decides how they look: their texts and how many of each, too."""
        texts = [[text.name, text.text] for text in self.texts]
        return {**super().identity(), "texts": texts, "each": self.each}

    def images(self, count: int, *, first: int = 0) -> np.ndarray:
        """Draw faces ``first`` to ``first + count - 1``, each of its text."""
        condition = self._asked(count, first)
        return self.generator.images(self.seed, count, first=first, condition=condition)

    @property
    def words(self) -> Words:
        """What the generator takes."""
        words = self.generator.words
        assert words is not None  # conditions_of raised where there are none
        return words

    def asked(self) -> np.ndarray:
        """The words that each face's text names, int64 (count, groups), -1 where it names none."""
        return self.words.named(self._asked(self.count, 0))

    def file_name(self, number: int) -> str:
        """Its text's name, and which face of that text it is, counted from 1."""
        text, place = divmod(number, self.each)
        return f"{self.texts[text].name}_{place + 1}.png"

    def _asked(self, count: int, first: int) -> np.ndarray:
        """What the texts of faces ``first`` to ``first + count - 1`` say, float32 (count, size)."""
        return self._conditions[np.arange(first, first + count) // self.each]


def conditions_of(generator: Generator, texts: Sequence[NamedText]) -> np.ndarray:
    """What texts say, float32 (N, size): all zeros in a group that one does not name.

    Raises:
        UserError: the generator takes no words, or a text is none that it takes.
    """
    if generator.words is None:
        return generator.condition([text.text for text in texts])  # which says so

    def condition(text: NamedText) -> np.ndarray:
        try:
            return generator.condition([text.text])
        except UserError as error:
            raise UserError(f"{text.place}: {error}") from error

    return np.concatenate([condition(text) for text in texts])
