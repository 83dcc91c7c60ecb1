"""Writing files whole or not at all, and where the user's cache is."""

from __future__ import annotations

import glob
import json
import os
import re
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from edgegan.runtime.errors import UserError

if sys.platform != "win32":
    import fcntl

TOKEN_BYTES = 4  # of a temporary file's name
MOST_NAME_BYTES = 255  # of a file's name, on nearly every file system
LOCK = ".edgegan.lock"  # in a folder that is being written: who writes it
MOST_HOLDER_BYTES = 300
# How files begin, by their suffix; ONNX's with the number of their first field in protobuf.
BEGINNINGS = {
    ".png": b"\x89PNG\r\n\x1a\n",
    ".gif": b"GIF8",
    ".webp": b"RIFF",
    ".onnx": b"\x08",
    ".json": b"{",
}
MOST_BEGINNING = 4_096  # bytes
ADDRESS = re.compile("[a-z][a-z0-9+.-]+://", re.IGNORECASE)  # a letter alone is a disk of Windows
MOST_TRIES = 100  # at a lock whose file its holders remove


class Kind(NamedTuple):
    """What a file has to be that is replaced: what that is called, and how its content begins."""

    name: str
    beginning: re.Pattern[bytes]


@contextmanager
def atomic_write(path: str | Path, flush: bool = True) -> Iterator[Path]:
    """Give a temporary path beside `path` to write to; on success it takes `path`'s place.

        with atomic_write("run/checkpoint.npz") as temporary:
            np.savez(temporary, **arrays)

    Missing parent folders are made. The temporary name ends as `path` does, since some libraries
    choose the format by it. If anything fails, the temporary file is removed and what stood at
    `path` is untouched. A symbolic link is followed, not replaced. What stood there hands on its
    mode and, where that is allowed, its owner. Without `flush` a power cut may still leave less
    than was written, at a fraction of the time.

    Raises:
        UserError: the file cannot be written (permission, no such folder, full disk, `path` is
            a folder or a device); the sentence names `path` and the reason.
        OSError: what was done meanwhile failed at another file, which it names.
    """
    target = Path(os.path.realpath(path))
    before = _regular_file(target, path)
    make_folder(target.parent)
    temporary = target.with_name(f".{secrets.token_hex(TOKEN_BYTES)}-{_end_of(target.name)}")
    try:
        # Made at once, so that what the folder refuses is told before anything is computed; and
        # nobody reads the new content who could not read the old.
        mode = 0o600 if before else 0o666
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
        yield temporary
        if flush:
            _flush_to_disk(temporary)
        if before:
            _hand_on(before, temporary)
        os.replace(temporary, target)  # noqa: PTH105 (tests let it fail)
    except OSError as error:
        if isinstance(error.filename, str) and error.filename != str(temporary):
            raise
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    finally:
        with suppress(OSError):
            temporary.unlink()
    if flush:
        _flush_folder(target.parent)


def remove_leftovers(path: str | Path) -> None:
    """Remove what atomic writes to `path`, or into it, left that were killed.

    None may be under way.
    """
    target = Path(os.path.realpath(path))
    token = "[0-9a-f]" * (2 * TOKEN_BYTES)
    if target.is_dir():
        folder, pattern = target, f".{token}-*"
    else:
        folder, pattern = target.parent, f".{token}-{glob.escape(_end_of(target.name))}"
    for leftover in folder.glob(pattern):
        with suppress(OSError):
            leftover.unlink()


def write_bytes(path: str | Path, content: bytes, flush: bool = True) -> None:
    """Write `content` to `path` as atomic_write does, whole or not at all; raises UserError."""
    with atomic_write(path, flush) as temporary:
        temporary.write_bytes(content)


@contextmanager
def locked(folder: Path, purpose: str) -> Iterator[None]:
    """Keep other processes that ask for it too from writing to a folder meanwhile.

    The folder is made where it is missing, and taken away again if nothing was put in it. A hidden
    file in it is locked, which a kill releases, and is gone at the end. On file systems without
    locks, and on Windows, nothing is kept out.

    Args:
        purpose: what the others are told, such as "edgegan fit".

    Raises:
        UserError: another process writes to it, which is named, or the folder cannot be made or
            written to.
    """
    missing = [
        place for place in (folder, *folder.absolute().parents) if not os.path.lexists(place)
    ]
    descriptor = _lock(folder, purpose)
    try:
        yield
    finally:
        with suppress(OSError):
            (folder / LOCK).unlink()  # while it is still held: the next one makes its own
        os.close(descriptor)
        if sys.platform == "win32":  # where no open file can be removed, and nobody held it
            with suppress(OSError):
                (folder / LOCK).unlink()
        for place in missing:  # the innermost first; one that holds something stays
            with suppress(OSError):
                place.rmdir()


