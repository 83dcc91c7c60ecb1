"""Generators in float16: what stays float32, and what is said of the roundings."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgegan.export import verify
from edgegan.export.passes import compute_float16
from edgegan.export.passes.graph import types
from edgegan.export.reduction import to_float16
from edgegan.runtime.quality import decibels
from export_help import METADATA

ROWS = np.random.default_rng(1).uniform(-1, 1, (40, 8)).astype("f")
INPUTS = {"latent": ROWS}
THRESHOLD = np.sort(ROWS[:, 0])[8]  # of their first numbers


def network(scale: float = 1) -> onnx.ModelProto:
    """Two dense layers, between them a ReLU and a switch by a threshold; a tanh."""
    random = np.random.default_rng(0)
    arrays = {
        "first": random.normal(size=(8, 64)).astype("f") * np.float32(scale),
        "second": random.normal(size=(64, 12)).astype("f") / np.float32(8 * scale),
        "threshold": np.array(THRESHOLD),
        "first_number": np.array([0]),
        "second_number": np.array([1]),
        "axis": np.array([1]),
        "maps": np.array([-1, 3, 2, 2]),
    }
    nodes = [
        helper.make_node(
            "Slice", ["latent", "first_number", "second_number", "axis"], ["chance"], name="chance"
        ),
        helper.make_node("Greater", ["chance", "threshold"], ["above"], name="above"),
        helper.make_node("Cast", ["above"], ["kept"], name="kept", to=TensorProto.FLOAT),
        helper.make_node("Gemm", ["latent", "first"], ["made"], name="made"),
        helper.make_node("Relu", ["made"], ["active"], name="active"),
        helper.make_node("Mul", ["active", "kept"], ["dropped"], name="dropped"),
        helper.make_node("Gemm", ["dropped", "second"], ["last"], name="last"),
        helper.make_node("Reshape", ["last", "maps"], ["pixels"], name="pixels"),
        helper.make_node("Tanh", ["pixels"], ["image"], name="image"),
    ]
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["batch", 8])],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 2, 2])],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def by_hand(scale: float = 1) -> np.ndarray:
    """What the network is in numpy, with every product rounded to float16."""
    arrays = {item.name: numpy_helper.to_array(item) for item in network(scale).graph.initializer}

    def product(values: np.ndarray, weight: np.ndarray) -> np.ndarray:
        half = weight.astype(np.float16)
        return (values.astype("f") @ half.astype("f")).astype(np.float16)

    active = np.maximum(product(ROWS.astype(np.float16), arrays["first"]), np.float16(0))
    active *= ROWS[:, :1] > arrays["threshold"]
    last = product(active, arrays["second"]).astype("f")
    return np.tanh(last).astype(np.float16).astype("f").reshape(-1, 3, 2, 2)


def test_what_is_computed_is_float16_but_for_the_ends_and_thresholds() -> None:
    model = network()
    half = compute_float16.rewrite(model)
    onnx.checker.check_model(half, full_check=True)
    assert model == network()
    found = {name: kind.elem_type for name, kind in types(half).items()}
    assert {name for name in found if found[name] == TensorProto.FLOAT} == {
        "latent",
        "chance",
        "image",
    }
    constants = {item.name: item.data_type for item in half.graph.initializer}
    assert constants["threshold"] == TensorProto.FLOAT
    assert constants["first_float16"] == constants["second_float16"] == TensorProto.FLOAT16
    assert "first" not in constants


def test_the_roundings_are_those_of_float16() -> None:
    half = compute_float16.rewrite(network())
    rounded = compute_float16.rounded(half)
    onnx.checker.check_model(rounded, full_check=True)
    assert TensorProto.FLOAT16 not in {item.data_type for item in rounded.graph.initializer}
    drawn, expected = verify.output_of(rounded, INPUTS), by_hand()
    exact = verify.output_of(network(), INPUTS)
    assert expected.std() > 0.1
    # A sum in another order may be rounded otherwise, here and there by one step of float16.
    np.testing.assert_allclose(drawn, expected, rtol=0, atol=2e-3)
    assert (drawn != expected).mean() < 0.05
    assert (drawn != exact).mean() > 0.5
    # onnx's own float16 arithmetic rounds within sums as well: about as far off.
    copied = onnx.ModelProto()
    copied.CopyFrom(half)
    copied.opset_import[0].version = 19
    (by_onnx,) = ReferenceEvaluator(copied).run(None, INPUTS)
    of_onnx, ours = (decibels(values, exact, (-1, 1)) for values in (by_onnx, drawn))
    assert ours == pytest.approx(of_onnx, abs=6)


def test_a_number_at_a_threshold_decides_as_in_float32() -> None:
    half = compute_float16.rewrite(network())
    rows = np.repeat(ROWS[:1], 3, axis=0)
    below, above = (np.nextafter(THRESHOLD, np.float32(end)) for end in (-9, 9))
    rows[:, 0] = [below, THRESHOLD, above]
    drawn = verify.output_of(half, {"latent": rows})
    assert [bool(np.abs(row).max()) for row in drawn] == [False, False, True]


def test_numbers_that_float16_cannot_hold_stay_float32() -> None:
    """Those of a hidden layer are above 65504; onnxruntime's CPU alone would not notice."""
    model = network(scale=1e5)
    expected = verify.output_of(model, INPUTS)
    reduced = to_float16(model, METADATA, INPUTS, expected, 40)
    assert not reduced.taken
    assert reduced.model == model
    assert reduced.decibels == float("inf")
    assert "no layer is computed in float16" in reduced.line


def test_float16_is_taken_where_its_roundings_keep_the_bound() -> None:
    model = network()
    expected = verify.output_of(model, INPUTS)
    found = to_float16(model, METADATA, INPUTS, expected, 40)
    assert found.taken
    assert found.decibels == pytest.approx(decibels(by_hand(), expected, (-1, 1)), abs=1)
    assert not to_float16(model, METADATA, INPUTS, expected, found.decibels + 0.1).taken
