"""What an ONNX file says of the pictures that its generator was trained on."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.runtime.metadata import FORMAT_VERSION, ModelMetadata, TrainingPictures
from export_help import METADATA

PICTURES = TrainingPictures("0f" * 32, 2, 0.1, 0.05, 96)
STRINGS = {
    "edgegan.pictures_digest": "0f" * 32,
    "edgegan.pictures_split": "2",
    "edgegan.pictures_held_out": "0.1",
    "edgegan.pictures_validation": "0.05",
    "edgegan.pictures_crop_from": "96",
}
SHARES = st.floats(0, 1, exclude_max=True)


def test_a_file_says_what_it_was_trained_on() -> None:
    strings = replace(METADATA, pictures=PICTURES).to_strings()
    assert {key: strings[key] for key in STRINGS} == STRINGS
    assert strings.keys() - STRINGS.keys() == METADATA.to_strings().keys()
    assert ModelMetadata.from_strings(strings, "a.onnx").pictures == PICTURES


def test_older_files_say_nothing_and_are_read() -> None:
    """Nor does the format rise: an older version reads what a newer one wrote."""
    assert ModelMetadata.from_strings(METADATA.to_strings(), "a.onnx").pictures is None
    assert FORMAT_VERSION == 1


@given(SHARES, SHARES, st.none() | st.integers(1, 9999), st.none() | st.just("ab" * 32))
def test_all_that_is_written_is_read(
    held_out: float, validation: float, crop_from: int | None, digest: str | None
) -> None:
    pictures = TrainingPictures(digest, 2, held_out, validation, crop_from)
    assert TrainingPictures.from_strings(pictures.to_strings(), "a.onnx") == pictures


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("digest", "0f"),
        ("digest", "0F" * 32),
        ("split", "0"),
        ("split", "9" * 5000),
        ("held_out", "1.0"),
        ("held_out", "-0.1"),
        ("held_out", "nan"),
        ("validation", "1" + "0" * 5000),
        ("validation", "\u0660.1"),
        ("crop_from", "10000"),
        ("crop_from", ""),
    ],
)
def test_what_is_malformed_is_said(key: str, value: str) -> None:
    strings = {**STRINGS, f"edgegan.pictures_{key}": value}
    with pytest.raises(UserError, match=f"^a.onnx has edgegan.pictures_{key} = .*, expected ") as e:
        TrainingPictures.from_strings(strings, "a.onnx")
    assert len(str(e.value)) < 250


def test_what_is_missing_is_said() -> None:
    strings = {key: value for key, value in STRINGS.items() if not key.endswith("split")}
    with pytest.raises(UserError, match=r"a\.onnx has no edgegan\.pictures_split in its metadata"):
        TrainingPictures.from_strings(strings, "a.onnx")
