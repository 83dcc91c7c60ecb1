"""The updates of a student that learns to draw what a teacher draws.

Black-box distillation of a generator, Aguinaldo et al. 2019, https://arxiv.org/abs/1902.00159,
section 3: the student gets the teacher's latents, and its loss is the distance of its pictures from
the teacher's. The distance is L1, as in TinyGAN (Chang and Lu 2020,
https://arxiv.org/abs/2009.13829, equation 1), which blurs less than the square.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, cast

import numpy as np

from edgegan.runtime import generator as runtime_generator
from edgegan.runtime.generator import from_bytes
from edgegan.runtime.latent import Stream
from edgegan.runtime.session import BATCH
from edgegan.trainer.framework import autograd, mx
from edgegan.trainer.inputs import Latents, inputs_of
from edgegan.trainer.loop import Figures, GeneratorTraining, read_figures
from edgegan.trainer.recipe import VALUE_RANGES, StudentRecipe
from edgegan.trainer.standing import TEACHER_PICTURES
from edgegan.trainer.validation import MOST_PICTURES


@dataclass(frozen=True)
class DistillationResult(Figures):
    """What one step measured; the loss is the mean distance of two numbers in the value range."""

    generator_loss: float
    generator_gradient_norm: float

    @property
    def summary(self) -> str:
        return f"loss {self.generator_loss:.4f}"


class Distillation(GeneratorTraining):
    """A student, its optimizer and its moving average; its batches are a ``Teacher``'s."""

    recipe: StudentRecipe

    def step(self, batches: Iterator[np.ndarray]) -> DistillationResult:
        """Update the student once, towards the next batch of its teacher's pictures."""
        inputs = self._draw_inputs(self.step_count, Stream.DISTILLATION)
        targets = mx.nd.array(next(batches), ctx=self.device)
        with autograd.record():
            loss = (self.generator(*inputs) - targets).abs().mean()
        loss.backward()
        gradient_norm = self.generator_optimizer.gradient_norm()
        self.generator_optimizer.step()
        self.step_count += 1
        self._update_average()
        figures = {"generator_loss": loss, "generator_gradient_norm": gradient_norm}
        return DistillationResult(**read_figures(figures))


@dataclass(frozen=True)
class Teacher:
    """An exported generator, with words or without, and what it draws for the steps of a student.

    The pictures are those that the file gives its users: bytes. ``digest`` is of the file that was
    loaded: what stands at its path may be another, or nothing, by the time a checkpoint is written.
    """

    generator: runtime_generator.Generator
    digest: list[str]
    recipe: StudentRecipe
    seed: int

    def starting_at(self, index: int) -> Generator[np.ndarray, None, None]:
        """What it draws of the latents of step ``index``, ``index + 1``, … without end.

        Each float32 (batch_size, 3, S, S) in the value range.
        """
        while True:
            batch = self.recipe.batch_size
            inputs = self._inputs.draw(self.seed, batch, index * batch, Stream.DISTILLATION)
            images = self.generator.images_of(*inputs)
            yield from_bytes(images, VALUE_RANGES[self.recipe.value_range])
            index += 1

    @property
    def validation_name(self) -> str:
        return "pictures of the teacher's"

    @property
    def validation_count(self) -> int:
        return MOST_PICTURES

    def validation_pictures(self) -> Iterator[np.ndarray]:
        """What it draws of others than the latents that the student's checkpoints are judged by."""
        inputs = self._validation_inputs()
        for first in range(0, MOST_PICTURES, BATCH):
            yield self.generator.images_of(*(array[first : first + BATCH] for array in inputs))

    def validation_conditions(self) -> list[np.ndarray]:
        """The words of these, float32 (N, W), where there are words."""
        return self._validation_inputs()[1:]

    def _validation_inputs(self) -> list[np.ndarray]:
        return self._inputs.draw(0, MOST_PICTURES, MOST_PICTURES, Stream.VALIDATION)

    @cached_property
    def _inputs(self) -> Latents:
        return inputs_of(self.recipe, self.generator.words)

    def facts(self) -> dict[str, Any]:
        """What tells this teacher from others, and its pictures; kept in checkpoints."""
        pictures = self.generator.metadata.pictures
        known = {TEACHER_PICTURES: pictures.to_strings()} if pictures else {}
        words = self.generator.words
        taken = {"words": words.to_json()} if words else {}
        return {"teacher": self.digest, **taken, **known}


def digest_of(generator: runtime_generator.Generator) -> list[str]:
    """The SHA-256 of a generator's file, due as soon as it is loaded.

    Raises:
        UserError: the file cannot be read any more.
    """
    return cast("list[str]", generator.identity()["models_sha256"])
