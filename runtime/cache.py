"""The command that says what is in the user's cache, and clears it: edgegan cache."""

from __future__ import annotations

import shutil
import time
from contextlib import suppress
from pathlib import Path

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.detector import CASCADE_NAME
from edgegan.runtime.errors import run_command
from edgegan.runtime.files import cache_directory, classifiers_folder
from edgegan.runtime.options import whole_number
from edgegan.runtime.packed import (
    PackedSet,
    packed_folder,
    packed_sets,
    remove_unfinished,
    unfinished,
)
from edgegan.runtime.page import onnxruntime_web
from edgegan.runtime.tables import aligned

EXAMPLES = """\
examples:
  edgegan cache
  edgegan cache --clear       # all but the cascade
  edgegan cache --clear 30    # those that were not used for 30 days
"""
DAY = 24 * 60 * 60


def main(argv: list[str] | None = None) -> int:
    """Say what is in the cache, or clear it; returns 0.

    Raises:
        UserError: bad options.
    """
    options = _parser().parse_args(argv)
    print(f"cache: {cache_directory()}")
    print("\n".join(contents() if options.clear is None else clear(options.clear)))
    return 0


def contents() -> list[str]:
    """A line for each thing in the cache: what it is, from where, its size and last use."""
    rows = [
        (found.what, found.source, megabytes(found.size), _date(found.last_used))
        for found in packed_sets()
    ]
    left = []
    for path in unfinished(packed_folder()):
        with suppress(FileNotFoundError):  # it has got its name, or is gone
            left.append(path.stat())
    if left:
        what = "being packed, or left by a packing that was killed"
        size = megabytes(sum(status.st_size for status in left))
        rows.append((what, "-", size, _date(max(status.st_mtime for status in left))))
    for path in _classifiers():
        with suppress(FileNotFoundError):
            status = path.stat()
            what = "a classifier of words, trained by edgegan evaluate"
            rows.append((what, "-", megabytes(status.st_size), _date(status.st_mtime)))
    for folder in onnxruntime_web.cached():
        with suppress(FileNotFoundError):
            total = sum(path.stat().st_size for path in folder.iterdir())
            rows.append((folder.name, "fetched", megabytes(total), _date(folder.stat().st_mtime)))
    cascade = cache_directory() / CASCADE_NAME
    if cascade.exists():
        status = cascade.stat()
        rows.append((CASCADE_NAME, "fetched", megabytes(status.st_size), _date(status.st_mtime)))
    if not rows:
        return ["it is empty"]
    titles = ("what", "from", "size", "last used")
    return aligned([titles, *rows], left=(0, 1)).splitlines()


def clear(days: int) -> list[str]:
    """Remove what was not used for so many days, in a line for each packed set or other thing.

    What is in use stays, and so does the cascade, which may not be had again.
    """
    old = [found for found in packed_sets() if time.time() - found.last_used >= days * DAY]
    lines = [_remove(found) for found in old]
    if unfinished(packed_folder()):
        done = remove_unfinished()
        lines.append("removed what killed packings left" if done else "a packing is going on: kept")
    trained = [path for path in _classifiers() if time.time() - path.stat().st_mtime >= days * DAY]
    for path in trained:
        path.unlink(missing_ok=True)
    if trained:
        lines.append(f"removed: classifiers of words, {len(trained)}")
    for folder in onnxruntime_web.cached():
        if time.time() - folder.stat().st_mtime >= days * DAY:
            shutil.rmtree(folder, ignore_errors=True)
            lines.append(f"removed: {folder.name}")
    return lines or ["nothing to clear"]


def _classifiers() -> list[Path]:
    """Those that are whole; what is being written has a hidden name."""
    return sorted(classifiers_folder().glob("[!.]*.npz"))


def megabytes(size: int) -> str:
    """A size in bytes, to be read."""
    return f"{size / 1e6:.1f} MB"


def _remove(found: PackedSet) -> str:
    done = "removed" if found.remove() else "in use, kept"
    return f"{done}: {found.what}, from {found.source}, {megabytes(found.size)}"


def _date(seconds: float) -> str:
    return time.strftime("%Y-%m-%d", time.localtime(seconds))


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan cache",
        description="Say what is in the user's cache: packed pictures, which training reads, "
        "classifiers of words, what edgegan page puts into its page, and the cascade that finds "
        "faces. EDGEGAN_CACHE moves it.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--clear",
        nargs="?",
        const=0,
        type=whole_number("--clear", 0),
        metavar="DAYS",
        help="remove the packed pictures, the classifiers and what edgegan page fetched that were "
        "not used for so many days (all of them); they are made again when they are needed",
    )
    return parser


if __name__ == "__main__":
    run_command(main)
