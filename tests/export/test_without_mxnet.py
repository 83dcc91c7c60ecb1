"""Where mxnet is not installed, all of the exporter but the translation works."""

from __future__ import annotations

import pkgutil
import subprocess
import sys
from pathlib import Path

import onnx
import pytest

import edgegan.export
from export_help import generator, original

NEED_MXNET = {"edgegan.export.translation", "edgegan.export.translations", "edgegan.export.to_onnx"}
WITHOUT_MXNET = """\
import importlib, sys
sys.modules["mxnet"] = None  # so that importing it fails
"""


def modules() -> list[str]:
    found = pkgutil.walk_packages(edgegan.export.__path__, "edgegan.export.")
    return [module.name for module in found]


def run_without_mxnet(program: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", WITHOUT_MXNET + program]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_all_but_the_translation_is_imported() -> None:
    names = sorted(set(modules()) - NEED_MXNET)
    assert "edgegan.export.passes.quantise_int8" in names
    program = f"for name in {names}: importlib.import_module(name)"
    assert run_without_mxnet(program).stderr == ""


@pytest.mark.parametrize("name", sorted(NEED_MXNET))
def test_the_translation_is_not(name: str) -> None:
    assert run_without_mxnet(f"importlib.import_module({name!r})").returncode != 0


def test_a_file_is_optimised(tmp_path: Path) -> None:
    path, output = tmp_path / "given.onnx", tmp_path / "made.onnx"
    onnx.save(original(generator()).model, str(path))
    program = f"from edgegan.export.optimize import main\nmain({[str(path), '-o', str(output)]})"
    assert run_without_mxnet(program).stderr == ""
    assert output.exists()
