"""Replace what is computed from constants alone by its value.

A weight divided by its spectral norm becomes a weight, and nothing of the norm is left.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import helper

from edgegan.export.passes.graph import Note, copy_of, initializers, set_initializers, silent
from edgegan.runtime.session import open_session


def rewrite(model: onnx.ModelProto, *, note: Note = silent) -> onnx.ModelProto:
    """The model without the nodes that read nothing but constants."""
    model = copy_of(model)
    arrays = initializers(model)
    known = set(arrays)
    constant, kept = [], []
    for node in model.graph.node:  # each stands after those that it reads
        if known.issuperset(filter(None, node.input)):
            constant.append(node)
            known.update(node.output)
        else:
            kept.append(node)
    if not constant:
        note("nothing is computed from constants alone")
    read = {name for node in kept for name in node.input}
    wanted = [name for node in constant for name in node.output if name in read]
    arrays.update(_values(model, constant, wanted))
    del model.graph.node[:]
    model.graph.node.extend(kept)
    set_initializers(model, arrays)
    return model


def _values(
    model: onnx.ModelProto, nodes: Sequence[onnx.NodeProto], wanted: list[str]
) -> dict[str, np.ndarray]:
    """What onnxruntime computes for the tensors ``wanted`` of a model's constant nodes."""
    if not wanted:
        return {}
    outputs = [helper.make_empty_tensor_value_info(name) for name in wanted]
    read = {name for node in nodes for name in node.input}
    tensors = [tensor for tensor in model.graph.initializer if tensor.name in read]
    graph = helper.make_graph(nodes, "constants", [], outputs, tensors)
    constants = helper.make_model(
        graph, opset_imports=model.opset_import, ir_version=model.ir_version
    )
    session, _ = open_session(constants.SerializeToString(), "cpu")
    return dict(zip(wanted, session.run(wanted, {})))
