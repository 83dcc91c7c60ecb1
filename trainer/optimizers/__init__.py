"""Optimizers, one file each: how gradients move the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Optional

from edgegan.trainer.checks import check_positive
from edgegan.trainer.framework import mx
from edgegan.trainer.schedules import Schedule


@dataclass(frozen=True)
class Optimizer(ABC):
    """An optimizer; a subclass is a frozen dataclass, its fields what a recipe can set.

    Attributes:
        learning_rate: how far an update goes; the farthest where a schedule changes it.
        schedule: how the learning rate changes as training goes on.
    """

    learning_rate: float
    schedule: Optional[Schedule] = None  # noqa: UP045 (pydantic evaluates it, on Python 3.9 too)

    def __post_init__(self) -> None:
        check_positive("learning_rate", self.learning_rate)

    @abstractmethod
    def make(self, updates: int) -> mx.optimizer.Optimizer:
        """mxnet's own, as after ``updates`` updates, at the ``learning_rate``."""
