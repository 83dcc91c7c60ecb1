"""The kernel distance of two sets of pictures, with its error.

Bińkowski et al. 2018, "Demystifying MMD GANs", section 4, https://arxiv.org/abs/1801.01401. Their
subsets overlap; here they do not (the block estimate of Zaremba et al. 2013, "B-test",
https://arxiv.org/abs/1307.1954), so that the spread of their distances tells the error honestly.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from edgegan.trainer.metrics import LOWER, Column, Metric

SUBSETS = 10


class KernelMetric(Metric):
    """As the Fréchet distance, but hardly dependent on the number of pictures."""

    columns = (
        Column("kernel_distance", "kernel distance", LOWER, ".4f"),
        Column("kernel_distance_error", "its error", form=".4f"),
    )

    def measure(self, generated: np.ndarray, real: np.ndarray) -> dict[str, float]:
        found = kernel_distance(generated, real)
        return {"kernel_distance": found.value, "kernel_distance_error": found.error}


@dataclass(frozen=True)
class KernelDistance:
    """The mean squared distance of ``SUBSETS`` pairs of subsets, and its standard error."""

    value: float
    error: float


def kernel_distance(generated: np.ndarray, real: np.ndarray) -> KernelDistance:
    """The squared maximum mean discrepancy under the kernel (x·y / D + 1)³, without a bias.

    About 0 for two samples of one distribution, and as often below as above it.

    Args:
        generated, real: features, float (N, D) and (M, D), of at least 2 * SUBSETS pictures each,
            in no order (a sorted set has subsets that are unlike each other).
    """
    size = min(len(generated), len(real)) // SUBSETS
    shape = (SUBSETS, size, generated.shape[1])
    blocks, real_blocks = (
        features[: SUBSETS * size].astype(np.float64).reshape(shape)
        for features in (generated, real)
    )
    distances = [_unbiased(*pair) for pair in zip(blocks, real_blocks)]
    return KernelDistance(
        float(np.mean(distances)), float(np.std(distances, ddof=1) / math.sqrt(SUBSETS))
    )


def _unbiased(generated: np.ndarray, real: np.ndarray) -> float:
    """The U-statistic of two samples of one size (Gretton et al. 2012, equation 4)."""
    size = len(real)
    within = _kernel(generated, generated) + _kernel(real, real)
    across = _kernel(generated, real)
    # Without the pairs of a picture with itself, which are what would bias the estimate; those
    # across are left out alike, as the equation has it.
    both = within - across - across.T
    return float((both.sum() - np.trace(both)) / (size * (size - 1)))


def squared_discrepancy(generated: np.ndarray, real: np.ndarray) -> float:
    """The same of two whole sets of any sizes: the surest of few pictures, but without an error.

    Gretton et al. 2012, equation 3, https://jmlr.org/papers/v13/gretton12a.html.

    Args:
        generated, real: features, float (N, D) and (M, D), of at least two pictures each.
    """
    one, other = generated.astype(np.float64), real.astype(np.float64)
    return _within(one) + _within(other) - 2 * float(_kernel(one, other).mean())


def _within(features: np.ndarray) -> float:
    """The mean kernel of two pictures of a set; that of one with itself would bias it."""
    count, kernel = len(features), _kernel(features, features)
    return float((kernel.sum() - np.trace(kernel)) / (count * (count - 1)))


def _kernel(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    return (one @ other.T / one.shape[1] + 1) ** 3
