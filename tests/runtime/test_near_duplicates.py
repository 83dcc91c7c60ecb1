"""Copies of every kind are in one group, others are not, and neither order nor others matter."""

from __future__ import annotations

import operator

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegan.runtime import near_duplicates
from edgegan.runtime.near_duplicates import SIDE, group, thumbnail

COUNT = 60
DRAWING = 96  # pixels of a picture


def drawing(seed: int) -> np.ndarray:
    """A picture with something of a drawn face: light, a dark shape around it, and lines."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (6, 6, 3), dtype=np.uint8)
    picture = cv2.resize(coarse, (DRAWING, DRAWING), interpolation=cv2.INTER_CUBIC)
    for _ in range(12):
        ends = random.integers(0, DRAWING, (2, 2)).tolist()
        colour = random.integers(0, 256, 3).tolist()
        cv2.line(picture, *ends, colour, int(random.integers(1, 5)), cv2.LINE_AA)
    return picture


DRAWINGS = [drawing(seed) for seed in range(COUNT)]


def compressed(picture: np.ndarray, quality: int) -> np.ndarray:
    _, content = cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])
    return cv2.imdecode(content, cv2.IMREAD_COLOR)


def resized(picture: np.ndarray, factor: float) -> np.ndarray:
    kind = cv2.INTER_AREA if factor < 1 else cv2.INTER_CUBIC
    return cv2.resize(picture, None, fx=factor, fy=factor, interpolation=kind)


def shifted(picture: np.ndarray, right: float, down: float) -> np.ndarray:
    """By so many pixels of 64, with the border repeated."""
    side = len(picture)
    matrix = np.float32([[1, 0, right * side / 64], [0, 1, down * side / 64]])
    return cv2.warpAffine(picture, matrix, (side, side), borderMode=cv2.BORDER_REPLICATE)


def mirrored(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[:, ::-1])


def groups_of(pictures: list[np.ndarray]) -> np.ndarray:
    return group(np.stack([thumbnail(picture) for picture in pictures]))


COPIES = {
    "the same": lambda picture: picture,
    "mirrored": mirrored,
    "quality 30": lambda picture: compressed(picture, 30),
    "quality 95": lambda picture: compressed(picture, 95),
    "half": lambda picture: resized(picture, 0.5),
    "twice": lambda picture: resized(picture, 2),
    "to the right": lambda picture: shifted(picture, 3, 0),
    "to the left and down": lambda picture: shifted(picture, -2, 2),
    "up": lambda picture: shifted(picture, 0, -3),
    "all at once": lambda picture: compressed(resized(shifted(mirrored(picture), -2, -1), 0.7), 40),
    "all at once, larger": lambda picture: compressed(
        resized(shifted(mirrored(picture), 2, 1), 1.5), 60
    ),
}


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_is_in_the_group_of_its_picture(kind: str) -> None:
    found = groups_of([*DRAWINGS, *map(COPIES[kind], DRAWINGS)])
    missed = np.count_nonzero(found[COUNT:] != np.arange(COUNT))
    assert missed <= 0.05 * COUNT
    np.testing.assert_array_equal(found[:COUNT], np.arange(COUNT))  # and no two in one


def test_a_group_is_called_by_its_first_picture() -> None:
    a, b, c = DRAWINGS[:3]
    found = groups_of([a, b, mirrored(b), c, compressed(b, 60), a])
    assert found.dtype == np.int64
    assert found.tolist() == [0, 1, 1, 3, 1, 0]


def test_what_hangs_together_by_a_third_is_one_group() -> None:
    """Six pixels apart two are no copies; with one in between all three are."""
    left, middle, right = (shifted(DRAWINGS[3], move, 0) for move in (-3, 0, 3))
    assert groups_of([left, right]).tolist() == [0, 1]
    assert groups_of([left, right, middle]).tolist() == [0, 0, 0]


def test_flat_pictures_that_differ_are_no_copies() -> None:
    white = np.full((64, 64, 3), 255, np.uint8)
    grey = np.full((64, 64, 3), 254, np.uint8)
    blot = white.copy()
    blot[20:44, 20:44] = 200
    assert groups_of([white, grey, blot, white]).tolist() == [0, 1, 2, 0]


@pytest.mark.parametrize("count", [0, 1])
def test_few_pictures(count: int) -> None:
    found = group(np.zeros((count, SIDE, SIDE, 3), np.uint8))
    assert found.tolist() == list(range(count))


@pytest.mark.parametrize("shape", [(1, 1), (3, 200), (200, 3), (16, 15), (500, 17)])
def test_a_thumbnail_of_any_shape(shape: tuple[int, int]) -> None:
    picture = np.full((*shape, 3), (10, 120, 200), np.uint8)
    found = thumbnail(picture)
    assert (found.shape, found.dtype) == ((SIDE, SIDE, 3), np.uint8)
    assert (found == (10, 120, 200)).all()


KINDS = list(COPIES.values())
sets = st.lists(st.tuples(st.integers(0, 5), st.integers(0, len(KINDS) - 1)), max_size=12)


def partition(found: np.ndarray, names: list[int]) -> set[frozenset[int]]:
    return {
        frozenset(name for name, number in zip(names, found) if number == first) for first in found
    }


@settings(max_examples=8, deadline=None)
@given(sets, st.randoms(use_true_random=False))
def test_neither_order_nor_others_matter(picks: list[tuple[int, int]], random: object) -> None:
    thumbnails = np.array([thumbnail(KINDS[kind](DRAWINGS[n])) for n, kind in picks], np.uint8)
    thumbnails = thumbnails.reshape(-1, SIDE, SIDE, 3)
    names = list(range(len(picks)))
    whole = partition(group(thumbnails), names)
    random.shuffle(names)
    assert partition(group(thumbnails[names]), names) == whole
    # One fewer takes only its own group apart.
    if names:
        gone = names.pop()
        kept = {part for part in whole if gone not in part}
        assert kept <= partition(group(thumbnails[names]), names)


def test_numbers_and_keys_are_added_without_rounding() -> None:
    """Of any pixels and any numbers, since float32 has whole numbers up to 2^24."""
    for placement in near_duplicates.PLACEMENTS:
        for entry in near_duplicates.NUMBERS:
            weights = near_duplicates._filter(*entry[:3], placement)
            np.testing.assert_array_equal(weights, np.rint(weights))
            assert 255 * np.abs(weights).astype(np.float64).sum() + 2048 * abs(entry[3]) < 2**24
    projections = near_duplicates._projections()
    np.testing.assert_array_equal(projections, np.rint(projections))
    assert 127 * np.abs(projections).sum(axis=1).max() < 2**24


@pytest.mark.parametrize("most", [1, 255])
def test_differences_are_added_without_rounding(monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    """As Python's whole numbers have them, of pictures of the largest and other differences."""
    random = np.random.default_rng(0)
    ones, others = random.integers(0, 2, (2, 3, SIDE, SIDE, 3), dtype=np.uint8) * np.uint8(most)
    others += random.integers(0, 256 - most, others.shape, dtype=np.uint8)
    dot, checked = near_duplicates._dot, []

    def check(one: np.ndarray, other: np.ndarray) -> np.ndarray:
        found = dot(one, other)
        whole = [[[int(number * 4096) for number in row] for row in rows] for rows in (one, other)]
        assert all(row == [n / 4096 for n in exact] for row, exact in zip(one.tolist(), whole[0]))
        sums = [sum(map(operator.mul, *rows)) for rows in zip(*whole)]
        assert [int(number * 2**24) for number in found] == sums
        checked.append(len(sums))
        return found

    monkeypatch.setattr(near_duplicates, "_dot", check)
    for placement in near_duplicates.PLACEMENTS:
        near_duplicates._alike(ones, others, placement)
    assert len(checked) == 8 * len(near_duplicates.PLACEMENTS)


def test_many_that_are_alike_take_no_square_of_their_number(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    random = np.random.default_rng(0)
    monkeypatch.setattr(near_duplicates, "MOST_ALIKE", 4)
    count = 400
    noise = random.integers(0, 3, (count, SIDE, SIDE, 3), dtype=np.uint8)
    picture = thumbnail(DRAWINGS[0]) // 2
    compared = []
    alike = near_duplicates._alike
    monkeypatch.setattr(
        near_duplicates, "_alike", lambda *a: compared.append(len(a[0])) or alike(*a)
    )
    assert (group(noise + picture) == 0).all()
    assert sum(compared) < count**2 / 4
