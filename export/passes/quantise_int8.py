"""Compute convolutions and matrix products in 8-bit integers, and keep bytes between them.

A number x is stored as the byte round(x / scale) + zero point: exact to scale / 2 within the range
of the bytes, and cut off outside it. A weight is stored as a signed byte, with a scale for each
output channel (Jacob et al. 2018, https://arxiv.org/abs/1712.05877, section 2). The graph says so
in ONNX's own words: QuantizeLinear after what a layer computes, DequantizeLinear before what it
reads, and onnxruntime makes one integer kernel of what stands between. What only moves numbers from
layer to layer moves bytes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import onnx
from onnx import helper

from edgegan.export.passes import block_convolutions, channels_last
from edgegan.export.passes.graph import (
    WEIGHTED,
    ConvTranspose,
    Note,
    Stays,
    activation_after,
    attributes,
    consumers,
    initializers,
    layer_name,
    noting,
    replace_nodes,
    set_initializers,
    silent,
)

GREATEST_BYTE = 255
# x86 processors without VNNI add two products in 16 bits and cut off what is above 32767: with more
# than 64, pictures would depend on the processor. To 127 it would be 0.8 dB for the shipped model.
GREATEST_WEIGHT = 64
GREATEST_BIAS = 2**30  # half of what an int32 sum holds; the other half is for the products
# Words that stand beside a latent become bytes of one scale with it: a scale of their own would be
# 0.3 dB for a generator of faces by words (of 47).
MOVES = ("Concat", "DepthToSpace", "Flatten", "Reshape", "Transpose")


@dataclass(frozen=True)
class Range:
    """The numbers that the bytes of a tensor stand for: from `low` <= 0 to `high` >= 0."""

    low: float
    high: float

    @property
    def scale(self) -> np.float32:
        """What a step from one byte to the next is worth."""
        return np.float32((self.high - self.low) / GREATEST_BYTE) or np.float32(1)

    @property
    def zero_point(self) -> np.uint8:
        """The byte that stands for 0."""
        return np.uint8(np.rint(-self.low / self.scale))

    def rounded(self, values: np.ndarray) -> np.ndarray:
        """What is left of values, float32 of any shape, once they have been bytes."""
        zero = float(self.zero_point)
        levels = np.clip(np.rint(values / self.scale) + zero, 0, GREATEST_BYTE)
        return (levels - zero) * self.scale


@dataclass(frozen=True)
class Layer:
    """The nodes that one layer of the network has become, and which tensors its numbers go by.

    Attributes:
        nodes: one, or the phases of a transposed convolution; they read the same tensor.
        reads: the last tensor that has the numbers that they read, wherever those were moved.
        writes: the last tensors that have the numbers that they make.
    """

    nodes: list[onnx.NodeProto]
    reads: str
    writes: set[str]

    @property
    def ends(self) -> list[str]:
        """The tensors that have to be bytes for the layer to be computed in integers."""
        return [self.reads, *sorted(self.writes)]


def layers(model: onnx.ModelProto, *, note: Note = silent) -> dict[str, Layer]:
    """The layers that integers can compute, by the names of their weights, in the graph's order."""
    arrays = initializers(model)
    last = _last_of(model)
    outputs = {value.name for value in model.graph.output}
    found: dict[str, Layer] = {}
    for node in model.graph.node:
        if node.op_type in WEIGHTED:
            with noting(note, node):
                _check_integer_form(model, node, arrays)
                reads, writes = last[node.input[0]], last[_result(model, node)]
                if not outputs.isdisjoint((reads, writes)):
                    raise Stays("makes the graph's output, which is to be exact")
                layer = found.setdefault(layer_name(node), Layer([], reads, set()))
                layer.nodes.append(node)
                layer.writes.add(writes)
    return found


