"""Precision, recall, density and coverage: are the pictures good, and are all kinds there?

A set's manifold is the union of balls around its pictures, each as large as the distance to the
K-th nearest other picture of the set.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass

import numpy as np

from edgegan.trainer.metrics import HIGHER, Column, Metric
from edgegan.trainer.metrics.distances import distances

NEIGHBOURS = 5  # as Naeem et al. have it
ROWS = 500  # of distances at once, so that they take 40 MB of 10,000 pictures and not 800


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
    generated_radii, real_radii = _radii(generated), _radii(real)
    precise = dense = 0
    recalled, covered = np.zeros((2, len(real)), dtype=bool)
    for rows in _blocks(len(generated)):
        apart = distances(generated[rows], real)
        in_real = apart <= real_radii
        precise += int(in_real.any(axis=1).sum())
        dense += int(in_real.sum())
        recalled |= (apart <= generated_radii[rows, np.newaxis]).any(axis=0)
        covered |= in_real.any(axis=0)
    return PrecisionRecall(
        precision=precise / len(generated),
        recall=float(recalled.mean()),
        density=dense / len(generated) / NEIGHBOURS,
        coverage=float(covered.mean()),
    )


def _radii(features: np.ndarray) -> np.ndarray:
    """The distance of each picture to its K-th nearest other one, float64 (N,)."""
    # The nearest of all is the picture itself, so the K-th other one has index K.
    radii = np.empty(len(features))
    for rows in _blocks(len(features)):
        apart = distances(features[rows], features)
        radii[rows] = np.partition(apart, NEIGHBOURS, axis=1)[:, NEIGHBOURS]
    return radii


def _blocks(count: int) -> Iterator[slice]:
    """All of so many rows, ROWS at a time."""
    return (slice(first, first + ROWS) for first in range(0, count, ROWS))
