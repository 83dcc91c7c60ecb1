"""What --explain says: times that tell something, and why a pass did nothing."""

from __future__ import annotations

import pytest

from edgegan.export import explanation
from export_help import generator, residual_generator


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0, 2.0, 3.0, 2.0, 2.1, 1.9, 2.0, 90.0], "2.00 (2.00 to 2.10)"),  # 90: something else
        ([0.1, -0.1, 0.2, -0.2, 0.05, -0.1, 0.1, 0.0], "-"),  # a difference that is none
        ([-1.0, -1.1, -0.9, -1.0], "-1.00 (-1.00 to -1.00)"),
        ([0.0, 0.0, 0.0, 0.0], "0 (0 to 0)"),
    ],
)
def test_a_time_is_said_only_where_it_is_larger_than_its_spread(
    values: list[float], said: str
) -> None:
    assert explanation.telling(values) == said


def test_a_pass_that_changed_nothing_says_why() -> None:
    first, second = generator(), residual_generator()
    versions = {"original": first, "a": first, "b": second, "c": second, "d": first}
    notes = {
        "a": [],
        "b": [],
        "c": ["x stays", "y stays"],
        "d": ["z stays"],
        "e": ["not asked for"],
    }
    assert explanation.reasons(versions, notes).splitlines() == [
        "a: the network has nothing for it to do",
        "c: x stays",
        "c: y stays",
        "d: z stays",
        "e: not asked for",
    ]
