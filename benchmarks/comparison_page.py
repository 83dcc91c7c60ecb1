"""What the comparison found, in Markdown: python -m benchmarks.comparison_page."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from benchmarks.comparison_record import Record, read_records
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import write_bytes
from edgegan.runtime.grid import read_picture
from edgegan.runtime.options import named_path
from edgegan.runtime.statistics import short
from edgegan.trainer.report import compare
from edgegan.trainer.report.compare import Group, Measure, Pair
from edgegan.trainer.report.drawing import jpeg
from edgegan.trainer.report.runs import read_run

EXAMPLES = """\
examples:
  python -m benchmarks.comparison_page runs/records > comparison.md
"""
FACES = "faces"  # the folder of strips
STRIP = 64  # pixels, the height of a strip
JPEG_QUALITY = 85
SHOWN = ("Fréchet distance", "kernel distance", "precision", "recall", "diversity", "faces of 25")


def main(argv: list[str] | None = None) -> int:
    """Print the tables of the records in a folder; returns 0.

    Raises:
        UserError: bad options, or a folder without records or with a damaged one.
    """
    print(tables_of(_parse(argv).records))
    return 0


def tables_of(folder: Path) -> str:
    """The tables of the records in a folder.

    Raises:
        UserError: there are none, or one is damaged.
    """
    records = read_records(folder)
    if not records:
        raise UserError(f"{folder} has no records of the comparison")
    machines = dict.fromkeys(f"- {_machine(record)}" for record in records)
    parts = ["\n".join(machines), "Until it passes:", _passing_table(records)]
    for minutes in sorted({record.minutes for record in records}, reverse=True):
        alike = [record for record in records if record.minutes == minutes]
        parts += _comparison(minutes, alike)
    return "\n\n".join(parts)


def write_strip(folder: Path, path: Path) -> None:
    """Write the first row of a run's last grid as a JPEG picture.

    Raises:
        UserError: the run or its grid cannot be read, or the picture cannot be written.
    """
    run = read_run(folder, folder.name)
    write_small(read_picture(run.grids[-1].path)[: run.recipe["image_size"]], path)


def write_small(row: np.ndarray, path: Path) -> None:
    """Write a row of faces, uint8 (H, W, 3), RGB, as a JPEG picture of the height STRIP.

    Raises:
        UserError: it cannot be written.
    """
    height, width = row.shape[:2]
    small = cv2.resize(row, (width * STRIP // height, STRIP), interpolation=cv2.INTER_AREA)
    write_bytes(path, jpeg(small, JPEG_QUALITY))


def _machine(record: Record) -> str:
    return ", ".join(f"{name} {value}" for name, value in record.machine.items())


def _passing_table(records: Sequence[Record]) -> str:
    """Of each run that is asked to pass, when it did, or what it has come to."""
    rows = []
    for record in records:
        if record.at_most is None:
            continue
        passing = record.first_passing
        shown = passing or record.evaluations[-1]
        rows.append(
            [
                record.run,
                f"{passing['minutes']:.1f}" if passing else "not passed",
                f"{shown['step']:,}",
                f"{shown['images_seen']:,}",
                f"{shown['faces']['mean']:.2f}",
                f"{shown['metrics']['diversity']:.2f}",
                f"{record.evaluations[-1]['minutes']:.1f}",
            ]
        )
    titles = ["run", "minutes", "steps", "images", "mean faces", "diversity", "minutes trained"]
    return tables.markdown(titles, rows)


def _comparison(minutes: float, records: Sequence[Record]) -> list[str]:
    """What runs of so many minutes measure."""
    groups = compare.group_runs(record.as_compared for record in records if _is_over(record))
    found = compare.in_order(metric for group in groups for metric in group.spreads)
    metrics = [metric for metric in found if metric.title in SHOWN]
    return [
        f"After {minutes:g} minutes:",
        _ways(metrics),
        tables.markdown(
            ["run", "seeds", "steps", "images", *_titles(metrics)], _rows(groups, metrics)
        ),
        "One setting apart:",
        _pairs_table(compare.one_setting_apart(groups), metrics),
        "The first faces of seed 0:",
        tables.markdown(["run", "faces"], [[_name(group), _strip(group)] for group in groups]),
    ]


def _is_over(record: Record) -> bool:
    """Whether it was measured when its minutes were over."""
    return len(record.evaluations) >= record.measured_at


def _ways(metrics: Sequence[Measure]) -> str:
    """How each figure was measured."""
    ways: dict[compare.Way | None, list[str]] = {}
    for metric in metrics:
        ways.setdefault(metric.way, []).append(metric.title)
    return "\n".join(f"- {', '.join(titles)}: {way}" for way, titles in ways.items())


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


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.comparison_page",
        description="Make the tables of docs/comparison.md of what the comparison has recorded.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "records",
        type=named_path("RECORDS"),
        metavar="RECORDS",
        help="the folder of the comparison's records",
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
