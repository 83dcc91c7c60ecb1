"""The page's modules: the same numbers, words and sentences as Python's, and clean types and style.

What is compared is drawn from a seed, thousands of cases of each in one call of node.
"""

from __future__ import annotations

import base64
import json
import random
import shutil
import subprocess
import sys
import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from edgegan.runtime.choices import nearest
from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.generator import Generator
from edgegan.runtime.interpolation import lerp, slerp, walk
from edgegan.runtime.latent import MAX_SEED, draw_latents, parse_seed
from edgegan.runtime.words import Choice, Group, Words, plain

HERE = Path(__file__).parent
TOOLS = HERE / "node_modules" / ".bin"
OLDEST_NODE = 20
PATHS = {"lerp": lerp, "slerp": slerp}

# Words that are hard to tell apart, by their letters, their commas or their groups.
HARD_TABLES = [
    {"hair": ["blond", "blue", "light blue", "gray"], "eyes": ["blue", "black", "gray"]},
    {"eye colors": ["red", "dark red", "red, dark"], "eye": ["colors", "red"]},
    {"kind": ["Mr.", "mr", "a=b", "1", "true"], "a": ["=", "b=c", "x.", "kind a"]},
    {
        "髪": ["青", "赤い", "金、銀"],
        "Auge": ["groß", "weiß", "İstanbul", "\u0131s\u0131"],
        "s": ["\u03a3\u0391\u03a3", "\u03c3\u03b1"],
    },
    {"number": [f"the {n}th of many words" for n in range(80)], "it's": ['a "b"', "it's"]},
]
SIGNS = list(" ,;=._-'\"{}[]:\\\t\n、。\uff0e\uff61\u3000\xa0\x1c\x85\ufeff\u200b")


