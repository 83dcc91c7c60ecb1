"""Networks that compute in bfloat16, against float64 sums of numbers rounded to bfloat16."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd
from mxnet.gluon import HybridBlock, nn

from edgegan.runtime.errors import UserError
from edgegan.trainer import bfloat16, framework, layers, onednn
from edgegan.trainer.checkpoint import network_arrays
from edgegan.trainer.loop import Training
from edgegan.trainer.optimizer import trained_parameters
from edgegan.trainer.recipe import load
from training_help import random_batches, refuse_bfloat16, skip_without_bfloat16, tiny_recipe

STEP = 2.0**-8  # of bfloat16: the largest error of rounding, relative
MakeLayer = Callable[[], HybridBlock]


@pytest.fixture
def processor() -> None:
    skip_without_bfloat16()


computes = pytest.mark.usefixtures("processor")


@pytest.fixture(autouse=True)
def newer_onednn(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """mxnet computes everything, but where a test asks for what else there is."""
    wanted = getattr(request, "param", False)
    if wanted and not onednn.computes_in_bfloat16():
        pytest.skip("no oneDNN 3 that computes in bfloat16 is here")
    monkeypatch.setattr(onednn, "has_matrix_units", lambda: wanted)


by_both = pytest.mark.parametrize(
    "newer_onednn", [False, True], ids=["by mxnet", "by oneDNN"], indirect=True
)


def rounded(array: np.ndarray) -> np.ndarray:
    """Round float32 to the nearest bfloat16, ties to even: the upper half of its bits."""
    bits = array.astype(np.float32).view(np.uint32).astype(np.uint64)
    bits = (bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000
    return bits.astype(np.uint32).view(np.float32)


def convolution_of(images: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """A 4x4 convolution, stride 2, padding 1, in float64: (N, I, S, S) -> (N, O, S / 2, S / 2)."""
    padded = np.pad(images.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (4, 4), axis=(2, 3))[:, :, ::2, ::2]
    return np.einsum("nihwyx,oiyx->nohw", windows, weight.astype(np.float64))


def gradient_of(outer: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """What that convolution passes back: the transposed convolution of stride 2, in float64."""
    count, _, height, width = outer.shape
    padded = np.zeros((count, weight.shape[1], 2 * height + 2, 2 * width + 2))
    for y in range(4):
        for x in range(4):
            share = np.einsum("nohw,oi->nihw", outer.astype(np.float64), weight[:, :, y, x])
            padded[:, :, y : y + 2 * height : 2, x : x + 2 * width : 2] += share
    return padded[:, :, 1:-1, 1:-1]


def in_bfloat16(*added: HybridBlock) -> nn.HybridSequential:
    network = nn.HybridSequential(prefix="network_")
    network.add(*added)
    network.initialize(mx.init.Normal(0.3))
    bfloat16.compute_in_bfloat16(network)
    network.hybridize(static_alloc=True, static_shape=True)
    return network


def passed(network: HybridBlock, shown: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """A network's output, and the gradient of half its squared sum at what it was shown."""
    at = mx.nd.array(shown)
    at.attach_grad()
    with autograd.record():
        output = network(at)
        loss = output.square().sum() / 2
    loss.backward()
    bfloat16.gather_gradients(network)
    return output.asnumpy(), at.grad.asnumpy()


def assert_near(found: np.ndarray, expected: np.ndarray, roundings: int) -> None:
    scale = np.abs(expected).max()
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, rtol=0, atol=roundings * STEP * scale)


@computes
def test_a_convolution_multiplies_rounded_numbers() -> None:
    layer = layers.convolution(3, 5, 4, 2, 1, name="layer")
    network = in_bfloat16(layer)
    layer.bias.set_data(mx.nd.array(np.linspace(-1, 1, 5)))
    shown = np.random.default_rng(0).normal(size=(2, 3, 8, 8)).astype(np.float32)
    output, back = passed(network, shown)
    weight = rounded(layer.weight.data().asnumpy())
    bias = rounded(np.linspace(-1, 1, 5))[:, None, None]
    assert_near(output, convolution_of(rounded(shown), weight) + bias, 1)
    assert_near(back, gradient_of(rounded(output), weight), 2)
    assert_near(layer.bias.grad().asnumpy(), output.astype(np.float64).sum(axis=(0, 2, 3)), 2)
    difference = np.abs(output - (convolution_of(shown, layer.weight.data().asnumpy()) + bias))
    assert difference.max() > 1e-4  # so it was not float32


@computes
def test_a_transposed_convolution_multiplies_rounded_numbers() -> None:
    (layer,) = layers.doubling(5, 3, 4, "deconvolution", norm="batch", name="layer")
    network = in_bfloat16(layer)
    shown = np.random.default_rng(0).normal(size=(2, 5, 4, 4)).astype(np.float32)
    output, back = passed(network, shown)
    weight = rounded(layer.weight.data().asnumpy())
    assert_near(output, gradient_of(rounded(shown), weight), 1)
    assert_near(back, convolution_of(rounded(output), weight), 2)
    windows = np.lib.stride_tricks.sliding_window_view(
        np.pad(output.astype(np.float64), ((0, 0), (0, 0), (1, 1), (1, 1))), (4, 4), axis=(2, 3)
    )[:, :, ::2, ::2]
    expected = np.einsum("nohwyx,nihw->ioyx", windows, rounded(shown).astype(np.float64))
    assert_near(layer.weight.grad().asnumpy(), expected, 2)


