"""What edgegan evaluate measures of a conditional generator's words."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from tqdm import tqdm

from edgegan.runtime.colour_classifier import Namer, shipped_namer
from edgegan.runtime.errors import UserError
from edgegan.runtime.latent import Stream, philox
from edgegan.runtime.tags import NONE
from edgegan.runtime.words import Words, plain
from edgegan.trainer.classifier import Classifier, Examples
from edgegan.trainer.conditional_generator import (
    BATCH,
    Conditional,
    look_at,
    read_batches,
    resized,
)
from edgegan.trainer.data import PackedPictures
from edgegan.trainer.features import Extractor
from edgegan.trainer.split import HELD_OUT, split
from edgegan.trainer.word_classifier import (
    MOST_EXAMPLES,
    trained_on_generated,
    trained_on_real,
)
from edgegan.trainer.word_details import Figures, details, draw_table
from edgegan.trainer.word_metrics import (
    WordedPictures,
    classification_accuracy,
    find_word_metrics,
)
from edgegan.trainer.word_metrics.frechet_within import (
    PICTURES,
    first_with,
    frechet_within,
    measured_words,
)

LEAST_PICTURES = 100  # with words, held out and others
SHIPPED = "the shipped colour classifier"
OWN = "a classifier of these pictures' training part"


class Findings(NamedTuple):
    """What the words of a generator's pictures measure.

    Attributes:
        figures: by the keys of ``find_word_columns``.
        floor: what real pictures measure in place of generated ones, likewise.
        details: by word and by combination, and how each group's words are confused.
        picture: the table of pictures, uint8 (H, W, 3), RGB.
        shown: what stands in it.
    """

    figures: Figures
    floor: Figures
    details: Figures
    picture: np.ndarray
    shown: Figures

    def to_json(self) -> Figures:
        """What is added to the generator's evaluation."""
        return {"words": self.figures, "word_details": self.details, "word_table": self.shown}


