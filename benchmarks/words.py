"""Are a conditional generator's pictures what their words say: python -m benchmarks.words.

Hair and eyes of the assignment, by the shipped colour classifier, which trained no generator:

- all pairs that the data has, so many pictures each, beside real pictures that were held out from
  the generator, as far as that is known, and from the classifier;
- the assignment's five texts as its grid of 25;
- a pair that the data lacks;
- faces, the words drawn as the data has them;
- variety within a text.

Of pictures that others made it measures what a picture can tell.
"""

from __future__ import annotations

import argparse
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import comb
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from edgegan.runtime import tables
from edgegan.runtime.colour_classifier import Namer, shipped_namer
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.cores import available_cores
from edgegan.runtime.detector import Detector, find_cascade
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.grid import (
    BASELINE_HIDDEN,
    BASELINE_IMAGES,
    BASELINE_LEFTS,
    BASELINE_SHAPE,
    BASELINE_TILE,
    BASELINE_TOPS,
    read_picture,
)
from edgegan.runtime.options import add_cascade_option, whole_number
from edgegan.runtime.score import score_images
from edgegan.runtime.tags import NONE
from edgegan.runtime.words import Words
from edgegan.trainer.conditional_generator import Conditional, look_at, read_batches
from edgegan.trainer.data import pack
from edgegan.trainer.evaluate import MeasuredGenerator, Pictures, open_generator
from edgegan.trainer.evaluate_words import translated
from edgegan.trainer.features import Extractor
from edgegan.trainer.features.colour_classifier import ColourFeatures
from edgegan.trainer.metrics.faces import summarise
from edgegan.trainer.options import add_data_options
from edgegan.trainer.split import HELD_OUT, split
from edgegan.trainer.standing import Standing
from edgegan.trainer.word_metrics import WordedPictures
from edgegan.trainer.word_metrics.right_words import all_right
from edgegan.trainer.word_metrics.variety import variety

EXAMPLES = """\
examples:
  python -m benchmarks.words cgan.onnx --data extra_data.zip
  python -m benchmarks.words runs/acgan runs/acgan/last.npz --data extra_data.zip --each 20
  python -m benchmarks.words peer_a.png --data extra_data.zip
"""
PACKAGES = ("numpy", "onnxruntime", "mxnet", "opencv-python")
ASSIGNMENT = (
    "blue hair blue eyes",
    "blue hair green eyes",
    "blue hair red eyes",
    "green hair blue eyes",
    "green hair red eyes",
)
LACKING = "purple hair black eyes"
LACKING_IMAGES = 400
GRIDS = 40  # of the assignment's texts
FACE_GRIDS = 100
WORST = 5  # pairs, that the report names
ENOUGH_RIGHT = 0.8  # of a pair
CHANCE = 0.05  # below this a difference is told from chance
IMAGE_SIZE = 64  # of the real pictures, where there is no generator


Pairs = dict[str, dict[str, float]]  # the share that is right, and of how many, by text


