"""Words in the discriminator: each way against its formula, and the gradient through all."""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import mxnet as mx
import numpy as np
import pytest
from mxnet import autograd

from edgegan.runtime.errors import UserError
from edgegan.runtime.latent import Stream
from edgegan.trainer import recipe
from edgegan.trainer.checkpoint import network_arrays, part_of
from edgegan.trainer.conditioned import ConditionedTraining, ConditionedTurn, Conditions
from edgegan.trainer.conditioned_networks import ConditionedDiscriminator
from edgegan.trainer.conditions import Condition
from edgegan.trainer.conditions.auxiliary import Auxiliary
from edgegan.trainer.conditions.concatenated import Concatenated
from edgegan.trainer.conditions.projection import Projection
from edgegan.trainer.input_gradient import InputGradient
from edgegan.trainer.layers import iterate_spectral_norms
from edgegan.trainer.loop import Training, make_generator, mode_seeking_loss
from edgegan.trainer.networks import (
    TrunkDiscriminator,
    began,
    dcgan,
    hw3_baseline,
    minibatch,
    patch,
    resnet,
)
from edgegan.trainer.optimizer import trained_parameters
from training_help import WORDS, batches_of, tiny_recipe, training_by

SIZE, COUNT = 16, 5
GROUPS = (3, 2)
CONDITIONS: list[Condition] = [
    Concatenated(),
    Projection(),
    Auxiliary(),
    Auxiliary(loss="binary"),
    Auxiliary(twin=1.0),
]
SMOOTH: list[TrunkDiscriminator] = [  # whose gradient at a picture is known
    dcgan.DcganDiscriminator(4, norm="none"),
    dcgan.DcganDiscriminator(4, norm="spectral"),
    patch.PatchDiscriminator(4, halvings=2, norm="none"),
    resnet.ResnetDiscriminator(3, norm="spectral"),
    hw3_baseline.Hw3BaselineDiscriminator(3),
]
EVERY: list[TrunkDiscriminator] = [
    *SMOOTH,
    dcgan.DcganDiscriminator(4),
    minibatch.MinibatchDiscriminator(4),
]


def named(value: object) -> str:
    return f"{getattr(value, 'network', '')}{getattr(value, 'name', '')}"


def made(
    condition: Condition, architecture: TrunkDiscriminator, seed: int = 2
) -> ConditionedDiscriminator:
    """A discriminator with random weights and biases."""
    network = condition.build(architecture, SIZE, GROUPS)
    network.initialize()
    network.hybridize(static_alloc=True, static_shape=True)
    random = np.random.default_rng(seed)
    for parameter in trained_parameters(network):
        deviation = 0.3 if parameter.name.endswith("bias") else np.prod(parameter.shape[1:]) ** -0.5
        parameter.set_data(mx.nd.array(random.normal(0, deviation, parameter.shape)))
    iterate_spectral_norms(network)
    return network


def pictures(seed: int = 3) -> mx.nd.NDArray:
    shape = (COUNT, 3, SIZE, SIZE)
    return mx.nd.array(np.random.default_rng(seed).uniform(-1, 1, shape))


def one_hot(*choices: tuple[int, int]) -> mx.nd.NDArray:
    return mx.nd.array([[*np.eye(3)[first], *np.eye(2)[second]] for first, second in choices])


CHOSEN = ((0, 0), (1, 1), (2, 0), (0, 1), (2, 1))


def scores_of(network: ConditionedDiscriminator, *shown: mx.nd.NDArray) -> np.ndarray:
    judged = network(*shown)
    return (judged if isinstance(judged, mx.nd.NDArray) else judged[0]).asnumpy()


def arrays_of(network: ConditionedDiscriminator) -> dict[str, np.ndarray]:
    return network_arrays(network)


@pytest.mark.parametrize("architecture", EVERY, ids=named)
@pytest.mark.parametrize("condition", CONDITIONS, ids=named)
def test_every_discriminator_takes_words_in_every_way(
    condition: Condition, architecture: TrunkDiscriminator
) -> None:
    network = made(condition, architecture)
    plain = architecture.build(SIZE)
    plain.initialize()
    found, expected = scores_of(network, pictures(), one_hot(*CHOSEN)), plain(pictures())
    assert found.shape == expected.shape
    assert np.isfinite(found).all()
    own, without = arrays_of(network), network_arrays(plain)
    assert {name: own[name].shape for name in without} == {
        name: array.shape for name, array in without.items()
    }


