"""Sensitivity: what each layer costs in 8-bit integers, and which ones a bound on quality allows.

Layers are tried one at a time, each as the only one in integers. Then all are, and the one that
cost most goes back to float32, and the next, until what is left keeps the bound. Quality is the
peak signal-to-noise ratio on [0, 255], against the network's own images.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import onnx

from export import calibration, verify
from export.explanation import milliseconds
from export.passes import phase_convolutions, quantise_int8
from runtime.latent import Stream, draw_latents
from runtime.metadata import ModelMetadata

CALIBRATION_LATENTS = 64  # none of them among those that quality is measured on
# onnxruntime's integer kernels compute 16 channels at once, or 64 together: below 32, blocks are
# faster than phases (1.31.1, AVX-512).
LEAST_OUTPUTS = 32
TITLES = ("dB alone", "ms saved", "computed in")


@dataclass(frozen=True)
class Choice:
    """Which layers are computed in integers, and by what they were chosen.

    Attributes:
        model: with those layers in integers.
        decibels: its quality.
        layers: their names; none of them where the bound allows none.
        alone: the quality with a layer as the only one in integers, by the names of all that could
            be, the costliest first.
        all_in_integers: the model with all of these in integers.
        all_but: the model with all but one in integers, by that one's name.
    """

    model: onnx.ModelProto
    decibels: float
    layers: list[str]
    alone: dict[str, float]
    all_in_integers: onnx.ModelProto
    all_but: dict[str, onnx.ModelProto]


def choose(
    model: onnx.ModelProto,
    metadata: ModelMetadata,
    inputs: np.ndarray,
    expected: np.ndarray,
    least_decibels: float,
) -> Choice:
    """Compute as many of a generator's layers in integers as the bound allows.

    Args:
        model: the generator in float32.
        inputs: latents that quality is measured on, float32 (N, latent_size).
        expected: the network's images of them, float32 (N, 3, S, S) in the value range.
        least_decibels: the bound.
    """
    phases = phase_convolutions.rewrite(model, LEAST_OUTPUTS)
    ranges = calibration.ranges(phases, _calibration_latents(metadata))

    def in_integers(layers: Collection[str]) -> onnx.ModelProto:
        return quantise_int8.rewrite(phases, layers, ranges) if layers else model

    def quality(layers: Collection[str]) -> float:
        output = verify.output_of(in_integers(layers), inputs)
        return verify.decibels(output, expected, metadata.value_range)

    alone = {name: quality([name]) for name in quantise_int8.layers(phases)}
    names = sorted(alone, key=alone.__getitem__)
    first = 0
    while (decibels := quality(names[first:])) < least_decibels and first < len(names):
        first += 1
    return Choice(
        in_integers(names[first:]),
        decibels,
        names[first:],
        {name: alone[name] for name in names},
        in_integers(names),
        {name: in_integers([other for other in names if other != name]) for name in names},
    )


def table(choice: Choice, inputs: np.ndarray) -> str:
    """One line for each layer: its quality alone, the time that it saves, and whether it was taken.

    The time saved is what the model with all layers in integers takes less than that with all but
    this one, for an image of a batch of 25 on this machine's CPU with all of its cores.

    Args:
        inputs: latents to measure the time on, float32 (25 or more, latent_size).
    """
    times = milliseconds([choice.all_in_integers, *choice.all_but.values()], inputs)
    width = max(map(len, choice.alone))
    lines = ["  ".join([" " * width, *TITLES])]
    for (name, decibels), time in zip(choice.alone.items(), times[1:]):
        taken = "int8" if name in choice.layers else "float32"
        cells = (f"{decibels:.1f}", f"{time - times[0]:.3f}", taken)
        aligned = (f"{cell:>{len(title)}}" for cell, title in zip(cells, TITLES))
        lines.append("  ".join([f"{name:{width}}", *aligned]))
    return "\n".join(lines)


def _calibration_latents(metadata: ModelMetadata) -> np.ndarray:
    return draw_latents(
        0,
        CALIBRATION_LATENTS,
        metadata.latent_size,
        metadata.latent_distribution,
        stream=Stream.CALIBRATION,
    )
