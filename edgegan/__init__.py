"""GANs from training to one ONNX file: trained with MXNet, run anywhere with onnxruntime.

    from edgegan import Generator

    images = Generator.load("cgan").images(seed=7, count=25)  # uint8 (25, H, W, 3), RGB

``edgegan.runtime`` draws and grades, ``edgegan.export`` makes the files, ``edgegan.trainer``
trains. Importing a package does nothing; only the last two need more than the base install.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from edgegan.runtime.generator import Generator

__all__ = ["Generator"]

_checkout = Path(__file__).resolve().parent.parent
if (_checkout / "run_gan.sh").exists():  # there the packages lie beside this one, not in it
    __path__.append(str(_checkout))


def __getattr__(name: str) -> object:
    """Import Generator when it is first asked for: not everybody here needs onnxruntime."""
    if name == "Generator":
        from edgegan.runtime.generator import Generator

        return Generator
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
