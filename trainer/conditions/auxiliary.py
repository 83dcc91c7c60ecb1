"""The auxiliary classifier of ACGAN, Odena et al. 2017, https://arxiv.org/abs/1610.09585.

The discriminator also reads the words off a picture, and both networks gain where it reads those
that the picture has. A score with words is then how real the picture looks and how likely the
words are.

That alone draws what is most typical of its words, as real pictures are not. The twin of Gong et
al. 2019, https://arxiv.org/abs/1907.02690, reads generated pictures and learns from these alone.
The generator loses where the twin reads better than the other reads real ones, so that its pictures
are as easy to read as real pictures, and not more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from edgegan.runtime.choices import check_choice
from edgegan.trainer import layers
from edgegan.trainer.checks import check_fraction, check_not_negative, check_positive
from edgegan.trainer.conditioned_networks import Follow, Head
from edgegan.trainer.conditions import DRAWS, TOGETHER, Condition
from edgegan.trainer.framework import NDArray, nn
from edgegan.trainer.networks import Maps, TrunkDiscriminator

if TYPE_CHECKING:
    from edgegan.trainer.conditioned import ConditionedTurn
    from edgegan.trainer.input_gradient import Transposed

LOSSES = ("softmax", "binary")


@dataclass(frozen=True)
class Auxiliary(Condition):
    """The discriminator reads a picture's words.

    Attributes:
        weight: of this loss beside the objective's, in both networks' updates.
        loss: softmax, the cross-entropy of one word a group (equation 3 of the paper), or binary,
            that of each word by itself (a tag loss, C in docs/recipes.md).
        learns_from_generated: whether the discriminator learns to read from generated pictures
            too, as in the paper: then both networks may agree on what nobody else would read.
        tolerance: a generated picture whose loss is below it adds nothing to the generator's, so
            that it need not be what is most typical of its words.
        twin: the weight of the twin's loss, beside that of the classifier, in what the generator
            gains by: 0 for none, 1 as Gong et al. have it.
        twin_threshold: how likely, from 0 to 1, the classifier has to find a generated picture's
            words, those of all groups together, for the twin to have a say in it: so what is not
            yet what its words say only learns that. 0, as Gong et al. have it, for any.
        generated_words: how the words of generated pictures are drawn: together, as pictures have
            them; apart, each group's by themselves, so that combinations which few pictures have,
            or none, are learned as well; or evenly, apart and all as frequent. Each group is read
            by itself, so the discriminator can tell of these combinations too.
    """

    weight: float = 1.0
    loss: str = "softmax"
    learns_from_generated: bool = True
    tolerance: float = 0.0
    twin: float = 0.0
    twin_threshold: float = 0.0
    generated_words: str = TOGETHER

    def __post_init__(self) -> None:
        check_positive("condition.weight", self.weight)
        check_choice("condition.loss", self.loss, LOSSES)
        check_not_negative("condition.tolerance", self.tolerance)
        check_not_negative("condition.twin", self.twin)
        check_fraction("condition.twin_threshold", self.twin_threshold)
        check_choice("condition.generated_words", self.generated_words, DRAWS)

    @property
    def draws_words(self) -> str:
        return self.generated_words

    def head(
        self, architecture: TrunkDiscriminator, image_size: int, groups: Sequence[int]
    ) -> Head:
        return _Head(
            architecture, architecture.maps(image_size), groups, self.loss, twin=self.twin > 0
        )

    def discriminator_loss(self, turn: ConditionedTurn) -> list[NDArray]:
        loss = -turn.real_agreement.mean()
        turn.figures["real_words_loss"] = loss
        if self.learns_from_generated:
            loss = loss - turn.generated_agreement.mean()
        if self.twin:
            twin = -turn.generated_twin_agreement.mean()
            turn.figures["twin_words_loss"] = twin
            loss = loss + twin
        return [self.weight * loss]

    def generator_loss(self, turn: ConditionedTurn) -> list[NDArray]:
        loss = -turn.generated_agreement
        turn.figures["generated_words_loss"] = loss.mean()
        loss = (loss - self.tolerance).relu().mean()
        if self.twin:
            likely = turn.generated_agreement.detach().exp() >= self.twin_threshold
            loss = loss + self.twin * (likely * turn.generated_twin_agreement).mean()
        return [self.weight * loss]


class _Head(Head):
    """Gives the log-likelihood of the words, summed over the groups, (N,), beside the scores.

    Then that of the twin, where there is one.
    """

    def __init__(
        self,
        architecture: TrunkDiscriminator,
        maps: Maps,
        groups: Sequence[int],
        loss: str,
        twin: bool,
    ) -> None:
        super().__init__(prefix="")
        self._ends, self._loss = list(accumulate(groups)), loss
        self.score = nn.HybridSequential(prefix="")
        self.score.add(*architecture.score(maps))
        self.logits = self._classifier(architecture, maps, "words")
        self.twin_logits = self._classifier(architecture, maps, "twin") if twin else None

    def _classifier(
        self, architecture: TrunkDiscriminator, maps: Maps, name: str
    ) -> nn.HybridSequential:
        classifier = nn.HybridSequential(prefix="")
        norm = architecture.norm_of_weights
        classifier.add(
            nn.Flatten(prefix=f"{name}_flatten_"),
            layers.dense(maps.size, self._ends[-1], norm=norm, name=name),
        )
        return classifier

    def hybrid_forward(self, F: Any, maps: Any, condition: Any) -> Any:  # noqa: N803 (gluon's name)
        classifiers = filter(None, (self.logits, self.twin_logits))
        likelihoods = (self._log_likelihood(F, each(maps), condition) for each in classifiers)
        return (self.score(maps), *likelihoods)

    def _log_likelihood(self, F: Any, logits: Any, condition: Any) -> Any:  # noqa: N803
        if self._loss == "binary":  # log sigmoid(l) of the words, log sigmoid(-l) of the others
            signed = (2 * condition - 1) * logits
            return -F.sum(F.Activation(-signed, act_type="softrelu"), axis=1)
        starts = [0, *self._ends[:-1]]
        groups = (F.slice_axis(logits, axis=1, begin=b, end=e) for b, e in zip(starts, self._ends))
        logarithms = F.concat(*(F.log_softmax(group, axis=1) for group in groups), dim=1)
        return F.sum(condition * logarithms, axis=1)

    def transposed(
        self, follow: Follow, maps: NDArray, condition: NDArray
    ) -> tuple[Transposed, NDArray]:
        return follow(self.score, maps)
