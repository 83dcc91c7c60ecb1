"""Where training runs: CPU threads, the GPU, and what must be set before mxnet is imported."""

from __future__ import annotations

import ctypes
import importlib.metadata
import importlib.util
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from runtime.cores import available_cores
from runtime.errors import STATUS_ERROR, UserError

if TYPE_CHECKING:
    import mxnet as mx

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
        _give_up("mxnet is not installed: pip install '.[train]' (Python 3.9 to 3.11)")
    if _is_installed("mxnet-cu112"):
        _load_cuda_libraries()


def choose(name: str, precision: str = "float32") -> mx.Context:
    """The device called ``auto``, ``cpu`` or ``gpu:N``; auto is the first GPU where one works.

    Raises:
        UserError: no such device here, no such name, or it cannot compute in that precision.
    """
    where = _find(name)
    if precision == "bfloat16":
        check_bfloat16(where)
    return where


def check_bfloat16(where: mx.Context) -> None:
    """Raise UserError where convolutions cannot be computed in bfloat16."""
    import mxnet as mx
    from mxnet.contrib.amp.amp import bfloat16

    try:
        one = mx.nd.amp_cast(mx.nd.ones((1, 1, 1, 1), ctx=where), dtype=bfloat16)
        mx.nd.Convolution(one, one, kernel=(1, 1), num_filter=1, no_bias=True).wait_to_read()
    except mx.MXNetError as error:
        raise UserError(
            f"precision is bfloat16, which mxnet cannot compute with on this {where.device_type} "
            "(it needs AVX-512): expected float32"
        ) from error


def _find(name: str) -> mx.Context:
    import mxnet as mx

    gpus = _count_gpus()
    if name == "auto":
        return mx.gpu(0) if gpus else mx.cpu()
    if name == "cpu":
        return mx.cpu()
    kind, _, number = name.partition(":")
    if kind != "gpu" or not (number or "0").isdecimal():
        raise UserError(f"device {name!r} is unknown: expected auto, cpu or gpu:N")
    if int(number or 0) >= gpus:
        raise UserError(f"device {name!r} is not here: mxnet sees {gpus} GPU(s)")
    return mx.gpu(int(number or 0))


def _count_gpus() -> int:
    """How many GPUs mxnet can use: none without CUDA, or with a driver that does not work."""
    import mxnet as mx

    if mx.runtime.Features().is_enabled("CUDA"):
        with suppress(mx.MXNetError):
            return int(mx.context.num_gpus())
    return 0


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
