"""Every architecture: shapes, ranges, the layers and the numbers that the sources tell of."""

from __future__ import annotations

from dataclasses import replace
from statistics import NormalDist

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import HybridBlock

from edgegan.runtime.errors import UserError
from edgegan.trainer import layers, networks, recipe
from edgegan.trainer.bfloat16 import check, compute_in_bfloat16
from edgegan.trainer.framework import bfloat16
from edgegan.trainer.layers import (
    ACTIVATIONS,
    DOWNSAMPLINGS,
    NORMS,
    UPSAMPLINGS,
    AveragePooling,
    Convolution,
    Residual,
    TransposedConvolution,
    walk,
)
from edgegan.trainer.loop import Training, make_generator
from edgegan.trainer.networks import (
    Latent,
    began,
    dcgan,
    hw3_baseline,
    minibatch,
    patch,
    resnet,
)
from edgegan.trainer.networks.dcgan import channels
from edgegan.trainer.optimizer import trained_parameters
from training_help import EVERY_DISCRIMINATOR, EVERY_GENERATOR, tiny_recipe

SIZES = (8, 16, 32)
GENERATORS = [
    *(kind(2) for kind in EVERY_GENERATOR.values()),
    *(dcgan.DcganGenerator(2, norm=norm) for norm in ("batch", "instance", "none")),
    *(dcgan.DcganGenerator(2, upsampling=upsampling) for upsampling in UPSAMPLINGS),
    dcgan.DcganGenerator(2, kernel=5),
    dcgan.DcganGenerator(2, activation="leaky_relu"),
    dcgan.DcganGenerator(2, dropout=0.4),
]
DISCRIMINATORS = [
    *(kind(2) for kind in EVERY_DISCRIMINATOR.values()),
    *(dcgan.DcganDiscriminator(2, norm=norm) for norm in NORMS),
    *(dcgan.DcganDiscriminator(2, downsampling=downsampling) for downsampling in DOWNSAMPLINGS),
    *(dcgan.DcganDiscriminator(2, activation=activation) for activation in ACTIVATIONS),
    dcgan.DcganDiscriminator(2, kernel=5, normalise_first=True),
    dcgan.DcganDiscriminator(2, mirrored=8),
    resnet.ResnetDiscriminator(2, norm="none"),
]


def describe(architecture: networks.Architecture) -> str:
    return repr(architecture).replace("edgegan.trainer.networks.", "")


def normal(*shape: int) -> np.ndarray:
    return np.random.default_rng(shape).standard_normal(shape).astype(np.float32)


def ready(network: HybridBlock, deviation: float = 0.2) -> HybridBlock:
    network.initialize(mx.init.Normal(deviation))
    return network


def built(
    architecture: networks.GeneratorArchitecture,
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
    architecture: networks.GeneratorArchitecture, image_size: int
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
    architecture: networks.DiscriminatorArchitecture, image_size: int
) -> None:
    try:
        architecture.check(image_size)
    except ValueError as error:
        assert f"image_size is {image_size}, expected" in str(error)  # noqa: PT017
        return
    network, pictures = ready(architecture.build(image_size)), normal(3, 3, image_size, image_size)
    scores = run(network, pictures)
    assert len(scores) == 3
    assert scores.ndim in (1, 2)  # of pictures, or of their patches
    assert scores.dtype == np.float32
    assert len({score.tobytes() for score in scores}) == 3
    alone = np.concatenate([run(network, pictures[i : i + 1]) for i in range(3)])
    assert np.allclose(scores, alone, rtol=1e-4, atol=1e-6) != architecture.scores_batches


def check_computes_in_bfloat16(network: HybridBlock) -> None:
    """By the types that mxnet infers, which takes no processor that has the format."""
    compute_in_bfloat16(ready(network))
    inside = network(mx.sym.var("input")).get_internals()
    _, found, _ = inside.infer_type(input="float32")
    types = dict(zip(inside.list_outputs(), found))
    for layer in walk(network):
        if isinstance(layer, (Convolution, TransposedConvolution)):
            assert types[f"{layer.prefix}fwd_output"] == bfloat16, layer.name
    assert types[inside.list_outputs()[-1]] == np.float32


@pytest.mark.parametrize("image_size", [16])
@pytest.mark.parametrize("architecture", [*GENERATORS, *DISCRIMINATORS], ids=describe)
def test_every_architecture_computes_in_bfloat16_or_is_refused_by_name(
    architecture: networks.Architecture, image_size: int
) -> None:
    if isinstance(architecture, networks.GeneratorArchitecture):
        network = architecture.build(Latent(5), image_size, "signed")
    else:
        network = architecture.build(image_size)
    try:
        check(network)
    except ValueError as error:
        kinds: set[str] = set()
        network.apply(lambda block: kinds.add(type(block).__name__.lstrip("_")))
        found = str(error).rpartition("found ")[2]
        assert found in kinds
        assert found != "Dense"  # which the sentence says are known
    else:
        check_computes_in_bfloat16(network)


