"""Discovery: a package has a module for each thing of its kind, and the module names it."""

from __future__ import annotations

import inspect
import pkgutil
from importlib import import_module
from typing import TypeVar

T = TypeVar("T")


def find(package: str, base: type[T]) -> dict[str, type[T]]:
    """The subclasses of ``base`` that a package's modules define, by the modules' names.

    A module defines one or none; names that begin with an underscore do not count.

    Args:
        package: its import name, such as "edgegan.trainer.objectives".

    Raises:
        TypeError: a module defines several.
    """
    found: dict[str, type[T]] = {}
    for entry in sorted(pkgutil.iter_modules(import_module(package).__path__)):
        module = import_module(f"{package}.{entry.name}")
        own = {
            value
            for name, value in inspect.getmembers(module, inspect.isclass)
            if issubclass(value, base) and value.__module__ == module.__name__
            if not name.startswith("_") and not inspect.isabstract(value)
        }
        if len(own) > 1:
            names = " and ".join(sorted(value.__name__ for value in own))
            raise TypeError(f"{module.__name__} defines {names}, expected one {base.__name__}")
        if own:
            found[entry.name] = own.pop()
    return found
