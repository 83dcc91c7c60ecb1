"""A generator inside somebody's program: threads, forks, pickles, copies, and its end."""

from __future__ import annotations

import copy
import gc
import os
import pickle
import subprocess
import sys
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from edgegan import Generator
from edgegan.runtime.errors import UserError
from edgegan.runtime.options import LATENCY, PREFERENCES, THROUGHPUT
from export_help import METADATA

MakeGenerator = Callable[..., Path]

ROOT = Path(__file__).parents[2]
SECONDS = 60  # a hang is a failure

FORKS = """
import multiprocessing, os, signal, sys, threading
from edgegan import Generator

path, prefer = sys.argv[1:]
generator = Generator.load(path, "cpu", best_of=2, prefer=prefer, threads=2)
expected = generator.images(7, 9).tobytes()

def draw(_=None):
    return generator.images(7, 9).tobytes() == expected

def nothing():
    return True

def load_another():
    return Generator.load(path, "cpu", best_of=2, prefer="latency", threads=2) and draw()

def fork_again():
    return in_a_child(draw) and draw()

def close():
    generator.close()
    return True

def in_a_child(call):
    child = os.fork()
    if child == 0:
        signal.alarm(20)
        sys.exit(0 if call() else 1)  # as a server's worker ends, through all destructors
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0

for call in (nothing, draw, load_another, fork_again, close):
    assert in_a_child(call), call
with multiprocessing.get_context("fork").Pool(2) as pool:
    assert all(pool.map_async(draw, range(2)).get(timeout=20))

drawing = True
def go_on():
    while drawing:
        generator.images(7, 9)
thread = threading.Thread(target=go_on)
thread.start()
for _ in range(4):  # whatever locks it holds at that moment
    assert in_a_child(draw)
drawing = False
thread.join()
assert draw()
"""

SPAWN = """
import multiprocessing, operator, sys
from concurrent.futures import ProcessPoolExecutor
from edgegan import Generator

generator = Generator.load(sys.argv[1], "cpu", best_of=2)
expected = generator.images(7, 5)
with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
    images = pool.submit(operator.methodcaller("images", 7, 5), generator).result(timeout=50)
assert (images == expected).all()
"""


def run_script(script: str, *arguments: object) -> None:
    """Run a program of its own, since it forks, and ends as the interpreter ends."""
    ended = subprocess.run(
        [sys.executable, "-c", script, *map(str, arguments)],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=SECONDS,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.fixture
def path(make_generator: MakeGenerator, make_discriminator: MakeGenerator) -> Path:
    """A small generator with its discriminator beside it."""
    make_discriminator()
    return make_generator()


@pytest.mark.parametrize("prefer", PREFERENCES)
def test_threads_draw_what_one_does(
    path: Path, use_cores: Callable[[int], None], prefer: str
) -> None:
    use_cores(2)
    generator = Generator.load(path, "cpu", best_of=2, prefer=prefer)
    expected = [generator.images(seed, 25) for seed in range(80)]
    again = Generator.load(path, "cpu", best_of=2, prefer=prefer)  # the first call is contended too
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda seed: again.images(seed, 25), range(80)))
    np.testing.assert_array_equal(drawn, expected)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("prefer", PREFERENCES)
def test_a_forked_child_draws_and_ends(path: Path, prefer: str) -> None:
    run_script(FORKS, path, prefer)


def test_a_spawned_child_draws(path: Path) -> None:
    run_script(SPAWN, path)


@pytest.mark.parametrize("again", [lambda it: pickle.loads(pickle.dumps(it)), copy.deepcopy])
def test_a_pickle_and_a_copy_are_generators_of_their_own(
    path: Path, monkeypatch: pytest.MonkeyPatch, again: Callable[[Generator], Generator]
) -> None:
    monkeypatch.chdir(path.parent)
    generator = Generator.load(path.name, "cpu", best_of=2, prefer=THROUGHPUT, threads=3)
    expected = generator.images(7, 25)
    other = again(generator)
    generator.close()
    np.testing.assert_array_equal(other.images(7, 25), expected)
    assert other.identity() == generator.identity()
    assert other.provider_line == generator.provider_line
    assert other._network.workers == 3


