from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image, ImageSequence

from edgegan import Generator
from edgegan.runtime.animation import FRAME_MILLISECONDS, write_animation
from edgegan.runtime.errors import UserError
from edgegan.runtime.grid import read_picture
from edgegan.runtime.interpolate import main, write_strip
from edgegan.runtime.interpolation import Interpolate, angle_between, lerp, slerp, walk

FRACTIONS = np.linspace(0, 1, 11)


@st.composite
def pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Two latents of 2 to 128 normal numbers."""
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    start, end = random.standard_normal((2, draw(st.integers(2, 128)))).astype(np.float32)
    return start, end


def unit(vector: np.ndarray) -> np.ndarray:
    return vector / np.linalg.norm(vector)


def angles_from(start: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Angles between unit vectors by the length of the chord."""
    return 2 * np.arcsin(np.clip(np.linalg.norm(points - start, axis=1) / 2, 0, 1))


@given(pair=pairs(), interpolate=st.sampled_from([lerp, slerp]))
def test_the_ends_are_the_latents_themselves(
    pair: tuple[np.ndarray, np.ndarray], interpolate: Interpolate
) -> None:
    points = interpolate(*pair, FRACTIONS)
    assert points.dtype == np.float32
    assert points.shape == (11, len(pair[0]))
    np.testing.assert_array_equal(points[[0, -1]], pair)


@given(pair=pairs(), interpolate=st.sampled_from([lerp, slerp]))
def test_the_way_back_is_the_way_there(
    pair: tuple[np.ndarray, np.ndarray], interpolate: Interpolate
) -> None:
    there, back = interpolate(*pair, FRACTIONS), interpolate(*pair[::-1], FRACTIONS)
    np.testing.assert_allclose(there, back[::-1], atol=1e-5)


@given(pair=pairs())
def test_on_the_sphere_slerp_stays_and_turns_evenly(pair: tuple[np.ndarray, np.ndarray]) -> None:
    start, end = (unit(latent.astype(np.float64)) for latent in pair)
    points = slerp(start, end, FRACTIONS)
    np.testing.assert_allclose(np.linalg.norm(points, axis=1), 1, atol=1e-5)
    whole = angles_from(start, end[None])
    np.testing.assert_allclose(angles_from(start, points), FRACTIONS * whole, atol=2e-3)


@given(pair=pairs())
def test_lerp_is_the_straight_line(pair: tuple[np.ndarray, np.ndarray]) -> None:
    start, end = pair
    steps = np.diff(lerp(start, end, FRACTIONS), axis=0)
    np.testing.assert_allclose(steps, np.tile((end - start) / 10, (10, 1)), atol=1e-5)


@given(radius=st.floats(0.1, 20), first=st.floats(0, 2 * np.pi), turn=st.floats(-3, 3).filter(bool))
def test_slerp_in_the_plane_is_the_arc(radius: float, first: float, turn: float) -> None:
    def at(angle: np.ndarray) -> np.ndarray:
        return radius * np.stack([np.cos(angle), np.sin(angle)], axis=-1)

    points = slerp(at(np.float64(first)), at(np.float64(first + turn)), FRACTIONS)
    np.testing.assert_allclose(points, at(first + FRACTIONS * turn), atol=1e-5 * radius)


def test_slerp_between_latents_of_other_lengths_is_whites_formula() -> None:
    """At right angles sin(omega) is 1."""
    start, end = np.float32([3, 0, 0]), np.float32([0, 0, 5])
    quarter = FRACTIONS * np.pi / 2
    expected = np.stack([3 * np.cos(quarter), 0 * quarter, 5 * np.sin(quarter)], axis=1)
    np.testing.assert_allclose(slerp(start, end, FRACTIONS), expected, atol=1e-6)


@given(pair=pairs(), length=st.sampled_from([-1, 0, 1, 2, -0.5, 1 + 1e-6]))
def test_where_there_is_no_one_great_circle_slerp_is_the_straight_line(
    pair: tuple[np.ndarray, np.ndarray], length: float
) -> None:
    start = pair[0]
    expected = np.outer(1 + FRACTIONS * (length - 1), start)
    np.testing.assert_allclose(
        slerp(start, start * np.float32(length), FRACTIONS), expected, atol=1e-5
    )
    assert not slerp(0 * start, 0 * start, FRACTIONS).any()


