"""The alternating updates: who is updated when, by what, and that it repeats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import islice

import mxnet as mx
import numpy as np
import pytest
from training_help import random_batches, tiny_recipe

from trainer import loop
from trainer.checkpoint import part_of
from trainer.loop import Training
from trainer.optimizer import trained_parameters

Arrays = dict[str, np.ndarray]


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
        seen.append(
            (trained_arrays(training, "generator"), trained_arrays(training, "discriminator"))
        )

    update_generator = training._update_generator

    def recorded_update() -> dict[str, mx.nd.NDArray]:
        record()
        return update_generator()

    monkeypatch.setattr(training, "_update_generator", recorded_update)
    record()
    training.step(random_batches(training.recipe))
    record()
    (generator0, critic0), (generator1, critic1), (generator2, critic2) = seen
    assert_same(generator0, generator1)
    assert_same(critic1, critic2)
    assert all((critic0[name] != critic1[name]).any() for name in critic0)
    # Of a bias before tanh, or of any weight, some number moves.
    assert all((generator1[name] != generator2[name]).any() for name in generator1)


def test_switching_gradients_off_changes_no_update(monkeypatch: pytest.MonkeyPatch) -> None:
    switched = trained_for(4).state()
    monkeypatch.setattr(loop, "_no_gradients", lambda network: nullcontext())
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


@pytest.mark.parametrize("recipe", ["dcgan", "wgan"])
def test_the_same_seed_repeats_bit_for_bit_and_another_does_not(recipe: str) -> None:
    states = []
    for seed in (5, 5, 6):
        training = Training(tiny_recipe(recipe), seed, mx.cpu(), pictures=100)
        batches = random_batches(training.recipe)
        for _ in range(3):
            training.step(batches)
        states.append(training.state())
    assert_same(states[0], states[1])
    weights = [name for name in states[0] if name.endswith("weight")]
    assert all((states[0][name] != states[2][name]).any() for name in weights)


@pytest.mark.parametrize("recipe", ["dcgan", "wgan"])
def test_a_training_set_to_a_saved_state_goes_on_bit_for_bit(recipe: str) -> None:
    whole = Training(tiny_recipe(recipe), 0, mx.cpu(), pictures=100)
    batches = random_batches(whole.recipe)
    for _ in range(5):
        whole.step(batches)

    first = Training(tiny_recipe(recipe), 0, mx.cpu(), pictures=100)
    batches = random_batches(whole.recipe)
    first.step(batches)
    first.step(batches)
    second = Training(tiny_recipe(recipe), 0, mx.cpu(), pictures=100)
    second.set_state(2, first.state())
    remaining = islice(random_batches(whole.recipe), second.batches_used, None)
    for _ in range(3):
        second.step(remaining)
    assert_same(second.state(), whole.state())


def test_pictures_come_from_the_average() -> None:
    training = trained_for(5, 0, "generator.optimizer.learning_rate=0.05")
    latents = np.random.default_rng(0).standard_normal((7, 6)).astype(np.float32)
    averaged, plain = training.images(latents), training.generator(mx.nd.array(latents)).asnumpy()
    assert averaged.shape == plain.shape == (7, 3, 8, 8)
    assert (averaged != plain).any()
    # In the mode that predicts: a picture does not depend on those beside it.
    np.testing.assert_allclose(training.images(latents[:2]), averaged[:2], atol=1e-6)
