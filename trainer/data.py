"""Pictures from a folder, a zip or a RecordIO file, packed once, then read by their number.

Packing decodes every picture once, resizes it and writes it to one RecordIO file with an index in
the user's cache; training reads that file by index, so its memory does not grow with the data.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import starmap
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tqdm import tqdm

from edgegan.runtime.errors import UserError, quoted, say
from edgegan.runtime.files import atomic_write
from edgegan.runtime.generator import from_bytes
from edgegan.runtime.near_duplicates import SIDE, group, thumbnail
from edgegan.runtime.packed import SUMMARY, hold, is_whole, only_packer, packed_folder, packing
from edgegan.runtime.picture_set import (
    Entry,
    LeftOut,
    PictureSet,
    file_signature,
    open_set,
    reading,
)
from edgegan.runtime.pictures import KINDS, BadPicture, decode, fit
from edgegan.runtime.tags import CLASS, NONE, Tags, read_tags
from edgegan.runtime.words import Words
from edgegan.trainer.framework import mx
from edgegan.trainer.recipe import VALUE_RANGES

PACKING_VERSION = 2  # of decoding, fitting and grouping: another one packs all sets again
MOST_REASONS = 8  # that are told of what was left out
MOST_BAD = 0.01  # of all pictures; more than that is no accident


@dataclass(frozen=True)
class PackedPictures:
    """A packed set of ``count`` pictures, each uint8 (S, S, 3).

    ``digest`` is the SHA-256 of all their pixels, ``skipped`` names the pictures that are bad, and
    ``left_out`` what else of the source is not among them, each with the reason. Packed with their
    words they have ``words``, counted over the pictures that have some, and ``left_out`` names the
    others too.
    """

    path: Path
    count: int
    digest: str
    skipped: list[LeftOut]
    left_out: list[LeftOut]
    words: Words | None = None

    def hashes(self) -> np.ndarray:
        """The SHA-256 of each encoded file, uint8 (N, 32); raises UserError if damaged."""
        return self._known("hashes")

    def groups(self) -> np.ndarray:
        """The number of each picture's group of near-duplicates, int64 (N,); raises likewise."""
        return self._known("groups")

    def choices(self) -> np.ndarray:
        """The numbers of each picture's words, int64 (N, groups); raises likewise.

        Rows of NONE where a picture has no words. Only of what was packed with them.
        """
        return self._known("choices")

    def _known(self, name: str) -> np.ndarray:
        try:
            with np.load(_origins(self.path)) as origins:
                return np.asarray(origins[name])
        except MemoryError:
            raise
        except Exception as error:  # zipfile's, zlib's or numpy's own, by what is broken
            raise _damaged(self.path) from error


@dataclass(frozen=True)
class _Form:
    """How pictures are packed; with ``tags`` each has the numbers of its words beside it."""

    image_size: int
    crop_from: int | None
    tags: Tags | None

    def __str__(self) -> str:
        cropped = f", cropped from {self.crop_from}" if self.crop_from else ""
        words = ", with words" if self.tags else ""
        return f"{self.image_size} x {self.image_size}{cropped}{words}"

    def label(self, number: int) -> float | np.ndarray:
        """The label of the record of picture ``number`` of the set: the numbers of its words."""
        return self.tags.choices[number].astype(np.float32) if self.tags else 0.0

    def key(self, signature: str) -> str:
        """The name that a set of this signature is packed under."""
        told = f"{PACKING_VERSION}\n{self}\n{signature}".encode("utf-8", "surrogateescape")
        if self.tags:
            told += f"\n{self.tags.digest()}".encode()
        return hashlib.sha256(told).hexdigest()[:24]


def pack(
    source: Path,
    image_size: int,
    skip_bad: bool = False,
    crop_from: int | None = None,
    with_words: bool = False,
) -> PackedPictures:
    """Pack ``source`` for pictures of ``image_size``, or find it packed already.

    They are decoded and fitted as in ``edgegan.runtime.pictures``. With ``crop_from`` it is the
    face, with less of what is around it. With ``with_words`` the numbers of each picture's words
    are the label of its record; of a RecordIO file's pictures the words are their labels.

    Raises:
        UserError: nothing there, no pictures in it, more than one in a hundred unreadable without
            ``skip_bad``, no words with ``with_words``, or something that keeps them from being
            read at the moment.
    """
    with find_pictures(source) as found:
        tags = _tags(source, found) if with_words and found.entries else None
        form = _Form(image_size, crop_from, tags)
        packed = _pack(source, found, form)
        _check_quality(source, packed, skip_bad)
        return _with_words(packed, found, tags) if tags else packed


def _tags(source: Path, found: PictureSet) -> Tags:
    if isinstance(found.entries, _Records):
        return found.entries.tags()
    return read_tags(source, found)


