"""The optimizers against a transcription of their papers, and their state."""

from __future__ import annotations

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import HybridBlock, nn

from edgegan.trainer.optimizer import NetworkOptimizer, trained_parameters
from edgegan.trainer.optimizers import Optimizer
from edgegan.trainer.optimizers.adam import Adam
from edgegan.trainer.optimizers.rmsprop import RMSProp
from edgegan.trainer.optimizers.sgd import SGD
from edgegan.trainer.schedules import Pace
from edgegan.trainer.schedules.step import Step

STEPS = 30
ADAM = Adam(2e-3, beta1=0.5, beta2=0.99)
RMSPROP = RMSProp(5e-3, smoothing=0.9)
MOMENTUM = SGD(1e-2, momentum=0.8)
PLAIN = SGD(1e-2, momentum=0)


def network() -> HybridBlock:
    made = nn.HybridSequential()
    made.add(nn.Dense(4, in_units=3), nn.BatchNorm(in_channels=4))
    made.initialize()
    made(mx.nd.zeros((2, 3)))
    start = np.random.default_rng(1)
    for parameter in trained_parameters(made):
        parameter.set_data(start.normal(0, 1, parameter.shape).astype(np.float32))
    return made


def gradients(of: HybridBlock, step: int) -> list[np.ndarray]:
    draws = np.random.default_rng([7, step])
    return [
        draws.normal(0, 10.0 ** draws.integers(-4, 2), parameter.shape).astype(np.float32)
        for parameter in trained_parameters(of)
    ]


def train(of: HybridBlock, optimizer: NetworkOptimizer, first: int, last: int) -> list[np.ndarray]:
    for step in range(first, last):
        for parameter, gradient in zip(trained_parameters(of), gradients(of, step)):
            parameter.grad()[:] = gradient
        optimizer.step()
    return [parameter.data().asnumpy() for parameter in trained_parameters(of)]


def adam(weights: list[np.ndarray], of: HybridBlock) -> list[np.ndarray]:
    """Kingma & Ba 2015, algorithm 1, in the faster order of section 2 that mxnet has."""
    beta1, beta2, epsilon = 0.5, 0.99, 1e-8
    m = [np.zeros_like(weight) for weight in weights]
    v = [np.zeros_like(weight) for weight in weights]
    for t in range(1, STEPS + 1):
        rate = 2e-3 * np.sqrt(1 - beta2**t) / (1 - beta1**t)
        for k, gradient in enumerate(gradients(of, t - 1)):
            g = gradient.astype(np.float64)
            m[k] = beta1 * m[k] + (1 - beta1) * g
            v[k] = beta2 * v[k] + (1 - beta2) * g**2
            weights[k] = weights[k] - rate * m[k] / (np.sqrt(v[k]) + epsilon)
    return weights


def rmsprop(weights: list[np.ndarray], of: HybridBlock) -> list[np.ndarray]:
    """Tieleman & Hinton 2012, with epsilon added to the root."""
    decay, epsilon = 0.9, 1e-8
    mean_square = [np.zeros_like(weight) for weight in weights]
    for t in range(STEPS):
        for k, gradient in enumerate(gradients(of, t)):
            g = gradient.astype(np.float64)
            mean_square[k] = decay * mean_square[k] + (1 - decay) * g**2
            weights[k] = weights[k] - 5e-3 * g / (np.sqrt(mean_square[k]) + epsilon)
    return weights


def sgd(weights: list[np.ndarray], of: HybridBlock) -> list[np.ndarray]:
    """Classical momentum, Sutskever et al. 2013, equations 1 and 2."""
    velocity = [np.zeros_like(weight) for weight in weights]
    for t in range(STEPS):
        for k, gradient in enumerate(gradients(of, t)):
            velocity[k] = 0.8 * velocity[k] - 1e-2 * gradient.astype(np.float64)
            weights[k] = weights[k] + velocity[k]
    return weights


