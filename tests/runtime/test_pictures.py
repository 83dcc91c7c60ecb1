"""Pictures of every kind, whole and damaged, decoded and fitted to a size."""

from __future__ import annotations

import io
import struct
import sys
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image, ImageCms, PngImagePlugin

from edgegan.runtime.damage import MOST_PIXELS, check
from edgegan.runtime.pictures import SUFFIXES, BadPicture, decode, fit


def noise(height: int = 64, width: int = 64, seed: int = 0) -> np.ndarray:
    """A picture with detail everywhere, as a drawing has, uint8 (height, width, 3)."""
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 256, (height // 4 + 1, width // 4 + 1, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encode(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def chunk(kind: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png(samples: np.ndarray, depth: int, colour_type: int, *chunks: bytes) -> bytes:
    """A PNG of these samples, (H, W) or (H, W, 3), written by the letter of its specification."""
    height, width = samples.shape[:2]
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    if depth == 16:
        rows = samples.astype(">u2").reshape(height, -1).view(np.uint8)
    elif depth == 8:
        rows = samples.astype(np.uint8).reshape(height, -1)
    else:
        bits = (samples[..., None] >> np.arange(depth - 1, -1, -1)) & 1
        rows = np.packbits(bits.reshape(height, -1), axis=1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)
    body = [chunk(b"IHDR", header), *chunks, chunk(b"IDAT", zlib.compress(lines))]
    return b"\x89PNG\r\n\x1a\n" + b"".join([*body, chunk(b"IEND", b"")])


def refused(content: bytes, reason: str) -> None:
    with pytest.raises(BadPicture, match=reason):
        decode(content)


def zeroed(content: bytes, start: float, end: float) -> bytes:
    """The content with zeros from one share of its length to another."""
    first, last = int(len(content) * start), int(len(content) * end)
    return content[:first] + bytes(last - first) + content[last:]


# Damage

JPEGS = {
    "baseline": encode(noise(), "JPEG"),
    "progressive": encode(noise(), "JPEG", progressive=True),
    "restart markers": encode(noise(), "JPEG", restart_marker_blocks=2),
    "greyscale": encode(Image.fromarray(noise()).convert("L"), "JPEG"),
    "CMYK": encode(Image.fromarray(noise()).convert("CMYK"), "JPEG"),
    "RGB": encode(noise(), "JPEG", keep_rgb=True),
    "of an odd size": encode(noise(37, 51), "JPEG", subsampling="4:2:0"),
}


@pytest.mark.parametrize("kind", JPEGS)
def test_a_whole_jpeg_is_what_pillow_reads_whatever_follows_it(kind: str) -> None:
    expected = np.asarray(Image.open(io.BytesIO(JPEGS[kind])).convert("RGB"))
    for behind in (b"", b"\0", b"\xff\xd9", b"a video" * 1000, JPEGS["greyscale"]):
        np.testing.assert_array_equal(decode(JPEGS[kind] + behind), expected)
        check(JPEGS[kind] + behind)


@pytest.mark.parametrize("kind", JPEGS)
def test_a_jpeg_that_is_cut_off_or_zeroed_to_its_end_is_damaged(kind: str) -> None:
    content = JPEGS[kind]
    refused(content[:-2], "truncated JPEG")
    for share in (0.999, 0.9, 0.7, 0.5):
        refused(content[: int(len(content) * share)], "truncated JPEG|damaged JPEG")
        refused(zeroed(content, share, 1), "truncated JPEG|damaged JPEG")
        with pytest.raises(BadPicture):
            check(zeroed(content, share, 1))


def test_what_libjpeg_warns_of_is_damage() -> None:
    content = JPEGS["baseline"]
    refused(content[:-60] + content[-2:], "damaged JPEG: premature end of data segment")
    refused(content[:-2] + b"\x55" * 60 + content[-2:], "damaged JPEG: .* extraneous bytes before")
    refused(content[:20] + b"junk" + content[20:], "damaged JPEG")
    refused(content[:20], "truncated JPEG")
    refused(content[:2] + content[-2:], "damaged JPEG: no picture in it")
    refused(content[:2] + b"\xff\xe1\0\0" + content[2:], "damaged JPEG")


PNG = encode(noise())


def test_a_png_is_damaged_where_its_check_sums_say_so() -> None:
    np.testing.assert_array_equal(decode(PNG + b"behind it"), noise())
    for share in (0.999, 0.5, 0.1):
        refused(PNG[: int(len(PNG) * share)], "truncated PNG")
    refused(zeroed(PNG, 0.4, 0.6), "damaged PNG: wrong check sum of its IDAT")
    refused(zeroed(PNG, 0.5, 1), "damaged PNG: wrong check sum of its IDAT")
    refused(PNG[:-12], "truncated PNG")
    refused(PNG[:8] + PNG[33:], "damaged PNG: no header")
    flat = np.full((40, 40), 7, np.uint8)
    stored = bytearray(png(flat, 8, 0))  # a bit of a sample, which inflates as it was
    stored[-20] ^= 1
    refused(bytes(stored), "damaged PNG")
    refused(png(flat, 8, 0).replace(b"IDAT", b"IDOT"), "damaged PNG|truncated PNG")


KINDS = {
    "WebP": encode(noise(), "WEBP", lossless=True),
    "BMP": encode(noise(), "BMP"),
    "GIF": encode(Image.fromarray(noise()).quantize(64), "GIF"),
}
if ".avif" in SUFFIXES:
    KINDS["AVIF"] = encode(noise(), "AVIF", quality=100, subsampling="4:4:4")


@pytest.mark.parametrize("kind", KINDS)
def test_other_kinds_are_what_pillow_reads(kind: str) -> None:
    content = KINDS[kind]
    expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
    np.testing.assert_array_equal(decode(content), expected)
    for share in (0.1, 0.5, 0.9):
        refused(content[: int(len(content) * share)], kind)
    refused(content[:16], kind)


def test_the_first_frame_is_read() -> None:
    frames = [Image.fromarray(noise(seed=seed)) for seed in range(3)]
    for kind, options in (("PNG", {}), ("WEBP", {"lossless": True}), ("GIF", {})):
        content = encode(frames[0], kind, save_all=True, append_images=frames[1:], **options)
        expected = np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))
        np.testing.assert_array_equal(decode(content), expected)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "an empty file"),
        (b"this is no picture", "of no known kind"),
        (b"BM and so on, which is no BMP file", "of no known kind"),
        (encode(noise(), "TIFF"), "of no known kind"),
        (b"\x89PNG\r\n\x1a\n", "truncated PNG"),
        (b"\xff\xd8\xff", "truncated JPEG"),
    ],
)
def test_what_is_no_picture_is_told(content: bytes, reason: str) -> None:
    refused(content, reason)


