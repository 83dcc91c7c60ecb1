"""Images trained on a second, and the memory that takes: python -m benchmarks.training."""

from __future__ import annotations

import argparse
import itertools
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.measure import PeerFailed, Timed, Worker
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.options import whole_number
from edgegan.runtime.statistics import Spread

EXAMPLES = """\
examples:
  python -m benchmarks.training
  python -m benchmarks.training --recipe wgan --no-memory --json training.json
  python -m benchmarks.training --set generator.width=32 --set discriminator.width=32
"""
PACKAGES = ("mxnet", "torch", "numpy", "opencv-python")
OURS = "edgegan"
COMPILED = "compiled"
SYNTHETIC_BATCHES = 4
PICTURE_SIZE = 96  # pixels, as face crops come


@dataclass
class SpeedResult:
    """How fast one peer trains, and that ours is ``times_as_fast``.

    A step's pictures count once for each discriminator update.
    """

    peer: str
    images_per_second: Spread
    times_as_fast: Spread
    peak_memory_mb: float


@dataclass
class MemoryResult:
    """The peak memory of whole trainings on so many pictures, packing and evaluation included."""

    pictures: int
    steps: int
    peak_memory_mb: Spread
    over_fewest: Spread


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0.

    Raises:
        UserError: bad options or recipe, a training that fails, or a report that cannot be
            written.
    """
    options = _parse(argv)
    with Worker(recipe_values, options.recipe, options.set, threads=options.threads) as worker:
        try:
            recipe = worker.call()
        except PeerFailed as error:
            raise UserError(str(error)) from error
    left_out: dict[str, str] = {}
    speed = _measure_speed(recipe, options, left_out)
    memory = _measure_memory(options) if options.memory else []
    report = {
        "benchmark": "training",
        "machine": measure.machine(options.threads),
        "versions": measure.versions(PACKAGES),
        "recipe": recipe,
        "speed": speed,
        "memory": memory,
        "left_out": left_out,
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0


def recipe_values(name: str, overrides: list[str]) -> Timed:
    """In a process of its own, since reading a recipe loads mxnet: the recipe as plain values."""
    from edgegan.trainer import recipe

    return lambda _: recipe.load(name, overrides).to_mapping()


def edgegan(name: str, overrides: list[str]) -> Timed:
    """Steps of our training loop on synthetic pictures, on the CPU."""
    from edgegan.trainer import device, recipe
    from edgegan.trainer.loop import Training

    chosen = recipe.load(name, overrides)
    training = Training(chosen, 0, device.choose("cpu"), pictures=1)
    batches = synthetic_batches(chosen.batch_size, chosen.image_size)
    return lambda _: training.step(batches)


def pytorch(
    values: dict[str, Any],
    threads: int,
    *,
    bfloat16: bool = False,
    compiled: bool = False,
    channels_last: bool = False,
) -> Timed:
    """Steps of the same training in PyTorch on the same pictures; see pytorch_dcgan."""
    import torch

    from benchmarks.pytorch_dcgan import PyTorchTraining

    torch.set_num_threads(threads)
    training = PyTorchTraining(values, bfloat16, compiled, channels_last)
    batches = synthetic_batches(values["batch_size"], values["image_size"])
    return lambda _: training.step(batches)


PYTORCH: dict[str, Callable[[dict[str, Any], int], Timed]] = {
    "PyTorch eager": pytorch,
    "PyTorch eager, bfloat16 autocast": partial(pytorch, bfloat16=True),
    "PyTorch eager, bfloat16 autocast, channels last": partial(
        pytorch, bfloat16=True, channels_last=True
    ),
    "PyTorch compiled": partial(pytorch, compiled=True),
    "PyTorch compiled, bfloat16 autocast, channels last": partial(
        pytorch, bfloat16=True, compiled=True, channels_last=True
    ),
}


def synthetic_batches(batch_size: int, image_size: int) -> Iterator[np.ndarray]:
    """A few batches of noise, float32 (batch_size, 3, S, S) in [-1, 1], over and over."""
    random = np.random.default_rng(0)
    shape = (SYNTHETIC_BATCHES, batch_size, 3, image_size, image_size)
    return itertools.cycle(random.uniform(-1, 1, shape).astype(np.float32))


def _measure_speed(
    recipe: dict[str, Any], options: argparse.Namespace, left_out: dict[str, str]
) -> list[SpeedResult]:
    with ExitStack() as stack:
        workers = _start_workers(recipe, options, stack, left_out)
        measure.progress(f"speed, {options.repetitions} rounds of {len(workers)} peers")
        steps: dict[str, int] = {}
        for name, worker in list(workers.items()):
            try:
                steps[name] = measure.warm_up(partial(worker.seconds, None), options.seconds)
            except PeerFailed as error:
                if name == OURS:
                    raise UserError(f"the training cannot be measured: {error}") from error
                left_out[name] = str(error)
                del workers[name]
        seconds = measure.interleave(
            {name: partial(worker.seconds, None, steps[name]) for name, worker in workers.items()},
            options.repetitions,
        )
        images = recipe["batch_size"] * recipe["discriminator_steps"]
        rates = {
            name: [images * steps[name] / value for value in seconds[name]] for name in workers
        }
        return [
            SpeedResult(
                name,
                Spread.of(rates[name]),
                measure.ratio(rates[OURS], rates[name]),
                worker.peak_memory(),
            )
            for name, worker in workers.items()
        ]


def _start_workers(
    recipe: dict[str, Any],
    options: argparse.Namespace,
    stack: ExitStack,
    left_out: dict[str, str],
) -> dict[str, Worker]:
    """A process for each peer that can run here; why the others cannot goes to ``left_out``."""
    threads = options.threads
    workers = {OURS: Worker(edgegan, options.recipe, options.set, threads=threads)}
    for name, make in PYTORCH.items():
        if not measure.is_installed("torch"):
            left_out[name] = "torch is not installed: pip install '.[train,benchmark]'"
        elif COMPILED in name and not measure.has_compiler():
            left_out[name] = "there is no C++ compiler"
        else:
            workers[name] = Worker(make, recipe, threads, threads=threads)
    for worker in workers.values():
        stack.enter_context(worker)
    return workers


def _measure_memory(options: argparse.Namespace) -> list[MemoryResult]:
    """Train from the command line on a number of pictures and on twice as many, in turn."""
    counts = [options.pictures, 2 * options.pictures]
    measure.progress(
        f"memory, {options.repetitions} rounds of trainings on {counts[0]} and {counts[1]} pictures"
    )
    with tempfile.TemporaryDirectory() as folder:
        for count in counts:
            write_pictures(Path(folder) / f"{count}.zip", count)
        peaks = measure.interleave(
            {str(count): partial(_training_peak, Path(folder), count, options) for count in counts},
            options.repetitions,
        )
    fewest = peaks[str(counts[0])]
    return [
        MemoryResult(
            count,
            options.steps,
            Spread.of(peaks[str(count)]),
            measure.ratio(peaks[str(count)], fewest),
        )
        for count in counts
    ]


def _training_peak(folder: Path, count: int, options: argparse.Namespace) -> float:
    """The peak memory of one training from the command line, in MB."""
    with tempfile.TemporaryDirectory(dir=folder) as run:
        command = measure.edgegan_command("fit", "--recipe", options.recipe)
        command += ["--data", str(folder / f"{count}.zip"), "--out", f"{run}/run"]
        command += ["--steps", str(options.steps), "--device", "cpu"]
        command += [part for override in options.set for part in ("--set", override)]
        finished = measure.run_checked(
            command,
            f"the training on {count} pictures",
            {
                "EDGEGAN_CACHE": f"{run}/cache",  # so that the pictures are packed each time
                "OMP_NUM_THREADS": str(options.threads),
                **_cascade(),
            },
        )
    return finished.peak_memory


def _cascade() -> dict[str, str]:
    """Where the cascade is, for a process with another cache."""
    from edgegan.runtime.detector import CascadeNotFound, find_cascade

    try:
        return {"EDGEGAN_CASCADE": str(find_cascade().resolve())}
    except CascadeNotFound:
        return {}


def write_pictures(path: Path, count: int) -> None:
    """Write a zip of JPEG pictures of blurred noise, each another."""
    import cv2

    random = np.random.default_rng(0)
    size = (PICTURE_SIZE, PICTURE_SIZE)
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(count):
            noise = random.integers(0, 256, (8, 8, 3), dtype=np.uint8)
            _, encoded = cv2.imencode(".jpg", cv2.resize(noise, size))
            archive.writestr(f"{number}.jpg", encoded.tobytes())


def _print(report: dict[str, Any]) -> None:
    recipe = report["recipe"]
    measure.print_header(
        f"Images trained on a second: recipe {recipe['name']}, batch {recipe['batch_size']}, "
        f"generator {recipe['generator']['width']} wide",
        report,
    )
    rows = [
        (
            result.peer,
            result.images_per_second,
            result.times_as_fast,
            f"{result.peak_memory_mb:.0f}",
        )
        for result in report["speed"]
    ]
    headers = ("peer", "images/s", measure.TIMES_AS_FAST, "peak memory of the steps, MB")
    print(tables.markdown(headers, rows))
    if report["memory"]:
        memory = [
            (result.pictures, result.steps, result.peak_memory_mb, result.over_fewest)
            for result in report["memory"]
        ]
        headers = ("pictures", "steps", "peak memory of edgegan fit, MB", "to the first row")
        print("\n" + tables.markdown(headers, memory))
    for name, reason in report["left_out"].items():
        print(f"\nleft out: {name}: {reason}")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.training",
        description="Images trained on a second by us and by the same networks in PyTorch, on "
        "synthetic pictures on the CPU, and the peak memory of training on few and on many.",
        epilog=EXAMPLES,
    )
    parser.add_argument("--recipe", default="dcgan", help="a recipe's name or YAML file (dcgan)")
    measure.add_set_option(parser)
    parser.add_argument(
        "--memory",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="measure the memory of whole trainings too",
    )
    parser.add_argument(
        "--pictures",
        type=whole_number("--pictures", 1),
        default=4000,
        metavar="N",
        help="of the smaller of the two trainings (4000)",
    )
    parser.add_argument(
        "--steps",
        type=whole_number("--steps", 1),
        default=20,
        metavar="N",
        help="of each of the two trainings (20)",
    )
    measure.add_threads_option(parser)
    measure.add_seconds_option(parser, 5)
    measure.add_options(parser, repetitions=7)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
