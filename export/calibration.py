"""Calibration: which range of numbers the bytes between layers have to stand for.

A wide range rounds coarsely, a narrow one cuts off what is seldom; the best is where both together
cost least, in mean square, over what the network computes of seeded latents (Nagel et al. 2021,
https://arxiv.org/abs/2106.08295, section 3.1). Where a tanh or sigmoid follows, what counts is its
result.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
import onnx
from onnx import helper

from edgegan.export import verify
from edgegan.export.examples import Inputs
from edgegan.export.passes import quantise_int8
from edgegan.export.passes.graph import activation_after, copy_of
from edgegan.export.passes.quantise_int8 import Range

BINS = 4096  # of the histogram that stands for the numbers
SHARES = np.linspace(0.01, 1, 100)  # of the whole range, that are tried on each side of 0
ROUNDS = 2  # one side after the other: a third changes nothing
Function = Callable[[np.ndarray], np.ndarray]

BOUNDED: dict[str, Function] = {
    "Tanh": np.tanh,
    "Sigmoid": lambda values: 1 / (1 + np.exp(-values)),
}


def ranges(model: onnx.ModelProto, inputs: Inputs) -> dict[str, Range]:
    """The best ranges for all that a model's layers read and write, by the names of the tensors.

    Args:
        inputs: what the model computes to find them, such as latents and their words.
    """
    layers = quantise_int8.layers(model).values()
    names = list(dict.fromkeys(end for layer in layers for end in layer.ends))
    return {
        name: best_range(values, _function_after(model, name))
        for name, values in _values(model, names, inputs)
    }


def best_range(values: np.ndarray, function: Function | None = None) -> Range:
    """The range around 0 with which rounding to bytes costs least in mean square.

    Args:
        values: float32, of any shape.
        function: what is made of them, and what the cost is taken of; none for themselves.
    """
    low, high = min(0.0, float(values.min())), max(0.0, float(values.max()))
    counts, edges = np.histogram(values, BINS, (low, high))
    middles = (edges[:-1] + edges[1:]) / 2

    def cost(tried: Range) -> float:
        rounded = tried.rounded(middles)
        apart = function(rounded) - function(middles) if function else rounded - middles
        return float(counts @ apart**2)

    best = Range(low, high)
    for _ in range(ROUNDS):
        best = min((Range(best.low, high * share) for share in SHARES), key=cost)
        best = min((Range(low * share, best.high) for share in SHARES), key=cost)
    return best


def _function_after(model: onnx.ModelProto, tensor: str) -> Function | None:
    activation = activation_after(model, tensor)
    return BOUNDED.get(activation.op_type) if activation else None


def _values(
    model: onnx.ModelProto, names: list[str], inputs: Inputs
) -> Iterator[tuple[str, np.ndarray]]:
    """What a model computes of its inputs in the tensors `names`, perhaps inputs themselves."""
    model = copy_of(model)
    del model.graph.output[:]
    made = [name for name in names if name not in inputs]
    model.graph.output.extend(helper.make_empty_tensor_value_info(name) for name in made)
    session = verify.session_of(model)
    for name in names:  # one at a time, so that no more than that is held
        yield name, inputs[name] if name in inputs else session.run([name], dict(inputs))[0]
