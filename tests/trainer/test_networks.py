"""Every architecture: shapes, ranges, the layers and the numbers that the sources tell of."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import HybridBlock

from edgegan.runtime.errors import UserError
from edgegan.trainer import networks, recipe
from edgegan.trainer.layers import ACTIVATIONS, DOWNSAMPLINGS, NORMS, UPSAMPLINGS
from edgegan.trainer.loop import Training, make_generator
from edgegan.trainer.networks import Latent, began, dcgan, hw3_baseline, minibatch, patch
from edgegan.trainer.networks.dcgan import channels
from edgegan.trainer.optimizer import trained_parameters
from training_help import tiny_recipe

SIZES = (8, 16, 32)
GENERATORS = [
    *(dcgan.Generator(2, norm=norm) for norm in ("batch", "instance", "none")),
    *(dcgan.Generator(2, upsampling=upsampling) for upsampling in UPSAMPLINGS),
    dcgan.Generator(2, kernel=5),
    dcgan.Generator(2, activation="leaky_relu"),
    dcgan.Generator(2, dropout=0.4),
    began.Generator(2),
    hw3_baseline.Generator(2),
]
DISCRIMINATORS = [
    *(dcgan.Discriminator(2, norm=norm) for norm in NORMS),
    *(dcgan.Discriminator(2, downsampling=downsampling) for downsampling in DOWNSAMPLINGS),
    *(dcgan.Discriminator(2, activation=activation) for activation in ACTIVATIONS),
    dcgan.Discriminator(2, kernel=5, normalise_first=True),
    minibatch.Discriminator(2, kernels=3, dimensions=2),
    began.Discriminator(2, code=3),
    hw3_baseline.Discriminator(2),
]


def describe(architecture: networks.Architecture) -> str:
    return repr(architecture).replace("edgegan.trainer.networks.", "")


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def ready(network: HybridBlock, deviation: float = 0.2) -> HybridBlock:
    network.initialize(mx.init.Normal(deviation))
    return network


def built(
    architecture: networks.Generator,
    image_size: int,
    value_range: str = "signed",
    deviation: float = 0.2,
) -> HybridBlock:
    return ready(architecture.build(Latent(5), image_size, value_range), deviation)


def run(network: HybridBlock, inputs: np.ndarray) -> np.ndarray:
    return network(mx.nd.array(inputs)).asnumpy()


def numbers(network: HybridBlock) -> int:
    return sum(int(np.prod(parameter.shape)) for parameter in trained_parameters(network))


def weights(network: HybridBlock) -> list[tuple[int, ...]]:
    return [parameter.shape for parameter in network.collect_params(".*weight").values()]


@pytest.mark.parametrize("image_size", SIZES)
@pytest.mark.parametrize("architecture", GENERATORS, ids=describe)
def test_generators_draw_in_the_value_range(
    architecture: networks.Generator, image_size: int
) -> None:
    latents = 100 * normal(3, architecture.input_size(5, image_size))
    for value_range, least in (("signed", -1), ("unit", 0)):
        images = run(built(architecture, image_size, value_range, deviation=1), latents)
        assert images.shape == (3, 3, image_size, image_size)
        assert images.dtype == np.float32
        # Large latents reach for both ends of the range, and not beyond.
        assert least <= images.min() < least + 0.4
        assert 0.6 < images.max() <= 1


@pytest.mark.parametrize("image_size", SIZES)
@pytest.mark.parametrize("architecture", DISCRIMINATORS, ids=describe)
def test_discriminators_give_every_picture_a_score(
    architecture: networks.Discriminator, image_size: int
) -> None:
    scores = run(ready(architecture.build(image_size)), normal(3, 3, image_size, image_size))
    assert scores.shape == (3,)
    assert scores.dtype == np.float32
    assert len(set(scores.tolist())) == 3


@pytest.mark.parametrize(("halvings", "image_size"), [(1, 8), (2, 8), (3, 16), (3, 64), (4, 32)])
@pytest.mark.parametrize("norm", NORMS)
def test_a_patch_discriminator_gives_every_patch_a_score(
    norm: str, halvings: int, image_size: int
) -> None:
    architecture = patch.Discriminator(2, halvings, norm)
    architecture.check(image_size)
    scores = run(ready(architecture.build(image_size)), normal(2, 3, image_size, image_size))
    assert scores.shape == (2, (image_size // 2**halvings - 1) ** 2)
    assert scores.dtype == np.float32


@pytest.mark.parametrize(("halvings", "width"), [(1, 10), (2, 22), (3, 46), (4, 94)])
def test_a_patch_is_as_wide_as_is_said(halvings: int, width: int) -> None:
    image_size = 8 << halvings  # so that the patch in the middle is inside
    network = ready(patch.Discriminator(1, halvings, "none").build(image_size))
    for parameter in network.collect_params(".*weight").values():
        parameter.set_data(np.full(parameter.shape, 0.1))  # so that nothing cancels out
    side = image_size // 2**halvings - 1
    middle = side * side // 2
    plain = np.ones((1, 3, image_size, image_size), np.float32)
    expected = run(network, plain)[0, middle]
    seen = []
    for column in range(image_size):
        changed = plain.copy()
        changed[0, 0, image_size // 2, column] = 30
        if run(network, changed)[0, middle] != expected:
            seen.append(column)
    assert seen == list(range(seen[0], seen[0] + width))


@pytest.mark.parametrize("kernel", [4, 5])
@pytest.mark.parametrize(("width", "image_size"), [(1, 8), (3, 32), (2, 64), (2, 128)])
def test_number_of_parameters_of_dcgan(width: int, image_size: int, kernel: int) -> None:
    """With c_k = width * 2^k, k = 0..n-1, and n = log2(S) - 2 hidden layers each way."""
    generator = dcgan.Generator(width, kernel=kernel).build(Latent(5), image_size, "signed")
    c = [width * 2**k for k in range(int(np.log2(image_size)) - 2)]
    between = kernel**2 * sum(one * other for one, other in zip(c, c[1:]))
    image = kernel**2 * 3 * width
    assert numbers(generator) == 4 * 4 * 5 * c[-1] + between + 2 * sum(c) + image + 3
    dropping = dcgan.Generator(width, kernel=kernel, dropout=0.5)
    assert numbers(dropping.build(Latent(5), image_size, "signed")) == numbers(generator)
    without_norm = image + between + 4 * 4 * c[-1] + 1
    for norm, added in (
        ("batch", width + 2 * sum(c[1:])),
        ("instance", width + 2 * sum(c[1:])),
        ("spectral", sum(c)),
        ("none", sum(c)),
    ):
        discriminator = dcgan.Discriminator(width, kernel=kernel, norm=norm).build(image_size)
        assert numbers(discriminator) == without_norm + added, norm
    first_too = dcgan.Discriminator(width, kernel=kernel, normalise_first=True).build(image_size)
    assert numbers(first_too) == without_norm + 2 * sum(c)


@pytest.mark.parametrize("upsampling", ["pixel_shuffle", "nearest"])
def test_number_of_parameters_of_resampling_networks(upsampling: str) -> None:
    """3 x 3 convolutions in the place of those of stride 2; a shuffle takes four times the maps."""
    maps = 4 if upsampling == "pixel_shuffle" else 1
    generator = dcgan.Generator(3, upsampling=upsampling).build(Latent(5), 32, "signed")
    hidden = 4 * 4 * 5 * 12 + 9 * maps * (12 * 6 + 6 * 3) + 2 * (12 + 6 + 3)
    assert numbers(generator) == hidden + 9 * maps * 3 * 3 + maps * 3
    for downsampling in ("max_pool", "average_pool"):
        discriminator = dcgan.Discriminator(3, downsampling=downsampling).build(32)
        convolutions = 9 * (3 * 3 + 3 * 6 + 6 * 12) + 4 * 4 * 12
        assert numbers(discriminator) == convolutions + 3 + 2 * (6 + 12) + 1


@pytest.mark.parametrize("halvings", [1, 2, 3, 4])
def test_number_of_parameters_of_patch(halvings: int) -> None:
    c = [3, *(5 * 2**k for k in range(halvings))]
    convolutions = 4 * 4 * sum(one * other for one, other in zip(c, [*c[1:], 1]))
    discriminator = patch.Discriminator(5, halvings).build(64)
    assert numbers(discriminator) == convolutions + 5 + 2 * sum(c[2:]) + 1


def test_number_of_parameters_of_minibatch() -> None:
    plain = dcgan.Discriminator(3).build(32)
    discriminator = minibatch.Discriminator(3, kernels=7, dimensions=2).build(32)
    features = 4 * 4 * 12
    assert numbers(discriminator) == numbers(plain) + features * 7 * 2 + 7


def test_began_has_as_many_parameters_as_its_source() -> None:
    assert numbers(began.Generator().build(Latent(64), 64, "signed")) == 3_019_651
    assert numbers(began.Discriminator().build(64)) == 13_889_603


def test_the_baseline_has_the_layers_of_the_assignment() -> None:
    generator = hw3_baseline.Generator().build(Latent(100), 64, "signed")
    assert weights(generator) == [
        (128 * 16 * 16, 100),
        (128, 128, 4, 4),
        (64, 128, 4, 4),
        (3, 64, 4, 4),
    ]
    discriminator = hw3_baseline.Discriminator().build(64)
    assert weights(discriminator) == [
        (32, 3, 4, 4),
        (64, 32, 4, 4),
        (128, 64, 4, 4),
        (256, 128, 4, 4),
        (1, 256 * 9 * 9),
    ]
    for network, biases in ((generator, 128 * 16 * 16 + 128 + 64 + 3), (discriminator, 481)):
        assert numbers(network) == biases + sum(int(np.prod(shape)) for shape in weights(network))


@pytest.mark.parametrize(
    ("width", "kernel", "latent_size"), [(64, 4, 128), (64, 5, 100), (128, 5, 100)]
)
def test_dcgan_has_the_layers_of_its_sources(width: int, kernel: int, latent_size: int) -> None:
    """The report's, the project's of 5 x 5 kernels and the tutorial's with 1024 channels."""
    generator = dcgan.Generator(width, kernel).build(Latent(latent_size), 64, "signed")
    discriminator = dcgan.Discriminator(width, kernel).build(64)
    a, b, c, d = (width * factor for factor in (1, 2, 4, 8))
    assert weights(generator) == [
        (latent_size, d, 4, 4),
        (d, c, kernel, kernel),
        (c, b, kernel, kernel),
        (b, a, kernel, kernel),
        (a, 3, kernel, kernel),
    ]
    assert weights(discriminator) == [
        (a, 3, kernel, kernel),
        (b, a, kernel, kernel),
        (c, b, kernel, kernel),
        (d, c, kernel, kernel),
        (1, d, 4, 4),
    ]


