"""Every graph rewrite gives a model that computes the same, by onnxruntime as it stands.

(onnx's reference evaluator is no judge here: its batch norm of opset 13 does not heed epsilon.)
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

from edgegan.export.passes import (
    activation_first,
    fold_batch_norm,
    fold_constants,
    readable_names,
    store_float16,
)

CHANNELS = 3
NORM = ("gamma", "beta", "mean", "var")


def convolution_and_norm(
    kind: str,
    kernel: int,
    stride: int,
    padding: int,
    bias: bool,
    seed: int,
    read_twice: bool = False,
    listed: bool = False,
) -> onnx.ModelProto:
    """input -> Conv or ConvTranspose -> BatchNormalization -> Relu -> output, random constants."""
    random = np.random.default_rng(seed)
    weight_shape = (4, CHANNELS) if kind == "Conv" else (CHANNELS, 4)
    constants = {
        "net_c_weight": random.normal(0, 0.3, (*weight_shape, kernel, kernel)),
        "net_gamma": random.uniform(-2, 2, 4),
        "net_beta": random.normal(0, 1, 4),
        "net_mean": random.normal(0, 1, 4),
        "net_var": random.uniform(0.1, 4, 4),
    }
    inputs = ["input", "net_c_weight"]
    if bias:
        constants["net_c_bias"] = random.normal(0, 1, 4)
        inputs.append("net_c_bias")
    nodes = [
        helper.make_node(
            kind,
            inputs,
            ["net_c_fwd"],
            kernel_shape=[kernel] * 2,
            strides=[stride] * 2,
            pads=[padding] * 4,
        ),
        helper.make_node(
            "BatchNormalization",
            ["net_c_fwd", "net_gamma", "net_beta", "net_mean", "net_var"],
            ["net_n_fwd"],
            epsilon=1e-3,
        ),
        helper.make_node("Relu", ["net_n_fwd"], ["net_r_fwd"]),
    ]
    if read_twice:
        nodes.append(helper.make_node("Add", ["net_r_fwd", "net_c_fwd"], ["net_sum_fwd"]))
    shape = ["batch", CHANNELS, 8, 8]
    tensors = [
        numpy_helper.from_array(value.astype(np.float32), name) for name, value in constants.items()
    ]
    inputs_too = [
        helper.make_tensor_value_info(tensor.name, TensorProto.FLOAT, tensor.dims)
        for tensor in tensors
        if listed
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, shape), *inputs_too],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, None)],
        tensors,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def run(model: onnx.ModelProto, seed: int = 0) -> np.ndarray:
    images = np.random.default_rng(seed).normal(size=(2, CHANNELS, 8, 8)).astype(np.float32)
    options = onnxruntime.SessionOptions()
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.log_severity_level = 3  # initializers among the inputs are what one pass is for
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, {model.graph.input[0].name: images})[0]


@settings(max_examples=40, deadline=None)
@given(
    kind=st.sampled_from(["Conv", "ConvTranspose"]),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 2),
    padding=st.integers(0, 1),
    bias=st.booleans(),
    seed=st.integers(0, 1000),
)
def test_folding_batch_norm_changes_rounding_only(
    kind: str, kernel: int, stride: int, padding: int, bias: bool, seed: int
) -> None:
    if kind == "ConvTranspose" and kernel == 1:
        padding = 0
    model = convolution_and_norm(kind, kernel, stride, padding, bias, seed)
    folded = fold_batch_norm.rewrite(model)
    assert [node.op_type for node in folded.graph.node] == [kind, "Relu"]
    np.testing.assert_allclose(run(folded), run(model), rtol=1e-4, atol=1e-4)


def test_batch_norm_stays_where_the_convolution_has_another_reader() -> None:
    model = convolution_and_norm("ConvTranspose", 4, 2, 1, True, 0, read_twice=True)
    folded = fold_batch_norm.rewrite(model)
    assert "BatchNormalization" in [node.op_type for node in folded.graph.node]
    np.testing.assert_array_equal(run(folded), run(model))


def test_batch_norm_stays_where_the_weights_are_shared() -> None:
    model = convolution_and_norm("Conv", 3, 1, 1, False, 0)
    second = helper.make_node(
        "Conv", ["input", "net_c_weight"], ["net_d"], kernel_shape=[3, 3], pads=[1] * 4
    )
    model.graph.node.insert(0, second)
    total = helper.make_node("Add", ["net_r_fwd", "net_d"], ["net_total"])
    model.graph.node.append(total)
    model.graph.output[0].name = "net_total"
    np.testing.assert_array_equal(run(fold_batch_norm.rewrite(model)), run(model))


def test_batch_norm_stays_where_something_is_between() -> None:
    """A negative gamma would turn a maximum into a minimum."""
    model = convolution_and_norm("Conv", 3, 1, 1, True, 0)
    pool = helper.make_node(
        "MaxPool", ["net_c_fwd"], ["net_p_fwd"], kernel_shape=[2, 2], strides=[2, 2]
    )
    model.graph.node.insert(1, pool)
    model.graph.node[2].input[0] = "net_p_fwd"
    folded = fold_batch_norm.rewrite(model)
    assert "BatchNormalization" in [node.op_type for node in folded.graph.node]
    np.testing.assert_array_equal(run(folded), run(model))


@pytest.mark.parametrize("mode", ["DCR", "CRD"])
@pytest.mark.parametrize("bias", [True, False])
def test_batch_norm_is_folded_through_a_pixel_shuffle(mode: str, bias: bool) -> None:
    """Four channels become one of twice the size, which the norm scales and shifts."""
    model = convolution_and_norm("Conv", 3, 1, 1, bias, 0)
    shuffle = helper.make_node("DepthToSpace", ["net_c_fwd"], ["net_s_fwd"], blocksize=2, mode=mode)
    model.graph.node.insert(1, shuffle)
    model.graph.node[2].input[0] = "net_s_fwd"
    _repeat_weights(model, 4)
    folded = fold_batch_norm.rewrite(model)
    assert [node.op_type for node in folded.graph.node] == ["Conv", "DepthToSpace", "Relu"]
    np.testing.assert_allclose(run(folded), run(model), rtol=1e-4, atol=1e-4)
    first = activation_first.rewrite(folded)
    assert [node.op_type for node in first.graph.node] == ["Conv", "Relu", "DepthToSpace"]
    np.testing.assert_array_equal(run(first), run(folded))


def _repeat_weights(model: onnx.ModelProto, times: int) -> None:
    """Give a convolution that many times the outputs, all of them different."""
    for tensor in model.graph.initializer:
        if tensor.name in ("net_c_weight", "net_c_bias"):
            array = numpy_helper.to_array(tensor)
            repeated = np.concatenate([array * np.float32(1 + n) for n in range(times)])
            tensor.CopyFrom(numpy_helper.from_array(repeated, tensor.name))


@pytest.mark.parametrize("transposed", [0, 1])
def test_batch_norm_is_folded_through_a_reshape_of_rows(transposed: int) -> None:
    """A dense layer makes 4 maps of 3 x 2 numbers; the norm has one gamma for each map."""
    random = np.random.default_rng(0)
    weight = random.normal(size=(6 * 4, 192) if transposed else (192, 6 * 4)).astype("f")
    model = convolution_and_norm("Conv", 3, 1, 1, True, 0)
    arrays = {"rows": np.array([2, -1]), "weight": weight, "maps": np.array([-1, 4, 3, 2])}
    model.graph.initializer.extend(
        numpy_helper.from_array(array, name) for name, array in arrays.items()
    )
    norm, relu = model.graph.node[1:]
    norm.input[0] = "made"
    nodes = [
        helper.make_node("Reshape", ["input", "rows"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weight"], ["dense"], transB=transposed),
        helper.make_node("Reshape", ["dense", "maps"], ["made"]),
        norm,
        relu,
    ]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    folded = fold_batch_norm.rewrite(model)
    assert [node.op_type for node in folded.graph.node] == ["Reshape", "Gemm", "Reshape", "Relu"]
    np.testing.assert_allclose(run(folded), run(model), rtol=1e-4, atol=1e-4)


def test_an_activation_that_is_not_the_only_reader_stays() -> None:
    model = convolution_and_norm("Conv", 3, 1, 1, True, 0)
    del model.graph.node[1]
    shuffle = helper.make_node("DepthToSpace", ["net_c_fwd"], ["net_n_fwd"], blocksize=2)
    model.graph.node.insert(1, shuffle)
    model.graph.node.append(helper.make_node("Add", ["net_n_fwd", "net_r_fwd"], ["sum"]))
    model.graph.output[0].name = "sum"
    notes: list[str] = []
    assert activation_first.rewrite(model, note=notes.append) == model
    assert notes == ["net_n_fwd (DepthToSpace) is not followed by an activation and nothing else"]


def test_what_is_computed_from_constants_becomes_a_constant() -> None:
    """A weight divided by its length, and its bias times a number of a Constant node."""
    model = convolution_and_norm("Conv", 3, 1, 1, True, 0)
    nodes = list(model.graph.node)
    constants = [
        helper.make_node("ReduceSumSquare", ["net_c_weight"], ["square"]),
        helper.make_node("Sqrt", ["square"], ["length"]),
        helper.make_node("Div", ["net_c_weight", "length"], ["divided"]),
        helper.make_node("Constant", [], ["two"], value_float=2.0),
        helper.make_node("Mul", ["net_c_bias", "two"], ["doubled"]),
    ]
    nodes[0].input[1:] = ["divided", "doubled"]
    del model.graph.node[:]
    model.graph.node.extend(constants + nodes)
    folded = fold_constants.rewrite(model)
    assert [node.op_type for node in folded.graph.node] == ["Conv", "BatchNormalization", "Relu"]
    arrays = {item.name: numpy_helper.to_array(item) for item in folded.graph.initializer}
    original = {item.name: numpy_helper.to_array(item) for item in model.graph.initializer}
    assert arrays.keys() == {"divided", "doubled", *(f"net_{n}" for n in NORM)}
    weight = original["net_c_weight"]
    np.testing.assert_allclose(arrays["divided"], weight / np.linalg.norm(weight), rtol=1e-5)
    np.testing.assert_array_equal(arrays["doubled"], 2 * original["net_c_bias"])
    np.testing.assert_allclose(run(folded), run(model), rtol=1e-5, atol=1e-6)


def test_a_model_without_such_nodes_stays_as_it_is() -> None:
    model = convolution_and_norm("Conv", 3, 1, 1, True, 0)
    folded = fold_constants.rewrite(model)
    assert list(folded.graph.node) == list(model.graph.node)
    np.testing.assert_array_equal(run(folded), run(model))


def test_names_lose_scopes_and_the_output_is_called_image() -> None:
    model = convolution_and_norm("Conv", 3, 1, 1, True, 0)
    rewritten = readable_names.rewrite(model, "net_", "image")
    assert [node.name for node in rewritten.graph.node] == ["c", "n", "image"]
    assert rewritten.graph.output[0].name == "image"
    np.testing.assert_array_equal(run(rewritten), run(model))


def test_a_layer_called_as_the_output_keeps_a_name_of_its_own() -> None:
    model = convolution_and_norm("Conv", 3, 1, 1, True, 0)
    rewritten = readable_names.rewrite(model, "net_", "c")
    assert [node.name for node in rewritten.graph.node] == ["c_layer", "n", "c"]
    np.testing.assert_array_equal(run(rewritten), run(model))


def test_float16_storage_keeps_float32_arithmetic() -> None:
    model = convolution_and_norm("ConvTranspose", 4, 2, 1, True, 0)
    stored = store_float16.rewrite(model)
    types = {tensor.name: tensor.data_type for tensor in stored.graph.initializer}
    assert types["net_c_weight_float16"] == TensorProto.FLOAT16
    assert types["net_c_bias"] == TensorProto.FLOAT
    assert run(stored).dtype == np.float32
    # Rounding a weight to float16 changes it by at most one part in 2048.
    np.testing.assert_allclose(run(stored), run(model), atol=0.02)
    rounded = onnx.ModelProto()
    rounded.CopyFrom(model)
    for tensor in rounded.graph.initializer:
        if len(tensor.dims) > 1:
            array = numpy_helper.to_array(tensor).astype(np.float16).astype(np.float32)
            tensor.CopyFrom(numpy_helper.from_array(array, tensor.name))
    np.testing.assert_array_equal(run(stored), run(rounded))


@pytest.mark.parametrize(
    "rewrite",
    [
        activation_first.rewrite,
        fold_batch_norm.rewrite,
        fold_constants.rewrite,
    ],
)
def test_a_pass_leaves_its_input_alone(rewrite: object) -> None:
    model = convolution_and_norm("Conv", 3, 1, 1, True, 0)
    before = model.SerializeToString()
    rewrite(model)  # type: ignore[operator]
    assert model.SerializeToString() == before
