"""mxnet, made ready before it is imported: every other module takes it from here.

mxnet reads its number of threads and finds the CUDA libraries when it is imported, and never again.
"""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import NoReturn

from edgegan.installation import INSTALL_TRAINING
from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import STATUS_ERROR
from edgegan.trainer import numpy_bridge

# What mxnet-cu112 links to, in the order in which they need each other.
CUDA_LIBRARIES = (
    "libcudart.so.11.0",
    "libnvToolsExt.so.1",
    "libcublasLt.so.11",
    "libcublas.so.11",
    "libcufft.so.10",
    "libcurand.so.10",
    "libcusparse.so.11",
    "libcusolver.so.11",
    "libnvrtc.so.11.2",
    "libnccl.so.2",
    "libcudnn.so.8",
)
CUDA_DRIVER = "libcuda.so.1"  # comes with the system's driver, not as a package


def prepare() -> None:
    """Give mxnet every core that the process may use, and the CUDA libraries installed by pip.

    An OMP_NUM_THREADS that the user set is left alone.

    Raises:
        SystemExit: mxnet cannot be imported, since it is not installed, or is mxnet-cu112 where
            there is no NVIDIA driver; the sentence is printed and the status is 2.
    """
    os.environ.setdefault("OMP_NUM_THREADS", str(available_cores()))
    if importlib.util.find_spec("mxnet") is None:
        _give_up(f"mxnet is not installed: {INSTALL_TRAINING}")
    if _is_installed("mxnet-cu112"):
        _load_cuda_libraries()


def _give_up(sentence: str) -> NoReturn:
    """End the process before an import of mxnet ends it with a traceback."""
    print(f"error: {sentence}", file=sys.stderr)
    raise SystemExit(STATUS_ERROR)


def _is_installed(distribution: str) -> bool:
    with suppress(importlib.metadata.PackageNotFoundError):
        return bool(importlib.metadata.version(distribution))
    return False


def _load_cuda_libraries() -> None:
    """Load the driver and the nvidia-*-cu11 packages' libraries: mxnet's own loader finds them."""
    try:
        ctypes.CDLL(CUDA_DRIVER, mode=ctypes.RTLD_GLOBAL)
    except OSError:
        _give_up(
            f"mxnet-cu112 needs the NVIDIA driver ({CUDA_DRIVER}), which is not here: "
            "install it, or mxnet in place of mxnet-cu112"
        )
    folders = [Path(folder) / "nvidia" for folder in sys.path]
    for library in CUDA_LIBRARIES:
        for path in (match for folder in folders for match in folder.glob(f"*/lib/{library}")):
            ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
            break


@contextmanager
def _without_scipy_stats() -> Iterator[None]:
    """Let mxnet do without scipy.stats, which would take a third of the time of its import.

    Only its own quantization of trained networks asks for it, which edgegan does not use.
    """
    name = "scipy.stats"
    if name in sys.modules:
        yield
        return
    sys.modules[name] = None  # type: ignore[assignment]  # an ImportError, which mxnet expects
    try:
        yield
    finally:
        del sys.modules[name]


prepare()

try:
    with numpy_bridge.dropped_names(), _without_scipy_stats():
        import mxnet as mx
        from mxnet import autograd, gluon
        from mxnet.contrib.amp.amp import bfloat16
        from mxnet.gluon import HybridBlock, Parameter, nn
        from mxnet.ndarray import NDArray
except OSError as error:
    _give_up(
        f"mxnet's library cannot be loaded ({error}): it needs the system's libgomp and "
        "libquadmath (on Debian and Ubuntu the packages libgomp1 and libquadmath0)"
    )

__all__ = ["HybridBlock", "NDArray", "Parameter", "autograd", "bfloat16", "gluon", "mx", "nn"]
