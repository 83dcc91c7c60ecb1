"""Half a wave of the cosine, Loshchilov and Hutter 2017, equation 5, without restarts.

https://arxiv.org/abs/1608.03983
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgegan.trainer.checks import check_positive
from edgegan.trainer.schedules import Pace, Schedule, scheduler_module


@dataclass(frozen=True)
class Cosine(Schedule):
    """The learning rate falls slowly, then fast, then slowly, and stays at its lowest.

    Attributes:
        epochs: the passes over the pictures until it is at its lowest, from the beginning.
        factor: the share of it that is left then.
    """

    epochs: float
    factor: float = 0.0
    warm_up: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_positive("epochs", self.epochs)
        if self.epochs <= self.warm_up:
            raise ValueError(
                f"epochs is {self.epochs}, expected more than the {self.warm_up} of warm_up"
            )
        if not 0 <= self.factor <= 1:
            raise ValueError(f"factor is {self.factor}, expected 0 to 1")

    def after_warm_up(self, learning_rate: float, pace: Pace, first: int) -> Any:
        updates = pace.updates_before(self.epochs) - first
        return scheduler_module().LRScheduler(
            "cosine", learning_rate, self.factor * learning_rate, niters=max(updates, 2)
        )
