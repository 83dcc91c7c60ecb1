from __future__ import annotations

import cv2
import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from runtime.errors import UserError
from runtime.grid import baseline_grid, read_picture, tight_grid, write_png


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


@pytest.mark.parametrize("shape", [(64, 64), (48, 32)])
def test_the_baseline_grid_has_the_graders_pixels(tmp_path, shape):
    images = random_images(25, *shape)
    grid = baseline_grid(images)
    assert grid.shape == (480, 640, 3)
    assert grid.dtype == np.uint8
    np.testing.assert_array_equal(grid, graders_grid(images, tmp_path / "theirs.png"))


def test_the_users_matplotlib_settings_do_not_change_the_baseline_grid():
    images = random_images(25)
    expected = baseline_grid(images)
    settings = {"figure.dpi": 50, "figure.facecolor": "black", "image.interpolation": "bicubic"}
    with matplotlib.rc_context(settings):
        np.testing.assert_array_equal(baseline_grid(images), expected)
        assert matplotlib.rcParams["figure.dpi"] == 50


@pytest.mark.parametrize(
    "images", [random_images(24), random_images(25).astype(np.float32)], ids=["count", "dtype"]
)
def test_the_baseline_grid_takes_25_images_of_bytes(images):
    with pytest.raises(ValueError, match="expected 25 uint8 images"):
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
    with pytest.raises(UserError, match=f"{path} is a damaged or truncated picture"):
        read_picture(path)


def test_a_damaged_picture_is_an_error(tmp_path):
    path = tmp_path / "damaged.png"
    content = cv2.imencode(".png", random_images(1)[0])[1].tobytes()
    path.write_bytes(content[:8] + content[40:])
    with pytest.raises(UserError, match="damaged or truncated"):
        read_picture(path)


@pytest.mark.parametrize("content", [b"", b"no picture"])
def test_what_is_no_picture_is_an_error(tmp_path, content):
    path = tmp_path / "text.jpg"
    path.write_bytes(content)
    with pytest.raises(UserError, match=f"{path} is neither a PNG nor a JPEG"):
        read_picture(path)
