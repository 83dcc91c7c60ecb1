"""Where the words of pictures are found, in which forms, and what is no good."""

from __future__ import annotations

import csv
import io
import unicodedata
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.runtime.picture_set import open_set
from edgegan.runtime.tags import Tags, read_tags
from edgegan.runtime.words import MOST_WORDS, Words

Files = dict[str, "str | bytes"]  # of a set, by their names
EXTRA_DATA = Path(__file__).parents[3] / "shared" / "data" / "extra_data.zip"


def folder_of(path: Path, files: Files) -> Path:
    for name, content in files.items():
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        (path / name).write_bytes(as_bytes(content))
    return path


def zip_of(path: Path, files: Files) -> Path:
    path = path.with_suffix(".zip")
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, as_bytes(content))
    return path


def as_bytes(content: str | bytes) -> bytes:
    return content if isinstance(content, bytes) else content.encode()


def tags_of(source: Path) -> Tags:
    with open_set(source) as found:
        return read_tags(source, found)


def words_by_name(source: Path) -> dict[str, tuple[str, ...] | None]:
    """The words of each picture, by its name within the set, as their numbers give them."""
    with open_set(source) as found:
        tags = read_tags(source, found)
        words = [
            None
            if choice[0] < 0
            else tuple(group.words[number] for group, number in zip(tags.groups, choice))
            for choice in tags.choices
        ]
        return dict(zip((entry.name for entry in found.entries), words))


def pictures(*names: str) -> Files:
    """Files that are pictures by their names; nothing here looks into them."""
    return dict.fromkeys(names, b"")


FACES = "1,red hair blue eyes\n2,aqua hair blue eyes\n3,red hair pink eyes\n"
OF_FACES = {"1": ("red", "blue"), "2": ("aqua", "blue"), "3": ("red", "pink")}


@pytest.mark.parametrize("make", [folder_of, zip_of])
@pytest.mark.parametrize("place", ["", "data/", "data/images/"])
def test_tags_of_faces(tmp_path: Path, make: Callable[..., Path], place: str) -> None:
    """At the top, in the folder of the pictures, and between the two."""
    files = pictures(*(f"data/images/{number}.jpg" for number in (1, 2, 3)))
    source = make(tmp_path / "faces", {**files, f"{place}tags.csv": FACES})
    assert words_by_name(source) == {f"data/images/{n}.jpg": OF_FACES[n] for n in "123"}
    tags = tags_of(source)
    assert [group.name for group in tags.groups] == ["hair", "eyes"]
    assert [group.words for group in tags.groups] == [("aqua", "red"), ("blue", "pink")]
    np.testing.assert_array_equal(tags.choices, [[1, 0], [0, 0], [1, 1]])
    assert (tags.choices.dtype, tags.absent) == (np.int64, [])


def test_tags_with_counts_are_used_where_hair_and_eyes_have_one_colour(tmp_path: Path) -> None:
    told = {
        "one each": ("blue hair:3\tlong hair:12\tsmile:1\tred eyes:9", ("blue", "red")),
        "no eyes": ("blue hair:3\tlong hair:12", None),
        "long hair is no colour": ("long hair:7\tred eyes:9", None),
        "two of hair": ("blue hair:3\tpink hair:1\tred eyes:9", None),
        "one twice": ("green eyes:4\tgrey hair:3\tgray hair:1", ("gray", "green")),
        "colons in a tag": ("re:zero:100\tgray hair:2\tRed eyes:5\t", ("gray", "red")),
        "a comma in a tag": ("hair, up:1\tblonde hair:2\tgreen eyes:0", ("blonde", "green")),
        "other ends": (
            "red hairband:5\tgray hair:2\tred eyes:1\tblue eyeshadow:4",
            ("gray", "red"),
        ),
        "eyes too short": ("gray hair:2\tclosed eyes:1", None),
        "nothing": ("", None),
    }
    lines = [f"{name},{tags}" for name, (tags, _) in told.items()]
    files = pictures(*(f"{name}.png" for name in told))
    source = folder_of(tmp_path / "faces", {**files, "tags.csv": "\r\n".join(lines)})
    expected = {f"{name}.png": words for name, (_, words) in told.items()}
    found = words_by_name(source)
    assert found["one twice.png"] in (("grey", "green"), ("gray", "green"))
    assert {**found, "one twice.png": ("gray", "green")} == expected


