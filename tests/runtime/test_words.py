"""Words of groups: read from text, drawn as training pictures have them, kept as JSON."""

from __future__ import annotations

import json
import unicodedata
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.runtime.latent import Stream, philox
from edgegan.runtime.words import (
    MOST_COMBINATIONS,
    MOST_LETTERS,
    Choice,
    Group,
    Text,
    Words,
    check_groups,
    plain,
)

HAIR = ("aqua", "black", "blond", "blue", "gray", "light blue", "red")
EYES = ("black", "blue", "yellow")
PAIRS = np.array([[0, 0]] * 3 + [[3, 1]] * 2 + [[3, 2]] * 5 + [[6, 1]])
WORDS = Words.of([Group("hair", HAIR), Group("eyes", EYES)], PAIRS)


def words_of(**groups: list[str]) -> Words:
    """Words of groups that some pictures have the first word of."""
    named = [Group(name, tuple(words)) for name, words in groups.items()]
    return Words.of(named, np.zeros((1, len(named)), np.int64))


LETTERS = st.characters(codec="utf-8", exclude_categories=("C", "Z"), include_characters=" =,_é-")
PHRASES = st.one_of(
    st.text(LETTERS, min_size=1, max_size=12),
    st.text("ab =,", min_size=1, max_size=6),  # which often are alike
).filter(lambda text: text.isprintable() and bool(plain(text)))


@st.composite
def some_words(draw: st.DrawFn) -> Words:
    names = draw(st.lists(PHRASES, min_size=1, max_size=4, unique_by=plain))
    groups = [
        Group(name, tuple(draw(st.lists(PHRASES, min_size=2, max_size=5, unique_by=plain))))
        for name in names
    ]
    choices = draw(
        st.lists(st.tuples(*(st.integers(0, len(g.words) - 1) for g in groups)), min_size=1)
    )
    return Words.of(groups, np.array(choices))


@settings(max_examples=80, deadline=None, derandomize=True)
@given(some_words(), st.data())
def test_what_is_described_is_read_back(words: Words, data: st.DataObject) -> None:
    choice = tuple(data.draw(st.integers(0, len(group.words) - 1)) for group in words.groups)
    text = words.describe(choice)
    assert words.parse(text) == choice
    assert words.parse(unicodedata.normalize("NFD", text)) == choice
    mapping = {group.name: group.words[number] for group, number in zip(words.groups, choice)}
    assert words.parse(mapping) == words.parse(json.dumps(mapping)) == choice
    np.testing.assert_array_equal(words.choices_of(words.one_hot(np.array([choice]))), [choice])


@settings(max_examples=25, deadline=None, derandomize=True)
@given(some_words())
def test_json_is_read_back(words: Words) -> None:
    read = Words.from_json(words.to_json())
    assert read == words
    assert hash(read) == hash(words)
    assert read.groups == words.groups
    np.testing.assert_array_equal(read.combinations, words.combinations)
    np.testing.assert_array_equal(read.counts, words.counts)


