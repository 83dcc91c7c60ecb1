"""Choosing among candidates by the discriminator."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import edgegan.runtime.generator
import edgegan.runtime.models
from edgegan import Generator
from edgegan.runtime.errors import UserError
from edgegan.runtime.generate import main
from edgegan.runtime.grid import read_picture, tight_grid
from edgegan.runtime.options import PREFERENCES
from export_help import METADATA

Make = Callable[..., Path]


def test_the_reddest_of_every_four_is_kept(make_generator: Make, make_discriminator: Make) -> None:
    path = make_generator()
    make_discriminator()
    kept = Generator.load(path, "cpu", best_of=4).images(7, 9)
    candidates = Generator.load(path, "cpu").images(7, 36).reshape(9, 4, 16, 16, 3)
    red = candidates[..., 0].mean(axis=(2, 3))
    # Bytes are rounded, which moves a mean by some hundredths: the two reddest are further apart.
    assert np.diff(np.sort(red))[:, -1].min() > 0.2
    assert len(set(red.argmax(axis=1))) > 1
    np.testing.assert_array_equal(kept, candidates[np.arange(9), red.argmax(axis=1)])


@pytest.mark.parametrize("best_of", [3, 70])
def test_a_kept_picture_depends_on_seed_index_and_candidates_only(
    make_generator: Make,
    make_discriminator: Make,
    use_cores: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    best_of: int,
) -> None:
    path = make_generator()
    make_discriminator()
    expected = Generator.load(path, "cpu", best_of=best_of).images(7, 12)
    for cores, prefer in itertools.product((1, 2, 3), PREFERENCES):
        use_cores(cores)
        generator = Generator.load(path, "cpu", best_of, prefer)
        for batch in (1, 7, 64):
            monkeypatch.setattr(edgegan.runtime.generator, "BATCH", batch)
            np.testing.assert_array_equal(generator.images(7, 3), expected[:3])
            np.testing.assert_array_equal(generator.images(7, 8, first=4), expected[4:])


def test_the_first_of_equals_is_kept(make_generator: Make, make_discriminator: Make) -> None:
    path = make_generator()
    make_discriminator(liking=0)
    kept = Generator.load(path, "cpu", best_of=4).images(7, 5)
    np.testing.assert_array_equal(kept, Generator.load(path, "cpu").images(7, 20)[::4])


def test_the_best_of_one_is_the_plain_thing(make_generator: Make) -> None:
    path = make_generator()  # with no discriminator beside it
    images = Generator.load(path, "cpu", best_of=1).images(7, 5)
    np.testing.assert_array_equal(images, Generator.load(path, "cpu").images(7, 5))
    with pytest.raises(ValueError, match="best_of is 0"):
        Generator.load(path, "cpu", best_of=0)


def test_the_command_keeps_the_best(
    make_generator: Make, make_discriminator: Make, tmp_path: Path
) -> None:
    path = make_generator()
    make_discriminator()
    images = Generator.load(path, best_of=3).images(7, 25)
    command = ["--model", str(path), "--seed", "7", "--best-of", "3"]
    grid, folder = tmp_path / "grid.png", tmp_path / "faces"
    assert (
        main([*command, "--layout", "tight", "--output", str(grid), "--images", str(folder)]) == 0
    )
    np.testing.assert_array_equal(read_picture(grid), tight_grid(images, 5, 5, 2))
    singles = [read_picture(file) for file in sorted(folder.glob("*.png"))]
    np.testing.assert_array_equal(singles, images)


def test_without_a_discriminator_a_sentence_says_how_to_make_it(make_generator: Make) -> None:
    path = make_generator()
    beside = path.with_name("tiny.discriminator.onnx")
    with pytest.raises(UserError) as caught:
        Generator.load(path, "cpu", best_of=2)
    assert str(caught.value) == (
        f"{path} has no discriminator beside it to choose by: make {beside} with "
        f"edgegan export RUN -o {beside} --part discriminator"
    )
    with pytest.raises(UserError, match="the shipped model wgan comes without a discriminator"):
        Generator.load("wgan", "cpu", best_of=2)


def test_shipped_names_are_those_of_generators(
    make_generator: Make, make_discriminator: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_generator("dcgan.onnx").parent
    make_discriminator("dcgan.discriminator.onnx")
    monkeypatch.setattr(edgegan.runtime.models, "MODELS", folder)
    assert Generator.load("dcgan", "cpu", best_of=2).images(0, 1).shape == (1, 16, 16, 3)
    with pytest.raises(UserError, match=r"expected one of dcgan, or the path of an .onnx file$"):
        Generator.load("dcgan.discriminator")


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("recipe", "wgan", "has the recipe 'wgan', expected 'dcgan' as .*tiny.onnx has"),
        ("image_size", 32, "has the image_size 32, expected 16"),
        ("value_range", (0.0, 1.0), r"value_range \(0.0, 1.0\), expected \(-1.0, 1.0\)"),
    ],
)
def test_the_discriminator_of_another_generator_is_an_error(
    make_generator: Make, make_discriminator: Make, name: str, value: object, sentence: str
) -> None:
    make_discriminator(metadata=replace(METADATA, **{name: value}))
    with pytest.raises(UserError, match=rf"tiny\.discriminator\.onnx .*{sentence}"):
        Generator.load(make_generator(), "cpu", best_of=2)


def test_a_network_in_the_others_place_is_an_error(
    make_generator: Make, make_discriminator: Make
) -> None:
    with pytest.raises(UserError, match=r"critic\.onnx is a discriminator, expected a generator"):
        Generator.load(make_discriminator("critic.onnx"))
    make_generator("tiny.discriminator.onnx")
    with pytest.raises(UserError, match=r"\.onnx is a generator, expected a discriminator"):
        Generator.load(make_generator(), best_of=2)
    make_generator("tiny.discriminator.onnx", metadata={})
    with pytest.raises(UserError, match="is not a discriminator of this project"):
        Generator.load(make_generator(), best_of=2)


def test_a_discriminator_that_gives_no_plain_scores_is_an_error(
    make_generator: Make, make_discriminator: Make
) -> None:
    make_discriminator(keepdims=1)
    with pytest.raises(UserError, match=r"N x 1 x 1 x 1', expected 'score tensor\(float\) N'"):
        Generator.load(make_generator(), best_of=2)
