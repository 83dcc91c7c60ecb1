"""The projection discriminator, Miyato and Koyama 2018, https://arxiv.org/abs/1802.05637.

Equation 5: the score is psi(phi(x)) + y^T V phi(x), with several groups of words the sum of the
last term over them. There phi(x) is the sum over all pixels of the trunk's maps; psi is whatever
makes a score of the maps, which sums them too in `resnet` and in no other network. As the embedding
of words has a bias here, the last term also has a part that is the same for all words.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from edgegan.trainer import layers
from edgegan.trainer.conditioned_networks import Follow, Head
from edgegan.trainer.conditions import MatchingCondition
from edgegan.trainer.framework import NDArray, nn
from edgegan.trainer.networks import Maps, TrunkDiscriminator

if TYPE_CHECKING:
    from edgegan.trainer.input_gradient import Transposed


@dataclass(frozen=True)
class Projection(MatchingCondition):
    """Words as a direction among the trunk's features."""

    def head(
        self, architecture: TrunkDiscriminator, image_size: int, groups: Sequence[int]
    ) -> Head:
        return _Head(architecture, architecture.maps(image_size), sum(groups))


class _Head(Head):
    def __init__(self, architecture: TrunkDiscriminator, maps: Maps, words: int) -> None:
        super().__init__(prefix="")
        self._scores_patches = architecture.scores_patches
        self.score = nn.HybridSequential(prefix="")
        self.score.add(*architecture.score(maps))
        self.embedding = layers.dense(
            words, maps.channels, norm=architecture.norm_of_weights, name="words"
        )

    def hybrid_forward(self, F: Any, maps: Any, condition: Any) -> Any:  # noqa: N803 (gluon's name)
        features = F.sum(maps, axis=(2, 3))
        products = self.embedding(condition) * features
        projection = F.sum(products, axis=1, keepdims=self._scores_patches)
        return F.broadcast_add(self.score(maps), projection)

    def transposed(
        self, follow: Follow, maps: NDArray, condition: NDArray
    ) -> tuple[Transposed, NDArray]:
        back, scores = follow(self.score, maps)

        def transposed(gradient: NDArray) -> NDArray:
            share = gradient.reshape((0, -1)).sum(axis=1, keepdims=True)  # of all patches
            direction = share * self.embedding(condition)
            return back(gradient) + direction.reshape((0, 0, 1, 1)).broadcast_to(maps.shape)

        return transposed, scores
