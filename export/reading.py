"""Reading one of our files as what another is made of, where its weights are still to be had."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto

from edgegan.export import verify
from edgegan.export.passes import byte_output, fold_constants
from edgegan.export.passes.graph import types
from edgegan.export.pipeline import Original
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_bytes
from edgegan.runtime.latent import Stream, philox
from edgegan.runtime.metadata import GENERATOR, PREFIX, ModelMetadata
from edgegan.runtime.network import Network
from edgegan.runtime.onnx_file import check_model

EXPECTED = "expected a file that edgegan export wrote with --optimize 0, 1 or 2"


def read(path: Path) -> Original:
    """A file's network in float32, and what it gives for 64 latents, or pictures of noise.

    The bytes that it may make of its images are left to the next pipeline. All that stands in its
    metadata is kept.

    Raises:
        UserError: the file cannot be read, check_model refuses it, it is none of ours, or does not
            compute in float32.
    """
    content = read_bytes(path)
    check_model(content, path)
    strings = verify.metadata_of(path)
    part = strings.get(f"{PREFIX}part", GENERATOR)
    metadata = Network(path, "cpu", part).metadata
    model = onnx.load_model_from_string(content)
    _check_computes_in_float32(model, path)
    if model.graph.output[0].type.tensor_type.elem_type == TensorProto.UINT8:
        model = _with_values(model, metadata, path)
    inputs = _examples(metadata)
    return Original(path.name, model, metadata, inputs, verify.output_of(model, inputs))


def _check_computes_in_float32(model: onnx.ModelProto, path: Path) -> None:
    """Raise UserError where layers have fewer bits; weights that are only stored so are no harm."""
    if any(tensor.data_type == TensorProto.INT8 for tensor in model.graph.initializer):
        raise UserError(
            f"{path} has its layers in integers already, and weights cannot be taken out of them: "
            f"{EXPECTED}"
        )
    computed = types(fold_constants.rewrite(model)).values()
    if any(found.elem_type == TensorProto.FLOAT16 for found in computed):
        raise UserError(
            f"{path} computes in float16 already, and what that rounds cannot be undone: {EXPECTED}"
        )


def _with_values(model: onnx.ModelProto, metadata: ModelMetadata, path: Path) -> onnx.ModelProto:
    """A generator whose images are values again, where they are bytes."""
    undone = byte_output.undo(model, metadata.value_range)
    if undone is None:
        raise UserError(
            f"{path} makes bytes of its images in another way than our exporter: {EXPECTED}"
        )
    return undone


def _examples(metadata: ModelMetadata) -> np.ndarray:
    """What a file is checked on: the latents of any export, or float32 (64, 3, S, S) of noise."""
    if metadata.part == GENERATOR:
        return verify.parity_latents(metadata)
    low, high = metadata.value_range
    shape = (verify.EXAMPLES, 3, metadata.image_size, metadata.image_size)
    return philox(0, Stream.PARITY, 0).uniform(low, high, shape).astype(np.float32)