def rewrite(
    model: onnx.ModelProto, chosen: Collection[str], ranges: Mapping[str, Range]
) -> onnx.ModelProto:
    """The model with some of its layers in integers; its input and output stay what they are.

    Args:
        chosen: names of layers.
        ranges: of what each of them reads and writes.
    """
    narrow = [node.output[0] for name in chosen for node in layers(model)[name].nodes]
    model = block_convolutions.rewrite(model, narrow)
    arrays = initializers(model)
    quantised = [layer for name, layer in layers(model).items() if name in chosen]
    ends = {end for layer in quantised for end in layer.ends}
    in_bytes = {tensor: end for tensor, end in _last_of(model).items() if end in ends}
    weights = [
        made
        for layer in quantised
        for node in layer.nodes
        for made in _integer_constants(node, layer.reads, ranges[layer.reads], arrays)
    ]
    nodes = [*weights, *_nodes_around_bytes(model, in_bytes, ranges, arrays)]
    del model.graph.node[:]
    model.graph.node.extend(nodes)
    replace_nodes(model, {})  # leaves out the ReLUs that nobody reads any more
    set_initializers(model, arrays)
    return channels_last.rewrite(model)


def _check_integer_form(
    model: onnx.ModelProto, node: onnx.NodeProto, arrays: Mapping[str, np.ndarray]
) -> None:
    """Raise Stays unless a node is a plain convolution or product with weights of its own."""
    if not all(name in arrays for name in node.input[1:]):
        raise Stays("has weights that are computed, not constant")
    if len(consumers(model, node.input[1])) > 1:
        raise Stays("shares its weights with another layer")
    if node.op_type == "ConvTranspose":
        block_convolutions.check_draws_blocks(ConvTranspose.of(node, arrays))
    if node.op_type == "Gemm":
        found = attributes(node)
        if (found.get("alpha", 1), found.get("beta", 1), found.get("transA", 0)) != (1, 1, 0):
            raise Stays("is no plain matrix product")
    if node.op_type == "MatMul":
        raise Stays("is a MatMul: of matrix products, only a Gemm is written in integers")


def _result(model: onnx.ModelProto, node: onnx.NodeProto) -> str:
    """The tensor that a node makes, with the ReLU that alone reads it."""
    activation = activation_after(model, node.output[0])
    return (activation if activation and activation.op_type == "Relu" else node).output[0]


def _last_of(model: onnx.ModelProto) -> dict[str, str]:
    """For each tensor the last one that holds its numbers, wherever they were moved."""
    groups = {value.name: [value.name] for value in model.graph.input}
    for node in model.graph.node:
        moved = node.input if node.op_type == "Concat" else node.input[:1]
        group = list(node.output)
        if node.op_type in MOVES and all(name in groups for name in moved):
            group = [tensor for name in dict.fromkeys(moved) for tensor in groups[name]] + group
        groups.update((tensor, group) for tensor in group)
    return {tensor: group[-1] for tensor, group in groups.items()}


def _integer_constants(
    node: onnx.NodeProto, read: str, reads: Range, arrays: dict[str, np.ndarray]
) -> list[onnx.NodeProto]:
    """Give a node integer weights and bias; returns the nodes that tell what they stand for.

    A bias counts in steps of a product's size: the scale of what is read times that of the weights.
    The graph multiplies them as it is loaded, which spares the bytes of as many numbers.

    Args:
        read: the tensor that has the numbers that the node reads.
        reads: the range of these.
    """
    weight = arrays.pop(node.input[1])
    axis = 0 if node.op_type == "Conv" or attributes(node).get("transB", 0) else 1
    channels = np.moveaxis(weight, axis, 0).reshape(weight.shape[axis], -1)
    bias = arrays[node.input[2]] if len(node.input) > 2 else np.zeros(len(channels), np.float32)
    scale = np.maximum(
        np.abs(channels).max(axis=1) / GREATEST_WEIGHT,
        np.abs(bias) / (GREATEST_BIAS * reads.scale),
    )
    scale = np.where(scale > 0, scale, 1).astype(np.float32)
    by_channel = scale.reshape([-1 if other == axis else 1 for other in range(weight.ndim)])
    stored = np.rint(weight / by_channel).astype(np.int8)
    name = node.input[1]
    constants = {f"{name}_stored": stored, f"{name}_scale": scale}
    if node.op_type == "Gemm":  # onnxruntime has it in integers only if zeros are stated
        constants[f"{name}_zero_point"] = np.zeros(len(scale), np.int8)
    arrays.update(constants)
    made = [_dequantise(list(constants), name, axis)]
    if len(node.input) > 2:
        bias_name = f"{node.output[0]}_integer_bias"  # phases have one bias, in steps of their own
        stored_bias, steps = f"{bias_name}_stored", f"{bias_name}_scale"
        counts = np.rint(bias.astype(np.float64) / (scale * reads.scale))
        arrays[stored_bias] = counts.astype(np.int32)
        factors = [f"{read}_scale", f"{name}_scale"]
        made.append(helper.make_node("Mul", factors, [steps], name=steps))
        made.append(_dequantise([stored_bias, steps], bias_name, 0))
        node.input[2] = bias_name
    return made


