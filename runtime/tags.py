"""The words of a set's pictures: from a table beside them, or from the folders that they are in.

A table is a CSV file in UTF-8, of one of three forms:

- ``7,aqua hair blue eyes`` a line: a picture, its hair and its eyes;
- ``7,1girl:90<tab>blue hair:12<tab>long hair:30<tab>red eyes:7`` a line: a picture and its tags,
  each with a count. Pictures with exactly one colour of hair and one of eyes have words. Colours
  are those of COLOURS: "long hair" is none;
- a header, and a line for each picture: the first column is the picture, every other column a group
  that the header names. A picture with an empty cell has no words.

The first two are those of the course assignment that the project began with. A picture is called by
its file's name, with or without its suffix, and with its folders where names are not unique.
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import astuple, dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple, Optional

import numpy as np

from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.files import line_of
from edgegan.runtime.picture_set import Entry, PictureSet
from edgegan.runtime.pictures import SUFFIXES, BadPicture
from edgegan.runtime.words import Group, check_groups, plain

TAGS = "tags.csv"
CLASS = "class"  # the one group of pictures in folders
FACE_GROUPS = ("hair", "eyes")
COLOURS = {  # as ``plain`` spells them
    *("aqua", "black", "blond", "blue", "brown", "gray", "green"),
    *("orange", "pink", "purple", "red", "white", "yellow"),
}
NONE = -1  # in place of the number of a word
PARTS = {"train", "training", "test", "testing", "val", "valid", "validation"}  # of a set
FACE = re.compile(r"([\w-]+) hair ([\w-]+) eyes".replace(" ", r"[^\S\t]+"), re.IGNORECASE)
COUNTED_TAG = re.compile(r"(.+):\s*\d+")
EXAMPLE = "7,aqua hair blue eyes"

Named = Optional[tuple[str, ...]]  # a picture's words, one a group; None where it has none


@dataclass(frozen=True)
class Tags:
    """The words of a set's pictures.

    Attributes:
        origin: what tells them, for sentences.
        names: of the groups.
        words: of each picture, in the order of the set.
        absent: pictures that are told of and not in the set.
        file: the table's name within the set; None where there is none.
    """

    origin: str
    names: tuple[str, ...]
    words: Sequence[Named]
    absent: list[str]
    file: str | None = None

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups, their words in the order of the alphabet.

        Raises:
            UserError: no picture has words, or a group is none that a model can have.
        """
        return self._numbered[0]

    @property
    def choices(self) -> np.ndarray:
        """The numbers of each picture's words, int64 (N, groups), rows of NONE where it has none.

        Raises UserError as ``groups`` does.
        """
        return self._numbered[1]

    def digest(self) -> str:
        """What changes when groups, words, or a picture's words do; raises as ``groups`` does."""
        content = json.dumps([astuple(group) for group in self.groups]).encode()
        return hashlib.sha256(content + self.choices.astype("<i8").tobytes()).hexdigest()

    @cached_property
    def _numbered(self) -> tuple[tuple[Group, ...], np.ndarray]:
        known = [number for number, words in enumerate(self.words) if words is not None]
        if not known:
            raise UserError(f"{self.origin} gives none of {len(self.words)} pictures its words")
        choices = np.full((len(self.words), len(self.names)), NONE, np.int64)
        groups = []
        for column, name in enumerate(self.names):
            spelt = _as_mostly_spelt([words[column] for words in self.words if words is not None])
            vocabulary = sorted(set(spelt))
            self._check(name, vocabulary)
            numbers = {word: number for number, word in enumerate(vocabulary)}
            choices[known, column] = [numbers[word] for word in spelt]
            groups.append(Group(name, tuple(vocabulary)))
        try:
            check_groups([(group.name, list(group.words)) for group in groups])
        except ValueError as error:
            sizes = ", ".join(f"{len(group.words)} of {group.name}" for group in groups[:5])
            more = ", …" if len(groups) > 5 else ""
            raise UserError(
                f"{self.origin} has {sizes}{more} as words, expected {error}"
            ) from error
        return tuple(groups), choices

    def _check(self, name: str, vocabulary: list[str]) -> None:
        try:
            check_groups([(name, vocabulary)])
        except ValueError as error:
            worst = quoted(max(vocabulary, key=_badness))
            many = f"{len(vocabulary)} words, such as {worst},"
            found = many if len(vocabulary) > 1 else f"one word, {worst},"
            raise UserError(
                f"{self.origin} has {found} in its group {quoted(name)}: expected {error}"
            ) from error


