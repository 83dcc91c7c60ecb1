"""Instance selection: which pictures are kept, against scipy's normal distribution."""

from __future__ import annotations

import tracemalloc
from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import multivariate_normal

from edgegan.runtime.errors import UserError
from edgegan.trainer import data, fit, selection
from edgegan.trainer.data import PackedPictures, pack, read_pictures
from edgegan.trainer.selection import select
from training_help import encode, parts_of, random_picture, tiny_recipe

COUNT = 60


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> PackedPictures:
    folder = tmp_path_factory.mktemp("faces")
    for number in range(COUNT):
        (folder / f"{number:03}.png").write_bytes(encode(random_picture(number)))
    return pack(folder, 16)


def test_the_likeliest_are_kept(pictures: PackedPictures, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(selection, "EMBEDDINGS_AT_ONCE", 7)
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


def test_the_index_is_read_once_a_pass(
    pictures: PackedPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a million pictures that takes half a second, and they are read in two thousand parts."""
    opened = []
    open_records = data.open_records
    monkeypatch.setattr(selection, "EMBEDDINGS_AT_ONCE", 7)
    monkeypatch.setattr(data, "open_records", lambda *a: opened.append(a) or open_records(*a))
    select(pictures, np.arange(COUNT), 0.5)
    assert len(opened) == 2


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


def write_alike(folder: Path, count: int) -> None:
    """Write pictures 00 to ``count`` - 1 that differ along one line only."""
    base, change = random_picture(0).astype(int), random_picture(1).astype(int)
    for number in range(count):
        picture = np.clip(base + change * (number - count // 2) // 60, 0, 255).astype(np.uint8)
        (folder / f"{number:02}.png").write_bytes(encode(picture))


def test_a_picture_unlike_all_others_is_left_out(tmp_path: Path) -> None:
    write_alike(tmp_path, 30)
    (tmp_path / "99.png").write_bytes(encode(random_picture(7)))
    kept = select(pack(tmp_path, 16), np.arange(31), 30 / 31)
    np.testing.assert_array_equal(kept, np.arange(30))


def test_memory_does_not_grow_with_the_pictures(tmp_path: Path) -> None:
    count, size = 40, 512
    for number in range(count):
        (tmp_path / f"{number}.png").write_bytes(encode(random_picture(number)))

    def peak(side: int) -> int:
        packed = pack(tmp_path, side)
        tracemalloc.start()
        try:
            select(packed, np.arange(count), 0.5)
            return tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()

    assert peak(size) - peak(16) < 8 * size * size * 3  # of the 40


def test_a_bar_shows_both_passes_where_there_is_a_terminal(
    pictures: PackedPictures, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    select(pictures, np.arange(COUNT), 0.5)
    assert capsys.readouterr().err == ""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    select(pictures, np.arange(COUNT), 0.5)
    shown = capsys.readouterr().err
    for doing in ("comparing", "selecting"):
        assert f"{doing}: 100%" in shown
    assert f"{COUNT}/{COUNT}" in shown


def test_a_recipe_trains_on_what_is_selected_of_what_is_not_held_out(tmp_path: Path) -> None:
    write_alike(tmp_path, 10)
    for number in range(10, 20):
        (tmp_path / f"{number}.png").write_bytes(encode(random_picture(number)))
    chosen = tiny_recipe("dcgan", "instance_selection=0.5", "held_out=0.1")
    batches = fit.real_batches(tmp_path, False, chosen, seed=0, last=None)
    training = np.flatnonzero(np.array(parts_of(tmp_path)) == "training")
    expected = select(batches.pictures, training, 0.5)
    np.testing.assert_array_equal(batches.indices, expected)
    assert len(expected) == round(len(training) / 2)


@pytest.mark.parametrize("share", ["0", "-0.5", "1.5", ".nan"])
def test_shares_that_are_none_are_refused(share: str) -> None:
    with pytest.raises(UserError, match=r"instance_selection is .*expected more than 0, up to 1"):
        tiny_recipe("dcgan", f"instance_selection={share}")
