"""A session whose batches have one shape and one place in the device's memory."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from edgegan.runtime.without_telemetry import onnxruntime

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor

DTYPES = {"tensor(float)": np.float32, "tensor(uint8)": np.uint8}


class FixedBatchSession:
    """An onnxruntime session of one output that computes in batches of `rows`.

    Inputs and output stay where they are on the device: rows are copied there, the result is copied
    back, and nothing else is. It is what a CUDA graph needs, which replays its kernels on the
    addresses that they were captured with, at the first run (onnxruntime's documentation, "CUDA
    Execution Provider", "Using CUDA Graphs"). Threads that run it take turns.

    What it has not itself it takes from the session.
    """

    def __init__(
        self,
        session: onnxruntime.InferenceSession,
        rows: int,
        memory: str,
        device_id: int = 0,
        own_thread: bool = False,
    ) -> None:
        """Reserve the places.

        Args:
            memory: onnxruntime's name of the device whose memory they are in: "cuda" or "cpu".
            device_id: which of several such devices.
            own_thread: whether one thread of its own does all runs, whoever asks for them: a CUDA
                graph must not be run by several (the same documentation), and a GPU prepares itself
                anew for every thread.

        Raises:
            Exception: onnxruntime's own, where the device is not there or its memory is full.
        """
        self._session = session
        self._rows = rows
        self._memory = memory
        self._turn = threading.Lock()
        self._thread = _one_thread() if own_thread else None
        self._inputs = {
            node.name: _reserve(node, rows, memory, device_id) for node in session.get_inputs()
        }
        self._output = _reserve(session.get_outputs()[0], rows, memory, device_id)
        self._binding = session.io_binding()
        for name, place in self._inputs.items():
            self._binding.bind_ortvalue_input(name, place)
        self._binding.bind_ortvalue_output(session.get_outputs()[0].name, self._output)

    def run(self, names: list[str] | None, feeds: dict[str, np.ndarray]) -> list[np.ndarray]:
        """Compute the one output of 1 to `rows` rows; called as the session's own run is."""
        if self._thread is not None:
            return [self._thread.submit(self._compute, feeds).result()]
        with self._turn:
            return [self._compute(feeds)]

    def _compute(self, feeds: dict[str, np.ndarray]) -> np.ndarray:
        for name, batch in feeds.items():
            self._inputs[name].update_inplace(np.resize(batch, (self._rows, *batch.shape[1:])))
        self._session.run_with_iobinding(self._binding)
        output = self._output.numpy()[: len(batch)]
        # Of another device's memory this is the copy; of the CPU's it is the place itself.
        return output.copy() if self._memory == "cpu" else output

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)


def _one_thread() -> ThreadPoolExecutor:
    from concurrent.futures import ThreadPoolExecutor  # not needed on the CPU

    return ThreadPoolExecutor(1)


def _reserve(node: Any, rows: int, memory: str, device_id: int) -> onnxruntime.OrtValue:
    """Memory for `rows` of what a node takes or gives."""
    return onnxruntime.OrtValue.ortvalue_from_shape_and_type(
        [rows, *node.shape[1:]], DTYPES[node.type], memory, device_id
    )
