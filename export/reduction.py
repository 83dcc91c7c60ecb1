"""Fewer bits: a generator in another number format, as far as a bound on quality allows.

Quality is the peak signal-to-noise ratio on [0, 255], against the network's own images.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import onnx

from edgegan.export import verify
from edgegan.export.examples import Inputs
from edgegan.export.passes import compute_float16
from edgegan.runtime.metadata import ModelMetadata


@dataclass(frozen=True)
class Reduction:
    """What was made of a generator, or was not, since the bound does not allow it.

    Attributes:
        model: with fewer bits, or as it was.
        decibels: its quality.
        taken: whether anything in it has fewer bits.
        line: what has, and what not, for the user.
        notes: what stays as it was, and why.
    """

    model: onnx.ModelProto
    decibels: float
    taken: bool
    line: str
    notes: list[str]


def to_float16(
    model: onnx.ModelProto,
    metadata: ModelMetadata,
    inputs: Inputs,
    expected: np.ndarray,
    least_decibels: float,
) -> Reduction:
    """Compute a generator in float16 if the bound allows it, with every number rounded to that.

    Args:
        model: the generator in float32.
        inputs: what quality is measured on: N latents, with words where it takes them.
        expected: the network's images of them, float32 (N, 3, S, S) in the value range.
        least_decibels: the bound.
    """
    examples = (inputs, expected, metadata.value_range)
    notes: list[str] = []
    in_float16 = compute_float16.rewrite(model, note=notes.append)
    decibels = verify.quality(compute_float16.rounded(in_float16), *examples)
    if decibels >= least_decibels:
        return Reduction(in_float16, decibels, True, "in float16: all layers", notes)
    reason = f"that is {decibels:.1f} dB, less than the bound"
    line = f"no layer is computed in float16: {reason}"
    return Reduction(model, verify.quality(model, *examples), False, line, [reason])
