from __future__ import annotations

import numpy as np
import pytest

from edgegan.runtime.quality import decibels


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 1)])
def test_decibels_are_those_of_the_formula(low, high):
    expected = np.full((1, 3, 4, 4), (low + high) / 2, np.float32)
    assert decibels(expected, expected, (low, high)) == float("inf")
    # everywhere 2 of 255 levels apart
    others = expected + np.float32(2 * (high - low) / 255)
    apart = decibels(others, expected, (low, high))
    assert apart == pytest.approx(20 * np.log10(255 / 2), abs=1e-4)


@pytest.mark.parametrize(("low", "high"), [(-1, 1), (0, 1)])
def test_bytes_are_compared_with_values(low, high):
    expected = np.full((1, 3, 4, 4), (low + high) / 2, np.float32)
    grey = np.full((1, 4, 4, 3), 128, np.uint8)  # half a level above the middle
    found = decibels(grey, expected, (low, high))
    assert found == pytest.approx(20 * np.log10(510), abs=1e-3)


def test_black_is_no_decibels_from_white():
    white = np.ones((2, 3, 4, 4), np.float32)
    assert decibels(-white, white) == pytest.approx(0)


def test_one_pixel_in_a_hundred_costs_a_hundredth():
    expected = np.zeros((1, 1, 10, 10), np.float32)
    images = expected.copy()
    images[0, 0, 0, 0] = 0.5
    assert decibels(images, expected, (0, 1)) == pytest.approx(-10 * np.log10(0.25 / 100))


def test_what_is_no_number_has_no_decibels():
    expected = np.zeros((1, 3, 2, 2), np.float32)
    assert np.isnan(decibels(expected * np.nan, expected))
