"""What the pictures that a generator is measured against were to its training.

Nothing here needs mxnet.
"""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgegan.runtime.metadata import TrainingPictures
from edgegan.trainer.split import SPLIT_VERSION, is_of_old_split

if TYPE_CHECKING:
    from edgegan.trainer.checkpoint import Checkpoint

OLD_SPLIT = 1  # what is written of a run from before its checkpoint named the split
TEACHER_PICTURES = "teacher_pictures"  # the fact of a student: what is known of its teacher's


class Standing(Enum):
    """The value stands in files; ``clause`` says it of the pictures in a heading."""

    HELD_OUT = "held out"
    TRAINED_ON = "trained on"
    OLD_SPLIT = "old split"
    OTHER_SET = "other set"
    NOT_KNOWN = "not known"

    @property
    def clause(self) -> str:
        return _CLAUSES[self]

    @classmethod
    def of(cls, known: TrainingPictures | None, digest: str) -> Standing:
        """That of the held-out part of a set with this digest to a generator.

        Args:
            known: what it was trained on, as far as that is known. Where it held out no picture,
                the part is that of the usual share.
        """
        if known is None or known.split > SPLIT_VERSION:
            return cls.NOT_KNOWN
        if known.held_out == 0 and known.digest == digest:
            return cls.TRAINED_ON
        if known.split < SPLIT_VERSION:
            return cls.OLD_SPLIT
        if known.digest is None:
            return cls.NOT_KNOWN
        return cls.HELD_OUT if known.digest == digest else cls.OTHER_SET

    @classmethod
    def in_evaluation(cls, evaluation: dict[str, Any]) -> Standing:
        """That which an evaluation's JSON notes; older ones do not, and are of the old split."""
        reference = evaluation.get("reference")
        value = reference.get("standing") if isinstance(reference, dict) else None
        return next((found for found in cls if found.value == value), cls.OLD_SPLIT)


_CLAUSES = {
    Standing.HELD_OUT: "that were held out from training",
    Standing.TRAINED_ON: "that were trained on (none were held out)",
    Standing.OLD_SPLIT: "that may have been trained on, or copies of them (old split)",
    Standing.OTHER_SET: "of another set than was trained on (some may be in both)",
    Standing.NOT_KNOWN: "that may have been trained on (what was is not known)",
}


def training_pictures(source: Checkpoint[Any], path: Path) -> TrainingPictures | None:
    """What the generator of a checkpoint was trained on, in all stages; None where nobody knows.

    A student's pictures are its teacher's.

    Args:
        path: of the checkpoint, to be named in errors.

    Raises:
        UserError: what a student's checkpoint says of its teacher is malformed.
    """
    recipe, facts = source.recipe, source.facts
    if not hasattr(recipe, "held_out"):  # a student's
        strings = facts.get(TEACHER_PICTURES)
        return TrainingPictures.from_strings(strings if isinstance(strings, dict) else {}, path)
    stages = facts.get("stages", [])
    digest = facts.get("pictures_digest")
    one_set = all(stage.get("pictures_digest") == digest for stage in stages)
    recipes = [recipe.to_mapping(), *(stage["recipe"] for stage in stages)]

    def least(share: str) -> float:
        """Of all stages: what a larger one keeps out, one with a smaller may have trained on."""
        return min(mapping.get(share, 0) for mapping in recipes)

    return TrainingPictures(
        digest=digest if one_set else None,
        split=OLD_SPLIT if is_of_old_split(facts) else facts["split"],
        held_out=least("held_out"),
        validation=least("validation"),
        crop_from=recipe.crop_from,
    )