def test_too_many_pixels_are_refused_before_there_is_memory_for_them() -> None:
    header = struct.pack(">IIBBBBB", 1 << 16, 1 << 15, 8, 2, 0, 0, 0)
    data = chunk(b"IDAT", zlib.compress(bytes(1000)))
    huge = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + data + chunk(b"IEND", b"")
    refused(huge, f"{1 << 31} pixels, expected at most {MOST_PIXELS}")
    jpeg = bytearray(JPEGS["progressive"])
    place = jpeg.index(b"\xff\xc2") + 5
    jpeg[place : place + 4] = b"\xff\xf0" * 2
    refused(bytes(jpeg), f"{0xFFF0**2} pixels, expected at most {MOST_PIXELS}")
    with pytest.raises(BadPicture, match="pixels, expected at most"):
        check(bytes(jpeg))
    bmp = KINDS["BMP"]
    bmp = bmp[:18] + struct.pack("<ii", 1 << 16, 1 << 15) + bmp[26:]
    refused(bmp, f"too many pixels, expected at most {MOST_PIXELS}")


def test_no_memory_is_not_the_pictures_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    def none_left(*_: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image.Image, "load", none_left)
    with pytest.raises(MemoryError):
        decode(KINDS["BMP"])


def test_a_package_that_is_missing_is_not_the_pictures_fault(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "simplejpeg", None)
    with pytest.raises(ImportError, match="simplejpeg"):
        decode(encode(noise(), "JPEG"))


@pytest.mark.parametrize("subsampling", [0, 1, 2])
@pytest.mark.parametrize("progressive", [False, True])
@pytest.mark.parametrize("height", [64, 61])
def test_a_jpeg_has_the_pixels_that_pillow_finds(
    subsampling: int, progressive: bool, height: int
) -> None:
    picture = noise(height, 63)
    options = {"subsampling": subsampling, "progressive": progressive, "quality": 60}
    for image in (Image.fromarray(picture), Image.fromarray(picture).convert("L")):
        content = encode(image, "JPEG", **options)
        with Image.open(io.BytesIO(content)) as expected:
            np.testing.assert_array_equal(decode(content), np.asarray(expected.convert("RGB")))