@pytest.fixture(scope="session")
def ask() -> Callable[..., Any]:
    """What asks answers.js a question by its name, or a skip where there is no node that can."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("there is no node, which runs the page's modules without a browser")
    version = _output([node, "--version"]).strip()
    if int(version[1:].split(".")[0]) < OLDEST_NODE:
        pytest.skip(f"node is {version}, the page's modules need {OLDEST_NODE} or newer")

    def ask(question: str, **given: Any) -> Any:
        asked = json.dumps({"question": question, "given": given})
        return json.loads(_output([node, str(HERE / "answers.js")], asked))

    return ask


@pytest.mark.usefixtures("ask")
@pytest.mark.parametrize("tool", ["tsc --project .", "biome check . ../../runtime/page"])
def test_types_and_style_are_clean(tool: str) -> None:
    name, *arguments = tool.split()
    if not (TOOLS / name).exists():
        pytest.skip(f"there is no {name}: `npm ci` in tests/page installs it")
    _output([str(TOOLS / name), *arguments])


@pytest.mark.usefixtures("ask")
def test_the_modules_own_tests_pass() -> None:
    """All in one process: `node --test` starts one for each file."""
    files = sorted((HERE / "modules").glob("*.test.js"))
    assert files
    imports = "".join(f"await import({file.as_uri()!r});" for file in files)
    _output(["node", "--input-type=module", "--eval", imports])


@pytest.mark.parametrize(("distribution", "size"), [("normal", 128), ("uniform", 32)])
def test_latents_of_1000_seeds_are_the_same_to_the_bit(
    ask: Callable[..., Any], distribution: str, size: int
) -> None:
    draws = random.Random(0)
    cases = [(0, 0), (MAX_SEED, 2**64 - 25), (2**32 - 1, 2**32 - 12), (2**32, 2**53)]
    cases += [(_big(draws), _big(draws)) for _ in range(1000 - len(cases))]
    answers = ask(
        "latents",
        draws=[[str(seed), str(first)] for seed, first in cases],
        count=25,
        size=size,
        distribution=distribution,
    )
    for (seed, first), answer in zip(cases, answers):
        latents = draw_latents(seed, 25, size, distribution, first=first)
        assert _floats(answer).tobytes() == latents.tobytes(), f"seed {seed}, first {first}"


def test_seeds_are_read_and_refused_the_same(ask: Callable[..., Any]) -> None:
    texts = ["0", "7", "007", str(MAX_SEED), str(MAX_SEED + 1), "9" * 1000, "9" * 1001, "-1", ""]
    texts += ["1.0", " 1", "1\n", "٣", "³", "1e3", "0x1", "it's", "a" * 101, "+1", "1_000"]
    expected = [_or_error(lambda text=text: str(parse_seed(text))) for text in texts]
    assert ask("parseSeed", texts=texts) == expected


@pytest.mark.parametrize("name", sorted(PATHS))
def test_paths_are_the_same_to_the_bit(ask: Callable[..., Any], name: str) -> None:
    random = np.random.default_rng(0)
    fractions = np.linspace(0, 1, 11)
    starts = random.standard_normal((1000, 128)).astype(np.float32)
    ends = random.standard_normal((1000, 128)).astype(np.float32)
    ends[:100] = starts[:100] * random.uniform(-2, 2, (100, 1))  # parallel, opposite
    ends[100:200] = starts[100:200] + 1e-5 * ends[100:200]  # nearly so
    ends[200:210] = 0
    answers = ask(
        "path",
        name=name,
        pairs=[[_base64(start), _base64(end)] for start, end in zip(starts, ends)],
        fractions=fractions.tolist(),
    )
    for start, end, answer in zip(starts, ends, answers):
        assert _floats(answer).tobytes() == PATHS[name](start, end, fractions).tobytes()


@pytest.mark.parametrize("name", sorted(PATHS))
@pytest.mark.parametrize("frames", [2, 3, 30, 50])
def test_walks_are_the_same_to_the_bit(ask: Callable[..., Any], name: str, frames: int) -> None:
    waypoints = draw_latents(3, 5, 128, "normal")
    answer = ask("walk", name=name, waypoints=[_base64(w) for w in waypoints], frames=frames)
    assert _floats(answer).tobytes() == walk(waypoints, frames, PATHS[name]).tobytes()


def test_characters_are_folded_and_quoted_the_same(ask: Callable[..., Any]) -> None:
    # Letters without case, such as Chinese ones, are many and alike.
    kinds = {code: unicodedata.category(chr(code)) for code in range(sys.maxunicode + 1)}
    known = [chr(code) for code, kind in kinds.items() if kind not in ("Cn", "Co", "Cs")]
    some = [c for c in known if kinds[ord(c)] != "Lo"] + known[::20]
    # One Python knows characters that another, or node, does not yet.
    texts = [f"a{c}b \u03a3{c}" for c in ask("known", characters=some)]
    assert ask("plain", texts=texts) == [plain(text) for text in texts]
    assert ask("split", texts=texts) == [text.split() for text in texts]
    texts += ["\ud800", "a" * 100, "'" * 101, "\n" * 60, "\U0001f600é\x7f'" * 40]
    assert ask("quoted", texts=texts) == [quoted(text) for text in texts]


def test_near_words_are_the_same(ask: Callable[..., Any]) -> None:
    draws = random.Random(0)

    def word() -> str:
        return "".join(draws.choices("abcde é", k=draws.randint(1, 12)))

    cases = [(word(), sorted({word() for _ in range(12)})) for _ in range(2000)]
    expected = [nearest(word, known) for word, known in cases]
    assert ask("closeMatches", cases=cases) == expected


def test_texts_are_read_and_refused_the_same(ask: Callable[..., Any], tables: list[Words]) -> None:
    draws = random.Random(0)
    cases = [[_some_text(words, draws) for _ in range(200)] for words in tables]
    cases[0] += ["", " ", ".", "{}", "a" * 4001, "{" * 4000, "blue " * 799, "\U0001d4b7" * 4001]
    answers = ask("parse", tables=_with_json(tables, cases))
    read = 0
    for words, texts, answered in zip(tables, cases, answers):
        for text, answer in zip(texts, answered):
            expected = _or_error(lambda words=words, text=text: list(words.parse(text)))
            assert answer == expected, f"{text!r} of {words.to_json()}"
            read += isinstance(answer, list)
    assert 0.3 < read / sum(map(len, cases)) < 0.7  # of both kinds there are many


def test_choices_are_described_the_same(ask: Callable[..., Any], tables: list[Words]) -> None:
    draws = random.Random(0)
    cases = [[[draws.randrange(n) for n in w.sizes] for _ in range(40)] for w in tables]
    expected = [[w.describe(choice) for choice in choices] for w, choices in zip(tables, cases)]
    assert ask("describe", tables=_with_json(tables, cases)) == expected


def test_words_of_1000_seeds_are_drawn_the_same(
    ask: Callable[..., Any], tables: list[Words]
) -> None:
    draws = random.Random(0)
    cases: list[list[tuple[int, int, Choice]]] = [
        [
            (_big(draws), _big(draws), _some_choice(words, draws))
            for _ in range(1000 // len(tables) + 1)
        ]
        for words in tables
    ]
    shown = [[(str(seed), str(at), given) for seed, at, given in part] for part in cases]
    answers = ask("draw", tables=_with_json(tables, shown))
    for words, part, answered in zip(tables, cases, answers):
        for (seed, index, given), answer in zip(part, answered):
            assert answer == words.draw(seed, 1, given, first=index)[0].tolist()


def test_conditions_are_made_and_filled_the_same(
    ask: Callable[..., Any], tables: list[Words]
) -> None:
    draws = random.Random(0)
    choices = [[_some_choice(words, draws) for _ in range(20)] for words in tables]
    numbers = [[[-1 if n is None else n for n in choice] for choice in part] for part in choices]
    conditions = [words.one_hot(np.array(part)) for words, part in zip(tables, numbers)]
    answers = ask("oneHot", tables=_with_json(tables, numbers))
    for expected, answered in zip(conditions, answers):
        assert b"".join(_floats(answer).tobytes() for answer in answered) == expected.tobytes()
    mixtures = [0.25 * part + 0.75 * part[::-1] for part in conditions]
    shown = [[["7", str(at), _base64(row)] for at, row in enumerate(part)] for part in mixtures]
    answers = ask("filled", tables=_with_json(tables, shown))
    for words, part, answered in zip(tables, mixtures, answers):
        expected = words.filled(7, part)
        assert b"".join(_floats(answer).tobytes() for answer in answered) == expected.tobytes()


@pytest.fixture(scope="module")
def tables() -> list[Words]:
    """The words of the model that is shipped with some, hard ones, and some of random letters."""
    draws = random.Random(0)
    with Generator.load("cgan") as generator:
        tables = [generator.words]
    for named in HARD_TABLES + [_some_groups(draws) for _ in range(25)]:
        groups = [Group(name, tuple(words)) for name, words in named.items()]
        rows = [[draws.randrange(len(group.words)) for group in groups] for _ in range(30)]
        tables.append(Words.of(groups, np.array(rows)))
    return tables


def _some_groups(draws: random.Random) -> dict[str, list[str]]:
    """Groups of words of few letters, so that many are alike and stand in each other."""

    def phrases(least: int, most: int) -> list[str]:
        found: dict[str, str] = {}
        count = draws.randint(least, most)
        while len(found) < count:
            phrase = "".join(draws.choices("abs =,.é", k=draws.randint(1, 6)))
            if plain(phrase):
                found.setdefault(plain(phrase), phrase)
        return list(found.values())

    return {name: phrases(2, 6) for name in phrases(1, 3)}


def _some_text(words: Words, draws: random.Random) -> str:
    """A text that names words, in one of the ways there are to do so, and often a mistake in it."""
    groups = draws.sample(words.groups, draws.randint(1, len(words.groups)))
    pairs = [
        (_varied(group.name, draws), _varied(draws.choice(group.words), draws)) for group in groups
    ]
    if draws.random() < 0.1:
        pairs.append(draws.choice(pairs))
    between, after = (
        draws.choice([" ", ", ", ",", "、", ";", "_"]),
        draws.choice(["", "", ".", "。 "]),
    )
    way = draws.randrange(6)
    if way == 0:
        text = json.dumps(dict(pairs), ensure_ascii=draws.random() < 0.5)
    elif way == 1:
        text = between.join(f"{name}={word}" for name, word in pairs) + after
    elif way == 2:
        text = between.join(f"{name} {word}" for name, word in pairs) + after
    elif way == 3:
        text = between.join(word for _, word in pairs) + after
    else:
        text = between.join(f"{word} {name}" for name, word in pairs) + after
    return _with_mistake(text, draws) if draws.random() < 0.4 else text


def _varied(phrase: str, draws: random.Random) -> str:
    """A word or a name in another case, number or form of Unicode, or as it is."""
    full_width = "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else c for c in phrase)
    forms = [phrase.upper(), phrase.title(), f"{phrase}s", phrase.replace(" ", "_"), full_width]
    forms += [unicodedata.normalize("NFD", phrase), phrase.rstrip("s"), f" {phrase} "]
    return draws.choice(forms) if draws.random() < 0.3 else phrase


def _with_mistake(text: str, draws: random.Random) -> str:
    """A text with one to three characters left out, changed, or added."""
    characters = list(text)
    for _ in range(draws.randint(1, 3)):
        at = draws.randint(0, len(characters))
        added = draws.choice([*SIGNS, *"aesxé", *text])
        characters[at : at + draws.randint(0, 1)] = draws.choice([[], [added]])
    return "".join(characters)


def _some_choice(words: Words, draws: random.Random) -> Choice:
    return tuple(draws.choice([None, draws.randrange(size)]) for size in words.sizes)


def _with_json(tables: Sequence[Words], cases: Sequence[Any]) -> list[tuple[str, Any]]:
    return [(words.to_json(), part) for words, part in zip(tables, cases)]


def _big(draws: random.Random) -> int:
    """A whole number of 1 to 63 bits, as many small ones as large ones."""
    return draws.getrandbits(draws.randint(1, 63))


def _or_error(answer: Callable[[], Any]) -> Any:
    try:
        return answer()
    except UserError as error:
        return {"error": str(error)}


def _base64(array: np.ndarray) -> str:
    return base64.b64encode(array.astype("<f4").tobytes()).decode()


def _floats(text: str) -> np.ndarray:
    return np.frombuffer(base64.b64decode(text), "<f4")


def _output(command: list[str], given: str | None = None) -> str:
    """What a program that has to succeed writes."""
    done = subprocess.run(
        command, cwd=HERE, input=given, capture_output=True, encoding="utf-8", check=False
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout
