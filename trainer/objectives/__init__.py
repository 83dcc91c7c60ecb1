"""Adversarial objectives, one file each: the two losses and what constrains the discriminator."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

from edgegan.trainer.framework import NDArray, Parameter
from edgegan.trainer.turn import Turn

if TYPE_CHECKING:
    from edgegan.trainer.networks import DiscriminatorArchitecture


@dataclass(frozen=True)
class Objective(ABC):
    """What generator and discriminator minimise; a subclass is a frozen dataclass.

    Its fields are the parameters that a recipe can set. Scores are float32 (N,), or (N, P) of a
    discriminator that judges P patches, straight from the discriminator, without a sigmoid; losses
    are float32 (1,).
    """

    zero_loss_is_failure: ClassVar[bool] = False
    """Whether a discriminator loss of 0 means that the generator learns nothing any more."""

    @property
    def name(self) -> str:
        """The objective's name: that of its module."""
        return type(self).__module__.rpartition(".")[2]

    @property
    def higher_is_real(self) -> bool:
        """Whether the discriminator learns to score real pictures above generated ones."""
        return True

    @property
    def allows_penalty(self) -> bool:
        """Whether a penalty of ``trainer.penalties`` can be added to the discriminator's loss."""
        return True

    @property
    def allows_negatives(self) -> bool:
        """Whether ``generated_loss`` is known: where a score means something without others."""
        return False

    def generated_loss(self, scores: NDArray) -> NDArray:
        """What it costs the discriminator that pictures which are not real have such scores."""
        raise NotImplementedError

    @abstractmethod
    def discriminator_loss(self, turn: Turn) -> NDArray:
        """The discriminator's loss on a batch of real and a batch of generated pictures."""

    @abstractmethod
    def generator_loss(self, turn: Turn) -> NDArray:
        """The generator's loss on a batch of its pictures."""

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
