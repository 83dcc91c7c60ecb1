"""Layers that oneDNN computes in bfloat16, against mxnet's in float32."""

from __future__ import annotations

from collections.abc import Callable

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import nn

from edgegan.trainer import bfloat16, layers, onednn, segments
from edgegan.trainer.framework import HybridBlock, autograd
from edgegan.trainer.loop import Training
from edgegan.trainer.networks import dcgan
from edgegan.trainer.optimizer import trained_parameters
from edgegan.trainer.tape import Tape
from training_help import batches_of, random_batches, tiny_recipe, training_by

pytestmark = pytest.mark.skipif(
    not onednn.computes_in_bfloat16(), reason="no oneDNN 3 that computes in bfloat16 is here"
)

COUNT = 6
STEP = 2.0**-8  # of bfloat16: the largest error of rounding, relative
Layers = Callable[[], list[HybridBlock]]


def up(inputs: int, outputs: int, kernel: int = 4, norm: str = "batch") -> list[HybridBlock]:
    name = f"up{inputs}"
    more = layers.doubling(inputs, outputs, kernel, "deconvolution", norm=norm, name=name)
    return [*more, *layers.normalisation(norm, outputs, f"{name}_norm")]


def down(inputs: int, outputs: int, kernel: int = 4, norm: str = "batch") -> list[HybridBlock]:
    name = f"down{inputs}"
    more = layers.halving(inputs, outputs, kernel, "stride", norm=norm, name=name)
    return [*more, *layers.normalisation(norm, outputs, f"{name}_norm")]


def relu() -> HybridBlock:
    return layers.activation("relu", 1)


def leaky() -> HybridBlock:
    return layers.activation("leaky_relu", 1)


def first() -> HybridBlock:
    options = {"in_channels": 5, "use_bias": False, "prefix": "first_"}
    return layers.TransposedConvolution(24, 4, 1, 0, **options)


# By name: the layers, and the shape of one picture's maps.
CASES: dict[str, tuple[Layers, tuple[int, int, int]]] = {
    "convolution with a bias": (lambda: down(3, 8, norm="none"), (3, 32, 32)),
    "of small maps": (lambda: down(24, 16), (24, 8, 8)),
    "of small maps, with a bias": (lambda: down(24, 16, norm="none"), (24, 8, 8)),
    "to one pixel": (lambda: [layers.convolution(24, 3, 4, name="score")], (24, 4, 4)),
    "of 5 x 5": (lambda: [*down(8, 16, 5), leaky()], (8, 8, 8)),
    "of 3 x 3": (lambda: [layers.convolution(8, 16, 3, 1, 1, name="flat"), relu()], (8, 6, 6)),
    "transposed": (lambda: [*up(16, 8), relu()], (16, 8, 8)),
    "transposed, of small maps": (lambda: [*up(24, 16), relu()], (24, 4, 4)),
    "transposed, from one pixel": (lambda: [first(), relu()], (5, 1, 1)),
    "transposed, with a bias": (lambda: up(16, 3, norm="none"), (16, 4, 4)),
    "transposed, of 5 x 5": (lambda: [*up(16, 8, 5), leaky()], (16, 4, 4)),
    "mirrored": (lambda: [*down(8, 8), leaky(), layers.Mirrored(), *down(16, 8)], (8, 16, 16)),
    "norm alone": (lambda: [*down(8, 12), *down(12, 8), leaky()], (8, 16, 16)),
}


def pair(make: Layers) -> tuple[nn.HybridSequential, nn.HybridSequential]:
    """The layers by mxnet, and those by oneDNN, with the same weights."""
    both = []
    for _ in range(2):
        mx.random.seed(0)
        network = nn.HybridSequential(prefix="network_")
        network.add(*make())
        network.initialize(mx.init.Normal(0.2))
        both.append(network)
    plain, changed = both
    random = np.random.default_rng(0)
    for own, other in zip(plain.collect_params().values(), changed.collect_params().values()):
        values = own.data().asnumpy()
        if own.name.endswith(("gamma", "beta", "bias")):
            values = random.uniform(0.5, 1.5, values.shape)
        own.set_data(values)
        other.set_data(values)
    assert segments.compute_by_onednn(changed)
    return plain, changed