@pytest.mark.parametrize(
    ("text", "choice"),
    [
        ("blue hair yellow eyes", (3, 2)),
        ("Yellow EYES,  blue hair", (3, 2)),
        ("blue hair; yellow eye", (3, 2)),
        ("blue hairs", (3, None)),
        ("blonde", (2, None)),
        ("GREY hair", (4, None)),
        ("red yellow", (6, 2)),
        ("light blue hair blue eyes", (5, 1)),
        ("light_blue hair", (5, None)),
        ("light blue", (5, None)),
        ("blue hair blue hair", (3, None)),
        ("hair=blue,eyes=yellow", (3, 2)),
        (" Hair = Light  Blue ; eye = BLACK ", (5, 0)),
        ("eyes=blue", (None, 1)),
        ("hair=blue eyes=yellow", (3, 2)),
        (" Hair = light blue  eye = Blue.", (5, 1)),
        ("red hair, yellow eyes.", (6, 2)),
        ("blue hair。", (3, None)),
        ("hair blue eyes yellow", (3, 2)),
        ("eyes blue, hair light blue", (5, 1)),
        ("hair=blue,", (3, None)),
        ("ｈａｉｒ＝ｂｌｕｅ，ｅｙｅｓ＝ｙｅｌｌｏｗ", (3, 2)),  # noqa: RUF001
        ("ＢＬＵＥ　ｈａｉｒ", (3, None)),  # noqa: RUF001
        ({"hair": "blue"}, (3, None)),
        ({"Eye": "Yellow", "hair": "Grey"}, (4, 2)),
        ('{"eyes": "yellow"}', (None, 2)),
    ],
)
def test_texts_are_read_forgivingly(text: Text, choice: Choice) -> None:
    assert WORDS.parse(text) == choice


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "a text is '', expected words such as 'aqua hair black eyes'"),
        (" , ", "a text is ' , ', expected words such as 'aqua hair black eyes'"),
        ({}, "a text is {}, expected words such as 'aqua hair black eyes'"),
        ("{}", "a text is '{}', expected words such as 'aqua hair black eyes'"),
        (
            "bleu eyes",
            "'bleu' is no word of eyes: did you mean blue? Expected one of black, blue, yellow",
        ),
        ("yellow hair", f"'yellow' is no word of hair, expected one of {', '.join(HAIR)}"),
        ("blue hair dark yelow eyes", "'dark yelow' is no word of eyes: did you mean yellow? "),
        (
            "yellow eyes violet",
            "'violet' is no word of hair or eyes, expected for hair one of "
            f"{', '.join(HAIR)}; for eyes one of {', '.join(EYES)}",
        ),
        ("red hair hair", "'red hair' is no word of hair: did you mean hair? "),
        (
            "blue hare",
            "'hare' is no word of hair or eyes: did you mean hair? Expected for hair one",
        ),
        ("azure hair", "'azure' is no word of hair, expected one of "),
        ("ble hair", "'ble' is no word of hair: did you mean blue? Expected one of "),
        ("light hair", "'light' is no word of hair: did you mean light blue? "),
        ("hair", "'hair' is no word of hair or eyes"),
        ("blue", "'blue' may mean blue hair or blue eyes, expected one of them"),
        ("red hair blue hair", "'red hair blue hair' names two words of hair, expected one"),
        (
            {"hair": "red", "HAIR": "blue"},
            "{'HAIR': 'blue', 'hair': 'red'} names two words of hair",
        ),
        ("hair=red eyes=blue hair=blue", "'hair=red eyes=blue hair=blue' names two words of hair"),
        ('{"hair": "red", "hair": "blue"}', '\'{"hair": "red", "hair": "blue"}\' names two'),
        ("hair=bleu eyes=red", "'bleu' is no word of hair: did you mean blue? "),
        ("hair=red, haar=red", "'haar' is no group of words, expected one of hair, eyes"),
        ("hair=red haar=red", "'red haar=red' is no word of hair"),
        ("hair bleu eyes yellow", "'bleu' is no word of hair: did you mean blue? "),
        ("hair red eyes", "'hair' is no word of hair or eyes"),
        ("hair red red", "'hair' is no word of hair or eyes"),
        ("bleu eyes.", "'bleu' is no word of eyes: did you mean blue? "),
        (".", "a text is '.', expected words such as 'aqua hair black eyes'"),
        ("haar=red", "'haar' is no group of words, expected one of hair, eyes"),
        ("hair=bleu", "'bleu' is no word of hair: did you mean blue? "),
        ("hair=", "'' is no word of hair, expected one of "),
        ("hair=red,blue", "'red,blue' is no word of hair"),
        ({"eyes": None}, "'None' is no word of eyes"),
        ("[1]", "'[1]' is no word of hair or eyes"),
        ("{", "'{' is no word of hair or eyes"),
        ("\x1b[2J", "'\\x1b[2j' is no word of hair or eyes"),
        ("x" * 4001, "a text has 4001 characters, expected at most 4000"),
    ],
)
def test_what_cannot_be_read_is_named(text: Any, sentence: str) -> None:
    with pytest.raises(UserError) as caught:
        WORDS.parse(text)
    assert str(caught.value).startswith(sentence)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("text", [None, 7, ["blue hair"], b"blue hair"])
def test_what_is_no_text_is_a_type_error(text: Any) -> None:
    with pytest.raises(TypeError, match="expected a str, or a mapping of groups to words"):
        WORDS.parse(text)


def test_words_may_hold_signs_and_the_names_of_groups() -> None:
    people = words_of(class_of=["Smith, John", "a=b", "class of 99", "x"])
    for number, word in enumerate(people.groups[0].words):
        assert people.parse(word) == people.parse(f"class_of={word}") == (number,)
        assert people.describe((number,)) == word
    titles = words_of(name=["St.", "St. x=y", "Mr"], x=["y", "y."])
    assert titles.parse("St.") == titles.parse("name=St.") == (0, None)
    assert titles.parse("name=St. x=y") == (1, None)
    assert titles.parse("name=Mr x=y.") == (2, 1)
    assert titles.parse("Mr.") == (2, None)
    looks = words_of(hair=["no hair", "hair", "long"], eye=["no", "eye hair"])
    for number, word in enumerate(looks.groups[0].words):
        assert looks.parse(f"{word} hair") == looks.parse(f"hair={word}") == (number, None)
    assert looks.parse("no eye no hair") == (0, 0)
    # Where what follows can only be read if the first word is the shorter one, it is.
    shades = words_of(hair=["light", "light blue"], eyes=["blue", "red"])
    assert shades.parse("light blue eyes") == (0, 0)
    assert shades.parse("light blue red eyes") == (1, 1)


