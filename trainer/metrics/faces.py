"""The faces of a generator's grids: the one measure that is of pictures and not of features.

The graders' cascade finds them. It saturates: it tells faces from noise and little more.
"""

from __future__ import annotations

import statistics
from collections.abc import Sequence

from edgegan.runtime.detector import PASS_ABOVE
from edgegan.trainer.metrics import HIGHER, Column

COLUMNS = (
    Column("mean", "faces of 25", HIGHER, ".2f", headline=True),
    Column("minimum", "fewest faces", HIGHER, ".0f"),
    Column("share_that_passes", "grids that pass", HIGHER, ".0%"),
)


def summarise(faces: Sequence[int]) -> dict[str, float]:
    """What ``COLUMNS`` names, and the number of grids; empty where no grid's faces were counted."""
    if not faces:
        return {}
    return {
        "mean": statistics.fmean(faces),
        "minimum": min(faces),
        "share_that_passes": statistics.fmean(count > PASS_ABOVE for count in faces),
        "grids": len(faces),
    }
