"""Fold batch norm into the convolution before it, which its constants only scale and shift.

With s = gamma / sqrt(var + epsilon) by output channel (Ioffe and Szegedy 2015, algorithm 2,
https://arxiv.org/abs/1502.03167), the weights become W s and the bias (b - mean) s + beta.
"""

from __future__ import annotations

import numpy as np
import onnx

from edgegan.export.passes.graph import (
    Note,
    Stays,
    attributes,
    consumers,
    copy_of,
    initializers,
    layer_name,
    noting,
    set_initializers,
    silent,
)

OUTPUT_CHANNEL_AXIS = {"Conv": 0, "ConvTranspose": 1}


def rewrite(model: onnx.ModelProto, *, note: Note = silent) -> onnx.ModelProto:
    """The model without the batch norms that directly follow a convolution of their own."""
    model = copy_of(model)
    arrays = initializers(model)
    producers = {node.output[0]: node for node in model.graph.node}
    kept = []
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            with noting(note, node):
                _fold(producers.get(node.input[0]), node, model, arrays)
                continue
        kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    set_initializers(model, arrays)
    return model


def _fold(
    convolution: onnx.NodeProto | None,
    norm: onnx.NodeProto,
    model: onnx.ModelProto,
    arrays: dict[str, np.ndarray],
) -> None:
    """Have the convolution compute what the norm makes of it."""
    convolution = _foldable(convolution, norm, model, arrays)
    weight_name = convolution.input[1]
    bias_name = f"{convolution.output[0]}_folded_bias"
    weight = arrays[weight_name].astype(np.float64)
    bias = arrays[convolution.input[2]].astype(np.float64) if len(convolution.input) > 2 else 0
    gamma, beta, mean, variance = (arrays[name].astype(np.float64) for name in norm.input[1:])
    scale = gamma / np.sqrt(variance + attributes(norm).get("epsilon", 1e-5))
    shape = [1] * weight.ndim
    shape[OUTPUT_CHANNEL_AXIS[convolution.op_type]] = -1
    arrays[weight_name] = (weight * scale.reshape(shape)).astype(np.float32)
    arrays[bias_name] = ((bias - mean) * scale + beta).astype(np.float32)
    convolution.input[2:] = [bias_name]
    convolution.name = convolution.output[0] = norm.output[0]


def _foldable(
    convolution: onnx.NodeProto | None,
    norm: onnx.NodeProto,
    model: onnx.ModelProto,
    arrays: dict[str, np.ndarray],
) -> onnx.NodeProto:
    """The convolution before a norm; raises Stays where not all is constant and its own."""
    if convolution is None or convolution.op_type not in OUTPUT_CHANNEL_AXIS:
        follows = f"a {convolution.op_type}" if convolution else "the input"
        raise Stays(f"follows {follows}, not a convolution")
    name = layer_name(convolution)
    if attributes(convolution).get("group", 1) != 1:
        raise Stays(f"follows {name}, which has its channels in groups")
    if not all(name in arrays for name in [*convolution.input[1:], *norm.input[1:]]):
        raise Stays("is not all constant, or the convolution before it is not")
    if len(consumers(model, convolution.output[0])) > 1:
        raise Stays(f"is not the only one that reads {name}")
    if len(consumers(model, convolution.input[1])) > 1:
        raise Stays(f"follows {name}, whose weights another layer shares")
    if convolution.output[0] in {value.name for value in model.graph.output}:
        raise Stays(f"follows {name}, which is an output of the graph")
    return convolution
