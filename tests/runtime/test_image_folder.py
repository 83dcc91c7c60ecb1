"""Single images in a folder: what is written, gone on with and refused."""

from __future__ import annotations

import json
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from edgegan.runtime.errors import UserError
from edgegan.runtime.faces import Faces
from edgegan.runtime.files import LOCK
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import read_picture
from edgegan.runtime.image_folder import write_images

MakeGenerator = Callable[..., Path]


@pytest.fixture
def generator(make_generator: MakeGenerator) -> Generator:
    return Generator.load(make_generator(), "cpu")


def edgegan(*arguments: str) -> tuple[int, str]:
    """The command's status and stderr, in a process of its own."""
    command = [sys.executable, "-m", "edgegan", *arguments]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    return ended.returncode, ended.stderr


class Zeros:
    """A generator of large black images."""

    def identity(self) -> dict[str, object]:
        return {}

    def images(self, seed: int, count: int, *, first: int = 0) -> np.ndarray:
        return np.zeros((count, 128, 128, 3), np.uint8)


def assert_holds(folder: Path, images: np.ndarray) -> None:
    """The folder has these images, its record and nothing else, hidden or not."""
    names = [f"{index:06}.png" for index in range(len(images))]
    assert sorted(path.name for path in folder.iterdir()) == [*names, "job.json"]
    for name, image in zip(names, images):
        np.testing.assert_array_equal(read_picture(folder / name), image)


