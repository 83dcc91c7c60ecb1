"""Paths between latents: straight lines, and great circles."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from edgegan.runtime.arguments import check_array, check_integer

SMALLEST_SINE = 1e-6  # below it, one great circle is as good as another, or as the straight line

Interpolate = Callable[[np.ndarray, np.ndarray, np.ndarray], np.ndarray]


def lerp(start: np.ndarray, end: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Interpolate linearly, on the straight line between two latents.

    Args:
        start: float32 (latent_size,), what fraction 0 gives, bit for bit.
        end: float32 (latent_size,), what fraction 1 gives, bit for bit.
        fractions: float64 (N,), from 0 to 1.

    Returns:
        float32 (N, latent_size).

    Raises:
        TypeError, ValueError: an array is of another type or shape, or not finite, or a fraction
            is not from 0 to 1.
    """
    _check_ends(start, end)
    _check_fractions(fractions)
    return _weighted(start, end, 1 - fractions, fractions)


def slerp(start: np.ndarray, end: np.ndarray, fractions: np.ndarray) -> np.ndarray:
    """Interpolate spherically, on the great circle between two latents.

    Shoemake, "Animating rotation with quaternion curves" (SIGGRAPH 1985), as White, "Sampling
    Generative Networks" (2016, https://arxiv.org/abs/1609.04468), uses it: normal latents lie near
    a sphere, which the straight line leaves. The latents keep their own lengths: between them it
    changes smoothly. Where they are parallel, opposite or zero there is no one great circle, and
    the result is lerp's.

    Takes, returns and raises what lerp does.
    """
    _check_fractions(fractions)
    angle = angle_between(start, end)
    sine = np.sin(angle)
    if sine < SMALLEST_SINE:
        return lerp(start, end, fractions)
    return _weighted(
        start, end, np.sin((1 - fractions) * angle) / sine, np.sin(fractions * angle) / sine
    )


def angle_between(start: np.ndarray, end: np.ndarray) -> float:
    """The angle between two vectors (D,), in radians from 0 to pi; 0 where one of them is zero.

    By Kahan's formula, 2 atan(||x' - y'|| / ||x' + y'||) with x' and y' of equal lengths, which
    keeps its digits where the arc cosine loses them: near 0 and pi.

    Raises:
        TypeError, ValueError: they are not of floating point, not finite or not of one length.
    """
    _check_ends(start, end)
    start, end = start.astype(np.float64), end.astype(np.float64)
    x, y = start * np.linalg.norm(end), end * np.linalg.norm(start)
    # Not numpy's, whose last bit depends on the processor.
    return 2 * math.atan2(np.linalg.norm(x - y), np.linalg.norm(x + y))


def walk(waypoints: np.ndarray, frames: int, interpolate: Interpolate) -> np.ndarray:
    """Go from each latent to the next in evenly spaced steps.

    Args:
        waypoints: float32 (W, latent_size), two or more.
        frames: latents on each leg, at least 2, with both of its ends; a waypoint between two legs
            is the end of the one and the start of the other, and comes once.
        interpolate: lerp or slerp.

    Returns:
        float32 ((W - 1) * (frames - 1) + 1, latent_size), with the waypoints in it bit for bit.

    Raises:
        TypeError, ValueError: the waypoints are of another type or shape, not finite or fewer than
            two, or `frames` is not a whole number of at least 2.
    """
    check_array("waypoints", waypoints, "float32", ("N", "D"))
    check_integer("the number of waypoints", len(waypoints), 2)
    frames = check_integer("frames", frames, 2)
    fractions = np.linspace(0, 1, frames)
    legs = [interpolate(*ends, fractions)[:-1] for ends in zip(waypoints, waypoints[1:])]
    return np.concatenate([*legs, waypoints[-1:]])


def _check_ends(start: np.ndarray, end: np.ndarray) -> None:
    check_array("start", start, "floating", ("D",))
    check_array("end", end, "floating", start.shape)


def _check_fractions(fractions: np.ndarray) -> None:
    check_array("fractions", fractions, "floating", ("N",))
    if ((fractions < 0) | (fractions > 1)).any():
        raise ValueError("fractions: found numbers outside, expected them from 0 to 1")


def _weighted(
    start: np.ndarray, end: np.ndarray, start_weights: np.ndarray, end_weights: np.ndarray
) -> np.ndarray:
    # In float64, so that weights of 0 and 1 give the ends back.
    return (np.outer(start_weights, start) + np.outer(end_weights, end)).astype(np.float32)
