"""Batches of real pictures, decoded ahead of their use."""

from __future__ import annotations

import hashlib
import queue
import threading
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import count, islice
from pathlib import Path
from typing import Any, NamedTuple

import cv2
import numpy as np

from edgegan.runtime.errors import UserError
from edgegan.runtime.latent import Stream, philox
from edgegan.runtime.tags import NONE
from edgegan.runtime.words import Words
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.data import (
    PackedPictures,
    each_picture,
    left_out,
    open_records,
    pack,
    read_picture,
    to_network_range,
)
from edgegan.trainer.jitter import Jitter
from edgegan.trainer.recipe import Recipe
from edgegan.trainer.selection import select
from edgegan.trainer.split import SPLIT_VERSION, Parts, split
from edgegan.trainer.validation import MOST_PICTURES

PREFETCHED_BATCHES = 4
PICTURES_AT_ONCE = 64  # read for a comparison
MOST_WORDS_TOLD = 12  # of a group, in the line about it


class Labelled(NamedTuple):
    """A batch of pictures and the condition of each.

    Attributes:
        images: float32 (batch_size, 3, S, S).
        conditions: float32 (batch_size, size of the words).
    """

    images: np.ndarray
    conditions: np.ndarray


@dataclass(frozen=True)
class Batches:
    """Endless batches, float32 (batch_size, 3, S, S), decoded ahead of their use.

    Values are those of ``to_network_range``. Every epoch is a new order of the pictures of these
    ``indices``, which are all of the training part or a selection of it. Which pictures batch
    ``index`` has, which of them are mirrored (half, where ``horizontal_flip``), by which angle each
    is turned (uniform in ± ``rotation_degrees``) and what ``jitter`` makes of it depends on the
    seed and the index alone.
    """

    pictures: PackedPictures
    parts: Parts
    indices: np.ndarray
    batch_size: int
    seed: int
    horizontal_flip: bool
    rotation_degrees: float
    jitter: Jitter | None
    value_range: str

    def starting_at(self, index: int) -> Generator[Any, None, None]:
        """Batches ``index``, ``index + 1``, … without end."""
        ready: queue.Queue[np.ndarray | Exception] = queue.Queue(PREFETCHED_BATCHES)
        stopped = threading.Event()

        def put(item: np.ndarray | Exception) -> None:
            while not stopped.is_set():
                try:
                    return ready.put(item, timeout=0.2)
                except queue.Full:
                    continue

        def decode_ahead() -> None:
            try:
                for batch in self._decode_from(index, stopped):
                    put(batch)
            except Exception as error:  # handed to the thread that waits for the batch
                put(error)

        worker = threading.Thread(target=decode_ahead, name="decoder", daemon=True)
        worker.start()
        try:
            while True:
                batch = ready.get()
                if isinstance(batch, Exception):
                    raise batch
                yield batch
        finally:
            stopped.set()
            worker.join()

    def facts(self) -> dict[str, Any]:
        """What tells these pictures, and the choice of them, from others; kept in checkpoints."""
        chosen = self.indices.astype("<i8").tobytes()
        return {
            "pictures": self.pictures.count,
            "pictures_digest": self.pictures.digest,
            "chosen_digest": hashlib.sha256(chosen).hexdigest(),
            "split": SPLIT_VERSION,
        }

    @property
    def validation_name(self) -> str:
        return "validation pictures"

    @property
    def validation_count(self) -> int:
        return min(len(self.parts.validation), MOST_PICTURES)

    def validation_pictures(self) -> Iterator[np.ndarray]:
        """So many of the validation part, the same for every seed, uint8 (N, S, S, 3) each."""
        found = each_picture(self.pictures, self._chosen_to_validate())
        while some := list(islice(found, PICTURES_AT_ONCE)):
            yield np.stack(some)

    def validation_conditions(self) -> list[np.ndarray]:
        """The words of all of these, float32 (N, W), where there are words."""
        return []

    def _chosen_to_validate(self) -> np.ndarray:
        draws = philox(0, Stream.VALIDATION_PICTURES, 0)
        return draws.permutation(self.parts.validation)[: self.validation_count]

    def describe(self, source: Path) -> list[str]:
        """What each part of ``source`` is for, and what was left out, a line each."""
        training = len(self.parts.training)
        selected = "" if len(self.indices) == training else f", the likeliest of {training}"
        without = left_out(self.pictures)
        return [
            f"pictures: {len(self.indices)} to train on{selected}, {len(self.parts.validation)} "
            f"to validate with, {len(self.parts.held_out)} held out to measure with, from {source}",
            *([f"left out: {without}"] if without else []),
        ]

    def _numbers_from(self, index: int) -> Iterator[np.ndarray]:
        """The numbers of the pictures of batches ``index``, …, int64 (batch_size,), without end."""
        epoch, order = -1, self.indices
        for batch in count(index):
            numbers = []
            for position in range(batch * self.batch_size, (batch + 1) * self.batch_size):
                if position // len(self.indices) != epoch:
                    epoch = position // len(self.indices)
                    draws = philox(self.seed, Stream.SHUFFLE, epoch)
                    order = self.indices[draws.permutation(len(self.indices))]
                numbers.append(order[position % len(self.indices)])
            yield np.array(numbers)

    def _decode_from(self, index: int, stopped: threading.Event) -> Iterator[np.ndarray]:
        reader = open_records(self.pictures)
        for batch, numbers in enumerate(self._numbers_from(index), start=index):
            if stopped.is_set():
                return
            images = np.stack([read_picture(reader, int(number)) for number in numbers])
            yield to_network_range(self._augment(images, batch), self.value_range)

    def _augment(self, images: np.ndarray, index: int) -> np.ndarray:
        """Mirror, turn and jitter the pictures of batch ``index``, uint8 (batch_size, S, S, 3)."""
        draws = philox(self.seed, Stream.AUGMENTATION, index)
        # Both are drawn whatever is switched on, so that neither changes the other.
        mirrored = draws.random(self.batch_size) < 0.5
        angles = self.rotation_degrees * draws.uniform(-1, 1, self.batch_size)
        if self.horizontal_flip:
            images[mirrored] = images[mirrored, :, ::-1]
        if self.rotation_degrees:
            images = np.stack([rotate(image, angle) for image, angle in zip(images, angles)])
        return self.jitter.of(images, draws) if self.jitter else images


