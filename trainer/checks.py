"""What numbers of a recipe may be: each check raises a ValueError that names the key."""

from __future__ import annotations


def check_at_least(key: str, value: int, least: int) -> None:
    """Raise ValueError unless ``value`` is ``least`` or more."""
    if value < least:
        raise ValueError(f"{key} is {value}, expected at least {least}")


def check_between(key: str, value: float, least: int, most: int) -> None:
    """Raise ValueError unless ``value`` is ``least`` to ``most``."""
    if not least <= value <= most:
        raise ValueError(f"{key} is {value}, expected {least} to {most}")


def check_positive(key: str, value: float) -> None:
    """Raise ValueError unless ``value`` is above 0 and finite."""
    if not 0 < value < float("inf"):
        raise ValueError(f"{key} is {value}, expected a positive number")


def check_not_negative(key: str, value: float) -> None:
    """Raise ValueError unless ``value`` is 0 or more, and finite."""
    if not 0 <= value < float("inf"):
        raise ValueError(f"{key} is {value}, expected 0 or a positive number")


def check_fraction(key: str, value: float) -> None:
    """Raise ValueError unless ``value`` is 0 up to but not including 1."""
    if not 0 <= value < 1:
        raise ValueError(f"{key} is {value}, expected 0 up to but not including 1")
