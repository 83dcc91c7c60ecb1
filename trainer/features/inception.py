"""Features of photographs, which published distances are measured by.

Inception v3 (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567) comes, pretrained, from gluon's
model zoo, which downloads its weights once.
"""

from __future__ import annotations

import io
from contextlib import redirect_stdout

import numpy as np

from edgegan.runtime.colour_classifier import resize
from edgegan.runtime.errors import UserError
from edgegan.trainer.features import Extractor

SIZE = 299
# Of RGB in [0, 1], as all of gluon's zoo expects.
MEAN = np.array([0.485, 0.456, 0.406], np.float32)
DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)


class Inception(Extractor):
    """float32 (N, 2048), the last layer's before the classes."""

    def __init__(self) -> None:
        from edgegan.trainer.framework import mx  # here: other features need no mxnet

        try:
            with redirect_stdout(io.StringIO()):  # it prints each of its attempts
                network = mx.gluon.model_zoo.vision.inception_v3(pretrained=True)
        except Exception as error:  # requests, zipfile, hashing and mxnet raise many kinds
            raise UserError(
                "the weights of inception_v3 are neither in mxnet's cache nor to be downloaded "
                f"({type(error).__name__}): use --features colour_classifier"
            ) from error
        network.hybridize()
        self._features = network.features
        self._array = mx.nd.array

    def __call__(self, images: np.ndarray) -> np.ndarray:
        return self._features(self._array(inception_input(images))).flatten().asnumpy()


def inception_input(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3), RGB -> float32 (N, 3, 299, 299), standardised as the zoo expects it."""
    pixels = resize(images, SIZE).astype(np.float32) / 255
    standardised = (pixels - MEAN) / DEVIATION
    return np.ascontiguousarray(standardised.transpose(0, 3, 1, 2))
