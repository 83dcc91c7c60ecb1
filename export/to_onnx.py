"""The command that exports: edgegan export."""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

import numpy as np
import onnx

from edgegan.export import optimization, sensitivity, verify
from edgegan.export.explanation import table
from edgegan.export.optimization import (
    BYTES_FROM_LEVEL,
    DEFAULT_LEVEL,
    DEFAULT_TARGET,
    FEWER_BITS_FROM_LEVEL,
    FLOAT16_TARGETS,
    LEVELS,
    TARGETS,
)
from edgegan.export.passes import (
    byte_output,
    compute_float16,
    constant_initializers,
    quantise_int8,
    readable_names,
    store_float16,
)
from edgegan.export.reduction import Reduction, to_float16
from edgegan.export.sensitivity import Choice
from edgegan.export.translations import OPSET
from edgegan.export.verify import Difference
from edgegan.runtime.detector import CascadeNotFound, Detector, find_cascade
from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import atomic_write
from edgegan.runtime.metadata import DISCRIMINATOR, GENERATOR, PARTS, ModelMetadata
from edgegan.runtime.models import find_run
from edgegan.runtime.options import positive_number
from edgegan.runtime.run_folder import JUDGE
from edgegan.trainer import checkpoint, loop
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.framework import HybridBlock, mx
from edgegan.trainer.recipe import VALUE_RANGES, AnyRecipe

EXAMPLES = """\
examples:
  edgegan export runs/dcgan -o dcgan.onnx
  edgegan export runs/dcgan -o small.onnx --float16
  edgegan export runs/dcgan -o fast.onnx --optimize 3 --quality 40dB --explain
  edgegan export runs/dcgan -o page.onnx --target web --explain
  edgegan export runs/dcgan -o gpu.onnx --target cuda --optimize 3
  edgegan export runs/wgan/last.npz -o last.onnx --weights generator
  edgegan export runs/dcgan -o dcgan.discriminator.onnx --part discriminator
"""
IR_VERSION = 8  # of the ONNX release of that opset's time, so that older runtimes load files too
INPUT = {GENERATOR: "latent", DISCRIMINATOR: "image"}
OUTPUT = {GENERATOR: "image", DISCRIMINATOR: "score"}
WEIGHTS = ("ema", "generator")
DEFAULT_QUALITY = 40.0  # decibels: a mean error of 2.55 of 255 levels, in the root of the square


@dataclass(frozen=True)
class Subject:
    """What is exported: a network of a checkpoint, and examples of what its file has to give.

    Attributes:
        network: with its weights.
        symbol: the file's output, of an input called as in the file.
        metadata: what the file says about itself.
        inputs, outputs: float32 (64, ...), computed by the network in use.
    """

    network: HybridBlock
    symbol: mx.sym.Symbol
    metadata: ModelMetadata
    inputs: np.ndarray
    outputs: np.ndarray


@dataclass(frozen=True)
class Exported:
    """What an export measured.

    Attributes:
        parity: the float32 graph against the network.
        reduction: what is computed with fewer bits, where that was asked for.
        decibels: the least that was measured of the quality then, float16 storage included.
        faces: of 25 in the mean, of the file and in float32, where some layer has fewer bits and
            they could be counted.
        float16_loss: float16 storage against the graph before it, where it was asked for.
        versions: the model as translated and after each rewrite, by the rewrite's name.
    """

    parity: Difference
    reduction: Reduction | None
    decibels: float | None
    faces: tuple[float, float] | None
    float16_loss: Difference | None
    versions: dict[str, onnx.ModelProto]


