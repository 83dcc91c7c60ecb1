"""DCGAN's discriminator with minibatch discrimination, Salimans et al. 2016, section 3.2.

https://arxiv.org/abs/1606.03498. Before the score it learns how alike a picture is to the others of
its batch, so that a generator that draws one picture again and again gives itself away.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from edgegan.trainer.checks import check_at_least
from edgegan.trainer.framework import HybridBlock, nn
from edgegan.trainer.layers import Reshape
from edgegan.trainer.networks import Maps, dcgan


@dataclass(frozen=True)
class MinibatchDiscriminator(dcgan.DcganDiscriminator):
    """DCGAN's, with the paper's o(x) before the score; a spectral norm is of convolutions only.

    Attributes:
        kernels: how many numbers tell how alike a picture is to the others, the paper's B.
        dimensions: in how many dimensions pictures are compared for each, its C.
        weight_norm: whether the projection's weights are normalised, as in the authors' code.
            Without, likeness at the start hangs on the width: 1.3 at 16, 0.01 at 128.
    """

    scores_batches = True
    kernels: int = 32
    dimensions: int = 8
    weight_norm: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for key in ("kernels", "dimensions"):
            check_at_least(key, getattr(self, key), 1)

    def score(self, maps: Maps) -> list[HybridBlock]:
        return [
            nn.Flatten(prefix="flatten_"),
            MinibatchDiscrimination(maps.size, self.kernels, self.dimensions, self.weight_norm),
            nn.Dense(1, in_units=maps.size + self.kernels, prefix="score_"),
            Reshape((-1,)),
        ]


class MinibatchDiscrimination(HybridBlock):
    """Features f, float32 (N, A) -> (N, A + B), with o(f) after them.

    M = T f is a B x C matrix of each picture, and
    o(f_i)_b = sum over the others j of exp(-|M_i,b - M_j,b|_1). The paper's sum has j = i in it,
    which adds 1 everywhere and tells nothing.

    As in the authors' code (https://github.com/openai/improved-gan, ``MinibatchLayer``), each row
    of T is e^s v / |v| with v and s to be learned (weight normalisation, Salimans and Kingma 2016,
    equation 5, https://arxiv.org/abs/1602.07868), so that likeness does not hang on how many
    features there are and how large v was drawn. Their bias of o is part of the score's; that they
    begin with s as a first batch has it is left out, as batch norm gives features a scale.
    """

    def __init__(self, features: int, kernels: int, dimensions: int, weight_norm: bool) -> None:
        super().__init__(prefix="minibatch_")
        self.kernels = kernels
        self.dimensions = dimensions
        with self.name_scope():
            outputs = kernels * dimensions
            self.projection = (_WeightNormDense if weight_norm else nn.Dense)(
                outputs, use_bias=False, in_units=features, prefix="projection_"
            )

    def hybrid_forward(self, F: Any, features: Any) -> Any:  # noqa: N803 (gluon's name)
        matrices = self.projection(features).reshape((-1, self.kernels, self.dimensions))
        apart = F.broadcast_sub(matrices.expand_dims(0), matrices.expand_dims(1))
        likeness = F.exp(-apart.abs().sum(axis=3)).sum(axis=1) - 1
        return F.concat(features, likeness, dim=1)


class _WeightNormDense(nn.Dense):
    """A dense layer whose rows of weights are e^s v / |v|; s begins at 0."""

    def __init__(self, outputs: int, **options: Any) -> None:
        super().__init__(outputs, **options)
        with self.name_scope():
            self.log_scale = self.params.get("log_scale", shape=(outputs, 1), init="zeros")

    def hybrid_forward(
        self,
        F: Any,  # noqa: N803 (gluon's name)
        x: Any,
        weight: Any,
        bias: Any = None,
        log_scale: Any = None,
    ) -> Any:
        direction = F.L2Normalization(weight)
        return super().hybrid_forward(F, x, F.broadcast_mul(direction, F.exp(log_scale)), bias)
