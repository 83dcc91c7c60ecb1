from __future__ import annotations

import errno
import fcntl
import os
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import (
    LOCK,
    atomic_write,
    cache_directory,
    locked,
    make_folder,
    path_in_environment,
    read_bytes,
    read_json,
    remove_leftovers,
    temporary_folder,
    write_bytes,
)


def disk_full(*_):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_file_is_written_where_no_folder_was(tmp_path):
    path = tmp_path / "脸 faces" / "a b" / "grid.png"
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"
    assert [entry.name for entry in path.parent.iterdir()] == ["grid.png"]


def test_the_temporary_file_lies_beside_its_place_and_ends_alike(tmp_path):
    path = tmp_path / "weights.npz"
    with atomic_write(path) as temporary:
        assert temporary.parent == path.parent
        assert temporary.suffix == ".npz"
        temporary.write_bytes(b"x")
        assert not path.exists()
    assert path.read_bytes() == b"x"


def test_the_file_before_stays_whole_while_the_next_is_written(tmp_path):
    path = tmp_path / "checkpoint"
    path.write_bytes(b"old")
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"new")
        assert path.read_bytes() == b"old"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("stage", ["write", "fsync", "replace"])
def test_a_full_disk_leaves_the_file_before_whole(tmp_path, monkeypatch, stage):
    path = tmp_path / "checkpoint"
    path.write_bytes(b"old")
    if stage == "write":
        monkeypatch.setattr(Path, "write_bytes", disk_full)
    else:
        monkeypatch.setattr(os, stage, disk_full)
    with pytest.raises(UserError, match=rf"cannot write {path}: No space left on device"):
        write_bytes(path, b"new")
    monkeypatch.undo()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_nothing_waits_for_the_disk_without_flush(tmp_path, monkeypatch):
    path = tmp_path / "000000.png"
    monkeypatch.setattr(os, "fsync", disk_full)
    write_bytes(path, b"new", flush=False)
    assert path.read_bytes() == b"new"
    with pytest.raises(UserError, match="No space left"):
        write_bytes(path, b"newer")


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_any_failure_leaves_the_file_before_whole_and_nothing_else(tmp_path, error):
    path = tmp_path / "checkpoint"
    path.write_bytes(b"old")

    def fail():
        with atomic_write(path) as temporary:
            temporary.write_bytes(b"half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_is_not_written_over(tmp_path):
    with pytest.raises(UserError, match=f"cannot write {tmp_path}: it is a folder"):
        write_bytes(tmp_path, b"x")
    with pytest.raises(UserError, match="cannot write /: it is a folder"):
        write_bytes("/", b"x")


def test_a_device_is_not_replaced(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)
    with pytest.raises(UserError, match="it is no regular file"):
        write_bytes(path, b"x")
    assert path.is_fifo()


def test_a_file_in_the_place_of_a_folder_is_an_error(tmp_path):
    (tmp_path / "file").write_bytes(b"old")
    for path in (tmp_path / "file" / "grid.png", tmp_path / "file" / "deeper" / "grid.png"):
        with pytest.raises(UserError, match=r"cannot make the folder .*: a file is in its place"):
            write_bytes(path, b"x")
    with pytest.raises(UserError, match="a file is in its place"):
        make_folder(tmp_path / "file")


def test_a_link_is_followed_and_not_replaced(tmp_path):
    target, link = tmp_path / "target", tmp_path / "link"
    target.write_bytes(b"old")
    link.symlink_to(target)
    write_bytes(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664])
def test_a_file_that_is_overwritten_keeps_its_mode(tmp_path, mode):
    path = tmp_path / "checkpoint"
    path.write_bytes(b"old")
    path.chmod(mode)
    with atomic_write(path) as temporary:
        temporary.write_bytes(b"new")
        assert stat.S_IMODE(temporary.stat().st_mode) & ~0o600 == 0  # nobody else may read it yet
    assert path.read_bytes() == b"new"
    assert stat.S_IMODE(path.stat().st_mode) == mode


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root may give")
def test_a_file_that_is_overwritten_keeps_its_owner(tmp_path):
    path = tmp_path / "checkpoint"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    write_bytes(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


def test_an_owner_that_may_not_be_given_costs_nothing(tmp_path, monkeypatch):
    def not_permitted(*_):
        raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))

    path = tmp_path / "checkpoint"
    path.write_bytes(b"old")
    monkeypatch.setattr(os, "chown", not_permitted)
    write_bytes(path, b"new")
    assert path.read_bytes() == b"new"