def run(network: HybridBlock, *batches: np.ndarray) -> list[list[np.ndarray]]:
    """What comes of batches in one update: outputs, gradients at inputs, those of parameters.

    Then the statistics of batch norms.
    """
    tape, inputs, outputs, losses = Tape(), [], [], []
    with tape.record():
        for batch in batches:
            x = mx.nd.array(batch)
            x.attach_grad()
            y = network(x)
            weights = np.random.default_rng(len(batch)).normal(size=y.shape)
            losses.append((mx.nd.array(weights) * y).sum())
            inputs.append(x)
            outputs.append(y)
    tape.backward(losses)
    parameters = network.collect_params().values()
    learned = [each.grad() for each in parameters if each.grad_req != "null"]
    running = [each.data() for each in parameters if "running" in each.name]
    found = outputs, [x.grad for x in inputs], learned, running
    return [[array.asnumpy() for array in part] for part in found]


def maps(shape: tuple[int, int, int], count: int = COUNT, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(count, *shape)).astype(np.float32)


def expect_near(found: list[list[np.ndarray]], expected: list[list[np.ndarray]]) -> None:
    """All arrays are as near as roundings to bfloat16, several one after the other, leave them.

    Where a number near 0 has another sign, ReLU lets another gradient through.
    """
    for part, other, most in zip(found, expected, (6 * STEP, 0.2, 0.2, 6 * STEP)):
        for array, reference in zip(part, other):
            assert array.shape == reference.shape
            error = np.sqrt(np.mean((array - reference) ** 2))
            assert error < most * np.sqrt(np.mean(reference**2)) + 1e-6


@pytest.mark.parametrize("name", CASES)
def test_layers_are_those_of_mxnet_to_rounding(name: str) -> None:
    make, shape = CASES[name]
    plain, changed = pair(make)
    batch = maps(shape)
    expect_near(run(changed, batch), run(plain, batch))


def test_every_geometry_of_patches_is_tried() -> None:
    """Both ways of computing convolutions are among the cases above, transposed ones too."""
    kinds = set()
    for make, shape in CASES.values():
        source: tuple[int, ...] = (COUNT, *shape)
        for stage in segments._stages(make()):
            target = stage.target(source)
            ends = (
                segments._Maps(each, *(onednn.Memory(onednn.maps(each)) for _ in range(2)))
                for each in (source, target)
            )
            if isinstance(stage, segments._ConvolutionStage):
                kinds.add((stage.transposed, type(stage.between(*ends)).__name__))
            source = target
    assert kinds == {
        (False, "_ConvolutionPass"),
        (True, "_ConvolutionPass"),
        (False, "_PatchPass"),
        (True, "_TransposedPatchPass"),
    }


def test_gradients_of_several_batches_add_up_whatever_their_sizes() -> None:
    plain, changed = pair(lambda: [*down(3, 16), leaky(), *down(16, 24)])
    batches = [maps((3, 16, 16), count, count) for count in (6, 5, 3, 6)]
    for _ in range(2):  # nothing stays of the update before
        found = run(changed, *batches)
    # mxnet keeps the last gradient only, so each batch goes by itself.
    alone = [run(plain, batch)[2] for batch in batches]
    total = [np.sum(each, axis=0) for each in zip(*alone)]
    expect_near([[], [], found[2]], [[], [], total])


def test_gradients_add_up_where_batches_want_weights_in_other_orders() -> None:
    """As products of one row do; a bias has one order always."""
    plain, changed = pair(lambda: [layers.convolution(24, 3, 4, name="score")])
    batches = [maps((24, 4, 4), count, count) for count in (6, 1)]
    for order in (1, -1):
        for _ in range(2):
            found = run(changed, *batches[::order])
        alone = [run(plain, batch)[2] for batch in batches]
        total = [np.sum(each, axis=0) for each in zip(*alone)]
        expect_near([[], [], found[2]], [[], [], total])


@pytest.mark.parametrize("recorded", [True, False])
def test_statistics_move_when_mxnets_do(recorded: bool) -> None:
    """In the backward pass: what is only drawn in training leaves them alone."""
    both = pair(lambda: [*down(3, 16), leaky()])
    batch = mx.nd.array(maps((3, 16, 16)))
    found = []
    for network in both:
        with Tape().record() if recorded else autograd.train_mode():
            network(batch).wait_to_read()
        parameters = network.collect_params().values()
        found.append([each.data().asnumpy() for each in parameters if "running" in each.name])
    for own, expected in zip(*found):
        np.testing.assert_array_equal(own, expected)


