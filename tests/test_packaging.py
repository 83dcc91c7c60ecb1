"""What is built and installed: the source distribution, the wheel of it, and that at work."""

from __future__ import annotations

import email
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("edgegan", "trainer", "export", "runtime")
FILES = ("setup.py", "pyproject.toml", "MANIFEST.in", "README.md", "LICENSE")


def build(kind: str, source: Path, output: Path) -> Path:
    """Have setuptools build a ``sdist`` or ``wheel``, as pip does; returns its path."""
    call = f"from setuptools import build_meta; print(build_meta.build_{kind}({str(output)!r}))"
    built = subprocess.run(
        [sys.executable, "-c", call], cwd=source, capture_output=True, text=True, check=True
    )
    return output / built.stdout.splitlines()[-1]


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of all that setup.py names: building leaves folders behind."""
    copy = tmp_path_factory.mktemp("source")
    for folder in FOLDERS:
        shutil.copytree(ROOT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    for name in FILES:
        shutil.copy(ROOT / name, copy / name)
    return copy


@pytest.fixture(scope="module")
def sdist(source: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build("sdist", source, tmp_path_factory.mktemp("sdist"))


@pytest.fixture(scope="module")
def wheel(sdist: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel built from what the source distribution has, and nothing else."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(["tar", "-xf", sdist, "-C", folder], check=True)
    return build("wheel", folder / sdist.name[: -len(".tar.gz")], folder)


def packaged_files() -> set[str]:
    """The code and data of every package, by the names they are installed under."""
    paths = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*") if path.is_file())
    names = (path.relative_to(ROOT).as_posix() for path in paths if "__pycache__" not in path.parts)
    return {
        name if name.startswith("edgegan/") else f"edgegan/{name}"
        for name in names
        if not name.endswith(".md")
    }


def test_wheel_has_all_code_and_data_under_one_name(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    installed = {name for name in names if ".dist-info/" not in name and not name.endswith(".md")}
    assert installed == packaged_files()
    assert {
        "edgegan/py.typed",
        "edgegan/runtime/models/dcgan.onnx",
        "edgegan/runtime/page/modules/page.js",
        "edgegan/trainer/recipes/dcgan.yaml",
        "edgegan/trainer/report/page.html",
    } <= installed


def test_metadata_is_complete(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["License-Expression"] == "MIT"
    assert metadata["Requires-Python"] == ">=3.9"
    assert metadata["Description-Content-Type"] == "text/markdown"
    description = metadata.get_payload(decode=True).decode("utf-8")
    assert description.strip() == (ROOT / "README.md").read_text(encoding="utf-8").strip()
    assert "Typing :: Typed" in metadata.get_all("Classifier")
    assert {"train", "test"} <= set(metadata.get_all("Provides-Extra"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment with edgegan alone in it."""
    environment = tmp_path_factory.mktemp("environment")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", environment], check=True)
    python = environment / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "-q"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True)
    return python.parent


def test_command_works_outside_of_the_checkout(installed: Path, tmp_path: Path) -> None:
    help_text = subprocess.run(
        [installed / "edgegan", "--help"], cwd=tmp_path, capture_output=True, text=True, check=True
    ).stdout
    assert {"fit", "export", "generate"} <= set(help_text.split())


@pytest.mark.parametrize("name", ["runtime.py", "runtime/__init__.py"])
def test_names_of_the_working_directory_hide_nothing(
    installed: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).parent.mkdir(exist_ok=True)
    (tmp_path / name).write_text("raise SystemExit('the wrong runtime')\n")
    code = (
        "import edgegan; from edgegan import Generator\n"
        "print(edgegan.__file__, Generator.load('student').images(seed=7, count=1).shape)"
    )
    found = run_python(installed, code, tmp_path)
    assert found.startswith(str(installed.parent))
    assert found.endswith("(1, 64, 64, 3)\n")


def test_what_is_installed_has_its_licence(installed: Path, tmp_path: Path) -> None:
    """As the page shows it."""
    code = "from edgegan.runtime.page.licences import licences; print(licences()[0]['text'])"
    assert run_python(installed, code, tmp_path).strip() == (ROOT / "LICENSE").read_text().strip()


def run_python(installed: Path, code: str, folder: Path) -> str:
    """What code prints in a folder, with the installed edgegan and this environment's libraries."""
    libraries = str(Path(np.__file__).parent.parent)  # edgegan is not there: a checkout is linked
    return subprocess.run(
        [installed / "python", "-c", code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": libraries},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
