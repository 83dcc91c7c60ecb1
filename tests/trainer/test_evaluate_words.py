"""What is measured of words: on real pictures of two groups of plain colours, as known answers."""

from __future__ import annotations

import itertools
import json
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from edgegan.runtime.colour_classifier import resize
from edgegan.runtime.files import classifiers_folder
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.run_folder import EVALUATION, WORDS
from edgegan.runtime.tags import NONE
from edgegan.runtime.words import Group, Words
from edgegan.trainer import (
    classifier,
    conditional_generator,
    evaluate,
    evaluate_words,
    word_classifier,
    word_details,
)
from edgegan.trainer.classifier import IMAGE_SIZE
from edgegan.trainer.conditional_generator import BATCH, Conditional, read_batches, resized
from edgegan.trainer.data import PackedPictures, pack, read_pictures
from edgegan.trainer.evaluate_words import Findings, WordExaminer, translated
from edgegan.trainer.split import HELD_OUT, split
from edgegan.trainer.word_classifier import trained_on_real
from edgegan.trainer.word_metrics import frechet_within
from edgegan.trainer.word_metrics.frechet_within import measured_words
from training_help import encode

SIZE = 16
TONES = {"dark": 40, "light": 180}
TINTS = {"red": 0, "green": 1, "blue": 2}
IMAGES = 240


@pytest.fixture(scope="module", autouse=True)
def quick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of these tests' own, and short trainings on small batches."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        patch.setattr(classifier, "BATCH_SIZE", 16)
        patch.setattr(word_classifier, "STEPS", 30)
        patch.setattr(evaluate_words, "MOST_EXAMPLES", 480)
        for module in (evaluate_words, frechet_within):
            patch.setattr(module, "PICTURES", 44)  # that each tone of those held out has
        yield


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,150 pictures of a tone with a tint, and which."""
    path = tmp_path_factory.mktemp("data") / "pictures.zip"
    random = np.random.default_rng(0)
    lines = ["file,tone,tint"]
    with zipfile.ZipFile(path, "w") as archive:
        for number, (tone, tint) in zip(range(1150), itertools.cycle(pairs())):
            picture = random.integers(0, 60, (4, 4, 3)) + TONES[tone] - 20
            picture[..., TINTS[tint]] += 75
            picture = picture.clip(0, 255).astype(np.uint8).repeat(4, axis=0).repeat(4, axis=1)
            archive.writestr(f"{number}.png", encode(picture))
            lines.append(f"{number}.png,{tone},{tint}")
        archive.writestr("tags.csv", "\n".join(lines) + "\n")
    return path


def pairs() -> list[tuple[str, str]]:
    return list(itertools.product(TONES, TINTS))


@pytest.fixture(scope="module")
def packed(source: Path) -> PackedPictures:
    return pack(source, SIZE, with_words=True)


@pytest.fixture(scope="module")
def examiner(packed: PackedPictures) -> WordExaminer:
    return WordExaminer(packed, 0.1, means, IMAGES)


def means(images: np.ndarray) -> np.ndarray:
    """Features: the mean colour of each quarter."""
    quarters = images.reshape(len(images), 2, SIZE // 2, 2, SIZE // 2, 3)
    return quarters.mean(axis=(2, 4)).reshape(len(images), -1).astype(np.float32)


def drawing(packed: PackedPictures, wrong: bool = False, only: int | None = None) -> Conditional:
    """What draws real training pictures of the words; with wrong ones, or the same of each text."""
    assert packed.words
    training = split(packed, 0.1, 0).training
    images, choices = read_pictures(packed, training), packed.choices()[training]
    words = packed.words

    def draw(latents: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        drawn = []
        for latent, choice in zip(latents, words.choices_of(conditions)):
            place = int(abs(latent[0]) * 1e6)
            own = np.arange(len(choices)) if wrong else (choices == choice).all(axis=1).nonzero()[0]
            drawn.append(images[own[place % len(own) if only is None else only]])
        return np.stack(drawn)

    return Conditional(words, 4, "normal", draw)


@pytest.fixture
def untrained(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is trained where the classification accuracy is not what is tested."""
    network = classifier.Classifier([2, 3])
    network.initialize()
    for train in ("trained_on_real", "trained_on_generated"):
        monkeypatch.setattr(evaluate_words, train, lambda *_: network)