def test_the_exact_name_of_a_group_comes_before_its_plural() -> None:
    both = words_of(eye=["left", "right"], eyes=["one", "two", "left"])
    assert both.parse("eyes=left") == both.parse("left eyes") == (None, 2)
    assert both.parse("eye=left,eyes=one") == (0, 0)


def test_a_choice_that_would_be_read_in_another_way_is_described_as_json() -> None:
    words = words_of(a=["x", "x a y"], b=["y", "y b x"])
    assert words.describe((0, 0)) == "x a y b"
    alike = words_of(x=["a", "a x b y c"], y=["b y c x d", "d"])
    choices = [(0, 0), (1, 1)]
    described = [alike.describe(choice) for choice in choices]
    assert described[0] != described[1]
    assert [alike.parse(text) for text in described] == choices


def test_any_script_is_read() -> None:
    words = words_of(髪=["青", "金"], 目=["赤", "青"])
    assert words.describe((0, 0)) == "青 髪 赤 目"
    assert words.parse("青 髪、赤 目") == words.parse("目=赤、髪=青") == (0, 0)
    assert words_of(größe=["groß", "klein"]).parse("GROSS Grösse".replace("ö", "o\u0308")) == (0,)


def test_a_sentence_about_hundreds_of_words_stays_short() -> None:
    names = [f"somebody of the name of {number}" for number in range(500)]
    with pytest.raises(UserError) as caught:
        words_of(person=names).parse("somebody of the name of 4999")
    sentence = str(caught.value)
    assert "did you mean somebody of the name of 499" in sentence
    assert "more, which edgegan show lists" in sentence
    assert len(sentence) < 2000


def test_draws_follow_the_counts() -> None:
    drawn = WORDS.draw(0, 4000)
    for combination, count in zip(WORDS.combinations, WORDS.counts):
        share = count / WORDS.counts.sum()
        found = (drawn == combination).all(axis=1).mean()
        assert abs(found - share) < 4 * np.sqrt(share * (1 - share) / 4000)
    known = {tuple(row) for row in WORDS.combinations}
    assert {tuple(row) for row in drawn} == known


def test_a_draw_is_the_place_of_one_random_number_among_the_counts() -> None:
    ordered = np.repeat(WORDS.combinations, WORDS.counts, axis=0)  # a row for every picture
    expected = [
        ordered[int(philox(9, Stream.CONDITION, k).random() * len(ordered))] for k in range(50)
    ]
    np.testing.assert_array_equal(WORDS.draw(9, 50), expected)


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 2**63 - 1), st.integers(0, 40), st.integers(0, 20))
def test_a_choice_depends_on_seed_stream_and_index_only(seed: int, first: int, count: int) -> None:
    every = WORDS.draw(seed, 60, (3, None))
    np.testing.assert_array_equal(
        WORDS.draw(seed, count, (3, None), first=first), every[first : first + count]
    )
    assert (every[:, 0] == 3).all()


def test_apart_each_group_is_drawn_as_pictures_have_its_words_beside_any_other() -> None:
    ordered = np.repeat(WORDS.combinations, WORDS.counts, axis=0)
    places = [philox(9, 11, k).random(len(WORDS.groups)) for k in range(3000)]
    each = np.sort(ordered, axis=0)  # the words of each group, one for every picture
    expected = [
        [each[int(place * len(each)), group] for group, place in enumerate(row)] for row in places
    ]
    drawn = WORDS.draw_apart(9, 3000, stream=11)
    np.testing.assert_array_equal(drawn, expected)
    np.testing.assert_array_equal(WORDS.draw_apart(9, 5, first=20, stream=11), drawn[20:25])
    combinations = {tuple(row) for row in drawn.tolist()}
    assert combinations > {tuple(row) for row in WORDS.combinations.tolist()}


def test_streams_and_seeds_draw_differently() -> None:
    draws = [
        WORDS.draw(0, 50),
        WORDS.draw(1, 50),
        WORDS.draw(0, 50, stream=Stream.PARITY_CONDITION),
    ]
    assert len({draw.tobytes() for draw in draws}) == 3


