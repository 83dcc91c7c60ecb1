"""Files of texts: their forms, and the lines that are none."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.runtime.named_texts import faces_of_each, given_texts, read_texts

DATA = Path(__file__).parents[3] / "shared" / "data"


def written(folder: Path, content: bytes | str) -> Path:
    path = folder / "texts.txt"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_line_is_a_text(tmp_path: Path, end: str, mark: str) -> None:
    path = written(tmp_path, mark + end.join(["blue hair", "hair=red,eyes=green ", "青 髪"]) + end)
    assert [tuple(text) for text in read_texts(path)] == [
        ("1", "blue hair", f"line 1 of {path}"),
        ("2", "hair=red,eyes=green", f"line 2 of {path}"),
        ("3", "青 髪", f"line 3 of {path}"),
    ]


def test_an_id_names_a_text(tmp_path: Path) -> None:
    path = written(tmp_path, "7,blue hair\n007, red, green eyes\n3,hair=red,eyes=blue\n\n \n")
    assert [text[:2] for text in read_texts(path)] == [
        ("7", "blue hair"),
        ("007", "red, green eyes"),
        ("3", "hair=red,eyes=blue"),
    ]


@pytest.mark.parametrize("name", ["testing_tags.txt", "sample_testing_text.txt"])
def test_the_assignments_own_files(name: str) -> None:
    if not DATA.is_dir():
        pytest.skip(f"{DATA} is absent")
    texts = read_texts(DATA / name)
    each = faces_of_each(texts)
    assert len(texts) * each == 25
    assert [text.name for text in texts] == [str(number + 1) for number in range(len(texts))]
    assert texts[-1].text == "green hair red eyes"


@given(texts=st.lists(st.sampled_from(["blue", "a b", "x=y,z=w"]), min_size=1, max_size=30))
def test_texts_of_a_command_line_are_those_of_a_file(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    read = read_texts(written(tmp_path_factory.mktemp("texts"), "\n".join(texts)))
    asked = given_texts("--text", texts)
    assert [text[:2] for text in read] == [text[:2] for text in asked]


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("", "texts.txt has no text in it, expected a text a line, such as"),
        (" \n\n\t\n", "texts.txt has no text in it"),
        ("blue\n\nred\n", "line 2 of {} is empty, expected a text"),
        (b"blue\nr\xe9d\n", "line 2 of {} is no UTF-8, expected a text a line"),
        (b"blue\rgreen\r\nr\xe9d\n", "line 3 of {} is no UTF-8"),
        (b"\xff\xfeb\0l\0", "line 1 of {} is no UTF-8"),
        ("1,blue\nred\n", "line 2 of {} is 'red', expected a whole number, a comma and a text, as"),
        ("blue\nred\n3,red\n", "line 3 of {} is '3,red', expected a text without a number, as"),
        ("1,blue\n2,red\n1,red\n", "line 3 of {} has the id 1, which line 1 has"),
        ("1,blue\nx,red\n", "line 2 of {} is 'x,red', expected a whole number"),
    ],
)
def test_a_wrong_line_is_named(tmp_path: Path, content: bytes | str, sentence: str) -> None:
    path = written(tmp_path, content)
    with pytest.raises(UserError, match=re.escape(sentence.format(path))):
        read_texts(path)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"cannot read .*none\.txt: No such file"):
        read_texts(tmp_path / "none.txt")