@pytest.mark.parametrize("architecture", SMOOTH, ids=named)
@pytest.mark.parametrize("condition", [Concatenated(), Projection()], ids=named)
def test_words_and_picture_are_judged_together(
    condition: Condition, architecture: TrunkDiscriminator
) -> None:
    """A score that is a sum of both could not tell whether they match."""
    network = made(condition, architecture)
    one, other = (one_hot(*[choice] * COUNT) for choice in ((0, 0), (2, 1)))
    changes = scores_of(network, pictures(), one) - scores_of(network, pictures(), other)
    assert changes.reshape(COUNT, -1).mean(axis=1).std() > 1e-3


def test_the_projection_is_the_papers_equation() -> None:
    network = made(Projection(), dcgan.DcganDiscriminator(4, norm="none"))
    plain = dcgan.DcganDiscriminator(4, norm="none").build(SIZE)
    plain.initialize()
    arrays = arrays_of(network)
    for name, parameter in plain.collect_params().items():
        parameter.set_data(arrays[name[len(plain.prefix) :]])
    features = network.core(pictures()).asnumpy().sum(axis=(2, 3))
    embedded = arrays["words_weight"].T[[first for first, _ in CHOSEN]]
    embedded = embedded + arrays["words_weight"].T[[3 + second for _, second in CHOSEN]]
    embedded = embedded + arrays["words_bias"]
    expected = plain(pictures()).asnumpy() + (embedded * features).sum(axis=1)
    found = scores_of(network, pictures(), one_hot(*CHOSEN))
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("loss", ["softmax", "binary"])
def test_the_auxiliary_classifier_tells_the_logarithm_of_the_words_likelihood(loss: str) -> None:
    network = made(Auxiliary(loss=loss), dcgan.DcganDiscriminator(4))
    logits = network.head.logits(network.core(pictures())).asnumpy().astype(np.float64)
    if loss == "softmax":
        parts = [
            np.exp(part) / np.exp(part).sum(axis=1, keepdims=True)
            for part in (logits[:, :3], logits[:, 3:])
        ]
        likely = [parts[0][n, a] * parts[1][n, b] for n, (a, b) in enumerate(CHOSEN)]
    else:
        each = 1 / (1 + np.exp(-logits))
        right = one_hot(*CHOSEN).asnumpy() > 0
        likely = np.where(right, each, 1 - each).prod(axis=1)
    _, agreement = network(pictures(), one_hot(*CHOSEN))
    np.testing.assert_allclose(agreement.asnumpy(), np.log(likely), rtol=1e-4, atol=1e-5)


def turn_of(
    network: ConditionedDiscriminator, wrong: mx.nd.NDArray | None = None, mixed: bool = False
) -> ConditionedTurn:
    conditions = Conditions(one_hot(*CHOSEN), one_hot(*CHOSEN[::-1]), wrong)
    draws = np.random.default_rng(0)
    return ConditionedTurn(
        network, pictures(3), pictures(4), mixed, draws, {}, 1.0, negatives=None,
        conditions=conditions,
    )  # fmt: skip


def test_losses_of_the_auxiliary_classifier() -> None:
    shown = turn_of(made(Auxiliary(), dcgan.DcganDiscriminator(4, norm="none")))
    real, generated = -shown.real_agreement.asnumpy(), -shown.generated_agreement.asnumpy()

    def found(losses: list[mx.nd.NDArray]) -> list[float]:
        return [float(loss.asscalar()) for loss in losses]

    twice = Auxiliary(weight=2.0, tolerance=float(generated.min()))
    np.testing.assert_allclose(
        found(twice.discriminator_loss(shown)), [2 * (real.mean() + generated.mean())], rtol=1e-5
    )
    from_real = Auxiliary(learns_from_generated=False)
    np.testing.assert_allclose(found(from_real.discriminator_loss(shown)), [real.mean()], rtol=1e-5)
    above = np.maximum(generated - generated.min(), 0)
    np.testing.assert_allclose(found(twice.generator_loss(shown)), [2 * above.mean()], rtol=1e-4)


