"""The measures of words on pictures whose answer is known."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest

from edgegan.trainer.metrics.distances import distances
from edgegan.trainer.word_metrics import (
    WordedPictures,
    find_word_columns,
    find_word_metrics,
)
from edgegan.trainer.word_metrics.frechet_within import (
    PICTURES,
    first_with,
    frechet_within,
    measured_words,
)
from edgegan.trainer.word_metrics.right_words import RightWords
from edgegan.trainer.word_metrics.variety import TOGETHER, expected_nearest, variety

PAIRS = np.array(list(itertools.product(range(3), range(2))))


def real_pictures(seed: int, each: int) -> WordedPictures:
    """So many pictures of each pair, around a place of its own, all named rightly."""
    random = np.random.default_rng(seed)
    choices = np.repeat(PAIRS, each, axis=0)
    features = 5.0 * np.repeat(np.arange(len(PAIRS)), each)[:, None]
    features = features + random.standard_normal((len(choices), 12))
    return WordedPictures.drawn(features, choices, choices)


def measured(generated: WordedPictures, real: WordedPictures) -> dict[str, float]:
    found: dict[str, float] = {}
    for metric in find_word_metrics():
        found.update(metric.measure(generated, real))
    return {**found, **within(generated, real)}


def within(*sides: WordedPictures) -> dict[str, float]:
    order = np.random.default_rng(0).permutation(len(sides[0].choices))
    shuffled = [(side.features[order], side.choices[order]) for side in sides]
    words = measured_words(*(choices for _, choices in shuffled))
    return frechet_within(
        *([features[first_with(choices, word)] for word in words] for features, choices in shuffled)
    )


def test_real_pictures_with_their_words_are_as_real_ones() -> None:
    found = measured(real_pictures(0, 60), real_pictures(1, 60))
    assert found["right_words"] == 1
    assert found["variety"] == pytest.approx(1, abs=0.03)
    assert found["frechet_within"] < 4
    assert {*found, "classification_accuracy"} == find_word_columns().keys()


def test_permuted_words_are_right_by_chance() -> None:
    real = real_pictures(0, 60)
    order = np.random.default_rng(0).permutation(len(real.choices))
    permuted = replace(real, choices=real.choices[order])
    found = measured(permuted, real_pictures(1, 60))
    assert found["right_words"] == pytest.approx(1 / len(PAIRS), abs=0.05)
    assert found["variety"] > 1.5  # texts are mixed
    assert found["frechet_within"] > 10


def test_one_picture_a_text_over_and_over_has_no_variety() -> None:
    one = real_pictures(0, 1)
    features, choices = (np.repeat(array, 60, axis=0) for array in (one.features, one.choices))
    found = measured(WordedPictures.drawn(features, choices, choices), real_pictures(1, 60))
    assert found["right_words"] == 1
    assert found["variety"] == 0
    assert found["frechet_within"] > 5


def test_a_picture_is_right_where_all_its_words_are() -> None:
    choices = np.array([[0, 0], [0, 0], [1, 1], [1, 1]])
    named = np.array([[0, 0], [0, 1], [0, 1], [0, 0]])
    pictures = WordedPictures.drawn(np.zeros((4, 2)), choices, named)
    assert RightWords().measure(pictures, pictures) == {"right_words": 0.25}


def test_real_pictures_that_trained_the_classifier_are_no_floor_of_right_words() -> None:
    training, held_out = real_pictures(0, 4), real_pictures(1, 4)
    wrong = replace(held_out, named=1 - held_out.named)
    assert RightWords().floor(training, wrong) == {"right_words": 0.0}


@pytest.mark.parametrize("count", [TOGETHER, 8])
def test_the_nearest_of_five_is_expected_over_all_fives(count: int) -> None:
    features = np.random.default_rng(count).standard_normal((count, 3))
    fives = [features[list(some)] for some in itertools.combinations(range(count), TOGETHER)]
    itself = np.diag(np.full(TOGETHER, np.inf))
    nearest = [(distances(five, five) + itself).min(axis=1).mean() for five in fives]
    assert expected_nearest(features) == pytest.approx(np.mean(nearest))


def test_variety_does_not_depend_on_how_many_pictures_there_are() -> None:
    many = real_pictures(0, 200)
    few = np.arange(len(many.choices)) % 200 < 8
    some = WordedPictures.drawn(many.features[few], many.choices[few], many.named[few])
    assert variety(some, many) == pytest.approx(1, abs=0.1)
    assert variety(many, some) == pytest.approx(1, abs=0.1)


def test_a_few_pictures_over_and_over_are_less_various() -> None:
    real = real_pictures(0, 60)
    few = np.repeat(np.arange(len(PAIRS)) * 60, 60) + np.arange(len(real.choices)) % 3
    repeated = WordedPictures.drawn(real.features[few], real.choices, real.named)
    assert 0 < variety(repeated, real) < 0.4


def test_a_real_picture_and_its_near_duplicates_count_once() -> None:
    real = real_pictures(0, 20)
    twice = WordedPictures(*(np.concatenate([array, array]) for array in vars(real).values()))
    drawn = real_pictures(1, 20)
    assert variety(drawn, twice) == variety(drawn, real)
    # Whereas a generator that draws everything twice has less variety.
    doubled = WordedPictures.drawn(twice.features, twice.choices, twice.named)
    assert variety(doubled, real) < 0.95


def test_variety_weighs_texts_by_how_many_real_pictures_tell_of_them() -> None:
    """By hand: two texts, of one real value each, of 30 and of 10 real pictures."""
    features = np.zeros((40, 1))
    features[:30, 0] = 2.0 * np.arange(30)  # the nearest of all is 2 away, but of five more
    features[30:, 0] = 1000 + np.arange(10)
    choices = np.repeat([[0], [1]], [30, 10], axis=0)
    real = WordedPictures.drawn(features, choices, choices)
    half = replace(real, features=np.where(choices == 0, features / 2, features))
    big, small = expected_nearest(features[:30]), expected_nearest(features[30:])
    expected = (30 * big / 2 + 10 * small) / (30 * big + 10 * small)
    assert variety(half, real) == pytest.approx(expected)


def test_too_few_pictures_of_every_text_tell_nothing() -> None:
    few, many = real_pictures(0, TOGETHER - 1), real_pictures(1, 60)
    assert variety(few, many) is variety(many, few) is None
    assert {metric for some in find_word_metrics() for metric in some.measure(few, many)} == {
        "right_words"
    }


def test_real_pictures_that_trained_the_classifier_are_no_floor_even_if_held_out() -> None:
    """A larger part than the classifier's own is held out from a generator."""
    held_out = real_pictures(0, 4)
    unseen = np.arange(len(held_out.choices)) % 4 == 0
    named = np.where(unseen[:, None], 1 - held_out.named, held_out.named)
    assert RightWords().measure(replace(held_out, named=named), held_out)["right_words"] == 0.75
    part = replace(held_out, named=named, unseen=unseen)
    assert RightWords().floor(held_out, part) == {"right_words": 0.0}
    assert RightWords().floor(held_out, replace(part, unseen=np.zeros_like(unseen))) == {}


