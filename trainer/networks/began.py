"""BEGAN's pair: a decoder that draws, and an autoencoder of the same decoder that judges.

Berthelot et al. 2017, https://arxiv.org/abs/1703.10717, in the form of a report whose
discriminator has 13,889,603 parameters and whose generator has 3,019,651: 3x3 convolutions with
batch norm and leaky ReLU between 64 x 64 and 16 x 16 pixels, where the paper has ELU and none.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from edgegan.trainer import layers, networks
from edgegan.trainer.checks import check_at_least
from edgegan.trainer.framework import HybridBlock, nn
from edgegan.trainer.layers import Nearest, Reshape

HALVINGS = 2  # between the picture and the smallest maps


class _Architecture(networks.Architecture):
    def draw_weights(self, shape: tuple[int, ...], draws: np.random.Generator) -> np.ndarray:
        """Uniform within 1 / sqrt(inputs), PyTorch's default, in which the report was written."""
        bound = float(np.prod(shape[1:])) ** -0.5
        return draws.uniform(-bound, bound, shape)


@dataclass(frozen=True)
class BeganGenerator(_Architecture, networks.GeneratorArchitecture):
    """A dense layer, then two convolutions at each of three sizes."""

    width: int = 128

    def build(self, latent: networks.Latent, image_size: int, value_range: str) -> HybridBlock:
        network = nn.HybridSequential(prefix="generator_")
        with network.name_scope():
            _add_decoder(network, latent.size, self.width, image_size, value_range)
        return network


@dataclass(frozen=True)
class BeganDiscriminator(_Architecture, networks.DiscriminatorArchitecture):
    """An autoencoder; its score is the mean absolute error of a picture, so low is real.

    Attributes:
        code: the number of values between encoder and decoder.
    """

    width: int = 128
    code: int = 64

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("code", self.code, 1)

    def build(self, image_size: int) -> HybridBlock:
        network = ReconstructionError()
        with network.name_scope():
            _add_encoder(network.autoencoder, self.width, image_size, self.code)
            _add_decoder(network.autoencoder, self.code, self.width, image_size, "signed")
        return network


class ReconstructionError(HybridBlock):
    """Images float32 (N, 3, S, S) -> mean absolute error of what the autoencoder makes of each."""

    def __init__(self) -> None:
        super().__init__(prefix="discriminator_")
        with self.name_scope():
            self.autoencoder = nn.HybridSequential(prefix="")

    def hybrid_forward(self, F: Any, image: Any) -> Any:  # noqa: N803 (gluon's name)
        return (image - self.autoencoder(image)).abs().mean(axis=(1, 2, 3))


def _add_encoder(network: nn.HybridSequential, width: int, image_size: int, code: int) -> None:
    """Add the layers from images to codes: the channels grow by ``width`` at each halving."""
    smallest = image_size >> HALVINGS
    steps = [(1, 1), (1, 1), (2, 2), (2, 1), (3, 2), (3, 1), (3, 1)]  # channels / width, stride
    inputs = 3
    for depth, (factor, stride) in enumerate(steps):
        outputs = factor * width
        _add_convolution(network, inputs, outputs, stride, f"encoder{depth}")
        inputs = outputs
    network.add(nn.Flatten(prefix="flatten_"))
    network.add(layers.dense(inputs * smallest * smallest, code, name="code"))


def _add_decoder(
    network: nn.HybridSequential, inputs: int, width: int, image_size: int, value_range: str
) -> None:
    """Add the layers from ``inputs`` numbers to images."""
    smallest = image_size >> HALVINGS
    network.add(layers.dense(inputs, width * smallest * smallest, name="dense"))
    network.add(Reshape((-1, width, smallest, smallest)))
    for depth in range(2 * (HALVINGS + 1)):
        if depth and depth % 2 == 0:
            network.add(Nearest())
        _add_convolution(network, width, width, 1, f"decoder{depth}")
    to_image = layers.convolution(width, 3, 3, 1, 1, name="to_image")
    network.add(to_image, layers.to_range(value_range))


def _add_convolution(
    network: nn.HybridSequential, inputs: int, outputs: int, stride: int, name: str
) -> None:
    network.add(
        layers.convolution(inputs, outputs, 3, stride, 1, norm="batch", name=name),
        *layers.normalisation("batch", outputs, f"{name}_norm"),
        nn.LeakyReLU(layers.SLOPE, prefix=f"{name}_leaky_relu_"),
    )
