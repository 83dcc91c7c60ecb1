"""What the rewrites share: looking up and replacing parts of an ONNX graph."""

from __future__ import annotations

import numpy as np
import onnx
from onnx import numpy_helper


def initializers(model: onnx.ModelProto) -> dict[str, np.ndarray]:
    """All constant tensors of the graph, by name."""
    return {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}


def set_initializers(model: onnx.ModelProto, arrays: dict[str, np.ndarray]) -> None:
    """Make ``arrays`` the constant tensors of the graph, but for those that no node reads."""
    used = {name for node in model.graph.node for name in node.input}
    del model.graph.initializer[:]
    model.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in arrays.items() if name in used
    )


def consumers(model: onnx.ModelProto, tensor: str) -> list[onnx.NodeProto]:
    """The nodes that read ``tensor``."""
    return [node for node in model.graph.node if tensor in node.input]


def attribute(node: onnx.NodeProto, name: str, default: float) -> float:
    """A number among a node's attributes."""
    values = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    return float(values.get(name, default))


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy to rewrite, so that a pass leaves its input as it was."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied
