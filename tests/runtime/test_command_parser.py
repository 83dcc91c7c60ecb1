"""The parser of every command: what it says of arguments that are not as declared."""

from __future__ import annotations

import re

import pytest

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError
from edgegan.runtime.options import named_path, whole_number

HELP = "edgegan try --help"


def parser() -> CommandParser:
    made = CommandParser("edgegan try", "Try it.", "examples:\n  edgegan try --data a\n")
    made.add_argument("names", nargs="*", metavar="NAME")
    made.add_argument("--data", required=True)
    made.add_argument("-o", "--output", type=named_path("--output"))
    made.add_argument("--steps", type=whole_number("--steps", 1))
    made.add_argument("--provider", choices=("cpu", "cuda", "tensorrt"), default="cpu")
    both = made.add_mutually_exclusive_group()
    both.add_argument("--text", action="append")
    both.add_argument("--texts")
    return made


def sentence(*words: str) -> str:
    """What is said of the words of a command."""
    with pytest.raises(UserError) as refused:
        parser().parse_args(words)
    return str(refused.value)


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--data a --step3 5", f"option '--step3' is unknown: did you mean --steps? See {HELP}"),
        ("--data a --step3=5", f"option '--step3' is unknown: did you mean --steps? See {HELP}"),
        ("--data a -steps 5", "option '-steps' is unknown: did you mean --steps or --texts? See"),
        ("--data a --txt x", "option '--txt' is unknown: did you mean --text or --texts? See"),
        ("--data a --Debug", f"option '--Debug' is unknown: did you mean --debug? See {HELP}"),
        ("--data a --zzz", f"option '--zzz' is unknown: see {HELP}"),
        ("--data a -z", f"option '-z' is unknown: see {HELP}"),
        ("one two --data a --zzz x", f"option '--zzz' is unknown: see {HELP}"),
    ],
)
def test_an_unknown_option_is_named_with_those_like_it(words: str, told: str) -> None:
    assert sentence(*words.split()).startswith(told)


def test_a_misspelt_option_is_named_and_not_what_it_stands_for() -> None:
    assert sentence("--dta", "a").startswith("option '--dta' is unknown: did you mean --data?")
    assert sentence("--steps", "x", "--dta=a").startswith("option '--dta' is unknown")


@pytest.mark.parametrize("words", ["", "-1", "-- --dta", "--text -1", "--st 5", "-oa", "--text=-z"])
def test_what_is_missing_is_named_where_all_options_are_known(words: str) -> None:
    assert sentence(*words.split()) == f"the following arguments are required: --data; see {HELP}"


@pytest.mark.parametrize("value", ["a", "--zzz a", "-z a", "-1"])
def test_a_value_is_no_unknown_option(value: str) -> None:
    assert parser().parse_args(["--data", "a", "--text", value]).text == [value]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("--data", f"--data: expected one argument; see {HELP}"),
        ("--data a -o", f"-o/--output: expected one argument; see {HELP}"),
        ("--data a --text b --texts c", f"--texts: not allowed with argument --text; see {HELP}"),
        ("--data a --te b", f"ambiguous option: --te could match --text, --texts; see {HELP}"),
        ("--data a --debug=1", f"--debug: ignored explicit argument '1'; see {HELP}"),
    ],
)
def test_what_argparse_finds_is_said_with_where_to_look(words: str, told: str) -> None:
    assert sentence(*words.split()) == told


def test_a_choice_is_told_those_like_it_and_all() -> None:
    listed = "xpected one of cpu, cuda, tensorrt"
    for value, told in (("cud", "did you mean cuda or cpu? E"), ("zzz", "e")):
        expected = f"--provider '{value}' is unknown: {told}{listed}"
        assert sentence("--data", "a", "--provider", value) == expected
    assert len(sentence("--data", "a", "--provider", "z" * 10_000)) < 300


def test_an_argument_too_many() -> None:
    few = CommandParser("edgegan few", "Take one.")
    few.add_argument("name")
    with pytest.raises(UserError, match=r"^'b' is one argument too many; see edgegan few --help$"):
        few.parse_args(["a", "b", "c"])


def test_what_a_type_says_is_left_as_it_is() -> None:
    assert sentence("--data", "a", "--steps", "x") == (
        "--steps is 'x', expected a whole number from 1 to 1000000000000"
    )


def test_debug_is_an_option_and_the_last_of_the_help(capsys: pytest.CaptureFixture[str]) -> None:
    made = parser()
    for given in (True, False):  # also of a parser that has read before
        assert made.parse_args(["--data", "a", *["--debug"] * given]).debug is given
    for words in (["--help"], ["--zzz", "--help"]):
        with pytest.raises(SystemExit) as ended:
            parser().parse_args(words)
        assert ended.value.code == 0
        options, examples = capsys.readouterr().out.split("examples:\n")
        assert re.findall(r"^  (-\S+)", options, re.MULTILINE)[-1] == "--debug"
        assert examples == "  edgegan try --data a\n"


def test_the_command_line_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["try", "--data", "a"])
    assert parser().parse_args().data == "a"
    monkeypatch.setattr("sys.argv", ["try", "--dta", "a"])
    with pytest.raises(UserError, match="'--dta'"):
        parser().parse_args()
