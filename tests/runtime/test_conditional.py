"""Generators that take words: what they draw, and what they refuse."""

from __future__ import annotations

import itertools
import json
import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

import edgegan.runtime.generator
import edgegan.runtime.models
from edgegan import Generator
from edgegan.runtime import providers, score
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.grid import baseline_grid
from edgegan.runtime.metadata import ModelMetadata
from edgegan.runtime.network import Network
from edgegan.runtime.options import PREFERENCES
from edgegan.runtime.session import PROVIDERS
from edgegan.runtime.words import Group, Words
from export_help import METADATA
from provider_help import FakeProvider
from words_help import WORDS, make_conditional_discriminator, make_conditional_generator

Make = Callable[..., Path]
OTHERS = Words.of([Group("hair", ("blond", "blue", "red"))], np.array([[0], [1]]))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return make_conditional_generator(tmp_path / "words.onnx")


@pytest.fixture
def discriminator(path: Path) -> Path:
    return make_conditional_discriminator(path.with_suffix(".discriminator.onnx"))


def expected_of(path: Path, latents: np.ndarray, conditions: np.ndarray) -> np.ndarray:
    """What the file's weights give by numpy."""
    model = onnx.load(str(path))
    weights = {tensor.name: numpy_helper.to_array(tensor) for tensor in model.graph.initializer}
    values = latents @ weights["latent_weight"] + conditions @ weights["condition_weight"]
    return to_bytes(np.tanh(values).reshape(-1, 3, 16, 16).astype(np.float32))


def assert_close(images: np.ndarray, expected: np.ndarray) -> None:
    """Equal but for the last digit of a float32, which may move a rounded byte by one."""
    np.testing.assert_allclose(images.astype(int), expected.astype(int), atol=1)
    assert (images != expected).mean() < 0.01


def test_images_are_those_of_latents_and_of_words(path: Path) -> None:
    generator = Generator.load(path, "cpu")
    assert generator.words == WORDS
    condition = generator.condition(["blue hair green eyes"])
    np.testing.assert_array_equal(condition, np.float32([[0, 1, 0, 0, 1]]))
    latents = generator.latents(7, 70)
    assert_close(
        generator.images(7, 70, condition=condition),
        expected_of(path, latents, condition.repeat(70, axis=0)),
    )
    each = np.random.default_rng(0).random((70, 5)).astype(np.float32)
    assert_close(generator.images_of(latents, each), expected_of(path, latents, each))


def test_a_face_keeps_its_latent_whatever_its_words_are(path: Path) -> None:
    generator = Generator.load(path, "cpu")
    texts = ["blue hair green eyes", "red hair", "eyes=blue", {"hair": "blond"}]
    each = generator.condition(texts)
    np.testing.assert_array_equal(each.sum(axis=1), [2, 1, 1, 1])
    conditions = generator.conditions(3, 4, first=10, condition=each)
    assert (conditions >= each).all()
    assert WORDS.one_hot(WORDS.choices_of(conditions)).tobytes() == conditions.tobytes()
    images = generator.images(3, 4, first=10, condition=each)
    latents = generator.latents(3, 4, first=10)
    np.testing.assert_array_equal(images, generator.images_of(latents, conditions))


def test_without_a_condition_words_are_drawn_as_the_pictures_have_them(path: Path) -> None:
    generator = Generator.load(path, "cpu")
    conditions = generator.conditions(3, 300)
    np.testing.assert_array_equal(conditions, WORDS.one_hot(WORDS.draw(3, 300)))
    images = generator.images(3, 300)
    np.testing.assert_array_equal(
        images, generator.images_of(generator.latents(3, 300), conditions)
    )
    np.testing.assert_array_equal(generator.images(3, 20, first=90), images[90:110])
    nothing = np.zeros((1, 5), np.float32)
    np.testing.assert_array_equal(generator.images(3, 9, condition=nothing), images[:9])


