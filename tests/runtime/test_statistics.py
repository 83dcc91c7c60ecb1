from __future__ import annotations

import statistics

import numpy as np
import pytest

from edgegan.runtime.statistics import Spread, short


def test_spread_has_the_middle_and_the_extremes():
    spread = Spread.of([3, 1, 2, 10])
    assert spread == Spread(mean=4, median=2.5, least=1, greatest=10, count=4)
    assert Spread.of([7.5]) == Spread(7.5, 7.5, 7.5, 7.5, 1)


def test_spread_is_numpys():
    values = np.random.default_rng(0).normal(size=101)
    spread = Spread.of(values.tolist())
    assert spread.mean == pytest.approx(values.mean())
    assert spread.median == np.median(values)
    assert (spread.least, spread.greatest) == (values.min(), values.max())


def test_spread_of_nothing_is_refused():
    with pytest.raises(statistics.StatisticsError):
        Spread.of([])


@pytest.mark.parametrize(
    ("one", "other", "overlap"),
    [([1, 3], [2, 4], True), ([1, 2], [2, 3], True), ([1, 4], [2, 3], True), ([1], [2, 3], False)],
)
def test_ranges_overlap_where_a_value_is_in_both(one, other, overlap):
    assert Spread.of(one).overlaps(Spread.of(other)) is overlap
    assert Spread.of(other).overlaps(Spread.of(one)) is overlap


def test_spread_is_written_as_its_median_and_extremes():
    assert str(Spread.of([1.0, 2.0, 30.0])) == "2.00 (1.00 to 30.0)"


@pytest.mark.parametrize(
    ("value", "text"),
    [(1234.5, "1,234"), (45.67, "45.7"), (0.01234, "0.0123"), (-4.5, "-4.50"), (0, "0")],
)
def test_numbers_are_written_with_three_digits(value, text):
    assert short(value) == text


def test_what_is_no_number_is_written_too():
    assert [short(float(value)) for value in ("inf", "nan")] == ["inf", "nan"]
