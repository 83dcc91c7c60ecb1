"""Are a conditional generator's pictures what their words say: python -m benchmarks.words.

Hair and eyes of the assignment, by the shipped colour classifier, which trained no generator:

- all pairs that the data has, so many pictures each, beside real pictures held out;
- the assignment's five texts as its grid of 25;
- a pair that the data lacks;
- faces, the words drawn as the data has them;
- variety within a text.

Of pictures that others made it measures what a picture can tell.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from edgegan.runtime import tables
from edgegan.runtime.colour_classifier import ColourClassifier
from edgegan.runtime.cores import available_cores
from edgegan.runtime.detector import Detector, find_cascade
from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.generator import Generator, to_bytes
from edgegan.runtime.grid import (
    BASELINE_HIDDEN,
    BASELINE_IMAGES,
    BASELINE_LEFTS,
    BASELINE_SHAPE,
    BASELINE_TILE,
    BASELINE_TOPS,
    read_picture,
)
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.models import identify
from edgegan.runtime.options import add_cascade_option, whole_number
from edgegan.runtime.run_folder import find_checkpoint
from edgegan.runtime.score import score_images
from edgegan.runtime.words import Group, Words
from edgegan.trainer.metrics.faces import summarise
from edgegan.trainer.options import add_data_options
from edgegan.trainer.split import HELD_OUT, VALIDATION, split
from edgegan.trainer.word_classifier import Namer, shipped_namer
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
BATCH = 250
IMAGE_SIZE = 64  # of the real pictures

Draw = Callable[[np.ndarray, np.ndarray], np.ndarray]  # latents, conditions -> uint8 (N, S, S, 3)


@dataclass(frozen=True)
class Conditional:
    """A conditional generator: latents and conditions, float32 (N, …), to pictures."""

    name: str
    words: Words
    latent_size: int
    distribution: str
    draw: Draw

    def images(self, seed: int, choices: np.ndarray, first: int = 0) -> Iterator[np.ndarray]:
        """Those of a seed's latents from ``first`` on with these choices, a batch at a time."""
        conditions = self.words.one_hot(choices)
        for start in range(0, len(choices), BATCH):
            batch = conditions[start : start + BATCH]
            latents = draw_latents(
                seed, len(batch), self.latent_size, self.distribution, first=first + start
            )
            yield self.draw(latents, batch)


@dataclass(frozen=True)
class Eye:
    """What looks at pictures: their features and the words that they show."""

    classifier: ColourClassifier
    namer: Namer

    def look_at(self, batches: Iterator[np.ndarray], choices: np.ndarray) -> WordedPictures:
        """What is seen of pictures that were asked for in these words, int64 (N, groups)."""
        seen = [(self.classifier.features(batch), self.namer(batch)) for batch in batches]
        features, named = map(np.concatenate, zip(*seen))
        return WordedPictures.drawn(features, choices, named)


def main(argv: list[str] | None = None) -> int:
    """Measure and print; returns 0.

    Raises:
        UserError: a generator or the pictures cannot be read, or their words are others.
    """
    options = _parse(argv)
    words, real = read_real(options.data, options.skip_bad)
    eye = Eye(ColourClassifier(), _namer_of(words))
    results: dict[str, dict[str, Any]] = {"real pictures held out": measure_real(words, real)}
    detector = Detector(find_cascade(options.cascade))
    for name in options.generators:
        measure.progress(name)
        if name.endswith(".png"):
            results[name] = measure_picture(Path(name), words, eye, real, detector)
        else:
            generator = open_conditional(name)
            _check_words(generator, words)
            results[name] = measure_generator(generator, eye, real, detector, options.each, words)
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