def _badness(word: str) -> tuple[bool, int]:
    """What a word is most likely refused for."""
    return not (word.isprintable() and plain(word)), len(word)


def read_tags(source: Path, found: PictureSet) -> Tags:
    """The words of the pictures of ``source``, a folder or zip that was opened as ``found``.

    They are looked for in a table named tags.csv, in the only other .csv that names pictures, and
    in the names of the folders that the pictures are in, of which two make a class each. A table
    is in a folder that the pictures are in, or in one above.

    Raises:
        UserError: there are none, or they cannot be read.
    """
    pictures = [entry.name for entry in found.entries]
    tables = _nearest_the_top(found.tables, pictures)
    named = [table for table in tables if _file_name(table).lower() == TAGS]
    if len(named) > 1:
        raise UserError(f"{source} has {named[0].name} and {named[1].name}, expected one {TAGS}")
    if named:
        return _Table(source, named[0]).tags(pictures)
    classes = _classes(pictures)
    in_folders = len(set(classes) - {None}) >= 2
    if len(tables) == 1:
        table = _Table(source, tables[0])
        if table.names_any_of(pictures) or not in_folders:  # where it names none it says so
            return table.tags(pictures)
    if not in_folders:
        raise _no_words(source, tables, pictures)
    words = [None if folder is None else (folder,) for folder in classes]
    return Tags(f"{source}, by its folders,", (CLASS,), words, [])


def _no_words(source: Path, tables: list[Entry], pictures: list[str]) -> UserError:
    """Of pictures in fewer than two folders, with several tables or none."""
    if tables:
        first, second = sorted(table.name for table in tables)[:2]
        return UserError(f"{source} has {first} and {second}, expected one of them, or {TAGS}")
    folders = {part.casefold() for name in pictures for part in name.split("/")[:-1]}
    found = "one folder was" if folders else "no folder was"
    if folders & PARTS:
        found = "parts such as train and test were"
    return UserError(
        f"{source} has no words for its pictures: expected {TAGS}, another .csv with a header "
        f"beside them, or a folder for each word ({found} found)"
    )


def _nearest_the_top(tables: list[Entry], pictures: list[str]) -> list[Entry]:
    """The tables that may be of the pictures: those named tags.csv, or else all, the outermost."""
    folders = {""}
    for name in pictures:
        while name := name.rpartition("/")[0]:
            folders.add(name)
    beside = [table for table in tables if table.name.rpartition("/")[0] in folders]
    chosen = [table for table in beside if _file_name(table).lower() == TAGS] or beside
    depth = min((table.name.count("/") for table in chosen), default=0)
    return [table for table in chosen if table.name.count("/") == depth]


def _file_name(entry: Entry) -> str:
    return entry.name.rpartition("/")[2]


def _classes(pictures: list[str]) -> list[str | None]:
    """The folder of each picture, of the first level that has several which are no parts of a set.

    Pictures that lie above it are in none.
    """
    level = 0
    while (found := _folders_at(level, pictures)) and (
        len(found) == 1 or {name.casefold() for name in found} <= PARTS
    ):
        level += 1
    return [_folder_at(level, name) for name in pictures]


def _folders_at(level: int, pictures: list[str]) -> set[str]:
    return {folder for name in pictures if (folder := _folder_at(level, name)) is not None}


def _folder_at(level: int, picture: str) -> str | None:
    folders = picture.split("/")[:-1]
    return folders[level] if level < len(folders) else None


def _as_mostly_spelt(words: Sequence[str]) -> list[str]:
    """Words as most of those are spelt that are the same to a reader of texts."""
    usual: dict[str, str] = {}
    counts = Counter(words)
    for word in sorted(counts, key=lambda word: (-counts[word], word)):
        usual.setdefault(plain(word), word)
    spelling = {word: usual[plain(word)] for word in counts}
    return [spelling[word] for word in words]


class _Row(NamedTuple):
    """A line of a table: its number, from 1, the picture that it is about, and its words."""

    line: int
    picture: str
    words: Named


