"""What the comparison keeps of a run: its settings and what it measured on its way."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from benchmarks.comparison_plan import PLAN, read_plan
from edgegan.runtime.detector import PASS_ABOVE
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_json, write_bytes
from edgegan.trainer.report.runs import Facts, RecordedRun

RECORDS = "records"  # the folder of them, in that of the runs
LEAST_DIVERSITY = 0.6  # of a run that passes: a collapsed generator has 24 faces of 25, too


@dataclass(frozen=True)
class Record:
    """A run of the comparison.

    Attributes:
        name: the run's in the plan, and its seed.
        recipe: with every value, as plain YAML values.
        seed: of all that was drawn at random.
        total_steps: where it would have ended.
        minutes: how long it was trained, as others that it is compared with were.
        measured_at: how many evaluations there were then.
        at_most: the minutes that it had to pass in; None where that was not asked.
        evaluations: what edgegan evaluate measured, in the order of the minutes.
        machine: what it was trained and measured on, and with which versions.
    """

    name: str
    recipe: dict[str, Any]
    seed: int
    total_steps: int
    minutes: float
    measured_at: int
    at_most: float | None
    evaluations: list[dict[str, Any]]
    machine: dict[str, Any]

    @classmethod
    def read(cls, path: Path) -> Record:
        """That of a file.

        Raises:
            UserError: it cannot be read, or holds no record.
        """
        try:
            return cls(**read_json(path))
        except TypeError as error:
            raise UserError(f"{path} is no record of a run of the comparison") from error

    def write(self, path: Path) -> None:
        """Write it to a file."""
        write_bytes(path, (json.dumps(asdict(self), indent=1) + "\n").encode())

    @property
    def run(self) -> str:
        """The run's name in the plan."""
        return self.name.rpartition("-")[0]

    @property
    def passes(self) -> bool:
        """Whether it passed when it was measured last."""
        return passes(self.evaluations[-1])

    @cached_property
    def first_passing(self) -> dict[str, Any] | None:
        """The first evaluation that it passed."""
        return next(filter(passes, self.evaluations), None)

    @property
    def as_compared(self) -> RecordedRun:
        """The run as it was when its minutes were over."""
        evaluation = self.evaluations[self.measured_at - 1]
        facts = Facts(
            evaluation["step"],
            evaluation["minutes"],
            evaluation["images_seen"],
            self.seed,
            self.total_steps,
        )
        return RecordedRun(self.name, self.recipe, facts, [], [], evaluation)


def read_records(folder: Path) -> list[Record]:
    """The records in a folder, in the order of the plan's runs, those of others at the end.

    Raises:
        UserError: one of them is damaged.
    """
    runs = list(dict.fromkeys(trial.run for trial in read_plan(PLAN)))
    return sorted(
        map(Record.read, sorted(folder.glob("*.json"))),
        key=lambda record: runs.index(record.run) if record.run in runs else len(runs),
    )


def passes(evaluation: dict[str, Any]) -> bool:
    """Whether grids pass on average, and their faces differ."""
    various = evaluation["metrics"]["diversity"] > LEAST_DIVERSITY
    return bool(various and evaluation["faces"]["mean"] > PASS_ABOVE)
