"""What edgegan cache lists and what it removes, of sets as the trainer writes them."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from edgegan.runtime import packed as module
from edgegan.runtime.cache import main
from edgegan.runtime.detector import CASCADE_NAME
from edgegan.runtime.errors import UserError
from edgegan.runtime.packed import LOCK, SUFFIXES, hold, packed_sets, packing

DAY = 24 * 60 * 60

# Holds the set whose summary is named, as who reads it does, until its input ends.
HOLDING = """
import sys
from pathlib import Path
from edgegan.runtime.packed import hold
hold(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def packed(cache: Path, name: str, days: float, **facts: object) -> Path:
    """A set of 4 MB that was used so many days ago; returns its summary."""
    folder = cache / "packed"
    folder.mkdir(parents=True, exist_ok=True)
    for suffix in SUFFIXES[:-1]:
        (folder / name).with_suffix(suffix).write_bytes(bytes(1_333_333))
    summary = folder / f"{name}.json"
    summary.write_text(json.dumps(facts))
    os.utime(summary, 2 * (time.time() - days * DAY,))
    return summary


FACES = {"count": 17994, "digest": "", "skipped": [], "form": "64 x 64", "source": "/data/f.zip"}


def names(cache: Path) -> set[str]:
    return {path.stem for path in (cache / "packed").iterdir() if path.name != LOCK}


def test_everything_is_listed(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out == f"cache: {cache}\nit is empty\n"
    assert not cache.exists()  # looking makes nothing
    packed(cache, "old", 40, count=5)
    packed(cache, "new", 0, **FACES)
    (cache / "packed" / ".0123abcd-gone.rec").write_bytes(bytes(2_000_000))
    (cache / CASCADE_NAME).write_bytes(bytes(250_000))
    assert main([]) == 0
    first, titles, *rows = capsys.readouterr().out.splitlines()
    assert first == f"cache: {cache}"
    assert titles.split() == ["what", "from", "size", "last", "used"]
    today = time.strftime("%Y-%m-%d")
    assert [row.split("  ")[0] for row in rows] == [
        "17994 pictures, 64 x 64",
        "5 pictures, of an earlier version",
        "being packed, or left by a packing that was killed",
        CASCADE_NAME,
    ]
    assert rows[0].split()[-4:] == ["/data/f.zip", "4.0", "MB", today]
    assert rows[1].split()[-3:-1] == ["4.0", "MB"]
    assert today not in rows[1]
    assert rows[2].split()[-3:-1] == ["2.0", "MB"]
    assert rows[3].split()[-4:-1] == ["fetched", "0.2", "MB"]


def test_older_sets_are_cleared_and_then_all(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    packed(cache, "old", 40, **{**FACES, "source": "/data/old"})
    packed(cache, "new", 2, **FACES)
    (cache / CASCADE_NAME).write_bytes(b"cascade")
    main(["--clear", "50"])
    assert "nothing to clear" in capsys.readouterr().out
    main(["--clear", "30"])
    removed = capsys.readouterr().out.splitlines()[1:]
    assert removed == ["removed: 17994 pictures, 64 x 64, from /data/old, 4.0 MB"]
    assert names(cache) == {"new"}
    (cache / "packed" / ".0123abcd-gone.rec").write_bytes(b"")
    (cache / "packed" / "no summary.rec").write_bytes(b"")
    main(["--clear"])
    assert "removed what killed packings left" in capsys.readouterr().out
    assert names(cache) == set()
    assert (cache / CASCADE_NAME).exists()


def test_what_is_in_use_stays(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    summary = packed(cache, "used", 40, **FACES)
    command = [sys.executable, "-c", HOLDING, str(summary)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as reader:
        assert reader.stdout.readline() == b"held\n"
        assert time.time() - summary.stat().st_mtime < DAY  # it was used now
        main(["--clear"])
        assert "in use, kept: 17994 pictures" in capsys.readouterr().out
        assert names(cache) == {"used"}
        reader.kill()
    main(["--clear"])
    assert names(cache) == set()


def test_a_set_that_took_the_place_of_a_held_one_is_held(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    summary = packed(cache, "used", 0, **FACES)
    assert hold(summary)
    summary.unlink()
    packed(cache, "used", 0, **FACES)
    assert hold(summary)
    main(["--clear"])
    assert "in use, kept" in capsys.readouterr().out
    assert names(cache) == {"used"}


def test_what_was_cleared_just_before_is_not_held(cache: Path) -> None:
    summary = packed(cache, "gone", 0, **FACES)
    (found,) = packed_sets()
    summary.with_suffix(".rec").unlink()
    assert not hold(summary)
    summary.unlink()
    assert not hold(summary)
    assert found.remove()
    assert not summary.exists()  # nor made by asking


def test_what_a_packing_has_finished_meanwhile_is_no_leftover(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its files have no summary when they are listed, and one as soon as the lock is had."""
    summary = packed(cache, "new", 0, **FACES)
    summary.rename(cache / "beside")
    lock = module._lock

    def finish_and_lock(*how: object, **more: object) -> object:
        if not summary.exists():
            (cache / "beside").rename(summary)
        return lock(*how, **more)

    monkeypatch.setattr(module, "_lock", finish_and_lock)
    assert module.remove_unfinished()
    assert all(summary.with_suffix(suffix).exists() for suffix in SUFFIXES)


def test_where_there_are_no_locks_the_cache_can_be_cleared(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(module.fcntl, "flock", refuse)
    packed(cache, "old", 40, **FACES)
    (cache / "packed" / "no summary.rec").write_bytes(b"")
    with packing():  # which may not be alone
        assert names(cache) == {"old", "no summary"}
    main(["--clear"])
    assert names(cache) == set()


@pytest.mark.parametrize("content", [b"", b"[1]", b"\xff", b"[" * 100_000, b'{"source": [2]}'])
def test_a_damaged_summary_is_listed_and_cleared(
    cache: Path, capsys: pytest.CaptureFixture[str], content: bytes
) -> None:
    packed(cache, "old", 40).write_bytes(content)
    main([])
    assert "no pictures, of an earlier version" in capsys.readouterr().out
    main(["--clear"])
    assert names(cache) == set()


def test_what_is_being_packed_stays(cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with packing() as folder, packing():  # two at a time
        (folder / ".0123abcd-part.rec").write_bytes(b"")
        (folder / ".4567cdef-part.json").write_bytes(b"")  # a summary that has not got its name
        main(["--clear"])
        assert "a packing is going on" in capsys.readouterr().out
        assert names(cache) == {".0123abcd-part", ".4567cdef-part"}
    with packing():  # the next one removes it
        assert names(cache) == set()


def test_days_that_are_none_are_refused() -> None:
    with pytest.raises(UserError, match="--clear is 'x', expected a whole number from 0"):
        main(["--clear", "x"])


def test_classifiers_are_listed_and_cleared_by_age(
    cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = cache / "classifiers"
    folder.mkdir(parents=True)
    for days in (0, 40):
        (folder / f"{days}.npz").write_bytes(bytes(700_000))
        os.utime(folder / f"{days}.npz", 2 * (time.time() - days * DAY,))
    (folder / ".being-written.npz").write_bytes(b"")
    assert main([]) == 0
    assert capsys.readouterr().out.count("a classifier of words, trained by edgegan evaluate") == 2
    assert main(["--clear", "30"]) == 0
    assert "removed: classifiers of words, 1" in capsys.readouterr().out
    assert sorted(path.name for path in folder.iterdir()) == [".being-written.npz", "0.npz"]