@pytest.fixture(scope="module")
def real(examiner: WordExaminer, packed: PackedPictures) -> Findings:
    return examiner.examine(drawing(packed), seed=0)


def test_real_pictures_with_their_words_measure_as_real_ones(real: Findings) -> None:
    assert real.figures.keys() == real.floor.keys()
    assert real.figures["right_words"] > 0.95
    assert real.figures["variety"] == pytest.approx(real.floor["variety"], abs=0.1)
    assert real.figures["variety"] == pytest.approx(1, abs=0.15)
    assert real.figures["classification_accuracy"] > 0.9
    assert real.floor["classification_accuracy"] > 0.9


def test_permuted_words_are_right_by_chance(
    examiner: WordExaminer, packed: PackedPictures, real: Findings
) -> None:
    found = examiner.examine(drawing(packed, wrong=True), seed=0)
    assert found.figures["right_words"] == pytest.approx(1 / 6, abs=0.08)
    assert found.figures["variety"] > 1.5
    assert found.figures["classification_accuracy"] < 0.5
    tone = np.array(found.details["groups"]["tone"]["confusion"])
    assert tone.sum() == IMAGES
    assert np.diag(tone).sum() / IMAGES == found.details["groups"]["tone"]["right"]
    assert found.floor == real.floor


def test_one_picture_a_text_over_and_over_is_right_and_has_no_variety(
    examiner: WordExaminer, packed: PackedPictures
) -> None:
    found = examiner.examine(drawing(packed, only=0), seed=0)
    assert found.figures["right_words"] > 0.9
    assert found.figures["variety"] == 0


def test_every_word_and_text_has_its_share_beside_that_of_real_pictures(real: Findings) -> None:
    about = real.details
    assert about["classifier"] == evaluate_words.OWN
    assert list(about["groups"]["tint"]["words"]) == ["blue", "green", "red"]
    words = about["groups"]["tint"]["words"].values()
    assert sum(word["pictures"] for word in words) == IMAGES
    mean = sum(word["right"] * word["pictures"] for word in words) / IMAGES
    assert mean == pytest.approx(about["groups"]["tint"]["right"])
    texts = about["combinations"]
    assert len(texts) == 6
    right = sum(text["right"] * text["pictures"] for text in texts.values()) / IMAGES
    assert right == pytest.approx(real.figures["right_words"])
    assert json.dumps(real.to_json())


def test_the_table_has_a_picture_of_every_pair(packed: PackedPictures, real: Findings) -> None:
    assert real.picture.shape == (2 * SIZE, 3 * SIZE, 3)
    assert (real.shown["rows"], real.shown["columns"]) == (
        ["dark", "light"],
        ["blue", "green", "red"],
    )
    cells = real.picture.reshape(2, SIZE, 3, SIZE, 3).mean(axis=(1, 3))
    assert (cells[0].sum(axis=-1) < cells[1].sum(axis=-1)).all()
    assert cells.argmax(axis=-1).tolist() == [[2, 1, 0]] * 2
    for row, named in zip(real.shown["right"], real.shown["named"]):
        assert [type(right) for right in row] == [bool] * 3
        assert all(isinstance(text, str) for text in named)


