"""A discriminator that judges patches: PatchGAN, Isola et al. 2017, https://arxiv.org/abs/1611.07004.

Section 3.2.2: a small convolutional network slides over the picture and scores every patch that it
sees; the loss is the mean over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.runtime.choices import check_choice
from edgegan.trainer import layers, networks
from edgegan.trainer.framework import HybridBlock, nn
from edgegan.trainer.layers import Reshape


@dataclass(frozen=True)
class PatchDiscriminator(networks.DiscriminatorArchitecture):
    """4x4 convolutions of stride 2 and one of stride 1 that scores.

    Attributes:
        halvings: how many have stride 2, 1 to 4; with 2, 3 and 4 a patch is 22, 46 and 94 pixels
            wide.
        norm: what normalises each layer but the first and the last: batch, instance, spectral
            (which is of all) or none.
    """

    halvings: int = 3
    norm: str = "batch"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("norm", self.norm, layers.NORMS)
        if not 1 <= self.halvings <= 4:
            raise ValueError(f"halvings is {self.halvings}, expected 1 to 4")

    def check(self, image_size: int) -> None:
        least = 2 << self.halvings  # the last convolution needs a map of two pixels
        if image_size < least:
            raise ValueError(
                f"image_size is {image_size}, expected at least {least} for the "
                f"{self.halvings} halvings of the discriminator"
            )

    def build(self, image_size: int) -> HybridBlock:
        hidden = [self.width << depth for depth in range(self.halvings)]
        weights_norm = self.norm if self.norm == "spectral" else "none"
        network = nn.HybridSequential(prefix="discriminator_")
        with network.name_scope():
            for depth, (inputs, outputs) in enumerate(zip([3, *hidden], hidden)):
                norm = self.norm if depth else weights_norm
                name = f"convolution{depth}"
                network.add(
                    layers.convolution(inputs, outputs, 4, 2, 1, norm=norm, name=name),
                    *layers.normalisation(norm, outputs, f"norm{depth}"),
                    layers.activation("leaky_relu", depth),
                )
            score = layers.convolution(hidden[-1], 1, 4, 1, 1, norm=weights_norm, name="score")
            network.add(score, Reshape((0, -1)))
        return network
