"""Layers that the architectures share, and the switches among them that a recipe can set."""

from __future__ import annotations

from typing import Any

import mxnet as mx
from mxnet.gluon import HybridBlock, nn

NORMS = ("batch", "instance", "spectral", "none")
ACTIVATIONS = ("relu", "leaky_relu")
UPSAMPLINGS = ("deconvolution", "pixel_shuffle", "nearest")
DOWNSAMPLINGS = ("stride", "max_pool", "average_pool")
SLOPE = 0.2  # of leaky ReLU below 0; DCGAN, section 3


class Reshape(HybridBlock):
    """Gives a tensor another shape; 0 keeps a dimension, -1 takes what is left."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(prefix="")
        self.shape = shape

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        return x.reshape(self.shape)


class SpectralConvolution(nn.Conv2D):
    """A convolution with its weight divided by its largest singular value.

    Miyato et al. 2018, https://arxiv.org/abs/1802.05957, section 2.1 and algorithm 1: the weight
    as a matrix W of output channels by the rest has the spectral norm u^T W v; with
    v = W^T u / |W^T u| that is |W^T u|. ``left`` is u; ``iterate`` turns it by one power iteration.
    """

    def __init__(self, outputs: int, *arguments: Any, **options: Any) -> None:
        super().__init__(outputs, *arguments, **options)
        with self.name_scope():
            # Every start but one at right angles to the singular vector leads there; this one
            # needs no randomness.
            start = mx.init.Constant(outputs**-0.5)
            self.left = self.params.get(
                "left_vector", shape=(outputs,), init=start, differentiable=False
            )

    def iterate(self) -> None:
        """One power iteration: u becomes W v / |W v|."""
        left, matrix = self.left.data(), self.weight.data().reshape((self._channels, -1))
        right = mx.nd.L2Normalization(mx.nd.dot(left.reshape((1, -1)), matrix))
        left[:] = mx.nd.L2Normalization(mx.nd.dot(right, matrix.T)).reshape((-1,))

    def hybrid_forward(
        self,
        F: Any,  # noqa: N803 (gluon's name)
        x: Any,
        weight: Any,
        left: Any,
        bias: Any = None,
    ) -> Any:
        products = F.dot(left.reshape((1, -1)), weight.reshape((self._channels, -1)))
        norm = products.square().sum().sqrt().reshape((1, 1, 1, 1))
        divided = F.broadcast_div(weight, norm, name="divided_weight")
        return super().hybrid_forward(F, x, divided, bias)


def iterate_spectral_norms(network: HybridBlock) -> None:
    """Turn every spectral norm of a network by one power iteration, as before each update."""
    network.apply(lambda block: block.iterate() if isinstance(block, SpectralConvolution) else None)


def convolution(
    inputs: int,
    outputs: int,
    kernel: int,
    stride: int = 1,
    padding: int = 0,
    *,
    norm: str = "none",
    name: str,
) -> HybridBlock:
    """A convolution before ``normalisation(norm, …)``; it has a bias where that adds none."""
    kind = SpectralConvolution if norm == "spectral" else nn.Conv2D
    return kind(
        outputs,
        kernel,
        stride,
        padding,
        in_channels=inputs,
        use_bias=norm in ("spectral", "none"),
        prefix=f"{name}_",
    )


def halving(
    inputs: int, outputs: int, kernel: int, downsampling: str, *, norm: str, name: str
) -> list[HybridBlock]:
    """A convolution that halves height and width, before ``normalisation(norm, …)``."""
    if downsampling == "stride":
        padding = (kernel - 1) // 2
        return [convolution(inputs, outputs, kernel, 2, padding, norm=norm, name=name)]
    pool = nn.MaxPool2D if downsampling == "max_pool" else nn.AvgPool2D
    return [convolution(inputs, outputs, 3, 1, 1, norm=norm, name=name), pool(2)]


def doubling(
    inputs: int, outputs: int, kernel: int, upsampling: str, *, norm: str, name: str
) -> list[HybridBlock]:
    """What doubles height and width, before ``normalisation(norm, …)``."""
    if upsampling == "nearest":
        return [Nearest(), convolution(inputs, outputs, 3, 1, 1, norm=norm, name=name)]
    if upsampling == "pixel_shuffle":
        return [convolution(inputs, 4 * outputs, 3, 1, 1, norm=norm, name=name), PixelShuffle()]
    return [
        nn.Conv2DTranspose(
            outputs,
            kernel,
            2,
            (kernel - 1) // 2,
            kernel % 2,
            in_channels=inputs,
            use_bias=norm == "none",
            prefix=f"{name}_",
        )
    ]


class Nearest(HybridBlock):
    """Doubles height and width by repeating every pixel."""

    def __init__(self) -> None:
        super().__init__(prefix="")

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        return F.UpSampling(x, scale=2, sample_type="nearest")


class PixelShuffle(HybridBlock):
    """(N, 4 C, H, W) -> (N, C, 2 H, 2 W), Shi et al. 2016, https://arxiv.org/abs/1609.05158.

    Pixel (2 y + i, 2 x + j) of channel c is pixel (y, x) of channel (2 i + j) C + c: equation 4.
    """

    def __init__(self) -> None:
        super().__init__(prefix="")

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        return F.depth_to_space(x, 2)


def normalisation(norm: str, channels: int, name: str) -> list[HybridBlock]:
    """The layer that normalises a convolution's output; none where its weights are, or nothing."""
    if norm == "batch":
        return [nn.BatchNorm(in_channels=channels, prefix=f"{name}_")]
    if norm == "instance":
        return [nn.InstanceNorm(scale=True, in_channels=channels, prefix=f"{name}_")]
    return []


def activation(kind: str, depth: int) -> HybridBlock:
    """ReLU, or the leaky one of DCGAN."""
    if kind == "relu":
        return nn.Activation("relu", prefix=f"relu{depth}_")
    return nn.LeakyReLU(SLOPE, prefix=f"leaky_relu{depth}_")


def to_range(value_range: str) -> HybridBlock:
    """Tanh for pictures in [-1, 1] (``signed``), a sigmoid for those in [0, 1] (``unit``)."""
    kind = "tanh" if value_range == "signed" else "sigmoid"
    return nn.Activation(kind, prefix=f"{kind}_")


def check_choice(key: str, value: str, choices: tuple[str, ...]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``."""
    if value not in choices:
        raise ValueError(f"{key} is {value!r}, expected {', '.join(choices[:-1])} or {choices[-1]}")
