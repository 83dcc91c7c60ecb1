"""Parity: does an ONNX file draw what the network that it came from draws?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import mxnet as mx
import numpy as np
import onnx
from mxnet.gluon import HybridBlock

from runtime.errors import UserError
from runtime.latent import Stream, draw_latents
from runtime.metadata import ModelMetadata
from runtime.session import open_session

LATENTS = 64
TOLERANCE = 1e-5  # on images in [-1, 1]: float32 rounding through a generator stays below it


@dataclass(frozen=True)
class Difference:
    """How far two sets of images, float32 in [-1, 1], are apart.

    ``largest`` is the largest absolute difference; ``decibels`` the peak signal-to-noise ratio on
    [0, 255], infinite where they are equal.
    """

    largest: float
    decibels: float


def parity_latents(metadata: ModelMetadata) -> np.ndarray:
    """The latents that every export is checked on, float32 (64, latent_size)."""
    return draw_latents(
        0, LATENTS, metadata.latent_size, metadata.latent_distribution, stream=Stream.PARITY
    )


def network_images(network: HybridBlock, latents: np.ndarray) -> np.ndarray:
    """What the Gluon network draws, float32 (N, 3, S, S)."""
    return network(mx.nd.array(latents)).asnumpy()


def model_images(path: Path, latents: np.ndarray) -> np.ndarray:
    """What the ONNX file draws with onnxruntime on the CPU, float32 (N, 3, S, S)."""
    session, _ = open_session(path, "cpu")
    return session.run(["image"], {"latent": latents})[0]


def compare(images: np.ndarray, expected: np.ndarray) -> Difference:
    """The difference between two sets of images, float32 (N, 3, S, S) in [-1, 1]."""
    apart = images.astype(np.float64) - expected
    mean_square = float(np.mean((apart * 127.5) ** 2))
    decibels = 10 * np.log10(255**2 / mean_square) if mean_square else float("inf")
    return Difference(float(np.abs(apart).max()), float(decibels))


def check_structure(model: onnx.ModelProto) -> None:
    """Check the model against the ONNX standard and our contract.

    Raises:
        onnx.checker.ValidationError: it is no valid ONNX.
        ValueError: inputs or output are not those that the runtime expects.
    """
    onnx.checker.check_model(model, full_check=True)
    inputs = [value.name for value in model.graph.input]
    outputs = [value.name for value in model.graph.output]
    if inputs != ["latent"] or outputs != ["image"]:
        raise ValueError(f"the graph has inputs {inputs} and outputs {outputs}")


def check_parity(path: Path, network: HybridBlock, latents: np.ndarray) -> Difference:
    """Compare an ONNX file with the Gluon network; the difference where it is small enough.

    Raises:
        UserError: some pixel is more than ``TOLERANCE`` apart.
    """
    difference = compare(model_images(path, latents), network_images(network, latents))
    if not difference.largest <= TOLERANCE:  # so that NaN fails too
        raise UserError(
            f"the ONNX file draws pictures {difference.largest:.2g} apart from the network's, "
            f"expected at most {TOLERANCE:g}: nothing was written"
        )
    return difference
