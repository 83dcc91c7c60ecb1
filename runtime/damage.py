"""What a JPEG or PNG file is made of, and whether it is whole.

Decoders make up what a damaged file lacks, and fail over text and profiles that have nothing to do
with its pixels. So files are looked at here before they are decoded.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

PNG_START, JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
MOST_PIXELS = 178_956_970  # of more Pillow says that they are meant to fill the memory
MOST_PROFILE = 1 << 24  # bytes of a colour profile, unpacked

# Of a PNG's chunks, those that its pixels are made of: text is left out.
PIXELS = (b"IHDR", b"PLTE", b"IDAT", b"IEND")
GREY, COLOURS, PALETTE = 0, 2, 3  # a PNG's colour types that can have a transparent colour

# Of a JPEG's markers, those before its pixels that are no more than metadata.
APPLICATION, JFIF, ADOBE, COMMENT = range(0xE0, 0xF0), 0xE0, 0xEE, 0xFE
EXIF, PROFILE, SCAN, END = 0xE1, 0xE2, 0xDA, 0xD9
FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}  # they begin a picture, and say its size
PROFILE_NAME = b"ICC_PROFILE\0"
DAMAGE = ("Corrupt JPEG data", "Premature end of JPEG file")  # how libjpeg's warnings of it begin


class BadPicture(Exception):  # noqa: N818 (it is no error of the program or of its user)
    """A picture that cannot be had, by its own fault; the text is the reason in a few words."""


class Parts(NamedTuple):
    """What a picture file is made of.

    Attributes:
        pixels: the file without its metadata.
        exif, profile: what it says about its orientation and its colours, or None.
        key: the sample or samples of the transparent colour, of a grey or RGB PNG, or None.
        depth: bits of a sample.
        samples: of a pixel of a JPEG: 1 of a grey one, 3 of one in colours, 4 for print.
    """

    pixels: bytes
    exif: bytes | None
    profile: bytes | None
    key: tuple[int, ...] | None = None
    depth: int = 8
    samples: int = 0


def check(content: bytes) -> None:
    """Raise BadPicture where a PNG or JPEG file is damaged, cut off or too large.

    A PNG's own check sums say so, and libjpeg's warnings. What follows the picture does not matter.
    """
    if content.startswith(PNG_START):
        png_parts(content)
    else:
        check_jpeg(jpeg_parts(content))


def check_pixels(width: int, height: int) -> None:
    """Raise BadPicture where a picture has more than MOST_PIXELS, before there is memory for it."""
    if width * height > MOST_PIXELS:
        raise BadPicture(f"{width * height} pixels, expected at most {MOST_PIXELS}")


def check_jpeg(parts: Parts) -> None:
    """Raise BadPicture where libjpeg warns of damage, or comes to the end before the picture's."""
    # An eighth of the size, since only the compressed data matter here.
    jpeg_pixels(parts, "GRAY", min_height=1, min_width=1)


def jpeg_pixels(parts: Parts, colours: str, **size: int) -> np.ndarray | None:
    """The pixels, uint8 (H, W) or (H, W, 3), in ``simplejpeg``'s ``colours`` and ``size``.

    Returns:
        None where libjpeg has another complaint: then it is for Pillow to say, which may know more
        kinds of JPEG.

    Raises:
        BadPicture: as ``check_jpeg``.
    """
    import simplejpeg  # in no other decoder at hand can libjpeg's warnings be had

    try:  # it would warn of metadata in the same words, so it gets to see none
        return np.asarray(simplejpeg.decode_jpeg(parts.pixels, colours, strict=True, **size))
    except ValueError as error:
        kind, _, detail = str(error).partition(": ")
        if kind == DAMAGE[1]:
            raise BadPicture("truncated JPEG") from None
        if kind == DAMAGE[0]:
            raise BadPicture(f"damaged JPEG: {detail}") from None
        return None


def jpeg_parts(content: bytes) -> Parts:
    """Take a JPEG apart; raises BadPicture where no picture begins in it, or too large a one."""
    kept, exif, samples = [content[:2]], None, 0
    profiles: dict[int, bytes] = {}  # a profile comes in numbered parts
    position = 2
    for marker, start, end in _jpeg_segments(content):
        body = content[start:end]
        if marker == EXIF and body.startswith(b"Exif\0"):
            exif = exif or body
        elif marker == PROFILE and body.startswith(PROFILE_NAME) and len(body) > 13:
            profiles[body[12]] = body[14:]
        if marker in FRAMES and len(body) >= 5:
            check_pixels(*struct.unpack_from(">HH", body, 1))
            samples = int.from_bytes(body[5:6], "big")
        if not _is_jpeg_metadata(marker, body):
            kept.append(content[position:end])
        position = end
    profile = b"".join(profiles[number] for number in sorted(profiles)) or None
    return Parts(b"".join([*kept, content[position:]]), exif, profile, samples=samples)