def read_bytes(path: str | Path) -> bytes:
    """Return a file's content; raises UserError, naming the file and the reason, if it cannot.

    What is no regular file is not read: a pipe that nobody writes to would never end.
    """
    try:
        check_regular(path)
        return Path(path).read_bytes()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error


def line_of(content: bytes, place: int) -> int:
    """The number, from 1, of the line of a text file, of any system, that a byte of it is in."""
    return len(re.findall(rb"\r\n?|\n", content[:place])) + 1


def read_json(path: str | Path) -> dict[str, Any]:
    """Return the keys and values that a JSON file holds.

    Raises:
        UserError: it cannot be read, or holds something else.
    """
    try:
        found = json.loads(read_bytes(path))
    except (ValueError, RecursionError) as error:  # the second of what is nested too deeply
        raise UserError(f"{path} is no valid JSON: {str(error)[:100]}") from error
    if not isinstance(found, dict):
        raise UserError(f"{path} holds {type(found).__name__}, expected keys and values")
    return found


def check_regular(path: str | Path) -> None:
    """Raise UserError where a pipe, a device or a socket is, and OSError where nothing is.

    A folder passes: to open it is an error that says so.
    """
    mode = Path(path).stat().st_mode
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise UserError(f"cannot read {path}: it is no regular file")


@contextmanager
def temporary_folder() -> Iterator[Path]:
    """Give a folder for a while, where the system keeps what is temporary.

    Raises:
        UserError: it cannot be made, or something cannot be written to it.
    """
    import tempfile  # for this only

    try:
        with tempfile.TemporaryDirectory() as folder:
            yield Path(folder)
    except OSError as error:
        raise UserError(
            f"cannot write to the temporary folder {tempfile.tempdir or 'of the system'}: "
            f"{error.strerror or error}: make room, or name another in TMPDIR"
        ) from error


def make_folder(path: str | Path) -> None:
    """Make a folder and those above it, where missing; raises UserError if it cannot."""
    try:
        Path(path).mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError) as error:
        raise UserError(f"cannot make the folder {path}: a file is in its place") from error
    except OSError as error:
        raise UserError(f"cannot make the folder {path}: {error.strerror or error}") from error


def check_no_address(what: str, name: str) -> None:
    """Raise UserError where what should be a path is an address, which would lose a slash as one.

    Args:
        what: is named so, such as an option.
    """
    if ADDRESS.match(name):
        raise UserError(f"{what} is {name}, an address: expected the path of a file or folder")


def check_folder(path: Path) -> None:
    """Raise UserError where a folder neither is nor could be made: before long work, not after."""
    there = next(place for place in (path, *path.absolute().parents) if os.path.lexists(place))
    if not there.is_dir():
        raise UserError(f"cannot make the folder {path}: a file is in its place")
    if not os.access(there, os.W_OK | os.X_OK):
        raise UserError(f"cannot write to the folder {path}: no permission to write in {there}")


def check_new_file(option: str, path: Path, kind: Kind | None = None) -> None:
    """Raise UserError where a file cannot be written, or something else of that name would go.

    A file that is there may be replaced by one of its own kind only, which is told by how it
    begins: before long work, not after. Without ``kind`` that is what its suffix says, a key of
    BEGINNINGS.
    """
    target = Path(os.path.realpath(path))
    there = _regular_file(target, path)
    check_folder(target.parent)  # what replaces a file is written beside it
    if there is None:
        return
    if not os.access(target, os.W_OK):
        raise UserError(f"cannot write {path}: no permission to write to that file")
    try:
        with target.open("rb") as file:
            beginning = file.read(MOST_BEGINNING).lstrip()
    except OSError as error:
        raise UserError(f"cannot read {path}: {error.strerror or error}") from error
    if kind is None:
        start = re.compile(re.escape(BEGINNINGS[path.suffix.lower()]))
        kind = Kind(f"{path.suffix} file by its content", start)
    if beginning and not kind.beginning.match(beginning):
        raise UserError(
            f"{option} is {path}, a file that is there and is no {kind.name}: choose another name"
        )


def check_not_read(
    option: str, outputs: Iterable[str | Path], inputs: Iterable[str | Path]
) -> None:
    """Raise UserError where an output is an input, if only by a link: before anything is lost.

    Args:
        option: which said where the output goes.
        outputs, inputs: files and folders; those that are not there cannot be lost.
    """
    read = {_place(path): path for path in inputs}
    read.pop(None, None)
    for output in outputs:
        place = _place(output)
        if place in read:
            path = read[place]
            linked = f", the same as {output}" * (str(path) != str(output))
            raise UserError(
                f"{option} would write to {path}{linked}, which is read: choose another"
            )


def classifiers_folder() -> Path:
    """Where classifiers of words are kept that edgegan evaluate has trained; it may not exist."""
    return cache_directory() / "classifiers"


