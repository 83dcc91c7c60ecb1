"""The edge: a generator's ONNX file and a seed in; images, grids and face counts out.

    from runtime import Generator

    images = Generator.load("dcgan").images(seed=7, count=25)  # uint8 (25, H, W, 3), RGB

Needs numpy, onnxruntime, OpenCV, Pillow, platformdirs and tqdm, and nothing that trains.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runtime.generator import Generator

__all__ = ["Generator"]


def __getattr__(name: str) -> object:
    """Import Generator when it is first asked for: onnxruntime is not needed to draw latents."""
    if name == "Generator":
        from runtime.generator import Generator

        return Generator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