class _Table:
    """A table of words, read from a file of a set."""

    def __init__(self, source: Path, file: Entry) -> None:
        self._source = source
        self._file = file
        self._folder, _, self._name = file.name.rpartition("/")
        text = self._text()
        lines = list(io.StringIO(text, newline=None))
        self.names: tuple[str, ...] = FACE_GROUPS
        self._header: tuple[int, list[str]] = (1, [""])  # its line, and its cells
        if _is_about_faces(lines):
            self.rows = list(self._rows_of_faces(lines))
        else:
            self.names, self.rows = self._headed(text)

    @property
    def _origin(self) -> str:
        return f"{self._name} of {self._source}"

    def names_any_of(self, pictures: list[str]) -> bool:
        """Whether a line is about one of the pictures."""
        names = _Names(pictures, self._folder)
        return any(names.find(row.picture) for row in self.rows)

    def tags(self, pictures: list[str]) -> Tags:
        """The words of these pictures, by their names within the set."""
        number, header = self._header
        if not self.rows:
            expected = f"such as {EXAMPLE!r}, or a header with commas and a line a picture below"
            if any(header) and len(header) < 2:
                expected = "columns with commas between, of which the first names the picture"
            raise self._malformed(",".join(header), number, expected)
        names = _Names(pictures, self._folder)
        if names.find(header[0]) or Path(header[0]).suffix.lower() in SUFFIXES:
            example = quoted(",".join(_example_of_header(len(header))))
            expected = f"a header above the pictures that names the groups, such as {example}"
            raise self._malformed(",".join(header), number, expected)
        if twice := _first_that_is_there_twice(header[1:]):
            raise UserError(
                f"line {number} of {self._origin} names the group {quoted(twice)} twice, expected "
                "it once"
            )
        lines: dict[int, _Row] = {}
        absent: dict[str, None] = {}
        for row in self.rows:
            numbers = names.find(row.picture)
            if not numbers:
                absent[row.picture] = None
                continue
            if len(numbers) > 1:
                raise UserError(
                    f"{self._origin} has {quoted(row.picture)} in line {row.line}, which may be "
                    f"{pictures[numbers[0]]} or {pictures[numbers[1]]}: expected its whole name"
                )
            before = lines.setdefault(numbers[0], row)
            if _differ(before.words, row.words):
                raise UserError(
                    f"{self._origin} has other words of {quoted(row.picture)} in line {row.line} "
                    f"than in line {before.line}, expected one line a picture"
                )
        if not lines:
            first = self.rows[0]
            such = f" such as {quoted(pictures[0])}" if pictures else ""
            raise UserError(
                f"{self._origin} names {quoted(first.picture)} in line {first.line}, which is not "
                f"there, nor is any other that it names: expected names of pictures{such}"
            )
        words = [lines[n].words if n in lines else None for n in range(len(pictures))]
        return Tags(self._origin, self.names, words, list(absent), self._file.name)

    def _text(self) -> str:
        try:
            content = self._file.read()
        except BadPicture as error:
            raise UserError(f"cannot read {self._origin}: {error}") from error
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            line = line_of(content, error.start)
            byte = f"byte 0x{content[error.start]:02x} in line {line}"
            raise UserError(
                f"{self._origin} has {byte}, expected UTF-8: save it as UTF-8"
            ) from error

    def _rows_of_faces(self, lines: list[str]) -> Iterator[_Row]:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            picture, told = _parted(line)
            if not picture or (told and not _is_of_a_face(told)):
                raise self._malformed(line.strip(), number, f"such as {EXAMPLE!r}")
            yield _Row(number, picture, _words_of_a_face(told))

    def _headed(self, text: str) -> tuple[tuple[str, ...], list[_Row]]:
        """The groups that the header names, and the rows below; none where it is no such table."""
        reader = csv.reader(io.StringIO(text, newline=""), strict=True)
        try:
            rows = [(reader.line_num, list(map(_clean, cells))) for cells in reader]
        except csv.Error as error:
            where = f"line {reader.line_num} of {self._origin}"
            raise UserError(f"{where} is no line of a CSV file: {error}") from error
        (number, header), *others = [row for row in rows if any(row[1])] or [(1, [""])]
        self._header = number, header
        if len(header) < 2 or not others:
            return (), []
        if not all(header[1:]):
            expected = "a header that names every column"
            raise self._malformed(",".join(header), number, expected)
        for number, cells in others:
            if len(cells) != len(header) or not cells[0]:
                expected = f"a picture and {len(header)} cells in all, as its header has"
                raise self._malformed(",".join(cells), number, expected)
        rows_below = [_Row(number, cells[0], _all_or_none(cells[1:])) for number, cells in others]
        return tuple(header[1:]), rows_below

    def _malformed(self, line: str, number: int, expected: str) -> UserError:
        return UserError(
            f"{self._source} has {quoted(line)} in line {number} of its {self._name}, "
            f"expected {expected}"
        )


