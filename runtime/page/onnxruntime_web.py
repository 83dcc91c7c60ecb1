"""onnxruntime-web, which runs models in a browser: fetched once by the npm client, then kept."""

from __future__ import annotations

import hashlib
import os
from contextlib import suppress
from pathlib import Path

from edgegan.runtime.errors import UserError, say
from edgegan.runtime.files import cache_directory, read_bytes, write_bytes
from edgegan.runtime.npm import files_of_package

NAME, VERSION = "onnxruntime-web", "1.30.0"
# The build that computes on the CPU alone, the smallest: its code, and its WebAssembly.
CODE, BINARY = "ort.wasm.bundle.min.mjs", "ort-wasm-simd-threaded.wasm"
SHA256 = {
    CODE: "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    BINARY: "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
}

FETCH_SECONDS = 600  # of 33 MB
MOST_BYTES = 50_000_000  # of a file of it


def onnxruntime_web() -> dict[str, bytes]:
    """Return the content of CODE and BINARY, from the cache or, where they are not in it, from npm.

    Raises:
        UserError: they are not in the cache and cannot be fetched, or are others than the known.
    """
    folder = _folder()
    with suppress(UserError):  # missing, or damaged
        contents = {name: _known(name, read_bytes(folder / name)) for name in SHA256}
        with suppress(OSError):
            os.utime(folder)  # when it was last used
        return contents
    say(f"fetching {NAME} {VERSION} by npm (33 MB, once)")
    contents = _fetch()
    try:
        for name, content in contents.items():
            write_bytes(folder / name, content)
    except UserError as error:
        say(f"warning: {error}; {NAME} is fetched each time")
    return contents


def cached() -> list[Path]:
    """The folders in the cache that hold a version of it; the time of each is its last use."""
    return sorted(path for path in cache_directory().glob(f"{NAME}-*") if path.is_dir())


def _folder() -> Path:
    return cache_directory() / f"{NAME}-{VERSION}"


def _fetch() -> dict[str, bytes]:
    package = f"{NAME}@{VERSION}"
    members = [f"dist/{name}" for name in SHA256]
    try:
        contents = files_of_package(package, members, FETCH_SECONDS, MOST_BYTES)
    except Exception as error:  # whatever is wrong with npm, the network or what it brought
        raise UserError(
            f"{NAME} {VERSION}, which the page is made with, is not in the cache and could not be "
            f"fetched ({error}): expected npm, and a network the first time"
        ) from error
    return {name: _known(name, content) for name, content in zip(SHA256, contents)}


def _known(name: str, content: bytes) -> bytes:
    """Return the content of a file of it; raises UserError where it is another than the known."""
    found = hashlib.sha256(content).hexdigest()
    if found != SHA256[name]:
        raise UserError(
            f"{name} of {NAME} {VERSION} is not the known file: its SHA-256 is {found}, expected "
            f"{SHA256[name]}"
        )
    return content
