"""Optimizers, one file each: how gradients move the weights."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Optional

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
        if not 0 < self.learning_rate < float("inf"):
            raise ValueError(f"learning_rate is {self.learning_rate}, expected a positive number")

    @abstractmethod
    def make(self, updates: int) -> mx.optimizer.Optimizer:
        """mxnet's own, as after ``updates`` updates, at the ``learning_rate``."""


def check_fraction(key: str, value: float) -> None:
    """Raise ValueError unless ``value`` is a share of the past that is kept: 0 up to below 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{key} is {value}, expected 0 up to but not including 1")
