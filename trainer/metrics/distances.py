"""Distances of features from each other."""

from __future__ import annotations

import numpy as np


def distances(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Euclidean ones, float64 (N, M), of features float (N, D) and (M, D)."""
    # Here, since the report knows the metrics where nothing is measured and scipy may be missing.
    from scipy.spatial.distance import cdist

    return cdist(one, other)
