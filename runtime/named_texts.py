"""Texts for a conditional generator, as commands are given them: by options, or in a file."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.files import line_of, read_bytes

FORMS = "a text a line, such as 'blue hair red eyes' or '1,blue hair red eyes'"
EACH = 5  # faces of a text, as in the graders' grid of 5 x 5
WITH_ID = re.compile(r"([0-9]{1,18})\s*,\s*(.*)")


class NamedText(NamedTuple):
    """A text, what the files of its faces are named by, and where it was given."""

    name: str
    text: str
    place: str


def given_texts(place: str, texts: Sequence[str]) -> list[NamedText]:
    """Texts, as of an option, which are named by their numbers, counted from 1."""
    return [NamedText(str(number), text, place) for number, text in enumerate(texts, 1)]


def read_texts(path: str | Path) -> list[NamedText]:
    """Read a file of texts: UTF-8, a text a line, with an id and a comma before each or none.

    An id is a whole number, and the text's name; without ids texts are named by their numbers.
    Empty lines at the end are no texts. What the texts say is not looked at.

    Raises:
        UserError: it cannot be read, is no UTF-8 or has no text in it; a line is empty, has an id
            where the first has none or none where that has one, or has another line's.
    """
    lines = _lines(path)
    with_ids = WITH_ID.fullmatch(lines[0]) is not None
    texts: list[NamedText] = []
    numbers: dict[str, int] = {}
    for number, line in enumerate(lines, 1):
        place = f"line {number} of {path}"
        found = WITH_ID.fullmatch(line)
        if not line:
            raise UserError(f"{place} is empty, expected a text")
        if (found is not None) != with_ids:
            form = "a whole number, a comma and a text" if with_ids else "a text without a number"
            raise UserError(f"{place} is {quoted(line)}, expected {form}, as line 1 has")
        name, text = found.groups() if found else (str(number), line)
        if name in numbers:
            raise UserError(
                f"{place} has the id {name}, which line {numbers[name]} has: expected another"
            )
        numbers[name] = number
        texts.append(NamedText(name, text, place))
    return texts


def faces_of_each(texts: Sequence[NamedText]) -> int:
    """How many faces of each text are drawn where nobody says: one of 25 texts, else EACH."""
    return 1 if len(texts) == EACH**2 else EACH


def _lines(path: str | Path) -> list[str]:
    """The lines of a text file without the white space around them, up to the last that has any."""
    content = read_bytes(path)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = line_of(content, error.start)
        raise UserError(f"line {line} of {path} is no UTF-8, expected {FORMS}") from error
    if not text.strip():
        raise UserError(f"{path} has no text in it, expected {FORMS}")
    return [line.strip() for line in io.StringIO(text.rstrip(), newline=None)]