@dataclass(frozen=True)
class LabelledBatches(Batches):
    """Batches of pictures with their words, ``Labelled`` each.

    ``choices`` are the words of all packed pictures, int64 (N, groups), of which those in the parts
    have some.
    """

    choices: np.ndarray

    @cached_property
    def words(self) -> Words:
        """The words, counted over what is trained on."""
        assert self.pictures.words is not None
        return Words.of(self.pictures.words.groups, self.choices[self.indices])

    def starting_at(self, index: int) -> Generator[Labelled, None, None]:
        """Batches ``index``, ``index + 1``, … without end."""
        with closing(super().starting_at(index)) as batches:
            for images, numbers in zip(batches, self._numbers_from(index)):
                yield Labelled(images, self.words.one_hot(self.choices[numbers]))

    def validation_conditions(self) -> list[np.ndarray]:
        return [self.words.one_hot(self.choices[self._chosen_to_validate()])]

    def facts(self) -> dict[str, Any]:
        """What tells these pictures, the choice of them and their words from others."""
        chosen = self.choices[self.indices].astype("<i8").tobytes()
        return {
            **super().facts(),
            "words": self.words.to_json(),
            "choices_digest": hashlib.sha256(chosen).hexdigest(),
        }

    def describe(self, source: Path) -> list[str]:
        """What each part is for, what was left out, and how many train with which words."""
        groups = self.words.groups
        chosen = self.choices[self.indices]
        lines = [
            f"words of {group.name}: {_counted(group.words, column)}"
            for group, column in zip(groups, chosen.T)
        ]
        if len(groups) > 1:
            lines.append(f"combinations of words: {len(np.unique(chosen, axis=0))}")
        without = [
            f"{word} ({group.name})"
            for group, column in zip(groups, chosen.T)
            for number, word in enumerate(group.words)
            if number not in column
        ]
        if without:
            lines.append(f"no picture to train on is {', '.join(without)}: not learned")
        return [*super().describe(source), *lines]


