"""Phase convolutions and matrix products give what onnx says a ConvTranspose gives.

The judge is onnx's reference evaluator, which agrees with onnxruntime on every one of these.
"""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

from edgegan.export.passes import matrix_product, phase_convolutions
from edgegan.export.passes.graph import initializers
from edgegan.export.passes.phase_convolutions import LEAST_OUTPUTS

INPUTS = 3


def transposed_convolution(
    size: tuple[int, int],
    kernel: tuple[int, int] = (4, 4),
    strides: tuple[int, int] = (2, 2),
    pads: tuple[int, int, int, int] = (1, 1, 1, 1),
    output_padding: tuple[int, int] = (0, 0),
    *,
    activation: str | None = "Relu",
    bias: bool = True,
    outputs: int = 4,
    **attributes: object,
) -> onnx.ModelProto:
    """input (N, 3 H W) -> Reshape -> ConvTranspose -> activation -> output, random constants."""
    random = np.random.default_rng(0)
    shape = np.array([-1, INPUTS, *size])
    arrays = {"shape": shape, "weight": random.normal(size=(INPUTS, outputs, *kernel)).astype("f")}
    if bias:
        arrays["bias"] = random.normal(size=outputs).astype("f")
    nodes = [
        helper.make_node("Reshape", ["input", "shape"], ["maps"], name="maps"),
        helper.make_node(
            "ConvTranspose",
            ["maps", *list(arrays)[1:]],
            ["made"],
            name="made",
            kernel_shape=kernel,
            strides=strides,
            pads=pads,
            output_padding=output_padding,
            **attributes,
        ),
    ]
    if activation:
        nodes.append(helper.make_node(activation, ["made"], ["active"], name="active"))
    numbers = int(np.prod(shape[1:]))
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", numbers])],
        [helper.make_tensor_value_info(nodes[-1].output[0], TensorProto.FLOAT, [None] * 4)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def operators(model: onnx.ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


def phases_of(model: onnx.ModelProto) -> onnx.ModelProto:
    """Phases however few the outputs are: how many pay changes no result."""
    return phase_convolutions.rewrite(model, least_outputs=1)


def check_same(rewritten: onnx.ModelProto, model: onnx.ModelProto) -> None:
    """The rewritten model is valid and gives, with onnxruntime, what the original gives by onnx."""
    onnx.checker.check_model(rewritten, full_check=True)
    numbers = model.graph.input[0].type.tensor_type.shape.dim[1].dim_value
    rows = np.random.default_rng(1).normal(size=(2, numbers)).astype("f")
    (expected,) = ReferenceEvaluator(model).run(None, {"input": rows})
    session = onnxruntime.InferenceSession(
        rewritten.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    np.testing.assert_allclose(session.run(None, {"input": rows})[0], expected, atol=1e-5)


def length(size: int, kernel: int, stride: int, before: int, after: int, extra: int) -> int:
    """Of a transposed convolution's output, by onnx's definition."""
    return stride * (size - 1) + kernel - before - after + extra


@st.composite
def shapes_of_convolutions(draw: st.DrawFn) -> dict[str, tuple[int, ...]]:
    """Sizes, kernels, paddings of each axis and one stride, such that something comes out."""
    stride = draw(st.integers(1, 3))
    axis = st.tuples(
        st.integers(1, 4),  # size
        st.integers(1, 6),  # kernel
        st.just(stride),
        st.integers(0, 3),
        st.integers(0, 3),
        st.integers(0, stride - 1),
    ).filter(lambda values: length(*values) > 0)
    rows, columns = draw(axis), draw(axis)
    size, kernel, strides, before, after, output_padding = zip(rows, columns)
    return {
        "size": size,
        "kernel": kernel,
        "strides": strides,
        "pads": (*before, *after),
        "output_padding": output_padding,
    }


@settings(max_examples=150, deadline=None)
@given(
    shape=shapes_of_convolutions(),
    activation=st.sampled_from([None, "Relu", "LeakyRelu", "Tanh"]),
    bias=st.booleans(),
)
def test_phases_give_what_any_transposed_convolution_gives(
    shape: dict[str, tuple[int, ...]], activation: str | None, bias: bool
) -> None:
    model = transposed_convolution(**shape, activation=activation, bias=bias)
    check_same(phases_of(model), model)


@settings(max_examples=60, deadline=None)
@given(
    shape=shapes_of_convolutions(),
    activation=st.sampled_from([None, "Relu", "LeakyRelu", "Tanh"]),
    bias=st.booleans(),
    outputs=st.integers(1, 4),
)
def test_one_product_gives_what_any_transposed_convolution_of_a_pixel_gives(
    shape: dict[str, tuple[int, ...]], activation: str | None, bias: bool, outputs: int
) -> None:
    shape["size"] = (1, 1)
    lengths = [
        length(1, shape["kernel"][a], 1, shape["pads"][a], shape["pads"][a + 2], 0) for a in (0, 1)
    ]
    if min(lengths) < 1:
        shape["pads"] = (0, 0, 0, 0)
    model = transposed_convolution(**shape, activation=activation, bias=bias, outputs=outputs)
    rewritten = matrix_product.rewrite(model)
    assert operators(rewritten) == ["Gemm", *filter(None, [activation]), "Reshape"]
    check_same(rewritten, model)


@pytest.mark.parametrize(
    ("kernel", "pads", "output_padding", "kernels"),
    [
        ((4, 4), (1, 1, 1, 1), (0, 0), [(2, 2)] * 4),  # DCGAN
        ((5, 5), (2, 2, 2, 2), (1, 1), [(3, 3), (3, 2), (2, 3), (2, 2)]),  # its 5x5 kind
        ((5, 5), (1, 1, 2, 2), (0, 0), [(2, 2), (2, 3), (3, 2), (3, 3)]),  # TensorFlow's SAME
        ((4, 5), (1, 2, 1, 2), (0, 1), [(2, 3), (2, 2), (2, 3), (2, 2)]),
        ((2, 2), (0, 0, 0, 0), (0, 0), [(1, 1)] * 4),
        ((3, 3), (1, 1, 1, 1), (1, 1), [(1, 1), (1, 2), (2, 1), (2, 2)]),
    ],
)
def test_a_doubling_takes_every_tap_once(
    kernel: tuple[int, int],
    pads: tuple[int, int, int, int],
    output_padding: tuple[int, int],
    kernels: list[tuple[int, int]],
) -> None:
    model = transposed_convolution((3, 5), kernel, (2, 2), pads, output_padding)
    rewritten = phases_of(model)
    expected = ["Reshape", *["Conv", "Relu"] * 4, "Concat", "DepthToSpace"]
    assert operators(rewritten) == expected
    found = [array.shape[2:] for array in initializers(rewritten).values() if array.ndim == 4]
    assert found == kernels
    assert sum(height * width for height, width in kernels) == kernel[0] * kernel[1]
    check_same(rewritten, model)


def test_one_of_stride_1_becomes_one_convolution() -> None:
    model = transposed_convolution((4, 4), (3, 3), (1, 1))
    rewritten = phases_of(model)
    assert operators(rewritten) == ["Reshape", "Conv", "Relu"]
    check_same(rewritten, model)


@pytest.mark.parametrize(
    "options",
    [
        {"strides": (1, 1), "pads": (0, 0, 0, 0)},  # grows: a convolution would multiply zeros
        {"kernel": (5, 5)},  # an odd output: phases of two lengths
        {"kernel": (1, 1), "pads": (0, 0, 0, 0), "output_padding": (1, 1)},  # a phase without taps
        {"strides": (2, 1), "kernel": (4, 3)},
        {"dilations": (2, 2), "pads": (3, 3, 3, 3), "output_padding": (1, 1)},
        {"auto_pad": "SAME_UPPER"},
        {"group": 3},
    ],
    ids=str,
)
def test_others_stay_as_they_are(options: dict[str, object]) -> None:
    model = transposed_convolution((4, 4), **options)  # type: ignore[arg-type]
    assert phases_of(model) == model
    assert matrix_product.rewrite(model) == model


def test_one_of_few_outputs_stays_as_it_is() -> None:
    model = transposed_convolution((4, 4), outputs=LEAST_OUTPUTS - 1)
    assert phase_convolutions.rewrite(model) == model
    model = transposed_convolution((4, 4), outputs=LEAST_OUTPUTS)
    assert phase_convolutions.rewrite(model) == phases_of(model) != model


def test_weights_that_are_computed_stay_as_they_are() -> None:
    model = transposed_convolution((1, 1))
    model.graph.node.insert(0, helper.make_node("Abs", ["weight"], ["computed"]))
    model.graph.node[2].input[1] = "computed"
    assert phases_of(model) == model
    assert matrix_product.rewrite(model) == model


@pytest.mark.parametrize("rewrite", [phases_of, matrix_product.rewrite])
def test_what_is_read_before_the_activation_is_not_activated(rewrite: object) -> None:
    model = transposed_convolution((1, 1))
    model.graph.node.append(helper.make_node("Add", ["made", "active"], ["sum"], name="sum"))
    model.graph.output[0].name = "sum"
    check_same(rewrite(model), model)  # type: ignore[operator]


def test_a_pixel_that_others_read_stays_a_pixel() -> None:
    model = transposed_convolution((1, 1), pads=(0, 0, 0, 0), outputs=INPUTS)
    model.graph.node.append(helper.make_node("Add", ["maps", "active"], ["sum"], name="sum"))
    model.graph.output[0].name = "sum"
    rewritten = matrix_product.rewrite(model)
    assert operators(rewritten) == ["Reshape", "Gemm", "Relu", "Reshape", "Add"]
    check_same(rewritten, model)


def test_a_pixel_that_was_no_row_is_flattened() -> None:
    model = transposed_convolution((1, 1))
    model.graph.node.insert(1, helper.make_node("Neg", ["maps"], ["negated"], name="negated"))
    model.graph.node[2].input[0] = "negated"
    rewritten = matrix_product.rewrite(model)
    assert operators(rewritten) == ["Reshape", "Neg", "Flatten", "Gemm", "Relu", "Reshape"]
    check_same(rewritten, model)


def test_a_product_gives_a_row_the_same_bytes_in_every_batch() -> None:
    model = transposed_convolution((1, 1), kernel=(4, 4), pads=(0, 0, 0, 0), outputs=64)
    session = onnxruntime.InferenceSession(
        matrix_product.rewrite(model).SerializeToString(), providers=["CPUExecutionProvider"]
    )
    rows = np.random.default_rng(0).normal(size=(64, INPUTS)).astype("f")
    (whole,) = session.run(None, {"input": rows})
    for count in (1, 2, 3, 7, 13, 25):
        np.testing.assert_array_equal(session.run(None, {"input": rows[:count]})[0], whole[:count])


@pytest.mark.parametrize("rewrite", [phases_of, matrix_product.rewrite])
def test_a_pass_leaves_its_input_alone(rewrite: object) -> None:
    model = transposed_convolution((1, 1))
    before = model.SerializeToString()
    assert rewrite(model) != model  # type: ignore[operator]
    assert model.SerializeToString() == before
