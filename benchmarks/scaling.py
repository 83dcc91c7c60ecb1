"""How cost grows with threads, batches and the number of images: python -m benchmarks.scaling.

Threads and batches are those of the runtime, from latents, with words where the model takes them,
to bytes. By default each thread computes a share of the batch, and at most 64 images are computed
at once, so more than that cost what 64 do; with ``--prefer latency`` all threads compute one image
together. Images are written by the command, with all cores: drawing, encoding and writing.
"""

from __future__ import annotations

import argparse
import itertools
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import measure, peers
from benchmarks.measure import PeerFailed, Worker
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.generator import Generator
from edgegan.runtime.models import find_model
from edgegan.runtime.options import LATENCY, PREFERENCES, THROUGHPUT, add_model_option
from edgegan.runtime.statistics import Spread, short

EXAMPLES = """\
examples:
  python -m benchmarks.scaling
  python -m benchmarks.scaling --batches 1,64 --counts 1000,10000 --json scaling.json
"""
PACKAGES = ("onnxruntime", "opencv-python", "numpy")
BATCH_OF_THREADS = 25
MANY_IMAGES = 10_000  # more than these take so long that they are written less often
ROUNDS_OF_MANY = 3


@dataclass
class Speed:
    """Images a second of one batch size with so many threads, by default and the other way.

    ``over_first`` and ``peak_memory_mb`` are those of the default.
    """

    threads: int
    batch: int
    images_per_second: Spread
    over_first: Spread
    images_per_second_preferring_latency: Spread
    peak_memory_mb: float


