"""The runs of the comparison, as a plan has them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import yaml

from edgegan.runtime.errors import UserError

PLAN = Path(__file__).with_suffix(".yaml")
MARKS = (2.5, 5, 10, 15, 20, 30, 45, 60, 90, 120, 150, 180)  # minutes after which runs are measured


@dataclass(frozen=True)
class Trial:
    """One training: its name in the plan, and what edgegan fit is told.

    Attributes:
        minutes: how long it is trained, as the others of its part of the plan are.
        at_most: how long it may be trained until it passes; none where that is not asked.
    """

    run: str
    recipe: str
    seed: int
    overrides: list[str]
    minutes: float
    at_most: float | None = None

    @property
    def name(self) -> str:
        """That of its folder."""
        return f"{self.run}-{self.seed}"

    @property
    def marks(self) -> list[float]:
        """The minutes after which it is measured."""
        last = max(self.minutes, self.at_most or 0)
        return [mark for mark in sorted({*MARKS, self.minutes}) if mark <= last]

    @property
    def measured_at(self) -> int:
        """How many measurements there are when its minutes are over."""
        return self.marks.index(self.minutes) + 1


def read_plan(path: Path) -> list[Trial]:
    """All runs of a plan, in its order but for the further seeds, which come last.

    Raises:
        UserError: the file cannot be read, or is no plan.
    """
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
        trials = [
            Trial(
                name,
                run["recipe"],
                seed,
                part["everywhere"] + run.get("set", []),
                float(part["minutes"]),
                part.get("at_most"),
            )
            for part in plan.values()
            for name, run in part["runs"].items()
            for seed in range(run.get("seeds", 1))
        ]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError, ValueError) as error:
        raise UserError(f"{path} is no plan of runs as {PLAN.name} is") from error
    return sorted(trials, key=lambda trial: trial.seed)
