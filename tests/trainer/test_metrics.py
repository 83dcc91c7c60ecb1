"""The metrics on sets of features whose answer is known, and by independent computations."""

from __future__ import annotations

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import ortho_group

from edgegan.trainer.metrics import Metric, find_columns, find_metrics, find_picture_metrics
from edgegan.trainer.metrics.diversity import diversity
from edgegan.trainer.metrics.frechet_distance import frechet_distance
from edgegan.trainer.metrics.kernel_distance import SUBSETS, kernel_distance, squared_discrepancy
from edgegan.trainer.metrics.precision_recall import NEIGHBOURS, precision_recall


def normal(seed: int, count: int, size: int) -> np.ndarray:
    """Standard normal features, float32 (count, size)."""
    return np.random.default_rng(seed).standard_normal((count, size)).astype(np.float32)


def exact_gaussian(seed: int, mean: np.ndarray, covariance: np.ndarray) -> np.ndarray:
    """Features, float64 (50, D), whose own mean and covariance are just these."""
    sample = normal(seed, 50, len(mean)).astype(np.float64)
    sample -= sample.mean(axis=0)
    whitened = sample @ np.linalg.inv(np.linalg.cholesky(np.cov(sample, rowvar=False))).T
    return whitened @ np.linalg.cholesky(covariance).T + mean


# Fréchet distance


def test_frechet_distance_of_commuting_gaussians_is_that_of_their_deviations() -> None:
    axes = ortho_group.rvs(4, random_state=0)
    deviations = np.array([[1, 2, 3, 4], [2, 2, 1, 0.5]])
    means = np.array([[0, 0, 0, 0], [1, -1, 2, 0]])
    one, other = (
        exact_gaussian(seed, mean, axes @ np.diag(deviation**2) @ axes.T)
        for seed, (mean, deviation) in enumerate(zip(means, deviations))
    )
    expected = 1 + 1 + 4 + ((deviations[0] - deviations[1]) ** 2).sum()
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-9)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 1000), size=st.integers(1, 12))
def test_frechet_distance_is_what_a_matrix_root_gives(seed: int, size: int) -> None:
    mixing = normal(seed, size, size)
    one, other = normal(seed + 1, 40, size), normal(seed + 2, 30, size) @ mixing + 1
    covariances = [np.atleast_2d(np.cov(sample, rowvar=False)) for sample in (one, other)]
    root = scipy.linalg.sqrtm(covariances[0] @ covariances[1])
    apart = one.mean(axis=0) - other.mean(axis=0)
    expected = apart @ apart + np.trace(covariances[0] + covariances[1] - 2 * root.real)
    assert frechet_distance(one, other) == pytest.approx(expected, rel=1e-4)
    assert frechet_distance(other, one) == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize("count", [200, 20])  # more and fewer pictures than features
def test_frechet_distance_to_itself_is_zero(count: int) -> None:
    features = normal(0, count, 32)
    assert frechet_distance(features, features) == pytest.approx(0, abs=1e-4)


# Kernel distance


def test_kernel_distance_is_that_of_its_definition() -> None:
    one, other = normal(0, SUBSETS * 4, 3), normal(1, SUBSETS * 4, 3) + 0.5
    distances = []
    for subset in range(SUBSETS):
        rows = range(4 * subset, 4 * subset + 4)
        pairs = [(i, j) for i in rows for j in rows if i != j]
        kernels = [
            [(x[i].astype(float) @ y[j].astype(float) / 3 + 1) ** 3 for i, j in pairs]
            for x, y in ((one, one), (other, other), (one, other), (other, one))
        ]
        distances.append(np.mean(np.dot([1, 1, -1, -1], kernels)))
    found = kernel_distance(one, other)
    assert found.value == pytest.approx(np.mean(distances))
    assert found.error == pytest.approx(np.std(distances, ddof=1) / SUBSETS**0.5)


def test_kernel_distance_is_unbiased_and_its_error_honest() -> None:
    """Over many pairs of samples of one distribution: no mean, and a spread as the error says."""
    found = [
        kernel_distance(normal(2 * trial, 200, 8), normal(2 * trial + 1, 200, 8))
        for trial in range(200)
    ]
    values = np.array([distance.value for distance in found])
    errors = np.array([distance.error for distance in found])
    assert abs(values.mean()) < 3 * values.std() / len(values) ** 0.5
    assert 0.8 < values.std() / np.sqrt(np.mean(errors**2)) < 1.25
    assert (np.abs(values) < 2 * errors).mean() > 0.85


