"""Pictures of every kind, packed once and read as batches."""

from __future__ import annotations

import hashlib
import io
import json
import os
import resource
import shutil
import signal
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import cv2
import mxnet as mx
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image

from edgegan.runtime import generator
from edgegan.runtime.errors import UserError
from edgegan.runtime.packed import LOCK, SUFFIXES, packing
from edgegan.runtime.picture_set import LeftOut, open_set
from edgegan.runtime.pictures import decode, fit
from edgegan.trainer import batches as module
from edgegan.trainer import data
from edgegan.trainer.batches import Batches, LabelledBatches, real_batches, rotate
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.data import PackedPictures, left_out, pack, read_pictures
from edgegan.trainer.jitter import Jitter
from edgegan.trainer.split import Parts
from training_help import encode, parts_of, random_picture, tiny_recipe, write_pictures

SIZE = 8


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "faces", 6)


@pytest.fixture
def decoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by the length of every file decoded."""
    lengths: list[int] = []
    decode = data.decode

    def counted(content: bytes) -> np.ndarray:
        lengths.append(len(content))
        return decode(content)

    monkeypatch.setattr(data, "decode", counted)
    return lengths


def pictures_in(packed: PackedPictures) -> np.ndarray:
    """All packed pictures in their order, uint8 (N, S, S, 3)."""
    return read_pictures(packed, np.arange(packed.count))


def packed_file(folder: Path, content: bytes, size: int = 4, crop_from: int | None = None):
    """The one picture of a folder, packed."""
    folder.mkdir(exist_ok=True)
    (folder / "picture.png").write_bytes(content)
    packed = pack(folder, size, crop_from=crop_from)
    assert packed.count == 1
    return pictures_in(packed)[0]


def all_training(packed: PackedPictures) -> Parts:
    return Parts(np.arange(packed.count), np.arange(0), np.arange(0))


def batches(
    packed: PackedPictures, start: int, count: int, kind: type = Batches, **changes: object
) -> list[Any]:
    options = {
        "parts": all_training(packed),
        "indices": np.arange(packed.count),
        "batch_size": 4,
        "seed": 0,
        "horizontal_flip": False,
        "rotation_degrees": 0.0,
        "jitter": None,
        "value_range": "signed",
        **changes,
    }
    return list(islice(kind(packed, **options).starting_at(start), count))


def to_bytes(images: np.ndarray) -> np.ndarray:
    """Batches in [-1, 1] as uint8 (N, S, S, 3)."""
    return np.rint((images + 1) * 127.5).astype(np.uint8).transpose(0, 2, 3, 1)


def one_picture(tmp_path: Path, picture: np.ndarray) -> PackedPictures:
    """A picture of its final size, packed alone."""
    folder = tmp_path / "one"
    folder.mkdir()
    (folder / "0.png").write_bytes(encode(picture))
    return pack(folder, len(picture))


def numbered_pictures(tmp_path: Path, count: int) -> PackedPictures:
    """Pictures whose every value is their index."""
    folder = tmp_path / "numbered"
    folder.mkdir()
    for number in range(count):
        picture = np.full((SIZE, SIZE, 3), number, np.uint8)
        (folder / f"{number:03}.png").write_bytes(encode(picture))
    return pack(folder, SIZE)


def write_records(path: Path, contents: list[bytes]) -> Path:
    writer = mx.recordio.MXRecordIO(str(path), "w")
    for number, content in enumerate(contents):
        writer.write(mx.recordio.pack(mx.recordio.IRHeader(0, 3.0, number, 0), content))
    writer.close()
    return path


def write_zip(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


# Sources


def test_folder_zip_and_recordio_give_the_same_pictures(tmp_path: Path) -> None:
    contents = [encode(random_picture(number)) for number in range(5)]
    names = ["a/0.png", "a/deep/er/1.png", "b 2.PNG", "脸/动漫 3.png", "脸/动漫 4.jpeg"]
    for name, content in zip(names, contents):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_bytes(content)
    (tmp_path / "folder" / "notes.txt").write_text("no picture")
    (tmp_path / "folder" / "._0.png").write_bytes(b"what macOS leaves")
    (tmp_path / "folder" / "a folder.png").mkdir()
    archive = write_zip(
        tmp_path / "动漫 faces.zip",
        {**dict(zip(names, contents)), "x.csv": b"1,2", "__MACOSX/._0.png": b"", "d.png/": b""},
    )
    records = write_records(tmp_path / "faces.rec", contents)

    expected = np.stack(
        [
            cv2.resize(random_picture(n), (SIZE, SIZE), interpolation=cv2.INTER_AREA)
            for n in range(5)
        ]
    )
    for source in (tmp_path / "folder", archive, records):
        packed = pack(source, SIZE)
        assert (packed.count, packed.skipped) == (5, [])
        np.testing.assert_array_equal(pictures_in(packed), expected)


def test_packing_happens_once_until_something_changes(faces: Path, decoded: list[int]) -> None:
    first = pack(faces, SIZE)
    assert len(decoded) == 6
    assert pack(faces, SIZE) == first
    assert len(decoded) == 6

    (faces / "000.png").write_bytes(encode(np.full((32, 32, 3), 7, np.uint8)))
    changed = pack(faces, SIZE)
    assert len(decoded) == 12
    assert (pictures_in(changed)[0] == 7).all()

    (faces / "001.png").unlink()
    assert pack(faces, SIZE).count == 5
    assert pack(faces, 2 * SIZE).count == 5  # another size is another packing
    assert pack(faces, SIZE, crop_from=12).count == 5
    assert pack(faces, SIZE, crop_from=13).count == 5
    assert len(decoded) == 12 + 4 * 5
    assert pack(faces, SIZE, crop_from=12).count == 5
    assert len(decoded) == 12 + 4 * 5


def test_what_was_packed_in_part_is_packed_again(faces: Path, decoded: list[int]) -> None:
    packed = pack(faces, SIZE)
    whole = pictures_in(packed)
    for suffix in (".rec", ".idx", ".npz", ".json"):
        packed.path.with_suffix(suffix).unlink()
        np.testing.assert_array_equal(pictures_in(pack(faces, SIZE)), whole)
    assert len(decoded) == 5 * 6


@pytest.mark.parametrize("limit", [100, 700, 1500])
def test_a_disk_that_fills_up_while_packing_is_told(faces: Path, cache: Path, limit: int) -> None:
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write .*disk may be full"):
            pack(faces, 16)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert [path.name for path in (cache / "packed").iterdir()] == [LOCK]
    assert pack(faces, 16).count == 6


# Pixels


def test_area_interpolation_is_the_mean_of_boxes(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    found = packed_file(tmp_path / "a", encode(picture), size=8)
    means = picture.reshape(8, 3, 8, 3, 3).mean(axis=(1, 3))
    assert np.abs(found - means).max() <= 0.5 + 1e-6

    found = packed_file(tmp_path / "b", encode(picture), size=16)
    np.testing.assert_array_equal(
        found, cv2.resize(picture, (16, 16), interpolation=cv2.INTER_AREA)
    )


@pytest.mark.parametrize(("height", "width"), [(8, 20), (20, 8)])
def test_the_square_in_the_middle_is_kept(tmp_path: Path, height: int, width: int) -> None:
    picture = random_picture(0, height, width)
    top, left = (height - 8) // 2, (width - 8) // 2
    found = packed_file(tmp_path / "a", encode(picture), size=8)
    np.testing.assert_array_equal(found, picture[top : top + 8, left : left + 8])


@pytest.mark.parametrize(("height", "width"), [(36, 36), (36, 50), (41, 36)])
def test_the_middle_of_the_resized_picture_is_kept(tmp_path: Path, height: int, width: int) -> None:
    """To a third of 36: the means of 3 x 3 boxes, of which the 8 x 8 in the middle are kept."""
    picture = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    found = packed_file(tmp_path / "a", encode(picture), size=8, crop_from=12)
    top, left = (height - 36) // 2 + 2 * 3, (width - 36) // 2 + 2 * 3
    middle = picture[top : top + 24, left : left + 24]
    assert np.abs(found - middle.reshape(8, 3, 8, 3, 3).mean(axis=(1, 3))).max() <= 0.5 + 1e-6


def test_cropping_from_its_own_size_keeps_all(tmp_path: Path) -> None:
    content = encode(random_picture(0, 20, 30))
    whole = packed_file(tmp_path / "a", content, size=8)
    np.testing.assert_array_equal(packed_file(tmp_path / "a", content, 8, crop_from=8), whole)


def test_a_photograph_lying_on_its_side_is_turned_upright(tmp_path: Path) -> None:
    picture = random_picture(0)
    exif = Image.Exif()
    exif[0x0112] = 6  # turn 90 degrees clockwise to see it
    found = packed_file(tmp_path / "a", encode(picture, exif=exif), size=16)
    np.testing.assert_array_equal(found, np.rot90(picture, -1))


GREY = np.arange(0, 256, 16, dtype=np.uint8).reshape(4, 4)
COLOURS = {
    "greyscale PNG": (Image.fromarray(GREY), "PNG", np.stack([GREY] * 3, -1)),
    "black and white PNG": (
        Image.fromarray(GREY > 100),
        "PNG",
        np.stack([(GREY > 100) * np.uint8(255)] * 3, -1),
    ),
    "16-bit greyscale PNG": (
        Image.fromarray(GREY.astype(np.uint16) * 256 + 99),
        "PNG",
        np.stack([GREY] * 3, -1),
    ),
    "palette PNG": (
        Image.fromarray(random_picture(3, 4, 4)).quantize(16),
        "PNG",
        np.asarray(Image.fromarray(random_picture(3, 4, 4)).quantize(16).convert("RGB")),
    ),
    "greyscale JPEG": (Image.new("L", (4, 4), 77), "JPEG", np.full((4, 4, 3), 77)),
    "CMYK JPEG": (
        Image.new("CMYK", (4, 4), (0, 255, 255, 0)),
        "JPEG",
        np.full((4, 4, 3), (255, 0, 0)),
    ),
    "one pixel": (Image.new("RGB", (1, 1), (9, 8, 7)), "PNG", np.full((4, 4, 3), (9, 8, 7))),
    "transparent black": (Image.new("RGBA", (4, 4), (0, 0, 0, 0)), "PNG", np.full((4, 4, 3), 255)),
    "half transparent red": (
        Image.new("RGBA", (4, 4), (255, 0, 0, 51)),
        "PNG",
        np.full((4, 4, 3), (255, 204, 204)),
    ),
    "transparent greyscale": (Image.new("LA", (4, 4), (0, 51)), "PNG", np.full((4, 4, 3), 204)),
}


@pytest.mark.parametrize("kind", COLOURS)
def test_every_colour_mode(tmp_path: Path, kind: str) -> None:
    image, file_format, expected = COLOURS[kind]
    found = packed_file(tmp_path / "a", encode(image, file_format))
    tolerance = 2 if file_format == "JPEG" else 1
    assert np.abs(found.astype(int) - expected).max() <= tolerance


def test_16_bit_colour_and_a_transparent_colour(tmp_path: Path) -> None:
    picture = random_picture(0, 4, 4)
    wide = picture[..., ::-1].astype(np.uint16) * 256 + 17
    content = cv2.imencode(".png", wide)[1].tobytes()
    np.testing.assert_array_equal(packed_file(tmp_path / "a", content), picture)

    image = Image.new("RGB", (4, 4), (1, 2, 3))
    found = packed_file(tmp_path / "b", encode(image, transparency=(1, 2, 3)))
    assert (found == 255).all()


@settings(deadline=None, max_examples=30)
@given(
    st.integers(1, 70),
    st.integers(1, 70),
    st.sampled_from(["PNG", "JPEG"]),
    st.none() | st.integers(SIZE, 40),
)
def test_pictures_of_every_size(height: int, width: int, kind: str, crop_from: int | None) -> None:
    picture = np.full((height, width, 3), (10, 120, 200), np.uint8)
    found = fit(decode(encode(picture, kind)), SIZE, crop_from)
    assert found.shape == (SIZE, SIZE, 3)
    assert found.dtype == np.uint8
    assert np.abs(found.astype(int) - (10, 120, 200)).max() <= 3


# Parts


def test_only_the_training_part_is_trained_on(tmp_path: Path) -> None:
    packed = numbered_pictures(tmp_path, 23)
    chosen = tiny_recipe("dcgan", "held_out=0.3", "validation=0.2", "batch_size=1")
    source = real_batches(tmp_path / "numbered", False, chosen, 0, None)
    parts = np.array(parts_of(tmp_path / "numbered", 0.3, 0.2))
    training = np.flatnonzero(parts == "training").tolist()
    epochs = 4
    seen = np.concatenate(list(islice(source.starting_at(0), epochs * len(training))))
    for epoch in to_bytes(seen)[:, 0, 0, 0].reshape(epochs, -1):
        assert sorted(epoch) == training
    held = source.parts.held_out
    np.testing.assert_array_equal(read_pictures(packed, held)[:, 0, 0, 0], held)


def test_the_hash_of_every_file_is_kept(tmp_path: Path) -> None:
    folder = some_bad(tmp_path, 3, {"000 bad.png": b"no picture"})
    packed = pack(folder, SIZE, skip_bad=True)
    expected = [hashlib.sha256((folder / f"{n:03}.png").read_bytes()).digest() for n in range(3)]
    assert [bytes(found) for found in packed.hashes()] == expected
    packed.path.with_suffix(".npz").write_bytes(b"no archive")
    with pytest.raises(UserError, match="damaged: delete"):
        packed.hashes()


def test_pictures_are_read_in_the_order_asked_for(faces: Path) -> None:
    packed = pack(faces, 16)
    found = read_pictures(packed, np.array([4, 0, 4]))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, [random_picture(n) for n in (4, 0, 4)])


# Batches


def test_an_epoch_visits_every_picture_once(tmp_path: Path) -> None:
    packed = numbered_pictures(tmp_path, 7)
    seen = np.concatenate(batches(packed, 0, 7, batch_size=3))
    epochs = to_bytes(seen)[:, 0, 0, 0].reshape(3, 7)
    for epoch in epochs:
        assert sorted(epoch) == list(range(7))
    assert len({tuple(epoch) for epoch in epochs}) == 3
    other = np.concatenate(batches(packed, 0, 7, batch_size=3, seed=1))
    assert (other != seen).any()


@pytest.mark.parametrize("batch_size", [1, 4, 15])
def test_a_batch_depends_on_seed_and_index_alone(faces: Path, batch_size: int) -> None:
    packed = pack(faces, SIZE)
    options = {"batch_size": batch_size, "horizontal_flip": True, "rotation_degrees": 30.0}
    run = batches(packed, 0, 8, **options)
    for start in (1, 5, 7):
        np.testing.assert_array_equal(batches(packed, start, 1, **options)[0], run[start])
    for batch in run:
        assert batch.shape == (batch_size, 3, SIZE, SIZE)
        assert batch.dtype == np.float32
        assert np.abs(batch).max() <= 1


def test_batches_have_the_packed_pixels_in_the_networks_range(tmp_path: Path) -> None:
    picture = random_picture(1, SIZE, SIZE)
    picture[0, 0], picture[0, 1] = 0, 255
    (batch,) = batches(one_picture(tmp_path, picture), 0, 1, batch_size=2)  # one in a batch of two
    assert (batch.min(), batch.max()) == (-1, 1)
    for image in batch:
        np.testing.assert_array_equal(np.rint((image.transpose(1, 2, 0) + 1) * 127.5), picture)


ALL_VALUES = np.arange(256 * 3, dtype=np.uint8).reshape(1, 16, 16, 3)


@pytest.mark.parametrize(("name", "low", "high"), [("signed", -1, 1), ("unit", 0, 1)])
def test_value_ranges_have_black_white_and_equal_steps_between(
    name: str, low: int, high: int
) -> None:
    found = data.to_network_range(ALL_VALUES, name)
    assert found.dtype == np.float32
    assert (found.min(), found.max()) == (low, high)
    expected = np.linspace(low, high, 256)[ALL_VALUES].transpose(0, 3, 1, 2)
    np.testing.assert_allclose(found, expected, rtol=0, atol=1e-7)
    np.testing.assert_array_equal(generator.to_bytes(found, (low, high)), ALL_VALUES)


def test_batches_are_in_their_value_range(faces: Path) -> None:
    packed = pack(faces, SIZE)
    (signed,) = batches(packed, 0, 1)
    (unit,) = batches(packed, 0, 1, value_range="unit")
    assert unit.dtype == np.float32
    np.testing.assert_allclose(unit, (signed + 1) / 2, rtol=0, atol=1e-7)


def test_flips_mirror_about_half(tmp_path: Path) -> None:
    picture = np.zeros((SIZE, SIZE, 3), np.uint8)
    picture[:, : SIZE // 2] = 255
    packed = one_picture(tmp_path, picture)
    images = np.concatenate(batches(packed, 0, 20, batch_size=20, horizontal_flip=True))
    mirrored = images[:, 0, 0, 0] < 0
    assert 140 < mirrored.sum() < 260  # of 400: six standard deviations
    for image, is_mirrored in zip(images, mirrored):
        expected = picture[:, ::-1] if is_mirrored else picture
        np.testing.assert_array_equal((image.transpose(1, 2, 0) + 1) * 127.5, expected)
    assert (np.concatenate(batches(packed, 0, 3, batch_size=20))[:, 0, 0, 0] > 0).all()


@given(st.integers(0, 2**32), st.sampled_from([8, 16, 64]), st.sampled_from([0, 90, 180, -90]))
def test_quarter_turns_move_every_pixel_exactly(seed: int, size: int, degrees: int) -> None:
    picture = np.random.default_rng(seed).integers(0, 256, (size, size, 3), dtype=np.uint8)
    np.testing.assert_array_equal(rotate(picture, degrees), np.rot90(picture, degrees // 90))


@given(st.floats(-180, 180))
def test_a_turned_picture_is_pillows(degrees: float) -> None:
    picture = random_picture(5, 64, 64)
    expected = Image.fromarray(picture).rotate(degrees, Image.Resampling.NEAREST)
    same = (rotate(picture, degrees) == np.asarray(expected)).all(axis=2)
    assert same.mean() > 0.97  # the two round a pixel between two differently


def test_batches_turn_by_up_to_their_angle_and_leave_the_corners_black(tmp_path: Path) -> None:
    """White, with a red mark two pixels wide up from the middle: its angle can be read off."""
    size, degrees = 64, 20
    picture = np.full((size, size, 3), 255, np.uint8)
    picture[4:8, 31:33] = (255, 0, 0)
    packed = one_picture(tmp_path, picture)
    turned = batches(packed, 0, 3, batch_size=50, rotation_degrees=degrees)
    angles = []
    for image in to_bytes(np.concatenate(turned)):
        rows, columns = np.nonzero((image == (255, 0, 0)).all(axis=2))
        angles.append(np.degrees(np.arctan2(31.5 - columns.mean(), 31.5 - rows.mean())))
        if abs(angles[-1]) > 5:
            corners = image[[0, 0, -1, -1], [0, -1, 0, -1]]
            assert (corners == 0).all()
    assert max(np.abs(angles)) < degrees + 1  # a pixel is 2 degrees wide there
    # 150 uniform angles: mean and mean square within six standard errors.
    assert abs(np.mean(angles)) < 6 * degrees / np.sqrt(3 * 150)
    assert abs(np.mean(np.square(angles)) - degrees**2 / 3) < 6 * degrees**2 * 0.3 / np.sqrt(150)


def test_flips_and_angles_do_not_change_each_other(faces: Path, tmp_path: Path) -> None:
    def changed_by_flips(packed: PackedPictures, degrees: float) -> list[bool]:
        unflipped, flipped = (
            batches(packed, 3, 1, batch_size=40, rotation_degrees=degrees, horizontal_flip=flip)[0]
            for flip in (False, True)
        )
        return [not np.array_equal(*pair) for pair in zip(unflipped, flipped)]

    packed = pack(faces, 16)
    mirrored = changed_by_flips(packed, 0.0)
    assert 0 < sum(mirrored) < 40
    assert changed_by_flips(packed, 30.0) == mirrored
    # A picture that is its own mirror image shows that the angles stay the same.
    picture = random_picture(0)
    symmetric = one_picture(tmp_path, np.maximum(picture, picture[:, ::-1]))
    assert not any(changed_by_flips(symmetric, 30.0))


def jittered(packed: PackedPictures, **deviations: float) -> np.ndarray:
    """What 200 times a single picture is shown as, uint8 (200, S, S, 3)."""
    return to_bytes(batches(packed, 0, 1, batch_size=200, jitter=Jitter(**deviations))[0])


def assert_normal(values: np.ndarray, mean: float, deviation: float) -> None:
    """200 values have both within five standard errors."""
    assert abs(values.mean() - mean) < 5 * deviation / np.sqrt(200)
    assert values.std() == pytest.approx(deviation, abs=5 * deviation / np.sqrt(2 * 200))


def test_jitter_shifts_pictures_by_its_deviation(tmp_path: Path) -> None:
    rows, columns = np.mgrid[:64, :64]
    blob = 55 + 200 * np.exp(-((rows - 31.5) ** 2 + (columns - 31.5) ** 2) / 50)
    picture = np.repeat(blob[..., None], 3, axis=2).astype(np.uint8)
    shown = jittered(one_picture(tmp_path, picture), shift=2).astype(float)[..., 0] - 55
    for places in (rows, columns):
        assert_normal((shown * places).sum(axis=(1, 2)) / shown.sum(axis=(1, 2)), 31.5, 2)


def test_jitter_repeats_the_edge(tmp_path: Path) -> None:
    packed = one_picture(tmp_path, np.full((64, 64, 3), 200, np.uint8))
    assert (jittered(packed, shift=5) == 200).all()


def test_jitter_changes_colours_by_its_deviations(tmp_path: Path) -> None:
    """Half a picture is one colour, half another, so that all can be read off."""
    picture = np.full((64, 64, 3), (150, 120, 90), np.uint8)
    picture[:32] = (110, 80, 50)
    packed = one_picture(tmp_path, picture)
    brighter = jittered(packed, brightness=0.05).astype(float)
    assert_normal(brighter.mean(axis=(1, 2, 3)), 100, 0.05 * 255)
    contrast = jittered(packed, contrast=0.1).astype(float)
    assert_normal((contrast[:, 40, 0] - contrast[:, 10, 0]).mean(axis=1) / 40, 1, 0.1)
    np.testing.assert_allclose(contrast.mean(axis=(1, 2, 3)), 100, atol=0.5)
    saturation = jittered(packed, saturation=0.2).astype(float)
    assert_normal((saturation[:, 0, 0, 0] - saturation[:, 0, 0, 2]) / 60, 1, 0.2)
    np.testing.assert_allclose(saturation[:, 0, 0].mean(axis=1), 80, atol=0.5)


def test_jitter_cuts_off_what_is_beyond_white(tmp_path: Path) -> None:
    packed = one_picture(tmp_path, np.full((64, 64, 3), 250, np.uint8))
    shown = jittered(packed, brightness=0.1)
    assert (np.ptp(shown, axis=(1, 2, 3)) == 0).all()
    assert 0.3 < (shown == 255).all(axis=(1, 2, 3)).mean() < 0.55  # above 5 of 25.5: 42 %


def test_no_jitter_shows_the_same_pictures_as_none(faces: Path) -> None:
    packed = pack(faces, 16)
    options = {"batch_size": 20, "horizontal_flip": True, "rotation_degrees": 20.0}
    (plain,), (still,) = (batches(packed, 2, 1, jitter=j, **options) for j in (None, Jitter()))
    np.testing.assert_array_equal(plain, still)


def test_only_what_is_needed_soon_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    packed = pack(write_pictures(tmp_path / "many", 60), SIZE)
    reads = []
    read = data.read_picture
    monkeypatch.setattr(module, "read_picture", lambda *a: reads.append(a[1]) or read(*a))
    parts = all_training(packed)
    source = Batches(packed, parts, parts.training, 2, 0, False, 0.0, None, "signed").starting_at(0)
    next(source)
    source.close()
    assert len(reads) <= 2 * (module.PREFETCHED_BATCHES + 3)


@pytest.mark.parametrize("suffix", [".rec", ".idx", ".json"])
@pytest.mark.parametrize("length", [0, 5, -3])
def test_damaged_packed_pictures_are_told(faces: Path, suffix: str, length: int) -> None:
    path = pack(faces, SIZE).path.with_suffix(suffix)
    path.write_bytes(path.read_bytes()[:length])
    named = path if suffix == ".json" else path.with_suffix(".rec")
    with pytest.raises(UserError, match=f"pictures in {named} are damaged: delete it"):
        read_pictures(pack(faces, SIZE), np.arange(10))


def test_names_need_not_be_utf_8(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the folder, of a picture in it, of one that is bad, of a zip, of records, of the cache."""
    odd = tmp_path / os.fsdecode(b"\xff")
    monkeypatch.setenv("EDGEGAN_CACHE", str(odd / "cache"))
    folder = write_pictures(odd / "faces", 3)
    (folder / "000.png").rename(folder / os.fsdecode(b"\xfe.png"))
    (folder / os.fsdecode(b"bad \xfd.png")).write_bytes(b"no picture")
    packed = pack(folder, SIZE, skip_bad=True)
    assert [os.fsencode(bad.name) for bad in packed.skipped] == [b"bad \xfd.png"]
    whole = read_pictures(packed, np.arange(3))
    assert pack(folder, SIZE, skip_bad=True) == packed
    with zipfile.ZipFile(odd / "faces.zip", "w") as archive:
        for name in ("001.png", "002.png"):
            archive.write(folder / name, name)
    zipped = pack(odd / "faces.zip", SIZE)
    np.testing.assert_array_equal(read_pictures(zipped, np.arange(2)), whole[:2])
    shutil.copy(zipped.path, odd / "faces.rec")
    recorded = pack(odd / "faces.rec", SIZE)
    np.testing.assert_array_equal(read_pictures(recorded, np.arange(2)), whole[:2])
    zipped.path.write_bytes(b"")
    with pytest.raises(UserError, match=f"pictures in {zipped.path} are damaged"):
        read_pictures(zipped, np.arange(2))


