"""The command that trains the features' network: tags, draws, training and the file it writes."""

from __future__ import annotations

import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import mxnet as mx
import numpy as np
import onnx
import onnxruntime
import pytest

from edgegan.runtime.errors import run_command
from edgegan.trainer import classifier, train_colour_classifier
from edgegan.trainer.classifier import Classifier, augment
from edgegan.trainer.data import to_network_range
from edgegan.trainer.train_colour_classifier import read_tagged_pictures
from training_help import encode, part_of

COLOURS = {"red": (200, 30, 30), "green": (30, 200, 30), "blue": (30, 30, 200)}


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))


@pytest.fixture
def tagged_zip(tmp_path: Path) -> Callable[..., Path]:
    """A maker of zips of pictures, hair in the upper half and eyes in the lower, with their tags.

    Names are not padded with zeros, so that their order is not that of the numbers.
    """

    def make(count: int = 12, tags: str | None = None) -> Path:
        path = tmp_path / "pictures.zip"
        random = np.random.default_rng(0)
        lines = []
        with zipfile.ZipFile(path, "w") as archive:
            for number in range(count):
                hair, eyes = random.choice(list(COLOURS), 2)
                picture = np.full((64, 64, 3), COLOURS[hair], np.uint8)
                picture[32:] = COLOURS[eyes]
                blocks = random.integers(0, 50, (8, 8, 3), dtype=np.uint8)  # so that none is a copy
                picture += blocks.repeat(8, axis=0).repeat(8, axis=1)
                archive.writestr(f"data/images/{number}.png", encode(picture))
                lines.append(f"{number},{hair} hair {eyes} eyes\n")
            if tags != "":
                archive.writestr("data/tags.csv", tags or "".join(reversed(lines)))
        return path

    return make


