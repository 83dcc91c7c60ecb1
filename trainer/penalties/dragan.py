"""The penalty of DRAGAN, Kodali et al. 2017, https://arxiv.org/abs/1705.07215."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from edgegan.trainer.framework import NDArray, mx
from edgegan.trainer.penalties import Penalty, norms
from edgegan.trainer.turn import Turn

REACH = 0.5  # of the deviation of all real pictures' pixels


@dataclass(frozen=True)
class Dragan(Penalty):
    """mean (|grad D(x + d)| - 1)^2 around real pictures x.

    As in the authors' code, https://github.com/kodalinaveen3/DRAGAN, d is uniform noise of up to
    half the pixels' deviation, times a number that is drawn uniformly for each picture.
    """

    def value(self, turn: Turn) -> NDArray:
        noise = turn.draws.random(turn.real.shape, dtype=np.float32)
        share = turn.draws.random((len(turn.real), 1, 1, 1), dtype=np.float32)
        deviation = (turn.real - turn.real.mean()).square().mean().sqrt()
        perturbation = REACH * deviation * mx.nd.array(share * noise, ctx=turn.real.context)
        return (norms(turn.gradient(turn.real + perturbation)) - 1).square().mean()