def test_a_jpeg_that_keeps_red_green_and_blue() -> None:
    content = encode(noise(), "JPEG", keep_rgb=True, quality=95)
    with Image.open(io.BytesIO(content)) as expected:
        np.testing.assert_array_equal(decode(content), np.asarray(expected))


# Colour

D50 = np.array([0.9642, 1.0, 0.8249])
BRADFORD = np.array(
    [[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]]
)
ADOBE_RGB = [(0.64, 0.33), (0.21, 0.71), (0.15, 0.06)]  # chromaticities of its primaries
SRGB = [(0.64, 0.33), (0.30, 0.60), (0.15, 0.06)]
D65 = (0.3127, 0.3290)


def xyz(x: float, y: float) -> np.ndarray:
    return np.array([x / y, 1, (1 - x - y) / y])


def to_d50(primaries: list[tuple[float, float]]) -> np.ndarray:
    """The matrix from linear RGB with the white D65 to XYZ of D50, which profiles have."""
    columns = np.stack([xyz(*place) for place in primaries], axis=1)
    matrix = columns * np.linalg.solve(columns, xyz(*D65))
    scale = np.diag((BRADFORD @ D50) / (BRADFORD @ xyz(*D65)))
    return np.linalg.inv(BRADFORD) @ scale @ BRADFORD @ matrix


def fixed(value: float) -> bytes:
    return struct.pack(">i", round(value * 65536))


def profile(space: bytes, tags: dict[bytes, bytes], connection: bytes = b"XYZ ") -> bytes:
    """An ICC profile, version 2.1, of a display."""
    white = b"XYZ \0\0\0\0" + b"".join(map(fixed, D50))
    text = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"test\0" + bytes(78)
    tags = {b"desc": text, b"cprt": b"text\0\0\0\0none\0", b"wtpt": white, **tags}
    table, bodies = b"", b""
    for name, body in tags.items():
        place = 132 + 12 * len(tags) + len(bodies)
        table += struct.pack(">4sII", name, place, len(body))
        bodies += body + bytes(-len(body) % 4)
    size = 132 + len(table) + len(bodies)
    date = struct.pack(">6H", 2020, 1, 1, 0, 0, 0)
    head = struct.pack(">I4sI4s4s4s", size, bytes(4), 0x02100000, b"mntr", space, connection) + date
    head += b"acsp" + bytes(28) + b"".join(map(fixed, D50)) + bytes(48)
    return head + struct.pack(">I", len(tags)) + table + bodies


def gamma(value: float) -> bytes:
    return b"curv\0\0\0\0" + struct.pack(">IH", 1, round(value * 256)) + bytes(2)


def rgb_profile(primaries: list[tuple[float, float]], exponent: float) -> bytes:
    tags = {}
    for name, column in zip((b"r", b"g", b"b"), to_d50(primaries).T):
        tags[name + b"XYZ"] = b"XYZ \0\0\0\0" + b"".join(map(fixed, column))
        tags[name + b"TRC"] = gamma(exponent)
    return profile(b"RGB ", tags)


def srgb_curve(linear: np.ndarray) -> np.ndarray:
    linear = np.clip(linear, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


ADOBE = rgb_profile(ADOBE_RGB, 563 / 256)


def adobe_in_srgb(colours: np.ndarray) -> np.ndarray:
    linear = (colours / 255) ** (563 / 256)
    matrix = np.linalg.inv(to_d50(SRGB)) @ to_d50(ADOBE_RGB)
    return 255 * srgb_curve(linear @ matrix.T)


@pytest.mark.parametrize("kind", ["PNG", "WEBP", "JPEG"])
def test_colours_go_to_srgb_by_their_profile(kind: str) -> None:
    picture = np.full((16, 16, 3), (200, 60, 90), np.uint8)
    options = {"lossless": True} if kind == "WEBP" else {"subsampling": 0, "quality": 100}
    found = decode(encode(picture, kind, icc_profile=ADOBE, **options))
    assert np.abs(found.astype(int) - (231, 57, 91)).max() <= (2 if kind == "JPEG" else 1)


def test_a_profiles_colours_are_those_of_its_formula() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (32, 32, 3), dtype=np.uint8)
    expected = adobe_in_srgb(picture)
    found = decode(encode(picture, icc_profile=ADOBE)).astype(int)
    assert np.abs(found - expected)[picture.min(axis=2) > 20].max() <= 1.5
    # Half transparent, a colour is converted before it is put on white.
    alpha = np.dstack([picture, np.full((32, 32), 102, np.uint8)])
    found = decode(encode(alpha, icc_profile=ADOBE)).astype(int)
    assert np.abs(found - (0.4 * expected + 153))[picture.min(axis=2) > 20].max() <= 2
    palette = Image.fromarray(picture).quantize(64)
    found = decode(encode(palette, icc_profile=ADOBE)).astype(int)
    expected = adobe_in_srgb(np.asarray(palette.convert("RGB")))
    assert np.abs(found - expected)[expected.min(axis=2) > 20].max() <= 1.5