def main(argv: list[str] | None = None) -> int:
    """Export a run's generator or discriminator; returns 0.

    Raises:
        UserError: no checkpoint there, a discriminator that scores no single pictures, the parity
            check or a bound on quality failed, or the file cannot be written.
    """
    options = _parser().parse_args(argv)
    _check_level(options)
    if options.part == GENERATOR:
        path = find_run(Path(options.run))
        source: Checkpoint = checkpoint.load(path, AnyRecipe)
        subject = generator_of(source, options.weights or WEIGHTS[0])
    else:
        if options.weights:
            raise UserError(f"--weights is {options.weights!r}, expected of a generator only")
        path = _find_judge(Path(options.run))
        source = checkpoint.load(path)
        subject = discriminator_of(source, path)
    exported = export(
        subject,
        Path(options.output),
        options.target,
        options.optimize,
        options.float16,
        options.quality or DEFAULT_QUALITY,
    )
    size = Path(options.output).stat().st_size / 1e6
    print(
        f"{options.output}: {size:.2f} MB from {path}, recipe {source.recipe.name}, "
        f"step {source.facts['step']}, {source.facts['images_seen']} images seen"
    )
    print(
        f"parity with the network on {verify.EXAMPLES} {INPUT[options.part]}s: "
        f"{exported.parity.largest:.1e}"
    )
    if exported.float16_loss:
        loss = exported.float16_loss
        if options.part == GENERATOR:
            cost = f"costs at most {loss.largest * 127.5:.2f} of 255 levels, {loss.decibels:.1f} dB"
        else:
            cost = f"changes no score by more than {loss.largest:.2g}"
        print(f"float16 storage {cost}")
    if exported.reduction:
        print(f"{exported.reduction.line}; {exported.decibels:.1f} dB")
    if exported.faces:
        print(
            f"faces of 25, mean of {len(verify.FACE_SEEDS)} grids: {exported.faces[0]:.2f}, "
            f"in float32 {exported.faces[1]:.2f}"
        )
    if options.explain:
        print(table(exported.versions, subject.inputs))
        if isinstance(exported.reduction, Choice) and exported.reduction.alone:
            print(sensitivity.table(exported.reduction, subject.inputs))
    return 0


def _check_level(options: argparse.Namespace) -> None:
    """Raise UserError where fewer bits, or their bound, are asked for that are not to be had."""
    fewer_bits = options.optimize >= FEWER_BITS_FROM_LEVEL
    if fewer_bits and options.part != GENERATOR:
        raise UserError(
            f"--optimize is {options.optimize} for a {options.part}, expected for a generator only"
        )
    if options.quality is not None and not fewer_bits:
        raise UserError(
            f"--quality is {options.quality:g}dB, expected with --optimize "
            f"{FEWER_BITS_FROM_LEVEL} only"
        )


def _decibels(text: str) -> float:
    """An argparse type: a positive number of decibels, with the unit or without."""
    return positive_number("--quality")(text.removesuffix("dB"))


def generator_of(source: Checkpoint, weights: str) -> Subject:
    """A checkpoint's generator: float32 (N, latent_size) to (N, 3, S, S) in the value range.

    Args:
        weights: ``ema``, the moving average, or ``generator``, as the last step left it.
    """
    network = loop.make_generator(source.recipe, mx.cpu())
    checkpoint.set_network_arrays(network, checkpoint.part_of(source.arrays, weights))
    return generator_subject(network, _metadata(source, GENERATOR))


def generator_subject(network: HybridBlock, metadata: ModelMetadata) -> Subject:
    """A generator with its weights: float32 (N, latent_size) to (N, 3, S, S) in the value range."""
    latents = verify.parity_latents(metadata)
    symbol = network(mx.sym.var(INPUT[GENERATOR]))
    return Subject(network, symbol, metadata, latents, verify.network_output(network, latents))


