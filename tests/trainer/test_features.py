"""The features: what the shipped network sees of a picture, and Inception's preprocessing."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest

from edgegan.runtime.errors import UserError
from edgegan.trainer.features import find_extractors, inception
from edgegan.trainer.metrics.diversity import diversity
from edgegan.trainer.metrics.frechet_distance import frechet_distance
from edgegan.trainer.metrics.kernel_distance import kernel_distance
from edgegan.trainer.metrics.precision_recall import precision_recall

FACES = Path(__file__).parents[3] / "shared" / "data" / "extra_data.zip"
COUNT = 400  # pictures in each of two sets

extract = find_extractors()["colour_classifier"]()


def drawn_face(seed: int) -> np.ndarray:
    """A face of ellipses, no two alike, uint8 (64, 64, 3), RGB."""
    random = np.random.default_rng(seed)
    background, hair, eyes = random.integers(40, 256, (3, 3)).tolist()
    skin = random.integers((220, 160, 120), (256, 220, 180)).tolist()
    x, y = random.integers(28, 36, 2).tolist()
    size = int(random.integers(14, 20))
    picture = np.full((64, 64, 3), background, dtype=np.uint8)
    cv2.ellipse(picture, (x, y - 4), (size + 8, size + 8), 0, 0, 360, hair, -1, cv2.LINE_AA)
    cv2.ellipse(picture, (x, y + 4), (size - 2, size), 0, 0, 360, skin, -1, cv2.LINE_AA)
    for side in (-1, 1):
        eye = (x + side * size // 2, y + 3)
        cv2.ellipse(picture, eye, (3, 5), 0, 0, 360, (20, 20, 20), -1, cv2.LINE_AA)
        cv2.ellipse(picture, eye, (2, 3), 0, 0, 360, eyes, -1, cv2.LINE_AA)
    cv2.line(picture, (x - 3, y + size // 2 + 6), (x + 3, y + size // 2 + 6), (150, 60, 60), 1)
    return picture


def drawn_faces() -> np.ndarray:
    return np.stack([drawn_face(seed) for seed in range(2 * COUNT)])


def real_faces() -> np.ndarray:
    """The assignment's faces, or a skip where they are absent."""
    if not FACES.is_file():
        pytest.skip(f"{FACES} is absent")
    with zipfile.ZipFile(FACES) as archive:
        names = sorted(name for name in archive.namelist() if name.endswith(".jpg"))
        chosen = np.random.default_rng(0).permutation(len(names))[: 2 * COUNT]
        encoded = [np.frombuffer(archive.read(names[index]), np.uint8) for index in chosen]
    return np.stack([cv2.imdecode(content, cv2.IMREAD_COLOR)[:, :, ::-1] for content in encoded])


@dataclass(frozen=True)
class Faces:
    """Two sets of pictures of one kind: the features of one, and the other with its features."""

    real: np.ndarray
    images: np.ndarray
    features: np.ndarray


@pytest.fixture(scope="module", params=[drawn_faces, real_faces])
def faces(request: pytest.FixtureRequest) -> Faces:
    pictures = request.param()
    return Faces(extract(pictures[:COUNT]), pictures[COUNT:], extract(pictures[COUNT:]))


def blurred(images: np.ndarray, strength: float) -> np.ndarray:
    return np.stack([cv2.GaussianBlur(image, (0, 0), strength) for image in images])


def noisy(images: np.ndarray, strength: float) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, strength, images.shape)
    return np.clip(np.rint(images + noise), 0, 255).astype(np.uint8)


def faded(images: np.ndarray, strength: float) -> np.ndarray:
    """Moved from their colours towards grey."""
    grey = images.mean(axis=3, keepdims=True)
    return np.rint(images + strength * (grey - images)).astype(np.uint8)


def out_of_place(images: np.ndarray, strength: int) -> np.ndarray:
    """Cut into squares of so many to a side, and put together at random: all colours stay."""
    side = 64 // strength
    tiles = images.reshape(-1, strength, side, strength, side, 3).swapaxes(2, 3)
    shuffled = np.random.default_rng(0).permuted(
        tiles.reshape(len(images), -1, side * side * 3), axis=1
    )
    return shuffled.reshape(tiles.shape).swapaxes(2, 3).reshape(images.shape)


