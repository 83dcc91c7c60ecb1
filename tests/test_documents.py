"""The documents: links lead somewhere, and every command that they show exists."""

from __future__ import annotations

import contextlib
import io
import re
import shlex
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from pathlib import Path

import pytest

from edgegan.__main__ import COMMANDS

ROOT = Path(__file__).parents[1]
FOLDERS = ("docs", "trainer", "export", "runtime", "benchmarks", "samples", "tests")
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))]
)
NAMES = [str(path.relative_to(ROOT)) for path in DOCUMENTS]
SCRIPTS = {
    "./run_gan.sh": "edgegan.runtime.run_gan",
    "./run_cgan.sh": "edgegan.runtime.run_cgan",
}
MOST_CHARACTERS = 9_000  # of the README

LINK = re.compile(r"\]\(([^)\s]+)\)")
FENCE = re.compile(r"^( *)```(\w*)\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
INLINE = re.compile(r"`([^`\n]+)`")


def code(text: str) -> Iterator[str]:
    """The lines of shell blocks, those that a backslash breaks as one, and what is in backticks."""
    for _, language, block in FENCE.findall(text):
        if language == "sh":
            yield from block.replace("\\\n", " ").splitlines()
    yield from INLINE.findall(FENCE.sub("", text).replace("\n", " "))


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """The module of each command of ours that a document shows, and the options it is given."""
    for line in code(text):
        words = shlex.split(line, comments=True)
        if not words:
            continue
        if words[0] == "edgegan" and len(words) > 1 and words[1].isalpha():
            assert words[1] in COMMANDS, f"no command {words[1]}: {line}"
            module, arguments = COMMANDS[words[1]].module, words[2:]
        elif words[0] in SCRIPTS:
            module, arguments = SCRIPTS[words[0]], words[1:]
        elif words[:2] == ["python", "-m"] and words[2].startswith("benchmarks."):
            module, arguments = words[2], words[3:]
        elif words[:2] == ["python", "-m"] and words[2].partition(".")[0] in FOLDERS:
            module, arguments = f"edgegan.{words[2]}", words[3:]
        else:
            continue
        yield module, [word for word in arguments if word.startswith("-")]


@cache
def known_options(module: str) -> frozenset[str]:
    """What a command's --help names; nothing where what it imports is not installed."""
    try:
        main = import_module(module).main
    except ImportError:
        return frozenset()
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), pytest.raises(SystemExit) as stopped:
        main(["--help"])
    assert stopped.value.code == 0
    return frozenset(re.findall(r"(?<![\w-])--?[a-z][a-z0-9-]*", printed.getvalue()))


def anchors(path: Path) -> set[str]:
    """What GitHub calls the headings of a document."""
    headings = re.findall(r"^#+ (.+)$", FENCE.sub("", path.read_text("utf-8")), re.MULTILINE)
    words = (re.sub(r"[^\w\- ]", "", heading.lower()) for heading in headings)
    return {word.replace(" ", "-") for word in words}


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    text = FENCE.sub("", document.read_text(encoding="utf-8"))
    for target in LINK.findall(text):
        if re.match(r"[a-z]+:", target):
            continue
        name, _, anchor = target.partition("#")
        path = (document.parent / name).resolve() if name else document
        assert path.exists(), f"{target} is not there"
        assert not anchor or anchor in anchors(path), f"{target} names no heading"


@pytest.mark.parametrize("document", DOCUMENTS, ids=NAMES)
def test_commands_and_their_options_exist(document: Path) -> None:
    for module, options in commands(document.read_text(encoding="utf-8")):
        known = known_options(module)
        for option in options if known else []:
            assert option.partition("=")[0] in known, f"{module} has no option {option}"


def test_a_command_or_option_that_is_not_there_is_found() -> None:
    shown = (
        "```sh\nedgegan generate --seed 7 \\\n    --shape round   # both\n```\n`./run_gan.sh --x`"
    )
    assert list(commands(shown)) == [
        ("edgegan.runtime.generate", ["--seed", "--shape"]),
        ("edgegan.runtime.run_gan", ["--x"]),
    ]
    assert "--seed" in known_options("edgegan.runtime.generate")
    assert "--shape" not in known_options("edgegan.runtime.generate")
    with pytest.raises(AssertionError, match="no command gnerate"):
        list(commands("`edgegan gnerate`"))


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text(encoding="utf-8")) <= MOST_CHARACTERS


def test_every_recipe_is_described() -> None:
    text = (ROOT / "docs" / "recipes.md").read_text(encoding="utf-8")
    rows = "\n".join(line for line in text.splitlines() if line.startswith("| `"))
    recipes = [path.stem for path in (ROOT / "trainer" / "recipes").glob("*.yaml")]
    assert [name for name in recipes if f"`{name}`" not in rows] == []


def test_every_shipped_model_is_described() -> None:
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    shipped = [path.stem for path in (ROOT / "runtime" / "models").glob("*.onnx")]
    models = [name for name in shipped if "." not in name]
    assert [name for name in models if f"| `{name}`" not in text] == []
