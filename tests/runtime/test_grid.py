from __future__ import annotations

import struct
import zlib

import cv2
import matplotlib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from edgegan.runtime.damage import MOST_PIXELS
from edgegan.runtime.errors import UserError
from edgegan.runtime.grid import (
    MOST_SIDE,
    baseline_grid,
    check_size,
    encode_png,
    read_picture,
    tight_grid,
    tight_grid_size,
    write_png,
)
from edgegan.runtime.resample import resample


def random_images(count, height=64, width=64):
    return np.random.default_rng(0).integers(0, 256, (count, height, width, 3), dtype=np.uint8)


def graders_grid(images, path):
    """The graders' save_imgs, word for word, and their reading of its file."""
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        r, c = 5, 5
        fig, axs = plt.subplots(r, c)
        cnt = 0
        for i in range(r):
            for j in range(c):
                axs[i, j].imshow(images[cnt, :, :, :])
                axs[i, j].axis("off")
                cnt += 1
        fig.savefig(path)
        plt.close()
    return cv2.imread(str(path))[..., ::-1]


def images_of_all_values(size):
    """25 images: black, white, a chessboard of both, both at random, and all values at random."""
    images = random_images(25, size, size)
    images[0], images[1] = 0, 255
    images[2] = (np.indices((size, size)).sum(axis=0) % 2 * 255)[..., None]
    images[3] = images[3] // 128 * 255
    return images


# 21 is more than tripled, 32 doubled, 64 kept, and the others are filtered.
@pytest.mark.parametrize("size", [21, 22, 32, 64, 65, 128])
def test_the_baseline_grid_has_the_graders_pixels(tmp_path, size):
    images = images_of_all_values(size)
    grid = baseline_grid(images)
    assert grid.shape == (480, 640, 3)
    assert grid.dtype == np.uint8
    np.testing.assert_array_equal(grid, graders_grid(images, tmp_path / "theirs.png"))


@settings(deadline=None, max_examples=25)
@given(size=st.integers(1, 60), side=st.integers(5, 40), value=st.integers(0, 255))
def test_what_has_one_colour_keeps_it(size, side, value):
    resampled = resample(np.full((1, size, size, 3), value, np.uint8), side)
    assert resampled.shape == (1, side, side, 3)
    assert (resampled == value).all()


@pytest.mark.parametrize(
    "images",
    [random_images(24), random_images(25).astype(np.float32), random_images(25, 48, 32)],
    ids=["count", "dtype", "shape"],
)
def test_the_baseline_grid_takes_25_square_images_of_bytes(images):
    with pytest.raises((TypeError, ValueError), match=r"expected uint8 \(25, S, S, 3\)"):
        baseline_grid(images)


@given(
    rows=st.integers(1, 4),
    columns=st.integers(1, 4),
    gap=st.integers(0, 3),
    height=st.integers(1, 5),
    width=st.integers(1, 5),
)
def test_a_tight_grid_holds_its_images_and_white(rows, columns, gap, height, width):
    images = random_images(rows * columns, height, width)
    grid = tight_grid(images, rows, columns, gap)
    assert grid.shape[:2] == tight_grid_size(rows, columns, images.shape[1:3], gap)
    assert grid.shape == (
        rows * height + (rows - 1) * gap,
        columns * width + (columns - 1) * gap,
        3,
    )
    between = np.ones(grid.shape[:2], dtype=bool)
    for index, image in enumerate(images):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        np.testing.assert_array_equal(grid[top : top + height, left : left + width], image)
        between[top : top + height, left : left + width] = False
    assert (grid[between] == 255).all()


