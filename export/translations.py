"""mxnet's own exporter to ONNX, and translations of operators where it has poorer ones.

They are registered by importing this module.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
from onnx import helper, numpy_helper

from edgegan.runtime.files import temporary_folder
from edgegan.trainer.framework import HybridBlock, mx

MXNetGraph = mx.onnx.mx2onnx._export_onnx.MXNetGraph
OPSET = 13  # the newest that mxnet's exporter has translations to
IR_VERSION = 8  # of the ONNX release of that opset's time, so that older runtimes load files too

# The exporter has its graphs checked as if they were of the newest opset that onnx knows.
onnx.checker.DEFAULT_CONTEXT.opset_imports = {"": OPSET}


def translate(
    network: HybridBlock, symbol: mx.sym.Symbol, shapes: Mapping[str, Sequence[int]]
) -> onnx.ModelProto:
    """A network as an ONNX model that older runtimes load and any runtime can fold.

    Args:
        network: with its weights.
        symbol: the model's outputs.
        shapes: those of its inputs by their names, in the model's order and without the batch,
            which may have any size. One that no output depends on is an input all the same.
    """
    model = as_mxnet_exports(network, symbol, shapes)
    model.opset_import[0].version = OPSET  # where it stamps the newest that onnx knows
    model.ir_version = IR_VERSION
    del model.graph.input[:]  # where it lists every constant too, which no runtime may fold then
    model.graph.input.extend(
        helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["batch", *shape])
        for name, shape in shapes.items()
    )
    return model


def as_mxnet_exports(
    network: HybridBlock, symbol: mx.sym.Symbol, shapes: Mapping[str, Sequence[int]]
) -> onnx.ModelProto:
    """What mxnet's exporter makes of a network, which it can only write to a file."""
    # It takes the shapes in the order in which the symbol reads its inputs.
    read = [shapes[name] for name in symbol.list_arguments() if name in shapes]
    arrays = {name: item.data() for name, item in network.collect_params().items()}
    with temporary_folder() as folder:
        path = str(folder / "model.onnx")
        mx.onnx.export_model(
            symbol,
            arrays,
            [(1, *shape) for shape in read],
            onnx_file_path=path,
            dynamic=True,
            dynamic_input_shapes=[("batch", *shape) for shape in read],
        )
        return onnx.load(path)


@MXNetGraph.register("UpSampling", OPSET)
def upsampling(node: dict[str, Any], **options: Any) -> list[onnx.NodeProto]:
    """Repeat every pixel ``scale`` times each way.

    mxnet's own counts the coordinates from pixels' middles, for which onnxruntime has no fast path:
    it takes 1.6 times as long (onnxruntime 1.31.1, one core).
    """
    name, attributes = node["name"], node["attrs"]
    if attributes["sample_type"] != "nearest" or len(node["inputs"]) != 1:
        raise NotImplementedError(f"{name} is no nearest up-sampling of one array")
    scale = float(attributes["scale"])
    scales = numpy_helper.from_array(np.array([1, 1, scale, scale], np.float32), f"{name}_scales")
    options["initializer"].append(scales)
    return [
        helper.make_node(
            "Resize",
            [*_inputs(node, options), "", scales.name],  # no region of interest
            [name],
            mode="nearest",
            coordinate_transformation_mode="asymmetric",
            nearest_mode="floor",
        )
    ]


@MXNetGraph.register("mean", OPSET)
def mean(node: dict[str, Any], **options: Any) -> list[onnx.NodeProto]:
    """Mean over the axes named; mxnet's own takes ten nodes more to compute the result's shape."""
    name, attributes = node["name"], node["attrs"]
    axes = [int(axis) for axis in attributes["axis"].strip("()").split(",") if axis.strip()]
    keep = int(attributes.get("keepdims", "False") == "True")
    inputs = _inputs(node, options)
    return [helper.make_node("ReduceMean", inputs, [name], axes=axes, keepdims=keep)]


@MXNetGraph.register("broadcast_axis", OPSET)
def broadcast_axis(node: dict[str, Any], **options: Any) -> list[onnx.NodeProto]:
    """Repeat an array along its last axes; mxnet's own takes 14 nodes more to compute the shape."""
    name, attributes = node["name"], node["attrs"]
    axes, sizes = (
        [int(number) for number in attributes[key].strip("()").split(",") if number.strip()]
        for key in ("axis", "size")
    )
    shape = np.ones(max(axes) + 1, np.int64)
    shape[axes] = sizes
    stored = numpy_helper.from_array(shape, f"{name}_shape")
    options["initializer"].append(stored)
    return [helper.make_node("Expand", [*_inputs(node, options), stored.name], [name])]


@MXNetGraph.register("dot", OPSET)
def dot(node: dict[str, Any], **options: Any) -> list[onnx.NodeProto]:
    """The product of two matrices; mxnet's own prints a warning about larger arrays each time."""
    name, attributes = node["name"], node.get("attrs", {})
    if "True" in (attributes.get("transpose_a"), attributes.get("transpose_b")):
        raise NotImplementedError(f"{name} transposes a matrix")
    return [helper.make_node("MatMul", _inputs(node, options), [name])]


@MXNetGraph.register("reverse", OPSET)
def reverse(node: dict[str, Any], **options: Any) -> list[onnx.NodeProto]:
    """An array backwards along one axis; mxnet's own takes 14 nodes, and some fail when run."""
    name = node["name"]
    (axis,) = (int(number) for number in node["attrs"]["axis"].strip("()").split(",") if number)
    values = {"starts": -1, "ends": np.iinfo(np.int64).min, "axes": axis, "steps": -1}
    stored = [
        numpy_helper.from_array(np.array([value], np.int64), f"{name}_{key}")
        for key, value in values.items()
    ]
    options["initializer"] += stored
    inputs = [*_inputs(node, options), *(each.name for each in stored)]
    return [helper.make_node("Slice", inputs, [name])]


def _inputs(node: dict[str, Any], options: dict[str, Any]) -> list[str]:
    """The names of what a node reads."""
    return [options["outputs_lookup"][number][output].name for number, output, *_ in node["inputs"]]