def _jpeg_segments(content: bytes) -> Iterator[tuple[int, int, int]]:
    """Marker, and start and end of the body, of every segment before the compressed data."""
    position = 2
    while True:
        start = position
        while content[position : position + 1] == b"\xff":
            position += 1
        marker = content[position : position + 1]
        if not marker:
            raise BadPicture("truncated JPEG")
        if position == start:
            raise BadPicture("damaged JPEG: no segment where one should be")
        if marker[0] == END:
            raise BadPicture("damaged JPEG: no picture in it")
        if marker[0] == SCAN:
            return
        length = int.from_bytes(content[position + 1 : position + 3], "big")
        if length < 2:
            raise BadPicture("damaged JPEG: a segment without a length")
        yield marker[0], position + 3, position + 1 + length
        position += 1 + length


def _is_jpeg_metadata(marker: int, body: bytes) -> bool:
    """Whether a segment has no say in the pixels; JFIF's and Adobe's tell how colours are kept."""
    if marker == JFIF:
        return not (body.startswith(b"JFIF\0") and len(body) >= 14)
    if marker == ADOBE:
        return not (body.startswith(b"Adobe") and len(body) >= 12)
    return marker in APPLICATION or marker == COMMENT


def png_parts(content: bytes) -> Parts:
    """Take a PNG apart; raises BadPicture where its pixels are not whole, or are too many."""
    kept = [PNG_START]
    metadata: dict[bytes, bytes] = {}
    header = b""
    for kind, start, end in _png_chunks(content):
        if kind == b"IHDR" or not header:
            header = content[start:end]
            if kind != b"IHDR" or len(header) != 13:
                raise BadPicture("damaged PNG: no header")
            check_pixels(*struct.unpack_from(">II", header))
        if kind in PIXELS or (kind == b"tRNS" and header[9] == PALETTE):
            kept.append(content[start - 8 : end + 4])
        else:
            metadata.setdefault(kind, content[start:end])
    depth, colour_type = header[8], header[9]
    key = _colour_key(metadata.get(b"tRNS", b""), depth, colour_type)
    profile = _unpacked_profile(metadata.get(b"iCCP", b""))
    return Parts(b"".join(kept), metadata.get(b"eXIf"), profile, key, depth)


def _png_chunks(content: bytes) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and start and end of the body, of every chunk to the last; not of damaged metadata."""
    position, kind = len(PNG_START), b""
    while kind != b"IEND":
        if len(content) < position + 12:
            raise BadPicture("truncated PNG")
        length, kind = struct.unpack(">I4s", content[position : position + 8])
        start, end = position + 8, position + 8 + length
        if not kind.isalpha():
            raise BadPicture("damaged PNG: no chunk where one should be")
        if len(content) < end + 4:
            raise BadPicture("truncated PNG")
        position = end + 4
        (expected,) = struct.unpack(">I", content[end:position])
        if zlib.crc32(memoryview(content)[start - 4 : end]) == expected:
            yield kind, start, end
        elif kind[:1].isupper() or kind == b"tRNS":
            raise BadPicture(f"damaged PNG: wrong check sum of its {kind.decode()}")


def _colour_key(transparency: bytes, depth: int, colour_type: int) -> tuple[int, ...] | None:
    """The transparent colour's samples, one of a grey picture and three of an RGB one."""
    samples = {GREY: 1, COLOURS: 3}.get(colour_type, 0)
    if not samples or len(transparency) < 2 * samples:
        return None
    largest = (1 << depth) - 1  # higher bits are to be ignored
    return tuple(value & largest for value in struct.unpack_from(f">{samples}H", transparency))


def _unpacked_profile(chunk: bytes) -> bytes | None:
    """The colour profile in a PNG's chunk: a name, a zero, the method 0, and what zlib packed."""
    _, _, packed = chunk.partition(b"\0")
    try:
        return zlib.decompressobj().decompress(packed[1:], MOST_PROFILE) or None
    except zlib.error:  # a broken profile costs no picture
        return None
