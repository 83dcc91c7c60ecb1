"""Which pictures train, which choose among checkpoints and which only measure.

The parts are made of groups of near-duplicates: were a picture to train and its mirror image to
measure, a generator that had learned it by heart would measure well. A group's rank comes from the
least SHA-256 of its encoded files, so neither picture size and crop nor folder, zip and order
matter; the parts of smaller shares are within those of larger ones; and what is added to a set
moves no picture but those of a group that it joins.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from edgegan.runtime.errors import UserError

if TYPE_CHECKING:
    from edgegan.trainer.data import PackedPictures  # which needs the recipes, and they this

SPLIT_VERSION = 2  # kept in checkpoints; those from before there was one have none
HELD_OUT = 0.1  # of all pictures, kept from training to measure generators against
VALIDATION = 0.05  # of all pictures, kept from training to choose checkpoints by


@dataclass(frozen=True)
class Parts:
    """Indices of packed pictures, each int64 (N,), ascending; together each picture's once."""

    training: np.ndarray
    validation: np.ndarray
    held_out: np.ndarray


def split(pictures: PackedPictures, held_out: float, validation: float) -> Parts:
    """The parts of a packed set, of about these shares (0 up to but not including 1 together).

    Held out are the groups whose rank, in [0, 1), is below ``held_out``; those at or above
    1 - ``validation`` validate; the others train.

    Raises:
        UserError: no picture would be left to train on, or the packed pictures are damaged.
    """
    ranks = group_ranks(pictures.hashes(), pictures.groups())
    measures, validates = ranks < held_out, ranks >= 1 - validation
    parts = [np.flatnonzero(chosen) for chosen in (~measures & ~validates, validates, measures)]
    if not len(parts[0]):
        raise UserError(
            f"held_out is {held_out} and validation {validation}, which leaves none of "
            f"{pictures.count} pictures to train on: expected smaller shares, or more pictures"
        )
    return Parts(*(part.astype(np.int64) for part in parts))


def group_ranks(hashes: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """The rank of each picture's group.

    Args:
        hashes: SHA-256 of the encoded files, uint8 (N, 32).
        groups: the number of each picture's group, int64 (N,), below N.

    Returns:
        float64 (N,) in [0, 1): the 53 leading bits of the SHA-256 of the least hash of the group.
        The least hash itself is small where a group is large: all of those would be held out.
    """
    words = np.ascontiguousarray(hashes).view(">u8").T
    order = np.lexsort((*words[::-1], groups))
    _, first, number = np.unique(groups[order], return_index=True, return_inverse=True)
    digests = [hashlib.sha256(hashes[index].tobytes()).digest() for index in order[first]]
    leading = np.array([int.from_bytes(digest[:8], "big") >> 11 for digest in digests], np.uint64)
    ranks = np.empty(len(groups))
    ranks[order] = leading[number.reshape(-1)] / 2.0**53
    return ranks


def is_of_old_split(facts: dict[str, Any]) -> bool:
    """Whether a run with these facts, or one that it started from, was split in another way.

    Some of what is held out now may have trained it.
    """
    versions = [stage.get("split") for stage in (facts, *facts.get("stages", []))]
    return versions != [SPLIT_VERSION] * len(versions)
