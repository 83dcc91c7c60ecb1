"""Networks that compute in bfloat16: mixed precision, Kalamkar et al. 2019, section 3.

https://arxiv.org/abs/1905.12322. What a network takes and gives stays float32, as do its parameters
and the statistics of its batch norms.
"""

from __future__ import annotations

import re
import warnings
from typing import Any

from edgegan.trainer import onednn
from edgegan.trainer.framework import HybridBlock, Parameter, bfloat16, mx, nn
from edgegan.trainer.layers import (
    ROUNDED,
    AveragePooling,
    Composite,
    Convolution,
    Dense,
    GlobalSum,
    Mirrored,
    PixelShuffle,
    Reshape,
    Residual,
    TransposedConvolution,
    walk,
)
from edgegan.trainer.segments import compute_by_onednn

KNOWN = (
    AveragePooling,
    Convolution,
    Dense,
    GlobalSum,
    Mirrored,
    PixelShuffle,
    Reshape,
    Residual,
    TransposedConvolution,
    nn.Activation,
    nn.BatchNorm,
    nn.LeakyReLU,
)


class ToFloat32(HybridBlock):
    """Ends a network that computes in bfloat16."""

    def hybrid_forward(self, F: Any, x: Any) -> Any:  # noqa: N803 (gluon's name)
        return F.amp_cast(x, dtype="float32")


def compute_in_bfloat16(network: HybridBlock, *, by_onednn: bool = False) -> bool:
    """Let an initialised network compute in bfloat16, from its first layer with weights.

    Of one that takes words it is its core. ``round_weights`` is due after each change of weights,
    ``gather_gradients`` after each backward pass.

    Args:
        by_onednn: whether a newer oneDNN than mxnet's may compute it, where one is installed and
            the processor has matrix units. What is recorded has to go on a ``tape.Tape`` then, and
            of gradients there are no gradients. In use it is mxnet's then, in float32.

    Returns:
        Whether oneDNN computes it.

    Raises:
        ValueError: it has a layer that is not known to work in bfloat16.
    """
    core = network.core if isinstance(network, Composite) else network
    check(core)
    here = by_onednn and onednn.has_matrix_units() and onednn.computes_in_bfloat16()
    if here and compute_by_onednn(core):
        network.hybridize(False)  # a symbol holds what mxnet computes, and nothing else
        return True
    for layer in walk(core):
        if isinstance(layer, TransposedConvolution):
            layer.add_rounded()
        elif hasattr(layer, "in_bfloat16"):
            layer.in_bfloat16 = True
    core.add(ToFloat32(prefix=""))
    if copied := [layer.weight for layer, _ in _with_rounded(core)]:
        _expect_unused(copied)
    round_weights(core)
    return False


def check(network: HybridBlock) -> None:
    """Raise ValueError where a network has a layer that is not known to work in bfloat16."""
    for layer in walk(network):
        if not isinstance(layer, KNOWN):
            raise ValueError(
                "precision bfloat16 knows convolutions, batch norms and their activations, dense "
                f"layers and residual blocks only, found {type(layer).__name__.lstrip('_')}"
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
    return [
        (layer, layer.rounded)
        for layer in walk(network)
        if isinstance(layer, TransposedConvolution) and layer.rounded
    ]
