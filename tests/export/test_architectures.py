"""Every architecture that there is becomes an ONNX file that computes what its network does."""

from __future__ import annotations

from pathlib import Path

import mxnet as mx
import numpy as np
import onnxruntime
import pytest
from mxnet import autograd

from edgegan.__main__ import main
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.run_folder import LAST
from edgegan.trainer import networks
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.loop import Training
from training_help import tiny_recipe


def saved(folder: Path, *overrides: str) -> Training:
    """A training saved as a run's last, whose generator has the statistics of what it draws."""
    first, training = (
        Training(tiny_recipe("dcgan", *overrides), 0, mx.cpu(), pictures=100) for _ in range(2)
    )
    random = np.random.default_rng(0)
    for parameter in first.average.collect_params(".*weight").values():
        deviation = np.prod(parameter.shape[1:]) ** -0.5
        parameter.set_data(random.normal(0, deviation, parameter.shape).astype(np.float32))
    latents = mx.nd.array(draw_latents(0, 16, training.recipe.input_size, "normal"))
    for _ in range(30):  # of what it had before, 4 % are left
        with autograd.record():
            images = first.average(latents)
        images.backward()  # which is when mxnet moves them
    training.set_state(1, first.state())
    facts = {"step": 1, "seed": 0, "images_seen": 4, "pictures": 9, "minutes": 1.0}
    folder.mkdir()
    Checkpoint(training.recipe, facts, training.state()).save(folder / LAST)
    return training


def run(model: Path, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


@pytest.mark.parametrize("network", networks.find("generator"))
def test_every_generator_is_exported(network: str, tmp_path: Path) -> None:
    overrides = [f"generator.network={network}", "image_size=32", "generator.width=8"]
    training = saved(tmp_path / "run", *overrides)
    latents = draw_latents(3, 5, training.recipe.input_size, "normal")
    expected, model = training.images(latents), tmp_path / "model.onnx"
    assert expected.std() > 1e-3
    for level in "012":
        arguments = ["export", str(tmp_path / "run"), "-o", str(model), "--optimize", level]
        assert main(arguments) == 0
        found = run(model, latents)
        if level == "2":
            levels = to_bytes(expected, (-1.0, 1.0)).astype(int)
            assert np.abs(found.astype(int) - levels).max() <= 1
        else:
            np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("network", networks.find("discriminator"))
def test_every_discriminator_that_scores_pictures_is_exported(network: str, tmp_path: Path) -> None:
    if networks.find("discriminator")[network].scores_batches:
        pytest.skip("it scores no single pictures")
    training = saved(tmp_path / "run", f"discriminator.network={network}", "image_size=32")
    pictures = np.random.default_rng(1).uniform(-1, 1, (5, 3, 32, 32)).astype(np.float32)
    scores = training.discriminator(mx.nd.array(pictures)).asnumpy().reshape(5, -1).mean(axis=1)
    model = tmp_path / "model.onnx"
    for level in "012":
        arguments = ["export", str(tmp_path / "run"), "-o", str(model), "--part", "discriminator"]
        assert main([*arguments, "--optimize", level]) == 0
        np.testing.assert_allclose(run(model, pictures), scores, rtol=1e-4, atol=1e-5)