@pytest.mark.parametrize("mixed", [False, True])
def test_losses_of_the_twin(mixed: bool) -> None:
    network = made(Auxiliary(twin=1.0), dcgan.DcganDiscriminator(4, norm="none"))
    shown = turn_of(network, mixed=mixed)
    real, generated = -shown.real_agreement.asnumpy(), -shown.generated_agreement.asnumpy()
    logits = network.head.twin_logits(network.core(pictures(4))).asnumpy().astype(np.float64)
    twin = np.zeros(COUNT)
    for start, end, group in ((0, 3, 0), (3, 5, 1)):
        scale = np.log(np.exp(logits[:, start:end]).sum(axis=1))
        chosen = [start + choice[group] for choice in CHOSEN[::-1]]
        twin += scale - logits[np.arange(COUNT), chosen]
    condition = Auxiliary(weight=2.0, learns_from_generated=False, twin=0.5)
    (learned,), (gained,) = condition.discriminator_loss(shown), condition.generator_loss(shown)
    assert float(learned.asscalar()) == pytest.approx(2 * (real.mean() + twin.mean()), rel=1e-4)
    expected = 2 * (generated.mean() - 0.5 * twin.mean())
    assert float(gained.asscalar()) == pytest.approx(expected, rel=1e-4, abs=1e-5)
    threshold = float(np.sort(np.exp(-generated))[1:3].mean())  # two are less likely
    (gained,) = replace(condition, twin_threshold=threshold).generator_loss(shown)
    said = np.where(np.exp(-generated) >= threshold, twin, 0)
    assert (said == 0).sum() == 2
    expected = 2 * (generated.mean() - 0.5 * said.mean())
    assert float(gained.asscalar()) == pytest.approx(expected, rel=1e-4, abs=1e-5)


def test_each_classifier_learns_from_its_own_pictures() -> None:
    """The first from real ones alone, the twin from generated ones."""
    condition = Auxiliary(learns_from_generated=False, twin=1.0)
    network = made(condition, dcgan.DcganDiscriminator(4, norm="none"))

    def slopes(real: int, generated: int) -> dict[str, np.ndarray]:
        conditions = Conditions(one_hot(*CHOSEN), one_hot(*CHOSEN[::-1]))
        draws = np.random.default_rng(0)
        with autograd.record():
            turn = ConditionedTurn(
                network, pictures(real), pictures(generated), False, draws, {}, 1.0,
                negatives=None, conditions=conditions,
            )  # fmt: skip
            losses = condition.discriminator_loss(turn)
        autograd.backward(losses)
        found = {"words": network.head.logits, "twin": network.head.twin_logits}
        return {
            name: classifier[1].weight.grad().asnumpy().copy() for name, classifier in found.items()
        }

    first, other_real, other_generated = slopes(3, 4), slopes(5, 4), slopes(3, 6)
    np.testing.assert_array_equal(first["twin"], other_real["twin"])
    np.testing.assert_array_equal(first["words"], other_generated["words"])
    assert np.abs(first["words"] - other_real["words"]).max() > 1e-3
    assert np.abs(first["twin"] - other_generated["twin"]).max() > 1e-3


@pytest.mark.parametrize("mixed", [False, True])
def test_real_pictures_with_wrong_words_count_as_half_of_what_is_not_real(mixed: bool) -> None:
    network = made(Concatenated(wrong_pairs=True), dcgan.DcganDiscriminator(4, norm="none"))
    others = one_hot(*CHOSEN[::-1])
    shown = turn_of(network, others, mixed)
    expected = [
        scores_of(network, pictures(4), one_hot(*CHOSEN[::-1])),
        scores_of(network, pictures(3), others),
    ]
    found = shown.generated_scores.asnumpy()
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(
        shown.real_scores.asnumpy(), scores_of(network, pictures(3), one_hot(*CHOSEN)), rtol=1e-4
    )


