"""An ONNX file as an onnxruntime session, on the fastest provider that works here."""

from __future__ import annotations

import io
import re
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime

from runtime.cores import available_cores
from runtime.errors import UserError
from runtime.files import read_bytes

CUDA = "CUDAExecutionProvider"
CPU = "CPUExecutionProvider"

# cuDNN's default is to time its algorithms and take the winner, which may differ from run to run;
# TF32 would round what the CPU does not.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "DEFAULT", "use_tf32": "0"}

SILENT = 4  # onnxruntime's severity "fatal": what fails is raised, and what is only slow is said


def open_session(
    path: str | Path, provider: str = "auto"
) -> tuple[onnxruntime.InferenceSession, str]:
    """Open an ONNX file for inference.

    Args:
        path: the file.
        provider: "cuda", "cpu", or "auto": CUDA where it works, else the CPU.

    Returns:
        The session, and a line for the user that says what it runs on, and why.

    Raises:
        UserError: the file cannot be read or is no ONNX model, or CUDA was asked for by name and
            does not work.
    """
    content = read_bytes(path)
    onnxruntime.set_default_logger_severity(SILENT)
    if provider == "cpu":
        return _open_on_cpu(content, path), "running on the CPU (as asked)"
    session, reason = _open_on_cuda(content)
    if session is not None:
        return session, f"running on the GPU ({CUDA})"
    session = _open_on_cpu(content, path)  # before blaming CUDA: the file may be at fault
    if provider == "cuda":
        raise UserError(f"provider cuda does not work here: {reason}")
    return session, f"running on the CPU ({reason})"


def runs_on_cuda(session: onnxruntime.InferenceSession) -> bool:
    """Say whether the session computes on a GPU."""
    return CUDA in session.get_providers()


def _open_on_cpu(content: bytes, path: str | Path) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(content, _options(), providers=[CPU])
    except Exception as error:  # onnxruntime's errors have no common base
        raise UserError(
            f"{path} is not a whole ONNX model: {_first_line(error)} ({len(content)} bytes read)"
        ) from error


def _open_on_cuda(content: bytes) -> tuple[onnxruntime.InferenceSession | None, str]:
    """Return a session on CUDA, or None and the reason."""
    if CUDA not in onnxruntime.get_available_providers():
        return None, "this onnxruntime has no CUDA provider"
    # onnxruntime prints what it cannot load; the reason below says it in a line.
    with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        try:
            if hasattr(onnxruntime, "preload_dlls"):  # onnxruntime 1.21 and newer
                onnxruntime.preload_dlls()
            session = onnxruntime.InferenceSession(
                content, _options(), providers=[(CUDA, CUDA_OPTIONS), CPU], enable_fallback=0
            )
            _try_out(session)
        except Exception as error:
            return None, _cuda_reason(error)
    if not runs_on_cuda(session):
        return None, "CUDA or cuDNN, or the GPU's driver, could not be loaded"
    return session, ""


def _try_out(session: onnxruntime.InferenceSession) -> None:
    """Run once on zeros: a session may open on a GPU that has no kernels or memory for it."""
    zeros = {
        node.name: np.zeros([n if isinstance(n, int) else 1 for n in node.shape], np.float32)
        for node in session.get_inputs()
    }
    session.run(None, zeros)


def _options() -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = available_cores()
    options.use_deterministic_compute = True
    options.log_severity_level = SILENT
    return options


def _cuda_reason(error: Exception) -> str:
    """What CUDA itself says, out of the 700 characters of C++ that onnxruntime puts around it."""
    said = re.search(r"CUDA failure \d+: [^;\n]*[^;\s]", str(error))
    return said.group() if said else f"CUDA failed: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