def test_no_images_are_none(path: Path) -> None:
    generator = Generator.load(path, "cpu")
    assert generator.condition([]).shape == (0, 5)
    assert generator.conditions(0, 0).shape == (0, 5)
    assert generator.images(0, 0, condition=generator.condition([])).shape == (0, 16, 16, 3)
    assert generator.images_of(generator.latents(0, 0), generator.conditions(0, 0)).size == 0


@pytest.mark.parametrize("best_of", [1, 3, 70])
def test_images_depend_on_seed_index_and_words_only(
    path: Path,
    discriminator: Path,
    use_cores: Callable[[int], None],
    monkeypatch: pytest.MonkeyPatch,
    best_of: int,
) -> None:
    generator = Generator.load(path, "cpu", best_of)
    each = generator.condition(["red hair", "blue eyes", "blond hair green eyes"] * 4)
    expected = generator.images(7, 12, condition=each)
    assert len(np.unique(expected, axis=0)) == 12
    for cores, prefer in itertools.product((1, 3), PREFERENCES):
        use_cores(cores)
        other = Generator.load(path, "cpu", best_of, prefer)
        for batch in (1, 7, 64):
            monkeypatch.setattr(edgegan.runtime.generator, "BATCH", batch)
            found = other.images(7, 8, first=4, condition=each[4:])
            np.testing.assert_array_equal(found, expected[4:])


def test_the_best_for_its_words_is_kept(path: Path, discriminator: Path) -> None:
    generator = Generator.load(path, "cpu", best_of=4)
    # The discriminator likes red with the first word of all, and likes it not with the second.
    each = np.float32([[1, 0, 0, 0, 0], [0, 1, 0, 0, 0]]).repeat(5, axis=0)
    each[:, 4] = 0.5
    plain = Generator.load(path, "cpu")
    candidates = plain.images_of(plain.latents(7, 40), each.repeat(4, axis=0))
    red = candidates.reshape(10, 4, 16, 16, 3)[..., 0].mean(axis=(2, 3)) - 127.5
    assert np.diff(np.sort(red)).min() > 0.01
    best = np.where(each[:, 0] == 1, red.argmax(axis=1), red.argmin(axis=1))
    kept = generator.images(7, 10, condition=each)
    np.testing.assert_array_equal(kept, candidates[np.arange(10) * 4 + best])


@pytest.mark.parametrize("words", [OTHERS, Words.of(WORDS.groups, np.array([[0, 0]]))])
def test_the_discriminator_has_to_take_the_same_words(path: Path, words: Words) -> None:
    make_conditional_discriminator(path.with_suffix(".discriminator.onnx"), words)
    with pytest.raises(
        UserError, match=r"words\.discriminator\.onnx takes other words than .*words\.onnx"
    ):
        Generator.load(path, "cpu", best_of=2)