@pytest.mark.parametrize("architecture", SMOOTH, ids=named)
@pytest.mark.parametrize("condition", CONDITIONS, ids=named)
def test_the_gradient_at_a_picture_is_that_of_mxnet(
    condition: Condition, architecture: TrunkDiscriminator
) -> None:
    network = made(condition, architecture)
    at = pictures()
    at.attach_grad()
    with autograd.record():
        judged = network(at, one_hot(*CHOSEN))
        scores = judged if isinstance(judged, mx.nd.NDArray) else judged[0]
        score = scores.reshape((COUNT, -1)).mean(axis=1).sum()
    (expected,) = autograd.grad(score, [at])
    found = InputGradient(network, pictures(), one_hot(*CHOSEN)).gradient()
    np.testing.assert_allclose(found.asnumpy(), expected.asnumpy(), rtol=1e-3, atol=1e-5)


@pytest.mark.parametrize("architecture", SMOOTH, ids=named)
@pytest.mark.parametrize("condition", CONDITIONS[:3], ids=named)
def test_gradients_of_gradients_are_those_of_differences(
    condition: Condition, architecture: TrunkDiscriminator
) -> None:
    """In float64, where a step is small enough to cross no kink of a ReLU."""
    network = made(condition, architecture)
    for parameter in trained_parameters(network):
        parameter.zero_grad()
    with autograd.pause():
        inputs = InputGradient(network, pictures(), one_hot(*CHOSEN))
    with autograd.record():
        loss = penalty_of(inputs.gradient())
    loss.backward()
    inputs.gather()

    exact = condition.build(architecture, SIZE, GROUPS)
    exact.initialize()
    exact.cast("float64")
    for parameter in network.collect_params().values():
        exact.collect_params()[parameter.name].set_data(parameter.data().astype("float64"))
    gradients = {item.name: item.grad().asnumpy() for item in trained_parameters(network)}
    step, found = 1e-7, []
    for parameter in trained_parameters(exact):
        gradient, start = gradients[parameter.name], parameter.data().asnumpy()
        if not gradient.any():  # of biases, and of what reads words beside the score
            continue
        direction = gradient / np.linalg.norm(gradient)
        values = []
        for sign in (1, -1):
            parameter.set_data(start + sign * step * direction)
            values.append(float(penalty_of(gradient_at(exact)).asscalar()))
        parameter.set_data(start)
        slope = (values[0] - values[1]) / (2 * step)
        assert np.linalg.norm(gradient) == pytest.approx(slope, rel=1e-3), parameter.name
        found.append(parameter.name)
    assert len(found) >= 3
    told = any(name.endswith(("mix_weight", "words_weight")) for name in found)
    assert told == (condition.name != "auxiliary")


def penalty_of(gradient: mx.nd.NDArray) -> mx.nd.NDArray:
    """A number that depends on each pixel's gradient, and not linearly."""
    return (gradient + 0.1).square().sum() + (gradient**3).sum()


def gradient_at(network: ConditionedDiscriminator) -> mx.nd.NDArray:
    """mxnet's own gradient of every picture's score at the picture, float64."""
    at, words = (array.astype("float64") for array in (pictures(), one_hot(*CHOSEN)))
    at.attach_grad()
    with autograd.record():
        judged = network(at, words)
        scores = judged if isinstance(judged, mx.nd.NDArray) else judged[0]
        score = scores.reshape((COUNT, -1)).mean(axis=1).sum()
    (gradient,) = autograd.grad(score, [at])
    return gradient


def test_a_discriminator_that_takes_no_words_is_refused() -> None:
    with pytest.raises(ValueError, match=r"condition is auxiliary, expected none .* began"):
        Auxiliary().check(began.BeganDiscriminator())
    with pytest.raises(UserError, match="recipe began: condition is projection"):
        recipe.load("began", ["condition={name: projection}"])


def test_one_latent_is_recoloured_and_words_change_the_picture() -> None:
    chosen = tiny_recipe("acgan")
    generator = make_generator(chosen, mx.cpu(), WORDS)
    training = training_by(chosen)
    state = part_of(training.state(), "generator")
    for name, parameter in generator.collect_params().items():
        parameter.set_data(10 * mx.nd.array(state[name[len(generator.prefix) :]]))
    latents = mx.nd.ones((2, chosen.latent.size))
    drawn = generator(latents, one_hot((0, 0), (1, 1))).asnumpy()
    assert (drawn[0] != drawn[1]).any()
    same = generator(latents, one_hot((1, 1), (1, 1))).asnumpy()
    np.testing.assert_array_equal(same[1], drawn[1])


