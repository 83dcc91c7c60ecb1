"""setup.py, and the set-up of .venv by the scripts, with a stand-in for Python."""

from __future__ import annotations

import os
import runpy
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import setuptools

ROOT = Path(__file__).resolve().parent.parent
PYTEST = "-m pytest --numprocesses auto --dist worksteal"
TOOLS = (
    *("bash", "env", "dirname", "readlink", "cksum", "find", "grep", "mkdir", "rmdir", "cat", "ln"),
    "touch",
)
COPIED = (
    "run_gan.sh",
    "run_cgan.sh",
    "run_tests.sh",
    "setup.py",
    "pyproject.toml",
    ".ci/environment.sh",
    ".ci/run",
)

# Notes its calls in $CALLS, and fails at those that $FAILS names, until one that $UNTIL names.
PYTHON = """\
#!/usr/bin/env bash
call="$*"
case "$call" in
    *sys.version_info*) echo {minor}; exit ;;
esac
printf '%s\\n' "$call" >>"$CALLS"
if [ -n "${{FAILS:-}}" ] && [[ "$call" == *"$FAILS"* ]]; then
    if [ -z "${{UNTIL:-}}" ] || ! grep -q -e "$UNTIL" "$CALLS"; then
        echo "no such thing"
        exit 1
    fi
fi
packages="${{0%/bin/*}}/packages"
case "$call" in
    *get_path*) echo "$packages" ;;
    *metadata.version*) echo 4.11.0.86 ;;
    *pykdtree*) mkdir -p "$packages"/{{mxnet,pykdtree.libs}}
        touch "$packages/pykdtree.libs/libgomp-1.so.1" ;;
    *"-m venv"*) mkdir -p "${{@: -1}}/bin"; cat "$0" >"${{@: -1}}/bin/python"
        chmod +x "${{@: -1}}/bin/python" ;;
    *run_gan* | *run_cgan*) echo "in $PWD" ;;
esac
"""


class Checkout:
    """A copy of the scripts, and a machine that has what the test puts into `bin`."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "a checkout 脸"
        self.bin = folder / "bin"
        self.calls_file = folder / "calls"
        self.venv = self.root / ".venv"
        self.bin.mkdir()
        for tool in (*TOOLS, "chmod"):
            (self.bin / tool).symlink_to(shutil.which(tool))
        for name in COPIED:
            (self.root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / name, self.root / name)

    def add_python(self, minor: int, name: str = "python3") -> None:
        (self.bin / name).write_text(PYTHON.format(minor=minor))
        (self.bin / name).chmod(0o755)

    def run(
        self, script: str, *arguments: str, cwd: Path | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        return self.run_at(self.root / script, *arguments, cwd=cwd, **environment)

    def run_at(
        self,
        path: Path,
        *arguments: str,
        cwd: Path | None = None,
        through: tuple[str, ...] = (),
        **environment: str,
    ) -> subprocess.CompletedProcess[str]:
        """Run the script that is there, by a program where one is given."""
        self.calls_file.write_text("")
        return subprocess.run(
            [*through, str(path), *arguments],
            cwd=cwd or self.root,
            env={"PATH": str(self.bin), "CALLS": str(self.calls_file), **environment},
            capture_output=True,
            text=True,
        )

    def calls(self, word: str = "") -> list[str]:
        """The stand-in's calls with this word in them, during the last run."""
        return [call for call in self.calls_file.read_text().splitlines() if word in call]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    made = Checkout(tmp_path)
    made.add_python(11)
    return made


def assert_refused(result: subprocess.CompletedProcess[str], *words: str) -> None:
    """Status 2, and one line of error with these words."""
    errors = [line for line in result.stderr.splitlines() if line.startswith("error: ")]
    assert result.returncode == 2, result
    assert len(errors) == 1, result.stderr
    for word in words:
        assert word in errors[0]


def test_first_call_sets_up_and_second_only_runs(checkout: Checkout) -> None:
    assert checkout.run("run_gan.sh").returncode == 0
    assert [call.split()[-1] for call in checkout.calls("-m pip")] == ["."]
    assert checkout.calls("edgegan.runtime.detector")
    again = checkout.run("run_gan.sh")
    assert (again.returncode, again.stderr) == (0, "")
    assert len(checkout.calls()) == len(checkout.calls("edgegan.runtime.run_gan")) == 1


