"""Network architectures, one file each: a generator, a discriminator, or a pair of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from edgegan.trainer.framework import HybridBlock, nn

INITIAL_DEVIATION = 0.02  # of all weights; DCGAN, section 4
GENERATOR_PREFIX = "generator_"
DISCRIMINATOR_PREFIX = "discriminator_"
MOST_WIDTH = 4096  # keeps a mistyped number from filling the memory


@dataclass(frozen=True)
class Architecture:
    """An architecture; a subclass is a frozen dataclass, its fields what a recipe can set.

    Attributes:
        width: the number of channels next to the picture.
    """

    width: int = 64

    def __post_init__(self) -> None:
        if not 1 <= self.width <= MOST_WIDTH:
            raise ValueError(f"width is {self.width}, expected 1 to {MOST_WIDTH}")

    @property
    def network(self) -> str:
        """The architecture's name: that of its module."""
        return type(self).__module__.rpartition(".")[2]

    def draw_weights(self, shape: tuple[int, ...], draws: np.random.Generator) -> np.ndarray:
        """Initial weights of a layer: N(0, 0.02), DCGAN section 4; biases and the like are 0."""
        return draws.normal(0, INITIAL_DEVIATION, shape)


class GeneratorArchitecture(Architecture, ABC):
    """A network that draws pictures."""

    def input_size(self, latent_size: int, image_size: int) -> int:
        """How many numbers it takes for a picture: the latent, and what it draws besides."""
        return latent_size

    @abstractmethod
    def build(self, latent: Latent, image_size: int, value_range: str) -> HybridBlock:
        """(N, input_size) -> images (N, 3, S, S) in the value range, float32."""


class DiscriminatorArchitecture(Architecture, ABC):
    """A network that scores pictures."""

    scores_batches: ClassVar[bool] = False
    """Whether a picture's score depends on the others of its batch, in use too."""

    def check(self, image_size: int) -> None:
        """Raise ValueError where pictures of that size are too small for it."""

    @abstractmethod
    def build(self, image_size: int) -> HybridBlock:
        """Images (N, 3, S, S) -> scores (N,), or (N, P) where it judges P patches; unbounded."""


class TrunkDiscriminator(DiscriminatorArchitecture):
    """A trunk, which makes maps of a picture, and what makes a score of the maps.

    What else is to be known of a picture, or to be told with it, comes in between.
    """

    scores_patches: ClassVar[bool] = False
    """Whether it gives a score for each patch of a picture."""

    def build(self, image_size: int) -> HybridBlock:
        network = nn.HybridSequential(prefix=DISCRIMINATOR_PREFIX)
        with network.name_scope():
            network.add(*self.trunk(image_size), *self.score(self.maps(image_size)))
        return network

    @property
    def norm_of_weights(self) -> str:
        """What normalises the weights of all its layers: spectral or none."""
        return "none"

    @abstractmethod
    def trunk(self, image_size: int) -> list[HybridBlock]:
        """The layers from images (N, 3, S, S) to maps."""

    @abstractmethod
    def maps(self, image_size: int) -> Maps:
        """What the trunk makes of images of that size."""

    @abstractmethod
    def score(self, maps: Maps) -> list[HybridBlock]:
        """The layers from such maps to scores, as of ``build``."""


@dataclass(frozen=True)
class Maps:
    """The shape of what a discriminator's trunk gives: (N, channels, side, side)."""

    channels: int
    side: int

    @property
    def size(self) -> int:
        """How many numbers they are for a picture."""
        return self.channels * self.side**2


@dataclass(frozen=True)
class Latent:
    """What a generator starts from.

    Attributes:
        size: how many numbers that is.
        distribution: what they are drawn from: normal, or uniform in [-1, 1].
    """

    size: int
    distribution: str = "normal"