def discriminator_of(source: Checkpoint, path: Path) -> Subject:
    """A checkpoint's discriminator: float32 (N, 3, S, S) in the value range to scores (N,).

    A score is the higher, the more real a picture looks; where the network judges patches, it is
    their mean.

    Args:
        path: of the checkpoint, to be named in errors.

    Raises:
        UserError: it scores batches, not pictures.
    """
    checkpoint.check_scores_pictures(source, path)
    recipe = source.recipe
    network = loop.make_discriminator(recipe, mx.cpu())
    checkpoint.set_network_arrays(network, checkpoint.part_of(source.arrays, DISCRIMINATOR))
    images = generator_of(source, WEIGHTS[0]).outputs
    scores = verify.network_output(network, images)
    symbol = network(mx.sym.var(INPUT[DISCRIMINATOR]))
    if scores.ndim == 2:
        scores, symbol = scores.mean(axis=1), symbol.mean(axis=1, name="mean")
    if not recipe.objective.higher_is_real:
        scores, symbol = -scores, -symbol
    return Subject(network, symbol, _metadata(source, DISCRIMINATOR), images, scores)


def export(
    subject: Subject,
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
    generator = subject.metadata.part == GENERATOR
    decibels = faces = reduced = float16_loss = None
    with atomic_write(output) as temporary:
        draft = _Draft(subject, temporary)
        for rewrite in optimization.passes(target, level):
            draft.add(rewrite, rewrite.rewrite(draft.model))
        draft.write()
        parity, exact = verify.check_parity(draft.values, subject.outputs), draft.model
        if level >= FEWER_BITS_FROM_LEVEL:
            reduced = _reduce(draft, target, least_decibels)
        if float16:
            float16_loss = _store_in_float16(draft)
        if reduced:
            found = verify.check_quality(
                draft.values, subject.outputs, subject.metadata.value_range, least_decibels
            )
            decibels = min(found, reduced.decibels)
        if level >= BYTES_FROM_LEVEL and generator:
            _convert_to_bytes(draft)
        if reduced and reduced.taken:
            faces = _check_faces(temporary, exact, subject)
    return Exported(parity, reduced, decibels, faces, float16_loss, draft.versions)


class _Draft:
    """A file in the making.

    Attributes:
        subject: what it is made of.
        versions: the model as translated and after each rewrite, by the rewrite's name.
        values: what the file gave for the subject's inputs when it was written last.
    """

    def __init__(self, subject: Subject, path: Path) -> None:
        self.subject = subject
        self.versions = {"as translated": _translate(subject)}
        self.values = np.empty(0)
        self._path = path

    @property
    def model(self) -> onnx.ModelProto:
        """The last version."""
        return list(self.versions.values())[-1]

    def add(self, rewrite: ModuleType, model: onnx.ModelProto) -> None:
        """Make what a rewrite made the last version."""
        self.versions[_name(rewrite)] = model

    def write(self) -> None:
        """Write the last version, and run it."""
        _save(self.model, self.subject, self._path)
        self.values = verify.model_output(self._path, self.subject.inputs)


def _reduce(draft: _Draft, target: str, least_decibels: float) -> Reduction:
    """Compute with fewer bits as far as the bound allows, in the target's number format."""
    subject = draft.subject
    given = (draft.model, subject.metadata, subject.inputs, subject.outputs, least_decibels)
    in_float16 = target in FLOAT16_TARGETS
    reduced: Reduction = to_float16(*given) if in_float16 else sensitivity.choose(*given)
    draft.add(compute_float16 if in_float16 else quantise_int8, reduced.model)
    draft.write()
    return reduced


def _store_in_float16(draft: _Draft) -> Difference:
    """Store the weights in half the bytes; returns what that changes."""
    before = draft.values
    draft.add(store_float16, store_float16.rewrite(draft.model))
    draft.write()
    return verify.compare(draft.values, before)


def _convert_to_bytes(draft: _Draft) -> None:
    """Have the file make bytes of its values, and check that they are those of the runtime."""
    values, value_range = draft.values, draft.subject.metadata.value_range
    draft.add(byte_output, byte_output.rewrite(draft.model, value_range))
    draft.write()
    verify.check_bytes(draft.values, values, value_range)


def _check_faces(
    path: Path, exact: onnx.ModelProto, subject: Subject
) -> tuple[float, float] | None:
    """The faces of a file and of the model in float32, None with a warning without a cascade."""
    try:
        detector = Detector(find_cascade())
    except CascadeNotFound as error:
        print(f"warning: {error}; faces are not counted", file=sys.stderr)
        return None
    with tempfile.TemporaryDirectory() as folder:
        exact_path = Path(folder) / "float32.onnx"
        _save(exact, subject, exact_path)
        return verify.check_faces(path, exact_path, detector)


def _save(model: onnx.ModelProto, subject: Subject, path: Path) -> None:
    """Write a model that keeps the ONNX standard and our contract."""
    part = subject.metadata.part
    verify.check_structure(model, INPUT[part], OUTPUT[part])
    onnx.save(model, str(path))


def _name(rewrite: ModuleType) -> str:
    return rewrite.__name__.rpartition(".")[2]


def _find_judge(run: Path) -> Path:
    """The checkpoint whose discriminator was trained on its own in the end, else the run's best."""
    return run / JUDGE if (run / JUDGE).is_file() else find_run(run)


def _translate(subject: Subject) -> onnx.ModelProto:
    """The ONNX model of a network, each layer by itself, valid and described for the runtime."""
    model = constant_initializers.rewrite(_mxnet_export(subject))
    model = readable_names.rewrite(model, subject.network.prefix, OUTPUT[subject.metadata.part])
    return _describe(model, subject)


def _mxnet_export(subject: Subject) -> onnx.ModelProto:
    """What mxnet's own exporter makes of a network; it can only write to a file."""
    arrays = {name: item.data() for name, item in subject.network.collect_params().items()}
    shape = subject.inputs.shape[1:]
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "raw.onnx")
        mx.onnx.export_model(
            subject.symbol,
            arrays,
            [(1, *shape)],
            onnx_file_path=path,
            dynamic=True,
            dynamic_input_shapes=[("batch", *shape)],
        )
        model = onnx.load(path)
    model.opset_import[0].version = OPSET  # where it stamps the newest that onnx knows
    model.ir_version = IR_VERSION
    return model