@pytest.mark.parametrize("name", ["gan", "cgan"])
def test_arguments_are_passed_on_from_any_folder(
    checkout: Checkout, tmp_path: Path, name: str
) -> None:
    arguments = ["my texts.txt", "--seed", "7", "--output", "my grid.png"]
    result = checkout.run(f"run_{name}.sh", *arguments, cwd=tmp_path)
    (call,) = checkout.calls(f"edgegan.runtime.run_{name} ")
    assert call.endswith("my texts.txt --seed 7 --output my grid.png")
    samples = f"{checkout.root}/samples"
    assert f"--output {samples}/{name}.png --compare {samples}/{name}_original.png " in call
    assert result.stdout == f"in {tmp_path}\n"


def test_both_scripts_that_draw_have_one_environment(checkout: Checkout) -> None:
    checkout.run("run_gan.sh")
    again = checkout.run("run_cgan.sh")
    assert (again.returncode, again.stderr) == (0, "")
    assert len(checkout.calls()) == len(checkout.calls("edgegan.runtime.run_cgan")) == 1


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("script", ["run_gan.sh", "run_cgan.sh", "run_tests.sh", ".ci/run"])
def test_scripts_run_through_links(
    checkout: Checkout, tmp_path: Path, script: str, relative: bool
) -> None:
    """One by its own name elsewhere, and one to that of another name."""
    links = tmp_path / "links"
    links.mkdir()
    target = checkout.root / script
    first = links / target.name
    first.symlink_to(os.path.relpath(target, links) if relative else target)
    (links / "second").symlink_to(first.name)
    for link in (first, links / "second"):
        result = checkout.run_at(link, cwd=tmp_path)
        assert result.returncode == 0, result.stderr
    assert checkout.venv.is_dir()
    assert sorted(path.name for path in links.iterdir()) == sorted([first.name, "second"])


@pytest.mark.parametrize("script", ["run_gan.sh", "run_cgan.sh", "run_tests.sh"])
def test_scripts_run_with_cdpath_set(checkout: Checkout, tmp_path: Path, script: str) -> None:
    """It has cd print where it goes, and go elsewhere where a folder there has the name."""
    decoy = tmp_path / "decoy" / checkout.root.name
    shutil.copytree(checkout.root, decoy)
    relative = f"{checkout.root.name}/{script}"
    result = checkout.run_at(
        Path(relative), cwd=tmp_path, CDPATH=f"{decoy.parent}:.", through=("bash",)
    )
    assert result.returncode == 0, result.stderr
    assert (checkout.venv / "edgegan.stamp").is_file()
    assert not (decoy / ".venv").exists()


@pytest.mark.parametrize("name", ["setup.py", "pyproject.toml"])
def test_what_says_what_is_installed_is_installed_again_when_changed(
    checkout: Checkout, name: str
) -> None:
    checkout.run("run_gan.sh")
    with (checkout.root / name).open("a") as file:
        file.write("# changed\n")
    checkout.run("run_gan.sh")
    assert checkout.calls("-m pip")
    assert not checkout.calls("-m venv")


def test_broken_off_setup_is_made_anew(checkout: Checkout) -> None:
    assert_refused(checkout.run("run_gan.sh", FAILS="-e ."), "pip could not install", "pip.log")
    (checkout.venv / "half a package").touch()
    assert checkout.run("run_gan.sh").returncode == 0
    assert checkout.calls("-m venv")
    assert not (checkout.venv / "half a package").exists()
    checkout.run("run_gan.sh")
    assert not checkout.calls("-m pip")


def test_broken_off_upgrade_is_done_again(checkout: Checkout) -> None:
    checkout.run("run_gan.sh")
    (checkout.root / "setup.py").write_text("# changed\n")
    assert_refused(checkout.run("run_gan.sh", FAILS="-e ."))
    (checkout.root / "setup.py").write_text((ROOT / "setup.py").read_text())
    checkout.run("run_gan.sh")
    assert checkout.calls("-m pip")


def test_moved_checkout_is_set_up_anew(checkout: Checkout, tmp_path: Path) -> None:
    checkout.run("run_gan.sh")
    checkout.root.rename(tmp_path / "elsewhere")
    checkout.root = tmp_path / "elsewhere"
    assert checkout.run("run_gan.sh").returncode == 0
    assert checkout.calls("-m venv")


def test_other_python_in_place_of_the_old_is_seen(checkout: Checkout) -> None:
    checkout.run("run_gan.sh")
    (checkout.venv / "bin" / "python").write_text(PYTHON.format(minor=12))
    checkout.run("run_gan.sh")
    assert checkout.calls("-m venv")


