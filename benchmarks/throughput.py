"""Images a second and the latency of one, beside what a user could pick, and what limits them.

python -m benchmarks.throughput. Timed is what turns latents that are there, with words where the
model takes them, into images that are there: bytes of our runtime, of the others the floating-point
numbers that the network itself gives, whose conversion to bytes a user of those peers would have to
add. Only the row "seed to uint8" is all that a user waits for: drawing the latents and the words,
images as bytes.

All peers get all cores. Our runtime uses them as it does by default where images a second are
measured (``--prefer throughput``: a batch of one has one core), and as a user of single images
would have it where their latency is (``--prefer latency``).
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from benchmarks import limit, measure, networks, peers
from benchmarks.limit import Share
from benchmarks.measure import PeerFailed, Worker
from benchmarks.networks import INSTALL_TRAIN, FloatNetwork
from edgegan.export.examples import Inputs
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.generator import Generator
from edgegan.runtime.models import find_model
from edgegan.runtime.options import LATENCY, add_model_option
from edgegan.runtime.quality import decibels
from edgegan.runtime.statistics import Spread

EXAMPLES = """\
examples:
  python -m benchmarks.throughput
  python -m benchmarks.throughput --network level_1.onnx --json throughput.json
  python -m benchmarks.throughput --model runs/dcgan.onnx --batches 1,8 --threads 1
