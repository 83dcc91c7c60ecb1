"""A trained generator: seeds in, images out."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from edgegan.runtime.arguments import check_array, check_integer
from edgegan.runtime.conditioning import conditioning_of
from edgegan.runtime.errors import UserError
from edgegan.runtime.forks import tell_of_forks
from edgegan.runtime.latent import check_seed, draw_latents
from edgegan.runtime.metadata import DISCRIMINATOR, GENERATOR
from edgegan.runtime.models import discriminator_beside, find_model, shipped_models
from edgegan.runtime.network import Network
from edgegan.runtime.options import DEFAULT_MODEL, THROUGHPUT
from edgegan.runtime.session import BATCH, PROVIDERS

if TYPE_CHECKING:
    from concurrent.futures import ThreadPoolExecutor
    from types import TracebackType

    from edgegan.runtime.words import Text, Words


class Generator:
    """A generator's ONNX file, ready to run.

    Any number of threads may draw with it at the same time, and so may a child that the process
    forks, but for a GPU there. It is pickled as its file's path and its options: whoever unpickles
    it loads the file again, and gets a UserError if that was changed. After `close`, or at the end
    of a `with`, it draws no more.

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
        self._conditioning = conditioning_of(network.metadata, network.path)
        self._best_of = best_of
        self._closed = False
        self._lock = threading.Lock()
        self._pool: ThreadPoolExecutor | None = None
        tell_of_forks(self)

    @classmethod
    def load(
        cls,
        model: str | Path = DEFAULT_MODEL,
        provider: str = "auto",
        best_of: int = 1,
        prefer: str = THROUGHPUT,
        *,
        threads: int | None = None,
        device_id: int = 0,
    ) -> Generator:
        """Load a shipped model by its name, or one of our ONNX files by its path.

        Args:
            provider: a key of PROVIDERS, or "auto": CUDA where it works, else the CPU.
            best_of: candidates drawn for each image, at least 1; the one that the discriminator
                beside the file scores highest is kept.
            prefer: one of PREFERENCES: what the CPU's cores do, most images a second
                ("throughput") or one image soonest ("latency"). The images are the same.
            threads: how many of the CPU's cores it may use, at least 1; None for all that this
                process may. The images are the same.
            device_id: which GPU, counted from 0, where it is to be one.

        Raises:
            UserError: no such model, a file that is damaged or not one of ours, no discriminator
                of its own beside it where one is needed, or a provider asked for by name where it
                does not work.
            TypeError, ValueError: an option is none that there is.
        """
        best_of = check_integer("best_of", best_of, 1)
        network = Network(find_model(model), provider, GENERATOR, prefer, threads, device_id)
        discriminator = None
        if best_of > 1:
            discriminator = _discriminator_of(network, prefer, threads, device_id)
        return cls(network, discriminator, best_of)

    def close(self) -> None:
        """Give back its memory and threads; closing again does nothing.

        What was shared out to its threads is drawn first. Another call that is under way may raise
        the RuntimeError that every later one does.
        """
        with self._lock:
            pool, self._pool, self._closed = self._pool, None, True
        if pool is not None:
            pool.shutdown()
        for network in self._networks():
            network.close()

    def __enter__(self) -> Generator:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __reduce__(self) -> tuple[Any, ...]:
        self._check_open()
        return type(self), (self._network, self._discriminator, self._best_of)

    def after_fork(self) -> None:
        """Begin anew in a child: threads do not survive a fork, and the lock may be held."""
        self._lock, self._pool = threading.Lock(), None

    def identity(self) -> dict[str, object]:
        """Return what decides how the images of a seed look, apart from it, as JSON can hold it."""
        files = [network.sha256 for network in self._networks()]
        return {"models_sha256": files, "best_of": self._best_of}

    def latents(self, seed: int, count: int, *, first: int = 0) -> np.ndarray:
        """Draw latents `first` to `first + count - 1` of a seed, as draw_latents does.

        Returns:
            float32 (count, latent_size).

        Raises:
            UserError: the seed is negative or too large.
            TypeError, ValueError: a number is not whole, or `first` or `count` negative.
        """
        size, distribution = self.metadata.latent_size, self.metadata.latent_distribution
        return draw_latents(seed, count, size, distribution, first=first)

    @property
    def words(self) -> Words | None:
        """The groups of words that its images can be asked for by; None where it takes none."""
        return self._conditioning.words

    def condition(self, texts: Sequence[Text]) -> np.ndarray:
        """Turn texts, such as "blue hair red eyes", into what `images` takes.

        Args:
            texts: each names a word of one or more groups, in any order and case: words with or
                without their groups ("red eyes blue hair", "blue"), ``hair=blue,eyes=red`` or a
                mapping, such as ``{"hair": "blue"}``.

        Returns:
            float32 (N, words.size), a one-hot vector for each group, side by side; a group that a
            text does not name is zeros in its row.

        Raises:
            UserError: it takes no words, or a text is empty or names what it has no words for.
            TypeError: the texts are no sequence of texts.
        """
        return self._conditioning.of_texts(texts)

    def conditions(
        self, seed: int, count: int, *, first: int = 0, condition: np.ndarray | None = None
    ) -> np.ndarray:
        """Fill in what a condition leaves open, as `images` does with the same arguments.

        Returns:
            float32 (count, words.size).

        Raises:
            UserError: it takes no words, or the seed is negative or too large.
            TypeError, ValueError: as `images` raises them.
        """
        seed = check_seed(seed)
        count, first = check_integer("count", count), check_integer("first", first)
        return self._conditioning.of_seed(seed, count, first, condition)

    def images(
        self, seed: int, count: int, *, first: int = 0, condition: np.ndarray | None = None
    ) -> np.ndarray:
        """Generate images `first` to `first + count - 1` of a seed.

        Image k has the same bytes whatever `first` and `count` are: it is that of latent k, or,
        with `best_of` K, the best of those of latents k * K to k * K + K - 1.

        Where there are words, a group that the condition leaves open is drawn for image k by seed
        and k as the training pictures have it, given the others. The latents are the same whatever
        the condition is: one seed, one face, in other colours.

        Args:
            condition: float32 (1, words.size) for all images or (count, words.size), one each, as
                `condition` makes them; a group that is zeros is left open, and None leaves all.

        Returns:
            uint8 (count, H, W, 3), RGB.

        Raises:
            UserError: the seed is negative or too large, there is a condition where there are no
                words, or the file's output is not what the file declares.
            TypeError, ValueError: a number is not whole, or `first` or `count` negative, or the
                condition is of another type or shape, or not finite.
            RuntimeError: it was closed, or this is a forked child, where a GPU cannot be used.
        """
        seed = check_seed(seed)
        count, first = check_integer("count", count), check_integer("first", first)
        conditions = self._conditioning.for_images(seed, count, first, condition)

        def draw(start: int, end: int) -> np.ndarray:
            candidates, place = (end - start) * self._best_of, (first + start) * self._best_of
            latents = self.latents(seed, candidates, first=place)
            theirs = [rows[start:end].repeat(self._best_of, axis=0) for rows in conditions]
            return self._best(self._convert(latents, *theirs), *theirs)

        return self._side_by_side(count, max(1, BATCH // self._best_of), draw)

    def images_of(self, latents: np.ndarray, conditions: np.ndarray | None = None) -> np.ndarray:
        """Generate the images of one or more latents, one of each.

        Args:
            latents: float32 (N, latent_size), finite.
            conditions: float32 (N, words.size), finite, used as they are: mixtures of words, too.
                Needed where there are words, and None where there are none.

        Returns:
            uint8 (N, H, W, 3), RGB.

        Raises:
            TypeError, ValueError: an array is of another type or shape, or not finite, or there
                are conditions where there are no words.
            UserError, RuntimeError: as `images` raises them.
        """
        check_array("latents", latents, "float32", ("N", self.metadata.latent_size))
        inputs = (latents, *self._conditioning.for_latents(conditions, len(latents)))
        return self._side_by_side(
            len(latents),
            BATCH,
            lambda start, end: self._convert(*(rows[start:end] for rows in inputs)),
        )

    def _side_by_side(
        self, count: int, at_once: int, draw: Callable[[int, int], np.ndarray]
    ) -> np.ndarray:
        """Put together uint8 (count, H, W, 3) of what `draw` makes of images start to end - 1.

        Args:
            at_once: how many images all workers together may be at.
        """
        self._check_open()
        size, workers = self.metadata.image_size, self._network.workers
        images = np.empty((count, size, size, 3), dtype=np.uint8)
        most = max(1, at_once // workers)  # of a worker at a time
        rounds = max(1, -(-count // (most * workers)))
        share = max(1, -(-count // (rounds * workers)))  # equal ones: none waits for another

        def fill(start: int) -> None:
            end = min(start + share, count)
            images[start:end] = draw(start, end)

        self._for_each(fill, range(0, count, share))
        return images

    def _for_each(self, fill: Callable[[int], None], starts: range) -> None:
        """Call `fill` with each start, on the workers where there is something to share out."""
        if self._network.workers == 1 or len(starts) == 1:
            for start in starts:
                fill(start)
            return
        with self._lock:
            self._check_open()
            if self._pool is None:
                from concurrent.futures import ThreadPoolExecutor  # not needed for one image

                self._pool = ThreadPoolExecutor(self._network.workers)
            filling = [self._pool.submit(fill, start) for start in starts]
        try:
            for future in filling:
                future.result()
        finally:
            for future in filling:  # where one failed, the others need not begin
                future.cancel()

    def _check_open(self) -> None:
        if self._closed:
            raise RuntimeError(f"the generator of {self._network.path} was closed: load it again")

    def _networks(self) -> list[Network]:
        return [network for network in (self._network, self._discriminator) if network is not None]

    def _convert(self, *inputs: np.ndarray) -> np.ndarray:
        """Generate the images of latents, and of their conditions, as bytes."""
        output = self._network.run(*inputs)
        if output.dtype == np.uint8:  # converted in the file's own graph
            return output
        return to_bytes(output, self.metadata.value_range)

    def _best(self, candidates: np.ndarray, *conditions: np.ndarray) -> np.ndarray:
        """Keep the best of every best_of candidates, uint8 (N, H, W, 3); the first of equals."""
        if self._discriminator is None:
            return candidates
        values = from_bytes(candidates, self.metadata.value_range)
        scores = self._discriminator.run(values, *conditions).reshape(-1, self._best_of)
        return candidates[np.arange(len(scores)) * self._best_of + scores.argmax(axis=1)]


def to_bytes(output: np.ndarray, value_range: tuple[float, float] = (-1, 1)) -> np.ndarray:
    """Turn a network's output, float32 (N, 3, H, W) in value_range, into uint8 (N, H, W, 3).

    Raises:
        TypeError, ValueError: it is of another type or shape.
    """
    check_array("output", output, "float32", ("N", 3, "H", "W"), finite=False)
    low, high = value_range
    levels = np.rint((output - np.float32(low)) * np.float32(255 / (high - low)))
    return np.clip(levels, 0, 255).astype(np.uint8).transpose(0, 2, 3, 1)


def from_bytes(images: np.ndarray, value_range: tuple[float, float] = (-1, 1)) -> np.ndarray:
    """Turn uint8 (N, H, W, 3) into what a network takes, float32 (N, 3, H, W) in value_range.

    Raises:
        TypeError, ValueError: the images are of another type or shape.
    """
    check_array("images", images, "uint8", ("N", "H", "W", 3))
    low, high = value_range
    channels_first = np.ascontiguousarray(images.transpose(0, 3, 1, 2)).astype(np.float32)
    return channels_first / (255 / (high - low)) + low


def _discriminator_of(
    generator: Network, prefer: str, threads: int | None, device_id: int
) -> Network:
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
    provider = generator.provider
    on_gpu = device_id if PROVIDERS[provider].is_gpu else 0
    discriminator = Network(path, provider, DISCRIMINATOR, prefer, threads, on_gpu)
    for name in ("recipe", "image_size", "value_range"):
        found = getattr(discriminator.metadata, name)
        expected = getattr(generator.metadata, name)
        if found != expected:
            raise UserError(
                f"{path} has the {name} {found!r}, expected {expected!r} as {generator.path} has"
            )
    if discriminator.metadata.words != generator.metadata.words:
        raise UserError(
            f"{path} takes other words than {generator.path}, expected the discriminator of its run"
        )
    return discriminator
