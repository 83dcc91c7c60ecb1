"""The network that the peers compute in floating point, and the files that are made of it.

Weights cannot be taken back out of layers in 8-bit integers. So the peers of such a file get the
network's float32 weights from a file of level 1 (``--network``), or else random weights in the
architecture of its recipe, which anybody can have. That is fair to all, since dense products take
as long whatever the numbers are, but for two kinds: denormal ones (below 1e-38) are slow on many
processors, and an infinity or NaN may be. There are none here: batch norms that have settled keep
all layers' numbers near 1. That zeros after a ReLU cost as much as others, and tanh as much
everywhere, is checked by measuring: ``throughput`` has a row for the shipped file and one for the
same kind of file with the peers' weights.

Whatever loads mxnet runs in a process of its own: its maker returns what is called there.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from benchmarks import measure, peers
from benchmarks.measure import PeerFailed, Worker
from edgegan.runtime.errors import UserError
from edgegan.runtime.options import named_path

INSTALL_TRAIN = "pip install '.[train]'"
SETTLING_BATCHES = 100  # what batch norms had at first then counts for 0.9 ** 100
SETTLING_BATCH = 16


@dataclass(frozen=True)
class FloatNetwork:
    """A network's float32 weights.

    Attributes:
        path: a file of level 1, of the model's inputs to float32 (N, 3, S, S).
        origin: where they are from, as words for a sentence.
        is_the_models: whether they are those that the model's file was made of.
    """

    path: Path
    origin: str
    is_the_models: bool


@dataclass(frozen=True)
class Operations:
    """Multiply-adds that a file takes for an image.

    Attributes:
        floating, integers: of floating-point numbers and of 8-bit integers.
        first_layer: those of the first layer: as many in every form of a network.
    """

    floating: int
    integers: int
    first_layer: int


def add_network_option(parser: argparse.ArgumentParser) -> None:
    """Declare --network."""
    parser.add_argument(
        "--network",
        type=named_path("--network"),
        metavar="FILE",
        help="what the peers compute: the model's network exported with --optimize 1; without it "
        "the model itself where it is such a file, else random weights of the same architecture",
    )


def float_network(model: Path, given: Path | None, folder: Path, threads: int) -> FloatNetwork:
    """The network of a model in float32; what has to be made for it is put in ``folder``.

    Raises:
        UserError: ``given`` is not a file of level 1, or the network is another than the model's.
        PeerFailed: it cannot be had here.
    """
    _need("onnx")
    if given is not None:
        if not peers.is_plain(given):
            raise UserError(
                f"{given} is no chain of transposed convolutions, expected a generator exported "
                "with --optimize 1"
            )
        network = FloatNetwork(given, f"the weights of {given.name}", True)
    elif peers.is_plain(model):
        return FloatNetwork(model, "its own weights", True)
    else:
        _need("mxnet")
        measure.progress("the network of the peers, with random weights", "making")
        path = folder / "network.onnx"
        with Worker(random_network, model, threads=threads) as worker:
            worker.call(path)
        network = FloatNetwork(path, "random weights in the architecture of its recipe", False)
    with Worker(operations, threads=threads) as worker:
        found, expected = worker.call(network.path), worker.call(model)
    if found.first_layer != expected.first_layer:
        raise UserError(
            f"the first layer of {model} takes {expected.first_layer} multiply-adds, that of "
            f"{network.origin} {found.first_layer}: give the network it was made of with --network"
        )
    if peers.metadata_of(network.path).words != peers.metadata_of(model).words:
        raise UserError(
            f"{model} and {network.path} take other words: give the network it was made of with "
            "--network"
        )
    return network


def random_network(model: Path) -> Callable[[Path], None]:
    """A function that writes a file of level 1: a model's recipe, its weights as first drawn.

    Batch norms have settled on what the layers before them then compute, as in training.
    """
    from edgegan.export import pipeline, translation
    from edgegan.runtime.latent import Stream
    from edgegan.trainer import device
    from edgegan.trainer.framework import autograd, mx
    from edgegan.trainer.loop import Training
    from edgegan.trainer.recipe import StudentRecipe
    from edgegan.trainer.student import Distillation

    metadata, recipe, cpu = peers.metadata_of(model), peers.recipe_of(model), device.choose("cpu")
    training = (
        Distillation(recipe, 0, cpu, words=metadata.words)
        if isinstance(recipe, StudentRecipe)
        else Training(recipe, 0, cpu, pictures=1, words=metadata.words)
    )
    network = training.generator
    for number in range(SETTLING_BATCHES):
        inputs = training.inputs(number, SETTLING_BATCH, 0, Stream.LATENT)
        with autograd.record():
            images = network(*map(mx.nd.array, inputs))
        images.backward()  # in which mxnet brings the batch norms' averages up to date
    mx.nd.waitall()

    def write(output: Path) -> None:
        pipeline.export(translation.generator(network, metadata), output, level=1)

    return write


def exporter(network: Path, level: int) -> Callable[[Path], None]:
    """A function that writes a file of level 1 as one of another level, as our exporter does."""
    from edgegan.export import pipeline, translation

    metadata = peers.metadata_of(network)
    original = translation.generator(peers.gluon_network(network), metadata)

    def write(output: Path) -> None:
        pipeline.export(original, output, level=level)

    return write


def mxnets_exporter(network: Path) -> Callable[[Path], None]:
    """A function that writes a file of level 1 as mxnet's own exporter does, batch norm and all."""
    import onnx

    from edgegan.export.examples import parity_latents
    from edgegan.export.translations import as_mxnet_exports
    from edgegan.trainer.framework import mx

    gluon = peers.gluon_network(network)
    inputs = parity_latents(peers.metadata_of(network))
    shapes = {name: array.shape[1:] for name, array in inputs.items()}

    def write(output: Path) -> None:
        onnx.save(as_mxnet_exports(gluon, gluon(*map(mx.sym.var, shapes)), shapes), str(output))

    return write


def operations() -> Callable[[Path], Operations]:
    """A function that counts the multiply-adds of one of our files, which needs no mxnet."""
    import onnx

    from edgegan.export.operations import by_layer, multiply_adds_in_integers

    def count(path: Path) -> Operations:
        model = onnx.load(str(path))
        counts = list(by_layer(model).values())
        integers = multiply_adds_in_integers(model)
        return Operations(sum(counts) - integers, integers, counts[0])

    return count


def _need(package: str) -> None:
    """Raise PeerFailed unless a package is installed."""
    if not measure.is_installed(package):
        raise PeerFailed(f"{package} is not installed: {INSTALL_TRAIN}")
