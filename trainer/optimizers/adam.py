"""Adam, Kingma and Ba 2015, https://arxiv.org/abs/1412.6980."""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.checks import check_fraction
from edgegan.trainer.framework import mx
from edgegan.trainer.optimizers import Optimizer


@dataclass(frozen=True)
class Adam(Optimizer):
    """Each weight moves by its mean gradient over the root of the mean square.

    Attributes:
        beta1: the weight of the past in the mean of the gradients.
        beta2: the weight of the past in the mean of their squares.
    """

    beta1: float = 0.9
    beta2: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("beta1", self.beta1)
        check_fraction("beta2", self.beta2)

    def make(self, updates: int) -> mx.optimizer.Optimizer:
        # Adam's bias correction counts the updates.
        return mx.optimizer.Adam(
            self.learning_rate, self.beta1, self.beta2, begin_num_update=updates
        )
