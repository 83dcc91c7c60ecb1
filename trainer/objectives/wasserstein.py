"""The Wasserstein critic, Arjovsky et al. 2017, algorithm 1.

https://arxiv.org/abs/1701.07875
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Optional

from edgegan.trainer.checks import check_positive
from edgegan.trainer.framework import NDArray, Parameter, mx
from edgegan.trainer.objectives import Objective
from edgegan.trainer.turn import Turn


@dataclass(frozen=True)
class Wasserstein(Objective):
    """The critic maximises mean D(x) - mean D(G(z)) with every weight within +-``clip``.

    Attributes:
        clip: the largest weight of the critic; null where something else bounds its slope, such as
            the penalty called gradient.
    """

    clip: Optional[float] = 0.01  # noqa: UP045 (pydantic evaluates it, on Python 3.9 too)

    def __post_init__(self) -> None:
        if self.clip is not None:
            check_positive("objective.clip", self.clip)

    @property
    def allows_penalty(self) -> bool:
        return self.clip is None

    @property
    def allows_negatives(self) -> bool:
        return True

    def generated_loss(self, scores: NDArray) -> NDArray:
        return scores.mean()

    def discriminator_loss(self, turn: Turn) -> NDArray:
        return self.generated_loss(turn.generated_scores) - turn.real_scores.mean()

    def generator_loss(self, turn: Turn) -> NDArray:
        return -turn.generated_scores.mean()

    def constrain(self, parameters: Iterable[Parameter]) -> None:
        if self.clip is None:
            return
        for parameter in parameters:
            weight = parameter.data()
            mx.nd.clip(weight, -self.clip, self.clip, out=weight)
