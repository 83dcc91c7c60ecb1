"""What the rewrites share: looking up and replacing parts of an ONNX graph."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
from onnx import numpy_helper

ACTIVATIONS = ("Relu", "LeakyRelu", "Tanh", "Sigmoid")
WEIGHTED = ("Conv", "ConvTranspose", "Gemm", "MatMul")

Note = Callable[[str], None]  # takes a sentence that says what stays as it was, and why


class Stays(Exception):  # noqa: N818 (that is no error)
    """A node stays as it was. The text says why; the node's name comes before it."""


def silent(sentence: str) -> None:
    """A Note for those who do not want to know."""


@contextmanager
def noting(note: Note, node: onnx.NodeProto) -> Iterator[None]:
    """Leave the block where the node stays as it was, and note why."""
    try:
        yield
    except Stays as reason:
        note(f"{layer_name(node)} {reason}")


@dataclass(frozen=True)
class ConvTranspose:
    """The constants of a ConvTranspose of pictures, one group and no dilation.

    Attributes:
        weight: float32 (inputs, outputs, height, width).
        strides: of rows and columns.
        pads: by how much the output is shorter at its top, left, bottom and right.
        output_padding: by how much it is longer again at its bottom and right.
    """

    weight: np.ndarray
    strides: Sequence[int]
    pads: Sequence[int]
    output_padding: Sequence[int]

    @classmethod
    def of(cls, node: onnx.NodeProto, arrays: Mapping[str, np.ndarray]) -> ConvTranspose:
        """Those of a ConvTranspose; raises Stays where it is of another kind."""
        if not all(name in arrays for name in node.input[1:]):
            raise Stays("has weights that are computed, not constant")
        found = attributes(node)
        weight = arrays[node.input[1]]
        if weight.ndim != 4:
            raise Stays("is no convolution of pictures")
        if found.get("group", 1) != 1:
            raise Stays("has its channels in groups")
        if set(found.get("dilations", [1])) != {1}:
            raise Stays("is dilated")
        if "output_shape" in found or found.get("auto_pad", b"NOTSET") != b"NOTSET":
            raise Stays("does not state its padding")
        return cls(
            weight,
            found.get("strides", (1, 1)),
            found.get("pads", (0, 0, 0, 0)),
            found.get("output_padding", (0, 0)),
        )


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


def rename_tensor(model: onnx.ModelProto, old: str, new: str) -> None:
    """Give a tensor another name in all nodes; a graph's output keeps the old one."""
    for node in model.graph.node:
        node.input[:] = [new if name == old else name for name in node.input]
        node.output[:] = [new if name == old else name for name in node.output]
        node.name = node.output[0]


def consumers(model: onnx.ModelProto, tensor: str) -> list[onnx.NodeProto]:
    """The nodes that read ``tensor``."""
    return [node for node in model.graph.node if tensor in node.input]


def attributes(node: onnx.NodeProto) -> dict[str, Any]:
    """A node's attributes, by name: those that it states."""
    return {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}


def types(model: onnx.ModelProto) -> dict[str, onnx.TypeProto.Tensor]:
    """The types of the graph's tensors, constants apart, as far as they can be inferred."""
    graph = onnx.shape_inference.infer_shapes(model).graph
    values = [*graph.input, *graph.value_info, *graph.output]
    return {value.name: value.type.tensor_type for value in values}


def layer_name(node: onnx.NodeProto) -> str:
    """What a node's layer is called: as its weights are, else as what it makes."""
    weight = node.input[1] if node.op_type in WEIGHTED and len(node.input) > 1 else ""
    return weight.partition("_weight")[0] if "_weight" in weight else node.output[0]


def shape_of(found: onnx.TypeProto.Tensor) -> list[int | None]:
    """The shape that a type tells; None is any size."""
    return [size.dim_value if size.HasField("dim_value") else None for size in found.shape.dim]


def shapes(model: onnx.ModelProto) -> dict[str, list[int | None]]:
    """The shapes of the graph's tensors as far as they can be inferred; None is any size."""
    return {
        name: shape_of(found) for name, found in types(model).items() if found.HasField("shape")
    }


def activation_after(model: onnx.ModelProto, tensor: str) -> onnx.NodeProto | None:
    """The activation that alone reads ``tensor``, if that is so.

    It works on each number by itself, so what only moves numbers may as well stand after it; and
    onnxruntime computes it along with the convolution or matrix product that it directly follows.
    """
    readers = consumers(model, tensor)
    is_output = tensor in {value.name for value in model.graph.output}
    if is_output or len(readers) != 1 or readers[0].op_type not in ACTIVATIONS:
        return None
    return readers[0]


def replace_nodes(model: onnx.ModelProto, replaced: Mapping[str, Sequence[onnx.NodeProto]]) -> None:
    """Put others in the place of the nodes that make the keys of ``replaced``.

    Nodes that nobody reads then are left out.
    """
    nodes = [new for node in model.graph.node for new in replaced.get(node.output[0], [node])]
    read = {value.name for value in model.graph.output}
    kept = []
    for node in reversed(nodes):
        if read.intersection(node.output):
            kept.append(node)
            read.update(node.input)
    del model.graph.node[:]
    model.graph.node.extend(reversed(kept))


def copy_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """A copy to rewrite, so that a pass leaves its input as it was."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    return copied


def copy_of_node(node: onnx.NodeProto, read: str, output: str) -> onnx.NodeProto:
    """A copy of a node that reads another tensor first, and makes another one."""
    copied = onnx.NodeProto()
    copied.CopyFrom(node)
    copied.input[0], copied.output[0], copied.name = read, output, output
    return copied
