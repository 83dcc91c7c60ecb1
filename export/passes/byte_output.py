"""Turn a generator's values into bytes in the graph, so that the runtime copies bytes only.

The arithmetic is that of runtime.generator.to_bytes, in float32 and in the same order, so the bytes
are the same: subtract the least value, scale to [0, 255], then QuantizeLinear with a scale of 1,
which rounds half to even and clips. Transposed are the bytes, a quarter of the values' size.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import helper

from edgegan.export.passes.graph import copy_of, initializers, rename_tensor, set_initializers


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
    shape = [batch.dim_param or batch.dim_value, *(n.dim_value for n in (*size, channels))]
    graph.output[0].CopyFrom(helper.make_tensor_value_info(image, onnx.TensorProto.UINT8, shape))
    return model
