"""Train many recipes for the same time each, and measure them: python -m benchmarks.comparison."""

from __future__ import annotations

import argparse
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from benchmarks import measure
from benchmarks.comparison_page import write_page
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import check_not_read, make_folder
from edgegan.runtime.options import named_path, output_folder, positive_number
from edgegan.runtime.run_folder import LAST
from edgegan.trainer import checkpoint

EXAMPLES = """\
examples:
  python -m benchmarks.comparison --data faces.zip --minutes 6 --out runs
  python -m benchmarks.comparison --data faces.zip --minutes 6 --out runs --only dcgan wgan
"""
PLAN = Path(__file__).with_suffix(".yaml")


@dataclass(frozen=True)
class Trial:
    """One training: its name in the plan, and what edgegan fit is told."""

    run: str
    recipe: str
    seed: int
    overrides: list[str]

    @property
    def name(self) -> str:
        """That of its folder."""
        return f"{self.run}-{self.seed}"


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
    check_not_read("--out", [options.out], [options.data])
    plan = read_plan(options.plan)
    unknown = sorted(set(options.only) - {trial.run for trial in plan})
    if unknown:
        raise UserError(f"{options.plan} has no run called {unknown[0]}")
    trials = [trial for trial in plan if not options.only or trial.run in options.only]
    make_folder(options.out)

    def commands(trial: Trial) -> list[list[str]]:
        return [*training(trial, options.data, options.minutes, options.out), evaluation(trial)]

    def evaluation(trial: Trial) -> list[str]:
        folder = str(options.out / trial.name)
        return measure.edgegan_command("evaluate", folder, "--data", str(options.data))

    run_all(trials, commands, options.out)
    page = write_page([options.out / trial.name for trial in trials], options.out)
    print(page.read_text(encoding="utf-8"))
    return 0


def run_all(
    trials: Sequence[Trial], commands: Callable[[Trial], list[list[str]]], out: Path
) -> None:
    """Run each trial's commands one after the other, as many trials at once as there are cores.

    Raises:
        UserError: trials of which a command failed, with the files that tell why.
    """
    waiting: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    for trial in trials:
        waiting.put(trial)
    failed: list[str] = []

    def work(core: int) -> None:
        while True:
            try:
                trial = waiting.get_nowait()
            except queue.Empty:
                return
            print(f"core {core}: {trial.name}", flush=True)
            log = out / f"{trial.name}.log"
            with log.open("a") as output:
                for command in commands(trial):
                    if _start(command, core, output).returncode:
                        failed.append(str(log))
                        break

    workers = [
        threading.Thread(target=work, args=(core,)) for core in sorted(os.sched_getaffinity(0))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise UserError(f"{len(failed)} of the runs failed: see {', '.join(sorted(failed))}")


def training(trial: Trial, data: Path, minutes: float, out: Path) -> list[list[str]]:
    """The command that trains for what is left of a trial's minutes; none if none are."""
    folder = out / trial.name
    done = checkpoint.load(folder / LAST).facts["minutes"] if (folder / LAST).exists() else 0.0
    if done >= minutes:
        return []
    beginning = ["--resume"] if done else ["--recipe", trial.recipe, "--seed", str(trial.seed)]
    overrides = [word for override in trial.overrides for word in ("--set", override)]
    command = [
        *measure.edgegan_command("fit", *beginning, *overrides),
        *("--data", str(data), "--out", str(folder)),
        *("--minutes", str(minutes - done), "--epochs", "1000000"),
    ]
    return [command]


def _start(command: list[str], core: int, output: Any) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    pinned = f"import os; os.sched_setaffinity(0, {{{core}}}); os.execv({command[0]!r}, {command})"
    return subprocess.run(
        [sys.executable, "-c", pinned], stdout=output, stderr=output, env=environment, check=False
    )


def read_plan(path: Path) -> list[Trial]:
    """All runs of a plan, in its order but for the further seeds, which come last.

    Raises:
        UserError: the file cannot be read, or is no plan.
    """
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
        trials = [
            Trial(name, run["recipe"], seed, plan["everywhere"] + run.get("set", []))
            for name, run in plan["runs"].items()
            for seed in range(run.get("seeds", 1))
        ]
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror}") from error
    except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
        raise UserError(f"{path} is no plan of runs as {PLAN.name} is") from error
    return sorted(trials, key=lambda trial: trial.seed)


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.comparison",
        description="Train every run of a plan for the same time on a core of its own.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--data", type=named_path("--data"), required=True, help="pictures, as edgegan fit takes"
    )
    parser.add_argument(
        "--minutes", type=positive_number("--minutes"), required=True, help="of training, each"
    )
    parser.add_argument(
        "--out", type=output_folder("--out"), required=True, help="folder for the runs' folders"
    )
    parser.add_argument(
        "--plan", type=named_path("--plan"), default=PLAN, help=f"the runs ({PLAN.name})"
    )
    parser.add_argument(
        "--only", nargs="+", default=[], metavar="NAME", help="of the plan's runs (all)"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