# Bad pictures


def some_bad(tmp_path: Path, good: int, bad: dict[str, bytes]) -> Path:
    folder = write_pictures(tmp_path / "mixed", good)
    for name, content in bad.items():
        (folder / name).write_bytes(content)
    return folder


JPEG = encode(random_picture(0, 64, 64), "JPEG")
PNG = encode(np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8))
BAD = {
    "text.jpg": b"this is no picture",
    "empty.png": b"",
    "truncated.jpg": JPEG[: len(JPEG) // 2],
    "truncated.png": PNG[: len(PNG) // 2],
    "header only.jpg": JPEG[:30],
    "header only.png": PNG[:30],
    "an icon.png": encode(random_picture(0), "ICO"),
}


@pytest.mark.parametrize("name", BAD)
def test_an_unreadable_picture_is_skipped_counted_and_named(
    tmp_path: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = some_bad(tmp_path, 3, {name: BAD[name]})
    with pytest.raises(UserError, match=r"1 of 4 pictures .* cannot be read .*--skip-bad") as told:
        pack(folder, SIZE)
    assert name in str(told.value)
    packed = pack(folder, SIZE, skip_bad=True)
    assert packed.count == 3
    assert [left_out.name for left_out in packed.skipped] == [name]
    err = capsys.readouterr().err
    assert "skipped 1 of 4 pictures" in err
    assert name in err


def test_what_is_left_out_is_counted_by_reason(faces: Path, tmp_path: Path) -> None:
    assert left_out(pack(faces, SIZE)) == ""
    for name in ("a.tiff", "b.TIFF", "deep/c.tiff", "notes.txt", "._000.png"):
        (faces / name).parent.mkdir(exist_ok=True)
        (faces / name).write_bytes(b"")
    (faces / "gone.jpg").symlink_to(tmp_path / "none")
    (faces / "bad.jpg").write_text("text")
    (faces / "cut off.jpg").write_bytes(JPEG[: len(JPEG) // 2])
    packed = pack(faces, SIZE, skip_bad=True)
    assert packed.count == 6
    assert left_out(packed) == (
        "3 x .tiff, 1 x .txt, 1 x dead link, 1 x hidden file, 1 x of no known kind, "
        "1 x truncated JPEG"
    )
    assert left_out(pack(faces, SIZE, skip_bad=True)) == left_out(packed)


def test_damage_is_found_wherever_the_file_is(tmp_path: Path) -> None:
    middle = len(PNG) // 2
    contents = {
        "0.jpg": JPEG,
        "1.jpg": JPEG[: len(JPEG) // 2] + bytes(len(JPEG) - len(JPEG) // 2),
        "2.jpg": JPEG[:-2],
        "3.png": PNG[: middle - 40] + bytes(80) + PNG[middle + 40 :],
        "4.png": PNG + b"what follows it",
    }
    folder = some_bad(tmp_path, 0, contents)
    archive = write_zip(tmp_path / "faces.zip", contents)
    records = write_records(tmp_path / "faces.rec", list(contents.values()))
    for source in (folder, archive, records):
        packed = pack(source, SIZE, skip_bad=True)
        assert packed.count == 2
        assert [bad.reason for bad in packed.skipped] == [
            "damaged JPEG: no segment where one should be",
            "truncated JPEG",
            "damaged PNG: wrong check sum of its IDAT",
        ]


def test_of_many_reasons_the_first_are_told(faces: Path) -> None:
    for number in range(12):
        (faces / f"a.{chr(97 + number)}").write_bytes(b"")
    assert left_out(pack(faces, SIZE)).endswith("1 x .h, 4 for other reasons")


def test_where_there_are_no_pictures_it_is_told_what_there_is(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(UserError, match=r"no pictures in .*: found nothing, expected JPEG, PNG"):
        pack(folder, SIZE)
    (folder / "a.tiff").write_bytes(b"")
    with pytest.raises(UserError, match=r"no pictures in .*: found 1 x \.tiff, expected JPEG"):
        pack(folder, SIZE)


def test_one_in_a_hundred_may_be_bad(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = write_zip(
        tmp_path / "f.zip",
        {**{f"{n}.png": encode(random_picture(n)) for n in range(99)}, "bad.jpg": b"text"},
    )
    assert pack(archive, SIZE).count == 99
    assert "skipped 1 of 100 pictures that cannot be read: bad.jpg" in capsys.readouterr().err
    with zipfile.ZipFile(archive, "a") as more:
        more.writestr("worse.jpg", b"text")
    with pytest.raises(UserError, match="2 of 101"):
        pack(archive, SIZE)


@pytest.mark.parametrize("skip_bad", [False, True])
def test_where_all_pictures_are_bad_it_stops(tmp_path: Path, skip_bad: bool) -> None:
    with pytest.raises(UserError, match="none of the 7 pictures"):
        pack(some_bad(tmp_path, 0, BAD), SIZE, skip_bad)


def test_what_holds_no_pictures(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder or file: .*nowhere"):
        pack(tmp_path / "nowhere", SIZE)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match=r"no pictures in .*empty"):
        pack(tmp_path / "empty", SIZE)
    with pytest.raises(UserError, match=r"no pictures in .*empty\.zip"):
        pack(write_zip(tmp_path / "empty.zip", {"readme.txt": b""}), SIZE)
    (tmp_path / "text.txt").write_text("text")
    with pytest.raises(UserError, match=r"text\.txt is no folder, zip or RecordIO"):
        pack(tmp_path / "text.txt", SIZE)


def test_broken_zips(tmp_path: Path) -> None:
    members = {f"{n}.png": encode(random_picture(n)) for n in range(4)}
    whole = write_zip(tmp_path / "whole.zip", members).read_bytes()

    truncated = tmp_path / "truncated.zip"
    truncated.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UserError, match=r"truncated\.zip"):
        pack(truncated, SIZE)

    directory = tmp_path / "directory.zip"
    directory.write_bytes(whole.replace(b"PK\x01\x02", b"PK\x09\x09"))
    with pytest.raises(UserError, match=r"directory\.zip is a broken zip"):
        pack(directory, SIZE)

    # One damaged member is one bad picture.
    damaged = tmp_path / "damaged.zip"
    with zipfile.ZipFile(io.BytesIO(whole)) as archive:
        start = archive.getinfo("2.png").header_offset + 60
    damaged.write_bytes(whole[:start] + b"\xff" * 40 + whole[start + 40 :])
    packed = pack(damaged, SIZE, skip_bad=True)
    assert (packed.count, packed.skipped) == (3, [LeftOut("2.png", "damaged in the zip")])

    # A zip with a password, by the flag that says so.
    secret = tmp_path / "secret.zip"
    locked = bytearray(whole)
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        position = -1
        while (position := whole.find(signature, position + 1)) >= 0:
            locked[position + offset] |= 1
    secret.write_bytes(bytes(locked))
    with pytest.raises(UserError, match=r"none of the 4 pictures .* \(0.png: password; 1.png"):
        pack(secret, SIZE)


def test_broken_records(tmp_path: Path) -> None:
    contents = [encode(random_picture(n)) for n in range(4)]
    whole = write_records(tmp_path / "whole.rec", contents).read_bytes()
    for number, content in enumerate((whole[: len(whole) // 2], b"garbage!" * 9, whole + b"x" * 8)):
        path = tmp_path / f"{number}.rec"
        path.write_bytes(content)
        with pytest.raises(UserError, match=rf"{number}\.rec is a broken RecordIO file"):
            pack(path, SIZE)


@settings(
    deadline=None,
    max_examples=60,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(st.data())
def test_a_damaged_file_is_decoded_or_skipped_but_nothing_else(
    tmp_path_factory: pytest.TempPathFactory, damage: st.DataObject
) -> None:
    content = bytearray(damage.draw(st.sampled_from([JPEG, PNG])))
    for _ in range(damage.draw(st.integers(1, 4))):
        content[damage.draw(st.integers(0, len(content) - 1))] = damage.draw(st.integers(0, 255))
    folder = tmp_path_factory.mktemp("damaged")
    (folder / "good.png").write_bytes(encode(random_picture(0)))
    (folder / "other.png").write_bytes(bytes(content))
    packed = pack(folder, SIZE, skip_bad=True)
    assert packed.count + len(packed.skipped) == 2


@pytest.mark.parametrize(
    ("fault", "sentence"),
    [
        (PermissionError(13, os.strerror(13)), r"cannot read .*003\.png: Permission denied"),
        (OSError(5, os.strerror(5)), r"cannot read .*003\.png: Input/output error"),
        (MemoryError(), r"not enough memory to read 003\.png"),
    ],
)
def test_a_fault_of_the_moment_stops_and_is_forgotten(
    faces: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception, sentence: str
) -> None:
    read = Path.read_bytes

    def refuse(path: Path) -> bytes:
        if path.name == "003.png":
            raise fault
        return read(path)

    with monkeypatch.context() as moment:
        moment.setattr(Path, "read_bytes", refuse)
        with pytest.raises(UserError, match=sentence):
            pack(faces, SIZE, skip_bad=True)
    assert pack(faces, SIZE).count == 6


def test_the_summary_is_written_last(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that a packing that was killed is not taken for a whole one."""
    written: list[str] = []
    atomic_write: Callable[[Path], Iterator[Path]] = data.atomic_write
    monkeypatch.setattr(
        data, "atomic_write", lambda path: written.append(path.suffix) or atomic_write(path)
    )
    packed = pack(faces, SIZE)
    assert written[-1] == ".json"
    assert json.loads(packed.path.with_suffix(".json").read_text())["count"] == 6


KILLED = """
import os, signal, sys
from pathlib import Path
from edgegan.trainer import data
def kill(*arguments): os.kill(os.getpid(), signal.SIGKILL)
setattr(data, sys.argv[2], kill)
data.pack(Path(sys.argv[1]), 8)
"""


@pytest.mark.parametrize("moment", ["thumbnail", "group"])
def test_what_a_killed_packing_left_is_removed_by_the_next(
    faces: Path, cache: Path, moment: str
) -> None:
    """Killed with records half written, or with records and no summary."""
    ended = subprocess.run([sys.executable, "-c", KILLED, str(faces), moment], check=False)
    assert ended.returncode == -signal.SIGKILL
    left = {path.name for path in (cache / "packed").iterdir()} - {LOCK}
    assert left
    with packing():  # another one, under way: it may be its files
        pack(faces, SIZE)
    assert left - {path.name for path in (cache / "packed").iterdir()} <= left
    pack(faces, 2 * SIZE)
    names = [path.name for path in (cache / "packed").iterdir() if path.name != LOCK]
    assert len(names) == 2 * len(SUFFIXES)


WAITING = """
import sys
from pathlib import Path
from edgegan.trainer import data
data._write_set = None
data.pack(Path(sys.argv[1]), 8)
"""


def test_a_set_is_packed_by_one_process_at_a_time(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Were it written twice, the first one would read what another may clear."""
    command = [sys.executable, "-c", WAITING, str(faces)]
    others: list[subprocess.Popen[str]] = []
    write_set = data._write_set

    def start_another(*arguments: object) -> None:
        others.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        assert "another process packs these pictures" in others[0].stderr.readline()
        write_set(*arguments)

    monkeypatch.setattr(data, "_write_set", start_another)
    packed = pack(faces, SIZE)
    said = others[0].communicate(timeout=60)[1]
    assert (others[0].returncode, said) == (0, "")
    assert {path.name for path in packed.path.parent.iterdir()} == {
        LOCK,
        *(packed.path.with_suffix(suffix).name for suffix in SUFFIXES),
    }


def test_what_is_cleared_at_any_moment_is_packed_again(
    faces: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While it is looked for, or after it was packed and before it is held."""
    whole = pictures_in(pack(faces, SIZE))
    before = data.hold
    cleared: list[str] = []

    def clear_first(summary: Path) -> object:
        if len(cleared) < 2:
            cleared.append(summary.name)
            for suffix in SUFFIXES:
                summary.with_suffix(suffix).unlink(missing_ok=True)
        return before(summary)

    monkeypatch.setattr(data, "hold", clear_first)
    np.testing.assert_array_equal(pictures_in(pack(faces, SIZE)), whole)


def test_another_version_of_packing_packs_again(
    faces: Path, decoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    pack(faces, SIZE)
    monkeypatch.setattr(data, "PACKING_VERSION", data.PACKING_VERSION + 1)
    pack(faces, SIZE)
    assert len(decoded) == 2 * 6


def test_groups_are_found_once(faces: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    first = pack(faces, SIZE).groups()
    monkeypatch.setattr(data, "group", None)
    np.testing.assert_array_equal(pack(faces, SIZE).groups(), first)


@pytest.mark.parametrize("content", ["", "{", "[1]", '{"count": 6}'])
def test_a_damaged_summary_is_told(faces: Path, content: str) -> None:
    summary = pack(faces, SIZE).path.with_suffix(".json")
    summary.write_text(content)
    with pytest.raises(UserError, match=f"packed pictures in {summary} are damaged: delete"):
        pack(faces, SIZE)


# Words


def tagged_pictures(folder: Path, words: list[str | None]) -> Path:
    """Pictures whose every value is their number, and a table of their classes."""
    folder.mkdir(exist_ok=True)
    lines = ["file,class"]
    for number, word in enumerate(words):
        picture = np.full((SIZE, SIZE, 3), number, np.uint8)
        (folder / f"{number:03}.png").write_bytes(encode(picture))
        lines += [f"{number:03},{word}"] if word else []
    (folder / "tags.csv").write_text("\n".join([*lines, ""]))
    return folder


def test_with_words_the_label_of_each_record_is_its_words(tmp_path: Path) -> None:
    names = ["b", None, "a", "c", "a"]
    packed = pack(tagged_pictures(tmp_path / "faces", names), SIZE, with_words=True)
    assert packed.words is not None
    ((name, words),) = ((group.name, group.words) for group in packed.words.groups)
    assert (name, words) == ("class", ("a", "b", "c"))
    expected = [[1], [-1], [0], [2], [0]]
    np.testing.assert_array_equal(packed.choices(), expected)
    assert packed.words.combinations.tolist() == [[0], [1], [2]]
    assert packed.words.counts.tolist() == [2, 1, 1]
    reader = data.open_records(packed)
    labels = [mx.recordio.unpack(reader.read_idx(number))[0].label for number in range(5)]
    assert [label.tolist() for label in labels] == expected
    assert all(label.dtype == np.float32 for label in labels)
    np.testing.assert_array_equal(pictures_in(packed)[:, 0, 0, 0], range(5))


def test_words_are_part_of_what_is_packed(tmp_path: Path, decoded: list[int]) -> None:
    folder = tagged_pictures(tmp_path / "faces", ["a", "b", "a"])
    plain = pack(folder, SIZE)
    first = pack(folder, SIZE, with_words=True)
    assert len(decoded) == 6
    assert first.path != plain.path
    assert pack(folder, SIZE) == plain
    assert plain.words is None
    assert pack(folder, SIZE, with_words=True) == first
    assert len(decoded) == 6

    (folder / "tags.csv").write_text("file,class\n000,b\n001,a\n002,a\n")
    changed = pack(folder, SIZE, with_words=True)
    assert changed.path != first.path
    assert changed.digest == first.digest == plain.digest
    assert changed.choices().tolist() == [[1], [0], [0]]
    assert pack(folder, SIZE) == plain  # which has no words, and is not packed again
    assert len(decoded) == 9


def test_without_words_sets_are_named_and_written_as_ever(tmp_path: Path) -> None:
    folder = tagged_pictures(tmp_path / "faces", ["a", "b"])
    with open_set(folder) as found:
        told = f"2\n{SIZE} x {SIZE}\n{found.signature}"
    packed = pack(folder, SIZE)
    assert packed.path.stem == hashlib.sha256(told.encode()).hexdigest()[:24]
    reader = data.open_records(packed)
    headers = [mx.recordio.unpack(reader.read_idx(number))[0] for number in range(2)]
    assert [tuple(header) for header in headers] == [(0, 0.0, 0, 0), (0, 0.0, 1, 0)]
    with np.load(packed.path.with_suffix(".npz")) as known:
        assert set(known) == {"hashes", "groups"}


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[str | None], PackedPictures]:
    """30 pictures whose values are their numbers, packed with their words, which some have."""
    folder = tmp_path_factory.mktemp("labelled")
    names = [None if number % 5 == 4 else "abc"[number % 3] for number in range(30)]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEGAN_CACHE", str(folder / "cache"))
        return names, pack(tagged_pictures(folder / "faces", names), SIZE, with_words=True)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 2**31), st.integers(0, 40), st.integers(1, 9))
def test_words_follow_their_pictures(
    labelled: tuple[list[str | None], PackedPictures], seed: int, start: int, batch_size: int
) -> None:
    """Whatever the order: a picture's values are its number, by which its words are known."""
    names, packed = labelled
    known = np.array([number for number, name in enumerate(names) if name])
    options = {"indices": known, "batch_size": batch_size, "seed": seed, "horizontal_flip": True}
    plain = batches(packed, start, 3, **options)
    found = batches(packed, start, 3, LabelledBatches, choices=packed.choices(), **options)
    for (images, conditions), alone in zip(found, plain):
        np.testing.assert_array_equal(images, alone)
        numbers = to_bytes(images)[:, 0, 0, 0]
        assert conditions.dtype == np.float32
        np.testing.assert_array_equal(
            conditions, [[names[number] == word for word in "abc"] for number in numbers]
        )


def test_what_has_no_words_is_left_out_and_said(tmp_path: Path) -> None:
    folder = tagged_pictures(tmp_path / "faces", ["a", None, "b", None, "a", "b"])
    (folder / "003.png").write_bytes(b"no picture")
    (folder / "005.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("no picture")
    with (folder / "tags.csv").open("a") as table:
        table.write("77,a\n78,b\n")
    packed = pack(folder, SIZE, skip_bad=True, with_words=True)
    np.testing.assert_array_equal(packed.choices(), [[0], [-1], [1], [0]])
    np.testing.assert_array_equal(pictures_in(packed)[:, 0, 0, 0], [0, 1, 2, 4])
    assert packed.words is not None
    assert packed.words.counts.tolist() == [2, 1]
    assert packed.left_out == [
        LeftOut("notes.txt", ".txt"),
        LeftOut("001.png", "no words"),
        LeftOut("77", "words of no picture"),
        LeftOut("78", "words of no picture"),
    ]
    assert "2 x words of no picture" in left_out(packed)
    assert "1 x .csv" in left_out(pack(folder, SIZE, skip_bad=True))


def test_words_of_bad_pictures_only_are_refused(tmp_path: Path) -> None:
    folder = tagged_pictures(tmp_path / "faces", ["a", "b", None])
    for number in range(2):
        (folder / f"{number:03}.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"tags.csv .* has words only of pictures that cannot"):
        pack(folder, SIZE, skip_bad=True, with_words=True)


def test_no_pictures_are_told_before_no_words(tmp_path: Path) -> None:
    with pytest.raises(UserError, match="no pictures in"):
        pack(tmp_path, SIZE, with_words=True)


def write_labelled(path: Path, labels: list[float | np.ndarray]) -> Path:
    writer = mx.recordio.MXRecordIO(str(path), "w")
    for number, label in enumerate(labels):
        header = mx.recordio.IRHeader(0, label, number, 0)
        writer.write(mx.recordio.pack(header, encode(random_picture(number))))
    writer.close()
    return path


def test_labels_of_records_are_classes(tmp_path: Path) -> None:
    labels = [3.0, 1_234_567.0, np.float32([3]), 0.5, 3.0]
    source = write_labelled(tmp_path / "faces.rec", labels)
    packed = pack(source, SIZE, with_words=True)
    assert packed.words is not None
    (group,) = packed.words.groups
    assert (group.name, group.words) == ("class", ("0.5", "1234567", "3"))
    assert packed.choices().tolist() == [[2], [1], [2], [0], [2]]
    again = pack(packed.path, SIZE, with_words=True)  # what was packed has labels of its own
    assert again.choices().tolist() == packed.choices().tolist()


@pytest.mark.parametrize("label", [np.float32([1, 2]), float("nan")])
def test_labels_that_are_no_class_are_refused(tmp_path: Path, label: float | np.ndarray) -> None:
    source = write_labelled(tmp_path / "faces.rec", [1.0, label])
    with pytest.raises(UserError, match=r"as the label of record 1, expected one number"):
        pack(source, SIZE, with_words=True)
    assert pack(source, SIZE).count == 2


# Of a run


def run_on(folder: Path, *overrides: str, last: Checkpoint | None = None) -> LabelledBatches:
    """The batches of a run of a recipe with a condition."""
    chosen = tiny_recipe("acgan", "batch_size=1", *overrides)
    found = real_batches(folder, False, chosen, 0, last)
    assert isinstance(found, LabelledBatches)
    return found


def test_pictures_without_words_are_in_no_part(tmp_path: Path) -> None:
    names = [("a", "b", None)[number % 3] for number in range(60)]
    folder = tagged_pictures(tmp_path / "faces", names)
    shares = "held_out=0.3", "validation=0.2"
    found = run_on(folder, *shares)
    parts = np.array(parts_of(folder, 0.3, 0.2))
    tagged = np.array([name is not None for name in names])
    for name, part in zip(("training", "validation", "held out"), vars(found.parts).values()):
        np.testing.assert_array_equal(part, np.flatnonzero((parts == name) & tagged))
    training = [name for name, part in zip(names, parts) if name and part == "training"]
    assert found.words.counts.tolist() == [training.count("a"), training.count("b")]
    assert found.facts()["words"] == found.words.to_json()
    assert (
        not {"words", "choices_digest"}
        & real_batches(folder, False, tiny_recipe("dcgan"), 0, None).facts().keys()
    )


def test_the_lines_at_the_start_count_words(tmp_path: Path) -> None:
    folder = tagged_pictures(tmp_path / "faces", ["a", "b", None, "b", "c"])
    pictures, without, *words = run_on(folder, "held_out=0", "validation=0").describe(folder)
    assert pictures.startswith("pictures: 4 to train on, 0 to validate with")
    assert without == "left out: 1 x no words"
    assert words == ["words of class: b 2, a 1, c 1"]

    many = [f"w{number:02}" for number in range(20)]
    folder = tagged_pictures(tmp_path / "many", [*many, "w19"])
    (*_, line) = run_on(folder, "held_out=0", "validation=0").describe(folder)
    assert line.startswith("words of class: w19 2, w00 1, w01 1, ")
    assert line.endswith(", w10 1, 8 others 8")

    (folder / "tags.csv").write_text("0,red hair blue eyes\n1,red hair red eyes\n2,x hair red eyes")
    for number in range(3):
        (folder / f"{number:03}.png").rename(folder / f"{number}.png")
    *_, hair, eyes, both = run_on(folder, "held_out=0", "validation=0").describe(folder)
    assert hair == "words of hair: red 2, x 1"
    assert eyes == "words of eyes: red 2, blue 1"
    assert both == "combinations of words: 3"


def test_a_run_goes_on_with_its_own_words_only(tmp_path: Path) -> None:
    folder = tagged_pictures(tmp_path / "faces", ["a", "b", "a", "b", None])
    shares = "held_out=0", "validation=0"
    first = run_on(folder, *shares)
    last = Checkpoint(tiny_recipe("acgan"), first.facts(), {})
    assert run_on(folder, *shares, last=last).facts() == first.facts()
    for words in (
        ["a", "b", "a", "c", None],
        ["b", "a", "a", "b", None],
        ["a", "b", "a", "b", "b"],
    ):
        tagged_pictures(folder, words)
        with pytest.raises(UserError, match=r"other words of the pictures .* --start-from"):
            run_on(folder, *shares, last=last)


def test_words_of_held_out_pictures_alone_train_nothing(tmp_path: Path) -> None:
    folder = tagged_pictures(tmp_path / "faces", [None] * 40)
    parts = parts_of(folder, 0.5, 0.0)
    tagged_pictures(
        folder, ["ab"[n % 2] if part != "training" else None for n, part in enumerate(parts)]
    )
    with pytest.raises(UserError, match=r"none of \d+ pictures of .* to train on has words"):
        run_on(folder, "held_out=0.5", "validation=0")
