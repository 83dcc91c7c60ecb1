"""The images of a model's first seeds as an array: MODEL SEEDS OUTPUT.

A script for ``benchmarks.processors``, which has it run by processors that this one emulates.
"""

from __future__ import annotations

import sys

import numpy as np

from edgegan.runtime.generator import Generator

IMAGES = 25  # of each seed


def main(model: str, seeds: int, output: str) -> None:
    """Save uint8 (seeds * IMAGES, H, W, 3), RGB, as numpy does."""
    generator = Generator.load(model, "cpu")
    np.save(output, np.concatenate([generator.images(seed, IMAGES) for seed in range(seeds)]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), sys.argv[3])