def test_a_tape_that_is_used_again_takes_weights_anew() -> None:
    plain, changed = pair(lambda: down(3, 8, norm="none"))
    batch, tape = mx.nd.array(maps((3, 8, 8))), Tape()
    for _ in range(2):
        with tape.record():
            y = changed(batch)
            loss = y.sum()
        tape.backward([loss])
        np.testing.assert_allclose(y.asnumpy(), plain(batch).asnumpy(), atol=0.2)
        for network in (plain, changed):
            for parameter in trained_parameters(network):
                parameter.set_data(-3 * parameter.data())


def test_weights_are_taken_anew_in_every_update() -> None:
    plain, changed = pair(lambda: up(24, 16))
    batch = maps((24, 4, 4))
    run(changed, batch)
    for network in (plain, changed):
        for parameter in trained_parameters(network):
            parameter.set_data(2 * parameter.data())
    expect_near(run(changed, batch)[:1], run(plain, batch)[:1])
    with autograd.train_mode():
        for parameter in trained_parameters(changed):
            parameter.set_data(0 * parameter.data())
        assert not changed(mx.nd.array(batch)).asnumpy().any()


def test_parameters_that_are_not_to_learn_get_no_gradient() -> None:
    _, changed = pair(lambda: [*down(3, 16), leaky(), *down(16, 24)])
    expected = run(changed, maps((3, 16, 16)))[1]
    learned = trained_parameters(changed)
    before = [parameter.grad().asnumpy() for parameter in learned]
    for parameter in learned:
        parameter.grad_req = "null"
    batch, tape = mx.nd.array(maps((3, 16, 16))), Tape()
    batch.attach_grad()
    with tape.record():
        y = changed(batch)
        loss = (mx.nd.array(np.random.default_rng(COUNT).normal(size=y.shape)) * y).sum()
    tape.backward([loss])
    np.testing.assert_allclose(batch.grad.asnumpy(), expected[0])
    for parameter, gradient in zip(learned, before):
        parameter.grad_req = "write"
        assert not parameter.grad().asnumpy().any()
        assert gradient.any()


def test_in_use_mxnet_computes_in_float32() -> None:
    plain, changed = pair(lambda: [*down(3, 16), leaky(), *down(16, 24)])
    batch = mx.nd.array(maps((3, 16, 16)))
    np.testing.assert_array_equal(changed(batch).asnumpy(), plain(batch).asnumpy())


def test_recording_without_a_tape_is_refused() -> None:
    _, changed = pair(lambda: down(3, 8))
    with autograd.record(), pytest.raises(RuntimeError, match="without a tape"):
        changed(mx.nd.array(maps((3, 8, 8))))


@pytest.mark.parametrize(
    "others",
    [
        [],
        [layers.Reshape((0, -1))],
        [layers.dense(12, 3, name="dense")],
        [layers.convolution(3, 8, 3, 1, 1, norm="spectral", name="spectral")],
        [*down(3, 8), layers.Reshape((0, -1)), layers.dense(12, 3, name="dense")],
        [nn.BatchNorm(in_channels=3), *down(3, 8)],
        [layers.Convolution(8, 3, dilation=2, in_channels=3)],
        [layers.Convolution(8, 3, activation="relu", in_channels=3)],
        [layers.Convolution(8, (3, 1), in_channels=3)],
        [*down(3, 8), nn.BatchNorm(in_channels=8, scale=False)],
    ],
    ids=[
        "nothing",
        "no weights",
        "dense",
        "spectral",
        "dense at the end",
        "norm first",
        "dilated",
        "with an activation in it",
        "not square",
        "norm without a scale",
    ],
)
def test_what_it_cannot_compute_stays_as_it_is(others: list[HybridBlock]) -> None:
    network = nn.HybridSequential(prefix="")
    network.add(*others)
    assert not segments.compute_by_onednn(network)
    assert list(network) == others


def training(monkeypatch: pytest.MonkeyPatch, here: bool, *overrides: str) -> Training:
    monkeypatch.setattr(onednn, "has_matrix_units", lambda: here)
    chosen = tiny_recipe("dcgan", "precision=bfloat16", "batch_size=16", *overrides)
    return Training(chosen, 0, mx.cpu(), pictures=8)


