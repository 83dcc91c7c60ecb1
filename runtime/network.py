"""One of our ONNX files as a network that is ready to run."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from runtime.errors import UserError
from runtime.metadata import GENERATOR, ModelMetadata
from runtime.session import open_session, provider_of

BATCH = 64  # rows computed at once: enough to keep the cores busy, and memory stays bounded


class Network:
    """A generator, float32 (N, latent_size) to images, or a discriminator, images to (N,).

    Images are float32 (N, 3, S, S) in the value range; a generator may give uint8 (N, S, S, 3).

    Attributes:
        path: its file.
        metadata: what the file says about itself.
        provider_line: a line that says what it runs on, and why.
    """

    def __init__(self, path: Path, provider: str, part: str) -> None:
        """Open a file on a provider as open_session does, and check that it holds that part.

        Raises:
            UserError: the file is damaged, not one of ours or another part, the network is not
                what its metadata says, or a provider was asked for by name and does not work.
        """
        self.path = path
        self._session, self.provider_line = open_session(path, provider)
        self.metadata = ModelMetadata.from_strings(
            self._session.get_modelmeta().custom_metadata_map, path, part
        )
        self._check_signature()

    @property
    def provider(self) -> str:
        """What it computes on, a key of PROVIDERS."""
        return provider_of(self._session)

    def run(self, rows: np.ndarray) -> np.ndarray:
        """Compute the output of one or more rows of input, whatever their number, row by row."""
        batches = [rows[start : start + BATCH] for start in range(0, len(rows), BATCH)]
        return np.concatenate([self._run_batch(batch) for batch in batches])

    def _run_batch(self, batch: np.ndarray) -> np.ndarray:
        count = len(batch)
        if self.provider != "cpu":
            # cuDNN rounds by the shape of a batch, and TensorRT compiles anew for each shape.
            batch = np.resize(batch, (BATCH, *batch.shape[1:]))
        return self._session.run(None, {self._session.get_inputs()[0].name: batch})[0][:count]

    def _check_signature(self) -> None:
        """Raise UserError unless the network takes and gives what its metadata says."""
        size = self.metadata.image_size
        values = f"image tensor(float) N x 3 x {size} x {size}"
        if self.metadata.part == GENERATOR:
            takes = f"latent tensor(float) N x {self.metadata.latent_size}"
            gives = [values, f"image tensor(uint8) N x {size} x {size} x 3"]
        else:
            takes, gives = values, ["score tensor(float) N"]
        for kind, nodes, expected in (
            ("input", self._session.get_inputs(), [takes]),
            ("output", self._session.get_outputs(), gives),
        ):
            found = ", ".join(f"{node.name} {node.type} {_shape(node.shape)}" for node in nodes)
            if found not in expected:
                choices = " or ".join(map(repr, expected))
                raise UserError(f"{self.path} has the {kind} {found!r}, expected {choices}")


def _shape(dimensions: list[int | str | None]) -> str:
    """Write a shape as "N x 128", N being a batch dimension of any size."""
    named = [
        "N" if not axis and not isinstance(size, int) else size
        for axis, size in enumerate(dimensions)
    ]
    return " x ".join(map(str, named))
