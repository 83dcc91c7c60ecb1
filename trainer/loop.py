"""The alternating updates of a GAN: whatever the networks and the objective are."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields, replace
from typing import Any, NamedTuple

import numpy as np

from edgegan.runtime.latent import Stream, philox
from edgegan.runtime.words import Words
from edgegan.trainer.augmentation import TRANSFORMATIONS
from edgegan.trainer.bfloat16 import (
    compute_in_bfloat16,
    gather_gradients,
    round_weights,
    stored_parameters,
)
from edgegan.trainer.checkpoint import network_arrays, part_of, set_network_arrays
from edgegan.trainer.device import check_bfloat16
from edgegan.trainer.framework import HybridBlock, NDArray, autograd, mx
from edgegan.trainer.inputs import inputs_of
from edgegan.trainer.layers import even_out_phases, iterate_spectral_norms
from edgegan.trainer.negative_augmentation import negatives
from edgegan.trainer.networks import Architecture
from edgegan.trainer.optimizer import NetworkOptimizer, trained_parameters
from edgegan.trainer.recipe import VALUE_RANGES, AnyRecipe, Recipe
from edgegan.trainer.schedules import Pace
from edgegan.trainer.tape import Tape
from edgegan.trainer.turn import Turn

LEAST_RATIO = 1e-5  # of differences of pictures and latents: keeps the loss finite
COMPARED_SIDE = 8  # pixels: two pictures are compared no finer than this


class Figures(ABC):
    """What one step measured; a subclass is a frozen dataclass of floats."""

    @property
    @abstractmethod
    def summary(self) -> str:
        """A few words for the line of progress."""

    @property
    def by_name(self) -> dict[str, float]:
        """All figures, by the names that events have: the last word says what is measured."""
        return vars(self)


@dataclass(frozen=True)
class StepResult(Figures):
    """The figures of a GAN's step: the discriminator's are those of its last update.

    ``discriminator_loss`` is the objective's. ``besides`` are the penalty's and what else an
    objective or a penalty reports; what is not measured in every update stays as it was last.
    """

    discriminator_loss: float
    generator_loss: float
    real_score: float
    generated_score: float
    discriminator_gradient_norm: float
    generator_gradient_norm: float
    besides: dict[str, float] = field(default_factory=dict)

    @property
    def summary(self) -> str:
        return f"D {self.discriminator_loss:.3f} G {self.generator_loss:.3f}"

    @property
    def by_name(self) -> dict[str, float]:
        own = {key: value for key, value in vars(self).items() if key != "besides"}
        return {**own, **self.besides}


class Drawn(NamedTuple):
    """Pictures of a generator, and what it took for them."""

    inputs: list[NDArray]
    images: NDArray


class GeneratorTraining(ABC):
    """A generator, its optimizer and its moving average: what every training has.

    All that is drawn depends on the seed and on counts alone, so two trainings with the same state
    and the same batches make the same updates.
    """

    recipe: AnyRecipe
    zero_loss_is_failure = False

    def __init__(
        self,
        recipe: AnyRecipe,
        seed: int,
        device: mx.Context,
        pace: Pace | None = None,
        words: Words | None = None,
    ) -> None:
        self.recipe = recipe
        self.words = words
        self._inputs = inputs_of(recipe, words)
        self.seed = seed
        self.device = device
        self.step_count = 0
        self.generator = make_generator(recipe, device, words)
        _initialise(self.generator, recipe.generator.architecture, seed, index=0)
        self.average = make_generator(recipe, device, words)
        self.average_updates = 0
        set_network_arrays(self.average, network_arrays(self.generator))
        self.generator_optimizer = NetworkOptimizer(
            self.generator, recipe.generator.optimizer, pace
        )

    @abstractmethod
    def step(self, batches: Iterator[np.ndarray]) -> Figures:
        """Update the generator once, from the batches of pictures that it takes for that."""

    @property
    def networks(self) -> list[HybridBlock]:
        """All networks that are trained."""
        return [self.generator]

    @property
    def batches_used(self) -> int:
        """How many batches of pictures the steps so far have used."""
        return self.step_count

    @property
    def images_seen(self) -> int:
        """How many pictures were trained on so far, repetitions counted."""
        return self.batches_used * self.recipe.batch_size

    def validation_inputs(self, count: int) -> list[np.ndarray]:
        """What the generator takes for the pictures that all checkpoints are judged by."""
        return self.inputs(0, count, 0, Stream.VALIDATION)

    def images(self, *inputs: np.ndarray) -> np.ndarray:
        """What the generator's moving average draws, float32 (N, 3, S, S) in the value range."""
        return self.average(*self._on_device(inputs)).asnumpy()

    def inputs(self, seed: int, count: int, first: int, stream: Stream) -> list[np.ndarray]:
        """What the generator takes for pictures of a stream, as ``trainer.inputs`` has it."""
        return self._inputs.draw(seed, count, first, stream)

    def state(self) -> dict[str, np.ndarray]:
        """All arrays that later steps depend on."""
        parts = self._parts()
        return {f"{part}/{key}": array for part in parts for key, array in parts[part].items()}

    def set_state(self, step_count: int, arrays: dict[str, np.ndarray]) -> None:
        """Go on from what ``state`` gave after ``step_count`` steps.

        Raises:
            UserError: the arrays are of other networks.
        """
        self.start_from(arrays)
        self.generator_optimizer.set_state(part_of(arrays, "generator_optimizer"))
        self.step_count = step_count

    def start_from(self, arrays: dict[str, np.ndarray]) -> None:
        """Begin with the generator of another training's ``state`` and its moving average.

        Raises:
            UserError: the arrays are of another network.
        """
        set_network_arrays(self.generator, part_of(arrays, "generator"))
        set_network_arrays(self.average, part_of(arrays, "ema"))
        # Older versions have not noted it: their average began with the generator's optimizer.
        before = arrays.get("average/updates", arrays["generator_optimizer/updates"])
        self.average_updates = int(before)
        round_weights(self.generator)

    def _parts(self) -> dict[str, dict[str, np.ndarray]]:
        """The arrays of ``state`` by what they belong to."""
        return {
            "generator": network_arrays(self.generator),
            "ema": network_arrays(self.average),
            "average": {"updates": np.array(self.average_updates)},
            "generator_optimizer": self.generator_optimizer.state(),
        }

    def _update_average(self) -> None:
        """Move the average towards the generator: faster at first, as it starts untrained."""
        self.average_updates += 1
        limit = (1 + self.average_updates) / (10 + self.average_updates)
        decay = min(self.recipe.ema_decay, limit)
        average = stored_parameters(self.average).values()
        for mean, parameter in zip(average, stored_parameters(self.generator).values()):
            array = mean.data()
            array *= decay
            array += (1 - decay) * parameter.data()

    def _draw_inputs(self, number: int, stream: Stream) -> list[NDArray]:
        """What the generator takes in update ``number``, on the device."""
        batch = self.recipe.batch_size
        return self._on_device(self.inputs(self.seed, batch, number * batch, stream))

    def _on_device(self, arrays: Iterable[np.ndarray]) -> list[NDArray]:
        return [mx.nd.array(array, ctx=self.device) for array in arrays]


class Training(GeneratorTraining):
    """Both networks of a GAN, their optimizers and the generator's moving average.

    ``pictures`` is how many there are to train on, which tells how long an epoch is; ``words`` are
    theirs, of a recipe with a condition only (``trainer.conditioned``).
    """

    recipe: Recipe

    def __init__(
        self,
        recipe: Recipe,
        seed: int,
        device: mx.Context,
        pictures: int,
        words: Words | None = None,
    ) -> None:
        pace = Pace(pictures, recipe.batch_size * recipe.discriminator_steps)
        super().__init__(recipe, seed, device, pace, words)
        self.pictures = pictures
        self.memory = recipe.objective.first_memory()
        self.reported: dict[str, float] = {}
        self.zero_loss_is_failure = recipe.objective.zero_loss_is_failure
        self.discriminator = make_discriminator(recipe, device, words)
        _initialise(self.discriminator, recipe.discriminator.architecture, seed, index=1)
        if recipe.precision == "bfloat16":
            check_bfloat16(device)
            by_onednn = compute_in_bfloat16(self.generator, by_onednn=device.device_type == "cpu")
            # A penalty asks for gradients of gradients. And of pictures that mxnet made, it would
            # write the generator's gradients over those of what else looks at them.
            compute_in_bfloat16(self.discriminator, by_onednn=by_onednn and not recipe.penalty)
        self.discriminator_optimizer = NetworkOptimizer(
            self.discriminator,
            recipe.discriminator.optimizer,
            replace(pace, updates_a_step=recipe.discriminator_steps),
        )

    def step(self, real_batches: Iterator[Any]) -> StepResult:
        """Update the discriminator as often as the recipe says, then the generator once."""
        reused = self.recipe.generated_batches == "reused"
        figures: dict[str, NDArray] = {}
        tape = Tape()  # of the generator's update
        for number in range(1, self.recipe.discriminator_steps + 1):
            learns_from_it = reused and number == self.recipe.discriminator_steps
            inputs = self._discriminator_inputs()
            with tape.record() if learns_from_it else autograd.train_mode():
                drawn = Drawn(inputs, self.generator(*inputs))
            turn = self._discriminator_turn(next(real_batches), drawn)
            self._update_discriminator(turn)
            figures.update(turn.figures)
        if not reused:
            inputs = self._draw_inputs(self.step_count, Stream.GENERATOR_LATENT)
            with tape.record():
                drawn = Drawn(inputs, self.generator(*inputs))
        figures.update(self._update_generator(drawn, turn, tape))
        self.step_count += 1
        self._update_average()
        return self._result(read_figures(figures))

    def update_discriminator_alone(self, batch: Any) -> dict[str, float]:
        """Update the discriminator alone, on what the moving average draws in use.

        Args:
            batch: of real pictures, as ``step`` takes them.

        Returns:
            Its figures, named as in ``StepResult``.
        """
        inputs = self._discriminator_inputs()
        turn = self._discriminator_turn(batch, Drawn(inputs, self.average(*inputs)))
        self._update_discriminator(turn)
        return read_figures(turn.figures)

    @property
    def networks(self) -> list[HybridBlock]:
        return [self.generator, self.discriminator]

    @property
    def batches_used(self) -> int:
        """How many real batches the steps so far have used."""
        return self.step_count * self.recipe.discriminator_steps

    def set_state(self, step_count: int, arrays: dict[str, np.ndarray]) -> None:
        super().set_state(step_count, arrays)
        self.discriminator_optimizer.set_state(part_of(arrays, "discriminator_optimizer"))

    def start_from(self, arrays: dict[str, np.ndarray], before: Recipe | None = None) -> None:
        """As every training does, with what fits of the discriminator and its objective.

        A discriminator of another architecture stays untrained. What an objective remembers is of
        the same objective and discriminator.

        Args:
            before: the recipe of the other training, where it is another.
        """
        super().start_from(arrays)
        before = before or self.recipe
        if before.discriminator.architecture != self.recipe.discriminator.architecture:
            return
        set_network_arrays(self.discriminator, part_of(arrays, "discriminator"))
        if before.objective.name == self.recipe.objective.name:
            memory = part_of(arrays, "memory")
            self.memory = {key: float(value) for key, value in memory.items()}

    def _parts(self) -> dict[str, dict[str, np.ndarray]]:
        return {
            **super()._parts(),
            "discriminator": network_arrays(self.discriminator),
            "discriminator_optimizer": self.discriminator_optimizer.state(),
            "memory": {key: np.array(value) for key, value in self.memory.items()},
        }

    def _discriminator_turn(self, batch: Any, drawn: Drawn) -> Turn:
        """The discriminator's next update, on real pictures, float32 (batch_size, 3, S, S)."""
        update = self.discriminator_optimizer.updates
        view = philox(self.seed, Stream.DISCRIMINATOR_VIEW, update)
        real = self._view(mx.nd.array(batch, ctx=self.device), view)
        generated = self._view(drawn.images.detach(), view)
        draws = philox(self.seed, Stream.OBJECTIVE, update)
        return self._turn(real, generated, draws, self._negatives(batch, update))

    def _generator_turn(self, drawn: Drawn, last: Turn) -> Turn:
        """The generator's update, by pictures that it drew, after ``last`` of the discriminator."""
        view = philox(self.seed, Stream.GENERATOR_VIEW, self.step_count)
        draws = philox(self.seed, Stream.GENERATOR_OBJECTIVE, self.step_count)
        return self._turn(last.real, self._view(drawn.images, view), draws)

    def _negatives(self, batch: np.ndarray, update: int) -> NDArray | None:
        """What is spoiled of real pictures, float32 (batch_size, 3, S, S), as it is shown."""
        if not self.recipe.negative_augmentation:
            return None
        draws = philox(self.seed, Stream.NEGATIVES, update)
        black, white = VALUE_RANGES[self.recipe.value_range]
        middle, half_range = (white + black) / 2, (white - black) / 2
        spoiled = middle + half_range * negatives((batch - middle) / half_range, draws)
        return self._view(mx.nd.array(spoiled, ctx=self.device), draws)

    def _update_discriminator(self, turn: Turn) -> None:
        objective = self.recipe.objective
        iterate_spectral_norms(self.discriminator)
        tape = Tape()
        with tape.record():
            # In this order, as batch norm's running statistics go through both.
            real_scores, generated_scores = turn.real_scores, turn.generated_scores
            loss = objective.discriminator_loss(turn)
            further = self._further_discriminator_losses(turn)
        tape.backward([loss, *further])
        turn.gather_gradients()
        turn.figures.update(
            discriminator_loss=loss,
            real_score=real_scores.mean(),
            generated_score=generated_scores.mean(),
            discriminator_gradient_norm=self.discriminator_optimizer.gradient_norm(),
        )
        self.discriminator_optimizer.step()
        objective.constrain(self.discriminator_optimizer.parameters)

    def _further_discriminator_losses(self, turn: Turn) -> list[NDArray]:
        """That of negatives, and the penalty, but for updates between those penalised."""
        losses = []
        if turn.negatives is not None:
            loss = self.recipe.objective.generated_loss(turn.negative_scores)
            turn.figures["negative_loss"] = loss
            losses.append(self.recipe.negative_augmentation * loss)
        penalty = self.recipe.penalty
        if penalty and self.discriminator_optimizer.updates % penalty.every == 0:
            value = penalty.weight * penalty.value(turn)
            turn.figures[f"{penalty.name}_penalty"] = value
            losses.append(penalty.every * value)
        return losses

    def _further_generator_losses(self, turn: Turn, drawn: Drawn) -> list[NDArray]:
        """What is added to the objective's, by what the generator drew."""
        if not self.recipe.mode_seeking:
            return []
        loss = mode_seeking_loss(drawn.inputs[0].detach(), drawn.images, turn.half_range)
        turn.figures["mode_seeking_loss"] = loss
        return [self.recipe.mode_seeking * loss]

    def _update_generator(self, drawn: Drawn, last: Turn, tape: Tape) -> dict[str, NDArray]:
        """Update the generator by the batch that it drew, on the tape; returns the figures."""
        with _no_gradients(self.discriminator):
            with tape.record():
                turn = self._generator_turn(drawn, last)
                loss = self.recipe.objective.generator_loss(turn)
                generated_scores = turn.generated_scores
                further = self._further_generator_losses(turn, drawn)
            tape.backward([loss, *further])
        gather_gradients(self.generator)
        turn.figures.update(
            generator_loss=loss,
            generated_score_of_generator=generated_scores.mean(),
            generator_gradient_norm=self.generator_optimizer.gradient_norm(),
        )
        self.generator_optimizer.step()
        if self.recipe.even_phases:
            even_out_phases(self.generator)
        round_weights(self.generator)
        return turn.figures

    def _turn(
        self,
        real: NDArray,
        generated: NDArray,
        draws: np.random.Generator,
        negatives: NDArray | None = None,
    ) -> Turn:
        mixed = self.recipe.batches == "mixed"
        black, white = VALUE_RANGES[self.recipe.value_range]
        half_range = (white - black) / 2
        shown = self.discriminator, real, generated, mixed
        return Turn(*shown, draws, self.memory, half_range, negatives)

    def _result(self, figures: dict[str, float]) -> StepResult:
        """What a step tells of all its figures, after the objective has learned of the scores."""
        generated_score = figures.pop("generated_score_of_generator")
        self.memory = self.recipe.objective.next_memory(
            self.memory, figures["real_score"], generated_score
        )
        names = {item.name for item in fields(StepResult)} & figures.keys()
        own = {name: figures.pop(name) for name in names}
        self.reported = {**self.reported, **figures, **self.memory}
        return StepResult(**own, besides=self.reported)

    def _view(self, images: NDArray, draws: np.random.Generator) -> NDArray:
        """What the discriminator sees of pictures: augmented, and with noise that decays.

        The strengths of both are for pictures in [-1, 1], whatever the recipe's range is.
        """
        noise = self.recipe.input_noise
        noisy = noise is not None and self.step_count < noise.steps
        if not self.recipe.augmentation and not noisy:
            return images
        unit = self.recipe.value_range == "unit"
        if unit:
            images = 2 * images - 1
        for transformation in self.recipe.augmentation:
            images = TRANSFORMATIONS[transformation](images, draws)
        if noise and noisy:
            deviation = noise.deviation * (1 - self.step_count / noise.steps)
            drawn = draws.standard_normal(images.shape, dtype=np.float32)
            images = images + mx.nd.array(deviation * drawn, ctx=self.device)
        return (images + 1) / 2 if unit else images

    def _discriminator_inputs(self) -> list[NDArray]:
        """What the generator takes for the discriminator's next update."""
        return self._draw_inputs(self.discriminator_optimizer.updates, Stream.DISCRIMINATOR_LATENT)