@computes
def test_weights_behind_copies_are_the_only_unused_parameters_that_nothing_is_said_of() -> None:
    class Idle(layers.Reshape):
        def __init__(self) -> None:
            super().__init__((0, 0, -1))
            self.idle = self.params.get("idle_weight", shape=(1,))

        def hybrid_forward(self, F: object, x: object, idle: object) -> object:  # noqa: N803
            return super().hybrid_forward(F, x)

    def made(*more: HybridBlock) -> HybridBlock:
        ups = [
            layers.doubling(5, 5, 4, "deconvolution", norm="batch", name=f"layer{number}")
            for number in range(2)
        ]
        return in_bfloat16(*ups[0], *ups[1], *more)

    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        made()(mx.nd.ones((2, 5, 4, 4)))
        assert said == []
        made(Idle())(mx.nd.ones((2, 5, 4, 4)))
    (warning,) = said
    assert "idle_weight" in str(warning.message)


@computes
def test_rounded_copies_follow_their_weights() -> None:
    training = Training(tiny_recipe("dcgan", "precision=bfloat16"), 0, mx.cpu(), pictures=8)
    batches = random_batches(training.recipe)
    for _ in range(2):
        training.step(batches)
    weights = network_arrays(training.generator)
    for layer in training.generator:
        if isinstance(layer, layers.TransposedConvolution):
            copy = mx.nd.amp_cast(layer.rounded.data(), dtype="float32").asnumpy()
            name = layer.weight.name[len(training.generator.prefix) :]
            np.testing.assert_array_equal(copy, rounded(weights[name]))


@computes
@by_both
def test_first_losses_are_those_of_float32_to_rounding() -> None:
    figures = {}
    for precision in ("float32", "bfloat16"):
        chosen = tiny_recipe("dcgan", f"precision={precision}", "batch_size=16")
        training = Training(chosen, 0, mx.cpu(), pictures=8)
        result = training.step(random_batches(chosen))
        figures[precision] = [result.discriminator_loss, result.generator_loss]
    np.testing.assert_allclose(figures["bfloat16"], figures["float32"], rtol=0.02)
    assert figures["bfloat16"] != figures["float32"]


@computes
@by_both
def test_what_is_trained_and_kept_is_the_same_in_both() -> None:
    both = [
        Training(tiny_recipe("dcgan", f"precision={precision}"), 0, mx.cpu(), pictures=8)
        for precision in ("float32", "bfloat16")
    ]
    names = [[item.name for item in trained_parameters(each.generator)] for each in both]
    assert names[0] == names[1]
    states = [each.state() for each in both]
    assert list(states[0]) == list(states[1])
    for name, array in states[0].items():
        assert array.dtype == states[1][name].dtype
        np.testing.assert_array_equal(array, states[1][name])


@computes
@by_both
@pytest.mark.parametrize(
    "overrides",
    [
        [],
        ["generated_batches=reused"],
        ["discriminator.norm=none", "penalty={name: gradient}"],
        ["discriminator.norm=spectral"],
    ],
    ids=lambda overrides: " ".join(overrides) or "as it comes",
)
def test_a_training_that_goes_on_makes_the_same_updates(overrides: list[str]) -> None:
    chosen = tiny_recipe("dcgan", "precision=bfloat16", *overrides)

    def trained(training: Training, first: int, steps: int) -> dict[str, np.ndarray]:
        batches = random_batches(chosen)
        for _ in range(first):
            next(batches)
        for _ in range(steps):
            training.step(batches)
        return training.state()

    whole = trained(Training(chosen, 0, mx.cpu(), pictures=8), 0, 5)
    broken_off = trained(Training(chosen, 0, mx.cpu(), pictures=8), 0, 2)
    goes_on = Training(chosen, 0, mx.cpu(), pictures=8)
    goes_on.set_state(2, broken_off)
    resumed = trained(goes_on, 2, 3)
    for name, array in whole.items():
        np.testing.assert_array_equal(resumed[name], array, err_msg=name)


def test_copies_in_residual_blocks_are_rounded_and_gathered() -> None:
    """Of transposed convolutions however deep: what is kept beside their weights."""
    layer = layers.TransposedConvolution(2, 3, 1, 1, in_channels=2, prefix="layer_")
    inner = layers.Residual("inner", [layer])
    network = nn.HybridSequential(prefix="network_")
    network.add(layers.Residual("outer", [], [inner]))
    network.initialize(mx.init.Normal(0.3))
    bfloat16.compute_in_bfloat16(network)
    weight = np.random.default_rng(0).normal(size=layer.weight.shape).astype(np.float32)
    layer.weight.set_data(weight)
    bfloat16.round_weights(network)
    copy = mx.nd.amp_cast(layer.rounded.data(), dtype="float32").asnumpy()
    np.testing.assert_array_equal(copy, rounded(weight))
    mx.nd.amp_cast(mx.nd.array(weight), dtype=framework.bfloat16, out=layer.rounded.grad())
    bfloat16.gather_gradients(network)
    np.testing.assert_array_equal(layer.weight.grad().asnumpy(), rounded(weight))
    assert list(bfloat16.stored_parameters(network)) == ["layer_weight", "layer_bias"]


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        (["generator.upsampling=nearest"], "found Nearest"),
        (["generator.dropout=0.5"], "found DroppingChannels"),
        (["discriminator.norm=instance"], "found InstanceNorm"),
        (["discriminator.network=minibatch"], "found"),
    ],
)
def test_layers_that_are_not_known_in_bfloat16_are_refused(
    overrides: list[str], found: str
) -> None:
    with pytest.raises(UserError, match=f"precision bfloat16 knows convolutions.*{found}"):
        load("dcgan", ["precision=bfloat16", *overrides])


def test_a_processor_without_bfloat16_is_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_bfloat16(monkeypatch)
    with pytest.raises(UserError, match=r"precision is bfloat16.*on this cpu.*expected float32"):
        Training(tiny_recipe("dcgan", "precision=bfloat16"), 0, mx.cpu(), pictures=8)
