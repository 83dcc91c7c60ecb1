"""Train many recipes for the same time each, and measure them: python -m benchmarks.comparison."""

from __future__ import annotations

import argparse
import os
import queue
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks.comparison_page import write_page
from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import make_folder
from edgegan.runtime.options import positive_number
from edgegan.runtime.run_folder import LAST
from edgegan.trainer import checkpoint

EXAMPLES = """\
examples:
  python -m benchmarks.comparison --data faces.zip --minutes 6 --out runs
  python -m benchmarks.comparison --data faces.zip --minutes 6 --out runs --only dcgan wgan
"""
PLAN = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Run:
    """One training: the folder's name, and what trainer.fit is told of its recipe."""

    name: str
    recipe: str
    seed: int
    overrides: list[str]


def main(argv: list[str] | None = None) -> int:
    """Train and evaluate all runs, as many at once as there are cores, and print what they gave.

    Returns 0; the tables and pictures are in the folder of the runs too.

    What was trained for long enough already is left as it is, what was broken off goes on.

    Raises:
        UserError: bad options, or runs that failed, with the files that tell why.
    """
    options = _parse(argv)
    if not options.data.exists():
        raise UserError(f"no such folder or file: {options.data}, expected pictures to train on")
    runs = _read_plan(options.plan)
    unknown = sorted(set(options.only) - {run.name.rpartition("-")[0] for run in runs})
    if unknown:
        raise UserError(f"{options.plan} has no run called {unknown[0]}")
    make_folder(options.out)
    waiting: queue.SimpleQueue[Run] = queue.SimpleQueue()
    chosen = [
        run for run in runs if not options.only or run.name.rpartition("-")[0] in options.only
    ]
    for run in chosen:
        waiting.put(run)
    failed: list[str] = []
    workers = [
        threading.Thread(target=_work, args=(waiting, core, options, failed))
        for core in sorted(os.sched_getaffinity(0))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise UserError(f"{len(failed)} of the runs failed: see {', '.join(sorted(failed))}")
    page = write_page([options.out / run.name for run in chosen], options.out)
    print(page.read_text(encoding="utf-8"))
    return 0


def _work(
    waiting: queue.SimpleQueue[Run], core: int, options: argparse.Namespace, failed: list[str]
) -> None:
    """Make one run after the other on one core, until none is left."""
    while True:
        try:
            run = waiting.get_nowait()
        except queue.Empty:
            return
        print(f"core {core}: {run.name}", flush=True)
        log = options.out / f"{run.name}.log"
        commands = [_training(run, options), _evaluation(run, options)]
        with log.open("a") as output:
            for command in commands:
                if command and _start(command, core, output).returncode:
                    failed.append(str(log))
                    break


def _start(command: list[str], core: int, output: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pinned = f"import os; os.sched_setaffinity(0, {{{core}}}); os.execv({command[0]!r}, {command})"
    return subprocess.run(
        [sys.executable, "-c", pinned], stdout=output, stderr=output, env=environment, check=False
    )


def _training(run: Run, options: argparse.Namespace) -> list[str]:
    """The command that trains a run for what is left of its minutes; empty if none are."""
    folder = options.out / run.name
    done = checkpoint.load(folder / LAST).facts["minutes"] if (folder / LAST).exists() else 0.0
    if done >= options.minutes:
        return []
    beginning = ["--resume"] if done else ["--recipe", run.recipe, "--seed", str(run.seed)]
    overrides = [word for override in run.overrides for word in ("--set", override)]
    return [
        *(sys.executable, "-m", "trainer.fit", *beginning, *overrides),
        *("--data", str(options.data), "--out", str(folder)),
        *("--minutes", str(options.minutes - done), "--epochs", "1000000"),
    ]


def _evaluation(run: Run, options: argparse.Namespace) -> list[str]:
    folder = options.out / run.name
    return [
        *(sys.executable, "-m", "trainer.evaluate", str(folder)),
        *("--data", str(options.data)),
    ]


def _read_plan(path: Path) -> list[Run]:
    """All runs of a plan, in its order but for the further seeds, which come last.

    Raises:
        UserError: the file cannot be read, or is no plan.
    """
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
        runs = [
            Run(f"{name}-{seed}", run["recipe"], seed, plan["everywhere"] + run.get("set", []))
            for name, run in plan["runs"].items()
            for seed in range(run.get("seeds", 1))
        ]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no plan of runs as {PLAN.name} is") from error
    return sorted(runs, key=lambda run: run.seed)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.comparison",
        description="Train every run of a plan for the same time on a core of its own.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--data", type=Path, required=True, help="pictures, as trainer.fit takes")
    parser.add_argument(
        "--minutes", type=positive_number("--minutes"), required=True, help="of training, each"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder for the runs' folders")
    parser.add_argument("--plan", type=Path, default=PLAN, help=f"the runs ({PLAN.name})")
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="of the plan's runs (all)"
    )
    add_debug_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
