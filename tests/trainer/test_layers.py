"""The layers that architectures share, against numpy and the formulas of their sources."""

from __future__ import annotations

from itertools import islice

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from mxnet import autograd
from mxnet.gluon import HybridBlock, nn

from edgegan.trainer import layers
from edgegan.trainer.checkpoint import part_of
from edgegan.trainer.layers import Mirrored, Nearest, Padding, PixelShuffle, SpectralConvolution
from edgegan.trainer.loop import Training
from edgegan.trainer.networks.hw3_baseline import same
from edgegan.trainer.networks.minibatch import MinibatchDiscrimination
from training_help import random_batches, tiny_recipe


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def run(blocks: list[HybridBlock], x: np.ndarray) -> np.ndarray:
    network = nn.HybridSequential()
    network.add(*blocks)
    network.initialize(mx.init.Normal(0.3))
    return network(mx.nd.array(x)).asnumpy()


def test_nearest_repeats_every_pixel() -> None:
    x = normal(2, 3, 4, 5)
    np.testing.assert_array_equal(run([Nearest()], x), x.repeat(2, axis=2).repeat(2, axis=3))


@pytest.mark.parametrize("kernel", [4, 5])
def test_a_transposed_convolution_that_is_evened_out_keeps_even_areas_even(kernel: int) -> None:
    layer, *_ = layers.doubling(3, 2, kernel, "deconvolution", norm="batch", name="deconvolution")
    even = np.ones((1, 3, 6, 6), np.float32)
    before = run([layer], even)[..., 4:-4, 4:-4]
    drawn = layer.weight.data().asnumpy()
    assert before.std(axis=(2, 3)).min() > 1e-3  # a checkerboard
    layer.even_out()
    evened = layer.weight.data().asnumpy()
    after = layer(mx.nd.array(even)).asnumpy()[..., 4:-4, 4:-4]
    assert after.std(axis=(2, 3)).max() < 1e-5
    # The nearest such weight: what was taken away is at right angles to what is left, and done
    # again it changes nothing.
    assert abs(((drawn - evened) * evened).sum()) < 1e-4 * (drawn**2).sum()
    layer.even_out()
    np.testing.assert_allclose(layer.weight.data().asnumpy(), evened, atol=1e-6)


def test_every_update_evens_out_the_generator_where_the_recipe_says_so() -> None:
    gains = {}
    for even in ("true", "false"):
        chosen = tiny_recipe("dcgan", f"even_phases={even}", "image_size=16")
        training = Training(chosen, 0, mx.cpu(), pictures=8)
        batches = random_batches(chosen)
        for _ in range(2):
            training.step(batches)
        weight = training.generator[-2].weight.data().asnumpy()
        gains[even] = weight.reshape(*weight.shape[:2], 2, 2, 2, 2).sum(axis=(2, 4))
    spread = {even: gain.std(axis=(2, 3)).max() for even, gain in gains.items()}
    assert spread["true"] < 1e-6
    assert spread["false"] > 1e-3


def test_maps_get_their_mirror_image_beside_them() -> None:
    x = np.random.default_rng(0).standard_normal((2, 3, 4, 6)).astype(np.float32)
    np.testing.assert_array_equal(run([Mirrored()], x), np.concatenate([x, x[..., ::-1]], axis=1))


