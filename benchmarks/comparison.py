"""Train many recipes for the same time each, and measure them: python -m benchmarks.comparison."""

from __future__ import annotations

import argparse
import json
import os
import queue
import subprocess
import sys
import threading
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import measure
from benchmarks.comparison_page import FACES, tables_of, write_strip
from benchmarks.comparison_plan import PLAN, Trial, read_plan
from benchmarks.comparison_record import RECORDS, Record
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import check_not_read, make_folder
from edgegan.runtime.options import named_path, output_folder
from edgegan.runtime.run_folder import LAST
from edgegan.trainer import checkpoint

EXAMPLES = """\
examples:
  python -m benchmarks.comparison --data faces.zip --out runs
  python -m benchmarks.comparison --data faces.zip --out runs --only dcgan wgan
"""
PACKAGES = ("mxnet", "numpy", "onnxruntime")

Run = Callable[[Sequence[str]], str]  # runs a command and returns what it printed
Work = Callable[[Trial, Run], None]


def main(argv: list[str] | None = None) -> int:
    """Train and evaluate all runs, as many at once as there are cores, and print what they gave.

    First all of them for the minutes that the plan has, then those that it wants to pass, of the
    first seed, until they do. Returns 0; what was measured and the first faces of each are in the
    folder of the runs too.

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
    for name in (RECORDS, FACES):
        make_folder(options.out / name)
    for enough in (minutes_are_over, has_passed):
        work = partial(carry_out, data=options.data, out=options.out, enough=enough)
        run_all(trials, work, options.out)
    print(tables_of(options.out / RECORDS))
    return 0


def minutes_are_over(trial: Trial, record: Record) -> bool:
    """Whether a trial was trained for as long as the others."""
    return len(record.evaluations) >= trial.measured_at


def has_passed(trial: Trial, record: Record) -> bool:
    """Whether a trial of which that is asked has passed, or had all the time that it may have."""
    return record.at_most is None or record.passes or len(record.evaluations) == len(trial.marks)


def carry_out(
    trial: Trial, run: Run, data: Path, out: Path, enough: Callable[[Trial, Record], bool]
) -> None:
    """Train a trial from one mark to the next, and measure it there, until it is enough."""
    folder, path = out / trial.name, out / RECORDS / f"{trial.name}.json"
    record = Record.read(path) if path.exists() else None
    while record is None or not enough(trial, record):
        before = record.evaluations if record else []
        for command in training(trial, data, trial.marks[len(before)], folder):
            run(command)
        (evaluation,) = json.loads(run(evaluation_command(folder, data)))
        record = recorded(trial, folder, [*before, evaluation])
        record.write(path)
        if len(record.evaluations) <= trial.measured_at:
            write_strip(folder, out / FACES / f"{trial.name}.jpg")


def recorded(trial: Trial, folder: Path, evaluations: list[dict[str, Any]]) -> Record:
    """What is kept of a trial, after these evaluations."""
    last = checkpoint.load(folder / LAST)
    return Record(
        name=trial.name,
        recipe=last.recipe.to_mapping(),
        seed=trial.seed,
        total_steps=last.facts["total_steps"],
        minutes=trial.minutes,
        measured_at=trial.measured_at,
        at_most=trial.at_most if trial.seed == 0 else None,
        evaluations=evaluations,
        machine={**measure.machine(threads=1), **measure.versions(PACKAGES)},
    )


def training(trial: Trial, data: Path, minutes: float, folder: Path) -> list[list[str]]:
    """The command that trains for what is left of so many minutes; none if none are."""
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


def evaluation_command(folder: Path, data: Path) -> list[str]:
    """What measures a run where it is now, and prints it as JSON."""
    return measure.edgegan_command("evaluate", str(folder / LAST), "--data", str(data), "--json")


def run_all(trials: Sequence[Trial], work: Work, out: Path) -> None:
    """Do the work of each trial, that of as many trials at once as there are cores.

    Raises:
        UserError: trials of which a command failed, with the files that tell why.
    """
    waiting: queue.SimpleQueue[Trial] = queue.SimpleQueue()
    for trial in trials:
        waiting.put(trial)
    failed: list[str] = []

    def of_core(core: int) -> None:
        while True:
            try:
                trial = waiting.get_nowait()
            except queue.Empty:
                return
            print(f"core {core}: {trial.name}", flush=True)
            log = out / f"{trial.name}.log"
            with log.open("a") as output:
                try:
                    work(trial, partial(_run, core=core, output=output))
                except (subprocess.CalledProcessError, UserError) as error:
                    print(error, file=output)
                    failed.append(str(log))

    workers = [
        threading.Thread(target=of_core, args=(core,)) for core in sorted(os.sched_getaffinity(0))
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    if failed:
        raise UserError(f"{len(failed)} of the runs failed: see {', '.join(sorted(failed))}")


def _run(command: Sequence[str], core: int, output: Any) -> str:
    """Run a command on one core; returns what it printed, which goes to ``output`` too.

    Raises:
        CalledProcessError: it failed.
    """
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = list(command)
    pinned = f"import os; os.sched_setaffinity(0, {{{core}}}); os.execv({command[0]!r}, {command})"
    finished = subprocess.run(
        [sys.executable, "-c", pinned],
        stdout=subprocess.PIPE,
        stderr=output,
        env=environment,
        check=False,
        text=True,
    )
    output.write(finished.stdout)
    output.flush()
    finished.check_returncode()
    return finished.stdout


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.comparison",
        description="Train every run of a plan for the same time on a core of its own, and on "
        "until it passes where the plan asks for that.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--data", type=named_path("--data"), required=True, help="pictures, as edgegan fit takes"
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
