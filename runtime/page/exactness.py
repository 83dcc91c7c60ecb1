"""Whether a model draws the same bytes everywhere: on all processors, and in a browser.

Sums of floating-point numbers depend on their order, which every processor's code chooses for
itself; sums of integers do not. onnxruntime computes a layer in integers where all that it takes
comes from DequantizeLinear, and what it gives goes to QuantizeLinear alone
(https://onnxruntime.ai/docs/performance/model-optimizations/quantization.html, "QDQ").
"""

from __future__ import annotations

from collections import defaultdict

from edgegan.runtime.onnx_file import Node, read_nodes

LAYERS = ("Conv", "Gemm", "MatMul")  # what onnxruntime has in integers; ConvTranspose is not
FUNCTIONS = ("Tanh", "Sigmoid")  # which libraries round differently
# What has one right result for each number, which IEEE 754 says, or moves numbers only.
ONE_RESULT = (
    *("QuantizeLinear", "DequantizeLinear", "Add", "Sub", "Mul", "Relu", "LeakyRelu", "Clip"),
    *("Reshape", "Flatten", "Transpose", "DepthToSpace", "Concat", "Expand", "Cast"),
)


def is_exact(content: bytes) -> bool:
    """Say whether all layers of a model, which onnxruntime has opened, compute in integers.

    A function, such as Tanh, may take bytes: of its 256 results none is near the border of two
    levels but by bad luck. Operators that are not known make a model inexact.
    """
    nodes = read_nodes(content)
    makers = {name: node.operator for node in nodes for name in node.outputs}
    takers: defaultdict[str, list[str]] = defaultdict(list)
    for node in nodes:
        for name in node.inputs:
            takers[name].append(node.operator)

    def has_one_result(node: Node) -> bool:
        takes_bytes = all(makers.get(name) == "DequantizeLinear" for name in node.inputs)
        if node.operator in LAYERS:
            given = [taker for name in node.outputs for taker in takers[name]]
            return takes_bytes and set(given) == {"QuantizeLinear"}
        return node.operator in ONE_RESULT or (node.operator in FUNCTIONS and takes_bytes)

    return all(map(has_one_result, nodes))