def test_what_is_given_is_kept_and_the_rest_is_drawn_given_it() -> None:
    blue = WORDS.draw(0, 3000, (3, None))
    assert set(blue[:, 0]) == {3}
    # Two pictures with blue hair have blue eyes, five yellow ones.
    assert abs((blue[:, 1] == 2).mean() - 5 / 7) < 4 * np.sqrt(5 / 7 * 2 / 7 / 3000)
    np.testing.assert_array_equal(WORDS.draw(0, 5, (1, 1)), [[1, 1]] * 5)  # that no picture has
    # No picture has gray hair: the eyes are those of all.
    np.testing.assert_array_equal(WORDS.draw(0, 99, (4, None))[:, 1], WORDS.draw(0, 99)[:, 1])
    three = Words.of(
        [Group(name, ("0", "1", "2")) for name in "abc"],
        np.array([[0, 0, 1], [0, 1, 2], [1, 1, 0]]),
    )
    # Both that share one word with what is given, and no other.
    drawn = three.draw(0, 200, (0, 2, None))
    assert set(map(tuple, drawn)) == {(0, 2, 1), (0, 2, 2)}


def test_conditions_are_filled_as_choices_are_drawn() -> None:
    texts: list[Text] = ["blue hair", "yellow eyes", "red hair black eyes", "eyes=yellow"]
    given_choices = [WORDS.parse(text) for text in texts]
    rows = np.array([[-1 if n is None else n for n in choice] for choice in given_choices])
    filled = WORDS.filled(5, WORDS.one_hot(rows), first=30)
    expected = [WORDS.draw(5, 1, choice, first=30 + k)[0] for k, choice in enumerate(given_choices)]
    np.testing.assert_array_equal(filled, WORDS.one_hot(np.array(expected)))
    # What is a mixture stays one, and the likelier word of it counts as given.
    mixture = np.zeros((1, WORDS.size), np.float32)
    mixture[0, [0, 3]] = 0.25, 0.75
    kept = WORDS.filled(5, mixture)
    np.testing.assert_array_equal(kept[0, :7], mixture[0, :7])
    np.testing.assert_array_equal(WORDS.choices_of(kept), WORDS.draw(5, 1, (3, None)))
    assert WORDS.filled(0, mixture[:0]).shape == (0, WORDS.size)


@pytest.mark.parametrize("arguments", [(-1, 1), (2**63, 1)])
def test_seeds_are_checked(arguments: tuple[int, int]) -> None:
    with pytest.raises(UserError, match="seed is"):
        WORDS.draw(*arguments)


def test_numbers_are_checked() -> None:
    with pytest.raises(ValueError, match="count is -1"):
        WORDS.draw(0, -1)
    with pytest.raises(TypeError, match=r"first is 0\.5"):
        WORDS.draw(0, 1, first=0.5)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="given has 1 numbers, expected 2"):
        WORDS.draw(0, 1, (0,))


def test_one_hot_vectors_stand_side_by_side() -> None:
    np.testing.assert_array_equal(
        WORDS.one_hot(np.array([[6, 0], [0, 2], [-1, 1], [6, -1]])).nonzero(),
        ([0, 0, 1, 1, 2, 3], [6, 7, 0, 9, 8, 6]),
    )
    assert WORDS.one_hot(PAIRS).dtype == np.float32
    assert WORDS.one_hot(PAIRS[:0]).shape == (0, 10)
    assert WORDS.size == 10


