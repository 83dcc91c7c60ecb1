"""The gradient penalty of WGAN-GP, Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028."""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.framework import NDArray, mx
from edgegan.trainer.penalties import Penalty, norms
from edgegan.trainer.turn import Turn


@dataclass(frozen=True)
class Gradient(Penalty):
    """mean (|grad D(y)| - 1)^2, equation 3.

    Every y lies between a real and a generated picture, at a place drawn uniformly.
    """

    def value(self, turn: Turn) -> NDArray:
        share = mx.nd.array(turn.draws.random((len(turn.real), 1, 1, 1)), ctx=turn.real.context)
        return (norms(turn.gradient_between(share)) - 1).square().mean()