def test_other_onnxruntime_is_not_put_beside_the_first(checkout: Checkout) -> None:
    checkout.run("run_gan.sh")
    checkout.run("run_gan.sh", EDGEGAN_ONNXRUNTIME="gpu")
    assert checkout.calls("-m venv")


def test_two_at_once_do_not_mix(checkout: Checkout) -> None:
    checkout.run("run_gan.sh")
    (checkout.venv / "edgegan.stamp").write_text(f"making\n{os.getpid()}\n")
    assert_refused(checkout.run("run_gan.sh"), f"process {os.getpid()}")


@pytest.mark.parametrize("script", ["run_gan.sh", "run_cgan.sh", "run_tests.sh"])
def test_own_venv_is_left_alone(checkout: Checkout, script: str) -> None:
    (checkout.venv / "bin").mkdir(parents=True)
    shutil.copy(checkout.bin / "python3", checkout.venv / "bin" / "python")
    assert_refused(checkout.run(script), "not of these scripts' making", "move it away")
    assert not checkout.calls("-m venv")
    assert not checkout.calls("-m pip")


def test_training_environment_serves_the_runtime(checkout: Checkout) -> None:
    checkout.run("run_gan.sh")
    assert checkout.run("run_tests.sh", "-k", "some test").returncode == 0
    assert not checkout.calls("-m venv")
    assert checkout.calls("-m pip")[0].endswith("-e .[train,test]")
    tools = [call for call in checkout.calls() if call.startswith("-m ") and "pip" not in call]
    assert tools == ["-m ruff check", "-m ruff format --check", "-m mypy", PYTEST + " -k some test"]
    checkout.run("run_gan.sh")
    assert not checkout.calls("-m pip")


def test_failed_check_is_the_status_of_the_tests(checkout: Checkout) -> None:
    assert checkout.run(".ci/run", FAILS="mypy").returncode == 1
    assert not checkout.calls("-m pytest")


def test_mxnet_goes_in_whatever_numpy_its_metadata_asks_for(
    checkout: Checkout, setup_arguments: Callable[..., dict[str, Any]]
) -> None:
    assert checkout.run("run_tests.sh").returncode == 0
    rest, mxnet = checkout.calls("-m pip")
    assert rest.endswith("-e .[train,test]")
    assert "--no-deps" in mxnet.split()
    (listed,) = (
        need for need in setup_arguments()["extras_require"]["train"] if need.startswith("mxnet")
    )
    assert listed == f"{mxnet.split()[-1]}; python_version < '3.13'"


@pytest.mark.parametrize("minor", [9, 10, 12, 13])
def test_every_python_serves_both_scripts(checkout: Checkout, minor: int) -> None:
    checkout.add_python(minor)
    assert checkout.run("run_tests.sh").returncode == 0
    assert checkout.run("run_gan.sh").returncode == 0
    assert checkout.calls("edgegan.runtime.run_gan")
    assert not checkout.calls("-m pip")


def test_python_of_pyenv_is_found(checkout: Checkout, tmp_path: Path) -> None:
    checkout.add_python(14)
    folder = tmp_path / "pyenv" / "versions" / "3.9.1" / "bin"
    folder.mkdir(parents=True)
    (folder / "python3").write_text(PYTHON.format(minor=9))
    (folder / "python3").chmod(0o755)
    assert checkout.run("run_tests.sh", PYENV_ROOT=str(tmp_path / "pyenv")).returncode == 0


@pytest.mark.parametrize(
    ("script", "minor", "words"),
    [
        ("run_tests.sh", 14, ("Python 3.9 to 3.13 is needed", "python3 is Python 3.14")),
        ("run_gan.sh", 14, ("Python 3.9 to 3.13 is needed", "python3 is Python 3.14")),
        ("run_gan.sh", 8, ("python3 is Python 3.8",)),
        ("run_gan.sh", None, ("there is no python3",)),
    ],
)
def test_no_python_that_fits(
    checkout: Checkout, script: str, minor: int | None, words: tuple[str, ...]
) -> None:
    (checkout.bin / "python3").unlink()
    if minor is not None:
        checkout.add_python(minor)
    assert_refused(checkout.run(script), *words)
    assert not checkout.venv.exists()


def test_python_without_ensurepip_lends_its_pip(checkout: Checkout) -> None:
    checkout.run("run_gan.sh", FAILS=f"-m venv {checkout.root}")
    assert checkout.calls("-m venv --without-pip")
    assert checkout.calls("install -q --disable-pip-version-check pip")
    assert_refused(
        checkout.run("run_gan.sh", FAILS="-m", EDGEGAN_ONNXRUNTIME="gpu"), "python3-venv"
    )


