"""What the comparison found: tables in Markdown and strips of faces, as docs/comparison.md has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import cv2

from benchmarks import measure
from edgegan.runtime import tables
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import make_folder, write_bytes
from edgegan.runtime.grid import read_picture
from edgegan.runtime.statistics import short
from edgegan.trainer.report import compare
from edgegan.trainer.report.compare import Group, Measure, Pair
from edgegan.trainer.report.drawing import jpeg
from edgegan.trainer.report.runs import RecordedRun, read_run

PAGE = "comparison.md"
FACES = "faces"  # the folder of strips
STRIP = 64  # pixels, the height of a strip
JPEG_QUALITY = 85
SHOWN = ("Fréchet distance", "kernel distance", "precision", "recall", "diversity", "faces of 25")


def write_page(folders: Sequence[Path], out: Path) -> Path:
    """Write the page and a strip of faces of every run to a folder; returns the page's path.

    Args:
        folders: of runs that edgegan evaluate has measured, a strip named after each.

    Raises:
        UserError: a folder that holds no run or a damaged one, or a file that cannot be written.
    """
    runs = [_read(folder) for folder in folders]
    groups = compare.group_runs(runs)
    found = compare.in_order(metric for group in groups for metric in group.spreads)
    metrics = [metric for metric in found if metric.title in SHOWN]
    make_folder(out / FACES)
    for run in runs:
        _write_strip(run, out / FACES / f"{run.name}.jpg")
    parts = [
        _how(runs, metrics),
        tables.markdown(
            ["run", "seeds", "steps", "images", *_titles(metrics)], _rows(groups, metrics)
        ),
        "One setting apart:",
        _pairs_table(compare.one_setting_apart(groups), metrics),
        "The first faces of seed 0:",
        tables.markdown(["run", "faces"], [[_name(group), _strip(group)] for group in groups]),
    ]
    page = out / PAGE
    write_bytes(page, "\n\n".join([*parts, ""]).encode())
    return page


def _read(folder: Path) -> RecordedRun:
    """A run of which nothing is missing."""
    run = read_run(folder, folder.name)
    if run.left_out:
        raise UserError(f"cannot read {run.left_out[0]}")
    return run


def _how(runs: Sequence[RecordedRun], metrics: Sequence[Measure]) -> str:
    """The machine, the versions, and how each figure was measured."""
    facts = {**measure.machine(threads=1), **measure.versions(["mxnet", "numpy", "onnxruntime"])}
    minutes = [run.facts.minutes for run in runs]
    ways: dict[compare.Way | None, list[str]] = {}
    for metric in metrics:
        ways.setdefault(metric.way, []).append(metric.title)
    lines = [
        ", ".join(f"{name} {value}" for name, value in facts.items()),
        f"minutes of training: {min(minutes):.1f} to {max(minutes):.1f}",
        *(f"{', '.join(titles)}: {way}" for way, titles in ways.items()),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _rows(groups: Sequence[Group], metrics: Sequence[Measure]) -> list[list[str]]:
    best = {metric: compare.best(groups, metric) for metric in metrics}
    return [
        [
            _name(group),
            str(len(group.runs)),
            _range([run.facts.step for run in group.runs]),
            _range([run.facts.images_seen for run in group.runs]),
            *(_cell(group, metric, bold=group in best[metric]) for metric in metrics),
        ]
        for group in groups
    ]


def _pairs_table(pairs: Sequence[Pair], metrics: Sequence[Measure]) -> str:
    headlines = [metric for metric in metrics if metric.headline]
    rows = [
        [
            f"{_name(pair.before)} → {_name(pair.after)}",
            *(
                f"{_cell(pair.before, metric)} → {_cell(pair.after, metric)}"
                + (f", {verdict}" if (verdict := pair.verdict(metric)) else "")
                if metric in pair.measures
                else ""
                for metric in headlines
            ),
        ]
        for pair in pairs
    ]
    return tables.markdown(["runs", *_titles(headlines)], rows)


def _titles(metrics: Sequence[Measure]) -> list[str]:
    return [metric.title for metric in metrics]


def _name(group: Group) -> str:
    """What its runs are called but for the seed."""
    return group.runs[0].name.rpartition("-")[0]


def _range(values: Sequence[int]) -> str:
    least, greatest = min(values), max(values)
    return f"{least:,}" if least == greatest else f"{least:,} to {greatest:,}"


def _cell(group: Group, metric: Measure, bold: bool = False) -> str:
    """The mean over the seeds, and the range where there are several."""
    if metric not in group.spreads:
        return ""
    spread = group.spreads[metric]
    mean, least, greatest = map(short, (spread.mean, spread.least, spread.greatest))
    mean = f"**{mean}**" if bold else mean
    return f"{mean} ({least} to {greatest})" if spread.count > 1 else mean


def _strip(group: Group) -> str:
    return f"![]({FACES}/{group.runs[0].name}.jpg)"


def _write_strip(run: RecordedRun, path: Path) -> None:
    """The first row of its last grid, as a JPEG picture."""
    row = read_picture(run.grids[-1].path)[: run.recipe["image_size"]]
    height, width = row.shape[:2]
    small = cv2.resize(row, (width * STRIP // height, STRIP), interpolation=cv2.INTER_AREA)
    write_bytes(path, jpeg(small, JPEG_QUALITY))
