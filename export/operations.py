"""How many multiplications a model takes, counted from its shapes."""

from __future__ import annotations

import math
from typing import Any

import onnx

from edgegan.export.passes.graph import attributes, copy_of, shapes


def multiply_adds(model: onnx.ModelProto) -> int:
    """Multiplications, each with an addition, that the model takes for a batch of one.

    Those of convolutions, also with the zeros of their padding, of matrix products and of batch
    norms are counted; activations and what only moves numbers are not.
    """
    return sum(by_layer(model).values())


def multiply_adds_in_integers(model: onnx.ModelProto) -> int:
    """Those of them that are of integers: of layers whose weights are stored as such."""
    made = {node.output[0]: node for node in model.graph.node}
    counts = by_layer(model)
    return sum(
        count
        for name, count in counts.items()
        if made[name].input[1] in made and made[made[name].input[1]].op_type == "DequantizeLinear"
    )


def by_layer(model: onnx.ModelProto) -> dict[str, int]:
    """The multiply-adds of each node that takes any, by what it makes, in the graph's order."""
    model = copy_of(model)
    for value in model.graph.input:
        value.type.tensor_type.shape.dim[0].dim_value = 1
    known: dict[str, Any] = dict(shapes(model))
    known.update({tensor.name: list(tensor.dims) for tensor in model.graph.initializer})
    counts = {node.output[0]: _of_node(node, known) for node in model.graph.node}
    return {name: count for name, count in counts.items() if count}


def _of_node(node: onnx.NodeProto, known: dict[str, Any]) -> int:
    def size(tensor: str) -> int:
        return math.prod(known[tensor])

    if node.op_type == "Conv":  # every output, by the taps of an output channel
        return size(node.output[0]) * math.prod(known[node.input[1]][1:])
    if node.op_type == "ConvTranspose":  # every input, by the taps of an input channel
        return size(node.input[0]) * math.prod(known[node.input[1]][1:])
    if node.op_type in ("Gemm", "MatMul"):
        transposed = attributes(node).get("transA", 0)
        return size(node.output[0]) * known[node.input[0]][0 if transposed else -1]
    if node.op_type == "BatchNormalization":
        return size(node.output[0])
    return 0