def test_case_and_white_space_of_faces_are_forgiven(tmp_path: Path) -> None:
    lines = [
        "1,Blue Hair Red Eyes",
        "2, pink  HAIR\u3000red eyes ",
        "3,Aqua  Hair:3\tLong Hair:1\tblue Eyes : 4",
        "4,GREEN HAIR:3\tRED  EYES:1",
    ]
    files = pictures(*(f"{number}.png" for number in range(1, 5)))
    source = folder_of(tmp_path / "faces", {**files, "tags.csv": "\n".join(lines)})
    found = words_by_name(source)
    assert [[word.lower() for word in found[f"{n}.png"] or ()] for n in range(1, 5)] == [
        ["blue", "red"],
        ["pink", "red"],
        ["aqua", "blue"],
        ["green", "red"],
    ]
    hair, eyes = tags_of(source).groups
    assert (len(hair.words), len(eyes.words)) == (4, 2)


def test_a_table_with_a_header_has_a_group_a_column(tmp_path: Path) -> None:
    table = 'file,style,mood\na/1.png,"old, worn",glad\n2.png,new,sad\n3,new,\n\n./a/4.png,new,glad'
    files = pictures("a/1.png", "a/2.png", "3.png", "a/4.png", "5.png")
    source = folder_of(tmp_path / "set", {**files, "labels.CSV": table})
    assert words_by_name(source) == {
        "a/1.png": ("old, worn", "glad"),
        "a/2.png": ("new", "sad"),
        "3.png": None,  # it has no mood
        "a/4.png": ("new", "glad"),
        "5.png": None,
    }
    assert [group.name for group in tags_of(source).groups] == ["style", "mood"]


@pytest.mark.parametrize("words", [("12:30", "9:05"), ("red eyes", "blue hair"), ("a:b", "c:12:x")])
def test_cells_that_are_like_tags_make_no_table_of_faces(
    tmp_path: Path, words: tuple[str, str]
) -> None:
    table = f"file,x\n1,{words[0]}\n2,\n3,{words[1]}\n"
    files = pictures("1.png", "2.png", "3.png")
    source = folder_of(tmp_path / "set", {**files, "tags.csv": table})
    assert words_by_name(source) == {"1.png": words[:1], "2.png": None, "3.png": words[1:]}


CLASSES = {
    "two": (["cat/1.png", "dog/1.png", "dog/2.png"], ["cat", "dog", "dog"]),
    "nested": (["cat/a/1.png", "cat/b/1.png", "dog/1.png"], ["cat", "cat", "dog"]),
    "in one folder": (["set/cat/1.png", "set/dog/a/1.png"], ["cat", "dog"]),
    "and beside them": (["1.png", "cat/1.png", "dog/1.png"], [None, "cat", "dog"]),
    "in any script": (["犬/1.png", "猫/1.png"], ["犬", "猫"]),
    "below a stray picture": (
        ["a/0.png", "a/cat/1.png", "a/dog/1.png"],
        [None, "cat", "dog"],
    ),
    "far below one": (["0.png", "a/b/cat/1.png", "a/b/dog/1.png"], [None, "cat", "dog"]),
    "in parts of a set": (
        ["Train/cat/1.png", "Train/dog/1.png", "test/cat/1.png", "test/2.png", "val/dog/a/1.png"],
        ["cat", "dog", "cat", None, "dog"],
    ),
    "in parts below a folder": (
        ["set/train/cat/1.png", "set/train/dog/2.png", "set/valid/cat/3.png"],
        ["cat", "dog", "cat"],
    ),
    "called as a part is": (["cat/1.png", "test/1.png"], ["cat", "test"]),
}