def test_the_largest_picture_is_what_can_be_written_and_opened(tmp_path):
    check_size(1, MOST_SIDE)
    image = np.zeros((1, MOST_SIDE, 3), np.uint8)
    assert cv2.imdecode(np.frombuffer(encode_png(image), np.uint8), 1).shape == image.shape
    wider = np.zeros((1, MOST_SIDE + 1, 3), np.uint8)
    assert not cv2.imencode(".png", wider)[0]  # libpng's own limit
    with pytest.raises(UserError, match="a picture of 1000001 x 1 pixels is too large"):
        write_png(tmp_path / "grid.png", wider)
    assert not list(tmp_path.iterdir())
    for size in ((1, MOST_SIDE + 1), (MOST_SIDE + 1, 1)):
        with pytest.raises(UserError, match=r"pixels is too large .* at most 1000000 a side"):
            check_size(*size)
    assert Image.MAX_IMAGE_PIXELS * 2 == MOST_PIXELS  # of more than twice that it opens none
    check_size(MOST_PIXELS // 13378, 13378)
    with pytest.raises(UserError, match="a picture of 13378 x 13378 pixels is too large"):
        check_size(13378, 13378)


def test_a_tight_grid_is_filled():
    with pytest.raises(ValueError, match="5 images do not fill 2 rows of 3"):
        tight_grid(random_images(5), 2, 3, 0)


def test_a_png_keeps_its_pixels_and_its_bytes(tmp_path):
    image = random_images(1, 20, 30)[0]
    first, second = tmp_path / "网格 1.png", tmp_path / "2.png"
    write_png(first, image)
    write_png(second, image)
    np.testing.assert_array_equal(read_picture(first), image)
    assert first.read_bytes() == second.read_bytes()
    # IHDR, IDAT and IEND only: no date, no program's name.
    content = first.read_bytes()
    assert not any(chunk in content for chunk in (b"tEXt", b"zTXt", b"iTXt", b"tIME"))


def test_a_picture_is_read_as_the_graders_read_it(tmp_path):
    rgba = np.random.default_rng(1).integers(0, 256, (9, 9, 4), dtype=np.uint8)
    grey = rgba[..., 0]
    for name, image in (("alpha.png", rgba), ("grey.png", grey), ("grey.jpg", grey)):
        path = tmp_path / name
        path.write_bytes(cv2.imencode(path.suffix, image)[1].tobytes())
        np.testing.assert_array_equal(read_picture(path), cv2.imread(str(path))[..., ::-1])


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_truncated_picture_is_an_error(tmp_path, suffix, share):
    content = cv2.imencode(suffix, random_images(1)[0])[1].tobytes()
    path = tmp_path / f"half{suffix}"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=f"cannot read {path}: truncated"):
        read_picture(path)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_what_follows_a_whole_picture_is_not_read(tmp_path, suffix):
    content = cv2.imencode(suffix, random_images(1, 64, 64)[0])[1].tobytes()
    whole, longer = tmp_path / f"whole{suffix}", tmp_path / f"longer{suffix}"
    whole.write_bytes(content)
    expected = cv2.imread(str(whole))[..., ::-1]
    for behind in (b"\0", b"a video" * 1000, content):
        longer.write_bytes(content + behind)
        np.testing.assert_array_equal(read_picture(longer), expected)


@pytest.mark.parametrize("suffix", [".png", ".jpg"])
@pytest.mark.parametrize(("start", "end"), [(0.4, 0.6), (0.5, 1), (0.5, 0.99)])
def test_a_picture_with_zeros_in_it_is_an_error(tmp_path, suffix, start, end):
    content = cv2.imencode(suffix, random_images(1, 64, 64)[0])[1].tobytes()
    first, last = int(len(content) * start), int(len(content) * end)
    path = tmp_path / f"zeros{suffix}"
    path.write_bytes(content[:first] + bytes(last - first) + content[last:])
    with pytest.raises(UserError, match=f"cannot read {path}: (damaged|truncated) "):
        read_picture(path)


def test_a_picture_of_too_many_pixels_is_an_error(tmp_path):
    content = cv2.imencode(".png", random_images(1)[0])[1].tobytes()
    header = b"IHDR" + struct.pack(">II", 1 << 16, 1 << 15) + content[24:29]
    path = tmp_path / "huge.png"
    sized = content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    path.write_bytes(sized)
    with pytest.raises(UserError, match=f"cannot read {path}: .* pixels, expected at"):
        read_picture(path)


def test_a_damaged_picture_is_an_error(tmp_path):
    path = tmp_path / "damaged.png"
    content = cv2.imencode(".png", random_images(1)[0])[1].tobytes()
    path.write_bytes(content[:8] + content[40:])
    with pytest.raises(UserError, match=f"cannot read {path}: damaged PNG"):
        read_picture(path)


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_what_is_no_picture_is_an_error(tmp_path, content):
    path = tmp_path / "text.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{path} is neither a PNG nor a JPEG"):
        read_picture(path)
