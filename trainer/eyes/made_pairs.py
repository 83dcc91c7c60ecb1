"""Pairs of eyes that agree, and pairs that do not, all made of the eyes of real pictures.

Eyes of a real picture agree. They no longer do where one of them is put in the place of another
picture's, or is changed much: its colour, its size, its sharpness, its strength, its shape, or a
part of it is painted over. So that nothing but the eyes gives a pair away, what is changed is
within a soft edge, and pairs that agree are changed as well: both eyes alike, or one of them a
little, or both are those of another picture.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np

from edgegan.trainer.eyes.measure import EYE_SIZE

MIDDLE = (EYE_SIZE - 1) / 2
ROWS, COLUMNS = (np.mgrid[:EYE_SIZE, :EYE_SIZE] - MIDDLE).astype(np.float32)
BELOW_EYE = 14  # the first row of a cut-out that is below most irises

# Shares of the pairs of either kind that are made in one way or another.
UNCHANGED, OF_ANOTHER_PICTURE, BOTH_CHANGED = 0.35, 0.2, 0.3  # of those that agree
ONE_CHANGED_A_LITTLE = 0.8  # besides, of all of those
ONE_OF_ANOTHER_PICTURE = 0.5  # of those that do not agree; of the others one is changed
SAME_WORD = 0.25  # of eyes of another picture, those whose colour has the same name
BOTH_CHANGED_TOO = 0.3  # of those that do not agree, besides
MOST_A_LITTLE = 0.22  # of the strength of a change that makes eyes disagree


@dataclass(frozen=True)
class Change:
    """A change of an eye, float32 (S, S, 3), that is the same however often it is made.

    Attributes:
        kinds: one or two of KINDS.
        strength: 1 makes eyes disagree, 0 changes nothing.
        draws: uniform in [0, 1), float (8,).
        bends: standard normal, float32 (4, 4, 2).
    """

    kinds: tuple[Callable[[Change, np.ndarray, np.ndarray], np.ndarray], ...]
    strength: float
    draws: np.ndarray
    bends: np.ndarray

    @classmethod
    def draw(cls, random: np.random.Generator, strength: float) -> Change:
        """A change of any kind."""
        kinds = [KINDS[kind] for kind in random.integers(len(KINDS), size=2)]
        count = 1 if random.random() < 0.7 else 2
        bends = random.standard_normal((4, 4, 2), np.float32)
        return cls(tuple(kinds[:count]), strength, random.random(8), bends)

    def __call__(self, eye: np.ndarray) -> np.ndarray:
        """The eye, changed."""
        for kind in self.kinds:
            eye = kind(self, eye, _skin(eye))
        return eye

    def between(self, draw: int, low: float, high: float) -> float:
        """A number in this range by that draw."""
        return float(low + (high - low) * self.draws[draw])


def _colour(change: Change, eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    angle, size = change.between(0, 0, 2 * np.pi), change.between(1, 20, 50) * change.strength
    u, v = size * np.cos(angle), size * np.sin(angle)
    lighter = change.between(2, -25, 25) * change.strength
    rgb = np.array([1.14 * v, -0.39 * u - 0.58 * v, 2.03 * u], np.float32) + np.float32(lighter)
    return eye + _unlike(eye, skin, 90) * rgb


def _tinted(change: Change, eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    """As a colour that is stronger where it is lighter: dark eyes of another colour stay dark."""
    angle, size = change.between(0, 0, 2 * np.pi), change.between(1, 0.4, 0.9) * change.strength
    towards = np.cos(angle - np.array([0, 2, 4], np.float32) * np.pi / 3)
    return eye * (1 + _unlike(eye, skin, 60) * (np.exp(size * towards) - 1).astype(np.float32))


def _size(change: Change, eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    larger = change.between(0, 0.28, 0.5) * change.strength
    return _moved(eye, np.exp(larger if change.draws[1] < 0.5 else -larger))


def _blurred(change: Change, eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    return _blur(eye, change.between(0, 1.2, 2.2) * change.strength)


def _faded(change: Change, eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    return eye + (skin - eye) * np.float32(change.between(0, 0.4, 0.8) * change.strength)


def _darkened(change: Change, eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    darker = np.float32(change.between(0, 0.4, 0.75) * change.strength)
    return eye * (1 - _unlike(eye, skin, 70) * darker)


def _bent(change: Change, eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    bends = cv2.resize(change.bends, (EYE_SIZE, EYE_SIZE), interpolation=cv2.INTER_CUBIC)
    by = change.between(0, 1.8, 3) * change.strength
    x, y = COLUMNS + MIDDLE + by * bends[..., 0], ROWS + MIDDLE + by * bends[..., 1]
    return cv2.remap(eye, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101)


def _painted_over(change: Change, eye: np.ndarray, skin: np.ndarray) -> np.ndarray:
    angle, place = change.between(0, 0, 2 * np.pi), change.between(1, -3, 1.5)
    beyond = COLUMNS * np.cos(angle) + ROWS * np.sin(angle) - place
    share = np.clip(beyond / 2 + 0.5, 0, 1)[..., np.newaxis] * min(2 * change.strength, 1)
    return eye + (skin - eye) * share.astype(np.float32)


KINDS = (_colour, _tinted, _tinted, _size, _blurred, _faded, _darkened, _bent, _painted_over)


class PairMaker:
    """Makes pairs of the eyes of real pictures.

    Args:
        eyes: uint8 (N, 2, S, S, 3), as ``measure.cut_eyes`` gives them.
        colours: the number of each picture's word for their colour, int (N,).
    """

    def __init__(self, eyes: np.ndarray, colours: np.ndarray) -> None:
        self._eyes, self._colours = eyes, colours
        self._of_colour = {int(c): np.flatnonzero(colours == c) for c in np.unique(colours)}

    def make(self, count: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        """As many pairs that agree as that do not.

        Returns:
            uint8 (count, 2, S, S, 3), and 1 where a pair agrees, 0 where not, float32 (count, 1).
        """
        match = np.arange(count) % 2
        pairs = []
        for agrees in match:
            number = int(random.integers(len(self._eyes)))
            make = self._agreeing if agrees else self._disagreeing
            one, other = make(number, random)
            pair = (one, other) if random.random() < 0.5 else (other, one)
            pairs.append(_as_drawn_together(pair, random))
        return np.stack(pairs), match.astype(np.float32)[:, np.newaxis]

    def _agreeing(self, number: int, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        one, other = self._pair(number)
        way = random.random() - UNCHANGED
        if way < 0:
            pass
        elif way < OF_ANOTHER_PICTURE:
            these = self._pair(int(random.integers(len(self._eyes))))
            one, other = (_put(new, old, random) for new, old in zip(these, (one, other)))
        elif way < OF_ANOTHER_PICTURE + BOTH_CHANGED:
            one, other = _both_changed(one, other, random)
        else:
            other = _put(one, other, random)
        if random.random() < ONE_CHANGED_A_LITTLE:
            little = Change.draw(random, MOST_A_LITTLE * random.random())
            other = _within_edge(little(other), other, random)
        return one, other

    def _disagreeing(
        self, number: int, random: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        one, other = self._pair(number)
        if random.random() < ONE_OF_ANOTHER_PICTURE:
            named_alike = self._of_colour[int(self._colours[number])]
            of = random.choice(named_alike) if random.random() < SAME_WORD else None
            of = random.integers(len(self._eyes)) if of in (None, number) else of
            other = _put(self._pair(int(of))[int(random.integers(2))], other, random)
        else:
            other = _within_edge(Change.draw(random, 1)(other), other, random)
        if random.random() < BOTH_CHANGED_TOO:
            one, other = _both_changed(one, other, random)
        return one, other

    def _pair(self, number: int) -> tuple[np.ndarray, np.ndarray]:
        one, other = self._eyes[number].astype(np.float32)
        return one, other


def _both_changed(
    one: np.ndarray, other: np.ndarray, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    change = Change.draw(random, random.uniform(0.3, 1))
    return _within_edge(change(one), one, random), _within_edge(change(other), other, random)


def _put(new: np.ndarray, old: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """An eye in the place of another, with the other's skin about it."""
    return _within_edge(new + 0.7 * (_skin(old) - _skin(new)), old, random)


