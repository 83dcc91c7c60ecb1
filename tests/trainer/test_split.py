"""The parts of a set: by whole numbers and SHA-256, and properties of shares and additions."""

from __future__ import annotations

import hashlib
import zipfile
from dataclasses import asdict, dataclass
from pathlib import Path
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.trainer.data import pack
from edgegan.trainer.split import SPLIT_VERSION, Parts, is_of_old_split, split
from training_help import encode, part_of, random_picture


@dataclass(frozen=True)
class Known:
    """What the split asks of packed pictures: the files' hashes and the groups they are in."""

    files: list[bytes]
    numbers: list[int]

    @property
    def count(self) -> int:
        return len(self.files)

    def hashes(self) -> np.ndarray:
        digests = b"".join(hashlib.sha256(file).digest() for file in self.files)
        return np.frombuffer(digests, np.uint8).reshape(-1, 32)

    def groups(self) -> np.ndarray:
        return np.array(self.numbers, np.int64)


NUMBERS = (b"%d" % number for number in range(10**6, 10**7))
TRAINS = next(file for file in NUMBERS if part_of(file, 0.45, 0.45) == "training")


@st.composite
def known_sets(draw: st.DrawFn) -> Known:
    """Some files, a few of them in groups; one always trains, whatever the shares below are."""
    files = draw(st.lists(st.binary(max_size=6), min_size=1, max_size=30, unique=True))
    groups = [draw(st.integers(0, len(files) - 1)) for _ in files]
    return Known([*files, TRAINS], [*groups, len(files)])


shares = st.tuples(st.floats(0, 0.45), st.floats(0, 0.45))


def named(known: Known, parts: Parts) -> dict[bytes, str]:
    """The part that each file is in."""
    indices = {"training": parts.training, "validation": parts.validation, "held": parts.held_out}
    return {known.files[index]: name for name, part in indices.items() for index in part}


@given(known_sets(), shares)
def test_every_group_is_in_the_part_of_its_least_hash(
    known: Known, shares: tuple[float, float]
) -> None:
    held_out, validation = shares
    parts = split(known, held_out, validation)
    for part in (parts.training, parts.validation, parts.held_out):
        assert part.dtype == np.int64
        assert list(part) == sorted(part)
    together = np.concatenate([parts.training, parts.validation, parts.held_out])
    assert sorted(together) == list(range(known.count))
    found = named(known, parts)
    for group in set(known.numbers):
        files = [file for file, number in zip(known.files, known.numbers) if number == group]
        least = min(hashlib.sha256(file).digest() for file in files)
        rank = int(hashlib.sha256(least).hexdigest(), 16) / 2**256
        expected = (
            "held" if rank < held_out else "validation" if rank >= 1 - validation else "training"
        )
        assert {found[file] for file in files} == {expected}


@given(known_sets(), shares, shares)
def test_parts_of_smaller_shares_are_within_those_of_larger_ones(
    known: Known, one: tuple[float, float], other: tuple[float, float]
) -> None:
    (held, more_held), (validation, more_validation) = (sorted(pair) for pair in zip(one, other))
    smaller, larger = split(known, held, validation), split(known, more_held, more_validation)
    assert set(smaller.held_out) <= set(larger.held_out)
    assert set(smaller.validation) <= set(larger.validation)


@given(known_sets(), shares, st.binary(min_size=7, max_size=9), st.integers(0, 31))
def test_an_addition_moves_only_the_pictures_of_a_group_that_it_joins(
    known: Known, shares: tuple[float, float], file: bytes, number: int
) -> None:
    joined = number if number < known.count - 1 else known.count  # or none, and is a new group
    more = Known([file, *known.files], [joined, *known.numbers])
    before, after = named(known, split(known, *shares)), named(more, split(more, *shares))
    moved = {name for name in known.files if before[name] != after[name]}
    assert moved <= {name for name, of in zip(known.files, known.numbers) if of == joined}


@given(known_sets(), shares, st.randoms())
def test_order_does_not_matter(known: Known, shares: tuple[float, float], random: Random) -> None:
    order = list(range(known.count))
    random.shuffle(order)
    other = Known([known.files[n] for n in order], [known.numbers[n] for n in order])
    assert named(known, split(known, *shares)) == named(other, split(other, *shares))


@pytest.mark.parametrize("in_group", [1, 2])
def test_the_shares_of_a_large_set_are_as_asked_for(in_group: int) -> None:
    count = 20_000
    groups = [number // in_group for number in range(count)]
    known = Known([str(number).encode() for number in range(count)], groups)
    parts = split(known, 0.1, 0.05)
    assert len(parts.held_out) / count == pytest.approx(0.1, abs=0.01)  # 3 deviations and more
    assert len(parts.validation) / count == pytest.approx(0.05, abs=0.007)


def test_something_has_to_be_left_to_train_on() -> None:
    known = Known([b"one", b"two"], [0, 0])
    with pytest.raises(UserError, match=r"held_out is 0.5 and validation 0.49999.* none of 2 "):
        split(known, 0.5, 0.4999999)


def test_what_is_of_the_old_split() -> None:
    new = {"split": SPLIT_VERSION}
    assert not is_of_old_split(new)
    assert not is_of_old_split({**new, "stages": [new, new]})
    assert is_of_old_split({})
    assert is_of_old_split({**new, "stages": [new, {"split": None}]})


def test_copies_are_in_one_part_whatever_the_pictures_are_packed_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Mirrored ones beside their pictures, from a folder and a zip, of two sizes and a crop."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    folder = tmp_path / "faces"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "faces.zip", "w") as archive:
        for number in range(20):
            picture = random_picture(number, 64, 64)
            for name, content in (("", encode(picture)), ("mirrored ", encode(picture[:, ::-1]))):
                (folder / f"{name}{number:02}.png").write_bytes(content)
                archive.writestr(f"{name}{number:02}.png", content)
    found = [
        split(pack(source, size, crop_from=crop_from), 0.3, 0.2)
        for source, size, crop_from in (
            (folder, 8, None),
            (folder, 32, 48),
            (tmp_path / "faces.zip", 8, None),
        )
    ]
    for parts in found:
        for part, first in zip(asdict(parts).values(), asdict(found[0]).values()):
            np.testing.assert_array_equal(part, first)
            assert sorted(part % 20) == sorted([*set(part % 20)] * 2)  # both or neither