def test_greyscale_by_its_profile() -> None:
    grey = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
    bright = profile(b"GRAY", {b"kTRC": gamma(1.5)})
    expected = 255 * srgb_curve((grey / 255) ** 1.5)
    for picture in (grey, grey.astype(np.uint16) * 257, np.dstack([grey, np.full_like(grey, 255)])):
        found = decode(encode(Image.fromarray(picture), icc_profile=bright))
        assert np.abs(found - expected[..., None]).max() <= 2


def test_cmyk_by_its_profile() -> None:
    """One that sees black ink alone: L* is what is left of it."""
    inks = np.stack(np.meshgrid(*[[0, 1]] * 4, indexing="ij"), axis=-1).reshape(-1, 4)
    table = [[255 * (1 - black), 128, 128] for black in inks[:, 3]]
    curve = bytes(range(256))
    body = b"mft1\0\0\0\0\x04\x03\x02\0" + b"".join(map(fixed, np.eye(3).ravel()))
    body += curve * 4 + np.array(table, np.uint8).tobytes() + curve * 3
    black_alone = profile(b"CMYK", {b"A2B0": body}, b"Lab ")
    black = np.tile(np.arange(0, 256, 17, dtype=np.uint8), (16, 1))
    picture = np.dstack([np.full_like(black, 200), black.T, np.full_like(black, 30), black])
    image = Image.frombytes("CMYK", black.shape, picture.tobytes())
    content = encode(image, "JPEG", icc_profile=black_alone, quality=100)
    lightness = 100 * (1 - black / 255)
    linear = np.where(lightness > 8, ((lightness + 16) / 116) ** 3, lightness / 903.3)
    expected = 255 * srgb_curve(linear)
    assert np.abs(decode(content) - expected[..., None]).max() <= 4


def test_srgb_and_broken_profiles_and_those_of_another_mode_change_nothing() -> None:
    picture = noise()
    own = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    grey = profile(b"GRAY", {b"kTRC": gamma(1.0)})
    broken = [b"x", b"x" * 4000, ADOBE[:200], ADOBE[:128] + b"\xff" * 300, zeroed(ADOBE, 0.5, 1)]
    for content in (own, grey, *broken, b"x" * (2 << 20)):
        np.testing.assert_array_equal(decode(encode(picture, icc_profile=content)), picture)
    np.testing.assert_array_equal(
        decode(encode(picture, "JPEG", icc_profile=b"x" * (2 << 20))), decode(JPEGS["baseline"])
    )
    cmyk = encode(Image.fromarray(picture).convert("CMYK"), "JPEG", icc_profile=ADOBE)
    np.testing.assert_array_equal(decode(cmyk), decode(JPEGS["CMYK"]))


