"""Layers in 8-bit integers: their error is the quantiser's, and their choice keeps the bound."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgegan.export import calibration, examples, sensitivity, verify
from edgegan.export.examples import Inputs
from edgegan.export.passes import (
    block_convolutions,
    byte_output,
    channels_last,
    matrix_product,
    quantise_int8,
)
from edgegan.export.passes.graph import initializers
from edgegan.export.passes.quantise_int8 import Range
from edgegan.export.sensitivity import ChosenLayers
from edgegan.runtime.quality import decibels
from export_help import INPUTS, LATENTS, choose, generator, residual_generator


def by_onnx(model: onnx.ModelProto, inputs: Inputs) -> np.ndarray:
    """What onnx's reference evaluator gives; it has what we use of opset 13 as of opset 19."""
    copied = onnx.ModelProto()
    copied.CopyFrom(model)
    copied.opset_import[0].version = 19
    return ReferenceEvaluator(copied).run(None, dict(inputs))[0]


@pytest.fixture(scope="module")
def chosen() -> ChosenLayers:
    """All layers of a small generator in integers."""
    found = choose(generator(), 25)
    assert set(found.layers) == {"dense", "double", "to_image"}
    return found


# Each part of the rewrite against something outside it


@settings(max_examples=60, deadline=None)
@given(below=st.integers(0, 9999), above=st.integers(0, 9999), seed=st.integers(0, 1000))
def test_a_byte_is_exact_to_half_a_step_within_its_range(below: int, above: int, seed: int) -> None:
    low, high = -below / 100, above / 100
    found = Range(low, high)
    step, zero = float(found.scale), int(found.zero_point)
    values = np.random.default_rng(seed).uniform(2 * low - 1, 2 * high + 1, 200).astype("f")
    least, most = -zero * step, (255 - zero) * step
    off = np.abs(found.rounded(values) - values.clip(least, most))
    assert off.max() <= step / 2 * (1 + 1e-4) + 1e-6
    assert found.rounded(np.zeros(1)) == 0  # what a convolution pads with
    assert least <= low + step
    assert most >= high - step


