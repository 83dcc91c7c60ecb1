"""What a user could generate with instead, each from the same ONNX file and so the same weights.

A maker takes a file and a number of threads and returns what turns the file's inputs (latents, and
conditions where it takes words) into images: float32 (N, 3, S, S), or uint8 (N, S, S, 3) from our
runtime and where the file itself makes bytes. Libraries are imported inside the makers, as each
runs in a process of its own.

Peers other than onnxruntime read a file of level 1, which has batch norm folded into the
convolutions before it. Networks with batch norm are made from it by one of scale 1 that adds the
bias: it computes the same, and costs what any other does.
"""

from __future__ import annotations

import functools
import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgegan.export.examples import CONDITION, INPUT, Inputs
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_bytes
from edgegan.runtime.metadata import GENERATOR, ModelMetadata
from edgegan.runtime.options import THROUGHPUT

if TYPE_CHECKING:
    import onnx
    import torch

    from edgegan.runtime.generator import Generator
    from edgegan.trainer.framework import HybridBlock
    from edgegan.trainer.recipe import Recipe, StudentRecipe

OPENVINO_PRODUCTS = ("Convolution", "Deconvolution", "FullyConnected", "MatMul")
OPENVINO_FORMATS = {"f32": "float32", "bf16": "bfloat16", "f16": "float16"}

LATENT = INPUT[GENERATOR]
ROW = [CONDITION, LATENT]  # side by side, where there are words: what the first layer reads

Generate = Callable[[Inputs], np.ndarray]

# what a network may consist of
LAYERS = frozenset(("Reshape", "ConvTranspose", "Relu", "Tanh", "Sigmoid"))
BATCH_NORM_EPSILON = 1e-5  # the default of mxnet and PyTorch
UNIT_SCALE = math.sqrt(1 + BATCH_NORM_EPSILON)  # makes a batch norm of variance 1 change nothing


def inputs_of_seed(generator: Generator, seed: int, count: int) -> Inputs:
    """What a generator takes for the first images of a seed, words drawn as it draws them."""
    latents = {LATENT: generator.latents(seed, count)}
    if generator.words is None:
        return latents
    return {**latents, CONDITION: generator.conditions(seed, count)}


def rows(inputs: Inputs) -> np.ndarray:
    """What a network's first layer takes: latents, after their conditions where there are any."""
    return np.concatenate([inputs[name] for name in ROW if name in inputs], axis=1)


def edgegan(path: Path, threads: int, prefer: str = THROUGHPUT) -> Generate:
    """Our runtime's network, with all cores in the way that is preferred."""
    from edgegan.runtime.generator import Generator

    generator = Generator.load(path, "cpu", prefer=prefer)
    return lambda inputs: generator.images_of(*inputs.values())


def edgegan_images(path: Path, threads: int, prefer: str = THROUGHPUT) -> Generate:
    """Our runtime as it is called: seed 0 in, uint8 images out."""
    from edgegan.runtime.generator import Generator

    generator = Generator.load(path, "cpu", prefer=prefer)
    return lambda inputs: generator.images(0, len(inputs[LATENT]))


def onnxruntime_plain(path: Path, threads: int) -> Generate:
    """onnxruntime by itself, on whatever file that has our names for its inputs."""
    from edgegan.runtime.without_telemetry import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda inputs: session.run(None, inputs)[0]


def pytorch(path: Path, threads: int) -> Generate:
    """PyTorch, eager, batch norm folded as in our file."""
    return _pytorch_generate(pytorch_network(path), threads)


def pytorch_batch_norm(path: Path, threads: int) -> Generate:
    """PyTorch, eager, batch norm apart, as networks are trained."""
    return _pytorch_generate(pytorch_network(path, batch_norm=True), threads)


def pytorch_compiled(path: Path, threads: int) -> Generate:
    """PyTorch's compiler on the folded network; one compilation a batch size."""
    import torch

    return _pytorch_generate(torch.compile(pytorch_network(path), dynamic=False), threads)


def openvino_float32(path: Path, threads: int) -> Generate:
    """OpenVINO, all arithmetic in float32."""
    return _openvino_generate(path, threads, {"INFERENCE_PRECISION_HINT": "f32"})


def openvino_default(path: Path, threads: int) -> Generate:
    """OpenVINO as it comes, in the precision that it picks."""
    return _openvino_generate(path, threads, {})


