"""Repeated measurements: their middle and how far they spread."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """One figure measured ``count`` times, in its own unit; all values are the same of one."""

    mean: float
    median: float
    least: float
    greatest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(
            statistics.fmean(values),
            statistics.median(values),
            min(values),
            max(values),
            len(values),
        )

    def overlaps(self, other: Spread) -> bool:
        """Whether a value can be within both ranges."""
        return self.least <= other.greatest and other.least <= self.greatest

    def __str__(self) -> str:
        return f"{short(self.median)} ({short(self.least)} to {short(self.greatest)})"


def short(value: float) -> str:
    """Three digits where that is enough, all before the point where there are more."""
    if value == 0 or not math.isfinite(value):
        return f"{value:g}"
    return f"{value:,.{max(0, 2 - math.floor(math.log10(abs(value))))}f}"