@given(angle=st.floats(1e-6, 3.14), lengths=st.tuples(st.floats(0.01, 99), st.floats(0.01, 99)))
def test_small_and_large_angles_keep_their_digits(
    angle: float, lengths: tuple[float, float]
) -> None:
    start = lengths[0] * np.array([1.0, 0.0])
    end = lengths[1] * np.array([np.cos(angle), np.sin(angle)])
    assert angle_between(start, end) == pytest.approx(angle, rel=1e-9)


@given(
    count=st.integers(2, 5), frames=st.integers(2, 9), interpolate=st.sampled_from([lerp, slerp])
)
def test_a_walk_passes_each_waypoint_once(
    count: int, frames: int, interpolate: Interpolate
) -> None:
    waypoints = np.random.default_rng(0).standard_normal((count, 8)).astype(np.float32)
    latents = walk(waypoints, frames, interpolate)
    assert latents.shape == ((count - 1) * (frames - 1) + 1, 8)
    np.testing.assert_array_equal(latents[:: frames - 1], waypoints)


@pytest.fixture
def images() -> np.ndarray:
    """Seven pictures of 256 pixels, for which the colours of a GIF suffice."""
    return np.random.default_rng(0).integers(0, 256, (7, 16, 16, 3)).astype(np.uint8)


def frames_of(path: Path) -> tuple[np.ndarray, list[int]]:
    """The frames of an animation, and how many milliseconds each is shown."""
    with Image.open(path) as picture:
        assert picture.info["loop"] == 0  # for ever
        frames = ImageSequence.all_frames(picture)
    return (
        np.stack([np.asarray(frame.convert("RGB")) for frame in frames]),
        [frame.info["duration"] for frame in frames],
    )


