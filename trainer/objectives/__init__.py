"""Adversarial objectives, one file each: the two losses and what constrains the discriminator."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from edgegan.trainer.framework import HybridBlock, NDArray, Parameter

if TYPE_CHECKING:
    from edgegan.trainer.networks import DiscriminatorArchitecture


@dataclass(frozen=True)
class Turn:
    """One update of the discriminator, for objectives that need more of it than the scores.

    Attributes:
        discriminator: the network, its gradients being those of the loss.
        real, generated: the pictures it was shown, float32 (N, 3, S, S).
        draws: randomness of this update alone.
        memory: what the objective remembers from step to step.
    """

    discriminator: HybridBlock
    real: NDArray
    generated: NDArray
    draws: np.random.Generator
    memory: dict[str, float]


@dataclass(frozen=True)
class Objective(ABC):
    """What generator and discriminator minimise; a subclass is a frozen dataclass.

    Its fields are the parameters that a recipe can set. Scores are float32 (N,), or (N, P) of a
    discriminator that judges P patches, straight from the discriminator, without a sigmoid; losses
    are float32 (1,).
    """

    name: ClassVar[str]
    zero_loss_is_failure: ClassVar[bool] = False
    """Whether a discriminator loss of 0 means that the generator learns nothing any more."""

    @property
    def higher_is_real(self) -> bool:
        """Whether the discriminator learns to score real pictures above generated ones."""
        return True

    @abstractmethod
    def discriminator_loss(
        self, real_scores: NDArray, generated_scores: NDArray, turn: Turn
    ) -> NDArray:
        """The discriminator's loss on a batch of real and a batch of generated pictures."""

    @abstractmethod
    def generator_loss(self, generated_scores: NDArray) -> NDArray:
        """The generator's loss on a batch of its pictures."""

    def add_penalty(self, turn: Turn) -> float | NDArray:
        """Add a penalty's gradients to those of the discriminator's loss; the penalty's value."""
        return 0.0

    def constrain(self, parameters: Iterable[Parameter]) -> None:  # noqa: B027 (most have none)
        """Bring the discriminator's trained parameters back into bounds, after each update."""

    def first_memory(self) -> dict[str, float]:
        """What is remembered from step to step, before the first: in checkpoints and events."""
        return {}

    def next_memory(
        self,
        memory: dict[str, float],
        real_score: float,
        generated_score: float,
    ) -> dict[str, float]:
        """What is remembered after a step.

        Args:
            real_score: mean score of real pictures in its last update of the discriminator.
            generated_score: mean score of generated pictures in its update of the generator.
        """
        return memory

    def check(  # noqa: B027 (most take any)
        self, discriminator: DiscriminatorArchitecture, image_size: int
    ) -> None:
        """Raise ValueError where this objective cannot train that architecture."""


def names() -> list[str]:
    """Names of all objectives: the modules of this package."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> type[Objective]:
    """The class of the objective called ``name``, one of ``names``."""
    module = importlib.import_module(f"{__name__}.{name}")
    objective: type[Objective] = module.OBJECTIVE
    return objective
