"""The Wasserstein critic with weight clipping, Arjovsky et al. 2017, algorithm 1.

https://arxiv.org/abs/1701.07875
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from edgegan.trainer.framework import NDArray, Parameter, mx
from edgegan.trainer.objectives import Objective, Turn


@dataclass(frozen=True)
class Wasserstein(Objective):
    """The critic maximises mean D(x) - mean D(G(z)) with every weight within +-``clip``."""

    name = "wasserstein"
    clip: float = 0.01

    def __post_init__(self) -> None:
        if not 0 < self.clip < float("inf"):
            raise ValueError(f"objective.clip is {self.clip!r}, expected a positive number")

    def discriminator_loss(
        self, real_scores: NDArray, generated_scores: NDArray, turn: Turn
    ) -> NDArray:
        return generated_scores.mean() - real_scores.mean()

    def generator_loss(self, generated_scores: NDArray) -> NDArray:
        return -generated_scores.mean()

    def constrain(self, parameters: Iterable[Parameter]) -> None:
        for parameter in parameters:
            weight = parameter.data()
            mx.nd.clip(weight, -self.clip, self.clip, out=weight)


OBJECTIVE = Wasserstein
