"""From a zip of pictures to a grid that passes: python -m benchmarks.quick."""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks import measure
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.cores import available_cores
from edgegan.runtime.detector import PASS_ABOVE, find_cascade
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.options import add_cascade_option, named_path, whole_number
from edgegan.runtime.statistics import Spread

EXAMPLES = """\
examples:
  python -m benchmarks.quick --data faces.zip
  python -m benchmarks.quick --data faces.zip --recipe dcgan --set epochs=3
"""
PACKAGES = ("mxnet", "onnxruntime", "numpy")
GRIDS = 20  # seeds that a model is graded by


@dataclass
class SeedResult:
    """One seed: all that a user waits for, in seconds, and what the model then scores."""

    seed: int
    training_seconds: float
    export_seconds: float
    mean_faces: float
    least_faces: int

    @property
    def seconds(self) -> float:
        """From the pictures to the exported model."""
        return self.training_seconds + self.export_seconds


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0 where every seed's model passes on average, 1 otherwise.

    Raises:
        UserError: bad options or pictures, or a command of ours that fails.
    """
    options = _parse(argv)
    if not options.data.exists():
        raise UserError(f"no such folder or file: {options.data}, expected pictures to train on")
    cascade = find_cascade(options.cascade)
    results = []
    for seed in range(options.seeds):
        measure.progress(f"seed {seed}")
        with tempfile.TemporaryDirectory() as folder:
            results.append(_measure(options, seed, cascade, Path(folder)))
    report = {
        "benchmark": "quick",
        "machine": measure.machine(available_cores()),
        "versions": measure.versions(PACKAGES),
        "recipe": options.recipe,
        "overrides": options.set,
        "results": results,
        "seconds": Spread.of([result.seconds for result in results]),
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0 if all(result.mean_faces > PASS_ABOVE for result in results) else 1


def _measure(options: argparse.Namespace, seed: int, cascade: Path, folder: Path) -> SeedResult:
    """Train, export and grade in processes of their own, with no pictures packed before."""
    run, model = folder / "run", folder / "model.onnx"
    overrides = [word for override in options.set for word in ("--set", override)]
    environment = {"EDGEGAN_CACHE": str(folder / "cache"), "EDGEGAN_CASCADE": str(cascade)}

    def command(*words: str, statuses: Sequence[int] = (0,)) -> measure.Finished:
        name = f"edgegan {words[0]}"
        return measure.run_checked(measure.edgegan_command(*words), name, environment, statuses)

    recipe = ["--recipe", options.recipe, "--seed", str(seed), *overrides]
    training = command("fit", *recipe, "--data", str(options.data), "--out", str(run))
    export = command("export", str(run), "-o", str(model))
    seeds = f"0-{GRIDS - 1}"
    grading = ["--model", str(model), "--seeds", seeds, "--json"]
    score = command("score", *grading, statuses=measure.PASS_OR_FAIL)
    graded = json.loads(score.output)
    return SeedResult(seed, training.seconds, export.seconds, graded["mean"], graded["minimum"])


def _print(report: dict[str, Any]) -> None:
    measure.print_header(f"From a zip to a model that passes, recipe {report['recipe']}", report)
    rows = [
        [
            result.seed,
            f"{result.training_seconds:.1f}",
            f"{result.export_seconds:.1f}",
            f"{result.seconds:.1f}",
            f"{result.mean_faces:.2f}",
            result.least_faces,
        ]
        for result in report["results"]
    ]
    headers = ("seed", "training s", "export s", "together s", "faces, mean", "least")
    print(tables.markdown(headers, rows))
    print(f"\n{report['seconds']} seconds; faces of 25 over {GRIDS} grids")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.quick",
        description="Time the way from pictures to an exported model whose grids pass.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--data", type=named_path("--data"), required=True, help="pictures, as edgegan fit takes"
    )
    parser.add_argument("--recipe", default="quick", help="a recipe of the trainer (quick)")
    measure.add_set_option(parser)
    parser.add_argument(
        "--seeds", type=whole_number("--seeds", 1), default=3, metavar="N", help="runs (3)"
    )
    add_cascade_option(parser)
    measure.add_json_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