def mode_seeking_loss(latents: NDArray, images: NDArray, half_range: float = 1.0) -> NDArray:
    """How little pictures differ for how much their latents do: first half and second, in pairs.

    The mean of the inverse of equation 3 of Mao et al. 2019, with mean absolute differences. It is
    that of each pair, where the authors' code (https://github.com/HelenMao/MSGAN) takes that of a
    batch's means, so the pairs that are most alike count most. Grain, which makes pictures differ
    most cheaply, does not count, since a face is no other for it: pictures are compared no finer
    than COMPARED_SIDE pixels. What generated faces of a text have too little of is coarse: how
    bright they are, and how the light parts and the dark ones lie.

    Args:
        latents: float32 (N, L).
        images: float32 (N, 3, S, S), of these latents; S is a power of two.
        half_range: half of what white is above black.

    Returns:
        float32 (1,).
    """
    side = min(images.shape[2], COMPARED_SIDE)
    coarse = images.reshape((0, 0, side, -1, side, images.shape[3] // side)).mean(axis=(3, 5))
    apart, latents_apart = (
        (array[: len(array) // 2] - array[len(array) // 2 :])
        .abs()
        .mean(axis=tuple(range(1, array.ndim)))
        for array in (coarse, latents)
    )
    return (1 / (apart / half_range / latents_apart + LEAST_RATIO)).mean()


def make_generator(
    recipe: AnyRecipe, device: mx.Context, words: Words | None = None
) -> HybridBlock:
    """The recipe's generator, not yet initialised with weights worth anything.

    With words it takes latents and conditions, else latents alone.
    """
    network = recipe.build_generator(words.size if words else 0)
    return _ready(network, device)


def make_discriminator(
    recipe: Recipe, device: mx.Context, words: Words | None = None
) -> HybridBlock:
    """The recipe's discriminator, not yet initialised with weights worth anything.

    With words it takes images and conditions, else images alone.
    """
    return _ready(recipe.build_discriminator(words.sizes if words else ()), device)


def _ready(network: HybridBlock, device: mx.Context) -> HybridBlock:
    network.initialize(ctx=device)
    network.hybridize(static_alloc=True, static_shape=True)
    return network


def _initialise(network: HybridBlock, architecture: Architecture, seed: int, index: int) -> None:
    """Draw all weights as the architecture has it; gluon has set the rest to 0 and 1."""
    draws = philox(seed, Stream.INITIALISATION, index)
    for parameter in trained_parameters(network):
        if parameter.name.endswith("weight"):
            weights = architecture.draw_weights(parameter.shape, draws)
            parameter.set_data(weights.astype(np.float32))


@contextmanager
def _no_gradients(network: HybridBlock) -> Iterator[None]:
    """Compute no gradients of a network's parameters, only what passes through them.

    A quarter of a step is saved where the generator's update would compute and discard them.
    """
    parameters = trained_parameters(network)
    for parameter in parameters:
        parameter.grad_req = "null"
    try:
        yield
    finally:
        for parameter in parameters:
            parameter.grad_req = "write"


def read_figures(figures: dict[str, NDArray]) -> dict[str, float]:
    """Wait for all figures at once."""
    names = list(figures)
    values = mx.nd.concat(*[figures[name].reshape((1,)) for name in names], dim=0).asnumpy()
    return dict(zip(names, values.tolist()))
