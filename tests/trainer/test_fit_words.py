"""Commands from pictures with words to pictures of texts, and what is said of wrong ones."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgegan.export.to_onnx import main as export_main
from edgegan.runtime.generate import main as generate_main
from edgegan.runtime.generator import Generator
from edgegan.runtime.run_folder import BEST, LAST
from edgegan.trainer import checkpoint
from edgegan.trainer.fit import main as fit_main
from edgegan.trainer.judge import main as judge_main
from training_help import TINY, encode, expect_error, random_picture

pytestmark = pytest.mark.usefixtures("apart")

Command = Callable[..., tuple[int, str, str]]
Answer = tuple[int, str, str]
SETTINGS = [word for override in [*TINY, "evaluate_every=2"] for word in ("--set", override)]


@pytest.fixture
def fit(command: Command, tmp_path: Path) -> Command:
    def run(*arguments: str | Path, data: Path, out: str = "run") -> Answer:
        return command(fit_main, "--data", data, "--out", tmp_path / out, *arguments)

    return run


@pytest.fixture
def pets(tmp_path: Path) -> Path:
    """A folder a class: 24 pictures of cats and 16 of dogs."""
    for word, count in (("cat", 24), ("dog", 16)):
        folder = tmp_path / "pets" / word
        folder.mkdir(parents=True)
        for number in range(count):
            picture = random_picture(number if word == "cat" else 100 + number)
            (folder / f"{number}.png").write_bytes(encode(picture))
    return tmp_path / "pets"


def expect_success(answer: Answer) -> str:
    assert answer[0] == 0, answer
    return answer[1]


@pytest.mark.parametrize("name", ["acgan", "cgan", "projection"])
def test_from_folders_of_pictures_to_pictures_of_words(
    name: str, fit: Command, command: Command, pets: Path, tmp_path: Path
) -> None:
    said = expect_success(fit("--recipe", name, *SETTINGS, "--steps", "2", data=pets))
    assert "words of class: cat 2" in said
    assert ", dog 1" in said
    whole = expect_success(fit("--recipe", name, *SETTINGS, "--steps", "4", data=pets, out="whole"))
    assert "step 4" in whole
    expect_success(fit("--resume", "--steps", "4", data=pets))
    resumed, straight = (checkpoint.load(tmp_path / run / LAST) for run in ("run", "whole"))
    for key, array in straight.arrays.items():
        np.testing.assert_array_equal(resumed.arrays[key], array, err_msg=key)

    model, picture = tmp_path / "pets.onnx", tmp_path / "pets.png"
    expect_success(command(export_main, tmp_path / "run", "-o", model, "--optimize", "1"))
    judge = tmp_path / "pets.discriminator.onnx"
    part = ("--part", "discriminator", "--optimize", "1")
    expect_success(command(judge_main, tmp_path / "run", "--data", pets, "--steps", "2"))
    expect_success(command(export_main, tmp_path / "run", "-o", judge, *part))
    texts = ("--text", "cat", "--text", "dog")
    for further in ((), ("--best-of", "2")):
        written = ("--output", picture, *further)
        expect_success(command(generate_main, "--model", model, *texts, *written))
    generator = Generator.load(model, "cpu")
    cat, dog = (
        generator.images(seed=0, count=3, condition=generator.condition([word]))
        for word in ("cat", "dog")
    )
    assert (cat != dog).any()
    drawn = generator.conditions(0, 400)
    share = drawn[:, 0].mean()
    words = generator.words
    assert words is not None
    expected = words.counts[0] / words.counts.sum()
    assert abs(share - expected) < 4 * (expected * (1 - expected) / 400) ** 0.5


def test_words_come_in_by_starting_from_a_run_without_any(
    fit: Command, pets: Path, tmp_path: Path
) -> None:
    expect_success(fit("--recipe", "dcgan", *SETTINGS, "--steps", "2", data=pets, out="plain"))
    start = ("--start-from", tmp_path / "plain")
    expect_success(
        fit(*start, "--set", "condition={name: auxiliary}", "--steps", "2", data=pets, out="words")
    )
    expect_success(
        fit("--start-from", tmp_path / "words", "--steps", "2", data=pets, out="further")
    )
    facts = checkpoint.load(tmp_path / "further" / BEST).facts
    assert [stage["recipe"]["condition"] is None for stage in facts["stages"]] == [True, False]

    (pets / "dog").rename(pets / "wolf")
    answer = fit("--start-from", tmp_path / "words", "--steps", "2", data=pets, out="other")
    expect_error(answer, "--start-from is", "other words of class", "dog there, wolf here")
    answer = fit(
        "--start-from", tmp_path / "words", "--set", "condition=null", data=pets, out="none"
    )
    expect_error(answer, "--start-from is", "take words of class", "condition is null")
    answer = fit("--resume", data=pets, out="words")
    expect_error(answer, "words")


def test_a_table_names_the_groups(fit: Command, pets: Path) -> None:
    with (pets / "pets.csv").open("w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["file", "kind", "coat"])
        for kind, count in (("cat", 24), ("dog", 10)):
            for number in range(count):
                table.writerow([f"{kind}/{number}.png", kind, ("short", "long")[number % 2]])
    said = expect_success(fit("--recipe", "acgan", *SETTINGS, "--dry-run", data=pets))
    assert "words of kind: cat" in said
    assert "words of coat: " in said
    assert "combinations of words: 4" in said
    assert "6 x no words" in said


def test_pictures_without_words_are_refused_by_a_recipe_that_takes_some(
    fit: Command, tmp_path: Path, pets: Path
) -> None:
    answer = fit("--recipe", "acgan", *SETTINGS, data=pets / "cat")
    expect_error(answer, "cat has no words for its pictures", "expected tags.csv")
    assert not (tmp_path / "run" / LAST).exists()
    expect_success(fit("--recipe", "dcgan", *SETTINGS, "--steps", "1", data=pets / "cat"))
