"""The command that measures generators: edgegan evaluate."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple, TextIO

import numpy as np
from tqdm import tqdm

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.detector import Detector, find_detector
from edgegan.runtime.errors import UserError, run_command, say
from edgegan.runtime.files import write_bytes
from edgegan.runtime.generator import Generator, to_bytes
from edgegan.runtime.grid import BASELINE_IMAGES
from edgegan.runtime.latent import Stream, draw_latents, parse_seed, philox
from edgegan.runtime.metadata import TrainingPictures
from edgegan.runtime.models import identify
from edgegan.runtime.options import DEFAULT_SEED, add_cascade_option, whole_number
from edgegan.runtime.run_folder import EVALUATION, find_checkpoint
from edgegan.runtime.score import score_images
from edgegan.runtime.tables import aligned
from edgegan.trainer import checkpoint, loop
from edgegan.trainer.conditional_generator import Conditional
from edgegan.trainer.data import PackedPictures, pack, read_pictures
from edgegan.trainer.evaluate_words import Findings, WordExaminer
from edgegan.trainer.features import Extractor, find_extractors
from edgegan.trainer.framework import mx
from edgegan.trainer.metrics import PictureMetric, find_columns, find_metrics, find_picture_metrics
from edgegan.trainer.metrics.faces import summarise
from edgegan.trainer.options import add_data_options
from edgegan.trainer.recipe import VALUE_RANGES, AnyRecipe
from edgegan.trainer.split import HELD_OUT, SPLIT_VERSION, split
from edgegan.trainer.standing import Standing, training_pictures
from edgegan.trainer.word_details import word_lines, write_table

EXAMPLES = """\
examples:
  edgegan evaluate runs/dcgan --data faces.zip
  edgegan evaluate runs/dcgan runs/wgan wgan --data faces/ --images 5000
  edgegan evaluate runs/wgan/last.npz --data faces.zip --json
"""
IMAGES = 2000
LEAST_PICTURES = 100
ENOUGH_PICTURES = 125  # in the mean: which are held out is chance, and their number with it
MOST_PICTURES = 10_000  # the distances between them are known by blocks, some 100 MB at once
FACE_GRIDS = 40  # at most, of all that is drawn: a thousand pictures

FEATURES = "colour_classifier"

Draw = Callable[[int, int], np.ndarray]  # first index and count -> uint8 (count, S, S, 3), RGB
Evaluation = dict[str, Any]


@dataclass(frozen=True)
class Pictures:
    """Which pictures of the data generators are measured against, and which are their floor.

    ``image_size``, ``crop_from`` and the share are those that a generator was trained with. The
    share is the usual one where that is not known, or none was held out.
    """

    image_size: int
    crop_from: int | None = None
    held_out: float = HELD_OUT

    @classmethod
    def of(cls, image_size: int, known: TrainingPictures | None) -> Pictures:
        """Those for a generator that was trained as is known."""
        if known is None:
            return cls(image_size)
        return cls(image_size, known.crop_from, known.held_out or HELD_OUT)

    def __str__(self) -> str:
        cropped = f" cropped from {self.crop_from}" if self.crop_from else ""
        return f"real pictures, {self.image_size} x {self.image_size}{cropped}"


@dataclass(frozen=True)
class MeasuredGenerator:
    """A generator to measure.

    Attributes:
        image_size: height and width of what it draws.
        known: what it was trained on; None where nobody knows.
        facts: what else is known of its training: checkpoint, step, minutes, images_seen.
        folder: of its run, which keeps the evaluation.
        conditional: how it draws what words say; None where it takes none.
    """

    name: str
    image_size: int
    known: TrainingPictures | None
    draw: Draw
    facts: dict[str, Any]
    folder: Path | None = None
    conditional: Conditional | None = None

    @property
    def pictures(self) -> Pictures:
        """What it is measured against."""
        return Pictures.of(self.image_size, self.known)


class Seen(NamedTuple):
    """What was seen of some pictures.

    Attributes:
        features: float32 (N, D).
        faces: in each full grid of 25, up to FACE_GRIDS.
        shares: of the pictures that pass each metric of pictures by themselves, by its key.
    """

    features: np.ndarray
    faces: list[int]
    shares: dict[str, float]


@dataclass(frozen=True)
class Examiner:
    """What looks at pictures.

    ``extract`` gives their features, ``detector`` finds their faces, and ``metrics`` judge each by
    itself.
    """

    extract: Extractor
    detector: Detector | None
    metrics: Mapping[str, PictureMetric]

    def look_at(self, name: str, draw: Draw, count: int) -> Seen:
        """What is seen of so many pictures, at least one."""
        features: list[np.ndarray] = []
        faces: list[int] = []
        passed = dict.fromkeys(self.metrics, 0)
        # A grid at a time, so that memory does not grow with the count.
        for first in tqdm(range(0, count, BASELINE_IMAGES), name, leave=False, disable=None):
            images = draw(first, min(BASELINE_IMAGES, count - first))
            features.append(self.extract(images))
            if self.detector and len(images) == BASELINE_IMAGES and len(faces) < FACE_GRIDS:
                faces.append(score_images(images, self.detector))
            for key, metric in self.metrics.items():
                passed[key] += int(metric.passes(images).sum())
        shares = {key: number / count for key, number in passed.items()}
        return Seen(np.concatenate(features), faces, shares)


@dataclass(frozen=True)
class Reference:
    """Real pictures of one size: the features of those held out, float (N, D), and the floor.

    The floor is what the others measure against those held out: no generator is expected to come
    nearer. It is of fewer pictures than are drawn where there are no more.
    ``digest`` is of the whole set.
    """

    which: Pictures
    digest: str
    held_out: np.ndarray
    floor: Evaluation

    def facts(self, standing: Standing) -> Evaluation:
        """What tells these pictures from others, and what they were to a generator's training."""
        about = {"digest": self.digest, "split": SPLIT_VERSION, **asdict(self.which)}
        return {"standing": standing.value, **about}