def shuffled_words(counts: list[int]) -> np.ndarray:
    """Choices of one group: so many of each word, in no order."""
    random = np.random.default_rng(0)
    return random.permutation(np.repeat(np.arange(len(counts)), counts))[:, None]


def test_words_are_measured_that_enough_real_pictures_have_on_both_sides() -> None:
    training = shuffled_words([500, PICTURES, PICTURES - 1, 500])
    held_out = shuffled_words([PICTURES, 70, 70, PICTURES - 1])
    assert measured_words(training, held_out) == measured_words(held_out, training)
    assert measured_words(training, held_out) == [(0, 0), (0, 1)]


def test_distance_within_words_is_the_mean_over_words_of_as_many_pictures() -> None:
    """By hand: one dimension, where the distance is that of the means and of the deviations."""
    choices = shuffled_words([60, 200])
    first = [first_with(choices, word) for word in measured_words(choices)]
    assert [places.shape for places in first] == [(PICTURES,)] * 2
    assert [set(choices[places, 0]) for places in first] == [{0}, {1}]
    generated = np.random.default_rng(1).standard_normal((len(choices), 1))
    moved = [generated[first[0]] + 3, generated[first[1]] * 2]
    mean, deviation = generated[first[1]].mean(), generated[first[1]].std(ddof=1)
    found = frechet_within([generated[places] for places in first], moved)
    assert found["frechet_within"] == pytest.approx((9 + mean**2 + deviation**2) / 2)
    assert frechet_within([], []) == {}
