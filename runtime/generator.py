"""A trained generator: seeds in, images out."""

from __future__ import annotations

import difflib
from pathlib import Path

import numpy as np
import onnxruntime

from runtime.errors import UserError
from runtime.latent import draw_latents
from runtime.metadata import ModelMetadata
from runtime.options import DEFAULT_MODEL
from runtime.session import open_session, runs_on_cuda

MODELS = Path(__file__).parent / "models"
BATCH = 64  # images computed at once: enough to keep the cores busy, and memory stays bounded


class Generator:
    """A generator's ONNX file, ready to run.

    Attributes:
        metadata: what the file says about itself.
        provider_line: a line that says what it runs on, and why.
    """

    def __init__(
        self, session: onnxruntime.InferenceSession, metadata: ModelMetadata, provider_line: str
    ) -> None:
        self.metadata = metadata
        self.provider_line = provider_line
        self._session = session

    @classmethod
    def load(cls, model: str | Path = DEFAULT_MODEL, provider: str = "auto") -> Generator:
        """Load a shipped model by its name, or one of our ONNX files by its path.

        Args:
            provider: "cuda", "cpu", or "auto": CUDA where it works, else the CPU.

        Raises:
            UserError: no such model, a file that is damaged or not one of ours, or CUDA asked for
                by name where it does not work.
        """
        path = find_model(model)
        session, provider_line = open_session(path, provider)
        metadata = ModelMetadata.from_strings(session.get_modelmeta().custom_metadata_map, path)
        _check_signature(session, metadata, path)
        return cls(session, metadata, provider_line)

    def images(self, seed: int, count: int, *, first: int = 0) -> np.ndarray:
        """Generate images `first` to `first + count - 1` of a seed.

        Image k has the same bytes whatever `first` and `count` are.

        Returns:
            uint8 (count, H, W, 3), RGB.

        Raises:
            UserError: the seed is negative or too large.
        """
        size = self.metadata.image_size
        images = np.empty((count, size, size, 3), dtype=np.uint8)
        for start in range(0, count, BATCH):
            latents = draw_latents(
                seed,
                min(BATCH, count - start),
                self.metadata.latent_size,
                self.metadata.latent_distribution,
                first=first + start,
            )
            images[start : start + BATCH] = to_bytes(self._run(latents), self.metadata.value_range)
        return images

    def _run(self, latents: np.ndarray) -> np.ndarray:
        """Run the network: float32 (N, latent_size) in, float32 (N, 3, H, W) out."""
        count = len(latents)
        if runs_on_cuda(self._session):
            # cuDNN's rounding depends on the shape of a batch; the CPU's does not.
            latents = np.resize(latents, (BATCH, latents.shape[1]))
        return self._session.run(["image"], {"latent": latents})[0][:count]


def to_bytes(output: np.ndarray, value_range: tuple[float, float] = (-1, 1)) -> np.ndarray:
    """Turn a network's output, float32 (N, 3, H, W) in value_range, into uint8 (N, H, W, 3)."""
    low, high = value_range
    levels = np.rint((output - np.float32(low)) * np.float32(255 / (high - low)))
    return np.clip(levels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def find_model(model: str | Path) -> Path:
    """Return the path of a shipped model's name, or of a path as it is.

    Raises:
        UserError: neither a shipped name nor a path; the sentence has the names there are.
    """
    shipped = {path.stem: path for path in sorted(MODELS.glob("*.onnx"))}
    name = str(model)
    if name in shipped:
        return shipped[name]
    path = Path(model)
    if path.exists() or path.suffix == ".onnx" or len(path.parts) > 1:
        return path
    nearest = difflib.get_close_matches(name, shipped, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise UserError(
        f"model is {name!r}, expected the path of an .onnx file or one of the shipped models: "
        f"{', '.join(shipped) or 'there are none'}{hint}"
    )


def _check_signature(
    session: onnxruntime.InferenceSession, metadata: ModelMetadata, path: Path
) -> None:
    """Raise UserError unless the network takes and gives what its metadata says."""
    size = metadata.image_size
    for kind, nodes, expected in (
        ("input", session.get_inputs(), f"latent tensor(float) N x {metadata.latent_size}"),
        ("output", session.get_outputs(), f"image tensor(float) N x 3 x {size} x {size}"),
    ):
        found = ", ".join(f"{node.name} {node.type} {_shape(node.shape)}" for node in nodes)
        if found != expected:
            raise UserError(f"{path} has the {kind} {found!r}, expected {expected!r}")


def _shape(dimensions: list[int | str | None]) -> str:
    """Write a shape as "N x 128", N being a batch dimension of any size."""
    named = [
        "N" if not axis and not isinstance(size, int) else size
        for axis, size in enumerate(dimensions)
    ]
    return " x ".join(map(str, named))
