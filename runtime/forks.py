"""What becomes of an object in a child that the process forks: threads are gone, locks may be held.

That is what `os.fork` does, and with it multiprocessing's "fork" and servers that load an
application before they fork their workers.
"""

from __future__ import annotations

import ctypes
import os
import weakref
from typing import Protocol


class Forked(Protocol):
    """An object that is told of forks."""

    def after_fork(self) -> None:
        """Called in the child, before anything else runs there: make new what was not copied."""


_told: weakref.WeakSet[Forked] = weakref.WeakSet()


def tell_of_forks(it: Forked) -> None:
    """Have `it.after_fork` called in every child that is forked while `it` lives."""
    _told.add(it)


def keep_for_ever(it: object) -> None:
    """Never destroy `it`, not even when the interpreter ends.

    Its destructor would wait for threads that are the parent's.
    """
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(it))


def _tell() -> None:
    for it in list(_told):
        it.after_fork()


if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
    os.register_at_fork(after_in_child=_tell)
