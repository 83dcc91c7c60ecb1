"""Small random changes to the pictures that are trained on, which the generator learns to draw.

Generators draw fewer shades and fewer positions than their pictures have, above all those that are
asked for words. This makes up for it. What the discriminator alone should not learn by heart is
``trainer.augmentation``, which does not show in what is drawn.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import cv2
import numpy as np

from edgegan.runtime.grid import WHITE
from edgegan.trainer.checks import check_not_negative


@dataclass(frozen=True)
class Jitter:
    """Standard deviations of what is drawn anew, normally distributed, for each picture shown.

    Attributes:
        shift: in pixels, down and to the right; what comes in repeats the edge.
        saturation: of the factor by which colours are farther from grey.
        contrast: of the factor by which all are farther from the picture's mean.
        brightness: of what is added, where white is 1.
    """

    shift: float = 0.0
    saturation: float = 0.0
    contrast: float = 0.0
    brightness: float = 0.0

    def __post_init__(self) -> None:
        for item in fields(self):
            check_not_negative(f"jitter.{item.name}", getattr(self, item.name))

    def of(self, images: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        """Images, uint8 (N, S, S, 3), changed; what is beyond black or white is cut off."""
        count = len(images)
        shifts = draws.normal(0, self.shift, (count, 2))
        saturation, contrast, brightness = (
            draws.normal(mean, deviation, (count, 1, 1, 1)).astype(np.float32)
            for mean, deviation in (
                (1, self.saturation),
                (1, self.contrast),
                (0, WHITE * self.brightness),
            )
        )
        moved = np.stack([_moved(*pair) for pair in zip(images, shifts)]).astype(np.float32)
        coloured = _farther(moved, moved.mean(axis=3, keepdims=True), saturation)
        middle = coloured.mean(axis=(1, 2, 3), keepdims=True)
        lit = _farther(coloured, middle, contrast) + brightness
        return np.clip(np.rint(lit), 0, WHITE).astype(np.uint8)


def _moved(image: np.ndarray, shift: np.ndarray) -> np.ndarray:
    """An image, uint8 (S, S, 3), moved by pixels to the right and down, by cubic interpolation."""
    matrix = np.array([[1, 0, shift[0]], [0, 1, shift[1]]])
    return cv2.warpAffine(
        image, matrix, image.shape[:2], flags=cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE
    )


def _farther(images: np.ndarray, middle: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """Images whose differences from ``middle`` are so many times as large."""
    return middle + (images - middle) * factor
