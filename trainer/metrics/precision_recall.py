"""Precision, recall, density and coverage: are the pictures good, and are all kinds there?

A set's manifold is the union of balls around its pictures, each as large as the distance to the
K-th nearest other picture of the set.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np

from edgegan.trainer.metrics import HIGHER, Column, Metric
from edgegan.trainer.metrics.distances import distances

NEIGHBOURS = 5  # as Naeem et al. have it


class PrecisionRecallMetric(Metric):
    """Precision and density see the pictures alone, recall and coverage the kinds of them."""

    columns = (
        Column("precision", "precision", HIGHER, ".3f"),
        Column("recall", "recall", HIGHER, ".3f"),
        Column("density", "density", HIGHER, ".3f"),
        Column("coverage", "coverage", HIGHER, ".3f"),
    )

    def measure(self, generated: np.ndarray, real: np.ndarray) -> dict[str, float]:
        return asdict(precision_recall(generated, real))


@dataclass(frozen=True)
class PrecisionRecall:
    """How two sets' manifolds cover each other.

    Attributes:
        precision: share of the generated pictures within the real manifold, 0 to 1, and
        recall: share of the real ones within the generated manifold, 0 to 1 (Kynkäänniemi et al.
            2019, equations 1 and 2, https://arxiv.org/abs/1904.06991).
        density: number of real balls that a generated picture is in, on average, over K: about 1
            for two samples of one distribution, more where pictures crowd among real ones, and
        coverage: share of the real balls with a generated picture in them, 0 to 1 (Naeem et al.
            2020, equations 3 and 4, https://arxiv.org/abs/2002.09797).
    """

    precision: float
    recall: float
    density: float
    coverage: float


def precision_recall(generated: np.ndarray, real: np.ndarray) -> PrecisionRecall:
    """Compare two sets of features, float (N, D) and (M, D), of more than NEIGHBOURS pictures each.

    Figures of unlike numbers of pictures cannot be compared: balls shrink as pictures are added.
    """
    apart = distances(generated, real)
    in_real = apart <= _radii(real)
    in_generated = apart <= _radii(generated)[:, np.newaxis]
    return PrecisionRecall(
        precision=float(in_real.any(axis=1).mean()),
        recall=float(in_generated.any(axis=0).mean()),
        density=float(in_real.sum(axis=1).mean() / NEIGHBOURS),
        coverage=float(in_real.any(axis=0).mean()),
    )


def _radii(features: np.ndarray) -> np.ndarray:
    """The distance of each picture to its K-th nearest other one, float64 (N,)."""
    # The nearest of all is the picture itself, so the K-th other one has index K.
    return np.partition(distances(features, features), NEIGHBOURS, axis=1)[:, NEIGHBOURS]
