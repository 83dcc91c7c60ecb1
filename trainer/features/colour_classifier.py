"""Features of drawn faces: what a small network that names their colours sees on the way."""

from __future__ import annotations

import numpy as np

from edgegan.runtime.colour_classifier import ColourClassifier
from edgegan.trainer.features import Extractor


class ColourFeatures(Extractor):
    """float32 (N, 320), as the runtime's classifier gives them."""

    def __init__(self) -> None:
        self._classifier = ColourClassifier()

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self._classifier.features(images)
