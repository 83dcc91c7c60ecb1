"""Images to another size, to the bit as matplotlib's `imshow` resamples them to its pixels.

Its default interpolation ("auto", named "antialiased" before 3.10) takes the nearest pixel where
an image is kept, doubled or more than tripled, and else averages the pixels around by Agg's Hanning
filter. That one calculates in integers: places in 256ths of a pixel, weights in 16384ths
(`agg_image_filters.h` and `span_image_resample_rgba_affine` of Anti-Grain Geometry 2.4, which
matplotlib brings along).
"""

from __future__ import annotations

import numpy as np

from edgegan.runtime.arguments import check_array, check_integer

SUBPIXELS = 256
WEIGHT_BITS = 14


def resample(images: np.ndarray, side: int) -> np.ndarray:
    """Resample square images to `side` x `side` pixels.

    Args:
        images: uint8 (N, S, S, C), S at most 14 times `side`: from there on Agg filters
            rows and columns differently.

    Returns:
        uint8 (N, side, side, C).

    Raises:
        TypeError, ValueError: the images are of another type or shape, or the side is no number of
            pixels.
    """
    check_array("images", images, "uint8", ("N", "S", "S", "C"))
    side = check_integer("side", side, 1)
    size = images.shape[1]
    if size in (side, side / 2) or size < side / 3:
        nearest = (2 * np.arange(side) + 1) * size // (2 * side)
        return images[:, nearest[:, None], nearest]
    return _filter(images, *_taps(size, side))


def _taps(size: int, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return which pixels of a row make up each of the new ones, and by which weights.

    Returns:
        Two integer arrays (taps, side): indices from 0 to size - 1, and weights up to 2**14.
    """
    scale = max(1.0, size / side)  # the filter is as wide as two pixels of the coarser picture
    radius = int(SUBPIXELS * scale + 0.5)
    step = int(SUBPIXELS / scale + 0.5)  # along the filter, from one pixel to the next
    centres = (2 * np.arange(side) + 1) * size * SUBPIXELS // (2 * side)
    first, fraction = divmod(centres + SUBPIXELS // 2 - radius, SUBPIXELS)
    taps = np.arange(-(-2 * SUBPIXELS // step))[:, None]
    reach = len(taps)
    reflected = np.pad(np.arange(size), reach, mode="symmetric")
    places = (SUBPIXELS - 1 - fraction) * step // SUBPIXELS + taps * step
    return reflected[first + taps + reach], _hanning(places)


def _hanning(places: np.ndarray) -> np.ndarray:
    """Return the filter's weights at places from 0, its left end, to 512, behind its right end."""
    one = 2**WEIGHT_BITS
    weights = np.rint(one / 2 * (1 - np.cos(np.pi * places / SUBPIXELS))).astype(np.int64)
    # Agg lets the left end weigh 1, takes that from the middle, and stops at the right end.
    return np.where(places < 2 * SUBPIXELS, np.clip(weights, 1, one - 1), 0)


def _filter(images: np.ndarray, indices: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Average pixels, the same ones along rows and columns; weights are multiplied and rounded."""
    half = 2 ** (WEIGHT_BITS - 1)
    side = indices.shape[1]
    total = np.zeros((side, side, 1), np.int64)
    summed = np.zeros((len(images), side, side, images.shape[3]), np.int64)
    for rows, row_weights in zip(indices, weights):
        for columns, column_weights in zip(indices, weights):
            weight = (np.outer(row_weights, column_weights)[..., None] + half) >> WEIGHT_BITS
            total += weight
            summed += images[:, rows[:, None], columns] * weight
    return (summed // total).astype(np.uint8)
