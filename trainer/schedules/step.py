"""Drops of the learning rate at given epochs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgegan.trainer.checks import check_positive
from edgegan.trainer.schedules import Pace, Schedule, scheduler_module


@dataclass(frozen=True)
class Step(Schedule):
    """The learning rate drops a few times, and at once.

    Attributes:
        epochs: the passes over the pictures after which it drops, in all from the beginning.
        factor: what it is multiplied by each time.
    """

    epochs: tuple[float, ...]
    factor: float
    warm_up: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for epoch in self.epochs:
            check_positive("epochs", epoch)
        check_positive("factor", self.factor)

    def after_warm_up(self, learning_rate: float, pace: Pace, first: int) -> Any:
        drops = [pace.updates_before(epoch) - first for epoch in self.epochs]
        # gluoncv counts up to ``niters``, so that has to be beyond the last drop.
        return scheduler_module().LRScheduler(
            "step",
            learning_rate,
            niters=max([0, *drops]) + 1,
            step_iter=drops,
            step_factor=self.factor,
        )
