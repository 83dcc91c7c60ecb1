"""The words that a conditional generator takes: groups of them, as text and as numbers.

A group, such as ``hair``, is a list of words of which a picture has one. A condition is a one-hot
vector for each group, side by side.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Optional, Union

import numpy as np

from edgegan.runtime.arguments import check_integer
from edgegan.runtime.errors import UserError
from edgegan.runtime.latent import Stream, check_seed, philox

if TYPE_CHECKING:
    from edgegan.runtime.texts import Reader

MOST_COMBINATIONS = 4096
MOST_WORDS = 512  # of all groups: of more the one-hot vectors are no condition but a catalogue
MOST_GROUPS = 16
MOST_LETTERS = 50  # of a word or a group's name
MOST_COUNT = 10**9  # of pictures that have a combination
MOST_CHARACTERS = 2**19  # of all that as JSON

Text = Union[str, Mapping[str, str]]  # "blue hair red eyes", "hair=blue" or {"hair": "blue"}
Choice = tuple[Optional[int], ...]  # the number of a word for each group; None where none is named

SEPARATORS = re.compile(r"[\s_,;\u3001]+")
SAME = {"blonde": "blond", "grey": "gray"}  # spellings of one word, and what they are read as


@dataclass(frozen=True)
class Group:
    """A named list of words, of which a picture has one."""

    name: str
    words: tuple[str, ...]


@dataclass(frozen=True, eq=False)
class Words:
    """The groups of a conditional generator, and how often its pictures had which words together.

    Attributes:
        groups: in the order of the one-hot vectors.
        combinations: of words that training pictures had, their numbers within their groups, int64
            (M, groups); no two are the same, and at most MOST_COMBINATIONS are kept.
        counts: how many training pictures had each, int64 (M,), at least 1.
    """

    groups: tuple[Group, ...]
    combinations: np.ndarray
    counts: np.ndarray

    @classmethod
    def of(cls, groups: Iterable[Group], choices: np.ndarray) -> Words:
        """The words of pictures with these choices, int64 (N, groups), at least one.

        Of more combinations than MOST_COMBINATIONS the most frequent are kept.

        Raises:
            ValueError: the groups are none that a generator can have, in a few words.
        """
        groups = tuple(groups)
        check_groups([(group.name, list(group.words)) for group in groups])
        combinations, counts = np.unique(choices, axis=0, return_counts=True)
        order = np.argsort(-counts, kind="stable")[:MOST_COMBINATIONS]
        kept = np.sort(order)
        return cls(groups, combinations[kept].astype(np.int64), counts[kept])

    @property
    def sizes(self) -> list[int]:
        """How many words each group has."""
        return [len(group.words) for group in self.groups]

    @property
    def size(self) -> int:
        """How many numbers a condition has."""
        return sum(self.sizes)

    @cached_property
    def _starts(self) -> np.ndarray:
        """Where each group begins in a condition, int64 (groups,)."""
        return np.cumsum([0, *self.sizes[:-1]])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Words) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(self.to_json())

    def one_hot(self, choices: np.ndarray) -> np.ndarray:
        """Choices int64 (N, groups) as conditions, float32 (N, size); of -1, no word, zeros."""
        conditions = np.zeros((len(choices), self.size), np.float32)
        rows = np.arange(len(choices))[:, None]
        conditions[rows, self._starts + np.maximum(choices, 0)] = choices >= 0
        return conditions

    def choices_of(self, conditions: np.ndarray) -> np.ndarray:
        """The likeliest word of each group of conditions, float32 (N, size): int64 (N, groups)."""
        parts = np.split(conditions, self._starts[1:], axis=1)
        return np.stack([part.argmax(axis=1) for part in parts], axis=1)

    def named(self, conditions: np.ndarray) -> np.ndarray:
        """The same, and -1 of a group that is zeros: no word of it is named."""
        used = np.add.reduceat(conditions != 0, self._starts, axis=1, dtype=np.int64)
        return np.where(used > 0, self.choices_of(conditions), -1)

    @cached_property
    def _reader(self) -> Reader:
        from edgegan.runtime.texts import Reader  # where there are texts

        return Reader(self.groups)

    def describe(self, choice: Sequence[int]) -> str:
        """A choice as text that `parse` reads: "blue hair red eyes"; of one group the word alone.

        Where words are such that this would be read in another way, the text is a mapping in JSON.
        """
        named = [(group.words[number], group.name) for group, number in zip(self.groups, choice)]
        text = " ".join(map(" ".join, named)) if len(named) > 1 else named[0][0]
        try:
            if self.parse(text) == tuple(choice):
                return text
        except UserError:
            pass
        return json.dumps({name: word for word, name in named}, ensure_ascii=False)

    def parse(self, text: Text) -> Choice:
        """Read a text: the number of the word that it names of each group, None where of none.

        Args:
            text: words, each with or without the name of its group after it ("blue hair red eyes"),
                or all with it before ("hair blue eyes red"), ``hair=blue,eyes=red``, or a mapping,
                also in JSON.

        Raises:
            UserError: it is empty or too long, names a word or a group that there is not, two words
                of one group, or one of several groups without saying of which.
            TypeError: it is neither a str nor a mapping.
        """
        return self._reader.read(text)

    def draw(
        self,
        seed: int,
        count: int,
        given: Choice | None = None,
        *,
        first: int = 0,
        stream: int = Stream.CONDITION,
    ) -> np.ndarray:
        """Draw choices `first` to `first + count - 1` of a seed, as training pictures have them.

        Choice k depends on (seed, stream, k) and what is given only.

        Args:
            given: what all of them have. The other groups are drawn from those combinations that
                have most of it: all of it, where there was a picture that did.

        Returns:
            int64 (count, groups).

        Raises:
            UserError: the seed is not 0 to MAX_SEED.
            TypeError, ValueError: a number is not whole, or below 0.
        """
        check_seed(seed)
        count, first = check_integer("count", count), check_integer("first", first)
        given = given or (None,) * len(self.groups)
        if len(given) != len(self.groups):
            raise ValueError(f"given has {len(given)} numbers, expected {len(self.groups)}")
        wanted = [-1 if number is None else number for number in given]
        return self._drawn(seed, range(first, first + count), np.array(wanted), stream)

    def draw_apart(
        self, seed: int, count: int, *, evenly: bool = False, first: int = 0, stream: int
    ) -> np.ndarray:
        """As ``draw`` with nothing given, but each group's words by themselves.

        So combinations that no picture had are drawn as well.

        Args:
            evenly: whether all words of a group are as frequent, not as in training pictures.
        """
        check_seed(seed)
        count, first = check_integer("count", count), check_integer("first", first)
        places = np.empty((count, len(self.groups)))
        for k in range(count):
            places[k] = philox(seed, stream, first + k).random(len(self.groups))
        choices = np.empty(places.shape, np.int64)
        for group, size in enumerate(self.sizes):
            counts = np.bincount(self.combinations[:, group], self.counts, size)
            ends = np.cumsum(np.ones(size) if evenly else counts)
            choices[:, group] = np.searchsorted(ends, places[:, group] * ends[-1], side="right")
        return choices

    def filled(
        self, seed: int, conditions: np.ndarray, *, first: int = 0, stream: int = Stream.CONDITION
    ) -> np.ndarray:
        """Draw the groups that conditions leave open, for each as `draw` does, given the others.

        Args:
            conditions: float32 (N, size); a group that is zeros is open, all else stays as it is.
                Of a mixture the likeliest word counts as given.

        Returns:
            float32 (N, size).

        Raises:
            UserError, TypeError, ValueError: as `draw` does.
        """
        check_seed(seed)
        first = check_integer("first", first)
        given = self.named(conditions)
        filled = conditions.copy()
        for wanted in np.unique(given[(given < 0).any(axis=1)], axis=0):
            rows = np.flatnonzero((given == wanted).all(axis=1))
            drawn = self._drawn(seed, [first + int(row) for row in rows], wanted, stream)
            filled[rows] += self.one_hot(np.where(wanted < 0, drawn, -1))
        return filled

    def _drawn(
        self, seed: int, indices: Sequence[int], given: np.ndarray, stream: int
    ) -> np.ndarray:
        """The choices of a seed's indices, where a group is given as -1: int64 (N, groups)."""
        choices = np.tile(given, (len(indices), 1))
        named = given >= 0
        if not named.all():
            common = (self.combinations == given)[:, named].sum(axis=1)
            likeliest = np.flatnonzero(common == common.max())
            ends = np.cumsum(self.counts[likeliest])
            places = np.array([philox(seed, stream, index).random() for index in indices])
            found = np.searchsorted(ends, places * ends[-1], side="right")
            drawn = self.combinations[likeliest[found]]
            choices[:, ~named] = drawn[:, ~named]
        return choices

    def draw_others(self, choices: np.ndarray, draws: np.random.Generator) -> np.ndarray:
        """For each choice, int64 (N, groups), another one, as often as pictures have that.

        There have to be two combinations at least.
        """
        numbers = {tuple(row): number for number, row in enumerate(self.combinations.tolist())}
        own = np.array([numbers.get(tuple(row), -1) for row in choices.tolist()])
        counts = np.append(self.counts, 0)[own]
        ends = np.cumsum(self.counts)
        starts = np.append(ends - self.counts, ends[-1])[own]
        places = draws.random(len(choices)) * (ends[-1] - counts)
        places += np.where(places >= starts, counts, 0)  # past what is its own
        return self.combinations[np.searchsorted(ends, places, side="right")]

    def to_json(self) -> str:
        """Groups and combinations as JSON, which ``from_json`` reads."""
        return json.dumps(
            {
                "groups": [{"name": group.name, "words": group.words} for group in self.groups],
                "combinations": [
                    [*map(int, row), int(n)] for row, n in zip(self.combinations, self.counts)
                ],
            },
            ensure_ascii=False,
            separators=(",", ":"),
        )

    @classmethod
    def from_json(cls, text: str) -> Words:
        """Read what ``to_json`` wrote.

        Raises:
            ValueError: it is malformed; it says what was expected.
        """
        if len(text) > MOST_CHARACTERS:
            raise ValueError(f"at most {MOST_CHARACTERS} characters")
        try:
            stored = json.loads(text)
            groups = [(group["name"], group["words"]) for group in stored["groups"]]
            rows = stored["combinations"]
        except (ValueError, LookupError, TypeError, RecursionError) as error:
            raise ValueError("groups and combinations of words as JSON") from error
        check_groups(groups)
        sizes = [len(words) for _, words in groups]
        if not _are_combinations(rows, sizes):
            raise ValueError("combinations of numbers of words, each with its count")
        table = np.array(rows, np.int64)
        return cls(
            tuple(Group(name, tuple(words)) for name, words in groups), table[:, :-1], table[:, -1]
        )


