"""A small network that names the words of pictures, a head for each group of them.

It measures generators and never trains one.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any, TypeVar

import numpy as np
from tqdm import tqdm

from edgegan.runtime.colour_classifier import resize
from edgegan.runtime.latent import Stream, philox
from edgegan.trainer.data import to_network_range
from edgegan.trainer.framework import HybridBlock, NDArray, autograd, gluon, mx, nn

IMAGE_SIZE = 64
WIDTHS = (16, 32, 48, 64)  # channels at 32, 16, 8 and 4 pixels: two features of each, 320 together
FEATURES = 2 * sum(WIDTHS)
LEAST_VARIANCE = 1e-5  # so that the root has a gradient where all activations are alike

SEED = 0
BATCH_SIZE = 64
LEARNING_RATE = 2e-3  # at first; it falls to 0 in a straight line
MOST_SHIFT = 4  # pixels
TOLD = 10  # times that a training tells a log how far it is

E = TypeVar("E", bound="Examples")


@dataclass(frozen=True)
class Examples:
    """Pictures uint8 (N, 64, 64, 3), and the number of each one's word by group, (N, groups)."""

    images: np.ndarray
    choices: np.ndarray

    def part(self: E, indices: np.ndarray) -> E:
        """The pictures of these indices, with their words."""
        return replace(self, images=self.images[indices], choices=self.choices[indices])


class Classifier(HybridBlock):
    """Images float32 (N, 3, 64, 64) in [-1, 1] -> features (N, 320), and logits for each group.

    The features are the means and the standard deviations over space of the activations at four
    depths: the means alone cannot tell a few sharp edges from grain all over. Each is standardised
    by the mean and variance that batch norm has kept from training (Ioffe and Szegedy 2015,
    https://arxiv.org/abs/1502.03167), so that no depth outweighs another in a distance. All heads
    read all of them: the shallow ones see texture, the deepest the whole face.

    Args:
        sizes: how many words each group has.
    """

    def __init__(self, sizes: Sequence[int]) -> None:
        super().__init__(prefix="classifier_")
        with self.name_scope():
            self.stages = nn.HybridSequential(prefix="")
            for depth, (inputs, outputs) in enumerate(zip([3, *WIDTHS], WIDTHS)):
                stage = nn.HybridSequential(prefix=f"stage{depth}_")
                with stage.name_scope():
                    stage.add(
                        nn.Conv2D(outputs, 4, 2, 1, in_channels=inputs, use_bias=False),
                        nn.BatchNorm(in_channels=outputs),
                        nn.Activation("relu"),
                        nn.Conv2D(outputs, 3, 1, 1, in_channels=outputs, use_bias=False),
                        nn.BatchNorm(in_channels=outputs),
                        nn.Activation("relu"),
                    )
                self.stages.add(stage)
            self.standardise = nn.BatchNorm(
                scale=False, center=False, in_channels=FEATURES, prefix="standardise_"
            )
            self.heads = nn.HybridSequential(prefix="")
            for number, size in enumerate(sizes):
                self.heads.add(nn.Dense(size, in_units=FEATURES, prefix=f"head{number}_"))

    def hybrid_forward(self, F: Any, image: Any) -> Any:  # noqa: N803 (gluon's name)
        activations, side = image, IMAGE_SIZE
        pooled = []
        for stage in self.stages:
            activations, side = stage(activations), side // 2
            pooled += mean_and_deviation(F, activations, side)
        features = self.standardise(F.concat(*pooled, dim=1))
        return (features, *(head(features) for head in self.heads))

    def name_words(self, images: np.ndarray) -> np.ndarray:
        """The likeliest words of uint8 (N, H, W, 3), RGB, at least one: int64 (N, groups)."""
        named = []
        for start in range(0, len(images), BATCH_SIZE):
            batch = resize(images[start : start + BATCH_SIZE], IMAGE_SIZE)
            _, *heads = self(mx.nd.array(to_network_range(batch, "signed")))
            named.append(np.stack([logits.asnumpy().argmax(axis=1) for logits in heads], axis=1))
        return np.concatenate(named)


