"""The relativistic average hinge loss, Jolicoeur-Martineau 2018, https://arxiv.org/abs/1807.00734.

RaHingeGAN of its appendix: a picture is scored by how much more real than the average picture of
the other side it is, so the generator also learns from real pictures.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.framework import NDArray
from edgegan.trainer.objectives import Objective
from edgegan.trainer.turn import Turn


@dataclass(frozen=True)
class Relativistic(Objective):
    """D minimises max(0, 1 - R(x)) + max(0, 1 + R(G(z))), G minimises the same with sides changed.

    R(x) = D(x) - mean D(G(z)) and R(G(z)) = D(G(z)) - mean D(x).
    """

    zero_loss_is_failure = True

    def discriminator_loss(self, turn: Turn) -> NDArray:
        return _hinge(turn.real_scores, turn.generated_scores)

    def generator_loss(self, turn: Turn) -> NDArray:
        return _hinge(turn.generated_scores, turn.real_scores)


def _hinge(higher: NDArray, lower: NDArray) -> NDArray:
    """What is lacking of scores that are higher by 1, each than the mean of the others."""
    return (1 - (higher - lower.mean())).relu().mean() + (1 + (lower - higher.mean())).relu().mean()