def openvino_format(path: Path, threads: int) -> Callable[[Inputs], str]:
    """The number format that OpenVINO as it comes multiplies in, or several with a plus between.

    It is read from what was compiled: the processor may have a format, and a layer no kernel of it.
    """
    compile_for = _openvino_compiler(path, threads, {})

    def find(inputs: Inputs) -> str:
        operations = compile_for(len(inputs[LATENT])).get_runtime_model().get_ordered_ops()
        facts = [operation.get_rt_info() for operation in operations]
        found = {
            fact["runtimePrecision"].astype(str)
            for fact in facts
            if fact["layerType"].astype(str) in OPENVINO_PRODUCTS
        }
        return " + ".join(sorted(OPENVINO_FORMATS.get(name, name) for name in found))

    return find


def mxnet(path: Path, threads: int) -> Generate:
    """The network that the file came from in mxnet, hybridized."""
    network = gluon_network(path)
    from edgegan.trainer.framework import mx

    return lambda inputs: network(*map(mx.nd.array, inputs.values())).asnumpy()


def pytorch_network(path: Path, batch_norm: bool = False) -> torch.nn.Sequential:
    """The generator of an ONNX file in PyTorch, of what ``rows`` gives, in evaluation mode.

    Raises:
        UserError: the file has a node other than those of a chain of transposed convolutions.
    """
    import torch

    nodes, arrays = _read_graph(path)
    layers: list[torch.nn.Module] = []
    for node, attributes in _layers(nodes):
        if node.op_type == "Reshape":
            layers.append(torch.nn.Unflatten(1, tuple(arrays[node.input[1]][1:].tolist())))
        elif node.op_type == "ConvTranspose":
            weight, bias = map(torch.from_numpy, _weight_and_bias(node, arrays))
            norm_follows = batch_norm and node is not _convolutions(nodes)[-1]
            layers.append(_pytorch_convolution(weight, None if norm_follows else bias, attributes))
            if norm_follows:
                layers.append(_pytorch_batch_norm(bias))
        elif node.op_type == "Relu":
            layers.append(torch.nn.ReLU(inplace=True))
        elif node.op_type == "Tanh":
            layers.append(torch.nn.Tanh())
        elif node.op_type == "Sigmoid":
            layers.append(torch.nn.Sigmoid())
        else:
            raise UserError(f"{path} has a node {node.op_type}, which the PyTorch peer lacks")
    return torch.nn.Sequential(*layers).eval()


def is_plain(path: Path) -> bool:
    """Whether a file is a chain of transposed convolutions, as our exporter writes at level 1.

    It may take words, which then come before the latents.

    Raises:
        UserError: it cannot be read or is no ONNX model.
    """
    nodes, _ = _read_graph(path)
    kinds = {node.op_type for node, _ in _layers(nodes)}
    return kinds <= LAYERS and bool(_convolutions(nodes))


def metadata_of(path: Path) -> ModelMetadata:
    """What one of our files says about itself; raises UserError if it is none."""
    strings = {item.key: item.value for item in _read_model(path).metadata_props}
    return ModelMetadata.from_strings(strings, path)


def recipe_of(path: Path) -> Recipe | StudentRecipe:
    """The trainer's recipe that a generator's file names, as wide as the file's network.

    Latents and images are the file's, in float32; what it says nothing of is as the recipe has it.

    Raises:
        UserError: the file's recipe is none of the trainer's.
    """
    from edgegan.trainer import recipe

    metadata = metadata_of(path)
    names = {numbers: name for name, numbers in recipe.VALUE_RANGES.items()}
    of_file = {
        "latent": {"size": metadata.latent_size, "distribution": metadata.latent_distribution},
        "image_size": metadata.image_size,
        "value_range": names[metadata.value_range],
    }
    width = f"generator.width={width_of(path)}"
    if metadata.objective == recipe.DISTILLATION:
        return recipe.load_student([width], of_file)
    overrides = [f"{key}={json.dumps(value)}" for key, value in of_file.items()]
    return recipe.load(metadata.recipe, [width, *overrides, "precision=float32"])


def width_of(path: Path) -> int:
    """How many channels the last layer of a generator's file reads, in whatever numbers it is.

    Every generator of the trainer has as many there as it is wide.
    """
    graph = _read_model(path).graph
    made = {node.output[0]: node for node in graph.node}
    shapes = {tensor.name: tensor.dims for tensor in graph.initializer}
    last = [node for node in graph.node if node.op_type in ("Conv", "ConvTranspose")][-1]
    weight = last.input[1]
    while weight not in shapes:  # made of what is stored, by a Cast or a DequantizeLinear
        weight = made[weight].input[0]
    return int(shapes[weight][0 if last.op_type == "ConvTranspose" else 1])


