"""Values read as nested dataclasses: the parts of several kinds, and where an error is."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Optional

import pytest

from edgegan.trainer.schema import Choice, Schema


class Shape:
    """A part of two kinds."""


@dataclass(frozen=True)
class Circle(Shape):
    radius: float
    dashes: tuple[float, float] = (1.0, 0.0)
    labels: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.radius <= 0:
            raise ValueError(f"radius is {self.radius}, expected a positive number")
        if self.radius > 99:
            raise ValueError("no paper is that large")


@dataclass(frozen=True)
class Square(Shape):
    side: int = 3
    filled: bool = False


@dataclass(frozen=True)
class Placed:
    shape: Shape
    layer: int


@dataclass(frozen=True)
class Drawing:
    title: str
    first: Placed
    second: Optional[Shape] = None  # noqa: UP045 (evaluated on Python 3.9)


KINDS: dict[str, type] = {"circle": Circle, "square": Square}
SCHEMA = Schema(Drawing, {Placed: Choice("kind", KINDS, Placed), Shape: Choice("kind", KINDS)})


def drawing(**first: Any) -> dict[str, Any]:
    return {"title": "one", "first": {"kind": "circle", "radius": 1, "layer": 2, **first}}


def test_values_are_read_as_the_classes_and_written_as_they_were() -> None:
    values = {
        "title": "one",
        "first": {
            "kind": "circle",
            "radius": 2.5,
            "dashes": [1.0, 2.0],
            "labels": ["x"],
            "layer": 2,
        },
        "second": {"kind": "square", "side": 4, "filled": True},
    }
    read = SCHEMA.read(values)
    assert read == Drawing("one", Placed(Circle(2.5, (1.0, 2.0), ("x",)), 2), Square(4, True))
    assert SCHEMA.write(read) == values
    assert list(SCHEMA.write(read)["first"]) == list(values["first"])


@pytest.mark.parametrize("number", ["2e-4", 2e-4, "0.0002"])
def test_a_number_may_be_text_as_yaml_has_it(number: object) -> None:
    assert SCHEMA.read(drawing(radius=number)).first.shape.radius == 2e-4


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({}, "title is missing, expected text"),
        (drawing(radius=True), "first.radius is True, expected a number"),
        (drawing(radius="wide"), "first.radius is 'wide', expected a number"),
        (drawing(radius=-1), "first.radius is -1.0, expected a positive number"),
        (drawing(radius=100), "no paper is that large"),
        (drawing(layer=2.0), "first.layer is 2.0, expected a whole number"),
        (drawing(layer="2"), "first.layer is '2', expected a whole number"),
        (drawing(dashes=[1]), "first.dashes is [1], expected a list of 2 numbers"),
        (drawing(dashes=[1, 2, 3]), "first.dashes is [1, 2, 3], expected a list of 2 numbers"),
        (drawing(labels="x"), "first.labels is 'x', expected a list of words"),
        (drawing(labels=["x", 3]), "first.labels holds 3, expected a list of words"),
        (
            drawing(raduis=3),
            "unknown key 'first.raduis': did you mean first.radius? "
            "The keys of first are kind, radius, dashes, labels, layer",
        ),
        (
            {**drawing(side=3), "second": {"kind": "circle", "radius": 1}},  # of the other kind
            "unknown key 'first.side': the keys of first are kind, radius, dashes, labels, layer",
        ),
        (
            {**drawing(), "second": {"kind": "square"}, "layer": 3},
            "unknown key 'layer': did you mean first.layer? "
            "The keys of a recipe are title, first, second",
        ),
        ({**drawing(), 3: 4}, "unknown key '3': the keys of a recipe are title, first, second"),
        (
            {**drawing(), "second": {"kind": "squar"}},
            "second.kind 'squar' is unknown: did you mean square? Expected one of circle, square",
        ),
        ({**drawing(), "second": {}}, "second is {}, expected keys such as {kind: circle}"),
        ({**drawing(), "second": 3}, "second is 3, expected keys such as {kind: circle}"),
        (
            {**drawing(), "second": {"kind": "square", "filled": 1}},
            "second.filled is 1, expected true or false",
        ),
        ({**drawing(), "title": 3}, "title is 3, expected text"),
    ],
)
def test_what_is_wrong_is_one_sentence_with_its_key(values: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ValueError, match=f"^{re.escape(sentence)}$"):
        SCHEMA.read(values)


def test_a_path_leads_to_its_part() -> None:
    assert SCHEMA.at(["first"]) is Placed
    assert SCHEMA.at(["second"]) is Shape
    assert SCHEMA.at([]) is Drawing
    assert SCHEMA.at(["first", "radius"]) is SCHEMA.at(["nowhere", "radius"]) is None
