"""Real pictures that are spoiled on one side, which the discriminator learns to tell.

Negative data augmentation, Sinha et al. 2021, https://arxiv.org/abs/2102.05113. Of generated faces
one eye fails more often than both: it is smeared, faint, smaller or of another colour than its
neighbour. A discriminator that tells pictures by their texture hardly looks there. One that has to
find the same faults in pictures whose texture is real does, and so the generator is told of them.

What is spoiled lies within a soft edge on one side of the face, where an eye mostly is, so that
there is no seam to tell it by. Nobody has to know where the eyes are.
"""

from __future__ import annotations

import cv2
import numpy as np

HEIGHT, LEFT, RIGHT = 0.55, 0.3, 0.7  # of a spoiled part's middle, in shares of the side
UP_AND_DOWN, SIDEWAYS = 0.07, 0.06  # deviations of these
RADII = 0.08, 0.2  # the least and the greatest, across and down
EDGE = 0.7, 1.3  # of the radius: where what is spoiled begins to fade, and where it ends

BLUR = 0.8, 2.0  # deviations in pixels
ENLARGED = 0.15, 0.4  # logarithms of the factor, or of its inverse
MOVED = 1.5  # pixels, the deviation each way
TURNED = 0.4, np.pi  # of the colours about grey, in radians, either way
FADED = 0.3, 0.75  # what is left of the contrast to the surroundings
SURROUNDINGS = 6.0  # pixels: the deviation of the blur that tells what these are
LIT = 0.15  # the deviation of what is added to faded parts, where white is 2 above black


def negatives(images: np.ndarray, draws: np.random.Generator) -> np.ndarray:
    """The first half of a batch, each picture spoiled in one way on one side.

    Args:
        images: float32 (N, 3, S, S) in [-1, 1], two or more.

    Returns:
        float32 (N // 2, 3, S, S) in [-1, 1].
    """
    pictures = images.transpose(0, 2, 3, 1)
    spoiled = np.stack([_spoiled(pictures, n, draws) for n in range(len(pictures) // 2)])
    return np.clip(spoiled, -1, 1).transpose(0, 3, 1, 2)


def _spoiled(pictures: np.ndarray, number: int, draws: np.random.Generator) -> np.ndarray:
    picture, side = pictures[number], pictures.shape[1]
    x = side * (LEFT if draws.integers(2) else RIGHT) + draws.normal(0, SIDEWAYS * side)
    y = side * HEIGHT + draws.normal(0, UP_AND_DOWN * side)
    across, down = side * draws.uniform(*RADII), side * draws.uniform(*RADII)
    pixels = np.arange(side, dtype=np.float32)
    away = np.hypot((pixels - x) / across, (pixels[:, np.newaxis] - y) / down)
    inside = np.clip((EDGE[1] - away) / (EDGE[1] - EDGE[0]), 0, 1)[..., np.newaxis]
    kind = draws.integers(len(CHANGES) + 1)
    if kind == len(CHANGES):  # that part of another picture
        other = pictures[(number + 1 + draws.integers(len(pictures) - 1)) % len(pictures)]
    else:
        other = CHANGES[kind](picture, x, y, draws)
    return picture + inside.astype(np.float32) * (other - picture)


def _blurred(picture: np.ndarray, x: float, y: float, draws: np.random.Generator) -> np.ndarray:
    return cv2.GaussianBlur(picture, (0, 0), draws.uniform(*BLUR))


def _resized(picture: np.ndarray, x: float, y: float, draws: np.random.Generator) -> np.ndarray:
    """Larger or smaller, and moved a little."""
    scale = np.exp(draws.choice([-1, 1]) * draws.uniform(*ENLARGED))
    right, down = draws.normal(0, MOVED, 2)
    matrix = np.array([[scale, 0, x - scale * x + right], [0, scale, y - scale * y + down]])
    return cv2.warpAffine(
        picture,
        matrix,
        picture.shape[:2],
        flags=cv2.INTER_CUBIC,
        borderMode=cv2.BORDER_REPLICATE,
    )


def _recoloured(picture: np.ndarray, x: float, y: float, draws: np.random.Generator) -> np.ndarray:
    """Colours turned about grey: Rodrigues' rotation about (1, 1, 1)."""
    angle = draws.choice([-1, 1]) * draws.uniform(*TURNED)
    grey = np.full((3, 3), 1 / 3)
    across = np.array([[0, -1, 1], [1, 0, -1], [-1, 1, 0]]) / np.sqrt(3)
    turn = np.cos(angle) * (np.eye(3) - grey) + np.sin(angle) * across + grey
    return (picture @ turn.T).astype(np.float32)


def _faded(picture: np.ndarray, x: float, y: float, draws: np.random.Generator) -> np.ndarray:
    kept = draws.uniform(*FADED)
    surroundings = cv2.GaussianBlur(picture, (0, 0), SURROUNDINGS)
    lit = np.float32(draws.normal(0, LIT))
    return surroundings + np.float32(kept) * (picture - surroundings) + lit


CHANGES = (_blurred, _resized, _recoloured, _faded)