def test_the_first_layer_is_normalised_only_where_it_is_asked_for() -> None:
    for normalise_first, expected in ((False, (128, 256, 512)), (True, (64, 128, 256, 512))):
        architecture = dcgan.Discriminator(kernel=5, normalise_first=normalise_first)
        gammas = architecture.build(64).collect_params(".*gamma").values()
        assert tuple(parameter.shape[0] for parameter in gammas) == expected


def test_the_generators_first_layer_is_a_dense_one() -> None:
    network = built(dcgan.Generator(3, norm="none"), 16)
    latents = normal(4, 5)
    reshape, deconvolution = network[0], network[1]
    weight = deconvolution.weight.data().asnumpy()  # (5, C, 4, 4)
    maps = deconvolution(reshape(mx.nd.array(latents))).asnumpy()
    assert maps.shape == (4, 6, 4, 4)
    expected = latents @ weight.reshape(5, -1)
    np.testing.assert_allclose(maps.reshape(4, -1), expected, rtol=1e-4, atol=1e-5)


def test_the_discriminators_last_layer_is_a_dense_one() -> None:
    network = ready(dcgan.Discriminator(3, norm="none").build(16))
    score = network[-2]
    maps = normal(4, 6, 4, 4)
    weight = score.weight.data().asnumpy().reshape(1, -1)
    found = network[-1](score(mx.nd.array(maps))).asnumpy()
    np.testing.assert_allclose(found, maps.reshape(4, -1) @ weight[0], rtol=1e-4, atol=1e-5)


