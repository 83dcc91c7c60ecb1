"""What the tests of the commands that train share."""

from __future__ import annotations

from pathlib import Path

import pytest

from training_help import write_pictures


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and no face detector: it is slow and may not be there."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: None)
    monkeypatch.setattr("edgegan.trainer.run.VALIDATION_GRIDS", 1)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "faces", 10)
