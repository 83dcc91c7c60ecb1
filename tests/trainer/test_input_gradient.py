"""The gradient at the pictures against PyTorch's double backward and against differences."""

from __future__ import annotations

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import HybridBlock, nn

from edgegan.trainer.input_gradient import InputGradient
from edgegan.trainer.loop import Training
from edgegan.trainer.networks import Discriminator, began, dcgan, minibatch, patch
from edgegan.trainer.optimizer import trained_parameters
from training_help import random_batches, tiny_recipe

Arrays = dict[str, np.ndarray]
WEIGHT = 10.0
COUNT = 5
CRITICS = [
    pytest.param(dcgan.Discriminator(6, kernel=4, norm="none"), 8, id="4x4 of 8"),
    pytest.param(dcgan.Discriminator(5, kernel=4, norm="none"), 32, id="4x4 of 32"),
    pytest.param(dcgan.Discriminator(6, kernel=5, norm="none"), 8, id="5x5 of 8"),
    pytest.param(dcgan.Discriminator(5, kernel=5, norm="none"), 16, id="5x5 of 16"),
    pytest.param(dcgan.Discriminator(3, kernel=5, norm="none"), 64, id="5x5 of 64"),
    pytest.param(patch.Discriminator(6, halvings=2, norm="none"), 16, id="patches"),
]


def critic(architecture: Discriminator, image_size: int) -> HybridBlock:
    """A critic as it is trained, with random weights and biases."""
    made = architecture.build(image_size)
    made.initialize()
    made.hybridize(static_alloc=True, static_shape=True)
    random = np.random.default_rng(2)
    for parameter in trained_parameters(made):
        parameter.set_data(random.normal(0, 0.2, parameter.shape).astype(np.float32))
    return made


def pictures(image_size: int) -> np.ndarray:
    shape = (COUNT, 3, image_size, image_size)
    return np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)


def weights_of(network: HybridBlock) -> Arrays:
    return {parameter.name: parameter.data().asnumpy() for parameter in trained_parameters(network)}


def add_penalty(network: HybridBlock, shown: np.ndarray) -> mx.nd.NDArray:
    """Add the gradients of the penalty, equation 3 of the paper, to the network's."""
    slope = InputGradient(network, mx.nd.array(shown))
    with autograd.record():
        norms = (slope.gradient().square().sum(axis=(1, 2, 3)) + 1e-12).sqrt()
        penalty = WEIGHT * (norms - 1).square().mean()
    penalty.backward()
    slope.gather()
    return penalty


def added_by_penalty(network: HybridBlock, shown: np.ndarray) -> tuple[float, Arrays]:
    """The penalty, and what it adds to gradients of 0."""
    for parameter in trained_parameters(network):
        parameter.zero_grad()
    penalty = add_penalty(network, shown)
    assert penalty.shape == (1,)
    gradients = {
        parameter.name: parameter.grad().asnumpy() for parameter in trained_parameters(network)
    }
    return float(penalty.asscalar()), gradients


def penalty_by_first_derivative(network: HybridBlock, shown: np.ndarray) -> float:
    """Equation 3 of the paper from mxnet's own gradient at the pictures, in their precision."""
    norms = np.linalg.norm(gradient_at(network, shown).reshape(len(shown), -1), axis=1)
    return float(WEIGHT * ((norms - 1) ** 2).mean())


def gradient_at(network: HybridBlock, shown: np.ndarray) -> np.ndarray:
    """The gradient of every picture's score, the mean of its patches', at the picture."""
    at = mx.nd.array(shown, dtype=shown.dtype)
    at.attach_grad()
    with autograd.record():
        scores = network(at).reshape((len(shown), -1)).mean(axis=1).sum()
    (gradient,) = autograd.grad(scores, [at])
    return gradient.asnumpy()


@pytest.mark.parametrize(("architecture", "image_size"), CRITICS)
def test_value_and_gradients_are_those_of_pytorch(
    architecture: Discriminator, image_size: int
) -> None:
    torch = pytest.importorskip("torch")
    ours, shown = critic(architecture, image_size), pictures(image_size)
    theirs = {name: torch.tensor(array) for name, array in weights_of(ours).items()}
    for tensor in theirs.values():
        tensor.requires_grad_()

    at = torch.tensor(shown, requires_grad=True)
    x = at
    for layer in ours:
        if isinstance(layer, nn.Conv2D):
            options = layer._kwargs
            weight, bias = theirs[layer.weight.name], theirs[layer.bias.name]
            x = torch.nn.functional.conv2d(x, weight, bias, options["stride"], options["pad"])
        elif isinstance(layer, nn.LeakyReLU):
            x = torch.nn.functional.leaky_relu(x, 0.2)
    scores = x.reshape(COUNT, -1).mean(dim=1)
    (gradient,) = torch.autograd.grad(scores.sum(), at, create_graph=True)
    expected = WEIGHT * ((gradient.reshape(COUNT, -1).norm(dim=1) - 1) ** 2).mean()
    expected.backward()

    found, gradients = added_by_penalty(ours, shown)
    assert found == pytest.approx(expected.item(), rel=1e-5)
    for name, tensor in theirs.items():
        if name.endswith("bias"):
            assert (gradients[name] == 0).all(), name
        else:
            scale = tensor.grad.abs().max().item()
            assert scale > 0
            np.testing.assert_allclose(
                gradients[name], tensor.grad.numpy(), rtol=0, atol=1e-5 * scale, err_msg=name
            )


