"""The alternating updates: who is updated when, by what, and that it repeats."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from edgegan.runtime.latent import Stream, philox
from edgegan.trainer import checkpoint, loop, recipe
from edgegan.trainer.augmentation import TRANSFORMATIONS
from edgegan.trainer.checkpoint import Checkpoint, part_of, set_network_arrays
from edgegan.trainer.loop import Training, make_discriminator, make_generator
from edgegan.trainer.objectives import Objective
from edgegan.trainer.optimizer import NetworkOptimizer, trained_parameters
from edgegan.trainer.turn import Turn
from training_help import (
    batches_of,
    random_batches,
    skip_without_bfloat16,
    tiny_recipe,
    training_by,
)

Arrays = dict[str, np.ndarray]
PICTURES = 6  # so that a step of four is most of an epoch
BEGAN = [
    "dcgan",
    "generator={network: began, width: 4, optimizer: {name: adam, learning_rate: 1e-3}}",
    "discriminator={network: began, width: 4, code: 3, "
    "optimizer: {name: adam, learning_rate: 1e-3}}",
    "objective={name: boundary_equilibrium, proportional_gain: 0.5}",
]
RECIPES = [
    pytest.param(["dcgan"], id="dcgan"),
    pytest.param(["wgan"], id="wgan"),
    pytest.param(
        [
            "wgan",
            "objective.clip=null",
            "penalty={name: gradient}",
            "discriminator.norm=none",
        ],
        id="wgan_gp",
    ),
    pytest.param(
        ["dcgan", "penalty={name: dragan, every: 2}", "discriminator.norm=none"], id="dragan"
    ),
    pytest.param(["dcgan", "objective={name: relativistic}"], id="relativistic"),
    pytest.param(BEGAN, id="began"),
    pytest.param(
        [
            "dcgan",
            "augmentation=[colour, translation, cutout]",
            "input_noise={deviation: 0.1, steps: 4}",
            "batches=mixed",
            "objective.real_labels=[0.7, 1.2]",
            "objective.generated_labels=[0, 0.3]",
            "objective.flipped=0.2",
            "generator.optimizer.schedule={name: step, epochs: [1, 2, 3], factor: 0.6}",
            "discriminator.optimizer={name: sgd, learning_rate: 1e-2, "
            "drops: {epochs: [1, 2, 3], factor: 0.6}}",
        ],
        id="everything on",
    ),
]


def trained_for(steps: int, seed: int = 0, *overrides: str) -> Training:
    recipe = tiny_recipe("dcgan", *overrides)
    training = Training(recipe, seed, mx.cpu(), pictures=100)
    batches = random_batches(recipe)
    for _ in range(steps):
        training.step(batches)
    return training


def assert_same(one: Arrays, other: Arrays) -> None:
    assert one.keys() == other.keys()
    for name, array in one.items():
        np.testing.assert_array_equal(array, other[name], err_msg=name)


def trained_arrays(training: Training, network: str) -> Arrays:
    arrays = part_of(training.state(), network)
    return {name: array for name, array in arrays.items() if "running" not in name}


@pytest.mark.parametrize("limit", [0.999, 0.3, 0.0])
def test_the_moving_average_follows_its_formula(limit: float) -> None:
    training = trained_for(0, 0, f"ema_decay={limit}", "generator.optimizer.learning_rate=0.01")
    average = {k: v.astype(np.float64) for k, v in part_of(training.state(), "ema").items()}
    batches = random_batches(training.recipe)
    for n in range(1, 13):
        training.step(batches)
        decay = min(limit, (1 + n) / (10 + n))
        for name, weights in part_of(training.state(), "generator").items():
            average[name] = decay * average[name] + (1 - decay) * weights
    for name, found in part_of(training.state(), "ema").items():
        np.testing.assert_allclose(found, average[name], rtol=1e-5, atol=1e-7, err_msg=name)


def test_the_average_starts_as_the_generator() -> None:
    state = trained_for(0).state()
    assert_same(part_of(state, "ema"), part_of(state, "generator"))


def test_the_average_of_a_training_that_starts_from_another_goes_on() -> None:
    """Twelve updates weigh the next by 9 / 23; a new average would weigh it by 9 / 11."""
    first = trained_for(12)
    second = trained_for(0, 1)
    second.start_from(first.state(), first.recipe)
    before = part_of(first.state(), "ema")
    second.step(random_batches(second.recipe))
    after = part_of(second.state(), "generator")
    for name, found in part_of(second.state(), "ema").items():
        expected = before[name] + 9 / 23 * (after[name].astype(np.float64) - before[name])
        np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("earlier", [0, 3])
def test_a_checkpoint_without_the_averages_count_goes_on_as_it_did(earlier: int) -> None:
    """Older versions counted the steps of the training, whatever it had started from."""
    training = trained_for(0)
    if earlier:
        training.start_from({**trained_for(earlier).state(), "average/updates": np.array(0)})
    batches = random_batches(training.recipe)
    for _ in range(3):
        training.step(batches)
    old = {name: array for name, array in training.state().items() if name != "average/updates"}
    resumed = trained_for(0)
    resumed.set_state(3, old)
    rest = islice(random_batches(training.recipe), 3, None)
    training.step(batches)
    resumed.step(rest)
    assert_same(resumed.state(), training.state())


def test_unit_pictures_penalise_as_signed_ones_do() -> None:
    halves = {}
    for value_range in ("signed", "unit"):
        training = trained_for(0, 0, f"value_range={value_range}")
        empty = mx.nd.zeros((4, 3, 8, 8))
        halves[value_range] = training._turn(empty, empty, philox(0, 0, 0)).half_range
    assert halves == {"signed": 1.0, "unit": 0.5}


@pytest.mark.parametrize("discriminator_steps", [1, 3])
def test_updates_of_a_step(discriminator_steps: int) -> None:
    training = trained_for(0, 0, f"discriminator_steps={discriminator_steps}")
    taken = 0

    def counted() -> Iterator[np.ndarray]:
        nonlocal taken
        for batch in random_batches(training.recipe):
            taken += 1
            yield batch

    batches = counted()
    training.step(batches)
    training.step(batches)
    assert taken == training.batches_used == 2 * discriminator_steps
    assert training.images_seen == 4 * taken
    state = training.state()
    assert state["discriminator_optimizer/updates"] == 2 * discriminator_steps
    assert state["generator_optimizer/updates"] == 2


def test_each_update_leaves_the_other_network_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    training = trained_for(2)
    seen: list[tuple[Arrays, Arrays]] = []

    def record() -> None:
        # While a transposed convolution runs, mxnet has its weight turned around: whoever reads it
        # then sees the axes of inputs and outputs exchanged.
        mx.nd.waitall()
        seen.append(
            (trained_arrays(training, "generator"), trained_arrays(training, "discriminator"))
        )

    kind = type(training.recipe.objective)
    generator_loss = kind.generator_loss

    def recorded_loss(self: Objective, turn: Turn) -> mx.nd.NDArray:
        with autograd.pause():
            record()  # between the two updates
        return generator_loss(self, turn)

    monkeypatch.setattr(kind, "generator_loss", recorded_loss)
    record()
    training.step(random_batches(training.recipe))
    record()
    (generator0, critic0), (generator1, critic1), (generator2, critic2) = seen
    assert_same(generator0, generator1)
    assert_same(critic1, critic2)
    assert all((critic0[name] != critic1[name]).any() for name in critic0)
    # Of a bias before tanh, or of any weight, some number moves.
    assert all((generator1[name] != generator2[name]).any() for name in generator1)


@pytest.mark.parametrize("discriminator_steps", [1, 2])
def test_a_reused_batch_teaches_what_the_same_batch_drawn_again_does(
    monkeypatch: pytest.MonkeyPatch, discriminator_steps: int
) -> None:
    steps = f"discriminator_steps={discriminator_steps}"
    reused = trained_for(3, 0, steps, "generated_batches=reused").state()
    draw = Training.inputs

    def drawn_for_the_last_update(
        training: Training, seed: int, count: int, first: int, stream: Stream
    ) -> list[np.ndarray]:
        if stream == Stream.GENERATOR_LATENT:
            last = (first // count + 1) * discriminator_steps - 1
            return draw(training, seed, count, last * count, Stream.DISCRIMINATOR_LATENT)
        return draw(training, seed, count, first, stream)

    monkeypatch.setattr(Training, "inputs", drawn_for_the_last_update)
    assert_same(trained_for(3, 0, steps).state(), reused)


def test_switching_gradients_off_changes_no_update(monkeypatch: pytest.MonkeyPatch) -> None:
    switched = trained_for(4).state()
    requirement = mx.gluon.Parameter.grad_req

    def never_off(parameter: mx.gluon.Parameter, asked: str) -> None:
        requirement.fset(parameter, "write" if asked == "null" else asked)

    monkeypatch.setattr(mx.gluon.Parameter, "grad_req", requirement.setter(never_off))
    assert_same(trained_for(4).state(), switched)


def test_gradients_are_switched_on_again(monkeypatch: pytest.MonkeyPatch) -> None:
    training = trained_for(1)
    parameters = trained_parameters(training.discriminator)
    assert {parameter.grad_req for parameter in parameters} == {"write"}

    def fail(*arguments: object) -> None:
        raise RuntimeError("in the generator's update")

    monkeypatch.setattr(type(training.recipe.objective), "generator_loss", fail)
    with pytest.raises(RuntimeError):
        training.step(random_batches(training.recipe))
    assert {parameter.grad_req for parameter in parameters} == {"write"}


def test_the_loss_told_is_that_of_the_scores_told() -> None:
    recipe = tiny_recipe("wgan", "discriminator_steps=2")
    training = Training(recipe, 0, mx.cpu(), pictures=100)
    batches = random_batches(recipe)
    for _ in range(3):
        result = training.step(batches)
        difference = result.generated_score - result.real_score
        assert result.discriminator_loss == pytest.approx(difference, abs=1e-7)
        assert result.discriminator_gradient_norm > 0
        assert result.generator_gradient_norm > 0


@pytest.mark.parametrize("recipe", RECIPES)
def test_the_same_seed_repeats_bit_for_bit_and_another_does_not(recipe: list[str]) -> None:
    states = []
    for seed in (5, 5, 6):
        training = Training(tiny_recipe(*recipe), seed, mx.cpu(), pictures=100)
        batches = random_batches(training.recipe)
        for _ in range(3):
            training.step(batches)
        states.append(training.state())
    assert_same(states[0], states[1])
    weights = [name for name in states[0] if name.endswith("weight")]
    assert all((states[0][name] != states[2][name]).any() for name in weights)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_training_set_to_a_checkpoint_goes_on_bit_for_bit(
    recipe: list[str], tmp_path: Path
) -> None:
    whole = Training(tiny_recipe(*recipe), 0, mx.cpu(), pictures=PICTURES)
    batches = random_batches(whole.recipe)
    for _ in range(5):
        whole.step(batches)

    first = Training(tiny_recipe(*recipe), 0, mx.cpu(), pictures=PICTURES)
    batches = random_batches(whole.recipe)
    first.step(batches)
    first.step(batches)
    Checkpoint(first.recipe, {}, first.state()).save(tmp_path / "checkpoint.npz")
    loaded = checkpoint.load(tmp_path / "checkpoint.npz")
    assert loaded.recipe == first.recipe
    second = Training(loaded.recipe, 0, mx.cpu(), pictures=PICTURES)
    second.set_state(2, loaded.arrays)
    remaining = islice(random_batches(whole.recipe), second.batches_used, None)
    for _ in range(3):
        second.step(remaining)
    assert_same(second.state(), whole.state())
    assert second.memory == whole.memory


def test_the_memory_of_boundary_equilibrium_goes_through_the_scores_of_each_step() -> None:
    training = Training(tiny_recipe(*BEGAN), 0, mx.cpu(), pictures=PICTURES)
    batches = random_batches(training.recipe)
    k = 0.0
    for _ in range(4):
        told = training.step(batches)
        # The generator's loss is L(G(z)) of its own pictures.
        balance = 0.7 * told.real_score - told.generator_loss
        k = min(max(k + 0.5 * balance, 0), 1)
        assert training.memory["k"] == pytest.approx(k, abs=1e-6)
        assert training.memory["convergence"] == pytest.approx(
            told.real_score + abs(balance), abs=1e-6
        )
        assert told.besides == training.memory
    assert k > 0


@pytest.mark.parametrize(
    ("changed", "kept"),
    [
        ([], True),
        (["objective.gamma=0.5", "generator.optimizer.learning_rate=1e-5"], True),
        (["discriminator.code=4"], False),  # k balances the discriminator that is gone
    ],
)
def test_a_training_that_starts_from_another_keeps_the_memory_of_its_objective(
    changed: list[str], kept: bool
) -> None:
    first = Training(tiny_recipe(*BEGAN), 0, mx.cpu(), pictures=PICTURES)
    batches = random_batches(first.recipe)
    for _ in range(3):
        first.step(batches)
    assert first.memory["k"] > 0
    second = Training(tiny_recipe(*BEGAN, *changed), 1, mx.cpu(), pictures=PICTURES)
    untrained = second.memory
    second.start_from(first.state(), first.recipe)
    assert second.memory == (first.memory if kept else untrained)


def test_the_learning_rates_of_both_networks_drop_at_the_same_step(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Plain SGD moves weights by their gradient times the rate. A step is half an epoch."""
    schedule = "schedule: {name: step, epochs: [1, 2.5], factor: 0.1}"
    recipe = tiny_recipe(
        "dcgan",
        f"generator.optimizer={{name: sgd, learning_rate: 0.5, momentum: 0, {schedule}}}",
        f"discriminator.optimizer={{name: sgd, learning_rate: 0.25, momentum: 0, {schedule}}}",
        "discriminator_steps=2",
    )
    training = Training(recipe, 0, mx.cpu(), pictures=4 * recipe.batch_size)
    generator_rates = watch_rates(training.generator_optimizer, monkeypatch)
    discriminator_rates = watch_rates(training.discriminator_optimizer, monkeypatch)
    batches = random_batches(training.recipe)
    for _ in range(7):
        training.step(batches)
    factors = np.array([1, 1, 0.1, 0.1, 0.1, 0.01, 0.01])
    np.testing.assert_allclose(generator_rates, 0.5 * factors, rtol=1e-2)
    np.testing.assert_allclose(discriminator_rates, 0.25 * factors.repeat(2), rtol=1e-2)