def test_of_too_many_combinations_the_most_frequent_are_kept() -> None:
    rows = np.stack([np.arange(5000) // 100, np.arange(5000) % 100], axis=1)
    common = np.concatenate([rows, rows[-4096:]])
    groups = [Group(name, tuple(map(str, range(100)))) for name in ("a", "b")]
    words = Words.of(groups, common)
    assert len(words.combinations) == MOST_COMBINATIONS
    np.testing.assert_array_equal(words.combinations, rows[-4096:])
    np.testing.assert_array_equal(words.counts, 2)
    assert Words.from_json(words.to_json()) == words  # as many as there may be fit


def test_the_largest_words_that_there_may_be_fit() -> None:
    # Signs that JSON escapes, and as many numbers of as many digits as the limits allow.
    sizes = [101] * 4 + [11] * 9 + [3] * 3
    groups = [
        Group(f"{index}" + '"' * 48, tuple(f"{n:03}" + "\\" * 47 for n in range(size)))
        for index, size in enumerate(sizes)
    ]
    last = np.array(sizes) - 1
    rows = np.unique(last - (np.arange(MOST_COMBINATIONS)[:, None] >> np.arange(16) & 1), axis=0)
    words = Words(tuple(groups), rows, np.full(MOST_COMBINATIONS, 10**9 - 1))
    assert Words.from_json(words.to_json()) == words


def altered(**changes: Any) -> str:
    return json.dumps({**json.loads(WORDS.to_json()), **changes})


def groups_of(*words: Any, name: Any = "hair") -> list[dict[str, Any]]:
    return [{"name": name, "words": list(words)}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "groups and combinations"),
        ("{", "groups and combinations"),
        ("[" * 100_000, "groups and combinations"),
        ("9" * 5000, "groups and combinations"),
        ("[]", "groups and combinations"),
        ("{}", "groups and combinations"),
        ('{"groups": [], "combinations": ', "groups and combinations"),
        (" " * 2**19 + "{}", "at most 524288 characters"),
        (altered(groups=None), "groups and combinations"),
        (altered(groups=["hair"]), "groups and combinations"),
        (altered(groups=[{"name": "hair"}]), "groups and combinations"),
        (altered(groups=[]), "1 to 16 groups"),
        (altered(groups=groups_of("a", "b") * 17), "1 to 16 groups"),
        (altered(groups=groups_of("a")), "two words or more"),
        (altered(groups=[{"name": "hair", "words": "blue"}]), "two words or more"),
        (altered(groups=groups_of("a", 1)), "1 to 50 printable"),
        (altered(groups=groups_of("a", "")), "1 to 50 printable"),
        (altered(groups=groups_of("a", " ")), "1 to 50 printable"),
        (altered(groups=groups_of("a", "_,")), "1 to 50 printable"),
        (altered(groups=groups_of("a", "b" * (MOST_LETTERS + 1))), "1 to 50 printable"),
        (altered(groups=groups_of("a", "\x1b[2J")), "1 to 50 printable"),
        (altered(groups=groups_of("a", "two\nlines")), "1 to 50 printable"),
        (altered(groups=groups_of("a", "\ud800")), "1 to 50 printable"),
        (altered(groups=groups_of("a", "b", name="")), "1 to 50 printable"),
        (altered(groups=groups_of("a", "b", name=["x"])), "1 to 50 printable"),
        (altered(groups=groups_of("a", "A")), "no word twice"),
        (altered(groups=groups_of("gray", "grey")), "no word twice"),
        (altered(groups=groups_of("a", "b") + groups_of("c", "d", name="HAIR")), "no group twice"),
        (altered(groups=groups_of(*map(str, range(513)))), "at most 512 words"),
        (altered(combinations=[]), "combinations of numbers"),
        (altered(combinations={}), "combinations of numbers"),
        (altered(combinations=[[0, 0, 1]] * 2), "combinations of numbers"),
        (altered(combinations=[[0, 0]]), "combinations of numbers"),
        (altered(combinations=[[0, 0, 0, 1]]), "combinations of numbers"),
        (altered(combinations=[[0, 0, 0]]), "combinations of numbers"),
        (altered(combinations=[[0, 0, -1]]), "combinations of numbers"),
        (altered(combinations=[[0, 0, 10**9]]), "combinations of numbers"),
        (altered(combinations=[[7, 0, 1]]), "combinations of numbers"),
        (altered(combinations=[[0, 3, 1]]), "combinations of numbers"),
        (altered(combinations=[[0, -1, 1]]), "combinations of numbers"),
        (altered(combinations=[[0, True, 1]]), "combinations of numbers"),
        (altered(combinations=[[0, 0.0, 1]]), "combinations of numbers"),
        (altered(combinations=[[0, None, 1]]), "combinations of numbers"),
        (altered(combinations=[[]]), "combinations of numbers"),
        (altered(combinations=[7]), "combinations of numbers"),
    ],
)
def test_malformed_words_are_refused(text: str, expected: str) -> None:
    with pytest.raises(ValueError, match=expected):
        Words.from_json(text)


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(-1, 8), st.floats(), st.text(max_size=3)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3), st.dictionaries(st.sampled_from(["name", "words"]), inner)
    ),
    max_leaves=8,
)


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.sampled_from(["groups", "combinations"]), JSON)
def test_any_json_is_read_or_refused(key: str, value: Any) -> None:
    try:
        words = Words.from_json(altered(**{key: value}))
    except ValueError:
        return
    assert Words.from_json(words.to_json()) == words


def test_groups_that_no_generator_can_have_are_refused() -> None:
    with pytest.raises(ValueError, match="two words or more"):
        Words.of([Group("class", ("a",))], np.zeros((1, 1), np.int64))
    with pytest.raises(ValueError, match="groups of words"):
        check_groups("hair")