def test_kernel_distance_finds_unlike_samples() -> None:
    found = kernel_distance(normal(0, 500, 8), normal(1, 500, 8) * 1.5)
    assert found.value > 5 * found.error


def test_squared_discrepancy_is_that_of_its_definition() -> None:
    one, other = normal(0, 6, 3), normal(1, 9, 3) + 0.5

    def mean(x: np.ndarray, y: np.ndarray, same: bool) -> float:
        pairs = [(i, j) for i in range(len(x)) for j in range(len(y)) if not (same and i == j)]
        kernels = [(x[i].astype(float) @ y[j].astype(float) / 3 + 1) ** 3 for i, j in pairs]
        return float(np.mean(kernels))

    expected = mean(one, one, True) + mean(other, other, True) - 2 * mean(one, other, False)
    assert squared_discrepancy(one, other) == pytest.approx(expected)


def test_squared_discrepancy_is_unbiased_and_surer_than_the_distance_of_subsets() -> None:
    real = normal(0, 1000, 8)
    samples = [normal(trial, 200, 8) for trial in range(1, 41)]
    whole = np.array([squared_discrepancy(sample, real) for sample in samples])
    subsets = np.array([kernel_distance(sample, real).value for sample in samples])
    assert abs(whole.mean()) < 4 * whole.std() / len(whole) ** 0.5
    assert whole.std() < subsets.std() / 2


# Precision, recall, density, coverage


def test_a_set_covers_itself() -> None:
    features = normal(0, 100, 8)
    found = precision_recall(features, features)
    assert (found.precision, found.recall, found.coverage) == (1, 1, 1)


def test_precision_and_recall_do_not_depend_on_how_many_distances_are_known_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    sets = normal(0, 103, 4), normal(1, 90, 4)
    found = precision_recall(*sets)
    monkeypatch.setattr("edgegan.trainer.metrics.precision_recall.ROWS", 7)
    assert precision_recall(*sets) == found


def test_precision_and_recall_take_memory_for_a_few_rows_of_distances() -> None:
    """Three thousand pictures have nine million distances, 72 MB."""
    sets = normal(0, 3000, 2), normal(1, 3000, 2)
    tracemalloc.start()
    try:
        precision_recall(*sets)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 40e6


def test_samples_of_one_distribution_are_about_as_dense() -> None:
    found = precision_recall(normal(0, 1000, 4), normal(1, 1000, 4))
    assert found.density == pytest.approx(1, abs=0.1)
    # Naeem et al. 2020, equation 8: what is expected of equal distributions.
    assert found.coverage == pytest.approx(1 - 0.5**NEIGHBOURS, abs=0.02)


@pytest.mark.parametrize(
    ("generated", "real", "precision", "recall"),
    [
        ("both", "both", 1, 1),
        ("left", "both", 1, 0.5),  # half of the kinds is never drawn
        ("both", "left", 0.5, 1),  # half of the pictures is of no real kind
        ("left", "right", 0, 0),
    ],
)
def test_what_is_missing_and_what_is_too_much(
    generated: str, real: str, precision: float, recall: float
) -> None:
    left = np.random.default_rng(0).uniform(0, 1, (40, 2))
    sets = {"left": left, "right": left + 10, "both": np.concatenate([left, left + 10])}
    found = precision_recall(sets[generated], sets[real])
    assert (found.precision, found.recall) == (precision, recall)
    assert found.coverage == recall


def test_an_outlier_makes_precision_but_neither_density_nor_coverage() -> None:
    """What Naeem et al. (section 3) made the two for: one far picture has a ball round all."""
    real = normal(0, 200, 4)
    wrong = normal(1, 200, 4) + 30
    outlier = np.full((1, 4), 17.0)
    before = precision_recall(wrong, real)
    after = precision_recall(wrong, np.concatenate([real, outlier]))
    assert before.precision == 0
    assert after.precision > 0.9
    assert after.density <= 1 / NEIGHBOURS
    assert after.coverage < 0.01


def test_density_and_coverage_are_what_the_equations_say() -> None:
    real, generated = normal(0, 30, 3), normal(1, 20, 3)
    inside = np.zeros((20, 30), dtype=bool)
    for i, picture in enumerate(real):
        radius = sorted(np.linalg.norm(real - picture, axis=1))[NEIGHBOURS]
        inside[:, i] = np.linalg.norm(generated - picture, axis=1) <= radius
    found = precision_recall(generated, real)
    assert found.density == pytest.approx(inside.sum() / (NEIGHBOURS * 20))
    assert found.coverage == pytest.approx(inside.any(axis=0).mean())


