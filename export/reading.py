"""Reading one of our files as what another is made of, where its weights are still to be had."""

from __future__ import annotations

from pathlib import Path

import onnx
from onnx import TensorProto

from edgegan.export import examples, verify
from edgegan.export.passes import byte_output, fold_constants
from edgegan.export.passes.graph import types
from edgegan.export.pipeline import Original
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_bytes
from edgegan.runtime.metadata import DISCRIMINATOR, GENERATOR, PREFIX, ModelMetadata
from edgegan.runtime.network import Network
from edgegan.runtime.onnx_file import check_model

EXPECTED = "expected a file that edgegan export wrote with --optimize 0, 1 or 2"
TRIED_ON = {GENERATOR: examples.parity_latents, DISCRIMINATOR: examples.noise}


def read(path: Path) -> Original:
    """A file's network in float32, and what it gives for latents, or pictures of noise.

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
    inputs = TRIED_ON[part](metadata)
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