def _example_of_header(columns: int) -> list[str]:
    """The names of so many columns, two or more."""
    more = (f"group {number}" for number in range(len(FACE_GROUPS) + 1, columns))
    return ["file", *FACE_GROUPS, *more][:columns]


def _first_that_is_there_twice(names: list[str]) -> str | None:
    """The first name that is, to a reader of texts, one that came before it."""
    seen = list(map(plain, names))
    return next((name for n, name in enumerate(names) if seen[n] in seen[:n]), None)


def _is_about_faces(lines: list[str]) -> bool:
    """Whether lines are of the first two forms: the first one is, or one that cannot be another.

    A cell below a header may be "12:30", too, but neither two of those nor the words of a face.
    """
    told = (_parted(line)[1] for line in lines if line.strip())
    return _is_of_a_face(next(told, "")) or any(
        FACE.fullmatch(text) or ("\t" in text and _is_of_a_face(text)) for text in told
    )


def _parted(line: str) -> tuple[str, str]:
    """The picture that a line of the first two forms is about, and what it tells of it."""
    try:
        picture, *told = next(csv.reader([line]))
    except (csv.Error, StopIteration):
        return "", ""
    return (_clean(picture), ",".join(told).strip()) if told else ("", "")


def _is_of_a_face(told: str) -> bool:
    return bool(FACE.fullmatch(told) or (told and all(map(COUNTED_TAG.fullmatch, _tags(told)))))


def _words_of_a_face(told: str) -> Named:
    """The colours of hair and eyes, where there is exactly one of each."""
    if pair := FACE.fullmatch(told):
        return pair.groups()
    tags = [tag.rpartition(":")[0].split() for tag in _tags(told)]
    colours = []
    for group in FACE_GROUPS:
        named = [" ".join(tag[:-1]) for tag in tags if tag and tag[-1].lower() == group]
        found = [word for word in named if plain(word) in COLOURS]
        if len(set(map(plain, found))) != 1:
            return None
        colours.append(found[0])
    return tuple(colours)


def _tags(told: str) -> list[str]:
    return [tag.strip() for tag in told.split("\t") if tag.strip()]


def _all_or_none(words: list[str]) -> Named:
    return tuple(words) if all(words) else None


def _differ(words: Named, others: Named) -> bool:
    if words == others or words is None or others is None:
        return words != others
    return list(map(plain, words)) != list(map(plain, others))


def _clean(text: str) -> str:
    """A name or a word in one form of Unicode, as file systems and editors differ in it."""
    return unicodedata.normalize("NFC", text.strip())


class _Names:
    """Finds pictures of a set by what a table in a folder of it calls them."""

    def __init__(self, pictures: list[str], folder: str) -> None:
        self._pictures = [_clean(name) for name in pictures]
        self._above = _clean(folder) + "/" if folder else ""
        self._by_last: defaultdict[str, list[int]] = defaultdict(list)
        for number, name in enumerate(self._pictures):
            for last in _with_and_without_suffix(name.rpartition("/")[2]):
                self._by_last[last].append(number)

    def find(self, called: str) -> list[int]:
        """The numbers of the pictures that it may be: none, one, or several."""
        asked = _clean(called).replace("\\", "/")
        asked = asked[2:] if asked.startswith("./") else asked
        numbers = self._by_last.get(asked.rpartition("/")[2], [])
        if len(numbers) == 1 and "/" not in asked:
            return numbers
        for fits in (self._is_path, self._is_end):  # the nearer way of calling it comes first
            for whole in (True, False):
                found = [n for n in numbers if fits(_form(self._pictures[n], whole), asked)]
                if found:
                    return found
        return []

    def _is_path(self, name: str, asked: str) -> bool:
        return name in (asked, self._above + asked)

    def _is_end(self, name: str, asked: str) -> bool:
        return f"/{name}".endswith(f"/{asked}")


def _form(name: str, whole: bool) -> str:
    return name if whole else name[: len(name) - len(_suffix(name))]


def _with_and_without_suffix(name: str) -> set[str]:
    return {_form(name, True), _form(name, False)}


def _suffix(name: str) -> str:
    """What a name ends with from its last dot on, unless it begins with that."""
    last = name.rpartition("/")[2]
    stem, dot, suffix = last.rpartition(".")
    return dot + suffix if stem else ""