def measure_generator(
    generator: Conditional,
    eye: Eye,
    real: WordedPictures,
    detector: Detector,
    each: int,
    words: Words,
) -> dict[str, Any]:
    """All figures of a generator, by name; pairs in percent."""
    own = generator.words

    def look(choices: np.ndarray, seed: int = 0, first: int = 0) -> WordedPictures:
        """In the numbers of ``words``, which the generator may have in another order."""
        batches = generator.images(seed, _translated(choices, words, own), first)
        return eye.look_at(batches, choices)

    pairs = words.combinations
    asked = np.repeat(pairs, each, axis=0)
    drawn = look(asked)
    five = np.array([words.parse(text) for text in ASSIGNMENT])
    grids = [
        look(np.repeat(five, BASELINE_IMAGES // len(five), axis=0), seed) for seed in range(GRIDS)
    ]
    lacking = np.array([words.parse(LACKING)] * LACKING_IMAGES)
    faces = []
    for seed in range(FACE_GRIDS):
        choices = own.draw(seed, BASELINE_IMAGES)
        (images,) = generator.images(seed, choices)
        faces.append(score_images(images, detector))
    right = [int(all_right(grid).sum()) for grid in grids]
    return {
        **right_words(drawn, words),
        "variety": variety(drawn, real),
        "assignment": float(np.mean(right)),
        "assignment_least": min(right),
        "assignment_variety": variety(_together(grids), real),
        "lacking": float(all_right(look(lacking, first=len(asked))).mean()),
        "faces": summarise(faces),
    }


def measure_real(words: Words, real: WordedPictures) -> dict[str, Any]:
    """What real pictures give, and the variety of one half of them within the other's texts."""
    return {**right_words(real, words), "variety": 1.0}


def measure_picture(
    path: Path, words: Words, eye: Eye, real: WordedPictures, detector: Detector
) -> dict[str, Any]:
    """What a picture tells: the graders' grid of the assignment's texts, or a table of all pairs.

    Raises:
        UserError: it is neither.
    """
    picture = read_picture(path)
    hair, eyes = (len(group.words) for group in words.groups)
    if picture.shape == BASELINE_SHAPE:
        images = tiles_of_grid(picture)
        choices = np.repeat([words.parse(text) for text in ASSIGNMENT], 5, axis=0)
        seen = eye.look_at(iter([images]), choices.astype(np.int64))
        return {
            "assignment": float(all_right(seen).sum()),
            "assignment_variety": variety(seen, real),
            "faces": summarise([len(detector.faces(picture))]),
        }
    height, width = picture.shape[0] // hair, picture.shape[1] // eyes
    if picture.shape[:2] != (hair * height, eyes * width) or height != width:
        raise UserError(
            f"{path} has {picture.shape[1]} x {picture.shape[0]} pixels, expected the graders' grid"
            f" of 640 x 480, or a table of {eyes} x {hair} squares"
        )
    rows = picture.reshape(hair, height, eyes, width, 3).transpose(0, 2, 1, 3, 4)
    choices = np.array([(row, column) for row in range(hair) for column in range(eyes)])
    seen = eye.look_at(iter([rows.reshape(-1, height, width, 3)]), choices)
    return right_words(seen, words, pairs=False)


def right_words(pictures: WordedPictures, words: Words, pairs: bool = True) -> dict[str, Any]:
    """The share of pictures with both words right, each word, and the least and all pairs."""
    right = all_right(pictures)
    each = (pictures.named == pictures.choices).mean(axis=0)
    found: dict[str, Any] = {
        "right": float(right.mean()),
        **{group.name: float(share) for group, share in zip(words.groups, each)},
    }
    if pairs:
        found["pairs"] = {
            words.describe(choice): float(right[(pictures.choices == choice).all(axis=1)].mean())
            for choice in np.unique(pictures.choices, axis=0)
        }
    return found


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


def read_real(source: Path, skip_bad: bool) -> tuple[Words, WordedPictures]:
    """The words of the data, and what is seen of its pictures that are held out."""
    from edgegan.trainer.data import pack
    from edgegan.trainer.train_colour_classifier import HEADS, read_tagged_pictures

    tagged = read_tagged_pictures(source, skip_bad)
    pictures = pack(source, IMAGE_SIZE, skip_bad)
    held_out = split(pictures, HELD_OUT, VALIDATION).held_out
    groups = [Group(name, tuple(colours)) for name, colours in zip(HEADS, tagged.words)]
    words = Words.of(groups, tagged.choices)
    part = tagged.part(held_out)
    seen = Eye(ColourClassifier(), _namer_of(words)).look_at(iter([part.images]), part.choices)
    origins = pictures.groups()[held_out]
    return words, WordedPictures(seen.features, part.choices, seen.named, origins)


def open_conditional(name: str) -> Conditional:
    """The conditional generator of an .onnx file, or the moving average of a run or checkpoint.

    Raises:
        UserError: there is none, or it takes no words.
    """
    named = identify(name)
    return (_open_export if named.is_onnx else _open_checkpoint)(name, named.path)


def _open_export(name: str, path: Path) -> Conditional:
    generator = Generator.load(path, "cpu")
    metadata = generator.metadata
    if generator.words is None:
        raise UserError(f"{name} takes no words, expected a conditional generator")
    return Conditional(
        name,
        generator.words,
        metadata.latent_size,
        metadata.latent_distribution,
        generator.images_of,
    )


def _open_checkpoint(name: str, path: Path) -> Conditional:
    from edgegan.trainer import checkpoint, loop
    from edgegan.trainer.framework import mx
    from edgegan.trainer.recipe import VALUE_RANGES

    source = checkpoint.load(find_checkpoint(path))
    words = checkpoint.words_of(source)
    if words is None:
        raise UserError(f"{name} takes no words, expected a conditional generator")
    network = loop.make_generator(source.recipe, mx.cpu(), words)
    checkpoint.set_network_arrays(network, checkpoint.part_of(source.arrays, "ema"))
    recipe = source.recipe

    def draw(latents: np.ndarray, conditions: np.ndarray) -> np.ndarray:
        output = network(mx.nd.array(latents), mx.nd.array(conditions)).asnumpy()
        return to_bytes(output, VALUE_RANGES[recipe.value_range])

    return Conditional(name, words, recipe.input_size, recipe.latent.distribution, draw)


def _translated(choices: np.ndarray, of: Words, to: Words) -> np.ndarray:
    """Choices of one vocabulary as those of another, which has the same words."""
    if of.groups == to.groups:
        return choices
    parsed = [to.parse({g.name: g.words[n] for g, n in zip(of.groups, row)}) for row in choices]
    return np.array(parsed, np.int64)


def _namer_of(words: Words) -> Namer:
    namer = shipped_namer(words)
    if namer is None:
        raise UserError("the data has words that the colour classifier does not know")
    return namer


def _check_words(generator: Conditional, words: Words) -> None:
    known, own = (
        {group.name: set(group.words) for group in each.groups} for each in (words, generator.words)
    )
    if known != own:
        raise UserError(f"{generator.name} takes other words than the data has")


def _together(parts: Sequence[WordedPictures]) -> WordedPictures:
    features, choices, named = (
        np.concatenate([getattr(part, name) for part in parts])
        for name in ("features", "choices", "named")
    )
    return WordedPictures.drawn(features, choices, named)


def _print(report: dict[str, Any]) -> None:
    results = report["results"]
    real = next(iter(results.values()))["pairs"]
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
        if "pairs" not in found or found["pairs"] is real:
            continue
        pairs = found["pairs"]
        below = [text for text, share in pairs.items() if share < min(0.8, real.get(text, 0))]
        worst = sorted(pairs, key=pairs.__getitem__)[:WORST]
        told = ", ".join(f"{text} {pairs[text]:.0%} (real {real[text]:.0%})" for text in worst)
        print(f"\n{name}: the worst of {len(pairs)} pairs: {told}")
        print(f"{len(below)} below 80 % and below real pictures")


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.words",
        description="Measure whether a conditional generator's pictures are what words say.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    add_debug_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
