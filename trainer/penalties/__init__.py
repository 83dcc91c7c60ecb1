"""Penalties of the discriminator's slope, one file each, for any objective that allows them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass

from edgegan.trainer import input_gradient
from edgegan.trainer.checks import check_at_least, check_positive
from edgegan.trainer.framework import HybridBlock, NDArray
from edgegan.trainer.turn import Turn

TINY = 1e-12  # under the root, whose slope is infinite at 0


@dataclass(frozen=True)
class Penalty(ABC):
    """What is added to the discriminator's loss; a subclass is a frozen dataclass.

    Its fields are the parameters that a recipe can set.

    Attributes:
        weight: what the penalty is multiplied by.
        every: it is added at one of so many updates and counts so many times there, so that the
            weight means the same (lazy regularisation, Karras et al. 2020, section 3.1,
            https://arxiv.org/abs/1912.04958).
    """

    weight: float = 10.0
    every: int = 1

    def __post_init__(self) -> None:
        check_positive("penalty.weight", self.weight)
        check_at_least("penalty.every", self.every, 1)

    @property
    def name(self) -> str:
        """The penalty's name: that of its module."""
        return type(self).__module__.rpartition(".")[2]

    @abstractmethod
    def value(self, turn: Turn) -> NDArray:
        """What the discriminator is penalised for in its update, float32 (1,)."""

    def check(self, discriminator: HybridBlock) -> None:
        """Raise ValueError where the gradient at the picture is not known of that network."""
        try:
            input_gradient.check(discriminator)
        except ValueError as error:
            raise ValueError(
                f"penalty {self.name} does not fit the discriminator: {error}"
            ) from error


def squared_norms(gradient: NDArray) -> NDArray:
    """The squared length of each picture's gradient: (N, 3, S, S) -> (N,)."""
    return gradient.square().sum(axis=(1, 2, 3))


def norms(gradient: NDArray) -> NDArray:
    """The length of each picture's gradient: (N, 3, S, S) -> (N,)."""
    return (squared_norms(gradient) + TINY).sqrt()
