"""What pictures were to a generator that is measured against them, told by what is known of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from edgegan.runtime.errors import UserError
from edgegan.runtime.metadata import TrainingPictures
from edgegan.trainer import recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.split import SPLIT_VERSION
from edgegan.trainer.standing import Standing, training_pictures
from training_help import tiny_recipe

SET, OTHER = "a" * 64, "b" * 64
PATH = Path("last.npz")
NOW = {"split": SPLIT_VERSION, "pictures_digest": SET}


def stage(held_out: float = 0.1, validation: float = 0.05, **facts: Any) -> dict[str, Any]:
    return {"recipe": {"held_out": held_out, "validation": validation}, **NOW, **facts}


def known_of(*overrides: str, **facts: Any) -> TrainingPictures | None:
    return training_pictures(Checkpoint(tiny_recipe("dcgan", *overrides), facts, {}), PATH)


@pytest.mark.parametrize(
    ("held_out", "facts", "standing"),
    [
        (0.1, NOW, Standing.HELD_OUT),
        (0, NOW, Standing.TRAINED_ON),
        (0.1, {**NOW, "pictures_digest": OTHER}, Standing.OTHER_SET),
        (0, {**NOW, "pictures_digest": OTHER}, Standing.OTHER_SET),
        (0.1, {"pictures_digest": SET}, Standing.OLD_SPLIT),
        (0.1, {"pictures_digest": OTHER}, Standing.OLD_SPLIT),
        # A run that was continued was trained on what each of its stages was trained on.
        (0.1, {**NOW, "stages": [stage()]}, Standing.HELD_OUT),
        (0.1, {**NOW, "stages": [stage(held_out=0)]}, Standing.TRAINED_ON),
        (0.1, {**NOW, "stages": [stage(), stage(pictures_digest=OTHER)]}, Standing.NOT_KNOWN),
        (0.1, {**NOW, "stages": [stage(split=None)]}, Standing.OLD_SPLIT),
        (0.1, {**NOW, "stages": [{"recipe": {"held_out": 0.1}}]}, Standing.OLD_SPLIT),
    ],
)
def test_standing_of_a_run(held_out: float, facts: dict[str, Any], standing: Standing) -> None:
    assert Standing.of(known_of(f"held_out={held_out}", **facts), SET) is standing


def test_the_least_share_of_all_stages_is_held_out() -> None:
    """Shares nest: what 0.05 holds out, 0.1 does too, and not the other way round."""
    stages = [stage(0.2, 0.01), stage(0.05, 0.2)]
    known = known_of("held_out=0.1", "crop_from=12", **NOW, stages=stages)
    assert known == TrainingPictures(SET, SPLIT_VERSION, 0.05, 0.01, 12)
    before_shares = {"recipe": {}, **NOW, "split": None}
    assert known_of("held_out=0.1", **NOW, stages=[before_shares]) == TrainingPictures(
        SET, 1, 0, 0, None
    )


def test_a_student_has_its_teachers_pictures() -> None:
    of_teacher = {"latent": {"size": 6, "distribution": "normal"}, "image_size": 8}
    student = recipe.load_student([], {**of_teacher, "value_range": "signed"})
    pictures = TrainingPictures(SET, SPLIT_VERSION, 0.2, 0.0, None)

    def known(**facts: Any) -> TrainingPictures | None:
        return training_pictures(Checkpoint(student, {"teacher": ["0"], **facts}, {}), PATH)

    assert known(teacher_pictures=pictures.to_strings()) == pictures
    assert known() is None
    assert Standing.of(known(), SET) is Standing.NOT_KNOWN
    with pytest.raises(UserError, match=r"last\.npz has edgegan\.pictures_split = 'x'"):
        known(teacher_pictures={**pictures.to_strings(), "edgegan.pictures_split": "x"})


def test_what_a_newer_version_split_is_not_known() -> None:
    newer = TrainingPictures(SET, SPLIT_VERSION + 1, 0.1, 0.05, None)
    assert Standing.of(newer, SET) is Standing.NOT_KNOWN


@pytest.mark.parametrize(
    ("evaluation", "standing"),
    [
        ({}, Standing.OLD_SPLIT),
        ({"reference": 3}, Standing.OLD_SPLIT),
        ({"reference": {"standing": []}}, Standing.OLD_SPLIT),
        ({"reference": {"standing": "trained on"}}, Standing.TRAINED_ON),
    ],
)
def test_an_evaluation_without_a_standing_is_of_the_old_split(
    evaluation: dict[str, Any], standing: Standing
) -> None:
    assert Standing.in_evaluation(evaluation) is standing
