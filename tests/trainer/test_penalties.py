"""The penalties against their papers' formulas and PyTorch's double backward."""

from __future__ import annotations

from typing import Any

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import HybridBlock, nn

from edgegan.runtime.latent import Stream, philox
from edgegan.trainer import plugins
from edgegan.trainer.layers import Reshape
from edgegan.trainer.loop import Training
from edgegan.trainer.networks.dcgan import DcganDiscriminator
from edgegan.trainer.optimizer import trained_parameters
from edgegan.trainer.penalties import Penalty
from edgegan.trainer.turn import Turn
from training_help import random_batches, tiny_recipe

PENALTIES = plugins.find("edgegan.trainer.penalties", Penalty)
COUNT, SIZE = 5, 16


def critic() -> HybridBlock:
    """A small critic with random weights and biases, gradients of 0."""
    made = DcganDiscriminator(4, norm="none").build(SIZE)
    made.initialize()
    random = np.random.default_rng(0)
    for parameter in trained_parameters(made):
        parameter.set_data(random.normal(0, 0.2, parameter.shape).astype(np.float32))
        parameter.zero_grad()
    return made


def pictures(seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(-1, 0.5, (COUNT, 3, SIZE, SIZE)).astype(np.float32)


def draws() -> np.random.Generator:
    return philox(0, Stream.OBJECTIVE, 0)


def turn(network: HybridBlock) -> Turn:
    real, generated = (mx.nd.array(pictures(seed)) for seed in (1, 2))
    return Turn(network, real, generated, False, draws(), {}, half_range=1, negatives=None)


def penalised(penalty: Penalty, network: HybridBlock) -> float:
    """The penalty's value, its gradients being the network's."""
    shown = turn(network)
    with autograd.record():
        value = penalty.value(shown)
    value.backward()
    shown.gather_gradients()
    assert value.shape == (1,)
    return float(value.asscalar())


@pytest.mark.parametrize("name", PENALTIES)
def test_a_penalty_is_the_same_of_the_same_pictures_in_either_range(name: str) -> None:
    """A critic of pictures in [0, 1] that first makes them [-1, 1] has the same slopes."""
    values = []
    for half_range in (1.0, 0.5):
        network = nn.HybridSequential()
        network.add(nn.Flatten(), nn.Dense(6), nn.LeakyReLU(0.2), nn.Dense(1), Reshape((-1,)))
        network.initialize()
        shown = [mx.nd.array(half_range * pictures(seed) + 1 - half_range) for seed in (1, 2)]
        network(shown[0])
        random = np.random.default_rng(0)
        first, *others = trained_parameters(network)
        weight = random.normal(0, 0.2, first.shape)
        first.set_data(weight / half_range)
        for parameter in others:
            parameter.set_data(random.normal(0, 0.2, parameter.shape))
        bias = network[1].bias
        offset = (1 - half_range) / half_range * weight.sum(axis=1)
        bias.set_data(bias.data() - mx.nd.array(offset))
        turn = Turn(network, *shown, False, draws(), {}, half_range, negatives=None)
        with autograd.record():
            values.append(float(PENALTIES[name]().value(turn).asscalar()))
    assert values[1] == pytest.approx(values[0], rel=1e-4)


def slopes(network: HybridBlock, at: np.ndarray, torch: Any) -> tuple[Any, dict[str, Any]]:
    """Each picture's gradient as PyTorch has it, (N, 3 S S), and the weights it depends on."""
    weights = {
        parameter.name: torch.tensor(parameter.data().asnumpy(), requires_grad=True)
        for parameter in trained_parameters(network)
    }
    x = shown = torch.tensor(at, requires_grad=True)
    for layer in network:
        if hasattr(layer, "weight"):
            of = weights[layer.weight.name], weights[layer.bias.name]
            options = layer._kwargs
            x = torch.nn.functional.conv2d(x, *of, options["stride"], options["pad"])
        elif hasattr(layer, "_alpha"):
            x = torch.nn.functional.leaky_relu(x, layer._alpha)
    (gradient,) = torch.autograd.grad(x.sum(), shown, create_graph=True)
    return gradient.reshape(COUNT, -1), weights


def between() -> np.ndarray:
    share = draws().random((COUNT, 1, 1, 1)).astype(np.float32)
    return share * pictures(1) + (1 - share) * pictures(2)


def perturbed() -> np.ndarray:
    real, random = pictures(1), draws()
    noise = random.random(real.shape, dtype=np.float32)
    share = random.random((COUNT, 1, 1, 1), dtype=np.float32)
    return real + share * (0.5 * real.std() * noise)


@pytest.mark.parametrize(
    ("name", "at", "formula"),
    [
        ("gradient", between, lambda slope: ((slope.norm(dim=1) - 1) ** 2).mean()),
        ("r1", lambda: pictures(1), lambda slope: (slope**2).sum(dim=1).mean() / 2),
        ("dragan", perturbed, lambda slope: ((slope.norm(dim=1) - 1) ** 2).mean()),
    ],
)
def test_value_and_gradients_are_those_of_pytorch(name: str, at: Any, formula: Any) -> None:
    torch = pytest.importorskip("torch")
    network = critic()
    slope, weights = slopes(network, at(), torch)
    expected = formula(slope)
    expected.backward()
    assert penalised(PENALTIES[name](), network) == pytest.approx(expected.item(), rel=1e-5)
    for parameter in trained_parameters(network):
        found, gradient = parameter.grad().asnumpy(), weights[parameter.name].grad
        gradient = np.zeros_like(found) if gradient is None else gradient.numpy()
        scale = np.abs(gradient).max()
        assert scale > 0 or parameter.name.endswith("bias")
        np.testing.assert_allclose(found, gradient, rtol=0, atol=1e-5 * scale + 1e-12)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_small_step_against_the_gradients_lowers_a_penalty_as_far_as_they_say(name: str) -> None:
    penalty, network = PENALTIES[name](), critic()
    before = penalised(penalty, network)
    length = sum(float(p.grad().square().sum().asscalar()) for p in trained_parameters(network))
    step = 0.01 * before / length
    for parameter in trained_parameters(network):
        parameter.set_data(parameter.data() - step * parameter.grad())
    assert before - penalised(penalty, network) == pytest.approx(step * length, rel=0.1)


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("weight", [0, -1, float("nan"), float("inf")])
def test_an_impossible_weight_is_refused(name: str, weight: float) -> None:
    with pytest.raises(ValueError, match=r"penalty\.weight is .*, expected a positive number"):
        PENALTIES[name](weight=weight)


@pytest.mark.parametrize("name", PENALTIES)
def test_a_discriminator_whose_second_derivative_is_not_known_is_refused(name: str) -> None:
    penalty = PENALTIES[name]()
    penalty.check(DcganDiscriminator(4, norm="none").build(SIZE))
    with pytest.raises(ValueError, match=f"penalty {name} does not fit .* BatchNorm"):
        penalty.check(DcganDiscriminator(4, norm="batch").build(SIZE))


@pytest.mark.parametrize("name", PENALTIES)
def test_a_critic_that_is_flat_has_finite_gradients(name: str) -> None:
    network = critic()
    for parameter in trained_parameters(network):
        parameter.set_data(mx.nd.zeros(parameter.shape))
    assert np.isfinite(penalised(PENALTIES[name](), network))
    for parameter in trained_parameters(network):
        assert np.isfinite(parameter.grad().asnumpy()).all()


def test_training_with_a_large_gradient_penalty_brings_the_critics_slope_to_one() -> None:
    recipe = tiny_recipe(
        "wgan",
        "objective.clip=null",
        "penalty={name: gradient, weight: 1000}",
        "discriminator.norm=none",
        "discriminator.width=8",
        "discriminator.optimizer={name: adam, learning_rate: 3e-3, beta1: 0, beta2: 0.9}",
        "image_size=16",
        "batch_size=8",
    )
    training = Training(recipe, 0, mx.cpu(), pictures=100)
    random = np.random.default_rng(5)

    def slopes() -> np.ndarray:
        """Norms of the gradient between real and generated pictures, as mxnet computes it."""
        real = next(random_batches(recipe, seed=6))
        generated = training.images(random.standard_normal((8, recipe.input_size)))
        share = random.random((8, 1, 1, 1))
        between = mx.nd.array(share * real + (1 - share) * generated)
        between.attach_grad()
        with autograd.record():
            scores = training.discriminator(between).sum()
        (gradient,) = autograd.grad(scores, [between])
        return np.linalg.norm(gradient.asnumpy().reshape(8, -1), axis=1)

    assert np.abs(slopes() - 1).min() > 0.5
    batches = random_batches(recipe)
    for _ in range(30):
        result = training.step(batches)
    np.testing.assert_allclose(slopes(), 1, atol=0.2)
    # The penalty is told apart from the loss, which is the difference of the scores.
    difference = result.generated_score - result.real_score
    assert result.discriminator_loss == pytest.approx(difference, abs=1e-6)
    assert 0 < result.by_name["gradient_penalty"] < 1000 * 0.2**2


@pytest.mark.parametrize("mixed", [False, True])
def test_pictures_are_scored_apart_or_in_one_batch(mixed: bool) -> None:
    network, sizes = critic(), []
    network.register_forward_pre_hook(lambda block, arrays: sizes.append(len(arrays[0])))
    both = mx.nd.zeros((2, 3, 16, 16)), mx.nd.ones((3, 3, 16, 16))
    shown = Turn(network, *both, mixed, draws(), {}, half_range=1, negatives=None)
    scores = shown.generated_scores, shown.real_scores, shown.generated_scores
    assert [len(each) for each in scores] == [3, 2, 3]
    assert sizes == ([5] if mixed else [3, 2])
    np.testing.assert_allclose(scores[0].asnumpy(), network(shown.generated).asnumpy(), rtol=1e-5)
