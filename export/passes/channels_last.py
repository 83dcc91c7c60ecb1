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
    Note,
    Stays,
    attributes,
    copy_of,
    initializers,
    noting,
    replace_nodes,
    set_initializers,
    shape_of,
    silent,
    types,
)


def rewrite(model: onnx.ModelProto, *, note: Note = silent) -> onnx.ModelProto:
    """The model with each DepthToSpace of bytes written as Reshape and Transpose.

    One whose columns cannot be told from the graph, or that has the channel before the block,
    stays.
    """
    model = copy_of(model)
    arrays = initializers(model)
    known = types(model)
    replaced = {}
    for node in model.graph.node:
        if node.op_type == "DepthToSpace":
            with noting(note, node):
                shape = _byte_shape(node, known[node.input[0]])
                replaced[node.output[0]] = _interleaving(node, shape, arrays)
    replace_nodes(model, replaced)
    set_initializers(model, arrays)
    return model


def _byte_shape(node: onnx.NodeProto, read: onnx.TypeProto.Tensor) -> list[int]:
    """The shape (C, H, W) of the bytes that a DepthToSpace reads; raises Stays where it stays."""
    shape = [size or 0 for size in shape_of(read)[1:]]
    if read.elem_type != TensorProto.UINT8:
        raise Stays("interleaves no bytes")
    if attributes(node).get("mode", b"DCR") != b"DCR":
        raise Stays("has the channel before the block")
    if not shape or 0 in shape:
        raise Stays("reads maps of a size that the graph does not tell")
    return shape


def _interleaving(
    node: onnx.NodeProto, shape: list[int], arrays: dict[str, np.ndarray]
) -> list[onnx.NodeProto]:
    """(N, b b C, H, W) to (N, C, b H, b W) by way of (N, H, b, W, b C); adds the shapes' constants.

    In ONNX's Reshape, 0 is a size that stays as it is.
    """
    name, block = node.output[0], attributes(node)["blocksize"]
    channels, height, width = shape
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
