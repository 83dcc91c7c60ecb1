"""What runs differ in, and what that did to their figures: groups over seeds, and pairs of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations
from typing import Any

from edgegan.runtime.run_folder import FACES
from edgegan.runtime.statistics import Spread
from edgegan.trainer.metrics import HIGHER, LOWER, Column, faces, find_columns
from edgegan.trainer.report.runs import RecordedRun

# Keys of a recipe that decide what it is called, how long it may run and how often it is looked at,
# but not how a step trains.
LABELS = ("name", "epochs", "evaluate_every")

# What is learnt from, and what brings along the rest as it was published: optimizers, the
# discriminator's layers and its steps.
LEARNT_FROM = ("objective", "penalty")
BROUGHT_ALONG = (
    "discriminator_steps",
    "generator.optimizer",
    "discriminator.",
    "objective.",
    "penalty.",
)
NOT_BROUGHT_ALONG = ("discriminator.width",)

# What the columns of an evaluation's table are, by the parts of its JSON and the keys in them.
COLUMNS = {
    "metrics": find_columns(),
    "faces": {column.key: column for column in faces.COLUMNS},
}
IN_TRAINING = Column(FACES, "faces in training", HIGHER, ".2f", headline=True)


@dataclass(frozen=True)
class Way:
    """How pictures were measured: figures of one way can be compared, others cannot.

    ``floor`` is what real training pictures measured, by metric, and tells one set of pictures from
    another.
    """

    features: str
    images: int
    reference_images: int
    floor: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, evaluation: dict[str, Any]) -> Way:
        """That of an evaluation's JSON; older ones may lack parts of it."""
        floor = evaluation.get("floor", {}).get("metrics", {})
        return cls(
            evaluation.get("features", "?"),
            evaluation.get("images", "?"),
            evaluation.get("reference_images", "?"),
            tuple((key, float(f"{value or 0:.4g}")) for key, value in floor.items()),
        )

    def __str__(self) -> str:
        return (
            f"{self.images} pictures each against {self.reference_images} that are held out, "
            f"features {self.features}"
        )


@dataclass(frozen=True)
class Measure:
    """A column of figures that can be compared; those of training itself have no ``way``."""

    column: Column
    way: Way | None = None

    @property
    def title(self) -> str:
        return self.column.title

    @property
    def headline(self) -> bool:
        return self.column.headline


@dataclass(frozen=True)
class Group:
    """One run, or several that differ in the seed alone (and in their length)."""

    runs: tuple[RecordedRun, ...]

    @property
    def name(self) -> str:
        """The names of its runs."""
        return ", ".join(run.name for run in self.runs)

    @cached_property
    def spreads(self) -> dict[Measure, Spread]:
        """The figures that at least one of the runs has."""
        found: dict[Measure, list[float]] = {}
        for run in self.runs:
            for measure, value in figures(run).items():
                found.setdefault(measure, []).append(value)
        return {measure: Spread.of(values) for measure, values in found.items()}


@dataclass(frozen=True)
class Pair:
    """Two groups and the settings they differ in: key → (before, after), None where it is unset."""

    before: Group
    after: Group
    differences: dict[str, tuple[Any, Any]]

    @property
    def measures(self) -> list[Measure]:
        """Those that both groups have."""
        return in_order(measure for measure in self.before.spreads if measure in self.after.spreads)

    def difference(self, measure: Measure) -> float:
        """The mean of the group after less that of the group before."""
        return self.after.spreads[measure].mean - self.before.spreads[measure].mean

    def verdict(self, measure: Measure) -> str:
        """Whether the runs' ranges overlap; empty where each is one run, which has no range."""
        before, after = self.before.spreads[measure], self.after.spreads[measure]
        if before.count == after.count == 1:
            return ""
        return "ranges overlap" if before.overlaps(after) else "ranges apart"

    def sentence(self) -> str:
        """What differs, the headline figures that both groups have, and the number of runs."""
        changes = ", ".join(
            f"{key} {describe(after)} instead of {describe(before)}"
            for key, (before, after) in self.differences.items()
        )
        results = ", ".join(
            f"{measure.title} {measure.column.show(self.after.spreads[measure].mean)} "
            f"instead of {measure.column.show(self.before.spreads[measure].mean)}"
            for measure in self.measures
            if measure.headline
        )
        before, after = len(self.before.runs), len(self.after.runs)
        seeds = f"{_runs(after)} each" if before == after else f"{_runs(after)} against {before}"
        return f"{changes}: {results or 'no figure that both have'} ({seeds})"


@dataclass(frozen=True)
class Table:
    """Groups whose figures can be compared with each other.

    Attributes:
        way: how they were measured; None for those that were not.
        floor: what real training pictures measured, by measure.
    """

    way: Way | None
    groups: list[Group]
    measures: list[Measure]
    floor: dict[Measure, float]

    @property
    def best(self) -> dict[Measure, list[Group]]:
        """Those of the groups that are best, by measure."""
        return {measure: best(self.groups, measure) for measure in self.measures}


def settings(run: RecordedRun) -> dict[str, Any]:
    """All that decides how a step trains, but for the seed."""
    chosen = {key: value for key, value in run.recipe.items() if key not in LABELS}
    shown = {"pictures": run.facts.pictures, "teacher": run.facts.teacher}
    return {**chosen, **{key: value for key, value in shown.items() if value is not None}}


