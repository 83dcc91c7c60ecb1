"""Packed sets of pictures in the user's cache: their files, and who has them in use.

A set is four files of one name in one folder: .rec and .idx hold its pictures, .npz what is known
of the files that they come from, and .json, written last, a summary. Who packs holds a lock of the
folder and one of the set, and who reads a set one of its summary, for as long as the process lives:
a kill releases them too. Where there are no locks (Windows, some network drives) nothing is held,
and what killed packings left stays until the cache is cleared.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from edgegan.runtime.errors import UserError, say
from edgegan.runtime.files import cache_directory, make_folder, read_json

if sys.platform != "win32":
    import fcntl

SUMMARY = ".json"
SUFFIXES = (".rec", ".idx", ".npz", SUMMARY)
LOCK = ".lock"

_held: dict[Path, int] = {}  # summaries of the sets that this process reads, and their descriptors


@dataclass(frozen=True)
class PackedSet:
    """A set in the cache: what its pictures are, the source they are from, bytes, last use."""

    summary: Path
    what: str
    source: str
    size: int
    last_used: float

    def remove(self) -> bool:
        """Remove its files, the summary first; False where a process has it in use."""
        with suppress(FileNotFoundError), self.summary.open("r+b") as file:
            if _lock(file.fileno(), exclusive=True) is False:
                return False
            if os.fstat(file.fileno()).st_nlink:  # else it was removed, and may be packed again
                for suffix in reversed(SUFFIXES):
                    self.summary.with_suffix(suffix).unlink(missing_ok=True)
        return True


def packed_folder() -> Path:
    """Where packed sets are; it may not be there yet."""
    return cache_directory() / "packed"


@contextmanager
def packing() -> Iterator[Path]:
    """The folder to pack into. What killed packings left there is removed, if no other is going on.

    Raises:
        UserError: the folder cannot be made or written to.
    """
    folder = packed_folder()
    make_folder(folder)
    with _opened(folder / LOCK) as descriptor:
        if _lock(descriptor, exclusive=True):
            for leftover in unfinished(folder):
                with suppress(OSError):
                    leftover.unlink()
        _lock(descriptor, exclusive=False)
        yield folder


@contextmanager
def only_packer(summary: Path) -> Iterator[None]:
    """Keep others from packing this set meanwhile; waits for one that does, and says so.

    Were the set written twice, who reads the first one would hold what is there no more. To be
    asked for within ``packing``, whose next one removes what a kill leaves of this.

    Raises:
        UserError: the folder cannot be written to.
    """
    path = summary.with_name(f".{summary.stem}{LOCK}")
    with _opened(path) as descriptor:
        if _lock(descriptor, exclusive=True) is False:
            say("another process packs these pictures: waiting for its end")
            _lock(descriptor, exclusive=True, wait=True)
        try:
            yield
        finally:
            with suppress(OSError):
                path.unlink()


def is_whole(summary: Path) -> bool:
    """Whether all files of a set are there."""
    return all(summary.with_suffix(suffix).exists() for suffix in SUFFIXES)


def hold(summary: Path) -> bool:
    """Keep a set from being cleared while this process lives, and note that it was used now.

    Returns:
        Whether it is there: it may have been cleared just before.
    """
    try:
        descriptor = os.open(summary, os.O_RDONLY)
    except FileNotFoundError:
        return False
    _lock(descriptor, exclusive=False)
    before = _held.get(summary)  # of the same set, or of one in its place that is there no more
    _held[summary] = descriptor
    if before is not None:
        os.close(before)
    with suppress(OSError):
        os.utime(summary)
    return is_whole(summary)


def packed_sets() -> list[PackedSet]:
    """The sets in the cache, that which was used last first."""
    sets = []
    for summary in packed_folder().glob(f"[!.]*{SUMMARY}"):  # and none being written
        with suppress(FileNotFoundError):  # it is being cleared
            sets.append(_read(summary))
    return sorted(sets, key=lambda found: found.last_used, reverse=True)


def unfinished(folder: Path) -> list[Path]:
    """The files in the folder that no summary is of: what is being packed, or was."""
    with suppress(FileNotFoundError):
        return [
            path
            for path in sorted(folder.iterdir())
            if path.name != LOCK
            and (path.name.startswith(".") or not path.with_suffix(SUMMARY).exists())
        ]
    return []


def remove_unfinished() -> bool:
    """Remove what killed packings left; False where a packing is going on."""
    folder = packed_folder()
    if unfinished(folder):
        with _opened(folder / LOCK) as descriptor:
            if _lock(descriptor, exclusive=True) is False:
                return False
            # Asked again: a packing may have been going on, and be done by now.
            for path in unfinished(folder):
                path.unlink(missing_ok=True)
    return True


def _read(summary: Path) -> PackedSet:
    files = [summary.with_suffix(suffix) for suffix in SUFFIXES]
    size = sum(path.stat().st_size for path in files if path.exists())
    facts: dict[str, Any] = {}
    with suppress(UserError):  # of a damaged one
        facts = read_json(summary)
    form = facts.get("form", "of an earlier version")
    what = f"{facts.get('count', 'no')} pictures, {form}"
    source = str(facts.get("source", "-"))
    return PackedSet(summary, what, source, size, summary.stat().st_mtime)


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """A descriptor of a file, which is made where it is missing; raises UserError if it cannot."""
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _lock(descriptor: int, exclusive: bool, wait: bool = False) -> bool | None:
    """Lock a file for this process alone if no other has it, or with others, once they let it.

    Args:
        wait: for the others where it is for this process alone, too.

    Returns:
        False where another has it, None where there are no locks.
    """
    if sys.platform == "win32":
        return None
    how = fcntl.LOCK_EX if exclusive else fcntl.LOCK_SH
    try:
        fcntl.flock(descriptor, how | (fcntl.LOCK_NB if exclusive and not wait else 0))
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True
