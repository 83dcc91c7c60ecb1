"""What the commands that write our files share: their options, and what they say of a file."""

from __future__ import annotations

import argparse

from edgegan.export import explanation, pipeline, sensitivity, verify
from edgegan.export.optimization import (
    DEFAULT_LEVEL,
    DEFAULT_TARGET,
    FEWER_BITS_FROM_LEVEL,
    LEVELS,
    TARGETS,
)
from edgegan.export.pipeline import DEFAULT_QUALITY, Exported, Original
from edgegan.export.sensitivity import ChosenLayers
from edgegan.export.verify import Difference
from edgegan.runtime.errors import UserError
from edgegan.runtime.metadata import GENERATOR, ModelMetadata
from edgegan.runtime.options import output_file, positive_number, whole_number


def add_options(parser: argparse.ArgumentParser) -> None:
    """Declare what to write, how far to optimise it, and what to say of it."""
    parser.add_argument(
        "-o",
        "--output",
        type=output_file("--output", ".onnx"),
        required=True,
        help="the .onnx file to write",
    )
    parser.add_argument(
        "--target",
        choices=TARGETS,
        default=DEFAULT_TARGET,
        help="what it is to run on: onnxruntime on a CPU (default) or with CUDA, or "
        "onnxruntime-web; every file runs on all of them",
    )
    parser.add_argument(
        "--optimize",
        type=whole_number("--optimize", LEVELS[0], LEVELS[-1]),
        default=DEFAULT_LEVEL,
        metavar="LEVEL",
        help="0: as it was, layer by layer; 1: constants and batch norms folded; 2 (default): "
        "also what the target runs faster, and a generator's images as bytes; 3: also a "
        "generator's layers in 8-bit integers, as many as --quality allows, or with --target cuda "
        "in float16",
    )
    parser.add_argument(
        "--quality",
        type=_decibels,
        metavar="DECIBELS",
        help=f"what --optimize 3 has to keep ({DEFAULT_QUALITY:g}dB): the peak signal-to-noise "
        "ratio of images in [0, 255] against the network's",
    )
    parser.add_argument(
        "--explain",
        action="store_true",
        help="print what each pass did to nodes, bytes, operations and measured time, or why it "
        "did nothing, and what each layer costs and saves in integers",
    )
    parser.add_argument("--float16", action="store_true", help="store weights in half the bytes")


def check_options(options: argparse.Namespace, part: str) -> None:
    """Raise UserError where fewer bits, or their bound, are asked for that are not to be had."""
    fewer_bits = options.optimize >= FEWER_BITS_FROM_LEVEL
    if fewer_bits and part != GENERATOR:
        most = FEWER_BITS_FROM_LEVEL - 1
        raise UserError(f"--optimize is {options.optimize}, expected at most {most} for a {part}")
    if options.quality is not None and not fewer_bits:
        raise UserError(
            f"--quality is {options.quality:g}dB, expected with --optimize "
            f"{FEWER_BITS_FROM_LEVEL} only"
        )


def write(original: Original, options: argparse.Namespace, origin: str) -> None:
    """Write the file that the options ask for, and say what it is and how it was verified.

    Args:
        origin: what it was made of, as the end of a sentence.

    Raises:
        UserError: it is not what it has to be, or cannot be written.
    """
    exported = pipeline.export(
        original,
        options.output,
        options.target,
        options.optimize,
        options.float16,
        options.quality or DEFAULT_QUALITY,
    )
    size = options.output.stat().st_size / 1e6
    print(f"{options.output}: {size:.2f} MB from {origin}")
    _tell(exported, original)
    if options.explain:
        _explain(exported, original)


def _tell(exported: Exported, original: Original) -> None:
    """Print how the file was verified."""
    inputs = " and ".join(f"{name}s" for name in original.inputs)
    count = len(original.outputs)
    print(f"parity with {original.name} on {count} {inputs}: {exported.parity:.1e}")
    if exported.float16_loss:
        print(_float16_sentence(exported.float16_loss, original.metadata))
    if exported.reduction:
        print(f"{exported.reduction.line}; {exported.decibels:.1f} dB")
    if exported.faces:
        found, expected = exported.faces
        print(
            f"faces of 25, mean of {len(verify.FACE_SEEDS)} grids: {found:.2f}, "
            f"in float32 {expected:.2f}"
        )


def _float16_sentence(loss: Difference, metadata: ModelMetadata) -> str:
    """What storing weights in float16 costs."""
    if loss.largest == 0:
        return "float16 storage changes nothing"
    if metadata.part != GENERATOR:
        return f"float16 storage changes no score by more than {loss.largest:.2g}"
    low, high = metadata.value_range
    levels = loss.largest * 255 / (high - low)
    return f"float16 storage costs at most {levels:.2f} of 255 levels, {loss.decibels:.1f} dB"


def _explain(exported: Exported, original: Original) -> None:
    """Print what each pass did, or why it did nothing, and what each layer costs in integers."""
    print("\n" + explanation.table(exported.versions, original.inputs))
    print("\n" + explanation.reasons(exported.versions, exported.notes))
    if isinstance(exported.reduction, ChosenLayers) and exported.reduction.alone:
        print("\n" + sensitivity.table(exported.reduction, original.inputs))


def _decibels(text: str) -> float:
    """An argparse type: a positive number of decibels, with the unit or without."""
    number = text[:-2] if text.endswith("dB") else text
    return positive_number("--quality")(number)
