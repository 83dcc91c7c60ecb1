"""Translation: a network of a checkpoint as an ONNX model, and examples of what it gives.

This and ``translations`` are all of the exporter that needs mxnet.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx

from edgegan.export import examples, translations
from edgegan.export.examples import CONDITION, INPUT, Inputs
from edgegan.export.passes import readable_names
from edgegan.export.pipeline import OUTPUT, Original
from edgegan.runtime.metadata import DISCRIMINATOR, GENERATOR, ModelMetadata
from edgegan.trainer import checkpoint, loop
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.framework import HybridBlock, mx
from edgegan.trainer.recipe import VALUE_RANGES, AnyRecipe
from edgegan.trainer.standing import training_pictures

WEIGHTS = ("ema", "generator")
NAME = "the network"  # in sentences


def generator_of(source: Checkpoint, path: Path, weights: str) -> Original:
    """A checkpoint's generator: float32 (N, latent_size) to (N, 3, S, S) in the value range.

    Args:
        path: of the checkpoint, to be named in errors.
        weights: ``ema``, the moving average, or ``generator``, as the last step left it.

    Raises:
        UserError: what a student's checkpoint says of its teacher is malformed.
    """
    network = loop.make_generator(source.recipe, mx.cpu(), checkpoint.words_of(source))
    checkpoint.set_network_arrays(network, checkpoint.part_of(source.arrays, weights))
    return generator(network, _metadata(source, path, GENERATOR))


def generator(network: HybridBlock, metadata: ModelMetadata) -> Original:
    """A generator with its weights: float32 (N, latent_size) to (N, 3, S, S) in the value range.

    One that takes words, which the metadata then names, takes conditions beside the latents.
    """
    inputs = examples.parity_latents(metadata)
    (symbol,), (images,) = _symbols(network, inputs), _arrays(network, inputs)
    return _original(network, symbol, metadata, inputs, images)


def discriminator_of(source: Checkpoint, path: Path) -> Original:
    """A checkpoint's discriminator: float32 (N, 3, S, S) in the value range to scores (N,).

    A score is the higher, the more real a picture looks; where the network judges patches, it is
    their mean. One that takes words takes conditions beside the pictures, and where it also tells
    the logarithm of how likely these are, that is added.

    Args:
        path: of the checkpoint, to be named in errors.

    Raises:
        UserError: it scores batches, not pictures.
    """
    checkpoint.check_scores_pictures(source, path)
    recipe = source.recipe
    network = loop.make_discriminator(recipe, mx.cpu(), checkpoint.words_of(source))
    checkpoint.set_network_arrays(network, checkpoint.part_of(source.arrays, DISCRIMINATOR))
    inputs = _drawn(generator_of(source, path, WEIGHTS[0]))
    scores, *likelihoods = _arrays(network, inputs)[:2]  # a twin's is of generated pictures alone
    symbol, *their_symbols = _symbols(network, inputs)[:2]
    if scores.ndim == 2:
        scores, symbol = scores.mean(axis=1), symbol.mean(axis=1, name="mean")
    with mx.name.Prefix("judged"):  # so that no name is one of the network's own
        if not recipe.objective.higher_is_real:
            scores, symbol = -scores, -symbol
        scores, symbol = sum(likelihoods, scores), sum(their_symbols, symbol)
    return _original(network, symbol, _metadata(source, path, DISCRIMINATOR), inputs, scores)


def _drawn(generator: Original) -> Inputs:
    """What a discriminator takes of a generator's examples: images, each with the same words."""
    others = {name: array for name, array in generator.inputs.items() if name == CONDITION}
    return {INPUT[DISCRIMINATOR]: generator.outputs, **others}


def _symbols(network: HybridBlock, inputs: Inputs) -> list[mx.sym.Symbol]:
    """What the Gluon network makes of inputs of these names, one for each of its outputs."""
    return _listed(network(*map(mx.sym.var, inputs)))


def _arrays(network: HybridBlock, inputs: Inputs) -> list[np.ndarray]:
    """What the Gluon network gives in use, float32 each."""
    return [made.asnumpy() for made in _listed(network(*map(mx.nd.array, inputs.values())))]


def _listed(made: Any) -> list[Any]:
    """The outputs of a Gluon network, which gives a single one by itself."""
    return list(made) if isinstance(made, (list, tuple)) else [made]


def _original(
    network: HybridBlock,
    symbol: mx.sym.Symbol,
    metadata: ModelMetadata,
    inputs: Inputs,
    outputs: np.ndarray,
) -> Original:
    """The ONNX model of a network, each layer by itself, valid and described for the runtime.

    Args:
        symbol: the file's output, of inputs called as in the file.
        inputs, outputs: what the network takes, and what it gives for that.
    """
    shapes = {name: array.shape[1:] for name, array in inputs.items()}
    model = translations.translate(network, symbol, shapes)
    model = readable_names.rewrite(model, network.prefix, OUTPUT[metadata.part])
    model.producer_name = "edgegan"
    model.graph.name = metadata.recipe
    shape: list[str | int | None] = ["batch", *outputs.shape[1:]]
    output = onnx.helper.make_tensor_value_info(
        OUTPUT[metadata.part], onnx.TensorProto.FLOAT, shape
    )
    model.graph.output[0].CopyFrom(output)
    onnx.helper.set_model_props(model, metadata.to_strings())
    return Original(NAME, model, metadata, inputs, outputs)


def _metadata(source: Checkpoint[AnyRecipe], path: Path, part: str) -> ModelMetadata:
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
        pictures=training_pictures(source, path),
        words=checkpoint.words_of(source),
    )
