"""Write a transposed convolution of few outputs as one convolution that draws blocks of pixels.

With stride s and padding p, input i brings x[i] W[t] to output o = s i + t - p, t being the tap. So
a block of outputs, those of one input or of 2 x 2, is what a plain convolution finds in the inputs
around it, one channel for each of the block's pixels and colours; DepthToSpace lays them out. Most
of its weights are 0, and still it is the faster one in integers: onnxruntime's kernels compute 16
channels at a time, whether so many are there or not. For three channels it takes a quarter of the
time of four phases (onnxruntime 1.31.1, AVX-512).
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import onnx
from onnx import helper

from edgegan.export.passes.graph import (
    ConvTranspose,
    Note,
    Stays,
    activation_after,
    copy_of,
    copy_of_node,
    initializers,
    noting,
    replace_nodes,
    set_initializers,
    shapes,
    silent,
)

ENOUGH_CHANNELS = 32  # with fewer, blocks of one input leave an integer kernel half idle


def rewrite(
    model: onnx.ModelProto, outputs: Collection[str], *, note: Note = silent
) -> onnx.ModelProto:
    """The model with a Conv and a DepthToSpace for the transposed convolutions that make `outputs`.

    Those stay that do not make an input s times as large, s being their stride. A ReLU that
    directly follows is moved before the DepthToSpace, to where integers cut off what it does.
    """
    model = copy_of(model)
    arrays = initializers(model)
    known = shapes(model)
    replaced: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type != "ConvTranspose" or node.output[0] not in outputs:
            continue
        with noting(note, node):
            convolution = ConvTranspose.of(node, arrays)
            check_draws_blocks(convolution)
            even = all(size and size % 2 == 0 for size in known[node.input[0]][2:])
            channels = convolution.weight.shape[1] * convolution.strides[0] ** 2
            inputs = 2 if even and channels < ENOUGH_CHANNELS else 1
            relu = activation_after(model, node.output[0])
            relu = relu if relu and relu.op_type == "Relu" else None
            replaced[node.output[0]] = _block_nodes(node, relu, convolution, inputs, arrays)
            if relu:
                replaced[relu.output[0]] = []
    replace_nodes(model, replaced)
    set_initializers(model, arrays)
    return model


def check_draws_blocks(convolution: ConvTranspose) -> None:
    """Raise Stays unless it makes a square of stride x stride outputs of each input."""
    stride = convolution.strides[0]
    if convolution.strides[1] != stride or not all(
        kernel - before - after + more == stride and before < kernel
        for kernel, before, after, more in zip(
            convolution.weight.shape[2:],
            convolution.pads[:2],
            convolution.pads[2:],
            convolution.output_padding,
        )
    ):
        raise Stays("does not make as many pixels of each input as its stride says")


def _block_nodes(
    node: onnx.NodeProto,
    relu: onnx.NodeProto | None,
    convolution: ConvTranspose,
    inputs: int,
    arrays: dict[str, np.ndarray],
) -> list[onnx.NodeProto]:
    """The convolution that draws blocks of `inputs` x `inputs`, and their layout; adds weights."""
    stride, result = convolution.strides[0], node.output[0]
    side = stride * inputs
    top, left = convolution.pads[:2]
    height, width = convolution.weight.shape[2:]
    rows, above, below = _taps(height, stride, top, inputs)
    columns, before, after = _taps(width, stride, left, inputs)
    weight = np.einsum("ioyx,hay,wbx->hwoiab", convolution.weight, rows, columns)
    blocks = [f"{name}_blocks" for name in [result, *node.input[1:]]]
    arrays[blocks[1]] = weight.reshape(-1, *weight.shape[3:]).astype(np.float32)
    if len(blocks) > 2:
        arrays[blocks[2]] = np.tile(arrays[node.input[2]], side * side)
    nodes = [
        helper.make_node(
            "Conv",
            [node.input[0], *blocks[1:]],
            [blocks[0]],
            name=blocks[0],
            kernel_shape=weight.shape[4:],
            strides=[inputs, inputs],
            pads=[above, before, below, after],
        )
    ]
    if relu:
        result = relu.output[0]
        nodes.append(copy_of_node(relu, blocks[0], f"{result}_blocks"))
    made = nodes[-1].output[0]
    layout = helper.make_node(
        "DepthToSpace", [made], [result], name=result, blocksize=side, mode="DCR"
    )
    return [*nodes, layout]


def _taps(kernel: int, stride: int, padding: int, inputs: int) -> tuple[np.ndarray, int, int]:
    """One axis: 1 where a tap brings an input to an output of the block, and 0 elsewhere.

    Returns:
        float32 (outputs, inputs read, taps), and how many are read before and after the block's.
    """
    before = (kernel - 1 - padding) // stride
    after = (stride * inputs - 1 + padding) // stride - (inputs - 1)
    output, read, tap = np.ogrid[: stride * inputs, -before : inputs + after, :kernel]
    return (tap == output + padding - stride * read).astype(np.float32), before, after
