"""Schedules, one file each: how an optimizer's learning rate changes as training goes on.

They are those of gluoncv, which count updates; a recipe counts epochs, passes over the pictures.
"""

from __future__ import annotations

import importlib.util
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Pace:
    """How fast a network's updates go through the pictures.

    Attributes:
        pictures: how many there are to train on.
        images_a_step: how many of them a step takes.
        updates_a_step: how often the network is updated in it.
    """

    pictures: int
    images_a_step: int
    updates_a_step: int = 1

    def updates_before(self, epochs: float) -> int:
        """How many updates come before the first step that ``epochs`` passes are over at."""
        steps = Fraction(str(epochs)) * self.pictures / self.images_a_step  # of decimals, exactly
        return math.ceil(steps) * self.updates_a_step


class Schedule(ABC):
    """A schedule; a subclass is a frozen dataclass, its fields what a recipe can set.

    Attributes:
        warm_up: the number of epochs, passes over the pictures, in which the learning rate rises
            evenly at first.
    """

    warm_up: float

    def __post_init__(self) -> None:
        if not 0 <= self.warm_up < float("inf"):
            raise ValueError(f"warm_up is {self.warm_up}, expected 0 or more epochs")

    def rates(self, learning_rate: float, pace: Pace) -> Callable[[int], float]:
        """What gives an update's learning rate for the number of updates before it."""
        gluoncv, first = scheduler_module(), pace.updates_before(self.warm_up)
        parts = [self.after_warm_up(learning_rate, pace, first)]
        if first > 1:
            lowest = learning_rate / first
            parts.insert(0, gluoncv.LRScheduler("linear", lowest, learning_rate, niters=first))
        rates: Callable[[int], float] = gluoncv.LRSequential(parts)
        return rates

    @abstractmethod
    def after_warm_up(self, learning_rate: float, pace: Pace, first: int) -> Any:
        """gluoncv's LRScheduler for the updates from number ``first`` on."""


@cache
def scheduler_module() -> Any:
    """gluoncv.utils.lr_scheduler, alone.

    The whole of gluoncv imports pandas and matplotlib first, which takes seconds, and fails where a
    PyTorch of today is installed.
    """
    package = importlib.util.find_spec("gluoncv")
    if package is None or not package.submodule_search_locations:
        raise ModuleNotFoundError("No module named 'gluoncv'", name="gluoncv")
    path = Path(package.submodule_search_locations[0]) / "utils" / "lr_scheduler.py"
    spec = importlib.util.spec_from_file_location("gluoncv_lr_scheduler", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
