"""Small recipes and pictures for the tests of the trainer."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest
from PIL import Image

from edgegan.runtime.errors import FAULT, UserError
from edgegan.runtime.words import Group, Words
from edgegan.trainer import device, networks, plugins, recipe
from edgegan.trainer.batches import Labelled
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.conditioned import ConditionedTraining
from edgegan.trainer.loop import Training
from edgegan.trainer.recipe import Recipe

TINY = [
    "image_size=8",
    "batch_size=4",
    "latent.size=6",
    "generator.width=4",
    "discriminator.width=4",
]

EVERY_GENERATOR = plugins.find(networks.__name__, networks.GeneratorArchitecture)
EVERY_DISCRIMINATOR = plugins.find(networks.__name__, networks.DiscriminatorArchitecture)


def tiny_recipe(name: str = "dcgan", *overrides: str) -> Recipe:
    """A shipped recipe for 8 x 8 pictures and networks of four channels."""
    return recipe.load(name, [*TINY, *overrides])


def random_picture(seed: int, height: int = 16, width: int = 16) -> np.ndarray:
    """A smooth picture of random colours, uint8 (height, width, 3), RGB."""
    coarse = np.random.default_rng(seed).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    return cv2.resize(coarse, (width, height), interpolation=cv2.INTER_CUBIC)


def encode(picture: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """A picture's file content."""
    image = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    content = io.BytesIO()
    image.save(content, kind, **options)
    return content.getvalue()


def write_pictures(folder: Path, count: int) -> Path:
    """Write ``count`` PNG files to a new folder and return it."""
    folder.mkdir(parents=True)
    for number in range(count):
        (folder / f"{number:03}.png").write_bytes(encode(random_picture(number)))
    return folder


def part_of(content: bytes, held_out: float = 0.1, validation: float = 0.05) -> str:
    """The part that a picture which is like no other is in, by its file's SHA-256."""
    least = hashlib.sha256(content).digest()
    rank = int(hashlib.sha256(least).hexdigest(), 16) / 2**256
    return "held out" if rank < held_out else "validation" if rank >= 1 - validation else "training"


def parts_of(folder: Path, *shares: float) -> list[str]:
    """``part_of`` each file in a folder of PNGs, in the order of their names."""
    return [part_of(path.read_bytes(), *shares) for path in sorted(folder.glob("*.png"))]


def random_batches(chosen: Recipe, seed: int = 0) -> Iterator[np.ndarray]:
    """Endless float32 batches in [-1, 1] of the recipe's shape."""
    random = np.random.default_rng(seed)
    shape = (chosen.batch_size, 3, chosen.image_size, chosen.image_size)
    while True:
        yield random.uniform(-1, 1, shape).astype(np.float32)


WORDS = Words.of(
    [Group("hair", ("blue", "green", "red")), Group("eyes", ("black", "white"))],
    np.array([[0, 0]] * 3 + [[0, 1]] * 2 + [[1, 1]] * 4 + [[2, 0]]),
)


def words_of(chosen: Recipe) -> Words | None:
    """The words of the pictures of ``batches_of``, where the recipe takes some."""
    return WORDS if chosen.condition else None


def batches_of(chosen: Recipe, seed: int = 0) -> Iterator[np.ndarray | Labelled]:
    """Endless batches as a training by the recipe takes them, with words or without."""
    for number, images in enumerate(random_batches(chosen, seed)):
        if chosen.condition:
            choices = WORDS.draw(seed, len(images), first=number * len(images))
            yield Labelled(images, WORDS.one_hot(choices))
        else:
            yield images


def training_by(chosen: Recipe, seed: int = 0) -> Training:
    """The training by a recipe at its start, on 100 pictures with words or without."""
    if chosen.condition:
        return ConditionedTraining(chosen, seed, mx.cpu(), 100, WORDS)
    return Training(chosen, seed, mx.cpu(), 100)


def as_if_trained(training: Training, **facts: object) -> Checkpoint:
    """Its checkpoint after weights and statistics became as if it had gone on for long.

    ``facts`` are what the checkpoint tells besides.
    """
    random = np.random.default_rng(0)
    arrays = training.state()
    for name, array in arrays.items():
        if name.startswith(("ema/", "discriminator/")) and "left_vector" not in name:
            spread = random.uniform(0.5, 2, array.shape)
            arrays[name] = np.float32(spread if "running_var" in name else array + 0.1 * spread)
            if name.endswith("weight"):
                deviation = 1.5 / np.sqrt(np.prod(array.shape[1:]))
                arrays[name] = np.float32(random.normal(0, deviation, array.shape))
    training.set_state(7, arrays)
    counts = {"step": 7, "seed": 0, "images_seen": 448, "pictures": 9, "minutes": 1.0}
    return Checkpoint(training.recipe, {**counts, **facts}, training.state())


def skip_without_bfloat16() -> None:
    """Skip a test where this processor cannot compute in bfloat16."""
    try:
        device.check_bfloat16(mx.cpu())
    except UserError as error:
        pytest.skip(str(error))


def refuse_bfloat16(monkeypatch: pytest.MonkeyPatch, operation: str = "Convolution") -> None:
    """Let mxnet's ``operation`` fail as on a processor that cannot compute in bfloat16."""

    def fails(*arguments: object, **options: object) -> None:
        raise mx.MXNetError("could not create a primitive descriptor iterator")

    monkeypatch.setattr(mx.nd, operation, fails)


def expect_error(answer: tuple[int, str, str], *words: str) -> None:
    """A command's status, stdout and stderr are those of one sentence that has all words."""
    status, _, err = answer
    assert status == 2
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    assert FAULT not in line
    for word in words:
        assert word in line