def gluon_network(path: Path) -> HybridBlock:
    """The recipe's generator in mxnet with a plain file's weights; batch norms change nothing.

    Raises:
        UserError: the file's recipe is none of the trainer's.
    """
    from edgegan.trainer import device, loop

    nodes, arrays = _read_graph(path)
    layers = [_weight_and_bias(node, arrays) for node in _convolutions(nodes)]
    weights, biases = map(list, zip(*layers))

    words = metadata_of(path).words
    network = loop.make_generator(recipe_of(path), device.choose("cpu"), words)
    for name, parameter in network.collect_params().items():
        if name.endswith("_weight"):
            parameter.set_data(weights.pop(0))
        elif name.endswith(("_beta", "_bias")):
            parameter.set_data(biases.pop(0))
        elif name.endswith("_gamma"):
            parameter.set_data(np.full(parameter.shape, UNIT_SCALE, np.float32))
    return network


def _pytorch_convolution(
    weight: torch.Tensor, bias: torch.Tensor | None, attributes: dict[str, Any]
) -> torch.nn.ConvTranspose2d:
    import torch

    inputs, outputs, height, width = weight.shape
    layer = torch.nn.ConvTranspose2d(
        inputs,
        outputs,
        (height, width),
        stride=tuple(attributes.get("strides", (1, 1))),
        padding=tuple(attributes.get("pads", (0, 0, 0, 0))[:2]),
        bias=bias is not None,
    )
    layer.weight.data = weight
    if bias is not None:
        layer.bias = torch.nn.Parameter(bias)
    return layer


def _pytorch_batch_norm(bias: torch.Tensor) -> torch.nn.BatchNorm2d:
    import torch

    layer = torch.nn.BatchNorm2d(len(bias), eps=BATCH_NORM_EPSILON)
    layer.weight.data.fill_(UNIT_SCALE)
    layer.bias = torch.nn.Parameter(bias)
    return layer


def _pytorch_generate(network: Callable[..., torch.Tensor], threads: int) -> Generate:
    import torch

    torch.set_num_threads(threads)

    def generate(inputs: Inputs) -> np.ndarray:
        with torch.inference_mode():
            return network(torch.from_numpy(rows(inputs))).numpy()

    return generate


def _openvino_compiler(path: Path, threads: int, hints: dict[str, Any]) -> Callable[[int], Any]:
    """Compiles once a batch size, since fixed shapes are what OpenVINO is best at."""
    import openvino

    core = openvino.Core()
    settings = {"INFERENCE_NUM_THREADS": threads, "NUM_STREAMS": 1, **hints}

    @functools.cache
    def compile_for(batch: int) -> Any:
        model = core.read_model(str(path))
        sizes = {node: node.partial_shape[1].get_length() for node in model.inputs}
        model.reshape({node: [batch, size] for node, size in sizes.items()})
        return core.compile_model(model, "CPU", settings)

    return compile_for


def _openvino_generate(path: Path, threads: int, hints: dict[str, Any]) -> Generate:
    compile_for = _openvino_compiler(path, threads, hints)
    return lambda inputs: compile_for(len(inputs[LATENT]))(inputs)[0]


def _read_model(path: Path) -> onnx.ModelProto:
    """An ONNX file; raises UserError if it cannot be read or is none."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        return onnx.load_model_from_string(read_bytes(path))
    except DecodeError as error:
        raise UserError(f"{path} is not a whole ONNX model: {error}") from error


def _read_graph(path: Path) -> tuple[list[tuple[Any, dict[str, Any]]], dict[str, np.ndarray]]:
    """A file's nodes with their attributes, and its constants, those stored in float16 cast."""
    import onnx

    graph = _read_model(path).graph
    arrays = {item.name: onnx.numpy_helper.to_array(item).copy() for item in graph.initializer}
    nodes = []
    for node in graph.node:
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
        if node.op_type == "Cast" and node.input[0] in arrays:
            kind = onnx.helper.tensor_dtype_to_np_dtype(attributes["to"])
            arrays[node.output[0]] = arrays[node.input[0]].astype(kind)
        else:
            nodes.append((node, attributes))
    return nodes, arrays


def _layers(nodes: list[tuple[Any, dict[str, Any]]]) -> list[tuple[Any, dict[str, Any]]]:
    """The nodes but for the one that puts conditions and latents side by side, if there is one."""
    return [each for each in nodes if each[0].op_type != "Concat" or list(each[0].input) != ROW]


def _convolutions(nodes: list[tuple[Any, dict[str, Any]]]) -> list[Any]:
    return [node for node, _ in nodes if node.op_type == "ConvTranspose"]


def _weight_and_bias(node: Any, arrays: dict[str, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """A transposed convolution's constants; a bias of zeros where it has none."""
    weight = arrays[node.input[1]]
    if len(node.input) > 2:
        return weight, arrays[node.input[2]]
    return weight, np.zeros(weight.shape[1], np.float32)
