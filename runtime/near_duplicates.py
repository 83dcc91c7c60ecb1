"""Groups of pictures that are copies: mirrored, compressed again, resized, shifted by a little.

A picture is told by its thumbnail. Two are copies where one thumbnail, or its mirror image, is the
other but for a small shift and what compressing changes. A group is what hangs together by copies.

To find the pairs without comparing all with all, the lowest frequencies of a thumbnail give keys:
signs of random projections (Charikar 2002, https://doi.org/10.1145/509907.509965), likely the same
for copies and unlikely for others. Each picture is looked for by its own keys, and by those that it
would have were it mirrored or moved by SHIFT.

Whether two pictures are copies depends on their thumbnails alone, so neither their order nor the
others matter, and nor does the machine: what is added up are multiples of a power of two, few
enough that floats add them without rounding, in whatever order a library does. Only where more
than MOST_ALIKE pictures have a key in common, each is compared with so many of them, the same ones
in any order.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from itertools import count
from typing import NamedTuple

import cv2
import numpy as np
from tqdm import tqdm

from edgegan.runtime.cores import available_cores

SIDE = 16  # pixels of a thumbnail
SHIFT = 0.625  # of its pixels, between the places where a picture is looked for
MOST_REST = 0.7  # of its pixels: what is left then is solved for
MARGIN = 2  # pixels at a border, whose content may have come with the shift

# Copies differ by at most so many levels of 255, root mean square after a light blur: less where a
# picture has little contrast, since there different ones differ less too. In two sets of 18,000
# drawn faces, made copies differ by up to 6.5, and different drawings by 12.4 and more.
MOST_DIFFERENCE = 9.0
FLAT_DIFFERENCE = 0.5
RELATIVE_DIFFERENCE = 0.17  # of the deviation within a picture

# Colours as in JPEG, and of each the vertical and horizontal frequency, the mean and the deviation
# of the numbers that keys are made of, as they are in drawn faces. Other pictures have other means;
# then more of them share a key, and it takes longer.
LUMA = (0.299, 0.587, 0.114)
BLUE = (-0.169, -0.331, 0.5)
RED = (0.5, -0.419, -0.081)
NUMBERS = (
    (LUMA, 0, 1, 12, 163), (LUMA, 0, 2, -241, 195), (LUMA, 0, 3, 7, 139),
    (LUMA, 1, 0, -100, 248), (LUMA, 1, 1, 8, 126), (LUMA, 1, 2, 71, 149),
    (LUMA, 2, 0, -59, 156), (LUMA, 2, 1, 4, 90), (LUMA, 3, 0, 107, 108),
    (BLUE, 0, 0, -85, 178), (BLUE, 0, 1, 1, 38), (BLUE, 0, 2, 45, 63),
    (BLUE, 1, 0, 4, 72), (BLUE, 1, 1, -1, 32), (BLUE, 2, 0, 15, 43),
    (RED, 0, 0, 196, 198), (RED, 0, 1, -3, 44), (RED, 0, 2, -18, 72),
    (RED, 1, 0, -2, 84), (RED, 1, 1, 1, 35), (RED, 2, 0, -1, 49),
)  # fmt: skip
PRECISION = 2048  # of the whole-numbered filters that they come from
LEVELS = 32  # of a deviation, in a whole number
FARTHEST = 0.35  # deviations between the numbers of copies, root mean square

KEYS = 16
BITS = 36  # of a key
SEED = 0  # of the projections
MOST_ALIKE = 32
AT_ONCE = 1 << 12  # pictures, or pairs of them, that a thread works on


class Placement(NamedTuple):
    """How a picture is looked for: moved right and down by so many pixels, or mirrored before."""

    right: float
    down: float
    mirrored: bool


# The other half of the shifts is found from the other picture of a pair.
PLACEMENTS = (
    Placement(0, 0, False),
    Placement(SHIFT, 0, False),
    *(Placement(right, SHIFT, False) for right in (-SHIFT, 0, SHIFT)),
    *(Placement(right, down, True) for right in (-SHIFT, 0, SHIFT) for down in (0, SHIFT)),
)


def thumbnail(picture: np.ndarray) -> np.ndarray:
    """What tells a picture, uint8 (H, W, 3), from others: uint8 (SIDE, SIDE, 3)."""
    smaller = min(picture.shape[:2]) >= SIDE
    interpolation = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(picture, (SIDE, SIDE), interpolation=interpolation)


def group(thumbnails: np.ndarray) -> np.ndarray:
    """The groups of pictures with these thumbnails, uint8 (N, SIDE, SIDE, 3).

    Returns:
        int64 (N,): for each picture the index of the first one of its group.
    """
    if not len(thumbnails):
        return np.arange(0)
    contents = _hashes(thumbnails)
    _, different, same = np.unique(contents, return_index=True, return_inverse=True)
    joined = _joined(thumbnails[different], contents[different])[same.reshape(-1)]
    _, first, number = np.unique(joined, return_index=True, return_inverse=True)
    return first[number.reshape(-1)].astype(np.int64)


def _hashes(thumbnails: np.ndarray) -> np.ndarray:
    """64 bits that tell thumbnails from different ones, uint64 (N,)."""
    digests = (hashlib.blake2b(picture.tobytes(), digest_size=8).digest() for picture in thumbnails)
    return np.frombuffer(b"".join(digests), np.uint64)


def _joined(thumbnails: np.ndarray, contents: np.ndarray) -> np.ndarray:
    """For each of different thumbnails the least index that it hangs together with by copies."""
    joined = np.arange(len(thumbnails))
    with ThreadPoolExecutor(available_cores()) as pool:
        numbers = list(pool.map(partial(_numbers, thumbnails), PLACEMENTS))
        for projection in tqdm(
            _projections(), desc="finding copies", unit="pass", delay=1, disable=None
        ):
            index = _Index(numbers[0], projection, contents)
            find = partial(index.find, joined)
            pairs = _nearest(np.concatenate([*pool.map(find, numbers, count())], axis=1))
            alike = np.zeros(pairs.shape[1], bool)
            for number, placement in enumerate(PLACEMENTS):
                for rows in _chunks(np.flatnonzero(pairs[2] == number)):
                    one, other = (thumbnails[part] for part in pairs[:2, rows])
                    alike[rows] = _alike(one, other, placement)
            joined = _components(joined, *pairs[:2, alike])
    return joined


def _nearest(candidates: np.ndarray) -> np.ndarray:
    """Of the placements at which a pair was found the nearest: int64 (3, pairs)."""
    sought, found, placements, distances = candidates
    order = np.lexsort((placements, distances, found, sought))
    ordered = candidates[:3, order]
    new = np.ones(len(order), bool)
    new[1:] = (ordered[:2, 1:] != ordered[:2, :-1]).any(axis=0)
    return ordered[:, new]


def _chunks(rows: np.ndarray) -> Iterator[np.ndarray]:
    for start in range(0, len(rows), AT_ONCE):
        yield rows[start : start + AT_ONCE]


# Keys


def _numbers(thumbnails: np.ndarray, placement: Placement) -> np.ndarray:
    """The low frequencies of thumbnails, were they placed so, int8 (N, len(NUMBERS))."""
    filters = np.stack([_filter(*entry[:3], placement) for entry in NUMBERS], axis=1)
    means, deviations = (np.array([entry[n] for entry in NUMBERS], np.float32) for n in (3, 4))
    result = np.empty((len(thumbnails), len(NUMBERS)), np.int8)
    for rows in _chunks(np.arange(len(thumbnails))):
        pixels = thumbnails[rows].reshape(len(rows), -1).astype(np.float32)
        sums = (pixels @ filters / np.float32(PRECISION) - means) / deviations
        result[rows] = np.rint(sums * np.float32(LEVELS)).clip(-127, 127)
    return result


def _filter(
    colour: tuple[float, float, float], vertical: int, horizontal: int, placement: Placement
) -> np.ndarray:
    """Whole numbers, float32 (SIDE * SIDE * 3,): any pixels times these add up below 2^24."""
    columns = _cosine(horizontal) @ _moving(placement.right)
    if placement.mirrored:
        columns = columns[::-1]
    weights = np.einsum("i,j,c->ijc", _cosine(vertical) @ _moving(placement.down), columns, colour)
    return np.rint(PRECISION * weights).ravel().astype(np.float32)


def _cosine(frequency: int) -> np.ndarray:
    """A row of the orthonormal cosine transform (DCT-II), float64 (SIDE,)."""
    angles = np.pi * frequency * (np.arange(SIDE) + 0.5) / SIDE
    return np.cos(angles) * np.sqrt((2 if frequency else 1) / SIDE)


def _moving(shift: float) -> np.ndarray:
    """Moves a line of pixels by ``shift``, repeating that at the border: (SIDE, SIDE)."""
    places = (np.arange(SIDE) - shift).clip(0, SIDE - 1)
    return np.maximum(0, 1 - np.abs(places[:, None] - np.arange(SIDE)))


def _projections() -> np.ndarray:
    """Whole numbers, float32 (KEYS, len(NUMBERS), BITS)."""
    draws = np.random.Generator(np.random.Philox(key=SEED))
    shape = KEYS, len(NUMBERS), BITS
    return np.rint(32 * draws.standard_normal(shape)).clip(-127, 127).astype(np.float32)


def _keys(numbers: np.ndarray, projection: np.ndarray) -> np.ndarray:
    """The signs of the projected numbers, uint64 (N,)."""
    keys = np.zeros((len(numbers), 8), np.uint8)
    for rows in _chunks(np.arange(len(numbers))):
        signs = numbers[rows].astype(np.float32) @ projection > 0
        keys[rows, : -(-BITS // 8)] = np.packbits(signs, axis=1)
    return keys.view(np.uint64)[:, 0]


class _Index:
    """Pictures by their keys of one projection.

    Args:
        numbers: of the pictures as they are, int8 (N, len(NUMBERS)).
        contents: which of those with the same key come first.
    """

    def __init__(self, numbers: np.ndarray, projection: np.ndarray, contents: np.ndarray) -> None:
        self.numbers = numbers
        self.projection = projection
        keys = _keys(numbers, projection)
        self.order = np.lexsort((contents, keys))
        ordered = keys[self.order]
        self.starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
        self.lengths = np.diff(np.r_[self.starts, len(keys)]).clip(max=MOST_ALIKE)
        self.keys = ordered[self.starts]

    def find(self, joined: np.ndarray, placed: np.ndarray, placement: int) -> np.ndarray:
        """The pairs not yet joined that share a key and are near: int64 (4, pairs).

        Who is sought, who is found, the number of the placement, the square of the distance.
        """
        sought_keys = _keys(placed, self.projection)
        runs = np.searchsorted(self.keys, sought_keys).clip(max=len(self.keys) - 1)
        pairs = [np.zeros((4, 0), np.int64)]
        for rows in _chunks(np.flatnonzero(self.keys[runs] == sought_keys)):
            counts = self.lengths[runs[rows]]
            sought = np.repeat(rows, counts)
            within = np.arange(len(sought)) - np.repeat(np.cumsum(counts) - counts, counts)
            found = self.order[np.repeat(self.starts[runs[rows]], counts) + within]
            new = joined[sought] != joined[found]
            sought, found = sought[new], found[new]
            apart = placed[sought].astype(np.float32) - self.numbers[found]
            distances = np.einsum("ij,ij->i", apart, apart).astype(np.int64)
            near = distances <= len(NUMBERS) * (FARTHEST * LEVELS) ** 2
            number = np.full(len(sought), placement)
            pairs.append(np.stack([sought, found, number, distances])[:, near])
        return np.concatenate(pairs, axis=1)


# Comparing


def _alike(pictures: np.ndarray, others: np.ndarray, placement: Placement) -> np.ndarray:
    """Whether each picture, placed so, is a copy of the other: bool (N,)."""
    if placement.mirrored:
        pictures = pictures[:, :, ::-1]
    one = _blurred(pictures, placement.right, placement.down)
    other = _blurred(others, 0, 0)
    difference = np.sqrt(_rest(other - one, (one + other) / 2))
    deviation = (_deviation(one) + _deviation(other)) / 2
    limit = np.minimum(MOST_DIFFERENCE, FLAT_DIFFERENCE + RELATIVE_DIFFERENCE * deviation)
    return np.asarray(difference <= limit)


def _deviation(pictures: np.ndarray) -> np.ndarray:
    """The standard deviation within a picture, the mean of its three colours': float64 (N,)."""
    planes = pictures.reshape(-1, SIDE * SIDE)
    sums = np.einsum("ij->i", planes, dtype=np.float64)
    squares = _dot(planes, planes)
    deviations = np.sqrt(SIDE**2 * squares - sums**2) / SIDE**2
    return np.asarray(deviations.reshape(-1, 3).mean(axis=1))


