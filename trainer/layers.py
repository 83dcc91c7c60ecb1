"""Layers that the architectures share, and the switches among them that a recipe can set."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np

from edgegan.trainer.framework import HybridBlock, Parameter, bfloat16, mx, nn

NORMS = ("batch", "instance", "spectral", "none")
ACTIVATIONS = ("relu", "leaky_relu")
UPSAMPLINGS = ("deconvolution", "pixel_shuffle", "nearest")
DOWNSAMPLINGS = ("stride", "max_pool", "average_pool")
SLOPE = 0.2  # of leaky ReLU below 0; DCGAN, section 3
# No "…weight": what looks for weights by that ending, to draw them or show them, finds no copies.
ROUNDED = "rounded_kernel"


class Reshape(HybridBlock):
    """Gives a tensor another shape; 0 keeps a dimension, -1 takes what is left."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        super().__init__(prefix="")
        self.shape = shape

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        return x.reshape(self.shape)


class Residual(HybridBlock):
    """The sum of two ways through a network, He et al. 2016, https://arxiv.org/abs/1512.03385.

    ``body`` are the layers of the one, ``shortcut`` those of the other: without any it gives what
    it takes. ``in_bfloat16`` is as for a convolution.
    """

    in_bfloat16 = False

    def __init__(
        self, name: str, body: Sequence[HybridBlock], shortcut: Sequence[HybridBlock] = ()
    ) -> None:
        super().__init__(prefix=f"{name}_")
        self.body = nn.HybridSequential(prefix="")
        self.body.add(*body)
        self.shortcut = nn.HybridSequential(prefix="")
        self.shortcut.add(*shortcut)

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        ways = [self.body(x), self.shortcut(x)]
        if self.in_bfloat16:
            ways = _to_bfloat16(F, *ways)
        return F.elemwise_add(*ways, name="fwd")


class Composite(HybridBlock):
    """A network that is nothing but its parts, where they are no sequence.

    ``core`` is the part that may compute in bfloat16.
    """

    core: HybridBlock


def walk(network: HybridBlock) -> Iterator[HybridBlock]:
    """Every layer, also those in sequences and residual blocks, in the order of their computation.

    A residual block comes after its layers, for the sum that it ends with. What else has layers in
    it counts as one layer.
    """
    if type(network) is nn.HybridSequential:
        for layer in network:
            yield from walk(layer)
        return
    if isinstance(network, Composite):
        for part in network._children.values():
            yield from walk(part)
        return
    if isinstance(network, Residual):
        yield from walk(network.body)
        yield from walk(network.shortcut)
    yield network


class Convolution(nn.Conv2D):
    """A convolution in float32, or in bfloat16 where ``in_bfloat16`` is set."""

    in_bfloat16 = False

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:  # noqa: N803
        if self.in_bfloat16:
            x, weight, bias = _to_bfloat16(F, x, weight, bias)
        return super().hybrid_forward(F, x, weight, bias)


class TransposedConvolution(nn.Conv2DTranspose):
    """A transposed convolution in float32, or in bfloat16 after ``add_rounded``.

    There it takes a rounded copy of its weight, a parameter of its own: mxnet crashes where the
    weight of a Deconvolution was computed in the same graph.
    """

    rounded: Parameter | None = None

    def hybrid_forward(
        self,
        F: Any,  # noqa: N803 (gluon's name)
        x: Any,
        weight: Any,
        bias: Any = None,
        rounded: Any = None,
    ) -> Any:
        if rounded is not None:
            x, bias = _to_bfloat16(F, x, bias)
            weight = rounded
        return super().hybrid_forward(F, x, weight, bias)

    def even_out(self) -> None:
        """Give all phases of the weight the same gain, by the smallest change of it.

        A phase is what makes every ``stride``-th pixel of each way. Where their sums differ, even
        areas come out as checkerboards (Sugawara et al. 2018, https://arxiv.org/abs/1806.02658).
        """
        weight = self.weight.data()
        projection = mx.nd.array(
            _even_phases(self._kwargs["kernel"][0], self._kwargs["stride"][0]), ctx=weight.context
        )
        taps = weight.reshape((-1, len(projection)))
        weight[:] = mx.nd.dot(taps, projection).reshape(weight.shape)

    def add_rounded(self) -> None:
        """Compute in bfloat16 from now on, once ``round_weights`` has set the copy."""
        with self.name_scope():
            self.rounded = self.params.get(ROUNDED, shape=self.weight.shape, dtype=bfloat16)
        self.rounded.initialize(mx.init.Zero(), ctx=self.weight.list_ctx())


@cache
def _even_phases(kernel: int, stride: int) -> np.ndarray:
    """The orthogonal projection of taps, (K * K, K * K), onto those of phases of the same sum."""
    phase = np.arange(kernel) % stride
    of_pixel = (stride * phase[:, None] + phase).ravel()
    members = (of_pixel[:, None] == np.arange(stride**2)).astype(float)  # taps by phases
    each = 1 / members.sum(axis=0)  # what of a phase's correction goes to each of its taps
    correction = np.outer(each, each) / each.sum() - np.diag(each)
    return (np.eye(kernel**2) + members @ correction @ members.T).astype(np.float32)


def even_out_phases(network: HybridBlock) -> None:
    """Let no transposed convolution of a network make checkerboards of even areas."""
    for layer in walk(network):
        if isinstance(layer, TransposedConvolution) and layer._kwargs["stride"][0] > 1:
            layer.even_out()


