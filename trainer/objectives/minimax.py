"""The minimax game of Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, equation 1."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgegan.trainer.framework import NDArray, mx
from edgegan.trainer.objectives import Objective
from edgegan.trainer.turn import Turn


def softplus(logits: NDArray) -> NDArray:
    """log(1 + exp(x)), which is -log(1 - sigmoid(x)): finite for every x, so no epsilon is due."""
    return mx.nd.Activation(logits, act_type="softrelu")


@dataclass(frozen=True)
class Minimax(Objective):
    """D minimises -log D(x) - log(1 - D(G(z))), G minimises log(1 - D(G(z))), from logits.

    Labels may be soft and noisy for D (tip 6 of ganhacks). With label y a picture costs
    -y log D - (1 - y) log(1 - D).

    Attributes:
        real_labels: the lowest and the highest label of real pictures; each one's is drawn evenly.
        generated_labels: the same of generated ones.
        flipped: the share of all pictures that get a label of the other side.
    """

    zero_loss_is_failure = True
    real_labels: tuple[float, float] = (1.0, 1.0)
    generated_labels: tuple[float, float] = (0.0, 0.0)
    flipped: float = 0.0

    def __post_init__(self) -> None:
        for key in ("real_labels", "generated_labels"):
            low, high = getattr(self, key)
            # Beyond 0 and 1 a sure score costs less than nothing, which has to be so on no average.
            if not (low <= high and 0 <= (low + high) / 2 <= 1):
                raise ValueError(
                    f"objective.{key} is {[low, high]}, expected the lowest and the highest label, "
                    "their middle within 0 and 1"
                )
        if not 0 <= self.flipped <= 1:
            raise ValueError(f"objective.flipped is {self.flipped}, expected 0 to 1")

    @property
    def allows_negatives(self) -> bool:
        return True

    def generated_loss(self, scores: NDArray) -> NDArray:
        return softplus(scores).mean()

    def discriminator_loss(self, turn: Turn) -> NDArray:
        real, generated = turn.real_scores, turn.generated_scores
        real_labels = self._labels(real, turn, self.real_labels, self.generated_labels)
        generated_labels = self._labels(generated, turn, self.generated_labels, self.real_labels)
        return _cross_entropy(real, real_labels) + _cross_entropy(generated, generated_labels)

    def generator_loss(self, turn: Turn) -> NDArray:
        return -softplus(turn.generated_scores).mean()

    def _labels(
        self,
        scores: NDArray,
        turn: Turn,
        labels: tuple[float, float],
        others: tuple[float, float],
    ) -> NDArray:
        """A label for every picture, of the shape of its scores."""
        count = len(scores)
        own, other = turn.draws.uniform(*labels, count), turn.draws.uniform(*others, count)
        drawn = np.where(turn.draws.random(count) < self.flipped, other, own)
        column = drawn.reshape((count,) + (1,) * (scores.ndim - 1))
        return mx.nd.array(np.broadcast_to(column, scores.shape), ctx=scores.context)


def _cross_entropy(scores: NDArray, labels: NDArray) -> NDArray:
    return (labels * softplus(-scores) + (1 - labels) * softplus(scores)).mean()
