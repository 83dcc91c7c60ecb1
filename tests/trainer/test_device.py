"""Threads and devices."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from pathlib import Path

import mxnet as mx
import pytest

from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError
from edgegan.trainer import device, framework
from training_help import refuse_bfloat16

# Where mxnet is imported, the variable has its value.
SHOW_THREADS = """
import os, sys
if sys.argv[1] == "one":
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
class Watch:
    def find_spec(self, name, path=None, target=None):
        if name == "mxnet":
            print(os.environ.get("OMP_NUM_THREADS"))
            raise SystemExit
sys.meta_path.insert(0, Watch())
import edgegan.trainer.loop
"""


def threads(cores: str, chosen: str | None) -> str:
    environment = {k: v for k, v in os.environ.items() if k != "OMP_NUM_THREADS"}
    if chosen is not None:
        environment["OMP_NUM_THREADS"] = chosen
    command = [sys.executable, "-c", SHOW_THREADS, cores]
    return subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True
    ).stdout.strip()


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="the system has no affinity")
def test_mxnet_gets_the_cores_that_the_process_may_use() -> None:
    assert threads("all", None) == str(available_cores())
    assert threads("one", None) == "1"


def test_a_number_of_threads_that_the_user_set_is_left_alone() -> None:
    assert threads("all", "3") == "3"


def test_the_cpu_is_always_there() -> None:
    assert device.choose("cpu") == mx.cpu()


@pytest.mark.parametrize("name", ["", "tpu", "gpu:x", "gpu:-1", "gpu:²", "cpu:0", "GPU"])
def test_unknown_devices_are_told(name: str) -> None:
    with pytest.raises(UserError, match=f"device '{name}' is unknown: expected auto, cpu or gpu"):
        device.choose(name)


def test_without_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "count_gpus", lambda: 0)
    assert device.choose("auto") == mx.cpu()
    for name in ("gpu", "gpu:0", "gpu:7"):
        with pytest.raises(UserError, match=f"device '{name}' is not here: mxnet sees 0 GPU"):
            device.choose(name)


def test_with_two_gpus(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(device, "count_gpus", lambda: 2)
    assert device.choose("auto") == mx.gpu(0)
    assert device.choose("gpu") == mx.gpu(0)
    assert device.choose("gpu:1") == mx.gpu(1)
    with pytest.raises(UserError, match="device 'gpu:2' is not here: mxnet sees 2 GPU"):
        device.choose("gpu:2")


def test_a_driver_that_does_not_work_is_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    class WithCuda:
        def is_enabled(self, feature: str) -> bool:
            return feature == "CUDA"

    def fail() -> int:
        raise mx.MXNetError("CUDA: no driver")

    monkeypatch.setattr(mx.runtime, "Features", WithCuda)
    monkeypatch.setattr(mx.context, "num_gpus", fail)
    assert device.choose("auto") == mx.cpu()


@pytest.mark.parametrize("operation", ["amp_cast", "Convolution"])
def test_a_processor_without_bfloat16_is_told_of(
    monkeypatch: pytest.MonkeyPatch, operation: str
) -> None:
    refuse_bfloat16(monkeypatch, operation)
    with pytest.raises(UserError, match=r"precision is bfloat16.*on this cpu.*expected float32"):
        device.choose("cpu", "bfloat16")
    assert device.choose("cpu") == mx.cpu()


def test_cuda_mxnet_without_a_driver_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def no_driver(name: str, mode: int) -> None:
        raise OSError(f"{name}: cannot open shared object file: No such file or directory")

    monkeypatch.setattr("importlib.metadata.version", lambda distribution: "1.9.1")
    monkeypatch.setattr(ctypes, "CDLL", no_driver)
    with pytest.raises(SystemExit) as ended:
        framework.prepare()
    assert ended.value.code == 2
    output = capsys.readouterr().err
    assert output.count("\n") == 1
    assert "needs the NVIDIA driver (libcuda.so.1)" in output


@pytest.mark.parametrize(
    "module", ["edgegan.trainer.fit", "edgegan.trainer.judge", "edgegan.export.to_onnx"]
)
def test_a_base_install_says_what_training_needs(module: str) -> None:
    program = (
        "import importlib.util, runpy;"
        "find = importlib.util.find_spec;"
        "importlib.util.find_spec = lambda name: None if name == 'mxnet' else find(name);"
        f"runpy.run_module({module!r}, run_name='__main__')"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ended.returncode == 2
    assert ended.stderr.startswith("error: mxnet is not installed: pip install '.[train")
    assert ended.stderr.count("\n") == 1


def test_a_system_without_openmp_is_told_what_mxnet_needs(tmp_path: Path) -> None:
    lacking = "libgomp.so.1: cannot open shared object file: No such file or directory"
    (tmp_path / "mxnet.py").write_text(f"raise OSError({lacking!r})\n")
    ended = subprocess.run(
        [sys.executable, "-c", "import edgegan.trainer.framework"],
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: mxnet's library cannot be loaded ({lacking}): it needs")
    assert ended.stderr.count("\n") == 1


def test_cuda_libraries_are_loaded_from_their_packages_for_all_to_see(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[tuple[str, int]] = []
    monkeypatch.setattr("importlib.metadata.version", lambda distribution: "1.9.1")
    monkeypatch.setattr(ctypes, "CDLL", lambda name, mode: loaded.append((name, mode)))
    monkeypatch.setattr(sys, "path", [str(tmp_path)])
    for library in framework.CUDA_LIBRARIES:
        path = tmp_path / "nvidia" / "some_package" / "lib" / library
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    framework.prepare()
    names = [Path(name).name for name, _ in loaded]
    assert names == [framework.CUDA_DRIVER, *framework.CUDA_LIBRARIES]
    assert {mode for _, mode in loaded} == {ctypes.RTLD_GLOBAL}
