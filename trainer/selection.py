"""Instance selection: training on the pictures that are most like all the others.

DeVries et al. 2020, https://arxiv.org/abs/2007.15255, section 3: a normal distribution is fitted to
the pictures' embeddings, and those of least likelihood are left out. What a narrow generator would
waste itself on is gone, so its pictures get better, and less varied. Their embedding is that of a
network which was trained on photographs; here it is the picture itself, made so small that it tells
composition, pose and light.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice

import cv2
import numpy as np
from tqdm import tqdm

from edgegan.trainer.data import PackedPictures, each_picture

SIDE = 16  # pixels of an embedding
NOISE = 0.03  # deviation added to each number of it, of [0, 1]: keeps the covariance invertible
EMBEDDINGS_AT_ONCE = 500


def select(pictures: PackedPictures, indices: np.ndarray, share: float) -> np.ndarray:
    """The likeliest of the pictures, each read twice and never two at once.

    So memory grows by a few numbers a picture, whatever its size.

    Args:
        indices: which to choose from, int64 (N,), ascending.
        share: of them that is kept, above 0 and at most 1; at least one is.

    Returns:
        Indices, int64 (M,), ascending.

    Raises:
        UserError: the packed pictures are damaged.
    """
    if share == 1:
        return indices
    numbers = SIDE * SIDE * 3
    total, products = np.zeros(numbers), np.zeros((numbers, numbers))
    for batch in _embeddings(pictures, indices, "comparing"):
        total += batch.sum(axis=0)
        products += batch.T @ batch
    mean = total / len(indices)
    covariance = products / len(indices) - np.outer(mean, mean) + NOISE**2 * np.eye(numbers)
    inverse = np.linalg.inv(covariance)
    # The log-likelihood is half of this, with its sign changed, and a constant.
    distances = np.concatenate(
        [
            np.einsum("ni,ij,nj->n", batch - mean, inverse, batch - mean, optimize=True)
            for batch in _embeddings(pictures, indices, "selecting")
        ]
    )
    kept = max(1, round(share * len(indices)))
    return np.sort(indices[np.argsort(distances, kind="stable")[:kept]])


def _embeddings(pictures: PackedPictures, indices: np.ndarray, doing: str) -> Iterator[np.ndarray]:
    """float64 (N, SIDE * SIDE * 3) in [0, 1], of a few pictures at a time, under a bar."""
    small_ones = map(_shrink, each_picture(pictures, indices))
    with tqdm(total=len(indices), desc=doing, unit="picture", disable=None) as bar:
        while small := list(islice(small_ones, EMBEDDINGS_AT_ONCE)):
            yield np.stack(small).reshape(len(small), -1) / 255
            bar.update(len(small))


def _shrink(picture: np.ndarray) -> np.ndarray:
    return cv2.resize(picture, (SIDE, SIDE), interpolation=cv2.INTER_AREA)
