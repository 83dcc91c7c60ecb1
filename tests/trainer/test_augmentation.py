"""The transformations against numpy, their strengths against the paper, and their gradients."""

from __future__ import annotations

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from edgegan.trainer.augmentation import TRANSFORMATIONS

SIZE = 16
COUNT = 3000


def draws(seed: int = 0) -> np.random.Generator:
    return np.random.Generator(np.random.Philox(seed))


def pictures(count: int, size: int = SIZE) -> np.ndarray:
    shape = (count, 3, size, size)
    return np.random.default_rng(1).uniform(-1, 1, shape).astype(np.float32)


def transformed(name: str, images: np.ndarray, seed: int = 0) -> np.ndarray:
    found = TRANSFORMATIONS[name](mx.nd.array(images), draws(seed))
    assert found.shape == images.shape
    assert found.dtype == np.float32
    return found.asnumpy()


def assert_uniform(values: np.ndarray, low: float, high: float) -> None:
    """All of many values are within the ends, and their deciles those of a uniform draw."""
    assert low - 1e-4 <= values.min()
    assert values.max() <= high + 1e-4
    # A decile's standard error is at most half the range divided by the root of their number.
    error = 5 * (high - low) / 2 / np.sqrt(len(values))
    deciles = np.quantile(values, np.linspace(0, 1, 11))
    np.testing.assert_allclose(deciles, np.linspace(low, high, 11), atol=error)


def test_colour_changes_brightness_then_saturation_then_contrast() -> None:
    images = pictures(COUNT, 8)
    found = transformed("colour", images)
    whole = (1, 2, 3)
    grey = images.mean(axis=1, keepdims=True)
    mean = images.mean(axis=whole, keepdims=True)
    # What is coloured, what is light and dark, and the mean are at right angles to each other, so
    # each strength can be read from the result.
    coloured, light = images - grey, np.broadcast_to(grey - mean, images.shape)
    brightness = (found - images).mean(axis=whole)
    contrast = (found * light).sum(axis=whole) / (light**2).sum(axis=whole)
    both = (found * coloured).sum(axis=whole) / (coloured**2).sum(axis=whole)
    saturation = both / contrast
    for values, low, high in ((brightness, -0.5, 0.5), (saturation, 0, 2), (contrast, 0.5, 1.5)):
        assert_uniform(values, low, high)
    strengths = np.corrcoef([brightness, saturation, contrast])
    assert np.abs(strengths - np.eye(3)).max() < 0.1

    b, s, c = (each.reshape(-1, 1, 1, 1) for each in (brightness, saturation, contrast))
    expected = images + b
    expected_grey = expected.mean(axis=1, keepdims=True)
    expected = expected_grey + s * (expected - expected_grey)
    expected_mean = expected.mean(axis=whole, keepdims=True)
    expected = expected_mean + c * (expected - expected_mean)
    np.testing.assert_allclose(found, expected, atol=1e-4)


@pytest.mark.parametrize(("size", "most"), [(8, 1), (16, 2), (64, 8)])
def test_translation_shifts_by_up_to_an_eighth_and_fills_with_zeros(size: int, most: int) -> None:
    images = pictures(1500 if size < 64 else 40, size)
    shifts = []
    padded = np.pad(images, ((0, 0), (0, 0), (most, most), (most, most)))
    found = transformed("translation", images)
    for k, image in enumerate(found):
        fits = [
            (down, right)
            for down in range(-most, most + 1)
            for right in range(-most, most + 1)
            if np.array_equal(padded[k, :, most - down :, most - right :][:, :size, :size], image)
        ]
        assert len(fits) == 1
        shifts += fits
    if size < 64:
        # Every shift there is, all about as often.
        _, counts = np.unique(shifts, axis=0, return_counts=True)
        assert len(counts) == (2 * most + 1) ** 2
        expected = len(images) / len(counts)
        np.testing.assert_allclose(counts, expected, atol=5 * np.sqrt(expected))


def test_cutout_sets_a_square_of_half_the_size_to_zero_wherever_its_centre_lies() -> None:
    images = pictures(COUNT)
    found = transformed("cutout", images)
    cut = found == 0
    assert (images != 0).all()
    np.testing.assert_array_equal(found[~cut], images[~cut])
    centres = []
    for mask in cut:
        assert (mask == mask[0]).all()  # in all channels
        rows, columns = mask[0].any(axis=1), mask[0].any(axis=0)
        np.testing.assert_array_equal(mask[0], np.outer(rows, columns))
        for places in (rows, columns):
            (inside,) = np.nonzero(places)
            first, last = inside[0], inside[-1] + 1
            assert last - first == len(inside)
            # At an edge a part of the square lies outside of the picture.
            if first:
                assert last - first == SIZE // 2 or last == SIZE
                centres.append(first + SIZE // 4)
            else:
                assert last - first <= SIZE // 2
                centres.append(last - SIZE // 4)
    _, counts = np.unique(centres, return_counts=True)
    assert len(counts) == SIZE + 1  # on every line between pixels, edges included
    expected = len(centres) / len(counts)
    np.testing.assert_allclose(counts, expected, atol=5 * np.sqrt(expected))


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_the_gradient_is_the_adjoint_of_the_transformation(name: str) -> None:
    """All are affine for given draws: <T(x + h) - T(x), y> = <h, T'(y)>."""
    x, h, y = (np.roll(pictures(6), k, axis=2 + k % 2) for k in range(3))
    at = mx.nd.array(x)
    at.attach_grad()
    with autograd.record():
        seen = TRANSFORMATIONS[name](at, draws())
    seen.backward(mx.nd.array(y))
    moved = transformed(name, x + h).astype(np.float64) - transformed(name, x)
    for k in range(6):
        expected = (moved[k] * y[k]).sum()
        assert (h[k] * at.grad.asnumpy()[k].astype(np.float64)).sum() == pytest.approx(
            expected, rel=1e-4, abs=1e-3
        )


@pytest.mark.parametrize("name", TRANSFORMATIONS)
def test_the_draws_decide_and_differ_from_picture_to_picture(name: str) -> None:
    alike = np.broadcast_to(pictures(1), (4, 3, SIZE, SIZE))
    found = transformed(name, alike, seed=0)
    np.testing.assert_array_equal(found, transformed(name, alike, seed=0))
    assert (found != transformed(name, alike, seed=1)).any()
    assert len({picture.tobytes() for picture in found}) > 1
