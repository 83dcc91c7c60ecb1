"""Pictures from a folder, a zip or a RecordIO file, packed once, then read by their number.

Packing decodes every picture once, resizes it and writes it to one RecordIO file with an index in
the user's cache; training reads that file by index, so its memory does not grow with the data.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import sys
import warnings
import zipfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePath

import cv2
import numpy as np
from PIL import Image, ImageOps
from tqdm import tqdm

from edgegan.runtime.errors import UserError
from edgegan.runtime.files import atomic_write, cache_directory
from edgegan.runtime.generator import from_bytes
from edgegan.trainer.framework import mx
from edgegan.trainer.recipe import VALUE_RANGES

PICTURE_SUFFIXES = {".jpg", ".jpeg", ".png"}
PICTURE = "picture"  # the kind of a file that has such a suffix
MOST_BAD = 0.01  # of all pictures; more than that is no accident
HELD_OUT = 0.1  # of all pictures, kept from training to measure generators against


@dataclass(frozen=True)
class PackedPictures:
    """A packed set of ``count`` pictures, each uint8 (S, S, 3); ``skipped`` names the bad ones.

    ``digest`` is the SHA-256 of all their pixels.
    """

    path: Path
    count: int
    digest: str
    skipped: list[str]


def pack(
    source: Path, image_size: int, skip_bad: bool = False, crop_from: int | None = None
) -> PackedPictures:
    """Pack ``source`` for pictures of ``image_size``, or find it packed already.

    Pictures are turned upright, put on white where they are transparent, cropped to the square in
    their middle and resized by area interpolation. With ``crop_from``, at least
    ``image_size``, they are resized to that and ``image_size`` in their middle is kept: the face,
    with less of what is around it.

    Raises:
        UserError: nothing there, no pictures in it, or more than one in a hundred unreadable
            without ``skip_bad``.
    """
    form = f"{image_size}" if crop_from is None else f"{image_size} of {crop_from}"
    key = hashlib.sha256(f"{form}\n{_signature(source)}".encode()).hexdigest()[:24]
    records = cache_directory() / "packed" / f"{key}.rec"
    summary = records.with_suffix(".json")
    if not all(path.exists() for path in (records, _index(records), summary)):
        skipped: list[str] = []
        with atomic_write(records) as records_part, atomic_write(_index(records)) as index_part:
            count, digest = _write_records(
                source, image_size, crop_from, records_part, index_part, skipped
            )
        with atomic_write(summary) as summary_part:  # the last: without it nothing is packed
            summary_part.write_text(
                json.dumps({"count": count, "digest": digest, "skipped": skipped})
            )
    packed = PackedPictures(records, **json.loads(summary.read_text()))
    _check_quality(source, packed, skip_bad)
    return packed


def split(count: int, held_out: float) -> tuple[np.ndarray, np.ndarray]:
    """Which of ``count`` packed pictures to train on, and which to hold out for measuring.

    The share ``held_out`` (0 up to but not including 1) is spread evenly: one picture from the
    middle of each of as many equal stretches of the packed order.

    Returns:
        Training and held-out indices, int64, each ascending; together each of 0 to count - 1 once.

    Raises:
        UserError: no picture would be left to train on.
    """
    held_count = round(count * held_out)
    if held_count >= count:
        raise UserError(
            f"held_out is {held_out}, which leaves none of {count} pictures to train on: "
            "expected a smaller share, or more pictures"
        )
    stretches = np.arange(held_count, dtype=np.int64)
    held = (2 * stretches + 1) * count // (2 * held_count)
    return np.setdiff1d(np.arange(count), held), held


def picture_names(source: Path, pictures: PackedPictures) -> list[str]:
    """The names, within their folder or zip, of the packed pictures of ``source``, in their order.

    Raises:
        UserError: ``source`` is no folder, zip or RecordIO file.
    """
    skipped = set(pictures.skipped)
    return [name for name, _ in _encoded_pictures(source) if name not in skipped]


def left_out(source: Path, pictures: PackedPictures) -> str:
    """What of ``source`` is not among its packed pictures, by kind, such as "4 .webp, 1 dead link".

    Empty where nothing was left out.
    """
    kinds: Iterable[str] = []
    if source.is_dir():
        kinds = (kind for _, kind in _files(source))
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            members = [item.filename for item in archive.infolist() if not item.is_dir()]
        kinds = (_kind_by_name(PurePath(name)) for name in members)
    counts = Counter(kind for kind in kinds if kind != PICTURE)
    counts["unreadable picture"] = len(pictures.skipped)
    return ", ".join(
        f"{count} {kind}{'' if count == 1 or kind.startswith('.') else 's'}"
        for kind, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
        if count
    )


def read_pictures(pictures: PackedPictures, indices: np.ndarray) -> np.ndarray:
    """The packed pictures of these indices, at least one, in their order, as they were packed.

    Returns:
        uint8 (N, S, S, 3), RGB.

    Raises:
        UserError: the packed pictures are damaged.
    """
    return np.stack(list(each_picture(pictures, indices)))


def each_picture(pictures: PackedPictures, indices: np.ndarray) -> Iterator[np.ndarray]:
    """The packed pictures of these indices one by one, uint8 (S, S, 3), as ``read_pictures``."""
    reader = open_records(pictures)
    for index in indices:
        yield read_picture(reader, int(index))


def to_network_range(images: np.ndarray, value_range: str) -> np.ndarray:
    """uint8 (N, H, W, 3) -> float32 (N, 3, H, W), in [-1, 1] if "signed", in [0, 1] if "unit".

    The first is tip 1 of Chintala et al., "How to Train a GAN?" (NIPS 2016,
    https://github.com/soumith/ganhacks), the second the plain division by 255.
    """
    return from_bytes(images, VALUE_RANGES[value_range])


def _signature(source: Path) -> str:
    """What changes when the pictures do: names, sizes and times of the files they come from.

    The time of change counts too: it is all that moves when a file is made readable.
    """
    if not source.exists():
        raise UserError(f"no such folder or file: {source}, expected pictures")
    files = _picture_files(source) if source.is_dir() else [source]
    stats = ((path, path.stat()) for path in files)
    return "\n".join(
        f"{path.resolve()} {stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns}"
        for path, stat in stats
    )


def _picture_files(folder: Path) -> list[Path]:
    """The pictures in a folder and those below it; links to folders are not followed."""
    return sorted(path for path, kind in _files(folder) if kind == PICTURE)


def _files(folder: Path) -> Iterator[tuple[Path, str]]:
    """All files in a folder and those below it, each with what it is called in the count of kinds.

    A folder that is not read, since it is a link or may not be, counts as one.
    """
    unreadable: list[Path] = []
    walk = os.walk(folder, onerror=lambda error: unreadable.append(Path(error.filename)))
    for parent, folders, files in walk:
        for path in (Path(parent, name) for name in folders):
            if path.is_symlink():
                yield path, "linked folder"
        for path in (Path(parent, name) for name in files):
            yield path, _kind_of_file(path)
    for path in unreadable:
        yield path, "unreadable folder"


def _kind_of_file(path: Path) -> str:
    with suppress(PermissionError):
        if path.is_file():
            return _kind_by_name(path)
    return "dead link" if path.is_symlink() else "unreadable file"


def _kind_by_name(path: PurePath) -> str:
    """PICTURE, or what a file that is none is called; ._NAME is what macOS leaves beside one."""
    if path.name.startswith("._"):
        return "._ file of macOS"
    suffix = path.suffix.lower()
    return PICTURE if suffix in PICTURE_SUFFIXES else suffix or "file without a suffix"


def _encoded_pictures(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    """Name of every picture file in a folder, a zip or a RecordIO file, and what reads it."""
    if source.is_dir():
        for path in _picture_files(source):
            yield str(path), path.read_bytes
    elif zipfile.is_zipfile(source):
        with zipfile.ZipFile(source) as archive:
            for member in sorted(archive.infolist(), key=lambda member: member.filename):
                if not member.is_dir() and _kind_by_name(PurePath(member.filename)) == PICTURE:
                    yield member.filename, partial(archive.read, member)
    elif source.suffix == ".rec":
        yield from _recordio_pictures(source)
    else:
        raise UserError(f"{source} is no folder, zip or RecordIO (.rec) file of pictures")


def _recordio_pictures(source: Path) -> Iterator[tuple[str, Callable[[], bytes]]]:
    reader = mx.recordio.MXRecordIO(str(source), "r")
    number = 0
    try:
        while (record := reader.read()) is not None:
            content = mx.recordio.unpack(record)[1]
            yield f"record {number}", partial(bytes, content)
            number += 1
    except Exception as error:  # mxnet's own class, or struct's, by what is broken
        raise UserError(f"{source} is a broken RecordIO file: record {number}") from error
    finally:
        reader.close()


def _write_records(
    source: Path,
    image_size: int,
    crop_from: int | None,
    records: Path,
    index: Path,
    skipped: list[str],
) -> tuple[int, str]:
    """Write every readable picture of ``source``; returns their number and digest.

    The names of those that cannot be read are added to ``skipped``.

    Raises:
        OSError: the records cannot be written, most likely because the disk is full.
    """
    writer = mx.recordio.MXIndexedRecordIO(str(index), str(records), "w")
    count, digest = 0, hashlib.sha256()
    try:
        for name, read in tqdm(
            _encoded_pictures(source), desc="packing", unit="picture", disable=None
        ):
            try:
                picture = decode(read(), image_size, crop_from)
            except Exception:  # Pillow, zipfile and zlib raise many kinds on what is damaged
                skipped.append(name)
                continue
            digest.update(picture.tobytes())
            header = mx.recordio.IRHeader(0, 0.0, count, 0)
            bgr = np.ascontiguousarray(picture[:, :, ::-1])
            _, encoded = cv2.imencode(".png", bgr, [cv2.IMWRITE_PNG_COMPRESSION, 1])
            writer.write_idx(count, mx.recordio.pack(header, encoded.tobytes()))
            count += 1
        size = writer.tell()
    except zipfile.BadZipFile as error:
        raise UserError(f"{source} is a broken zip file: {error}") from error
    except mx.MXNetError as error:
        raise OSError(errno.ENOSPC, "the disk may be full") from error
    finally:
        writer.close()
    if records.stat().st_size != size:  # mxnet does not say so when its last write fails
        raise OSError(errno.ENOSPC, "the disk may be full")
    return count, digest.hexdigest()


def decode(content: bytes, image_size: int, crop_from: int | None) -> np.ndarray:
    """One picture as uint8 (S, S, 3), RGB; raises what Pillow raises where it cannot."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of odd metadata in pictures that decode well
        with Image.open(io.BytesIO(content), formats=("JPEG", "PNG")) as encoded:
            upright = ImageOps.exif_transpose(encoded)
            if upright.mode.startswith("I"):  # 16 bits, which Pillow would cut off at 255
                upright = Image.fromarray((np.asarray(upright) >> 8).astype(np.uint8))
            if "A" in upright.getbands() or "transparency" in upright.info:
                coloured = upright.convert("RGBA")
                white = Image.new("RGBA", coloured.size, "white")
                upright = Image.alpha_composite(white, coloured)
            picture = np.asarray(upright.convert("RGB"))
    square = _middle_square(picture, min(picture.shape[:2]))
    resized_to = (crop_from or image_size,) * 2
    resized = cv2.resize(square, resized_to, interpolation=cv2.INTER_AREA)
    return _middle_square(resized, image_size)


def _middle_square(picture: np.ndarray, side: int) -> np.ndarray:
    height, width = picture.shape[:2]
    top, left = (height - side) // 2, (width - side) // 2
    return picture[top : top + side, left : left + side]


def open_records(pictures: PackedPictures) -> mx.recordio.MXIndexedRecordIO:
    return mx.recordio.MXIndexedRecordIO(str(_index(pictures.path)), str(pictures.path), "r")


def read_picture(reader: mx.recordio.MXIndexedRecordIO, number: int) -> np.ndarray:
    """Packed picture ``number``, uint8 (S, S, 3), RGB."""
    try:
        _, encoded = mx.recordio.unpack(reader.read_idx(number))
        bgr = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        return bgr[:, :, ::-1]
    except Exception as error:  # mxnet's own class, or numpy's, by what is broken
        raise UserError(
            f"the packed pictures in {reader.uri} are damaged: delete it to have them packed again"
        ) from error


def _index(records: Path) -> Path:
    return records.with_suffix(".idx")


def _check_quality(source: Path, packed: PackedPictures, skip_bad: bool) -> None:
    """Say which pictures were skipped; stop if none is left or too many were."""
    bad = len(packed.skipped)
    total = packed.count + bad
    if total == 0:
        found = left_out(source, packed) or "nothing"
        raise UserError(f"no pictures in {source}: found {found}, expected JPEG or PNG files")
    if packed.count == 0:
        raise UserError(f"none of the {total} pictures in {source} can be read")
    if bad:
        named = ", ".join(packed.skipped[:5]) + (", …" if bad > 5 else "")
        if bad > MOST_BAD * total and not skip_bad:
            raise UserError(
                f"{bad} of {total} pictures in {source} cannot be read ({named}): "
                f"mend them, or leave them out with --skip-bad"
            )
        sentence = f"skipped {bad} of {total} pictures that cannot be read: {named}"
        print(sentence, file=sys.stderr)
