"""Fold batch norm into the convolution before it, which its constants only scale and shift.

With s = gamma / sqrt(var + epsilon) by output channel (Ioffe and Szegedy 2015, algorithm 2,
https://arxiv.org/abs/1502.03167), the weights become W s and the bias (b - mean) s + beta.
"""

from __future__ import annotations

import numpy as np
import onnx

from edgegan.export.passes.graph import (
    attributes,
    consumers,
    copy_of,
    initializers,
    set_initializers,
)

OUTPUT_CHANNEL_AXIS = {"Conv": 0, "ConvTranspose": 1}


def rewrite(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model without the batch norms that directly follow a convolution of their own."""
    model = copy_of(model)
    arrays = initializers(model)
    producers = {node.output[0]: node for node in model.graph.node}
    kept = []
    for node in model.graph.node:
        convolution = producers.get(node.input[0]) if node.op_type == "BatchNormalization" else None
        if convolution is None or not _foldable(model, convolution, node, arrays):
            kept.append(node)
            continue
        weight_name = convolution.input[1]
        bias_name = f"{convolution.output[0]}_folded_bias"
        weight = arrays[weight_name].astype(np.float64)
        bias = arrays[convolution.input[2]].astype(np.float64) if len(convolution.input) > 2 else 0
        gamma, beta, mean, variance = (arrays[name].astype(np.float64) for name in node.input[1:])
        scale = gamma / np.sqrt(variance + attributes(node).get("epsilon", 1e-5))
        shape = [1] * weight.ndim
        shape[OUTPUT_CHANNEL_AXIS[convolution.op_type]] = -1
        arrays[weight_name] = (weight * scale.reshape(shape)).astype(np.float32)
        arrays[bias_name] = ((bias - mean) * scale + beta).astype(np.float32)
        convolution.input[2:] = [bias_name]
        convolution.name = convolution.output[0] = node.output[0]
    del model.graph.node[:]
    model.graph.node.extend(kept)
    set_initializers(model, arrays)
    return model


def _foldable(
    model: onnx.ModelProto,
    convolution: onnx.NodeProto,
    norm: onnx.NodeProto,
    arrays: dict[str, np.ndarray],
) -> bool:
    """Whether all is constant, and nobody else reads the convolution or shares its weights."""
    return (
        convolution.op_type in OUTPUT_CHANNEL_AXIS
        and attributes(convolution).get("group", 1) == 1
        and all(name in arrays for name in [*convolution.input[1:], *norm.input[1:]])
        and len(consumers(model, convolution.output[0])) == 1
        and len(consumers(model, convolution.input[1])) == 1
        and convolution.output[0] not in {value.name for value in model.graph.output}
    )
