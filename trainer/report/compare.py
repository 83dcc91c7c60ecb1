"""What runs differ in, and what that did to their figures: groups over seeds, and pairs of them."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import combinations
from typing import Any

from edgegan.trainer.report.runs import Run

# Keys of a recipe that decide what it is called, how long it may run and how often it is looked at,
# but not how a step trains.
LABELS = ("name", "epochs", "evaluate_every")

# What a published objective brings along: optimizers, the discriminator's layers and its steps.
BROUGHT_ALONG = ("discriminator_steps", "generator.optimizer", "discriminator.")
NOT_BROUGHT_ALONG = ("discriminator.width",)


@dataclass(frozen=True)
class Metric:
    """A column of figures; ``better`` is "lower", "higher" or empty where neither is.

    ``how`` says how it was measured: figures that were measured in another way are no figures of
    the same metric. A ``headline`` is worth a place in a sentence.
    """

    title: str
    better: str = ""
    headline: bool = False
    how: str = ""


# By the keys of trainer.evaluate's JSON, in the order of the columns.
METRICS = {
    "frechet_distance": Metric("Fréchet distance", "lower", headline=True),
    "kernel_distance": Metric("kernel distance", "lower"),
    "kernel_distance_error": Metric("its standard error"),
    "precision": Metric("precision", "higher"),
    "recall": Metric("recall", "higher"),
    "density": Metric("density", "higher"),
    "coverage": Metric("coverage", "higher"),
    "diversity": Metric("diversity", "higher", headline=True),
}
FACES = {
    "mean": Metric("mean faces", "higher", headline=True),
    "minimum": Metric("least faces", "higher"),
    "share_that_passes": Metric("share of grids that pass", "higher"),
}
LAST_FACES = Metric("last faces in training", "higher", headline=True, how="of 25")


@dataclass(frozen=True)
class Spread:
    """A figure of ``count`` runs; all three values are the same where there is one."""

    mean: float
    least: float
    greatest: float
    count: int

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """The spread of at least one value."""
        return cls(statistics.fmean(values), min(values), max(values), len(values))

    def overlaps(self, other: Spread) -> bool:
        """Whether a value can be within both ranges."""
        return self.least <= other.greatest and other.least <= self.greatest


@dataclass(frozen=True)
class Group:
    """One run, or several that differ in the seed alone (and in their length)."""

    runs: tuple[Run, ...]

    @property
    def name(self) -> str:
        """The names of its runs."""
        return ", ".join(run.name for run in self.runs)

    @cached_property
    def spreads(self) -> dict[Metric, Spread]:
        """The figures that at least one of the runs has."""
        found: dict[Metric, list[float]] = {}
        for run in self.runs:
            for metric, value in figures(run).items():
                found.setdefault(metric, []).append(value)
        return {metric: Spread.of(values) for metric, values in found.items()}


@dataclass(frozen=True)
class Pair:
    """Two groups and the settings they differ in: key → (before, after), None where it is unset."""

    before: Group
    after: Group
    differences: dict[str, tuple[Any, Any]]

    @property
    def metrics(self) -> list[Metric]:
        """Those that both groups have."""
        return [metric for metric in self.before.spreads if metric in self.after.spreads]

    def difference(self, metric: Metric) -> float:
        """The mean of the group after less that of the group before."""
        return self.after.spreads[metric].mean - self.before.spreads[metric].mean

    def verdict(self, metric: Metric) -> str:
        """Whether the runs' ranges overlap; empty where each is one run, which has no range."""
        before, after = self.before.spreads[metric], self.after.spreads[metric]
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
            f"{metric.title} {self.after.spreads[metric].mean:.4g} "
            f"instead of {self.before.spreads[metric].mean:.4g}"
            for metric in self.metrics
            if metric.headline
        )
        before, after = len(self.before.runs), len(self.after.runs)
        seeds = f"{_runs(after)} each" if before == after else f"{_runs(after)} against {before}"
        return f"{changes}: {results or 'no figure that both have'} ({seeds})"


