"""A small generator's graph, for the tests of the exporter and of the runtime."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from edgegan.export import sensitivity, verify
from edgegan.export.passes import matrix_product
from edgegan.export.passes.graph import copy_of
from edgegan.export.pipeline import Original
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.metadata import ModelMetadata
from edgegan.runtime.words import Words

LATENT_SIZE = 16
IMAGE_SIZE = 16
METADATA = ModelMetadata(
    recipe="dcgan",
    objective="non_saturating",
    latent_size=LATENT_SIZE,
    latent_distribution="normal",
    image_size=IMAGE_SIZE,
    value_range=(-1.0, 1.0),
    images_seen=0,
)


LATENTS = draw_latents(0, 64, LATENT_SIZE, "normal")
INPUTS = {"latent": LATENTS}


def generator(bad_layer: bool = False) -> onnx.ModelProto:
    """latent -> dense layer, ReLU -> two doublings, ReLU between -> tanh; random constants.

    With `bad_layer`, each channel of the first doubling has a large weight for a map that is always
    0: it changes no number, but in 8 bits nothing is left of the other weights.
    """
    random = np.random.default_rng(0)

    def constant(*shape: int, scale: float = 1) -> np.ndarray:
        return (scale * random.normal(size=shape)).astype("f")

    arrays = {
        "dense_weight": constant(LATENT_SIZE, 32, 4, 4, scale=0.25),
        "dense_bias": constant(32),
        "double_weight": constant(32, 32, 4, 4, scale=0.1),
        "double_bias": constant(32),
        "to_image_weight": constant(32, 3, 4, 4, scale=0.05),
        "to_image_bias": constant(3, scale=0.1),
        "shape": np.array([-1, LATENT_SIZE, 1, 1]),
    }
    if bad_layer:
        arrays["dense_weight"][:, 0] = 0
        arrays["dense_bias"][0] = -1
        arrays["double_weight"][0] = 100
    nodes = [
        helper.make_node("Reshape", ["latent", "shape"], ["pixel"], name="pixel"),
        helper.make_node(
            "ConvTranspose",
            ["pixel", "dense_weight", "dense_bias"],
            ["dense"],
            name="dense",
            kernel_shape=[4, 4],
        ),
    ]
    read = "dense"
    for layer in ("double", "to_image"):
        nodes += [
            helper.make_node("Relu", [read], [f"{read}_relu"], name=f"{read}_relu"),
            helper.make_node(
                "ConvTranspose",
                [f"{read}_relu", f"{layer}_weight", f"{layer}_bias"],
                [layer],
                name=layer,
                kernel_shape=[4, 4],
                strides=[2, 2],
                pads=[1, 1, 1, 1],
            ),
        ]
        read = layer
    nodes.append(helper.make_node("Tanh", [read], ["image"], name="image"))
    return _model(nodes, arrays)


def residual_generator(blocks: int = 2, width: int = 32) -> onnx.ModelProto:
    """latent -> maps of 4 x 4 -> residual blocks, a long skip -> two pixel shuffles -> tanh."""
    random = np.random.default_rng(0)
    arrays = {
        "dense_weight": (random.normal(size=(LATENT_SIZE, width * 16)) / 4).astype("f"),
        "dense_bias": (0.1 * random.normal(size=width * 16)).astype("f"),
        "maps": np.array([-1, width, 4, 4]),
    }
    nodes = [
        helper.make_node("Gemm", ["latent", "dense_weight", "dense_bias"], ["dense"]),
        helper.make_node("Relu", ["dense"], ["dense_relu"]),
        helper.make_node("Reshape", ["dense_relu", "maps"], ["first"]),
    ]

    def convolution(name: str, read: str, outputs: int = width) -> str:
        weight = random.normal(size=(outputs, width, 3, 3)) / np.sqrt(5 * width)
        arrays[f"{name}_weight"] = weight.astype("f")
        arrays[f"{name}_bias"] = (0.1 * random.normal(size=outputs)).astype("f")
        inputs = [read, f"{name}_weight", f"{name}_bias"]
        nodes.append(helper.make_node("Conv", inputs, [name], kernel_shape=[3, 3], pads=[1] * 4))
        return name

    def then(operator: str, *read: str, **attributes: object) -> str:
        made = f"{read[0]}_{operator.lower()}"
        nodes.append(helper.make_node(operator, read, [made], **attributes))
        return made

    maps = "first"
    for block in range(blocks):
        active = then("Relu", convolution(f"block{block}_first", maps))
        maps = then("Add", convolution(f"block{block}_second", active), maps)
    maps = then("Add", convolution("trunk", maps), "first")
    for doubling in range(2):
        made = convolution(f"double{doubling}", maps, 4 * width)
        maps = then("DepthToSpace", then("Relu", made), blocksize=2)
    nodes.append(helper.make_node("Tanh", [convolution("to_image", maps, 3)], ["image"]))
    for node in nodes:
        node.name = node.output[0]
    return _model(nodes, arrays)


def random_generator(
    path: Path,
    metadata: dict[str, str] | None = None,
    input_name: str = "latent",
    batch: str | int = "N",
    words: Words | None = None,
) -> Path:
    """Write a small generator with random weights, as export writes them; returns its path.

    With words it takes conditions too, and its metadata is of a recipe for that.
    """
    random = np.random.default_rng(0)
    sizes, row, nodes = {input_name: LATENT_SIZE}, input_name, []
    if words:
        metadata = metadata or replace(METADATA, recipe="acgan", words=words).to_strings()
        sizes["condition"], row = words.size, "row"
        nodes = [helper.make_node("Concat", ["condition", input_name], [row], axis=1)]
    row_size = sum(sizes.values())

    def weights(name: str, *shape: int) -> onnx.TensorProto:
        values = random.standard_normal(shape) / np.sqrt(np.prod(shape[2:]) * shape[0]) * 4
        return numpy_helper.from_array(values.astype(np.float32), name)

    upsample = {"kernel_shape": [4, 4], "strides": [2, 2], "pads": [1, 1, 1, 1]}
    graph = helper.make_graph(
        [
            *nodes,
            helper.make_node("Reshape", [row, "shape"], ["column"]),
            helper.make_node("ConvTranspose", ["column", "w1"], ["a"], kernel_shape=[4, 4]),
            helper.make_node("Relu", ["a"], ["b"]),
            helper.make_node("ConvTranspose", ["b", "w2"], ["c"], **upsample),
            helper.make_node("Relu", ["c"], ["d"]),
            helper.make_node("ConvTranspose", ["d", "w3"], ["e"], **upsample),
            helper.make_node("Tanh", ["e"], ["image"]),
        ],
        "generator",
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, size])
            for name, size in sizes.items()
        ],
        [
            helper.make_tensor_value_info(
                "image", TensorProto.FLOAT, [batch, 3, IMAGE_SIZE, IMAGE_SIZE]
            )
        ],
        [
            numpy_helper.from_array(np.array([-1, row_size, 1, 1]), "shape"),
            weights("w1", row_size, 64, 4, 4),
            weights("w2", 64, 32, 4, 4),
            weights("w3", 32, 3, 4, 4),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, METADATA.to_strings() if metadata is None else metadata)
    onnx.checker.check_model(model)
    onnx.save(model, str(path))
    return path


def original(model: onnx.ModelProto) -> Original:
    """What a file is made of, of such a model."""
    model = copy_of(model)
    helper.set_model_props(model, METADATA.to_strings())
    return Original("the network", model, METADATA, INPUTS, verify.output_of(model, INPUTS))


def choose(model: onnx.ModelProto, least_decibels: float) -> sensitivity.ChosenLayers:
    model = matrix_product.rewrite(model)
    expected = verify.output_of(model, INPUTS)
    return sensitivity.choose(model, METADATA, INPUTS, expected, least_decibels)


def _model(nodes: list[onnx.NodeProto], arrays: dict[str, np.ndarray]) -> onnx.ModelProto:
    """latent -> nodes -> image."""
    image = ["batch", 3, IMAGE_SIZE, IMAGE_SIZE]
    graph = helper.make_graph(
        nodes,
        "generator",
        [helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["batch", LATENT_SIZE])],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, image)],
        [numpy_helper.from_array(array, name) for name, array in arrays.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
