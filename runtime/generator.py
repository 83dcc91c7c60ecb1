"""A trained generator: seeds in, images out."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_bytes
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.metadata import DISCRIMINATOR, GENERATOR
from edgegan.runtime.models import discriminator_beside, find_model, shipped_models
from edgegan.runtime.network import Network
from edgegan.runtime.options import DEFAULT_MODEL, PREFERENCES, THROUGHPUT
from edgegan.runtime.session import BATCH

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor


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
        self._threads: ThreadPoolExecutor | None = None

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        provider: str = "auto",
        best_of: int = 1,
        prefer: str = THROUGHPUT,
    ) -> Generator:
        """Load a shipped model by its name, or one of our ONNX files by its path.

        Args:
            provider: a key of PROVIDERS, or "auto": CUDA where it works, else the CPU.
            best_of: candidates drawn for each image, at least 1; the one that the discriminator
                beside the file scores highest is kept.
            prefer: one of PREFERENCES: what the CPU's cores do, most images a second
                ("throughput") or one image soonest ("latency"). The images are the same.

        Raises:
            UserError: no such model, a file that is damaged or not one of ours, no discriminator
                of its own beside it where one is needed, or a provider asked for by name where it
                does not work.
        """
        if best_of < 1:
            raise ValueError(f"best_of is {best_of}, expected at least 1")
        if prefer not in PREFERENCES:
            raise ValueError(f"prefer is {prefer!r}, expected one of {PREFERENCES}")
        network = Network(find_model(model), provider, GENERATOR, prefer)
        discriminator = _discriminator_of(network, prefer) if best_of > 1 else None
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

        def draw(start: int, end: int) -> np.ndarray:
            candidates, place = (end - start) * self._best_of, (first + start) * self._best_of
            return self._best(self._convert(self.latents(seed, candidates, first=place)))

        return self._side_by_side(count, max(1, BATCH // self._best_of), draw)

    def images_of(self, latents: np.ndarray) -> np.ndarray:
        """Generate the images of one or more latents, one of each.

        Args:
            latents: float32 (N, latent_size).

        Returns:
            uint8 (N, H, W, 3), RGB.
        """
        return self._side_by_side(
            len(latents), BATCH, lambda start, end: self._convert(latents[start:end])
        )

    def _side_by_side(
        self, count: int, at_once: int, draw: Callable[[int, int], np.ndarray]
    ) -> np.ndarray:
        """Put together uint8 (count, H, W, 3) of what `draw` makes of images start to end - 1.

        Args:
            at_once: how many images all workers together may be at.
        """
        size, workers = self.metadata.image_size, self._network.workers
        images = np.empty((count, size, size, 3), dtype=np.uint8)
        most = max(1, at_once // workers)  # of a worker at a time
        rounds = max(1, -(-count // (most * workers)))
        share = max(1, -(-count // (rounds * workers)))  # equal ones: none waits for another

        def fill(start: int) -> None:
            end = min(start + share, count)
            images[start:end] = draw(start, end)

        for _ in self._map(fill, range(0, count, share)):
            pass  # it raises what a worker raised
        return images

    def _map(self, fill: Callable[[int], None], starts: range) -> Iterable[None]:
        if self._network.workers == 1 or len(starts) == 1:
            return map(fill, starts)
        if self._threads is None:
            from concurrent.futures import ThreadPoolExecutor  # not needed for one image

            self._threads = ThreadPoolExecutor(self._network.workers)
        return self._threads.map(fill, starts)

    def _convert(self, latents: np.ndarray) -> np.ndarray:
        """Generate the images of latents, as bytes."""
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


def _discriminator_of(generator: Network, prefer: str) -> Network:
    """Open the discriminator beside a generator's file, on the same provider.

    Raises:
        UserError: there is none, it is damaged, or it is that of another generator.
    """
    path = discriminator_beside(generator.path)
    if not path.exists():
        if generator.path in shipped_models().values():
            raise UserError(
                f"the shipped model {generator.path.stem} comes without a discriminator to choose "
                "faces by, expected a model of your own, exported with its discriminator"
            )
        raise UserError(
            f"{generator.path} has no discriminator beside it to choose by: make {path} with "
            f"edgegan export RUN -o {path} --part {DISCRIMINATOR}"
        )
    discriminator = Network(path, generator.provider, DISCRIMINATOR, prefer)
    for name in ("recipe", "image_size", "value_range"):
        found = getattr(discriminator.metadata, name)
        expected = getattr(generator.metadata, name)
        if found != expected:
            raise UserError(
                f"{path} has the {name} {found!r}, expected {expected!r} as {generator.path} has"
            )
    return discriminator
