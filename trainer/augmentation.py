"""Differentiable augmentation, Zhao et al. 2020, https://arxiv.org/abs/2006.10738.

What the discriminator sees, real or generated, goes through the same random transformations, and
the generator's gradient passes through them: the discriminator cannot learn few pictures by heart,
and the generator does not learn to draw what is transformed. Strengths are those of the authors'
code, https://github.com/mit-han-lab/data-efficient-gans, for pictures in [-1, 1], where 0 is grey.

Every transformation takes and gives images float32 (N, 3, H, W) in [-1, 1], draws for each picture
apart, and is differentiable.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from edgegan.trainer.framework import NDArray, mx

SHIFT = 1 / 8  # of the size: the farthest translation
CUT = 1 / 2  # of the size: the side of the square that is cut out


def colour(images: NDArray, draws: np.random.Generator) -> NDArray:
    """Brightness by +-0.5, saturation times 0 to 2, then contrast times 0.5 to 1.5."""
    brightness, saturation, contrast = (
        mx.nd.array(draws.uniform(low, high, (len(images), 1, 1, 1)), ctx=images.context)
        for low, high in ((-0.5, 0.5), (0, 2), (0.5, 1.5))
    )
    images = images + brightness
    grey = images.mean(axis=1, keepdims=True)
    images = (images - grey) * saturation + grey
    mean = images.mean(axis=(1, 2, 3), keepdims=True)
    return (images - mean) * contrast + mean


def translation(images: NDArray, draws: np.random.Generator) -> NDArray:
    """Shifts by whole pixels, up to an eighth of the size each way; what comes in is 0."""
    count, _, height, width = images.shape
    most = round(height * SHIFT), round(width * SHIFT)
    down, right = (draws.integers(-limit, limit + 1, count) for limit in most)
    matrices = _shift_matrices(height, down), _shift_matrices(width, right)
    # A shift is a product with a matrix, so its gradient is one as well.
    rows, columns = (mx.nd.array(matrix, ctx=images.context) for matrix in matrices)
    flat = images.transpose((0, 2, 1, 3)).reshape((count, height, -1))
    shifted = mx.nd.batch_dot(rows, flat).reshape((count, height, 3, width))
    flat = shifted.transpose((0, 2, 1, 3)).reshape((count, -1, width))
    return mx.nd.batch_dot(flat, columns, transpose_b=True).reshape(images.shape)


def cutout(images: NDArray, draws: np.random.Generator) -> NDArray:
    """Sets a square of half the size, centred anywhere, to 0."""
    count, _, height, width = images.shape
    inside = []
    for size in (height, width):
        side = round(size * CUT)
        first = draws.integers(0, size + 1 - side % 2, count)[:, None] - side // 2
        places = np.arange(size)[None, :]
        inside.append((places >= first) & (places < first + side))
    kept = ~(inside[0][:, None, :, None] & inside[1][:, None, None, :])
    return images * mx.nd.array(kept, ctx=images.context, dtype=np.float32)


TRANSFORMATIONS: dict[str, Callable[[NDArray, np.random.Generator], NDArray]] = {
    "colour": colour,
    "translation": translation,
    "cutout": cutout,
}


def _shift_matrices(size: int, shifts: np.ndarray) -> np.ndarray:
    """Matrices M with (M x)[i] = x[i - shift], 0 outside: float32 (N, size, size)."""
    source = np.arange(size)[None, :] - shifts[:, None]
    return (source[:, :, None] == np.arange(size)[None, None, :]).astype(np.float32)
