"""The losses against the sources' formulas, and the critic's bounds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as st_numpy
from mxnet import autograd
from mxnet.gluon import nn

from edgegan.runtime.latent import Stream, philox
from edgegan.trainer import plugins
from edgegan.trainer.loop import Training
from edgegan.trainer.objectives import Objective
from edgegan.trainer.objectives.minimax import softplus
from edgegan.trainer.recipe import Recipe
from edgegan.trainer.turn import Turn
from training_help import random_batches, tiny_recipe

OBJECTIVES = plugins.find("edgegan.trainer.objectives", Objective)
IDENTITY = nn.HybridSequential()
ELEMENTS = st.floats(-8, 8, width=32, allow_subnormal=False)
SCORES = st_numpy.arrays(np.float32, st.integers(1, 20), elements=ELEMENTS)
# Of whole pictures, (N,), or of their patches, (N, P).
ALL_SCORES = st_numpy.arrays(
    np.float32, st_numpy.array_shapes(min_dims=1, max_dims=2, max_side=6), elements=ELEMENTS
)
EXTREME = np.array([-1000, 1000, 0, -100, 100], dtype=np.float32)


def sigmoid(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-logits.astype(np.float64)))


def turn(
    objective: Objective,
    real: np.ndarray | mx.nd.NDArray,
    generated: np.ndarray | mx.nd.NDArray,
    seed: int = 0,
    memory: dict[str, float] | None = None,
) -> Turn:
    """An update whose pictures are their own scores."""
    pictures = [
        mx.nd.array(each) if isinstance(each, np.ndarray) else each for each in (real, generated)
    ]
    draws = philox(seed, Stream.OBJECTIVE, 0)
    memory = objective.first_memory() if memory is None else memory
    return Turn(
        IDENTITY, *pictures, False, draws=draws, memory=memory, half_range=1, negatives=None
    )


def losses(objective: Objective, *scores: np.ndarray, **options: object) -> tuple[float, float]:
    """Those of the discriminator and of the generator for real and generated scores."""
    of = objective.discriminator_loss, objective.generator_loss
    discriminator, generator = (number(each(turn(objective, *scores, **options))) for each in of)
    return discriminator, generator


def labels_of(objective: Objective, count: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """The labels that real and generated pictures were given.

    At a score of 0 a label y has the gradient sigmoid(0) - y, divided by the number of pictures.
    """
    scores = mx.nd.zeros(count), mx.nd.zeros(count)
    for each in scores:
        each.attach_grad()
    with autograd.record():
        value = objective.discriminator_loss(turn(objective, *scores, seed=seed))
    value.backward()
    real, generated = (0.5 - count * each.grad.asnumpy() for each in scores)
    return real, generated


def number(loss: mx.nd.NDArray) -> float:
    assert loss.shape == (1,)
    return float(loss.asscalar())


@settings(deadline=None)
@given(SCORES, SCORES)
def test_the_minimax_discriminator_loss_is_that_of_the_paper(
    real: np.ndarray, generated: np.ndarray
) -> None:
    expected = -np.log(sigmoid(real)).mean() - np.log(1 - sigmoid(generated)).mean()
    for name in ("minimax", "non_saturating"):
        objective = OBJECTIVES[name]()
        found, _ = losses(objective, real, generated)
        assert found == pytest.approx(expected, rel=1e-5, abs=1e-6)


@settings(deadline=None)
@given(SCORES)
def test_the_generator_losses_are_those_of_the_paper(generated: np.ndarray) -> None:
    expected = {
        "minimax": np.log(1 - sigmoid(generated)).mean(),
        "non_saturating": -np.log(sigmoid(generated)).mean(),
    }
    for name, value in expected.items():
        _, found = losses(OBJECTIVES[name](), generated, generated)
        assert found == pytest.approx(value, rel=1e-5, abs=1e-6)


@settings(deadline=None)
@given(SCORES, SCORES)
def test_the_wasserstein_losses_are_differences_of_means(
    real: np.ndarray, generated: np.ndarray
) -> None:
    objective = OBJECTIVES["wasserstein"]()
    critic = generated.astype(np.float64).mean() - real.astype(np.float64).mean()
    discriminator, generator = losses(objective, real, generated)
    assert discriminator == pytest.approx(critic, abs=1e-5)
    assert generator == pytest.approx(-generated.astype(np.float64).mean(), abs=1e-5)


@settings(deadline=None)
@given(ALL_SCORES, ALL_SCORES, st.tuples(ELEMENTS, ELEMENTS, ELEMENTS))
def test_the_least_squares_losses_are_those_of_the_paper(
    real: np.ndarray, generated: np.ndarray, targets: tuple[float, float, float]
) -> None:
    a, b, c = targets
    objective = OBJECTIVES["least_squares"](a=a, b=b, c=c)
    x, y = real.astype(np.float64), generated.astype(np.float64)
    expected = ((x - b) ** 2).mean() / 2 + ((y - a) ** 2).mean() / 2
    discriminator, generator = losses(objective, real, generated)
    assert discriminator == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert generator == pytest.approx(((y - c) ** 2).mean() / 2, rel=1e-5, abs=1e-6)


def test_least_squares_tells_real_from_generated_by_one_and_zero() -> None:
    objective = OBJECTIVES["least_squares"]()
    assert (objective.a, objective.b, objective.c) == (0, 1, 1)


@settings(deadline=None)
@given(ALL_SCORES, ALL_SCORES)
def test_the_hinge_losses_are_those_of_the_paper(real: np.ndarray, generated: np.ndarray) -> None:
    objective = OBJECTIVES["hinge"]()
    x, y = real.astype(np.float64), generated.astype(np.float64)
    expected = -np.minimum(0, -1 + x).mean() - np.minimum(0, -1 - y).mean()
    discriminator, generator = losses(objective, real, generated)
    assert discriminator == pytest.approx(expected, rel=1e-5, abs=1e-6)
    assert generator == pytest.approx(-y.mean(), rel=1e-5, abs=1e-6)


@settings(deadline=None)
@given(ALL_SCORES, ALL_SCORES)
def test_the_relativistic_losses_are_those_of_pytorch(
    real: np.ndarray, generated: np.ndarray
) -> None:
    torch = pytest.importorskip("torch")
    x, y = torch.tensor(real).double(), torch.tensor(generated).double()

    def hinge(higher: Any, lower: Any) -> float:
        above, below = higher - torch.mean(lower), lower - torch.mean(higher)
        return (torch.relu(1 - above).mean() + torch.relu(1 + below).mean()).item()

    discriminator, generator = losses(OBJECTIVES["relativistic"](), real, generated)
    assert discriminator == pytest.approx(hinge(x, y), rel=1e-5, abs=1e-5)
    assert generator == pytest.approx(hinge(y, x), rel=1e-5, abs=1e-5)


@settings(deadline=None)
@given(SCORES, SCORES, st.floats(0, 1, allow_subnormal=False))
def test_the_boundary_equilibrium_losses_are_those_of_the_paper(
    real: np.ndarray, generated: np.ndarray, k: float
) -> None:
    objective = OBJECTIVES["boundary_equilibrium"]()
    memory = {"k": k, "convergence": 0}
    expected = real.astype(np.float64).mean() - k * generated.astype(np.float64).mean()
    discriminator, generator = losses(objective, real, generated, memory=memory)
    assert discriminator == pytest.approx(expected, rel=1e-5, abs=1e-5)
    assert generator == pytest.approx(generated.astype(np.float64).mean(), rel=1e-5, abs=1e-6)


@given(
    st.lists(st.tuples(st.floats(0, 2), st.floats(0, 2)), min_size=1, max_size=60),
    st.floats(0, 1),
    st.sampled_from([1e-3, 0.1, 0.9]),
)
def test_k_and_convergence_follow_the_formulas_of_the_report(
    errors: list[tuple[float, float]], gamma: float, gain: float
) -> None:
    objective = OBJECTIVES["boundary_equilibrium"](gamma=gamma, proportional_gain=gain)
    memory, k = objective.first_memory(), 0.0
    assert memory["k"] == 0
    for real, generated in errors:
        memory = objective.next_memory(memory, real, generated)
        k = float(np.clip(k + gain * (gamma * real - generated), 0, 1))
        assert memory["k"] == pytest.approx(k, abs=1e-12)
        assert 0 <= memory["k"] <= 1
        convergence = real + abs(gamma * real - generated)
        assert memory["convergence"] == pytest.approx(convergence, abs=1e-12)


def test_k_grows_while_generated_pictures_are_rebuilt_too_well_and_rests_at_the_balance() -> None:
    objective = OBJECTIVES["boundary_equilibrium"]()
    assert (objective.gamma, objective.proportional_gain) == (0.7, 1e-3)
    memory = objective.first_memory()
    for _ in range(100):
        memory = objective.next_memory(memory, 0.2, 0.04)
    assert memory["k"] == pytest.approx(100 * 1e-3 * (0.14 - 0.04))
    assert objective.next_memory(memory, 0.2, 0.14)["k"] == pytest.approx(memory["k"])
    assert objective.next_memory(memory, 0.2, 0.2)["k"] < memory["k"]


@settings(deadline=None)
@given(SCORES, SCORES, st.floats(0, 1), st.floats(0, 1))
def test_soft_labels_weigh_both_logarithms(
    real: np.ndarray, generated: np.ndarray, high: float, low: float
) -> None:
    objective = OBJECTIVES["minimax"](real_labels=(high, high), generated_labels=(low, low))
    p, q = sigmoid(real), sigmoid(generated)
    expected = -(high * np.log(p) + (1 - high) * np.log(1 - p)).mean()
    expected -= (low * np.log(q) + (1 - low) * np.log(1 - q)).mean()
    found, _ = losses(objective, real, generated)
    assert found == pytest.approx(expected, rel=1e-5, abs=1e-5)


@pytest.mark.parametrize("shape", [(7,), (7, 3)])
def test_plain_labels_leave_the_loss_as_it_was_bit_for_bit(shape: tuple[int, ...]) -> None:
    random = np.random.default_rng(0)
    real, generated = (random.normal(0, 3, shape).astype(np.float32) for _ in range(2))
    scores = mx.nd.array(real), mx.nd.array(generated)
    plain = softplus(-scores[0]).mean() + softplus(scores[1]).mean()
    for name in ("minimax", "non_saturating"):
        assert losses(OBJECTIVES[name](), real, generated)[0] == float(plain.asscalar())


def test_noisy_labels_are_uniform_and_a_share_of_them_is_flipped() -> None:
    count, flipped = 20_000, 0.1
    high, low = (0.7, 1.2), (0.0, 0.3)
    real, generated = labels_of(OBJECTIVES["minimax"](high, low, flipped), count)
    error = 5 * np.sqrt(flipped * (1 - flipped) / count)
    for labels, own, other in ((real, high, low), (generated, low, high)):
        is_flipped = (labels > 0.5) != (own == high)
        assert is_flipped.mean() == pytest.approx(flipped, abs=error)
        for drawn, (least, greatest) in ((labels[~is_flipped], own), (labels[is_flipped], other)):
            quantiles = np.quantile(drawn, np.linspace(0, 1, 11))
            np.testing.assert_allclose(quantiles, np.linspace(least, greatest, 11), atol=0.02)
            assert least - 1e-4 <= drawn.min()
            assert drawn.max() <= greatest + 1e-4


def test_flips_and_labels_of_real_and_generated_pictures_are_drawn_apart() -> None:
    real, generated = labels_of(OBJECTIVES["minimax"]((0.7, 1.2), (0.7, 1.2), 0.5), 10_000)
    assert abs(np.corrcoef(real, generated)[0, 1]) < 0.05


def test_the_draws_of_labels_are_those_of_the_update_alone() -> None:
    objective = OBJECTIVES["minimax"]((0.7, 1.2), (0.0, 0.3), 0.1)
    one, again, other = (labels_of(objective, 50, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, again)
    assert (one[0] != other[0]).all()


def test_all_patches_of_a_picture_have_its_label() -> None:
    objective = OBJECTIVES["minimax"]((0.7, 1.2), (0.0, 0.3), 0.1)
    patches = mx.nd.zeros((8, 5))
    patches.attach_grad()
    with autograd.record():
        value = objective.discriminator_loss(turn(objective, patches, mx.nd.zeros((8, 5))))
    value.backward()
    labels = 0.5 - 40 * patches.grad.asnumpy()
    np.testing.assert_allclose(labels, np.repeat(labels[:, :1], 5, axis=1), atol=1e-5)
    assert len(np.unique(labels[:, 0].round(4))) == 8


@pytest.mark.parametrize("name", OBJECTIVES)
def test_the_loss_of_patches_is_that_of_as_many_pictures(name: str) -> None:
    objective = OBJECTIVES[name]()
    random = np.random.default_rng(1)
    real, generated = (random.normal(0, 2, (4, 6)).astype(np.float32) for _ in range(2))
    flat = losses(objective, real.ravel(), generated.ravel())
    assert losses(objective, real, generated) == pytest.approx(flat, rel=1e-6)


@pytest.mark.parametrize("name", OBJECTIVES)
def test_losses_and_gradients_are_finite_for_extreme_scores(name: str) -> None:
    objective = OBJECTIVES[name]()
    real, generated = mx.nd.array(EXTREME), mx.nd.array(EXTREME[::-1].copy())
    real.attach_grad()
    generated.attach_grad()
    for loss in (objective.discriminator_loss, objective.generator_loss):
        with autograd.record():
            value = loss(turn(objective, real, generated))
        value.backward()
        assert np.isfinite(value.asnumpy()).all()
        assert np.isfinite(real.grad.asnumpy()).all()
        assert np.isfinite(generated.grad.asnumpy()).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_real_pictures_are_scored_for_the_generator_only_where_its_loss_needs_them(
    name: str,
) -> None:
    objective = OBJECTIVES[name]()
    random = np.random.default_rng(2)
    generated, *real = random.normal(0, 2, (3, 5)).astype(np.float32)
    turns = [turn(objective, each, generated) for each in real]
    one, other = (number(objective.generator_loss(each)) for each in turns)
    assert ("real_scores" in vars(turns[0])) == (one != other)


def test_clipping_can_be_left_out() -> None:
    parameters = nn.Dense(2, in_units=3).collect_params()
    parameters.initialize(mx.init.One())
    OBJECTIVES["wasserstein"](clip=None).constrain(parameters.values())
    assert (parameters.get("weight").data().asnumpy() == 1).all()


def test_only_the_generators_gradient_of_minimax_vanishes_where_the_discriminator_is_sure() -> None:
    gradients = {}
    for name in ("minimax", "non_saturating"):
        scores = mx.nd.array([-20.0])
        scores.attach_grad()
        with autograd.record():
            value = OBJECTIVES[name]().generator_loss(turn(OBJECTIVES[name](), scores, scores))
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


@pytest.mark.parametrize("name", ["hinge", "least_squares", "minimax", "wasserstein"])
@settings(deadline=None, max_examples=20)
@given(ALL_SCORES, ALL_SCORES, ALL_SCORES)
def test_pictures_that_are_not_real_cost_what_generated_ones_cost(
    name: str, real: np.ndarray, generated: np.ndarray, others: np.ndarray
) -> None:
    objective = OBJECTIVES[name]()
    assert objective.allows_negatives
    losses_of = [losses(objective, real, scores)[0] for scores in (generated, others)]
    alone = [number(objective.generated_loss(mx.nd.array(each))) for each in (generated, others)]
    assert losses_of[0] - losses_of[1] == pytest.approx(alone[0] - alone[1], abs=1e-4)
