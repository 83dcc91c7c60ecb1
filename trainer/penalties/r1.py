"""R1, Mescheder et al. 2018, section 4.1, https://arxiv.org/abs/1801.04406."""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.framework import NDArray
from edgegan.trainer.penalties import Penalty, squared_norms
from edgegan.trainer.turn import Turn


@dataclass(frozen=True)
class R1(Penalty):
    """mean |grad D(x)|^2 / 2 of real pictures x, equation 9.

    Attributes:
        weight: what the penalty is multiplied by, the paper's gamma.
    """

    def value(self, turn: Turn) -> NDArray:
        return squared_norms(turn.gradient(turn.real)).mean() / 2
