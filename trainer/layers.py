"""Layers that the architectures share, and the switches among them that a recipe can set."""

from __future__ import annotations

import re
import warnings
from typing import Any

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


class Convolution(nn.Conv2D):
    """A convolution in float32, or in bfloat16 after ``compute_in_bfloat16``."""

    in_bfloat16 = False

    def hybrid_forward(self, F: Any, x: Any, weight: Any, bias: Any = None) -> Any:  # noqa: N803
        if self.in_bfloat16:
            x, weight, bias = _to_bfloat16(F, x, weight, bias)
        return super().hybrid_forward(F, x, weight, bias)


class TransposedConvolution(nn.Conv2DTranspose):
    """A transposed convolution in float32, or in bfloat16 after ``compute_in_bfloat16``.

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

    def add_rounded(self) -> None:
        """Compute in bfloat16 from now on, once ``round_weights`` has set the copy."""
        with self.name_scope():
            self.rounded = self.params.get(ROUNDED, shape=self.weight.shape, dtype=bfloat16)
        self.rounded.initialize(mx.init.Zero(), ctx=self.weight.list_ctx())


class ToFloat32(HybridBlock):
    """Ends a network that computes in bfloat16."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        return F.amp_cast(x, dtype="float32")


def compute_in_bfloat16(network: HybridBlock) -> None:
    """Let an initialised network compute in bfloat16, from its first convolution to its output.

    What it takes and gives stays float32, as do its parameters and the statistics of its batch
    norms: mixed precision as in Kalamkar et al. 2019, section 3, https://arxiv.org/abs/1905.12322.
    ``round_weights`` is due after each change of weights, ``gather_gradients`` after each backward
    pass.

    Raises:
        ValueError: it has a layer that is not known to work in bfloat16.
    """
    check_layers_for_bfloat16(network)
    for layer in network:
        if isinstance(layer, Convolution):
            layer.in_bfloat16 = True
        elif isinstance(layer, TransposedConvolution):
            layer.add_rounded()
    network.add(ToFloat32(prefix=""))
    if copied := [layer.weight for layer, _ in _with_rounded(network)]:
        _expect_unused(copied)
    round_weights(network)


def check_layers_for_bfloat16(network: HybridBlock) -> None:
    """Raise ValueError where a network has a layer that is not known to work in bfloat16."""
    known = (Convolution, TransposedConvolution, nn.BatchNorm, nn.Activation, nn.LeakyReLU, Reshape)
    layers = network if type(network) is nn.HybridSequential else [network]
    for layer in layers:
        if not isinstance(layer, known):
            raise ValueError(
                "precision bfloat16 knows convolutions, batch norms and their activations only, "
                f"found {type(layer).__name__.lstrip('_')}"
            )


def round_weights(network: HybridBlock) -> None:
    """Set the rounded copies that transposed convolutions compute with in bfloat16."""
    for layer, rounded in _with_rounded(network):
        mx.nd.amp_cast(layer.weight.data(), dtype=bfloat16, out=rounded.data())


def gather_gradients(network: HybridBlock) -> None:
    """Take the gradients of rounded copies for those of the weights."""
    for layer, rounded in _with_rounded(network):
        mx.nd.amp_cast(rounded.grad(), dtype="float32", out=layer.weight.grad())


def stored_parameters(network: HybridBlock) -> dict[str, Parameter]:
    """All parameters of a network by name, without rounded copies, which follow from others."""
    parameters = network.collect_params().items()
    return {name: item for name, item in parameters if not name.endswith(ROUNDED)}


def _expect_unused(parameters: list[Parameter]) -> None:
    """Silence mxnet's warning that all these and no others are not used by a network."""
    name = f"({'|'.join(re.escape(parameter.name) for parameter in parameters)})"
    message = f"Parameter {name}(, {name})* is not used by any computation"
    warnings.filterwarnings("ignore", message)


def _with_rounded(network: HybridBlock) -> list[tuple[TransposedConvolution, Parameter]]:
    layers = network._children.values()
    return [
        (layer, layer.rounded)
        for layer in layers
        if isinstance(layer, TransposedConvolution) and layer.rounded
    ]


def _to_bfloat16(F: Any, *arrays: Any) -> list[Any]:  # noqa: N803 (gluon's name)
    return [None if array is None else F.amp_cast(array, dtype=bfloat16) for array in arrays]


class SpectralConvolution(Convolution):
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
        bias: Any = None,
        left: Any = None,
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
