"""Errors a user can cause, and how every command of the project reports them."""

from __future__ import annotations

import os
import re
import reprlib
import sys
import traceback
import warnings
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NoReturn

STATUS_ERROR = 2
STATUS_INTERRUPTED = 128 + 2  # as a shell reports SIGINT
STATUS_BROKEN_PIPE = 128 + 13  # as a shell reports SIGPIPE

FAULT = "a fault in edgegan"  # how a sentence begins about what nobody foresaw

# As numpy's, OpenCV's, onnxruntime's and mxnet's own errors say it, which are no MemoryError.
NO_MEMORY = re.compile(
    r"bad_alloc|[Ff]ailed to allocate|[Mm]emory alloc|[Ii]nsufficient memory|[Oo]ut of memory"
)
# As Python's RuntimeErrors say what the system refuses; before 3.13 pathlib's of links in a circle.
REFUSED = ("can't start new thread", "Symlink loop from")
# What would break a line, move the cursor, change the colour of a terminal or turn the text round.
CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class UserError(Exception):
    """An error a user can cause.

    Its text is one sentence, without a full stop, that names the file (or option), what was found
    and what was expected.
    """


def quoted(value: object) -> str:
    """Quote in an error what somebody's file holds: cut in its middle where it is long."""
    short = reprlib.Repr()
    short.maxstring = short.maxother = short.maxlong = 100
    return short.repr(value)


def one_line(text: str) -> str:
    """Escape what would break a line in two or command a terminal, as a file's name may."""
    return CONTROL.sub(_escaped, text)


def say(line: str) -> None:
    """Print one line to stderr, as one_line makes it."""
    if sys.stderr is not None:  # print would take stdout
        print(one_line(line), file=sys.stderr, flush=True)


def run_command(main: Callable[[list[str] | None], int]) -> NoReturn:
    """Run a command's main on the command line and exit with the status it returns.

    A command's module ends with

        if __name__ == "__main__":
            run_command(main)

    Whatever main raises is printed as one line and exits with status 2; its traceback is shown
    where --debug was given. A UserError says it itself; of what the system refuses, of memory and
    of what is nested too deeply a sentence is made; anything else is a fault of ours, and the line
    says so. Ctrl-C and a reader that closed the pipe end the command quietly. What a library warns
    of is a line, too.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name the terminal cannot show is no error
            stream.reconfigure(errors="backslashreplace")
    with warnings.catch_warnings():
        if not _debugging():
            warnings.showwarning = _show_warning
        try:
            status = _status_of(main)
            _flush_stdout()
        except BaseException as error:
            status = _report(error)
    for stream in (sys.stdout, sys.stderr):
        try:
            if stream is not None:  # as where the shell has closed it: >&-
                stream.flush()
        except OSError:  # the interpreter flushes once more at its exit; let that go nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
    sys.exit(status)


def _status_of(main: Callable[[list[str] | None], int]) -> Any:
    try:
        return main(None)
    except SystemExit as ended:  # as argparse does after a help text
        return ended.code


def _flush_stdout() -> None:
    """Write what is still to be written; raises UserError or BrokenPipeError if it cannot be."""
    try:
        if sys.stdout is not None:  # it is where the shell has closed it: >&-
            sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise UserError(f"cannot write to the standard output: {error.strerror}") from error


def _report(error: BaseException) -> int:
    """Say what ended a command; returns its exit status."""
    # What was interrupted within C code may come as another error, with that as its cause.
    if isinstance(error, KeyboardInterrupt) or isinstance(error.__cause__, KeyboardInterrupt):
        return STATUS_INTERRUPTED
    if isinstance(error, BrokenPipeError):
        return STATUS_BROKEN_PIPE
    with suppress(OSError):  # where nothing can be said, the status still can
        if _debugging():
            traceback.print_exception(type(error), error, error.__traceback__)
        say(f"error: {_sentence(error)}")
    return STATUS_ERROR


def _sentence(error: BaseException) -> str:
    lines = str(error).strip().split("\n")
    said = lines[-1 if lines[0].startswith("Traceback") else 0].strip()  # mxnet's, of its C++
    if isinstance(error, UserError):
        return str(error)
    if isinstance(error, OSError):
        names = [os.fsdecode(n) for n in (error.filename, error.filename2) if _is_name(n)]
        doing = f"cannot use {' and '.join(names)}" if names else "cannot go on"
        return f"{doing}: {error.strerror or said or type(error).__name__}"
    if isinstance(error, MemoryError) or NO_MEMORY.search(str(error)):
        return "there is not enough memory" + (f": {said}" if said else "")
    if isinstance(error, RecursionError):
        return f"a file or an option is nested too deeply: {said}"
    if said.startswith(REFUSED):
        return f"cannot go on: {said}"
    about = f": {said}" if said else ""
    return f"{FAULT}: {type(error).__name__}{about}; run it again with --debug"


def _is_name(value: object) -> bool:
    """Whether it is a file's name: of an error about an open file it is a number, or nothing."""
    return isinstance(value, (str, bytes, os.PathLike)) and bool(value)


def _show_warning(message: Warning | str, *_: object, **__: object) -> None:
    """Say what a library warns of in a line, without the place in its code."""
    with suppress(OSError):
        say(f"warning: {message}")


def _escaped(character: re.Match[str]) -> str:
    return character[0].encode("unicode_escape").decode()


def _debugging() -> bool:
    return "--debug" in sys.argv[1:]
