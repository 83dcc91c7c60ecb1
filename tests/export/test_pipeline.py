"""The pipeline writes what was verified, or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import onnx
import pytest

from edgegan.export import pipeline, verify
from edgegan.export.passes import byte_output
from edgegan.export.pipeline import Original
from edgegan.runtime import detector
from edgegan.runtime.detector import CascadeNotFound
from edgegan.runtime.errors import UserError
from export_help import generator, original


@pytest.fixture
def output(tmp_path: Path) -> Path:
    path = tmp_path / "model.onnx"
    path.write_bytes(b"what stood there")
    return path


@pytest.fixture
def small() -> Original:
    return original(generator())


def check_nothing_was_written(output: Path) -> None:
    assert output.read_bytes() == b"what stood there"
    assert list(output.parent.iterdir()) == [output]


def test_values_that_are_others_write_nothing(small: Original, output: Path) -> None:
    other = replace(small, outputs=small.outputs + np.float32(1e-3))
    with pytest.raises(
        UserError, match=r"0\.001 apart from those of the network, expected at most"
    ):
        pipeline.export(other, output)
    check_nothing_was_written(output)


def test_bytes_that_are_others_write_nothing(
    small: Original, output: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rewrite = byte_output.rewrite
    monkeypatch.setattr(byte_output, "rewrite", lambda model, _: rewrite(model, (-1.0, 1.01)))
    with pytest.raises(UserError, match=r"\d+ bytes of the ONNX file's images are not those of"):
        pipeline.export(small, output)
    check_nothing_was_written(output)


def test_a_bound_that_cannot_be_kept_writes_nothing(small: Original, output: Path) -> None:
    with pytest.raises(UserError, match=r"from those of the network, expected at least 300 dB"):
        pipeline.export(small, output, level=3, least_decibels=300)
    check_nothing_was_written(output)


def test_faces_that_are_lost_write_nothing(
    small: Original, output: Path, monkeypatch: pytest.MonkeyPatch, cascade: Path
) -> None:
    faces = iter([24, 25])  # of the file, and in float32
    monkeypatch.setattr(verify, "FACE_SEEDS", range(1))
    monkeypatch.setattr(verify, "score_images", lambda images, detector: next(faces))
    with pytest.raises(UserError, match=r"24\.00 faces in the mean, those in float32 25\.00"):
        pipeline.export(small, output, level=3, least_decibels=25)
    check_nothing_was_written(output)


def test_without_a_cascade_faces_are_not_counted(
    small: Original,
    output: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def nowhere(_: object) -> Path:
        raise CascadeNotFound("the cascade is not here")

    monkeypatch.setattr(detector, "find_cascade", nowhere)
    exported = pipeline.export(small, output, level=3, least_decibels=25)
    assert "the cascade is not here; faces are not counted" in capsys.readouterr().err
    assert exported.faces is None
    onnx.checker.check_model(onnx.load(str(output)), full_check=True)


def test_every_pass_is_in_the_versions_or_says_why_not(small: Original, output: Path) -> None:
    exported = pipeline.export(small, output, target="web", level=1)
    assert list(exported.versions) == ["original", "fold_constants", "fold_batch_norm"]
    assert {name: exported.notes[name] for name in exported.notes.keys() - exported.versions} == {
        "matrix_product": ["from --optimize 2 on"],
        "activation_first": ["from --optimize 2 on"],
        "phase_convolutions": ["for --target cpu only"],
        "quantise_int8": ["from --optimize 3 on"],
        "compute_float16": ["for --target cuda only"],
        "store_float16": ["for --float16 only"],
        "byte_output": ["from --optimize 2 on"],
    }