@pytest.mark.parametrize("make", [folder_of, zip_of])
@pytest.mark.parametrize("case", CLASSES)
def test_folders_are_classes(tmp_path: Path, make: Callable[..., Path], case: str) -> None:
    names, words = CLASSES[case]
    source = make(tmp_path / "set", pictures(*names))
    expected = {name: word and (word,) for name, word in zip(names, words)}
    assert words_by_name(source) == expected
    (group,) = tags_of(source).groups
    assert group.name == "class"


def test_tags_come_before_another_table_and_that_before_folders(tmp_path: Path) -> None:
    files = pictures("a/1.png", "b/2.png")
    folders = folder_of(tmp_path / "set", files)
    assert words_by_name(folders) == {"a/1.png": ("a",), "b/2.png": ("b",)}
    folder_of(folders, {"notes.csv": "1,2\n"})  # no header
    folder_of(folders, {"c/of nothing here.csv": "x,y\n1,2\n"})
    assert words_by_name(folders)["a/1.png"] == ("a",)
    folder_of(folders, {"notes.csv": "day,weather\nMonday,rain\n"})  # which names no picture
    assert words_by_name(folders)["a/1.png"] == ("a",)
    folder_of(folders, {"notes.csv": "file,x\n1,low\n2,high\n"})
    assert words_by_name(folders) == {"a/1.png": ("low",), "b/2.png": ("high",)}
    folder_of(folders, {"more.csv": "file,x\n1,high\n2,low\n"})  # which of the two is not known
    assert words_by_name(folders)["a/1.png"] == ("a",)
    folder_of(folders, {"a/tags.csv": "1,red hair pink eyes\n2,aqua hair blue eyes"})
    assert words_by_name(folders)["a/1.png"] == ("red", "pink")
    folder_of(
        folders, {"Tags.csv": "1,gray hair pink eyes\n2,aqua hair blue eyes"}
    )  # nearer the top
    assert words_by_name(folders)["a/1.png"] == ("gray", "pink")


def test_pictures_are_called_by_name_or_path_with_or_without_suffix(tmp_path: Path) -> None:
    names = ["a/1.png", "b/1.png", "b/1.jpg", "2.png", "a/2.png", "St. 3.png", "c/é.png"]
    calls = [
        "a\\1",
        "b/1.png",
        "set/b/1.jpg",
        "2",
        "a/2",
        "St. 3",
        unicodedata.normalize("NFD", "É"),
    ]
    calls[-1] = calls[-1].lower()
    table = "".join(f"{call},w{number}\n" for number, call in enumerate(calls))
    files = {f"set/{name}": b"" for name in names}
    source = folder_of(tmp_path / "all", {**files, "set/labels.csv": f"file,word\n{table}"})
    found = words_by_name(source)
    assert [found[f"set/{name}"] for name in names] == [(f"w{n}",) for n in range(len(names))]


def test_one_word_spelt_in_several_ways_is_one(tmp_path: Path) -> None:
    table = "file,hair\n1,blond\n2,Blonde\n3,Blonde\n4,gray\n5, Grey\n"
    files = pictures(*(f"{number}.png" for number in range(1, 6)))
    source = folder_of(tmp_path / "set", {**files, "tags.csv": table})
    found = words_by_name(source)
    assert [found[f"{number}.png"] for number in (1, 2, 3)] == [("Blonde",)] * 3
    assert found["4.png"] == found["5.png"]
    (group,) = tags_of(source).groups
    assert len(group.words) == 2


def test_bom_and_lines_of_every_system(tmp_path: Path) -> None:
    files = pictures("1.png", "2.png", "3.png")
    for number, end in enumerate(("\n", "\r\n", "\r")):
        for form in (FACES, "file,hair,eyes\n1,red,blue\n2,aqua,blue\n3,red,pink\n"):
            content = form.replace("\n", end).encode("utf-8-sig")
            source = folder_of(tmp_path / f"{number}", {**files, "tags.csv": content})
            assert words_by_name(source) == {f"{n}.png": OF_FACES[n] for n in "123"}