def main(argv: list[str] | None = None) -> int:
    """Measure generators against held-out pictures; returns 0.

    Raises:
        UserError: a generator, the pictures or the features cannot be had, there are too few
            pictures, or, after the figures were printed, evaluations cannot be written.
    """
    options = _parser().parse_args(argv)
    generators = [open_generator(name, options.seed) for name in options.generators]
    examiner = Examiner(
        find_extractors()[options.features](),
        find_detector(options.cascade),
        {key: metric() for key, metric in find_picture_metrics().items()},
    )
    packed = {
        pictures: _pack(options.data, pictures, generators, options.skip_bad)
        for pictures in dict.fromkeys(generator.pictures for generator in generators)
    }
    references = {
        which: read_reference(options.data, pictures, which, options.images, examiner)
        for which, pictures in packed.items()
    }
    word_examiners = {
        which: WordExaminer(pictures, which.held_out, examiner.extract, options.images)
        for which, pictures in packed.items()
        if pictures.words
    }
    evaluations = []
    unwritten: list[UserError] = []
    for generator in generators:
        evaluation = examine(generator, references[generator.pictures], examiner, options.images)
        evaluation.update(features=options.features, seed=options.seed)
        findings = _examine_words(generator, word_examiners, options.seed)
        if findings:
            floor = {**evaluation["floor"], "words": findings.floor}
            evaluation.update(findings.to_json(), floor=floor)
        evaluations.append({"name": generator.name, **evaluation})
        if generator.folder is not None:
            try:
                if findings:
                    evaluation["word_table"]["sha256"] = write_table(
                        generator.folder, findings.picture
                    )
                _write(evaluation, generator.folder, sys.stderr if options.json else sys.stdout)
            except UserError as error:  # the figures took long, and are printed all the same
                unwritten.append(error)
    print(json.dumps(evaluations, indent=2) if options.json else _tables(evaluations), flush=True)
    if unwritten:
        raise UserError("; ".join(map(str, unwritten))) from unwritten[0]
    return 0


