"""Nested frozen dataclasses read from plain values, and written as them, by pydantic.

Reading a mapping gives an object of the classes, or one sentence on what is wrong with it. What the
classes' own ``__post_init__`` refuses with a ValueError is told as it stands, after its key.
"""

from __future__ import annotations

import dataclasses
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass, is_dataclass
from difflib import get_close_matches
from typing import Annotated, Any, Literal, NamedTuple, Optional, Union

import pydantic
from pydantic_core import ErrorDetails, PydanticCustomError, to_jsonable_python

from edgegan.runtime.choices import suggestion


@dataclass(frozen=True)
class Choice:
    """A part that is one of several classes, ``kinds``, whose name stands at ``key``.

    ``holder`` is a class whose first field holds what was chosen; the keys of its other fields
    stand beside those of the first.
    """

    key: str
    kinds: dict[str, type]
    holder: Optional[type] = None  # noqa: UP045 (evaluated on Python 3.9)


class Field(NamedTuple):
    """A key: the type of its value, and its default, ``...`` where it has none."""

    hint: Any
    default: Any


class Place(NamedTuple):
    """Where an error is: the keys to it, the type there, and the keys around it and in it."""

    path: list[str]
    hint: Any
    around: dict[str, Field]
    inside: dict[str, Field]


