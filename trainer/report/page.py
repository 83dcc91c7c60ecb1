"""The page: all that is known of the runs, in one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from edgegan.trainer.report import compare, drawing
from edgegan.trainer.report.runs import Grid, Histogram, Run

GRIDS = 6  # shown of each run, at the most
NETWORKS = ("generator", "discriminator")  # what the names of filter banks begin with


@dataclass(frozen=True)
class Network:
    """The filter banks of a network: histograms by bank and run, and a picture of them by run."""

    name: str
    banks: dict[str, dict[str, tuple[Histogram, Histogram]]]
    pictures: dict[str, str]


def render(runs: Sequence[Run]) -> str:
    """The page about at least one run, as HTML that needs no other file, no network, no script.

    Raises:
        UserError: a grid is no picture, or a damaged one.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = lambda value: f"{value:.4g}"
    environment.filters["change"] = lambda value: f"{value:+.3g}"
    groups = compare.group_runs(runs)
    metrics = compare.columns(groups)
    differing, common = setting_rows(runs)
    return environment.get_template("page.html").render(
        runs=runs,
        lines=[drawing.Line.of(place) for place in range(len(runs))],
        differing=differing,
        common=common,
        groups=groups,
        metrics=metrics,
        alone=lambda run: compare.Group((run,)),
        best={metric: compare.best(groups, metric) for metric in metrics},
        comparisons={
            "One setting apart": compare.one_setting_apart(groups),
            "Objectives, each with what it brings along": compare.objectives_apart(groups),
        },
        curves=_curves(runs),
        grids={run.name: [_shown(run, grid) for grid in evenly_spaced(run.grids)] for run in runs},
        networks=[_network(runs, name) for name in NETWORKS],
    )


def setting_rows(runs: Sequence[Run]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The recipes' keys that differ, with every run's value, and those that are common to all.

    A key that a run's recipe lacks is empty for it.
    """
    recipes = [compare.flat(run.recipe) for run in runs]
    differing, common = {}, {}
    for key in dict.fromkeys(key for recipe in recipes for key in recipe):
        values = [compare.describe(recipe[key]) if key in recipe else "" for recipe in recipes]
        if len(set(values)) > 1:
            differing[key] = values
        else:
            common[key] = values[0]
    return differing, common


def evenly_spaced(grids: Sequence[Grid]) -> list[Grid]:
    """A few of the grids, the first and the last among them."""
    places = np.linspace(0, len(grids) - 1, min(GRIDS, len(grids))).round().astype(int)
    return [grids[place] for place in places]


def _shown(run: Run, grid: Grid) -> dict[str, Any]:
    return {
        "step": grid.step,
        "minutes": float(run.minutes_at(np.array(grid.step))),
        "picture": drawing.thumbnail(grid.path),
    }


def _network(runs: Sequence[Run], name: str) -> Network:
    prefix = f"{name}_"
    banks: dict[str, dict[str, tuple[Histogram, Histogram]]] = {}
    pictures = {}
    for run in runs:
        own = {
            tag[len(prefix) :].replace("_weight", ""): histograms
            for tag, histograms in run.filters.items()
            if tag.startswith(prefix)
        }
        for bank, histograms in own.items():
            banks.setdefault(bank, {})[run.name] = histograms
        if own:
            pictures[run.name] = drawing.histograms(own)
    return Network(name, banks, pictures)


def _curves(runs: Sequence[Run]) -> list[tuple[str, str]]:
    """Title and picture of each scalar that any run recorded; faces first, then kind by kind."""
    tags = dict.fromkeys(tag for run in runs for tag in run.scalars)
    ordered = sorted(tags, key=lambda tag: (tag != "faces", tag.partition("/")[0]))
    return [
        (tag.rpartition("/")[2].replace("_", " "), drawing.curves(runs, tag)) for tag in ordered
    ]
