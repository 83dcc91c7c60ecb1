"""The colour classifier: a small network that names the hair and eye colour of a drawn face.

What it sees on the way are the features that pictures are compared by. docs/colour_classifier.md
tells how it was trained and what its features see.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import cv2
import numpy as np

from edgegan.runtime.generator import from_bytes
from edgegan.runtime.session import BATCH, open_session
from edgegan.runtime.words import Group, Words, plain

FILE = Path(__file__).with_suffix(".onnx")
SIZE = 64
HEADS = ("hair", "eyes")

Namer = Callable[[np.ndarray], np.ndarray]  # uint8 (N, H, W, 3), RGB -> choices, int64 (N, groups)


class ColourClassifier:
    """The network of the file beside this one, computed on the CPU; making one reads it.

    Raises:
        UserError: the file cannot be read.
    """

    def __init__(self) -> None:
        self._session, _ = open_session(FILE, "cpu")

    def features(self, images: np.ndarray) -> np.ndarray:
        """What it sees of uint8 (N, H, W, 3), RGB, at least one of them: float32 (N, 320)."""
        (features,) = self._run(["features"], images)
        return features

    @property
    def words(self) -> dict[str, list[str]]:
        """The colours of hair and those of eyes that it knows, by head."""
        stored = self._session.get_modelmeta().custom_metadata_map
        return {head: stored[head].split() for head in HEADS}

    def logits(self, images: np.ndarray) -> dict[str, np.ndarray]:
        """How likely each of a head's ``words`` is, float32 (N, words), of uint8 (N, H, W, 3)."""
        return dict(zip(HEADS, self._run(list(HEADS), images)))

    def colours(self, images: np.ndarray) -> list[tuple[str, str]]:
        """The likeliest colours of hair and eyes of uint8 (N, H, W, 3), RGB, at least one."""
        hair, eyes = (
            np.array(self.words[head])[logits.argmax(axis=1)].tolist()
            for head, logits in self.logits(images).items()
        )
        return list(zip(hair, eyes))

    def _run(self, outputs: list[str], images: np.ndarray) -> list[np.ndarray]:
        """Its outputs of these names, computed a few pictures at a time: memory stays bounded."""
        parts = [
            self._session.run(outputs, {"image": from_bytes(resize(batch, SIZE))})
            for batch in (images[first : first + BATCH] for first in range(0, len(images), BATCH))
        ]
        return [np.concatenate(part) for part in zip(*parts)]


def shipped_namer(words: Words) -> Namer | None:
    """The shipped classifier, which names the likeliest of these words; None if one is unknown."""
    classifier = ColourClassifier()
    known = {plain(head): head for head in classifier.words}
    places: dict[str, list[int]] = {}
    for group in words.groups:
        head = known.get(plain(group.name))
        found = head and _places(group, classifier.words[head])
        if not head or not found:
            return None
        places[head] = found

    def name(images: np.ndarray) -> np.ndarray:
        logits = classifier.logits(images)
        named = [logits[head][:, columns].argmax(axis=1) for head, columns in places.items()]
        return np.stack(named, axis=1)

    return name


def _places(group: Group, known: Sequence[str]) -> list[int] | None:
    """Where a group's words are among those known; None where one is not."""
    places = {plain(word): place for place, word in enumerate(known)}
    found = [places[plain(word)] for word in group.words if plain(word) in places]
    return found if len(found) == len(group.words) else None


def resize(images: np.ndarray, size: int) -> np.ndarray:
    """uint8 (N, H, W, 3) -> uint8 (N, size, size, 3), by area, or cubic where it gets larger."""
    if images.shape[1:3] == (size, size):
        return images
    interpolation = cv2.INTER_AREA if images.shape[1] > size else cv2.INTER_CUBIC
    return np.stack(
        [cv2.resize(image, (size, size), None, 0, 0, interpolation) for image in images]
    )
