"""Write a transposed convolution as one convolution for each output phase, and interleave them.

A transposed convolution of stride s adds x[i] W[t] to y[s i + t - p], p being its padding. The
outputs of phase r, y[s q + r], get what t = c + s j brings, where r + p = s d + c with 0 <= c < s:
y[s q + r] = sum_j x[q + d - j] W[c + s j]. That is a plain convolution of every s-th tap, turned
round (Dumoulin and Visin 2016, https://arxiv.org/abs/1603.07285, chapter 4; Shi et al. 2016,
https://arxiv.org/abs/1609.07009). A 4x4 one of stride 2 becomes four of 2x2: as many
multiplications, and no sums that are scattered over the output.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import product

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
    silent,
)

# With fewer output channels, onnxruntime 1.31.1 has the transposed convolution done sooner (one
# core of an Intel Xeon with AVX-512): with 64 it takes 1.1 to 1.2 times as long as the phases, with
# 32 0.9, with 16 0.7 to 0.85, and with the 3 of a picture 0.25 to 0.45.
LEAST_OUTPUTS = 64


@dataclass(frozen=True)
class Phase:
    """One axis of a phase's convolution: its share of the taps, and zeros around the input."""

    taps: slice
    before: int
    after: int


def rewrite(
    model: onnx.ModelProto, least_outputs: int = LEAST_OUTPUTS, *, note: Note = silent
) -> onnx.ModelProto:
    """The model with phase convolutions in place of the transposed ones.

    An activation that directly follows is moved before the interleaving. A transposed convolution
    stays where its phases would take more multiplications, or are not all of one size.

    Args:
        least_outputs: output channels of a transposed convolution that is rewritten, at least.
    """
    model = copy_of(model)
    arrays = initializers(model)
    replaced: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        if node.op_type != "ConvTranspose":
            continue
        with noting(note, node):
            phases = _phases_of(ConvTranspose.of(node, arrays), least_outputs)
            activation = activation_after(model, node.output[0])
            replaced[node.output[0]] = _phase_nodes(node, phases, activation, arrays)
            if activation:
                replaced[activation.output[0]] = []
    replace_nodes(model, replaced)
    set_initializers(model, arrays)
    return model


def axis_phases(
    kernel: int, stride: int, before: int, after: int, output_padding: int
) -> list[Phase]:
    """The phases of a transposed convolution along one axis, in the order of the output.

    Args:
        kernel: taps of the transposed convolution.
        before, after: its padding, by which the output is shorter.
        output_padding: by how much it is longer again.

    Returns:
        None of them where they would be longer than the input, and so take more multiplications
        than the transposed convolution, of several lengths, or without taps.
    """
    growth, uneven = divmod(kernel - before - after + output_padding - stride, stride)
    phases = []
    for phase in range(stride):
        shift, first = divmod(phase + before, stride)
        taps = len(range(first, kernel, stride))
        phases.append(Phase(slice(first, None, stride), taps - 1 - shift, growth + shift))
    if growth > 0 or uneven or any(min(phase.before, phase.after) < 0 for phase in phases):
        return []
    return phases


def _phases_of(convolution: ConvTranspose, least_outputs: int) -> list[tuple[Phase, Phase]]:
    """The phases by rows and columns; raises Stays where the transposed convolution is to stay."""
    outputs, *kernel = convolution.weight.shape[1:]
    strides, pads = convolution.strides, convolution.pads
    if outputs < least_outputs:
        raise Stays(
            f"has {outputs} output channels, fewer than {least_outputs}: "
            "onnxruntime computes it sooner as it is"
        )
    if strides[0] != strides[1]:
        raise Stays(f"has strides of {strides[0]} and {strides[1]}")
    rows, columns = (
        axis_phases(
            kernel[axis],
            strides[axis],
            pads[axis],
            pads[axis + 2],
            convolution.output_padding[axis],
        )
        for axis in (0, 1)
    )
    if not (rows and columns):
        raise Stays("has phases of several sizes, or that take more multiplications than it does")
    return list(product(rows, columns))


def _phase_nodes(
    node: onnx.NodeProto,
    phases: list[tuple[Phase, Phase]],
    activation: onnx.NodeProto | None,
    arrays: dict[str, np.ndarray],
) -> list[onnx.NodeProto]:
    """The convolution of each phase, its activation, and the interleaving; adds the weights."""
    weight = arrays[node.input[1]].swapaxes(0, 1)  # a Conv has the output channels first
    nodes, outputs = [], []
    for number, (row, column) in enumerate(phases):
        suffix = f"_phase{number}" if len(phases) > 1 else ""
        output = node.output[0] + suffix
        name = f"{node.input[1]}_phase{number}"
        arrays[name] = np.ascontiguousarray(weight[:, :, row.taps, column.taps][:, :, ::-1, ::-1])
        convolution = helper.make_node(
            "Conv",
            [node.input[0], name, *node.input[2:]],
            [output],
            name=output,
            kernel_shape=arrays[name].shape[2:],
            pads=[row.before, column.before, row.after, column.after],
        )
        nodes.append(convolution)
        if activation:
            nodes.append(copy_of_node(activation, output, activation.output[0] + suffix))
        outputs.append(nodes[-1].output[0])
    if len(phases) > 1:
        nodes += _interleaving(outputs, (activation or node).output[0])
    return nodes


def _interleaving(phases: list[str], result: str) -> list[onnx.NodeProto]:
    """What puts phases, (N, C, H, W) each, in their places of (N, C, s H, s W).

    As fast as any other of a few nodes: Reshape and Transpose take longer, and the other channel
    order of DepthToSpace as long (onnxruntime 1.31.1, one core).
    """
    concatenated = f"{result}_phases"
    return [
        helper.make_node("Concat", phases, [concatenated], name=concatenated, axis=1),
        helper.make_node(
            "DepthToSpace",
            [concatenated],
            [result],
            name=result,
            blocksize=math.isqrt(len(phases)),
            mode="DCR",  # the phase before the channel
        ),
    ]