def test_opencv_without_windows_takes_the_place_of_one_that_cannot_be_loaded(
    checkout: Checkout,
) -> None:
    result = checkout.run("run_gan.sh", FAILS="import cv2", UNTIL="opencv-python-headless")
    assert result.returncode == 0
    assert "OpenCV cannot be loaded here (no such thing): taking opencv-python-headless" in (
        result.stderr
    )
    _, removed, installed = checkout.calls("-m pip")
    assert removed.endswith("uninstall -q -y opencv-python")
    assert installed.endswith("--force-reinstall opencv-python-headless==4.11.0.86")
    assert not [call for call in checkout.calls() if "pykdtree" in call]
    checkout.run("run_gan.sh", FAILS="import cv2")
    assert not checkout.calls("-m pip")


def test_no_opencv_can_be_loaded(checkout: Checkout) -> None:
    result = checkout.run("run_gan.sh", FAILS="import cv2")
    assert_refused(result, "OpenCV cannot be loaded (no such thing)")
    assert checkout.run("run_gan.sh").returncode == 0


def test_libraries_that_mxnet_lacks_are_taken_from_wheels(checkout: Checkout) -> None:
    checkout.run("run_gan.sh")
    copy = checkout.venv / "packages" / "numpy.libs" / "libquadmath-1.so.0.0"
    copy.parent.mkdir(parents=True)
    copy.touch()
    result = checkout.run("run_tests.sh", FAILS="ctypes")
    assert result.returncode == 0
    assert "taking the copy in pykdtree.libs/libgomp-1.so.1" in result.stderr
    linked = checkout.venv / "packages" / "mxnet"
    assert (linked / "libgomp.so.1").resolve().name == "libgomp-1.so.1"
    assert (linked / "libquadmath.so.0").resolve() == copy


def test_library_that_no_wheel_has(checkout: Checkout) -> None:
    result = checkout.run("run_tests.sh", FAILS="ctypes")
    assert_refused(result, "libquadmath.so.0", "libquadmath0")


def test_system_with_all_libraries_gets_no_copies(checkout: Checkout) -> None:
    assert checkout.run("run_tests.sh").returncode == 0
    assert not [call for call in checkout.calls() if "pykdtree" in call]


def test_no_cascade_does_not_stop_the_setup(checkout: Checkout) -> None:
    assert checkout.run("run_gan.sh", FAILS="edgegan.runtime.detector").returncode == 0


@pytest.fixture
def setup_arguments(monkeypatch: pytest.MonkeyPatch) -> Callable[..., dict[str, Any]]:
    """Read what setup.py tells setuptools, with the given EDGEGAN_ONNXRUNTIME."""

    def read(flavour: str = "") -> dict[str, Any]:
        given: dict[str, Any] = {}
        monkeypatch.chdir(ROOT)
        monkeypatch.setattr(setuptools, "setup", lambda **arguments: given.update(arguments))
        monkeypatch.delenv("EDGEGAN_ONNXRUNTIME", raising=False)
        if flavour:
            monkeypatch.setenv("EDGEGAN_ONNXRUNTIME", flavour)
        runpy.run_path(str(ROOT / "setup.py"))
        return given

    return read


def test_edge_has_no_training_package(setup_arguments: Callable[..., dict[str, Any]]) -> None:
    given = setup_arguments()
    names = ("mxnet", "gluoncv", "onnx>", "torch", "nvidia", "tensorboard", "matplotlib")
    assert not [need for need in given["install_requires"] if need.startswith(names)]
    assert {"edgegan.trainer", "edgegan.export", "edgegan.runtime"} <= set(given["packages"])
    assert {package.partition(".")[0] for package in given["packages"]} == {"edgegan"}


@pytest.mark.parametrize(
    ("flavour", "package"),
    [("", "onnxruntime>"), ("gpu", "onnxruntime-gpu"), ("openvino", "onnxruntime-openvino")],
)
def test_one_onnxruntime(
    setup_arguments: Callable[..., dict[str, Any]], flavour: str, package: str
) -> None:
    given = setup_arguments(flavour)
    lists = [given["install_requires"], *given["extras_require"].values()]
    (found,) = [need for needs in lists for need in needs if need.startswith("onnxruntime")]
    assert found.startswith(package)


def test_unknown_onnxruntime(setup_arguments: Callable[..., dict[str, Any]]) -> None:
    with pytest.raises(
        SystemExit, match="EDGEGAN_ONNXRUNTIME is 'tpu'; expected one of cpu, gpu, openvino"
    ):
        setup_arguments("tpu")