def watch_rates(optimizer: NetworkOptimizer, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A list that gets, at each update from now on, how far it moves for its gradient's length."""
    rates: list[float] = []
    step = optimizer.step

    def weights() -> np.ndarray:
        arrays = [parameter.data().asnumpy().ravel() for parameter in optimizer.parameters]
        return np.concatenate(arrays).astype(np.float64)

    def record() -> None:
        mx.nd.waitall()  # or a weight is seen turned around, see above
        before, length = weights(), float(optimizer.gradient_norm().asscalar())
        step()
        rates.append(float(np.linalg.norm(weights() - before)) / length)

    monkeypatch.setattr(optimizer, "step", record)
    return rates


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_mixed_batches_differ_from_those_apart_where_there_is_batch_norm_only(norm: str) -> None:
    states = []
    for batches in ("apart", "mixed"):
        training = trained_for(
            4,
            0,
            f"batches={batches}",
            f"discriminator.norm={norm}",
            "discriminator.optimizer={name: sgd, learning_rate: 0.1}",
            "generator.optimizer={name: sgd, learning_rate: 0.1}",
            "image_size=16",
        )
        states.append(trained_arrays(training, "discriminator"))
    apart, mixed = states
    distance = max(np.abs(apart[name] - mixed[name]).max() for name in apart)
    assert (distance < 1e-6) == (norm == "none")
    assert norm == "none" or distance > 1e-3


@pytest.mark.parametrize("batches", ["apart", "mixed"])
@pytest.mark.parametrize("objective", ["non_saturating", "relativistic"])
def test_the_generators_update_is_that_of_its_loss_on_the_batches_as_they_are_shown(
    objective: str, batches: str
) -> None:
    chosen = tiny_recipe(
        "dcgan",
        f"objective={{name: {objective}}}",
        f"batches={batches}",
        "discriminator_steps=2",
        "generator.optimizer={name: sgd, learning_rate: 1, momentum: 0}",
        # As good as none: the discriminator stays as it was.
        "discriminator.optimizer={name: sgd, learning_rate: 1e-30, momentum: 0}",
    )
    training = Training(chosen, 0, mx.cpu(), pictures=100)
    for parameter in trained_parameters(training.discriminator):
        parameter.set_data(10 * parameter.data())  # so that scores are far from 0
    state = training.state()
    generator, discriminator = (
        make_generator(chosen, mx.cpu()),
        make_discriminator(chosen, mx.cpu()),
    )
    set_network_arrays(generator, part_of(state, "generator"))
    set_network_arrays(discriminator, part_of(state, "discriminator"))

    training.step(random_batches(chosen))

    real = mx.nd.array(list(islice(random_batches(chosen), 2))[-1])
    (latents,) = training.inputs(0, chosen.batch_size, 0, Stream.GENERATOR_LATENT)
    with autograd.record():
        generated = generator(mx.nd.array(latents))
        if batches == "mixed":
            scores = discriminator(mx.nd.concat(real, generated, dim=0))
            x, y = scores[:4], scores[4:]
        else:
            x, y = discriminator(real), discriminator(generated)
        if objective == "relativistic":
            above, below = y - x.mean(), x - y.mean()
            loss = mx.nd.maximum(1 - above, 0).mean() + mx.nd.maximum(1 + below, 0).mean()
        else:
            loss = mx.nd.log(1 + mx.nd.exp(-y)).mean()
    loss.backward()
    mx.nd.waitall()  # or a weight is seen turned around, see above
    found = part_of(training.state(), "generator")
    for parameter in trained_parameters(generator):
        name = parameter.name[len(generator.prefix) :]
        moved, gradient = found[name] - parameter.data().asnumpy(), parameter.grad().asnumpy()
        assert np.abs(gradient).max() > 1e-4, name
        np.testing.assert_allclose(moved, -gradient, rtol=1e-3, atol=1e-6, err_msg=name)


def test_a_penalty_at_every_third_update_counts_threefold() -> None:
    """Plain SGD moves weights by their gradient times the rate."""
    sgd = "discriminator.optimizer={name: sgd, learning_rate: 0.1, momentum: 0}"
    no_norm = "discriminator.norm=none"
    lazy = trained_for(1, 0, "penalty={name: r1, weight: 2, every: 3}", sgd, no_norm)
    heavy = trained_for(1, 0, "penalty={name: r1, weight: 6}", sgd, no_norm)
    arrays = [trained_arrays(each, "discriminator") for each in (lazy, heavy)]
    for name, array in arrays[0].items():
        np.testing.assert_allclose(array, arrays[1][name], atol=1e-7, err_msg=name)
    batches = random_batches(lazy.recipe)
    first = lazy.reported["r1_penalty"]
    assert first == pytest.approx(heavy.reported["r1_penalty"] / 3)
    second, third, fourth = (lazy.step(batches).besides["r1_penalty"] for _ in range(3))
    assert first == second == third != fourth


def test_between_its_updates_a_penalty_changes_nothing() -> None:
    """The second update of two trainings from the same state."""
    penalised = trained_for(1, 0, "penalty={name: r1, every: 2}", "discriminator.norm=none")
    plain = trained_for(1, 0, "discriminator.norm=none")
    plain.set_state(1, penalised.state())
    for training in (penalised, plain):
        training.step(random_batches(training.recipe, seed=1))
    assert_same(penalised.state(), plain.state())


def test_what_a_loss_reports_is_told_with_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    training = trained_for(0)
    kind = type(training.recipe.objective)
    loss = kind.discriminator_loss

    def reporting(self: Objective, turn: Turn) -> mx.nd.NDArray:
        turn.figures["margin_score"] = (turn.real_scores - turn.generated_scores).mean()
        return loss(self, turn)

    monkeypatch.setattr(kind, "discriminator_loss", reporting)
    told = training.step(random_batches(training.recipe))
    margin = told.real_score - told.generated_score
    assert told.by_name["margin_score"] == pytest.approx(margin, abs=1e-6)


def test_input_noise_is_normal_decays_linearly_and_ends() -> None:
    training = trained_for(0, 0, "input_noise={deviation: 0.5, steps: 8}", "image_size=32")
    images = mx.nd.array(next(random_batches(training.recipe)))

    def noise(step: int) -> np.ndarray:
        training.step_count = step
        seen = training._view(images, philox(0, Stream.DISCRIMINATOR_VIEW, 3))
        return (seen - images).asnumpy()

    first = noise(0)
    assert abs(first.mean()) < 5 * 0.5 / np.sqrt(first.size)
    assert first.std() == pytest.approx(0.5, abs=5 * 0.5 / np.sqrt(2 * first.size))
    # One in 370 of normal numbers is beyond three deviations.
    assert (np.abs(first) > 1.5).mean() == pytest.approx(0.0027, abs=0.003)
    for step in (2, 4, 7):
        np.testing.assert_allclose(noise(step), first * (1 - step / 8), atol=1e-6)
    assert (noise(8) == 0).all()
    assert (noise(100) == 0).all()


@pytest.mark.parametrize(
    "key",
    [f"augmentation=[{name}]" for name in TRANSFORMATIONS]
    + ["input_noise={deviation: 0.5, steps: 8}"],
)
def test_the_discriminator_sees_the_same_picture_in_either_range(key: str) -> None:
    images = next(random_batches(tiny_recipe()))
    views = {}
    for value_range, shown in (("signed", images), ("unit", (images + 1) / 2)):
        training = trained_for(0, 0, key, f"value_range={value_range}")
        draws = philox(0, Stream.DISCRIMINATOR_VIEW, 3)
        views[value_range] = training._view(mx.nd.array(shown), draws).asnumpy()
    assert (views["signed"] != images).any()
    np.testing.assert_allclose(2 * views["unit"] - 1, views["signed"], atol=1e-5)


def test_after_its_last_step_input_noise_changes_no_update() -> None:
    noisy = trained_for(2, 0, "input_noise={deviation: 0.3, steps: 2}")
    plain = trained_for(2)
    weights = [trained_arrays(each, "discriminator") for each in (noisy, plain)]
    assert all((weights[0][name] != weights[1][name]).any() for name in weights[0])
    plain.set_state(2, noisy.state())
    for training in (noisy, plain):
        batches = random_batches(training.recipe, seed=1)
        training.step(batches)
        training.step(batches)
    assert_same(noisy.state(), plain.state())


def test_what_the_discriminator_sees_is_drawn_afresh_for_real_and_generated_pictures(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    shown: list[tuple[float, float]] = []

    def transformation(images: mx.nd.NDArray, draws: np.random.Generator) -> mx.nd.NDArray:
        shown.append((draws.random(), float(images.abs().mean().asscalar())))
        return images

    monkeypatch.setitem(loop.TRANSFORMATIONS, "cutout", transformation)
    trained_for(3, 0, "augmentation=[cutout]", "discriminator_steps=2")
    # Real and generated pictures of two updates of the discriminator, and those of the generator.
    assert len(shown) == 3 * (2 * 2 + 1)
    assert len({drawn for drawn, _ in shown}) == len(shown)
    assert len({pictures for _, pictures in shown}) == len(shown)


@pytest.mark.parametrize("transformation", ["colour", "translation", "cutout"])
def test_the_generator_learns_through_every_transformation(transformation: str) -> None:
    training = trained_for(1, 0, f"augmentation=[{transformation}]")
    before = trained_arrays(training, "generator")
    told = training.step(random_batches(training.recipe))
    assert told.generator_gradient_norm > 0
    after = trained_arrays(training, "generator")
    assert all((before[name] != after[name]).any() for name in before)


def test_pictures_come_from_the_average() -> None:
    training = trained_for(5, 0, "generator.optimizer.learning_rate=0.05")
    latents = np.random.default_rng(0).standard_normal((7, 6)).astype(np.float32)
    averaged, plain = training.images(latents), training.generator(mx.nd.array(latents)).asnumpy()
    assert averaged.shape == plain.shape == (7, 3, 8, 8)
    assert (averaged != plain).any()
    # In the mode that predicts: a picture does not depend on those beside it.
    np.testing.assert_allclose(training.images(latents[:2]), averaged[:2], atol=1e-6)


@pytest.mark.parametrize("name", recipe.names())
def test_every_recipe_trains(name: str) -> None:
    if recipe.load(name).precision == "bfloat16":
        skip_without_bfloat16()
    small = ["generator.width=4", "discriminator.width=4", "image_size=32", "batch_size=4"]
    crop = ["crop_from=40"] if recipe.load(name).crop_from else []
    training = training_by(recipe.load(name, [*small, *crop]))
    before = training.state()
    batches = batches_of(training.recipe)
    for _ in range(2):
        assert np.isfinite(list(training.step(batches).by_name.values())).all()
    after = training.state()
    for part in ("generator/", "ema/", "discriminator/"):
        weights = [key for key in after if key.startswith(part) and key.endswith("weight")]
        assert weights
        assert all((before[key] != after[key]).any() for key in weights), part
