"""An ONNX file as an onnxruntime session, on a provider that works here."""

from __future__ import annotations

import os
import re
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import FunctionType
from typing import Any, NoReturn, Union

import numpy as np

from edgegan.runtime import forks
from edgegan.runtime.arguments import check_integer
from edgegan.runtime.choices import check_choice
from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import NO_MEMORY, UserError
from edgegan.runtime.files import read_bytes
from edgegan.runtime.fixed_batch import FixedBatchSession
from edgegan.runtime.onnx_file import check_model, read_facts
from edgegan.runtime.without_telemetry import onnxruntime

BATCH = 64  # rows computed at once: enough to keep a device busy, and memory stays bounded
MOST_THREADS = 4_096  # more cores than any machine has
SILENT = 4  # onnxruntime's severity "fatal": what fails is raised, and what is only slow is said

Opened = Union[onnxruntime.InferenceSession, FixedBatchSession]


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
        integers: whether it runs our files in 8-bit integers, which have zero points.
    """

    title: str
    name: str
    device: str
    memory: str
    needs: str
    options: tuple[Mapping[str, str], ...] = ({},)
    integers: bool = True

    @property
    def is_gpu(self) -> bool:
        """Whether it computes on one of perhaps several GPUs, which a forked child cannot use."""
        return self.device == "GPU"


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
        integers=False,
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


class Session:
    """A model that is open: for any number of threads, in this process and in what it forks.

    A forked child opens it again when it first needs it, from the bytes that it was opened from:
    the threads that the parent's session waits for are not there.

    What it has not itself it takes from onnxruntime's session.

    Attributes:
        content: the bytes of the model.
        provider: what it computes on, a key of PROVIDERS.
    """

    def __init__(
        self, content: bytes, name: str | Path, opened: Opened, reopen: Callable[[], Opened]
    ) -> None:
        """Take over what was opened.

        Args:
            name: the model's, for errors.
            reopen: opens it in a forked child, or raises what says why it cannot.
        """
        self.content = content
        self.provider = next(key for key in PROVIDERS if _runs_on(opened, PROVIDERS[key]))
        self._name = name
        self._opened: Opened | None = opened
        self._reopen = reopen
        self._lock = threading.Lock()
        forks.tell_of_forks(self)

    def run(self, names: list[str] | None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Compute, as onnxruntime's own run does.

        Raises:
            UserError: the model fails: the shapes of two of its layers do not fit, say.
            RuntimeError: it was closed, or this is a forked child, where a GPU cannot be used.
        """
        opened = self._here()
        try:
            return opened.run(names, feeds)
        except Exception as error:  # onnxruntime's errors have no common base
            if NO_MEMORY.search(str(error)):
                raise  # no fault of the model's
            raise UserError(f"{self._name} fails when it is run: {_first_line(error)}") from error

    def close(self) -> None:
        """Give back its memory and threads, after the runs that are under way."""
        with self._lock:
            self._reopen = partial(_raise, f"{self._name} was closed: load it again")
            self._opened = None
            self.content = b""

    def after_fork(self) -> None:
        """Leave the session to the parent."""
        self._lock = threading.Lock()
        if self._opened is not None:
            forks.keep_for_ever(self._opened)
            self._opened = None

    def _here(self) -> Opened:
        """The session of this process."""
        opened = self._opened
        if opened is None:
            with self._lock:
                opened = self._opened = self._opened or self._reopen()
        return opened

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):  # also where a copy has no attributes yet
            raise AttributeError(name)
        return getattr(self._here(), name)