def plain_sgd(weights: list[np.ndarray], of: HybridBlock) -> list[np.ndarray]:
    for t in range(STEPS):
        for k, gradient in enumerate(gradients(of, t)):
            weights[k] = weights[k] - 1e-2 * gradient.astype(np.float64)
    return weights


@pytest.mark.parametrize(
    ("optimizer", "transcription"),
    [(ADAM, adam), (RMSPROP, rmsprop), (MOMENTUM, sgd), (PLAIN, plain_sgd)],
)
def test_the_updates_are_those_of_the_paper(optimizer: Optimizer, transcription) -> None:
    trained = network()
    start = [
        parameter.data().asnumpy().astype(np.float64) for parameter in trained_parameters(trained)
    ]
    expected = transcription(start, trained)
    found = train(trained, NetworkOptimizer(trained, optimizer), 0, STEPS)
    for one, other in zip(found, expected):
        np.testing.assert_allclose(one, other, rtol=0, atol=5e-6)


def test_rmsprop_moves_weights_whose_gradients_are_tiny() -> None:
    # A clipped critic's gradients are; the first step is rate * g / sqrt(0.1 g^2) for every g.
    trained = network()
    before = [parameter.data().asnumpy() for parameter in trained_parameters(trained)]
    for parameter in trained_parameters(trained):
        parameter.grad()[:] = 1e-6
    NetworkOptimizer(trained, RMSPROP).step()
    for old, parameter in zip(before, trained_parameters(trained)):
        moved = old - parameter.data().asnumpy()
        np.testing.assert_allclose(moved, 5e-3 / np.sqrt(0.1), rtol=2e-3)


@pytest.mark.parametrize("optimizer", [ADAM, RMSPROP, MOMENTUM, PLAIN])
@pytest.mark.parametrize("break_at", [0, 1, 13])
def test_an_optimizer_set_to_a_saved_state_goes_on_identically(
    optimizer: Optimizer, break_at: int
) -> None:
    whole = network()
    expected = train(whole, NetworkOptimizer(whole, optimizer), 0, STEPS)

    broken = network()
    first = NetworkOptimizer(broken, optimizer)
    train(broken, first, 0, break_at)
    second = NetworkOptimizer(broken, optimizer)
    second.set_state(first.state())
    found = train(broken, second, break_at, STEPS)
    for one, other in zip(found, expected):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize(("resumed_at", "expected"), [(0, 0.5), (2, 0.25), (5, 0.125)])
def test_an_update_has_the_learning_rate_of_its_place_in_the_schedule(
    resumed_at: int, expected: float
) -> None:
    """Halved before updates 2 and 4, counted from 0; an update by plain SGD shows the rate."""
    halvings = Step(epochs=(1, 2), factor=0.5)
    trained = network()
    optimizer = NetworkOptimizer(
        trained, SGD(0.5, halvings, momentum=0), Pace(pictures=20, images_a_step=10)
    )
    optimizer.set_state({"updates": np.array(resumed_at)})
    for parameter in trained_parameters(trained):
        parameter.set_data(mx.nd.zeros(parameter.shape))
        parameter.grad()[:] = 1
    optimizer.step()
    for parameter in trained_parameters(trained):
        np.testing.assert_array_equal(parameter.data().asnumpy(), -expected)


def test_the_gradient_norm_is_that_of_all_gradients_as_one_vector() -> None:
    trained = network()
    for parameter, gradient in zip(trained_parameters(trained), gradients(trained, 3)):
        parameter.grad()[:] = gradient
    whole = np.concatenate([gradient.ravel() for gradient in gradients(trained, 3)])
    found = NetworkOptimizer(trained, ADAM).gradient_norm()
    assert float(found.asscalar()) == pytest.approx(np.linalg.norm(whole), rel=1e-5)


def test_running_statistics_are_not_trained() -> None:
    suffixes = {name.name.rpartition("_")[2] for name in trained_parameters(network())}
    assert suffixes == {"weight", "bias", "gamma", "beta"}
