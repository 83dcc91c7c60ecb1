"""Which rewrites a file gets: by what it is to run on, and by how far it is to be optimised.

From level 3 on, a generator is computed with fewer bits, by what its target has kernels for that
are faster: onnxruntime's CPU and WebAssembly for 8-bit integers, CUDA for float16. Of bfloat16 it
has none for convolutions on a CPU; WebGPU has some for float16, but not in every browser.

Measured with the shipped generator, 64 wide (one core of an Intel Xeon with AVX-512): on the CPU,
with onnxruntime 1.31.1, a file with phase convolutions takes 0.83 of the time of one without; with
onnxruntime-web 1.30.0 (WebAssembly, one thread) they gain nothing. For CUDA it was decided without
a GPU at hand: cuDNN has kernels for transposed convolutions.
"""

from __future__ import annotations

from types import ModuleType

from edgegan.export.passes import (
    fold_batch_norm,
    fold_constants,
    matrix_product,
    phase_convolutions,
)

TARGETS = ("cpu", "cuda", "web")
LEVELS = (0, 1, 2, 3)
DEFAULT_TARGET = "cpu"
DEFAULT_LEVEL = 2
BYTES_FROM_LEVEL = 2  # of a generator: byte_output, which needs its value range, comes last
FEWER_BITS_FROM_LEVEL = 3  # of a generator: what keeps the bound on quality is taken
FLOAT16_TARGETS = ("cuda",)  # the others compute in 8-bit integers


def passes(target: str, level: int) -> list[ModuleType]:
    """The rewrites of a model for ``target``, in their order; each computes the same as before.

    Level 0 has none, level 1 folds what is constant, and from level 2 on there is what the target
    runs faster.
    """
    chosen = []
    if level >= 1:
        chosen += [fold_constants, fold_batch_norm]
    if level >= 2:
        chosen.append(matrix_product)
        if target == "cpu":
            chosen.append(phase_convolutions)
    return chosen