def cache_directory() -> Path:
    """Return the user's cache for this program: $EDGEGAN_CACHE, else the system's own place.

    Raises:
        UserError: it is in a home folder, and whose or where that is is unknown.
    """
    chosen = path_in_environment("EDGEGAN_CACHE")
    if chosen:
        return chosen
    import platformdirs  # for this only

    with suppress(RuntimeError):  # so do newer ones tell that the system does not know the user
        usual = Path(platformdirs.user_cache_dir("edgegan"))
        if usual.is_absolute():  # older ones leave the ~
            return usual
    raise UserError("there is no home folder for the cache: name a folder in EDGEGAN_CACHE")


def path_in_environment(variable: str) -> Path | None:
    """Return the path in an environment variable, None where it is empty or not set.

    A ~ is the home folder: a shell has put it in place, but what else sets variables has not.

    Raises:
        UserError: it is unknown whose home folder that is.
    """
    value = os.environ.get(variable)
    if not value:
        return None
    try:
        return Path(value).expanduser()
    except RuntimeError as error:
        raise UserError(f"{variable} is {value!r}, a home folder that is unknown") from error


def _lock(folder: Path, purpose: str) -> int:
    """Lock the file in a folder that says who writes there; returns its descriptor.

    Raises:
        UserError: as locked.
    """
    path = folder / LOCK
    for left in reversed(range(MOST_TRIES)):
        make_folder(folder)
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o666)
        except OSError as error:
            if left and isinstance(error, FileNotFoundError):
                continue  # who wrote there has just taken the folder away
            raise UserError(f"cannot write {path}: {error.strerror or error}") from error
        try:
            _lock_or_refuse(descriptor, folder)
            # At last any is taken: there are file systems on which no file is ever the same.
            if not left or _is_at(descriptor, path):
                _name_holder(descriptor, purpose)
                return descriptor
        except BaseException:
            os.close(descriptor)
            raise
        os.close(descriptor)  # of a file that its holder has just removed: on to the next
    raise AssertionError("the last try returns or raises")


def _lock_or_refuse(descriptor: int, folder: Path) -> None:
    """Lock an open file, where locks are to be had; raises UserError where another process did."""
    if sys.platform == "win32":
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        text = os.read(descriptor, MOST_HOLDER_BYTES).decode(errors="replace")
        holder = "".join(filter(str.isprintable, text)) or "another process"
        raise UserError(
            f"{folder} is being written by {holder}: wait for its end, or choose another folder"
        ) from error
    except OSError:
        pass  # no locks on this file system


def _is_at(descriptor: int, path: Path) -> bool:
    """Whether an open file is still the one that is at its path."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False


def _name_holder(descriptor: int, purpose: str) -> None:
    """Write to a lock's file who holds it, and since when."""
    import platform  # these two for this only
    from datetime import datetime

    since = datetime.now().astimezone().isoformat(" ", "seconds")
    holder = f"{purpose} (process {os.getpid()} on {platform.node()}, since {since})\n"
    with suppress(OSError):  # the lock holds without it
        os.ftruncate(descriptor, 0)
        os.write(descriptor, holder.encode())


def _place(path: str | Path) -> tuple[int, int] | None:
    """What tells a file or folder from all others, whatever names it has; None where none is."""
    try:
        found = Path(path).stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _regular_file(target: Path, path: str | Path) -> os.stat_result | None:
    """What is known of the file at `target`, None where there is none.

    Raises:
        UserError: a folder or a device is there, or it cannot be told; the sentence names `path`.
    """
    try:
        found = target.stat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise UserError(f"cannot write {path}: {error.strerror or error}") from error
    if stat.S_ISDIR(found.st_mode):
        raise UserError(f"cannot write {path}: it is a folder, and a file was expected")
    if not stat.S_ISREG(found.st_mode):
        raise UserError(f"cannot write {path}: it is no regular file")
    return found


def _end_of(name: str) -> str:
    """As much of the end of a name as fits behind a token."""
    room = MOST_NAME_BYTES - 2 * TOKEN_BYTES - len(".-")
    while len(os.fsencode(name)) > room:
        name = name[1:]
    return name


def _hand_on(before: os.stat_result, temporary: Path) -> None:
    """Give a file the group and the owner, where allowed, and the mode of the one it replaces."""
    if hasattr(os, "chown"):  # not on Windows
        for user, group in ((-1, before.st_gid), (before.st_uid, -1)):
            with suppress(OSError):
                os.chown(temporary, user, group)
    temporary.chmod(stat.S_IMODE(before.st_mode))


def _flush_to_disk(path: Path) -> None:
    """Have the bytes on the disk before the file gets its name, in case the power goes."""
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    """Have the new name on the disk too, where folders can be flushed (not on Windows)."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
