"""Sensitivity: what each layer costs in 8-bit integers, and which ones a bound on quality allows.

Layers are tried one at a time, each as the only one in integers. Then all are, and the one that
cost most goes back to float32, and the next, until what is left keeps the bound.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass

import numpy as np
import onnx

from edgegan.export import calibration, examples, verify
from edgegan.export.examples import Inputs
from edgegan.export.explanation import milliseconds, telling
from edgegan.export.passes import phase_convolutions, quantise_int8
from edgegan.export.reduction import Reduction
from edgegan.runtime.metadata import ModelMetadata
from edgegan.runtime.tables import aligned

# onnxruntime's integer kernels compute 16 channels at once, or 64 together: below 32, blocks are
# faster than phases (1.31.1, AVX-512).
LEAST_OUTPUTS = 32
TITLES = ("dB alone", "ms saved", "computed in")


@dataclass(frozen=True)
class ChosenLayers(Reduction):
    """Which layers are computed in integers, and by what they were chosen.

    Attributes:
        layers: their names; none of them where the bound allows none.
        alone: the quality with a layer as the only one in integers, by the names of all that could
            be, the costliest first.
        in_integers: makes the model with the layers of these names in integers.
    """

    layers: list[str]
    alone: dict[str, float]
    in_integers: Callable[[Collection[str]], onnx.ModelProto]


def choose(
    model: onnx.ModelProto,
    metadata: ModelMetadata,
    inputs: Inputs,
    expected: np.ndarray,
    least_decibels: float,
) -> ChosenLayers:
    """Compute as many of a generator's layers in integers as the bound allows.

    Args:
        model: the generator in float32.
        inputs: what quality is measured on: N latents, with words where it takes them.
        expected: the network's images of them, float32 (N, 3, S, S) in the value range.
        least_decibels: the bound.
    """
    phases = phase_convolutions.rewrite(model, LEAST_OUTPUTS)
    ranges = calibration.ranges(phases, examples.calibration_latents(metadata))

    def in_integers(layers: Collection[str]) -> onnx.ModelProto:
        return quantise_int8.rewrite(phases, layers, ranges) if layers else model

    def quality(layers: Collection[str]) -> float:
        return verify.quality(in_integers(layers), inputs, expected, metadata.value_range)

    notes: list[str] = []
    alone = {name: quality([name]) for name in quantise_int8.layers(phases, note=notes.append)}
    names = sorted(alone, key=alone.__getitem__)
    first = 0
    while (decibels := quality(names[first:])) < least_decibels and first < len(names):
        first += 1
    chosen, rest = names[first:], names[:first]
    return ChosenLayers(
        in_integers(chosen),
        decibels,
        bool(chosen),
        _line(chosen, rest),
        [*notes, *(f"{name} in integers would break the bound on quality" for name in rest)],
        chosen,
        {name: alone[name] for name in names},
        in_integers,
    )


def table(chosen: ChosenLayers, inputs: Inputs) -> str:
    """One line for each layer: its quality alone, the time that it saves, and whether it was taken.

    The time saved is what the model with all layers in integers takes less than that with all but
    this one, for an image of a batch of 25 on this machine's CPU with all of its cores; a dash
    where that differs by more than itself from one round to the next.

    Args:
        inputs: what to measure the time on, of at least 25 images.
    """
    names = list(chosen.alone)
    tried = [names, *([other for other in names if other != name] for name in names)]
    times = milliseconds([chosen.in_integers(layers) for layers in tried], inputs)
    rows: list[list[object]] = [["", *TITLES]]
    for (name, decibels), times_without in zip(chosen.alone.items(), times[1:]):
        taken = "int8" if name in chosen.layers else "float32"
        saved = [without - with_it for without, with_it in zip(times_without, times[0])]
        rows.append([name, f"{decibels:.1f}", telling(saved), taken])
    return aligned(rows)


def _line(layers: Collection[str], in_float32: Collection[str]) -> str:
    if not layers:
        return "no layer is computed in 8-bit integers: none keeps the bound on quality"
    rest = f", in float32: {', '.join(in_float32)}" if in_float32 else ""
    return f"in 8-bit integers: {', '.join(layers)}{rest}"