def test_only_what_is_missing_or_cut_off_is_written(generator: Generator, tmp_path: Path) -> None:
    folder = tmp_path / "脸 faces"
    assert write_images(Faces(generator, 7), 70, folder) == 70
    (folder / "000003.png").unlink()
    (folder / "000004.png").write_bytes(b"")
    whole = (folder / "000069.png").read_bytes()
    (folder / "000069.png").write_bytes(whole[:-1])
    (folder / ".0123abcd-000069.png").write_bytes(whole[:9])  # of a process that was killed
    before = (folder / "000000.png").stat()
    assert write_images(Faces(generator, 7), 72, folder) == 5
    assert_holds(folder, generator.images(7, 72))
    after = (folder / "000000.png").stat()
    assert (after.st_ino, after.st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert write_images(Faces(generator, 7), 20, folder) == 0


def test_what_is_damaged_anywhere_is_written_again(generator: Generator, tmp_path: Path) -> None:
    write_images(Faces(generator, 7), 12, tmp_path)
    paths = [tmp_path / f"{number:06}.png" for number in range(12)]
    whole = [path.read_bytes() for path in paths]
    length = len(whole[0])
    random = np.random.default_rng(0)
    for path, content, place in zip(paths, whole, np.linspace(0, length, 10, dtype=int)):
        path.write_bytes(content[:place] + bytes(len(content) - place))  # zeros to the end
    middle = bytearray(whole[10])
    middle[length // 3 : length // 2] = bytes(length // 2 - length // 3)
    paths[10].write_bytes(middle)
    one_bit = bytearray(whole[11])
    one_bit[random.integers(length)] ^= 1
    paths[11].write_bytes(one_bit)
    damaged = sum(path.read_bytes() != content for path, content in zip(paths, whole))
    assert damaged >= 11
    assert write_images(Faces(generator, 7), 12, tmp_path) == damaged
    assert [path.read_bytes() for path in paths] == whole
    assert write_images(Faces(generator, 7), 12, tmp_path) == 0


def test_another_pngs_end_makes_no_whole_image(generator: Generator, tmp_path: Path) -> None:
    write_images(Faces(generator, 7), 1, tmp_path)
    path = tmp_path / "000000.png"
    whole = path.read_bytes()
    for content in (whole[:8], whole[:33], whole[:20] + whole[-12:], b"\0" * 8 + whole[8:], b""):
        path.write_bytes(content)
        assert write_images(Faces(generator, 7), 1, tmp_path) == 1
        assert path.read_bytes() == whole


def test_another_process_is_told_and_touches_nothing(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "faces"

    def images(seed: int, count: int, *, first: int = 0) -> np.ndarray:
        if first == 64:  # now the other one comes, of the same job
            leftover = folder / ".0123abcd-000064.png"
            leftover.write_bytes(b"being written")
            told.append(edgegan("generate", *options))
            assert leftover.read_bytes() == b"being written"
        return Generator.images(generator, seed, count, first=first)

    told: list[tuple[int, str]] = []
    options = ["--model", str(tmp_path / "tiny.onnx"), "--images", str(folder), "--count", "70"]
    monkeypatch.setattr(generator, "images", images)
    assert write_images(Faces(generator, 0), 70, folder) == 70
    ((status, error),) = told
    assert status == 2
    assert error.startswith(f"error: {folder} is being written by edgegan generate (process ")
    monkeypatch.undo()
    assert write_images(Faces(generator, 0), 71, folder) == 1
    assert_holds(folder, generator.images(0, 71))


def test_kill_9_at_any_moment(generator: Generator, tmp_path: Path) -> None:
    folder = tmp_path / "faces"
    options = ["--model", str(tmp_path / "tiny.onnx"), "--images", str(folder)]
    command = [sys.executable, "-m", "edgegan", "generate", *options, "--count", "100000"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while not (folder / "000070.png").exists() and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(float(np.random.default_rng().uniform(0, 0.3)))
    finally:
        process.kill()
        process.wait()
    assert (folder / LOCK).exists()
    count = len(list(folder.glob("[0-9]*.png"))) + 5
    write_images(Faces(generator, 0), count, folder)
    assert_holds(folder, generator.images(0, count))


def test_an_interrupted_job_goes_on(
    generator: Generator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "faces"

    def images(seed: int, count: int, *, first: int = 0) -> np.ndarray:
        if first >= 128:
            raise KeyboardInterrupt
        return Generator.images(generator, seed, count, first=first)

    monkeypatch.setattr(generator, "images", images)
    with pytest.raises(KeyboardInterrupt):
        write_images(Faces(generator, 0), 200, folder)
    monkeypatch.undo()
    assert_holds(folder, generator.images(0, 128))
    assert write_images(Faces(generator, 0), 200, folder) == 72
    assert_holds(folder, generator.images(0, 200))


def test_a_folder_of_another_job_is_refused(
    generator: Generator, make_generator: MakeGenerator, tmp_path: Path
) -> None:
    folder = tmp_path / "faces"
    write_images(Faces(generator, 7), 2, folder)
    expected = generator.images(7, 2)
    with pytest.raises(UserError, match=r"job\.json in it has the seed 7, expected 8: choose"):
        write_images(Faces(generator, 8), 3, folder)
    model = make_generator("other.onnx")
    model.write_bytes(model.read_bytes() + b"\x32\x00")  # an empty doc_string
    with pytest.raises(UserError, match=rf"{folder} holds .* has the models_sha256 \['"):
        write_images(Faces(Generator.load(model), 7), 3, folder)
    assert_holds(folder, expected)


def test_candidates_make_another_job(
    make_generator: MakeGenerator, make_discriminator: MakeGenerator, tmp_path: Path
) -> None:
    model, folder = make_generator(), tmp_path / "faces"
    make_discriminator()
    write_images(Faces(Generator.load(model, best_of=2), 7), 2, folder)
    assert_holds(folder, Generator.load(model, best_of=2).images(7, 2))
    with pytest.raises(UserError, match="holds the images of another job"):
        write_images(Faces(Generator.load(model, best_of=3), 7), 2, folder)
    make_discriminator(liking=-1)
    with pytest.raises(UserError, match="holds the images of another job"):
        write_images(Faces(Generator.load(model, best_of=2), 7), 2, folder)


def test_images_of_unknown_origin_are_left_alone(generator: Generator, tmp_path: Path) -> None:
    (tmp_path / "000001.png").write_bytes(b"mine")
    with pytest.raises(UserError, match=r"but no job\.json that tells their model and seed"):
        write_images(Faces(generator, 0), 2, tmp_path)
    assert [path.read_bytes() for path in tmp_path.glob("0*")] == [b"mine"]
    assert not (tmp_path / "000000.png").exists()


@pytest.mark.parametrize("content", ["", "[]", "{", "[" * 100_000])
def test_a_damaged_record_is_named(generator: Generator, tmp_path: Path, content: str) -> None:
    (tmp_path / "job.json").write_text(content)
    with pytest.raises(UserError, match=r"job\.json (is no valid JSON|holds list, expected keys)"):
        write_images(Faces(generator, 0), 2, tmp_path)


def test_the_record_names_what_decides_the_images(generator: Generator, tmp_path: Path) -> None:
    write_images(Faces(generator, 7), 1, tmp_path)
    record = json.loads((tmp_path / "job.json").read_text())
    assert record == {"seed": 7, **generator.identity()}


def test_what_cannot_be_written_is_told_and_the_rest_stays(
    generator: Generator, tmp_path: Path
) -> None:
    (tmp_path / "000070.png").mkdir()
    (tmp_path / "job.json").write_text(json.dumps({"seed": 0, **generator.identity()}))
    with pytest.raises(UserError, match=r"cannot write .*000070\.png: it is a folder"):
        write_images(Faces(generator, 0), 80, tmp_path)
    np.testing.assert_array_equal(
        read_picture(tmp_path / "000063.png"), generator.images(0, 1, first=63)[0]
    )


def test_memory_does_not_grow_with_the_count(tmp_path: Path) -> None:
    def peak(count: int) -> int:
        faces = Faces(Zeros(), 0)  # type: ignore[arg-type]
        tracemalloc.start()
        write_images(faces, count, tmp_path / str(count))
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    batch = 64 * 128 * 128 * 3
    assert peak(192) < 3 * batch
    assert peak(512) < 3 * batch