@pytest.mark.parametrize("name", ["acgan", "cgan", "projection"])
def test_a_training_with_words_goes_on_as_if_it_had_never_stopped(name: str) -> None:
    chosen = tiny_recipe(name)
    whole = training_by(chosen)
    batches = batches_of(chosen)
    for _ in range(4):
        whole.step(batches)
    first = training_by(chosen)
    batches = batches_of(chosen)
    for _ in range(2):
        first.step(batches)
    again = training_by(chosen)
    again.set_state(2, first.state())
    for _ in range(2):
        again.step(batches)
    expected, found = whole.state(), again.state()
    assert expected.keys() == found.keys()
    for key, array in expected.items():
        np.testing.assert_array_equal(found[key], array, err_msg=key)


@pytest.mark.parametrize("name", ["acgan", "cgan", "projection"])
def test_a_training_begins_with_networks_that_take_no_words(name: str) -> None:
    chosen = tiny_recipe(name)
    without = recipe.override(chosen, ["condition=null"])
    before = training_by(without)
    before.step(batches_of(without))
    training = training_by(chosen)
    untrained = training.state()
    assert isinstance(training, ConditionedTraining)
    training.start_from(before.state(), without)
    state, old = training.state(), before.state()
    for key, array in old.items():
        if not key.startswith(("generator/", "ema/", "discriminator/")):
            continue
        if array.shape == state[key].shape:
            np.testing.assert_array_equal(state[key], array, err_msg=key)
        else:  # the generator's first layer: words come before the latent
            assert key.endswith("deconvolution0_weight")
            np.testing.assert_array_equal(state[key][WORDS.size :], array, err_msg=key)
            np.testing.assert_array_equal(state[key][: WORDS.size], untrained[key][: WORDS.size])
    for key in state.keys() - old.keys():
        if key.startswith("discriminator/"):
            np.testing.assert_array_equal(state[key], untrained[key], err_msg=key)
    training.step(batches_of(chosen))


def test_a_generated_pictures_words_are_those_that_it_was_drawn_for() -> None:
    """Also where the generator learns from what the discriminator was shown."""
    for reuse in ("fresh", "reused"):
        chosen = tiny_recipe("acgan", f"generated_batches={reuse}")
        training = training_by(chosen)
        assert isinstance(training, ConditionedTraining)
        turns = []
        update = training._further_generator_losses

        def kept(turn, drawn, update=update, turns=turns) -> list[mx.nd.NDArray]:
            turns.append(turn)
            return update(turn, drawn)

        training._further_generator_losses = kept  # type: ignore[method-assign]
        generator = make_generator(chosen, mx.cpu(), WORDS)
        for parameter, own in zip(
            generator.collect_params().values(), training.generator.collect_params().values()
        ):
            parameter.set_data(own.data())
        real = list(islice(batches_of(chosen), 1))
        training.step(iter(real))
        (turn,) = turns
        latents = (
            training.inputs(0, 4, 0, 1 if reuse == "reused" else 8)  # streams of their latents
        )
        with autograd.train_mode():
            expected = generator(mx.nd.array(latents[0]), turn.conditions.generated)
        np.testing.assert_allclose(turn.generated.asnumpy(), expected.asnumpy(), atol=1e-6)
        np.testing.assert_array_equal(turn.conditions.generated.asnumpy(), latents[1])


def test_the_mode_seeking_loss_is_the_papers_of_each_pair_but_for_grain() -> None:
    random = np.random.default_rng(0)
    latents, images = random.standard_normal((6, 4)), random.uniform(0, 1, (6, 3, 2, 2))
    apart = [np.abs(images[n] - images[n + 3]).mean() for n in range(3)]
    ratios = np.array(apart) / np.abs(latents[:3] - latents[3:]).mean(axis=1)
    found = mode_seeking_loss(mx.nd.array(latents), mx.nd.array(images), 0.5)
    assert float(found.asscalar()) == pytest.approx((1 / (2 * ratios + 1e-5)).mean(), rel=1e-5)
    enlarged = images.repeat(16, axis=2).repeat(16, axis=3)
    grain = np.tile([[0.3, -0.3], [-0.3, 0.3]], (16, 16)) * random.uniform(0, 1, (6, 3, 1, 1))
    again = mode_seeking_loss(mx.nd.array(latents), mx.nd.array(enlarged + grain), 0.5)
    assert float(again.asscalar()) == pytest.approx(float(found.asscalar()), rel=1e-4)
    same = mode_seeking_loss(mx.nd.array(latents), mx.nd.ones((6, 3, 2, 2)))
    assert float(same.asscalar()) == pytest.approx(1e5)


