"""The non-saturating generator loss of Goodfellow et al. 2014, section 3 (tip 2 of ganhacks).

The discriminator plays the minimax game; the generator's gradient does not vanish where the
discriminator is sure, https://arxiv.org/abs/1406.2661.
"""

from __future__ import annotations

from dataclasses import dataclass

from edgegan.trainer.framework import NDArray
from edgegan.trainer.objectives.minimax import Minimax, softplus
from edgegan.trainer.turn import Turn


@dataclass(frozen=True)
class NonSaturating(Minimax):
    """G minimises -log D(G(z)), from logits."""

    def generator_loss(self, turn: Turn) -> NDArray:
        return softplus(-turn.generated_scores).mean()
