"""What names the words of pictures: a classifier that never trained a generator."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from edgegan.runtime.colour_classifier import ColourClassifier
from edgegan.runtime.words import Group, Words, plain

Namer = Callable[[np.ndarray], np.ndarray]  # uint8 (N, H, W, 3), RGB -> choices, int64 (N, groups)


def shipped_namer(words: Words) -> Namer | None:
    """The shipped classifier for these words, of which it takes the likeliest; None if it knows
    not all of them.
    """
    classifier = ColourClassifier()
    known = {plain(head): (head, colours) for head, colours in classifier.words.items()}
    heads = [known.get(plain(group.name)) for group in words.groups]
    found = [head and _places(group, head[1]) for group, head in zip(words.groups, heads)]
    if not all(found):
        return None

    def name(images: np.ndarray) -> np.ndarray:
        logits = classifier.logits(images)
        named = [
            logits[head[0]][:, places].argmax(axis=1)
            for head, places in zip(heads, found)
            if head and places
        ]
        return np.stack(named, axis=1)

    return name


def _places(group: Group, known: Sequence[str]) -> list[int] | None:
    """Where a group's words are among those known; None where one is not."""
    places = {plain(word): place for place, word in enumerate(known)}
    found = [places.get(plain(word)) for word in group.words]
    return None if None in found else [place for place in found if place is not None]
