"""Adversarial objectives, one file each: the two losses and what constrains the discriminator."""

from __future__ import annotations

import importlib
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from mxnet.gluon import Parameter
from mxnet.ndarray import NDArray


@dataclass(frozen=True)
class Objective(ABC):
    """What generator and discriminator minimise; a subclass is a frozen dataclass.

    Its fields are the parameters that a recipe can set. Scores are float32 (N,), straight from
    the discriminator, without a sigmoid; losses are float32 (1,).
    """

    name: ClassVar[str]
    zero_loss_is_failure: ClassVar[bool] = False
    """Whether a discriminator loss of 0 means that the generator learns nothing any more."""

    @abstractmethod
    def discriminator_loss(self, real_scores: NDArray, generated_scores: NDArray) -> NDArray:
        """The discriminator's loss on a batch of real and a batch of generated pictures."""

    @abstractmethod
    def generator_loss(self, generated_scores: NDArray) -> NDArray:
        """The generator's loss on a batch of its pictures."""

    def constrain(self, parameters: Iterable[Parameter]) -> None:  # noqa: B027 (most have none)
        """Bring the discriminator's trained parameters back into bounds, after each step."""


def names() -> list[str]:
    """Names of all objectives: the modules of this package."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def find(name: str) -> type[Objective]:
    """The class of the objective called ``name``, one of ``names``."""
    module = importlib.import_module(f"{__name__}.{name}")
    objective: type[Objective] = module.OBJECTIVE
    return objective