def test_began_scores_by_the_mean_absolute_error_of_its_autoencoder() -> None:
    network = ready(began.Discriminator(2, code=3).build(8))
    images = normal(4, 3, 8, 8)
    made = run(network.autoencoder, images)
    expected = np.abs(images - made).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(run(network, images), expected, rtol=1e-5)


def test_dcgan_starts_from_the_weights_of_its_paper() -> None:
    training = Training(recipe.load("dcgan", ["generator.width=16"]), 3, mx.cpu(), pictures=100)
    for name, parameter in training.generator.collect_params().items():
        values = parameter.data().asnumpy()
        if name.endswith("weight"):
            # Five standard errors of mean and deviation.
            assert abs(values.mean()) < 5 * 0.02 / np.sqrt(values.size), name
            assert abs(values.std() - 0.02) < 5 * 0.02 / np.sqrt(2 * values.size), name
        else:
            expected = 1 if name.endswith(("gamma", "running_var")) else 0
            assert (values == expected).all(), name


@pytest.mark.parametrize("network", ["began", "hw3_baseline"])
def test_others_start_from_uniform_weights(network: str) -> None:
    """Within 1 / sqrt(inputs) as in PyTorch, or sqrt(6 / (inputs + outputs)) as Glorot has it."""
    overrides = [f"{kind}.network={network}" for kind in ("generator", "discriminator")]
    sizes = ["generator.width=12", "discriminator.width=12"]
    training = Training(tiny_recipe("dcgan", *overrides, *sizes), 3, mx.cpu(), pictures=100)
    for part in (training.generator, training.discriminator):
        for name, parameter in part.collect_params(".*weight").items():
            values = parameter.data().asnumpy()
            outputs, inputs, *field = parameter.shape
            pixels = int(np.prod(field))
            if network == "began":
                bound = 1 / np.sqrt(inputs * pixels)
            else:
                bound = np.sqrt(6 / ((inputs + outputs) * pixels))
            assert np.abs(values).max() <= bound * (1 + 1e-6), name
            deviation = bound / np.sqrt(3)
            assert abs(values.mean()) < 5 * deviation / np.sqrt(values.size), name
            # A uniform square has the relative deviation sqrt(4/5).
            assert abs(values.var() / deviation**2 - 1) < 5 * np.sqrt(0.8 / values.size), name