def _pack(source: Path, found: PictureSet, form: _Form) -> PackedPictures:
    summary = packed_folder() / f"{form.key(found.signature)}{SUMMARY}"
    while not hold(summary):
        with packing(), only_packer(summary):
            if not is_whole(summary):  # nor was it packed by the one before
                _write_set(summary, source, found.entries, form)
    records = summary.with_suffix(".rec")
    try:
        facts = json.loads(summary.read_text())
        skipped = list(starmap(LeftOut, facts["skipped"]))
        return PackedPictures(
            records, int(facts["count"]), str(facts["digest"]), skipped, found.left_out
        )
    except (ValueError, LookupError, TypeError) as error:
        raise _damaged(summary) from error


def _with_words(packed: PackedPictures, found: PictureSet, tags: Tags) -> PackedPictures:
    """Packed pictures with their words, which also tell what is left out for having none."""
    choices = packed.choices()
    tagged = choices[(choices != NONE).all(axis=1)]
    if not len(tagged):
        raise UserError(f"{tags.origin} has words only of pictures that cannot be read")
    bad = {name for name, _ in packed.skipped}
    wordless = (entry.name for entry, words in zip(found.entries, tags.words) if words is None)
    others = [
        *(other for other in packed.left_out if other.name != tags.file),
        *(LeftOut(name, "no words") for name in wordless if name not in bad),
        *(LeftOut(name, "words of no picture") for name in tags.absent),
    ]
    return replace(packed, left_out=others, words=Words.of(tags.groups, tagged))


def _write_set(summary: Path, source: Path, entries: Iterable[Entry], form: _Form) -> None:
    records = summary.with_suffix(".rec")
    skipped: list[LeftOut] = []
    with atomic_write(records) as records_part, atomic_write(_index(records)) as index_part:
        hashes, thumbnails, digest, kept = _write_records(
            source, entries, form, records_part, index_part, skipped
        )
    known = {"hashes": hashes, "groups": group(thumbnails)}
    if form.tags:
        known["choices"] = form.tags.choices[kept]
    with atomic_write(_origins(records)) as origins_part:
        np.savez(origins_part, **known)
    facts = {
        "count": len(hashes),
        "digest": digest,
        "skipped": skipped,
        "form": str(form),
        "source": str(source.resolve()),
    }
    with atomic_write(summary) as summary_part:  # the last: without it nothing is packed
        summary_part.write_text(json.dumps(facts))


def picture_names(source: Path, pictures: PackedPictures) -> list[str]:
    """The names, within their folder or zip, of the packed pictures of ``source``, in their order.

    Raises:
        UserError: ``source`` is no folder, zip or RecordIO file.
    """
    skipped = {left_out.name for left_out in pictures.skipped}
    with find_pictures(source) as found:
        return [entry.name for entry in found.entries if entry.name not in skipped]


def left_out(pictures: PackedPictures) -> str:
    """What is not among packed pictures, by reason, such as "4 x .txt, 1 x dead link".

    Empty where nothing was left out.
    """
    counts = Counter(found.reason for found in (*pictures.left_out, *pictures.skipped))
    reasons = sorted(counts, key=lambda reason: (-counts[reason], reason))
    said = [f"{counts[reason]} x {reason}" for reason in reasons[:MOST_REASONS]]
    others = sum(counts[reason] for reason in reasons[MOST_REASONS:])
    return ", ".join([*said, *([f"{others} for other reasons"] if others else [])])


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


def find_pictures(source: Path) -> PictureSet:
    """The pictures of a folder, a zip or a RecordIO file, of which the last are read in turn.

    Raises:
        UserError: it is none of these, or cannot be read.
    """
    with reading(source):
        if source.is_file() and source.suffix == ".rec":
            with source.open("rb"):  # mxnet would not say why it cannot
                pass
            return PictureSet(_Records(source), [], f"{source.resolve()} {file_signature(source)}")
    return open_set(source)


@dataclass(frozen=True)
class _Records:
    """The records of a RecordIO file, each read when its turn comes."""

    source: Path

    def __iter__(self) -> Iterator[Entry]:
        for number, (_, content) in enumerate(self._unpacked()):
            yield Entry(f"record {number}", partial(bytes, content))

    def tags(self) -> Tags:
        """Their labels as words of one group; raises UserError where one is no single number."""
        words = [self._word(n, header.label) for n, (header, _) in enumerate(self._unpacked())]
        return Tags(f"{self.source}, by its labels,", (CLASS,), words, [])

    def _word(self, number: int, label: float | np.ndarray) -> tuple[str]:
        if np.size(label) != 1 or not np.isfinite(label).all():
            raise UserError(
                f"{self.source} has {quoted(label)} as the label of record {number}, expected one "
                "number, that of its class"
            )
        value = float(np.ravel(label)[0])
        return (str(int(value) if value.is_integer() else value),)

    def _unpacked(self) -> Iterator[tuple[Any, bytes]]:
        """The header and the content of each record."""
        reader = mx.recordio.MXRecordIO(_Name(self.source), "r")
        number = 0
        try:
            while (record := reader.read()) is not None:
                yield mx.recordio.unpack(record)
                number += 1
        except MemoryError:
            raise
        except Exception as error:  # mxnet's own class, or struct's, by what is broken
            raise UserError(f"{self.source} is a broken RecordIO file: record {number}") from error
        finally:
            reader.close()


