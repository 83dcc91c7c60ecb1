"""Fold batch norm into the layer before it, whose outputs its constants only scale and shift.

With s = gamma / sqrt(var + epsilon) by output channel (Ioffe and Szegedy 2015, algorithm 2,
https://arxiv.org/abs/1502.03167), the weights become W s and the bias (b - mean) s + beta. Where a
pixel shuffle, or a Reshape of rows to maps, stands between, several outputs of the layer become one
channel of the norm, and have its constants.
"""

from __future__ import annotations

import math

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

OUTPUT_CHANNEL_AXIS = {"Conv": 0, "ConvTranspose": 1, "Gemm": 1}


def rewrite(model: onnx.ModelProto, *, note: Note = silent) -> onnx.ModelProto:
    """The model without the batch norms that follow a layer of their own."""
    model = copy_of(model)
    arrays = initializers(model)
    producers = {node.output[0]: node for node in model.graph.node}
    kept = []
    for node in model.graph.node:
        if node.op_type == "BatchNormalization":
            with noting(note, node):
                _fold(node, model, producers, arrays)
                continue
        kept.append(node)
    del model.graph.node[:]
    model.graph.node.extend(kept)
    set_initializers(model, arrays)
    return model


def _fold(
    norm: onnx.NodeProto,
    model: onnx.ModelProto,
    producers: dict[str, onnx.NodeProto],
    arrays: dict[str, np.ndarray],
) -> None:
    """Have the layer before a norm compute what the norm makes of it; raises Stays."""
    last = _only_producer(norm, model, producers)
    is_move = last.op_type in ("DepthToSpace", "Reshape")
    layer = _only_producer(last, model, producers) if is_move else last
    _check_foldable(layer, norm, model, arrays)
    gamma, beta, mean, variance = (
        _by_output(arrays[name].astype(np.float64), last, arrays) for name in norm.input[1:]
    )
    weight_name = layer.input[1]
    bias_name = f"{norm.output[0]}_folded_bias" if is_move else f"{layer.output[0]}_folded_bias"
    weight = arrays[weight_name].astype(np.float64)
    bias = arrays[layer.input[2]].astype(np.float64) if len(layer.input) > 2 else 0
    scale = gamma / np.sqrt(variance + attributes(norm).get("epsilon", 1e-5))
    axis = 0 if attributes(layer).get("transB", 0) else OUTPUT_CHANNEL_AXIS[layer.op_type]
    if weight.shape[axis] != len(scale):
        raise Stays(f"has other channels than {layer_name(layer)}")
    shape = [-1 if other == axis else 1 for other in range(weight.ndim)]
    arrays[weight_name] = (weight * scale.reshape(shape)).astype(np.float32)
    arrays[bias_name] = ((bias - mean) * scale + beta).astype(np.float32)
    layer.input[2:] = [bias_name]
    last.name = last.output[0] = norm.output[0]


def _only_producer(
    node: onnx.NodeProto, model: onnx.ModelProto, producers: dict[str, onnx.NodeProto]
) -> onnx.NodeProto:
    """What makes a node's first input, which nobody else reads; raises Stays."""
    tensor = node.input[0]
    if tensor not in producers:
        raise Stays("follows no layer")
    if len(consumers(model, tensor)) > 1 or tensor in {value.name for value in model.graph.output}:
        raise Stays(f"is not the only one to read what {layer_name(producers[tensor])} makes")
    return producers[tensor]


def _check_foldable(
    layer: onnx.NodeProto,
    norm: onnx.NodeProto,
    model: onnx.ModelProto,
    arrays: dict[str, np.ndarray],
) -> None:
    """Raise Stays unless all is constant, and the layer's weights are its own."""
    name = layer_name(layer)
    found = attributes(layer)
    if layer.op_type not in OUTPUT_CHANNEL_AXIS:
        raise Stays(f"follows {name} ({layer.op_type}), which has no weights that could take it")
    if found.get("group", 1) != 1:
        raise Stays(f"follows {name}, which has its channels in groups")
    if (found.get("alpha", 1), found.get("beta", 1)) != (1, 1):
        raise Stays(f"follows {name}, which is no plain matrix product")
    if not all(constant in arrays for constant in [*layer.input[1:], *norm.input[1:]]):
        raise Stays(f"is not all constant, or {name} is not")
    if len(consumers(model, layer.input[1])) > 1:
        raise Stays(f"follows {name}, whose weights another layer shares")


def _by_output(
    constants: np.ndarray, last: onnx.NodeProto, arrays: dict[str, np.ndarray]
) -> np.ndarray:
    """A norm's constants by the outputs of the layer, when `last` has moved these to its channels.

    Raises:
        Stays: where they went cannot be told.
    """
    found = attributes(last)
    if last.op_type == "DepthToSpace":
        pixels = found["blocksize"] ** 2
        block_first = found.get("mode", b"DCR") == b"DCR"
        return np.tile(constants, pixels) if block_first else np.repeat(constants, pixels)
    if last.op_type == "Reshape":
        shape = arrays.get(last.input[1], np.empty(0))
        if len(shape) != 4 or shape[1] != len(constants) or min(shape[2:]) < 1:
            raise Stays(f"follows {last.output[0]}, which does not make maps of rows")
        return np.repeat(constants, math.prod(shape[2:].tolist()))
    return constants