@pytest.mark.parametrize("image_size", [8, 64])
def test_dropout_takes_one_number_a_channel_besides_the_latent(image_size: int) -> None:
    plain, dropping = dcgan.Generator(3), dcgan.Generator(3, dropout=0.5)
    assert plain.input_size(7, image_size) == 7
    expected = 7 + sum(3 * 2**k for k in range(int(np.log2(image_size)) - 2))
    assert dropping.input_size(7, image_size) == expected
    assert replace(tiny_recipe(), image_size=image_size).input_size == 6


def dropped_channels(latent: Latent, dropout: float, numbers: np.ndarray) -> np.ndarray:
    """What a generator of 8 x 8 pictures scales its C channels by for numbers (N, C).

    Its only hidden layer gives 1 everywhere.
    """
    count = numbers.shape[1]
    network = dcgan.Generator(count, norm="none", dropout=dropout).build(latent, 8, "signed")
    network.initialize(mx.init.Zero())
    network.collect_params()["generator_deconvolution0_bias"].set_data(np.ones(count))
    seen: list[np.ndarray] = []
    last = list(network._children.values())[-1]
    last.register_forward_pre_hook(lambda block, inputs: seen.append(inputs[0].asnumpy()))
    run(network, np.hstack([np.zeros((len(numbers), latent.size)), numbers]).astype(np.float32))
    (scales,) = seen
    assert (scales == scales[:, :, :1, :1]).all()  # of whole channels
    return scales[:, :, 0, 0]


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("dropout", [0.1, 0.5, 0.8])
def test_dropout_drops_its_share_and_keeps_the_scale(distribution: str, dropout: float) -> None:
    random = np.random.default_rng(1)
    shape = (500, 40)
    normal_numbers, uniform_numbers = random.standard_normal(shape), random.uniform(-1, 1, shape)
    drawn = normal_numbers if distribution == "normal" else uniform_numbers
    scales = dropped_channels(Latent(3, distribution), dropout, drawn)
    np.testing.assert_allclose(np.unique(scales), [0, 1 / (1 - dropout)], rtol=1e-6)
    error = np.sqrt(dropout * (1 - dropout) / scales.size)
    assert abs((scales == 0).mean() - dropout) < 5 * error
    assert abs(scales.mean() - 1) < 5 * error / (1 - dropout)
    cut = NormalDist().inv_cdf(dropout) if distribution == "normal" else 2 * dropout - 1
    np.testing.assert_array_equal(scales == 0, drawn < cut)


