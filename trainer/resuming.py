"""Going on with a run: what has to be as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeVar

from edgegan.runtime.errors import UserError
from edgegan.runtime.run_folder import BEST, JUDGE, LAST
from edgegan.runtime.words import Words
from edgegan.trainer import checkpoint, recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.recipe import AnyRecipe, R, Recipe
from edgegan.trainer.split import SPLIT_VERSION

T = TypeVar("T")
MOST_NAMED = 5  # words, in a sentence


def last_checkpoint(folder: Path, resume: bool, kind: type[R]) -> Checkpoint[R] | None:
    """The checkpoint to go on from; None for a new run.

    Raises:
        UserError: the folder cannot be made or written to, there is no checkpoint to resume, it is
            of another kind of recipe or of the old split, or there is one that a new run would
            overwrite.
    """
    path = folder / LAST
    if resume and not path.exists():
        raise UserError(f"{folder} holds no run to resume: no such file as {path}")
    if not resume and any((folder / name).exists() for name in (LAST, BEST, JUDGE)):
        raise UserError(f"{folder} holds a run already: choose another --out, or --resume it")
    if not resume:
        return None
    last = checkpoint.load(path, kind)
    if isinstance(last.recipe, Recipe):  # a student has no pictures
        check_split(path, last.facts)
    return last


def check_split(path: Path, facts: dict[str, Any]) -> None:
    """Raise UserError where the checkpoint at ``path`` was trained on another part of its data."""
    if facts.get("split") != SPLIT_VERSION:
        raise UserError(
            f"{path} is of the old split of its pictures, and cannot be trained on with the new "
            "one: train another run, or export and evaluate this one"
        )


def check_same_words(name: Path, before: Words | None, now: Words | None) -> None:
    """Raise UserError where networks that take words are to go on with others, or none.

    Args:
        name: what --start-from is.
        before, now: the words of its networks, and of those that begin with them.
    """
    if before is None or (now is not None and now.groups == before.groups):
        return
    if now is None:
        raise UserError(
            f"--start-from is {name}, whose networks take words of {_names(before)}, expected "
            "networks without words for this recipe, whose condition is null"
        )
    if _names(now) != _names(before):
        raise UserError(
            f"--start-from is {name}, whose networks take words of {_names(before)}, expected "
            f"{_names(now)} as these pictures have them"
        )
    there, here, group = next(
        (set(one.words), set(other.words), other.name)
        for one, other in zip(before.groups, now.groups)
        if one != other
    )
    raise UserError(
        f"--start-from is {name}, whose networks take other words of {group} than these pictures "
        f"have: {_some(there - here)} there, {_some(here - there)} here"
    )


def _names(words: Words) -> str:
    return ", ".join(group.name for group in words.groups)


def _some(words: set[str]) -> str:
    """The first few words of the alphabet."""
    more = ", …" if len(words) > MOST_NAMED else ""
    return ", ".join(sorted(words)[:MOST_NAMED]) + more or "none of their own"


def check_same_recipe(folder: Path, before: AnyRecipe, asked: AnyRecipe) -> None:
    """Raise UserError where the run in ``folder`` has another recipe than was asked for."""
    if asked != before:
        raise UserError(
            f"{folder / LAST} is of another recipe than was asked for: it has "
            f"{recipe.first_difference(before, asked)}: go on without what changes it, or choose "
            "another --out"
        )


def agree(what: str, before: T | None, asked: T | None, default: T | None = None) -> T:
    """What the run had before, unless something else is asked for now."""
    if before is not None and asked is not None and before != asked:
        raise UserError(f"the run has {what} {before}, found {asked}")
    return next(value for value in (before, asked, default) if value is not None)
