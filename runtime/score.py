"""The command that grades, by the graders' own procedure: edgegan score."""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from edgegan.runtime.arguments import check_array
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.detector import PASS_ABOVE, Detector, find_cascade
from edgegan.runtime.errors import STATUS_ERROR, UserError, one_line, run_command, say
from edgegan.runtime.files import check_not_read, locked
from edgegan.runtime.generator import Generator
from edgegan.runtime.grid import BASELINE_IMAGES, baseline_grid, read_picture, write_png
from edgegan.runtime.models import model_files
from edgegan.runtime.options import (
    add_best_of_option,
    add_cascade_option,
    add_device_options,
    add_model_option,
    named_path,
    output_file,
    output_folder,
    parse_seeds,
)

RED = (255, 0, 0)
PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg")

EXAMPLES = """\
examples:
  edgegan score samples/gan.png
  edgegan score grids/ --annotate annotated/
  edgegan score --model cgan --seeds 0-99 --json
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


@dataclass
class Problems:
    """What is not graded: bad pictures and the reasons, by their names, and names of hidden files.

    Hidden files in a folder, such as ._grid.png, hold what a system keeps about others.
    """

    bad: dict[str, str] = field(default_factory=dict)
    hidden: list[str] = field(default_factory=list)

    def add(self, name: str, error: UserError) -> None:
        """Note what cannot be graded, and say so."""
        self.bad[name] = str(error)
        say(f"error: {error}")

    def tell(self) -> None:
        """Say how many files are left out."""
        if self.hidden:
            files = f"{len(self.hidden)} hidden file{'s' * (len(self.hidden) != 1)}"
            say(f"left out: {files}")

    def mappings(self) -> dict[str, Any]:
        """What --json prints of them."""
        return {
            "bad": [{"name": name, "reason": reason} for name, reason in self.bad.items()],
            "left_out": [{"name": name, "reason": "hidden file"} for name in self.hidden],
        }


def score_images(images: np.ndarray, detector: Detector) -> int:
    """Count the faces that the graders would find.

    Args:
        images: uint8 (25, H, W, 3), RGB.

    Returns:
        The number of faces in their grid.

    Raises:
        TypeError, ValueError: the images are of another type or shape.
    """
    return len(detector.faces(baseline_grid(images)))


def main(argv: list[str] | None = None) -> int:
    """Grade pictures or seeds; returns 0 if all pass, 1 if any fails, 2 if any is not graded.

    Raises:
        UserError: a model, seed or cascade is bad, or an annotation cannot be written.
    """
    options = _parse(argv)
    grids, problems = _grids_of_pictures(options.pictures)
    if options.annotate is not None:
        _check_annotation(options, [name for name, _ in grids])
    detector = Detector(find_cascade(options.cascade))
    generator = None
    if options.model:
        generator = Generator.load(options.model, options.provider, options.best_of, options.prefer)
        grids = _grids_of_seeds(generator, Path(options.model).stem, options.seeds)
        if not options.json:
            print(generator.provider_line)
    problems.tell()
    with _only_writer(options.annotate):
        scores = _grade(grids, detector, options, problems)

    provider_line = None if generator is None else generator.provider_line
    summary = {**summarise(scores), **problems.mappings(), "provider": provider_line}
    if options.json:
        print(json.dumps(summary, indent=2))
    elif len(scores) > 1:
        print(
            f"mean {summary['mean']:.2f}, minimum {summary['minimum']}, "
            f"{summary['share_passing']:.1%} of {len(scores)} grids pass"
        )
    if problems.bad:
        return STATUS_ERROR
    return 0 if all(score.passes for score in scores) else 1


def _grade(
    grids: list[NamedGrid], detector: Detector, options: argparse.Namespace, problems: Problems
) -> list[Score]:
    """Grade what can be had, and say so; what cannot becomes a problem."""
    scores = []
    for index, (name, draw) in enumerate(grids):
        try:
            grid = draw()
        except UserError as error:
            problems.add(name, error)
            continue
        rectangles = detector.faces(grid)
        scores.append(Score(name, len(rectangles)))
        if not options.json:
            print(one_line(str(scores[-1])), flush=True)
        if options.annotate is not None:
            annotated = _annotation_path(options.annotate, name, index)
            write_png(annotated, annotate(grid, rectangles))
            if not options.json:
                print(one_line(f"wrote {annotated}"), flush=True)
    return scores


def summarise(scores: Sequence[Score]) -> dict[str, Any]:
    """Return what --json prints of scores; of none there is no mean, minimum or share."""
    faces = [score.faces for score in scores]
    return {
        "pass_above": PASS_ABOVE,
        "mean": statistics.fmean(faces) if faces else None,
        "minimum": min(faces, default=None),
        "share_passing": statistics.fmean(score.passes for score in scores) if scores else None,
        "grids": [{"name": s.name, "faces": s.faces, "passes": s.passes} for s in scores],
    }


def annotate(grid: np.ndarray, rectangles: np.ndarray) -> np.ndarray:
    """Return a copy of uint8 (H, W, 3), RGB, with int32 (K, 4) rectangles drawn on it.

    Raises:
        TypeError, ValueError: one of the two is of another type or shape.
    """
    check_array("grid", grid, "uint8", ("H", "W", 3))
    check_array("rectangles", rectangles, "int32", ("N", 4))
    annotated = grid.copy()
    for x, y, width, height in rectangles.tolist():
        cv2.rectangle(annotated, (x, y), (x + width, y + height), RED, thickness=1)
    return annotated


def _grids_of_seeds(generator: Generator, name: str, seeds: Iterable[int]) -> list[NamedGrid]:
    def draw(seed: int) -> np.ndarray:
        return baseline_grid(generator.images(seed, BASELINE_IMAGES))

    return [(f"{name}-seed-{seed}", partial(draw, seed)) for seed in seeds]


def _grids_of_pictures(paths: Iterable[Path]) -> tuple[list[NamedGrid], Problems]:
    """Name the pictures, taking those of a folder in place of it."""
    pictures: list[Path] = []
    problems = Problems()
    for path in paths:
        if not os.path.isdir(path):  # noqa: PTH112 (it raises nothing)
            pictures.append(path)
            continue
        try:
            found = _pictures_in(path)
        except UserError as error:
            problems.add(str(path), error)
            continue
        problems.hidden += [str(file) for file in found if file.name.startswith(".")]
        pictures += [file for file in found if not file.name.startswith(".")]
    return [(str(picture), partial(read_picture, picture)) for picture in pictures], problems


def _pictures_in(folder: Path) -> list[Path]:
    """The files of a folder that are pictures by their suffix, by their names' bytes.

    Raises:
        UserError: there are none but hidden ones, or it cannot be read.
    """
    try:
        files = sorted(folder.iterdir(), key=os.fsencode)
    except OSError as error:
        raise UserError(f"cannot read {folder}: {error.strerror or error}") from error
    found = [file for file in files if file.suffix.lower() in PICTURE_SUFFIXES]
    if all(file.name.startswith(".") for file in found):
        raise UserError(f"{folder} has no picture in it, expected PNG or JPEG files")
    return found


def _check_annotation(options: argparse.Namespace, names: list[str]) -> None:
    """Raise UserError where annotated grids would go over what is read, or more to one file."""
    if options.model:
        names = [str(seed) for seed in options.seeds]
    target: Path = options.annotate
    if _is_png(target) and len(names) > 1:
        raise UserError(
            f"--annotate is the file {target}, expected a folder for {len(names)} grids"
        )
    read = model_files(options.model) if options.model else [*options.pictures, *names]
    paths = [_annotation_path(target, name, index) for index, name in enumerate(names)]
    check_not_read("--annotate", [target, *paths], read)


def _only_writer(target: Path | None) -> AbstractContextManager[None]:
    """What keeps other processes from writing annotated grids to the same folder."""
    return nullcontext() if target is None or _is_png(target) else locked(target, "edgegan score")


def _is_png(path: Path) -> bool:
    return path.suffix.lower() == ".png"


def _annotation_target(text: str) -> Path:
    """Read --annotate: a .png file, or else a folder."""
    if _is_png(Path(text)):
        return output_file("--annotate", ".png")(text)
    return output_folder("--annotate")(text)


def _annotation_path(target: Path, name: str, index: int) -> Path:
    """Return where an annotated grid goes: `target` itself if it is a PNG, else a file in it."""
    if _is_png(target):
        return target
    return target / f"{index:03}-{Path(name).stem}.png"  # numbered: two may share a stem


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="edgegan score",
        description="Count the faces in 5 x 5 grids as the graders do: "
        f"more than {PASS_ABOVE} is a pass. "
        "Exit status: 0 if all pass, 1 if any fails, 2 if any cannot be graded.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "pictures",
        type=named_path("PICTURE"),
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
        type=_annotation_target,
        metavar="PATH",
        help="write the pictures with the faces found drawn on them: to a .png, or a folder",
    )
    add_cascade_option(parser)

    options = parser.parse_args(argv)
    if bool(options.pictures) == bool(options.model):
        raise UserError("give pictures (or a folder of them), or --model and --seeds")
    if bool(options.model) != bool(options.seeds):
        raise UserError("--model and --seeds need each other")
    for name in ("best_of", "provider", "prefer"):
        if not options.model and getattr(options, name) != parser.get_default(name):
            raise UserError(f"--{name.replace('_', '-')} is for --model only")
    return options


if __name__ == "__main__":
    run_command(main)
