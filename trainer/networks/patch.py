"""A discriminator that judges patches: PatchGAN, Isola et al. 2017, https://arxiv.org/abs/1611.07004.

Section 3.2.2: a small convolutional network slides over the picture and scores every patch that it
sees; the loss is the mean over all of them.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.runtime.choices import check_choice
from edgegan.trainer import layers, networks
from edgegan.trainer.framework import HybridBlock
from edgegan.trainer.layers import Reshape
from edgegan.trainer.networks import Maps


@dataclass(frozen=True)
class PatchDiscriminator(networks.TrunkDiscriminator):
    """4x4 convolutions of stride 2 and one of stride 1 that scores.

    Attributes:
        halvings: how many have stride 2, 1 to 4; with 2, 3 and 4 a patch is 22, 46 and 94 pixels
            wide.
        norm: what normalises each layer but the first and the last: batch, instance, spectral
            (which is of all) or none.
    """

    scores_patches = True
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

    @property
    def norm_of_weights(self) -> str:
        return self.norm if self.norm == "spectral" else "none"

    def maps(self, image_size: int) -> Maps:
        return Maps(self.width << (self.halvings - 1), image_size >> self.halvings)

    def trunk(self, image_size: int) -> list[HybridBlock]:
        hidden = [self.width << depth for depth in range(self.halvings)]
        network: list[HybridBlock] = []
        for depth, (inputs, outputs) in enumerate(zip([3, *hidden], hidden)):
            norm = self.norm if depth else self.norm_of_weights
            name = f"convolution{depth}"
            network += [
                layers.convolution(inputs, outputs, 4, 2, 1, norm=norm, name=name),
                *layers.normalisation(norm, outputs, f"norm{depth}"),
                layers.activation("leaky_relu", depth),
            ]
        return network

    def score(self, maps: Maps) -> list[HybridBlock]:
        last = layers.convolution(
            maps.channels, 1, 4, 1, 1, norm=self.norm_of_weights, name="score"
        )
        return [last, Reshape((0, -1))]
