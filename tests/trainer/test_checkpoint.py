"""Checkpoints: whole or not at all, and what is no checkpoint."""

from __future__ import annotations

import errno
import gc
import io
import json
import os
import resource
import sys
import zipfile
from pathlib import Path

import mxnet as mx
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.trainer import checkpoint
from edgegan.trainer.checkpoint import Checkpoint, load, part_of
from edgegan.trainer.loop import Training
from training_help import random_batches, tiny_recipe

FACTS = {"step": 2, "seed": 0, "pictures": 7, "best_faces": -1.0, "minutes": 0.1}


@pytest.fixture(scope="module")
def made() -> Checkpoint:
    training = Training(tiny_recipe("dcgan"), 0, mx.cpu(), pictures=100)
    batches = random_batches(training.recipe)
    training.step(batches)
    training.step(batches)
    return Checkpoint(training.recipe, FACTS, training.state())


@pytest.fixture(scope="module")
def content(made: Checkpoint, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("content") / "whole.npz"
    made.save(path)
    return path.read_bytes()


def assert_same(one: Checkpoint, other: Checkpoint) -> None:
    assert one.recipe == other.recipe
    assert one.facts == other.facts
    assert one.arrays.keys() == other.arrays.keys()
    for name, array in one.arrays.items():
        assert array.dtype == other.arrays[name].dtype
        np.testing.assert_array_equal(array, other.arrays[name])


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


def test_a_checkpoint_from_before_a_key_has_what_its_run_did(tmp_path: Path) -> None:
    """Its discriminator has the layer of its time, and so goes on and is started from."""
    older = tiny_recipe(
        "minibatch", "discriminator.weight_norm=false", "held_out=0", "validation=0"
    )
    training = Training(older, 0, mx.cpu(), pictures=100)
    path = tmp_path / "last.npz"
    Checkpoint(older, FACTS, training.state()).save(path)
    with np.load(path) as archive:
        arrays = dict(archive)
    header = json.loads(str(arrays["header"]))
    for key in ("held_out", "validation"):
        del header["recipe"][key]
    del header["recipe"]["discriminator"]["weight_norm"]
    np.savez(path, **{**arrays, "header": np.array(json.dumps(header))})
    loaded = load(path)
    assert loaded.recipe == older
    Training(loaded.recipe, 0, mx.cpu(), pictures=100).set_state(2, loaded.arrays)
    assert tiny_recipe("minibatch").discriminator.architecture.weight_norm


def test_what_is_saved_is_loaded(made: Checkpoint, tmp_path: Path) -> None:
    made.save(tmp_path / "new folder" / "last.npz")
    assert_same(load(tmp_path / "new folder" / "last.npz"), made)
    assert names_in(tmp_path / "new folder") == ["last.npz"]


def test_the_file_is_numpys_own(made: Checkpoint, tmp_path: Path) -> None:
    """Anybody can read it with np.load; and what np.savez wrote can be loaded."""
    made.save(tmp_path / "a.npz")
    with np.load(tmp_path / "a.npz", allow_pickle=False) as archive:
        assert set(archive.files) == {"header", *made.arrays}
        np.savez(tmp_path / "b.npz", **archive)
    assert_same(load(tmp_path / "b.npz"), made)


def test_a_truncated_file_is_told(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "truncated.npz"
    for length in (0, 1, 30, 100, len(content) // 2, len(content) - 100, len(content) - 1):
        path.write_bytes(content[:length])
        with pytest.raises(UserError, match=r"truncated\.npz is truncated or no checkpoint"):
            load(path)


@settings(deadline=None, max_examples=60)
@given(st.data())
def test_a_damaged_file_is_told_or_loads(
    content: bytes, tmp_path_factory: pytest.TempPathFactory, damage: st.DataObject
) -> None:
    damaged = bytearray(content)
    for _ in range(3):
        damaged[damage.draw(st.integers(0, len(content) - 1))] = damage.draw(st.integers(0, 255))
    path = tmp_path_factory.mktemp("damaged") / "last.npz"
    path.write_bytes(bytes(damaged))
    told = ""
    try:
        loaded = load(path)
    except UserError as error:
        told = str(error)
    assert str(path) in told or isinstance(loaded, Checkpoint)


def test_foreign_files_are_told(tmp_path: Path) -> None:
    path = tmp_path / "foreign.npz"
    header = {"format_version": 1, "recipe": {}, "facts": {}}

    def expect(sentence: str) -> None:
        with pytest.raises(UserError, match=sentence) as told:
            load(path)
        assert "foreign.npz" in str(told.value)

    np.savez(path, weights=np.zeros(3))
    expect("no checkpoint")
    np.savez(path, header=np.array(["object", None], dtype=object))
    expect("no checkpoint")
    np.savez(path, header=np.array("[1, 2]"))
    expect("no checkpoint")
    np.savez(path, header=np.array("no json"))
    expect("no checkpoint")
    np.savez(path, header=np.array(json.dumps({**header, "format_version": 99})))
    expect("format version 99, expected 1")
    np.savez(path, header=np.array(json.dumps(header)))
    expect("name is missing, expected text")
    for part in ("recipe", "facts"):
        np.savez(path, header=np.array(json.dumps({**header, part: [1]})))
        expect("no checkpoint")
    with path.open("wb") as file:
        np.save(file, np.zeros(3))
    expect("no checkpoint")
    path.write_text("text")
    expect("no checkpoint")
    path.unlink()
    expect("no such checkpoint")
    path.mkdir()
    expect("no such checkpoint")


HEADER_ARRAY = np.array(json.dumps({"format_version": 1, "recipe": {}, "facts": {}}))


def member(array: np.ndarray) -> bytes:
    stored = io.BytesIO()
    np.lib.format.write_array(stored, array, allow_pickle=False)
    return stored.getvalue()


def claiming(description: str, shape: tuple[int, ...], data: bytes) -> bytes:
    """A member of numpy's format that says what it holds, whatever it does hold."""
    stored = io.BytesIO()
    numpys = {"descr": description, "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stored, numpys)
    return stored.getvalue() + data


@pytest.mark.parametrize(
    ("name", "stored", "sentence"),
    [
        ("ema/w", claiming("<f4", (2**40,), b"few"), "truncated or no checkpoint|more than there"),
        ("ema/w", claiming("<f4", (2**33,), b"few"), "truncated or no checkpoint|more than there"),
        ("ema/w", claiming("<f4", (-5,), b"few"), "truncated or no checkpoint"),
        ("ema/w", claiming("|O", (1,), b"cos\nsystem\n."), "truncated or no checkpoint"),
        ("header", claiming("|O", (1,), b"cos\nsystem\n."), "truncated or no checkpoint"),
        (
            "header",
            claiming("<U400000000", (), b"few"),
            "truncated or no checkpoint|more than there",
        ),
        ("header", member(np.array("[" * 100_000)), "truncated or no checkpoint"),
        ("header", b"\x93NUMPY\2\0" + (10**5).to_bytes(4, "little") + b"(" * 10**5, "truncated"),
    ],
)
def test_what_a_checkpoint_cannot_do(
    name: str, stored: bytes, sentence: str, tmp_path: Path
) -> None:
    """Neither run what is pickled in it nor take memory that it does not fill."""
    path = tmp_path / "bad.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for key, array in {"header": member(HEADER_ARRAY), name: stored}.items():
            archive.writestr(f"{key}.npy", array)
    with pytest.raises(UserError, match=rf"bad\.npz .*({sentence})"):
        load(path)


def test_a_checkpoint_that_unpacks_to_more_than_it_has_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "bomb.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("header.npy", member(HEADER_ARRAY))
        archive.writestr("ema/w.npy", member(np.zeros(10**6)))
    with pytest.raises(UserError, match=r"bomb\.npz unpacks to 8,000,\d+ bytes, expected at most"):
        load(path)


def test_names_of_members_are_no_places(made: Checkpoint, tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    folder.mkdir(parents=True)
    Checkpoint(made.recipe, FACTS, {"../../evil": np.zeros(3)}).save(folder / "dots.npz")
    assert load(folder / "dots.npz").arrays["../../evil"].shape == (3,)
    assert [path.name for path in tmp_path.rglob("*")] == ["a", "b", "dots.npz"]


def test_what_the_moment_refuses_is_no_damage(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.npz"
    path.write_bytes(content)
    for refusal, sentence in (
        (PermissionError(errno.EACCES, "Permission denied", str(path)), f"read {path}: Permission"),
        (OSError(errno.EIO, "Input/output error"), f"cannot read {path}: Input/output error"),
        (MemoryError("Unable to allocate 9 GiB"), "more than there is memory for: Unable to"),
    ):

        def refuse(*_: object, error: BaseException = refusal, **__: object) -> None:
            raise error

        monkeypatch.setattr(np, "load", refuse)
        with pytest.raises(UserError, match=sentence) as told:
            load(path)
        assert "truncated" not in str(told.value)


def test_another_networks_arrays_are_refused(made: Checkpoint) -> None:
    for other in ("generator.width=8", "image_size=16", "latent.size=7"):
        training = Training(tiny_recipe("dcgan", other), 0, mx.cpu(), pictures=100)
        with pytest.raises(UserError, match="of another network"):
            training.set_state(2, made.arrays)
    training = Training(made.recipe, 0, mx.cpu(), pictures=100)
    lacking = {name: array for name, array in made.arrays.items() if "to_image" not in name}
    with pytest.raises(UserError, match=r"of another network: .*to_image"):
        training.set_state(2, lacking)


def test_part_of() -> None:
    arrays = {"a/x": np.zeros(1), "a/y/z": np.ones(1), "ab/x": np.ones(2)}
    assert part_of(arrays, "a").keys() == {"x", "y/z"}


@pytest.mark.parametrize("share", [0.0, 0.1, 0.5, 0.9, 0.999])
def test_a_disk_that_fills_up_leaves_the_checkpoint_before(
    made: Checkpoint,
    content: bytes,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    share: float,
) -> None:
    path = tmp_path / "last.npz"
    made.save(path)
    noise: list[object] = []  # what Python would print of errors in destructors
    monkeypatch.setattr(sys, "unraisablehook", noise.append)
    newer = Checkpoint(made.recipe, {**FACTS, "step": 3}, made.arrays)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(share * len(content)), before[1]))
    try:
        with pytest.raises(UserError, match=r"cannot write .*last\.npz: File too large"):
            newer.save(path)
        gc.collect()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert noise == []
    assert names_in(tmp_path) == ["last.npz"]
    assert_same(load(path), made)
    newer.save(path)
    assert_same(load(path), newer)


def test_no_space_left_is_told_as_such(
    made: Checkpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "last.npz"
    made.save(path)

    def full(*arguments: object, **options: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(checkpoint.np.lib.format, "write_array", full)
    with pytest.raises(UserError, match=r"cannot write .*last\.npz: No space left on device"):
        made.save(path)
    monkeypatch.undo()
    assert_same(load(path), made)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("step", "2"),
        ("step", -1),
        ("step", True),
        ("seed", 2**63),
        ("images_seen", 1.5),
        ("minutes", float("nan")),
        ("minutes", None),
        ("minutes", 10**400),
        ("best_faces", True),
        ("best_faces", "many"),
        ("pictures_digest", 7),
        ("teacher", "a text"),
        ("stages", [{"recipe": {}, "seed": 0, "step": 1}]),
        ("stages", [{"recipe": [], "seed": 0, "step": 1, "images_seen": 4}]),
        ("stages", [{"recipe": {}, "seed": 0, "step": None, "images_seen": 4}]),
    ],
)
def test_a_fact_of_another_kind_is_named(
    made: Checkpoint, tmp_path: Path, name: str, value: object
) -> None:
    path = tmp_path / "odd.npz"
    Checkpoint(made.recipe, {**FACTS, name: value}, made.arrays).save(path)
    with pytest.raises(UserError, match=f"odd.npz is no checkpoint of this trainer: its {name} is"):
        load(path)


def test_a_fact_that_is_not_there_is_named_when_it_is_asked_for(
    made: Checkpoint, tmp_path: Path
) -> None:
    path = tmp_path / "short.npz"
    made.save(path)
    facts = load(path).facts
    assert facts.get("total_steps") is None
    with pytest.raises(
        UserError, match=r"short.npz is no checkpoint of such a run: .* total_steps"
    ):
        facts["total_steps"]