def test_tags_of_pictures_that_are_not_there_are_left_out(tmp_path: Path) -> None:
    files = pictures("1.png", "2.png", "3.png", "4.png")
    table = f"{FACES}77,green hair blue eyes\n78,red hair blue eyes\n77,green hair blue eyes\n"
    tags = tags_of(folder_of(tmp_path / "faces", {**files, "tags.csv": table}))
    assert tags.absent == ["77", "78"]
    assert tags.groups[0].words == ("aqua", "red")  # no word that no picture has
    assert tags.choices.tolist() == [[1, 0], [0, 0], [1, 1], [-1, -1]]


NAMES = st.text("abcxyz123_ é犬", min_size=1, max_size=6).map(str.strip).filter(bool)


@settings(
    deadline=None, max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.dictionaries(
        NAMES,
        st.tuples(st.sampled_from(["ä", "b c", "b,d", '"e']), st.sampled_from("xyz ")),
        min_size=4,
    ),
    st.randoms(),
)
def test_any_table_gives_each_picture_its_words(
    tmp_path: Path, told: dict[str, tuple[str, str]], random: object
) -> None:
    """As written by Python's csv module, its lines in any order."""
    kept = {unicodedata.normalize("NFC", name): words for name, words in told.items()}
    lines = list(kept.items())
    random.shuffle(lines)
    text = io.StringIO()
    csv.writer(text).writerows([("", "one", "two"), *((name, *words) for name, words in lines)])
    source = zip_of(
        tmp_path / "set",
        {**{f"in/{name}.png": b"" for name in kept}, "tags.csv": text.getvalue()},
    )
    expected = {
        f"in/{name}.png": words if words[1] != " " else None for name, words in kept.items()
    }
    distinct = [{words[column] for words in expected.values() if words} for column in (0, 1)]
    if min(map(len, distinct)) < 2:
        with pytest.raises(UserError, match=r"one word|none of"):
            words_by_name(source)
    else:
        assert words_by_name(source) == expected