def test_a_new_file_follows_the_umask(tmp_path):
    before = os.umask(0o027)
    try:
        write_bytes(tmp_path / "new", b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640


@pytest.mark.parametrize("name", ["x" * 251 + ".npz", "脸" * 83 + ".png"], ids=["ASCII", "脸"])
def test_a_name_as_long_as_they_go_is_written(tmp_path, name):
    path = tmp_path / name
    write_bytes(path, b"new")
    with atomic_write(path) as temporary:
        assert temporary.suffix == path.suffix
        temporary.write_bytes(b"newer")
        killed = temporary.with_name(temporary.name)
        shutil.copy(temporary, tmp_path / "copy")
    assert path.read_bytes() == b"newer"
    (tmp_path / "copy").rename(killed)  # as a process that was killed leaves it
    remove_leftovers(path)
    assert list(tmp_path.iterdir()) == [path]


def test_a_name_that_is_too_long_is_told(tmp_path):
    with pytest.raises(UserError, match=r"cannot write .*: File name too long"):
        write_bytes(tmp_path / ("x" * 300), b"x")


def test_links_in_a_circle_are_told(tmp_path):
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(UserError, match=r"cannot write .*/one: Too many levels"):
        write_bytes(tmp_path / "one", b"x")


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(UserError, match=f"cannot read {tmp_path}/none: No such file"):
        read_bytes(tmp_path / "none")


def test_the_cache_can_be_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path))
    assert cache_directory() == tmp_path
    monkeypatch.delenv("EDGEGAN_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert "edgegan" in cache_directory().parts


# Locks

HOLDER = """
import sys, time
from pathlib import Path
from edgegan.runtime.files import locked
with locked(Path(sys.argv[1]), "edgegan fit"):
    print("held", flush=True)
    time.sleep(60)
"""


@contextmanager
def another_writer(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """A process of its own that holds the lock of a folder until it is killed."""
    command = [sys.executable, "-c", HOLDER, str(folder)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def assert_can_be_locked(folder: Path) -> None:
    with locked(folder, "test"):
        (folder / "result").write_text("x")
    assert [path.name for path in folder.iterdir()] == ["result"]


def test_a_folder_has_one_writer_and_a_kill_lets_the_next_one_in(tmp_path):
    folder = tmp_path / "new" / "run"
    with another_writer(folder) as process:
        sentence = (
            rf"{folder} is being written by edgegan fit \(process {process.pid} on .*, since "
        )
        for _ in range(2):  # being refused releases nothing
            with pytest.raises(UserError, match=sentence), locked(folder, "edgegan judge"):
                raise AssertionError("two writers")
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
    assert_can_be_locked(folder)


def test_a_second_writer_in_the_same_process_is_refused_too(tmp_path):
    def twice():
        with locked(tmp_path, "one"), locked(tmp_path, "other"):
            pass

    with pytest.raises(UserError, match=r"is being written by one \("):
        twice()
    assert_can_be_locked(tmp_path)


def test_a_folder_that_was_made_for_nothing_is_gone(tmp_path):
    def fail():
        with locked(tmp_path / "new" / "run", "test"):
            raise UserError("a typing error")

    with pytest.raises(UserError, match="a typing error"):
        fail()
    assert not list(tmp_path.iterdir())
    (tmp_path / "mine").mkdir()
    with locked(tmp_path / "mine", "test"):
        pass
    assert (tmp_path / "mine").is_dir()


@pytest.mark.parametrize(
    "left", [b"", b"edgegan fit (process 1 on x, since 1970)\n", b"\xff\x00" * 999]
)
def test_a_dead_lock_holds_nobody(tmp_path, left):
    (tmp_path / LOCK).write_bytes(left)
    assert_can_be_locked(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS])
def test_a_file_system_without_locks_is_written_to(tmp_path, monkeypatch, number):
    def no_locks(*_):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", no_locks)
    assert_can_be_locked(tmp_path)


def test_a_link_in_the_place_of_the_lock_is_not_written_through(tmp_path):
    precious = tmp_path / "precious"
    precious.write_text("mine")
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / LOCK).symlink_to(precious)
    with pytest.raises(UserError, match=f"cannot write .*{LOCK}"):
        assert_can_be_locked(tmp_path / "run")
    assert precious.read_text() == "mine"


def test_of_many_writers_one_at_a_time_is_in(tmp_path):
    """Each adds one to a number, in several steps, as often as it gets in."""
    count = tmp_path / "count"
    count.write_text("0")
    folder = tmp_path / "run"

    def work(number: int) -> int:
        entered = 0
        for _ in range(200):
            with suppress(UserError), locked(folder, str(number)):
                before = int(count.read_text())
                time.sleep(0)
                count.write_text(str(before + 1))
                entered += 1
        return entered

    with ThreadPoolExecutor(8) as pool:
        entered = sum(pool.map(work, range(8)))
    assert entered == int(count.read_text()) > 0
    assert not list(tmp_path.rglob(LOCK))


def test_a_pipe_a_device_or_a_socket_is_not_read(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(os.path.relpath(tmp_path / "socket"))  # its name may have 107 bytes
        for path in (tmp_path / "pipe", tmp_path / "socket", Path("/dev/null")):
            with pytest.raises(UserError, match=f"cannot read {path}: it is no regular file"):
                read_bytes(path)


def test_a_failure_at_another_file_is_not_blamed_on_the_one_that_is_written(tmp_path):
    path = tmp_path / "packed"
    with pytest.raises(FileNotFoundError) as failed, atomic_write(path) as temporary:
        temporary.write_bytes((tmp_path / "source").read_bytes())
    assert failed.value.filename == str(tmp_path / "source")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_takes_no_file_is_told_before_anything_is_computed(tmp_path, monkeypatch):
    def refuse(path, *_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(os, "open", refuse)
    computed = []
    with (
        pytest.raises(UserError, match=f"cannot write {tmp_path}/output: Permission denied"),
        atomic_write(tmp_path / "output"),
    ):
        computed.append("anything")
    assert not computed


def test_what_the_temporary_folder_has_no_room_for_is_blamed_on_it(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with temporary_folder() as folder:
        (folder / "file").write_bytes(b"x")
        assert folder.parent == tmp_path
    assert list(tmp_path.iterdir()) == []
    sentence = f"cannot write to the temporary folder {tmp_path}: No space left on device"

    def verify_what_is_written():
        with atomic_write(tmp_path / "output"), temporary_folder():
            disk_full()

    with pytest.raises(UserError, match=sentence):
        verify_what_is_written()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))
    with pytest.raises(UserError, match=r"none: No such file"), temporary_folder():
        pass


def test_a_variable_may_name_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("EDGEGAN_CACHE", "~/x")
    assert cache_directory() == tmp_path / "x"
    for value in ("", "~nobody-of-that-name/x"):
        monkeypatch.setenv("EDGEGAN_CASCADE", value)
        if value:
            with pytest.raises(UserError, match="EDGEGAN_CASCADE is '~nobody-of-that-name/x'"):
                path_in_environment("EDGEGAN_CASCADE")
        else:
            assert path_in_environment("EDGEGAN_CASCADE") is None


def test_no_folder_is_called_a_home_that_is_unknown(monkeypatch):
    for variable in ("EDGEGAN_CACHE", "XDG_CACHE_HOME", "HOME"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(os.path, "expanduser", lambda path: path)  # as for a user without a name
    with pytest.raises(UserError, match="no home folder for the cache: name a folder in"):
        cache_directory()


@pytest.fixture
def eight_cores(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("limit", "cores"),
    [
        ("max 100000", 8),
        ("200000 100000", 2),
        ("150000 100000", 2),
        ("10000 100000", 1),
        ("1600000 100000", 8),
        ("nonsense", 8),
    ],
)
def test_cores_within_the_limit_of_a_container(tmp_path, limit, cores):
    (tmp_path / "cpu.max").write_text(f"{limit}\n")
    assert available_cores(tmp_path) == cores


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("quota", "cores"), [(-1, 8), (300000, 3), (50000, 1)])
def test_cores_within_the_older_limit_of_a_container(tmp_path, quota, cores):
    (tmp_path / "cpu").mkdir()
    (tmp_path / "cpu" / "cpu.cfs_quota_us").write_text(f"{quota}\n")
    (tmp_path / "cpu" / "cpu.cfs_period_us").write_text("100000\n")
    assert available_cores(tmp_path) == cores


def test_cores_without_a_container(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1, 4, 5}, raising=False)
    assert available_cores(tmp_path) == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert available_cores(tmp_path) == 1


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ("{", "is no valid JSON"),
        ("[" * 100_000, "is no valid JSON"),
        ('{"a": ' * 100_000, "is no valid JSON"),
        ('{"a": "\\ud8"}', "is no valid JSON"),
        ("[]", "holds list, expected keys and values"),
        ("NaN", "holds float, expected keys and values"),
    ],
)
def test_json_that_is_none_is_named(tmp_path, content, sentence):
    path = tmp_path / "record.json"
    path.write_text(content)
    with pytest.raises(UserError, match=rf"record\.json {sentence}") as caught:
        read_json(path)
    assert len(str(caught.value)) < len(str(path)) + 150
    path.write_text('{"seed": 7}')
    assert read_json(path) == {"seed": 7}
