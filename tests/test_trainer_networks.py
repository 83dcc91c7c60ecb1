"""The DCGAN pair: shapes, ranges, and the layers that the source tells of."""

from __future__ import annotations

import mxnet as mx
import numpy as np
import pytest
from mxnet.gluon import HybridBlock

from trainer.loop import Training, make_generator
from trainer.networks import Latent, dcgan
from trainer.optimizer import trained_parameters
from trainer.recipe import load

KERNEL = 4 * 4


def pair(width: int, image_size: int, latent_size: int = 5) -> tuple[HybridBlock, HybridBlock]:
    made = (
        dcgan.Generator(width).build(Latent(latent_size), image_size, "signed"),
        dcgan.Discriminator(width).build(image_size),
    )
    for network in made:
        network.initialize(mx.init.Normal(0.2))
    return made


def numbers(network: HybridBlock) -> int:
    return sum(int(np.prod(parameter.shape)) for parameter in trained_parameters(network))


@pytest.mark.parametrize("image_size", [8, 16, 32, 64, 128])
def test_shapes_and_range(image_size: int) -> None:
    generator, discriminator = pair(2, image_size)
    images = generator(mx.nd.random.normal(shape=(3, 5)) * 100)
    assert images.shape == (3, 3, image_size, image_size)
    assert images.dtype == np.float32
    assert np.abs(images.asnumpy()).max() <= 1
    assert images.asnumpy().std() > 0
    scores = discriminator(images)
    assert scores.shape == (3,)
    assert scores.dtype == np.float32


@pytest.mark.parametrize(("width", "image_size"), [(1, 8), (3, 32), (2, 64), (2, 128)])
def test_number_of_parameters(width: int, image_size: int) -> None:
    """With c_k = width * 2^k, k = 0..n-1, and n = log2(S) - 2 hidden layers each way."""
    generator, discriminator = pair(width, image_size)
    n = int(np.log2(image_size)) - 2
    c = [width * 2**k for k in range(n)]
    between = KERNEL * sum(one * other for one, other in zip(c, c[1:]))
    image = KERNEL * 3 * width
    assert numbers(generator) == KERNEL * 5 * c[-1] + between + 2 * sum(c) + image + 3
    assert numbers(discriminator) == image + width + between + 2 * sum(c[1:]) + KERNEL * c[-1] + 1


def test_the_layers_are_those_of_the_source() -> None:
    recipe = load("dcgan")
    generator = make_generator(recipe, mx.cpu())
    weights = [p.shape for p in generator.collect_params(".*weight").values()]
    assert weights == [
        (128, 512, 4, 4),
        (512, 256, 4, 4),
        (256, 128, 4, 4),
        (128, 64, 4, 4),
        (64, 3, 4, 4),
    ]
    discriminator = dcgan.Discriminator(64).build(64)
    weights = [p.shape for p in discriminator.collect_params(".*weight").values()]
    assert weights == [
        (64, 3, 4, 4),
        (128, 64, 4, 4),
        (256, 128, 4, 4),
        (512, 256, 4, 4),
        (1, 512, 4, 4),
    ]


def test_initial_weights_are_normal_with_the_deviation_of_the_paper() -> None:
    training = Training(load("dcgan", ["generator.width=16"]), 3, mx.cpu(), pictures=100)
    for name, parameter in training.generator.collect_params().items():
        values = parameter.data().asnumpy()
        if name.endswith("weight"):
            # Five standard errors of mean and deviation.
            assert abs(values.mean()) < 5 * 0.02 / np.sqrt(values.size), name
            assert abs(values.std() - 0.02) < 5 * 0.02 / np.sqrt(2 * values.size), name
        else:
            expected = 1 if name.endswith(("gamma", "running_var")) else 0
            assert (values == expected).all(), name
