"""YAML that is somebody else's: read in bounded time and memory, or refused in a sentence."""

from __future__ import annotations

import time

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.trainer import recipe
from edgegan.trainer.mappings import parse_yaml


def laughs(levels: int, times: int) -> str:
    """A list of lists of … of one list, each written once: times to the power of levels of it."""
    lines = ["l0: &l0 [lol]"]
    for level in range(1, levels):
        lines.append(f"l{level}: &l{level} [{', '.join([f'*l{level - 1}'] * times)}]")
    return "\n".join(lines)


MERGED = "\n".join(
    ["m0: &m0 {k: 1}"]
    + [f"m{n}: &m{n} {{<<: [{', '.join([f'*m{n - 1}'] * 20)}]}}" for n in range(1, 12)]
)


@pytest.mark.parametrize(
    "text",
    [
        laughs(10, 10),
        laughs(40, 2),
        MERGED,
        "&a [*a, *a]",
        "a: &a [" + "1, " * 20_000 + "*a]",
        "a: \0",
        "[" * 20_000,
        "{a: " * 20_000,
        "- " * 20_000,
        "a: " + "1" * 1_000_000,
        "a: " + "1" * 50_000,
        "1:" * 40_000 + "1",
        '!!int ""',
        "!!timestamp x",
        "!!bool x",
        "!!float x",
        "!!binary é",
        "? {}\n: 1",
        "a: *nothing",
        "a: 2000-99-99",
        "!!python/object/apply:os.system [ls]",
    ],
)
def test_what_is_no_small_plain_document_is_refused_soon(text: str) -> None:
    start = time.perf_counter()
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_yaml(text)
    assert len(str(caught.value)) <= 300
    assert "\n" not in str(caught.value)
    assert time.perf_counter() - start < 10


def test_an_alias_is_read() -> None:
    """PyYAML writes one where the same list stands twice."""
    betas = [0.5, 0.999]
    text = yaml.safe_dump({"generator": betas, "discriminator": betas})
    assert "*id001" in text
    assert parse_yaml(text) == {"generator": betas, "discriminator": betas}
    assert parse_yaml("a: &a {x: 1}\nb: {<<: *a, y: 2}")["b"] == {"x": 1, "y": 2}


@settings(max_examples=100, deadline=None, derandomize=True)
@given(st.text("ab:*&-[]{},!? \n\"'0<#|", max_size=60))
def test_the_rest_is_as_pyyaml_has_it(text: str) -> None:
    try:
        expected = yaml.safe_load(text)
    except Exception:
        with pytest.raises(ValueError, match=r".*"):
            parse_yaml(text)
    else:
        assert parse_yaml(text) == expected


def test_a_recipe_of_aliases_is_refused_in_a_sentence(tmp_path) -> None:
    path = tmp_path / "bomb.yaml"
    path.write_text(laughs(10, 10))
    with pytest.raises(UserError, match=r"bomb\.yaml is no valid YAML: it stands for more than"):
        recipe.load(str(path))
    with pytest.raises(UserError, match="is no YAML value"):
        recipe.load("dcgan", ["epochs=" + "[" * 5000])
