"""What a generator takes while it is trained: latents, and words where its pictures have some."""

from __future__ import annotations

import numpy as np

from edgegan.runtime.latent import Stream, draw_latents
from edgegan.runtime.words import Words
from edgegan.trainer.conditions import EVENLY, TOGETHER
from edgegan.trainer.recipe import AnyRecipe, Recipe

CONDITION_OF = {  # the stream of words beside that of latents
    Stream.LATENT: Stream.CONDITION,
    Stream.DISCRIMINATOR_LATENT: Stream.DISCRIMINATOR_CONDITION,
    Stream.GENERATOR_LATENT: Stream.GENERATOR_CONDITION,
    Stream.VALIDATION: Stream.VALIDATION_CONDITION,
    Stream.DISTILLATION: Stream.DISTILLATION_CONDITION,
}

JUDGED = {Stream.DISCRIMINATOR_LATENT, Stream.GENERATOR_LATENT}


class Latents:
    """The inputs of a generator that takes no words."""

    words: Words | None = None

    def __init__(self, recipe: AnyRecipe) -> None:
        self._size, self._distribution = recipe.input_size, recipe.latent.distribution

    def draw(self, seed: int, count: int, first: int, stream: Stream) -> list[np.ndarray]:
        """What it takes for pictures ``first`` to ``first + count - 1`` of a stream of latents.

        Returns:
            The latents, float32 (count, input size).

        Raises:
            UserError: the seed is not 0 to MAX_SEED.
        """
        latents = draw_latents(
            seed, count, self._size, self._distribution, first=first, stream=stream
        )
        return [latents]


class LatentsAndWords(Latents):
    """The inputs of one that takes words.

    These are drawn as pictures have them together, or, for a discriminator to judge, as the
    recipe's condition says.
    """

    words: Words

    def __init__(self, recipe: AnyRecipe, words: Words) -> None:
        super().__init__(recipe)
        self.words = words
        condition = recipe.condition if isinstance(recipe, Recipe) else None
        self._drawn = condition.draws_words if condition else TOGETHER

    def draw(self, seed: int, count: int, first: int, stream: Stream) -> list[np.ndarray]:
        """As without words, and conditions, float32 (count, W)."""
        words = CONDITION_OF[stream]
        if self._drawn == TOGETHER or stream not in JUDGED:
            choices = self.words.draw(seed, count, first=first, stream=words)
        else:
            choices = self.words.draw_apart(
                seed, count, evenly=self._drawn == EVENLY, first=first, stream=words
            )
        return [*super().draw(seed, count, first, stream), self.words.one_hot(choices)]


def inputs_of(recipe: AnyRecipe, words: Words | None) -> Latents:
    """Those of a recipe's generator, with these words or none."""
    return LatentsAndWords(recipe, words) if words else Latents(recipe)
