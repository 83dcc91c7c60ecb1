"""The command that exports: python -m export.to_onnx."""

from __future__ import annotations

import argparse
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mxnet as mx
import onnx
from mxnet.gluon import HybridBlock

from export import verify
from export.passes import constant_initializers, fold_batch_norm, readable_names, store_float16
from export.verify import Difference
from runtime.errors import add_debug_option, run_command
from runtime.files import atomic_write
from runtime.metadata import ModelMetadata
from trainer import checkpoint, loop
from trainer.checkpoint import Checkpoint
from trainer.recipe import VALUE_RANGES

EXAMPLES = """\
examples:
  python -m export.to_onnx runs/dcgan -o dcgan.onnx
  python -m export.to_onnx runs/dcgan -o small.onnx --float16
  python -m export.to_onnx runs/wgan/last.npz -o last.onnx --weights generator
"""
OPSET = 13  # what mxnet's exporter writes, though it stamps the newest that onnx knows
IR_VERSION = 8  # of the ONNX release of that time, so that older runtimes load the file too


@dataclass(frozen=True)
class Exported:
    """What an export measured: the float32 graph against the network, and float16 against it."""

    parity: Difference
    float16_loss: Difference | None


def main(argv: list[str] | None = None) -> int:
    """Export a run's generator; returns 0.

    Raises:
        UserError: no checkpoint there, the parity check failed, or the file cannot be written.
    """
    options = _parser().parse_args(argv)
    path = checkpoint.find(Path(options.run))
    source = checkpoint.load(path)
    exported = export(source, Path(options.output), options.weights, options.float16)
    size = Path(options.output).stat().st_size / 1e6
    print(
        f"{options.output}: {size:.2f} MB from {path}, recipe {source.recipe.name}, "
        f"step {source.facts['step']}, {source.facts['images_seen']} images seen"
    )
    print(f"parity with the network on {verify.LATENTS} latents: {exported.parity.largest:.1e}")
    if exported.float16_loss:
        loss = exported.float16_loss
        print(
            f"float16 storage costs at most {loss.largest * 127.5:.2f} of 255 levels, "
            f"{loss.decibels:.1f} dB"
        )
    return 0


def export(source: Checkpoint, output: Path, weights: str, float16: bool) -> Exported:
    """Write a checkpoint's generator as one ONNX file that draws what the network draws.

    Args:
        weights: ``ema``, the moving average, or ``generator``, as the last step left it.
        float16: store the weights in half the bytes.

    Raises:
        UserError: the file's images differ from the network's, or it cannot be written; nothing
            is written then.
    """
    network = loop.make_generator(source.recipe, mx.cpu())
    checkpoint.set_network_arrays(network, checkpoint.part_of(source.arrays, weights))
    metadata = _metadata(source)
    latents = verify.parity_latents(metadata)
    model = to_model(network, metadata)
    verify.check_structure(model)
    with atomic_write(output) as temporary:
        onnx.save(model, str(temporary))
        parity = verify.check_parity(temporary, network, latents)
        float16_loss = None
        if float16:
            exact = verify.model_images(temporary, latents)
            model = store_float16.rewrite(model)
            verify.check_structure(model)
            onnx.save(model, str(temporary))
            float16_loss = verify.compare(verify.model_images(temporary, latents), exact)
    return Exported(parity, float16_loss)


def to_model(network: HybridBlock, metadata: ModelMetadata) -> onnx.ModelProto:
    """The ONNX model of a Gluon generator, rewritten and described for the runtime."""
    model = _translate(network, metadata.latent_size)
    model = constant_initializers.rewrite(model)
    model = fold_batch_norm.rewrite(model)
    model = readable_names.rewrite(model, network.prefix)
    return _describe(model, metadata)


def _translate(network: HybridBlock, latent_size: int) -> onnx.ModelProto:
    """What mxnet's own exporter makes of a network; it can only write to a file."""
    symbol = network(mx.sym.var(readable_names.INPUT))
    arrays = {name: item.data() for name, item in network.collect_params().items()}
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder) / "raw.onnx")
        mx.onnx.export_model(
            symbol,
            arrays,
            [(1, latent_size)],
            onnx_file_path=path,
            dynamic=True,
            dynamic_input_shapes=[("batch", latent_size)],
        )
        return onnx.load(path)


def _describe(model: onnx.ModelProto, metadata: ModelMetadata) -> onnx.ModelProto:
    """Write down opset, output shape and all that the runtime must know."""
    model.opset_import[0].version = OPSET
    model.ir_version = IR_VERSION
    model.producer_name = "edgegan"
    model.graph.name = metadata.recipe
    shape: list[str | int | None] = ["batch", 3, metadata.image_size, metadata.image_size]
    output = onnx.helper.make_tensor_value_info(
        readable_names.OUTPUT, onnx.TensorProto.FLOAT, shape
    )
    model.graph.output[0].CopyFrom(output)
    onnx.helper.set_model_props(model, metadata.to_strings())
    return model


def _metadata(source: Checkpoint) -> ModelMetadata:
    recipe = source.recipe
    return ModelMetadata(
        recipe=recipe.name,
        objective=recipe.objective.name,
        latent_size=recipe.input_size,
        latent_distribution=recipe.latent.distribution,
        image_size=recipe.image_size,
        value_range=VALUE_RANGES[recipe.value_range],
        images_seen=source.facts["images_seen"],
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m export.to_onnx",
        description="Export a trained generator as one ONNX file, verified against the network.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("run", help="folder of a run (its best checkpoint), or a checkpoint")
    parser.add_argument("-o", "--output", required=True, help="the .onnx file to write")
    parser.add_argument(
        "--weights",
        choices=("ema", "generator"),
        default="ema",
        help="the moving average (default), or the generator as the last step left it",
    )
    parser.add_argument("--float16", action="store_true", help="store weights in half the bytes")
    add_debug_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
