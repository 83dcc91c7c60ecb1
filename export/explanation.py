"""What each rewrite did to a model, as a table: nodes, bytes, operations and measured time."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence

import numpy as np
import onnx
import onnxruntime

from edgegan.export import verify
from edgegan.export.operations import multiply_adds
from edgegan.runtime.generator import to_bytes

BATCH = 25
ROUNDS = 7  # of which the median is taken
TITLES = ("nodes", "MB of constants", "million operations", "ms each")


def table(versions: Mapping[str, onnx.ModelProto], inputs: np.ndarray) -> str:
    """One line for each version of a model, the first rewrite's name and version first.

    Operations are multiply-adds for a batch of one. Milliseconds are those of one row of a batch of
    25 on this machine's CPU with all of its cores, until there are bytes if there are images.

    Args:
        versions: of one model, by what made them.
        inputs: float32 (25 or more, ...), what the model takes.
    """
    times = milliseconds(list(versions.values()), inputs)
    width = max(map(len, versions))
    lines = ["  ".join([" " * width, *TITLES])]
    for (name, model), time_of_one in zip(versions.items(), times):
        cells = (
            str(len(model.graph.node)),
            f"{constant_bytes(model) / 1e6:.2f}",
            f"{multiply_adds(model) / 1e6:.2f}",
            f"{time_of_one:.3f}",
        )
        aligned = (f"{cell:>{len(title)}}" for cell, title in zip(cells, TITLES))
        lines.append("  ".join([f"{name:{width}}", *aligned]))
    return "\n".join(lines)


def constant_bytes(model: onnx.ModelProto) -> int:
    """What the model's constant tensors take."""
    return sum(
        onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
    )


def milliseconds(models: Sequence[onnx.ModelProto], inputs: np.ndarray) -> list[float]:
    """The median time that each model takes for a row of a batch of 25; they are run in turn."""
    inputs = inputs[:BATCH]
    sessions = [verify.session_of(model) for model in models]
    seconds: list[list[float]] = [[] for _ in sessions]
    for _ in range(1 + ROUNDS):
        for session, measured in zip(sessions, seconds):
            start = time.perf_counter()
            _run(session, inputs)
            measured.append(time.perf_counter() - start)
    return [statistics.median(measured[1:]) / len(inputs) * 1000 for measured in seconds]


def _run(session: onnxruntime.InferenceSession, inputs: np.ndarray) -> None:
    """What the runtime does with a file: images become bytes, in the file's graph or after it."""
    (output,) = session.run(None, {session.get_inputs()[0].name: inputs})
    if output.ndim == 4 and output.dtype != np.uint8:
        to_bytes(output)