def _write_records(
    source: Path,
    entries: Iterable[Entry],
    form: _Form,
    records: Path,
    index: Path,
    skipped: list[LeftOut],
) -> tuple[np.ndarray, np.ndarray, str, list[int]]:
    """Write every readable picture of ``source``; those that cannot be read go to ``skipped``.

    Returns:
        The SHA-256 of their files, uint8 (N, 32), the thumbnails of whole pictures, as
        ``near_duplicates`` has them, the digest of all packed pixels, and the numbers of the
        entries that were written.

    Raises:
        OSError: the records cannot be written, most likely because the disk is full.
    """
    writer = mx.recordio.MXIndexedRecordIO(str(index), _Name(records), "w")
    kept: list[int] = []
    hashes, thumbnails = bytearray(), bytearray()  # an object each would take as much again
    digest = hashlib.sha256()
    try:
        progress = tqdm(entries, desc="packing", unit="picture", disable=None)
        for number, entry in enumerate(progress):
            try:
                content = entry.read()
                whole = decode(content)
                picture = fit(whole, form.image_size, form.crop_from)
            except BadPicture as error:
                skipped.append(LeftOut(entry.name, str(error)))
                continue
            except MemoryError as error:
                raise UserError(f"not enough memory to read {entry.name} of {source}") from error
            digest.update(picture.tobytes())
            header = mx.recordio.IRHeader(0, form.label(number), len(kept), 0)
            bgr = np.ascontiguousarray(picture[:, :, ::-1])
            _, encoded = cv2.imencode(
                ".bmp", bgr
            )  # read 15 times as fast as PNG, 1.4 times as large
            writer.write_idx(len(kept), mx.recordio.pack(header, encoded.tobytes()))
            hashes += hashlib.sha256(content).digest()
            thumbnails += thumbnail(whole).tobytes()
            kept.append(number)
        size = writer.tell()
    except mx.MXNetError as error:
        raise OSError(errno.ENOSPC, "the disk may be full") from error
    finally:
        writer.close()
    if records.stat().st_size != size:  # mxnet does not say so when its last write fails
        raise OSError(errno.ENOSPC, "the disk may be full")
    return (
        np.frombuffer(hashes, np.uint8).reshape(-1, 32),
        np.frombuffer(thumbnails, np.uint8).reshape(-1, SIDE, SIDE, 3),
        digest.hexdigest(),
        kept,
    )


def open_records(pictures: PackedPictures) -> mx.recordio.MXIndexedRecordIO:
    """What reads packed pictures by their number; raises UserError where they are damaged."""
    records = pictures.path
    try:
        return mx.recordio.MXIndexedRecordIO(str(_index(records)), _Name(records), "r")
    except (mx.MXNetError, ValueError, LookupError) as error:
        raise _damaged(records) from error


class _Name(str):
    """A file's name as mxnet takes it, which itself makes bytes of what is UTF-8 only."""

    def encode(self, encoding: str = "utf-8", errors: str = "surrogateescape") -> bytes:
        return super().encode(encoding, errors)


def read_picture(reader: mx.recordio.MXIndexedRecordIO, number: int) -> np.ndarray:
    """Packed picture ``number``, uint8 (S, S, 3), RGB."""
    try:
        _, encoded = mx.recordio.unpack(reader.read_idx(number))
        bgr = cv2.imdecode(np.frombuffer(encoded, np.uint8), cv2.IMREAD_COLOR)
        return bgr[:, :, ::-1]
    except MemoryError:
        raise
    except Exception as error:  # mxnet's own class, or numpy's, by what is broken
        raise _damaged(os.fsdecode(reader.uri.value)) from error


def _damaged(records: Path | str) -> UserError:
    return UserError(
        f"the packed pictures in {records} are damaged: delete it to have them packed again"
    )


def _index(records: Path) -> Path:
    return records.with_suffix(".idx")


def _origins(records: Path) -> Path:
    return records.with_suffix(".npz")


def _check_quality(source: Path, packed: PackedPictures, skip_bad: bool) -> None:
    """Say which pictures were skipped; stop if none is left or too many were."""
    bad = len(packed.skipped)
    total = packed.count + bad
    if total == 0:
        found = left_out(packed) or "nothing"
        raise UserError(f"no pictures in {source}: found {found}, expected {KINDS} files")
    if bad:
        named = "; ".join(f"{name}: {reason}" for name, reason in packed.skipped[:5])
        named += "; …" if bad > 5 else ""
    if packed.count == 0:
        raise UserError(f"none of the {total} pictures in {source} can be read ({named})")
    if bad:
        if bad > MOST_BAD * total and not skip_bad:
            raise UserError(
                f"{bad} of {total} pictures in {source} cannot be read ({named}): "
                f"mend them, or leave them out with --skip-bad"
            )
        sentence = f"skipped {bad} of {total} pictures that cannot be read: {named}"
        say(sentence)
