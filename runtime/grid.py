"""Images to one picture, and pictures to and from files."""

from __future__ import annotations

import itertools
from pathlib import Path

import cv2
import numpy as np

from edgegan.runtime.arguments import check_array, check_integer
from edgegan.runtime.damage import JPEG_START, MOST_PIXELS, PNG_START, BadPicture, check
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_bytes, write_bytes
from edgegan.runtime.resample import resample

BASELINE_IMAGES = 25
BASELINE_SIDE = 5
BASELINE_SHAPE = (480, 640, 3)  # 6.4 x 4.8 inches, 100 pixels to the inch
BASELINE_TILE = 64  # pixels, whatever an image has: the panels are 63.7 wide
BASELINE_LEFTS = (91, 194, 296, 399, 501)
BASELINE_TOPS = (57, 134, 210, 287, 363)
BASELINE_HIDDEN = (57, 210)  # rows of pixels that rounding puts above the panels they belong to
WHITE = 255
MOST_SIDE = 1_000_000  # pixels, of a PNG: libpng writes and reads no longer ones


def baseline_grid(images: np.ndarray) -> np.ndarray:
    """Draw 25 images as the graders of the assignment do.

    Their save_imgs is `plt.subplots(5, 5)`, `imshow` and `axis("off")` on each, `savefig`:
    matplotlib's default figure, here without matplotlib, whose import takes longer than all the
    rest. The pixels are the same as those of matplotlib 3.8 to 3.10 with its default settings.

    Args:
        images: uint8 (25, S, S, 3), RGB, in reading order.

    Returns:
        uint8 (480, 640, 3), RGB.

    Raises:
        TypeError, ValueError: the images are of another type or shape.
    """
    check_array("images", images, "uint8", (BASELINE_IMAGES, "S", "S", 3))
    grid = np.full(BASELINE_SHAPE, WHITE, np.uint8)
    places = itertools.product(BASELINE_TOPS, BASELINE_LEFTS)
    for tile, (top, left) in zip(resample(images, BASELINE_TILE), places):
        grid[top : top + BASELINE_TILE, left : left + BASELINE_TILE] = tile
    grid[list(BASELINE_HIDDEN)] = WHITE
    return grid


def tight_grid(images: np.ndarray, rows: int, columns: int, gap: int) -> np.ndarray:
    """Lay out images on white at their own size, `gap` pixels apart.

    Args:
        images: uint8 (rows * columns, H, W, 3), RGB, in reading order.

    Returns:
        uint8 (rows * H + (rows - 1) * gap, columns * W + (columns - 1) * gap, 3), RGB.

    Raises:
        TypeError, ValueError: the images are of another type or shape, do not fill the rows, or a
            number is not whole, `rows` or `columns` below 1 or `gap` below 0.
    """
    check_array("images", images, "uint8", ("N", "H", "W", 3))
    rows, columns = check_integer("rows", rows, 1), check_integer("columns", columns, 1)
    gap = check_integer("gap", gap)
    count, height, width, _ = images.shape
    if count != rows * columns:
        raise ValueError(f"{count} images do not fill {rows} rows of {columns}")
    grid = np.full((*tight_grid_size(rows, columns, (height, width), gap), 3), WHITE, np.uint8)
    for tile, (row, column) in zip(images, itertools.product(range(rows), range(columns))):
        top, left = row * (height + gap), column * (width + gap)
        grid[top : top + height, left : left + width] = tile
    return grid


def tight_grid_size(rows: int, columns: int, tile: tuple[int, int], gap: int) -> tuple[int, int]:
    """Return the height and width of what `tight_grid` makes of tiles of that height and width."""
    height, width = tile
    return rows * (height + gap) - gap, columns * (width + gap) - gap


def check_size(height: int, width: int) -> None:
    """Raise UserError where a picture is too large to be written, or to be opened again."""
    if max(height, width) > MOST_SIDE or height * width > MOST_PIXELS:
        raise UserError(
            f"a picture of {width} x {height} pixels is too large to be written, expected at most "
            f"{MOST_SIDE} a side and {MOST_PIXELS} in all"
        )


def write_png(path: str | Path, image: np.ndarray) -> None:
    """Write uint8 (H, W, 3), RGB, as a PNG file; the same image always gives the same bytes.

    Raises:
        UserError: the file cannot be written, or the picture is too large.
        TypeError, ValueError: the image is of another type or shape.
    """
    write_bytes(path, encode_png(image))


def encode_png(image: np.ndarray) -> bytes:
    """Return uint8 (H, W, 3), RGB, as the content of a PNG file; the same bytes every time.

    Raises:
        UserError: it is too large, as check_size says.
        MemoryError: there is no room for it.
        TypeError, ValueError: the image is of another type or shape.
    """
    check_array("image", image, "uint8", ("H", "W", 3))
    check_size(*image.shape[:2])
    done, content = cv2.imencode(".png", cv2.cvtColor(image, cv2.COLOR_RGB2BGR))
    if not done:  # OpenCV keeps to itself what else there can be
        raise MemoryError(f"a picture of {image.shape[1]} x {image.shape[0]} pixels as PNG")
    return content.tobytes()


def read_picture(path: str | Path) -> np.ndarray:
    """Read a PNG or JPEG file in colour, without its alpha channel, as cv2.imread does.

    Returns:
        uint8 (H, W, 3), RGB.

    Raises:
        UserError: the file cannot be read, is neither PNG nor JPEG, or is damaged.
    """
    content = read_bytes(path)  # cv2.imread itself takes no Chinese name on Windows
    if not content.startswith((PNG_START, JPEG_START)):
        raise UserError(f"{path} is neither a PNG nor a JPEG picture")
    try:
        check(content)
        picture = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except BadPicture as error:
        raise UserError(f"cannot read {path}: {error}") from error
    except cv2.error as error:
        if error.code == cv2.Error.StsNoMem:
            raise MemoryError(str(error)) from error
        picture = None
    if picture is None:
        raise UserError(f"{path} is a picture that OpenCV cannot decode")
    return cv2.cvtColor(picture, cv2.COLOR_BGR2RGB)