def _dequantise(read: list[str], made: str, axis: int) -> onnx.NodeProto:
    return helper.make_node("DequantizeLinear", read, [made], name=made, axis=axis)


def _nodes_around_bytes(
    model: onnx.ModelProto,
    in_bytes: Mapping[str, str],
    ranges: Mapping[str, Range],
    arrays: dict[str, np.ndarray],
) -> list[onnx.NodeProto]:
    """The graph's nodes, with bytes in the tensors whose range `in_bytes` has the name of.

    What moves numbers moves the bytes. What computes reads numbers made of bytes, and what it makes
    becomes bytes; where bytes start at 0, they cut off what a ReLU does. Adds constants.
    """

    def convert(
        operation: str, tensor: str, read: str, made: str, channels: int = 0
    ) -> onnx.NodeProto:
        name, found = in_bytes[tensor], ranges[in_bytes[tensor]]
        constants: dict[str, np.generic | np.ndarray] = {
            f"{name}_scale": found.scale,
            f"{name}_zero_point": found.zero_point,
        }
        if channels:
            constants = {f"{key}s": np.full(channels, one) for key, one in constants.items()}
        arrays.update((key, np.asarray(value)) for key, value in constants.items())
        return helper.make_node(operation, [read, *constants], [made], name=made)

    nodes = [
        convert("QuantizeLinear", value.name, value.name, f"{value.name}_bytes")
        for value in model.graph.input
        if value.name in in_bytes
    ]
    rounded: set[str] = set()  # what was made of bytes already
    for node in model.graph.node:
        read = [name for name in dict.fromkeys(node.input) if name in in_bytes]
        made = node.output[0]
        if read and in_bytes[read[0]] == in_bytes.get(made):
            node.input[:] = [f"{name}_bytes" if name in in_bytes else name for name in node.input]
            node.output[0] = node.name = f"{made}_bytes"
            nodes.append(node)
            continue
        channels = _float_channels(node, arrays)
        # A layer in integers cannot read what was made for one in float32 beside it.
        ending = "rounded_channels" if channels else "rounded"
        nodes += [
            convert("DequantizeLinear", name, f"{name}_bytes", f"{name}_{ending}", channels)
            for name in read
            if f"{name}_{ending}" not in rounded
        ]
        rounded.update(f"{name}_{ending}" for name in read)
        node.input[:] = [f"{name}_{ending}" if name in in_bytes else name for name in node.input]
        nodes.append(node)
        if made in in_bytes:
            cuts_off = node.op_type == "Relu" and ranges[in_bytes[made]].zero_point == 0
            exact = node.input[0] if cuts_off else made
            nodes.append(convert("QuantizeLinear", made, exact, f"{made}_bytes"))
    return nodes


def _float_channels(node: onnx.NodeProto, arrays: Mapping[str, np.ndarray]) -> int:
    """How many channels a layer reads whose weights are still float32; 0 of any other node.

    If such a layer reads bytes of one scale and makes bytes, onnxruntime 1.31.1 rounds its weights
    to integers too, on its own and all by one scale; of a scale for each channel it does not.
    """
    weight = arrays.get(node.input[1]) if len(node.input) > 1 else None
    if weight is None or node.op_type not in ("Conv", "ConvTranspose", "Gemm"):
        return 0
    found = attributes(node)
    if node.op_type == "Conv":
        return weight.shape[1] * found.get("group", 1)
    return weight.shape[1 if found.get("transB", 0) else 0]