def test_the_discriminator_of_one_without_words_takes_none(
    make_generator: Make, make_discriminator: Make
) -> None:
    path = make_generator()
    beside = path.with_suffix(".discriminator.onnx")
    make_conditional_discriminator(beside)
    with pytest.raises(UserError, match="takes other words than"):
        Generator.load(path, "cpu", best_of=2)
    make_discriminator(beside.name)
    with pytest.raises(UserError, match="takes other words than"):
        Generator.load(make_conditional_generator(path), "cpu", best_of=2)


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_provider_gets_latents_and_conditions_in_batches_of_one_shape(
    path: Path, discriminator: Path, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    texts = ["blue hair green eyes", "red hair"] * 35
    plain = Generator.load(path, "cpu", best_of=2)
    expected = plain.images(0, 70, condition=plain.condition(texts))
    fake = FakeProvider(monkeypatch, provider)
    generator = Generator.load(path, provider, 2)
    assert PROVIDERS[provider].name in generator.provider_line
    tried_out = list(fake.runs)
    assert [shape for shape, _ in tried_out] == [[64, 3, 16, 16], [64]]
    condition = generator.condition(texts)
    np.testing.assert_array_equal(generator.images(0, 70, condition=condition), expected)
    np.testing.assert_array_equal(generator.images(0, 1, condition=condition[:1]), expected[:1])
    assert fake.runs == tried_out * 5  # which is where a graph was captured


def test_threads_draw_what_one_does(path: Path) -> None:
    generator = Generator.load(path, "cpu")
    each = generator.condition(["red hair", "blue hair", "green eyes"])
    expected = generator.images(5, 3, condition=each)
    with ThreadPoolExecutor(4) as pool:
        drawn = list(pool.map(lambda _: generator.images(5, 3, condition=each), range(20)))
    assert all(np.array_equal(images, expected) for images in drawn)


def test_a_generator_is_pickled_with_its_words(path: Path, discriminator: Path) -> None:
    generator = Generator.load(path, "cpu", best_of=2)
    other = pickle.loads(pickle.dumps(generator))
    assert other.words == WORDS
    condition = generator.condition(["blue hair"])
    np.testing.assert_array_equal(
        other.images(1, 3, condition=condition), generator.images(1, 3, condition=condition)
    )
    assert other.identity() == generator.identity()
    assert len(json.dumps(generator.identity())) < 200
    generator.close()
    with pytest.raises(RuntimeError, match="was closed"):
        generator.images(1, 3, condition=condition)


GOOD = np.zeros((3, 5), np.float32)


@pytest.mark.parametrize(
    ("condition", "error", "sentence"),
    [
        (GOOD.tolist(), TypeError, r"found list, expected float32 \(3, 5\)"),
        (GOOD.astype(float), TypeError, r"found float64 \(3, 5\), expected float32"),
        (GOOD[:2], ValueError, r"found float32 \(2, 5\), expected float32 \(3, 5\)"),
        (GOOD[0], ValueError, r"found float32 \(5,\)"),
        (GOOD[:, :4], ValueError, r"found float32 \(3, 4\)"),
        (GOOD * np.nan, ValueError, "found values that are not finite"),
    ],
)
def test_conditions_are_checked(
    path: Path, condition: Any, error: type[Exception], sentence: str
) -> None:
    generator = Generator.load(path, "cpu")
    calls: list[Callable[[], object]] = [
        lambda: generator.images(0, 3, condition=condition),
        lambda: generator.conditions(0, 3, condition=condition),
        lambda: generator.images_of(generator.latents(0, 3), condition),
    ]
    for call in calls:
        with pytest.raises(error, match=f"conditions?: {sentence}"):
            call()
    with pytest.raises(TypeError, match="conditions: found NoneType, expected float32"):
        generator.images_of(generator.latents(0, 3))


def test_texts_are_checked(path: Path) -> None:
    generator = Generator.load(path, "cpu")
    for text in ("blue hair", {"hair": "blue"}):
        with pytest.raises(TypeError, match="expected a list of texts"):
            generator.condition(text)
    with pytest.raises(UserError, match="'violet' is no word of hair"):
        generator.condition(["blue hair", "violet hair"])


def test_a_network_takes_as_many_rows_of_each_input(path: Path) -> None:
    network = Network(path, "cpu", "generator")
    latents = np.zeros((2, 16), np.float32)
    with pytest.raises(TypeError, match="found 1 arrays, expected latent and condition"):
        network.run(latents)
    with pytest.raises(ValueError, match="found 2 and 3 rows, expected as many"):
        network.run(latents, GOOD)
    with pytest.raises(ValueError, match=r"condition: found float32 \(2, 16\)"):
        network.run(latents, latents)


def test_without_words_there_is_no_condition(make_generator: Make) -> None:
    generator = Generator.load(make_generator(), "cpu")
    assert generator.words is None
    calls: list[Callable[[], object]] = [
        lambda: generator.condition(["blue hair"]),
        lambda: generator.conditions(0, 1),
        lambda: generator.images(0, 3, condition=GOOD),
    ]
    for call in calls:
        with pytest.raises(UserError, match=r"tiny\.onnx takes no words, .* the shipped cgan$"):
            call()
    with pytest.raises(TypeError, match=r"expected None: .*tiny\.onnx takes no words"):
        generator.images_of(generator.latents(0, 3), GOOD)
    with pytest.raises(TypeError, match="found 2 arrays, expected latent"):
        generator._network.run(generator.latents(0, 3), GOOD)


def test_a_network_takes_the_condition_that_its_metadata_says(
    path: Path, make_generator: Make
) -> None:
    with_words = replace(METADATA, words=WORDS).to_strings()
    with pytest.raises(
        UserError, match=r"has the input 'latent .* N x 16', expected '.*, condition .* N x 5'"
    ):
        Generator.load(make_generator(metadata=with_words))
    model = onnx.load(str(path))
    for words in (OTHERS, None):
        del model.metadata_props[:]
        onnx.helper.set_model_props(model, replace(METADATA, words=words).to_strings())
        onnx.save(model, str(path))
        with pytest.raises(UserError, match=r"condition .* N x 5', expected 'latent "):
            Generator.load(path)


# What a file says of its words


def test_the_version_of_a_file_rises_only_where_there_are_words() -> None:
    with_words = replace(METADATA, words=WORDS)
    assert METADATA.to_strings()["edgegan.format_version"] == "1"
    assert with_words.to_strings()["edgegan.format_version"] == "2"
    added = dict(with_words.to_strings().items() - METADATA.to_strings().items())
    assert added == {"edgegan.format_version": "2", "edgegan.words": WORDS.to_json()}
    for metadata in (METADATA, with_words):
        assert ModelMetadata.from_strings(metadata.to_strings(), "x.onnx") == metadata


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"format_version": "1"}, r"format_version = '1' .*, expected 2, as in all files with"),
        ({"format_version": "3"}, "expected at most 2: update edgegan"),
        ({"words": None}, r"^x\.onnx has no edgegan\.words in its metadata$"),
        ({"words": "{}"}, r"^x\.onnx has edgegan\.words = '{}' in its metadata, expected groups"),
        ({"words": "x" * 10**6}, r"edgegan\.words = 'x+\.\.\.x+' .*expected at most 524288"),
        (
            {"words": WORDS.to_json().replace("green", "Blue")},
            r"expected no word twice in a group$",
        ),
    ],
)
def test_malformed_words_are_named(changes: dict[str, str | None], sentence: str) -> None:
    strings = replace(METADATA, words=WORDS).to_strings()
    for name, value in changes.items():
        strings.pop(f"edgegan.{name}")
        if value is not None:
            strings[f"edgegan.{name}"] = value
    with pytest.raises(UserError, match=sentence) as caught:
        ModelMetadata.from_strings(strings, "x.onnx")
    assert len(str(caught.value)) < 400


# Commands that draw words of themselves


def test_providers_tries_models_that_take_words(
    path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(edgegan.runtime.models, "MODELS", path.parent)
    assert providers.main([]) == 0
    assert "running on the CPU" in capsys.readouterr().out


def test_score_grades_grids_of_drawn_words(
    path: Path, monkeypatch: pytest.MonkeyPatch, cascade: Path
) -> None:
    graded: list[np.ndarray] = []
    faces = score.Detector.faces
    monkeypatch.setattr(
        score.Detector, "faces", lambda self, grid: (graded.append(grid), faces(self, grid))[1]
    )
    assert score.main(["--model", str(path), "--seeds", "3", "--cascade", str(cascade)]) == 1
    images = Generator.load(path, "cpu").images(3, 25)
    np.testing.assert_array_equal(graded, [baseline_grid(images)])
