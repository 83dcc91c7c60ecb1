"""Real pictures that are spoiled, and what the discriminator makes of them."""

from __future__ import annotations

from itertools import islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.trainer import negative_augmentation, recipe
from edgegan.trainer.negative_augmentation import CHANGES, negatives
from training_help import batches_of, random_batches, tiny_recipe, training_by

COLOURED = np.random.default_rng(0).uniform(-0.9, 0.9, (64, 64, 3)).astype(np.float32)
GREY = np.broadcast_to(np.linspace(-0.5, 0.5, 64, dtype=np.float32)[:, None, None], (64, 64, 3))


def batch(count: int, side: int = 64, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return random.uniform(-1, 1, (count, 3, side, side)).astype(np.float32)


@settings(deadline=None, max_examples=20)
@given(st.integers(2, 9), st.sampled_from([8, 16, 64]), st.integers(0, 2**32))
def test_half_of_a_batch_is_spoiled_within_the_range(count: int, side: int, seed: int) -> None:
    images = batch(count, side)
    before = images.copy()
    spoiled = negatives(images, np.random.default_rng(seed))
    assert spoiled.shape == (count // 2, 3, side, side)
    assert spoiled.dtype == np.float32
    assert np.abs(spoiled).max() <= 1
    np.testing.assert_array_equal(images, before)
    again = negatives(images, np.random.default_rng(seed))
    np.testing.assert_array_equal(spoiled, again)


def test_every_picture_is_spoiled_on_one_side_and_left_as_it_is_on_the_other() -> None:
    images = batch(400)
    changed = np.abs(negatives(images, np.random.default_rng(1)) - images[:200]).max(axis=1) > 0
    share = changed.mean(axis=(1, 2))
    assert share.min() > 0.01
    assert share.max() < np.pi * 0.26**2  # the greatest ellipse
    left, right = (changed[:, :, part].any(axis=(1, 2)) for part in (slice(10), slice(54, 64)))
    assert not (left & right).any()
    columns = (changed * np.arange(64)).sum(axis=(1, 2)) / changed.sum(axis=(1, 2))
    on_the_left = columns < 32
    assert 0.4 < on_the_left.mean() < 0.6
    assert abs(columns[on_the_left].mean() - 0.3 * 64) < 2
    assert abs(columns[~on_the_left].mean() - 0.7 * 64) < 2


def test_a_part_of_another_picture_comes_from_the_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(negative_augmentation, "CHANGES", ())
    levels = np.linspace(-1, 1, 6, dtype=np.float32)
    images = np.broadcast_to(levels[:, None, None, None], (6, 3, 64, 64))
    for number, picture in enumerate(negatives(images, np.random.default_rng(2))):
        own, other = np.abs(picture - levels[number]), picture.reshape(-1)
        farthest = other[own.reshape(-1).argmax()]
        assert np.abs(levels - farthest).min() < 1e-6  # in its middle it is all of the other one
        assert own.max() > 0.3


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("seed", range(3))
def test_each_change_is_what_its_name_says(change: object, seed: int) -> None:
    found = change(COLOURED, 20.0, 35.0, np.random.default_rng(seed))  # type: ignore[operator]
    assert found.shape == COLOURED.shape
    assert found.dtype == np.float32
    name = change.__name__  # type: ignore[attr-defined]
    deviation = found.std() / COLOURED.std()
    if name == "_blurred":
        assert deviation < 0.8
        assert found.mean() == pytest.approx(COLOURED.mean(), abs=0.01)
    elif name == "_resized":
        assert np.abs(found - COLOURED).max() > 0.3
    elif name == "_recoloured":  # as light and as far from grey, and of another hue
        lightness = COLOURED.mean(axis=2, keepdims=True)
        np.testing.assert_allclose(found.mean(axis=2, keepdims=True), lightness, atol=1e-6)
        apart = np.linalg.norm(found - lightness, axis=2)
        np.testing.assert_allclose(apart, np.linalg.norm(COLOURED - lightness, axis=2), atol=1e-6)
        turned = ((found - lightness) * (COLOURED - lightness)).sum() / (apart**2).sum()
        assert turned < np.cos(0.4) + 1e-6
        np.testing.assert_allclose(change(GREY, 20, 35, np.random.default_rng(0)), GREY, atol=1e-6)  # type: ignore[operator]
    else:
        assert 0.25 < deviation < 0.8


@pytest.mark.parametrize("name", ["dcgan", "acgan", "projection"])
@pytest.mark.parametrize("value_range", ["signed", "unit"])
def test_the_discriminator_learns_to_tell_spoiled_pictures(name: str, value_range: str) -> None:
    """Of pictures of a single colour, in which a part of another one stands out."""

    def loss(weight: float) -> float:
        chosen = tiny_recipe(
            name,
            f"negative_augmentation={weight}",
            f"value_range={value_range}",
            "batch_size=16",
            "discriminator.optimizer.learning_rate=2e-3",
        )
        training = training_by(chosen)
        found = []
        for batch in islice(batches_of(chosen), 60):
            images = batch.images if chosen.condition else batch
            images[:] = images[:, :, :1, :1]
            found.append(training.update_discriminator_alone(batch)["negative_loss"])
        return float(np.mean(found[-20:]))

    assert loss(1.0) < 0.9 * loss(1e-6)


def test_without_it_nothing_is_drawn_otherwise() -> None:
    """A weight that is all but 0 trains as 0 does: what else is drawn at random stays."""
    states = []
    for weight in (0, 1e-30):
        chosen = tiny_recipe(
            "dcgan", f"negative_augmentation={weight}", "augmentation=[translation]"
        )
        training = training_by(chosen)
        batches = random_batches(chosen)
        for _ in range(2):
            training.step(batches)
        states.append(training.state())
    for name, array in states[0].items():
        if "running" not in name:  # batch norm's statistics go through what is spoiled too
            np.testing.assert_allclose(states[1][name], array, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize(
    ("name", "override", "sentence"),
    [
        ("relativistic", "epochs=1", "expected 0 with objective relativistic, which scores"),
        ("patchgan", "epochs=1", "expected 0 with a discriminator of patch: most patches of a"),
        ("dcgan", "batch_size=1", "batch_size is 1, expected 2 or more: negative_augmentation"),
    ],
)
def test_where_it_cannot_be_is_said_in_one_sentence(
    name: str, override: str, sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence):
        recipe.load(name, ["negative_augmentation=0.5", override])
