"""From a shell's prompt to a graded picture: python -m benchmarks.cold_start."""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import measure, networks, peers
from benchmarks.measure import PeerFailed, Timed, Worker
from benchmarks.networks import FloatNetwork
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import run_command
from edgegan.runtime.models import find_model
from edgegan.runtime.options import add_model_option
from edgegan.runtime.statistics import Spread

EXAMPLES = """\
examples:
  python -m benchmarks.cold_start
  python -m benchmarks.cold_start --model wgan --repetitions 15 --json cold_start.json
"""
PACKAGES = ("onnxruntime", "opencv-python", "numpy", "torch", "matplotlib")
RUN_GAN = measure.ROOT / "run_gan.sh"
OURS = "./run_gan.sh (draws and counts)"
GENERATE = "edgegan generate (draws)"
PYTORCH = "PyTorch script (draws)"
ENVIRONMENT = {"MPLBACKEND": "Agg"}


@dataclass
class CommandResult:
    """One command from its start to its end; ours is ``times_as_fast`` as it."""

    command: str
    seconds: Spread
    times_as_fast: Spread
    peak_memory_mb: Spread


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0.

    Raises:
        UserError: bad options, a command of ours that fails, or a report that cannot be written.
    """
    options = _parse(argv)
    left_out: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = _resolve(options.model)
        commands = {
            OURS: [
                *("bash", str(RUN_GAN), "--model", model),
                *("--output", str(folder / "run_gan.png")),
            ],
            GENERATE: [
                *measure.edgegan_command("generate", "--model", model),
                *("--output", str(folder / "generate.png")),
            ],
        }
        _first_run(commands[OURS])
        network = None
        try:
            network = networks.float_network(
                find_model(model), options.network, folder, available_cores()
            )
            commands[PYTORCH] = _pytorch_command(network, folder)
        except PeerFailed as error:
            left_out[PYTORCH] = str(error)
        results = _measure_commands(commands, options.repetitions)
        parts = _measure_parts(model, folder, options.repetitions)
        if PYTORCH in commands and network and network.is_the_models:
            difference = _picture_difference(folder / "generate.png", folder / "pytorch.png")
        else:
            difference = None
    report = {
        "benchmark": "cold_start",
        "machine": measure.machine(available_cores()),
        "versions": measure.versions(PACKAGES),
        "model": options.model,
        "network": network.origin if network else None,
        "results": results,
        "parts_seconds": parts,
        "pytorch_picture_difference_levels": difference,
        "left_out": left_out,
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0


def pytorch_files(network: Path, folder: Path) -> Timed:
    """In a process of its own: write the state dict and the rows that the script reads."""
    import numpy as np
    import torch

    from edgegan.runtime.generator import Generator
    from edgegan.runtime.grid import BASELINE_IMAGES
    from edgegan.runtime.options import DEFAULT_SEED

    weights = peers.pytorch_network(network, batch_norm=True).state_dict()
    generator = Generator.load(network, "cpu")
    rows = peers.rows(peers.inputs_of_seed(generator, DEFAULT_SEED, BASELINE_IMAGES))

    def write(_: None) -> None:
        torch.save(weights, folder / "weights.pth")
        np.save(folder / "rows.npy", rows)

    return write


def _resolve(model: str) -> str:
    """A shipped model's name as it is, a path made absolute."""
    return str(Path(model).resolve()) if Path(model).suffix else model


def _first_run(command: list[str]) -> None:
    """The run before the first that counts: it makes .venv where there is none."""
    measure.progress("the first ./run_gan.sh (which sets up .venv where there is none)")
    measure.run_checked(command, "./run_gan.sh", ENVIRONMENT, measure.PASS_OR_FAIL)


def _pytorch_command(network: FloatNetwork, folder: Path) -> list[str]:
    """What runs the PyTorch script; raises PeerFailed where it cannot be run."""
    if not measure.is_installed("torch"):
        raise PeerFailed("torch is not installed: pip install '.[train,benchmark]'")
    with Worker(pytorch_files, network.path, folder, threads=available_cores()) as worker:
        worker.call()
    script = str(Path(__file__).with_name("pytorch_grid.py"))
    arguments = [str(folder / name) for name in ("weights.pth", "rows.npy", "pytorch.png")]
    return [sys.executable, script, *arguments]


def _measure_commands(commands: dict[str, list[str]], repetitions: int) -> list[CommandResult]:
    """Time whole processes in turn, each run once before."""
    peaks: dict[str, list[float]] = {name: [] for name in commands}

    def take(name: str) -> float:
        statuses = measure.PASS_OR_FAIL if name == OURS else (0,)
        finished = measure.run_checked(commands[name], name, ENVIRONMENT, statuses)
        peaks[name].append(finished.peak_memory)
        return finished.seconds

    measure.progress(f"{repetitions} rounds of {len(commands)} commands")
    takes: dict[str, Callable[[], float]] = {name: partial(take, name) for name in commands}
    measure.interleave(takes, 1)  # brings all files into the system's cache
    for values in peaks.values():
        values.clear()
    seconds = measure.interleave(takes, repetitions)
    return [
        CommandResult(
            name,
            Spread.of(seconds[name]),
            measure.ratio(seconds[name], seconds[OURS]),
            Spread.of(peaks[name]),
        )
        for name in commands
    ]


def _measure_parts(model: str, folder: Path, repetitions: int) -> dict[str, Spread]:
    """What the seconds of run_gan.sh's Python go to, by part."""
    measure.progress(f"{repetitions} rounds of the parts")
    script = str(Path(__file__).with_name("run_gan_parts.py"))
    rounds: list[dict[str, float]] = []
    for _ in range(repetitions):
        command = [sys.executable, script, str(time.time()), model, str(folder / "parts.png")]
        finished = measure.run_checked(command, "the parts of run_gan", ENVIRONMENT)
        rounds.append(json.loads(finished.output))
    return {part: Spread.of([values[part] for values in rounds]) for part in rounds[0]}


def _picture_difference(ours: Path, theirs: Path) -> int:
    """The largest difference between two pictures of the same faces, in levels of 255."""
    import numpy as np

    from edgegan.runtime.grid import read_picture

    return int(np.abs(read_picture(ours).astype(int) - read_picture(theirs)).max())


def _print(report: dict[str, Any]) -> None:
    measure.print_header(f"From the prompt to the picture, model {report['model']}", report)
    rows = [
        (result.command, result.seconds, result.times_as_fast, result.peak_memory_mb)
        for result in report["results"]
    ]
    print(tables.markdown(("command", "seconds", measure.TIMES_AS_FAST, "peak memory, MB"), rows))
    parts = list(report["parts_seconds"].items())
    print("\n" + tables.markdown(("part of run_gan.sh's Python", "seconds"), parts))
    if report["network"]:
        print(f"\nPyTorch's script computes the same network with {report['network']}")
    difference = report["pytorch_picture_difference_levels"]
    if difference is not None:
        print(f"\nPyTorch's picture differs from ours by at most {difference} of 255 levels")
    for name, reason in report["left_out"].items():
        print(f"\nleft out: {name}: {reason}")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.cold_start",
        description="The wall time and peak memory of ./run_gan.sh when .venv is there, and of "
        "the script that a PyTorch user would write for the same picture.",
        epilog=EXAMPLES,
    )
    add_model_option(parser)
    networks.add_network_option(parser)
    measure.add_options(parser, repetitions=11)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