def test_pixel_shuffle_is_that_of_its_source() -> None:
    x = normal(2, 4 * 3, 4, 5)
    expected = np.empty((2, 3, 8, 10), np.float32)
    for c in range(3):
        for row in range(8):
            for column in range(10):
                channel = 3 * (2 * (row % 2) + column % 2) + c
                expected[:, c, row, column] = x[:, channel, row // 2, column // 2]
    np.testing.assert_array_equal(run([PixelShuffle()], x), expected)


@pytest.mark.parametrize("norm", ["batch", "none"])
@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize("upsampling", layers.UPSAMPLINGS)
def test_doubling_doubles(upsampling: str, kernel: int, norm: str) -> None:
    blocks = layers.doubling(2, 3, kernel, upsampling, norm=norm, name="a")
    assert run(blocks, normal(1, 2, 6, 6)).shape == (1, 3, 12, 12)


@pytest.mark.parametrize("norm", ["batch", "spectral"])
@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize("downsampling", layers.DOWNSAMPLINGS)
def test_halving_halves(downsampling: str, kernel: int, norm: str) -> None:
    blocks = layers.halving(2, 3, kernel, downsampling, norm=norm, name="a")
    assert run(blocks, normal(1, 2, 12, 12)).shape == (1, 3, 6, 6)


@pytest.mark.parametrize(
    ("norm", "biased"), [("batch", False), ("instance", False), ("spectral", True), ("none", True)]
)
def test_a_bias_is_left_out_where_a_norm_removes_it(norm: str, biased: bool) -> None:
    blocks = [
        layers.convolution(2, 3, 4, norm=norm, name="a"),
        *layers.halving(2, 3, 4, "stride", norm=norm, name="b"),
    ]
    assert [block.bias is not None for block in blocks] == [biased] * 2


@settings(max_examples=25, deadline=None)
@given(size=st.integers(2, 11), stride=st.integers(1, 2))
def test_same_padding_is_that_of_tensorflow(size: int, stride: int) -> None:
    """https://www.tensorflow.org/api_docs/python/tf/nn: of what is padded, the odd one is after."""
    x = normal(2, 2, size, size)
    padding, convolution = same(2, 3, size, stride, "a")
    convolution.initialize(mx.init.Normal(1))
    weight = convolution.weight.data().asnumpy()
    outputs = int(np.ceil(size / stride))
    total = max((outputs - 1) * stride + 4 - size, 0)
    edges = (total // 2, total - total // 2)
    padded = np.pad(x, ((0, 0), (0, 0), edges, edges))
    expected = np.empty((2, 3, outputs, outputs))
    for row in range(outputs):
        for column in range(outputs):
            top, left = row * stride, column * stride
            window = padded[:, :, top : top + 4, left : left + 4]
            expected[:, :, row, column] = np.einsum("nchw,ochw->no", window, weight)
    found = convolution(padding(mx.nd.array(x))).asnumpy()
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


def test_zeros_are_padded_before_and_after() -> None:
    x = normal(2, 3, 4, 4)
    expected = np.pad(x, ((0, 0), (0, 0), (1, 2), (1, 2)))
    np.testing.assert_array_equal(run([Padding(1, 2)], x), expected)


def spectral_convolution(outputs: int, inputs: int, kernel: int) -> SpectralConvolution:
    layer = SpectralConvolution(outputs, kernel, in_channels=inputs)
    layer.initialize()
    layer.weight.set_data(normal(outputs, inputs, kernel, kernel))
    return layer


def unit_pictures(layer: SpectralConvolution) -> mx.nd.NDArray:
    """Pictures of one pixel of 1 each, of which the layer makes its own divided weight."""
    _, inputs, kernel, _ = layer.weight.shape
    return mx.nd.eye(inputs * kernel**2).reshape((-1, inputs, kernel, kernel))


def matrix(layer: SpectralConvolution) -> np.ndarray:
    return layer.weight.data().asnumpy().reshape(layer.weight.shape[0], -1).astype(np.float64)


@pytest.mark.parametrize(("outputs", "inputs", "kernel"), [(7, 3, 4), (5, 2, 3), (1, 6, 4)])
def test_the_divided_weight_has_a_spectral_norm_of_one(
    outputs: int, inputs: int, kernel: int
) -> None:
    layer = spectral_convolution(outputs, inputs, kernel)
    for _ in range(300):
        layer.iterate()
    divided = layer(unit_pictures(layer)).asnumpy().reshape(-1, outputs).T
    assert np.linalg.svd(divided, compute_uv=False)[0] == pytest.approx(1, abs=1e-4)
    largest = np.linalg.svd(matrix(layer), compute_uv=False)[0]
    np.testing.assert_allclose(divided, matrix(layer) / largest, atol=1e-4)


def test_the_gradient_is_that_of_the_weight_over_its_largest_singular_value() -> None:
    layer = spectral_convolution(5, 3, 2)
    for _ in range(300):
        layer.iterate()
    pictures = unit_pictures(layer)
    factors = normal(5, pictures.shape[0])
    with autograd.record():
        loss = (layer(pictures).reshape((-1, 5)).transpose() * mx.nd.array(factors)).sum()
    loss.backward()

    def loss_of(weight: np.ndarray) -> float:
        return float((factors * weight).sum() / np.linalg.svd(weight, compute_uv=False)[0])

    weight, step = matrix(layer), 1e-5
    expected = np.empty_like(weight)
    for index in np.ndindex(*weight.shape):
        change = np.zeros_like(weight)
        change[index] = step
        expected[index] = (loss_of(weight + change) - loss_of(weight - change)) / (2 * step)
    found = layer.weight.grad().asnumpy().reshape(expected.shape)
    np.testing.assert_allclose(found, expected, atol=1e-3 * np.abs(expected).max())


def test_there_is_one_power_iteration_an_update() -> None:
    """Algorithm 1: v = W^T u, then u = W v, each divided by its length; then W is updated."""
    recipe = tiny_recipe("dcgan", "discriminator.norm=spectral", "discriminator_steps=1")
    training = Training(recipe, 0, mx.cpu(), pictures=100)
    batches = random_batches(recipe)
    for _ in range(3):
        before = part_of(training.state(), "discriminator")
        training.step(batches)
        after = part_of(training.state(), "discriminator")
        for name in ("convolution0", "score"):
            weight = before[f"{name}_weight"].reshape(before[f"{name}_weight"].shape[0], -1)
            right = weight.T @ before[f"{name}_left_vector"]
            left = weight @ right
            left /= np.linalg.norm(left)
            np.testing.assert_allclose(after[f"{name}_left_vector"], left, atol=1e-5)
            assert (after[f"{name}_weight"] != before[f"{name}_weight"]).any()


def test_a_resumed_run_has_the_singular_vectors_of_the_first() -> None:
    recipe = tiny_recipe("dcgan", "discriminator.norm=spectral")
    whole, first, second = (Training(recipe, 0, mx.cpu(), pictures=100) for _ in range(3))
    batches = random_batches(recipe)
    for _ in range(4):
        whole.step(batches)
    batches = random_batches(recipe)
    for _ in range(2):
        first.step(batches)
    state = first.state()
    assert {"discriminator/convolution0_left_vector", "discriminator/score_left_vector"} <= set(
        state
    )
    second.set_state(2, state)
    remaining = islice(random_batches(recipe), second.batches_used, None)
    for _ in range(2):
        second.step(remaining)
    for name, array in whole.state().items():
        np.testing.assert_array_equal(second.state()[name], array, err_msg=name)


def minibatch_discrimination(
    features: np.ndarray, weight_norm: bool
) -> tuple[np.ndarray, np.ndarray]:
    """What the layer makes of features (N, A), and its tensor T as (A, B, C) = (A, 4, 3)."""
    layer = MinibatchDiscrimination(features.shape[1], 4, 3, weight_norm)
    layer.initialize(mx.init.Normal(0.3))
    rows = layer.projection.weight.data().asnumpy()  # (B C, A)
    if weight_norm:
        scales = np.linspace(-0.5, 0.5, 12, dtype=np.float32)
        layer.projection.log_scale.set_data(mx.nd.array(scales.reshape(12, 1)))
        rows = np.exp(scales)[:, None] * rows / np.linalg.norm(rows, axis=1, keepdims=True)
    found = layer(mx.nd.array(features)).asnumpy()
    return found, rows.T.reshape(-1, 4, 3)


@pytest.mark.parametrize("weight_norm", [True, False])
def test_minibatch_discrimination_is_that_of_its_source(weight_norm: bool) -> None:
    """Salimans et al. 2016, section 3.2, without the 1 that the sum has of the picture itself."""
    features = normal(5, 6)
    found, tensor = minibatch_discrimination(features, weight_norm)
    matrices = [np.tensordot(picture, tensor, axes=1) for picture in features]
    expected = np.zeros((5, 4))
    for i, one in enumerate(matrices):
        for j, other in enumerate(matrices):
            if i != j:
                expected[i] += np.exp(-np.abs(one - other).sum(axis=1))
    assert found.shape == (5, 6 + 4)
    np.testing.assert_array_equal(found[:, :6], features)
    np.testing.assert_allclose(found[:, 6:], expected, rtol=1e-4, atol=1e-6)
    assert (expected > 1e-3).any()


@pytest.mark.parametrize("deviation", [0.02, 2.0])
@pytest.mark.parametrize("count", [64, 4096])
def test_likeness_at_the_start_depends_on_neither_features_nor_weights(
    count: int, deviation: float
) -> None:
    """Of features as batch norm leaves them: the distance in 8 dimensions of unit normals."""
    layer = MinibatchDiscrimination(count, kernels=32, dimensions=8, weight_norm=True)
    layer.initialize(mx.init.Normal(deviation))
    pictures = np.random.default_rng(0).standard_normal((64, count)).astype(np.float32)
    likeness = layer(mx.nd.array(pictures)).asnumpy()[:, count:]
    # E exp(-|n|) of n = N(0, 2) is erfcx(1) = 0.4276, independent in each of the dimensions.
    assert likeness.mean() == pytest.approx(63 * 0.4276**8, rel=0.25)


def test_minibatch_discrimination_knows_no_order_and_sees_copies() -> None:
    features = normal(6, 5)
    layer = MinibatchDiscrimination(5, kernels=4, dimensions=3, weight_norm=True)
    layer.initialize(mx.init.Normal(0.3))
    order = [3, 0, 5, 1, 4, 2]
    found = layer(mx.nd.array(features)).asnumpy()
    np.testing.assert_allclose(
        layer(mx.nd.array(features[order])).asnumpy(), found[order], 1e-5, 1e-6
    )
    copies = np.repeat(features[:1], 6, axis=0)
    # Five others, each exactly alike.
    np.testing.assert_allclose(layer(mx.nd.array(copies)).asnumpy()[:, 5:], 5, rtol=1e-6)