def test_bytes_are_rounded_as_onnx_says() -> None:
    found = Range(-1.5, 4)
    values = np.linspace(-3, 6, 1001, dtype="f")
    graph = helper.make_graph(
        [
            helper.make_node("QuantizeLinear", ["x", "scale", "zero"], ["bytes"]),
            helper.make_node("DequantizeLinear", ["bytes", "scale", "zero"], ["y"]),
        ],
        "bytes",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [None])],
        [
            numpy_helper.from_array(np.array(found.scale), "scale"),
            numpy_helper.from_array(np.array(found.zero_point), "zero"),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    np.testing.assert_allclose(found.rounded(values), by_onnx(model, {"x": values}), atol=1e-6)


@pytest.mark.parametrize("function", [None, np.tanh])
def test_no_other_range_costs_less(function: calibration.Function | None) -> None:
    values = np.random.default_rng(0).normal(0.3, 1.5, 20_000).astype("f")

    def cost(tried: Range) -> float:
        made = function or (lambda numbers: numbers)
        return float(np.mean((made(tried.rounded(values)) - made(values)) ** 2))

    shares = np.linspace(0.1, 1, 19)
    low, high = values.min(), values.max()
    tried = [Range(low * below, high * above) for below in shares for above in shares]
    assert cost(calibration.best_range(values, function)) <= 1.05 * min(map(cost, tried))


def test_a_range_of_what_a_relu_gives_starts_at_0() -> None:
    found = calibration.best_range(np.abs(np.random.default_rng(0).normal(size=999)).astype("f"))
    assert (found.low, found.zero_point) == (0, 0)
    assert calibration.best_range(np.zeros(9, "f")).rounded(np.zeros(1)) == 0


@settings(max_examples=60, deadline=None)
@given(
    size=st.tuples(st.integers(1, 4), st.integers(1, 4)),
    kernel=st.integers(1, 6),
    stride=st.integers(1, 3),
    before=st.integers(0, 3),
    outputs=st.sampled_from([1, 3, 9]),
    bias=st.booleans(),
    activation=st.sampled_from(["Relu", "Tanh"]),
)
def test_blocks_give_what_the_transposed_convolution_gives(
    size: tuple[int, int],
    kernel: int,
    stride: int,
    before: int,
    outputs: int,
    bias: bool,
    activation: str,
) -> None:
    random = np.random.default_rng(kernel)
    arrays = {"weight": random.normal(size=(2, outputs, kernel, kernel)).astype("f")}
    if bias:
        arrays["bias"] = random.normal(size=outputs).astype("f")
    excess = kernel - before - stride  # what is left for the other side's padding, or to be added
    node = helper.make_node(
        "ConvTranspose",
        ["maps", *arrays],
        ["made"],
        kernel_shape=[kernel, kernel],
        strides=[stride, stride],
        pads=[before, before, max(excess, 0), max(excess, 0)],
        output_padding=[max(-excess, 0)] * 2,
    )
    graph = helper.make_graph(
        [node, helper.make_node(activation, ["made"], ["active"])],
        "network",
        [helper.make_tensor_value_info("maps", TensorProto.FLOAT, [None, 2, *size])],
        [helper.make_tensor_value_info("active", TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    rewritten = block_convolutions.rewrite(model, ["made"])
    stays = before >= kernel or max(-excess, 0) >= stride
    if stays:
        assert rewritten == model
        return
    operators = [node.op_type for node in rewritten.graph.node]
    last = ["Relu", "DepthToSpace"] if activation == "Relu" else ["DepthToSpace", "Tanh"]
    assert operators == ["Conv", *last]
    maps = random.normal(size=(2, 2, *size)).astype("f")
    expected = by_onnx(model, {"maps": maps})
    drawn = verify.output_of(rewritten, {"maps": maps})
    np.testing.assert_allclose(drawn, expected, atol=1e-4)


@pytest.mark.parametrize("block", [2, 4])
def test_bytes_are_interleaved_as_onnx_says(block: int) -> None:
    graph = helper.make_graph(
        [
            helper.make_node("Identity", ["given"], ["bytes"]),
            helper.make_node("DepthToSpace", ["bytes"], ["places"], blocksize=block, mode="DCR"),
            helper.make_node("Identity", ["places"], ["made"]),
        ],
        "network",
        [helper.make_tensor_value_info("given", TensorProto.UINT8, [None, 3 * block**2, 2, 5])],
        [helper.make_tensor_value_info("made", TensorProto.UINT8, [None] * 4)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    rewritten = channels_last.rewrite(model)
    assert "DepthToSpace" not in {node.op_type for node in rewritten.graph.node}
    random = np.random.default_rng(0)
    inputs = {"given": random.integers(0, 256, (3, 3 * block**2, 2, 5), np.uint8)}
    np.testing.assert_array_equal(verify.output_of(rewritten, inputs), by_onnx(model, inputs))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 10**6), bias=st.booleans(), transposed=st.booleans())
def test_a_layer_in_integers_is_no_further_off_than_its_roundings(
    seed: int, bias: bool, transposed: bool
) -> None:
    random = np.random.default_rng(seed)
    rows = random.uniform(-3, 3, (8, 16)).astype("f")
    weight = (random.normal(size=(16, 4)) * random.uniform(0, 2, 4)).astype("f")
    shift = random.normal(size=4).astype("f") if bias else np.zeros(4, "f")
    exact = rows.astype(float) @ weight + shift
    arrays = {"w_weight": weight.T if transposed else weight, "b": shift}
    graph = helper.make_graph(
        [
            helper.make_node("Gemm", ["x", "w_weight", "b"][: 2 + bias], ["y"], transB=transposed),
            helper.make_node("Identity", ["y"], ["z"]),
        ],
        "layer",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [None, 16])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, [None, 4])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    ranges = {"x": Range(-3, 3), "y": Range(min(0, exact.min()), max(0, exact.max()))}
    drawn = verify.output_of(quantise_int8.rewrite(model, ["w"], ranges), {"x": rows})
    read, made = float(ranges["x"].scale), float(ranges["y"].scale)
    steps = np.abs(weight).max(axis=0) / 64  # of the weights, by column
    # (x + dx)(w + dw) - x w, with |dx| <= read / 2 and |dw| <= steps / 2, and the ends' roundings.
    off = read / 2 * np.abs(weight).sum(axis=0) + steps / 2 * (np.abs(rows).sum(axis=1)[:, None])
    off += 16 * read / 2 * steps / 2 + read * steps / 2 + made
    assert (np.abs(drawn - exact) <= off + 1e-5).all()


# All of it


def test_all_between_the_layers_is_bytes(chosen: ChosenLayers, tmp_path: Path) -> None:
    onnx.checker.check_model(chosen.model, full_check=True)
    operators = set(operators_as_computed(chosen.model, tmp_path))
    integers = {"QGemm", "QLinearConv"}
    ends = {"QuantizeLinear", "DequantizeLinear", "Tanh"}
    assert operators - {"Concat", "Reshape", "Transpose"} == integers | ends


@pytest.mark.parametrize("layers", ["all", "all but the second"])
def test_onnxruntime_draws_what_the_graph_says(chosen: ChosenLayers, layers: str) -> None:
    model = chosen.model if layers == "all" else chosen.in_integers(["dense", "to_image"])
    few = examples.first(INPUTS, 8)
    expected = by_onnx(model, few)
    drawn = verify.output_of(model, few)
    assert expected.std() > 0.1  # a grey picture would agree with everything
    # A sum at a half may be rounded either way, so here and there a byte is another by 1.
    assert decibels(drawn, expected, (-1, 1)) > 55


def test_an_output_takes_nine_bytes_beside_its_weights(chosen: ChosenLayers) -> None:
    """A scale, a bias, and a zero point where onnxruntime needs it stated."""
    arrays = initializers(chosen.model)
    weights = [array for array in arrays.values() if array.dtype == np.int8 and array.ndim > 1]
    outputs = sum(len(array) if array.ndim == 4 else array.shape[1] for array in weights)
    described = [array for array in arrays.values() if array.ndim == 1 and array.dtype != np.int64]
    assert outputs >= 32 * 16 + 32 + 3
    assert sum(array.nbytes for array in described) <= 9 * outputs


def test_two_products_fit_in_16_bits(chosen: ChosenLayers) -> None:
    arrays = initializers(chosen.model)
    weights = [array.astype(int) for array in arrays.values() if array.dtype == np.int8]
    most = max(np.abs(array).max() for array in weights)
    assert 0 < 2 * most * 255 <= np.iinfo(np.int16).max


@pytest.mark.parametrize("kind", ["chosen", "residual"])
def test_a_latent_gives_the_same_bytes_in_every_batch_and_on_all_cores(
    kind: str, request: pytest.FixtureRequest
) -> None:
    found: ChosenLayers = request.getfixturevalue(kind)
    sessions = []
    for threads in (1, 2):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        model = byte_output.rewrite(found.model, (-1, 1)).SerializeToString()
        sessions.append(
            onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
        )
    (whole,) = sessions[0].run(None, {"latent": LATENTS})
    for session in sessions:
        for count in (1, 2, 25, 64):
            for first in range(0, 64, 31):
                rows = LATENTS[first : first + count]
                (drawn,) = session.run(None, {"latent": rows})
                np.testing.assert_array_equal(drawn, whole[first : first + count])


# Residual sums


def operators_as_computed(model: onnx.ModelProto, folder: Path) -> list[str]:
    """What onnxruntime's CPU makes of a graph."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimized.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return [node.op_type for node in onnx.load(options.optimized_model_filepath).graph.node]


@pytest.fixture(scope="module")
def residual() -> ChosenLayers:
    """All layers of a small residual generator in integers."""
    found = choose(residual_generator(), 30)
    assert len(found.layers) == 1 + 4 + 1 + 2 + 1
    assert found.notes == []
    return found


def test_sums_of_residual_blocks_are_of_bytes(residual: ChosenLayers, tmp_path: Path) -> None:
    onnx.checker.check_model(residual.model, full_check=True)
    operators = operators_as_computed(residual.model, tmp_path)
    assert operators.count("QLinearAdd") == 2 + 1
    assert operators.count("QLinearConv") == 4 + 1 + 2 + 1
    integers = {"QGemm", "QLinearConv", "QLinearAdd"}
    ends = {"QuantizeLinear", "DequantizeLinear", "Tanh"}
    assert set(operators) - {"Reshape", "Transpose"} == integers | ends
    assert operators.count("DequantizeLinear") == 1


def test_a_residual_generator_keeps_the_bound(residual: ChosenLayers) -> None:
    expected = verify.output_of(residual_generator(), INPUTS)
    drawn = verify.output_of(residual.model, INPUTS)
    assert expected.std() > 0.1  # a grey picture would agree with everything
    assert decibels(drawn, expected) >= 30
    assert decibels(drawn[:8], by_onnx(residual.model, examples.first(INPUTS, 8))) > 55


def test_a_sum_of_bytes_is_no_further_off_than_its_roundings() -> None:
    """Two layers that copy, and their sum: each of three ranges rounds by half a step."""
    arrays = {f"{name}_weight": np.eye(8, dtype="f")[:, :, None, None] for name in "abc"}
    nodes = [
        helper.make_node("Conv", [read, f"{made}_weight"], [made])
        for read, made in (("x", "a"), ("a", "b"), ("sum", "c"))
    ]
    nodes.insert(2, helper.make_node("Add", ["a", "b"], ["sum"]))
    nodes.append(helper.make_node("Identity", ["c"], ["y"]))
    shape = [None, 8, 4, 4]
    graph = helper.make_graph(
        nodes,
        "sum",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, shape)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    ranges = {"x": Range(-3, 3), "a": Range(-3, 4), "b": Range(-4, 3), "sum": Range(-7, 6)}
    ranges["c"] = Range(-6, 7)
    maps = np.random.default_rng(0).uniform(-3, 3, (5, 8, 4, 4)).astype("f")
    drawn = verify.output_of(quantise_int8.rewrite(model, list("abc"), ranges), {"x": maps})
    steps = {name: float(found.scale) for name, found in ranges.items()}
    # What x and a are off counts twice, for a and b. ONNX allows a half to be rounded either way.
    off = 2 * (steps["x"] + steps["a"]) / 2 + (steps["b"] + steps["sum"] + steps["c"]) / 2
    assert np.abs(drawn - 2 * maps).max() <= off + 1e-5
    assert np.abs(drawn - 2 * maps).max() > 0


# The choice


def test_the_same_generator_gives_the_same_file(chosen: ChosenLayers) -> None:
    assert choose(generator(), 25).model.SerializeToString() == chosen.model.SerializeToString()


def test_a_bad_layer_stands_first_and_stays_in_float32() -> None:
    found = choose(generator(bad_layer=True), 40)
    assert next(iter(found.alone)) == "double"
    assert found.alone["double"] < 25
    assert set(found.layers) == {"dense", "to_image"}
    assert found.decibels >= 40


def test_the_bound_is_kept_and_no_layer_left_out_without_need() -> None:
    model = generator()
    expected = verify.output_of(model, INPUTS)
    all_layers = choose(model, 1).decibels
    found = choose(model, all_layers + 0.1)
    assert decibels(verify.output_of(found.model, INPUTS), expected, (-1, 1)) >= (all_layers + 0.1)
    assert found.layers == list(found.alone)[1:]
    assert list(found.alone.values()) == sorted(found.alone.values())


def test_where_no_layer_keeps_the_bound_the_model_stays_as_it_is() -> None:
    model = matrix_product.rewrite(generator())
    found = choose(model, 100)
    assert found.layers == []
    assert found.model == model


def test_the_table_names_every_layer_and_where_it_is_computed() -> None:
    found = choose(generator(bad_layer=True), 40)
    heading, *lines = sensitivity.table(found, INPUTS).splitlines()
    assert heading.split() == ["dB", "alone", "ms", "saved", "computed", "in"]
    cells = [line.split() for line in lines]
    assert [(line[0], line[-1]) for line in cells] == [
        (name, "int8" if name in found.layers else "float32") for name in found.alone
    ]
    assert [line[1] for line in cells] == [f"{found.alone[name]:.1f}" for name in found.alone]