def open_session(
    model: str | Path | bytes,
    provider: str = "auto",
    threads: int | None = None,
    device_id: int = 0,
) -> tuple[Session, str]:
    """Open an ONNX model for inference.

    Args:
        model: its file, or what would stand in one.
        provider: a key of PROVIDERS, or "auto": CUDA where it works, else the CPU.
        threads: of each run on the CPU; None for as many as there are cores.
        device_id: which GPU, counted from 0, for a provider that computes on one.

    Returns:
        The session, which on another provider than the CPU's takes at most BATCH rows; and a line
        for the user that says what it runs on, and why.

    Raises:
        UserError: the file cannot be read, there is no ONNX model in it or one that check_model
            refuses, or a provider was asked for by name and does not work.
        TypeError, ValueError: an unknown provider, another number of threads than 1 to
            MOST_THREADS, or a device_id where it means nothing.
    """
    _check_options(provider, threads, device_id)
    content = model if isinstance(model, bytes) else read_bytes(model)
    name = "the model" if isinstance(model, bytes) else model
    check_model(content, name)
    open_on_cpu = partial(_open_on_cpu, content, name, threads)
    if provider == "cpu":
        return Session(content, name, open_on_cpu(), open_on_cpu), "running on the CPU (as asked)"
    wanted = PROVIDERS["cuda" if provider == "auto" else provider]
    session, reason = _open_on(wanted, content, name, threads, device_id)
    if session is not None:
        return session, f"running on the {wanted.device} ({wanted.name})"
    on_cpu = open_on_cpu()  # before the provider is blamed: the file may be at fault
    if provider != "auto":
        raise UserError(f"provider {provider} does not work here: {reason}")
    return Session(content, name, on_cpu, open_on_cpu), f"running on the CPU ({reason})"


def check_threads(threads: int | None) -> int | None:
    """Return how many threads were asked for; raises TypeError or ValueError as check_integer."""
    return None if threads is None else check_integer("threads", threads, 1, MOST_THREADS)


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


def _open_on(
    provider: Provider, content: bytes, name: str | Path, threads: int | None, device_id: int
) -> tuple[Session | None, str]:
    """Return a session on a provider other than the CPU's, or None and the reason."""
    if provider.name not in onnxruntime.get_available_providers():
        return None, f"this onnxruntime has no {provider.title} provider"
    if provider.is_gpu:
        reopen = partial(
            _raise,
            f"{provider.title} cannot be used in a child that was forked after {name} was loaded: "
            "load it in the child, or start children by spawn",
        )
    reason = ""
    for told in provider.options:
        options = {**told, **_device_options(provider, threads, device_id)}
        open_here = partial(_open_fixed, provider, content, name, options, device_id)
        try:
            opened = open_here()
        except UserError as error:
            return None, str(error)
        except Exception as error:  # onnxruntime's errors have no common base
            reason = _reason(provider, error)
        else:
            return Session(content, name, opened, reopen if provider.is_gpu else open_here), ""
    return None, reason


def _open_fixed(
    provider: Provider, content: bytes, name: str | Path, options: dict[str, str], device_id: int
) -> FixedBatchSession:
    """Open a model on a provider other than the CPU's, and run it once.

    Raises:
        UserError: it does not run such a model, or what it needs is not there.
        Exception: onnxruntime's own, whatever else is wrong.
    """
    if not provider.integers and "int8" in read_facts(content).weights:
        raise UserError(
            f"{provider.title} does not run 8-bit integers, which {name} computes in: use cuda, or "
            "a file in floating point, exported with --target cuda"
        )
    if provider.is_gpu:
        _preload_libraries()
    session = onnxruntime.InferenceSession(
        content,
        _options(),
        providers=[(provider.name, options), PROVIDERS["cpu"].name],
        enable_fallback=0,
    )
    if not _runs_on(session, provider):  # it takes the CPU where it cannot load the provider
        raise UserError(f"{provider.needs} could not be loaded")
    fixed = FixedBatchSession(session, BATCH, provider.memory, device_id, provider.is_gpu)
    _try_out(fixed)
    return fixed


def _device_options(provider: Provider, threads: int | None, device_id: int) -> dict[str, str]:
    """What a provider is told of the device beside its own options, where that was asked for."""
    if provider.is_gpu:
        return {"device_id": str(device_id)} if device_id else {}
    return {"num_of_threads": str(threads)} if threads else {}


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
    zeros = {n.name: np.zeros([1, *n.shape[1:]], np.float32) for n in session.get_inputs()}
    session.run(None, zeros)


def _check_options(provider: str, threads: int | None, device_id: int) -> None:
    check_choice("provider", provider, ("auto", *PROVIDERS))
    check_threads(threads)
    has_devices = provider == "auto" or PROVIDERS[provider].is_gpu
    if check_integer("device_id", device_id) and not has_devices:
        raise ValueError(f"device_id is {device_id}, expected 0 with the provider {provider}")


def _raise(sentence: str) -> NoReturn:
    raise RuntimeError(sentence)


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
