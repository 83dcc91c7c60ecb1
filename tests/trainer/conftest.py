"""What the tests of the commands that train share."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from edgegan.runtime.errors import run_command
from training_help import write_pictures

Command = Callable[..., tuple[int, str, str]]


@pytest.fixture
def apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cache of the test's own, and no face detector: it is slow and may not be there."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr("edgegan.trainer.fit.find_detector", lambda cascade: None)
    monkeypatch.setattr("edgegan.trainer.run.VALIDATION_GRIDS", 1)


@pytest.fixture
def faces(tmp_path: Path) -> Path:
    return write_pictures(tmp_path / "faces", 10)


@pytest.fixture
def command(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Command:
    """A command as a shell runs it: exit status, and what it wrote to stdout and stderr."""

    def run(
        main: Callable[[list[str] | None], int], *arguments: str | Path
    ) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["command", *map(str, arguments)])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_command(main)
        return ended.value.code, *capfd.readouterr()

    return run
