"""Instance selection: which pictures are kept, against scipy's normal distribution."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal
from training_help import encode, random_picture, tiny_recipe

from runtime.errors import UserError
from trainer import fit, selection
from trainer.data import PackedPictures, pack, read_pictures
from trainer.selection import select

COUNT = 60


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PackedPictures:
    folder = tmp_path_factory.mktemp("faces")
    for number in range(COUNT):
        (folder / f"{number:03}.png").write_bytes(encode(random_picture(number)))
    return pack(folder, 16)


def test_the_likeliest_are_kept(pictures: PackedPictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "PICTURES_AT_ONCE", 7)
    indices = np.setdiff1d(np.arange(COUNT), [3, 30])
    images = read_pictures(pictures, indices)
    side = (selection.SIDE, selection.SIDE)
    small = [cv2.resize(image, side, interpolation=cv2.INTER_AREA) for image in images]
    embeddings = np.stack(small).reshape(len(images), -1) / 255
    noise = selection.NOISE**2 * np.eye(embeddings.shape[1])
    covariance = np.cov(embeddings, rowvar=False, bias=True) + noise
    likelihood = multivariate_normal(embeddings.mean(axis=0), covariance).logpdf(embeddings)
    expected = np.sort(indices[np.argsort(-likelihood)[:29]])
    np.testing.assert_array_equal(select(pictures, indices, 0.5), expected)


@settings(max_examples=20, deadline=None)
@given(share=st.floats(0.001, 1), smaller=st.floats(0.001, 1))
def test_a_smaller_share_keeps_a_part_of_a_larger_one(
    pictures: PackedPictures, share: float, smaller: float
) -> None:
    smaller, share = sorted((smaller, share))
    indices = np.arange(0, COUNT, 2)
    kept, fewer = select(pictures, indices, share), select(pictures, indices, smaller)
    assert len(kept) == max(1, round(share * len(indices)))
    assert set(fewer) <= set(kept) <= set(indices)
    assert (np.diff(kept) > 0).all()


def test_a_picture_unlike_all_others_is_left_out(tmp_path: Path) -> None:
    base, change = random_picture(0).astype(int), random_picture(1).astype(int)
    for number in range(30):
        picture = np.clip(base + change * (number - 15) // 60, 0, 255).astype(np.uint8)
        (tmp_path / f"{number:02}.png").write_bytes(encode(picture))
    (tmp_path / "99.png").write_bytes(encode(random_picture(7)))
    kept = select(pack(tmp_path, 16), np.arange(31), 30 / 31)
    np.testing.assert_array_equal(kept, np.arange(30))


def test_a_recipe_trains_on_what_is_selected(pictures: PackedPictures, tmp_path: Path) -> None:
    for number in range(20):
        (tmp_path / f"{number}.png").write_bytes(encode(random_picture(number)))
    chosen = tiny_recipe("dcgan", "instance_selection=0.5", "held_out=0.1")
    batches = fit.real_batches(tmp_path, False, chosen, seed=0, last=None)
    assert len(batches.indices) == 9


@pytest.mark.parametrize("share", ["0", "-0.5", "1.5", ".nan"])
def test_shares_that_are_none_are_refused(share: str) -> None:
    with pytest.raises(UserError, match=r"instance_selection is .*expected more than 0, up to 1"):
        tiny_recipe("dcgan", f"instance_selection={share}")