def test_a_table_is_one_face_in_all_words(packed: PackedPictures) -> None:
    assert packed.words
    latents: list[np.ndarray] = []

    def draw(latent: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        latents.append(latent)
        return np.zeros((len(latent), 4, 4, 3), np.uint8)

    def name(images: np.ndarray) -> np.ndarray:
        return np.zeros((len(images), 2), np.int64)

    word_details.draw_table(Conditional(packed.words, 4, "normal", draw), 3, name)
    np.testing.assert_array_equal(
        np.concatenate(latents), draw_latents(3, 1, 4, "normal").repeat(6, axis=0)
    )


def test_pictures_are_resized_batch_by_batch(
    packed: PackedPictures, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def read(pictures: PackedPictures, indices: np.ndarray) -> np.ndarray:
        held.append(len(indices))
        return read_pictures(pictures, indices)

    monkeypatch.setattr(conditional_generator, "read_pictures", read)
    indices = np.arange(60)[::-1]
    images = resized(read_batches(packed, indices), len(indices))
    assert held == [BATCH, BATCH, 60 - 2 * BATCH]
    np.testing.assert_array_equal(images, resize(read_pictures(packed, indices), IMAGE_SIZE))


def test_real_pictures_that_taught_the_shipped_classifier_give_no_rate(
    packed: PackedPictures, untrained: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of a run that held out more than it did: it names those that it has learned rightly."""
    own = read_pictures(packed, split(packed, HELD_OUT, 0).held_out)
    unlearned = {image.tobytes() for image in own}

    def name(images: np.ndarray) -> np.ndarray:
        tones = images.mean(axis=(1, 2, 3)) > 110
        tints = 2 - images.mean(axis=(1, 2)).argmax(axis=1)
        learned = [image.tobytes() not in unlearned for image in images]
        return np.stack([tones, tints], axis=1) * np.array(learned)[:, None]

    monkeypatch.setattr(evaluate_words, "shipped_namer", lambda words: name)
    found = WordExaminer(packed, 0.3, means, 100).examine(drawing(packed), seed=0)
    assert found.figures["right_words"] == 1
    assert found.floor["right_words"] == found.details["real"] == pytest.approx(1 / 6, abs=0.08)
    assert found.details["real_pictures"] == len(own)
    assert found.details["held_out"] == len(split(packed, 0.3, 0).held_out)
    texts = found.details["combinations"].values()
    assert sum(text["real_pictures"] for text in texts) == len(own)
    line = {"name": "g", **found.to_json(), "floor": {"words": found.floor}}
    said = word_details.word_lines([line])
    held_out = found.details["held_out"]
    assert f"of {len(own)} of {held_out} real pictures held out, from it too, " in said


def test_distance_within_words_is_over_the_same_words_however_many_are_drawn(
    examiner: WordExaminer,
    packed: PackedPictures,
    real: Findings,
    untrained: None,
) -> None:
    """One that draws a word once in a hundred pictures is measured in it as another is."""
    held_out = packed.choices()[split(packed, 0.1, 0).held_out]
    assert measured_words(held_out) == [(0, 0), (0, 1)]  # dark and light
    usual = drawing(packed)
    counts = usual.words.counts * np.where(usual.words.combinations[:, 0] == 0, 1, 100)
    found = examiner.examine(replace(usual, words=replace(usual.words, counts=counts)), seed=0)
    assert found.details["groups"]["tone"]["words"]["dark"]["pictures"] < 10
    assert found.floor["frechet_within"] == real.floor["frechet_within"]
    assert found.figures["frechet_within"] == real.figures["frechet_within"]


def test_a_single_group_is_a_row() -> None:
    words = Words.of([Group("class", ("cat", "dog", "owl"))], np.array([[0], [1], [2]]))

    def draw(latents: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        shades = 100 * words.choices_of(conditions)[:, 0].astype(np.uint8)
        return np.broadcast_to(shades[:, None, None, None], (len(shades), 4, 4, 3)).copy()

    def name_two(images: np.ndarray) -> np.ndarray:
        return np.minimum(images[:, 0, 0, :1] // 100, 1).astype(np.int64)

    generator = Conditional(words, 4, "normal", draw)
    picture, shown = word_details.draw_table(generator, 0, name_two)
    assert picture[0, ::4, 0].tolist() == [0, 100, 200]
    assert shown == {
        "rows": [""],
        "columns": ["cat", "dog", "owl"],
        "named": [["cat", "dog", "dog"]],
        "right": [[True, True, False]],
    }


def test_a_trained_classifier_is_kept_and_a_damaged_one_trained_again(
    packed: PackedPictures, real: Findings, monkeypatch: pytest.MonkeyPatch
) -> None:
    (kept,) = classifiers_folder().iterdir()
    assert packed.words
    trainings = []

    def train(examples: classifier.Examples, sizes: list[int], *_: object) -> object:
        trainings.append(sizes)
        return network

    network = classifier.Classifier([2, 3])
    network.initialize()
    monkeypatch.setattr(word_classifier, "train", train)
    images = np.zeros((6, 64, 64, 3), np.uint8)
    examples = classifier.Examples(images, np.array(list(itertools.product(range(2), range(3)))))

    def ask() -> classifier.Classifier:
        return trained_on_real(examples, packed.words, "a digest")

    first = ask()
    assert trainings == [[2, 3]]
    again = ask()
    assert trainings == [[2, 3]]
    np.testing.assert_array_equal(again.name_words(images), first.name_words(images))
    (new,) = set(classifiers_folder().iterdir()) - {kept}
    new.write_bytes(new.read_bytes()[:100])
    ask()
    assert len(trainings) == 2
    new.unlink()


def test_words_are_translated_by_what_they_say() -> None:
    of = Words.of([Group("a", ("x", "y")), Group("b", ("Grey", "p"))], np.array([[0, 0]]))
    to = Words.of([Group("B", ("p", "gray"))], np.array([[0]]))
    choices = np.array([[0, 0], [1, 1], [NONE, NONE]])
    assert translated(choices, of, to).tolist() == [[1], [0], [NONE]]
    back = translated(np.array([[0], [1]]), to, of)
    assert back.tolist() == [[NONE, 1], [NONE, 0]]


def test_the_command_adds_words_and_their_table(
    source: Path,
    packed: PackedPictures,
    real: Findings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    conditional = drawing(packed)

    def opened(name: str, seed: int) -> evaluate.MeasuredGenerator:
        def draw(first: int, count: int) -> np.ndarray:
            return conditional.images(seed, conditional.choices(seed, count, first), first)

        takes = None if name == "plain" else conditional
        (tmp_path / name).mkdir(exist_ok=True)
        return evaluate.MeasuredGenerator(name, SIZE, None, draw, {}, tmp_path / name, takes)

    monkeypatch.setattr(evaluate, "open_generator", opened)
    monkeypatch.setattr(evaluate, "find_detector", lambda cascade: None)
    monkeypatch.setattr(evaluate, "find_extractors", lambda: {"colour_classifier": lambda: means})
    calls = SimpleNamespace(count=0)

    def no_training(*arguments: object) -> classifier.Classifier:
        calls.count += 1
        network = classifier.Classifier([2, 3])
        network.initialize()
        return network

    monkeypatch.setattr(evaluate_words, "trained_on_generated", no_training)
    arguments = ["plain", "cgan", "--data", str(source), "--images", str(IMAGES)]
    assert evaluate.main(arguments) == 0
    out = capsys.readouterr().out
    plain, cgan = (
        json.loads((tmp_path / name / EVALUATION).read_text()) for name in ("plain", "cgan")
    )
    assert not {"words", "word_details", "word_table"} & plain.keys()
    assert "words" not in plain["floor"]
    assert not (tmp_path / "plain" / WORDS).exists()
    assert cgan["metrics"] == plain["metrics"]
    assert cgan["words"]["right_words"] == real.figures["right_words"]
    assert cgan["floor"]["words"] == real.floor
    assert len(cgan["word_table"]["sha256"]) == 64
    assert (tmp_path / "cgan" / WORDS).exists()
    assert calls.count == 1
    tail = out.split("\n\n")[-1].splitlines()
    held_out = len(split(packed, 0.1, 0).held_out)
    assert tail[0].startswith(
        f"words, named by {evaluate_words.OWN}: of {held_out} real pictures held out "
    )
    assert tail[0].endswith("the last column by classifiers that learn from 480 pictures")
    assert [line.split("  ")[0] for line in tail[2:4]] == ["real pictures", "cgan"]
    assert tail[4].startswith("cgan: worst words ")
    assert "; worst texts " in tail[4]


def test_data_without_words_leaves_them_out_and_says_so(
    source: Path,
    packed: PackedPictures,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    wordless = tmp_path / "wordless.zip"
    with zipfile.ZipFile(source) as archive, zipfile.ZipFile(wordless, "w") as copy:
        for name in archive.namelist():
            if name.endswith(".png"):
                copy.writestr(name, archive.read(name))
    conditional = drawing(packed)

    def opened(name: str, seed: int) -> evaluate.MeasuredGenerator:
        def draw(first: int, count: int) -> np.ndarray:
            return conditional.images(seed, conditional.choices(seed, count, first), first)

        return evaluate.MeasuredGenerator(name, SIZE, None, draw, {}, conditional=conditional)

    monkeypatch.setattr(evaluate, "open_generator", opened)
    monkeypatch.setattr(evaluate, "find_detector", lambda cascade: None)
    arguments = ["cgan", "--data", str(wordless), "--images", "100", "--json"]
    assert evaluate.main(arguments) == 0
    out, err = capsys.readouterr()
    (found,) = json.loads(out)
    assert "words" not in found
    assert "words are not measured: " in err