def _blurred(pictures: np.ndarray, right: float, down: float) -> np.ndarray:
    """Moved, and blurred by a quarter, a half and a quarter: float32 (N, 3, SIDE, SIDE).

    Whole numbers of 1/1024, since SHIFT is one of eighths.
    """
    blur = (_moving(-1) + 2 * np.eye(SIDE) + _moving(1)) / 4
    rows, columns = ((blur @ _moving(shift)).astype(np.float32) for shift in (down, right))
    planes = np.ascontiguousarray(pictures.transpose(0, 3, 1, 2), np.float32)
    return np.asarray(rows @ (planes @ columns.T))


def _rest(difference: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """The mean square of the differences between pictures that no small shift explains, (N,).

    A shift by (x, y) makes the difference x and y times the slopes of their mean: the least squares
    of these are what Lucas and Kanade 1981 register pictures by.
    """
    inner = slice(MARGIN, SIDE - MARGIN)
    before, after = slice(MARGIN - 1, SIDE - MARGIN - 1), slice(MARGIN + 1, SIDE - MARGIN + 1)
    whole, across, down = (
        plane.reshape(len(mean), -1)
        for plane in (
            difference[:, :, inner, inner],
            (mean[:, :, inner, after] - mean[:, :, inner, before]) / 2,
            (mean[:, :, after, inner] - mean[:, :, before, inner]) / 2,
        )
    )
    xx, yy, xy = _dot(across, across), _dot(down, down), _dot(across, down)
    xd, yd, dd = _dot(across, whole), _dot(down, whole), _dot(whole, whole)
    determinant = (xx + 1) * (yy + 1) - xy * xy
    x = (((yy + 1) * xd - xy * yd) / determinant).clip(-MOST_REST, MOST_REST)
    y = (((xx + 1) * yd - xy * xd) / determinant).clip(-MOST_REST, MOST_REST)
    squares = dd - 2 * (x * xd + y * yd) + x * x * xx + 2 * x * y * xy + y * y * yy
    return np.asarray(squares.clip(min=0) / whole.shape[1])


def _dot(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The products of rows, float64 (N,); exact for multiples of 1/4096 that are below 256."""
    return np.asarray(np.einsum("ij,ij->i", one, other, dtype=np.float64))


def _components(joined: np.ndarray, one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """``joined`` with these pairs too: for each index the least that it hangs together with."""
    least = joined.copy()
    while True:
        lower = np.minimum(least[one], least[other])
        if (lower == least[one]).all() and (lower == least[other]).all():
            return least
        np.minimum.at(least, least[one], lower)
        np.minimum.at(least, least[other], lower)
        while (least[least] != least).any():
            least = least[least]
