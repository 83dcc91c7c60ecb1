"""The command that measures generators: edgegan evaluate."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from edgegan.runtime.detector import Detector, find_detector
from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import write_bytes
from edgegan.runtime.generator import Generator, to_bytes
from edgegan.runtime.grid import BASELINE_IMAGES
from edgegan.runtime.latent import Stream, draw_latents, parse_seed, philox
from edgegan.runtime.models import identify
from edgegan.runtime.options import DEFAULT_SEED, add_cascade_option, whole_number
from edgegan.runtime.run_folder import EVALUATION, find_checkpoint
from edgegan.runtime.score import score_images
from edgegan.runtime.tables import aligned
from edgegan.trainer import checkpoint, loop
from edgegan.trainer.data import pack, read_pictures
from edgegan.trainer.features import Extractor, find_extractors
from edgegan.trainer.framework import mx
from edgegan.trainer.metrics import find_columns, find_metrics
from edgegan.trainer.metrics.faces import summarise
from edgegan.trainer.options import add_data_options
from edgegan.trainer.recipe import VALUE_RANGES, AnyRecipe, Recipe
from edgegan.trainer.split import HELD_OUT, VALIDATION, split

EXAMPLES = """\
examples:
  edgegan evaluate runs/dcgan --data faces.zip
  edgegan evaluate runs/dcgan runs/wgan wgan --data faces/ --images 5000
  edgegan evaluate runs/wgan/last.npz --data faces.zip --json
"""
IMAGES = 2000
LEAST_PICTURES = 100
MOST_PICTURES = 10_000  # the distances between all of them take 800 MB
FACE_GRIDS = 40  # at most, of all that is drawn: a thousand pictures

FEATURES = "colour_classifier"

Draw = Callable[[int, int], np.ndarray]  # first index and count -> uint8 (count, S, S, 3), RGB
Evaluation = dict[str, Any]


@dataclass(frozen=True)
class Pictures:
    """Which pictures of the data a generator was trained on, and so is measured against.

    ``image_size``, ``crop_from`` and ``validation`` are as in its recipe; ``held_out`` is the share
    held out, the usual one where a recipe held none out.
    """

    image_size: int
    crop_from: int | None = None
    held_out: float = HELD_OUT
    validation: float = VALIDATION

    def __str__(self) -> str:
        cropped = f" cropped from {self.crop_from}" if self.crop_from else ""
        return f"training pictures, {self.image_size} x {self.image_size}{cropped}"


@dataclass(frozen=True)
class MeasuredGenerator:
    """A generator to measure.

    Attributes:
        facts: what is known of its training: checkpoint, step, minutes, images_seen.
        folder: of its run, which keeps the evaluation.
    """

    name: str
    pictures: Pictures
    draw: Draw
    facts: dict[str, Any]
    folder: Path | None = None


@dataclass(frozen=True)
class Examiner:
    """What looks at pictures: ``extract`` gives their features, ``detector`` finds their faces."""

    extract: Extractor
    detector: Detector | None

    def look_at(self, name: str, draw: Draw, count: int) -> tuple[np.ndarray, list[int]]:
        """Features, float32 (count, D), and faces in each full grid of 25 up to FACE_GRIDS."""
        features: list[np.ndarray] = []
        faces: list[int] = []
        # A grid at a time, so that memory does not grow with the count.
        for first in tqdm(range(0, count, BASELINE_IMAGES), name, leave=False, disable=None):
            images = draw(first, min(BASELINE_IMAGES, count - first))
            features.append(self.extract(images))
            if self.detector and len(images) == BASELINE_IMAGES and len(faces) < FACE_GRIDS:
                faces.append(score_images(images, self.detector))
        return np.concatenate(features), faces


@dataclass(frozen=True)
class Reference:
    """Real pictures of one size: the features of those held out, float (N, D), and the floor.

    The floor is what pictures trained on measure against those held out: no generator is expected
    to come nearer.
    """

    held_out: np.ndarray
    floor: Evaluation


def main(argv: list[str] | None = None) -> int:
    """Measure generators against held-out pictures; returns 0.

    Raises:
        UserError: a generator, the pictures or the features cannot be had, there are too few
            pictures, or an evaluation cannot be written.
    """
    options = _parser().parse_args(argv)
    generators = [open_generator(name, options.seed) for name in options.generators]
    examiner = Examiner(find_extractors()[options.features](), find_detector(options.cascade))
    references = {
        pictures: read_reference(options.data, pictures, options.images, examiner, options.skip_bad)
        for pictures in dict.fromkeys(generator.pictures for generator in generators)
    }
    evaluations = []
    for generator in generators:
        evaluation = examine(generator, references[generator.pictures], examiner, options.images)
        evaluation.update(features=options.features, seed=options.seed)
        if generator.folder is not None:
            path = generator.folder / EVALUATION
            write_bytes(path, (json.dumps(evaluation, indent=2) + "\n").encode())
            print(f"wrote {path}", file=sys.stderr if options.json else sys.stdout, flush=True)
        evaluations.append({"name": generator.name, **evaluation})
    print(json.dumps(evaluations, indent=2) if options.json else _table(references, evaluations))
    return 0


def examine(
    generator: MeasuredGenerator, reference: Reference, examiner: Examiner, images: int
) -> Evaluation:
    """What a generator's first ``images`` pictures measure, with the counts and the floor."""
    features, faces = examiner.look_at(generator.name, generator.draw, images)
    return {
        **evaluate(features, faces, reference.held_out),
        **generator.facts,
        "images": images,
        "reference_images": len(reference.held_out),
        "floor": reference.floor,
    }


