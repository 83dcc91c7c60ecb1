"""The eye measure: where it finds eyes, what it says of faces, and how its networks are trained."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import onnxruntime
import pytest

from edgegan.runtime.errors import UserError
from edgegan.runtime.latent import philox
from edgegan.trainer import train_eye_measure
from edgegan.trainer.classifier import Examples
from edgegan.trainer.data import pack, to_network_range
from edgegan.trainer.eyes import networks
from edgegan.trainer.eyes.made_pairs import PairMaker
from edgegan.trainer.eyes.measure import (
    LOCATOR,
    MATCHER,
    EyeMeasure,
    cut_eyes,
    find_cells,
    matcher_input,
    places_of,
)
from edgegan.trainer.eyes.networks import Locator, Matcher
from edgegan.trainer.split import HELD_OUT, VALIDATION, split
from edgegan.trainer.train_colour_classifier import read_tagged_pictures
from edgegan.trainer.train_eye_measure import (
    export_locator,
    export_matcher,
    join_halves,
    measure_rates,
)
from training_help import encode

FACES = Path(__file__).parents[3] / "shared" / "data" / "extra_data.zip"
FINE = 8  # times as large as a face is, it is drawn, and then made smaller: its edges are smooth

Colour = tuple[int, int, int]
SKIN, LASH, WHITE = (252, 226, 208), (50, 38, 44), (250, 248, 248)
COLOURS = {"blue": (50, 90, 200), "red": (190, 40, 50), "green": (50, 150, 70)}
HAIR = {"pale": (205, 190, 175), "dark": (70, 55, 70), "pink": (225, 150, 175)}


def drawn_face(
    left: Colour,
    right: Colour,
    hair: Colour = HAIR["pale"],
    tilt: float = 0,
    right_size: float = 1,
    right_strength: float = 1,
) -> np.ndarray:
    """A face as simple as one can be, tilted by degrees, uint8 (64, 64, 3), RGB."""
    face = np.full((64 * FINE, 64 * FINE, 3), 255, np.uint8)
    _ellipse(face, (32, 30), (27, 30), hair)
    _ellipse(face, (32, 34), (19, 22), SKIN)
    cv2.rectangle(face, (8 * FINE, 0), (56 * FINE, 18 * FINE), hair, -1)
    for x, iris, size, strength in ((20, left, 1, 1), (44, right, right_size, right_strength)):
        drawn = face.copy()
        _ellipse(drawn, (x, 28), (5.5 * size, 6 * size), WHITE)
        _ellipse(drawn, (x, 28.5), (3.8 * size, 5.5 * size), iris)
        _ellipse(drawn, (x, 27), (1.8 * size, 2.8 * size), LASH)
        _ellipse(drawn, (x - 1.5 * size, 25.5), (1.1 * size, 1.4 * size), WHITE)
        top = (int(x * FINE), int((28 - 5 * size) * FINE))
        axes = (int(6.2 * size * FINE), int(1.8 * FINE))
        cv2.ellipse(drawn, top, axes, 0, 180, 360, LASH, -1, cv2.LINE_AA)
        face = cv2.addWeighted(drawn, strength, face, 1 - strength, 0)
    cv2.line(face, (30 * FINE, 46 * FINE), (34 * FINE, 46 * FINE), (190, 110, 110), FINE // 2)
    turn = cv2.getRotationMatrix2D((32 * FINE, 32 * FINE), tilt, 1)
    white = (255, 255, 255)
    face = cv2.warpAffine(face, turn, face.shape[1::-1], None, cv2.INTER_LINEAR, 0, white)
    return cv2.resize(face, (64, 64), interpolation=cv2.INTER_AREA)


def _ellipse(
    face: np.ndarray, middle: tuple[float, float], axes: tuple[float, float], colour: Colour
) -> None:
    (x, y), (a, b) = ((int(FINE * value) for value in pair) for pair in (middle, axes))
    cv2.ellipse(face, (x, y), (a, b), 0, 0, 360, colour, -1, cv2.LINE_AA)


def faces_that_match() -> np.ndarray:
    return np.stack(
        [
            drawn_face(colour, colour, hair, tilt)
            for colour in COLOURS.values()
            for hair in HAIR.values()
            for tilt in (-8, 0, 8)
        ]
    )


@pytest.fixture(scope="module")
def measure() -> EyeMeasure:
    return EyeMeasure()


# What it finds


def maps_of(*peaks: tuple[float, float, float]) -> np.ndarray:
    """A map (1, 32, 32) with peaks of these rows, columns and heights."""
    rows, columns = np.mgrid[:32, :32]
    bumps = [
        height * np.exp(-((rows - row) ** 2 + (columns - column) ** 2) / 3)
        for row, column, height in peaks
    ]
    return np.sum(bumps, axis=0)[np.newaxis].astype(np.float32)


def find_places(maps: np.ndarray) -> np.ndarray:
    return places_of(maps, find_cells(maps))


def test_the_places_are_those_of_the_peaks_in_pixels() -> None:
    places = find_places(maps_of((14, 10, 9), (12, 22, 9)))
    assert places.shape == (1, 2, 2)
    np.testing.assert_allclose(places[0], [(20.5, 28.5), (44.5, 24.5)], atol=1)


def test_what_stands_where_no_eye_does_is_none() -> None:
    """A bright peak at the rim, and one between both eyes."""
    expected = find_places(maps_of((14, 10, 9), (14, 22, 9)))
    for other in ((2, 16, 12), (14, 30, 12), (9, 16, 9)):
        np.testing.assert_allclose(
            find_places(maps_of((14, 10, 9), (14, 22, 9), other)), expected, atol=0.5
        )


def test_places_in_a_mirror_image_are_mirrored() -> None:
    maps = maps_of((14, 9, 9), (12, 20, 7))
    (left, right), ((mirrored_left, mirrored_right),) = (
        find_places(maps)[0],
        find_places(maps[:, :, ::-1]),
    )
    np.testing.assert_allclose(mirrored_left, (63 - right[0], right[1]))
    np.testing.assert_allclose(mirrored_right, (63 - left[0], left[1]))


@pytest.mark.parametrize("tilt", [-15, 0, 15])
def test_eyes_that_are_cut_out_are_level_and_alike(tilt: float) -> None:
    """Those of a face that is symmetric, however it is tilted: the right one is mirrored."""
    face = drawn_face(COLOURS["red"], COLOURS["red"])
    face[:, 32:] = face[:, 31::-1]
    turn = cv2.getRotationMatrix2D((31.5, 31.5), tilt, 1)
    tilted = cv2.warpAffine(face, turn, (64, 64))
    places = np.array([(20, 28), (43, 28)]) @ turn[:, :2].T + turn[:, 2]
    left, right = cut_eyes(tilted[np.newaxis], places[np.newaxis])[0].astype(int)
    assert np.abs(left - right).mean() < 2
    level = cut_eyes(face[np.newaxis], np.array([[(20, 28), (43, 28)]]))[0, 0].astype(int)
    assert np.abs(left - level).mean() < 6


# What it says


def test_eyes_that_are_alike_match(measure: EyeMeasure) -> None:
    assert measure.match(faces_that_match()).mean() > 0.9


@pytest.mark.parametrize(
    "face",
    [
        drawn_face(COLOURS["blue"], COLOURS["red"]),
        drawn_face(COLOURS["green"], COLOURS["red"], tilt=8),
        drawn_face(COLOURS["blue"], COLOURS["blue"], right_size=0.4),
        drawn_face(COLOURS["red"], COLOURS["red"], right_strength=0.3),
    ],
    ids=["colour", "colour, tilted", "size", "strength"],
)
def test_eyes_that_differ_do_not_match(measure: EyeMeasure, face: np.ndarray) -> None:
    assert not measure.match(face[np.newaxis])[0]


def test_the_halves_of_two_faces_do_not_match(measure: EyeMeasure) -> None:
    blue, red = (
        np.stack([drawn_face(COLOURS[name], COLOURS[name], hair) for hair in HAIR.values()])
        for name in ("blue", "red")
    )
    assert not measure.match(join_halves(blue, red)).any()


def test_a_mirror_image_gets_the_same_answer(measure: EyeMeasure) -> None:
    faces = np.concatenate([faces_that_match(), drawn_face((50, 90, 200), (190, 40, 50))[None]])
    mirrored = measure.scores(np.ascontiguousarray(faces[:, :, ::-1]))
    np.testing.assert_allclose(mirrored, measure.scores(faces), atol=0.1)


def test_a_face_gets_the_same_answer_alone_and_among_others(measure: EyeMeasure) -> None:
    faces = np.concatenate([faces_that_match()] * 3)  # more than are computed at once
    alone = measure.scores(faces[-1:])
    np.testing.assert_allclose(measure.scores(faces)[-1:], alone, atol=1e-3)


def test_faces_of_other_sizes_are_resized(measure: EyeMeasure) -> None:
    face = drawn_face(COLOURS["blue"], COLOURS["blue"])
    large = cv2.resize(face, (128, 128), interpolation=cv2.INTER_CUBIC)
    assert measure.match(face[np.newaxis])[0]
    assert measure.match(large[np.newaxis])[0]


def test_no_faces_get_no_answer(measure: EyeMeasure) -> None:
    assert measure.match(np.zeros((0, 64, 64, 3), np.uint8)).shape == (0,)


def test_what_are_no_faces_get_one_all_the_same(measure: EyeMeasure) -> None:
    """Noise and plain colour: what becomes of it is not said, but nothing breaks."""
    noise = np.random.default_rng(0).integers(0, 256, (3, 64, 64, 3), dtype=np.uint8)
    noise[0] = 128
    assert np.isfinite(measure.scores(noise)).all()


@pytest.mark.parametrize(
    ("images", "error", "found"),
    [
        (np.zeros((1, 64, 64, 3), np.float32), TypeError, "images: found float32"),
        (np.zeros((64, 64, 3), np.uint8), ValueError, "images: found uint8 \\(64, 64, 3\\)"),
        (np.zeros((1, 3, 64, 64), np.uint8), ValueError, "expected uint8 \\(N, H, W, 3\\)"),
        ([[0]], TypeError, "images: found list"),
    ],
)
def test_what_are_no_pictures_is_refused(
    measure: EyeMeasure, images: np.ndarray, error: type[Exception], found: str
) -> None:
    with pytest.raises(error, match=found):
        measure.match(images)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"none\.onnx"):
        EyeMeasure(matcher=tmp_path / "none.onnx")


@pytest.mark.skipif(not FACES.exists(), reason=f"{FACES} is absent")
def test_the_rates_of_real_pictures_that_were_held_out(
    measure: EyeMeasure, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As docs/measuring.md has them."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    tagged = read_tagged_pictures(FACES)
    held_out = split(pack(FACES, 64), HELD_OUT, VALIDATION).held_out
    faces = Examples(tagged.images, tagged.choices[:, [1]]).part(held_out)
    rates = measure_rates(measure, faces)
    assert rates.real > 0.88
    assert rates.other_word < 0.04
    assert rates.same_word < 0.55


# What it learns from


@pytest.fixture(scope="module")
def pairs() -> PairMaker:
    faces = faces_that_match()
    places = np.broadcast_to(np.array([(20.0, 28.0), (43.0, 28.0)]), (len(faces), 2, 2))
    colours = np.arange(len(faces)) // (len(faces) // len(COLOURS))
    return PairMaker(cut_eyes(faces, places), colours)


def test_half_of_the_pairs_agree_and_those_differ_less(pairs: PairMaker) -> None:
    eyes, match = pairs.make(400, philox(0, 3, 0))
    assert (eyes.shape, eyes.dtype) == ((400, 2, 24, 24, 3), np.uint8)
    assert (match.shape, match.mean()) == ((400, 1), 0.5)
    apart = np.abs(np.diff(eyes.astype(int), axis=1)).mean(axis=(1, 2, 3, 4))
    agrees = match[:, 0] == 1
    assert apart[agrees].mean() < apart[~agrees].mean()


def test_pairs_are_those_of_their_draws(pairs: PairMaker) -> None:
    one, again, another = (pairs.make(20, philox(0, 3, index))[0] for index in (0, 0, 1))
    np.testing.assert_array_equal(one, again)
    assert (one != another).any()


def test_halves_are_joined_without_a_seam() -> None:
    left, right = (np.full((2, 64, 64, 3), value, np.uint8) for value in (10, 200))
    joined = join_halves(left, right).astype(int)
    assert (joined[:, :, :27] == 10).all()
    assert (joined[:, :, 37:] == 200).all()
    assert np.abs(np.diff(joined, axis=2)).max() <= 25
    np.testing.assert_array_equal(join_halves(left, left), left)


# How its networks are made


def random_network(network: networks.HybridBlock) -> networks.HybridBlock:
    """With batch norms that have seen something."""
    network.initialize(mx.init.Xavier())
    random = np.random.default_rng(0)
    for name, parameter in network.collect_params(".*(running|beta).*").items():
        low = 0.5 if name.endswith("var") else -0.5
        parameter.set_data(random.uniform(low, low + 1, parameter.shape))
    return network


def random_images(count: int, size: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (count, size, size, 3), dtype=np.uint8)


def test_the_locators_file_computes_what_the_network_does(tmp_path: Path) -> None:
    network, path = random_network(Locator(10)), tmp_path / "locator.onnx"
    export_locator(network, path)
    image = to_network_range(random_images(5, 64), "signed")
    session = onnxruntime.InferenceSession(str(path))
    for found, expected in zip(
        session.run(["eyes", "colours"], {"image": image}), network(mx.nd.array(image))
    ):
        np.testing.assert_allclose(found, expected.asnumpy(), rtol=1e-3, atol=1e-4)


def test_the_matchers_file_computes_what_the_network_does_in_either_order(tmp_path: Path) -> None:
    network, path = random_network(Matcher()), tmp_path / "matcher.onnx"
    export_matcher(network, path)
    left, right = (matcher_input(random_images(5, 24, seed)) for seed in (0, 1))
    session = onnxruntime.InferenceSession(str(path))
    found, swapped = (
        session.run(["match"], {"left": one, "right": other})[0]
        for one, other in ((left, right), (right, left))
    )
    expected = network(mx.nd.array(left), mx.nd.array(right)).asnumpy()
    assert found.shape == (5, 1)
    np.testing.assert_allclose(found, expected, rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(found, swapped, rtol=1e-5, atol=1e-6)


@pytest.fixture
def tagged_zip(tmp_path: Path) -> Path:
    """Drawn faces with their tags."""
    path = tmp_path / "pictures.zip"
    lines = []
    with zipfile.ZipFile(path, "w") as archive:
        for number in range(90):
            name = list(COLOURS)[number % 3]
            hair = list(HAIR)[number // 3 % 3]
            face = drawn_face(COLOURS[name], COLOURS[name], HAIR[hair], tilt=number / 9 - 5)
            archive.writestr(f"images/{number}.png", encode(face))
            lines.append(f"{number},{hair} hair {name} eyes\n")
        archive.writestr("tags.csv", "".join(lines))
    return path


def test_the_command_writes_the_same_files_twice(
    tagged_zip: Path,
    command: Callable[..., tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(networks, "LOCATOR_STEPS", 6)
    monkeypatch.setattr(networks, "MATCHER_STEPS", 6)
    folders = tmp_path / "one", tmp_path / "other"
    for folder in folders:
        status, out, err = command(train_eye_measure.main, "--data", tagged_zip, "--out", folder)
        assert status == 0, err
        assert f"{folder}: of " in out
        assert "pictures held out the eyes agree in " in out
    for path in (LOCATOR, MATCHER):
        one, other = ((folder / path.name).read_bytes() for folder in folders)
        assert one == other


def test_pictures_without_words_are_refused(
    command: Callable[..., tuple[int, str, str]], tmp_path: Path
) -> None:
    path = tmp_path / "none.zip"
    path.write_bytes(b"no zip")
    status, _, err = command(train_eye_measure.main, "--data", path, "--out", tmp_path / "out")
    assert (status, err.count("\n")) == (2, 1)
    assert f"error: {path} is no zip file" in err
