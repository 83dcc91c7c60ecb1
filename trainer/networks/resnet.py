"""Residual networks: MakeGirlsMoe's generator, and the discriminator of spectral normalisation.

The generator is that of Jin et al. 2017, section 3.1, https://arxiv.org/abs/1708.05509, an SRResNet
(Ledig et al. 2017, https://arxiv.org/abs/1609.04802) that starts from a dense layer. Theirs has 16
blocks, is 64 wide and draws 128 x 128 pictures. Their discriminator has no norm and serves labels
too; here it is that of Miyato et al. 2018, https://arxiv.org/abs/1802.05957, appendix B.4, tables 5
and 6, 64 wide for pictures of 48 x 48 and 128 x 128.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgegan.runtime.choices import check_choice
from edgegan.trainer import layers, networks
from edgegan.trainer.checks import check_at_least
from edgegan.trainer.framework import HybridBlock, nn
from edgegan.trainer.layers import AveragePooling, GlobalSum, PixelShuffle, Reshape, Residual
from edgegan.trainer.networks import Maps

START = 16  # pixels along a side of the generator's maps until they are doubled
SMALLEST = 4  # pixels along a side of the discriminator's last maps
WIDEST = 16  # times its width are the discriminator's most channels


class _Architecture(networks.Architecture):
    def draw_weights(self, shape: tuple[int, ...], draws: np.random.Generator) -> np.ndarray:
        """Glorot's uniform distribution, as Miyato's code has it; Jin et al. name none.

        Glorot and Bengio 2010, equation 16, https://proceedings.mlr.press/v9/glorot10a.html; times
        sqrt 2 before a ReLU, which is before all that is 3 x 3.
        """
        field = int(np.prod(shape[2:]))
        bound = np.sqrt(6 / (field * (shape[0] + shape[1])))
        return draws.uniform(-bound, bound, shape) * (np.sqrt(2) if shape[2:] == (3, 3) else 1)


@dataclass(frozen=True)
class ResnetGenerator(_Architecture, networks.GeneratorArchitecture):
    """Dense to ``width`` maps of 16 x 16, ``blocks`` residual blocks, then doubled to the picture.

    The maps are doubled by convolutions with four times the channels and a pixel shuffle: three
    times for 128 x 128 pictures as in the source, twice for 64 x 64. Smaller pictures than 16 x 16
    start at their own size.

    Attributes:
        blocks: how many residual blocks there are before the maps are doubled.
    """

    blocks: int = 16

    def __post_init__(self) -> None:
        super().__post_init__()
        check_at_least("blocks", self.blocks, 1)

    def build(self, latent: networks.Latent, image_size: int, value_range: str) -> HybridBlock:
        width, start = self.width, min(START, image_size)
        network = nn.HybridSequential(prefix="generator_")
        with network.name_scope():
            blocks = [self._block(f"block{depth}") for depth in range(self.blocks)]
            network.add(
                layers.dense(latent.size, width * start**2, name="dense"),
                Reshape((-1, width, start, start)),
                *_norm_and_relu(width, "dense"),
                Residual("blocks", [*blocks, *_norm_and_relu(width, "blocks")]),
            )
            for depth in range((image_size // start).bit_length() - 1):
                name = f"double{depth}"
                network.add(
                    layers.convolution(width, 4 * width, 3, 1, 1, norm="batch", name=name),
                    PixelShuffle(),
                    *_norm_and_relu(width, name),
                )
            to_image = layers.convolution(width, 3, 9, 1, 4, name="to_image")
            network.add(to_image, layers.to_range(value_range))
        return network

    def _block(self, name: str) -> Residual:
        body: list[HybridBlock] = []
        for depth in range(2):
            part = f"{name}_convolution{depth}"
            body.append(
                layers.convolution(self.width, self.width, 3, 1, 1, norm="batch", name=part)
            )
            body += _norm_and_relu(self.width, part)
        return Residual(name, body[:-1])  # no ReLU before the sum


def _norm_and_relu(channels: int, name: str) -> list[HybridBlock]:
    norm = layers.normalisation("batch", channels, f"{name}_norm")
    return [*norm, nn.Activation("relu", prefix=f"{name}_relu_")]


@dataclass(frozen=True)
class ResnetDiscriminator(_Architecture, networks.TrunkDiscriminator):
    """Residual blocks that halve down to 4 x 4 pixels, one that does not; ReLU, global sum, dense.

    The blocks have ``width`` channels, twice as many each time, 16 times at most.

    Attributes:
        norm: spectral, of all weights, or none.
    """

    norm: str = "spectral"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("norm", self.norm, ("spectral", "none"))

    @property
    def norm_of_weights(self) -> str:
        return self.norm

    def maps(self, image_size: int) -> Maps:
        return Maps(self._channels(image_size)[-1], SMALLEST)

    def trunk(self, image_size: int) -> list[HybridBlock]:
        channels = self._channels(image_size)
        halvings = len(channels) - 1
        blocks: list[HybridBlock] = [
            self._block(depth, inputs, outputs, depth < halvings)
            for depth, (inputs, outputs) in enumerate(zip([3, *channels], channels))
        ]
        return [*blocks, nn.Activation("relu", prefix="relu_")]

    def score(self, maps: Maps) -> list[HybridBlock]:
        last = layers.dense(maps.channels, 1, norm=self.norm, name="score")
        return [GlobalSum(), last, Reshape((-1,))]

    def _channels(self, image_size: int) -> list[int]:
        """Those of each block."""
        halvings = (image_size // SMALLEST).bit_length() - 1
        return [self.width * min(1 << depth, WIDEST) for depth in range(halvings + 1)]

    def _block(self, depth: int, inputs: int, outputs: int, halves: bool) -> Residual:
        """As the paper's, whose first block sees the picture without a ReLU before it."""

        def convolution(inputs: int, outputs: int, kernel: int, name: str) -> HybridBlock:
            name = f"block{depth}_{name}"
            padding = kernel // 2
            return layers.convolution(
                inputs, outputs, kernel, 1, padding, norm=self.norm, name=name
            )

        def relu(number: int) -> HybridBlock:
            return nn.Activation("relu", prefix=f"block{depth}_relu{number}_")

        hidden = inputs if depth else outputs
        body = [
            convolution(inputs, hidden, 3, "convolution0"),
            relu(1),
            convolution(hidden, outputs, 3, "convolution1"),
        ]
        if depth:
            body.insert(0, relu(0))
        shortcut = [] if inputs == outputs else [convolution(inputs, outputs, 1, "shortcut")]
        if halves:
            body.append(AveragePooling(2))
            # First, as in the paper's first block: it gives the same in all, and takes a quarter.
            shortcut = [AveragePooling(2), *shortcut]
        return Residual(f"block{depth}", body, shortcut)
