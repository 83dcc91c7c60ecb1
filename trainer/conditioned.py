"""The updates of a GAN whose pictures have words.

Words of generated pictures are drawn as the pictures that are trained on have them together, or
each group's by themselves (``trainer.inputs``).
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Optional

import numpy as np

from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.latent import Stream, philox
from edgegan.runtime.words import Words
from edgegan.trainer.batches import Batches, Labelled, LabelledBatches
from edgegan.trainer.checkpoint import network_arrays
from edgegan.trainer.conditioned_networks import ConditionedDiscriminator
from edgegan.trainer.framework import NDArray, mx
from edgegan.trainer.loop import Drawn, Training
from edgegan.trainer.turn import Turn, mixture, parted

if TYPE_CHECKING:
    from edgegan.trainer.conditions import Condition
    from edgegan.trainer.recipe import Recipe


@dataclass(frozen=True, eq=False)
class Conditions:
    """The words of one update's pictures, each float32 (N, W).

    Attributes:
        real, generated: of the pictures of that name.
        wrong: others than the real pictures have; none where they are not shown with such.
    """

    real: NDArray
    generated: NDArray
    wrong: Optional[NDArray] = None  # noqa: UP045 (as elsewhere)


@dataclass(frozen=True, eq=False)
class ConditionedTurn(Turn):
    """One update of networks that take words.

    Attributes:
        conditions: the words of its pictures.
    """

    discriminator: ConditionedDiscriminator
    conditions: Conditions

    @cached_property
    def real_scores(self) -> NDArray:
        return self._real[0]

    @cached_property
    def generated_scores(self) -> NDArray:
        """Those of the generated pictures, and of real ones with wrong words where there are any.

        So each are half of a mean (Reed et al. 2016, algorithm 1, https://arxiv.org/abs/1605.05396).
        """
        if self.conditions.wrong is None:
            return self._generated[0]
        wrong, *_ = self._judge(self._real_maps, self.conditions.wrong)
        return mx.nd.concat(self._generated[0], wrong, dim=0)

    @property
    def negative_scores(self) -> NDArray:
        """Those of the negatives, with the words of the pictures that were spoiled."""
        assert self.negatives is not None
        words = self.conditions.real[: len(self.negatives)]
        return self._judge(self.discriminator.core(self.negatives), words)[0]

    @property
    def real_agreement(self) -> NDArray:
        """How likely the words of the real pictures are, where the discriminator reads them.

        The logarithm of the likelihood, float32 (N,).
        """
        return self._real[1]

    @property
    def generated_agreement(self) -> NDArray:
        """The same of the generated pictures."""
        return self._generated[1]

    @property
    def generated_twin_agreement(self) -> NDArray:
        """The same of these by the twin, which reads no others, where there is one."""
        return self._generated[2]

    def gradient(self, pictures: NDArray) -> NDArray:
        return self._gradient(pictures, self.conditions.real)

    def gradient_between(self, share: NDArray) -> NDArray:
        """As of every turn, with words that lie between in the same way."""
        words = self.conditions
        between = mixture(words.real, words.generated, share.reshape((-1, 1)))
        return self._gradient(mixture(self.real, self.generated, share), between)

    @cached_property
    def _real(self) -> list[NDArray]:
        if self.mixed:
            return self._mixed[0]
        return self._judge(self._real_maps, self.conditions.real)

    @cached_property
    def _generated(self) -> list[NDArray]:
        if self.mixed:
            return self._mixed[1]
        return self._judge(self.discriminator.core(self.generated), self.conditions.generated)

    @cached_property
    def _mixed(self) -> list[list[NDArray]]:
        """What is said of the real and of the generated pictures, shown in one batch."""
        words = mx.nd.concat(self.conditions.real, self.conditions.generated, dim=0)
        judged = [parted(each, self.real) for each in self._judge(self._mixed_maps, words)]
        return [list(each) for each in zip(*judged)]

    @cached_property
    def _real_maps(self) -> NDArray:
        if self.mixed:
            return parted(self._mixed_maps, self.real)[0]
        return self.discriminator.core(self.real)

    @cached_property
    def _mixed_maps(self) -> NDArray:
        return self.discriminator.core(mx.nd.concat(self.real, self.generated, dim=0))

    def _judge(self, maps: NDArray, condition: NDArray) -> list[NDArray]:
        """All that the discriminator says of pictures with words, the scores first."""
        judgement = self.discriminator.head(maps, condition)
        return [judgement] if isinstance(judgement, NDArray) else list(judgement)


class ConditionedTraining(Training):
    """The training of a GAN whose pictures have words.

    Its batches are ``Labelled``, and the recipe has a condition.
    """

    recipe: Recipe
    words: Words
    discriminator: ConditionedDiscriminator

    @property
    def _condition(self) -> Condition:
        assert self.recipe.condition
        return self.recipe.condition

    def inputs(self, seed: int, count: int, first: int, stream: Stream) -> list[np.ndarray]:
        """As every training's; of pictures that are compared, both have the same words."""
        latents, conditions = super().inputs(seed, count, first, stream)
        if stream == self._compared:
            conditions[count // 2 :] = conditions[: count // 2]
        return [latents, conditions]

    @cached_property
    def _compared(self) -> Stream | None:
        """The stream of latents whose pictures are compared in pairs, which have the same words."""
        if not self.recipe.mode_seeking:
            return None
        reused = self.recipe.generated_batches == "reused"
        return Stream.DISCRIMINATOR_LATENT if reused else Stream.GENERATOR_LATENT

    def start_from(self, arrays: dict[str, np.ndarray], before: Recipe | None = None) -> None:
        """As every training does, also with networks that take no words.

        What they lack for words stays untrained.
        """
        if before and not before.condition:
            arrays = {**arrays, **self._widened_networks(arrays)}
        super().start_from(arrays, before)

    def _widened_networks(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """The arrays of networks without words, in the shapes of these where only words lack."""
        parts = {
            "generator": self.generator,
            "ema": self.average,
            "discriminator": self.discriminator,
        }
        widened = {}
        for part, network in parts.items():
            for name, own in network_arrays(network).items():
                key = f"{part}/{name}"
                if key in arrays:
                    widened[key] = _widened(own, arrays[key], self.words.size)
                elif part == "discriminator":  # what reads words, or mixes them in
                    widened[key] = own
        return widened

    def _discriminator_turn(self, batch: Labelled, drawn: Drawn) -> ConditionedTurn:
        turn = super()._discriminator_turn(batch.images, drawn)
        shown = [batch.conditions]
        if self._condition.shows_wrong_pairs:
            draws = philox(self.seed, Stream.WRONG_CONDITION, self.discriminator_optimizer.updates)
            others = self.words.draw_others(self.words.choices_of(batch.conditions), draws)
            shown.append(self.words.one_hot(others))
        real, *wrong = self._on_device(shown)
        # Detached: the generator's own graph, which may have been recorded, needs them later.
        return _conditioned(turn, Conditions(real, drawn.inputs[1].detach(), *wrong))

    def _generator_turn(self, drawn: Drawn, last: Turn) -> ConditionedTurn:
        assert isinstance(last, ConditionedTurn)
        turn = super()._generator_turn(drawn, last)
        return _conditioned(turn, Conditions(last.conditions.real, drawn.inputs[1].detach()))

    def _further_discriminator_losses(self, turn: Turn) -> list[NDArray]:
        assert isinstance(turn, ConditionedTurn)
        further = super()._further_discriminator_losses(turn)
        return [*further, *self._condition.discriminator_loss(turn)]

    def _further_generator_losses(self, turn: Turn, drawn: Drawn) -> list[NDArray]:
        assert isinstance(turn, ConditionedTurn)
        further = super()._further_generator_losses(turn, drawn)
        return [*further, *self._condition.generator_loss(turn)]


def _conditioned(turn: Turn, conditions: Conditions) -> ConditionedTurn:
    """The turn with the words of its pictures."""
    given = {item.name: getattr(turn, item.name) for item in fields(turn) if item.init}
    return ConditionedTurn(**given, conditions=conditions)


def _widened(own: np.ndarray, before: np.ndarray, words: int) -> np.ndarray:
    """An array with that of a network without words at its end, and its own where words come in.

    Where it is not one axis that lacks so many words, the array is of another network: as it is.
    """
    lacking = [most - few for most, few in zip(own.shape, before.shape)]
    if own.ndim != before.ndim or sorted(lacking) != [*[0] * (own.ndim - 1), words]:
        return before
    widened = own.copy()
    widened[tuple(slice(few, None) for few in lacking)] = before
    return widened


def training_of(recipe: Recipe, seed: int, device: mx.Context, batches: Batches) -> Training:
    """The training by a recipe on these pictures, at its start.

    Raises:
        UserError: they are to have words, and all have the same.
    """
    if isinstance(batches, LabelledBatches):
        if len(batches.words.combinations) < 2:
            same = batches.words.describe(batches.words.combinations[0].tolist())
            raise UserError(
                f"all {len(batches.indices)} pictures to train on are {quoted(same)}, expected "
                "pictures with other words too"
            )
        return ConditionedTraining(recipe, seed, device, len(batches.indices), batches.words)
    return Training(recipe, seed, device, len(batches.indices))
