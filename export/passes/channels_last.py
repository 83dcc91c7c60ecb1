"""Interleave bytes with the channels last, as the integer kernels of onnxruntime compute them.

Its convolutions of bytes want the channels of a pixel side by side. It transposes for that, and
moves transpositions through the graph until they cancel, but not through a DepthToSpace. Written as
what it is, an exchange of columns and a block's rows, none of them is left.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgegan.export.passes.graph import (
    attributes,
    copy_of,
    initializers,
    replace_nodes,
    set_initializers,
    shape_of,
    types,
)


def rewrite(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with each DepthToSpace of bytes written as Reshape and Transpose.

    One whose columns cannot be told from the graph, or that has the channel before the block,
    stays.
    """
    model = copy_of(model)
    arrays = initializers(model)
    known = types(model)
    replaced = {}
    for node in model.graph.node:
        if node.op_type != "DepthToSpace" or attributes(node).get("mode", b"DCR") != b"DCR":
            continue
        read = known[node.input[0]]
        shape = shape_of(read)
        if read.elem_type == TensorProto.UINT8 and shape and None not in shape[1:]:
            replaced[node.output[0]] = _interleaving(node, shape, arrays)
    replace_nodes(model, replaced)
    set_initializers(model, arrays)
    return model


def _interleaving(
    node: onnx.NodeProto, shape: list[int | None], arrays: dict[str, np.ndarray]
) -> list[onnx.NodeProto]:
    """(N, b b C, H, W) to (N, C, b H, b W) by way of (N, H, b, W, b C); adds the shapes' constants.

    In ONNX's Reshape, 0 is a size that stays as it is.
    """
    name, block = node.output[0], attributes(node)["blocksize"]
    channels, height, width = (size or 0 for size in shape[1:])
    inner = channels // block
    apart, joined = f"{name}_blocks_shape", f"{name}_pixels_shape"
    arrays[apart] = np.array([0, height, width, block, inner])
    arrays[joined] = np.array([0, block * height, block * width, inner // block])
    last, blocks, rows, pixels = (f"{name}_{part}" for part in ("last", "blocks", "rows", "pixels"))
    nodes = [
        helper.make_node("Transpose", [node.input[0]], [last], perm=[0, 2, 3, 1]),
        helper.make_node("Reshape", [last, apart], [blocks]),
        helper.make_node("Transpose", [blocks], [rows], perm=[0, 1, 3, 2, 4]),
        helper.make_node("Reshape", [rows, joined], [pixels]),
        helper.make_node("Transpose", [pixels], [name], perm=[0, 3, 1, 2]),
    ]
    for made in nodes:
        made.name = made.output[0]
    return nodes
