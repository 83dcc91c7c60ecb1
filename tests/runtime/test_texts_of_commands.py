"""Faces of texts: what edgegan generate draws and writes, and where edgegan interpolate walks."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgegan.runtime import generate, interpolate
from edgegan.runtime.errors import UserError
from edgegan.runtime.faces import Faces, TextFaces
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import baseline_grid, read_picture, tight_grid
from edgegan.runtime.image_folder import write_images
from edgegan.runtime.named_texts import given_texts
from words_help import make_conditional_generator

TEXTS = ["blue hair blue eyes", "hair=red,eyes=green", "Blond hair, green eyes"]


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return make_conditional_generator(tmp_path / "words.onnx")


@pytest.fixture
def generator(model: Path) -> Generator:
    return Generator.load(model, "cpu")


def drawn(generator: Generator, texts: list[str], each: int, seed: int = 0) -> np.ndarray:
    """What so many faces of each text are by definition: latent k, and the words of its text."""
    conditions = generator.condition(texts).repeat(each, axis=0)
    latents = generator.latents(seed, len(conditions))
    return generator.images_of(latents, conditions)


def with_texts(texts: list[str]) -> list[str]:
    return [word for text in texts for word in ("--text", text)]


def test_a_row_of_a_tight_grid_is_a_text(
    model: Path, generator: Generator, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "grid.png"
    arguments = ["--model", str(model), *with_texts(TEXTS), "--seed", "7", "--output", str(output)]
    assert generate.main([*arguments, "--each", "4", "--gap", "1"]) == 0
    expected = tight_grid(drawn(generator, TEXTS, 4, seed=7), 3, 4, 1)
    np.testing.assert_array_equal(read_picture(output), expected)
    assert generate.main(arguments) == 0
    expected = tight_grid(drawn(generator, TEXTS, 5, seed=7), 3, 5, 2)
    np.testing.assert_array_equal(read_picture(output), expected)


def test_25_faces_are_the_graders_grid_in_both_forms_of_a_file(
    model: Path, generator: Generator, tmp_path: Path
) -> None:
    """As the assignment has them: 25 lines of a face each, and five lines of five."""
    five = [*TEXTS, "blue hair green eyes", "red hair blue eyes"]
    short, long, output = (tmp_path / name for name in ("short.txt", "long.txt", "grid.png"))
    short.write_text("".join(f"{number},{text}\n" for number, text in enumerate(five, 1)))
    long.write_text("\n".join(text for text in five for _ in range(5)))
    expected = baseline_grid(drawn(generator, five, 5))
    for file in (short, long):
        arguments = ["--model", str(model), "--texts", str(file), "--output", str(output)]
        assert generate.main(arguments) == 0
        np.testing.assert_array_equal(read_picture(output), expected)
        output.unlink()
    assert generate.main([*arguments, "--layout", "tight"]) == 0
    expected = tight_grid(drawn(generator, five, 5), 25, 1, 2)
    np.testing.assert_array_equal(read_picture(output), expected)


def test_a_face_of_a_seed_keeps_its_latent_whatever_its_text_is(
    model: Path, generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inputs: list[np.ndarray] = []
    convert = Generator._convert

    def note(self: Generator, latents: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        inputs.append(latents)
        return convert(self, latents, conditions)

    monkeypatch.setattr(Generator, "_convert", note)
    seen = []
    for words in ([], ["--text", "red hair", "--each", "25"], with_texts(TEXTS * 2)[:-2]):
        output = tmp_path / "grid.png"
        generate.main(["--model", str(model), "--seed", "7", *words, "--output", str(output)])
        latents = np.concatenate(inputs)
        seen.append({latent.tobytes() for latent in latents})  # shared out to threads
        inputs.clear()
    assert seen[0] == seen[1] == seen[2] == {row.tobytes() for row in generator.latents(7, 25)}


def test_images_are_named_by_text_and_number(
    model: Path, generator: Generator, tmp_path: Path
) -> None:
    texts, folder = tmp_path / "texts.txt", tmp_path / "drawn"
    texts.write_text("".join(f"{10 * number},{text}\n" for number, text in enumerate(TEXTS, 1)))
    arguments = ["--model", str(model), "--texts", str(texts), "--each", "30"]
    assert generate.main([*arguments, "--images", str(folder)]) == 0
    expected = drawn(generator, TEXTS, 30)
    names = [f"{text}_{face}.png" for text in (10, 20, 30) for face in range(1, 31)]
    assert {path.name for path in folder.iterdir()} == {*names, "job.json"}
    for name, image in zip(names, expected):
        np.testing.assert_array_equal(read_picture(folder / name), image)
    job = json.loads((folder / "job.json").read_text())
    assert job == {
        "seed": 0,
        **generator.identity(),
        "texts": [["10", TEXTS[0]], ["20", TEXTS[1]], ["30", TEXTS[2]]],
        "each": 30,
    }


def test_a_folder_of_other_texts_is_refused(generator: Generator, tmp_path: Path) -> None:
    folder = tmp_path / "drawn"

    def write(texts: list[str], each: int = 2) -> int:
        faces = TextFaces(generator, 0, given_texts("--text", texts), each)
        return write_images(faces, faces.count, folder)

    assert write(TEXTS) == 6
    (folder / "2_1.png").unlink()
    assert write(TEXTS) == 1
    for texts in (TEXTS[:2], TEXTS[::-1]):
        with pytest.raises(UserError, match=r"job\.json in it has the texts .*: choose"):
            write(texts)
    with pytest.raises(UserError, match=r"has 2 faces of each text, expected 3: choose another"):
        write(TEXTS, 3)
    with pytest.raises(UserError, match=r"job\.json in it has the texts \[.*\], expected None"):
        generate.main(["--model", str(tmp_path / "words.onnx"), "--images", str(folder)])
    (folder / "job.json").unlink()
    with pytest.raises(UserError, match="holds numbered images, but no"):
        write(TEXTS)
    assert len(list(folder.iterdir())) == 6


@pytest.mark.parametrize("name", ["000000.png", "1234567.png", "1_1.png", "007_12.png"])
def test_images_without_their_job_are_refused_whatever_they_are_of(
    generator: Generator, tmp_path: Path, name: str
) -> None:
    folder = tmp_path / "drawn"
    folder.mkdir()
    (folder / name).touch()
    for faces in (Faces(generator, 0), TextFaces(generator, 0, given_texts("--text", TEXTS), 1)):
        with pytest.raises(UserError, match="holds numbered images, but no"):
            write_images(faces, 1, folder)
    assert [path.name for path in folder.iterdir()] == [name]


@pytest.mark.parametrize("texts", [[], ["--text", "red hair", "--each", "25"]])
def test_a_grid_beside_images_may_have_any_other_name(
    model: Path, tmp_path: Path, texts: list[str]
) -> None:
    folder = tmp_path / "drawn"
    arguments = ["--model", str(model), "--images", str(folder), *texts]
    for name in ("2024_01_grid.png", "20240131_grid.png", "12345.png", "2024-01.png", "1_01.png"):
        assert generate.main([*arguments, "--output", str(folder / name)]) == 0
    for name in ("000000.png", "1234567.png", "1_26.png"):
        with pytest.raises(UserError, match="has the name of an image in --images"):
            generate.main([*arguments, "--output", str(folder / name)])


def test_a_group_that_is_not_named_is_drawn_as_the_generator_draws_it(
    model: Path, generator: Generator, tmp_path: Path
) -> None:
    output = tmp_path / "grid.png"
    arguments = ["--model", str(model), "--text", "blue hair", "--each", "8"]
    assert generate.main([*arguments, "--output", str(output)]) == 0
    images = generator.images(0, 8, condition=generator.condition(["blue hair"]))
    np.testing.assert_array_equal(read_picture(output), tight_grid(images, 1, 8, 2))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--each", "5"], "--each is for --text and --texts only"),
        (["--text", "red", "--texts", "x.txt"], "not allowed with argument --text"),
        (["--text", "red", "--rows", "2", "--layout", "tight"], "--rows is not for texts"),
        (["--text", "red", "--columns", "2", "--layout", "tight"], "--columns is not for texts"),
        (["--text", "red", "--images", "x", "--count", "2"], "--count is not for texts"),
        (["--text", "red", "--each", "25", "--gap", "0"], "--gap is for --output with --layout"),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments: list[str], message: str) -> None:
    with pytest.raises(UserError, match=message):
        generate.main(["--output", "x.png", *arguments])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--text", ""], "--text: a text is '', expected words such as 'blond hair blue eyes'"),
        (["--text", "red hair", "--text", "purple hair"], "--text: 'purple' is no word of hair"),
        (["--texts", "wrong.txt"], "line 2 of wrong.txt: 'violet' is no word of eyes"),
        (["--texts", "blank.txt"], "line 2 of blank.txt: a text is ''"),
        (["--texts", "none.txt"], "cannot read none.txt: No such file"),
        (["--texts", ""], "--texts is empty, expected the path of a file or folder"),
        (["--text", "red hair", "--each", "0"], "--each is '0', expected a whole number from 1"),
        (
            ["--text", "red hair", "--each", "10001"],
            "the texts and --each make 10001 faces, expected at most 10000 in a grid",
        ),
        (
            ["--text", "red hair", "--layout", "baseline"],
            "--layout is baseline and the texts and --each make 5 faces, expected 25, or",
        ),
        (
            ["--text", "red", "--images", ".", "--output", "./1_2.png"],
            "which has the name of an image in --images",
        ),
    ],
)
def test_bad_texts_are_one_sentence_and_nothing_is_written(
    arguments: list[str],
    sentence: str,
    model: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("wrong.txt").write_text("1,red hair\n2,violet eyes\n")
    Path("blank.txt").write_text("1,red hair\n2, \n")
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(UserError, match=re.escape(sentence)):
        generate.main(["--model", str(model), "--output", "grid.png", *arguments])
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_generator_without_words_takes_no_texts(
    make_generator: Callable[..., Path], tmp_path: Path
) -> None:
    model, output = make_generator(), tmp_path / "out.png"
    for command in (generate.main, interpolate.main):
        arguments = ["--model", str(model), "--text", "red", "--text", "blue"]
        with pytest.raises(UserError, match=r"tiny\.onnx takes no words"):
            command([*arguments, "--output", str(output)])
    assert not output.exists()


@pytest.mark.parametrize("content", [b"", b"red hair\n", b"\x89PNG\r\n\x1a\n"])
def test_a_file_of_texts_is_not_written_over(model: Path, tmp_path: Path, content: bytes) -> None:
    texts = tmp_path / "texts.png"
    texts.write_bytes(content)
    with pytest.raises(UserError, match=r"texts\.png"):
        generate.main(["--model", str(model), "--texts", str(texts), "--output", str(texts)])
    assert texts.read_bytes() == content


# Walks


def frames_of(path: Path, count: int) -> np.ndarray:
    """The frames of a strip of one row."""
    strip = read_picture(path)
    assert strip.shape == (16, count * 18 - 2, 3)
    return np.stack([strip[:, 18 * place : 18 * place + 16] for place in range(count)])


def walked(model: Path, *arguments: str, frames: int = 5, count: int = 5) -> np.ndarray:
    output = model.with_name("walk.png")
    words = ["--model", str(model), "--frames", str(frames), "--output", str(output)]
    assert interpolate.main([*words, *arguments]) == 0
    return frames_of(output, count)


@pytest.mark.parametrize(
    "texts",
    [
        ["--texts", "blue hair blue eyes,red hair green eyes"],
        ["--text", "hair=blue,eyes=blue", "--text", "hair=red,eyes=green"],
    ],
)
def test_a_walk_between_words_holds_the_latent(
    model: Path, generator: Generator, texts: list[str]
) -> None:
    latents = generator.latents(7, 1).repeat(5, axis=0)
    start, end = generator.condition(["blue hair blue eyes", "red hair green eyes"])
    conditions = np.stack(
        [start + (end - start) * share for share in np.float32([0, 1, 2, 3, 4]) / 4]
    )
    expected = generator.images_of(latents, conditions)
    np.testing.assert_array_equal(walked(model, "--seeds", "7", *texts), expected)


def test_a_walk_from_face_to_face_and_words_to_words(model: Path, generator: Generator) -> None:
    texts = "blue hair blue eyes,red hair green eyes,blond hair blue eyes"
    frames = walked(
        model, "--seeds", "3,8,3", "--texts", texts, "--path", "lerp", frames=3, count=5
    )
    latents = np.concatenate([generator.latents(seed, 1) for seed in (3, 8, 3)])
    conditions = generator.condition(texts.split(","))
    for place, share in enumerate((0, 0.5, 1, 1.5, 2)):
        low, high = int(share), min(int(share) + 1, 2)
        middle = np.float32(share - low)
        expected = generator.images_of(
            latents[[low]] * (1 - middle) + latents[[high]] * middle,
            conditions[[low]] * (1 - middle) + conditions[[high]] * middle,
        )
        assert np.abs(frames[[place]].astype(int) - expected).max() <= 1


def test_one_text_stays_all_along(model: Path, generator: Generator) -> None:
    frames = walked(model, "--seeds", "3,8", "--texts", "blue hair green eyes")
    condition = generator.condition(["blue hair green eyes"])
    np.testing.assert_array_equal(frames[:1], generator.images(3, 1, condition=condition))
    np.testing.assert_array_equal(frames[-1:], generator.images(8, 1, condition=condition))


@pytest.mark.parametrize("texts", [[], ["--texts", "red hair,blond hair"]])
def test_the_ends_are_the_faces_that_generate_draws(
    model: Path, generator: Generator, texts: list[str]
) -> None:
    frames = walked(model, "--seeds", "3,8", *texts)
    asked = generator.condition(["red hair", "blond hair"]) if texts else [None, None]
    for frame, seed, condition in ((frames[0], 3, asked[0]), (frames[-1], 8, asked[1])):
        row = None if condition is None else condition[None]
        np.testing.assert_array_equal(frame, generator.images(seed, 1, condition=row)[0])


def test_words_alone_are_walked_with_the_default_seed(model: Path, generator: Generator) -> None:
    frames = walked(model, "--texts", "red hair blue eyes,blond hair blue eyes")
    condition = generator.condition(["red hair blue eyes"])
    np.testing.assert_array_equal(frames[0], generator.images(0, 1, condition=condition)[0])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["--texts", "red"],
            "--texts is 'red' alone, expected two texts or more, with a comma between them",
        ),
        (
            ["--text", "red"],
            "--text is 'red' alone, expected two texts or more, each with a --text",
        ),
        (["--texts", "x" * 5000], "alone, expected two texts or more"),  # no name of a file
        (["--texts", __file__], "which is a file, expected two texts or more: interpolate reads"),
        (["--seeds", "3"], "--seeds is 3 alone, expected two or more, such as 3,8"),
        (
            ["--seeds", "3", "--text", "red"],
            "--seeds is 3 alone and --text is 'red' alone, expected two or more",
        ),
        (
            ["--seeds", "1-3", "--text", "red", "--text", "blue hair"],
            "--seeds are 3 and --text 2, expected as many",
        ),
        (["--text", "red", "--text", ""], "--text: a text is '', expected words"),
        *(
            (["--texts", texts], f"--texts is '{texts}', which has a =, expected each of such")
            for texts in ("hair=blue,eyes=green", "hair=blue", "red hair,hair＝blue")  # noqa: RUF001
        ),
        (
            ["--seeds", "1-3", "--texts", "red,blue"],
            "--seeds are 3 and --texts 2, expected as many",
        ),
        (["--texts", "red hair,"], "--texts: a text is '', expected words"),
        (["--texts", "red hair,green hair"], "--texts: 'green' is no word of hair"),
        (
            ["--texts", "red,blue,red", "--frames", "600"],
            "--texts and --frames make 1199 frames, expected at most 1000",
        ),
    ],
)
def test_bad_walks_are_one_sentence(
    arguments: list[str], sentence: str, model: Path, tmp_path: Path
) -> None:
    output = tmp_path / "walk.png"
    with pytest.raises(UserError, match=re.escape(sentence)):
        interpolate.main(["--model", str(model), "--output", str(output), *arguments])
    assert not output.exists()


def test_a_walk_along_nothing_is_refused() -> None:
    with pytest.raises(UserError, match="nothing to walk along: give --seeds, or --texts"):
        interpolate.main(["--output", "walk.png"])