class WordExaminer:
    """Measures the words of generators against the real pictures of one packed set.

    Args:
        pictures: packed with words.
        held_out: the share of them that generators are measured against.
        count: how many pictures are drawn, and how many real ones are the floor.
    """

    def __init__(
        self, pictures: PackedPictures, held_out: float, extract: Extractor, count: int
    ) -> None:
        assert pictures.words
        self._pictures, self._extract, self._count = pictures, extract, count
        self._words = pictures.words
        self._share = held_out
        self._references: dict[Words, WordReference] = {}

    def examine(self, generator: Conditional, seed: int) -> Findings:
        """What a generator's first pictures of a seed measure, and its table of pictures.

        Raises:
            UserError: too few pictures have the generator's words.
        """
        words = generator.words
        if words not in self._references:
            self._references[words] = self._reference(words)
        reference = self._references[words]
        choices = generator.choices(seed, self._count)
        batches = tqdm(
            generator.batches(seed, choices),
            "words",
            total=-(-len(choices) // BATCH),
            leave=False,
            disable=None,
        )
        drawn = look_at(batches, choices, self._extract, reference.namer)
        figures: dict[str, float] = {}
        for metric in find_word_metrics():
            figures.update(metric.measure(drawn, reference.held_out))
        within = self._drawn_within(generator, list(reference.within), seed)
        figures.update(frechet_within(within, list(reference.within.values())))
        taught = len(reference.examples.images)
        figures[classification_accuracy.COLUMN.key] = reference.accuracy_after(
            _generated(generator, seed, taught)
        )
        about = {
            "classifier": reference.classifier,
            "held_out": len(reference.images),
            "classification_pictures": taught,
            **details(drawn, reference.held_out.unseen_ones(), words),
        }
        table = draw_table(generator, seed, reference.namer)
        return Findings(figures, reference.floor, about, *table)

    def _reference(self, words: Words) -> WordReference:
        choices = translated(self._pictures.choices(), self._words, words)
        worded = (choices != NONE).all(axis=1)
        # As the rest of the evaluation has it: what validates is among the others.
        parts = split(self._pictures, self._share, validation=0)
        training, held_out = (
            philox(0, Stream.SHUFFLE, number).permutation(part[worded[part]])
            for number, part in enumerate((parts.training, parts.held_out))
        )
        for part, indices in (("to train on", training), ("held out", held_out)):
            if len(indices) < LEAST_PICTURES:
                raise UserError(
                    f"{len(indices)} pictures {part} have the generator's words, expected at least "
                    f"{LEAST_PICTURES} to measure them"
                )
        taught = training[:MOST_EXAMPLES]
        examples = Examples(self._read(taught), choices[taught])
        classifier = trained_on_real(examples, words, f"{self._pictures.digest} {self._share}")
        shipped = shipped_namer(words)
        # The shipped one was trained on all that the usual share does not hold out.
        unseen = split(self._pictures, HELD_OUT, validation=0).held_out if shipped else held_out
        seen, measured = (
            self._look_at(indices, choices, shipped or classifier.name_words, unseen)
            for indices in (training[: self._count], held_out)
        )
        within = measured_words(choices[training], choices[held_out])
        return WordReference(
            words=words,
            namer=shipped or classifier.name_words,
            classifier=SHIPPED if shipped else OWN,
            examples=examples,
            network=classifier,
            training=seen,
            held_out=measured,
            images=self._read(held_out),
            training_within=[
                self._features(training[first_with(choices[training], word)]) for word in within
            ],
            within={word: measured.features[first_with(measured.choices, word)] for word in within},
        )

    def _look_at(
        self, indices: np.ndarray, choices: np.ndarray, namer: Namer, unseen: np.ndarray
    ) -> WordedPictures:
        batches = read_batches(self._pictures, indices)
        return replace(
            look_at(batches, choices[indices], self._extract, namer),
            origins=self._pictures.groups()[indices],
            unseen=np.isin(indices, unseen),
        )

    def _features(self, indices: np.ndarray) -> np.ndarray:
        return np.concatenate([*map(self._extract, read_batches(self._pictures, indices))])

    def _read(self, indices: np.ndarray) -> np.ndarray:
        return resized(read_batches(self._pictures, indices), len(indices))

    def _drawn_within(
        self, generator: Conditional, within: list[tuple[int, int]], seed: int
    ) -> list[np.ndarray]:
        """Features of PICTURES of each of these words, with other words as the generator has them.

        Float (PICTURES, D) each: a rare word gets as many as others.
        """
        found = []
        for place, (group, word) in enumerate(within):
            given = tuple(word if k == group else None for k in range(len(generator.words.groups)))
            first = place * PICTURES
            choices = generator.words.draw(seed, PICTURES, given, first=first)
            batches = generator.batches(seed, choices, first)
            found.append(np.concatenate([*map(self._extract, batches)]))
        return found


def _generated(generator: Conditional, seed: int, count: int) -> Examples:
    choices = generator.choices(seed, count)
    return Examples(resized(generator.batches(seed, choices), count), choices)


@dataclass(frozen=True)
class WordReference:
    """Real pictures with the words of a generator.

    Attributes:
        namer, classifier: what names words, and what that is called.
        examples: of the training part.
        network: the classifier that these trained.
        training, held_out: what is seen of as many as are drawn, and of those held out.
        images: of those held out, uint8 (N, 64, 64, 3).
        training_within, within: features of PICTURES with each word that is measured by itself, of
            the training part and of those held out.
    """

    words: Words
    namer: Namer
    classifier: str
    examples: Examples
    network: Classifier
    training: WordedPictures
    held_out: WordedPictures
    images: np.ndarray
    training_within: list[np.ndarray]
    within: dict[tuple[int, int], np.ndarray]

    @cached_property
    def floor(self) -> dict[str, float]:
        """What real pictures measure in place of generated ones."""
        figures: dict[str, float] = {}
        for metric in find_word_metrics():
            figures.update(metric.floor(self.training, self.held_out))
        figures.update(frechet_within(self.training_within, list(self.within.values())))
        return {**figures, classification_accuracy.COLUMN.key: self._accuracy(self.network)}

    def accuracy_after(self, generated: Examples) -> float:
        """The share of those held out that are named rightly by what these have taught."""
        return self._accuracy(trained_on_generated(generated, self.words))

    def _accuracy(self, network: Classifier) -> float:
        named = network.name_words(self.images)
        return float((named == self.held_out.choices).all(axis=1).mean())


def translated(choices: np.ndarray, of: Words, to: Words) -> np.ndarray:
    """Choices in one vocabulary, int64 (N, groups), in the numbers of another.

    Rows have NONE where the other lacks a group or a word, or they did before.
    """
    groups = {plain(group.name): number for number, group in enumerate(of.groups)}
    columns = []
    for group in to.groups:
        number = groups.get(plain(group.name))
        if number is None:
            columns.append(np.full(len(choices), NONE, np.int64))
            continue
        places = {plain(word): place for place, word in enumerate(group.words)}
        table = [places.get(plain(word), NONE) for word in of.groups[number].words]
        # NONE is -1: the last of the table, where a picture has no word.
        columns.append(np.array([*table, NONE], np.int64)[choices[:, number]])
    return np.stack(columns, axis=1)