@pytest.mark.parametrize("suffix", [".gif", ".webp", ".WEBP"])
def test_an_animation_plays_the_images(images: np.ndarray, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / "new" / f"walk{suffix}"
    write_animation(path, images)
    frames, milliseconds = frames_of(path)
    np.testing.assert_array_equal(frames, images)
    assert milliseconds == [FRAME_MILLISECONDS] * 7


@pytest.mark.parametrize("suffix", [".gif", ".webp"])
def test_an_image_that_stays_is_shown_for_as_long(
    images: np.ndarray, tmp_path: Path, suffix: str
) -> None:
    images[3] = images[2]
    path = tmp_path / f"walk{suffix}"
    write_animation(path, images)
    frames, milliseconds = frames_of(path)
    np.testing.assert_array_equal(frames, np.delete(images, 3, axis=0))
    assert sum(milliseconds) == 7 * FRAME_MILLISECONDS


@pytest.mark.parametrize(("count", "rows", "columns"), [(7, 1, 7), (10, 1, 10), (12, 2, 10)])
def test_a_strip_has_ten_to_a_row(tmp_path: Path, count: int, rows: int, columns: int) -> None:
    path = tmp_path / "strip.png"
    write_strip(path, np.stack([np.full((4, 6, 3), index, np.uint8) for index in range(count)]))
    strip = read_picture(path)
    assert strip.shape == (rows * 4 + (rows - 1) * 2, columns * 6 + (columns - 1) * 2, 3)
    tiles = [strip[row * 6, column * 8, 0] for row in range(rows) for column in range(columns)]
    assert tiles == [*range(count), *[255] * (rows * columns - count)]


@pytest.mark.parametrize("path", ["slerp", "lerp"])
def test_the_command_walks_from_face_to_face(
    make_generator: Callable[..., Path],
    tmp_path: Path,
    path: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    model, output = make_generator(), tmp_path / "walk.webp"
    command = ["--model", str(model), "--seeds", "3,8,12", "--frames", "5", "--path", path]
    assert main([*command, "--output", str(output)]) == 0
    assert capsys.readouterr().out.splitlines()[1] == f"wrote {output}: 9 frames"
    frames, _ = frames_of(output)
    assert frames.shape == (9, 16, 16, 3)

    generator = Generator.load(model)
    for index, seed in ((0, 3), (4, 8), (8, 12)):
        np.testing.assert_array_equal(frames[index], generator.images(seed, 1)[0])
    first, second = generator.latents(3, 1), generator.latents(8, 1)
    middle = (first + second) / 2
    if path == "slerp":  # sin(omega / 2) / sin(omega) is 1 / (2 cos(omega / 2))
        middle /= np.sqrt((1 + (unit(first) @ unit(second).T).item()) / 2)
    expected = generator.images_of(middle)[0].astype(int)
    assert np.abs(frames[2] - expected).max() <= 1


def test_the_default_is_a_strip_along_the_great_circle(
    make_generator: Callable[..., Path], tmp_path: Path
) -> None:
    model, output = make_generator(), tmp_path / "walk.png"
    assert main(["--model", str(model), "--seeds", "3,8", "--output", str(output)]) == 0
    strip = read_picture(output)
    assert strip.shape == (3 * 16 + 2 * 2, 10 * 16 + 9 * 2, 3)
    generator = Generator.load(model)
    np.testing.assert_array_equal(strip[:16, :16], generator.images(3, 1)[0])
    np.testing.assert_array_equal(strip[-16:, -16:], generator.images(8, 1)[0])
    latents = walk(np.stack([generator.latents(seed, 1)[0] for seed in (3, 8)]), 30, slerp)
    np.testing.assert_array_equal(strip[:16, 18:34], generator.images_of(latents[1:2])[0])


def test_a_walk_to_the_same_seed_stays(make_generator: Callable[..., Path], tmp_path: Path) -> None:
    model, output = make_generator(), tmp_path / "walk.gif"
    command = ["--model", str(model), "--seeds", "3,3", "--frames", "4"]
    assert main([*command, "--output", str(output)]) == 0
    with Image.open(output) as picture:
        shown = np.asarray(picture.convert("RGB"))
    np.testing.assert_array_equal(shown, Generator.load(model).images(3, 1)[0])


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("walk.png", "a picture of 178 x 52 pixels is too large to be written"),
        ("walk.gif", "make 21 frames of 16 x 16 pixels, expected at most 5375 pixels in all"),
        ("walk.webp", "make 21 frames of 16 x 16 pixels, expected at most 5375 pixels in all"),
    ],
)
def test_frames_that_are_too_large_are_refused_before_they_are_drawn(
    make_generator: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    sentence: str,
) -> None:
    def drawn(*_: object) -> None:
        raise AssertionError("drawn in vain")

    monkeypatch.setattr(Generator, "images_of", drawn)
    monkeypatch.setattr("edgegan.runtime.interpolate.MOST_PIXELS", 21 * 16**2 - 1)
    monkeypatch.setattr("edgegan.runtime.grid.MOST_PIXELS", 178 * 52 - 1)
    command = ["--model", str(make_generator()), "--seeds", "1,2,3", "--frames", "11"]
    with pytest.raises(UserError, match=sentence):
        main([*command, "--output", str(tmp_path / name)])
    assert not (tmp_path / name).exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--seeds", "3"], "--seeds is 3 alone, expected two or more, such as 3,8"),
        (["--seeds", "3,-8"], "seeds are '3,-8', expected whole numbers such as"),
        (["--seeds", "3,eight"], "seed is 'eight', expected a whole number from 0"),
        (["--seeds", "3,8", "--frames", "1"], "--frames is '1', expected a whole number from 2"),
        (["--seeds", "0-99"], "--seeds and --frames make 2872 frames, expected at most 1000"),
        (["--seeds", "3,8", "--output", "walk.bmp"], "'walk.bmp', expected a .png, .gif or .webp"),
        (["--seeds", "3,8", "--output", "walk"], "--output is 'walk', expected a .png, .gif or"),
    ],
)
def test_bad_input_is_named(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        main(["--output", "walk.png", *arguments])
