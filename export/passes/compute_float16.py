"""Compute a generator in float16, half the bytes, which graphics processors multiply faster.

All numbers between input and output become float16; these two stay float32. So does what is
compared with a threshold: there a rounding would not be a little off, but decide otherwise.

onnxruntime's CPU takes such a file too, but computes in float32: it has few kernels for float16,
and leaves out the roundings between the others. `rounded` writes them out, to measure their cost.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from edgegan.export.passes.graph import (
    Note,
    copy_of,
    initializers,
    rename_tensor,
    replace_nodes,
    set_initializers,
    silent,
    types,
)

COMPARISONS = ("Greater",)
FLOAT32_INPUTS = {"Resize": (1, 2)}  # by place: what an operator takes as float32 in any case


def rewrite(model: onnx.ModelProto, *, note: Note = silent) -> onnx.ModelProto:
    """The model with float16 between its input and its output, which stay float32."""
    model = copy_of(model)
    output = model.graph.output[0].name
    rename_tensor(model, output, f"{output}_float16")
    arrays = initializers(model)
    floats = {name for name, found in types(model).items() if found.elem_type == TensorProto.FLOAT}
    floats |= {name for name, array in arrays.items() if array.dtype == np.float32}
    exact = _exact_tensors(model)
    # What float32 is called in float16, where there are both; what nobody reads is left out below.
    narrow = {name: f"{name}_float16" for name in sorted(floats & (exact | arrays.keys()))}
    arrays.update(
        {narrow[name]: arrays[name].astype(np.float16) for name in narrow if name in arrays}
    )
    nodes = [
        _cast(value.name, narrow[value.name], TensorProto.FLOAT16) for value in model.graph.input
    ]
    for node in model.graph.node:
        nodes.append(node)
        if node.op_type in COMPARISONS:
            note(f"{node.output[0]} stays in float32: a rounding there would decide otherwise")
        if node.output[0] in narrow:
            nodes.append(_cast(node.output[0], narrow[node.output[0]], TensorProto.FLOAT16))
        elif node.op_type not in COMPARISONS and node.output[0] not in exact:
            kept = FLOAT32_INPUTS.get(node.op_type, ())
            for place, name in enumerate(node.input):
                if place not in kept:
                    node.input[place] = narrow.get(name, name)
            if node.output[0] in floats:
                _cast_to(node, TensorProto.FLOAT16)
    nodes.append(_cast(f"{output}_float16", output, TensorProto.FLOAT))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    replace_nodes(model, {})
    set_initializers(model, arrays)
    return model


def rounded(model: onnx.ModelProto) -> onnx.ModelProto:
    """What a model with float16 computes, in float32: whatever was float16 is rounded to it."""
    model = copy_of(model)
    arrays = initializers(model)
    known = types(model)
    nodes: list[onnx.NodeProto] = []
    for node in model.graph.node:
        nodes.append(node)
        made = node.output[0]
        if known[made].elem_type == TensorProto.FLOAT16:
            exact, narrow = f"{made}_exact", f"{made}_narrow"
            node.output[0] = node.name = exact
            _cast_to(node, TensorProto.FLOAT)
            nodes.append(_cast(exact, narrow, TensorProto.FLOAT16))
            nodes.append(_cast(narrow, made, TensorProto.FLOAT))
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    halves = {name for name, array in arrays.items() if array.dtype == np.float16}
    arrays.update((name, arrays[name].astype(np.float32)) for name in halves)
    set_initializers(model, arrays)
    return model


def _exact_tensors(model: onnx.ModelProto) -> set[str]:
    """The input, and all that the comparisons' operands are made of."""
    exact = {value.name for value in model.graph.input}
    for node in reversed(model.graph.node):
        if node.op_type in COMPARISONS or not exact.isdisjoint(node.output):
            exact.update(node.input)
    return exact


def _cast(read: str, made: str, to: int) -> onnx.NodeProto:
    return helper.make_node("Cast", [read], [made], name=made, to=to)


def _cast_to(node: onnx.NodeProto, to: int) -> None:
    """Change what a node casts to, if that is what it does."""
    if node.op_type == "Cast":
        node.attribute[0].i = to
