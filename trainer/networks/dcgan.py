"""The fully convolutional pair of DCGAN (Radford et al. 2015, https://arxiv.org/abs/1511.06434).

4x4 (transposed) convolutions and no dense layer: five each way for 64 x 64 pictures, one more for
each doubling, as in the report that the recipes ``dcgan`` and ``wgan`` follow.
"""

from __future__ import annotations

from typing import Any

from mxnet.gluon import HybridBlock, nn


def channels(width: int, image_size: int) -> list[int]:
    """Channels of the hidden layers from the picture inwards: ``width``, doubled at each halving.

    The last of them is 4 x 4 pixels large: 64 x 64 pictures have four such layers.
    """
    return [width << depth for depth in range(image_size.bit_length() - 3)]


class Generator(HybridBlock):
    """Latents float32 (N, latent_size) -> images float32 (N, 3, S, S) in [-1, 1], S = image_size.

    ``width`` is the number of channels of the last hidden layer.
    """

    def __init__(self, latent_size: int, width: int, image_size: int) -> None:
        super().__init__(prefix="generator_")
        self.latent_size = latent_size
        hidden = channels(width, image_size)[::-1]
        with self.name_scope():
            self.layers = nn.HybridSequential(prefix="")
            for depth, (inputs, outputs) in enumerate(zip([latent_size, *hidden], hidden)):
                stride, padding = (1, 0) if depth == 0 else (2, 1)
                self.layers.add(
                    nn.Conv2DTranspose(
                        outputs,
                        4,
                        stride,
                        padding,
                        in_channels=inputs,
                        use_bias=False,
                        prefix=f"deconvolution{depth}_",
                    ),
                    nn.BatchNorm(in_channels=outputs, prefix=f"norm{depth}_"),
                    nn.Activation("relu", prefix=f"relu{depth}_"),
                )
            self.layers.add(
                nn.Conv2DTranspose(3, 4, 2, 1, in_channels=width, prefix="to_image_"),
                nn.Activation("tanh", prefix="tanh_"),
            )

    def hybrid_forward(self, F: Any, latent: Any) -> Any:  # noqa: N803 (gluon's name)
        return self.layers(latent.reshape((-1, self.latent_size, 1, 1)))


class Discriminator(HybridBlock):
    """Images float32 (N, 3, S, S) -> scores float32 (N,), unbounded: logits or a critic's values.

    ``width`` is the number of channels of the first layer.
    """

    def __init__(self, width: int, image_size: int) -> None:
        super().__init__(prefix="discriminator_")
        hidden = channels(width, image_size)
        with self.name_scope():
            self.layers = nn.HybridSequential(prefix="")
            for depth, (inputs, outputs) in enumerate(zip([3, *hidden], hidden)):
                first = depth == 0  # has no batch norm: DCGAN, section 3
                self.layers.add(
                    nn.Conv2D(
                        outputs,
                        4,
                        2,
                        1,
                        in_channels=inputs,
                        use_bias=first,
                        prefix=f"convolution{depth}_",
                    )
                )
                if not first:
                    self.layers.add(nn.BatchNorm(in_channels=outputs, prefix=f"norm{depth}_"))
                self.layers.add(nn.LeakyReLU(0.2, prefix=f"leaky_relu{depth}_"))
            self.layers.add(nn.Conv2D(1, 4, in_channels=hidden[-1], prefix="score_"))

    def hybrid_forward(self, F: Any, image: Any) -> Any:  # noqa: N803 (gluon's name)
        return self.layers(image).reshape((-1,))
