"""Networks that take words beside latents or pictures, by composition with those that do not."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from edgegan.trainer.framework import HybridBlock, NDArray, nn
from edgegan.trainer.layers import Composite
from edgegan.trainer.networks import DISCRIMINATOR_PREFIX, GENERATOR_PREFIX

if TYPE_CHECKING:
    from edgegan.trainer.input_gradient import Transposed

Follow = Callable[[HybridBlock, NDArray], "tuple[Transposed, NDArray]"]


class ConditionedGenerator(Composite):
    """A generator that takes words: latents (N, L) and conditions (N, W) -> images (N, 3, S, S).

    Conditions come before the latent in what the network takes: a network's first layer without
    words is the end of that of one with them.

    Args:
        core: a generator of latents of size W + L.
    """

    def __init__(self, core: HybridBlock) -> None:
        super().__init__(prefix=GENERATOR_PREFIX)
        self.core = core

    def hybrid_forward(self, F: Any, latent: Any, condition: Any) -> Any:  # noqa: N803 (gluon's)
        return self.core(F.concat(condition, latent, dim=1))


class Head(Composite):
    """What makes scores of a trunk's maps and of conditions."""

    @abstractmethod
    def hybrid_forward(self, F: Any, maps: Any, condition: Any) -> Any:  # noqa: N803 (gluon's name)
        """Maps (N, C, H, W) and conditions (N, W) -> scores, as the architecture gives them."""

    @abstractmethod
    def transposed(
        self, follow: Follow, maps: NDArray, condition: NDArray
    ) -> tuple[Transposed, NDArray]:
        """The head transposed, from the gradient at its scores to that at the maps, and its scores.

        Args:
            follow: gives the same of a block within the head, and what it takes.
        """


class ConditionedDiscriminator(Composite):
    """A discriminator that takes words: images (N, 3, S, S) and conditions (N, W) -> scores."""

    head: Head

    def __init__(self) -> None:
        super().__init__(prefix=DISCRIMINATOR_PREFIX)
        with self.name_scope():
            self.core = nn.HybridSequential(prefix="")  # the trunk

    def hybrid_forward(self, F: Any, image: Any, condition: Any) -> Any:  # noqa: N803 (gluon's)
        return self.head(self.core(image), condition)