class InFloat32:
    """A layer that is always computed in float32: it casts where ``in_bfloat16`` is set."""

    in_bfloat16 = False

    def hybrid_forward(self, F: Any, x: Any, **parameters: Any) -> Any:  # noqa: N803
        if self.in_bfloat16:
            x = F.amp_cast(x, dtype="float32")
        return super().hybrid_forward(F, x, **parameters)  # type: ignore[misc]


class Dense(InFloat32, nn.Dense):
    """A dense layer."""


class AveragePooling(InFloat32, nn.AvgPool2D):
    """The mean of squares of pixels."""


class GlobalSum(HybridBlock):
    """(N, C, H, W) -> (N, C): the sum over all pixels."""

    def __init__(self) -> None:
        super().__init__(prefix="global_sum_")

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        return F.sum(x, axis=(2, 3), name="fwd")


def _to_bfloat16(F: Any, *arrays: Any) -> list[Any]:  # noqa: N803 (gluon's name)
    return [None if array is None else F.amp_cast(array, dtype=bfloat16) for array in arrays]


class SpectralNorm:
    """A layer with its weight divided by its largest singular value.

    Miyato et al. 2018, https://arxiv.org/abs/1802.05957, section 2.1 and algorithm 1: the weight
    as a matrix W of outputs by the rest has the spectral norm u^T W v; with v = W^T u / |W^T u|
    that is |W^T u|. ``left`` is u; ``iterate`` turns it by one power iteration.
    """

    weight: Parameter
    name_scope: Any
    params: Any

    def __init__(self, outputs: int, *arguments: Any, **options: Any) -> None:
        super().__init__(outputs, *arguments, **options)  # type: ignore[call-arg]
        with self.name_scope():
            # Every start but one at right angles to the singular vector leads there; this one
            # needs no randomness.
            start = mx.init.Constant(outputs**-0.5)
            self.left = self.params.get(
                "left_vector", shape=(outputs,), init=start, differentiable=False
            )

    def iterate(self) -> None:
        """One power iteration: u becomes W v / |W v|."""
        left, matrix = self.left.data(), self._matrix(self.weight.data())
        right = mx.nd.L2Normalization(mx.nd.dot(left.reshape((1, -1)), matrix))
        left[:] = mx.nd.L2Normalization(mx.nd.dot(right, matrix.T)).reshape((-1,))

    def divided(self, F: Any, weight: Any, left: Any) -> Any:  # noqa: N803 (gluon's name)
        """The weight that the layer multiplies with."""
        products = F.dot(left.reshape((1, -1)), self._matrix(weight))
        norm = products.square().sum().sqrt().reshape((1,) * len(self.weight.shape))
        return F.broadcast_div(weight, norm, name="divided_weight")

    def hybrid_forward(
        self,
        F: Any,  # noqa: N803 (gluon's name)
        x: Any,
        weight: Any,
        bias: Any = None,
        left: Any = None,
    ) -> Any:
        weight = self.divided(F, weight, left)
        return super().hybrid_forward(F, x, weight=weight, bias=bias)  # type: ignore[misc]

    def _matrix(self, weight: Any) -> Any:
        return weight.reshape((self.weight.shape[0], -1))


class SpectralConvolution(SpectralNorm, Convolution):
    """A convolution with a spectral norm of one."""


class SpectralDense(SpectralNorm, Dense):  # type: ignore[misc]
    """A dense layer with a spectral norm of one."""


def iterate_spectral_norms(network: HybridBlock) -> None:
    """Turn every spectral norm of a network by one power iteration, as before each update."""
    network.apply(lambda block: block.iterate() if isinstance(block, SpectralNorm) else None)


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
    kind = SpectralConvolution if norm == "spectral" else Convolution
    return kind(
        outputs,
        kernel,
        stride,
        padding,
        in_channels=inputs,
        use_bias=norm in ("spectral", "none"),
        prefix=f"{name}_",
    )


def dense(inputs: int, outputs: int, *, norm: str = "none", name: str) -> HybridBlock:
    """A dense layer with a bias, before ``normalisation(norm, …)``."""
    kind = SpectralDense if norm == "spectral" else Dense
    return kind(outputs, in_units=inputs, prefix=f"{name}_")


def halving(
    inputs: int, outputs: int, kernel: int, downsampling: str, *, norm: str, name: str
) -> list[HybridBlock]:
    """A convolution that halves height and width, before ``normalisation(norm, …)``."""
    if downsampling == "stride":
        padding = (kernel - 1) // 2
        return [convolution(inputs, outputs, kernel, 2, padding, norm=norm, name=name)]
    pool = nn.MaxPool2D if downsampling == "max_pool" else AveragePooling
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
        TransposedConvolution(
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


class Mirrored(HybridBlock):
    """(N, C, H, W) -> (N, 2 C, H, W): maps, then these with left and right exchanged.

    They are float32: it casts where ``in_bfloat16`` is set.
    """

    in_bfloat16 = False

    def __init__(self) -> None:
        super().__init__(prefix="")

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        if self.in_bfloat16:
            x = F.amp_cast(x, dtype="float32")
        return F.concat(x, F.flip(x, axis=3), dim=1)


class Padding(HybridBlock):
    """Zeros around maps: ``before`` rows above and columns to the left, ``after`` the others."""

    def __init__(self, before: int, after: int) -> None:
        super().__init__(prefix="")
        self.before = before
        self.after = after

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        width = (0, 0, 0, 0, *(self.before, self.after) * 2)
        return F.pad(x, mode="constant", pad_width=width, constant_value=0)


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