def mean_and_deviation(F: Any, activations: Any, side: int) -> list[Any]:  # noqa: N803 (gluon's name)
    """What is seen of maps (N, C, side, side) without their places: two of (N, C)."""
    # Sums, since mxnet's exporter writes a mean that newer opsets do not know, and its pooling is
    # slow to differentiate.
    mean = activations.sum(axis=(2, 3), keepdims=True) / side**2
    square = F.broadcast_sub(activations, mean).square().sum(axis=(2, 3)) / side**2
    return [mean.flatten(), (square + LEAST_VARIANCE).sqrt()]


def train(examples: Examples, sizes: Sequence[int], steps: int, name: str) -> Classifier:
    """A classifier after so many steps with Adam; repeatable on the same machine.

    Every pass is a new order of the examples, of which there is at least one.

    Args:
        sizes: how many words each group has.
        name: of what is going on, for the line of progress.
    """
    network = Classifier(sizes)
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    batch_size = min(BATCH_SIZE, len(examples.images))
    batches = len(examples.images) // batch_size  # of a pass

    @lru_cache(maxsize=1)
    def order_of(epoch: int) -> np.ndarray:
        return philox(SEED, Stream.SHUFFLE, epoch).permutation(len(examples.images))

    def loss_of(step: int) -> NDArray:
        epoch, place = divmod(step, batches)
        batch = examples.part(order_of(epoch)[place * batch_size : (place + 1) * batch_size])
        images = to_network_range(augment(batch.images, step), "signed")
        choices = mx.nd.array(batch.choices)
        with autograd.record():
            _, *heads = network(mx.nd.array(images))
            losses = [cross_entropy(head, words) for head, words in zip(heads, choices.T)]
            return mx.nd.add_n(*losses)

    learn(network, loss_of, steps, LEARNING_RATE, name)
    return network


def learn(
    network: HybridBlock, loss_of: Callable[[int], NDArray], steps: int, rate: float, name: str
) -> None:
    """Initialise a network and take so many steps with Adam; repeatable on the same machine.

    Args:
        loss_of: the losses of a step's examples, (N,), or their mean, (1,), recorded.
        rate: of learning at first; it falls to 0 in a straight line.
        name: of what is going on, for the line of progress.
    """
    _initialise(network)
    network.hybridize(static_alloc=True, static_shape=True)
    schedule = mx.lr_scheduler.PolyScheduler(steps, rate, pwr=1)
    optimizer = mx.optimizer.Adam(learning_rate=rate, lr_scheduler=schedule)
    trainer = gluon.Trainer(network.collect_params(), optimizer)
    for step in tqdm(range(steps), name, disable=None):
        loss = loss_of(step)
        loss.backward()
        trainer.step(loss.size)
        if not sys.stderr.isatty() and (step + 1) % max(steps // TOLD, 1) == 0:
            mean = loss.mean().asscalar()
            print(f"{name}: step {step + 1} of {steps}, loss {mean:.3f}", file=sys.stderr)
    mx.nd.waitall()  # batch norm's statistics are read right after, and nothing else waits for them


def augment(images: np.ndarray, index: int) -> np.ndarray:
    """Mirror and shift pictures, uint8 (N, 64, 64, 3), by the draws of batch ``index``.

    Nothing that changes colours or blurs: the features must see that.
    """
    draws = philox(SEED, Stream.AUGMENTATION, index)
    mirrored = draws.random(len(images)) < 0.5
    shifts = draws.integers(0, 2 * MOST_SHIFT + 1, (len(images), 2))
    borders = (0, 0), (MOST_SHIFT, MOST_SHIFT), (MOST_SHIFT, MOST_SHIFT), (0, 0)
    padded = np.pad(images, borders, mode="reflect")
    padded[mirrored] = padded[mirrored, :, ::-1]
    moved = [
        picture[top : top + IMAGE_SIZE, left : left + IMAGE_SIZE]
        for picture, (top, left) in zip(padded, shifts)
    ]
    return np.stack(moved)


def _initialise(network: HybridBlock) -> None:
    """Draw all weights from N(0, 2 / inputs): He et al. 2015, https://arxiv.org/abs/1502.01852."""
    network.initialize()
    for index, parameter in enumerate(network.collect_params(".*weight").values()):
        deviation = math.sqrt(2 / math.prod(parameter.shape[1:]))
        draws = philox(SEED, Stream.INITIALISATION, index)
        parameter.set_data(draws.normal(0, deviation, parameter.shape).astype(np.float32))