@dataclass
class Folder:
    """The command that writes so many images to a folder, from its start to its end."""

    images: int
    seconds: Spread
    images_per_second: Spread
    peak_memory_mb: Spread
    peak_over_first: Spread


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0.

    Raises:
        UserError: bad options or model, a command that fails, or a report that cannot be written.
    """
    options = _parse(argv)
    path = find_model(options.model).resolve()
    cores = available_cores()
    report = {
        "benchmark": "scaling",
        "machine": measure.machine(cores),
        "versions": measure.versions(PACKAGES),
        "model": path.name,
        "threads": _speeds(
            path, [(number, BATCH_OF_THREADS) for number in range(1, cores + 1)], options
        ),
        "batches": _speeds(path, [(cores, batch) for batch in options.batches], options),
        "folders": folders(options.counts, options.repetitions, partial(_write_images, path)),
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0


def _speeds(
    path: Path, settings: list[tuple[int, int]], options: argparse.Namespace
) -> list[Speed]:
    """Time threads and batches in turn, each preference in a process of its own."""
    generator = Generator.load(path, "cpu")
    measure.progress(f"{options.repetitions} rounds of {len(settings)} threads or batches")
    takes, images, workers = {}, {}, {}

    def name_of(threads: int, batch: int, prefer: str) -> str:
        return f"{threads}, {batch}, {prefer}"

    with ExitStack() as stack:
        for (threads, batch), prefer in itertools.product(settings, PREFERENCES):
            inputs = peers.inputs_of_seed(generator, 0, batch)
            worker = Worker(peers.edgegan, path, threads, prefer, threads=threads)
            stack.enter_context(worker)
            try:
                calls = measure.warm_up(partial(worker.seconds, inputs), options.seconds)
            except PeerFailed as error:
                raise UserError(f"{path} cannot be measured: {error}") from error
            name = name_of(threads, batch, prefer)
            takes[name] = partial(worker.seconds, inputs, calls)
            images[name], workers[name] = calls * batch, worker
        seconds = measure.interleave(takes, options.repetitions)
        rates = {name: [images[name] / value for value in seconds[name]] for name in takes}
        first = rates[name_of(*settings[0], THROUGHPUT)]
        return [
            Speed(
                threads,
                batch,
                Spread.of(rates[name_of(threads, batch, THROUGHPUT)]),
                measure.ratio(rates[name_of(threads, batch, THROUGHPUT)], first),
                Spread.of(rates[name_of(threads, batch, LATENCY)]),
                workers[name_of(threads, batch, THROUGHPUT)].peak_memory(),
            )
            for threads, batch in settings
        ]


def folders(
    counts: Sequence[int], repetitions: int, write: Callable[[int], measure.Finished]
) -> list[Folder]:
    """Write folders of images in turn, those of many images in the first rounds only.

    Args:
        counts: of images, each in a folder of its own.
        write: writes so many images.
    """
    peaks: dict[str, list[float]] = {str(count): [] for count in counts}

    def take(count: int) -> float:
        measure.progress(f"{count} images written to a folder")
        finished = write(count)
        peaks[str(count)].append(finished.peak_memory)
        return finished.seconds

    takes = {str(count): partial(take, count) for count in counts}
    rounds = min(ROUNDS_OF_MANY, repetitions)
    seconds = measure.interleave(takes, rounds)
    few = {name: takes[name] for name in takes if int(name) <= MANY_IMAGES}
    for name, more in measure.interleave(few, repetitions - rounds).items():
        seconds[name] += more
    first = peaks[str(counts[0])]
    return [
        Folder(
            count,
            Spread.of(seconds[str(count)]),
            Spread.of([count / value for value in seconds[str(count)]]),
            Spread.of(peaks[str(count)]),
            measure.ratio(peaks[str(count)], first),
        )
        for count in counts
    ]


def _write_images(path: Path, count: int) -> measure.Finished:
    """Run the command on an empty folder; raises UserError if it fails."""
    with tempfile.TemporaryDirectory() as folder:
        command = measure.edgegan_command("generate", "--model", str(path))
        command += ["--images", f"{folder}/images", "--count", str(count), "--provider", "cpu"]
        return measure.run_checked(command, f"writing {count} images")


def _print(report: dict[str, Any]) -> None:
    measure.print_header(f"How cost grows, {report['model']}", report)
    for key, first in (("threads", "one thread"), ("batches", "the first batch")):
        speeds = [
            (
                each.threads,
                each.batch,
                each.images_per_second,
                each.over_first,
                each.images_per_second_preferring_latency,
                short(1e3 / each.images_per_second.median),
                f"{each.peak_memory_mb:.0f}",
            )
            for each in report[key]
        ]
        headers = (
            *("threads", "batch", "images/s", f"to {first}", "with --prefer latency, images/s"),
            *("ms an image", "peak memory, MB"),
        )
        print(tables.markdown(headers, speeds) + "\n")
    folders = [
        (
            f"{each.images:,}",
            each.seconds.count,
            each.seconds,
            each.images_per_second,
            each.peak_memory_mb,
            each.peak_over_first,
        )
        for each in report["folders"]
    ]
    titles = (
        *("images written", "times", "seconds", "images/s", "peak memory, MB"),
        "to the first row",
    )
    print(tables.markdown(titles, folders))


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.scaling",
        description="Images a second by threads and by batch size, and the time and memory of "
        f"writing few images and many: more than {MANY_IMAGES:,} are written at most "
        f"{ROUNDS_OF_MANY} times, since that takes long.",
        epilog=EXAMPLES,
    )
    add_model_option(parser)
    parser.add_argument(
        "--batches",
        type=measure.whole_numbers("--batches", 1, 4096),
        default=[1, 2, 4, 8, 16, 32, 64, 128, 256],
        metavar="N,N,…",
        help="batch sizes (1,2,4,8,16,32,64,128,256)",
    )
    parser.add_argument(
        "--counts",
        type=measure.whole_numbers("--counts", 1, 10_000_000),
        default=[1_000, 100_000],
        metavar="N,N,…",
        help="images to write (1000,100000)",
    )
    measure.add_seconds_option(parser, 0.5)
    measure.add_options(parser, repetitions=5)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
