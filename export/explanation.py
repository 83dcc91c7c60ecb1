"""What each pass did to a model, or why it did nothing: nodes, bytes, operations, measured time."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

import numpy as np
import onnx

from edgegan.export import examples, verify
from edgegan.export.examples import Inputs
from edgegan.export.operations import multiply_adds
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.session import Session
from edgegan.runtime.statistics import Spread
from edgegan.runtime.tables import aligned

BATCH = 25
ROUNDS = 15
TITLES = ("nodes", "MB of constants", "million operations", "ms each")
UNKNOWN = "-"  # in place of a time that tells nothing


def table(versions: Mapping[str, onnx.ModelProto], inputs: Inputs) -> str:
    """One line for each version of a model, the first pass's name and version first.

    Operations are multiply-adds for a batch of one. Milliseconds are those of one row of a batch of
    25 on this machine's CPU with all of its cores, until there are bytes if there are images.

    Args:
        versions: of one model, by what made them.
        inputs: what the model takes, of 25 rows or more.
    """
    times = milliseconds(list(versions.values()), inputs)
    rows: list[list[object]] = [["", *TITLES]]
    for (name, model), of_one in zip(versions.items(), times):
        megabytes = f"{constant_bytes(model) / 1e6:.2f}"
        operations = f"{multiply_adds(model) / 1e6:.2f}"
        rows.append([name, len(model.graph.node), megabytes, operations, telling(of_one)])
    return aligned(rows)


def reasons(versions: Mapping[str, onnx.ModelProto], notes: Mapping[str, Sequence[str]]) -> str:
    """A line for all that stayed as it was, with the reason, by the pass that left it.

    Args:
        versions: the original, and what passes made of it, by their names.
        notes: what they noted, and why other passes were left out, by name.
    """
    models = list(versions.values())
    changed = {name for name, old, new in zip([*versions][1:], models, models[1:]) if old != new}
    found = {name: said or ["the network has nothing for it to do"] for name, said in notes.items()}
    return "\n".join(
        f"{name}: {sentence}"
        for name, said in found.items()
        if notes[name] or name not in changed
        for sentence in said
    )


def telling(values: Sequence[float]) -> str:
    """The median of measured values and their range, a dash where that is larger than the median.

    A quarter of them is left out at either end: there is something else on most machines.

    Args:
        values: one a round, which may be below 0 where they are differences.
    """
    quarter = len(values) // 4
    spread = Spread.of(sorted(values)[quarter : len(values) - quarter])
    return str(spread) if spread.greatest - spread.least <= abs(spread.median) else UNKNOWN


def constant_bytes(model: onnx.ModelProto) -> int:
    """What the model's constant tensors take."""
    return sum(
        onnx.helper.tensor_dtype_to_np_dtype(tensor.data_type).itemsize * int(np.prod(tensor.dims))
        for tensor in model.graph.initializer
    )


def milliseconds(models: Sequence[onnx.ModelProto], inputs: Inputs) -> list[list[float]]:
    """The times that each model takes for a row of a batch of 25, one a round, in turn."""
    inputs = examples.first(inputs, BATCH)
    sessions = [verify.session_of(model) for model in models]
    found: list[list[float]] = [[] for _ in sessions]
    for _ in range(1 + ROUNDS):
        for session, measured in zip(sessions, found):
            start = time.perf_counter()
            _run(session, inputs)
            measured.append((time.perf_counter() - start) / BATCH * 1000)
    return [measured[1:] for measured in found]  # the first is slower


def _run(session: Session, inputs: Inputs) -> None:
    """What the runtime does with a file: images become bytes, in the file's graph or after it."""
    (output,) = session.run(None, dict(inputs))
    if output.ndim == 4 and output.dtype != np.uint8:
        to_bytes(output)
