"""Tables of text: columns of the same width."""

from __future__ import annotations

from collections.abc import Collection, Sequence

Row = Sequence[object]


def aligned(rows: Sequence[Row], left: Collection[int] = (0,)) -> str:
    """Rows of as many cells each, as lines: two spaces between columns, none at a line's end.

    Args:
        rows: cells of any type, shown as str has them; titles are a row like any other.
        left: the columns of words, which begin at the left; all others, of numbers, end at the
            right.
    """
    columns = [
        [cell.ljust(width) if number in left else cell.rjust(width) for cell in column]
        for number, (column, width) in enumerate(_columns(rows))
    ]
    return "\n".join("  ".join(row).rstrip() for row in zip(*columns))


def markdown(titles: Row, rows: Sequence[Row]) -> str:
    """A table in Markdown, padded so that it reads well as plain text too."""
    columns = [
        [column[0].ljust(width), "-" * width, *(cell.ljust(width) for cell in column[1:])]
        for column, width in _columns([titles, *rows])
    ]
    lines = ["| " + " | ".join(row) + " |" for row in zip(*columns)]
    lines[1] = lines[1].replace(" ", "-")
    return "\n".join(lines)


def _columns(rows: Sequence[Row]) -> list[tuple[list[str], int]]:
    """The cells of each column as text, and the width of its widest."""
    columns = [[str(cell) for cell in column] for column in zip(*rows)]
    return [(column, max(map(len, column))) for column in columns]
