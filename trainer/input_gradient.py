"""The gradient of a score with respect to its picture, as something that mxnet can differentiate.

A penalty on that gradient needs the second derivative of a critic, and mxnet's convolution has
none (``_backward_Convolution`` has no gradient). But between the kinks of its (leaky) ReLUs a
critic is linear in the picture, so the gradient of its score is a chain of its layers transposed,
with the critic's own weights and the slopes of the ReLUs. That chain is written out here, and mxnet
differentiates it once, which makes the second derivative.
"""

from __future__ import annotations

from functools import reduce
from typing import Callable

from edgegan.trainer.bfloat16 import ToFloat32
from edgegan.trainer.conditioned_networks import ConditionedDiscriminator
from edgegan.trainer.framework import HybridBlock, NDArray, autograd, mx, nn
from edgegan.trainer.layers import (
    Convolution,
    GlobalSum,
    Mirrored,
    Padding,
    Reshape,
    Residual,
    SpectralNorm,
    walk,
)

Transposed = Callable[[NDArray], NDArray]  # from the gradient at an output to that at the input

WHY_NOT = (
    (nn.BatchNorm, "with it a picture's gradient depends on the others of its batch"),
    (nn.InstanceNorm, "it divides by the deviation of a picture, so it is linear nowhere"),
    (nn.MaxPool2D, "mxnet does not tell which pixel was the largest"),
)
WHY_NO_OTHER = (
    "known are convolutions, dense layers, average pooling without overlap, sums, ReLU and "
    "leaky ReLU, with a spectral norm or none"
)


class InputGradient:
    """The gradient of each picture's score with respect to the picture.

    Use: ``gradient`` inside ``autograd.record()``, ``backward`` of a loss of it, then ``gather``.
    """

    def __init__(self, critic: HybridBlock, pictures: NDArray, *conditions: NDArray) -> None:
        """Show the critic the pictures.

        Args:
            critic: where it judges patches, a picture's score is the mean of theirs.
            pictures: float32 (N, 3, S, S).
            conditions: what a critic that takes words is told of them, float32 (N, W).

        Raises:
            ValueError: the critic has a layer that the gradient is not known through.
        """
        check(critic)
        self._weights: list[_Weight] = []
        self._transposed, scores = self._follow(critic, pictures, *conditions)
        patches = scores.size // len(pictures)
        self._start = mx.nd.ones_like(scores) / patches  # of the sum of D over the pictures

    def gradient(self) -> NDArray:
        """The gradients, float32 (N, 3, S, S), as a function of the critic's weights."""
        return self._transposed(self._start)

    def gather(self) -> None:
        """Add what ``backward`` found for the weights to the gradients that the critic has."""
        for weight in self._weights:
            weight.gather()

    def _follow(
        self, block: HybridBlock, x: NDArray, *conditions: NDArray
    ) -> tuple[Transposed, NDArray]:
        """A block transposed, and what it makes of ``x``."""
        if isinstance(block, ConditionedDiscriminator):
            trunk, maps = self._follow(block.core, x)
            head, scores = block.head.transposed(self._follow, maps, *conditions)
            return lambda gradient: trunk(head(gradient)), scores
        if type(block) is nn.HybridSequential:
            chain = []
            for layer in block:
                transposed, x = self._follow(layer, x)
                chain.append(transposed)
            return lambda gradient: reduce(lambda g, back: back(g), chain[::-1], gradient), x
        if isinstance(block, Residual):
            body, of_body = self._follow(block.body, x)
            shortcut, of_shortcut = self._follow(block.shortcut, x)
            return lambda gradient: body(gradient) + shortcut(gradient), of_body + of_shortcut
        if (slope := _slope(block)) is not None:
            slopes = mx.nd.maximum(x > 0, slope)
            return lambda gradient: gradient * slopes, x * slopes
        output = mx.nd.amp_cast(block(x), dtype="float32")  # the layer may work in bfloat16
        return self._linear(block, x.shape), output

    def _linear(self, layer: HybridBlock, shape: tuple[int, ...]) -> Transposed:
        """A layer that is linear in what it takes, an array of that shape, transposed."""
        if isinstance(layer, Convolution):
            return self._convolution(layer, shape[2])
        if isinstance(layer, nn.Dense):
            copy = self._copy_of_weight(layer)
            return lambda gradient: mx.nd.dot(gradient, copy).reshape(shape)
        if isinstance(layer, nn.AvgPool2D):
            side = layer._kwargs["kernel"][0]
            return lambda gradient: (
                mx.nd.UpSampling(gradient, scale=side, sample_type="nearest") / side**2
            )
        if isinstance(layer, GlobalSum):
            return lambda gradient: gradient.reshape((0, 0, 1, 1)).broadcast_to(shape)
        if isinstance(layer, Mirrored):
            return lambda gradient: _unmirrored(*mx.nd.split(gradient, 2, axis=1))
        if isinstance(layer, Padding):
            first, (_, _, *sides) = layer.before, shape
            ends = (None, None, *(first + side for side in sides))
            return lambda gradient: gradient.slice((None, None, first, first), ends)
        return lambda gradient: gradient.reshape(shape)

    def _convolution(self, layer: Convolution, input_size: int) -> Transposed:
        """A transposed convolution."""
        options, copy = layer._kwargs, self._copy_of_weight(layer)
        kernel, stride, padding = (options[key][0] for key in ("kernel", "stride", "pad"))

        def transposed(gradient: NDArray) -> NDArray:
            least = (gradient.shape[2] - 1) * stride - 2 * padding + kernel
            return mx.nd.Deconvolution(
                gradient,
                copy,
                kernel=options["kernel"],
                stride=options["stride"],
                pad=options["pad"],
                adj=(input_size - least,) * 2,
                num_filter=copy.shape[1],
                no_bias=True,
            )

        return transposed

    def _copy_of_weight(self, layer: HybridBlock) -> NDArray:
        weight = _Weight(layer)
        self._weights.append(weight)
        return weight.copy


