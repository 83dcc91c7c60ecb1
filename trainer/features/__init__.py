"""What pictures are compared by, one file each: uint8 pictures in, float32 features (N, D) out."""

from __future__ import annotations

from abc import ABC, abstractmethod

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
