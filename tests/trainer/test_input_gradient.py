"""The gradient at a picture against PyTorch's double backward, and against differences."""

from __future__ import annotations

from typing import Any

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import HybridBlock, nn

from edgegan.trainer import input_gradient
from edgegan.trainer.input_gradient import InputGradient
from edgegan.trainer.layers import (
    Convolution,
    GlobalSum,
    Nearest,
    Padding,
    Residual,
    SpectralNorm,
    iterate_spectral_norms,
)
from edgegan.trainer.networks import DiscriminatorArchitecture, dcgan, hw3_baseline, patch, resnet
from edgegan.trainer.optimizer import trained_parameters
from training_help import EVERY_DISCRIMINATOR

Arrays = dict[str, np.ndarray]
COUNT = 5
Dcgan, Resnet = dcgan.DcganDiscriminator, resnet.ResnetDiscriminator
CRITICS = [
    pytest.param(Dcgan(6, kernel=4, norm="none"), 8, id="4x4 of 8"),
    pytest.param(Dcgan(5, kernel=4, norm="none"), 32, id="4x4 of 32"),
    pytest.param(Dcgan(6, kernel=5, norm="none"), 8, id="5x5 of 8"),
    pytest.param(Dcgan(5, kernel=5, norm="none"), 16, id="5x5 of 16"),
    pytest.param(Dcgan(3, kernel=5, norm="none"), 64, id="5x5 of 64"),
    pytest.param(Dcgan(5, norm="none", activation="relu"), 16, id="ReLU"),
    pytest.param(Dcgan(5, norm="none", downsampling="average_pool"), 16, id="average pooling"),
    pytest.param(Dcgan(5, norm="spectral"), 16, id="spectral norm"),
    pytest.param(Dcgan(5, norm="none", mirrored=8), 16, id="mirrored"),
    pytest.param(patch.PatchDiscriminator(6, halvings=2, norm="none"), 16, id="patches"),
    pytest.param(hw3_baseline.Hw3BaselineDiscriminator(4), 16, id="padded"),
    pytest.param(Resnet(4, norm="none"), 8, id="residual of 8"),
    pytest.param(Resnet(3, norm="none"), 32, id="residual of 32"),
    pytest.param(Resnet(4, norm="spectral"), 16, id="residual with a spectral norm"),
]


def critic(architecture: DiscriminatorArchitecture, image_size: int) -> HybridBlock:
    """A critic as it is trained, with random weights and biases."""
    made = architecture.build(image_size)
    made.initialize()
    made.hybridize(static_alloc=True, static_shape=True)
    random = np.random.default_rng(2)
    for parameter in trained_parameters(made):
        deviation = 0.3 if parameter.name.endswith("bias") else np.prod(parameter.shape[1:]) ** -0.5
        parameter.set_data(random.normal(0, deviation, parameter.shape).astype(np.float32))
    iterate_spectral_norms(made)
    return made


def pictures(image_size: int) -> np.ndarray:
    shape = (COUNT, 3, image_size, image_size)
    return np.random.default_rng(3).uniform(-1, 1, shape).astype(np.float32)


def gradients_of(network: HybridBlock) -> Arrays:
    return {item.name: item.grad().asnumpy() for item in trained_parameters(network)}


def penalty_of(gradient: Any) -> Any:
    """A number that depends on each pixel's gradient, and not linearly."""
    return ((gradient + 0.1) ** 2).sum() + (gradient**3).sum()


def passed(network: HybridBlock, shown: np.ndarray) -> tuple[np.ndarray, Arrays]:
    """The gradients at pictures, and what their penalty adds to gradients of 0."""
    for parameter in trained_parameters(network):
        parameter.zero_grad()
    inputs = InputGradient(network, mx.nd.array(shown))
    with autograd.record():
        gradient = inputs.gradient()
        loss = penalty_of(gradient)
    loss.backward()
    inputs.gather()
    return gradient.asnumpy(), gradients_of(network)


