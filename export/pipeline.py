"""The pipeline: a network's ONNX model in, an optimised file out that was verified against it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx

from edgegan.export import optimization, sensitivity, verify
from edgegan.export.examples import Inputs
from edgegan.export.optimization import BYTES, DEFAULT_LEVEL, DEFAULT_TARGET, EXACT, FEWER_BITS
from edgegan.export.passes import byte_output, compute_float16, store_float16
from edgegan.export.reduction import Reduction, to_float16
from edgegan.export.verify import Difference
from edgegan.runtime.detector import find_detector
from edgegan.runtime.files import atomic_write, temporary_folder
from edgegan.runtime.metadata import DISCRIMINATOR, GENERATOR, ModelMetadata

OUTPUT = {GENERATOR: "image", DISCRIMINATOR: "score"}
DEFAULT_QUALITY = 40.0  # decibels: a mean error of 2.55 of 255 levels, in the root of the square


@dataclass(frozen=True)
class Original:
    """What a file is made of: a network as an ONNX model, and examples of what it gives.

    Attributes:
        name: of the network, in sentences.
        model: float32 throughout, with our names for its inputs and output and the metadata.
        metadata: what the file says about itself.
        inputs: 64 examples or more, in the order of the model's inputs.
        outputs: float32 (N, ...), computed of them by the network in use.
    """

    name: str
    model: onnx.ModelProto
    metadata: ModelMetadata
    inputs: Inputs
    outputs: np.ndarray


@dataclass(frozen=True)
class Exported:
    """What an export measured.

    Attributes:
        parity: the largest difference of the float32 graph from the network.
        reduction: what is computed with fewer bits, where that was asked for.
        decibels: the least that was measured of the quality then, float16 storage included.
        faces: of 25 in the mean, of the file and in float32, where some layer has fewer bits and
            they could be counted.
        float16_loss: float16 storage against the graph before it, where it was asked for.
        versions: the original and what each pass made, by the pass's name.
        notes: by the same names and those of the passes that were left out: what stayed as it was,
            and why.
    """

    parity: float
    reduction: Reduction | None
    decibels: float | None
    faces: tuple[float, float] | None
    float16_loss: Difference | None
    versions: dict[str, onnx.ModelProto]
    notes: dict[str, list[str]]


def export(
    original: Original,
    output: Path,
    target: str = DEFAULT_TARGET,
    level: int = DEFAULT_LEVEL,
    float16: bool = False,
    least_decibels: float = DEFAULT_QUALITY,
) -> Exported:
    """Write one ONNX file that computes what the network computes.

    Args:
        target: what it is to run on, one of TARGETS.
        level: how far it is optimised, one of LEVELS; the last is for a generator.
        float16: store the weights in half the bytes.
        least_decibels: the bound on quality, where fewer bits may be computed with.

    Raises:
        UserError: the file's output differs from the network's by more than it may, or it cannot
            be written; nothing is written then.
    """
    decibels = faces = reduced = float16_loss = None
    with atomic_write(output) as temporary:
        draft = _Draft(original, temporary, target, level)
        for chosen in filter(draft.takes, EXACT):
            draft.apply(chosen.module)
        draft.write()
        parity = verify.check_parity(draft.values, original.outputs, original.name)
        exact = draft.model
        for chosen in filter(draft.takes, FEWER_BITS):
            reduced = _reduce(draft, chosen.module, least_decibels)
        if float16:
            float16_loss = _store_in_float16(draft)
        else:
            draft.leave_out(store_float16, "for --float16 only")
        if reduced:
            found = verify.check_quality(
                draft.values,
                original.outputs,
                original.metadata.value_range,
                least_decibels,
                original.name,
            )
            decibels = min(found, reduced.decibels)
        if draft.takes(BYTES):
            _convert_to_bytes(draft)
        if reduced and reduced.taken:
            faces = _check_faces(temporary, exact, original)
    return Exported(parity, reduced, decibels, faces, float16_loss, draft.versions, draft.notes)


class _Draft:
    """A file in the making.

    Attributes:
        original: what it is made of.
        versions: the original model and what each pass made, by the pass's name.
        notes: what stayed as it was and why, by the pass's name.
        values: what the file gave for the original's inputs when it was written last.
    """

    def __init__(self, original: Original, path: Path, target: str, level: int) -> None:
        self.original = original
        self.versions = {"original": original.model}
        self.notes: dict[str, list[str]] = {}
        self.values = np.empty(0)
        self._path = path
        self._target = target
        self._level = level

    @property
    def model(self) -> onnx.ModelProto:
        """The last version."""
        return list(self.versions.values())[-1]

    def takes(self, chosen: optimization.Pass) -> bool:
        """Whether the file gets a pass, by what was asked for; why not is noted."""
        reason = chosen.why_not(self._target, self._level, self.original.metadata.part)
        if reason:
            self.leave_out(chosen.module, reason)
        return not reason

    def leave_out(self, module: ModuleType, reason: str) -> None:
        """Note why the file does not get a pass."""
        self.notes[_name(module)] = [reason]

    def apply(self, module: ModuleType) -> None:
        """Make what a pass makes of the last version the last one."""
        notes: list[str] = []
        self.add(module, module.rewrite(self.model, note=notes.append), notes)

    def add(self, module: ModuleType, model: onnx.ModelProto, notes: Sequence[str] = ()) -> None:
        """Make what a pass made the last version."""
        self.versions[_name(module)] = model
        self.notes[_name(module)] = list(notes)

    def write(self) -> None:
        """Write the last version, and run it."""
        _save(self.model, self.original, self._path)
        self.values = verify.model_output(self._path, self.original.inputs)


def _reduce(draft: _Draft, module: ModuleType, least_decibels: float) -> Reduction:
    """Compute with fewer bits as far as the bound allows, in the number format of a pass."""
    original = draft.original
    reduce = to_float16 if module is compute_float16 else sensitivity.choose
    reduced: Reduction = reduce(
        draft.model, original.metadata, original.inputs, original.outputs, least_decibels
    )
    draft.add(module, reduced.model, reduced.notes)
    draft.write()
    return reduced


def _store_in_float16(draft: _Draft) -> Difference:
    """Store the weights in half the bytes; returns what that changes."""
    before = draft.values
    draft.apply(store_float16)
    draft.write()
    return verify.compare(draft.values, before, draft.original.metadata.value_range)


def _convert_to_bytes(draft: _Draft) -> None:
    """Have the file make bytes of its values, and check that they are those of the runtime."""
    values, value_range = draft.values, draft.original.metadata.value_range
    draft.add(byte_output, byte_output.rewrite(draft.model, value_range))
    draft.write()
    verify.check_bytes(draft.values, values, value_range)


def _check_faces(
    path: Path, exact: onnx.ModelProto, original: Original
) -> tuple[float, float] | None:
    """The faces of a file and of the model in float32, None with a warning without a cascade."""
    detector = find_detector()
    if detector is None:
        return None
    with temporary_folder() as folder:
        exact_path = folder / "float32.onnx"
        _save(exact, original, exact_path)
        return verify.check_faces(path, exact_path, detector)


def _save(model: onnx.ModelProto, original: Original, path: Path) -> None:
    """Write a model that keeps the ONNX standard and our contract."""
    verify.check_structure(model, list(original.inputs), OUTPUT[original.metadata.part])
    onnx.save(model, str(path))


def _name(module: ModuleType) -> str:
    return module.__name__.rpartition(".")[2]
