"""The fully convolutional pair of DCGAN (Radford et al. 2015, https://arxiv.org/abs/1511.06434).

(Transposed) convolutions and no dense layer: five each way for 64 x 64 pictures, one more for each
doubling. The dense layer that some draw first in the generator or last in the discriminator is
here too: on a map of one pixel, a 4 x 4 (transposed) convolution is that layer.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import Any

from edgegan.runtime.choices import check_choice
from edgegan.trainer import layers, networks
from edgegan.trainer.framework import HybridBlock, nn
from edgegan.trainer.layers import Reshape
from edgegan.trainer.networks import Maps

SMALLEST = 4  # pixels along a side of the maps next to the latent and the score


def channels(width: int, image_size: int) -> list[int]:
    """Channels of the hidden layers from the picture inwards: ``width``, doubled at each halving.

    The last of them is 4 x 4 pixels large: 64 x 64 pictures have four such layers.
    """
    return [width << depth for depth in range(image_size.bit_length() - 3)]


@dataclass(frozen=True)
class DcganGenerator(networks.GeneratorArchitecture):
    """Transposed convolutions, a normalisation and ReLU each; tanh at the end.

    What dropout drops is drawn as part of the latent, one number a channel, so the seed decides the
    picture and no random operator stands in the network.

    Attributes:
        kernel: the size of transposed convolutions of stride 2, 4 or 5; the convolutions of other
            kinds of upsampling are 3 x 3.
        norm: what normalises each layer: batch, instance or none.
        activation: relu or leaky_relu.
        upsampling: what doubles the size: deconvolution, pixel_shuffle or nearest.
        dropout: the share of channels dropped before every layer but the first, in training and in
            use (tip 17 of ganhacks; whole channels, Tompson et al. 2015,
            https://arxiv.org/abs/1411.4280).
    """

    kernel: int = 4
    norm: str = "batch"
    activation: str = "relu"
    upsampling: str = "deconvolution"
    dropout: float = 0.0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("kernel", self.kernel, (4, 5))
        check_choice("norm", self.norm, ("batch", "instance", "none"))
        check_choice("activation", self.activation, layers.ACTIVATIONS)
        check_choice("upsampling", self.upsampling, layers.UPSAMPLINGS)
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}, expected 0 up to but not including 1")

    def input_size(self, latent_size: int, image_size: int) -> int:
        return latent_size + (sum(channels(self.width, image_size)) if self.dropout else 0)

    def build(self, latent: networks.Latent, image_size: int, value_range: str) -> HybridBlock:
        hidden = channels(self.width, image_size)[::-1]
        network = (
            _DroppingChannels([latent.size, *hidden], latent.distribution, self.dropout)
            if self.dropout
            else nn.HybridSequential(prefix="generator_")
        )
        with network.name_scope():
            for depth, (inputs, outputs) in enumerate(zip([latent.size, *hidden], hidden)):
                enlarge = self._double if depth else self._from_one_pixel
                network.add(
                    *enlarge(inputs, outputs, self.norm, f"deconvolution{depth}"),
                    *layers.normalisation(self.norm, outputs, f"norm{depth}"),
                    layers.activation(self.activation, depth),
                )
            to_image = self._double(self.width, 3, "none", "to_image")
            network.add(*to_image, layers.to_range(value_range))
        return network

    def _from_one_pixel(self, inputs: int, outputs: int, norm: str, name: str) -> list[HybridBlock]:
        deconvolution = layers.TransposedConvolution(
            outputs, 4, in_channels=inputs, use_bias=norm == "none", prefix=f"{name}_"
        )
        return [Reshape((-1, inputs, 1, 1)), deconvolution]

    def _double(self, inputs: int, outputs: int, norm: str, name: str) -> list[HybridBlock]:
        return layers.doubling(inputs, outputs, self.kernel, self.upsampling, norm=norm, name=name)


class _DroppingChannels(nn.HybridSequential):
    """Layers with channels dropped between stages, as further numbers of the latent decide.

    ``sizes`` are those of the latent and of the channels that may be dropped before each further
    stage; a stage is what one call of ``add`` gets.
    """

    def __init__(self, sizes: list[int], distribution: str, dropout: float) -> None:
        super().__init__(prefix="generator_")
        self.sizes = sizes
        self.dropout = dropout
        # A number is below it with the probability of being dropped.
        normal = distribution == "normal"
        self.threshold = NormalDist().inv_cdf(dropout) if normal else 2 * dropout - 1

    def add(self, *blocks: HybridBlock) -> None:
        stage = nn.HybridSequential(prefix="")
        stage.add(*blocks)
        super().add(stage)

    def hybrid_forward(self, F: Any, latent: Any) -> Any:  # noqa: N803 (gluon's name)
        first, *others = self._children.values()
        size, *dropped = self.sizes
        x = first(F.slice_axis(latent, axis=1, begin=0, end=size))
        for stage, channels_dropped in zip(others, dropped):
            numbers = F.slice_axis(latent, axis=1, begin=size, end=size + channels_dropped)
            size += channels_dropped
            kept = (numbers > self.threshold) / (1 - self.dropout)
            x = stage(F.broadcast_mul(x, kept.reshape((-1, channels_dropped, 1, 1))))
        return x


@dataclass(frozen=True)
class DcganDiscriminator(networks.TrunkDiscriminator):
    """Convolutions, a normalisation and leaky ReLU each; the first is not normalised.

    Attributes:
        kernel: the size of convolutions of stride 2, 4 or 5; those before a pooling are 3 x 3.
        norm: what normalises each layer: batch, instance, spectral or none.
        normalise_first: whether the first layer is normalised too, which DCGAN, section 3, advises
            against.
        activation: relu or leaky_relu.
        downsampling: what halves the size: stride, max_pool or average_pool.
        mirrored: the side in pixels of the maps that get their mirror image beside them, so that
            the next convolution compares the left of a face with its right; 0 for none.
    """

    kernel: int = 4
    norm: str = "batch"
    normalise_first: bool = False
    activation: str = "leaky_relu"
    downsampling: str = "stride"
    mirrored: int = 0

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("kernel", self.kernel, (4, 5))
        check_choice("norm", self.norm, layers.NORMS)
        check_choice("activation", self.activation, layers.ACTIVATIONS)
        check_choice("downsampling", self.downsampling, layers.DOWNSAMPLINGS)

    def check(self, image_size: int) -> None:
        sides = [image_size >> depth for depth in range(len(channels(self.width, image_size)))]
        if self.mirrored not in (0, *sides):
            raise ValueError(
                f"discriminator.mirrored is {self.mirrored}, expected 0 or the side of maps before "
                f"a convolution: {', '.join(map(str, sides))}"
            )

    @property
    def norm_of_weights(self) -> str:
        return self.norm if self.norm == "spectral" else "none"

    def maps(self, image_size: int) -> Maps:
        return Maps(channels(self.width, image_size)[-1], SMALLEST)

    def score(self, maps: Maps) -> list[HybridBlock]:
        norm = self.norm_of_weights  # that of all weights, so the last layer has it too
        last = layers.convolution(maps.channels, 1, maps.side, norm=norm, name="score")
        return [last, Reshape((-1,))]

    def trunk(self, image_size: int) -> list[HybridBlock]:
        hidden = channels(self.width, image_size)
        network: list[HybridBlock] = []
        for depth, (inputs, outputs) in enumerate(zip([3, *hidden], hidden)):
            if self.mirrored == image_size >> depth:
                network.append(layers.Mirrored())
                inputs *= 2
            plain = depth == 0 and self.norm != "spectral" and not self.normalise_first
            norm = "none" if plain else self.norm
            name = f"convolution{depth}"
            network += [
                *layers.halving(
                    inputs, outputs, self.kernel, self.downsampling, norm=norm, name=name
                ),
                *layers.normalisation(norm, outputs, f"norm{depth}"),
                layers.activation(self.activation, depth),
            ]
        return network
