"""What is not of the type, shape or range that a function takes is refused before it is used."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

from edgegan import Generator
from edgegan.runtime.animation import write_animation
from edgegan.runtime.arguments import check_array, check_integer
from edgegan.runtime.detector import Detector
from edgegan.runtime.errors import UserError
from edgegan.runtime.faces import Faces
from edgegan.runtime.generator import from_bytes, to_bytes
from edgegan.runtime.grid import baseline_grid, encode_png, tight_grid, write_png
from edgegan.runtime.image_folder import write_images
from edgegan.runtime.interpolation import angle_between, lerp, slerp, walk
from edgegan.runtime.latent import MAX_SEED, draw_latents, philox
from edgegan.runtime.quality import decibels
from edgegan.runtime.resample import resample
from edgegan.runtime.score import annotate, score_images
from edgegan.runtime.session import open_session
from export_help import IMAGE_SIZE, LATENT_SIZE, METADATA

Call = Callable[..., object]

NO_WHOLE_NUMBERS = [1.5, 2.0, True, False, "7", None, np.float32(1), np.True_, [1], 1j]


@given(value=st.integers(), least=st.integers(-5, 5))
def test_whole_numbers_are_pythons_or_numpys_in_a_range(value: int, least: int) -> None:
    if value < least:
        with pytest.raises(ValueError, match=f"size is {value}, expected a whole number from"):
            check_integer("size", value, least)
        return
    assert check_integer("size", value, least, value) == value
    if abs(value) < 2**62:
        same = check_integer("size", np.int64(value), least)
        assert same == value
        assert type(same) is int


@pytest.mark.parametrize("value", NO_WHOLE_NUMBERS)
def test_what_is_no_whole_number_is_refused(value: object) -> None:
    with pytest.raises(TypeError, match=r"size is .*, expected a whole number from 1 to 9"):
        check_integer("size", value, 1, 9)


def test_letters_stand_for_sizes_and_equal_ones_for_equal_sizes() -> None:
    check_array("images", np.zeros((0, 4, 4, 3)), "floating", ("N", "S", "S", 3))
    for shape in [(2, 4, 5, 3), (2, 4, 4, 4), (2, 0, 0, 3), (4, 4, 3), (1, 2, 4, 4, 3)]:
        with pytest.raises(
            ValueError, match=r"images: found float64 .*, expected floating \(N, S, S"
        ):
            check_array("images", np.zeros(shape), "floating", ("N", "S", "S", 3))


@pytest.fixture
def generator(make_generator: Callable[..., Path]) -> Generator:
    return Generator.load(make_generator(), "cpu")


@pytest.mark.parametrize("value", NO_WHOLE_NUMBERS)
def test_seeds_counts_and_places_are_whole_numbers(
    generator: Generator, tmp_path: Path, value: Any
) -> None:
    calls: list[Call] = [
        lambda: generator.images(value, 1),
        lambda: generator.images(0, value),
        lambda: generator.images(0, 1, first=value),
        lambda: generator.latents(value, 1),
        lambda: draw_latents(0, value, 2, "normal"),
        lambda: draw_latents(0, 1, value, "normal"),
        lambda: draw_latents(0, 1, 2, "normal", first=value),
        lambda: draw_latents(0, 1, 2, "normal", stream=value),
        lambda: philox(value, 0, 0),
        lambda: philox(0, 0, value),
        lambda: write_images(Faces(generator, value), 1, tmp_path / "images"),
        lambda: write_images(Faces(generator, 0), value, tmp_path / "images"),
        lambda: tight_grid(picture(2), value, 2, 0),
        lambda: tight_grid(picture(2), 1, 2, value),
        lambda: walk(np.zeros((2, 4), np.float32), value, lerp),
        lambda: resample(picture(1), value),
    ]
    for call in calls:
        with pytest.raises(TypeError, match="expected a whole number from"):
            call()
    assert not (tmp_path / "images").exists()


def test_numbers_that_would_wrap_are_refused(generator: Generator, tmp_path: Path) -> None:
    calls: list[Call] = [
        lambda: generator.images(0, -1),
        lambda: generator.images(0, 1, first=-1),
        lambda: generator.latents(0, 1, first=-1),
        lambda: draw_latents(0, -1, 2, "normal"),
        lambda: draw_latents(0, 1, 0, "normal"),
        lambda: draw_latents(0, 2, 2, "normal", first=2**64 - 1),
        lambda: philox(0, -1, 0),
        lambda: philox(0, 0, 2**64),
        lambda: write_images(Faces(generator, 0), -1, tmp_path / "images"),
        lambda: tight_grid(picture(2), -1, -2, 0),
        lambda: tight_grid(picture(2), 1, 2, -1),
        lambda: walk(np.zeros((2, 4), np.float32), 1, lerp),
        lambda: resample(picture(1), 0),
    ]
    for call in calls:
        with pytest.raises(ValueError, match="expected a whole number from"):
            call()
    for seed in (-1, MAX_SEED + 1, np.int64(-1)):
        with pytest.raises(UserError, match=r"seed is '.*', expected a whole number from 0 to"):
            generator.images(seed, 1)


def test_numpys_whole_numbers_are_as_good_as_pythons(generator: Generator, tmp_path: Path) -> None:
    expected = generator.images(7, 3, first=2)
    for kind in (np.int8, np.uint16, np.int64, np.uint64):
        images = generator.images(kind(7), kind(3), first=kind(2))
        np.testing.assert_array_equal(images, expected)
    assert write_images(Faces(generator, np.int64(7)), np.uint8(2), tmp_path) == 2


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"provider": "tpu"}, ValueError, "provider 'tpu' is unknown: did you mean cpu"),
        ({"prefer": "speed"}, ValueError, "prefer 'speed' is unknown: expected one of throu"),
        ({"best_of": 0}, ValueError, "best_of is 0, expected a whole number from 1"),
        ({"best_of": 2.0}, TypeError, "best_of is 2.0, expected"),
        ({"threads": 0}, ValueError, "threads is 0, expected"),
        (
            {"threads": 10**10},
            ValueError,
            "threads is 10000000000, expected a",
        ),
        ({"threads": True}, TypeError, "threads is True, expected"),
        ({"device_id": -1, "provider": "cuda"}, ValueError, "device_id is -1, expected"),
        ({"device_id": 1, "provider": "cpu"}, ValueError, "device_id is 1, expected 0 with"),
        ({"device_id": 1, "provider": "openvino"}, ValueError, "device_id is 1, expected 0 with"),
    ],
)
def test_options_are_checked(
    make_generator: Callable[..., Path],
    options: dict[str, Any],
    error: type[Exception],
    sentence: str,
) -> None:
    with pytest.raises(error, match=sentence):
        Generator.load(make_generator(), **options)


def test_a_session_takes_a_provider_that_there_is(make_generator: Callable[..., Path]) -> None:
    with pytest.raises(ValueError, match="provider 'tpu' is unknown: did you mean cpu"):
        open_session(make_generator(), "tpu")


GOOD = np.zeros((2, LATENT_SIZE), np.float32)


@pytest.mark.parametrize(
    ("latents", "error", "sentence"),
    [
        (GOOD.tolist(), TypeError, r"latents: found list, expected float32 \(N, 16\)"),
        (GOOD.astype(float), TypeError, r"found float64 \(2, 16\), expected float32 \(N, 16\)"),
        (GOOD.astype(np.float16), TypeError, "found float16"),
        (GOOD.astype(int), TypeError, "found int64"),
        (GOOD[0], ValueError, r"found float32 \(16,\), expected float32 \(N, 16\)"),
        (GOOD[:, :-1], ValueError, r"found float32 \(2, 15\)"),
        (GOOD * np.nan, ValueError, "values that are not finite"),
        (GOOD + np.inf, ValueError, "values that are not finite"),
    ],
)
def test_latents_are_checked(
    generator: Generator, latents: Any, error: type[Exception], sentence: str
) -> None:
    with pytest.raises(error, match=sentence):
        generator.images_of(latents)
    with pytest.raises(error):
        generator._network.run(latents)
    assert generator.images_of(GOOD[:0]).shape == (0, IMAGE_SIZE, IMAGE_SIZE, 3)


def picture(count: int, side: int = 8) -> np.ndarray:
    return np.zeros((count, side, side, 3), np.uint8)


def test_pictures_are_checked(tmp_path: Path, cascade: Path) -> None:
    detector = Detector(cascade)
    values = np.zeros((2, 3, 8, 8), np.float32)
    # With what each takes, and an axis too few, too many channels or another type in its place.
    takes: list[tuple[Call, np.ndarray]] = [
        (baseline_grid, picture(25)),
        (lambda it: tight_grid(it, 1, 2, 0), picture(2)),
        (lambda it: score_images(it, detector), picture(25)),
        (detector.faces, picture(1, 64)[0]),
        (encode_png, picture(1)[0]),
        (lambda it: write_png(tmp_path / "picture.png", it), picture(1)[0]),
        (lambda it: write_animation(tmp_path / "walk.gif", it), picture(2)),
        (lambda it: annotate(it, np.zeros((0, 4), np.int32)), picture(1)[0]),
        (lambda it: resample(it, 4), picture(1)),
        (from_bytes, picture(2)),
        (to_bytes, values),
        (lambda it: decibels(it, values), values),
    ]
    for call, good in takes:
        call(good)
        with pytest.raises(TypeError):
            call(good.astype(np.int64))
        with pytest.raises(TypeError):
            call(good.tolist())
        with pytest.raises(ValueError, match="expected"):
            call(good[0])
    for path in tmp_path.iterdir():
        path.unlink()
    for call in (lambda it: write_png(tmp_path / "picture.png", it), encode_png):
        with pytest.raises(
            ValueError, match=r"found uint8 \(8, 8, 4\), expected uint8 \(H, W, 3\)"
        ):
            call(np.zeros((8, 8, 4), np.uint8))
    with pytest.raises(ValueError, match="the number of images is 1, expected a whole number from"):
        write_animation(tmp_path / "walk.gif", picture(1))
    with pytest.raises(ValueError, match=r"suffix '.mp4' is unknown: expected one of .gif, .webp"):
        write_animation(tmp_path / "walk.mp4", picture(2))
    assert list(tmp_path.iterdir()) == []


def test_the_ends_of_a_path_are_checked() -> None:
    start, fractions = np.ones(4, np.float32), np.linspace(0, 1, 3)
    for interpolate in (lerp, slerp):
        assert interpolate(start, -start, fractions).shape == (3, 4)
        for bad in (start[:3], start[None], start * np.nan):
            with pytest.raises(ValueError, match="end"):
                interpolate(start, bad, fractions)
        with pytest.raises(TypeError, match="start"):
            interpolate([1, 2, 3, 4], start, fractions)
        for wrong in (fractions + 0.1, fractions - 0.1, fractions * np.nan):
            with pytest.raises(ValueError, match="fractions"):
                interpolate(start, start, wrong)
    with pytest.raises(ValueError, match="end"):
        angle_between(start, start[:2])
    with pytest.raises(ValueError, match="the number of waypoints is 1"):
        walk(start[None], 3, lerp)


def grey_generator(path: Path, most_rows: int, added: float) -> Path:
    """A generator whose pixels are a latent's mean and what is added, of so many rows at most."""
    size = METADATA.image_size
    graph = helper.make_graph(
        [
            helper.make_node("ReduceMean", ["latent"], ["mean"], axes=[1], keepdims=1),
            helper.make_node("Add", ["mean", "added"], ["grey"]),
            # How many rows this leaves cannot be told from the graph.
            helper.make_node("Compress", ["grey", "rows"], ["some"], axis=0),
            helper.make_node("Reshape", ["some", "pixel"], ["pixels"]),
            helper.make_node("Expand", ["pixels", "shape"], ["image"]),
        ],
        "generator",
        [helper.make_tensor_value_info("latent", TensorProto.FLOAT, ["N", LATENT_SIZE])],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, size, size])],
        [
            helper.make_tensor("added", TensorProto.FLOAT, [1], [added]),
            helper.make_tensor("rows", TensorProto.BOOL, [most_rows], [True] * most_rows),
            helper.make_tensor("pixel", TensorProto.INT64, [4], [-1, 1, 1, 1]),
            helper.make_tensor("shape", TensorProto.INT64, [4], [1, 3, size, size]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    helper.set_model_props(model, METADATA.to_strings())
    onnx.save(model, str(path))
    return path


@pytest.mark.parametrize("run", [lambda it: it.images(0, 5), lambda it: it.images_of(GOOD)])
def test_an_output_that_is_not_as_declared_is_not_spread_over_the_rows(
    tmp_path: Path, run: Callable[[Generator], np.ndarray]
) -> None:
    good = Generator.load(grey_generator(tmp_path / "good.onnx", 64, 0), "cpu")
    assert run(good).shape[1:] == (IMAGE_SIZE, IMAGE_SIZE, 3)
    one = Generator.load(grey_generator(tmp_path / "one.onnx", 1, 0), "cpu", threads=1)
    with pytest.raises(
        UserError, match=r"one.onnx gave the image in the shape \(1, 3, 16, 16\), e"
    ):
        run(one)
    one.images(0, 1)
    nan = Generator.load(grey_generator(tmp_path / "nan.onnx", 64, np.nan), "cpu")
    with pytest.raises(UserError, match=r"nan.onnx gave values that are not numbers"):
        run(nan)