"""
PACKAGES = ("onnxruntime", "torch", "openvino", "mxnet", "onnx", "numpy")
INSTALL_ALL = "pip install '.[train,benchmark]'"

# Least agreement with the float32 network's images, in decibels on [0, 255].
EXACT = 80.0  # float32: the largest difference is some hundredths of a level
ROUNDED = 55.0  # float32, then bytes: rounding alone leaves 59
COARSE = 30.0  # numbers of 8 bits somewhere: bfloat16, or integers


@dataclass(frozen=True)
class Peer:
    """Something that generates.

    Attributes:
        make: its maker in ``peers``.
        file: what it reads: "model", the file that is measured; "network", the same network in
            float32 at level 1; or what that is made into, a key of ``MADE``.
        packages: what has to be installed for it, by ``install``.
        ours: whether it is what the others are compared with, in some form.
        agreement: with the float32 network's images, in decibels.
        make_for_one: its maker for the latency of one image, if a user would set it up for that.
    """

    name: str
    make: Callable[[Path, int], peers.Generate]
    file: str = "network"
    packages: tuple[str, ...] = ()
    install: str = INSTALL_ALL
    ours: bool = False
    agreement: float = EXACT
    needs_compiler: bool = False
    make_for_one: Callable[[Path, int], peers.Generate] | None = None


MADE: dict[str, Callable[[Path], Callable[[Path], None]]] = {
    "mxnet's": networks.mxnets_exporter,
    "level 2": partial(networks.exporter, level=2),
    "level 3": partial(networks.exporter, level=3),
}


def _runtime(
    name: str,
    file: str,
    agreement: float = COARSE,
    make: Callable[..., peers.Generate] = peers.edgegan,
) -> Peer:
    """Our runtime on a file."""
    for_one = partial(make, prefer=LATENCY)
    return Peer(name, make, file, ours=True, agreement=agreement, make_for_one=for_one)


OURS = _runtime("edgegan", "model")
REFERENCE = Peer("onnxruntime, level 1", peers.onnxruntime_plain)
EAGER = Peer("PyTorch eager", peers.pytorch_batch_norm, packages=("torch",))
PEERS = (
    OURS,
    _runtime("edgegan, seed to uint8", "model", make=peers.edgegan_images),
    _runtime("edgegan, level 3 of the peers' weights", "level 3"),
    _runtime("edgegan, level 2", "level 2", ROUNDED),
    REFERENCE,
    Peer("onnxruntime, mxnet's own export", peers.onnxruntime_plain, "mxnet's"),
    EAGER,
    Peer("PyTorch eager, folded", peers.pytorch, packages=("torch",)),
    Peer(
        "PyTorch compiled, folded",
        peers.pytorch_compiled,
        packages=("torch",),
        needs_compiler=True,
    ),
    Peer("OpenVINO float32", peers.openvino_float32, packages=("openvino",)),
    Peer("OpenVINO as it comes", peers.openvino_default, packages=("openvino",), agreement=COARSE),
    # Our graph, so none of the others' doings: OpenVINO has more kernels for convolutions.
    Peer(
        "OpenVINO as it comes, edgegan's level 2",
        peers.openvino_default,
        "level 2",
        ("openvino",),
        ours=True,
        agreement=COARSE,
    ),
    Peer("mxnet", peers.mxnet, packages=("mxnet",), install=INSTALL_TRAIN),
)


@dataclass
class BatchResult:
    """One peer at one batch size, and that ours is ``times_as_fast``.

    ``decibels`` are from the float32 network's images, where the peer computes that network.
    """

    peer: str
    batch: int
    images_per_second: Spread
    times_as_fast: Spread
    decibels: float | None
    agrees: bool


@dataclass
class Latency:
    """One peer's time for one image, and that ours is ``times_as_fast``.

    A round's time is the median of its single calls.
    """

    peer: str
    milliseconds: Spread
    times_as_fast: Spread


@dataclass
class Advantage:
    """In what, and how many times as fast as one peer ours is."""

    what: str
    peer: str
    times_as_fast: Spread


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0.

    Raises:
        UserError: bad options, model or network, or a report that cannot be written.
    """
    options = _parse(argv)
    path = find_model(options.model).resolve()
    generator = Generator.load(path, "cpu")
    left_out: dict[str, str] = {}
    results: list[BatchResult] = []
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        network = _network(path, options, folder, left_out)
        files = peers_files(path, network, folder, options.threads, left_out)
        workers = _start_workers(files, options.threads, stack, left_out)
        draw = partial(peers.inputs_of_seed, generator, 0)
        for batch in options.batches:
            results += _measure_batch(
                workers, draw(batch), network, generator.metadata.value_range, options, left_out
            )
        peak_memory = {peer.name: worker.peak_memory() for peer, worker in workers.items()}
        workers = _set_up_for_one(workers, files, options.threads, stack)
        latencies = _measure_latency(workers, draw(1), options, left_out)
        rates = limit.rates(options.threads, options.seconds, options.repetitions, left_out)
        shares = _shares(results, rates, files, draw(max(options.batches)), options.threads)

    report = {
        "benchmark": "throughput",
        "machine": measure.machine(options.threads),
        "versions": measure.versions(PACKAGES),
        "model": path.name,
        "network": network.origin if network else None,
        "results": results,
        "latencies": latencies,
        "advantages": advantages(results, latencies),
        "peak_memory_mb": peak_memory,
        "rates": rates,
        "shares": shares,
        "left_out": left_out,
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0


def _network(
    path: Path, options: argparse.Namespace, folder: Path, left_out: dict[str, str]
) -> FloatNetwork | None:
    """The network that the peers compute; why there is none goes to ``left_out``."""
    try:
        return networks.float_network(path, options.network, folder, options.threads)
    except PeerFailed as error:
        left_out["all peers"] = str(error)
        return None


def peers_files(
    path: Path, network: FloatNetwork | None, folder: Path, threads: int, left_out: dict[str, str]
) -> dict[str, Path]:
    """What the peers read, by the name that ``Peer.file`` has for it."""
    files = {"model": path}
    if network is None:
        return files
    files["network"] = network.path
    for name in sorted({peer.file for peer in PEERS} & MADE.keys()):
        if not measure.is_installed("mxnet"):
            left_out[f"the file {name}"] = f"mxnet is not installed: {INSTALL_TRAIN}"
            continue
        measure.progress(f"the {name} file of it", "making")
        output = folder / f"{name.replace(' ', '_')}.onnx"
        try:
            with Worker(MADE[name], network.path, threads=threads) as worker:
                worker.call(output)
            files[name] = output
        except PeerFailed as error:
            left_out[f"the file {name}"] = str(error)
    return files


def _start_workers(
    files: dict[str, Path], threads: int, stack: ExitStack, left_out: dict[str, str]
) -> dict[Peer, Worker]:
    """A process for each peer that can run here; why the others cannot goes to ``left_out``."""
    workers = {}
    for peer in PEERS:
        missing = [name for name in peer.packages if not measure.is_installed(name)]
        if missing:
            left_out[peer.name] = f"{missing[0]} is not installed: {peer.install}"
        elif peer.needs_compiler and not measure.has_compiler():
            left_out[peer.name] = "there is no C++ compiler"
        elif peer.file in files:
            worker = Worker(peer.make, files[peer.file], threads, threads=threads)
            workers[peer] = stack.enter_context(worker)
    return workers


def _set_up_for_one(
    workers: dict[Peer, Worker], files: dict[str, Path], threads: int, stack: ExitStack
) -> dict[Peer, Worker]:
    """The peers' processes for the latency of one image: others where they are set up for that."""
    return {
        peer: stack.enter_context(
            Worker(peer.make_for_one, files[peer.file], threads, threads=threads)
        )
        if peer.make_for_one
        else worker
        for peer, worker in workers.items()
    }


def _measure_batch(
    workers: dict[Peer, Worker],
    inputs: Inputs,
    network: FloatNetwork | None,
    value_range: tuple[float, float],
    options: argparse.Namespace,
    left_out: dict[str, str],
) -> list[BatchResult]:
    """Compare all peers' images with the float32 network's, then time them in turn."""
    batch = len(inputs[peers.LATENT])
    measure.progress(f"batch {batch}, {options.repetitions} rounds of {len(workers)} peers")
    seconds = _seconds_an_image(workers, inputs, Worker.seconds, options, left_out)
    expected = workers[REFERENCE].call(inputs) if REFERENCE in workers else None
    results = []
    for peer, values in seconds.items():
        comparable = network and (peer.file != "model" or network.is_the_models)
        found = (
            decibels(workers[peer].call(inputs), expected, value_range)
            if comparable and expected is not None
            else None
        )
        results.append(
            BatchResult(
                peer.name,
                batch,
                Spread.of([1 / value for value in values]),
                measure.ratio(values, seconds[OURS]),
                found,
                found is None or found >= peer.agreement,
            )
        )
    return results


def _measure_latency(
    workers: dict[Peer, Worker],
    inputs: Inputs,
    options: argparse.Namespace,
    left_out: dict[str, str],
) -> list[Latency]:
    """Time single calls for one image, all peers in turn."""
    measure.progress(f"latency, {options.repetitions} rounds of {len(workers)} peers")
    seconds = _seconds_an_image(workers, inputs, Worker.median_seconds, options, left_out)
    return [
        Latency(
            peer.name,
            Spread.of([value * 1e3 for value in values]),
            measure.ratio(values, seconds[OURS]),
        )
        for peer, values in seconds.items()
    ]


def _seconds_an_image(
    workers: dict[Peer, Worker],
    inputs: Inputs,
    timing: Callable[[Worker, Inputs, int], float],
    options: argparse.Namespace,
    left_out: dict[str, str],
) -> dict[Peer, list[float]]:
    """Warm all peers up, then time them in turn; those that fail leave ``workers``.

    Args:
        timing: Worker.seconds, of all calls of a round together, or Worker.median_seconds.
    """
    calls: dict[Peer, int] = {}
    for peer, worker in list(workers.items()):
        try:
            calls[peer] = measure.warm_up(partial(worker.seconds, inputs), options.seconds)
        except PeerFailed as error:
            if peer is OURS:
                raise UserError(f"{options.model} cannot be measured: {error}") from error
            left_out[peer.name] = str(error)
            del workers[peer]
    seconds = measure.interleave(
        {
            peer.name: partial(timing, worker, inputs, calls[peer])
            for peer, worker in workers.items()
        },
        options.repetitions,
    )
    batch = len(inputs[peers.LATENT])
    images = {peer: batch * calls[peer] for peer in workers}
    if timing is Worker.median_seconds:  # of one call
        images = dict.fromkeys(workers, batch)
    return {peer: [value / images[peer] for value in seconds[peer.name]] for peer in workers}


def advantages(results: list[BatchResult], latencies: list[Latency]) -> list[Advantage]:
    """Against PyTorch eager and against the best peer, for each batch and for the latency."""
    ours = {peer.name for peer in PEERS if peer.ours}
    found = []
    for batch in dict.fromkeys(result.batch for result in results):
        theirs = [each for each in results if each.batch == batch and each.peer not in ours]
        best = sorted(theirs, key=lambda each: each.images_per_second.median)[-1:]
        found += [
            Advantage(f"images/s, batch {batch}", each.peer, each.times_as_fast)
            for each in [*(each for each in theirs if each.peer == EAGER.name), *best]
        ]
    others = [each for each in latencies if each.peer not in ours]
    for latency in sorted(others, key=lambda each: each.milliseconds.median)[:1]:
        found.append(Advantage("latency of one", latency.peer, latency.times_as_fast))
    return found


def _shares(
    results: list[BatchResult],
    rates: list[limit.Rate],
    files: dict[str, Path],
    inputs: Inputs,
    threads: int,
) -> list[Share]:
    """How much of each peer's time its multiply-adds account for.

    Args:
        inputs: of a batch, whose number format stands for that of all.
    """
    if "network" not in files:  # they cannot be counted either
        return []
    with Worker(networks.operations, threads=threads) as worker:
        operations = {name: worker.call(path) for name, path in files.items()}
    found = []
    for peer in PEERS:
        speeds = {
            result.batch: result.images_per_second.median
            for result in results
            if result.peer == peer.name
        }
        if speeds:
            floating = "float32"
            if peer.make is peers.openvino_default:
                file = files[peer.file]
                with Worker(peers.openvino_format, file, threads, threads=threads) as worker:
                    floating = worker.call(inputs)
            found.append(limit.share(peer.name, floating, operations[peer.file], speeds, rates))
    return [each for each in found if each]


def _print(report: dict[str, Any]) -> None:
    title = f"Images generated a second, {report['model']}"
    if report["network"]:
        title += f"; the peers compute the same network with {report['network']}"
    measure.print_header(title, report)
    print(
        "From latents, and words if any, to images: bytes of ours, floats of the others. Ours as "
        "by default, which is --prefer throughput.\n"
    )
    rows: list[tuple[object, ...]] = [
        (
            result.batch,
            result.peer,
            result.images_per_second,
            result.times_as_fast,
            "" if result.decibels is None else f"{result.decibels:.0f}",
            "" if result.agrees else "DISAGREES",
        )
        for result in report["results"]
    ]
    headers = ("batch", "peer", "images/s", measure.TIMES_AS_FAST, "dB from float32", "")
    print(tables.markdown(headers, rows))
    rows = [(each.peer, each.milliseconds, each.times_as_fast) for each in report["latencies"]]
    print(
        "\nLatency of one image: the median of a round's calls, one at a time. Ours with "
        "--prefer latency.\n"
    )
    print(tables.markdown(("peer", "ms", measure.TIMES_AS_FAST), rows))
    rows = [(each.what, each.peer, each.times_as_fast) for each in report["advantages"]]
    print("\nAgainst PyTorch eager and against the best peer:\n")
    print(tables.markdown(("what", "peer", measure.TIMES_AS_FAST), rows))
    rows = [(name, f"{peak:.0f}") for name, peak in report["peak_memory_mb"].items()]
    print("\n" + tables.markdown(("peer", "peak memory, MB"), rows))
    limit.print_tables(report["rates"], report["shares"])
    for name, reason in report["left_out"].items():
        print(f"\nleft out: {name}: {reason}")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.throughput",
        description="Images generated a second and the latency of one, by us and by what a user "
        "could pick instead, and how much of the time the multiplications take. "
        '"Folded" is a network whose batch norm is part of its convolutions, as in our files.',
        epilog=EXAMPLES,
    )
    add_model_option(parser)
    networks.add_network_option(parser)
    parser.add_argument(
        "--batches",
        type=measure.whole_numbers("--batches", 1, 4096),
        default=[1, 25, 64],
        metavar="N,N,…",
        help="batch sizes (1,25,64)",
    )
    measure.add_threads_option(parser)
    measure.add_seconds_option(parser, 0.5)
    measure.add_options(parser, repetitions=11)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
