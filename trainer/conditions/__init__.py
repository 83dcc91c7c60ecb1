"""How a discriminator is told of a picture's words, one file each: by a recipe's ``condition``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edgegan.trainer.conditioned_networks import ConditionedDiscriminator, Head
from edgegan.trainer.framework import NDArray
from edgegan.trainer.networks import DiscriminatorArchitecture, TrunkDiscriminator

if TYPE_CHECKING:
    from edgegan.trainer.conditioned import ConditionedTurn

# As pictures have them together; each group's by themselves, as frequent as in pictures; the same,
# but all as frequent.
DRAWS = TOGETHER, APART, EVENLY = "together", "apart", "evenly"


@dataclass(frozen=True)
class Condition(ABC):
    """How words reach the discriminator; a subclass is a frozen dataclass.

    Its fields are the parameters that a recipe can set.
    """

    @property
    def shows_wrong_pairs(self) -> bool:
        """Whether real pictures with words that they do not have are shown as if generated."""
        return False

    @property
    def draws_words(self) -> str:
        """How the words of generated pictures that are to be judged are drawn: one of DRAWS."""
        return TOGETHER

    @property
    def name(self) -> str:
        """The condition's name: that of its module."""
        return type(self).__module__.rpartition(".")[2]

    def check(self, architecture: DiscriminatorArchitecture) -> None:
        """Raise ValueError where that architecture can be told of no words."""
        if not isinstance(architecture, TrunkDiscriminator):
            raise ValueError(
                f"condition is {self.name}, expected none beside discriminator.network "
                f"{architecture.network}, which takes no words"
            )

    def build(
        self, architecture: DiscriminatorArchitecture, image_size: int, groups: Sequence[int]
    ) -> ConditionedDiscriminator:
        """The architecture's network with words.

        Args:
            groups: how many words each group has.
        """
        assert isinstance(architecture, TrunkDiscriminator)  # by ``check``
        network = ConditionedDiscriminator()
        with network.name_scope():
            network.core.add(*architecture.trunk(image_size))
            network.head = self.head(architecture, image_size, groups)
        return network

    @abstractmethod
    def head(
        self, architecture: TrunkDiscriminator, image_size: int, groups: Sequence[int]
    ) -> Head:
        """What comes after the architecture's trunk."""

    def discriminator_loss(self, turn: ConditionedTurn) -> list[NDArray]:
        """What is added to the discriminator's loss, each float32 (1,)."""
        return []

    def generator_loss(self, turn: ConditionedTurn) -> list[NDArray]:
        """What is added to the generator's loss, each float32 (1,)."""
        return []


@dataclass(frozen=True)
class MatchingCondition(Condition):
    """A condition of which the score depends: pictures and words that do not match score low.

    Attributes:
        wrong_pairs: whether a real picture with words that it does not have counts as a generated
            one (matching-aware, Reed et al. 2016, section 4.2, https://arxiv.org/abs/1605.05396).
    """

    wrong_pairs: bool = False

    @property
    def shows_wrong_pairs(self) -> bool:
        return self.wrong_pairs
