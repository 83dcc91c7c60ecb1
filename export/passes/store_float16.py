"""Store weights as float16, half the bytes; they are cast back to float32 when a file is loaded.

Arithmetic stays float32. Biases, a thousandth of the bytes, are left as they are.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from edgegan.export.passes.graph import Note, copy_of, initializers, set_initializers, silent


def rewrite(model: onnx.ModelProto, *, note: Note = silent) -> onnx.ModelProto:
    """The model with every float32 tensor of two or more dimensions stored as float16."""
    model = copy_of(model)
    arrays = initializers(model)
    stored: dict[str, np.ndarray] = {}
    casts = []
    for name, array in arrays.items():
        if array.dtype != np.float32 or array.ndim < 2:
            stored[name] = array
            continue
        stored[f"{name}_float16"] = array.astype(np.float16)
        casts.append(
            helper.make_node(
                "Cast", [f"{name}_float16"], [name], name=name, to=onnx.TensorProto.FLOAT
            )
        )
    if not casts:
        note("no weight is stored as float32")
    nodes = list(model.graph.node)
    del model.graph.node[:]
    model.graph.node.extend(casts + nodes)
    set_initializers(model, stored)
    return model