def test_a_profile_is_made_ready_once(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    build = ImageCms.buildTransform
    monkeypatch.setattr(ImageCms, "buildTransform", lambda *a: made.append(1) or build(*a))
    content = encode(noise(), icc_profile=rgb_profile(ADOBE_RGB, 2.0))
    for _ in range(3):
        decode(content)
        decode(PNG)
    assert len(made) == 1


# Transparent colours


@pytest.mark.parametrize("depth", [1, 2, 4, 8, 16])
def test_a_transparent_grey_is_that_of_its_depth(depth: int) -> None:
    levels = 1 << depth
    samples = np.random.default_rng(depth).integers(0, levels, (12, 20))
    if depth == 16:  # some that differ in the lower byte alone
        samples[:6] = 0x1234 + np.arange(20)
    key = int(samples[3, 4])
    found = decode(png(samples, depth, 0, chunk(b"tRNS", struct.pack(">H", key))))
    shown = samples >> 8 if depth == 16 else samples * 255 // (levels - 1)
    expected = np.where(samples == key, 255, shown)
    np.testing.assert_array_equal(found, np.stack([expected] * 3, -1))


@pytest.mark.parametrize("depth", [8, 16])
def test_a_transparent_colour_is_that_of_its_depth(depth: int) -> None:
    samples = np.random.default_rng(depth).integers(0, 1 << depth, (12, 20, 3))
    samples[2:4] = samples[1, 1]
    samples[3, :, 2] ^= 1  # another colour, by its last bit
    key = tuple(map(int, samples[1, 1]))
    found = decode(png(samples, depth, 2, chunk(b"tRNS", struct.pack(">3H", *key))))
    shown = samples >> (depth - 8)
    expected = np.where((samples == key).all(axis=2, keepdims=True), 255, shown)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("depth", [1, 2, 4, 8])
def test_a_palette_has_an_alpha_for_each_of_its_first_colours(depth: int) -> None:
    random = np.random.default_rng(depth)
    count = min(1 << depth, 40)
    colours, samples = random.integers(0, 256, (count, 3)), random.integers(0, count, (12, 20))
    alpha = np.array([0, 102, 255][: max(1, count - 1)])
    chunks = (
        chunk(b"PLTE", colours.astype(np.uint8).tobytes()),
        chunk(b"tRNS", alpha.astype(np.uint8).tobytes()),
    )
    found = decode(png(samples, depth, 3, *chunks))
    opacity = np.append(alpha, np.full(count - len(alpha), 255))[samples][..., None] / 255
    expected = colours[samples] * opacity + 255 * (1 - opacity)
    assert np.abs(found - expected).max() <= 1


def test_a_broken_transparency_is_none() -> None:
    samples = np.arange(64).reshape(8, 8)
    grey = np.stack([samples] * 3, -1)
    np.testing.assert_array_equal(decode(png(samples, 8, 0, chunk(b"tRNS", b"\0"))), grey)
    np.testing.assert_array_equal(decode(png(grey, 8, 2, chunk(b"tRNS", b"\0\1"))), grey)


# Metadata


def with_chunks(*chunks: bytes) -> bytes:
    return PNG[:33] + b"".join(chunks) + PNG[33:]


BOMB = zlib.compress(bytes(1 << 26), 9)


@pytest.mark.parametrize(
    "metadata",
    [
        chunk(b"tEXt", b"name\0" + b"x" * (3 << 20)),
        chunk(b"zTXt", b"name\0\0" + BOMB),
        chunk(b"zTXt", b"Raw profile type exif\0\0" + BOMB),
        chunk(b"iTXt", b"XML:com.adobe.xmp\0\1\0\0\0" + BOMB),
        chunk(b"iCCP", b"name\0\0" + BOMB),
        chunk(b"iCCP", b""),
        chunk(b"iCCP", b"name\0\0no zlib"),
        chunk(b"eXIf", b"MM\0*" + b"\xff" * 40),
        chunk(b"gAMA", b"") + chunk(b"pHYs", b"1") + chunk(b"cHRM", b"2") + chunk(b"tIME", b""),
        chunk(b"acTL", b"") + chunk(b"fcTL", b"1"),
        chunk(b"tEXt", b"name\0text")[:-4] + b"oops",
        b"".join(chunk(b"tEXt", b"%d\0text" % number) for number in range(3000)),
    ],
    ids=range(12),
)
def test_metadata_costs_no_png(metadata: bytes) -> None:
    np.testing.assert_array_equal(decode(with_chunks(metadata)), noise())


def test_what_pillow_writes_and_does_not_read_is_read() -> None:
    text = PngImagePlugin.PngInfo()
    text.add_text("comment", "x" * (2 << 20), zip=True)
    np.testing.assert_array_equal(decode(encode(noise(), pnginfo=text)), noise())
    large = encode(Image.new("RGB", (64, 64)), icc_profile=b"x" * (2 << 20))
    assert not decode(large).any()


def segment(marker: int, body: bytes) -> bytes:
    return struct.pack(">BBH", 0xFF, marker, len(body) + 2) + body


ODD_EXIF = [
    b"",
    b"MM\0*",
    b"II*\0\xff\xff\xff\xff",
    b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x02\0\0\0\x08\0\0\0\x1aupright\0",  # text
    b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\xff\xff\xff\xff\0\x06\0\0\0\0\0\0",  # many values
    b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x05\0\0\0\x01\0\0\0\x1a\0\0\0\x06\0\0\0\0",  # 6 / 0
    b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x63\0\0\0\0\0\0",  # 99
    b"MM\0*\0\0\0\x08\0\x01\x01\x12\0\x0b\0\0\0\x01\x7f\xc0\0\0\0\0\0\0",  # no number
]


@pytest.mark.parametrize("exif", ODD_EXIF)
def test_odd_exif_costs_no_picture(exif: bytes) -> None:
    expected = decode(JPEGS["baseline"])
    content = JPEGS["baseline"]
    found = decode(content[:2] + segment(0xE1, b"Exif\0\0" + exif) + content[2:])
    np.testing.assert_array_equal(found, expected)
    np.testing.assert_array_equal(decode(with_chunks(chunk(b"eXIf", exif))), noise())
    webp = encode(noise(), "WEBP", lossless=True, exif=exif or b"x")
    np.testing.assert_array_equal(decode(webp), noise())


@pytest.mark.parametrize("marker", [*range(0xE0, 0xF0), 0xFE])
@pytest.mark.parametrize(
    "body", [b"", b"JFIF\0", b"Adobe", b"MPF\0" + b"\xff" * 30, b"ICC_PROFILE\0\x09\x01", b"8BIM"]
)
def test_odd_segments_cost_no_jpeg(marker: int, body: bytes) -> None:
    content = JPEGS["baseline"]
    found = decode(content[:2] + segment(marker, body) + content[2:])
    np.testing.assert_array_equal(found, decode(content))


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", *(["AVIF"] * (".avif" in SUFFIXES))])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_picture_lying_on_its_side_is_turned_upright(kind: str, orientation: int) -> None:
    """Rows and columns of the shown picture, as TIFF 6.0 has them for each orientation."""
    upright = np.zeros((24, 32, 3), np.uint8)
    upright[:12, :16], upright[:12, 16:], upright[12:, :16] = (255, 0, 0), (0, 255, 0), (0, 0, 255)
    rows, columns = {
        1: ("top", "left"),
        2: ("top", "right"),
        3: ("bottom", "right"),
        4: ("bottom", "left"),
        5: ("left", "top"),
        6: ("right", "top"),
        7: ("right", "bottom"),
        8: ("left", "bottom"),
    }[orientation]  # where the first row and the first column of the file are shown
    stored = upright
    if rows in ("left", "right"):
        stored = upright.transpose(1, 0, 2)  # row i of the file is column i of what is shown
    if rows in ("bottom", "right"):
        stored = stored[::-1]
    if columns in ("bottom", "right"):
        stored = stored[:, ::-1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    content = encode(np.ascontiguousarray(stored), kind, exif=exif.tobytes(), quality=100)
    found = decode(content)
    assert found.flags.c_contiguous
    assert found.shape == upright.shape
    for row, column in ((4, 4), (4, 28), (20, 4), (20, 28)):
        assert np.abs(found[row, column].astype(int) - upright[row, column]).max() < 20


# Size


def test_what_is_too_small_is_enlarged_smoothly() -> None:
    """A ramp stays one: no step is larger than the ramp's own, as nearest neighbours have it."""
    ramp = np.stack([np.tile(np.arange(0, 256, 17), (16, 1))] * 3, -1).astype(np.uint8)
    found = fit(ramp, 64).astype(int)
    assert found.shape == (64, 64, 3)
    steps = np.diff(found[32, 8:-8, 0])
    assert steps.min() >= 3
    assert steps.max() <= 6
    picture = noise(20, 20)
    np.testing.assert_array_equal(
        fit(picture, 64), cv2.resize(picture, (64, 64), interpolation=cv2.INTER_CUBIC)
    )
    enlarged = cv2.resize(picture, (72, 72), interpolation=cv2.INTER_CUBIC)
    np.testing.assert_array_equal(fit(picture, 64, 72), enlarged[4:68, 4:68])


def test_what_is_too_large_becomes_the_mean_of_areas() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (24, 24, 3), dtype=np.uint8)
    means = picture.reshape(8, 3, 8, 3, 3).mean(axis=(1, 3))
    assert np.abs(fit(picture, 8) - means).max() <= 0.5 + 1e-6
    np.testing.assert_array_equal(fit(picture, 24), picture)


# Files that are changed at random


def test_a_changed_file_is_decoded_or_refused() -> None:
    random = np.random.default_rng(0)
    files = [*JPEGS.values(), *KINDS.values(), PNG, encode(noise(), "JPEG", icc_profile=ADOBE)]
    for number in range(300):
        content = bytearray(files[number % len(files)])
        for place in random.integers(0, len(content) // random.integers(1, 20), 3):
            content[place] = random.integers(0, 256)
        try:
            found = decode(bytes(content))
        except BadPicture:
            continue
        assert (found.dtype, found.ndim, found.shape[2]) == (np.uint8, 3, 3)
