"""Real training on real pictures: minutes long, so only with -m training."""

from __future__ import annotations

from pathlib import Path

import pytest

from edgegan.runtime.run_folder import BEST
from edgegan.trainer import checkpoint
from edgegan.trainer.fit import main as fit_main

FACES = Path(__file__).parents[3] / "shared" / "data" / "extra_data.zip"
MINUTES = 4


@pytest.fixture
def faces(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    if not FACES.is_file():
        pytest.skip(f"{FACES} is absent")
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    return FACES


@pytest.mark.training
def test_a_small_dcgan_draws_faces_after_minutes(
    cascade: Path, faces: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    small = ["--set", "generator.width=32", "--set", "discriminator.width=32"]
    options = ["--recipe", "dcgan", "--minutes", str(MINUTES), "--cascade", str(cascade)]
    assert fit_main(["--data", str(faces), "--out", str(run), *options, *small]) == 0
    best = checkpoint.load(run / BEST).facts
    assert best["best_faces"] > 10  # of 25, on average; real pictures have 24.2


@pytest.mark.training
def test_the_quick_recipe_passes_before_it_has_seen_all_pictures(
    cascade: Path, faces: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    options = ["--recipe", "quick", "--seed", "5", "--cascade", str(cascade)]
    assert fit_main(["--data", str(faces), "--out", str(run), *options]) == 0
    assert checkpoint.load(run / BEST).facts["best_faces"] > 20
