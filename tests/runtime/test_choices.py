"""Choices by name: what is said of a value that is none of them."""

from __future__ import annotations

import pytest

from edgegan.runtime.choices import check_choice

NORMS = ("batch", "instance", "spectral", "none")


@pytest.mark.parametrize("value", NORMS)
def test_a_choice_is_taken(value: str) -> None:
    check_choice("norm", value, NORMS)


@pytest.mark.parametrize(
    ("value", "choices", "expected"),
    [
        ("spectrl", NORMS, "'spectrl' is unknown: did you mean spectral? Expected one of batch, "),
        (
            "mean",
            ("man", "men", "x"),
            "'mean' is unknown: did you mean men or man? Expected one of ",
        ),
        ("bach", ("batch", "bath", "bash"), "'bach' is unknown: did you mean batch or bath? E"),
        ("nope", ("collapse", "dcgan"), "'nope' is unknown: expected one of collapse, dcgan"),
        ("weight", NORMS, "'weight' is unknown: expected one of batch, instance, spectral, none"),
        (3, (4, 5), "3 is unknown: expected one of 4, 5"),
    ],
)
def test_another_value_is_told_what_is_near_it_and_what_there_is(
    value: object, choices: tuple[object, ...], expected: str
) -> None:
    with pytest.raises(ValueError, match="unknown") as caught:
        check_choice("norm", value, choices)
    assert str(caught.value).startswith(f"norm {expected}")
    assert str(caught.value).endswith(", ".join(map(str, choices)))