@pytest.mark.parametrize(("halvings", "image_size"), [(1, 8), (2, 8), (3, 16), (3, 64), (4, 32)])
@pytest.mark.parametrize("norm", NORMS)
def test_a_patch_discriminator_gives_every_patch_a_score(
    norm: str, halvings: int, image_size: int
) -> None:
    architecture = patch.PatchDiscriminator(2, halvings, norm)
    architecture.check(image_size)
    scores = run(ready(architecture.build(image_size)), normal(2, 3, image_size, image_size))
    assert scores.shape == (2, (image_size // 2**halvings - 1) ** 2)
    assert scores.dtype == np.float32


@pytest.mark.parametrize(("halvings", "width"), [(1, 10), (2, 22), (3, 46), (4, 94)])
def test_a_patch_is_as_wide_as_is_said(halvings: int, width: int) -> None:
    image_size = 8 << halvings  # so that the patch in the middle is inside
    network = ready(patch.PatchDiscriminator(1, halvings, "none").build(image_size))
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
    generator = dcgan.DcganGenerator(width, kernel=kernel).build(Latent(5), image_size, "signed")
    c = [width * 2**k for k in range(int(np.log2(image_size)) - 2)]
    between = kernel**2 * sum(one * other for one, other in zip(c, c[1:]))
    image = kernel**2 * 3 * width
    assert numbers(generator) == 4 * 4 * 5 * c[-1] + between + 2 * sum(c) + image + 3
    dropping = dcgan.DcganGenerator(width, kernel=kernel, dropout=0.5)
    assert numbers(dropping.build(Latent(5), image_size, "signed")) == numbers(generator)
    without_norm = image + between + 4 * 4 * c[-1] + 1
    for norm, added in (
        ("batch", width + 2 * sum(c[1:])),
        ("instance", width + 2 * sum(c[1:])),
        ("spectral", sum(c)),
        ("none", sum(c)),
    ):
        discriminator = dcgan.DcganDiscriminator(width, kernel=kernel, norm=norm).build(image_size)
        assert numbers(discriminator) == without_norm + added, norm
    first_too = dcgan.DcganDiscriminator(width, kernel=kernel, normalise_first=True).build(
        image_size
    )
    assert numbers(first_too) == without_norm + 2 * sum(c)


@pytest.mark.parametrize("upsampling", ["pixel_shuffle", "nearest"])
def test_number_of_parameters_of_resampling_networks(upsampling: str) -> None:
    """3 x 3 convolutions in the place of those of stride 2; a shuffle takes four times the maps."""
    maps = 4 if upsampling == "pixel_shuffle" else 1
    generator = dcgan.DcganGenerator(3, upsampling=upsampling).build(Latent(5), 32, "signed")
    hidden = 4 * 4 * 5 * 12 + 9 * maps * (12 * 6 + 6 * 3) + 2 * (12 + 6 + 3)
    assert numbers(generator) == hidden + 9 * maps * 3 * 3 + maps * 3
    for downsampling in ("max_pool", "average_pool"):
        discriminator = dcgan.DcganDiscriminator(3, downsampling=downsampling).build(32)
        convolutions = 9 * (3 * 3 + 3 * 6 + 6 * 12) + 4 * 4 * 12
        assert numbers(discriminator) == convolutions + 3 + 2 * (6 + 12) + 1


@pytest.mark.parametrize("halvings", [1, 2, 3, 4])
def test_number_of_parameters_of_patch(halvings: int) -> None:
    c = [3, *(5 * 2**k for k in range(halvings))]
    convolutions = 4 * 4 * sum(one * other for one, other in zip(c, [*c[1:], 1]))
    discriminator = patch.PatchDiscriminator(5, halvings).build(64)
    assert numbers(discriminator) == convolutions + 5 + 2 * sum(c[2:]) + 1


def test_number_of_parameters_of_minibatch() -> None:
    plain = dcgan.DcganDiscriminator(3).build(32)
    discriminator = minibatch.MinibatchDiscriminator(3, kernels=7, dimensions=2).build(32)
    features = 4 * 4 * 12
    expected = numbers(plain) + features * 7 * 2 + 7
    assert numbers(discriminator) == expected + 7 * 2  # a scale each
    older = minibatch.MinibatchDiscriminator(3, kernels=7, dimensions=2, weight_norm=False)
    assert numbers(older.build(32)) == expected


def test_began_has_as_many_parameters_as_its_source() -> None:
    assert numbers(began.BeganGenerator().build(Latent(64), 64, "signed")) == 3_019_651
    assert numbers(began.BeganDiscriminator().build(64)) == 13_889_603


def test_the_baseline_has_the_layers_of_the_assignment() -> None:
    generator = hw3_baseline.Hw3BaselineGenerator().build(Latent(100), 64, "signed")
    assert weights(generator) == [
        (128 * 16 * 16, 100),
        (128, 128, 4, 4),
        (64, 128, 4, 4),
        (3, 64, 4, 4),
    ]
    discriminator = hw3_baseline.Hw3BaselineDiscriminator().build(64)
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
    generator = dcgan.DcganGenerator(width, kernel).build(Latent(latent_size), 64, "signed")
    discriminator = dcgan.DcganDiscriminator(width, kernel).build(64)
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
        architecture = dcgan.DcganDiscriminator(kernel=5, normalise_first=normalise_first)
        gammas = architecture.build(64).collect_params(".*gamma").values()
        assert tuple(parameter.shape[0] for parameter in gammas) == expected


def test_the_generators_first_layer_is_a_dense_one() -> None:
    network = built(dcgan.DcganGenerator(3, norm="none"), 16)
    latents = normal(4, 5)
    reshape, deconvolution = network[0], network[1]
    weight = deconvolution.weight.data().asnumpy()  # (5, C, 4, 4)
    maps = deconvolution(reshape(mx.nd.array(latents))).asnumpy()
    assert maps.shape == (4, 6, 4, 4)
    expected = latents @ weight.reshape(5, -1)
    np.testing.assert_allclose(maps.reshape(4, -1), expected, rtol=1e-4, atol=1e-5)


def test_the_discriminators_last_layer_is_a_dense_one() -> None:
    network = ready(dcgan.DcganDiscriminator(3, norm="none").build(16))
    score = network[-2]
    maps = normal(4, 6, 4, 4)
    weight = score.weight.data().asnumpy().reshape(1, -1)
    found = network[-1](score(mx.nd.array(maps))).asnumpy()
    np.testing.assert_allclose(found, maps.reshape(4, -1) @ weight[0], rtol=1e-4, atol=1e-5)


def test_began_scores_by_the_mean_absolute_error_of_its_autoencoder() -> None:
    network = ready(began.BeganDiscriminator(2, code=3).build(8))
    images = normal(4, 3, 8, 8)
    made = run(network.autoencoder, images)
    expected = np.abs(images - made).reshape(4, -1).mean(axis=1)
    np.testing.assert_allclose(run(network, images), expected, rtol=1e-5)


@pytest.mark.parametrize(("image_size", "doublings"), [(16, 0), (64, 2), (128, 3)])
def test_the_residual_generator_has_the_layers_of_its_source(
    image_size: int, doublings: int
) -> None:
    """Jin et al. 2017, section 3.1: 16 blocks, 64 channels, 9 x 9 at the end."""
    network = resnet.ResnetGenerator().build(Latent(128), image_size, "signed")
    assert weights(network) == [
        (64 * 16 * 16, 128),
        *[(64, 64, 3, 3)] * 32,
        *[(256, 64, 3, 3)] * doublings,
        (3, 64, 9, 9),
    ]
    norms = network.collect_params(".*gamma").keys()
    assert len(norms) == 1 + 32 + 1 + doublings


@pytest.mark.parametrize(
    ("image_size", "channels_of_blocks"),
    [
        (8, [64, 128]),
        (64, [64, 128, 256, 512, 1024]),
        (128, [64, 128, 256, 512, 1024, 1024]),
        (256, [64, 128, 256, 512, 1024, 1024, 1024]),
    ],
)
def test_the_residual_discriminator_has_the_layers_of_its_source(
    image_size: int, channels_of_blocks: list[int]
) -> None:
    """Miyato et al. 2018, tables 5 and 6: the last block halves nothing."""
    network = resnet.ResnetDiscriminator().build(image_size)
    expected, inputs = [], 3
    for depth, outputs in enumerate(channels_of_blocks):
        hidden = inputs if depth else outputs
        expected += [(hidden, inputs, 3, 3), (outputs, hidden, 3, 3)]
        if inputs != outputs:
            expected.append((outputs, inputs, 1, 1))
        inputs = outputs
    assert weights(network) == [*expected, (1, inputs)]
    vectors = network.collect_params(".*left_vector").values()
    assert len(vectors) == len(expected) + 1  # a spectral norm of every weight
    pools = [layer for layer in walk(network) if isinstance(layer, AveragePooling)]
    assert len(pools) == 2 * (len(channels_of_blocks) - 1)


def test_a_residual_block_is_the_sum_of_both_ways() -> None:
    def half(way: float) -> HybridBlock:
        made = layers.convolution(1, 1, 1, name=f"a{way}")
        made.initialize(mx.init.Constant(way))
        return made

    x = normal(2, 1, 3, 3)
    block = Residual("block", [half(0.5), half(0.25)], [half(3)])
    np.testing.assert_allclose(run(block, x), (0.125 + 3) * x, rtol=1e-6)
    plain = Residual("block", [half(0.5)])
    np.testing.assert_allclose(run(plain, x), 1.5 * x, rtol=1e-6)


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


@pytest.mark.parametrize("network", ["began", "hw3_baseline", "resnet"])
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
                if network == "resnet" and field == [3, 3]:
                    bound *= np.sqrt(2)
            assert np.abs(values).max() <= bound * (1 + 1e-6), name
            deviation = bound / np.sqrt(3)
            assert abs(values.mean()) < 5 * deviation / np.sqrt(values.size), name
            # A uniform square has the relative deviation sqrt(4/5).
            assert abs(values.var() / deviation**2 - 1) < 5 * np.sqrt(0.8 / values.size), name


@pytest.mark.parametrize("image_size", [8, 64])
def test_dropout_takes_one_number_a_channel_besides_the_latent(image_size: int) -> None:
    plain, dropping = dcgan.DcganGenerator(3), dcgan.DcganGenerator(3, dropout=0.5)
    assert plain.input_size(7, image_size) == 7
    expected = 7 + sum(3 * 2**k for k in range(int(np.log2(image_size)) - 2))
    assert dropping.input_size(7, image_size) == expected
    assert replace(tiny_recipe(), image_size=image_size).input_size == 6


def dropped_channels(latent: Latent, dropout: float, numbers: np.ndarray) -> np.ndarray:
    """What a generator of 8 x 8 pictures scales its C channels by for numbers (N, C).

    Its only hidden layer gives 1 everywhere.
    """
    count = numbers.shape[1]
    network = dcgan.DcganGenerator(count, norm="none", dropout=dropout).build(latent, 8, "signed")
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
    network = built(dcgan.DcganGenerator(4, dropout=0.5), 16)
    latents = normal(3, dcgan.DcganGenerator(4, dropout=0.5).input_size(5, 16))
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
        (dcgan.DcganGenerator, {"kernel": 3}, "kernel 3 is unknown: expected one of 4, 5"),
        (
            dcgan.DcganGenerator,
            {"norm": "spectral"},
            "norm 'spectral' is unknown: expected one of batch",
        ),
        (
            dcgan.DcganGenerator,
            {"activation": "elu"},
            "activation 'elu' is unknown: did you mean relu",
        ),
        (
            dcgan.DcganGenerator,
            {"upsampling": "cubic"},
            "upsampling 'cubic' is unknown: expected one of dec",
        ),
        (dcgan.DcganGenerator, {"dropout": 1.0}, "dropout is 1.0, expected 0 up to"),
        (dcgan.DcganGenerator, {"dropout": -0.1}, "dropout is -0.1"),
        (dcgan.DcganGenerator, {"width": 0}, "width is 0, expected 1 to 4096"),
        (dcgan.DcganDiscriminator, {"kernel": 6}, "kernel 6 is unknown: expected one of 4, 5"),
        (
            dcgan.DcganDiscriminator,
            {"norm": "layer"},
            "norm 'layer' is unknown: expected one of batch, in",
        ),
        (
            dcgan.DcganDiscriminator,
            {"downsampling": "pool"},
            "downsampling 'pool' is unknown: did you mean",
        ),
        (patch.PatchDiscriminator, {"halvings": 5}, "halvings is 5, expected 1 to 4"),
        (patch.PatchDiscriminator, {"norm": "layer"}, "norm 'layer' is unknown"),
        (minibatch.MinibatchDiscriminator, {"kernels": 0}, "kernels is 0, expected at least 1"),
        (
            minibatch.MinibatchDiscriminator,
            {"dimensions": 0},
            "dimensions is 0, expected at least 1",
        ),
        (began.BeganDiscriminator, {"code": 0}, "code is 0, expected at least 1"),
        (resnet.ResnetGenerator, {"blocks": 0}, "blocks is 0, expected at least 1"),
        (resnet.ResnetDiscriminator, {"norm": "batch"}, "norm 'batch' is unknown: expected one of"),
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