@pytest.mark.parametrize(
    ("spoil", "strengths"),
    [
        (blurred, (1, 2, 4)),
        (noisy, (18, 36, 72)),
        (faded, (0.25, 0.5, 1)),
        (out_of_place, (2, 4, 8)),
    ],
)
def test_worse_pictures_are_further_from_real_ones(
    faces: Faces,
    spoil: Callable[[np.ndarray, float], np.ndarray],
    strengths: tuple[float, ...],
) -> None:
    spoiled = (spoil(faces.images, strength) for strength in strengths)
    found = [faces.features, *map(extract, spoiled)]
    frechet = [frechet_distance(features, faces.real) for features in found]
    kernel = [kernel_distance(features, faces.real) for features in found]
    assert frechet == sorted(frechet)
    assert frechet[-1] > 2 * frechet[0]
    assert [distance.value for distance in kernel] == sorted(distance.value for distance in kernel)
    assert kernel[0].value < 3 * kernel[0].error
    assert kernel[-1].value > 3 * kernel[-1].error


def test_fewer_kinds_of_pictures_are_less_diverse(faces: Faces) -> None:
    order = np.random.default_rng(0).permutation(COUNT)
    found = [extract(noisy(faces.images[order % kinds], 1)) for kinds in (COUNT, 100, 20, 4)]
    diversities = [diversity(features, faces.real) for features in found]
    measured = [precision_recall(features, faces.real) for features in found]
    for values in (
        diversities,
        [each.recall for each in measured],
        [each.coverage for each in measured],
        [-frechet_distance(features, faces.real) for features in found],
    ):
        assert values == sorted(values, reverse=True)
        assert values[0] > values[2]
    assert diversities[0] > 0.8
    assert diversities[-1] < 0.1


def test_features_do_not_depend_on_the_batch() -> None:
    images = drawn_faces()[:10]
    whole = extract(images)
    assert whole.shape == (10, 320)
    assert whole.dtype == np.float32
    single = np.concatenate([extract(image[np.newaxis]) for image in images])
    np.testing.assert_allclose(single, whole, atol=1e-5)


@pytest.mark.parametrize("size", [16, 128])
def test_pictures_of_any_size_are_taken(size: int) -> None:
    """Made smaller or larger and back, plain pictures have nearly the features they had."""
    images = np.stack([np.full((64, 64, 3), 16 * level, np.uint8) for level in range(16)])
    resized = np.stack([cv2.resize(image, (size, size)) for image in images])
    np.testing.assert_allclose(extract(resized), extract(images), atol=1e-4)


# Inception


def test_inception_sees_what_the_zoo_asks_for() -> None:
    """The zoo's own transforms, on a picture that needs no resizing."""
    image = np.random.default_rng(0).integers(0, 256, (299, 299, 3), dtype=np.uint8)
    transforms = mx.gluon.data.vision.transforms
    expected = transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))(
        transforms.ToTensor()(mx.nd.array(image, dtype="uint8"))
    )
    found = inception.inception_input(image[np.newaxis])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found[0], expected.asnumpy(), atol=1e-5)
    assert inception.inception_input(image[np.newaxis, :64, :64]).shape == (1, 3, 299, 299)


def test_inception_features_are_the_last_before_the_classes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def untrained(pretrained: bool) -> mx.gluon.HybridBlock:
        assert pretrained
        network = inception_v3()
        network.initialize(mx.init.Xavier())
        return network

    inception_v3 = mx.gluon.model_zoo.vision.inception_v3
    monkeypatch.setattr(mx.gluon.model_zoo.vision, "inception_v3", untrained)
    found = inception.Inception()(drawn_faces()[:2])
    assert found.shape == (2, 2048)
    assert np.abs(found[0] - found[1]).max() > 0


def test_inception_without_its_weights_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fail(pretrained: bool) -> None:
        print("Downloading, 4 attempts left")
        raise ConnectionError("no route")

    monkeypatch.setattr(mx.gluon.model_zoo.vision, "inception_v3", fail)
    with pytest.raises(
        UserError, match=r"inception_v3 .*\(ConnectionError\): use --features colour"
    ):
        inception.Inception()
    assert capsys.readouterr().out == ""
