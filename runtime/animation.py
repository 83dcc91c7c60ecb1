"""Images to one animated picture."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np

from edgegan.runtime.arguments import check_array, check_integer
from edgegan.runtime.choices import check_choice
from edgegan.runtime.files import write_bytes

FORMATS = {".gif": "GIF", ".webp": "WebP"}
FRAME_MILLISECONDS = 50  # 20 frames a second: smooth, and GIF counts in hundredths of a second


def write_animation(path: str | Path, images: np.ndarray) -> None:
    """Write images as a GIF or WebP file, by the path's suffix, that plays them over and over.

    WebP keeps every pixel as it is; GIF has 256 colours for each frame. Equal images in a row
    become one that is shown for as long.

    Args:
        images: uint8 (N, H, W, 3), RGB, two or more.

    Raises:
        UserError: the file cannot be written.
        TypeError, ValueError: the images are of another type or shape, fewer than two, or the
            path's suffix is another.
    """
    check_array("images", images, "uint8", ("N", "H", "W", 3))
    check_integer("the number of images", len(images), 2)
    suffix = Path(path).suffix.lower()
    check_choice("the path's suffix", suffix, FORMATS)
    from PIL import Image  # not needed for anything else here, so not loaded with the rest

    first, *others = map(Image.fromarray, images)
    encoded = io.BytesIO()
    first.save(
        encoded,
        FORMATS[suffix],
        save_all=True,
        append_images=others,
        duration=FRAME_MILLISECONDS,
        loop=0,  # for ever
        lossless=True,  # of WebP; GIF has no such choice
    )
    write_bytes(path, encoded.getvalue())