@pytest.fixture
def command(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Callable[[Path], tuple[int, str, str]]:
    def call(data: Path, *options: str) -> tuple[int, str, str]:
        words = ["--data", str(data), *options, "--out", str(tmp_path / "out.onnx")]
        monkeypatch.setattr(sys, "argv", ["train_colour_classifier", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_command(train_colour_classifier.main)
        return ended.value.code, *capfd.readouterr()

    return call


def test_what_is_advised_for_bad_pictures_is_an_option(
    tagged_zip: Callable[..., Path], command: Callable[..., tuple[int, str, str]]
) -> None:
    path = tagged_zip(12, tags="1,red hair red eyes\n")
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data/images/1000.png", b"no picture")
    assert "leave them out with --skip-bad" in command(path)[2]
    assert "has no tag for picture" in command(path, "--skip-bad")[2]


def test_each_picture_has_its_own_tag(tagged_zip: Callable[..., Path]) -> None:
    """Whatever the orders of names and tags are, and where a picture was skipped."""
    path = tagged_zip(300)
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr("data/images/1000.png", b"no picture")
    tagged = read_tagged_pictures(path)
    assert tagged.images.shape == (300, 64, 64, 3)
    hair, eyes = tagged.words
    assert hair == eyes == ["blue", "green", "red"]
    for image, (hair_label, eyes_label) in zip(tagged.images, tagged.choices):
        for half, word in ((image[:32], hair[hair_label]), (image[32:], eyes[eyes_label])):
            assert half.mean(axis=(0, 1)).argmax() == np.argmax(COLOURS[word])


def test_augmenting_mirrors_and_shifts_and_nothing_else() -> None:
    """Every picture is a window into the old one, as wide as that, or into its mirror image."""
    images = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
    moved = augment(images, 3)
    most = classifier.MOST_SHIFT
    moves = [
        (flip, y, x)
        for flip in (1, -1)
        for y in range(-most, most + 1)
        for x in range(-most, most + 1)
    ]
    made = []
    for before, after in zip(images, moved):
        fits = [
            (before[:, ::flip][8 + y : 56 + y, 8 + x : 56 + x] == after[8:56, 8:56]).all()
            for flip, y, x in moves
        ]
        assert sum(fits) == 1
        made.append(moves[fits.index(True)])
    mirrored = sum(flip == -1 for flip, _, _ in made)
    assert len({(y, x) for _, y, x in made}) > 20
    assert 10 < mirrored < 30
    np.testing.assert_array_equal(augment(images, 3), moved)
    assert (augment(images, 4) != moved).any()


def test_the_command_learns_colours_and_writes_what_it_learnt(
    tagged_zip: Callable[..., Path],
    command: Callable[[Path], tuple[int, str, str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(train_colour_classifier, "EPOCHS", 6)
    monkeypatch.setattr(train_colour_classifier, "BATCH_SIZE", 20)
    monkeypatch.setattr(classifier, "BATCH_SIZE", 20)
    path = tagged_zip(120)
    status, out, _ = command(path)
    assert status == 0
    with zipfile.ZipFile(path) as archive:
        files = [archive.read(name) for name in archive.namelist() if name.endswith(".png")]
    held_out = sum(part_of(file) == "held out" for file in files)
    accuracy = "hair 100.0%, eyes 100.0%, both 100.0% right"
    assert f"out.onnx: of {held_out} pictures held out, {accuracy}" in out
    # The same by the file, without any of the trainer's code.
    session = onnxruntime.InferenceSession(str(tmp_path / "out.onnx"))
    assert [node.name for node in session.get_inputs()] == ["image"]
    tagged = read_tagged_pictures(path)
    features, *heads = session.run(
        ["features", "hair", "eyes"], {"image": to_network_range(tagged.images, "signed")}
    )
    assert features.shape == (120, 320)
    named = np.stack([logits.argmax(axis=1) for logits in heads], axis=1)
    assert (named == tagged.choices).mean() > 0.95
    metadata = session.get_modelmeta().custom_metadata_map
    assert metadata == {"hair": "blue green red", "eyes": "blue green red"}


def test_the_file_computes_what_the_network_does(tmp_path: Path) -> None:
    """With batch norms that have seen something; pictures of one colour have no spread."""
    network = Classifier((3, 2))
    network.initialize(mx.init.Xavier())
    random = np.random.default_rng(0)
    for name, parameter in network.collect_params(".*(running|beta).*").items():
        low = 0.5 if name.endswith("var") else -0.5
        parameter.set_data(random.uniform(low, low + 1, parameter.shape))
    path = tmp_path / "network.onnx"
    train_colour_classifier.export(network, (["a", "b", "c"], ["d", "e"]), path)
    onnx.checker.check_model(onnx.load(str(path)), full_check=True)
    images = random.integers(0, 256, (5, 64, 64, 3), dtype=np.uint8)
    images[0] = 90
    image = to_network_range(images, "signed")
    outputs = onnxruntime.InferenceSession(str(path)).run(None, {"image": image})
    for found, expected in zip(outputs, network(mx.nd.array(image))):
        assert np.isfinite(found).all()
        np.testing.assert_allclose(found, expected.asnumpy(), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    ("tags", "words"),
    [
        ("", ("pictures.zip has no words for its pictures", "expected tags.csv")),
        ("0,red hair blue eyes\n", ("pictures.zip has no tag for picture 1 in its tags.csv",)),
        ("0,red hair\n", ("'0,red hair' in line 1 of its tags.csv", "expected such as")),
    ],
)
def test_tags_that_will_not_do_are_refused(
    tagged_zip: Callable[..., Path],
    command: Callable[[Path], tuple[int, str, str]],
    tmp_path: Path,
    tags: str,
    words: tuple[str, ...],
) -> None:
    status, _, err = command(tagged_zip(12, tags))
    assert status == 2
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line
    assert not (tmp_path / "out.onnx").exists()


def test_what_is_no_zip_is_refused(
    command: Callable[[Path], tuple[int, str, str]], tmp_path: Path
) -> None:
    (tmp_path / "faces.zip").write_bytes(b"no zip")
    for path in (tmp_path / "faces.zip", tmp_path / "absent.zip"):
        status, _, err = command(path)
        assert (status, err.count("\n")) == (2, 1)
        assert f"error: {path} is no zip file, expected one of pictures and their tags.csv" in err
