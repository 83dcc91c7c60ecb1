"""Which passes a file gets: by what it is to run on, and by how far it is to be optimised.

From level 3 on, a generator is computed with fewer bits, by what its target has kernels for that
are faster: onnxruntime's CPU and WebAssembly for 8-bit integers, CUDA for float16. Of bfloat16 it
has none for convolutions on a CPU; WebGPU has some for float16, but not in every browser.

Measured with the shipped generator, 64 wide (one core of an Intel Xeon with AVX-512): on the CPU,
with onnxruntime 1.31.1, a file with phase convolutions takes 0.83 of the time of one without; with
onnxruntime-web 1.30.0 (WebAssembly, one thread) they gain nothing. For CUDA it was decided without
a GPU at hand: cuDNN has kernels for transposed convolutions.
"""

from __future__ import annotations

from dataclasses import dataclass
from types import ModuleType

from edgegan.export.passes import (
    activation_first,
    byte_output,
    compute_float16,
    fold_batch_norm,
    fold_constants,
    matrix_product,
    phase_convolutions,
    quantise_int8,
)
from edgegan.runtime.metadata import GENERATOR, PARTS

TARGETS = ("cpu", "cuda", "web")
LEVELS = (0, 1, 2, 3)
DEFAULT_TARGET = "cpu"
DEFAULT_LEVEL = 2
FEWER_BITS_FROM_LEVEL = 3


@dataclass(frozen=True)
class Pass:
    """A pass, and which files get it: from a level on, for some targets, some parts."""

    module: ModuleType
    level: int
    targets: tuple[str, ...] = TARGETS
    parts: tuple[str, ...] = PARTS

    def why_not(self, target: str, level: int, part: str) -> str:
        """Why a file does not get it; nothing where it does."""
        if target not in self.targets:
            return f"for --target {' or '.join(self.targets)} only"
        if part not in self.parts:
            return f"for a {' or '.join(self.parts)} only"
        if level < self.level:
            return f"from --optimize {self.level} on"
        return ""


# In this order. What each makes computes the same as before.
EXACT = (
    Pass(fold_constants, 1),
    Pass(fold_batch_norm, 1),
    Pass(matrix_product, 2),
    Pass(activation_first, 2),
    Pass(phase_convolutions, 2, targets=("cpu",)),
)
# After them, as far as the bound on quality allows.
FEWER_BITS = (
    Pass(quantise_int8, FEWER_BITS_FROM_LEVEL, targets=("cpu", "web"), parts=(GENERATOR,)),
    Pass(compute_float16, FEWER_BITS_FROM_LEVEL, targets=("cuda",), parts=(GENERATOR,)),
)
BYTES = Pass(byte_output, 2, parts=(GENERATOR,))  # at last
