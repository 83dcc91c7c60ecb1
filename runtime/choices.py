"""Choices by name: what is said where a value is none of those that there are."""

from __future__ import annotations

from collections.abc import Collection, Iterable

MOST_NEAR = 2
LEAST_RATIO = 0.6  # of get_close_matches: below it half of the letters are others


def check_choice(key: str, value: object, choices: Collection[object]) -> None:
    """Raise ValueError unless ``value`` is one of ``choices``; ``key`` is what it was given for."""
    if value not in choices:
        raise ValueError(f"{key} {value!r} is unknown: {suggestion(value, choices)}")


def suggestion(value: object, choices: Collection[object]) -> str:
    """The end of a sentence about an unknown value: the choices most like it, then all of them."""
    names = [str(choice) for choice in choices]
    near = nearest(str(value), names)
    listed = f"xpected one of {', '.join(names)}"
    return f"did you mean {' or '.join(near)}? E{listed}" if near else f"e{listed}"


def nearest(name: str, names: Iterable[str]) -> list[str]:
    """The names that somebody may have meant by another, the likeliest first; none if none is."""
    from difflib import get_close_matches  # for such sentences only

    return get_close_matches(name, list(names), MOST_NEAR, LEAST_RATIO)
