"""The minimax game of Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661, equation 1."""

from __future__ import annotations

from dataclasses import dataclass

import mxnet as mx
from mxnet.ndarray import NDArray

from trainer.objectives import Objective


def softplus(logits: NDArray) -> NDArray:
    """log(1 + exp(x)), which is -log(1 - sigmoid(x)): finite for every x, so no epsilon is due."""
    return mx.nd.Activation(logits, act_type="softrelu")


@dataclass(frozen=True)
class Minimax(Objective):
    """D minimises -log D(x) - log(1 - D(G(z))), G minimises log(1 - D(G(z))), from logits."""

    name = "minimax"
    zero_loss_is_failure = True

    def discriminator_loss(self, real_scores: NDArray, generated_scores: NDArray) -> NDArray:
        return softplus(-real_scores).mean() + softplus(generated_scores).mean()

    def generator_loss(self, generated_scores: NDArray) -> NDArray:
        return -softplus(generated_scores).mean()


OBJECTIVE = Minimax
