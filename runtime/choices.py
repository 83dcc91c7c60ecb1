"""Choices by name: what is said where a value is none of those that there are."""

from __future__ import annotations

from collections.abc import Collection


def check_choice(key: str, value: object, choices: Collection[object]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``; ``key`` is what it was given for."""
    if value not in choices:
        raise ValueError(f"{key} {value!r} is unknown: {suggestion(value, choices)}")


def suggestion(value: object, choices: Collection[object]) -> str:
    """The end of a sentence about an unknown value: the choices most like it, then all of them."""
    from difflib import get_close_matches  # for such sentences only

    names = [str(choice) for choice in choices]
    near = get_close_matches(str(value), names, cutoff=0.5)
    listed = f"xpected one of {', '.join(names)}"
    return f"did you mean {' or '.join(near)}? E{listed}" if near else f"e{listed}"
