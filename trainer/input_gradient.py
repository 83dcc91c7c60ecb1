"""The gradient of a critic's scores at its pictures, as a function that mxnet can differentiate.

mxnet's convolution has no second derivative (``_backward_Convolution`` has no gradient). But
between the kinks of its leaky ReLUs a critic of convolutions is linear in the picture, so the
gradient of its score is a chain of transposed convolutions with the critic's own weights, each
followed by the slopes of the leaky ReLU before it. That chain is written out here, and mxnet
differentiates it once, which makes the second derivative.
"""

from __future__ import annotations

from edgegan.trainer.framework import HybridBlock, NDArray, mx, nn
from edgegan.trainer.layers import Convolution, Reshape, ToFloat32


class InputGradient:
    """The gradient of each picture's score at the picture.

    Where the critic scores patches, a picture's score is their mean.

    Args:
        critic: convolutions, leaky ReLUs and a reshape at the end.
        pictures: float32 (N, 3, S, S).

    Raises:
        ValueError: the critic has another kind of layer.
    """

    def __init__(self, critic: HybridBlock, pictures: NDArray) -> None:
        self._links, self._scores = _follow(critic, pictures)

    def gradient(self) -> NDArray:
        """The gradient, float32 (N, 3, S, S), to be called while autograd records.

        It depends on copies of the critic's weights; ``gather`` is due after the backward pass.
        """
        patches = self._scores.size // len(self._scores)
        gradient = mx.nd.ones_like(self._scores) / patches  # of the sum of all pictures' scores
        for link in reversed(self._links):
            gradient = link.transposed(gradient) if isinstance(link, _Link) else gradient * link
        return gradient

    def gather(self) -> None:
        """Add the gradients of the weights' copies to the critic's own."""
        for link in self._links:
            if isinstance(link, _Link):
                total = link.convolution.weight.grad()
                total += link.weight.grad


def check(critic: HybridBlock) -> None:
    """Raise ValueError where the second derivative of a critic's layer is not known."""
    for layer in _layers(critic):
        if type(layer) is not Convolution and not isinstance(
            layer, (nn.LeakyReLU, Reshape, ToFloat32)
        ):
            raise ValueError(
                f"the gradient penalty knows convolutions and leaky ReLUs only, found "
                f"{type(layer).__name__} in the discriminator"
            )


def _layers(critic: HybridBlock) -> list[HybridBlock]:
    return list(critic) if isinstance(critic, nn.HybridSequential) else [critic]


class _Link:
    """A convolution on its way back: a transposed convolution with a weight of its own.

    The weight is a copy because mxnet crashes where a Deconvolution's weight gets gradients from a
    second place.
    """

    def __init__(self, convolution: Convolution, input_size: int) -> None:
        self.convolution = convolution
        self.input_size = input_size
        self.weight = convolution.weight.data().copy()
        self.weight.attach_grad()

    def transposed(self, gradient: NDArray) -> NDArray:
        """The gradient at the convolution's input, from that at its output."""
        options = self.convolution._kwargs
        kernel, stride, padding = (options[key][0] for key in ("kernel", "stride", "pad"))
        least = (gradient.shape[2] - 1) * stride - 2 * padding + kernel
        return mx.nd.Deconvolution(
            gradient,
            self.weight,
            kernel=options["kernel"],
            stride=options["stride"],
            pad=options["pad"],
            adj=(self.input_size - least,) * 2,
            num_filter=self.weight.shape[1],
            no_bias=True,
        )


def _follow(critic: HybridBlock, pictures: NDArray) -> tuple[list[_Link | NDArray], NDArray]:
    """A link for every convolution and the slopes of every leaky ReLU, and the map of scores."""
    check(critic)
    links: list[_Link | NDArray] = []
    x = pictures
    for layer in _layers(critic):
        if isinstance(layer, Convolution):
            links.append(_Link(layer, x.shape[2]))
            x = mx.nd.amp_cast(layer(x), dtype="float32")  # the layer may work in bfloat16
        elif isinstance(layer, nn.LeakyReLU):
            links.append(mx.nd.maximum(x > 0, layer._alpha))
            x = x * links[-1]
    return links, x
