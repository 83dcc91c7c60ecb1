"""Generators that take words: what they draw, and what they refuse."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from edgegan import Generator
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.words import Group, Words
from words_help import WORDS, make_conditional_discriminator, make_conditional_generator

Make = Callable[..., Path]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_conditional_generator(tmp_path / "words.onnx")


def expected_of(path: Path, latents: np.ndarray, conditions: np.ndarray) -> np.ndarray:
    """What the file's weights give by numpy."""
    model = onnx.load(str(path))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values = latents @ weights["latent_weight"] + conditions @ weights["condition_weight"]
    return to_bytes(np.tanh(values).reshape(-1, 3, 16, 16).astype(np.float32))


def assert_close(images: np.ndarray, expected: np.ndarray) -> None:
    """Equal but for the last digit of a float32, which may move a rounded byte by one."""
    np.testing.assert_allclose(images.astype(int), expected.astype(int), atol=1)
    assert (images != expected).mean() < 0.01


def test_images_are_those_of_latents_and_of_words(path: Path) -> None:
    generator = Generator.load(path, "cpu")
    assert generator.words == WORDS
    condition = generator.condition(["blue hair green eyes"])
    np.testing.assert_array_equal(condition, np.float32([[0, 1, 0, 0, 1]]))
    latents = generator.latents(7, 70)
    assert_close(
        generator.images(7, 70, condition=condition),
        expected_of(path, latents, condition.repeat(70, axis=0)),
    )
    each = np.random.default_rng(0).random((70, 5)).astype(np.float32)
    assert_close(generator.images_of(latents, each), expected_of(path, latents, each))


def test_a_face_keeps_its_latent_whatever_its_words_are(path: Path) -> None:
    generator = Generator.load(path, "cpu")
    texts = ["blue hair green eyes", "red hair", "eyes=blue", {"hair": "blond"}]
    each = generator.condition(texts)
    np.testing.assert_array_equal(each.sum(axis=1), [2, 1, 1, 1])
    conditions = generator.conditions(3, 4, first=10, condition=each)
    np.testing.assert_array_equal(conditions.sum(axis=1), [2, 2, 2, 2])
    assert (conditions >= each).all()
    images = generator.images(3, 4, first=10, condition=each)
    latents = generator.latents(3, 4, first=10)
    np.testing.assert_array_equal(images, generator.images_of(latents, conditions))
