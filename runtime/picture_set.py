"""The pictures of a folder or a zip: which there are, in which order, and what is left out, why."""

from __future__ import annotations

import errno
import os
import re
import stat
import struct
import zipfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from itertools import starmap
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from edgegan.runtime.errors import UserError
from edgegan.runtime.pictures import BEGINNING, SUFFIXES, BadPicture, kind_of
from edgegan.runtime.run_folder import BEST, GRIDS, LAST

MOST_BYTES = 1 << 30  # of a picture file; of a larger one there is no memory for the pixels
ENCRYPTED = 0x41  # bits of a zip member's flags: by a password, in one way or another
UTF8 = 0x800  # the flag of a zip member whose name is UTF-8
SUFFIX = re.compile(r"\.(?=.*[a-z])[a-z0-9_~-]{1,10}")  # and not the end of a name like "St. 4"
SETS = {".zip", ".cbz", ".rec"}
TABLE = ".csv"
HIDDEN = {"@eaDir", "__MACOSX"}  # folders of thumbnails and the like without a dot before the name
REASONS = {  # what a file or folder within a set is left out for, by what the system says
    errno.ENOENT: "dead link",
    errno.ENOTDIR: "dead link",
    errno.ELOOP: "dead link",
    errno.EACCES: "no permission",
    errno.EPERM: "no permission",
    errno.ENAMETOOLONG: "path too long",
}


class LeftOut(NamedTuple):
    """What of a set is no picture in it: its name within the set, and the reason."""

    name: str
    reason: str


class Entry(NamedTuple):
    """A picture file of a set: its name within the set, and what reads its content.

    ``read`` raises BadPicture where the file's own fault keeps it from being read, such as a
    password, and UserError for what is a fault of the moment, such as a missing permission.
    """

    name: str
    read: Callable[[], bytes]


@dataclass(frozen=True)
class PictureSet:
    """A set's picture files by their names' bytes, and what was left out; a context manager.

    Attributes:
        entries: in their order.
        left_out: files and whole folders, in their order.
        tables: those of what is left out that may tell of the pictures, which are .csv files.
        signature: changes when the pictures do: their names, sizes and times. The time of change
            counts too: it is all that moves when a file is made readable.
    """

    entries: Iterable[Entry]
    left_out: list[LeftOut]
    signature: str
    close: Callable[[], None] = field(default=lambda: None)
    tables: list[Entry] = field(default_factory=list)

    def __enter__(self) -> PictureSet:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def open_set(source: Path) -> PictureSet:
    """The pictures of a folder (with those below it), or of a zip (also named .cbz).

    Which files are pictures is told by their suffix, or without one by how they begin. Left out
    are hidden folders and files, and folders of runs. Links are followed, to each folder once.

    Raises:
        UserError: there is no such folder or zip, or it cannot be read.
    """
    with reading(source):
        if source.is_dir():
            return _open_folder(source)
        if stat.S_ISREG(source.stat().st_mode):  # a pipe would be waited for
            with source.open("rb") as file:  # zipfile would not say why it cannot be read
                is_zip = zipfile.is_zipfile(file)
            if is_zip:
                return _open_zip(source)
    raise UserError(f"{source} is no folder, zip or RecordIO (.rec) file of pictures")


def file_signature(path: Path) -> str:
    """Size and times of a file."""
    return _describe(path.stat())


@contextmanager
def reading(path: str | Path) -> Iterator[None]:
    """Turn what keeps `path` from being read at the moment into a UserError."""
    try:
        yield
    except FileNotFoundError as error:
        raise UserError(f"no such folder or file: {path}, expected pictures") from error
    except OSError as error:
        place = path if error.filename is None else os.fsdecode(error.filename)
        raise UserError(f"cannot read {place}: {error.strerror or error}") from error


def _describe(status: os.stat_result) -> str:
    return f"{status.st_size} {status.st_mtime_ns} {status.st_ctime_ns}"


# Which names are of pictures, in folders and in zips alike.


def _is_hidden(name: str) -> bool:
    return (name.startswith(".") and name != "..") or name in HIDDEN


def _is_run(names: Iterable[str]) -> bool:
    """Whether a folder with files of these names is a run's."""
    return not {BEST, LAST}.isdisjoint(names)


def _folder_left_out(name: str, in_run: bool = False) -> str | None:
    """Why a folder is left out by its name; ``in_run``: where the set itself is a run's folder."""
    if _is_hidden(name):
        return "hidden folder"
    return "grids of a run" if in_run and name == GRIDS else None


def _file_left_out(name: str, beginning: Callable[[], bytes]) -> str | None:
    """Why a file is left out by its name, or by how it begins where its name does not tell."""
    if _is_hidden(name):
        return "hidden file"
    suffix = PurePosixPath(name).suffix.lower()
    if suffix in SUFFIXES:
        return None
    if SUFFIX.fullmatch(suffix):
        return f"nested {suffix}" if suffix in SETS else suffix
    return None if kind_of(beginning()) else "no picture, by its content"


# Folders


