"""What pictures are compared by, one file each: uint8 pictures in, float32 features (N, D) out."""

from __future__ import annotations

from abc import ABC, abstractmethod

import cv2
import numpy as np

from edgegan.trainer import plugins


class Extractor(ABC):
    """What gives pictures' features; making one reads its network.

    Raises:
        UserError: its network is not here and cannot be had.
    """

    @abstractmethod
    def __call__(self, images: np.ndarray) -> np.ndarray:
        """Features of uint8 (N, H, W, 3), RGB: float32 (N, D)."""


def find_extractors() -> dict[str, type[Extractor]]:
    """All kinds of features, by name."""
    return plugins.find(__name__, Extractor)  # type: ignore[type-abstract]


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 (N, H, W, 3) -> uint8 (N, size, size, 3), by area, or cubic where it gets larger."""
    if images.shape[1:3] == (size, size):
        return images
    interpolation = cv2.INTER_AREA if images.shape[1] > size else cv2.INTER_CUBIC
    return np.stack(
        [cv2.resize(image, (size, size), None, 0, 0, interpolation) for image in images]
    )
