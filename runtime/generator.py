"""A trained generator: seeds in, images out."""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from runtime.errors import UserError
from runtime.files import read_bytes
from runtime.latent import draw_latents
from runtime.metadata import DISCRIMINATOR, GENERATOR
from runtime.network import BATCH, Network
from runtime.options import DEFAULT_MODEL

MODELS = Path(__file__).parent / "models"
DISCRIMINATOR_SUFFIX = ".discriminator.onnx"  # of the file beside NAME.onnx


class Generator:
    """A generator's ONNX file, ready to run.

    Attributes:
        metadata: what the file says about itself.
        provider_line: a line that says what it runs on, and why.
    """

    def __init__(
        self, network: Network, discriminator: Network | None = None, best_of: int = 1
    ) -> None:
        self.metadata = network.metadata
        self.provider_line = network.provider_line
        self._network = network
        self._discriminator = discriminator
        self._best_of = best_of

    @classmethod
    def load(
        cls, model: str | Path = DEFAULT_MODEL, provider: str = "auto", best_of: int = 1
    ) -> Generator:
        """Load a shipped model by its name, or one of our ONNX files by its path.

        Args:
            provider: a key of PROVIDERS, or "auto": CUDA where it works, else the CPU.
            best_of: candidates drawn for each image, at least 1; the one that the discriminator
                beside the file scores highest is kept.

        Raises:
            UserError: no such model, a file that is damaged or not one of ours, no discriminator
                of its own beside it where one is needed, or a provider asked for by name where it
                does not work.
        """
        if best_of < 1:
            raise ValueError(f"best_of is {best_of}, expected at least 1")
        network = Network(find_model(model), provider, GENERATOR)
        discriminator = _discriminator_of(network) if best_of > 1 else None
        return cls(network, discriminator, best_of)

    def identity(self) -> dict[str, object]:
        """Return what decides how the images of a seed look, apart from it, as JSON can hold it.

        Raises:
            UserError: a file it was loaded from cannot be read any more.
        """
        networks = filter(None, (self._network, self._discriminator))
        files = [hashlib.sha256(read_bytes(network.path)).hexdigest() for network in networks]
        return {"models_sha256": files, "best_of": self._best_of}

    def latents(self, seed: int, count: int, *, first: int = 0) -> np.ndarray:
        """Draw latents `first` to `first + count - 1` of a seed, as draw_latents does.

        Returns:
            float32 (count, latent_size).

        Raises:
            UserError: the seed is negative or too large.
        """
        size, distribution = self.metadata.latent_size, self.metadata.latent_distribution
        return draw_latents(seed, count, size, distribution, first=first)

    def images(self, seed: int, count: int, *, first: int = 0) -> np.ndarray:
        """Generate images `first` to `first + count - 1` of a seed.

        Image k has the same bytes whatever `first` and `count` are: it is that of latent k, or,
        with `best_of` K, the best of those of latents k * K to k * K + K - 1.

        Returns:
            uint8 (count, H, W, 3), RGB.

        Raises:
            UserError: the seed is negative or too large.
        """
        size = self.metadata.image_size
        images = np.empty((count, size, size, 3), dtype=np.uint8)
        images_at_once = max(1, BATCH // self._best_of)
        for start in range(0, count, images_at_once):
            batch = images[start : start + images_at_once]
            latents = self.latents(
                seed, len(batch) * self._best_of, first=(first + start) * self._best_of
            )
            batch[:] = self._best(self.images_of(latents))
        return images

    def images_of(self, latents: np.ndarray) -> np.ndarray:
        """Generate the images of one or more latents, one of each.

        Args:
            latents: float32 (N, latent_size).

        Returns:
            uint8 (N, H, W, 3), RGB.
        """
        output = self._network.run(latents)
        if output.dtype == np.uint8:  # converted in the file's own graph
            return output
        return to_bytes(output, self.metadata.value_range)

    def _best(self, candidates: np.ndarray) -> np.ndarray:
        """Keep the best of every best_of candidates, uint8 (N, H, W, 3); the first of equals."""
        if self._discriminator is None:
            return candidates
        values = from_bytes(candidates, self.metadata.value_range)
        scores = self._discriminator.run(values).reshape(-1, self._best_of)
        return candidates[np.arange(len(scores)) * self._best_of + scores.argmax(axis=1)]


def to_bytes(output: np.ndarray, value_range: tuple[float, float] = (-1, 1)) -> np.ndarray:
    """Turn a network's output, float32 (N, 3, H, W) in value_range, into uint8 (N, H, W, 3)."""
    low, high = value_range
    levels = np.rint((output - np.float32(low)) * np.float32(255 / (high - low)))
    return np.clip(levels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def from_bytes(images: np.ndarray, value_range: tuple[float, float] = (-1, 1)) -> np.ndarray:
    """Turn uint8 (N, H, W, 3) into what a network takes, float32 (N, 3, H, W) in value_range."""
    low, high = value_range
    channels_first = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32)
    return channels_first / (255 / (high - low)) + low


def shipped_models() -> dict[str, Path]:
    """Return the generators that come with the runtime: their files, by name."""
    return {
        path.stem: path
        for path in sorted(MODELS.glob("*.onnx"))
        if not path.name.endswith(DISCRIMINATOR_SUFFIX)
    }


def find_model(model: str | Path) -> Path:
    """Return the path of a shipped model's name, or of a path as it is.

    Raises:
        UserError: neither a shipped name nor a path; the sentence has the names there are.
    """
    shipped = shipped_models()
    name = str(model)
    if name in shipped:
        return shipped[name]
    path = Path(model)
    if path.exists() or path.suffix == ".onnx" or len(path.parts) > 1:
        return path
    import difflib  # for this message only

    nearest = difflib.get_close_matches(name, shipped, n=1)
    hint = f"; did you mean {nearest[0]}?" if nearest else ""
    raise UserError(
        f"model is {name!r}, expected the path of an .onnx file or one of the shipped models: "
        f"{', '.join(shipped) or 'there are none'}{hint}"
    )


def _discriminator_of(generator: Network) -> Network:
    """Open the discriminator beside a generator's file, on the same provider.

    Raises:
        UserError: there is none, it is damaged, or it is that of another generator.
    """
    path = generator.path.with_name(generator.path.stem + DISCRIMINATOR_SUFFIX)
    if not path.exists():
        raise UserError(
            f"{generator.path} has no discriminator beside it to choose by: make {path} with "
            f"python -m export.to_onnx RUN -o {path} --part {DISCRIMINATOR}"
        )
    discriminator = Network(path, generator.provider, DISCRIMINATOR)
    for name in ("recipe", "image_size", "value_range"):
        found = getattr(discriminator.metadata, name)
        expected = getattr(generator.metadata, name)
        if found != expected:
            raise UserError(
                f"{path} has the {name} {found!r}, expected {expected!r} as {generator.path} has"
            )
    return discriminator
