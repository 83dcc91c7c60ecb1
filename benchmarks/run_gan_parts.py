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

    from runtime import options, run_gan

    note("import")
    generator = run_gan.Generator.load(model)
    note("load the model")
    images = generator.images(options.DEFAULT_SEED, run_gan.BASELINE_IMAGES)
    note("generate 25")
    grid = run_gan.baseline_grid(images)
    note("draw")
    run_gan.write_png(output, grid)
    note("write the PNG")
    run_gan.Detector(run_gan.find_cascade()).faces(grid)
    note("count the faces")

    import json  # here, since run_gan does without

    print(json.dumps(parts))


if __name__ == "__main__":
    main(float(sys.argv[1]), sys.argv[2], sys.argv[3])