@dataclass(frozen=True)
class Judge:
    """What measures: real pictures held out, in the words of the data, and who sees pictures.

    ``name`` is that of the real pictures, ``digest`` of the whole set.
    """

    name: str
    digest: str
    words: Words
    real: WordedPictures
    extract: Extractor
    namer: Namer
    detector: Detector

    def look_at(
        self, generator: Conditional, choices: np.ndarray, seed: int = 0, first: int = 0
    ) -> WordedPictures:
        """What is seen of faces ``first`` and on of a seed, with words in the data's numbers."""
        asked = translated(choices, self.words, generator.words)
        return look_at(generator.batches(seed, asked, first), choices, self.extract, self.namer)

    def parse(self, texts: Sequence[str]) -> np.ndarray:
        """Texts that name every group as choices, int64 (N, groups)."""
        return np.array([self.words.parse(text) for text in texts], np.int64)


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0.

    Raises:
        UserError: a generator or the pictures cannot be read, or their words are others.
    """
    options = _parse(argv)
    opened = {
        name: None if name.endswith(".png") else open_generator(name, seed=0)
        for name in options.generators
    }
    cascade = find_cascade(options.cascade)
    judges = {
        which: make_judge(options.data, options.skip_bad, cascade, which)
        for which in dict.fromkeys(map(compared_with, opened.values()))
    }
    conditionals = {
        name: conditional_of(generator, judges[compared_with(generator)])
        for name, generator in opened.items()
        if generator
    }
    results: dict[str, dict[str, Any]] = {
        judge.name: {**right_words(judge.real, judge.words), "variety": 1.0}
        for judge in judges.values()
    }
    for name, generator in opened.items():
        measure.progress(name)
        judge = judges[compared_with(generator)]
        if generator:
            found = measure_generator(conditionals[name], judge, options.each)
            standing = Standing.of(generator.known, judge.digest)
            found.update(compared_with=judge.name, standing=standing.value)
        else:
            found = measure_picture(Path(name), judge)
        results[name] = found
    report = {
        "benchmark": "words",
        "machine": measure.machine(available_cores()),
        "versions": measure.versions(PACKAGES),
        "each": options.each,
        "results": results,
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0


def compared_with(generator: MeasuredGenerator | None) -> Pictures:
    """The real pictures that something is compared with: a picture's, where there is no generator.

    They are held out from the generator, as edgegan evaluate has it, and from the classifier.
    """
    which = generator.pictures if generator else Pictures(IMAGE_SIZE)
    return replace(which, held_out=min(which.held_out, HELD_OUT))


def make_judge(source: Path, skip_bad: bool, cascade: Path, which: Pictures) -> Judge:
    """What measures by the pictures of a set, of which it looks at those that are held out.

    Raises:
        UserError: they cannot be read, or have words that the colour classifier does not know.
    """
    pictures = pack(source, which.image_size, skip_bad, which.crop_from, with_words=True)
    words = pictures.words
    namer = shipped_namer(words) if words else None
    if words is None or namer is None:
        raise UserError(f"{source} has words that the colour classifier does not know")
    choices = pictures.choices()
    held_out = split(pictures, which.held_out, validation=0).held_out
    held_out = held_out[(choices[held_out] != NONE).all(axis=1)]
    if not len(held_out):
        raise UserError(f"{source} has no picture with words held out, expected more pictures")
    extract = ColourFeatures()
    seen = look_at(read_batches(pictures, held_out), choices[held_out], extract, namer)
    real = replace(seen, origins=pictures.groups()[held_out])
    name = f"{which}: {len(held_out)} held out"
    return Judge(name, pictures.digest, words, real, extract, namer, Detector(cascade))


def conditional_of(generator: MeasuredGenerator, judge: Judge) -> Conditional:
    """How it draws what words say; raises UserError where its words are others."""
    conditional = generator.conditional
    if conditional is None:
        raise UserError(f"{generator.name} takes no words, expected a conditional generator")
    if (translated(judge.words.combinations, judge.words, conditional.words) == NONE).any():
        raise UserError(f"{generator.name} lacks words that the data has")
    return conditional


def measure_generator(generator: Conditional, judge: Judge, each: int) -> dict[str, Any]:
    """All figures of a generator, by name."""
    words, real = judge.words, judge.real
    asked = np.repeat(words.combinations, each, axis=0)
    drawn = judge.look_at(generator, asked)
    texts = np.repeat(judge.parse(ASSIGNMENT), BASELINE_IMAGES // len(ASSIGNMENT), axis=0)
    grids = [judge.look_at(generator, texts, seed) for seed in range(GRIDS)]
    right = [int(all_right(grid).sum()) for grid in grids]
    lacking = np.repeat(judge.parse([LACKING]), LACKING_IMAGES, axis=0)
    faces = [
        score_images(
            generator.images(seed, generator.choices(seed, BASELINE_IMAGES)), judge.detector
        )
        for seed in range(FACE_GRIDS)
    ]
    return {
        **right_words(drawn, words),
        "variety": variety(drawn, real),
        "assignment": float(np.mean(right)),
        "assignment_least": min(right),
        "assignment_variety": variety(_together(grids), real),
        "lacking": float(all_right(judge.look_at(generator, lacking, first=len(asked))).mean()),
        "faces": summarise(faces),
    }


def measure_picture(path: Path, judge: Judge) -> dict[str, Any]:
    """What a picture tells: the graders' grid of the assignment's texts, or a table of all pairs.

    Raises:
        UserError: it is neither.
    """
    picture = read_picture(path)

    def look(images: np.ndarray, choices: np.ndarray) -> WordedPictures:
        return look_at([images], choices, judge.extract, judge.namer)

    if picture.shape == BASELINE_SHAPE:
        texts = np.repeat(judge.parse(ASSIGNMENT), BASELINE_IMAGES // len(ASSIGNMENT), axis=0)
        seen = look(tiles_of_grid(picture), texts)
        return {
            "assignment": float(all_right(seen).sum()),
            "assignment_variety": variety(seen, judge.real),
            "faces": summarise([len(judge.detector.faces(picture))]),
        }
    hair, eyes = judge.words.sizes
    height, width = picture.shape[0] // hair, picture.shape[1] // eyes
    if picture.shape[:2] != (hair * height, eyes * width) or height != width:
        raise UserError(
            f"{path} has {picture.shape[1]} x {picture.shape[0]} pixels, expected the graders' grid"
            f" of 640 x 480, or a table of {eyes} x {hair} squares"
        )
    rows = picture.reshape(hair, height, eyes, width, 3).transpose(0, 2, 1, 3, 4)
    choices = np.array(list(itertools.product(range(hair), range(eyes))))
    return right_words(look(rows.reshape(-1, height, width, 3), choices), judge.words, pairs=False)


def right_words(pictures: WordedPictures, words: Words, pairs: bool = True) -> dict[str, Any]:
    """The share of pictures with both words right, each word, and all pairs, of how many each."""
    right = all_right(pictures)
    each = (pictures.named == pictures.choices).mean(axis=0)
    found: dict[str, Any] = {
        "right": float(right.mean()),
        **{group.name: float(share) for group, share in zip(words.groups, each)},
    }
    if pairs:
        found["pairs"] = {}
        for choice in np.unique(pictures.choices, axis=0):
            of_pair = right[(pictures.choices == choice).all(axis=1)]
            share = {"right": float(of_pair.mean()), "pictures": len(of_pair)}
            found["pairs"][words.describe(choice)] = share
    return found


def below(pairs: Pairs, real: Pairs) -> list[str]:
    """Pairs that are right less often than ENOUGH_RIGHT and, where there are some, real ones."""
    return [
        text
        for text, share in pairs.items()
        if share["right"] < ENOUGH_RIGHT
        and (text not in real or share["right"] < real[text]["right"])
    ]


def by_chance(share: dict[str, float], real: dict[str, float]) -> float:
    """The probability that no more of a pair are right, were real ones right no more often.

    Fisher's exact test, one-sided: 0 to 1.
    """
    right, of_real = (round(side["right"] * side["pictures"]) for side in (share, real))
    count, of_all = int(share["pictures"]), int(share["pictures"] + real["pictures"])
    ways = [
        comb(right + of_real, k) * comb(of_all - right - of_real, count - k)
        for k in range(right + 1)
    ]
    return sum(ways) / comb(of_all, count)


def tiles_of_grid(picture: np.ndarray) -> np.ndarray:
    """The pictures of the graders' grid, uint8 (25, 64, 64, 3), RGB.

    Where it hides a row of pixels the next one stands in.
    """
    tiles = []
    for top in BASELINE_TOPS:
        for left in BASELINE_LEFTS:
            tile = picture[top : top + BASELINE_TILE, left : left + BASELINE_TILE].copy()
            if top in BASELINE_HIDDEN:
                tile[0] = tile[1]
            tiles.append(tile)
    return np.stack(tiles)


def _together(parts: Sequence[WordedPictures]) -> WordedPictures:
    features, choices, named = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("features", "choices", "named")
    )
    return WordedPictures.drawn(features, choices, named)


def _print(report: dict[str, Any]) -> None:
    results = report["results"]
    print("The words of a conditional generator's pictures\n")
    machine = report["machine"]
    versions = ", ".join(f"{name} {found}" for name, found in report["versions"].items())
    print(f"{machine['cpu']}, Python {machine['python']}, {versions}\n")

    def show(found: dict[str, Any], key: str, form: str) -> str:
        return format(found[key], form) if found.get(key) is not None else "-"

    rows = [
        [
            name,
            *(show(found, key, ".1%") for key in ("right", "hair", "eyes")),
            show(found, "variety", ".2f"),
            show(found, "assignment", ".2f"),
            show(found, "assignment_least", ".0f"),
            show(found, "assignment_variety", ".2f"),
            show(found, "lacking", ".1%"),
            show(found.get("faces", {}), "mean", ".2f"),
        ]
        for name, found in results.items()
    ]
    titles = ("", "both right", "hair", "eyes", "variety", "five texts of 25", "least", "variety")
    print(tables.markdown((*titles, LACKING, "faces of 25"), rows))
    for name, found in results.items():
        if "compared_with" in found:
            print(f"\n{name}, by real pictures {Standing(found['standing']).clause}:")
            print(pair_lines(found["pairs"], results[found["compared_with"]]["pairs"]))


def pair_lines(pairs: Pairs, real: Pairs) -> str:
    """The pairs that are right most seldom, and those below what is asked for, beside real ones."""

    def tell(text: str) -> str:
        told = f"{text} {pairs[text]['right']:.0%}"
        if text not in real:
            return f"{told} (no real one)"
        return f"{told} (real {real[text]['right']:.0%} of {real[text]['pictures']})"

    worst = sorted(pairs, key=lambda text: pairs[text]["right"])[:WORST]
    less = below(pairs, real)
    sure = sum(text not in real or by_chance(pairs[text], real[text]) < CHANCE for text in less)
    lines = [
        f"the worst of {len(pairs)} pairs: {', '.join(map(tell, worst))}",
        f"{len(less)} below {ENOUGH_RIGHT:.0%} and below real pictures, {sure} of them by more "
        f"than chance (Fisher's exact test, {CHANCE:.0%})",
    ]
    return "\n".join([*lines, *(f"- {tell(text)}" for text in less)])


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.words",
        description="Measure whether a conditional generator's pictures are what words say.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "generators",
        nargs="+",
        metavar="GENERATOR",
        help="measure this: an .onnx file, a run, a checkpoint, or a .png of the five texts or of "
        "all pairs",
    )
    add_data_options(parser, "compare with the held-out pictures of")
    parser.add_argument(
        "--each",
        type=whole_number("--each", 5),
        default=100,
        metavar="N",
        help="pictures of a pair (100)",
    )
    add_cascade_option(parser)
    measure.add_json_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