def differences(
    before: dict[str, Any], after: dict[str, Any], prefix: str = ""
) -> dict[str, tuple[Any, Any]]:
    """The settings that differ, by dotted key, as (before, after).

    What goes by another name (an objective, an optimizer), or is switched off in one (input noise),
    is one difference as a whole: the keys in it mean something else, or nothing, in the other.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for key in {**before, **after}:
        old, new = before.get(key), after.get(key)
        switched = key in before and key in after and None in (old, new)
        nested = all(value is None or isinstance(value, dict) for value in (old, new))
        if nested and not switched and (old or {}).get("name") == (new or {}).get("name"):
            found.update(differences(old or {}, new or {}, f"{prefix}{key}."))
        elif old != new:
            found[prefix + key] = (old, new)
    return found


def describe(value: Any) -> str:
    """A setting in words: ``wasserstein (clip 0.01)`` for a mapping with a name."""
    if isinstance(value, dict):
        rest = ", ".join(f"{key} {describe(item)}" for key, item in value.items() if key != "name")
        return f"{value['name']} ({rest})" if "name" in value and rest else value.get("name", rest)
    if isinstance(value, bool):
        return "on" if value else "off"
    if isinstance(value, list):
        return ", ".join(map(describe, value)) or "none"
    return "none" if value is None else str(value)


def figures(run: RecordedRun) -> dict[Measure, float]:
    """What is known of how good a run's pictures are."""
    found = _measured(run.evaluation, Way.of(run.evaluation))
    if FACES in run.scalars:
        found[Measure(IN_TRAINING)] = float(run.scalars[FACES].values[-1])
    return found


def _floor(runs: Iterable[RecordedRun]) -> dict[Measure, float]:
    """What real training pictures measured beside the runs': none is expected to do better."""
    found: dict[Measure, float] = {}
    for run in runs:
        found.update(_measured(run.evaluation.get("floor", {}), Way.of(run.evaluation)))
    return found


def _measured(evaluation: dict[str, Any], way: Way) -> dict[Measure, float]:
    """The numbers of an evaluation's JSON; those of metrics that are not known here, too."""
    found = {}
    for part, columns in COLUMNS.items():
        for key, value in evaluation.get(part, {}).items():
            known = key in columns or part == "metrics"
            if known and value is not None and math.isfinite(value):
                column = columns.get(key) or Column(key, key.replace("_", " "))
                found[Measure(column, way)] = float(value)
    return found


def in_order(measures: Iterable[Measure]) -> list[Measure]:
    """Measures in the order of their columns, each way by itself, those not known here last."""
    known = [column for columns in COLUMNS.values() for column in columns.values()]
    order = {column: place for place, column in enumerate([*known, IN_TRAINING])}
    found = dict.fromkeys(measures)
    ways = sorted(dict.fromkeys(measure.way for measure in found), key=lambda way: way is None)
    return sorted(
        found,
        key=lambda measure: (
            ways.index(measure.way),
            order.get(measure.column, len(order)),
            measure.title,
        ),
    )


def tables(groups: Sequence[Group]) -> list[Table]:
    """A table for each way in which runs were measured, and one for those that were not."""
    by_way: dict[Way | None, list[Group]] = {}
    for group in groups:
        for way, runs in _by_way(group).items():
            by_way.setdefault(way, []).append(Group(tuple(runs)))
    return [
        Table(
            way,
            members,
            in_order(measure for group in members for measure in group.spreads),
            _floor(run for group in members for run in group.runs),
        )
        for way, members in sorted(by_way.items(), key=lambda item: item[0] is None)
    ]


def _by_way(group: Group) -> dict[Way | None, list[RecordedRun]]:
    found: dict[Way | None, list[RecordedRun]] = {}
    for run in group.runs:
        found.setdefault(Way.of(run.evaluation) if run.evaluation else None, []).append(run)
    return found


def best(groups: Sequence[Group], measure: Measure) -> list[Group]:
    """The groups with the best mean; none where all are alike."""
    means = {
        place: group.spreads[measure].mean
        for place, group in enumerate(groups)
        if measure in group.spreads
    }
    better = measure.column.better
    if not better or len(set(means.values())) < 2:
        return []
    limit = min(means.values()) if better == LOWER else max(means.values())
    return [groups[place] for place, mean in means.items() if mean == limit]


def group_runs(runs: Iterable[RecordedRun]) -> list[Group]:
    """Put the runs that differ in the seed alone together, in the order in which they came."""
    groups: list[list[RecordedRun]] = []
    for run in runs:
        same = [group for group in groups if not differences(settings(group[0]), settings(run))]
        if same:
            same[0].append(run)
        else:
            groups.append([run])
    return [Group(tuple(group)) for group in groups]


def one_setting_apart(groups: Sequence[Group]) -> list[Pair]:
    """All pairs of groups that differ in exactly one setting."""
    return [pair for pair in _pairs(groups) if len(pair.differences) == 1]


def objectives_apart(groups: Sequence[Group]) -> list[Pair]:
    """All pairs that differ in the objective or the penalty and in what that brings along.

    A WGAN as its authors train it has another optimizer and more critic steps than a DCGAN, and a
    penalty has no batch norm beside it, so such are never one setting apart. Latents, pictures,
    batch size and widths must be the same.
    """

    def is_brought_along(key: str) -> bool:
        return key.startswith(BROUGHT_ALONG) and key not in NOT_BROUGHT_ALONG

    return [
        pair
        for pair in _pairs(groups)
        if len(pair.differences) > 1 and pair.differences.keys() & set(LEARNT_FROM)
        if all(map(is_brought_along, pair.differences.keys() - set(LEARNT_FROM)))
    ]


def _pairs(groups: Sequence[Group]) -> list[Pair]:
    return [
        Pair(before, after, differences(settings(before.runs[0]), settings(after.runs[0])))
        for before, after in combinations(groups, 2)
    ]


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"
