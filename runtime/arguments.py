"""What programmers hand over, whole numbers and arrays, checked where it comes in."""

from __future__ import annotations

import operator
from typing import Union

import numpy as np

Shape = tuple[Union[int, str], ...]


def check_integer(name: str, value: object, least: int = 0, greatest: int | None = None) -> int:
    """Return a whole number, Python's or numpy's, as an int.

    Raises:
        TypeError: it is none, or a bool.
        ValueError: it is below `least` or above `greatest`.
    """
    expected = f"expected a whole number from {least}"
    if greatest is not None:
        expected += f" to {greatest}"
    if isinstance(value, (bool, np.bool_)) or not hasattr(value, "__index__"):
        raise TypeError(f"{name} is {value!r}, {expected}")
    number = operator.index(value)
    if number < least or (greatest is not None and number > greatest):
        raise ValueError(f"{name} is {number}, {expected}")
    return number


def check_array(name: str, array: object, dtype: str, shape: Shape, finite: bool = True) -> None:
    """Check an array's type, its shape and, of floating point, that every value is finite.

    Args:
        dtype: the type's name, or "floating" for any of floating point.
        shape: a number for a size that is fixed, else a letter: sizes of one letter are equal, and
            only that of "N" may be 0.
        finite: whether values have to be finite.

    Raises:
        TypeError: it is no numpy array, or one of another type.
        ValueError: its shape is another, or a value is infinite or not a number.
    """
    sizes = ", ".join(map(str, shape)) + ("," if len(shape) == 1 else "")
    expected = f"expected {dtype} ({sizes})"
    if not isinstance(array, np.ndarray):
        raise TypeError(f"{name}: found {type(array).__name__}, {expected}")
    if not np.issubdtype(array.dtype, np.floating if dtype == "floating" else dtype):
        raise TypeError(f"{name}: found {array.dtype} {array.shape}, {expected}")
    if not _fits(array.shape, shape):
        raise ValueError(f"{name}: found {array.dtype} {array.shape}, {expected}")
    if finite and array.dtype.kind == "f" and not np.isfinite(array).all():
        raise ValueError(f"{name}: found values that are not finite, expected finite ones")


def _fits(found: tuple[int, ...], expected: Shape) -> bool:
    named: dict[str, int] = {}
    return len(found) == len(expected) and all(
        size == wanted
        if isinstance(wanted, int)
        else size == named.setdefault(wanted, size) and (size > 0 or wanted == "N")
        for size, wanted in zip(found, expected)
    )
