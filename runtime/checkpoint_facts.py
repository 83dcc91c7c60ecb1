"""What a checkpoint says of its run, each fact checked for its kind: the file may be damaged."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from edgegan.runtime.errors import UserError, quoted

Check = Callable[[Any], bool]
MOST = 2**63  # a whole number is below it, as a seed has to be


def _whole_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < MOST


def _number(value: Any) -> bool:
    whole = isinstance(value, int) and not isinstance(value, bool) and abs(value) < MOST
    return whole or (isinstance(value, float) and math.isfinite(value))


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _or_none(check: Check) -> Check:
    return lambda value: value is None or check(value)


def _texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_text, value))


def _texts_by_name(value: Any) -> bool:
    return isinstance(value, dict) and all(map(_text, value.values()))


def _stages(value: Any) -> bool:
    return isinstance(value, list) and all(map(_stage, value))


def _stage(value: Any) -> bool:
    """Of a run that another began with: what it has is of its kind, and what it needs is there."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("recipe"), dict)
        and {"seed", "step", "images_seen"} <= value.keys()
        and all(check(value[name]) for name, check in KINDS.items() if name in value)
    )


def _words(value: Any) -> bool:
    from edgegan.runtime.words import Words  # most runs have none

    try:
        Words.from_json(value)
    except (ValueError, TypeError):
        return False
    return True


KINDS: dict[str, Check] = {
    "step": _whole_number,
    "total_steps": _whole_number,
    "seed": _whole_number,
    "pictures": _whole_number,
    "images_seen": _whole_number,
    "split": _or_none(_whole_number),
    "minutes": _number,
    "best_faces": _number,
    "best_distance": _or_none(_number),
    "best_variety": _number,
    "pictures_digest": _or_none(_text),
    "chosen_digest": _text,
    "choices_digest": _text,
    "words": _words,
    "teacher": _texts,
    "teacher_pictures": _texts_by_name,
    "stages": _stages,
}


class CheckpointFacts(dict[str, Any]):
    """The facts of the checkpoint at ``path``, by name; asking for one that is not there raises.

    Raises:
        UserError: a fact is of another kind than trainings write, or is asked for and missing.
    """

    def __init__(self, facts: dict[str, Any], path: Path) -> None:
        super().__init__(facts)
        self._path = path
        for name, check in KINDS.items():
            if name in facts and not check(facts[name]):
                raise UserError(
                    f"{path} is no checkpoint of this trainer: its {name} is {quoted(facts[name])}"
                )

    def __missing__(self, name: str) -> Any:
        raise UserError(f"{self._path} is no checkpoint of such a run: it does not tell its {name}")
