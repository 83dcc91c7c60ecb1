"""One of our ONNX files as a network that is ready to run."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.metadata import GENERATOR, ModelMetadata
from edgegan.runtime.options import THROUGHPUT
from edgegan.runtime.session import BATCH, open_session, provider_of


class Network:
    """A generator, float32 (N, latent_size) to images, or a discriminator, images to (N,).

    Images are float32 (N, 3, S, S) in the value range; a generator may give uint8 (N, S, S, 3).

    Attributes:
        path: its file.
        metadata: what the file says about itself.
        provider_line: a line that says what it runs on, and why.
        workers: how many threads should run it at the same time.
    """

    def __init__(self, path: Path, provider: str, part: str, prefer: str = THROUGHPUT) -> None:
        """Open a file on a provider as open_session does, and check that it holds that part.

        Args:
            prefer: one of PREFERENCES. Of the CPU's cores each computes a batch of its own, which
                keeps all of them busy all the time, or all compute one, which is done sooner.

        Raises:
            UserError: the file is damaged, not one of ours or another part, the network is not
                what its metadata says, or a provider was asked for by name and does not work.
        """
        self.path = path
        many = prefer == THROUGHPUT
        self._session, self.provider_line = open_session(path, provider, 1 if many else None)
        self.workers = min(available_cores(), BATCH) if many and self.provider == "cpu" else 1
        self.metadata = ModelMetadata.from_strings(
            self._session.get_modelmeta().custom_metadata_map, path, part
        )
        self._check_signature()

    @property
    def provider(self) -> str:
        """What it computes on, a key of PROVIDERS."""
        return provider_of(self._session)

    @property
    def takes(self) -> str:
        """Name, type and shape of its input, such as "latent tensor(float) N x 128"."""
        return _signature(self._session.get_inputs())

    @property
    def gives(self) -> str:
        """Name, type and shape of its output, such as "image tensor(uint8) N x 64 x 64 x 3"."""
        return _signature(self._session.get_outputs())

    def run(self, rows: np.ndarray) -> np.ndarray:
        """Compute the output of one or more rows of input, whatever their number, row by row."""
        name = self._session.get_inputs()[0].name
        at_once = max(1, BATCH // self.workers)  # a batch in all, since all workers are at it
        batches = [rows[start : start + at_once] for start in range(0, len(rows), at_once)]
        outputs = [self._session.run(None, {name: batch})[0] for batch in batches]
        return outputs[0] if len(outputs) == 1 else np.concatenate(outputs)

    def _check_signature(self) -> None:
        """Raise UserError unless the network takes and gives what its metadata says."""
        size = self.metadata.image_size
        values = f"image tensor(float) N x 3 x {size} x {size}"
        if self.metadata.part == GENERATOR:
            takes = f"latent tensor(float) N x {self.metadata.latent_size}"
            gives = [values, f"image tensor(uint8) N x {size} x {size} x 3"]
        else:
            takes, gives = values, ["score tensor(float) N"]
        for kind, found, expected in (
            ("input", self.takes, [takes]),
            ("output", self.gives, gives),
        ):
            if found not in expected:
                choices = " or ".join(map(repr, expected))
                raise UserError(f"{self.path} has the {kind} {quoted(found)}, expected {choices}")


def _signature(nodes: list[Any]) -> str:
    return ", ".join(f"{node.name} {node.type} {_shape(node.shape)}" for node in nodes)


def _shape(dimensions: list[int | str | None]) -> str:
    """Write a shape as "N x 128", N being a batch dimension of any size."""
    named = [
        "N" if not axis and not isinstance(size, int) else size
        for axis, size in enumerate(dimensions)
    ]
    return " x ".join(map(str, named))
