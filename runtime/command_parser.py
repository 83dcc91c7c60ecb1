"""How every command reads its arguments, and what it says where they are wrong."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from itertools import takewhile
from typing import Any, NoReturn

from edgegan.runtime.choices import nearest, suggestion
from edgegan.runtime.errors import UserError, quoted


class CommandParser(argparse.ArgumentParser):
    """An ArgumentParser with --debug, and with one sentence for what is wrong: a UserError.

    Args:
        prog: how the command is called.
        description: what it does.
        epilog: examples, whose lines are kept.
    """

    def __init__(self, prog: str, description: str, epilog: str | None = None) -> None:
        keeping_lines = argparse.RawDescriptionHelpFormatter
        formatter = keeping_lines if epilog else argparse.HelpFormatter
        super().__init__(prog, description=description, epilog=epilog, formatter_class=formatter)

    def parse_args(  # type: ignore[override]  # no command has a namespace of its own
        self, args: Sequence[str] | None = None
    ) -> argparse.Namespace:
        """Read the arguments, by default those of the command line; raises UserError."""
        if self.get_default("debug") is None:  # declared last, since help texts end with it
            self.add_argument(
                "--debug", action="store_true", help="show where in the program an error arose"
            )
        words = list(sys.argv[1:] if args is None else args)
        try:
            options, left = self.parse_known_args(words)
        except UserError:  # it may say that --data is missing where --dta was given
            left = [word for word in takewhile("--".__ne__, words) if self._is_unknown(word)]
            if not left:
                raise
        if left:
            raise UserError(self._left_sentence(left))
        return options

    def error(self, message: str) -> NoReturn:
        """Raise a UserError of what argparse found wrong, in its words."""
        raise UserError(f"{message.removeprefix('argument ')}; see {self.prog} --help")

    def _check_value(self, action: argparse.Action, value: Any) -> None:
        if action.choices is not None and value not in action.choices:
            name = "/".join(action.option_strings) or action.dest
            choices = suggestion(value, list(action.choices))
            raise UserError(f"{name} {quoted(value)} is unknown: {choices}")

    def _is_unknown(self, word: str) -> bool:
        """Whether a word is an option, and none of this command's, shortened ones included."""
        name = word.partition("=")[0]
        if not re.fullmatch(r"--?[^\W\d]\S*", name):  # argparse takes -1 and texts as values
            return False
        if name.startswith("--"):
            return not any(option.startswith(name) for option in self._option_string_actions)
        return name[:2] not in self._option_string_actions

    def _left_sentence(self, left: list[str]) -> str:
        """Say of the words that nothing takes which is wrong, and what it may have been."""
        word = next(filter(self._is_unknown, left), None)
        if word is None:
            return f"{quoted(left[0])} is one argument too many; see {self.prog} --help"
        name = word.partition("=")[0]
        options = {option.lstrip("-"): option for option in self._option_string_actions}
        near = [options[bare] for bare in nearest(name.lstrip("-"), options)]
        told = f"did you mean {' or '.join(near)}? See" if near else "see"
        return f"option {quoted(name)} is unknown: {told} {self.prog} --help"
