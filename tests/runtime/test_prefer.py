"""Throughput or latency: how the cores share the work, and that no byte depends on it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import edgegan.runtime.network
import edgegan.runtime.session
from edgegan.export.passes import byte_output
from edgegan.runtime.errors import UserError
from edgegan.runtime.faces import Faces
from edgegan.runtime.generate import main
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import read_picture
from edgegan.runtime.image_folder import write_images
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.options import LATENCY, PREFERENCES, THROUGHPUT
from export_help import METADATA, choose
from export_help import generator as float_network

MOST = 150
WAYS = [(cores, prefer) for cores in (1, 2, 3, 5) for prefer in PREFERENCES]


@pytest.fixture(scope="module")
def int8_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A generator in 8-bit integers that gives bytes, as an export of level 3 does."""
    model = byte_output.rewrite(choose(float_network(), 25).model, METADATA.value_range)
    onnx.helper.set_model_props(model, METADATA.to_strings())
    path = tmp_path_factory.mktemp("int8") / "int8.onnx"
    onnx.save(model, str(path))
    return path


@pytest.fixture(scope="module")
def one_by_one(int8_file: Path) -> np.ndarray:
    """The first images of seed 7 as onnxruntime gives them, each alone and on one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        str(int8_file), options, providers=["CPUExecutionProvider"]
    )
    latents = draw_latents(7, MOST, METADATA.latent_size, "normal")
    return np.concatenate([session.run(None, {"latent": row[None]})[0] for row in latents])


@pytest.fixture(scope="module")
def generators(int8_file: Path) -> dict[tuple[int, str], Generator]:
    """The generator, opened for every number of cores and preference."""
    opened = {}
    with pytest.MonkeyPatch.context() as patch:
        for cores, prefer in WAYS:
            for module in (edgegan.runtime.network, edgegan.runtime.session):
                patch.setattr(module, "available_cores", lambda cores=cores: cores)
            opened[cores, prefer] = Generator.load(int8_file, "cpu", prefer=prefer)
    return opened


@settings(max_examples=60, deadline=None)
@given(
    way=st.sampled_from(WAYS),
    first=st.integers(0, MOST),
    count=st.integers(0, MOST),
    batch=st.sampled_from([1, 3, 16, 64]),
)
def test_no_byte_depends_on_cores_preference_batch_or_place(
    generators: dict[tuple[int, str], Generator],
    one_by_one: np.ndarray,
    way: tuple[int, str],
    first: int,
    count: int,
    batch: int,
) -> None:
    expected = one_by_one[first : first + count]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("edgegan.runtime.generator.BATCH", batch)
        patch.setattr("edgegan.runtime.network.BATCH", batch)
        images = generators[way].images(7, len(expected), first=first)
        np.testing.assert_array_equal(images, expected)
        latents = generators[way].latents(7, len(expected), first=first)
        np.testing.assert_array_equal(generators[way].images_of(latents), expected)


@pytest.mark.parametrize(
    ("cores", "prefer", "count", "shapes"),
    [
        (2, THROUGHPUT, 25, [12, 13]),
        (2, THROUGHPUT, 64, [32, 32]),
        (2, THROUGHPUT, 70, [16, 18, 18, 18]),
        (3, THROUGHPUT, 64, [9, 11, 11, 11, 11, 11]),
        (12, THROUGHPUT, 64, [1, *[3] * 21]),
        (16, THROUGHPUT, 3, [1, 1, 1]),
        (100, THROUGHPUT, 100, [1] * 100),
        (2, LATENCY, 25, [25]),
        (2, LATENCY, 128, [64, 64]),
    ],
)
def test_all_workers_get_equal_shares_of_no_more_than_a_batch(
    make_generator: Callable[..., Path],
    use_cores: Callable[[int], None],
    cores: int,
    prefer: str,
    count: int,
    shapes: list[int],
) -> None:
    use_cores(cores)
    generator = Generator.load(make_generator(), "cpu", prefer=prefer)
    session = generator._network._session
    assert session.get_session_options().intra_op_num_threads == (
        1 if prefer == THROUGHPUT else cores
    )
    seen, run, lock = [], session.run, threading.Lock()

    def watched(names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        with lock:
            seen.append(len(feeds["latent"]))
        return run(names, feeds)

    session.run = watched
    generator.images(0, count)
    assert sorted(seen) == shapes


def test_batches_are_computed_at_the_same_time(
    make_generator: Callable[..., Path], use_cores: Callable[[int], None]
) -> None:
    use_cores(3)
    generator = Generator.load(make_generator(), "cpu", prefer=THROUGHPUT)
    session = generator._network._session
    run, together = session.run, threading.Barrier(3)

    def waiting(names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        together.wait(timeout=10)  # breaks unless three come
        return run(names, feeds)

    session.run = waiting
    assert generator.images(0, 3).shape == (3, 16, 16, 3)


def test_what_fails_in_a_worker_is_raised(
    make_generator: Callable[..., Path], use_cores: Callable[[int], None]
) -> None:
    use_cores(2)
    generator = Generator.load(make_generator(), "cpu", prefer=THROUGHPUT)

    def fail(names: None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        raise MemoryError("no room")

    generator._network._session.run = fail
    with pytest.raises(MemoryError, match="no room"):
        generator.images(0, 25)


def test_a_folder_has_the_same_files_either_way(
    int8_file: Path, use_cores: Callable[[int], None], tmp_path: Path
) -> None:
    use_cores(2)
    for prefer in PREFERENCES:
        generator = Generator.load(int8_file, "cpu", prefer=prefer)
        write_images(Faces(generator, 7), 70, tmp_path / prefer)
    first, second = (
        {path.name: path.read_bytes() for path in (tmp_path / prefer).iterdir()}
        for prefer in PREFERENCES
    )
    assert first == second
    assert len(first) == 71


def test_the_option_is_passed_on_and_checked(
    make_generator: Callable[..., Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    asked = []
    load = Generator.load

    def watched(model: str, provider: str, best_of: int, prefer: str) -> Generator:
        asked.append(prefer)
        return load(model, provider, best_of, prefer)

    monkeypatch.setattr(Generator, "load", watched)
    command = ["--model", str(make_generator()), "--output", str(tmp_path / "grid.png")]
    for arguments in ([], ["--prefer", LATENCY]):
        assert main([*command, *arguments]) == 0
        assert read_picture(tmp_path / "grid.png").shape == (480, 640, 3)
    assert asked == [THROUGHPUT, LATENCY]
    with pytest.raises(UserError, match="--prefer 'speed' is unknown"):
        main([*command, "--prefer", "speed"])
    with pytest.raises(ValueError, match="prefer 'speed' is unknown"):
        load(make_generator(), prefer="speed")
