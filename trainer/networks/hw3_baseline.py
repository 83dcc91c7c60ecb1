"""The baseline of the assignment: a dense layer, then up-sampling and 4x4 convolutions.

The assignment names no strides and no padding; 64 x 64 pictures come out only where convolutions
keep their input's size, and the discriminator halves it in all but its last, as the DCGAN of
Keras-GAN does that it looks like.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgegan.trainer import layers, networks
from edgegan.trainer.framework import HybridBlock, nn
from edgegan.trainer.layers import Nearest, Padding, Reshape
from edgegan.trainer.networks import Maps


class _Architecture(networks.Architecture):
    def draw_weights(self, shape: tuple[int, ...], draws: np.random.Generator) -> np.ndarray:
        """Glorot's uniform distribution, Keras' default, in which the assignment was written.

        Glorot and Bengio 2010, equation 16, https://proceedings.mlr.press/v9/glorot10a.html.
        """
        field = int(np.prod(shape[2:]))
        bound = np.sqrt(6 / (field * (shape[0] + shape[1])))
        return draws.uniform(-bound, bound, shape)


def same(inputs: int, outputs: int, size: int, stride: int, name: str) -> list[HybridBlock]:
    """A 4x4 convolution whose output is ``size`` divided by the stride, rounded up.

    Padded with zeros as TensorFlow does it: the odd one comes after.
    """
    zeros = (-(-size // stride) - 1) * stride + 4 - size
    padding = Padding(zeros // 2, zeros - zeros // 2)
    return [padding, layers.convolution(inputs, outputs, 4, stride, name=name)]


@dataclass(frozen=True)
class Hw3BaselineGenerator(_Architecture, networks.GeneratorArchitecture):
    """Dense to 2 ``width`` maps of a quarter of the size, ReLU; doubled and convolved twice."""

    def build(self, latent: networks.Latent, image_size: int, value_range: str) -> HybridBlock:
        wide, quarter = 2 * self.width, image_size // 4
        network = nn.HybridSequential(prefix="generator_")
        with network.name_scope():
            network.add(
                layers.dense(latent.size, wide * quarter * quarter, name="dense"),
                layers.activation("relu", 0),
                Reshape((-1, wide, quarter, quarter)),
                Nearest(),
                *same(wide, wide, image_size // 2, 1, "convolution0"),
                layers.activation("relu", 1),
                Nearest(),
                *same(wide, self.width, image_size, 1, "convolution1"),
                layers.activation("relu", 2),
                *same(self.width, 3, image_size, 1, "to_image"),
                layers.to_range(value_range),
            )
        return network


@dataclass(frozen=True)
class Hw3BaselineDiscriminator(_Architecture, networks.TrunkDiscriminator):
    """Four 4x4 convolutions with ReLU, a row and column of zeros after the second, dense."""

    width: int = 32

    def maps(self, image_size: int) -> Maps:
        return Maps(self.width << 3, self._sizes(image_size)[-1])

    def trunk(self, image_size: int) -> list[HybridBlock]:
        hidden, sizes = [self.width << depth for depth in range(4)], self._sizes(image_size)
        network: list[HybridBlock] = []
        for depth, (inputs, outputs) in enumerate(zip([3, *hidden], hidden)):
            stride = 1 if depth == 3 else 2
            network += same(inputs, outputs, sizes[depth], stride, f"convolution{depth}")
            if depth == 1:
                network.append(Padding(0, 1))
            network.append(layers.activation("relu", depth))
        return network

    def score(self, maps: Maps) -> list[HybridBlock]:
        return [
            nn.Flatten(prefix="flatten_"),
            layers.dense(maps.size, 1, name="score"),
            Reshape((-1,)),
        ]

    def _sizes(self, image_size: int) -> list[int]:
        """The side of what each convolution takes; the last gives as much."""
        quarter = image_size // 4
        return [image_size, image_size // 2, quarter + 1, quarter // 2 + 1]
