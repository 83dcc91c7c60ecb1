"""The Fréchet distance of two sets of pictures.

Heusel et al. 2017, "GANs Trained by a Two Time-Scale Update Rule Converge to a Local Nash
Equilibrium", equation 6, https://arxiv.org/abs/1706.08500.
"""

from __future__ import annotations

import numpy as np

from edgegan.trainer.metrics import LOWER, Column, Metric


class FrechetDistance(Metric):
    """Pictures that are bad and kinds that are missing, both in one number."""

    columns = (Column("frechet_distance", "Fréchet distance", LOWER, ".2f", headline=True),)

    def measure(self, generated: np.ndarray, real: np.ndarray) -> dict[str, float]:
        return {"frechet_distance": frechet_distance(generated, real)}


def frechet_distance(generated: np.ndarray, real: np.ndarray) -> float:
    """The squared Fréchet distance of the Gaussians with both sets' means and covariances.

    d² = |m - m'|² + Tr(C + C' - 2 (C C')^½), equation 6. 0 for equal sets, without a bound; it
    depends on the features and is biased upwards by a few pictures, so that only figures of the
    same features and the same number of pictures can be compared.

    Args:
        generated, real: features, float (N, D) and (M, D), of at least two pictures each.
    """
    apart = generated.mean(axis=0, dtype=np.float64) - real.mean(axis=0, dtype=np.float64)
    covariance, covariance_real = _covariance(generated), _covariance(real)
    # C C' has the eigenvalues of the symmetric R C R with R R = C', which are real and not
    # negative, and found more exactly than the root of a product that is not symmetric.
    root = _square_root(covariance_real)
    eigenvalues = np.linalg.eigvalsh(root @ covariance @ root)
    trace_of_root = np.sqrt(eigenvalues.clip(min=0)).sum()
    traces = np.trace(covariance) + np.trace(covariance_real)
    return float(apart @ apart + traces - 2 * trace_of_root)


def _covariance(features: np.ndarray) -> np.ndarray:
    return np.atleast_2d(np.cov(features.astype(np.float64), rowvar=False))


def _square_root(covariance: np.ndarray) -> np.ndarray:
    """The symmetric root of a covariance; eigenvalues that rounding made negative count as 0."""
    eigenvalues, vectors = np.linalg.eigh(covariance)
    return (vectors * np.sqrt(eigenvalues.clip(min=0))) @ vectors.T
