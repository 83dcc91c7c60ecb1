"""How much a file's metadata may ask for."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.runtime.metadata import PREFIX, ModelMetadata
from export_help import METADATA


def read_with(key: str, value: str) -> ModelMetadata:
    strings = {**METADATA.to_strings(), f"{PREFIX}{key}": value}
    return ModelMetadata.from_strings(strings, "bad.onnx")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("latent_size", "65537"),
        ("latent_size", "9" * 5000),  # more digits than Python turns into a number
        ("latent_size", "0" * 5000 + "1"),
        ("latent_size", "١٢"),  # digits, but not of ours
        ("latent_size", "-1"),
        ("latent_size", ""),
        ("image_size", "4097"),
        ("image_size", "1" * 100_000),
        ("images_seen", "9" * 30),
        ("format_version", "1" * 5000),
        ("value_range", "-1e300,1e300"),
        ("value_range", "0,1e-320"),
        ("value_range", "nan,1"),
        ("value_range", "-inf,inf"),
        ("value_range", "1,-1"),
        ("value_range", "0," + "9" * 100_000),
        ("value_range", "," * 100_000),
        ("part", "x" * 1_000_000),
        ("latent_distribution", "x" * 1_000_000),
        ("recipe", "x" * 1_000_000),
        ("recipe", "\x1b[2Jcleared"),
        ("objective", "two\nlines"),
        ("objective", "\ud800"),
    ],
)
def test_what_asks_for_too_much_is_refused_in_a_short_sentence(key: str, value: str) -> None:
    with pytest.raises(UserError, match=rf"^bad\.onnx has {PREFIX}{key} = .*, expected ") as caught:
        read_with(key, value)
    assert len(str(caught.value)) < 300
    assert str(caught.value).isprintable()


@pytest.mark.parametrize(
    ("key", "value", "found"),
    [
        ("latent_size", "65536", 65536),
        ("image_size", "4096", 4096),
        ("images_seen", "1000000000000", 10**12),
        ("value_range", "0.0,255.0", (0.0, 255.0)),
        ("recipe", "我的 recipe", "我的 recipe"),
    ],
)
def test_what_a_file_may_ask_for(key: str, value: str, found: object) -> None:
    assert getattr(read_with(key, value), key) == found


@settings(max_examples=200, deadline=None, derandomize=True)
@given(
    st.sampled_from(sorted(METADATA.to_strings())),
    st.one_of(st.text(max_size=40), st.text("0123456789.,-+e_ naif", max_size=30)),
)
def test_any_text_is_read_or_refused(key: str, text: str) -> None:
    try:
        found = read_with(key[len(PREFIX) :], text)
    except UserError:
        return
    low, high = found.value_range
    assert -65536 <= low < high <= 65536
    assert 1 <= found.latent_size <= 65536
    assert 1 <= found.image_size <= 4096
    assert 0 <= found.images_seen < 10**15
