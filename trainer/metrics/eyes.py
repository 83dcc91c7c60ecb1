"""Whether both eyes of a drawn face agree: what generated faces fail in most often.

docs/measuring.md says how often it is right.
"""

from __future__ import annotations

import numpy as np

from edgegan.trainer.metrics import HIGHER, Column, PictureMetric


class Eyes(PictureMetric):
    """The share of faces whose eyes agree in colour, size and finish."""

    column = Column("eyes_match", "eyes match", HIGHER, ".1%", headline=True)

    def __init__(self) -> None:
        # Here, since the report knows the metrics where nothing is measured.
        from edgegan.trainer.eyes.measure import EyeMeasure

        self._measure = EyeMeasure()

    def passes(self, images: np.ndarray) -> np.ndarray:
        return self._measure.match(images)
