"""An ONNX file as an onnxruntime session, on a provider that works here."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType
from typing import Any, Union

import numpy as np

from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_bytes
from edgegan.runtime.fixed_batch import FixedBatchSession
from edgegan.runtime.onnx_file import check_model
from edgegan.runtime.without_telemetry import onnxruntime

BATCH = 64  # rows computed at once: enough to keep a device busy, and memory stays bounded
SILENT = 4  # onnxruntime's severity "fatal": what fails is raised, and what is only slow is said

Session = Union[onnxruntime.InferenceSession, FixedBatchSession]


@dataclass(frozen=True)
class Provider:
    """One of onnxruntime's execution providers.

    Attributes:
        title: what people call it.
        name: what onnxruntime calls it.
        device: what it computes on.
        memory: what onnxruntime calls the memory of that.
        needs: what has to be installed for it.
        options: what it is told, or, where it does not work with that, what it is told next.
    """

    title: str
    name: str
    device: str
    memory: str
    needs: str
    options: tuple[Mapping[str, str], ...] = ({},)


# cuDNN's default is to time its algorithms and take the winner, which may differ from run to run;
# TF32 would round what the CPU does not.
CUDA_OPTIONS = {"cudnn_conv_algo_search": "DEFAULT", "use_tf32": "0"}
PROVIDERS = {
    "cpu": Provider("CPU", "CPUExecutionProvider", "CPU", "cpu", "nothing else"),
    "cuda": Provider(
        "CUDA",
        "CUDAExecutionProvider",
        "GPU",
        "cuda",
        "CUDA or cuDNN, or the GPU's driver,",
        # The whole network as one graph, unless some layer of it has no kernel for CUDA.
        ({**CUDA_OPTIONS, "enable_cuda_graph": "1"}, CUDA_OPTIONS),
    ),
    "tensorrt": Provider(
        "TensorRT",
        "TensorrtExecutionProvider",
        "GPU",
        "cuda",
        "TensorRT, CUDA, or the GPU's driver,",
    ),
    "openvino": Provider(
        "OpenVINO",
        "OpenVINOExecutionProvider",
        "CPU",
        "cpu",
        "OpenVINO",
        ({"device_type": "CPU", "precision": "FP32"},),
    ),
}


def open_session(
    model: str | Path | bytes, provider: str = "auto", threads: int | None = None
) -> tuple[Session, str]:
    """Open an ONNX model for inference.

    Args:
        model: its file, or what would stand in one.
        provider: a key of PROVIDERS, or "auto": CUDA where it works, else the CPU.
        threads: of each run on the CPU; None for as many as there are cores.

    Returns:
        The session, which on another provider than the CPU's takes at most BATCH rows; and a line
        for the user that says what it runs on, and why.

    Raises:
        UserError: the file cannot be read, there is no ONNX model in it or one that check_model
            refuses, or a provider was asked for by name and does not work.
    """
    content = model if isinstance(model, bytes) else read_bytes(model)
    name = "the model" if isinstance(model, bytes) else model
    check_model(content, name)
    if provider == "cpu":
        return _open_on_cpu(content, name, threads), "running on the CPU (as asked)"
    wanted = PROVIDERS["cuda" if provider == "auto" else provider]
    session, reason = _open_on(wanted, content)
    if session is not None:
        return session, f"running on the {wanted.device} ({wanted.name})"
    # Before the provider is blamed: the file may be at fault.
    on_cpu = _open_on_cpu(content, name, threads)
    if provider != "auto":
        raise UserError(f"provider {provider} does not work here: {reason}")
    return on_cpu, f"running on the CPU ({reason})"


def provider_of(session: Session) -> str:
    """Return what the session computes on, a key of PROVIDERS."""
    return next(key for key in PROVIDERS if _runs_on(session, PROVIDERS[key]))


def available_providers() -> list[str]:
    """Return the keys of PROVIDERS that the installed onnxruntime has, if they work or not."""
    found = onnxruntime.get_available_providers()
    return [key for key, provider in PROVIDERS.items() if provider.name in found]


def _runs_on(session: onnxruntime.InferenceSession, provider: Provider) -> bool:
    """Say whether the provider comes first: the CPU's comes last wherever there is another."""
    return session.get_providers()[0] == provider.name


def _open_on_cpu(
    content: bytes, name: str | Path, threads: int | None
) -> onnxruntime.InferenceSession:
    try:
        return onnxruntime.InferenceSession(
            content, _options(threads), providers=[PROVIDERS["cpu"].name]
        )
    except Exception as error:  # onnxruntime's errors have no common base
        raise UserError(
            f"{name} is not a whole ONNX model: {_first_line(error)} ({len(content)} bytes read)"
        ) from error


def _open_on(provider: Provider, content: bytes) -> tuple[FixedBatchSession | None, str]:
    """Return a session on a provider other than the CPU's, or None and the reason."""
    if provider.name not in onnxruntime.get_available_providers():
        return None, f"this onnxruntime has no {provider.title} provider"
    reason = f"{provider.needs} could not be loaded"
    for options in provider.options:
        try:
            if provider.device == "GPU":
                _preload_libraries()
            session = onnxruntime.InferenceSession(
                content,
                _options(),
                providers=[(provider.name, dict(options)), PROVIDERS["cpu"].name],
                enable_fallback=0,
            )
            if not _runs_on(session, provider):
                break
            fixed = FixedBatchSession(session, BATCH, provider.memory)
            _try_out(fixed)
            return fixed, ""
        except Exception as error:
            reason = _reason(provider, error)
    return None, reason


def _preload_libraries() -> None:
    """Load CUDA and cuDNN from the packages that pip installs, where they are there.

    onnxruntime prints each library that it cannot load, and the reason for the user is said in a
    line: so its function runs with a `print` of its own, and the program's output is left alone.
    """
    preload = getattr(onnxruntime, "preload_dlls", None)  # onnxruntime 1.21 and newer
    if preload is not None:
        surroundings = {**preload.__globals__, "print": lambda *_, **__: None}
        quiet = FunctionType(
            preload.__code__, surroundings, None, preload.__defaults__, preload.__closure__
        )
        quiet.__kwdefaults__ = preload.__kwdefaults__
        quiet()


def _try_out(session: FixedBatchSession) -> None:
    """Run once on zeros: a session may open on a GPU that has no kernels or memory for it.

    Where there is to be a CUDA graph, this captures it.
    """
    (node,) = session.get_inputs()
    session.run(None, {node.name: np.zeros([1, *node.shape[1:]], np.float32)})


def _options(threads: int | None = None) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or available_cores()
    options.use_deterministic_compute = True
    options.log_severity_level = SILENT
    # Where a file of weights would be looked for: none can be there. From onnxruntime 1.21 on.
    options.add_session_config_entry(
        "session.model_external_initializers_file_folder_path", os.devnull
    )
    return options


def _reason(provider: Provider, error: Exception) -> str:
    """What CUDA itself says, out of the 700 characters of C++ that onnxruntime puts around it."""
    said = re.search(r"CUDA failure \d+: [^;\n]*[^;\s]", str(error))
    return said.group() if said else f"{provider.title} failed: {_first_line(error)}"


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n")[0]
