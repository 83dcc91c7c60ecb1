"""What is told of a conditional generator's words: shares of each, a table of pictures, lines."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from edgegan.runtime.colour_classifier import Namer
from edgegan.runtime.files import write_bytes
from edgegan.runtime.grid import encode_png, tight_grid
from edgegan.runtime.run_folder import WORDS
from edgegan.runtime.tables import aligned
from edgegan.runtime.words import Words
from edgegan.trainer.conditional_generator import Conditional
from edgegan.trainer.word_metrics import WordedPictures, find_word_columns
from edgegan.trainer.word_metrics.right_words import all_right

Figures = dict[str, Any]

MOST_ROWS, MOST_COLUMNS = 12, 10  # of the table of pictures
WORST = 5  # words and combinations that are printed


def details(drawn: WordedPictures, real: WordedPictures, words: Words) -> Figures:
    """How many are right by word and by combination, and what is named in their place.

    Beside each share, 0 to 1, stand that of these real pictures, None where there are none, and how
    many there are of both. ``confusion`` counts drawn pictures: a row for each word that was
    asked for, a column for each that was named.
    """
    groups = {}
    for number, group in enumerate(words.groups):
        asked, named = drawn.choices[:, number], drawn.named[:, number]
        confusion = np.zeros((len(group.words), len(group.words)), np.int64)
        np.add.at(confusion, (asked, named), 1)
        right, of_real = asked == named, real.choices[:, number] == real.named[:, number]
        groups[group.name] = {
            "right": float(right.mean()),
            "real": _mean(of_real),
            "words": {
                word: _share(right, asked == place, of_real, real.choices[:, number] == place)
                for place, word in enumerate(group.words)
            },
            "confusion": confusion.tolist(),
        }
    right, of_real = all_right(drawn), all_right(real)
    return {
        "real": _mean(of_real),
        "real_pictures": len(of_real),
        "groups": groups,
        "combinations": {
            words.describe(choice): _share(
                right,
                (drawn.choices == choice).all(axis=1),
                of_real,
                (real.choices == choice).all(axis=1),
            )
            for choice in np.unique(drawn.choices, axis=0)
        },
    }


def _share(
    right: np.ndarray, drawn: np.ndarray, of_real: np.ndarray, real: np.ndarray
) -> dict[str, float | None]:
    return {
        "right": _mean(right[drawn]),
        "real": _mean(of_real[real]),
        "pictures": int(drawn.sum()),
        "real_pictures": int(real.sum()),
    }


def _mean(right: np.ndarray) -> float | None:
    return float(right.mean()) if len(right) else None


def draw_table(generator: Conditional, seed: int, namer: Namer) -> tuple[np.ndarray, Figures]:
    """A picture of each word of the first group with each of the second; of one group, a row.

    All have the first latent of the seed, so that they differ in their words alone. At most
    MOST_ROWS by MOST_COLUMNS, the first ones. Other groups are as the generator draws them.

    Returns:
        The pictures side by side, uint8 (H, W, 3), RGB, and what they show: ``rows`` and
        ``columns`` are words, ``named`` what the classifier sees, by row and column, and ``right``
        whether that is what it should be.
    """
    words = generator.words
    first, *others = words.groups
    cells: list[tuple[int, ...]]
    if others:
        rows, columns = first.words[:MOST_ROWS], others[0].words[:MOST_COLUMNS]
        cells = [(row, column) for row in range(len(rows)) for column in range(len(columns))]
    else:
        rows, columns = ("",), first.words[:MOST_ROWS]
        cells = [(column,) for column in range(len(columns))]
    rest = (None,) * (len(words.groups) - len(cells[0]))
    choices = np.concatenate([words.draw(seed, 1, (*cell, *rest)) for cell in cells])
    images = generator.recoloured(seed, choices)
    named = namer(images)
    right = (named == choices).all(axis=1)
    shape = (len(rows), len(columns))
    texts = np.array([words.describe(choice) for choice in named], dtype=object).reshape(shape)
    return tight_grid(images, len(rows), len(columns), gap=0), {
        "rows": list(rows),
        "columns": list(columns),
        "named": texts.tolist(),
        "right": right.reshape(shape).tolist(),
    }


def write_table(folder: Path, picture: np.ndarray) -> str:
    """Write the table of pictures beside the evaluation, and return its SHA-256, which tells it
    from others.

    Raises:
        UserError: it cannot be written.
    """
    content = encode_png(picture)
    write_bytes(folder / WORDS, content)
    return hashlib.sha256(content).hexdigest()


def word_lines(evaluations: list[Figures]) -> str:
    """A table for each classifier and its real pictures, and what each generator is worst at."""
    parts = []
    alike: dict[str, list[Figures]] = {}
    for evaluation in evaluations:
        key = repr((evaluation["word_details"]["classifier"], evaluation["floor"]["words"]))
        alike.setdefault(key, []).append(evaluation)
    columns = find_word_columns()
    for group in alike.values():
        about = group[0]["word_details"]
        lines = [{"name": "real pictures", "words": group[0]["floor"]["words"]}, *group]
        rows = [["", *(column.title for column in columns.values())]]
        for line in lines:
            values = line["words"]
            shown = [
                column.show(values[key]) if key in values else "-"
                for key, column in columns.items()
            ]
            rows.append([line["name"], *shown])
        parts.append(f"{_heading(about)}\n{aligned(rows)}")
        parts += [f"{line['name']}: {worst(line['word_details'])}" for line in group]
    return "\n".join(parts)


def _heading(about: Figures) -> str:
    """Who names the words, how rightly, and how many pictures the last column's ones learn from."""
    count = about["real_pictures"]
    if count == about["held_out"]:
        which = f"of {count:,} real pictures held out"
    else:
        which = f"of {count:,} of {about['held_out']:,} real pictures held out, from it too,"
    right = "" if about["real"] is None else f" {about['real']:.1%} right"
    return (
        f"words, named by {about['classifier']}: {which}{right}; the last column by classifiers "
        f"that learn from {about['classification_pictures']:,} pictures"
    )


def worst(found: Figures) -> str:
    """The words and combinations that are right most seldom, with the share of real pictures."""
    words = {
        f"{word} {name}": share
        for name, group in found["groups"].items()
        for word, share in group["words"].items()
    }
    return "; ".join(
        f"worst {what} {_least(shares)}"
        for what, shares in (("words", words), ("texts", found["combinations"]))
    )


def _least(shares: dict[str, Figures]) -> str:
    known = {text: share for text, share in shares.items() if share["right"] is not None}
    least = sorted(known, key=lambda text: known[text]["right"])[:WORST]
    return ", ".join(
        f"{text} {known[text]['right']:.0%}"
        + (
            ""
            if known[text]["real"] is None
            else f" (real {known[text]['real']:.0%} of {known[text]['real_pictures']})"
        )
        for text in least
    )
