"""Diversity: how unlike a generator's pictures are, measured by how unlike real ones are.

0 is collapse: all the same, or a few pictures over and over; 1 is as varied as real ones.
"""

from __future__ import annotations

import numpy as np

from edgegan.trainer.metrics import HIGHER, Column, Metric
from edgegan.trainer.metrics.distances import distances

GROUP = 25  # pictures: what a person sees at once in a grid


class Diversity(Metric):
    """How many kinds of pictures there are, whatever they are like."""

    columns = (Column("diversity", "diversity", HIGHER, ".3f", headline=True),)

    def measure(self, generated: np.ndarray, real: np.ndarray) -> dict[str, float]:
        return {"diversity": diversity(generated, real)}


def diversity(generated: np.ndarray, real: np.ndarray) -> float:
    """The mean distance to the nearest other one of 25 pictures, over that of real ones.

    Near duplicates among a number of pictures are what gives a collapse away (Arora and Zhang 2017,
    https://arxiv.org/abs/1706.08224). A mean over all pairs would hardly see them: ten pictures
    over and over have nine tenths of the distance that pairs of real ones have. The number is
    fixed, since neighbours are the nearer the more there are.

    Args:
        generated, real: features, float (N, D) and (M, D), of at least GROUP pictures each, in no
            order.

    Raises:
        ValueError: the real pictures are all alike, so there is nothing to compare with.
    """
    real_distance = mean_nearest(real)
    if real_distance == 0:
        raise ValueError("no picture differs from all others")
    return mean_nearest(generated) / real_distance


def mean_nearest(features: np.ndarray) -> float:
    """The mean distance to the nearest other one of GROUP pictures, of features float (N, D)."""
    groups = features[: len(features) // GROUP * GROUP].reshape(-1, GROUP, features.shape[1])
    itself = np.diag(np.full(GROUP, np.inf))
    return float(np.mean([(distances(group, group) + itself).min(axis=1) for group in groups]))
