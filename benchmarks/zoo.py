"""Export the systems of the comparison that pass, a small file each: python -m benchmarks.zoo."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.comparison_page import write_small
from benchmarks.comparison_record import RECORDS, Record, read_records
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import make_folder
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import tight_grid
from edgegan.runtime.options import DEFAULT_SEED, named_path, output_folder
from edgegan.runtime.run_folder import LAST

EXAMPLES = """\
examples:
  python -m benchmarks.zoo runs/comparison --out samples/zoo
"""
MOST_BYTES = 1_000_000
GRIDS = "0-39"  # seeds that a file is graded by
STRIP_FACES = 8


def main(argv: list[str] | None = None) -> int:
    """Export what passes, with its record and a strip of faces, and print the table of all.

    Returns 0. What is in the folder and not among the runs stays there, and in the table.

    Raises:
        UserError: bad options, a run that cannot be exported or a file that is too large.
    """
    options = _parse(argv)
    make_folder(options.out)
    for record in read_records(options.runs / RECORDS):
        if record.at_most is not None and record.passes:
            measure.progress(f"exporting {record.run}")
            _export(options.runs / record.name, record, options.out)
    print(table_of(options.out))
    return 0


def table_of(folder: Path) -> str:
    """The table of a zoo's files.

    Raises:
        UserError: a record, or a file, cannot be read.
    """
    rows = []
    for record in read_records(folder):
        model = folder / f"{record.run}.onnx"
        last = record.evaluations[-1]
        rows.append(
            [
                f"`{model.name}`",
                f"{model.stat().st_size / 1e6:.2f}",
                _score(model),
                f"{last['metrics']['frechet_distance']:.0f}",
                f"{last['metrics']['diversity']:.2f}",
                f"{last['minutes']:.0f}",
                f"{last['images_seen']:,}",
                f"![]({record.run}.jpg)",
            ]
        )
    titles = ["file", "MB", "faces of 25", "Fréchet distance", "diversity"]
    return tables.markdown([*titles, "minutes", "images", "the first faces"], rows)


def _export(run: Path, record: Record, folder: Path) -> None:
    """Write a run's generator, its record and its first faces."""
    model = folder / f"{record.run}.onnx"
    words = ["export", str(run / LAST), "-o", str(model), "--optimize", "3"]
    measure.run_checked(measure.edgegan_command(*words), f"the export of {run}")
    if model.stat().st_size > MOST_BYTES:
        raise UserError(f"{model} is {model.stat().st_size} bytes, expected {MOST_BYTES} at most")
    record.write(folder / f"{record.run}.json")
    faces = Generator.load(model, "cpu").images(DEFAULT_SEED, STRIP_FACES)
    write_small(tight_grid(faces, 1, STRIP_FACES, gap=0), folder / f"{record.run}.jpg")


def _score(model: Path) -> str:
    """How many faces of 25 are found, over GRIDS."""
    words = ["score", "--model", str(model), "--seeds", GRIDS, "--json"]
    graded: dict[str, Any] = json.loads(
        measure.run_checked(
            measure.edgegan_command(*words), "edgegan score", statuses=measure.PASS_OR_FAIL
        ).output
    )
    return f"{graded['mean']:.2f}"


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.zoo",
        description="Export the systems that passed in a comparison with integer weights, a file "
        "each, and print their table.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "runs", type=named_path("RUNS"), metavar="RUNS", help="the folder of the comparison's runs"
    )
    parser.add_argument(
        "--out", type=output_folder("--out"), required=True, help="the folder of the files"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
