"""What the gradient penalty costs a step of training: python -m benchmarks.gradient_penalty."""

from __future__ import annotations

import argparse
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

from benchmarks import measure
from benchmarks.measure import PeerFailed, Worker
from benchmarks.training import edgegan, recipe_values
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.statistics import Spread

EXAMPLES = """\
examples:
  python -m benchmarks.gradient_penalty
  python -m benchmarks.gradient_penalty --set batch_size=128 --json gradient_penalty.json
  python -m benchmarks.gradient_penalty --set generator.width=32 --set discriminator.width=32
"""
PACKAGES = ("mxnet", "numpy")
RECIPE = "wgan"
# 5 x 5 kernels and a critic without norm, which the penalty asks for, for both.
NETWORKS = ["generator.kernel=5", "discriminator.kernel=5", "discriminator.norm=none"]
CLIPPED, PENALISED = "clipping", "gradient penalty"
CONSTRAINTS = {CLIPPED: [], PENALISED: ["objective.clip=null", "penalty={name: gradient}"]}


@dataclass
class Result:
    """How long a step with a constraint takes: all critic updates and the generator's."""

    constraint: str
    seconds: Spread
    over_clipped: Spread
    peak_memory_mb: float


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0.

    Raises:
        UserError: bad options or recipe, a training that fails, or a report that cannot be
            written.
    """
    options = _parse(argv)
    overrides = {
        name: [*NETWORKS, *options.set, *constraint] for name, constraint in CONSTRAINTS.items()
    }
    try:
        with Worker(recipe_values, RECIPE, overrides[PENALISED], threads=options.threads) as worker:
            recipe = worker.call()
        results = _measure(overrides, options)
    except PeerFailed as error:
        raise UserError(str(error)) from error
    report = {
        "benchmark": "gradient_penalty",
        "machine": measure.machine(options.threads),
        "versions": measure.versions(PACKAGES),
        "recipe": recipe,
        "results": results,
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0


def _measure(overrides: dict[str, list[str]], options: argparse.Namespace) -> list[Result]:
    with ExitStack() as stack:
        workers = {
            name: stack.enter_context(Worker(edgegan, RECIPE, each, threads=options.threads))
            for name, each in overrides.items()
        }
        measure.progress(f"steps, {options.repetitions} rounds of {len(workers)} constraints")
        steps = {
            name: measure.warm_up(partial(worker.seconds, None), options.seconds)
            for name, worker in workers.items()
        }
        totals = measure.interleave(
            {name: partial(worker.seconds, None, steps[name]) for name, worker in workers.items()},
            options.repetitions,
        )
        seconds = {name: [total / steps[name] for total in totals[name]] for name in workers}
        return [
            Result(
                name,
                Spread.of(seconds[name]),
                measure.ratio(seconds[name], seconds[CLIPPED]),
                worker.peak_memory(),
            )
            for name, worker in workers.items()
        ]


def _print(report: dict[str, Any]) -> None:
    recipe = report["recipe"]
    measure.print_header(
        f"A step with the gradient penalty and one with clipping: batch {recipe['batch_size']}, "
        f"generator {recipe['generator']['width']} wide, critic "
        f"{recipe['discriminator']['width']} wide, {recipe['discriminator_steps']} critic updates",
        report,
    )
    rows = [
        (result.constraint, result.seconds, result.over_clipped, f"{result.peak_memory_mb:.0f}")
        for result in report["results"]
    ]
    headers = ("constraint", "seconds a step", f"to {CLIPPED}", "peak memory, MB")
    print(tables.markdown(headers, rows))


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.gradient_penalty",
        description="The time that a step of training takes with the gradient penalty and with "
        "clipping, on the same networks and synthetic pictures on the CPU.",
        epilog=EXAMPLES,
    )
    measure.add_set_option(parser)
    measure.add_threads_option(parser)
    measure.add_seconds_option(parser, 5)
    measure.add_options(parser, repetitions=7)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
