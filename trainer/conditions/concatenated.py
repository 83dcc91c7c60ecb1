"""Words as planes beside the discriminator's last maps.

As in a course report, A in docs/recipes.md, part IV, whose discriminator repeats the condition over
the maps before its last convolution. A score that is linear in both could not tell whether they
match: it is a sum of one number for the picture and one for the words. So a 1 x 1 convolution with
the trunk's kind of activation mixes them first, as in Reed et al. 2016, section 4.1,
https://arxiv.org/abs/1605.05396.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgegan.trainer import layers
from edgegan.trainer.conditioned_networks import Follow, Head
from edgegan.trainer.conditions import MatchingCondition
from edgegan.trainer.framework import NDArray, mx, nn
from edgegan.trainer.networks import Maps, TrunkDiscriminator

if TYPE_CHECKING:
    from edgegan.trainer.input_gradient import Transposed


@dataclass(frozen=True)
class Concatenated(MatchingCondition):
    """Words as planes before the last layers."""

    def head(
        self, architecture: TrunkDiscriminator, image_size: int, groups: Sequence[int]
    ) -> Head:
        return _Head(architecture, architecture.maps(image_size), sum(groups))


class _Head(Head):
    def __init__(self, architecture: TrunkDiscriminator, maps: Maps, words: int) -> None:
        super().__init__(prefix="")
        self._maps = maps
        norm = architecture.norm_of_weights
        self.score = nn.HybridSequential(prefix="")
        self.score.add(
            layers.convolution(maps.channels + words, maps.channels, 1, norm=norm, name="mix"),
            nn.LeakyReLU(layers.SLOPE, prefix="mix_leaky_relu_"),
            *architecture.score(maps),
        )

    def hybrid_forward(self, F: Any, maps: Any, condition: Any) -> Any:  # noqa: N803 (gluon's name)
        return self.score(self._together(F, maps, condition))

    def _together(self, F: Any, maps: Any, condition: Any) -> Any:  # noqa: N803
        """The maps, and after them a plane for each word."""
        planes = condition.reshape((0, 0, 1, 1))
        planes = F.broadcast_axis(planes, axis=(2, 3), size=(self._maps.side,) * 2)
        return F.concat(maps, planes, dim=1)

    def transposed(
        self, follow: Follow, maps: NDArray, condition: NDArray
    ) -> tuple[Transposed, NDArray]:
        back, scores = follow(self.score, self._together(mx.nd, maps, condition))
        return lambda gradient: back(gradient).slice_axis(1, 0, self._maps.channels), scores