# Diversity


def test_a_collapsed_generator_has_no_diversity() -> None:
    real = normal(0, 200, 16)
    assert diversity(np.tile(real[:1], (200, 1)), real) == 0
    assert diversity(np.tile(real[:2], (100, 1)), real) == 0


def test_a_set_is_as_diverse_as_itself_and_as_another_of_its_kind() -> None:
    real = normal(0, 500, 16)
    assert diversity(real, real) == 1
    assert diversity(normal(1, 2000, 16), real) == pytest.approx(1, abs=0.05)  # of any number


@given(scale=st.floats(0.01, 100))
def test_diversity_is_in_units_of_real_distances(scale: float) -> None:
    real = normal(0, 30, 4).astype(np.float64)
    assert diversity(scale * real, real) == pytest.approx(scale)


@pytest.mark.parametrize("kinds", [1, 2, 10, 100, 500])
def test_diversity_is_the_chance_that_no_picture_recurs_in_a_grid(kinds: int) -> None:
    """Pictures at one distance from each other (unit vectors), drawn at random out of so many."""
    real = np.eye(500)
    drawn = np.random.default_rng(0).integers(0, kinds, 10_000)
    assert diversity(real[drawn], real) == pytest.approx((1 - 1 / kinds) ** 24, abs=0.02)


def test_diversity_needs_real_pictures_that_differ() -> None:
    with pytest.raises(ValueError, match="no picture differs"):
        diversity(normal(0, 30, 4), np.ones((30, 4)))


# Every metric


@pytest.fixture(params=find_metrics(), ids=lambda metric: type(metric).__name__)
def metric(request: pytest.FixtureRequest) -> Metric:
    return request.param


def test_a_metric_gives_the_numbers_that_it_has_columns_for(metric: Metric) -> None:
    found = metric.measure(normal(0, 60, 4), normal(1, 50, 4))
    assert list(found) == [column.key for column in metric.columns]
    assert all(type(value) is float and np.isfinite(value) for value in found.values())


def test_a_metric_prefers_pictures_like_the_real_ones(metric: Metric) -> None:
    """To the same one over and over, far away: lower or higher as its columns say."""
    real = normal(1, 500, 4)
    good = metric.measure(normal(0, 500, 4), real)
    bad = metric.measure(np.full((500, 4), 20, np.float32), real)
    for column in metric.columns:
        name = column.key
        if column.better:
            assert {"lower": good[name] < bad[name], "higher": good[name] > bad[name]}[
                column.better
            ], name


def test_a_metric_leaves_the_features_as_they_were(metric: Metric) -> None:
    one, other = normal(0, 50, 4), normal(1, 50, 4)
    metric.measure(one, other)
    np.testing.assert_array_equal(one, normal(0, 50, 4))
    np.testing.assert_array_equal(other, normal(1, 50, 4))


def test_names_of_numbers_are_not_used_twice() -> None:
    """Those that evaluations of all times have are among them."""
    names = [column.key for metric in find_metrics() for column in metric.columns]
    names += find_picture_metrics()
    assert len(names) == len(set(names))
    assert set(find_columns()) >= {
        "frechet_distance",
        "kernel_distance",
        "kernel_distance_error",
        "precision",
        "recall",
        "density",
        "coverage",
        "diversity",
        "eyes_match",
    }


def test_metrics_can_be_measured_without_mxnet_and_read_with_numpy_alone() -> None:
    code = (
        "import sys; sys.modules.update(mxnet=None, scipy=None);"
        "from edgegan.trainer.metrics import find_columns; print(*find_columns());"
        "del sys.modules['scipy'];"
        "from edgegan.trainer.metrics import find_metrics; import numpy as np;"
        "real = np.random.default_rng(0).normal(size=(60, 4));"
        "of_features = sum(len(metric.measure(real, real)) for metric in find_metrics());"
        "from edgegan.trainer.metrics import find_picture_metrics;"
        "picture = np.zeros((1, 64, 64, 3), 'u1');"
        "found = [metric().passes(picture) for metric in find_picture_metrics().values()];"
        "print(of_features + sum(len(passes) for passes in found));"
        "from edgegan.trainer.features import find_extractors;"
        "print(find_extractors()['colour_classifier']()(np.zeros((1, 64, 64, 3), 'u1')).shape)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    names, count, shape = done.stdout.splitlines()
    assert names.split() == list(find_columns())
    assert int(count) == len(find_columns())
    assert shape == "(1, 320)"