def test_the_digest_tells_words_apart(tmp_path: Path) -> None:
    files = pictures("1.png", "2.png", "3.png")
    tables = [
        FACES,
        "3,red hair pink eyes\n\n2,aqua hair blue eyes\n1,red hair blue eyes",  # the same
        FACES.replace("aqua", "gray"),
        FACES.replace("2,aqua", "2,red").replace("1,red", "1,aqua"),
        "file,eyes,hair\n1,red,blue\n2,aqua,blue\n3,red,pink\n",
    ]
    digests = [
        tags_of(folder_of(tmp_path / "set", {**files, "tags.csv": table})).digest()
        for table in tables
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


@pytest.mark.parametrize("table", ["tags.csv", "labels.csv"])
@pytest.mark.parametrize(
    "first", ["a.png,cat", "a,cat", "in/a.png,cat", "gone.png,cat", "gone.JPEG,cat"]
)
def test_a_table_without_its_header_is_refused(tmp_path: Path, table: str, first: str) -> None:
    files = pictures("in/a.png", "in/b.png", "in/c.png")
    source = folder_of(tmp_path / "set", {**files, table: f"{first}\nb.png,dog\nc.png,cat\n"})
    with pytest.raises(UserError, match=rf"'{first}' in line 1 of its {table}, .* a header"):
        words_by_name(source)


@pytest.mark.parametrize(
    ("line", "header"),
    [
        ("a.png,cat", "file,hair"),
        ("a.png,cat,red", "file,hair,eyes"),
        ("a.png,cat,red,big", "file,hair,eyes,group 3"),
    ],
)
def test_the_example_of_a_header_has_as_many_columns(
    tmp_path: Path, line: str, header: str
) -> None:
    files = {**pictures("a.png", "b.png"), "tags.csv": f"{line}\n{line.replace('a', 'b')}\n"}
    with pytest.raises(UserError, match=f"such as '{header}'$"):
        words_by_name(folder_of(tmp_path / "set", files))


MANY = "".join(f"{number},word {number}\n" for number in range(1000))
BAD = {
    "nothing": ({}, ("has no words for its pictures: expected tags.csv", "(no folder was found)")),
    "one folder": ({"cat/4.png": ""}, ("has no words", "a folder for each word (one folder was")),
    "parts of a set alone": (
        {"train/4.png": "", "test/5.png": ""},
        ("has no words", "(parts such as train and test were found)"),
    ),
    "two tables": (
        {"a.csv": "f,x\n1,a\n2,b\n", "b.csv": "f,x\n1,a\n2,b\n"},
        ("has a.csv and b.csv, expected one of them, or tags.csv",),
    ),
    "another table of none": (
        {"pets.csv": "file,x\ngone.png,a\nlost.png,b\n"},
        ("pets.csv of", "names 'gone.png' in line 2, which is not there", "such as '1.png'"),
    ),
    "another table with other columns": (
        {"pets.csv": "file;x\n1;a\n2;b\n"},
        ("'file;x' in line 1 of its pets.csv", "commas between", "the first names the picture"),
    ),
    "another table of one column": (
        {"pets.csv": "\nfile\n1\n2\n"},
        ("'file' in line 2 of its pets.csv", "commas between", "the first names the picture"),
    ),
    "two tags.csv": (
        {"a/1.png": "", "b/1.png": "", "a/tags.csv": FACES, "b/tags.csv": FACES},
        ("a/tags.csv and b/tags.csv, expected one tags.csv",),
    ),
    "an empty one": ({"tags.csv": ""}, ("'' in line 1 of its tags.csv", "expected such as")),
    "a header alone": ({"tags.csv": "file,hair\n"}, ("'file,hair' in line 1 of its tags.csv",)),
    "other columns": ({"tags.csv": "file;hair\n1;red\n"}, ("'file;hair' in line 1", "commas")),
    "no name of a column": (
        {"tags.csv": "file,,x\n1,a,b\n"},
        ("'file,,x' in line 1", "a header that names every column"),
    ),
    "tags of none": (
        {"tags.csv": "8,red hair blue eyes\n9,red hair aqua eyes\n"},
        ("tags.csv of", "names '8' in line 1, which is not there", "such as '1.png'"),
    ),
    "no picture with words": (
        {"tags.csv": "1,long hair:1\tred eyes:2\n2,blue hair:1\tpink hair:2\n"},
        ("tags.csv of", "none of 3 pictures its words"),
    ),
    "one word": (
        {"tags.csv": "1,red hair blue eyes\n2,red hair aqua eyes\n"},
        ("tags.csv of", "one word, 'red', in its group 'hair'", "two words or more"),
    ),
    "not UTF-8": (
        {"tags.csv": "1,red hair blue eyes\n2,ros\xe9 hair blue eyes\n".encode("latin-1")},
        ("tags.csv of", "byte 0xe9 in line 2, expected UTF-8: save it as UTF-8"),
    ),
    "not UTF-8, in lines of old": (
        {"tags.csv": "1,red hair blue eyes\r2,ros\xe9 hair blue eyes\r".encode("latin-1")},
        ("byte 0xe9 in line 2, expected UTF-8",),
    ),
    "UTF-16": ({"tags.csv": FACES.encode("utf-16")}, ("byte 0xff in line 1, expected UTF-8",)),
    "a thousand words": (
        {"tags.csv": f"file,text\n{MANY}", **dict.fromkeys(map("{}.png".format, range(1000)), "")},
        ("1000 words, such as 'word ", "in its group 'text'", f"at most {MOST_WORDS} words"),
    ),
    "too many words in all": (
        {
            "tags.csv": "file,a,b\n" + "".join(f"{n},x{n},y{n}\n" for n in range(300)),
            **dict.fromkeys(map("{}.png".format, range(300)), ""),
        },
        ("300 of a, 300 of b", f"at most {MOST_WORDS} words"),
    ),
    "a long word": (
        {"tags.csv": f"file,text\n1,{'x' * 500}\n2,b\n"},
        ("in its group 'text'", "words of 1 to 50 printable characters"),
    ),
    "a tab in a word": ({"tags.csv": "file,x\n1,a\tb\n2,bcdef\n"}, (r"'a\tb'", "printable")),
    "no word but a sign": (
        {"tags.csv": 'file,x\n1,abc\n2,","\n'},
        ("2 words, such as ','", "printable characters"),
    ),
    "one group twice": (
        {"tags.csv": "file,hair,Hair\n1,a,b\n2,b,a\n"},
        ("line 1 of tags.csv of", "names the group 'Hair' twice"),
    ),
    "a malformed line": (
        {"tags.csv": "1,red hair blue eyes\n\n2,red hair\n3,aqua hair pink eyes\n"},
        ("'2,red hair' in line 3 of its tags.csv", "'7,aqua hair blue eyes'"),
    ),
    "a malformed first line": (
        {"tags.csv": "id,text\n2,red hair blue eyes\n"},
        ("'id,text' in line 1 of its tags.csv",),
    ),
    "a tag without its count": (
        {"tags.csv": "1,red hair:1\tblue eyes:1\n2,red hair\tblue eyes:1\n"},
        ("in line 2 of its tags.csv",),
    ),
    "too many cells": (
        {"tags.csv": "file,x\n1,a\n2,b,c\n"},
        ("'2,b,c' in line 3 of its tags.csv", "a picture and 2 cells in all"),
    ),
    "no picture in a line": ({"tags.csv": "file,x\n1,a\n,b\n"}, ("',b' in line 3",)),
    "a quote that never ends": (
        {"tags.csv": 'file,x\n1,a\n2,"b\n3,c\n'},
        ("of tags.csv of", "no line of a CSV file"),
    ),
    "two tags": (
        {"tags.csv": f"{FACES}1,aqua hair blue eyes\n"},
        ("tags.csv of", "other words of '1' in line 4 than in line 1"),
    ),
}


@pytest.mark.parametrize("make", [folder_of, zip_of])
@pytest.mark.parametrize("case", BAD)
def test_what_will_not_do_is_told_in_a_sentence(
    tmp_path: Path, make: Callable[..., Path], case: str
) -> None:
    files, words = BAD[case]
    source = make(tmp_path / "faces", {**pictures("1.png", "2.png", "3.png"), **files})
    with pytest.raises(UserError) as raised:
        words_by_name(source)
    sentence = str(raised.value)
    assert str(source) in sentence
    for word in words:
        assert word in sentence
    assert "\n" not in sentence
    assert len(sentence) < 300 + 2 * len(str(source))


def test_a_name_of_two_pictures_is_asked_for_in_whole(tmp_path: Path) -> None:
    files = pictures("a/1.png", "b/1.png", "2.png", "2.jpg")
    for call, first, second in (("1", "a/1.png", "b/1.png"), ("2", "2.jpg", "2.png")):
        table = f"{call},red hair blue eyes\n"
        source = folder_of(tmp_path / "faces", {**files, "tags.csv": table})
        with pytest.raises(UserError, match=rf"'{call}' in line 1, .* {first} or {second}"):
            words_by_name(source)


def test_a_table_without_any_picture_is_told(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "faces", {"tags.csv": FACES})
    with pytest.raises(UserError, match="names '1' in line 1, which is not there"):
        words_by_name(source)


def test_a_table_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    source = zip_of(tmp_path / "faces", {**pictures("1.png"), "tags.csv": FACES * 9})
    content = source.read_bytes()
    source.write_bytes(content.replace(b"2,aqua", b"2,AQUA"))  # its check sum is another now
    with pytest.raises(UserError, match=r"cannot read tags.csv of .*: damaged in the zip"):
        words_by_name(source)


def test_the_extra_data() -> None:
    """12 colours of hair, 10 of eyes, and the 119 pairs that it is known to have."""
    if not EXTRA_DATA.is_file():
        pytest.skip(f"{EXTRA_DATA} is absent")
    tags = tags_of(EXTRA_DATA)
    assert [(group.name, len(group.words)) for group in tags.groups] == [("hair", 12), ("eyes", 10)]
    words = Words.of(tags.groups, tags.choices)
    assert (len(words.combinations), words.counts.sum()) == (119, 17_994)
