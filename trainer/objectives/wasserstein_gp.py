"""The Wasserstein critic with a gradient penalty, Gulrajani et al. 2017, algorithm 1.

https://arxiv.org/abs/1704.00028
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgegan.trainer import input_gradient
from edgegan.trainer.framework import NDArray, autograd, mx
from edgegan.trainer.input_gradient import InputGradient
from edgegan.trainer.objectives import Objective, Turn

if TYPE_CHECKING:
    from edgegan.trainer.networks import DiscriminatorArchitecture

TINY = 1e-12  # under the root, whose slope is infinite at 0


@dataclass(frozen=True)
class WassersteinGradientPenalty(Objective):
    """The critic minimises mean D(G(z)) - mean D(x) + ``penalty`` mean (|grad D(y)| - 1)^2.

    Every y lies between a real and a generated picture, at a place drawn uniformly.
    """

    name = "wasserstein_gp"
    penalty: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.penalty < float("inf"):
            raise ValueError(f"objective.penalty is {self.penalty!r}, expected a positive number")

    def check(self, discriminator: DiscriminatorArchitecture, image_size: int) -> None:
        norm = getattr(discriminator, "norm", "none")
        if norm != "none":
            raise ValueError(
                f"objective wasserstein_gp penalises each picture's own gradient, so "
                f"discriminator.norm has to be none, found {norm}"
            )
        input_gradient.check(discriminator.build(image_size))

    def discriminator_loss(
        self, real_scores: NDArray, generated_scores: NDArray, turn: Turn
    ) -> NDArray:
        return generated_scores.mean() - real_scores.mean()

    def generator_loss(self, generated_scores: NDArray) -> NDArray:
        return -generated_scores.mean()

    def add_penalty(self, turn: Turn) -> NDArray:
        share = mx.nd.array(turn.draws.random((len(turn.real), 1, 1, 1)), ctx=turn.real.context)
        between = share * turn.real + (1 - share) * turn.generated
        slope = InputGradient(turn.discriminator, between)
        with autograd.record():
            norms = (slope.gradient().square().sum(axis=(1, 2, 3)) + TINY).sqrt()
            penalty = self.penalty * (norms - 1).square().mean()
        penalty.backward()
        slope.gather()
        return penalty


OBJECTIVE = WassersteinGradientPenalty
