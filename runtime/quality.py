"""How near pictures are to those that were expected."""

from __future__ import annotations

import numpy as np

from edgegan.runtime.arguments import check_array
from edgegan.runtime.generator import from_bytes


def decibels(
    images: np.ndarray, expected: np.ndarray, value_range: tuple[float, float] = (-1, 1)
) -> float:
    """The peak signal-to-noise ratio of pictures, infinite where they are the same.

    It is 20 log10(peak / root of the mean squared difference), the peak being the width of the
    value range, or 255 levels.

    Args:
        images: float32 (N, 3, H, W) in the value range, or uint8 (N, H, W, 3).
        expected: float32 (N, 3, H, W) in the value range.

    Raises:
        TypeError, ValueError: one of the two is of another type, or they differ in their shape.
    """
    low, high = value_range
    values = images
    if isinstance(images, np.ndarray) and images.dtype == np.uint8:
        values = from_bytes(images, value_range)
    check_array("expected", expected, "floating", ("N", "C", "H", "W"), finite=False)
    check_array("images", values, "floating", expected.shape, finite=False)
    apart = (values.astype(np.float64) - expected) / (high - low)
    mean_square = float(np.mean(apart**2))
    return float(-10 * np.log10(mean_square)) if mean_square else float("inf")
