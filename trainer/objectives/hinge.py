"""The hinge loss, as in Miyato et al. 2018, equations 16 and 17, https://arxiv.org/abs/1802.05957.

Only real pictures scored below 1 and generated ones scored above -1 move the discriminator.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.framework import NDArray
from edgegan.trainer.objectives import Objective
from edgegan.trainer.turn import Turn


@dataclass(frozen=True)
class Hinge(Objective):
    """D minimises max(0, 1 - D(x)) + max(0, 1 + D(G(z))), G minimises -D(G(z))."""

    zero_loss_is_failure = True

    @property
    def allows_negatives(self) -> bool:
        return True

    def generated_loss(self, scores: NDArray) -> NDArray:
        return (1 + scores).relu().mean()

    def discriminator_loss(self, turn: Turn) -> NDArray:
        return (1 - turn.real_scores).relu().mean() + self.generated_loss(turn.generated_scores)

    def generator_loss(self, turn: Turn) -> NDArray:
        return -turn.generated_scores.mean()