def _pack(
    source: Path, which: Pictures, generators: Sequence[MeasuredGenerator], skip_bad: bool
) -> PackedPictures:
    """The pictures, with their words if they have some and a generator takes words."""
    if any(generator.conditional for generator in generators if generator.pictures == which):
        try:
            return pack(source, which.image_size, skip_bad, which.crop_from, with_words=True)
        except UserError as error:
            # Where something else is wrong than the words, it is again without them.
            pictures = pack(source, which.image_size, skip_bad, which.crop_from)
            say(f"words are not measured: {error}")
            return pictures
    return pack(source, which.image_size, skip_bad, which.crop_from)


def _examine_words(
    generator: MeasuredGenerator, examiners: Mapping[Pictures, WordExaminer], seed: int
) -> Findings | None:
    """What is measured of a conditional generator's words; None where that cannot be, and said."""
    examiner = examiners.get(generator.pictures)
    if generator.conditional is None or examiner is None:
        return None
    try:
        return examiner.examine(generator.conditional, seed)
    except UserError as error:
        say(f"{generator.name}: words are not measured: {error}")
        return None


def _write(evaluation: Evaluation, folder: Path, output: TextIO) -> None:
    path = folder / EVALUATION
    write_bytes(path, (json.dumps(evaluation, indent=2) + "\n").encode())
    print(f"wrote {path}", file=output, flush=True)


def examine(
    generator: MeasuredGenerator, reference: Reference, examiner: Examiner, images: int
) -> Evaluation:
    """What a generator's first ``images`` pictures measure, with the counts and the floor."""
    seen = examiner.look_at(generator.name, generator.draw, images)
    return {
        **evaluate(seen, reference.held_out),
        **generator.facts,
        "images": images,
        "reference_images": len(reference.held_out),
        "reference": reference.facts(Standing.of(generator.known, reference.digest)),
        "floor": reference.floor,
    }


def evaluate(seen: Seen, held_out: np.ndarray) -> Evaluation:
    """All metrics of what was seen of pictures, against the features of real ones (M, D).

    Returns:
        ``metrics``: their values by name. ``faces``: what ``summarise`` says of the grids' faces.
    """
    metrics: dict[str, float] = {}
    for metric in find_metrics():
        metrics.update(metric.measure(seen.features, held_out))
    return {"metrics": {**metrics, **seen.shares}, "faces": summarise(seen.faces)}


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
    source: Path, pictures: PackedPictures, which: Pictures, images: int, examiner: Examiner
) -> Reference:
    """The pictures of ``source`` that are held out, and of the others as many as are drawn.

    Both in random order, which the metrics ask for, and at most MOST_PICTURES.

    Raises:
        UserError: fewer than LEAST_PICTURES are held out, they are all alike, or the packed
            pictures are damaged.
    """
    # What validates is among the others, so that runs whose shares of it differ have one floor.
    parts = split(pictures, which.held_out, validation=0)
    others, held_out = (
        philox(0, Stream.SHUFFLE, number).permutation(part)[:most]
        for number, (part, most) in enumerate(
            [(parts.training, images), (parts.held_out, MOST_PICTURES)]
        )
    )
    if len(held_out) < LEAST_PICTURES:
        raise UserError(
            f"{source} has {len(held_out)} pictures held out of {pictures.count}, "
            f"expected at least {LEAST_PICTURES} to measure against: "
            f"{_how_to_get_enough(pictures.count, which.held_out)}"
        )

    def read(indices: np.ndarray, first: int, count: int) -> np.ndarray:
        return read_pictures(pictures, indices[first : first + count])

    ungraded = Examiner(examiner.extract, detector=None, metrics={})
    features = ungraded.look_at(
        "held-out pictures", partial(read, held_out), len(held_out)
    ).features
    floor = examiner.look_at("real pictures", partial(read, others), len(others))
    try:
        measured = {**evaluate(floor, features), "images": len(others)}
        return Reference(which, pictures.digest, features, measured)
    except ValueError as error:
        raise UserError(f"{source}: {error}, expected pictures that differ") from error


