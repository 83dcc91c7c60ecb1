"""The same learning rate all the time, but for a warm-up."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgegan.trainer.schedules import Pace, Schedule, scheduler_module


@dataclass(frozen=True)
class Constant(Schedule):
    """Nothing changes after the warm-up."""

    warm_up: float

    def after_warm_up(self, learning_rate: float, pace: Pace, first: int) -> Any:
        return scheduler_module().LRScheduler("constant", learning_rate, niters=1)
