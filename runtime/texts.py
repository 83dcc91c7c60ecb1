"""Texts that name words of groups, read forgivingly: "blue hair red eyes", "hair=blue,eyes=red".

Order, case, commas, a full stop at the end, the group's name in the singular or the plural, "grey"
for "gray" and "blonde" for "blond" make no difference; any script is read. Where all groups' names
come before their words, "hair blue eyes red" is read too.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from edgegan.runtime.choices import nearest
from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.words import Choice, Group, Text, plain

Pair = tuple[int, int]  # the numbers of a group and of a word of it
Step = tuple[list[Pair], int]  # what a part of a text may mean, and where what follows begins
Steps = Callable[[list[str], int], Iterator[Step]]  # those from one token of a text on

MOST_CHARACTERS = 4_000  # of a text: those that name a word of every group have fewer
MOST_LISTED = 1_500  # characters of words, in an error
ENDS = " \t\r\n\u3000.\u3002\uff0e\uff61"  # full stops, and white space around them
NEXT_PAIR = re.compile(r"[,;\u3001](?=[^,;\u3001=]*=)")  # other commas are a word's own


class Reader:
    """Reads texts that name words of some groups."""

    def __init__(self, groups: Sequence[Group]) -> None:
        self._groups = groups
        self._words = [{plain(word): n for n, word in enumerate(g.words)} for g in groups]
        self._names = {plain(group.name): index for index, group in enumerate(groups)}
        for name, index in list(self._names.items()):
            other = name[:-1] if name.endswith("s") else f"{name}s"
            if other:
                self._names.setdefault(other, index)
        # Of these many tokens a word, or a group's name, may be.
        self._word_sizes = _sizes(word for words in self._words for word in words)
        self._name_sizes = _sizes(self._names)

    def read(self, text: Text) -> Choice:
        """Return the number of the word that a text names of each group; None where it names none.

        Raises:
            UserError: it is empty or too long, names a word or a group that there is not, two words
                of one group, or one of several groups without saying of which.
            TypeError: it is neither a str nor a mapping.
        """
        pairs = self._pairs(text)
        if not pairs:
            raise UserError(f"a text is {quoted(text)}, expected words such as {self._example()!r}")
        choice: list[int | None] = [None] * len(self._groups)
        for index, number in pairs:
            if choice[index] not in (None, number):
                name = self._groups[index].name
                raise UserError(f"{quoted(text)} names two words of {name}, expected one")
            choice[index] = number
        return tuple(choice)

    def _pairs(self, text: Text) -> list[Pair]:
        if isinstance(text, Mapping):
            return self._of_pairs((str(name), word) for name, word in text.items())
        if not isinstance(text, str):
            raise TypeError(f"a text is {text!r}, expected a str, or a mapping of groups to words")
        if len(text) > MOST_CHARACTERS:
            raise UserError(
                f"a text has {len(text)} characters, expected at most {MOST_CHARACTERS}"
            )
        pairs = _json_pairs(text)
        if pairs is not None:
            return self._of_pairs(pairs)
        try:
            return self._of_text(text)
        except UserError:
            ended = text.rstrip(ENDS)
            if ended == text.rstrip():  # there is no full stop, or it is a word's own
                raise
        return self._of_text(ended)

    def _of_pairs(self, pairs: Iterable[tuple[str, object]]) -> list[Pair]:
        return [self._named(name, str(word)) for name, word in pairs]

    def _of_text(self, text: str) -> list[Pair]:
        tokens = plain(text).split()
        for steps in (self._steps, self._steps_from_names):
            found = self._way(tokens, steps)
            if found is not None:
                return [self._only(pairs, text) for pairs in found]
        parts = NEXT_PAIR.split(unicodedata.normalize("NFKC", text))
        if "=" in parts[0]:
            return self._of_pairs(pair for part in parts for pair in self._parted(part))
        raise self._not_understood(tokens)

    def _parted(self, part: str) -> Iterator[tuple[str, str]]:
        """The names and words of "hair=blue eyes=red", which has no commas."""
        name, _, word = part.partition("=")
        while "=" in word and not self._is_word(name, word):
            before, _, after = word.partition("=")
            tokens = before.split()
            for place in range(max(1, len(tokens) - self._name_sizes[0]), len(tokens)):
                following = " ".join(tokens[place:])
                if plain(following) in self._names:
                    yield name, " ".join(tokens[:place])
                    name, word = following, after
                    break
            else:
                break
        yield name, word

    def _is_word(self, name: str, word: str) -> bool:
        index = self._names.get(plain(name))
        return index is not None and plain(word) in self._words[index]

    def _named(self, name: str, word: str) -> Pair:
        """A word of the group of that name."""
        index = self._names.get(plain(name))
        if index is None:
            names = ", ".join(group.name for group in self._groups)
            raise UserError(f"{quoted(name.strip())} is no group of words, expected one of {names}")
        number = self._words[index].get(plain(word))
        if number is None:
            raise self._unknown(word, [index])
        return index, number

    def _only(self, pairs: list[Pair], text: str) -> Pair:
        """The one group and word that a part of a text can mean."""
        if len(pairs) == 1:
            return pairs[0]
        words = [f"{self._groups[i].words[n]} {self._groups[i].name}" for i, n in pairs]
        raise UserError(f"{quoted(text)} may mean {' or '.join(words)}, expected one of them")

    def _way(self, tokens: list[str], steps: Steps) -> list[list[Pair]] | None:
        """What the words of a text may mean, one after the other; None where there is no way."""
        # From the end, so that no place is looked at twice: where the rest can be read, the longest
        # word with its group's name comes first.
        ways: list[Step | None] = [None] * len(tokens)
        for start in reversed(range(len(tokens))):
            for pairs, end in steps(tokens, start):
                if end == len(tokens) or ways[end] is not None:
                    ways[start] = pairs, end
                    break
        found, at = [], 0
        while at < len(tokens):
            step = ways[at]
            if step is None:
                return None
            found.append(step[0])
            at = step[1]
        return found

    def _steps(self, tokens: list[str], start: int) -> Iterator[Step]:
        """The words that begin at a token, the longest first, with their groups' names or not."""
        for pairs, end in self._words_at(tokens, start):
            for index, after in self._names_at(tokens, end):
                named = [pair for pair in pairs if pair[0] == index]
                if named:
                    yield named, after
            yield pairs, end

    def _steps_from_names(self, tokens: list[str], start: int) -> Iterator[Step]:
        """The words of the groups whose names begin at a token, the longest first."""
        for index, after in self._names_at(tokens, start):
            for pairs, end in self._words_at(tokens, after):
                named = [pair for pair in pairs if pair[0] == index]
                if named:
                    yield named, end

    def _words_at(self, tokens: list[str], start: int) -> Iterator[Step]:
        """The words that begin at a token, the longest first."""
        for size in self._word_sizes:
            end = start + size
            word = " ".join(tokens[start:end])
            pairs = [(n, known[word]) for n, known in enumerate(self._words) if word in known]
            if pairs and end <= len(tokens):
                yield pairs, end

    def _names_at(self, tokens: list[str], start: int) -> Iterator[tuple[int, int]]:
        """The groups whose names begin at a token, and where what follows them begins."""
        for size in self._name_sizes:
            index = self._names.get(" ".join(tokens[start : start + size]))
            if index is not None and start + size <= len(tokens):
                yield index, start + size

    def _not_understood(self, tokens: list[str]) -> UserError:
        """Say which part of a text is no word: what the furthest of all ways stops at."""
        if not any(self._steps(tokens, 0)):
            stop, _ = self._furthest(tokens, self._steps_from_names)
            for index, start in self._names_at(tokens, stop):
                end = start
                while end < len(tokens) and not any(self._names_at(tokens, end)):
                    end += 1
                if end > start:
                    return self._unknown(" ".join(tokens[start:end]), [index])
        stop, start = self._furthest(tokens, self._steps)
        if not stop or not any(self._names_at(tokens, stop)):  # else a group has no such word
            start, stop = stop, stop + 1
            while stop < len(tokens) and not any(self._names_at(tokens, stop)):
                if any(self._steps(tokens, stop)):
                    break
                stop += 1
        named = [index for index, _ in self._names_at(tokens, stop)]
        return self._unknown(" ".join(tokens[start:stop]), named or range(len(self._groups)))

    def _furthest(self, tokens: list[str], steps: Steps) -> tuple[int, int]:
        """Where the furthest of all ways stops, and where its last step began."""
        came_from = {0: 0}
        for start in range(len(tokens)):
            if start in came_from:
                came_from.update((end, start) for _, end in steps(tokens, start))
        stop = max(came_from)
        return stop, came_from[stop]

    def _unknown(self, word: str, indices: Sequence[int]) -> UserError:
        """Say that groups have no such word, which it may be meant to be, and which there are.

        That may be a group's name, too: of "hare" with a group hair.
        """
        groups = [self._groups[index] for index in indices]
        known = [*(word for group in groups for word in group.words), *(g.name for g in groups)]
        spelled = {plain(phrase): phrase for phrase in known}
        near = [spelled[phrase] for phrase in nearest(plain(word), spelled)]
        meant = f": did you mean {' or '.join(near)}? E" if near else ", e"
        names = " or ".join(group.name for group in groups)
        lists = [f"one of {_listed(group.words, len(groups))}" for group in groups]
        if len(groups) > 1:
            lists = [f"for {group.name} {listed}" for group, listed in zip(groups, lists)]
        return UserError(
            f"{quoted(word.strip())} is no word of {names}{meant}xpected {'; '.join(lists)}"
        )

    def _example(self) -> str:
        return " ".join(f"{group.words[0]} {group.name}" for group in self._groups)


def _json_pairs(text: str) -> list[tuple[str, object]] | None:
    """The names and words of a mapping in JSON, also of names given twice; None of other text."""
    if not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text, object_pairs_hook=list)
    except (ValueError, RecursionError):
        return None


def _sizes(phrases: Iterable[str]) -> list[int]:
    """Of how many tokens phrases are, the most first."""
    return sorted({len(phrase.split()) for phrase in phrases}, reverse=True)


def _listed(words: Sequence[str], lists: int) -> str:
    """Words with commas between, and where they are too many for a sentence, how many more."""
    shown = list(words)
    while len(", ".join(shown)) > MOST_LISTED // lists:
        shown = shown[: len(shown) // 2]
    more = len(words) - len(shown)
    return ", ".join(shown) + (f" and {more} more, which edgegan show lists" if more else "")
