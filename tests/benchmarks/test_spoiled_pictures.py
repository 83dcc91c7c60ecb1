from pathlib import Path

import numpy as np
import pytest

from benchmarks.spoiled_pictures import SPOILED, main, over_and_over, shuffled_quarters
from edgegan.runtime.errors import UserError
from training_help import random_picture, write_pictures

IMAGES = np.stack([random_picture(number, 16, 16) for number in range(40)])


@pytest.mark.parametrize("name", SPOILED)
def test_what_is_spoiled_is_so_in_the_way_it_says(name: str) -> None:
    spoiled = SPOILED[name](IMAGES, np.random.default_rng(0))
    assert spoiled.shape == IMAGES.shape
    assert spoiled.dtype == np.uint8
    assert np.array_equal(spoiled, IMAGES) == (name == "as they are")


def test_few_pictures_come_back_but_for_one_level_of_noise() -> None:
    repeated = over_and_over(IMAGES, np.random.default_rng(0), kept=4)
    apart = np.abs(repeated[:, None].astype(int) - IMAGES[None]).mean(axis=(2, 3, 4))
    assert set(apart.argmin(axis=1)) == {0, 1, 2, 3}
    assert apart.min(axis=1).max() < 1.5
    assert len(np.unique(repeated.reshape(40, -1), axis=0)) == 40


def test_quarters_are_those_of_the_picture_in_another_order() -> None:
    def quarters(image: np.ndarray) -> list[bytes]:
        halves = (slice(0, 8), slice(8, 16))
        return [image[rows, columns].tobytes() for rows in halves for columns in halves]

    mixed = shuffled_quarters(IMAGES, np.random.default_rng(0))
    orders = set()
    for before, after in zip(IMAGES, mixed):
        assert sorted(quarters(before)) == sorted(quarters(after))
        orders.add(tuple(quarters(before).index(quarter) for quarter in quarters(after)))
    assert len(orders) > 12  # of 24


def test_too_few_pictures_are_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    faces = write_pictures(tmp_path / "faces", 30)
    with pytest.raises(UserError, match="pictures to train on, expected 2000"):
        main(["--data", str(faces)])
