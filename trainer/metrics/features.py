"""What a picture is measured by: uint8 pictures in, float32 features (N, D) out.

``colour_classifier`` (the default) is the small network of this folder, run by onnxruntime;
``inception`` is Inception v3 (Szegedy et al. 2015, https://arxiv.org/abs/1512.00567), pretrained on
photographs, from gluon's model zoo, which downloads its weights once.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

import cv2
import numpy as np

from edgegan.runtime.errors import UserError
from edgegan.runtime.session import open_session
from edgegan.trainer.data import to_network_range
from edgegan.trainer.framework import mx

CLASSIFIER = Path(__file__).with_name("colour_classifier.onnx")
CLASSIFIER_SIZE = 64
INCEPTION_SIZE = 299
INCEPTION_MEAN = np.array(
    [0.485, 0.456, 0.406], np.float32
)  # of RGB in [0, 1], as all of gluon's zoo expects
INCEPTION_DEVIATION = np.array([0.229, 0.224, 0.225], np.float32)

Extractor = Callable[[np.ndarray], np.ndarray]


def colour_classifier() -> Extractor:
    """Features of uint8 (N, H, W, 3), RGB: float32 (N, 320), on the CPU."""
    session, _ = open_session(CLASSIFIER, "cpu")

    def extract(images: np.ndarray) -> np.ndarray:
        image = to_network_range(resize(images, CLASSIFIER_SIZE), "signed")
        return session.run(["features"], {"image": image})[0]

    return extract


def inception() -> Extractor:
    """Features of uint8 (N, H, W, 3), RGB: float32 (N, 2048), the last layer's before the classes.

    Raises:
        UserError: the weights are not here and cannot be downloaded.
    """
    try:
        with redirect_stdout(io.StringIO()):  # it prints each of its attempts
            network = mx.gluon.model_zoo.vision.inception_v3(pretrained=True)
    except Exception as error:  # requests, zipfile, hashing and mxnet raise many kinds
        raise UserError(
            "the weights of inception_v3 are neither in mxnet's cache nor to be downloaded "
            f"({type(error).__name__}): use --features {colour_classifier.__name__}"
        ) from error
    network.hybridize()

    def extract(images: np.ndarray) -> np.ndarray:
        return network.features(mx.nd.array(inception_input(images))).flatten().asnumpy()

    return extract


EXTRACTORS: dict[str, Callable[[], Extractor]] = {
    extractor.__name__: extractor for extractor in (colour_classifier, inception)
}


def inception_input(images: np.ndarray) -> np.ndarray:
    """uint8 (N, H, W, 3), RGB -> float32 (N, 3, 299, 299), standardised as the zoo expects it."""
    pixels = resize(images, INCEPTION_SIZE).astype(np.float32) / 255
    standardised = (pixels - INCEPTION_MEAN) / INCEPTION_DEVIATION
    return np.ascontiguousarray(standardised.transpose(0, 3, 1, 2))


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 (N, H, W, 3) -> uint8 (N, size, size, 3), by area, or cubic where it gets larger."""
    if images.shape[1:3] == (size, size):
        return images
    interpolation = cv2.INTER_AREA if images.shape[1] > size else cv2.INTER_CUBIC
    return np.stack(
        [cv2.resize(image, (size, size), None, 0, 0, interpolation) for image in images]
    )