def _within_edge(new: np.ndarray, old: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """The new one inside, the old one outside of a soft ellipse around the eye."""
    width, height, softness = random.uniform((7.5, 6.5, 0.15), (10.5, 9.5, 0.5))
    x, y = random.uniform(-1, 1, 2)
    away = np.hypot((COLUMNS - x) / width, (ROWS - y) / height)
    inside = np.clip((1 + softness / 2 - away) / softness, 0, 1).astype(np.float32)
    return old + (new - old) * inside[..., np.newaxis]


def _as_drawn_together(
    pair: tuple[np.ndarray, np.ndarray], random: np.random.Generator
) -> np.ndarray:
    """Both in other light and other sharpness, cut out a little elsewhere: uint8 (2, S, S, 3)."""
    colour = random.normal(0, 8, 3) + random.uniform(-12, 12)
    contrast, blur = random.uniform(0.85, 1.15), random.uniform(-0.7, 1)
    noise, coarse = random.uniform(-9, 9), random.random() < 0.5
    both = []
    for eye in pair:
        scale, turn, (x, y) = random.normal(0, 0.05), random.normal(0, 6), random.normal(0, 0.9, 2)
        eye = _blur(_moved(eye, np.exp(scale), turn, x, y), blur)
        if noise > 0:
            side = EYE_SIZE // 2 if coarse else EYE_SIZE
            grain = noise * random.standard_normal((side, side, 3), np.float32)
            eye = eye + cv2.resize(grain, (EYE_SIZE, EYE_SIZE), interpolation=cv2.INTER_LINEAR)
        lit = (eye - 128) * contrast + 128 + colour + random.normal(0, 4)
        both.append(np.clip(np.rint(lit), 0, 255).astype(np.uint8))
    return np.stack(both)


def _skin(eye: np.ndarray) -> np.ndarray:
    """The mean colour of the lighter half of what is below the eye, float32 (3,)."""
    below = eye[BELOW_EYE:, 4:-4].reshape(-1, 3)
    lightness = below.sum(axis=1)
    lighter = lightness >= min(lightness.mean(), lightness.max())  # a mean of equals may round up
    return below[lighter].mean(axis=0)


def _unlike(eye: np.ndarray, skin: np.ndarray, levels: float) -> np.ndarray:
    """How much each pixel differs from the skin, 1 at so many levels: float32 (S, S, 1)."""
    apart = np.abs(eye - skin).max(axis=2, keepdims=True)
    return np.minimum(apart / np.float32(levels), 1)


def _blur(eye: np.ndarray, sigma: float) -> np.ndarray:
    return cv2.GaussianBlur(eye, (0, 0), sigma) if sigma > 0.2 else eye


def _moved(
    eye: np.ndarray, scale: float, turn: float = 0, x: float = 0, y: float = 0
) -> np.ndarray:
    """Larger, turned by degrees about its middle, and moved by pixels."""
    move = np.array([[0, 0, x], [0, 0, y]])
    matrix = cv2.getRotationMatrix2D((MIDDLE, MIDDLE), turn, scale) + move
    size = EYE_SIZE, EYE_SIZE
    return cv2.warpAffine(
        eye, matrix, size, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_REFLECT_101
    )