class Schema:
    """The classes that values are read as: ``root`` and all in its fields.

    ``choices`` has the parts of several kinds by the class that fields name, their base.
    """

    def __init__(self, root: type, choices: dict[type, Choice]) -> None:
        self.root = root
        self.choices = choices
        self._kinds = {
            kind: {choice.key: name}
            for choice in choices.values()
            for name, kind in choice.kinds.items()
        }
        self._types: dict[Any, Any] = {}
        self._holders = {choice.holder for choice in choices.values()}
        self._adapter: pydantic.TypeAdapter[Any] = pydantic.TypeAdapter(self._part_type(root))

    def read(self, mapping: dict[str, Any]) -> Any:
        """The object of ``root``; raises ValueError with a sentence on what is wrong."""
        try:
            return self._adapter.validate_python(mapping)
        except pydantic.ValidationError as error:
            # The unknown keys first: one of them may be why another is missing.
            first = min(error.errors(), key=lambda each: each["type"] not in _UNKNOWN_KEY)
            raise ValueError(self._sentence(first, mapping)) from error

    def write(self, value: Any) -> Any:
        """The plain values that ``read`` reads as the same object, in the order of the fields."""
        if not is_dataclass(value):
            return to_jsonable_python(value)  # lists for tuples, which YAML does not have
        values = {
            field.name: self.write(getattr(value, field.name))
            for field in dataclasses.fields(value)
        }
        if type(value) in self._holders:
            chosen = values.pop(next(iter(values)))
            return {**chosen, **values}
        return {**self._kinds.get(type(value), {}), **values}

    def part(self, hint: Any) -> Any:
        """The class in a field's type that has keys of its own, if it has one."""
        parts = (hint, *typing.get_args(hint))
        return next((part for part in parts if part in self.choices or is_dataclass(part)), None)

    def fields(self, part: Any, kind: str | None = None) -> dict[str, Field]:
        """The keys of a part, of that kind where it is a choice; of all its kinds without one."""
        choice = self.choices.get(part)
        if not choice:
            return _own_fields(part)
        kinds = [choice.kinds[kind]] if kind else list(choice.kinds.values())
        fields = {choice.key: Field(str, ...)}
        for each in kinds:
            fields.update(_own_fields(each))
        return {**fields, **_fields_beside(choice)}

    def classes(self, part: Any, kind: str | None) -> list[type]:
        """The classes whose fields are the keys of a part of that kind."""
        choice = self.choices.get(part)
        if not choice:
            return [part]
        return [
            *([choice.kinds[kind]] if kind else []),
            *([choice.holder] if choice.holder else []),
        ]

    def kind_of(self, part: Any, values: Any) -> str | None:
        """The kind that a part's values name, where it is a choice and they name one."""
        choice = self.choices.get(part)
        name = values.get(choice.key) if choice and isinstance(values, dict) else None
        return name if choice and isinstance(name, str) and name in choice.kinds else None

    def at(self, path: list[str]) -> Any:
        """The part that dotted keys lead to; None where they lead to a value or nowhere."""
        part: Any = self.root
        for key in path:
            field = self.fields(part).get(key) if part else None
            part = self.part(field.hint) if field else None
        return part

    def _part_type(self, part: Any) -> Any:
        """The type by which pydantic reads a part, made once: many parts have the same in them."""
        if part not in self._types:
            self._types[part] = self._new_part_type(part)
        return self._types[part]

    def _new_part_type(self, part: Any) -> Any:
        choice = self.choices.get(part)
        if not choice:
            return self._type(_own_fields(part), part)
        types = tuple(self._kind_type(choice, kind) for kind in choice.kinds)
        return Annotated[Union[types], pydantic.Field(discriminator=choice.key)]

    def _kind_type(self, choice: Choice, kind: str) -> Any:
        beside = _fields_beside(choice)

        def make(**values: Any) -> Any:
            del values[choice.key]
            others = {key: values.pop(key) for key in beside}
            chosen = choice.kinds[kind](**values)
            return choice.holder(chosen, **others) if choice.holder else chosen

        tag = Field(Literal[kind], ...)
        return self._type({choice.key: tag, **_own_fields(choice.kinds[kind]), **beside}, make)

    def _type(self, fields: dict[str, Field], make: Callable[..., Any]) -> Any:
        """The type of a mapping with these keys and no others, which ``make`` is given."""
        types: Any = {
            key: (self._strict(field.hint), field.default) for key, field in fields.items()
        }
        config = pydantic.ConfigDict(extra="forbid")
        model: Any = pydantic.create_model("Part", __config__=config, **types)
        return Annotated[model, pydantic.AfterValidator(lambda read: make(**dict(read)))]

    def _strict(self, hint: Any) -> Any:
        """A field's type for pydantic, which by itself takes true for a number and 1 for true.

        A number may be text, which YAML 1.1 takes 2e-4 for.
        """
        if hint in self.choices or is_dataclass(hint):
            return self._part_type(hint)
        if hint is float:
            return Annotated[float, pydantic.BeforeValidator(_refuse_truth)]
        if hint in (int, bool):
            return Annotated[hint, pydantic.Strict()]
        if typing.get_origin(hint):
            arguments = tuple(map(self._strict, typing.get_args(hint)))
            return typing.get_origin(hint)[arguments]
        return hint

    def _sentence(self, error: ErrorDetails, mapping: dict[str, Any]) -> str:
        """What is wrong with the mapping, in a sentence."""
        found, place = error["input"], self._place(error["loc"])
        key = ".".join(place.path)
        if error["type"] in _UNKNOWN_KEY:
            return self._unknown_key(place, mapping)
        if error["type"] == "union_tag_invalid":
            choice = self.choices[self.part(place.hint)]
            name = found[choice.key]
            key = ".".join([*place.path, choice.key])
            return f"{key} {name!r} is unknown: {suggestion(name, choice.kinds)}"
        if error["type"] == "value_error":
            refusal = " ".join(str(error["ctx"]["error"]).split())
            own = key and refusal.split()[0] in place.inside
            return f"{key}.{refusal}" if own else refusal
        expected = self._expectation(place.hint)
        in_list = isinstance(error["loc"][-1], int)
        if error["type"] == "missing" and not in_list:
            return f"{key} is missing, expected {expected}"
        holds = "holds" if in_list and error["type"] != "missing" else "is"
        return f"{key} {holds} {found!r}, expected {expected}"

    def _place(self, location: tuple[int | str, ...]) -> Place:
        """Where an error is; pydantic names the kind that was chosen after each choice's key."""
        path: list[str] = []
        hint: Any = self.root
        around: dict[str, Field] = {}
        inside = self.fields(self.root)
        chosen = False
        for step in location:
            part = self.part(hint)
            if part in self.choices and not chosen:
                inside, chosen = self.fields(part, str(step)), True
            elif part:
                path.append(str(step))
                hint = inside[str(step)].hint if str(step) in inside else None
                part, around = self.part(hint), inside
                inside = self.fields(part) if part else {}
                chosen = False
        return Place(path, hint, around, inside)

    def _unknown_key(self, place: Place, mapping: dict[str, Any]) -> str:
        *parents, unknown = place.path
        near = get_close_matches(unknown, list(place.around), cutoff=_ALIKE)
        alike = [".".join([*parents, key]) for key in near] or self._elsewhere(unknown, mapping)
        keys = f"he keys of {'.'.join(parents) or 'a recipe'} are {', '.join(place.around)}"
        hint = f"did you mean {' or '.join(alike)}? T{keys}" if alike else f"t{keys}"
        return f"unknown key {'.'.join(place.path)!r}: {hint}"

    def _elsewhere(self, key: str, mapping: dict[str, Any]) -> list[str]:
        """The dotted keys of any part that end in one like ``key``."""
        paths = {path: path.rpartition(".")[2] for path in self._paths(self.root, mapping)}
        names = set(paths.values())
        near = [key] if key in names else get_close_matches(key, sorted(names), 1, _ALIKE)
        return [path for path, name in paths.items() if name in near]

    def _paths(self, part: Any, values: Any, prefix: str = "") -> Iterator[str]:
        """All dotted keys that a part with these values has."""
        for key, field in self.fields(part, self.kind_of(part, values)).items():
            yield prefix + key
            inner = self.part(field.hint)
            if inner:
                below = values.get(key) if isinstance(values, dict) else None
                yield from self._paths(inner, below, f"{prefix}{key}.")

    def _expectation(self, hint: Any) -> str:
        """What a value may be, in words."""
        part, arguments = self.part(hint), typing.get_args(hint)
        if part in self.choices:
            choice = self.choices[part]
            return f"keys such as {{{choice.key}: {next(iter(choice.kinds))}}}"
        if part:
            return f"the keys {' and '.join(self.fields(part))}"
        if typing.get_origin(hint) is tuple:
            count = "" if arguments[-1] is ... else f"{len(arguments)} "
            return f"a list of {count}{'words' if arguments[0] is str else 'numbers'}"
        if type(None) in arguments:
            return f"{self._expectation(arguments[0])} or null"
        return _WORDS[hint]


_ALIKE = 0.7  # of get_close_matches
_UNKNOWN_KEY = ("extra_forbidden", "invalid_key")
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def _own_fields(kind: type) -> dict[str, Field]:
    """The fields of a dataclass."""
    hints = typing.get_type_hints(kind)
    return {
        field.name: Field(
            hints[field.name], ... if field.default is dataclasses.MISSING else field.default
        )
        for field in dataclasses.fields(kind)
    }


def _fields_beside(choice: Choice) -> dict[str, Field]:
    """The fields of a choice's holder but the first, which holds what was chosen."""
    return dict(list(_own_fields(choice.holder).items())[1:]) if choice.holder else {}


def _refuse_truth(value: Any) -> Any:
    if isinstance(value, bool):
        raise PydanticCustomError("float_type", "true and false are no numbers")
    return value
