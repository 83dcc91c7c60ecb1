"""The command that lists the recipes, and what it prints of each."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from edgegan.__main__ import main
from edgegan.runtime.errors import UserError
from edgegan.trainer import recipe


def printed(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert main(["recipes", *arguments]) == 0
    return capsys.readouterr().out


def test_every_recipe_is_listed_with_what_it_is(capsys: pytest.CaptureFixture[str]) -> None:
    lines = printed(capsys).splitlines()
    listed = dict(line.split(maxsplit=1) for line in lines[: lines.index("")])
    assert listed.keys() == {*recipe.names(), "student"}
    assert listed["dcgan"] == "DCGAN (Radford et al. 2015) with the non-saturating loss."
    assert all(purpose.endswith(".") and len(purpose) < 80 for purpose in listed.values())


@pytest.mark.parametrize("name", recipe.names())
def test_what_is_printed_of_a_recipe_is_that_recipe(
    name: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = tmp_path / "copy.yaml"
    path.write_text(printed(capsys, name), encoding="utf-8")
    assert recipe.load(str(path)) == recipe.load(name)
    assert yaml.safe_load(path.read_text(encoding="utf-8")) == recipe.load(name).to_mapping()
    assert all(len(line) <= 100 for line in path.read_text(encoding="utf-8").splitlines())


def test_every_key_of_a_students_recipe_is_printed_but_those_of_its_teacher(
    capsys: pytest.CaptureFixture[str],
) -> None:
    of_teacher = {
        "latent": {"size": 100, "distribution": "normal"},
        "image_size": 64,
        "value_range": "signed",
    }
    whole = recipe.load_student([], of_teacher).to_mapping()
    found = yaml.safe_load(printed(capsys, "student"))
    assert found == {key: value for key, value in whole.items() if key not in of_teacher}


def test_a_key_is_under_what_it_means(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    text = "extends: wgan\ngenerator: {optimizer: {schedule: {name: constant, warm_up: 1}}}\n"
    path = tmp_path / "mine.yaml"
    path.write_text(text, encoding="utf-8")
    lines = printed(capsys, str(path)).splitlines()

    def above(key: str) -> str:
        return lines[next(i for i, line in enumerate(lines) if line.strip().startswith(key)) - 1]

    # An entry of a docstring's list, also of a base class, and what a key can be.
    assert above("epochs: ") == "# Passes over the pictures."
    assert above("smoothing: ").endswith(
        "# The weight of the past in the mean of the gradients' squares."
    )
    assert above("warm_up: ").endswith("# first.")
    assert above("width: ").endswith("# The number of channels next to the picture.")
    assert above("input_noise: null").endswith("the keys deviation and steps.")
    assert "One of adam, rmsprop, sgd." in above("name: rmsprop")


@pytest.mark.parametrize("name", [*recipe.names(), "student"])
def test_every_key_with_a_value_has_its_meaning_above(
    name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    lines = printed(capsys, name).splitlines()
    for before, line in zip(["", *lines], lines):
        is_value = not line.strip().startswith("#") and not line.endswith(":")
        assert before.strip().startswith("# ") or not is_value, line


def test_an_unknown_recipe_is_answered_with_those_like_it() -> None:
    with pytest.raises(
        UserError, match=r"'wagn' does not exist: did you mean wgan or .* Expected one"
    ):
        main(["recipes", "wagn"])