def settings(run: Run) -> dict[str, Any]:
    """All that decides how a step trains, but for the seed."""
    chosen = {key: value for key, value in run.recipe.items() if key not in LABELS}
    return {**chosen, "pictures": run.facts.pictures}


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


def flat(mapping: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """The values of a nested mapping by dotted key."""
    found: dict[str, Any] = {}
    for key, value in mapping.items():
        if isinstance(value, dict):
            found.update(flat(value, f"{prefix}{key}."))
        else:
            found[f"{prefix}{key}"] = value
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


def figures(run: Run) -> dict[Metric, float]:
    """What is known of how good a run's pictures are."""
    evaluation = run.evaluation
    generated, real = evaluation.get("images", "?"), evaluation.get("reference_images", "?")
    how = f"{evaluation.get('features', '?')}, {generated} against {real} pictures"
    found = {
        replace(METRICS.get(key) or Metric(key.replace("_", " ")), how=how): value
        for key, value in evaluation.get("metrics", {}).items()
    }
    faces = evaluation.get("faces", {})
    how = f"of 25, {faces.get('grids', '?')} grids"
    found.update(
        {replace(FACES[key], how=how): value for key, value in faces.items() if key in FACES}
    )
    if "faces" in run.scalars:
        found[LAST_FACES] = run.scalars["faces"].values[-1]
    return {
        metric: float(value)
        for metric, value in found.items()
        if value is not None and math.isfinite(value)
    }


def columns(groups: Iterable[Group]) -> list[Metric]:
    """The metrics that any group has, known ones first, each beside itself measured otherwise."""
    order = [metric.title for metric in (*METRICS.values(), *FACES.values(), LAST_FACES)]
    found = dict.fromkeys(metric for group in groups for metric in group.spreads)

    def place(metric: Metric) -> tuple[int, str]:
        known = metric.title in order
        return (order.index(metric.title) if known else len(order), metric.title)

    return sorted(found, key=place)


def best(groups: Sequence[Group], metric: Metric) -> list[Group]:
    """The groups with the best mean; none where there is nothing to choose from."""
    means = {
        place: group.spreads[metric].mean
        for place, group in enumerate(groups)
        if metric in group.spreads
    }
    if not metric.better or len(means) < 2:
        return []
    limit = min(means.values()) if metric.better == "lower" else max(means.values())
    return [groups[place] for place, mean in means.items() if mean == limit]


def group_runs(runs: Iterable[Run]) -> list[Group]:
    """Put the runs that differ in the seed alone together, in the order in which they came."""
    groups: list[list[Run]] = []
    for run in runs:
        same = [group for group in groups if settings(group[0]) == settings(run)]
        if same:
            same[0].append(run)
        else:
            groups.append([run])
    return [Group(tuple(group)) for group in groups]


def one_setting_apart(groups: Sequence[Group]) -> list[Pair]:
    """All pairs of groups that differ in exactly one setting."""
    return [pair for pair in _pairs(groups) if len(pair.differences) == 1]


def objectives_apart(groups: Sequence[Group]) -> list[Pair]:
    """All pairs that differ in the objective and in what a published objective brings along.

    A WGAN as its authors train it has another optimizer and more critic steps than a DCGAN, so the
    two are never one setting apart. Latents, pictures, batch size and widths must be the same.
    """

    def is_brought_along(key: str) -> bool:
        return key.startswith(BROUGHT_ALONG) and key not in NOT_BROUGHT_ALONG

    return [
        pair
        for pair in _pairs(groups)
        if "objective" in pair.differences and len(pair.differences) > 1
        if all(map(is_brought_along, set(pair.differences) - {"objective"}))
    ]


def _pairs(groups: Sequence[Group]) -> list[Pair]:
    return [
        Pair(before, after, differences(settings(before.runs[0]), settings(after.runs[0])))
        for before, after in combinations(groups, 2)
    ]


def _runs(count: int) -> str:
    return f"{count} run" if count == 1 else f"{count} runs"