def _counted(words: Sequence[str], numbers: np.ndarray) -> str:
    """How many pictures have each word, the most frequent first."""
    counts = np.bincount(numbers, minlength=len(words))
    order = np.argsort(-counts, kind="stable")
    told = [f"{words[number]} {counts[number]}" for number in order[:MOST_WORDS_TOLD]]
    others = order[MOST_WORDS_TOLD:]
    more = [f"{len(others)} others {counts[others].sum()}"] if len(others) else []
    return ", ".join([*told, *more])


def rotate(picture: np.ndarray, degrees: float) -> np.ndarray:
    """Turn a picture, uint8 (S, S, 3), counter-clockwise about its middle, by nearest neighbour.

    What comes from outside of the picture is black, as in the rotation experiment of the report
    that the recipe ``dcgan`` is from (its section I.2).
    """
    size = len(picture)
    middle = (size - 1) / 2
    matrix = cv2.getRotationMatrix2D((middle, middle), degrees, scale=1)
    return cv2.warpAffine(
        picture, matrix, (size, size), flags=cv2.INTER_NEAREST, borderMode=cv2.BORDER_CONSTANT
    )


def real_batches(
    data: Path, skip_bad: bool, recipe: Recipe, seed: int, last: Checkpoint | None
) -> Batches:
    """The batches that a recipe trains on, of the pictures of ``last`` where a run goes on.

    Raises:
        UserError: the pictures or their words cannot be read, are not those of ``last``, or others
            of them are chosen than for it.
    """
    with_words = recipe.condition is not None
    pictures = pack(data, recipe.image_size, skip_bad, recipe.crop_from, with_words)
    if last:
        _check_same_pictures(last, pictures, data)
    parts = split(pictures, recipe.held_out, recipe.validation)
    make: Callable[..., Batches] = Batches
    if with_words:
        choices = pictures.choices()
        parts = _parts_with_words(parts, choices, data)
        make = partial(LabelledBatches, choices=choices)
    batches = make(
        pictures,
        parts,
        select(pictures, parts.training, recipe.instance_selection),
        recipe.batch_size,
        seed,
        recipe.horizontal_flip,
        recipe.rotation_degrees,
        recipe.jitter,
        recipe.value_range,
    )
    if last:
        _check_same_choice(last, batches, data)
    return batches


def _parts_with_words(parts: Parts, choices: np.ndarray, data: Path) -> Parts:
    """The parts without the pictures that have no words."""
    known = (choices != NONE).all(axis=1)
    training, *others = (
        part[known[part]] for part in (parts.training, parts.validation, parts.held_out)
    )
    if not len(training):
        raise UserError(
            f"none of {len(parts.training)} pictures of {data} to train on has words, "
            "expected more pictures with words"
        )
    return Parts(training, *others)


def _check_same_choice(last: Checkpoint, batches: Batches, data: Path) -> None:
    """Raise UserError where others of the same pictures are chosen, or they have other words."""
    facts = batches.facts()
    if any(last.facts.get(name) != facts.get(name) for name in ("words", "choices_digest")):
        raise UserError(
            f"{data} has other words of the pictures than the run was trained with: go on with the "
            "same ones, or begin another run with --start-from"
        )
    if facts["chosen_digest"] != last.facts["chosen_digest"]:
        raise UserError(
            f"other pictures of {data} are selected to train on than the run has, as another numpy "
            "or OpenCV may do: go on with those of its beginning, or begin another by --start-from"
        )


def _check_same_pictures(last: Checkpoint, pictures: PackedPictures, data: Path) -> None:
    """Raise UserError where these are not the pictures that ``last`` was trained on."""
    before, found = last.facts["pictures"], pictures.count
    if last.facts["pictures_digest"] != pictures.digest:
        others = "others" if before == found else f"{found}"
        raise UserError(
            f"the run was trained on {before} pictures, and {data} has {others}: go on with the "
            "same ones, or begin another run with --start-from"
        )
