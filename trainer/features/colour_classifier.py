"""Features of drawn faces: what a small network that names their colours sees on the way.

README.md tells how it was trained and what its features see.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edgegan.runtime.generator import from_bytes
from edgegan.runtime.session import open_session
from edgegan.trainer.features import Extractor, resize

FILE = Path(__file__).with_name("colour_classifier.onnx")
SIZE = 64


class ColourFeatures(Extractor):
    """float32 (N, 320), computed on the CPU by the network of this folder."""

    def __init__(self) -> None:
        self._session, _ = open_session(FILE, "cpu")

    def __call__(self, images: np.ndarray) -> np.ndarray:
        image = from_bytes(resize(images, SIZE))
        return self._session.run(["features"], {"image": image})[0]
