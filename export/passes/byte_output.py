"""Turn a generator's values into bytes in the graph, so that the runtime copies bytes only.

The arithmetic is that of runtime.generator.to_bytes, in float32 and in the same order, so the bytes
are the same: subtract the least value, scale to [0, 255], then QuantizeLinear with a scale of 1,
which rounds half to even and clips. Transposed are the bytes, a quarter of the values' size.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgegan.export.passes.graph import copy_of, initializers, rename_tensor, set_initializers

NODES = 4  # that are added
Dimension = onnx.TensorShapeProto.Dimension


def rewrite(model: onnx.ModelProto, value_range: tuple[float, float]) -> onnx.ModelProto:
    """The model with uint8 (N, S, S, 3) for its output, which was float32 (N, 3, S, S).

    Args:
        value_range: the least and the greatest of the values.
    """
    model = copy_of(model)
    graph = model.graph
    image = graph.output[0].name
    rename_tensor(model, image, "values")
    graph.node.extend(
        [
            helper.make_node("Sub", ["values", "least_value"], ["above_least"], name="above_least"),
            helper.make_node("Mul", ["above_least", "levels_a_value"], ["levels"], name="levels"),
            helper.make_node(
                "QuantizeLinear", ["levels", "one_level", "black"], ["bytes"], name="bytes"
            ),
            helper.make_node("Transpose", ["bytes"], [image], name=image, perm=[0, 2, 3, 1]),
        ]
    )
    low, high = value_range
    arrays = initializers(model)
    arrays["least_value"] = np.array(low, np.float32)
    arrays["levels_a_value"] = np.array(255 / (high - low), np.float32)
    arrays["one_level"] = np.array(1, np.float32)
    arrays["black"] = np.array(0, np.uint8)
    set_initializers(model, arrays)
    batch, channels, *size = graph.output[0].type.tensor_type.shape.dim
    _set_output(model, TensorProto.UINT8, batch, [*size, channels])
    return model


def undo(model: onnx.ModelProto, value_range: tuple[float, float]) -> onnx.ModelProto | None:
    """The model that `rewrite` made this one of; None where it was not made so.

    Args:
        value_range: as it was given to `rewrite`.
    """
    undone = copy_of(model)
    del undone.graph.node[-NODES:]
    image = model.graph.output[0].name
    rename_tensor(undone, "values", image)
    batch, *size, channels = undone.graph.output[0].type.tensor_type.shape.dim
    _set_output(undone, TensorProto.FLOAT, batch, [channels, *size])
    set_initializers(undone, initializers(undone))
    made = image in {name for node in undone.graph.node for name in node.output}
    return undone if made and rewrite(undone, value_range) == model else None


def _set_output(
    model: onnx.ModelProto, kind: int, batch: Dimension, others: Sequence[Dimension]
) -> None:
    """Say what the output is: its type, and its shape."""
    (output,) = model.graph.output
    shape = [batch.dim_param or batch.dim_value, *(size.dim_value for size in others)]
    output.CopyFrom(helper.make_tensor_value_info(output.name, kind, shape))