def gradient_at(network: HybridBlock, shown: np.ndarray) -> np.ndarray:
    """mxnet's own gradient of every picture's score at the picture, in the network's precision."""
    at = mx.nd.array(shown, dtype=shown.dtype)
    at.attach_grad()
    with autograd.record():
        scores = network(at).reshape((len(shown), -1)).mean(axis=1).sum()
    (gradient,) = autograd.grad(scores, [at])
    return gradient.asnumpy()


def in_pytorch(block: HybridBlock, x: Any, tensors: dict[str, Any], torch: Any) -> Any:
    """What a block makes of ``x``, computed by PyTorch with the weights in ``tensors``."""
    functional = torch.nn.functional
    if type(block) is nn.HybridSequential:
        for layer in block:
            x = in_pytorch(layer, x, tensors, torch)
        return x
    if isinstance(block, Residual):
        body = in_pytorch(block.body, x, tensors, torch)
        return body + in_pytorch(block.shortcut, x, tensors, torch)
    if isinstance(block, (Convolution, nn.Dense)):
        weight, bias = tensors[block.weight.name], tensors[block.bias.name]
        if isinstance(block, SpectralNorm):
            left = torch.tensor(block.left.data().asnumpy())
            weight = weight / (left @ weight.flatten(1)).norm()
        if isinstance(block, nn.Dense):
            return functional.linear(x.flatten(1), weight, bias)
        options = block._kwargs
        return functional.conv2d(x, weight, bias, options["stride"], options["pad"])
    if isinstance(block, nn.LeakyReLU):
        return functional.leaky_relu(x, 0.2)
    if isinstance(block, nn.Activation):
        return functional.relu(x)
    if isinstance(block, nn.AvgPool2D):
        return functional.avg_pool2d(x, 2)
    if isinstance(block, Padding):
        return functional.pad(x, (block.before, block.after) * 2)
    if isinstance(block, GlobalSum):
        return x.sum(dim=(2, 3))
    return x.reshape(COUNT, -1)


def assert_near(found: np.ndarray, expected: np.ndarray, name: str = "") -> None:
    scale = np.abs(expected).max()
    assert scale > 0, name
    np.testing.assert_allclose(found, expected, rtol=0, atol=2e-5 * scale, err_msg=name)


@pytest.mark.parametrize(("architecture", "image_size"), CRITICS)
def test_gradients_and_their_gradients_are_those_of_pytorch(
    architecture: DiscriminatorArchitecture, image_size: int
) -> None:
    torch = pytest.importorskip("torch")
    ours, shown = critic(architecture, image_size), pictures(image_size)
    theirs = {
        parameter.name: torch.tensor(parameter.data().asnumpy(), requires_grad=True)
        for parameter in trained_parameters(ours)
    }
    at = torch.tensor(shown, requires_grad=True)
    scores = in_pytorch(ours, at, theirs, torch).reshape(COUNT, -1).mean(dim=1)
    (expected,) = torch.autograd.grad(scores.sum(), at, create_graph=True)
    penalty_of(expected).backward()

    found, gradients = passed(ours, shown)
    assert_near(found, expected.detach().numpy())
    for name, tensor in theirs.items():
        if name.endswith("bias"):
            assert (gradients[name] == 0).all(), name
        else:
            assert_near(gradients[name], tensor.grad.numpy(), name)