def _open_folder(root: Path) -> PictureSet:
    found: dict[str, str] = {}  # what tells a picture file from a changed one, by its name
    left_out: dict[str, str] = {}
    seen: set[tuple[int, int]] = set()
    folders: list[str] = [""]
    links: list[str] = []
    while folders or links:
        # Links come last: a folder that is within the set keeps the name that it has there.
        folder = folders.pop() if folders else links.pop(0)
        place = root / folder
        try:
            status = place.stat()
            with os.scandir(place) as listing:
                entries = sorted(listing, key=lambda entry: os.fsencode(entry.name))
        except OSError as error:
            if not folder or error.errno not in REASONS:
                raise
            left_out[folder] = REASONS[error.errno]
            continue
        in_run = _is_run(entry.name for entry in entries)
        if folder and (in_run or (status.st_dev, status.st_ino) in seen):
            left_out[folder] = "folder of a run" if in_run else "folder that is read already"
            continue
        seen.add((status.st_dev, status.st_ino))
        for entry in entries:
            name, reason, description = _look_at(entry, folder, in_run)
            if reason is not None:
                left_out[name] = reason
            elif name.endswith("/"):
                (links if entry.is_symlink() else folders).append(name)
            else:
                found[name] = description
    names = sorted(found, key=os.fsencode)
    return PictureSet(
        [Entry(name, partial(_read_file, root / name)) for name in names],
        [LeftOut(name, left_out[name]) for name in sorted(left_out, key=os.fsencode)],
        "\n".join([str(root.resolve()), *(f"{name} {found[name]}" for name in names)]),
        tables=[
            Entry(name, partial(_read_file, root / name))
            for name in sorted(left_out, key=os.fsencode)
            if left_out[name] == TABLE
        ],
    )


def _look_at(entry: os.DirEntry[str], folder: str, in_run: bool) -> tuple[str, str | None, str]:
    """An entry's name within the set, why it is left out or None, and its size and times.

    Names of folders end with a slash.
    """
    name = folder + entry.name
    try:
        status = entry.stat()  # of what a link leads to
        if stat.S_ISDIR(status.st_mode):
            return f"{name}/", _folder_left_out(entry.name, in_run), ""
        if not stat.S_ISREG(status.st_mode):
            return name, "no regular file", ""
        reason = _file_left_out(entry.name, partial(_beginning, Path(entry.path)))
        return name, reason, _describe(status)
    except OSError as error:
        if error.errno not in REASONS:
            raise
        return name, REASONS[error.errno], ""


def _beginning(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(BEGINNING)


def _read_file(path: Path) -> bytes:
    with reading(path):
        _check_length(path.stat().st_size)
        return path.read_bytes()


def _check_length(length: int) -> None:
    if length > MOST_BYTES:
        raise BadPicture(f"a file of {length} bytes, more than {MOST_BYTES}")


# Zips


def _open_zip(source: Path) -> PictureSet:
    signature = f"{source.resolve()} {file_signature(source)}"
    try:
        archive = zipfile.ZipFile(source)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error) as error:
        raise UserError(f"{source} is a broken zip file: {error}") from error
    members = [(*_member_name(info), info) for info in archive.infolist()]
    members = [member for member in members if not member[1].endswith("/")]  # no folders
    members.sort(key=lambda member: member[0])
    names_in: dict[str, set[str]] = {}
    for _, name, _ in members:
        folder, _, file = name.rpartition("/")
        names_in.setdefault(folder, set()).add(file)
    runs = {folder for folder, names in names_in.items() if _is_run(names)}
    entries, tables = [], []
    left_out: dict[str, str] = {}
    for _, name, info in members:
        folder, reason = _member_folder_left_out(name, runs)
        if reason is None:
            folder, reason = name, _member_left_out(archive, info, name)
        entry = Entry(name, partial(_read_member, archive, info))
        if reason is None:
            entries.append(entry)
            continue
        left_out[folder] = reason
        if reason == TABLE:
            tables.append(entry)
    reasons = list(starmap(LeftOut, left_out.items()))
    return PictureSet(entries, reasons, signature, archive.close, tables)


def _member_name(info: zipfile.ZipInfo) -> tuple[bytes, str]:
    """A member's name as bytes, and as text: zipfile takes what is not marked for code page 437."""
    if not info.flag_bits & UTF8:
        with suppress(UnicodeEncodeError):  # of a name in a field of its own, which is UTF-8
            content = info.filename.encode("cp437")
            with suppress(UnicodeDecodeError):
                return content, content.decode()
            return content, info.filename
    return info.filename.encode(), info.filename


def _member_folder_left_out(name: str, runs: set[str]) -> tuple[str, str | None]:
    """The outermost folder of a member that is left out, and why; None where none is."""
    folder = ""
    for part in name.split("/")[:-1]:
        reason = _folder_left_out(part, in_run=folder == "" and "" in runs)
        folder += part + "/"
        if reason is None and folder[:-1] in runs:
            reason = "folder of a run"
        if reason is not None:
            return folder, reason
    return folder, None


def _member_left_out(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> str | None:
    if stat.S_ISLNK(info.external_attr >> 16):
        return "link in a zip"

    def beginning() -> bytes:
        with suppress(BadPicture), _faults_of(archive, info), archive.open(info) as file:
            return file.read(BEGINNING)
        return b""

    return _file_left_out(name.rpartition("/")[2], beginning)


def _read_member(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    _check_length(info.file_size)
    with _faults_of(archive, info):
        return archive.read(info)


@contextmanager
def _faults_of(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> Iterator[None]:
    """Turn what keeps a member from being read into a BadPicture where it is the member's fault."""
    if info.flag_bits & ENCRYPTED:
        raise BadPicture("password")
    try:
        with reading(str(archive.filename)):
            try:
                yield
            except OSError as error:
                if error.errno is None:  # bz2 has this kind for damage
                    raise BadPicture("damaged in the zip") from error
                raise
    except (BadPicture, UserError, MemoryError):
        raise
    except RuntimeError as error:  # zipfile knows no such method, or lacks its module
        raise BadPicture(f"zip method {info.compress_type}, which is not known") from error
    except Exception as error:  # of many kinds, by what is broken
        raise BadPicture("damaged in the zip") from error
