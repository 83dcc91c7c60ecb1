"""Images generated a second, beside what a user could pick: python -m benchmarks.throughput."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure, peers
from benchmarks.measure import PeerFailed, Spread, Worker
from runtime.errors import UserError, run_command
from runtime.generator import Generator, find_model
from runtime.latent import draw_latents
from runtime.options import DEFAULT_MODEL, whole_number

EXAMPLES = """\
examples:
  python -m benchmarks.throughput
  python -m benchmarks.throughput --model runs/dcgan.onnx --batches 1,8 --threads 1
  python -m benchmarks.throughput --repetitions 21 --seconds 1 --json throughput.json
"""
PACKAGES = ("onnxruntime", "torch", "openvino", "mxnet", "onnx", "numpy")
INSTALL_ALL = "pip install '.[train,benchmark]'"
INSTALL_TRAIN = "pip install '.[train]'"

EXACT = 1e-4  # how far float32 peers may be from us, in [-1, 1]
ONE_LEVEL = 1.01 / 127.5  # how far uint8 images may be
COARSE = 0.25  # how far a precision that a library picks may be: bfloat16 has 8 bits


@dataclass(frozen=True)
class Peer:
    """Something that generates: its maker in ``peers``, and what has to be installed for it."""

    name: str
    make: Callable[[Path, int], peers.Generate]
    packages: tuple[str, ...] = ()
    install: str = ""
    tolerance: float = EXACT
    takes_plain_export: bool = False  # the file of mxnet's own exporter in place of ours
    needs_compiler: bool = False


OURS = Peer("edgegan", peers.edgegan)
PEERS = (
    OURS,
    Peer("edgegan, seed to uint8", peers.edgegan_images, tolerance=ONE_LEVEL),
    Peer(
        "onnxruntime, mxnet's own export",
        peers.onnxruntime_plain,
        ("mxnet", "onnx"),
        INSTALL_TRAIN,
        takes_plain_export=True,
    ),
    Peer("PyTorch eager", peers.pytorch_batch_norm, ("torch", "onnx"), INSTALL_ALL),
    Peer("PyTorch eager, folded", peers.pytorch, ("torch", "onnx"), INSTALL_ALL),
    Peer(
        "PyTorch compiled, folded",
        peers.pytorch_compiled,
        ("torch", "onnx"),
        INSTALL_ALL,
        needs_compiler=True,
    ),
    Peer("OpenVINO float32", peers.openvino_float32, ("openvino",), INSTALL_ALL),
    Peer("OpenVINO as it comes", peers.openvino_default, ("openvino",), INSTALL_ALL, COARSE),
    Peer("mxnet", peers.mxnet, ("mxnet", "onnx"), INSTALL_TRAIN),
)


@dataclass
class Result:
    """One peer at one batch size."""

    peer: str
    batch: int
    images_per_second: Spread
    ours_over_theirs: Spread
    difference: float  # largest, from our images in [-1, 1]
    agrees: bool


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0.

    Raises:
        UserError: bad options or model, or a report that cannot be written.
    """
    options = _parse(argv)
    path = find_model(options.model).resolve()
    generator = Generator.load(path, "cpu")
    metadata = generator.metadata
    left_out: dict[str, str] = {}
    with ExitStack() as stack:
        workers = _start_workers(path, options.threads, stack, left_out)
        results = []
        for batch in options.batches:
            latents = draw_latents(0, batch, metadata.latent_size, metadata.latent_distribution)
            results += _measure_batch(workers, latents, options, left_out)
        peak_memory = {peer.name: worker.peak_memory() for peer, worker in workers.items()}

    report = {
        "benchmark": "throughput",
        "machine": measure.machine(options.threads),
        "versions": measure.versions(PACKAGES),
        "model": path.name,
        "results": results,
        "peak_memory_mb": peak_memory,
        "left_out": left_out,
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0


def _start_workers(
    path: Path, threads: int, stack: ExitStack, left_out: dict[str, str]
) -> dict[Peer, Worker]:
    """A process for each peer that can run here; why the others cannot goes to ``left_out``."""
    workers = {}
    for peer in PEERS:
        missing = [name for name in peer.packages if not measure.is_installed(name)]
        if missing:
            left_out[peer.name] = f"{missing[0]} is not installed: {peer.install}"
            continue
        if peer.needs_compiler and not any(map(shutil.which, ("c++", "g++", "clang++"))):
            left_out[peer.name] = "there is no C++ compiler"
            continue
        try:
            file = plain_export(path, threads, stack) if peer.takes_plain_export else path
        except PeerFailed as error:
            left_out[peer.name] = str(error)
            continue
        workers[peer] = stack.enter_context(Worker(peer.make, file, threads, threads=threads))
    return workers


def plain_export(path: Path, threads: int, stack: ExitStack) -> Path:
    """The network as mxnet's own exporter writes it, batch norm and all, in a temporary file."""
    output = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "plain.onnx"
    with Worker(peers.mxnet_exporter, path, threads, threads=threads) as exporter:
        exporter.call(output)
    return output


def _measure_batch(
    workers: dict[Peer, Worker],
    latents: np.ndarray,
    options: argparse.Namespace,
    left_out: dict[str, str],
) -> list[Result]:
    """Compare all peers' images with ours, warm all up, then time them in turn."""
    batch = len(latents)
    measure.progress(f"batch {batch}, {options.repetitions} rounds of {len(workers)} peers")
    ours = workers[OURS].call(latents)
    differences: dict[Peer, float] = {}
    calls: dict[Peer, int] = {}
    for peer, worker in list(workers.items()):
        try:
            differences[peer] = difference(worker.call(latents), ours)
            calls[peer] = measure.warm_up(partial(worker.seconds, latents), options.seconds)
        except PeerFailed as error:
            if peer is OURS:
                raise UserError(f"{options.model} cannot be measured: {error}") from error
            left_out[peer.name] = str(error)
            del workers[peer]
    seconds = measure.interleave(
        {
            peer.name: partial(worker.seconds, latents, calls[peer])
            for peer, worker in workers.items()
        },
        options.repetitions,
    )
    rates = {
        peer: [calls[peer] * batch / value for value in seconds[peer.name]] for peer in workers
    }
    return [
        Result(
            peer.name,
            batch,
            Spread.of(rates[peer]),
            measure.ratio(rates[OURS], rates[peer]),
            differences[peer],
            differences[peer] <= peer.tolerance,
        )
        for peer in workers
    ]


def difference(images: np.ndarray, ours: np.ndarray) -> float:
    """The largest difference between two batches of images, in [-1, 1]."""
    if images.dtype == np.uint8:
        images = images.transpose(0, 3, 1, 2) / 127.5 - 1
    return float(np.abs(images - ours).max())


def _print(report: dict[str, Any]) -> None:
    measure.print_header(f"Images generated a second, {report['model']}", report)
    rows = [
        (
            result.batch,
            result.peer,
            result.images_per_second,
            result.ours_over_theirs,
            f"{result.difference:.0e}" + ("" if result.agrees else ", DISAGREES"),
        )
        for result in report["results"]
    ]
    headers = ("batch", "peer", "images/s", "ours / theirs", "largest difference from ours")
    print(measure.table(headers, rows))
    memory = [(name, f"{peak:.0f}") for name, peak in report["peak_memory_mb"].items()]
    print("\n" + measure.table(("peer", "peak memory, MB"), memory))
    for name, reason in report["left_out"].items():
        print(f"\nleft out: {name}: {reason}")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.throughput",
        description="Images generated a second, by us and by what a user could pick instead. "
        '"Folded" is a network whose batch norm is part of its convolutions, as in our files.',
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "--model",
        default=DEFAULT_MODEL,
        help=f"a shipped model's name, or the path of an exported .onnx ({DEFAULT_MODEL})",
    )
    parser.add_argument(
        "--batches",
        type=_batches,
        default=[1, 25, 64],
        metavar="N,N,…",
        help="batch sizes (1,25,64)",
    )
    measure.add_threads_option(parser)
    measure.add_seconds_option(parser, 0.5)
    measure.add_options(parser, repetitions=11)
    return parser.parse_args(argv)


def _batches(text: str) -> list[int]:
    return [whole_number("--batches", 1, 4096)(part) for part in text.split(",")]


if __name__ == "__main__":
    run_command(main)
