"""Operations are those counted by hand."""

from __future__ import annotations

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgegan.export.operations import by_layer, multiply_adds, multiply_adds_in_integers
from edgegan.export.passes import matrix_product, phase_convolutions, store_float16
from edgegan.runtime.models import MODELS
from export_help import generator


def model_of(
    nodes: list[onnx.NodeProto], shape: list[int], **weights: tuple[int, ...]
) -> onnx.ModelProto:
    """A model of ``input``, (batch, *shape), and weights of those shapes."""
    graph = helper.make_graph(
        nodes,
        "network",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["batch", *shape])],
        [helper.make_tensor_value_info("output", TensorProto.FLOAT, None)],
        [
            numpy_helper.from_array(np.ones(size, np.float32), name)
            for name, size in weights.items()
        ],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


@pytest.mark.parametrize(
    ("kind", "attributes", "shape", "weight", "count"),
    [
        # 5 outputs of 4 x 4 pixels, each 3 inputs times 3 x 3 taps
        ("Conv", {"pads": [1] * 4, "strides": [2, 2]}, [3, 8, 8], (5, 3, 3, 3), 5 * 16 * 27),
        # two groups of 2 inputs and 3 outputs
        ("Conv", {"group": 2}, [4, 2, 2], (6, 2, 1, 1), 6 * 4 * 2),
        # 3 inputs of 8 x 8 pixels, each brought to 5 outputs by 4 x 4 taps
        ("ConvTranspose", {"strides": [2, 2]}, [3, 8, 8], (3, 5, 4, 4), 3 * 64 * 5 * 16),
        ("Gemm", {}, [7], (7, 11), 7 * 11),
        ("Gemm", {"transB": 1}, [7], (11, 7), 7 * 11),
        ("MatMul", {}, [3, 5, 7], (7, 2), 3 * 5 * 7 * 2),
        ("Mul", {}, [7], (7,), 0),
    ],
)
def test_a_layer_takes_what_is_counted_by_hand(
    kind: str, attributes: dict[str, object], shape: list[int], weight: tuple[int, ...], count: int
) -> None:
    node = helper.make_node(kind, ["input", "weight"], ["output"], **attributes)
    assert multiply_adds(model_of([node], shape, weight=weight)) == count


def test_a_batch_norm_takes_one_for_a_number() -> None:
    names = ["gamma", "beta", "mean", "variance"]
    node = helper.make_node("BatchNormalization", ["input", *names], ["output"])
    model = model_of([node], [6, 4, 4], **dict.fromkeys(names, (6,)))
    assert multiply_adds(model) == 6 * 4 * 4


def test_layers_of_integer_weights_are_told_apart() -> None:
    """Two dense layers, 7 -> 11 -> 2: the first has weights of bytes."""
    nodes = [
        helper.make_node("DequantizeLinear", ["bytes", "scale", "zero"], ["weight"]),
        helper.make_node("MatMul", ["input", "weight"], ["hidden"]),
        helper.make_node("MatMul", ["hidden", "second"], ["output"]),
    ]
    model = model_of(nodes, [7], second=(11, 2))
    constants = {"bytes": np.ones((7, 11), "i1"), "scale": np.float32(1), "zero": np.int8(0)}
    model.graph.initializer.extend(
        numpy_helper.from_array(np.asarray(array), name) for name, array in constants.items()
    )
    assert by_layer(model) == {"hidden": 7 * 11, "output": 11 * 2}
    assert multiply_adds_in_integers(model) == 7 * 11


def counted_by_hand(width: int) -> int:
    """128 numbers to 8 width channels of 4 x 4, four doublings of 4 x 4 taps."""
    channels = [8 * width, 4 * width, 2 * width, width, 3]
    pixels = [16, 64, 256, 1024]
    doublings = sum(a * b * size for a, b, size in zip(channels, channels[1:], pixels))
    return 128 * 8 * width * 16 + 16 * doublings


def test_a_generator_takes_as_many_in_every_form_of_float32() -> None:
    """A dense layer of 16 numbers to 32 maps of 4 x 4, and two doublings of 4 x 4 taps."""
    model = generator()
    assert multiply_adds(model) == 16 * 32 * 16 + 16 * (32 * 32 * 16 + 32 * 3 * 64)
    rewritten = phase_convolutions.rewrite(matrix_product.rewrite(model), least_outputs=1)
    assert multiply_adds(rewritten) == multiply_adds(model)
    assert multiply_adds(store_float16.rewrite(rewritten)) == multiply_adds(model)


def test_shipped_integers_take_more_where_they_draw_blocks() -> None:
    """Blocks of 4 x 4 pixels read 4 x 4 inputs, those of 2 x 2 read 3 x 3; phases 2 x 2 a pixel."""
    default, wgan, student = (
        onnx.load(str(MODELS / f"{name}.onnx")) for name in ("dcgan", "wgan", "student")
    )
    for model, width in ((default, 64), (wgan, 32)):
        last = 16 * width * 3 * 1024
        assert multiply_adds(model) == counted_by_hand(width) + (16 / 4 - 1) * last
    last, before_it = 16 * 24 * 3 * 1024, 16 * 48 * 24 * 256
    more = (16 / 4 - 1) * last + (9 / 4 - 1) * before_it
    assert multiply_adds(student) == counted_by_hand(24) + more
    for model in (default, wgan, student):
        assert multiply_adds_in_integers(model) == multiply_adds(model)