def check_groups(groups: object) -> None:
    """Check groups as pairs of a name and a list of words; raises ValueError that says which."""
    if not isinstance(groups, list) or not 1 <= len(groups) <= MOST_GROUPS:
        raise ValueError(f"1 to {MOST_GROUPS} groups of words")
    for name, words in groups:
        if not isinstance(words, list) or len(words) < 2:
            raise ValueError("groups of two words or more each")
        if not all(map(_is_word, [name, *words])):
            raise ValueError(f"words of 1 to {MOST_LETTERS} printable characters")
        if len(set(map(plain, words))) < len(words):
            raise ValueError("no word twice in a group")
    if len({plain(name) for name, _ in groups}) < len(groups):
        raise ValueError("no group twice")
    if sum(len(words) for _, words in groups) > MOST_WORDS:
        raise ValueError(f"at most {MOST_WORDS} words in all")


def plain(word: str) -> str:
    """A word as it is compared: of one case, spelling and form of Unicode, without commas."""
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", word).casefold())
    return " ".join(SAME.get(part, part) for part in SEPARATORS.sub(" ", folded).split())


def _is_word(value: object) -> bool:
    return (
        isinstance(value, str)
        and value.isprintable()
        and len(value) <= MOST_LETTERS
        and bool(plain(value))
    )


def _are_combinations(rows: object, sizes: list[int]) -> bool:
    if not isinstance(rows, list) or not 1 <= len(rows) <= MOST_COMBINATIONS:
        return False
    limits = [*sizes, MOST_COUNT]
    for row in rows:
        if not isinstance(row, list) or len(row) != len(limits) or not row[-1]:
            return False
        if not all(type(n) is int and 0 <= n < most for n, most in zip(row, limits)):
            return False
    return len({tuple(row[:-1]) for row in rows}) == len(rows)
