"""Every architecture that there is becomes an ONNX file that computes what its network does."""

from __future__ import annotations

from pathlib import Path

import mxnet as mx
import numpy as np
import onnxruntime
import pytest
from mxnet import autograd
from mxnet.gluon import HybridBlock, nn

from edgegan.__main__ import main
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.run_folder import LAST
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.loop import Training
from training_help import EVERY_DISCRIMINATOR, EVERY_GENERATOR, tiny_recipe


def forget(layer: HybridBlock) -> None:
    """Let a batch norm take the statistics of one batch for those in use."""
    if isinstance(layer, nn.BatchNorm):
        layer._kwargs["momentum"] = 0.0


def saved(folder: Path, *overrides: str) -> Training:
    """A training saved as a run's last, whose generator has the statistics of what it draws."""
    first, training = (
        Training(tiny_recipe("dcgan", *overrides), 0, mx.cpu(), pictures=100) for _ in range(2)
    )
    random = np.random.default_rng(0)
    weights = first.average.collect_params(".*weight")
    weights.update(first.discriminator.collect_params(".*weight"))
    for parameter in weights.values():
        deviation = np.prod(parameter.shape[1:]) ** -0.5
        parameter.set_data(random.normal(0, deviation, parameter.shape).astype(np.float32))
    first.average.apply(forget)
    with autograd.record():
        images = first.average(
            mx.nd.array(draw_latents(0, 16, training.recipe.input_size, "normal"))
        )
    images.backward()  # which is when mxnet takes the statistics, and nothing waits for it
    mx.nd.waitall()
    training.set_state(1, first.state())
    facts = {"step": 1, "seed": 0, "images_seen": 4, "pictures": 9, "minutes": 1.0}
    folder.mkdir()
    Checkpoint(training.recipe, facts, training.state()).save(folder / LAST)
    return training


def run(model: Path, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


@pytest.mark.parametrize("network", EVERY_GENERATOR)
def test_every_generator_is_exported(network: str, tmp_path: Path) -> None:
    overrides = [f"generator.network={network}", "image_size=32", "generator.width=8"]
    training = saved(tmp_path / "run", *overrides)
    latents = draw_latents(3, 5, training.recipe.input_size, "normal")
    expected, model = training.images(latents), tmp_path / "model.onnx"
    assert expected.std() > 0.02  # a grey picture would agree with everything
    for level in "012":
        arguments = ["export", str(tmp_path / "run"), "-o", str(model), "--optimize", level]
        assert main(arguments) == 0
        found = run(model, latents)
        if level == "2":
            levels = to_bytes(expected, (-1.0, 1.0)).astype(int)
            assert np.abs(found.astype(int) - levels).max() <= 1
        else:
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("network", EVERY_DISCRIMINATOR)
def test_every_discriminator_that_scores_pictures_is_exported(network: str, tmp_path: Path) -> None:
    if EVERY_DISCRIMINATOR[network].scores_batches:
        pytest.skip("it scores no single pictures")
    training = saved(tmp_path / "run", f"discriminator.network={network}", "image_size=32")
    pictures = np.random.default_rng(1).uniform(-1, 1, (5, 3, 32, 32)).astype(np.float32)
    scores = training.discriminator(mx.nd.array(pictures)).asnumpy().reshape(5, -1).mean(axis=1)
    assert np.abs(scores).min() > 1e-3
    model = tmp_path / "model.onnx"
    for level in "012":
        arguments = ["export", str(tmp_path / "run"), "-o", str(model), "--part", "discriminator"]
        assert main([*arguments, "--optimize", level]) == 0
        np.testing.assert_allclose(run(model, pictures), scores, rtol=1e-4, atol=1e-5)