@pytest.mark.parametrize(("architecture", "image_size"), CRITICS)
def test_gradients_of_gradients_are_those_of_differences(
    architecture: DiscriminatorArchitecture, image_size: int
) -> None:
    """In float64, where a step is small enough to cross no kink of a ReLU."""
    ours, shown = critic(architecture, image_size), pictures(image_size)
    found, gradients = passed(ours, shown)
    exact = architecture.build(image_size)
    exact.initialize()
    exact.cast("float64")
    for parameter in ours.collect_params().values():
        exact.collect_params()[parameter.name].set_data(parameter.data().astype("float64"))
    shown = shown.astype(np.float64)
    assert_near(found, gradient_at(exact, shown))

    random, step = np.random.default_rng(4), 1e-7
    for parameter in trained_parameters(exact):
        gradient, start = gradients[parameter.name], parameter.data().asnumpy()
        # Mostly along the gradient, where the slope is its length.
        direction = gradient / max(np.linalg.norm(gradient), 1e-3)
        direction = direction + 0.1 * random.standard_normal(gradient.shape) / gradient.size**0.5
        values = []
        for sign in (1, -1):
            parameter.set_data(start + sign * step * direction)
            values.append(penalty_of(gradient_at(exact, shown)))
        parameter.set_data(start)
        slope = (values[0] - values[1]) / (2 * step)
        expected = pytest.approx(slope, rel=1e-4, abs=1e-5)
        assert (gradient * direction).sum() == expected, parameter.name


def test_gradients_are_added_to_those_already_there() -> None:
    network, shown = critic(Resnet(4), 8), pictures(8)
    _, alone = passed(network, shown)
    for parameter in trained_parameters(network):
        parameter.grad()[:] = 0.25
    inputs = InputGradient(network, mx.nd.array(shown))
    with autograd.record():
        loss = penalty_of(inputs.gradient())
    loss.backward()
    inputs.gather()
    for name, array in gradients_of(network).items():
        np.testing.assert_array_equal(array, np.float32(0.25) + alone[name], name)


def test_pictures_do_not_change_each_others_gradient() -> None:
    network, shown = critic(Resnet(4), 16), pictures(16)
    together, _ = passed(network, shown)
    for index in range(COUNT):
        alone, _ = passed(network, shown[index : index + 1])
        assert_near(alone[0], together[index])


@pytest.mark.parametrize("name", EVERY_DISCRIMINATOR)
def test_every_architectures_gradient_is_known_or_refused_by_name(name: str) -> None:
    architecture = EVERY_DISCRIMINATOR[name](3)
    network = critic(architecture, 16)
    try:
        input_gradient.check(network)
    except ValueError as error:
        kinds: set[str] = set()
        network.apply(lambda block: kinds.add(type(block).__name__))
        said = str(error).partition("not known through ")[2]
        assert said.split()[0].rstrip(":") in kinds
        with pytest.raises(ValueError, match="not known through"):
            InputGradient(network, mx.nd.array(pictures(16)))
    else:
        found, _ = passed(network, pictures(16))
        assert_near(found, gradient_at(network, pictures(16)))


def chain(*layers: HybridBlock) -> nn.HybridSequential:
    network = nn.HybridSequential(prefix="discriminator_")
    network.add(*layers)
    return network


@pytest.mark.parametrize(
    ("layer", "sentence"),
    [
        (nn.BatchNorm(prefix="a_"), "BatchNorm a: with it a picture's gradient depends on the oth"),
        (nn.MaxPool2D(2, prefix="a_"), "MaxPool2D a: mxnet does not tell which pixel was the lar"),
        (nn.InstanceNorm(prefix="a_"), "InstanceNorm a: it divides by the deviation"),
        (nn.AvgPool2D(3, 1, prefix="a_"), "AvgPool2D a: known are .*pooling without overlap"),
        (nn.Activation("tanh", prefix="a_"), "Activation a: known are convolutions, dense"),
        (Nearest(), "Nearest: known are"),
    ],
    ids=lambda value: type(value).__name__,
)
def test_other_layers_are_refused_with_a_reason_wherever_they_are(
    layer: HybridBlock, sentence: str
) -> None:
    for network in (
        chain(layer),
        chain(Residual("b", [layer])),
        chain(Residual("b", [], [chain(layer)])),
    ):
        with pytest.raises(ValueError, match=f"not known through {sentence}"):
            input_gradient.check(network)
