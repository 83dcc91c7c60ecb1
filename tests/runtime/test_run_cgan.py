"""What run_cgan.sh runs: a grid of texts, its comparison with the original, faces and colours."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest

from edgegan.runtime.colour_classifier import ColourClassifier
from edgegan.runtime.detector import find_cascade
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import baseline_grid, read_picture, tight_grid, write_png
from edgegan.runtime.run_cgan import TEXTS, main
from edgegan.runtime.words import Group, Words, plain
from words_help import make_conditional_generator

DATA = Path(__file__).parents[3] / "shared" / "data"
COLOURS = Words.of(
    [Group("Eyes", ("red", "green", "blue")), Group("hair", ("blue", "green", "grey"))],
    np.array([*product(range(3), range(3))]),
)


class Finder:
    """A detector that finds what the test says."""

    found = 0

    def __init__(self, cascade: Path) -> None:
        pass

    def faces(self, grid: np.ndarray) -> np.ndarray:
        return np.zeros((self.found, 4))


@pytest.fixture(autouse=True)
def finder(monkeypatch: pytest.MonkeyPatch) -> type[Finder]:
    monkeypatch.setattr("edgegan.runtime.graded_grid.Detector", Finder)
    monkeypatch.setattr("edgegan.runtime.graded_grid.find_cascade", lambda *_: Path("none"))
    monkeypatch.setattr(Finder, "found", 0)
    return Finder


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    model = make_conditional_generator(tmp_path / "colours.onnx", COLOURS)
    return ["--model", str(model), "--output", str(tmp_path / "cgan.png")]


def drawn(arguments: list[str], texts: list[str], seed: int = 0) -> np.ndarray:
    """Faces of a text each, by definition: latent k of the seed, and the words of text k."""
    generator = Generator.load(arguments[1])
    return generator.images_of(generator.latents(seed, len(texts)), generator.condition(texts))


def five_each(texts: tuple[str, ...] | list[str]) -> list[str]:
    return [text for text in texts for _ in range(5)]


def test_the_assignments_texts_are_drawn_compared_and_graded(
    arguments: list[str],
    tmp_path: Path,
    finder: type[Finder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    grid = baseline_grid(drawn(arguments, five_each(TEXTS)))
    original = tmp_path / "original.png"
    write_png(original, grid)
    monkeypatch.setattr(finder, "found", 21)
    assert main([*arguments, "--compare", str(original)]) == 0
    np.testing.assert_array_equal(read_picture(tmp_path / "cgan.png"), grid)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1:3] == [f"wrote {tmp_path / 'cgan.png'}", f"it is identical to {original}"]
    assert re.fullmatch(
        "[0-9]+ of 25 have the colours of their texts, by the colour classifier", lines[3]
    )
    assert lines[4:] == ["21 of 25 faces found: PASS"]

    monkeypatch.setattr(finder, "found", 20)
    assert main([*arguments, "--compare", str(original), "--seed", "7"]) == 1
    said = capsys.readouterr().out
    assert "307200 pixels differ" in said
    assert said.endswith("20 of 25 faces found: FAIL\n")


def test_a_grid_of_other_texts_is_not_compared_with_that_of_the_assignments(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    others, same = tmp_path / "others.txt", tmp_path / "same.txt"
    others.write_text("red eyes\n" * 5)
    same.write_text("".join(f"{number},{text}\n" for number, text in enumerate(TEXTS, 1)))
    shipped, own = tmp_path / "cgan_original.png", tmp_path / "own.png"
    for path in (shipped, own):
        write_png(path, baseline_grid(drawn(arguments, five_each(TEXTS))))
    for texts, compared, sentence in (
        (others, shipped, ""),
        (others, own, "pixels differ"),
        (same, shipped, "it is identical"),
    ):
        main([*arguments, str(texts), "--compare", str(compared)])
        found = [line for line in capsys.readouterr().out.splitlines() if str(compared) in line]
        assert len(found) == bool(sentence)
        assert all(sentence in line for line in found)


@pytest.mark.parametrize("ids", [True, False])
def test_a_file_has_a_face_or_five_a_line(arguments: list[str], tmp_path: Path, ids: bool) -> None:
    five = ["gray hair red eyes", "red eyes blue hair", *TEXTS[:3]]
    grid = baseline_grid(drawn(arguments, five_each(five), seed=3))
    for texts in (five, five_each(five)):
        lines = [f"{number},{text}" if ids else text for number, text in enumerate(texts, 1)]
        (tmp_path / "texts.txt").write_text("\n".join(lines) + "\n")
        main([str(tmp_path / "texts.txt"), *arguments, "--seed", "3"])
        np.testing.assert_array_equal(read_picture(tmp_path / "cgan.png"), grid)
        main([*arguments, str(tmp_path / "texts.txt"), "--seed", "3"])  # as run_cgan.sh has them
        np.testing.assert_array_equal(read_picture(tmp_path / "cgan.png"), grid)


@pytest.mark.parametrize(("lines", "passing"), [(1, 5), (3, 13), (26, 105)])
def test_other_numbers_of_lines_make_a_row_each(
    arguments: list[str],
    tmp_path: Path,
    lines: int,
    passing: int,
    finder: type[Finder],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """More than four fifths of the faces pass, as more than 20 of 25 do."""
    texts = (TEXTS * 6)[:lines]
    (tmp_path / "texts.txt").write_text("\n".join(texts))
    for found, status in ((passing, 0), (passing - 1, 1)):
        monkeypatch.setattr(finder, "found", found)
        assert main([str(tmp_path / "texts.txt"), *arguments]) == status
    assert f"{passing} of {5 * lines} faces found: PASS" in capsys.readouterr().out
    expected = tight_grid(drawn(arguments, five_each(texts)), lines, 5, 2)
    np.testing.assert_array_equal(read_picture(tmp_path / "cgan.png"), expected)


def sees(monkeypatch: pytest.MonkeyPatch, seen: list[tuple[str, str]], likeliest: str = "") -> None:
    """Have the classifier find these colours of hair and eyes likely, and another one likelier."""

    def logits(self: ColourClassifier, images: np.ndarray) -> dict[str, np.ndarray]:
        return {
            head: np.float32(
                [
                    [
                        (word == plain(found[place])) + 2 * (word == likeliest)
                        for word in self.words[head]
                    ]
                    for found in seen[: len(images)]
                ]
            )
            for place, head in enumerate(("hair", "eyes"))
        }

    monkeypatch.setattr(ColourClassifier, "logits", logits)


def test_colours_are_right_where_the_classifier_sees_those_of_the_text(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """Spellings are one; the first is wrong in its hair, the second in its eyes."""
    (tmp_path / "texts.txt").write_text("blue eyes grey hair\n")
    seen = [("blue", "blue"), ("gray", "red"), *3 * [("gray", "blue")]]
    sees(monkeypatch, seen)
    main([str(tmp_path / "texts.txt"), *arguments])
    assert "3 of 5 have the colours of their texts" in capsys.readouterr().out


def test_a_colour_that_the_text_leaves_open_does_not_count(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "texts.txt").write_text("blue eyes\n")
    sees(monkeypatch, [("gray", "blue"), ("blue", "blue"), *3 * [("gray", "red")]])
    main([str(tmp_path / "texts.txt"), *arguments])
    assert "2 of 5 have the colours of their texts" in capsys.readouterr().out


def test_colours_are_told_apart_among_the_models_own_only(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """As edgegan evaluate tells them, so that the two count alike."""
    (tmp_path / "texts.txt").write_text("green eyes grey hair\n")
    sees(monkeypatch, [("gray", "green")] * 5, likeliest="aqua")
    main([str(tmp_path / "texts.txt"), *arguments])
    assert "5 of 5 have the colours of their texts" in capsys.readouterr().out


def test_of_one_group_its_colour_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = Words.of([Group("hair", ("blue", "red"))], np.array([[0], [1]]))
    model = make_conditional_generator(tmp_path / "hair.onnx", words)
    (tmp_path / "texts.txt").write_text("blue\n")
    sees(monkeypatch, [("blue", "red"), *[("red", "red")] * 4])
    output = str(tmp_path / "grid.png")
    main([str(tmp_path / "texts.txt"), "--model", str(model), "--output", output])
    assert "1 of 5 have the colours of their texts" in capsys.readouterr().out


@pytest.mark.parametrize(
    "groups",
    [
        [Group("class", ("cat", "dog"))],
        [Group("hair", ("rainbow", "tiger")), Group("eyes", ("cat", "dog"))],
        [Group("hair", ("red", "blue")), Group("eyes", ("cat", "dog"))],
    ],
)
def test_of_words_that_are_no_colours_nothing_is_said(
    groups: list[Group], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = Words.of(groups, np.repeat([[0], [1]], len(groups), axis=1))
    model = make_conditional_generator(tmp_path / "class.onnx", words)
    (tmp_path / "texts.txt").write_text("cat\ndog\n")
    output = tmp_path / "grid.png"
    main([str(tmp_path / "texts.txt"), "--model", str(model), "--output", str(output)])
    assert capsys.readouterr().out.splitlines()[1:] == [
        f"wrote {output}",
        "0 of 10 faces found: FAIL",
    ]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (
            "1,blue hair\n2,purple hair\n",
            "line 2 of {}: 'purple' is no word of hair, expected one of",
        ),
        ("1,blue hair\n2\n", "line 2 of {} is '2', expected a whole number, a comma"),
        ("", "{} has no text in it"),
        ("blue hair\n" * 1001, "{} has 1001 texts, expected at most 1000"),
    ],
)
def test_a_wrong_line_is_named_and_nothing_is_written(
    arguments: list[str],
    tmp_path: Path,
    content: str,
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    file = tmp_path / "texts.txt"
    file.write_text(content)
    with pytest.raises(UserError, match=re.escape(sentence.format(file))):
        main([str(file), *arguments])
    assert not (tmp_path / "cgan.png").exists()
    assert capsys.readouterr().out == ""


def test_a_model_without_words_draws_nothing(
    arguments: list[str], make_generator: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UserError, match="takes no words"):
        main([*arguments, "--model", str(make_generator())])
    assert not Path(arguments[3]).exists()
    assert capsys.readouterr().out == ""


def test_a_file_that_is_no_cascade_is_told_before_anything_is_written(
    arguments: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("edgegan.runtime.graded_grid.find_cascade", find_cascade)
    (tmp_path / "text.txt").write_text("no cascade")
    with pytest.raises(UserError, match=r"text\.txt is not the known cascade"):
        main([*arguments, "--cascade", str(tmp_path / "text.txt")])
    assert not (tmp_path / "cgan.png").exists()
    assert capsys.readouterr().out == ""


def test_the_assignments_texts_are_named_where_a_model_lacks_their_words(tmp_path: Path) -> None:
    words = Words.of([Group("class", ("cat", "dog"))], np.array([[0], [1]]))
    model = make_conditional_generator(tmp_path / "class.onnx", words)
    sentence = (
        "the assignment's texts, drawn without FILE: 'blue hair blue eyes' is no word of class"
    )
    with pytest.raises(UserError, match=sentence):
        main(["--model", str(model), "--output", str(tmp_path / "grid.png")])


def test_the_texts_are_the_assignments_own() -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    lines = (DATA / "sample_testing_text.txt").read_text().splitlines()
    assert [line.partition(",")[2] for line in lines] == [*TEXTS]