def test_the_same_latent_always_drops_the_same_channels() -> None:
    network = built(dcgan.Generator(4, dropout=0.5), 16)
    latents = normal(3, dcgan.Generator(4, dropout=0.5).input_size(5, 16))
    images = run(network, latents)
    np.testing.assert_array_equal(run(network, latents), images)
    np.testing.assert_allclose(run(network, latents[1:2])[0], images[1], atol=1e-6)
    other = latents.copy()
    other[:, 5:] = -other[:, 5:]  # the same pictures with other channels dropped
    assert (np.abs(run(network, other) - images).max(axis=(1, 2, 3)) > 1e-3).all()


def test_a_training_draws_what_is_dropped() -> None:
    chosen = tiny_recipe("dcgan", "generator.dropout=0.5")
    assert chosen.input_size == 6 + sum(channels(4, 8))
    network = make_generator(chosen, mx.cpu())
    assert network(mx.nd.zeros((2, chosen.input_size))).shape == (2, 3, 8, 8)


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        (dcgan.Generator, {"kernel": 3}, "kernel is '3', expected 4 or 5"),
        (dcgan.Generator, {"norm": "spectral"}, "norm is 'spectral', expected batch, instance or"),
        (
            dcgan.Generator,
            {"activation": "elu"},
            "activation is 'elu', expected relu or",
        ),
        (dcgan.Generator, {"upsampling": "cubic"}, "upsampling is 'cubic', expected deconvolution"),
        (dcgan.Generator, {"dropout": 1.0}, "dropout is 1.0, expected 0 up to"),
        (dcgan.Generator, {"dropout": -0.1}, "dropout is -0.1"),
        (dcgan.Generator, {"width": 0}, "width is 0, expected at least 1"),
        (dcgan.Discriminator, {"kernel": 6}, "kernel is '6', expected 4 or 5"),
        (dcgan.Discriminator, {"norm": "layer"}, "norm is 'layer', expected batch, instance, spec"),
        (dcgan.Discriminator, {"downsampling": "pool"}, "downsampling is 'pool', expected stride"),
        (patch.Discriminator, {"halvings": 5}, "halvings is 5, expected 1 to 4"),
        (patch.Discriminator, {"norm": "layer"}, "norm is 'layer'"),
        (minibatch.Discriminator, {"kernels": 0}, "kernels is 0, expected at least 1"),
        (minibatch.Discriminator, {"dimensions": 0}, "dimensions is 0, expected at least 1"),
        (began.Discriminator, {"code": 0}, "code is 0, expected at least 1"),
    ],
)
def test_impossible_values_are_refused(
    kind: type[networks.Architecture], values: dict[str, object], sentence: str
) -> None:
    with pytest.raises(ValueError, match=sentence):
        kind(**values)


def test_pictures_too_small_for_patches_are_refused() -> None:
    overrides = ["discriminator.network=patch", "discriminator.halvings=4"]
    with pytest.raises(UserError, match="image_size is 16, expected at least 32 for the 4"):
        tiny_recipe("dcgan", *overrides, "image_size=16")
    chosen = tiny_recipe("dcgan", *overrides, "image_size=32")
    architecture = chosen.discriminator.architecture
    assert run(ready(architecture.build(32)), normal(1, 3, 32, 32)).shape == (1, 1)