@pytest.mark.parametrize(("architecture", "image_size"), CRITICS)
def test_value_and_gradients_are_those_of_differences(
    architecture: Discriminator, image_size: int
) -> None:
    """In float64, where a step is small enough to cross no kink of a leaky ReLU."""
    ours, shown = critic(architecture, image_size), pictures(image_size)
    found, gradients = added_by_penalty(ours, shown)
    exact = architecture.build(image_size)
    exact.initialize()
    exact.cast("float64")
    start = {name: array.astype(np.float64) for name, array in weights_of(ours).items()}
    shown = shown.astype(np.float64)

    def penalty(name: str, moved: np.ndarray) -> float:
        for parameter in trained_parameters(exact):
            parameter.set_data(moved if parameter.name == name else start[parameter.name])
        return penalty_by_first_derivative(exact, shown)

    random, step = np.random.default_rng(4), 1e-7
    assert found == pytest.approx(penalty("", np.zeros(0)), rel=1e-5)
    for name, gradient in gradients.items():
        # Mostly along the gradient, where the slope is its length.
        direction = gradient / max(np.linalg.norm(gradient), 1e-3)
        direction = direction + 0.1 * random.standard_normal(gradient.shape) / gradient.size**0.5
        ahead, behind = (penalty(name, start[name] + sign * step * direction) for sign in (1, -1))
        slope = (ahead - behind) / (2 * step)
        assert (gradient * direction).sum() == pytest.approx(slope, rel=1e-4, abs=1e-6), name


def test_the_penaltys_gradients_are_added_to_those_already_there() -> None:
    network, shown = critic(dcgan.Discriminator(4, norm="none"), 16), pictures(16)
    _, alone = added_by_penalty(network, shown)
    before = {name: np.full(array.shape, 0.25, np.float32) for name, array in alone.items()}
    for parameter in trained_parameters(network):
        parameter.grad()[:] = mx.nd.array(before[parameter.name])
    add_penalty(network, shown)
    for parameter in trained_parameters(network):
        expected = before[parameter.name] + alone[parameter.name]
        np.testing.assert_array_equal(parameter.grad().asnumpy(), expected, parameter.name)


def test_a_critic_that_is_flat_has_a_finite_gradient() -> None:
    network = critic(dcgan.Discriminator(4, norm="none"), 8)
    for parameter in trained_parameters(network):
        parameter.set_data(mx.nd.zeros(parameter.shape))
    found, gradients = added_by_penalty(network, pictures(8))
    assert found == pytest.approx(WEIGHT, rel=1e-5)  # (0 - 1)^2
    assert all(np.isfinite(array).all() for array in gradients.values())


@pytest.mark.parametrize(
    ("architecture", "kind"),
    [
        (dcgan.Discriminator(4, norm="batch"), "BatchNorm"),
        (dcgan.Discriminator(4, norm="instance"), "InstanceNorm"),
        (dcgan.Discriminator(4, norm="spectral"), "SpectralConvolution"),
        (dcgan.Discriminator(4, norm="none", activation="relu"), "Activation"),
        (dcgan.Discriminator(4, norm="none", downsampling="max_pool"), "MaxPool2D"),
        (minibatch.Discriminator(4, norm="none"), "Flatten"),
        (began.Discriminator(4), "ReconstructionError"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_other_layers_are_refused(architecture: Discriminator, kind: str) -> None:
    network = architecture.build(16)
    network.initialize()
    sentence = f"knows convolutions and leaky ReLUs only, found {kind} in the discriminator"
    with pytest.raises(ValueError, match=sentence):
        InputGradient(network, mx.nd.array(pictures(16)))


def test_training_with_a_large_penalty_brings_the_critics_slope_to_one() -> None:
    recipe = tiny_recipe(
        "wgan",
        "objective={name: wasserstein_gp, penalty: 1000}",
        "discriminator.norm=none",
        "discriminator.width=8",
        "discriminator.optimizer={name: adam, learning_rate: 3e-3, beta1: 0, decay: 0.9}",
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
        between = (share * real + (1 - share) * generated).astype(np.float32)
        return np.linalg.norm(gradient_at(training.discriminator, between).reshape(8, -1), axis=1)

    assert np.abs(slopes() - 1).min() > 0.5
    batches = random_batches(recipe)
    for _ in range(30):
        result = training.step(batches)
    np.testing.assert_allclose(slopes(), 1, atol=0.2)
    # The loss told has the penalty in it: more than the difference of the scores.
    assert result.discriminator_loss > result.generated_score - result.real_score
