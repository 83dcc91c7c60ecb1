"""Parity: does an ONNX file compute what the network that it is made of computes?"""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from tqdm import tqdm

from edgegan.export.examples import Inputs
from edgegan.runtime.detector import Detector
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator, to_bytes
from edgegan.runtime.grid import BASELINE_IMAGES
from edgegan.runtime.quality import decibels
from edgegan.runtime.score import score_images
from edgegan.runtime.session import Session, open_session

FACE_SEEDS = range(100)  # whose grids have to have as many faces as before
MOST_FACES_APART = 0.2
TOLERANCE = 1e-5  # on values within [-1, 1]: float32 rounding through a network stays below it


@dataclass(frozen=True)
class Difference:
    """How far two sets of images or of scores are apart.

    ``largest`` is the largest absolute difference; ``decibels`` the peak signal-to-noise ratio,
    infinite where they are equal, and not a number where they are scores, which have no peak.
    """

    largest: float
    decibels: float


def model_output(path: Path, inputs: Inputs) -> np.ndarray:
    """What the ONNX file gives with onnxruntime on the CPU."""
    return _run(open_session(path, "cpu")[0], inputs)


def output_of(model: onnx.ModelProto, inputs: Inputs) -> np.ndarray:
    """What a model of one output gives with onnxruntime on the CPU."""
    return _run(session_of(model), inputs)


def session_of(model: onnx.ModelProto) -> Session:
    """A model that is no file yet, ready to run on the CPU."""
    return open_session(model.SerializeToString(), "cpu")[0]


def metadata_of(path: Path) -> dict[str, str]:
    """All that an ONNX file's metadata says, whoever wrote it."""
    return open_session(path, "cpu")[0].get_modelmeta().custom_metadata_map


def quality(
    model: onnx.ModelProto,
    inputs: Inputs,
    expected: np.ndarray,
    value_range: tuple[float, float],
) -> float:
    """The decibels of what a model that is no file yet gives for inputs."""
    return decibels(output_of(model, inputs), expected, value_range)


def compare(
    values: np.ndarray, expected: np.ndarray, value_range: tuple[float, float] = (-1, 1)
) -> Difference:
    """The difference between two sets of images, float32 (N, 3, S, S), or of scores."""
    largest = float(np.abs(values.astype(np.float64) - expected).max())
    are_images = expected.ndim == 4
    return Difference(largest, decibels(values, expected, value_range) if are_images else math.nan)


def check_structure(model: onnx.ModelProto, input_names: Sequence[str], output_name: str) -> None:
    """Check the model against the ONNX standard and our contract.

    Raises:
        onnx.checker.ValidationError: it is no valid ONNX.
        ValueError: inputs or output are not those that the runtime expects.
    """
    onnx.checker.check_model(model, full_check=True)
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]
    if inputs != list(input_names) or outputs != [output_name]:
        raise ValueError(f"the graph has inputs {inputs} and outputs {outputs}")


def check_parity(output: np.ndarray, expected: np.ndarray, name: str) -> float:
    """Compare an ONNX file's output with the network's; the largest difference if it is small.

    Args:
        name: of the network, in the error.

    Raises:
        UserError: some value is more than ``TOLERANCE`` apart, or that share of the largest one
            where that is above 1.
    """
    largest = float(np.abs(output.astype(np.float64) - expected).max())
    most = TOLERANCE * max(1.0, float(np.abs(expected).max()))
    if not largest <= most:  # so that NaN fails too
        raise UserError(
            f"the ONNX file's values are {largest:.2g} apart from those of {name}, "
            f"expected at most {most:.2g}: nothing was written"
        )
    return largest


def check_bytes(images: np.ndarray, values: np.ndarray, value_range: tuple[float, float]) -> None:
    """Check that an ONNX file gives the bytes that the runtime makes of float32 values.

    Args:
        images: uint8 (N, S, S, 3), what it gives.
        values: float32 (N, 3, S, S), what the graph gave before it made bytes.

    Raises:
        UserError: some byte is another.
    """
    different = int((images != to_bytes(values, value_range)).sum())
    if different:
        raise UserError(
            f"{different} bytes of the ONNX file's images are not those of its values, "
            "expected none: nothing was written"
        )


def check_quality(
    images: np.ndarray,
    expected: np.ndarray,
    value_range: tuple[float, float],
    least_decibels: float,
    name: str,
) -> float:
    """Compare images with the network's, float32 both; the decibels where they are enough.

    Args:
        name: of the network, in the error.

    Raises:
        UserError: they are not.
    """
    found = decibels(images, expected, value_range)
    if not found >= least_decibels:
        raise UserError(
            f"the ONNX file's images are {found:.1f} dB from those of {name}, expected at least "
            f"{least_decibels:g} dB: nothing was written"
        )
    return found


def check_faces(path: Path, exact: Path, detector: Detector) -> tuple[float, float]:
    """Compare the faces of two generators' files; the means of 25 where they are near enough.

    Raises:
        UserError: they are more than ``MOST_FACES_APART`` apart.
    """
    found, expected = (_mean_faces(Generator.load(file, "cpu"), detector) for file in (path, exact))
    if abs(found - expected) > MOST_FACES_APART:
        raise UserError(
            f"the ONNX file's grids have {found:.2f} faces in the mean, those in float32 "
            f"{expected:.2f}, expected at most {MOST_FACES_APART} apart: nothing was written"
        )
    return found, expected


def _mean_faces(generator: Generator, detector: Detector) -> float:
    """The mean of the faces of 25 that the graders find in the grids of ``FACE_SEEDS``."""
    return statistics.fmean(
        score_images(generator.images(seed, BASELINE_IMAGES), detector)
        for seed in tqdm(FACE_SEEDS, "counting faces", leave=False, disable=None)
    )


def _run(session: Session, inputs: Inputs) -> np.ndarray:
    """The one output of a session."""
    return session.run(None, dict(inputs))[0]
