"""What chooses a run's best checkpoint: the pictures that its moving average draws.

They are compared, by the kernel distance of what the colour classifier sees in them, with pictures
that neither train a generator nor measure it when it is done. A count of faces does not tell
checkpoints apart: a generator that draws two faces over and over has them all found.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from edgegan.runtime.colour_classifier import ColourClassifier
from edgegan.runtime.detector import PASS_ABOVE, Detector
from edgegan.runtime.score import score_images
from edgegan.trainer.metrics.diversity import mean_nearest
from edgegan.trainer.metrics.kernel_distance import squared_discrepancy

LEAST_PICTURES = 200  # of those to compare with: with fewer the distance is chance
MOST_PICTURES = 1000  # more tell no more, as a checkpoint is judged by 200 of its own
REAL_FACES = 24.2  # of 25, found in grids of real faces by the graders' procedure


@dataclass(frozen=True)
class Grade:
    """What a checkpoint's pictures are worth.

    Attributes:
        faces: found in a grid of 25, on average; None where they are not counted.
        distance: the kernel distance from the validation pictures; None where those are too few.
        variety: how far each picture is from the most alike of 24 others, on average.
    """

    faces: float | None
    distance: float | None
    variety: float

    @property
    def passes(self) -> bool:
        """Whether its grids pass, as far as faces are counted."""
        return self.faces is not None and self.faces > PASS_ABOVE

    def is_better_than(self, best: Grade | None) -> bool:
        """Whether this checkpoint replaces the best so far.

        Grids that pass come before those that do not, where the faces of both are counted, then a
        lower distance before a higher one. Where there is no distance, it is the faces and how
        various they are; where faces are not counted either, the last is the best.
        """
        if best is None:
            return True
        if self.distance is None:
            return best.distance is None and self._has_better_faces_than(best)
        if None not in (self.faces, best.faces) and self.passes != best.passes:
            return self.passes
        return best.distance is None or self.distance < best.distance

    def _has_better_faces_than(self, best: Grade) -> bool:
        if self.faces is None or best.faces is None:
            return best.faces is None
        return self._worth_of_faces(self.faces) > best._worth_of_faces(best.faces)

    def _worth_of_faces(self, faces: float) -> tuple[bool, float, float]:
        """Of grids that pass the count times the variety, of others the count.

        From 20 faces on the count alone tells next to nothing: plain faces, all alike, have more.
        From REAL_FACES on it tells nothing at all.
        """
        counted = min(faces, REAL_FACES)
        return self.passes, counted * self.variety if self.passes else counted, self.variety

    def __str__(self) -> str:
        found = ["faces not counted" if self.faces is None else f"{self.faces:.2f} faces of 25"]
        if self.distance is not None:
            found.append(f"distance {self.distance:.4f}")
        return ", ".join(found)

    def facts(self) -> dict[str, Any]:
        """What checkpoints keep of the best one's grade."""
        faces = -1.0 if self.faces is None else self.faces
        return {"best_faces": faces, "best_distance": self.distance, "best_variety": self.variety}


def best_of(facts: dict[str, Any]) -> Grade | None:
    """The best grade that a checkpoint's facts tell of; None where there is none to beat.

    Older versions knew faces alone, and no more of them than REAL_FACES.
    """
    faces, distance = facts["best_faces"], facts.get("best_distance")
    if faces < 0 and distance is None:
        return None
    return Grade(None if faces < 0 else faces, distance, facts.get("best_variety", 0.0))


class Grader:
    """Grades pictures of generators."""

    def __init__(
        self, detector: Detector | None, real: Iterable[np.ndarray], *conditions: np.ndarray
    ) -> None:
        """Look at the pictures to compare with.

        Args:
            detector: what counts faces, if anything does.
            real: a few at a time, uint8 (N, S, S, 3); none where there is to be no distance.
            conditions: the words of all of them, one-hot, where there are words.
        """
        self._detector = detector
        self._features = ColourClassifier().features
        seen = [self._features(pictures) for pictures in real]
        self._real = _with_words(np.concatenate(seen), *conditions) if seen else None

    def grade(self, grids: np.ndarray, *conditions: np.ndarray) -> Grade:
        """The grade of pictures, uint8 (grids, 25, S, S, 3), with their words where there are any.

        With words the distance is that of pictures and words together: it grows where generated
        pictures do not have their words.
        """
        faces = distance = None
        if self._detector:
            faces = float(np.mean([score_images(grid, self._detector) for grid in grids]))
        features = self._features(grids.reshape(-1, *grids.shape[2:]))
        if self._real is not None:
            distance = squared_discrepancy(_with_words(features, *conditions), self._real)
        return Grade(faces, distance, mean_nearest(features))


def _with_words(features: np.ndarray, *conditions: np.ndarray) -> np.ndarray:
    """Features, float (N, D), with the words of the pictures, if any, after them.

    In the kernel's scalar product the same words count as much as the same features.
    """
    weighed = [
        condition * np.sqrt(features.shape[1] / condition.sum(axis=1, keepdims=True))
        for condition in conditions
    ]
    return np.concatenate([features, *weighed], axis=1)