def by_onednn(network: HybridBlock) -> bool:
    return any(isinstance(layer, segments.Segment) for layer in network)


def test_it_is_used_where_the_processor_has_matrix_units(monkeypatch: pytest.MonkeyPatch) -> None:
    networks = training(monkeypatch, True).networks
    assert [by_onednn(network) for network in networks] == [True, True]
    assert not any(by_onednn(network) for network in training(monkeypatch, False).networks)


def test_a_penalty_is_left_to_mxnet(monkeypatch: pytest.MonkeyPatch) -> None:
    penalty = ["discriminator.norm=none", "penalty={name: gradient}"]
    training_with = training(monkeypatch, True, *penalty)
    assert [by_onednn(network) for network in training_with.networks] == [True, False]
    training_with.step(random_batches(training_with.recipe))


def test_what_mxnet_draws_it_also_judges(monkeypatch: pytest.MonkeyPatch) -> None:
    """A generator whose gradients mxnet writes has to get all of them in one go."""
    shuffled = training(monkeypatch, True, "generator.upsampling=pixel_shuffle", "image_size=16")
    assert not any(by_onednn(network) for network in shuffled.networks)


@pytest.mark.parametrize(
    ("name", "overrides"),
    [
        ("dcgan", ["generated_batches=reused"]),
        ("dcgan", ["generated_batches=fresh", "mode_seeking=0.01"]),
        ("dcgan", ["batches=mixed", "generated_batches=reused", "discriminator_steps=2"]),
        (
            "acgan",
            [
                "generated_batches=reused",
                "mode_seeking=0.01",
                "augmentation=[translation]",
                "negative_augmentation=0.5",
                "condition.twin=1",
            ],
        ),
    ],
    ids=["reused", "fresh", "mixed", "words"],
)
def test_what_is_learned_is_what_mxnet_learns_to_rounding(
    monkeypatch: pytest.MonkeyPatch, name: str, overrides: list[str]
) -> None:
    """The first update of both networks, of weights that are large enough for it to matter."""
    changes: dict[bool, list[np.ndarray]] = {}
    for here in (True, False):
        monkeypatch.setattr(onednn, "has_matrix_units", lambda here=here: here)
        precision = "bfloat16" if here else "float32"
        chosen = tiny_recipe(
            name,
            f"precision={precision}",
            "batch_size=16",
            *(f"{part}.optimizer={{name: sgd, learning_rate: 1}}" for part in BOTH),
            *overrides,
        )
        one = training_by(chosen)
        start_large(one)
        before = [values(network) for network in one.networks]
        one.step(batches_of(chosen))
        changes[here] = [
            np.concatenate([(b - a).ravel() for a, b in zip(first, values(network))])
            for first, network in zip(before, one.networks)
        ]
    for found, expected in zip(changes[True], changes[False]):
        assert np.linalg.norm(expected) > 0
        assert np.linalg.norm(found - expected) < 0.2 * np.linalg.norm(expected)


BOTH = ("generator", "discriminator")


def values(network: HybridBlock) -> list[np.ndarray]:
    return [parameter.data().asnumpy() for parameter in trained_parameters(network)]


def start_large(one: Training) -> None:
    """Weights of a deviation that keeps the size of what goes through them."""
    random = np.random.default_rng(0)
    for network in one.networks:
        for parameter in trained_parameters(network):
            if parameter.name.endswith("weight"):
                deviation = 1 / np.sqrt(np.prod(parameter.shape[1:]))
                parameter.set_data(random.normal(0, deviation, parameter.shape))


def test_a_network_of_several_sizes_is_refused_by_none_of_its_layers() -> None:
    """The networks of the published recipe are computed whole."""
    generator = dcgan.DcganGenerator(width=8)
    discriminator = dcgan.DcganDiscriminator(width=8, mirrored=8)
    built = (
        generator.build(tiny_recipe("dcgan").latent, 64, "signed"),
        discriminator.build(64),
    )
    for network in built:
        with_weights = sum(bool([*layer.collect_params()]) for layer in network)
        assert segments.compute_by_onednn(network)
        assert sum(bool([*layer.collect_params()]) for layer in network) == 1 < with_weights
        bfloat16.check(network)
