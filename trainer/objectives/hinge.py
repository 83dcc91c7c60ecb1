"""The hinge loss, as in Miyato et al. 2018, equations 16 and 17, https://arxiv.org/abs/1802.05957.

Only real pictures scored below 1 and generated ones scored above -1 move the discriminator.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.framework import NDArray
from edgegan.trainer.objectives import Objective, Turn


@dataclass(frozen=True)
class Hinge(Objective):
    """D minimises max(0, 1 - D(x)) + max(0, 1 + D(G(z))), G minimises -D(G(z))."""

    name = "hinge"
    zero_loss_is_failure = True

    def discriminator_loss(
        self, real_scores: NDArray, generated_scores: NDArray, turn: Turn
    ) -> NDArray:
        return (1 - real_scores).relu().mean() + (1 + generated_scores).relu().mean()

    def generator_loss(self, generated_scores: NDArray) -> NDArray:
        return -generated_scores.mean()


OBJECTIVE = Hinge
