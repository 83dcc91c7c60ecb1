"""What runs differ in, and what that did to their figures: groups over seeds, and pairs of them."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import combinations, groupby
from typing import Any

from edgegan.runtime.run_folder import FACES
from edgegan.runtime.statistics import Spread
from edgegan.trainer.metrics import HIGHER, LOWER, Column, faces, find_columns, find_picture_metrics
from edgegan.trainer.report.runs import RecordedRun
from edgegan.trainer.standing import Standing
from edgegan.trainer.word_metrics import find_word_columns

# Keys of a recipe that say what it is called and how long it may run; its counts tell how long it
# did. How often it is looked at is none of them: the best of more looks is better by chance.
LABELS = ("name", "epochs", "steps")

LEAST_SEEDS = 3  # on either side: the ranges of fewer come apart by chance too often
# What is alike is the same length of time: a run looks at its pictures once more when it is over.
ALIKE = 0.1  # of the longer one
ALIKE_MINUTES = 0.1

# What is learnt from, and what brings along the rest as it was published: optimizers, the
# discriminator's layers and its steps, of which it is looked at after as many.
LEARNT_FROM = ("objective", "penalty")
BROUGHT_ALONG = (
    "discriminator_steps",
    "evaluate_every",
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
    "words": find_word_columns(),
}
# Those of pictures by themselves. They do not tell ways to measure apart: evaluations from before
# there was one lack it, and their other figures can be compared all the same.
OF_PICTURES = find_picture_metrics()
IN_TRAINING = Column(FACES, "faces in training", HIGHER, ".2f", headline=True)


@dataclass(frozen=True)
class Way:
    """How pictures were measured: figures of one way can be compared, others cannot.

    ``floor`` is what real pictures measured, by metric, and tells one set of pictures from another.
    ``standing`` is what those measured against were to the training.
    """

    features: str
    images: int
    reference_images: int
    standing: Standing
    floor: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, evaluation: dict[str, Any]) -> Way:
        """That of an evaluation's JSON; older ones may lack parts of it."""
        floor = evaluation.get("floor", {}).get("metrics", {})
        return cls(
            evaluation.get("features", "?"),
            evaluation.get("images", "?"),
            evaluation.get("reference_images", "?"),
            Standing.in_evaluation(evaluation),
            tuple(
                (key, float(f"{value or 0:.4g}"))
                for key, value in floor.items()
                if key not in OF_PICTURES
            ),
        )

    def __str__(self) -> str:
        return (
            f"{self.images} pictures each against {self.reference_images} {self.standing.clause}, "
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
class Length:
    """How long a run was trained, without the stages before it.

    ``stopped`` where its time was up before its last step, so that the minutes decided.
    """

    step: int
    images: int
    minutes: float
    stopped: bool

    @classmethod
    def of(cls, run: RecordedRun) -> Length:
        facts = run.facts
        return cls(
            facts.step,
            facts.images_seen - facts.earlier_images,
            facts.minutes - run.earlier_minutes,
            facts.stopped,
        )

    def is_like(self, other: Length) -> bool:
        """Whether both are as many steps, or images, or, where time decided, minutes."""
        a_step = max(one.images / max(one.step, 1) for one in (self, other))
        # The last step is a whole one, so of the same epochs one may be up to a step longer.
        images = self.images == other.images or abs(self.images - other.images) < a_step
        longer = max(self.minutes, other.minutes)
        minutes = abs(self.minutes - other.minutes) <= max(ALIKE * longer, ALIKE_MINUTES)
        return self.step == other.step or images or (self.stopped and other.stopped and minutes)

    def __str__(self) -> str:
        return f"{self.step:,} steps" + (f" in {self.minutes:.1f} minutes" if self.stopped else "")


@dataclass(frozen=True)
class Beginning:
    """What a run was started from: what it is called, and all that tells it from another.

    ``pictures`` are the split and the digest of those that it was trained on.
    """

    name: str
    step: int
    settings: dict[str, Any]
    pictures: tuple[int | None, str | None]

    def __str__(self) -> str:
        return f"{self.name} ({self.step:,} steps)"


@dataclass(frozen=True)
class Group:
    """One run, or several that differ in the seed alone.

    Runs that have a seed in common, or were started from the same weights, are never in one group:
    they are no further evidence.
    """

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
        """Whether the runs' ranges overlap; empty where there are too few runs to say."""
        before, after = self.before.spreads[measure], self.after.spreads[measure]
        if min(before.count, after.count) < LEAST_SEEDS:
            return ""
        return "ranges overlap" if before.overlaps(after) else "ranges apart"

    def sentence(self) -> str:
        """What differs, the headline figures that both groups have, and of how many runs."""
        changes = ", ".join(
            f"{key} {describe(after)} instead of {describe(before)}"
            for key, (before, after) in self.differences.items()
        )
        headlines = [measure for measure in self.measures if measure.headline]
        results = [
            f"{', '.join(map(self._result, measures))} ({counts})"
            for counts, measures in groupby(headlines, key=self._counts)
        ]
        return f"{changes}: {', '.join(results) or 'no figure that both have'}"

    def _result(self, measure: Measure) -> str:
        before, after = self.before.spreads[measure], self.after.spreads[measure]
        show = measure.column.show
        return f"{measure.title} {show(after.mean)} instead of {show(before.mean)}"

    def _counts(self, measure: Measure) -> str:
        """Of how many runs a figure is: not all of a group need have it."""
        before, after = (group.spreads[measure].count for group in (self.before, self.after))
        runs = "1 run" if after == 1 else f"{after} runs"
        return f"{runs} each" if before == after else f"{runs} against {before}"


@dataclass(frozen=True)
class Table:
    """Groups whose figures can be compared with each other.

    Attributes:
        way: how they were measured; None for those that were not.
        floor: what real pictures measured, by measure.
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
    """All that decides how a step trains, but for the seed and which pictures there are."""
    facts = run.facts
    found = _unlabelled(run.recipe)
    if facts.pictures is not None:
        found["pictures"] = facts.pictures
        found["split"] = "the old one" if facts.split is None else facts.split
    if facts.teacher is not None:
        found["teacher"] = facts.teacher
    if facts.stages:
        found["started from"] = beginnings(run)
    return found


def beginnings(run: RecordedRun) -> list[Beginning]:
    """What a run was started from, the first one first."""
    return [
        Beginning(
            str(stage.recipe.get("name")),
            stage.step,
            _unlabelled(stage.recipe),
            (stage.split, stage.digest),
        )
        for stage in run.facts.stages
    ]


def apart(before: RecordedRun, after: RecordedRun) -> dict[str, tuple[Any, Any]]:
    """All that two runs differ in but the seed, by key, as (before, after).

    That is settings, which pictures they were trained on, and how long.
    """
    found = differences(settings(before), settings(after))
    old, new = before.facts.digest, after.facts.digest
    # The same pictures have another digest in another size.
    comparable = old and new and not {"image_size", "crop_from", "pictures"} & found.keys()
    if comparable and old != new:
        found["pictures"] = (f"set {old:.8}", f"set {new:.8}")
    lengths = Length.of(before), Length.of(after)
    if not lengths[0].is_like(lengths[1]):
        found["length"] = lengths
    return found


def _unlabelled(recipe: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in recipe.items() if key not in LABELS}


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
    if isinstance(value, float) and value.is_integer():
        return f"{value:.0f}" if abs(value) < 1e15 else str(value)
    return "none" if value is None else str(value)


def figures(run: RecordedRun) -> dict[Measure, float]:
    """What is known of how good a run's pictures are."""
    found = _measured(run.evaluation, Way.of(run.evaluation))
    faces_in_training = run.faces_at(run.facts.step)
    if faces_in_training is not None:
        found[Measure(IN_TRAINING)] = faces_in_training
    return found


def _floor(runs: Iterable[RecordedRun]) -> dict[Measure, float]:
    """What real pictures measured beside the runs': none is expected to do better."""
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
        same = [group for group in groups if _differs_in_seed_alone(run, group)]
        if same:
            same[0].append(run)
        else:
            groups.append([run])
    return [Group(tuple(group)) for group in groups]


def _differs_in_seed_alone(run: RecordedRun, group: Sequence[RecordedRun]) -> bool:
    """Whether a run is one more of a group: what seed it has must be known, and new to it."""
    seeds = {None, *(other.facts.first_seed for other in group)}
    return run.facts.first_seed not in seeds and not apart(group[0], run)


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
        Pair(before, after, apart(before.runs[0], after.runs[0]))
        for before, after in combinations(groups, 2)
    ]
