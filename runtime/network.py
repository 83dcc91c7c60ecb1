"""One of our ONNX files as a network that is ready to run."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np

from edgegan.runtime.arguments import check_array
from edgegan.runtime.choices import check_choice
from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.metadata import GENERATOR, ModelMetadata
from edgegan.runtime.options import PREFERENCES, THROUGHPUT
from edgegan.runtime.session import BATCH, check_threads, open_session


class Network:
    """A generator, float32 (N, latent_size) to images, or a discriminator, images to (N,).

    Images are float32 (N, 3, S, S) in the value range; a generator may give uint8 (N, S, S, 3).
    Where there are words, either takes a condition as well, float32 (N, words.size).

    Any number of threads may run it, also in a child that the process forks, but for a GPU there.
    It is pickled as its path and options: the file is opened again, and has to be the same.

    Attributes:
        path: its file.
        metadata: what the file says about itself.
        provider: what it computes on, a key of PROVIDERS.
        provider_line: a line that says what it runs on, and why.
        workers: how many threads should run it at the same time.
        sha256: that of the file as it was loaded.
    """

    def __init__(
        self,
        path: Path,
        provider: str,
        part: str,
        prefer: str = THROUGHPUT,
        threads: int | None = None,
        device_id: int = 0,
    ) -> None:
        """Open a file on a provider as open_session does, and check that it holds that part.

        Args:
            prefer: one of PREFERENCES. Of the CPU's cores each computes a batch of its own, which
                keeps all of them busy all the time, or all compute one, which is done sooner.
            threads: how many of the CPU's cores; None for all that this process may use.
            device_id: which GPU, where it is to be one.

        Raises:
            UserError: the file is damaged, not one of ours or another part, the network is not
                what its metadata says, or a provider was asked for by name and does not work.
            TypeError, ValueError: an option is none that there is.
        """
        check_choice("prefer", prefer, PREFERENCES)
        threads = check_threads(threads)
        self.path = path
        self._options = (provider, part, prefer, threads, device_id)
        each_alone = prefer == THROUGHPUT and provider in ("auto", "cpu")
        self._session, self.provider_line = open_session(
            path, provider, 1 if each_alone else threads, device_id
        )
        self.provider = self._session.provider
        self.sha256 = hashlib.sha256(self.content).hexdigest()
        cores = threads or available_cores()
        self.workers = min(cores, BATCH) if each_alone and self.provider == "cpu" else 1
        self.metadata = ModelMetadata.from_strings(
            self._session.get_modelmeta().custom_metadata_map, path, part
        )
        self._check_signature()
        # Not the nodes themselves: each holds its session, which `close` is to give back.
        self._inputs = {node.name: tuple(node.shape[1:]) for node in self._session.get_inputs()}
        (given,) = self._session.get_outputs()
        self._output, self._output_row = given.name, tuple(given.shape[1:])

    @property
    def takes(self) -> str:
        """Name, type and shape of its inputs, such as "latent tensor(float) N x 128"."""
        return _signature(self._session.get_inputs())

    @property
    def gives(self) -> str:
        """Name, type and shape of its output, such as "image tensor(uint8) N x 64 x 64 x 3"."""
        return _signature(self._session.get_outputs())

    @property
    def content(self) -> bytes:
        """Its file as it was loaded; nothing after `close`."""
        return self._session.content

    def run(self, *inputs: np.ndarray) -> np.ndarray:
        """Compute the output of one or more rows of input, whatever their number, row by row.

        Args:
            inputs: one array for each that it takes, in its order, with as many rows each.

        Raises:
            TypeError, ValueError: the rows are not of the type and shape that it takes, or not
                finite, or there are more or fewer arrays or rows than it takes.
            UserError: the output is not what the file declares, or not a number.
            RuntimeError: it was closed, or this is a forked child, where a GPU cannot be used.
        """
        if len(inputs) != len(self._inputs):
            raise TypeError(f"found {len(inputs)} arrays, expected {' and '.join(self._inputs)}")
        for (name, row), rows in zip(self._inputs.items(), inputs):
            check_array(name, rows, "float32", ("N", *row))
        count = len(inputs[0])
        if any(len(rows) != count for rows in inputs):
            counts = " and ".join(str(len(rows)) for rows in inputs)
            raise ValueError(f"found {counts} rows, expected as many in each array")
        at_once = max(1, BATCH // self.workers)  # a batch in all, since all workers are at it
        outputs = [
            self._run([rows[start : start + at_once] for rows in inputs])
            for start in range(0, count, at_once)
        ]
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def close(self) -> None:
        """Give back its memory and threads; it cannot be run any more."""
        self._session.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return _open_again, (self.path.absolute(), self._options, self.sha256)

    def _run(self, batches: list[np.ndarray]) -> np.ndarray:
        output = self._session.run(None, dict(zip(self._inputs, batches)))[0]
        # onnxruntime only warns of another shape, which numpy would spread over all the rows.
        declared = (len(batches[0]), *self._output_row)
        if output.shape != declared:
            raise UserError(
                f"{self.path} gave the {self._output} in the shape {output.shape}, expected "
                f"{declared} as it declares"
            )
        if output.dtype.kind == "f" and np.isnan(output.min()):
            raise UserError(f"{self.path} gave values that are not numbers, expected finite ones")
        return output

    def _check_signature(self) -> None:
        """Raise UserError unless the network takes and gives what its metadata says."""
        size = self.metadata.image_size
        values = f"image tensor(float) N x 3 x {size} x {size}"
        if self.metadata.part == GENERATOR:
            takes = f"latent tensor(float) N x {self.metadata.latent_size}"
            gives = [values, f"image tensor(uint8) N x {size} x {size} x 3"]
        else:
            takes, gives = values, ["score tensor(float) N"]
        if self.metadata.words is not None:
            takes += f", condition tensor(float) N x {self.metadata.words.size}"
        for kind, found, expected in (
            ("input", self.takes, [takes]),
            ("output", self.gives, gives),
        ):
            if found not in expected:
                choices = " or ".join(map(repr, expected))
                raise UserError(f"{self.path} has the {kind} {quoted(found)}, expected {choices}")


def _open_again(path: Path, options: tuple[Any, ...], sha256: str) -> Network:
    """Open the file of a network that was pickled; raises UserError if it is another one now."""
    network = Network(path, *options)
    if network.sha256 != sha256:
        raise UserError(
            f"{path} has the SHA-256 {network.sha256}, expected {sha256}: it was changed after the "
            "pickled network had been loaded"
        )
    return network


def _signature(nodes: list[Any]) -> str:
    return ", ".join(f"{node.name} {node.type} {_shape(node.shape)}" for node in nodes)


def _shape(dimensions: list[int | str | None]) -> str:
    """Write a shape as "N x 128", N being a batch dimension of any size."""
    named = [
        "N" if not axis and not isinstance(size, int) else size
        for axis, size in enumerate(dimensions)
    ]
    return " x ".join(map(str, named))
