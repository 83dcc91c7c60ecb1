"""Network architectures, one file each: a generator and a discriminator that mirror each other."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from mxnet.gluon import HybridBlock


def names() -> list[str]:
    """Names of all architectures: the modules of this package."""
    return sorted(module.name for module in pkgutil.iter_modules(__path__))


def make_generator(network: str, latent_size: int, width: int, image_size: int) -> HybridBlock:
    """The generator of architecture ``network``: (N, latent_size) -> (N, 3, S, S) in [-1, 1]."""
    return _module(network).Generator(latent_size, width, image_size)


def make_discriminator(network: str, width: int, image_size: int) -> HybridBlock:
    """The discriminator of architecture ``network``: (N, 3, S, S) -> scores (N,), unbounded."""
    return _module(network).Discriminator(width, image_size)


def _module(network: str) -> Any:
    return importlib.import_module(f"{__name__}.{network}")
