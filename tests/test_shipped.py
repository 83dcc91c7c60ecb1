"""The shipped models and pictures keep what the README promises of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgegan.runtime.detector import PASS_ABOVE, Detector
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import baseline_grid, read_picture
from edgegan.runtime.models import MODELS
from edgegan.runtime.options import DEFAULT_MODEL, DEFAULT_SEED, LATENCY, THROUGHPUT
from edgegan.runtime.score import score_images

SAMPLES = Path(__file__).parents[1] / "samples"
MOST_BYTES = {"dcgan": 4_000_000, "wgan": 1_500_000, "student": 1_000_000}
SEEDS = range(3)

shipped = pytest.mark.parametrize("name", MOST_BYTES)


@shipped
def test_a_model_is_small_and_says_what_it_is(name: str) -> None:
    assert (MODELS / f"{name}.onnx").stat().st_size <= MOST_BYTES[name]
    metadata = Generator.load(name, "cpu").metadata
    assert (metadata.recipe, metadata.image_size, metadata.latent_size) == (name, 64, 128)
    assert metadata.images_seen > 100_000


@shipped
def test_a_seed_gives_the_same_bytes_however_it_is_asked_for(
    name: str, use_cores: Callable[[int], None]
) -> None:
    use_cores(2)
    generator = Generator.load(name, "cpu")
    whole = generator.images(7, 25)
    np.testing.assert_array_equal(generator.images(7, 3), whole[:3])
    np.testing.assert_array_equal(generator.images(7, 1, first=24), whole[24:])
    for cores, prefer in ((1, LATENCY), (2, LATENCY), (3, THROUGHPUT)):
        use_cores(cores)
        other = Generator.load(name, "cpu", prefer=prefer)
        np.testing.assert_array_equal(other.images(7, 25), whole)


@shipped
def test_grids_have_enough_faces(name: str, cascade: Path) -> None:
    generator, detector = Generator.load(name, "cpu"), Detector(cascade)
    faces = [score_images(generator.images(seed, 25), detector) for seed in SEEDS]
    assert min(faces) > PASS_ABOVE


def test_the_committed_picture_is_the_default_models() -> None:
    images = Generator.load(DEFAULT_MODEL, "cpu").images(DEFAULT_SEED, 25)
    original = read_picture(SAMPLES / "gan_original.png").astype(int)
    # Another processor may round a value at a half the other way.
    assert np.abs(baseline_grid(images).astype(int) - original).max() <= 1
