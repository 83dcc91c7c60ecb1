"""Write the transposed convolution of a map of one pixel as one matrix product.

The pixel's channels times every tap of every output channel: row c of the matrix is W[c]. It is
read once for a whole batch, where a convolution reads its weights for each picture.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from edgegan.export.passes.graph import (
    ConvTranspose,
    Note,
    Stays,
    activation_after,
    copy_of,
    copy_of_node,
    initializers,
    noting,
    replace_nodes,
    set_initializers,
    shapes,
    silent,
)


def rewrite(model: onnx.ModelProto, *, note: Note = silent) -> onnx.ModelProto:
    """The model with a Gemm and a Reshape for every transposed convolution of one pixel.

    An activation that directly follows is moved before the Reshape; one that made the pixel of a
    row is left out.
    """
    model = copy_of(model)
    arrays = initializers(model)
    known = shapes(model)
    producers = {node.output[0]: node for node in model.graph.node}
    replaced: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type != "ConvTranspose":
            continue
        with noting(note, node):
            convolution = ConvTranspose.of(node, arrays)
            _check_reads_a_pixel(known.get(node.input[0], []))
            activation = activation_after(model, node.output[0])
            row = _row_of(producers.get(node.input[0]), known)
            replaced[node.output[0]] = _product_nodes(node, row, convolution, activation, arrays)
            if activation:
                replaced[activation.output[0]] = []
    replace_nodes(model, replaced)
    set_initializers(model, arrays)
    return model


def _check_reads_a_pixel(shape: list[int | None]) -> None:
    """Raise Stays unless (N, C, H, W) is the shape of maps of one pixel."""
    if shape[2:] != [1, 1]:
        found = " x ".join(str(size or "?") for size in shape[2:]) or "?"
        raise Stays(f"reads maps of {found} pixels, not of one")


def _row_of(producer: onnx.NodeProto | None, known: dict[str, list[int | None]]) -> str | None:
    """The tensor of rows that a Reshape makes pixels of, if that is what the producer does."""
    if producer and producer.op_type == "Reshape" and len(known.get(producer.input[0], [])) == 2:
        return producer.input[0]
    return None


def _product_nodes(
    node: onnx.NodeProto,
    row: str | None,
    convolution: ConvTranspose,
    activation: onnx.NodeProto | None,
    arrays: dict[str, np.ndarray],
) -> list[onnx.NodeProto]:
    """The product of a row, its activation, and the maps; adds the constants."""
    nodes = []
    if row is None:
        row = f"{node.input[0]}_row"
        nodes.append(helper.make_node("Flatten", [node.input[0]], [row], name=row))
    top, left, bottom, right = convolution.pads
    below, beside = convolution.output_padding
    taps = np.pad(convolution.weight, ((0, 0), (0, 0), (0, below), (0, beside)))
    taps = taps[:, :, top : taps.shape[2] - bottom, left : taps.shape[3] - right]
    inputs, *maps = taps.shape
    result = activation.output[0] if activation else node.output[0]
    matrix, shape = f"{node.input[1]}_matrix", f"{result}_shape"
    arrays[matrix] = taps.reshape(inputs, -1)
    arrays[shape] = np.array([-1, *maps])
    product = [row, matrix]
    if len(node.input) > 2:
        bias = f"{node.input[2]}_row"
        arrays[bias] = np.repeat(arrays[node.input[2]], maps[1] * maps[2])
        product.append(bias)
    made = f"{node.output[0]}_product"
    nodes.append(helper.make_node("Gemm", product, [made], name=made))
    if activation:
        nodes.append(copy_of_node(activation, made, f"{result}_rows"))
    nodes.append(helper.make_node("Reshape", [nodes[-1].output[0], shape], [result], name=result))
    return nodes
