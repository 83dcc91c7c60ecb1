"""onnxruntime's telemetry is off, and nothing but the import of onnxruntime is told so."""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGES = ("edgegan", "runtime", "export", "trainer", "benchmarks")
SWITCH = "ORT_DISABLE_TELEMETRY"

DRAW = f"""
import os
from edgegan import Generator
Generator.load("student", "cpu").images(seed=0, count=1)
print(os.environ.get("{SWITCH}"))
"""


def draw(home: Path, **variables: str) -> str:
    """Draw an image with that home and no other cache; returns what the switch is afterwards."""
    kept = {"PATH": os.environ["PATH"], "HOME": str(home), "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, "-c", DRAW],
        env={**kept, **variables},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    ).stdout.strip()


def test_drawing_leaves_no_file_in_an_empty_home(tmp_path: Path) -> None:
    assert draw(tmp_path) == "None"  # nor a variable for whatever else the program starts
    assert list(tmp_path.rglob("*")) == []


@pytest.mark.parametrize("chosen", ["1", "true"])
def test_what_the_host_chose_is_left_alone(tmp_path: Path, chosen: str) -> None:
    assert draw(tmp_path, **{SWITCH: chosen}) == chosen


@pytest.mark.parametrize("package", PACKAGES)
def test_onnxruntime_is_imported_in_one_place(package: str) -> None:
    for path in (ROOT / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                names = [node.module or ""]
            else:
                continue
            if any(name.split(".")[0] == "onnxruntime" for name in names):
                assert path.name == "without_telemetry.py", path
