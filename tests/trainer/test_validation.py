"""Which checkpoint is the best: the rule on made-up grades, and grades of real pictures."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import spearmanr

from edgegan.trainer.validation import PASS_ABOVE, Grade, Grader, best_of

GOOD = Grade(faces=23.5, distance=0.2, variety=14.0)
COLLAPSED = Grade(faces=24.75, distance=1.9, variety=6.0)


def chosen(*grades: Grade) -> int:
    """The number of the best of checkpoints in the order of their steps."""
    best = None
    for number, grade in enumerate(grades):
        if grade.is_better_than(best):
            best, index = grade, number
    return index


def without_distance(*grades: Grade) -> list[Grade]:
    return [replace(grade, distance=None) for grade in grades]


def test_a_lower_distance_is_better_and_an_equal_one_is_not() -> None:
    assert chosen(GOOD, replace(GOOD, distance=0.1), replace(GOOD, distance=0.15)) == 1
    assert chosen(GOOD, replace(GOOD, faces=25.0, variety=20.0)) == 0


@pytest.mark.parametrize("faces", [23.5, None])
def test_a_late_collapse_replaces_no_good_checkpoint(faces: float | None) -> None:
    good, collapsed = GOOD, COLLAPSED
    if faces is None:
        good, collapsed = replace(GOOD, faces=None), replace(COLLAPSED, faces=None)
    assert chosen(good, collapsed, collapsed) == 0


def test_a_late_collapse_replaces_no_good_checkpoint_where_there_is_no_distance() -> None:
    """The collapse of the recipe of that name: 24.75 faces, at half the variety."""
    assert chosen(*without_distance(GOOD, COLLAPSED, COLLAPSED)) == 0


def test_grids_that_pass_come_first() -> None:
    near = Grade(faces=20.0, distance=0.1, variety=14.0)  # "more than 20" passes
    assert chosen(near, GOOD, near) == 1
    assert chosen(replace(near, distance=0.3), near) == 1


@pytest.mark.parametrize(
    ("faces", "best"),
    [
        ([3, 9, 9, 4], 1),
        ([23, 25, 24.3, 24], 1),  # real faces are found 24.2 times of 25
        ([0, 0], 0),
    ],
)
def test_without_a_distance_the_most_faces_are_best(faces: list[float], best: int) -> None:
    assert chosen(*(Grade(count, None, 10.0) for count in faces)) == best


def test_of_equally_many_faces_the_more_various_are_better() -> None:
    varieties = [10.0, 12.0, 11.0]
    assert chosen(*(Grade(24.5, None, variety) for variety in varieties)) == 1


def test_of_faces_that_pass_few_more_do_not_make_up_for_much_less_variety() -> None:
    """Nor do they step by step: an early blur, and a collapse that comes slowly."""
    blurred, sharp = Grade(24.9, None, 6.0), Grade(22.6, None, 14.0)
    assert chosen(blurred, sharp, blurred) == 1
    assert chosen(*(Grade(21 + step, None, 14 * 0.85**step) for step in range(4))) == 0


def test_without_a_distance_the_choice_is_nearly_that_of_the_distance_in_the_comparison() -> None:
    """Its runs, which were measured by 2,000 pictures; the count of faces alone tells nothing."""
    text = (Path(__file__).parents[2] / "docs" / "comparison.md").read_text()
    runs = [line.replace("**", "").split("|")[1:-1] for line in text.splitlines()]
    rows = [[cell.split()[0].replace(",", "") for cell in run] for run in runs if len(run) == 10]
    measured = np.array([[float(row[place]) for place in (4, 8, 9)] for row in rows[2:]])
    distance, variety, faces = measured[measured[:, 2] > PASS_ABOVE].T
    grades = [Grade(count, None, various) for count, various in zip(faces, variety)]
    ranks = [sum(one.is_better_than(other) for other in grades) for one in grades]
    assert len(grades) == 19
    assert spearmanr(ranks, -distance).statistic > 0.9
    assert abs(spearmanr(faces, -distance).statistic) < 0.2


@pytest.mark.parametrize("best", [replace(GOOD, faces=3.0), GOOD])
def test_where_one_was_not_counted_the_distance_decides(best: Grade) -> None:
    """A run that goes on where the cascade cannot be had, or could not before."""
    nearer = Grade(None, 0.1, 14.0)
    assert chosen(best, nearer) == 1
    assert chosen(nearer, best) == 0


def test_without_faces_and_distance_the_last_is_best() -> None:
    assert chosen(*[Grade(None, None, variety) for variety in (3.0, 2.0, 1.0)]) == 2
    assert chosen(Grade(3.0, None, 1.0), Grade(None, None, 1.0)) == 0


@pytest.mark.parametrize("grade", [GOOD, replace(GOOD, faces=None), *without_distance(GOOD)])
def test_a_grade_is_kept_in_the_facts(grade: Grade) -> None:
    assert best_of(grade.facts()) == grade


def test_facts_of_older_versions_are_read() -> None:
    before = best_of({"best_faces": 24.2})
    assert before == Grade(24.2, None, 0.0)
    assert GOOD.is_better_than(before)  # the first that has a distance
    assert not replace(GOOD, faces=20.0).is_better_than(before)
    assert best_of({"best_faces": -1.0}) is None


def test_grades_tell_a_collapse_from_pictures_like_the_real_ones() -> None:
    """Squares of random colours, then two of them over and over."""
    coarse = np.random.default_rng(0).integers(0, 256, (450, 4, 4, 3), dtype=np.uint8)
    squares = coarse.repeat(4, axis=1).repeat(4, axis=2)
    grader = Grader(None, [squares[:100], squares[100:250]])
    good = grader.grade(squares[250:].reshape(8, 25, 16, 16, 3))
    collapsed = grader.grade(squares[:2].repeat(100, axis=0).reshape(8, 25, 16, 16, 3))
    assert abs(good.distance or 1) < 0.1
    assert (collapsed.distance or 0) > 1
    assert collapsed.variety < 0.1 * good.variety
    assert good.faces is None
    assert Grader(None, []).grade(squares[:25].reshape(1, 25, 16, 16, 3)).distance is None
