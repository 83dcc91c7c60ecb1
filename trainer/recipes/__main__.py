"""The command that lists the recipes, and all the keys of one: edgegan recipes."""

from __future__ import annotations

import inspect
import re
import textwrap
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import run_command
from edgegan.trainer import recipe
from edgegan.trainer.schema import Schema

EXAMPLES = """\
examples:
  edgegan recipes                        list them
  edgegan recipes dcgan                  all that `edgegan fit --recipe dcgan --set KEY=VALUE` takes
  edgegan recipes wgan > mine.yaml       a recipe to change: edgegan fit --recipe mine.yaml
"""
STUDENT = recipe.STUDENT.stem
# What a student's recipe has of a teacher, here of the shipped model that is distilled most.
OF_TEACHER: dict[str, Any] = {
    "latent": {"size": 128, "distribution": "normal"},
    "image_size": 64,
    "value_range": "signed",
}
WIDTH = 98


def main(argv: list[str] | None = None) -> int:
    """List the recipes, or print one with all its keys; returns 0.

    Raises:
        UserError: no such recipe, or one that is wrong.
    """
    name = _parser().parse_args(argv).name
    if name is None:
        paths = {name: recipe.FOLDER / f"{name}.yaml" for name in recipe.names()}
        for each, path in {**paths, STUDENT: recipe.STUDENT}.items():
            print(f"{each:<20}{comment(path)[0]}")
        print("\nedgegan recipes NAME prints one with all its keys.")
        print("docs/recipes.md of the repository says where each comes from.")
    elif name == STUDENT:
        print(described(recipe.load_student([], OF_TEACHER), without=tuple(OF_TEACHER)))
    else:
        print(described(recipe.load(name)))
    return 0


def comment(path: Path) -> list[str]:
    """The lines of a recipe file's comment: the first says what it is."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return [line[2:] for line in lines if line.startswith("# ")]


def described(chosen: recipe.AnyRecipe, without: tuple[str, ...] = ()) -> str:
    """A recipe as a YAML file of all its keys but ``without``, with what they mean."""
    mapping = {key: value for key, value in chosen.to_mapping().items() if key not in without}
    return "\n".join(_lines(recipe.schema(), recipe.schema().root, mapping))


def _lines(schema: Schema, part: Any, values: dict[str, Any], indent: str = "") -> Iterator[str]:
    """The lines of a part's keys, each under what it means."""
    kind = schema.kind_of(part, values)
    fields, classes = schema.fields(part, kind), schema.classes(part, kind)
    for key, value in values.items():
        inner = schema.part(fields[key].hint)
        note = " ".join([*_meanings(classes, key), *_kinds(schema, part, key, inner, value)])
        for line in textwrap.wrap(note, WIDTH - len(indent)):
            yield f"{indent}# {line}"
        if inner and value is not None:
            yield f"{indent}{key}:"
            yield from _lines(schema, inner, value, f"{indent}  ")
        else:
            written = yaml.safe_dump(value, default_flow_style=True, width=999)
            yield f"{indent}{key}: {written.partition(chr(10))[0]}"


def _meanings(classes: list[type], key: str) -> list[str]:
    """What stands under "Attributes:" of a field in the docstring of a class, or of its bases."""
    for kind in (base for each in classes for base in each.__mro__):
        text = inspect.cleandoc(kind.__doc__ or "")
        entry = re.search(rf"^    {key}: (.*(?:\n {{8}}.*)*)", text, re.MULTILINE)
        if entry:
            meaning = " ".join(entry[1].split()).rstrip(".")
            return [f"{meaning[:1].upper()}{meaning[1:]}."]
    return []


def _kinds(schema: Schema, part: Any, key: str, inner: Any, value: Any) -> list[str]:
    """What a key can be, where it names a kind or is a part that is left out."""
    choice = schema.choices.get(part)
    if choice and key == choice.key:
        return [f"One of {', '.join(choice.kinds)}."]
    if value is None and inner:
        choice = schema.choices.get(inner)
        if choice:
            return [f"Null for none, or with a {choice.key}: one of {', '.join(choice.kinds)}."]
        return [f"Null for none, or with the keys {' and '.join(schema.fields(inner))}."]
    return []


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan recipes",
        description="List the recipes that come with edgegan. With NAME, print that recipe with "
        "all its keys, defaults included, and what they mean: --set KEY=VALUE changes one, and a "
        "key within another is written with a dot, as in generator.width=32.",
        epilog=EXAMPLES,
    )
    parser.add_argument("name", nargs="?", metavar="NAME", help="a recipe's name, or a YAML file")
    return parser


if __name__ == "__main__":
    run_command(main)