def check(critic: HybridBlock) -> None:
    """Raise ValueError where a critic has a layer that the gradient is not known through."""
    for layer in walk(critic):
        if not _is_known(layer):
            reasons = (reason for kind, reason in WHY_NOT if isinstance(layer, kind))
            raise ValueError(
                "the gradient of a score with respect to its picture is not known through "
                f"{' '.join(filter(None, (type(layer).__name__, layer.name)))}: "
                f"{next(reasons, WHY_NO_OTHER)}"
            )


def _is_known(layer: HybridBlock) -> bool:
    if isinstance(layer, nn.AvgPool2D):
        options = layer._kwargs
        return options["kernel"] == options["stride"] and options["pad"] == (0, 0)
    linear = (
        Convolution,
        GlobalSum,
        Mirrored,
        Padding,
        Reshape,
        Residual,
        ToFloat32,
        nn.Dense,
        nn.Flatten,
    )
    return isinstance(layer, linear) or _slope(layer) is not None


def _unmirrored(of_maps: NDArray, of_mirrored: NDArray) -> NDArray:
    """The gradient at maps, from those at the maps and at their mirror image."""
    return of_maps + of_mirrored.flip(axis=3)


def _slope(layer: HybridBlock) -> float | None:
    """The slope below 0 of what is 1 above: of ReLU and leaky ReLU. None of other layers."""
    if isinstance(layer, nn.LeakyReLU):
        return layer._alpha
    is_relu = isinstance(layer, nn.Activation) and layer._act_type == "relu"
    return 0.0 if is_relu else None


class _Weight:
    """A copy of the weight that a layer multiplies with, for the layer transposed.

    It is a copy because mxnet crashes where a Deconvolution's weight gets gradients from a second
    place, or was computed in the same graph.
    """

    def __init__(self, layer: HybridBlock) -> None:
        self._layer = layer
        self.copy = self._in_use().copy()
        self.copy.attach_grad()

    def gather(self) -> None:
        """Add the copy's gradient to that of the layer's weight."""
        gradient = self.copy.grad
        if isinstance(self._layer, SpectralNorm):
            with autograd.record():
                divided = self._in_use()
            (gradient,) = autograd.grad(divided, [self._layer.weight.data()], [gradient])
        total = self._layer.weight.grad()
        total += gradient

    def _in_use(self) -> NDArray:
        layer = self._layer
        if isinstance(layer, SpectralNorm):
            return layer.divided(mx.nd, layer.weight.data(), layer.left.data())
        return layer.weight.data()
