"""Commands that are killed at random moments, again and again, and end as if they never were."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import numpy as np
import pytest

from edgegan.runtime.image_folder import JOB
from edgegan.runtime.run_folder import BEST, GRIDS, LAST, RECIPE
from edgegan.trainer import checkpoint
from training_help import TINY, write_pictures

REPOSITORY = Path(__file__).parents[2]
MOST_KILLS_A_JOB = 8  # then it may end
ANOTHER_TRY = 3.0  # times as long as a whole job takes: longer, and it hangs
LEFTOVERS = "**/.*-*"  # what a write that was killed leaves beside its file

Start = Callable[[bool], subprocess.Popen[bytes]]  # whether it goes on -> the process


def run(*words: object, cache: Path) -> subprocess.Popen[bytes]:
    """``edgegan WORDS`` in a process of its own, with a cache of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "edgegan", *map(str, words)],
        cwd=REPOSITORY,
        env={**os.environ, "EDGEGAN_CACHE": str(cache), "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )


def finish(process: subprocess.Popen[bytes], seconds: float = 300) -> float:
    """Wait for a process to end well; returns for how long, in seconds."""
    started = time.monotonic()
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, output.decode(errors="replace")
    return time.monotonic() - started


def kill_at_random(start: Start, whole: float, kills: int, random: np.random.Generator) -> int:
    """Start a job and kill it within ``whole`` seconds, up to so many times, and let it end then.

    Returns:
        How often it was killed: less, if it ended before.
    """
    for number in range(kills):
        process = start(number > 0)
        try:
            output, _ = process.communicate(timeout=random.uniform(0, whole))
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            continue
        assert process.returncode == 0, output.decode(errors="replace")
        return number
    finish(start(True), ANOTHER_TRY * whole + 30)
    return kills


def count_kills(
    total: int,
    folder: Path,
    job: Callable[[Path], tuple[Start, Callable[[], None]]],
    whole: float,
) -> None:
    """Make jobs, each in a folder of its own, until ``total`` kills; every end is compared."""
    random = np.random.default_rng(0)
    kills = jobs = 0
    while kills < total:
        jobs += 1
        start, compare = job(folder / f"job{jobs}")
        kills += kill_at_random(start, whole, min(MOST_KILLS_A_JOB, total - kills), random)
        compare()
    print(f"{kills} kills in {jobs} jobs of {whole:.1f} s")


def contents(folder: Path, names: Iterable[str]) -> dict[str, bytes]:
    return {name: (folder / name).read_bytes() for name in names}


def assert_same_run(folder: Path, expected: Path) -> None:
    """All that two runs keep is equal, but for their minutes and events."""
    for name in (LAST, BEST):
        found, whole = (checkpoint.load(run / name, kind=object) for run in (folder, expected))
        assert {**found.facts, "minutes": 0} == {**whole.facts, "minutes": 0}
        assert found.arrays.keys() == whole.arrays.keys()
        for key, array in whole.arrays.items():
            np.testing.assert_array_equal(found.arrays[key], array, err_msg=key)
    grids = sorted(f"{GRIDS}/{path.name}" for path in (expected / GRIDS).iterdir())
    assert contents(folder, [RECIPE, *grids]) == contents(expected, [RECIPE, *grids])
    assert not list(folder.glob(LEFTOVERS))


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_pictures(tmp_path_factory.mktemp("data") / "faces", 300)


@pytest.fixture(scope="module")
def trained(pictures: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A short run, to be exported."""
    folder = tmp_path_factory.mktemp("trained")
    finish(run(*fit_words(pictures, folder / "run", 10), cache=folder / "cache"))
    return folder / "run"


def fit_words(pictures: Path, out: Path, steps: int) -> list[object]:
    settings = [word for value in [*TINY, "evaluate_every=5"] for word in ("--set", value)]
    return ["fit", "--data", pictures, "--out", out, "--steps", steps, *settings]


@pytest.mark.campaign
def test_fit_killed_at_random_moments_ends_with_the_same_weights(
    pictures: Path, tmp_path: Path
) -> None:
    words = fit_words(pictures, tmp_path / "whole", 60)
    whole = finish(run(*words, cache=tmp_path / "cache"))

    def job(folder: Path) -> tuple[Start, Callable[[], None]]:
        def start(again: bool) -> subprocess.Popen[bytes]:
            resume = ["--resume"] if (folder / "run" / LAST).exists() else []
            words = fit_words(pictures, folder / "run", 60)
            return run(*words, *resume, cache=folder / "cache")

        return start, lambda: assert_same_run(folder / "run", tmp_path / "whole")

    count_kills(30, tmp_path, job, whole)


@pytest.mark.campaign
def test_distil_killed_at_random_moments_ends_with_the_same_weights(
    trained: Path, tmp_path: Path
) -> None:
    teacher = tmp_path / "teacher.onnx"
    finish(run("export", trained, "-o", teacher, cache=tmp_path / "cache"))

    def words(out: Path) -> list[object]:
        values = ["generator.width=4", "batch_size=4", "evaluate_every=5"]
        settings = [word for value in values for word in ("--set", value)]
        return ["distil", teacher, "--out", out, "--steps", 60, *settings]

    whole = finish(run(*words(tmp_path / "whole"), cache=tmp_path / "cache"))

    def job(folder: Path) -> tuple[Start, Callable[[], None]]:
        def start(again: bool) -> subprocess.Popen[bytes]:
            resume = ["--resume"] if (folder / LAST).exists() else []
            return run(*words(folder), *resume, cache=tmp_path / "cache")

        return start, lambda: assert_same_run(folder, tmp_path / "whole")

    count_kills(20, tmp_path, job, whole)


@pytest.mark.campaign
def test_export_killed_at_random_moments_leaves_the_old_file_or_the_whole_new_one(
    trained: Path, tmp_path: Path
) -> None:
    def words(output: Path) -> list[object]:
        return ["export", trained, "-o", output, "--optimize", "3"]

    expected = tmp_path / "whole.onnx"
    whole = finish(run(*words(expected), cache=tmp_path / "cache"))
    older = tmp_path / "older.onnx"
    finish(run("export", trained, "-o", older, "--optimize", "0", cache=tmp_path / "cache"))
    old = older.read_bytes()

    def job(folder: Path) -> tuple[Start, Callable[[], None]]:
        folder.mkdir()
        output = folder / "generator.onnx"
        output.write_bytes(old)

        def start(again: bool) -> subprocess.Popen[bytes]:
            assert output.read_bytes() in (old, expected.read_bytes())
            return run(*words(output), cache=tmp_path / "cache")

        def compare() -> None:
            assert output.read_bytes() == expected.read_bytes()

        return start, compare

    count_kills(20, tmp_path, job, whole)


@pytest.mark.parametrize("kills", [2, pytest.param(30, marks=pytest.mark.campaign)])
def test_image_folders_killed_at_random_moments_are_completed(kills: int, tmp_path: Path) -> None:
    count = 100 if kills == 2 else 5000

    def words(folder: Path) -> list[object]:
        return ["generate", "--model", "student", "--images", folder, "--count", count]

    whole = finish(run(*words(tmp_path / "whole"), cache=tmp_path / "cache"))
    names = [JOB, *(f"{number:06}.png" for number in range(count))]
    expected = contents(tmp_path / "whole", names)

    def job(folder: Path) -> tuple[Start, Callable[[], None]]:
        def start(again: bool) -> subprocess.Popen[bytes]:
            return run(*words(folder), cache=tmp_path / "cache")

        def compare() -> None:
            assert contents(folder, names) == expected
            assert not list(folder.glob(LEFTOVERS))

        return start, compare

    count_kills(kills, tmp_path, job, whole)
