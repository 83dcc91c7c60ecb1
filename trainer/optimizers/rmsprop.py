"""RMSProp, Tieleman and Hinton 2012, lecture 6.5 of "Neural Networks for Machine Learning"."""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.checks import check_fraction
from edgegan.trainer.framework import mx
from edgegan.trainer.optimizers import Optimizer


@dataclass(frozen=True)
class RMSProp(Optimizer):
    """Each weight moves by its gradient over the root of the mean square.

    Attributes:
        smoothing: the weight of the past in the mean of the gradients' squares.
    """

    smoothing: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        check_fraction("smoothing", self.smoothing)

    def make(self, updates: int) -> mx.optimizer.Optimizer:
        # mxnet adds epsilon to the mean square under the root, others to the root: 1e-8 squared
        # there is their 1e-8, where mxnet's own 1e-8 would all but stop the small gradients of a
        # clipped critic.
        return mx.optimizer.RMSProp(
            self.learning_rate, self.smoothing, epsilon=1e-16, begin_num_update=updates
        )
