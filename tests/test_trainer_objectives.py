"""The losses against the sources' formulas, and the critic's bounds."""

from __future__ import annotations

from collections.abc import Iterator

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from mxnet import autograd
from training_help import random_batches, tiny_recipe

from trainer.loop import Training
from trainer.objectives import Objective, Turn, find, names
from trainer.recipe import Recipe

SCORES = st_numpy.arrays(
    np.float32, st.integers(1, 20), elements=st.floats(-8, 8, width=32, allow_subnormal=False)
)
EXTREME = np.array([-1000, 1000, 0, -100, 100], dtype=np.float32)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def turn(objective: Objective) -> Turn:
    """An update of the discriminator of which the losses need randomness and memory only."""
    nothing = mx.nd.zeros((1,))
    draws = np.random.Generator(np.random.Philox(0))
    return Turn(mx.gluon.nn.HybridSequential(), nothing, nothing, draws, objective.first_memory())


def discriminator_loss(objective: Objective, real: np.ndarray, generated: np.ndarray) -> float:
    scores = mx.nd.array(real), mx.nd.array(generated)
    return loss(objective.discriminator_loss(*scores, turn(objective)))


def loss(value: mx.nd.NDArray) -> float:
    assert value.shape == (1,)
    return float(value.asscalar())


@settings(deadline=None)
@given(SCORES, SCORES)
def test_the_minimax_discriminator_loss_is_that_of_the_paper(
    real: np.ndarray, generated: np.ndarray
) -> None:
    expected = -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(generated)).mean()
    for name in ("minimax", "non_saturating"):
        objective = find(name)()
        found = discriminator_loss(objective, real, generated)
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


@settings(deadline=None)
@given(SCORES)
def test_the_generator_losses_are_those_of_the_paper(generated: np.ndarray) -> None:
    scores = mx.nd.array(generated)
    minimax = np.log(1 - sigmoid(generated)).mean()
    assert loss(find("minimax")().generator_loss(scores)) == pytest.approx(
        minimax, rel=1e-5, abs=1e-6
    )
    non_saturating = -np.log(sigmoid(generated)).mean()
    assert loss(find("non_saturating")().generator_loss(scores)) == pytest.approx(
        non_saturating, rel=1e-5, abs=1e-6
    )


@settings(deadline=None)
@given(SCORES, SCORES)
def test_the_wasserstein_losses_are_differences_of_means(
    real: np.ndarray, generated: np.ndarray
) -> None:
    objective = find("wasserstein")()
    critic = generated.astype(np.float64).mean() - real.astype(np.float64).mean()
    found = discriminator_loss(objective, real, generated)
    assert found == pytest.approx(critic, abs=1e-5)
    found = loss(objective.generator_loss(mx.nd.array(generated)))
    assert found == pytest.approx(-generated.astype(np.float64).mean(), abs=1e-5)


@pytest.mark.parametrize("name", names())
def test_losses_and_gradients_are_finite_for_extreme_scores(name: str) -> None:
    objective = find(name)()
    real, generated = mx.nd.array(EXTREME), mx.nd.array(EXTREME[::-1].copy())
    real.attach_grad()
    generated.attach_grad()
    for losses in (
        lambda: objective.discriminator_loss(real, generated, turn(objective)),
        lambda: objective.generator_loss(generated),
    ):
        with autograd.record():
            value = losses()
        value.backward()
        assert np.isfinite(value.asnumpy()).all()
        assert np.isfinite(real.grad.asnumpy()).all()
        assert np.isfinite(generated.grad.asnumpy()).all()


def test_only_the_generators_gradient_of_minimax_vanishes_where_the_discriminator_is_sure() -> None:
    gradients = {}
    for name in ("minimax", "non_saturating"):
        scores = mx.nd.array([-20.0])
        scores.attach_grad()
        with autograd.record():
            value = find(name)().generator_loss(scores)
        value.backward()
        gradients[name] = abs(float(scores.grad.asscalar()))
    assert gradients["minimax"] < 1e-8
    assert gradients["non_saturating"] == pytest.approx(1)


def test_every_critic_weight_is_in_bounds_after_each_of_its_steps() -> None:
    recipe = tiny_recipe("wgan", "image_size=16", "discriminator_steps=3")
    training = Training(recipe, 0, mx.cpu(), pictures=100)
    checks = 0

    def critic() -> dict[str, np.ndarray]:
        parameters = training.discriminator.collect_params().items()
        return {name: parameter.data().asnumpy() for name, parameter in parameters}

    def batches(recipe: Recipe) -> Iterator[np.ndarray]:
        nonlocal checks
        for number, batch in enumerate(random_batches(recipe)):
            if number:  # the critic's step on the batch before is over
                for name, array in critic().items():
                    if "running" not in name:
                        assert np.abs(array).max() <= np.float32(0.01), name
                checks += 1
            yield batch

    source = batches(recipe)
    training.step(source)
    training.step(source)
    assert checks == 5
    # Clipped for sure: batch norm starts at 1. Statistics and the generator are left alone.
    arrays = critic()
    assert arrays["discriminator_norm1_gamma"].max() == np.float32(0.01)
    assert arrays["discriminator_norm1_running_var"].max() > 0.01
    weights = training.generator.collect_params("generator_to_image_weight").values()
    assert max(np.abs(weight.data().asnumpy()).max() for weight in weights) > 0.01
