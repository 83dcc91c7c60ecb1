"""Least squares GAN, Mao et al. 2017, equation 2, https://arxiv.org/abs/1611.04076."""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.framework import NDArray
from edgegan.trainer.objectives import Objective, Turn


@dataclass(frozen=True)
class LeastSquares(Objective):
    """D minimises ((D(x) - b)^2 + (D(G(z)) - a)^2) / 2, G minimises (D(G(z)) - c)^2 / 2."""

    name = "least_squares"
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

    def discriminator_loss(
        self, real_scores: NDArray, generated_scores: NDArray, turn: Turn
    ) -> NDArray:
        real, generated = (real_scores - self.b).square(), (generated_scores - self.a).square()
        return (real.mean() + generated.mean()) / 2

    def generator_loss(self, generated_scores: NDArray) -> NDArray:
        return (generated_scores - self.c).square().mean() / 2


OBJECTIVE = LeastSquares
