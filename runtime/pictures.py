"""A picture file of any kind to pixels, and pixels to the size of a network."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from PIL import Image, ImageCms, features

from edgegan.runtime.damage import (
    JPEG_START,
    MOST_PIXELS,
    PNG_START,
    BadPicture,
    Parts,
    check_jpeg,
    check_pixels,
    jpeg_parts,
    jpeg_pixels,
    png_parts,
)
from edgegan.runtime.errors import NO_MEMORY

# By suffix; what is within decides how a file is read.
SUFFIXES = {".jpg", ".jpeg", ".jpe", ".jfif", ".png", ".apng", ".webp", ".bmp", ".gif"}
KINDS = "JPEG, PNG, WebP, BMP or GIF"
AVIF = "avif" in features.modules and features.check("avif")  # in Pillow 11.3 and newer
if AVIF:
    SUFFIXES.add(".avif")
    KINDS = "JPEG, PNG, WebP, BMP, GIF or AVIF"

BMP_HEADERS = (12, 40, 52, 56, 64, 108, 124)  # how long they can be
BEGINNING = 32  # bytes that tell a kind
ORIENTATION = 0x0112  # the tag in EXIF
COLOUR_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}  # of modes, as profiles name them
SAME_COLOURS = 2  # levels of 255 between a profile's sRGB and that of Pillow

Turn = Callable[[np.ndarray], np.ndarray]
UPRIGHT: dict[Any, Turn] = {  # by the orientation, for pixels (H, W, 3)
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.transpose(1, 0, 2),
    6: lambda pixels: np.rot90(pixels, -1),
    7: lambda pixels: pixels[::-1, ::-1].transpose(1, 0, 2),
    8: lambda pixels: np.rot90(pixels),
}


def kind_of(beginning: bytes) -> str | None:
    """Pillow's name for a picture that begins so (BEGINNING bytes); None for no picture."""
    if beginning.startswith(JPEG_START):
        return "JPEG"
    if beginning.startswith(PNG_START):
        return "PNG"
    if beginning.startswith((b"GIF87a", b"GIF89a")):
        return "GIF"
    if beginning.startswith(b"RIFF") and beginning[8:12] == b"WEBP":
        return "WEBP"
    if beginning[4:8] == b"ftyp" and (b"avif" in beginning or b"avis" in beginning) and AVIF:
        return "AVIF"
    if beginning.startswith(b"BM") and int.from_bytes(beginning[14:18], "little") in BMP_HEADERS:
        return "BMP"
    return None


def decode(content: bytes) -> np.ndarray:
    """The picture in a JPEG, PNG, WebP, BMP, GIF or AVIF file, whatever its colours are kept as.

    It is upright, in sRGB (by its ICC profile, where it has one), and on white where it is
    transparent. Of several frames it is the first. Metadata that is broken is ignored.

    Python's warnings are silent meanwhile, in every thread: call it in one thread at a time.

    Returns:
        uint8 (H, W, 3), RGB, contiguous.

    Raises:
        BadPicture: it is no picture of these kinds, damaged, or has more than MOST_PIXELS.
        MemoryError: there is none left, which is not the picture's fault.
    """
    kind = kind_of(content[:BEGINNING])
    if kind is None:
        raise BadPicture("of no known kind" if content else "an empty file")
    if kind == "JPEG":
        parts = jpeg_parts(content)
    elif kind == "PNG":
        parts = png_parts(content)
    else:
        parts = Parts(content, None, None)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pictures that decode well
            return _decode(kind, parts)
    except (BadPicture, MemoryError, ImportError):  # the last: of a package that is not there
        raise
    except Image.DecompressionBombError as error:
        raise BadPicture(f"too many pixels, expected at most {MOST_PIXELS}") from error
    except Exception as error:  # Pillow raises many kinds on what is damaged
        if NO_MEMORY.search(str(error)):
            raise MemoryError(str(error)) from error
        raise BadPicture(_reason(kind, error)) from error


def _decode(kind: str, parts: Parts) -> np.ndarray:
    if parts.samples in (1, 3) and parts.profile is None:
        pixels = jpeg_pixels(parts, "RGB")  # the same as Pillow's, in half the time
        if pixels is not None:
            return _upright(pixels, parts.exif)
    with Image.open(io.BytesIO(parts.pixels), formats=(kind,)) as image:
        check_pixels(*image.size)
        if kind == "JPEG":
            check_jpeg(parts)
        image.load()
        colours, opacity = _colours_and_opacity(image)
        if parts.key is not None:
            opacity = _opacity_by_key(image, parts, parts.key)
        profile = parts.profile or image.info.get("icc_profile")
        picture = _to_srgb(colours, profile)
        if opacity is not None:
            picture = Image.composite(picture, Image.new("RGB", picture.size, "white"), opacity)
        return _upright(np.asarray(picture), parts.exif or image.info.get("exif"))


