"""Small generators and discriminators that take words, for the tests of whatever runs them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgegan.runtime.metadata import ModelMetadata
from edgegan.runtime.words import Group, Words
from export_help import IMAGE_SIZE, LATENT_SIZE, METADATA

WORDS = Words.of(
    [Group("hair", ("blond", "blue", "red")), Group("eyes", ("blue", "green"))],
    np.array([[0, 0], [0, 0], [0, 0], [1, 0], [1, 1], [2, 1], [2, 1]]),
)


def make_conditional_generator(path: Path, words: Words = WORDS) -> Path:
    """Write a generator with image = tanh(latent A + condition B), of random numbers.

    A is `latent_weight` and B `condition_weight`, float32 (…, 3 * IMAGE_SIZE * IMAGE_SIZE).
    """
    random = np.random.default_rng(0)
    shape = [3, IMAGE_SIZE, IMAGE_SIZE]

    def weights(name: str, rows: int, scale: float) -> onnx.TensorProto:
        values = scale * random.standard_normal((rows, int(np.prod(shape))))
        return numpy_helper.from_array(values.astype(np.float32), name)

    return _save_conditional(
        path,
        replace(METADATA, words=words),
        [
            helper.make_node("MatMul", ["latent", "latent_weight"], ["a"]),
            helper.make_node("MatMul", ["condition", "condition_weight"], ["b"]),
            helper.make_node("Add", ["a", "b"], ["c"]),
            helper.make_node("Reshape", ["c", "shape"], ["d"]),
            helper.make_node("Tanh", ["d"], ["image"]),
        ],
        ("latent", [LATENT_SIZE]),
        ("image", shape),
        [
            weights("latent_weight", LATENT_SIZE, 0.1),
            weights("condition_weight", words.size, 0.3),
            numpy_helper.from_array(np.array([-1, *shape]), "shape"),
        ],
    )


def make_conditional_discriminator(path: Path, words: Words = WORDS) -> Path:
    """Write a discriminator that scores images by the mean of red, times a number for each word.

    The first word of all has the number 1, the next -1, and so on; of several they are added.
    """
    signs = np.resize(np.float32([1, -1]), (words.size, 1))
    return _save_conditional(
        path,
        replace(METADATA, words=words, part="discriminator"),
        [
            helper.make_node("Mul", ["image", "red"], ["a"]),
            helper.make_node("ReduceMean", ["a"], ["b"], axes=[2, 3], keepdims=0),
            helper.make_node("MatMul", ["condition", "signs"], ["c"]),
            helper.make_node("Mul", ["b", "c"], ["d"]),
            helper.make_node("ReduceMean", ["d"], ["score"], axes=[1], keepdims=0),
        ],
        ("image", [3, IMAGE_SIZE, IMAGE_SIZE]),
        ("score", []),
        [
            numpy_helper.from_array(np.float32([3, 0, 0]).reshape(1, 3, 1, 1), "red"),
            numpy_helper.from_array(signs, "signs"),
        ],
    )


def _save_conditional(
    path: Path,
    metadata: ModelMetadata,
    nodes: list[onnx.NodeProto],
    taken: tuple[str, list[int]],
    given: tuple[str, list[int]],
    weights: list[onnx.TensorProto],
) -> Path:
    """Save a graph that takes a condition after what else it takes; names with rows' shapes."""
    assert metadata.words is not None
    inputs, outputs = [taken, ("condition", [metadata.words.size])], [given]
    graph = helper.make_graph(
        nodes,
        metadata.part,
        *(
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, ["N", *row]) for name, row in s]
            for s in (inputs, outputs)
        ),
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, metadata.to_strings())
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))
    return path
