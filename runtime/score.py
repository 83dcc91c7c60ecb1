"""The command that grades, by the graders' own procedure: edgegan score."""

from __future__ import annotations

import argparse
import json
import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgegan.runtime.detector import PASS_ABOVE, Detector, find_cascade
from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import make_folder
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import BASELINE_IMAGES, baseline_grid, read_picture, write_png
from edgegan.runtime.options import (
    add_best_of_option,
    add_cascade_option,
    add_device_options,
    add_model_option,
    named_path,
    parse_seeds,
)

RED = (255, 0, 0)
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")

EXAMPLES = """\
examples:
  edgegan score samples/gan.png
  edgegan score grids/ --annotate annotated/
  edgegan score --model dcgan --seeds 0-99 --json
"""

NamedGrid = tuple[str, Callable[[], np.ndarray]]  # drawn when its turn comes


@dataclass(frozen=True)
class Score:
    """The faces found in a grid, which has the name of its file, or of its model and seed."""

    name: str
    faces: int

    @property
    def passes(self) -> bool:
        """Whether the graders would let it pass."""
        return self.faces > PASS_ABOVE

    def __str__(self) -> str:
        faces = f"{self.faces} face{'s' * (self.faces != 1)}"
        return f"{self.name}: {faces}, {'PASS' if self.passes else 'FAIL'}"


def score_images(images: np.ndarray, detector: Detector) -> int:
    """Count the faces that the graders would find.

    Args:
        images: uint8 (25, H, W, 3), RGB.

    Returns:
        The number of faces in their grid.
    """
    return len(detector.faces(baseline_grid(images)))


def main(argv: list[str] | None = None) -> int:
    """Grade pictures or seeds; returns 0 if all pass and 1 if any fails.

    Raises:
        UserError: a picture, model, seed or cascade is bad, or an annotation cannot be written.
    """
    options = _parse(argv)
    detector = Detector(find_cascade(options.cascade))
    generator = (
        Generator.load(options.model, options.provider, options.best_of, options.prefer)
        if options.model
        else None
    )
    if generator is not None:
        grids = _grids_of_seeds(generator, Path(options.model).stem, options.seeds)
    else:
        grids = _grids_of_pictures(options.pictures)

    if options.annotate is not None:
        _check_annotation(options.annotate, [name for name, _ in grids])
    if generator is not None and not options.json:
        print(generator.provider_line)
    scores = []
    for index, (name, draw) in enumerate(grids):
        grid = draw()
        rectangles = detector.faces(grid)
        scores.append(Score(name, len(rectangles)))
        if not options.json:
            print(scores[-1], flush=True)
        if options.annotate is not None:
            annotated = _annotation_path(options.annotate, name, index)
            write_png(annotated, annotate(grid, rectangles))
            if not options.json:
                print(f"wrote {annotated}", flush=True)

    provider_line = None if generator is None else generator.provider_line
    summary = summarise(scores)
    if options.json:
        print(json.dumps({**summary, "provider": provider_line}, indent=2))
    elif len(scores) > 1:
        print(
            f"mean {summary['mean']:.2f}, minimum {summary['minimum']}, "
            f"{summary['share_passing']:.1%} of {len(scores)} grids pass"
        )
    return 0 if all(score.passes for score in scores) else 1


def summarise(scores: Sequence[Score]) -> dict[str, Any]:
    """Return what --json prints of one or more scores."""
    faces = [score.faces for score in scores]
    return {
        "pass_above": PASS_ABOVE,
        "mean": statistics.fmean(faces),
        "minimum": min(faces),
        "share_passing": statistics.fmean(score.passes for score in scores),
        "grids": [{"name": s.name, "faces": s.faces, "passes": s.passes} for s in scores],
    }


def annotate(grid: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
    """Return a copy of uint8 (H, W, 3), RGB, with int32 (K, 4) rectangles drawn on it."""
    annotated = grid.copy()
    for x, y, width, height in rectangles.tolist():
        cv2.rectangle(annotated, (x, y), (x + width, y + height), RED, thickness=1)
    return annotated


def _grids_of_seeds(generator: Generator, name: str, seeds: Iterable[int]) -> list[NamedGrid]:
    def draw(seed: int) -> np.ndarray:
        return baseline_grid(generator.images(seed, BASELINE_IMAGES))

    return [(f"{name}-seed-{seed}", partial(draw, seed)) for seed in seeds]


def _grids_of_pictures(paths: Iterable[Path]) -> list[NamedGrid]:
    """Name the pictures, taking those of a folder in place of it."""
    pictures: list[Path] = []
    for path in paths:
        if path.is_dir():
            found = [file for file in path.iterdir() if file.suffix.lower() in PICTURE_SUFFIXES]
            if not found:
                raise UserError(f"{path} has no picture in it, expected PNG or JPEG files")
            pictures += sorted(found)
        else:
            pictures.append(path)
    return [(str(picture), partial(read_picture, picture)) for picture in pictures]


def _check_annotation(target: Path, names: list[str]) -> None:
    """Raise UserError where annotated grids of these names cannot go to `target`."""
    if target.suffix.lower() != ".png":
        make_folder(target)
    elif len(names) > 1:
        raise UserError(
            f"--annotate is the file {target}, expected a folder for {len(names)} grids"
        )
    elif target.resolve() == Path(names[0]).resolve():
        raise UserError(f"--annotate is {target}, the picture itself, expected another file")


def _annotation_path(target: Path, name: str, index: int) -> Path:
    """Return where an annotated grid goes: `target` itself if it is a PNG, else a file in it."""
    if target.suffix.lower() == ".png":
        return target
    return target / f"{index:03}-{Path(name).stem}.png"  # numbered: two may share a stem


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="edgegan score",
        description="Count the faces in 5 x 5 grids as the graders do: "
        f"more than {PASS_ABOVE} is a pass. "
        "Exit status: 0 if all pass, 1 if any fails, 2 for an error.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "pictures",
        type=Path,
        nargs="*",
        metavar="PICTURE",
        help="grade this PNG or JPEG file, or all in this folder",
    )
    add_model_option(parser, "grade the grids of this generator", default=None)
    parser.add_argument(
        "--seeds",
        type=parse_seeds,
        help="with --model, grade the grids of these: 3, 0-99 or 0-9,20",
    )
    add_best_of_option(parser)
    add_device_options(parser)
    parser.add_argument(
        "--json", action="store_true", help="print one JSON object in place of lines"
    )
    parser.add_argument(
        "--annotate",
        type=named_path("--annotate"),
        metavar="PATH",
        help="write the pictures with the faces found drawn on them: to a .png, or a folder",
    )
    add_cascade_option(parser)
    add_debug_option(parser)

    options = parser.parse_args(argv)
    if bool(options.pictures) == bool(options.model):
        parser.error("give pictures (or a folder of them), or --model and --seeds")
    if bool(options.model) != bool(options.seeds):
        parser.error("--model and --seeds need each other")
    if options.best_of > 1 and not options.model:
        parser.error("--best-of is for --model only")
    return options


if __name__ == "__main__":
    run_command(main)