def _upright(pixels: np.ndarray, exif: bytes | None) -> np.ndarray:
    turn = UPRIGHT.get(_orientation(exif), np.asarray)
    return np.ascontiguousarray(turn(pixels))


def _colours_and_opacity(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """A picture in a mode that profiles are for (L, RGB or CMYK), and its alpha, L, if any."""
    if image.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)), None
    if image.mode == "1":
        return image.convert("L"), None
    transparent = image.mode in ("LA", "PA", "La", "RGBA", "RGBa") or "transparency" in image.info
    if transparent and image.mode == "LA":
        grey, opacity = image.split()
        return grey, opacity
    if transparent:
        whole = image.convert("RGBA")
        return whole.convert("RGB"), whole.getchannel("A")
    return (image if image.mode in COLOUR_SPACES else image.convert("RGB")), None


def _opacity_by_key(image: Image.Image, parts: Parts, key: tuple[int, ...]) -> Image.Image:
    """The alpha, L, of a grey or RGB PNG of which one colour is transparent.

    Pillow compares that colour with the samples that it has made 8 bits of.
    """
    samples = np.asarray(image.convert("L") if image.mode == "1" else image)
    if parts.depth < 8:
        key = tuple(value * (255 // ((1 << parts.depth) - 1)) for value in key)
    elif parts.depth == 16 and len(key) > 1:
        samples = samples.astype(np.uint16) << 8 | _low_bytes(parts.pixels)
    same = samples.reshape(*samples.shape[:2], -1) == np.array(key)
    return Image.fromarray(np.where(same.all(axis=2), 0, 255).astype(np.uint8))


def _low_bytes(png: bytes) -> np.ndarray:
    """The lower bytes of the samples of a 16-bit RGB PNG, of which Pillow keeps the upper ones."""
    with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
        tiles: Any = image.tile  # the lower byte is the upper one in the other byte order
        image.tile = [(*tile[:3], "RGB;16L") for tile in tiles]
        return np.asarray(image)


def _to_srgb(colours: Image.Image, profile: bytes | None) -> Image.Image:
    transform = _transform(profile, colours.mode) if profile else None
    if transform is not None:
        return transform.apply(colours)
    return colours if colours.mode == "RGB" else colours.convert("RGB")


@lru_cache(maxsize=16)  # a set's pictures have a few in common
def _transform(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """From a profile's colours to sRGB; None where it is sRGB, broken or for another mode."""
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if source.profile.xcolor_space.strip() != COLOUR_SPACES[mode]:
            return None
        transform = ImageCms.buildTransform(source, ImageCms.createProfile("sRGB"), mode, "RGB")
        colours = _sample_colours(mode)
        found, plain = (
            np.asarray(picture, np.int16)
            for picture in (transform.apply(colours), colours.convert("RGB"))
        )
    except MemoryError:
        raise
    except Exception:  # of many kinds; a broken profile costs no picture
        return None
    return transform if np.abs(found - plain).max() > SAME_COLOURS else None


def _sample_colours(mode: str) -> Image.Image:
    """A picture with colours from everywhere in the mode's space."""
    levels = np.linspace(0, 255, 9).astype(np.uint8)
    bands = len(Image.new(mode, (1, 1)).getbands())
    grid = np.stack(np.meshgrid(*[levels] * bands), axis=-1).reshape(1, -1, bands)
    return Image.frombytes(mode, (grid.shape[1], 1), grid.tobytes())


def _orientation(exif: bytes | None) -> Any:
    """What EXIF says of how a picture lies; None where it says nothing that can be understood."""
    if not exif:
        return None
    try:
        tags = Image.Exif()
        tags.load(exif)
        value = tags.get(ORIENTATION)
    except MemoryError:
        raise
    except Exception:  # of many kinds; metadata costs no picture
        return None
    return value if isinstance(value, int) else None


def _reason(kind: str, error: Exception) -> str:
    name = {"WEBP": "WebP"}.get(kind, kind)
    text = str(error)
    if "truncated" in text:
        return f"truncated {name}"
    return f"damaged {name}"


def fit(picture: np.ndarray, size: int, crop_from: int | None = None) -> np.ndarray:
    """The square in the middle of a picture, uint8 (H, W, 3), resized to ``size``.

    With ``crop_from``, at least ``size``, it is resized to that and ``size`` in the middle is kept.
    It becomes smaller by the mean of areas, and larger by cubic interpolation.

    Returns:
        uint8 (size, size, 3).
    """
    square = _middle_square(picture, min(picture.shape[:2]))
    side = crop_from or size
    interpolation = cv2.INTER_CUBIC if len(square) < side else cv2.INTER_AREA
    return _middle_square(cv2.resize(square, (side, side), interpolation=interpolation), size)


def _middle_square(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]