def _how_to_get_enough(count: int, held_out: float) -> str:
    """What to do about so many pictures, of which that share is held out: both may grow."""
    wanted = max(math.ceil(ENOUGH_PICTURES / held_out), count + count // 4)
    share = max(math.ceil(100 * ENOUGH_PICTURES / count) / 100, round(1.25 * held_out, 2))
    more = f"add pictures, up to about {wanted:,}"
    if share > 0.5:
        return more
    return f"{more}, or hold out more of them in a new run (--set held_out={share})"


def _open_export(name: str, path: Path, seed: int) -> MeasuredGenerator:
    generator = Generator.load(path)
    metadata = generator.metadata

    def draw(first: int, count: int) -> np.ndarray:
        return generator.images(seed, count, first=first)

    facts = {"images_seen": metadata.images_seen}
    words, latents = generator.words, (metadata.latent_size, metadata.latent_distribution)
    conditional = Conditional(words, *latents, generator.images_of) if words else None
    return MeasuredGenerator(
        name, metadata.image_size, metadata.pictures, draw, facts, conditional=conditional
    )


def _open_checkpoint(name: str, path: Path, seed: int) -> MeasuredGenerator:
    file = find_checkpoint(path)
    source = checkpoint.load(file, AnyRecipe)
    words = checkpoint.words_of(source)
    network = loop.make_generator(source.recipe, mx.cpu(), words)
    checkpoint.set_network_arrays(network, checkpoint.part_of(source.arrays, "ema"))
    recipe = source.recipe
    distribution = recipe.latent.distribution

    def draw_of(*inputs: np.ndarray) -> np.ndarray:
        output = network(*map(mx.nd.array, inputs)).asnumpy()
        return to_bytes(output, VALUE_RANGES[recipe.value_range])

    def draw(first: int, count: int) -> np.ndarray:
        if conditional:
            return conditional.images(seed, conditional.choices(seed, count, first), first)
        return draw_of(draw_latents(seed, count, recipe.input_size, distribution, first=first))

    conditional = Conditional(words, recipe.input_size, distribution, draw_of) if words else None
    counts = {name: source.facts[name] for name in ("step", "minutes", "images_seen")}
    facts = {**counts, "checkpoint": file.name}
    known = training_pictures(source, file)
    folder = path if path.is_dir() else None
    return MeasuredGenerator(name, recipe.image_size, known, draw, facts, folder, conditional)


def _tables(evaluations: list[Evaluation]) -> str:
    """A table for each set of pictures and each standing of them, under what is known of it."""
    alike: dict[str, list[Evaluation]] = {}
    for evaluation in evaluations:
        alike.setdefault(json.dumps(evaluation["reference"]), []).append(evaluation)
    worded = [evaluation for evaluation in evaluations if "words" in evaluation]
    parts = [*map(_table, alike.values()), *([word_lines(worded)] if worded else [])]
    return "\n\n".join(parts)


def _table(evaluations: list[Evaluation]) -> str:
    """How these were measured, and a line for the floor and for each."""
    columns = find_columns()
    first = evaluations[0]
    rows = [["", *(column.title for column in columns.values()), "faces of 25 (fewest)"]]
    which = Pictures(**{field.name: first["reference"][field.name] for field in fields(Pictures)})
    floor = first["floor"]
    fewer = f" ({floor['images']} of them)" if floor["images"] < first["images"] else ""
    for line in ({"name": f"{which}{fewer}", **floor}, *evaluations):
        faces = line["faces"]
        rows.append(
            [
                line["name"],
                *(column.show(line["metrics"][key]) for key, column in columns.items()),
                f"{faces['mean']:.2f} ({faces['minimum']})" if faces else "-",
            ]
        )
    how = (
        f"{first['images']} pictures each against {first['reference_images']} "
        f"{Standing.in_evaluation(first).clause}, features {first['features']}"
    )
    return f"{how}\n{aligned(rows)}"


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan evaluate",
        description="Measure generators against pictures held out from training, and say where "
        f"they were not, or may not have been; a run's folder gets an {EVALUATION}.",
        epilog=EXAMPLES,
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
    return parser


if __name__ == "__main__":
    run_command(main)
