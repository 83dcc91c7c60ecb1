from __future__ import annotations

import argparse

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.runtime.latent import MAX_SEED, Stream, draw_latents, parse_seed, philox

seeds = st.integers(0, MAX_SEED)


def test_known_answers_hold_on_every_machine_and_numpy():
    normal = draw_latents(7, 2, 3, "normal")
    uniform = draw_latents(7, 2, 3, "uniform")
    late = draw_latents(MAX_SEED, 1, 2, "normal", first=10**6)
    assert normal.dtype == uniform.dtype == np.float32
    np.testing.assert_array_equal(
        normal,
        np.float32([[-1.7496945, 0.57454413, 0.6142834], [1.8427993, -1.278929, 1.2547872]]),
    )
    np.testing.assert_array_equal(
        uniform,
        np.float32([[0.7441469, -0.40926924, -0.15980464], [0.6650709, -0.29266816, -0.82860816]]),
    )
    np.testing.assert_array_equal(late, np.float32([[0.2175977, -0.13229708]]))


@given(
    seed=seeds,
    first=st.integers(0, 1000),
    count=st.integers(1, 8),
    distribution=st.sampled_from(["normal", "uniform"]),
)
def test_a_latent_depends_on_the_seed_and_its_index_only(seed, first, count, distribution):
    together = draw_latents(seed, count, 5, distribution, first=first)
    alone = [draw_latents(seed, 1, 5, distribution, first=first + k)[0] for k in range(count)]
    np.testing.assert_array_equal(together, alone)


@given(seed=seeds, index=st.integers(0, 2**64 - 1))
def test_streams_indices_and_seeds_differ(seed, index):
    draws = [philox(seed, stream, index).random(4).tobytes() for stream in Stream]
    draws.append(philox(seed, Stream.LATENT, index ^ 1).random(4).tobytes())
    draws.append(philox(seed ^ 1, Stream.LATENT, index).random(4).tobytes())
    assert len(set(draws)) == len(draws)


def test_normal_latents_are_standard_normal():
    latents = draw_latents(0, 2000, 100, "normal")
    assert abs(latents.mean()) < 0.01
    assert abs(latents.std() - 1) < 0.01
    assert abs((np.abs(latents) < 1.96).mean() - 0.95) < 0.005


def test_uniform_latents_fill_minus_one_to_one():
    latents = draw_latents(0, 2000, 100, "uniform")
    assert latents.min() >= -1
    assert latents.max() <= 1
    assert abs(latents.mean()) < 0.01
    assert abs(latents.var() - 1 / 3) < 0.005


def test_none_are_drawn_where_none_are_asked_for():
    assert draw_latents(0, 0, 16, "normal").shape == (0, 16)


@pytest.mark.parametrize("seed", [-1, MAX_SEED + 1])
def test_a_seed_out_of_range_is_an_error(seed):
    with pytest.raises(UserError, match=f"seed is '{seed}', expected .* from 0 to {MAX_SEED}"):
        draw_latents(seed, 1, 4, "normal")
    with pytest.raises(UserError, match="seed is"):
        draw_latents(seed, 0, 4, "normal")


def test_an_unknown_distribution_is_an_error():
    with pytest.raises(ValueError, match="cauchy"):
        draw_latents(0, 1, 4, "cauchy")


@pytest.mark.parametrize("text", ["-1", "x", "", "1.5", "1e3", "٣", " 7", "1_0", str(MAX_SEED + 1)])
def test_what_is_no_seed_on_the_command_line_is_an_error(text):
    parser = argparse.ArgumentParser()
    parser.add_argument("--seed", type=parse_seed)
    with pytest.raises(UserError, match="expected a whole number from 0"):
        parser.parse_args(["--seed", text])


@pytest.mark.parametrize("seed", [0, 7, MAX_SEED])
def test_seeds_are_read_from_the_command_line(seed):
    assert parse_seed(str(seed)) == seed