def evaluate(features: np.ndarray, faces: list[int], held_out: np.ndarray) -> Evaluation:
    """All metrics of pictures' features (N, D) against those of real ones (M, D), and their faces.

    Returns:
        ``metrics``: their values by name. ``faces``: what ``summarise`` says of the grids' faces.
    """
    metrics: dict[str, float] = {}
    for metric in find_metrics():
        metrics.update(metric.measure(features, held_out))
    return {"metrics": metrics, "faces": summarise(faces)}


def open_generator(name: str, seed: int) -> MeasuredGenerator:
    """A shipped generator, that of an ONNX file, or that of a run's best or a single checkpoint.

    A run's is drawn by its moving average. The k-th picture is that which the runtime draws for
    (``seed``, k).

    Raises:
        UserError: there is none, or its file is damaged.
    """
    named = identify(name)
    return (_open_export if named.is_onnx else _open_checkpoint)(name, named.path, seed)


def read_reference(
    source: Path, which: Pictures, images: int, examiner: Examiner, skip_bad: bool = False
) -> Reference:
    """The pictures of ``source`` that are held out, and as many trained on as are generated.

    Both in random order, which the metrics ask for, and at most MOST_PICTURES.

    Raises:
        UserError: there are no pictures, fewer than LEAST_PICTURES are held out, or they are all
            alike.
    """
    pictures = pack(source, which.image_size, skip_bad, which.crop_from)
    parts = split(pictures, which.held_out, which.validation)
    training, held_out = (
        philox(0, Stream.SHUFFLE, number).permutation(part)[:most]
        for number, (part, most) in enumerate(
            [(parts.training, images), (parts.held_out, MOST_PICTURES)]
        )
    )
    if len(held_out) < LEAST_PICTURES:
        raise UserError(
            f"{source} has {len(held_out)} pictures held out of {pictures.count}, "
            f"expected at least {LEAST_PICTURES} to measure against"
        )

    def read(indices: np.ndarray, first: int, count: int) -> np.ndarray:
        return read_pictures(pictures, indices[first : first + count])

    ungraded = Examiner(examiner.extract, detector=None)
    features, _ = ungraded.look_at("held-out pictures", partial(read, held_out), len(held_out))
    floor = examiner.look_at("training pictures", partial(read, training), len(training))
    try:
        return Reference(features, evaluate(*floor, features))
    except ValueError as error:
        raise UserError(f"{source}: {error}, expected pictures that differ") from error