def _describe(model: onnx.ModelProto, subject: Subject) -> onnx.ModelProto:
    """Write down the output's shape and all that the runtime must know."""
    metadata = subject.metadata
    model.producer_name = "edgegan"
    model.graph.name = metadata.recipe
    shape: list[str | int | None] = ["batch", *subject.outputs.shape[1:]]
    output = onnx.helper.make_tensor_value_info(
        OUTPUT[metadata.part], onnx.TensorProto.FLOAT, shape
    )
    model.graph.output[0].CopyFrom(output)
    onnx.helper.set_model_props(model, metadata.to_strings())
    return model


def _metadata(source: Checkpoint, part: str) -> ModelMetadata:
    recipe = source.recipe
    return ModelMetadata(
        recipe=recipe.name,
        objective=recipe.objective_name,
        latent_size=recipe.input_size,
        latent_distribution=recipe.latent.distribution,
        image_size=recipe.image_size,
        value_range=VALUE_RANGES[recipe.value_range],
        images_seen=source.facts["images_seen"],
        part=part,
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgegan export",
        description="Export a trained network as one ONNX file, verified against the network.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", help="folder of a run (its best checkpoint), or a checkpoint")
    parser.add_argument("-o", "--output", required=True, help="the .onnx file to write")
    parser.add_argument(
        "--part",
        choices=PARTS,
        default=GENERATOR,
        help="the generator (default), or the discriminator: the one of judge.npz, which "
        "edgegan judge writes, where a run has it",
    )
    parser.add_argument(
        "--weights",
        choices=WEIGHTS,
        help="of the generator: the moving average (default), or as the last step left it",
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
        type=int,
        choices=LEVELS,
        default=DEFAULT_LEVEL,
        metavar="LEVEL",
        help="0: as translated, layer by layer; 1: constants and batch norms folded; 2 (default): "
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
        help="print what each rewrite did to nodes, bytes, operations and measured time, and what "
        "each layer costs and saves in integers",
    )
    parser.add_argument("--float16", action="store_true", help="store weights in half the bytes")
    add_debug_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
