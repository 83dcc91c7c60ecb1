"""Measures of generators, one file each: arrays of features, float (N, D), in, numbers out.

Or pictures in, where one can be judged by itself: uint8 (N, H, W, 3), RGB.

A file has one subclass of ``Metric`` or of ``PictureMetric``, which says how its numbers are shown,
too. Nothing here needs mxnet, and nothing but numpy is needed to read what was measured.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgegan.trainer import plugins

LOWER, HIGHER = "lower", "higher"


@dataclass(frozen=True)
class Column:
    """How a number is shown where generators stand below each other.

    Attributes:
        key: its name in an evaluation's JSON.
        title: a few plain words.
        better: LOWER, HIGHER, or empty where neither is.
        form: its format, such as ".2f".
        headline: whether it is worth a place in a sentence.
    """

    key: str
    title: str
    better: str = ""
    form: str = ".4g"
    headline: bool = False

    def show(self, value: float) -> str:
        """The number as it is printed."""
        return format(value, self.form)

    def show_change(self, difference: float) -> str:
        """A difference of two such numbers as it is printed, with its sign."""
        return format(difference, f"+{self.form}")


class Metric(ABC):
    """What tells two sets of pictures apart, by their features, in one number or several."""

    columns: ClassVar[tuple[Column, ...]]

    @abstractmethod
    def measure(self, generated: np.ndarray, real: np.ndarray) -> dict[str, float]:
        """A number by each key of ``columns``, of features float (N, D) and (M, D), in no order.

        Raises:
            ValueError: the real pictures do not differ enough for it.
        """


class PictureMetric(ABC):
    """What tells of each picture by itself whether it is as it should be: the number is the share.

    Making one reads what it needs.
    """

    column: ClassVar[Column]

    @abstractmethod
    def passes(self, images: np.ndarray) -> np.ndarray:
        """Whether each of some pictures is, uint8 (N, H, W, 3), RGB: bool (N,)."""


def find_metrics() -> list[Metric]:
    """One of each metric."""
    return [metric() for metric in plugins.find(__name__, Metric).values()]  # type: ignore[type-abstract]


def find_picture_metrics() -> dict[str, type[PictureMetric]]:
    """All metrics of pictures by themselves, by their columns' keys; none is made."""
    found = plugins.find(__name__, PictureMetric).values()  # type: ignore[type-abstract]
    return {metric.column.key: metric for metric in found}


def find_columns() -> dict[str, Column]:
    """What stands above each number of all metrics, by its key."""
    of_features = [column for metric in find_metrics() for column in metric.columns]
    of_pictures = [metric.column for metric in find_picture_metrics().values()]
    return {column.key: column for column in (*of_features, *of_pictures)}
