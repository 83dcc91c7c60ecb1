"""What a run's folder holds, and what its checkpoints say, read without what trained them."""

from __future__ import annotations

import errno
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from edgegan.runtime.checkpoint_facts import CheckpointFacts
from edgegan.runtime.errors import UserError

RECIPE = "recipe.yaml"  # as it was resolved
LAST = "last.npz"  # the checkpoint that the run goes on from
BEST = "best.npz"  # the one to use: docs/training.md says which that is
JUDGE = "judge.npz"  # whose discriminator was trained on its own in the end
EVALUATION = "evaluation.json"  # what edgegan evaluate measured
WORDS = "words.png"  # the table of pictures that belongs to it, of a conditional generator
SKIPPED = "skipped.txt"  # the pictures that were left out, and why
GRIDS = "grids"  # a folder of pictures, each named after its step
EVENTS = "events"  # what the names of TensorBoard's event files begin with

# In the events:
SCALARS_EVERY = 10  # steps
FACES = "faces"  # the tag of the count of faces
DISTANCE = "distance"  # the tag of the kernel distance from the validation part
FILTERS = "filters/"  # what the tags of filter banks begin with

FORMAT_VERSION = 1
HEADER = "header"  # among a checkpoint's arrays: text, JSON


@dataclass(frozen=True)
class Header:
    """What a checkpoint says beside its arrays.

    Attributes:
        recipe: as plain YAML values, not checked.
        facts: the run's counts: step, seed, pictures and score, each of its kind.
    """

    recipe: dict[str, Any]
    facts: CheckpointFacts


@contextmanager
def open_checkpoint(path: Path) -> Iterator[tuple[Header, Mapping[str, np.ndarray]]]:
    """Give a checkpoint's header, and its arrays by name, each read when it is asked for.

    Raises:
        UserError: no such file, one that cannot be read, a truncated one (then also where an array
            is asked for), one that is no checkpoint of ours, or of another version.
    """
    if not path.is_file():
        raise UserError(f"no such checkpoint: {path}")
    try:
        with np.load(path, allow_pickle=False) as archive:
            _check_size(archive, path)
            header = json.loads(str(archive[HEADER]))
            version = header["format_version"]
            if version != FORMAT_VERSION:
                raise UserError(f"{path} has format version {version}, expected {FORMAT_VERSION}")
            recipe, facts = header["recipe"], header["facts"]
            if not (isinstance(recipe, dict) and isinstance(facts, dict)):
                raise TypeError("expected keys and values")
            yield Header(recipe, CheckpointFacts(facts, path)), archive
    except UserError:
        raise
    except MemoryError as error:
        raise UserError(f"{path} holds more than there is memory for: {error}") from error
    except Exception as error:  # zipfile, numpy and json raise many kinds on what is damaged
        # To seek to a place before the file's start, which a damaged one can ask for, is invalid.
        if isinstance(error, OSError) and error.errno != errno.EINVAL:
            raise UserError(f"cannot read {path}: {error.strerror or error}") from error
        raise UserError(f"{path} is truncated or no checkpoint of this trainer") from error


def _check_size(archive: Any, path: Path) -> None:
    """Raise UserError where members unpack to more than the file: ours are not compressed."""
    unpacked = sum(member.file_size for member in archive.zip.infolist())
    size = path.stat().st_size
    if unpacked > size:
        raise UserError(f"{path} unpacks to {unpacked:,} bytes, expected at most its own {size:,}")


def read_header(path: Path) -> Header:
    """Read a checkpoint's header alone; raises UserError as open_checkpoint does."""
    with open_checkpoint(path) as (header, _):
        return header


def is_run(folder: Path) -> bool:
    """Whether a run has left a checkpoint in the folder."""
    return any((folder / name).is_file() for name in (BEST, LAST))


def find_checkpoint(run: Path) -> Path:
    """A run's best checkpoint, its last where none is best, or the checkpoint given itself.

    Raises:
        UserError: there is none.
    """
    if run.is_file():
        return run
    for name in (BEST, LAST):
        if (run / name).is_file():
            return run / name
    if run.is_dir():
        found = "no checkpoint in"
    else:
        found = "no regular file:" if run.exists() else "no such file or folder:"
    raise UserError(f"{found} {run}, expected a run's folder, or a checkpoint in one")
