"""List no initializer among the graph's inputs: a runtime may fold constants, not inputs."""

from __future__ import annotations

import onnx

from edgegan.export.passes.graph import copy_of


def rewrite(model: onnx.ModelProto) -> onnx.ModelProto:
    """The model with only what a caller has to give as its inputs."""
    model = copy_of(model)
    constant = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in constant]
    del model.graph.input[:]
    model.graph.input.extend(inputs)
    return model
