"""Stochastic gradient descent with classical momentum, Sutskever et al. 2013, equations 1 and 2.

https://proceedings.mlr.press/v28/sutskever13.html
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.checks import check_fraction
from edgegan.trainer.framework import mx
from edgegan.trainer.optimizers import Optimizer


@dataclass(frozen=True)
class SGD(Optimizer):
    """Each weight moves by its gradient and by a share of its last move.

    Attributes:
        momentum: that share; 0 for plain descent.
    """

    momentum: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("momentum", self.momentum)

    def make(self, updates: int) -> mx.optimizer.Optimizer:
        return mx.optimizer.SGD(
            self.momentum, learning_rate=self.learning_rate, begin_num_update=updates
        )
