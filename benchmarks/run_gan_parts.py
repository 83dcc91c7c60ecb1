"""What run_gan.sh's Python does, part by part; prints the seconds of each as JSON.

A script for ``benchmarks.cold_start``: STARTED MODEL OUTPUT, where STARTED is the time at which the
process was started, in seconds since the epoch.
"""

from __future__ import annotations

import sys
import time

entered = time.time()


def main(started: float, model: str, output: str) -> None:
    """Do what runtime.run_gan does, with a clock between its parts."""
    clock = time.perf_counter
    parts = {"start of Python": entered - started}
    before = clock()

    def note(part: str) -> None:
        nonlocal before
        now = clock()
        parts[part] = now - before
        before = now

    import edgegan.runtime.run_gan  # noqa: F401 (for what it imports)
    from edgegan.runtime import detector, grid, options
    from edgegan.runtime.generator import Generator

    note("import")
    generator = Generator.load(model)
    note("load the model")
    images = generator.images(options.DEFAULT_SEED, grid.BASELINE_IMAGES)
    note("generate 25")
    picture = grid.baseline_grid(images)
    note("draw")
    grid.write_png(output, picture)
    note("write the PNG")
    detector.Detector(detector.find_cascade()).faces(picture)
    note("count the faces")

    import json  # here, since run_gan does without

    print(json.dumps(parts))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2], sys.argv[3])
