"""Least squares GAN, Mao et al. 2017, equation 2, https://arxiv.org/abs/1611.04076."""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.framework import NDArray
from edgegan.trainer.objectives import Objective
from edgegan.trainer.turn import Turn


@dataclass(frozen=True)
class LeastSquares(Objective):
    """D minimises ((D(x) - b)^2 + (D(G(z)) - a)^2) / 2, G minimises (D(G(z)) - c)^2 / 2.

    Attributes:
        a: what the discriminator is to score generated pictures.
        b: what it is to score real ones.
        c: what the generator wants its pictures to be scored.
    """

    a: float = 0.0
    b: float = 1.0
    c: float = 1.0

    def __post_init__(self) -> None:
        for key in ("a", "b", "c"):
            if not abs(getattr(self, key)) < float("inf"):
                raise ValueError(f"objective.{key} is {getattr(self, key)}, expected a number")

    @property
    def higher_is_real(self) -> bool:
        return self.b > self.a

    @property
    def allows_negatives(self) -> bool:
        return True

    def generated_loss(self, scores: NDArray) -> NDArray:
        return (scores - self.a).square().mean() / 2

    def discriminator_loss(self, turn: Turn) -> NDArray:
        real = (turn.real_scores - self.b).square().mean() / 2
        return real + self.generated_loss(turn.generated_scores)

    def generator_loss(self, turn: Turn) -> NDArray:
        return (turn.generated_scores - self.c).square().mean() / 2
