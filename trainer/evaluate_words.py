"""What edgegan evaluate measures of a conditional generator's words."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from edgegan.runtime.colour_classifier import Namer, resize, shipped_namer
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import write_bytes
from edgegan.runtime.grid import encode_png, tight_grid
from edgegan.runtime.latent import Stream, draw_latents, philox
from edgegan.runtime.run_folder import WORDS
from edgegan.runtime.tables import aligned
from edgegan.runtime.tags import NONE
from edgegan.runtime.words import Words, plain
from edgegan.trainer.classifier import IMAGE_SIZE, Classifier, Examples
from edgegan.trainer.data import PackedPictures, read_pictures
from edgegan.trainer.features import Extractor
from edgegan.trainer.split import HELD_OUT, split
from edgegan.trainer.word_classifier import (
    MOST_EXAMPLES,
    trained_on_generated,
    trained_on_real,
)
from edgegan.trainer.word_metrics import (
    WordedPictures,
    classification_accuracy,
    find_word_columns,
    find_word_metrics,
)
from edgegan.trainer.word_metrics.frechet_within import (
    PICTURES,
    first_with,
    frechet_within,
    measured_words,
)
from edgegan.trainer.word_metrics.right_words import all_right

Figures = dict[str, Any]

BATCH = 25  # pictures drawn and looked at together, so that memory does not grow with their number
LEAST_PICTURES = 100  # with words, held out and others
MOST_ROWS, MOST_COLUMNS = 12, 10  # of the table of pictures
WORST = 5  # words and combinations that are printed
SHIPPED = "the shipped colour classifier"
OWN = "a classifier of these pictures' training part"


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


def details(drawn: WordedPictures, real: WordedPictures, words: Words) -> Figures:
    """How many are right by word and by combination, and what is named in their place.

    Beside each share, 0 to 1, stand that of these real pictures, None where there are none, and how
    many there are of both. ``confusion`` counts drawn pictures: a row for each word that was
    asked for, a column for each that was named.
    """
    groups = {}
    for number, group in enumerate(words.groups):
        asked, named = drawn.choices[:, number], drawn.named[:, number]
        confusion = np.zeros((len(group.words), len(group.words)), np.int64)
        np.add.at(confusion, (asked, named), 1)
        right, of_real = asked == named, real.choices[:, number] == real.named[:, number]
        groups[group.name] = {
            "right": float(right.mean()),
            "real": _mean(of_real),
            "words": {
                word: _share(right, asked == place, of_real, real.choices[:, number] == place)
                for place, word in enumerate(group.words)
            },
            "confusion": confusion.tolist(),
        }
    right, of_real = all_right(drawn), all_right(real)
    return {
        "real": _mean(of_real),
        "real_pictures": len(of_real),
        "groups": groups,
        "combinations": {
            words.describe(choice): _share(
                right,
                (drawn.choices == choice).all(axis=1),
                of_real,
                (real.choices == choice).all(axis=1),
            )
            for choice in np.unique(drawn.choices, axis=0)
        },
    }


def _share(
    right: np.ndarray, drawn: np.ndarray, of_real: np.ndarray, real: np.ndarray
) -> dict[str, float | None]:
    return {
        "right": _mean(right[drawn]),
        "real": _mean(of_real[real]),
        "pictures": int(drawn.sum()),
        "real_pictures": int(real.sum()),
    }


def _mean(right: np.ndarray) -> float | None:
    return float(right.mean()) if len(right) else None


def draw_table(generator: Conditional, seed: int, namer: Namer) -> tuple[np.ndarray, Figures]:
    """A picture of each word of the first group with each of the second; of one group, a row.

    All have the first latent of the seed, so that they differ in their words alone. At most
    MOST_ROWS by MOST_COLUMNS, the first ones. Other groups are as the generator draws them.

    Returns:
        The pictures side by side, uint8 (H, W, 3), RGB, and what they show: ``rows`` and
        ``columns`` are words, ``named`` what the classifier sees, by row and column, and ``right``
        whether that is what it should be.
    """
    words = generator.words
    first, *others = words.groups
    cells: list[tuple[int, ...]]
    if others:
        rows, columns = first.words[:MOST_ROWS], others[0].words[:MOST_COLUMNS]
        cells = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
    else:
        rows, columns = ("",), first.words[:MOST_ROWS]
        cells = [(column,) for column in range(len(columns))]
    rest = (None,) * (len(words.groups) - len(cells[0]))
    choices = np.concatenate([words.draw(seed, 1, (*cell, *rest)) for cell in cells])
    images = generator.recoloured(seed, choices)
    named = namer(images)
    right = (named == choices).all(axis=1)
    shape = (len(rows), len(columns))
    texts = np.array([words.describe(choice) for choice in named], dtype=object).reshape(shape)
    return tight_grid(images, len(rows), len(columns), gap=0), {
        "rows": list(rows),
        "columns": list(columns),
        "named": texts.tolist(),
        "right": right.reshape(shape).tolist(),
    }


def write_table(folder: Path, picture: np.ndarray) -> str:
    """Write the table of pictures beside the evaluation, and return its SHA-256, which tells it
    from others.

    Raises:
        UserError: it cannot be written.
    """
    content = encode_png(picture)
    write_bytes(folder / WORDS, content)
    return hashlib.sha256(content).hexdigest()


def word_lines(evaluations: list[Figures]) -> str:
    """A table for each classifier and its real pictures, and what each generator is worst at."""
    parts = []
    alike: dict[str, list[Figures]] = {}
    for evaluation in evaluations:
        key = repr((evaluation["word_details"]["classifier"], evaluation["floor"]["words"]))
        alike.setdefault(key, []).append(evaluation)
    columns = find_word_columns()
    for group in alike.values():
        about = group[0]["word_details"]
        lines = [{"name": "real pictures", "words": group[0]["floor"]["words"]}, *group]
        rows = [["", *(column.title for column in columns.values())]]
        for line in lines:
            values = line["words"]
            shown = [
                column.show(values[key]) if key in values else "-"
                for key, column in columns.items()
            ]
            rows.append([line["name"], *shown])
        parts.append(f"{_heading(about)}\n{aligned(rows)}")
        parts += [f"{line['name']}: {worst(line['word_details'])}" for line in group]
    return "\n".join(parts)


def _heading(about: Figures) -> str:
    """Who names the words, how rightly, and how many pictures the last column's ones learn from."""
    count = about["real_pictures"]
    if count == about["held_out"]:
        which = f"of {count:,} real pictures held out"
    else:
        which = f"of {count:,} of {about['held_out']:,} real pictures held out, from it too,"
    right = "" if about["real"] is None else f" {about['real']:.1%} right"
    return (
        f"words, named by {about['classifier']}: {which}{right}; the last column by classifiers "
        f"that learn from {about['classification_pictures']:,} pictures"
    )


def worst(found: Figures) -> str:
    """The words and combinations that are right most seldom, with the share of real pictures."""
    words = {
        f"{word} {name}": share
        for name, group in found["groups"].items()
        for word, share in group["words"].items()
    }
    return "; ".join(
        f"worst {what} {_least(shares)}"
        for what, shares in (("words", words), ("texts", found["combinations"]))
    )


def _least(shares: dict[str, Figures]) -> str:
    known = {text: share for text, share in shares.items() if share["right"] is not None}
    least = sorted(known, key=lambda text: known[text]["right"])[:WORST]
    return ", ".join(
        f"{text} {known[text]['right']:.0%}"
        + (
            ""
            if known[text]["real"] is None
            else f" (real {known[text]['real']:.0%} of {known[text]['real_pictures']})"
        )
        for text in least
    )
