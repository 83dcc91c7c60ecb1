"""Name tensors and nodes for what they are: ``deconvolution0_weight``, not a path of scopes."""

from __future__ import annotations

import onnx

from edgegan.export.passes.graph import copy_of


def rewrite(model: onnx.ModelProto, prefix: str, output: str) -> onnx.ModelProto:
    """The model with ``prefix`` and mxnet's own marks left out, and its output called ``output``.

    A node has the name of the tensor that it makes.
    """
    model = copy_of(model)
    graph = model.graph
    final = graph.output[0].name

    def rename(name: str) -> str:
        if name == final:
            return output
        name = name.removeprefix(prefix).lstrip("_")
        name = name.replace("_fwd", "").replace("_targ_shape", "_shape")
        return f"{name}_layer" if name == output else name

    for node in graph.node:
        node.input[:] = [rename(name) for name in node.input]
        node.output[:] = [rename(name) for name in node.output]
        node.name = node.output[0]
    for named in [*graph.initializer, *graph.input, *graph.output]:
        named.name = rename(named.name)
    return model
