"""The page: all that is known of the runs, in one file."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from edgegan.runtime.run_folder import FACES
from edgegan.trainer.mappings import flat
from edgegan.trainer.report import compare, drawing
from edgegan.trainer.report.runs import MOST_GRIDS, Grid, Histogram, RecordedRun

LARGE, SMALL = 680, 256  # pixels a side, at the most: five faces of 128 pixels, and of 48
CELL = 64  # of a face in a table of words
NETWORKS = ("generator", "discriminator")  # what the names of filter banks begin with


@dataclass(frozen=True)
class FilterBanks:
    """The filter banks of a network: histograms by bank and run, and a picture of them by run."""

    name: str
    banks: dict[str, dict[str, tuple[Histogram, Histogram]]]
    pictures: dict[str, str]


def render(runs: Sequence[RecordedRun], left_out: Sequence[str] = ()) -> str:
    """The page about at least one run, as HTML that needs no other file, no network, no script.

    Args:
        left_out: sentences about what could not be read.

    Raises:
        UserError: a grid cannot be read any more.
    """
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["minutes"] = lambda value: f"{value:,.{0 if value >= 10 else 1}f} min"
    environment.filters["breakable"] = breakable
    environment.filters["count"] = lambda value: "\N{EN DASH}" if value is None else f"{value:,}"
    groups = compare.group_runs(runs)
    differing, common = setting_rows(runs)
    return environment.get_template("page.html").render(
        runs=runs,
        left_out=left_out,
        most_grids=MOST_GRIDS,
        least_seeds=compare.LEAST_SEEDS,
        lines=[drawing.Line.of(place) for place in range(len(runs))],
        last=[_last(run) for run in runs],
        grids={run.name: [_shown(run, grid, SMALL) for grid in run.grids] for run in runs},
        word_tables={run.name: run.word_table for run in runs if run.word_table},
        cell=partial(drawing.pixels_as_jpeg, side=CELL),
        tables=compare.tables(groups),
        alone=lambda run: compare.Group((run,)),
        comparisons={
            "One setting apart": compare.one_setting_apart(groups),
            "Objectives or penalties, with what they bring along": compare.objectives_apart(groups),
        },
        curves=_curves(runs),
        beginnings=[", ".join(map(str, compare.beginnings(run))) for run in runs],
        differing=differing,
        common=common,
        networks=[network for network in map(partial(_network, runs), NETWORKS) if network.banks],
    )


def breakable(text: str) -> Markup:
    """Text that may go on in the next line after a mark within a word, as HTML."""
    return Markup(re.sub("(?<=[a-z])([._/-])", r"\1<wbr>", str(escape(text))))


def setting_rows(runs: Sequence[RecordedRun]) -> tuple[dict[str, list[str]], dict[str, str]]:
    """The recipes' keys that differ, with every run's value, and those that are common to all.

    A key that a run's recipe lacks is empty for it.
    """
    recipes = [flat(run.recipe) for run in runs]
    differing, common = {}, {}
    for key in dict.fromkeys(key for recipe in recipes for key in recipe):
        values = [compare.describe(recipe[key]) if key in recipe else "" for recipe in recipes]
        if len(set(values)) > 1:
            differing[key] = values
        else:
            common[key] = values[0]
    return differing, common


def _last(run: RecordedRun) -> dict[str, Any] | None:
    """The last grid and the faces counted then, None where there is no such count, or no grid."""
    if not run.grids:
        return None
    grid = run.grids[-1]
    return {**_shown(run, grid, LARGE), "faces": run.faces_at(grid.step)}


def _shown(run: RecordedRun, grid: Grid, side: int) -> dict[str, Any]:
    return {
        "step": grid.step,
        "minutes": float(run.minutes_at(np.array(grid.step))),
        "picture": drawing.picture(grid.path, side),
    }


def _network(runs: Sequence[RecordedRun], name: str) -> FilterBanks:
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
    return FilterBanks(name, banks, pictures)


def _curves(runs: Sequence[RecordedRun]) -> list[tuple[str, tuple[str, str]]]:
    """Title and pictures of each scalar that any run recorded; faces first, then kind by kind."""
    tags = dict.fromkeys(tag for run in runs for tag in run.scalars)
    ordered = sorted(tags, key=lambda tag: (tag != FACES, tag.partition("/")[0]))
    return [(_title(tag), drawing.curves(runs, tag)) for tag in ordered]


def _title(tag: str) -> str:
    """A scalar's name in words, with its kind where that is not one of them."""
    kind, _, name = tag.rpartition("/")
    words = name.replace("_", " ")
    return words if kind in words else f"{words} ({kind})"
