"""Compute an activation before what only moves numbers: a pixel shuffle, or a Reshape.

It works on each number by itself, so it gives the same; and onnxruntime computes it along with the
layer that it then follows directly, in integers too.
"""

from __future__ import annotations

import onnx

from edgegan.export.passes.graph import (
    Note,
    Stays,
    activation_after,
    copy_of,
    copy_of_node,
    noting,
    replace_nodes,
    silent,
)

MOVES = ("DepthToSpace", "Reshape")


def rewrite(model: onnx.ModelProto, *, note: Note = silent) -> onnx.ModelProto:
    """The model with every activation that alone reads what moves numbers before that."""
    model = copy_of(model)
    replaced: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type in MOVES:
            with noting(note, node):
                activation = activation_after(model, node.output[0])
                if activation is None:
                    raise Stays(
                        f"({node.op_type}) is not followed by an activation and nothing else"
                    )
                active = f"{activation.output[0]}_unmoved"
                replaced[node.output[0]] = [
                    copy_of_node(activation, node.input[0], active),
                    copy_of_node(node, active, activation.output[0]),
                ]
                replaced[activation.output[0]] = []
    replace_nodes(model, replaced)
    return model