def _open_export(name: str, path: Path, seed: int) -> MeasuredGenerator:
    generator = Generator.load(path)
    metadata = generator.metadata

    def draw(first: int, count: int) -> np.ndarray:
        return generator.images(seed, count, first=first)

    facts = {"images_seen": metadata.images_seen}
    return MeasuredGenerator(name, Pictures(metadata.image_size), draw, facts)


def _open_checkpoint(name: str, path: Path, seed: int) -> MeasuredGenerator:
    file = find_checkpoint(path)
    source = checkpoint.load(file, AnyRecipe)
    network = loop.make_generator(source.recipe, mx.cpu())
    checkpoint.set_network_arrays(network, checkpoint.part_of(source.arrays, "ema"))
    recipe = source.recipe
    pictures = Pictures(recipe.image_size)
    if isinstance(recipe, Recipe):  # a student has no pictures of its own
        held_out = recipe.held_out or HELD_OUT
        pictures = Pictures(recipe.image_size, recipe.crop_from, held_out, recipe.validation)

    def draw(first: int, count: int) -> np.ndarray:
        distribution = recipe.latent.distribution
        latents = draw_latents(seed, count, recipe.input_size, distribution, first=first)
        output = network(mx.nd.array(latents)).asnumpy()
        return to_bytes(output, VALUE_RANGES[recipe.value_range])

    counts = {name: source.facts[name] for name in ("step", "minutes", "images_seen")}
    facts = {**counts, "checkpoint": file.name}
    folder = path if path.is_dir() else None
    return MeasuredGenerator(name, pictures, draw, facts, folder)


def _table(references: dict[Pictures, Reference], evaluations: list[Evaluation]) -> str:
    """How all was measured, and a line for the floor of each set of pictures and each generator."""
    columns = find_columns()
    first = evaluations[0]
    rows = [["", *(column.title for column in columns.values()), "faces of 25 (fewest)"]]
    floors = [{"name": str(pictures), **found.floor} for pictures, found in references.items()]
    for line in (*floors, *evaluations):
        faces = line["faces"]
        rows.append(
            [
                line["name"],
                *(column.show(line["metrics"][key]) for key, column in columns.items()),
                f"{faces['mean']:.2f} ({faces['minimum']})" if faces else "-",
            ]
        )
    how = (
        f"{first['images']} pictures each against {first['reference_images']} that are held out, "
        f"features {first['features']}"
    )
    return f"{how}\n{aligned(rows)}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="edgegan evaluate",
        description="Measure generators against pictures held out from training; a run's folder "
        f"gets an {EVALUATION}.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "generators",
        nargs="+",
        metavar="GENERATOR",
        help="measure this: a run (its best checkpoint), a checkpoint, an .onnx file or a shipped "
        "model's name",
    )
    add_data_options(parser, "measure against the held-out pictures of")
    parser.add_argument(
        "--images",
        type=whole_number("--images", LEAST_PICTURES, MOST_PICTURES),
        default=IMAGES,
        help=f"draw so many pictures with each generator ({IMAGES})",
    )
    parser.add_argument(
        "--seed",
        type=parse_seed,
        default=DEFAULT_SEED,
        help=f"draw the pictures of this seed ({DEFAULT_SEED})",
    )
    parser.add_argument(
        "--features",
        choices=find_extractors(),
        default=FEATURES,
        help=f"compare pictures by these features ({FEATURES})",
    )
    parser.add_argument("--json", action="store_true", help="print JSON in place of a table")
    add_cascade_option(parser)
    add_debug_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