@pytest.mark.parametrize("drawn", ["apart", "evenly"])
@pytest.mark.parametrize("stream", [Stream.DISCRIMINATOR_LATENT, Stream.GENERATOR_LATENT])
def test_groups_that_are_drawn_apart_ask_for_combinations_that_no_picture_has(
    stream: Stream, drawn: str
) -> None:
    known = {tuple(row) for row in WORDS.combinations.tolist()}

    def combinations(training: Training, stream: Stream) -> set[tuple[int, ...]]:
        _, conditions = training.inputs(0, 200, 0, stream)
        return {tuple(row) for row in WORDS.choices_of(conditions).tolist()}

    apart = training_by(tiny_recipe("acgan", f"condition.generated_words={drawn}"))
    assert combinations(apart, stream) > known
    assert combinations(apart, Stream.VALIDATION) <= known  # what it is judged by stays
    assert combinations(training_by(tiny_recipe("acgan")), stream) <= known
    _, conditions = apart.inputs(0, 1000, 0, stream)
    red = WORDS.one_hot(np.array([[2, 0]]))[0].argmax()  # of the first group, rare
    expected = 1 / 3 if drawn == "evenly" else WORDS.counts[-1] / WORDS.counts.sum()
    assert conditions[:, red].mean() == pytest.approx(expected, abs=0.05)


@pytest.mark.parametrize("reuse", ["fresh", "reused"])
def test_pictures_that_are_compared_have_the_same_words(reuse: str) -> None:
    training = training_by(
        tiny_recipe("acgan", "mode_seeking=1.0", f"generated_batches={reuse}", "batch_size=8")
    )
    for stream in (1, 8):  # of latents in the discriminator's update and in the generator's
        _, conditions = training.inputs(0, 8, 16, stream)
        same = (conditions[:4] == conditions[4:]).all()
        assert same == (stream == (1 if reuse == "reused" else 8))
    batches = batches_of(training.recipe)
    figures = training.step(batches).by_name
    assert figures["mode_seeking_loss"] > 0


def test_mode_seeking_makes_pictures_of_the_same_words_differ() -> None:
    """Against a discriminator that hardly learns, the generator follows that loss."""

    def apart(weight: float) -> float:
        training = training_by(
            tiny_recipe(
                "acgan",
                f"mode_seeking={weight}",
                "discriminator.optimizer.learning_rate=1e-7",
                "generator.optimizer.learning_rate=2e-3",
                "ema_decay=0",
            )
        )
        batches = batches_of(training.recipe)
        for _ in range(15):
            training.step(batches)
        latents, _ = training.inputs(0, 16, 0, Stream.VALIDATION)
        words = np.tile(WORDS.one_hot(np.array([[1, 1]])), (16, 1))
        return float(training.images(latents, words).std(axis=0).mean())

    assert apart(10.0) > 1.5 * apart(0.0)


@pytest.mark.parametrize(
    "other", ["generator.width=8", "latent.size=9", "latent.size=3", "generator.network=resnet"]
)
def test_networks_that_lack_more_than_words_are_of_another_network(other: str) -> None:
    chosen = tiny_recipe("acgan")
    without = recipe.override(chosen, ["condition=null", other])
    training = training_by(chosen)
    with pytest.raises(UserError, match="another network"):
        training.start_from(training_by(without).state(), without)


def test_minibatch_discrimination_sees_real_and_generated_pictures_in_one_batch() -> None:
    network = made(Auxiliary(), minibatch.MinibatchDiscriminator(4, norm="none"))
    shown = turn_of(network, mixed=True)
    words = mx.nd.concat(one_hot(*CHOSEN), one_hot(*CHOSEN[::-1]), dim=0)
    both = scores_of(network, mx.nd.concat(pictures(3), pictures(4), dim=0), words)
    found = np.concatenate([shown.real_scores.asnumpy(), shown.generated_scores.asnumpy()])
    np.testing.assert_allclose(found, both, rtol=1e-4, atol=1e-5)
