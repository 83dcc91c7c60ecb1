"""Errors a user can cause, and how every command of the project reports them."""

from __future__ import annotations

import argparse
import os
import reprlib
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

STATUS_ERROR = 2
STATUS_INTERRUPTED = 128 + 2  # as a shell reports SIGINT
STATUS_BROKEN_PIPE = 128 + 13  # as a shell reports SIGPIPE


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


def add_debug_option(parser: argparse.ArgumentParser) -> None:
    """Declare --debug, which run_command acts on."""
    parser.add_argument(
        "--debug", action="store_true", help="show where in the program an error arose"
    )


def run_command(main: Callable[[list[str] | None], int]) -> NoReturn:
    """Run a command's main on the command line and exit with the status it returns.

    A command's module ends with

        if __name__ == "__main__":
            run_command(main)

    A UserError is printed as one line and exits with status 2; its traceback is shown where
    --debug was given. Ctrl-C and a reader that closed the pipe end the command quietly.
    """
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):  # a name the terminal cannot show is no error
            stream.reconfigure(errors="backslashreplace")
    try:
        status = main(None)
        sys.stdout.flush()
    except UserError as error:
        if "--debug" in sys.argv[1:]:
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        status = STATUS_ERROR
    except KeyboardInterrupt:
        status = STATUS_INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes once more at its exit; let that go nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = STATUS_BROKEN_PIPE
    sys.exit(status)