def test_a_pickle_is_found_from_another_folder(
    path: Path, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    monkeypatch.chdir(path.parent)
    generator = Generator.load(path.name, "cpu")
    pickled = pickle.dumps(generator)
    monkeypatch.chdir(tmp_path_factory.mktemp("elsewhere"))
    np.testing.assert_array_equal(pickle.loads(pickled).images(7, 2), generator.images(7, 2))


def test_a_pickle_of_a_file_that_was_changed_is_refused(
    path: Path, make_generator: MakeGenerator
) -> None:
    pickled = pickle.dumps(Generator.load(path, "cpu"))
    assert len(pickled) < 1000  # the path, not the weights
    make_generator(metadata=replace(METADATA, images_seen=METADATA.images_seen + 1).to_strings())
    with pytest.raises(
        UserError, match=r"tiny.onnx has the SHA-256 \w{64}, expected \w{64}: it was"
    ):
        pickle.loads(pickled)


def test_what_is_known_of_a_file_is_that_of_the_one_that_was_loaded(
    path: Path, make_generator: MakeGenerator
) -> None:
    generator = Generator.load(path, "cpu")
    before = generator.identity()
    path.write_bytes(b"another")
    assert generator.identity() == before
    path.unlink()
    assert generator.images(7, 2).shape == (2, 16, 16, 3)


@pytest.mark.parametrize("prefer", PREFERENCES)
def test_what_is_closed_draws_no_more(path: Path, prefer: str) -> None:
    before = set(threading.enumerate())
    with Generator.load(path, "cpu", prefer=prefer, threads=2) as generator:
        latents = generator.latents(7, 2)
        generator.images(7, 25)
    assert set(threading.enumerate()) <= before  # an earlier test's may end meanwhile
    generator.close()
    for use in (
        lambda: generator.images(7, 1),
        lambda: generator.images(7, 25),
        lambda: generator.images(7, 0),
        lambda: generator.images_of(latents),
        lambda: pickle.dumps(generator),
        lambda: copy.deepcopy(generator),
    ):
        with pytest.raises(RuntimeError, match=r"tiny\.onnx was closed: load it again"):
            use()


@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="nothing counts threads here")
def test_closing_ends_the_threads_of_onnxruntime_too(path: Path) -> None:
    def threads() -> set[str]:
        return {task.name for task in Path("/proc/self/task").iterdir()}

    before = threads()
    generator = Generator.load(path, "cpu", best_of=2, prefer=LATENCY, threads=4)
    generator.images(7, 25)
    its_own = threads() - before
    assert len(its_own) == 2 * 3  # the discriminator has as many; the fourth is the caller
    generator.close()
    ends = time.monotonic() + 10  # the system takes a moment to forget them
    while its_own & threads() and time.monotonic() < ends:
        time.sleep(0.01)
    assert not its_own & threads()


def test_closing_lets_what_is_being_drawn_end(path: Path) -> None:
    generator = Generator.load(path, "cpu", threads=2)
    expected = generator.images(7, 64)
    session = generator._network._session
    run, begun = session.run, threading.Event()

    def slow(names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        begun.set()
        time.sleep(0.1)
        return run(names, feeds)

    session.run = slow
    with ThreadPoolExecutor(1) as pool:
        drawn = pool.submit(generator.images, 7, 64)
        begun.wait(timeout=10)
        generator.close()
        np.testing.assert_array_equal(drawn.result(timeout=10), expected)


def test_a_generator_that_nobody_holds_takes_its_threads_along(path: Path) -> None:
    before = set(threading.enumerate())
    generator = Generator.load(path, "cpu", threads=3)
    generator.images(7, 25)
    its_own = set(threading.enumerate()) - before  # others of earlier tests may end meanwhile
    assert its_own
    gone = weakref.ref(generator)
    del generator
    gc.collect()
    assert gone() is None
    for thread in its_own:
        thread.join(timeout=10)
        assert not thread.is_alive()


@pytest.mark.parametrize(("prefer", "workers", "of_each"), [(THROUGHPUT, 3, 1), (LATENCY, 1, 3)])
def test_threads_says_how_many_cores_it_uses(
    path: Path, prefer: str, workers: int, of_each: int
) -> None:
    generator = Generator.load(path, "cpu", prefer=prefer, threads=3)
    assert generator._network.workers == workers
    options = generator._network._session.get_session_options()
    assert options.intra_op_num_threads == of_each
    np.testing.assert_array_equal(
        generator.images(7, 25), Generator.load(path, "cpu", threads=1).images(7, 25)
    )
