"""What an objective or a penalty is told of one update."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Optional

import numpy as np

from edgegan.trainer.framework import HybridBlock, NDArray, autograd, mx
from edgegan.trainer.input_gradient import InputGradient


@dataclass(frozen=True, eq=False)
class Turn:
    """One update of the discriminator or of the generator.

    Attributes:
        discriminator: the network that scores.
        real, generated: the pictures of this update as the discriminator sees them, float32
            (N, 3, S, S); in the generator's, ``real`` are those of the discriminator's last one.
        mixed: whether batches are shown to the discriminator in one, or apart.
        draws: randomness of this update alone.
        memory: what the objective remembers from step to step.
        half_range: half of what white is above black in the pictures' range; 1 in [-1, 1].
        negatives: real pictures that are spoiled, as many as are shown or fewer than real ones, in
            an update of the discriminator that learns to tell them; else none.
        figures: what is reported of this update, each an NDArray of one number, by names whose last
            word says what is measured ("r1_penalty"); a loss may add its own.
    """

    discriminator: HybridBlock
    real: NDArray
    generated: NDArray
    mixed: bool
    draws: np.random.Generator
    memory: dict[str, float]
    half_range: float
    negatives: Optional[NDArray]  # noqa: UP045 (as elsewhere)
    figures: dict[str, NDArray] = field(default_factory=dict, init=False)
    _gradients: list[InputGradient] = field(default_factory=list, init=False)

    @cached_property
    def real_scores(self) -> NDArray:
        """The scores of the real pictures, float32 (N,), or (N, P) of their patches.

        In the generator's update of batches apart they cost a pass more, where they are asked for.
        """
        return self._mixed_scores[0] if self.mixed else self.discriminator(self.real)

    @cached_property
    def generated_scores(self) -> NDArray:
        """The scores of the generated pictures, of the same shape."""
        return self._mixed_scores[1] if self.mixed else self.discriminator(self.generated)

    @property
    def negative_scores(self) -> NDArray:
        """The scores of the negatives, where there are any."""
        assert self.negatives is not None
        return self.discriminator(self.negatives)

    @cached_property
    def _mixed_scores(self) -> tuple[NDArray, NDArray]:
        both = mx.nd.concat(self.real, self.generated, dim=0)
        return parted(self.discriminator(both), self.real)

    def gradient(self, pictures: NDArray) -> NDArray:
        """The gradient of scores at pictures near the real ones, of the shape of ``pictures``.

        It is that of pictures in [-1, 1], which the weights of penalties and the lengths that they
        ask for are published for: in [0, 1] the same slope is twice as large a number. Where
        patches are scored, a picture's score is their mean. It can be part of a loss.
        """
        return self._gradient(pictures)

    def gradient_between(self, share: NDArray) -> NDArray:
        """The same at pictures between the real and the generated ones.

        Args:
            share: of each real picture, float32 (N, 1, 1, 1).
        """
        return self._gradient(mixture(self.real, self.generated, share))

    def _gradient(self, *shown: NDArray) -> NDArray:
        with autograd.pause():
            gradient = InputGradient(self.discriminator, *shown)
        self._gradients.append(gradient)
        return self.half_range * gradient.gradient()

    def gather_gradients(self) -> None:
        """Add to the discriminator's gradients, after the backward pass, those of ``gradient``."""
        for gradient in self._gradients:
            gradient.gather()


def parted(both: NDArray, first: NDArray) -> tuple[NDArray, NDArray]:
    """What is of the first and what is of the second of two batches that were shown in one."""
    return both[: len(first)], both[len(first) :]


def mixture(real: NDArray, generated: NDArray, share: NDArray) -> NDArray:
    """So much of the real ones, the rest of the generated ones."""
    return share * real + (1 - share) * generated
