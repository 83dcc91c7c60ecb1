"""The two networks of the eye measure, and how they learn: the only part of it that needs mxnet.

Neither sees a generated picture. The locator learns where eyes are without being told: it has to
name the colour of a face's eyes from what it sees at one place of either half, and that place it
chooses itself. The matcher learns from pairs that are made of real eyes.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from edgegan.runtime.latent import Stream, philox
from edgegan.trainer.classifier import SEED, Examples, augment, learn, mean_and_deviation
from edgegan.trainer.data import to_network_range
from edgegan.trainer.eyes.made_pairs import PairMaker
from edgegan.trainer.eyes.measure import CELLS, CHANNELS, EYE_SIZE, ROWS, matcher_input
from edgegan.trainer.framework import HybridBlock, NDArray, autograd, gluon, mx, nn

LOCATOR_WIDTH = 16
LOCATOR_STEPS = 400
LEFT_HALF = slice(3, 16)  # columns of the locator's map in which the left eye is looked for
ELSEWHERE = -30.0  # added to the logits there
LOCATOR_LEARNING_RATE = 3e-3  # at first, both; they fall to 0 in a straight line

MATCHER_WIDTHS = (12, 16, 24)  # channels at 12, 6 and 3 pixels
MATCHER_HIDDEN = 16
MATCHER_STEPS = 2500
MATCHER_LEARNING_RATE = 2e-3

BATCH_SIZE = 48


class Locator(HybridBlock):
    """Images float32 (N, 3, 64, 64) in [-1, 1] -> logits of each place, of being an eye's, (N, 1,
    32, 32), and of its colour, (N, colours, 32, 32).
    """

    def __init__(self, colours: int) -> None:
        super().__init__(prefix="locator_")
        with self.name_scope():
            self.trunk = nn.HybridSequential(prefix="")
            with self.trunk.name_scope():
                _add_layer(self.trunk, 3, LOCATOR_WIDTH, 4, 2)
                _add_layer(self.trunk, LOCATOR_WIDTH, LOCATOR_WIDTH, 3, 1)
                # Two pixels apart, so that a whole eye is seen.
                _add_layer(self.trunk, LOCATOR_WIDTH, LOCATOR_WIDTH, 3, 1, dilation=2)
                _add_layer(self.trunk, LOCATOR_WIDTH, LOCATOR_WIDTH, 3, 1)
            self.eyes = nn.Conv2D(1, 1, in_channels=LOCATOR_WIDTH, prefix="eyes_")
            self.colours = nn.Conv2D(colours, 1, in_channels=LOCATOR_WIDTH, prefix="colours_")

    def hybrid_forward(self, F: Any, image: Any) -> Any:  # noqa: N803 (gluon's name)
        seen = self.trunk(image)
        return self.eyes(seen), self.colours(seen)


class Matcher(HybridBlock):
    """Left eyes and mirrored right ones, float32 (N, 5, 24, 24) each, -> logits (N, 1).

    They are how surely both agree, and the same whichever comes first: what is compared are the
    mean and the difference's absolute value of what is seen of either.
    """

    def __init__(self) -> None:
        super().__init__(prefix="matcher_")
        with self.name_scope():
            self.stages = nn.HybridSequential(prefix="")
            for depth, (inputs, outputs) in enumerate(
                zip([CHANNELS, *MATCHER_WIDTHS], MATCHER_WIDTHS)
            ):
                stage = nn.HybridSequential(prefix=f"stage{depth}_")
                with stage.name_scope():
                    _add_layer(stage, inputs, outputs, 4, 2)
                    if depth:
                        _add_layer(stage, outputs, outputs, 3, 1)
                self.stages.add(stage)
            cells = (EYE_SIZE // 2 ** len(MATCHER_WIDTHS)) ** 2
            features = 2 * sum(MATCHER_WIDTHS) + cells * MATCHER_WIDTHS[-1]
            self.standardise = nn.BatchNorm(
                scale=False, center=False, in_channels=features, prefix="standardise_"
            )
            self.hidden = nn.Dense(
                MATCHER_HIDDEN, in_units=2 * features, activation="relu", prefix="hidden_"
            )
            self.output = nn.Dense(1, in_units=MATCHER_HIDDEN, prefix="output_")

    def hybrid_forward(self, F: Any, left: Any, right: Any) -> Any:  # noqa: N803 (gluon's name)
        # Together, so that batch norm sees both in training.
        features = self._features(F, F.concat(left, right, dim=0))
        one, other = F.split(features, 2, axis=0)
        compared = F.concat((one - other).abs(), (one + other) / 2, dim=1)
        return self.output(self.hidden(compared))

    def _features(self, F: Any, eyes: Any) -> Any:  # noqa: N803 (gluon's name)
        """Means and standard deviations at three depths, which tell colour and sharpness, and
        what is where at the deepest."""
        activations, side = eyes, EYE_SIZE
        seen = []
        for stage in self.stages:
            activations, side = stage(activations), side // 2
            seen += mean_and_deviation(F, activations, side)
        return self.standardise(F.concat(*seen, activations.flatten(), dim=1))


def train_locator(examples: Examples, colours: int) -> Locator:
    """A locator that has learnt from faces and the numbers of their eyes' colours, (N, 1)."""
    network = Locator(colours)
    left = np.full((1, 1, CELLS, CELLS), ELSEWHERE, np.float32)
    left[..., ROWS, LEFT_HALF] = 0
    halves = [mx.nd.array(half) for half in (left, left[..., ::-1])]
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()

    def loss_of(step: int) -> NDArray:
        random = philox(SEED, Stream.SHUFFLE, step)
        batch = examples.part(random.integers(0, len(examples.images), BATCH_SIZE))
        images = mx.nd.array(to_network_range(augment(batch.images, step), "signed"))
        choices = mx.nd.array(batch.choices[:, 0])
        with autograd.record():
            eyes, seen = network(images)
            seen = seen.reshape((BATCH_SIZE, colours, -1))
            losses = []
            for half in halves:
                weights = mx.nd.broadcast_add(eyes, half).reshape((BATCH_SIZE, 1, -1)).softmax()
                named = mx.nd.broadcast_mul(seen, weights).sum(axis=2)
                losses.append(cross_entropy(named, choices).mean())
            return mx.nd.add_n(*losses) / len(losses)

    learn(network, loss_of, LOCATOR_STEPS, LOCATOR_LEARNING_RATE, "learning where eyes are")
    return network


def train_matcher(pairs: PairMaker) -> Matcher:
    """A matcher that has learnt from made pairs."""
    network = Matcher()
    cross_entropy = gluon.loss.SigmoidBCELoss()

    def loss_of(step: int) -> NDArray:
        eyes, match = pairs.make(BATCH_SIZE, philox(SEED, Stream.AUGMENTATION, step))
        left, right = (mx.nd.array(matcher_input(eyes[:, side])) for side in (0, 1))
        with autograd.record():
            return cross_entropy(network(left, right), mx.nd.array(match)).mean()

    learn(network, loss_of, MATCHER_STEPS, MATCHER_LEARNING_RATE, "learning which eyes agree")
    return network


def _add_layer(
    to: nn.HybridSequential, inputs: int, outputs: int, kernel: int, stride: int, dilation: int = 1
) -> None:
    padding = dilation * (kernel - 1) // 2
    to.add(
        nn.Conv2D(
            outputs,
            kernel,
            stride,
            padding,
            dilation=dilation,
            in_channels=inputs,
            use_bias=False,
        ),
        nn.BatchNorm(in_channels=outputs),
        nn.Activation("relu"),
    )
