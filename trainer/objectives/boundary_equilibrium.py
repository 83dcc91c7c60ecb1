"""BEGAN, Berthelot et al. 2017, section 3.4, https://arxiv.org/abs/1703.10717.

The discriminator is an autoencoder and a score is the error L(v) = |v - D(v)| of a picture, so low
scores are good ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgegan.trainer.framework import NDArray
from edgegan.trainer.networks import began
from edgegan.trainer.objectives import Objective
from edgegan.trainer.turn import Turn

if TYPE_CHECKING:
    from edgegan.trainer.networks import DiscriminatorArchitecture


@dataclass(frozen=True)
class BoundaryEquilibrium(Objective):
    """D minimises L(x) - k L(G(z)), G minimises L(G(z)).

    After each step k moves by ``proportional_gain`` times the balance gamma L(x) - L(G(z)) and
    stays within 0 and 1; ``convergence`` is the paper's global measure M = L(x) + |balance|.

    Attributes:
        gamma: the error of generated pictures over that of real ones at the balance, 0 to 1; the
            lower, the less varied are the pictures.
        proportional_gain: how fast k follows the balance, the paper's lambda_k.
    """

    gamma: float = 0.7
    proportional_gain: float = 1e-3

    def __post_init__(self) -> None:
        if not 0 <= self.gamma <= 1:
            raise ValueError(f"objective.gamma is {self.gamma}, expected 0 to 1")
        if not 0 < self.proportional_gain < 1:
            raise ValueError(
                f"objective.proportional_gain is {self.proportional_gain}, expected within 0 and 1"
            )

    @property
    def higher_is_real(self) -> bool:
        return False

    @property
    def allows_penalty(self) -> bool:
        return False  # of an autoencoder's error nothing is known to bound the slope by

    def check(self, discriminator: DiscriminatorArchitecture, image_size: int) -> None:
        if not isinstance(discriminator, began.BeganDiscriminator):
            raise ValueError(
                f"objective boundary_equilibrium scores pictures by an autoencoder's error, so "
                f"discriminator.network has to be began, found {discriminator.network}"
            )

    def discriminator_loss(self, turn: Turn) -> NDArray:
        return turn.real_scores.mean() - turn.memory["k"] * turn.generated_scores.mean()

    def generator_loss(self, turn: Turn) -> NDArray:
        return turn.generated_scores.mean()

    def first_memory(self) -> dict[str, float]:
        return {"k": 0.0, "convergence": 0.0}

    def next_memory(
        self, memory: dict[str, float], real_score: float, generated_score: float
    ) -> dict[str, float]:
        balance = self.gamma * real_score - generated_score
        k = min(max(memory["k"] + self.proportional_gain * balance, 0.0), 1.0)
        return {"k": k, "convergence": real_score + abs(balance)}
