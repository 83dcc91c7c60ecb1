"""The benchmark of the way from pictures to a model that passes."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from benchmarks import measure, quick
from edgegan.runtime.detector import PASS_ABOVE
from edgegan.runtime.errors import UserError
from edgegan.trainer import recipe
from training_help import TINY, write_pictures

SMALL = [word for override in [*TINY, "epochs=1"] for word in ("--set", override)]


def test_a_seed_is_trained_exported_and_graded(
    tmp_path: Path, cascade: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick, "GRIDS", 2)
    faces = write_pictures(tmp_path / "faces", 8)
    report = tmp_path / "report.json"
    arguments = ["--data", str(faces), *SMALL, "--seeds", "1", "--cascade", str(cascade)]
    # Eight random pictures teach nothing: no faces, so it does not pass.
    assert quick.main([*arguments, "--json", str(report)]) == 1
    (result,) = json.loads(report.read_text())["results"]
    assert min(result["training_seconds"], result["export_seconds"]) > 0
    assert result["mean_faces"] <= PASS_ABOVE


@pytest.mark.parametrize(("least", "status"), [(PASS_ABOVE, 1), (PASS_ABOVE + 1, 0)])
def test_every_seed_has_to_pass(
    tmp_path: Path,
    cascade: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    least: int,
    status: int,
) -> None:
    """By commands of which each takes longer than the one before, and grids of 25 or least faces.

    The second seed has the fewer faces.
    """
    asked: list[list[str]] = []

    def run(command: Sequence[str], *_: object) -> measure.Finished:
        asked.append(list(command[3:]))
        faces = 25 if len(asked) <= 3 else least
        return measure.Finished(
            0, len(asked), 100, json.dumps({"mean": faces, "minimum": faces - 1})
        )

    monkeypatch.setattr(measure, "run_checked", run)
    report = tmp_path / "report.json"
    arguments = ["--data", str(tmp_path), "--seeds", "2", "--cascade", str(cascade)]
    assert quick.main([*arguments, "--json", str(report)]) == status
    assert [words[0] for words in asked] == 2 * ["fit", "export", "score"]
    assert [words[words.index("--seed") + 1] for words in asked[::3]] == ["0", "1"]
    found = json.loads(report.read_text())
    assert [result["seed"] for result in found["results"]] == [0, 1]
    assert [result["training_seconds"] for result in found["results"]] == [1, 4]
    assert [result["export_seconds"] for result in found["results"]] == [2, 5]
    assert [result["mean_faces"] for result in found["results"]] == [25, least]
    assert found["seconds"]["greatest"] == 4 + 5
    assert "| 1    |" in capsys.readouterr().out


def test_what_fails_is_said(tmp_path: Path, cascade: Path) -> None:
    with pytest.raises(UserError, match=r"no such folder or file: .*nowhere"):
        quick.main(["--data", str(tmp_path / "nowhere"), "--cascade", str(cascade)])
    faces = write_pictures(tmp_path / "faces", 1)
    with pytest.raises(UserError, match=r"edgegan fit failed: .*batch_size is 0"):
        quick.main(
            ["--data", str(faces), "--set", "batch_size=0", "--cascade", str(cascade)],
        )


def test_a_command_that_crashes_is_no_result(
    tmp_path: Path, cascade: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python's status of an error that nobody caught is that of a grid that fails."""
    crash = [sys.executable, "-c", "raise MemoryError('no room')"]
    monkeypatch.setattr(measure, "edgegan_command", lambda *words: crash)
    with pytest.raises(UserError, match="edgegan fit failed: MemoryError: no room"):
        quick.main(["--data", str(tmp_path), "--cascade", str(cascade)])


def test_the_recipe_sees_three_quarters_of_the_pictures_once() -> None:
    chosen = recipe.load("quick")
    assert chosen.epochs == 0.75
    assert chosen.discriminator_steps == 1
