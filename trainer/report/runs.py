"""Reading a run's folder as fit and distil leave it: what it was set to, recorded, drew and scored.

Whatever is whole is taken: what is missing or damaged is left out, and said. Nothing here needs
mxnet: a page can be made where no training could run.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary

from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.files import read_bytes, read_json
from edgegan.runtime.grid import read_picture
from edgegan.runtime.run_folder import (
    EVALUATION,
    EVENTS,
    FACES,
    FILTERS,
    GRIDS,
    LAST,
    RECIPE,
    SCALARS_EVERY,
    WORDS,
    find_checkpoint,
    is_run,
    read_header,
)
from edgegan.trainer.mappings import parse_yaml
from edgegan.trainer.old_recipes import modern

T = TypeVar("T")

MOST_GRIDS = 6  # of a run, evenly spaced over its steps


@dataclass(frozen=True)
class Series:
    """A figure over the steps: ``steps`` int64 (N,), rising, and ``values`` float64 (N,)."""

    steps: np.ndarray
    values: np.ndarray


@dataclass(frozen=True)
class Histogram:
    """A filter bank's weights after ``step`` steps.

    ``counts``, float64 (B,), of weights lie up to ``limits``, float64 (B,), each above the last.
    """

    step: int
    limits: np.ndarray
    counts: np.ndarray
    deviation: float


@dataclass(frozen=True)
class Grid:
    """A grid of pictures that was drawn after ``step`` steps."""

    step: int
    path: Path


@dataclass(frozen=True)
class WordTable:
    """What edgegan evaluate drew of words.

    Attributes:
        rows, columns: words of the first and of the second group; of one group there is a row
            without a name.
        named: what a classifier sees in each picture, by row and column, and
        right: whether that is what was asked for.
        pictures: uint8 (rows, columns, S, S, 3), RGB.
    """

    rows: list[str]
    columns: list[str]
    named: list[list[str]]
    right: list[list[bool]]
    pictures: np.ndarray

    @property
    def count(self) -> int:
        """How many pictures there are."""
        return len(self.rows) * len(self.columns)

    @property
    def count_right(self) -> int:
        """How many of them are right."""
        return sum(map(sum, self.right))


@dataclass(frozen=True)
class Stage:
    """A run that another was started from.

    Attributes:
        step, images_seen: how far it came, itself.
        minutes: how long it took; None where an older version did not note it.
        split, digest: of its pictures, as in ``Facts``.
    """

    recipe: dict[str, Any]
    seed: int
    step: int
    images_seen: int
    minutes: float | None = None
    split: int | None = None
    digest: str | None = None


@dataclass(frozen=True)
class Facts:
    """How far a run came, and on what.

    Attributes:
        step: the run's own; ``minutes`` and ``images_seen`` are those of its stages, too.
        total_steps: where it was to end; None where that is not known.
        pictures: the number of different ones; None for a student, which is shown its teacher's.
        digest: of all of them, in the run's size; None where that is not known.
        split: the version of what parted them; None where they were parted by an older one.
        teacher: the digest of a student's teacher.
        stages: the runs that this one was started from, the first one first.
    """

    step: int
    minutes: float
    images_seen: int
    seed: int | None = None
    total_steps: int | None = None
    pictures: int | None = None
    digest: str | None = None
    split: int | None = None
    teacher: str | None = None
    stages: tuple[Stage, ...] = ()

    @property
    def earlier_images(self) -> int:
        """Those that the stages before this run had seen."""
        return sum(stage.images_seen for stage in self.stages)

    @property
    def first_seed(self) -> int | None:
        """That of the weights which all began with."""
        return self.stages[0].seed if self.stages else self.seed

    @property
    def stopped(self) -> bool:
        """Whether the run ended, or is, before its last step: its time was up."""
        return self.total_steps is not None and self.step < self.total_steps


@dataclass(frozen=True)
class Record:
    """One value of an event, ``minutes`` of training after the run itself began."""

    step: int
    minutes: float
    value: Summary.Value


@dataclass(frozen=True)
class RecordedRun:
    """What a training run has left.

    Attributes:
        facts: of its last checkpoint, or as far as the events tell where it has none.
        records: of its events; they rise in step and minutes.
        grids: a few, in the order of their steps.
        evaluation: what edgegan evaluate measured, empty where it was not run.
        word_table: what it drew of words; None where the run takes none.
        left_out: sentences about what of the run could not be read.
    """

    name: str
    recipe: dict[str, Any]
    facts: Facts
    records: list[Record]
    grids: list[Grid]
    evaluation: dict[str, Any]
    left_out: tuple[str, ...] = ()
    word_table: WordTable | None = None

    @cached_property
    def scalars(self) -> dict[str, Series]:
        """Every scalar that was recorded, by its tag."""
        return {
            tag: Series(
                np.array([record.step for record in records]),
                np.array([record.value.simple_value for record in records]),
            )
            for tag, records in self._by_tag("simple_value").items()
        }

    @cached_property
    def filters(self) -> dict[str, tuple[Histogram, Histogram]]:
        """The first and the last histogram of each filter bank, by name, from input to output."""
        return {
            tag[len(FILTERS) :]: (_histogram(records[0]), _histogram(records[-1]))
            for tag, records in self._by_tag("histo").items()
            if tag.startswith(FILTERS)
        }

    def images_seen_at(self, steps: np.ndarray) -> np.ndarray:
        """How many real pictures had been seen after ``steps``, float64 of the same shape.

        Those of the stages before this run come before its first step.
        """
        earlier = self.facts.earlier_images
        own = self.facts.images_seen - earlier
        return earlier + np.asarray(steps) * (own / max(self.facts.step, 1))

    def minutes_at(self, steps: np.ndarray) -> np.ndarray:
        """How many minutes had been trained after ``steps``, float64 of the same shape.

        Pauses are left out, and those of the stages before this run come before its first step.
        """
        known, minutes = self._recorded_minutes
        if self.facts.step > known[-1]:  # events were lost, or there were none yet
            known = [*known, self.facts.step]
            minutes = [*minutes, self.facts.minutes - self.earlier_minutes]
        return self.earlier_minutes + np.interp(steps, known, minutes)

    @cached_property
    def earlier_minutes(self) -> float:
        """Those of the stages before this run."""
        stages = self.facts.stages
        if not stages:
            return 0.0
        if stages[-1].minutes is not None:
            return sum(stage.minutes or 0.0 for stage in stages)
        # What its own events do not tell of; an older version did not note more.
        own = np.interp(self.facts.step, *self._recorded_minutes)
        return max(0.0, self.facts.minutes - float(own))

    @cached_property
    def _recorded_minutes(self) -> tuple[list[int], list[float]]:
        """Steps, and how many minutes of this run itself they took by its events."""
        return (
            [0, *(record.step for record in self.records)],
            [0.0, *(record.minutes for record in self.records)],
        )

    def faces_at(self, step: int) -> float | None:
        """The faces that were counted last up to a step; None where none were by then."""
        if FACES not in self.scalars:
            return None
        series = self.scalars[FACES]
        found = series.values[series.steps <= step]
        return float(found[-1]) if len(found) else None

    def _by_tag(self, kind: str) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.records:
            if record.value.HasField(kind):
                found.setdefault(record.value.tag, []).append(record)
        return found


def read_runs(folders: Sequence[Path]) -> tuple[list[RecordedRun], list[str]]:
    """Read the runs in ``folders``.

    They are named after their folders, or by the paths below what these share where two have the
    same name.

    Returns:
        The runs, and sentences about what was left out.
    """
    unique: dict[Path, Path] = {}
    for folder in folders:
        unique.setdefault(folder.resolve(), folder)
    folders = list(unique.values())
    runs: list[RecordedRun] = []
    left_out: list[str] = []
    for folder, name in zip(folders, _names(folders)):
        try:
            runs.append(read_run(folder, name))
        except UserError as error:
            left_out.append(str(error))
        else:
            left_out += runs[-1].left_out
    return runs, left_out


def _names(folders: Sequence[Path]) -> list[str]:
    paths = [folder.resolve() for folder in folders]
    if len({path.name for path in paths}) == len(paths):
        return [path.name for path in paths]
    shared = os.path.commonpath([path.parent for path in paths])
    return [str(path.relative_to(shared)) for path in paths]


def read_run(folder: Path, name: str) -> RecordedRun:
    """Read what there is of one run.

    Raises:
        UserError: no such folder, or one without a recipe that can be read.
    """
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder, expected the folder of a run")
    if not (folder / RECIPE).is_file():
        raise UserError(f"{folder} holds no run: no such file as {folder / RECIPE}")
    recipe = _read_recipe(folder / RECIPE)
    left_out: list[str] = []
    # Before the events: a run that goes on adds to them.
    checkpoint = _attempt(_read_facts, folder / LAST, left_out)
    records = _attempt(_read_records, folder, left_out)
    facts = checkpoint or _facts_by_events(records or [], recipe)
    ends = records[-1].step if records else 0
    if records is not None and facts.step - ends >= SCALARS_EVERY:
        left_out.append(
            f"the curves of {folder} after step {ends}, where its events end, "
            f"though its checkpoint is of step {facts.step}"
        )
    # Grids that are later than the checkpoint may be undone yet.
    grids = _find_grids(folder / GRIDS, checkpoint.step if checkpoint else sys.maxsize, left_out)
    if not (checkpoint or records or grids):
        raise UserError(f"{folder} holds no run yet, only a recipe")
    evaluation = _attempt(_read_evaluation_of_today, folder / EVALUATION, left_out) or {}
    return RecordedRun(
        name=name,
        recipe=recipe,
        facts=facts,
        records=records or [],
        grids=grids,
        evaluation=evaluation,
        word_table=_attempt(partial(_read_word_table, evaluation), folder / WORDS, left_out),
        left_out=tuple(left_out),
    )


def _attempt(read: Callable[[Path], T], path: Path, left_out: list[str]) -> T | None:
    """What is read, or None, and why, where it cannot be."""
    try:
        return read(path)
    except UserError as error:
        left_out.append(str(error))
        return None


def _read_recipe(path: Path) -> dict[str, Any]:
    """A run's recipe in today's words, so that those of all times can be compared."""
    try:
        recipe = parse_yaml(read_bytes(path))
    except ValueError as error:
        raise UserError(f"{path} is no valid YAML: {error}") from error
    if not isinstance(recipe, dict):
        raise UserError(f"{path} holds {type(recipe).__name__}, expected keys and values")
    return modern(recipe)


def _read_facts(path: Path) -> Facts:
    """The facts of a checkpoint, without reading its arrays."""
    if not path.is_file():
        raise UserError(f"the seed of {path.parent}, since there is no {path} yet")
    facts = read_header(path).facts
    try:
        return Facts(
            step=int(facts["step"]),
            minutes=float(facts["minutes"]),
            images_seen=int(facts["images_seen"]),
            seed=int(facts["seed"]),
            total_steps=_optional(int, facts, "total_steps"),
            pictures=_optional(int, facts, "pictures"),
            digest=_optional(str, facts, "pictures_digest"),
            split=_optional(int, facts, "split"),
            teacher=str(facts["teacher"][0]) if "teacher" in facts else None,
            stages=tuple(map(_stage, facts.get("stages", ()))),
        )
    except (LookupError, TypeError, ValueError, AttributeError, OverflowError) as error:
        raise UserError(f"{path} lacks the counts that checkpoints of runs have") from error


def _stage(facts: dict[str, Any]) -> Stage:
    return Stage(
        recipe=modern(facts["recipe"]),
        seed=int(facts["seed"]),
        step=int(facts["step"]),
        images_seen=int(facts["images_seen"]),
        minutes=_optional(float, facts, "minutes"),
        split=_optional(int, facts, "split"),
        digest=_optional(str, facts, "pictures_digest"),
    )


def _optional(kind: Callable[[Any], T], facts: dict[str, Any], key: str) -> T | None:
    return None if facts.get(key) is None else kind(facts[key])


def _facts_by_events(records: list[Record], recipe: dict[str, Any]) -> Facts:
    """How far a run without a checkpoint has come."""
    if not records:
        return Facts(step=0, minutes=0.0, images_seen=0)
    step, minutes = records[-1].step, records[-1].minutes
    batches, size = recipe.get("discriminator_steps", 1), recipe.get("batch_size", 0)
    known = isinstance(batches, int) and isinstance(size, int)  # the recipe is not checked
    return Facts(step, minutes, step * batches * size if known else 0)


def _read_evaluation(path: Path) -> dict[str, Any]:
    """What edgegan evaluate wrote; empty where it wrote nothing."""
    if not path.exists():
        return {}
    evaluation = read_json(path)
    floor = evaluation.get("floor", {})
    for whole in (evaluation, floor if isinstance(floor, dict) else {"metrics": floor}):
        for part in ("metrics", "faces", "words"):
            values = whole.get(part, {})
            if not isinstance(values, dict) or not all(
                value is None or type(value) in (int, float) for value in values.values()
            ):
                raise UserError(f"{path} has {part} {quoted(values)}, expected names and numbers")
    return evaluation


def _read_evaluation_of_today(path: Path) -> dict[str, Any]:
    """What edgegan evaluate wrote of the checkpoint that is the run's best one now."""
    evaluation = _read_evaluation(path)
    for key in ("features", "images", "reference_images"):
        if not isinstance(evaluation.get(key, ""), (str, int)):
            raise UserError(f"{path} has {key} {evaluation[key]!r}, expected one value")
    if "checkpoint" not in evaluation or not is_run(path.parent):
        return evaluation
    best = find_checkpoint(path.parent)
    measured, now = evaluation.get("step"), read_header(best).facts.get("step")
    if (evaluation["checkpoint"], measured) != (best.name, now):
        raise UserError(
            f"{path} is of step {measured}, though {best.name} is of step {now}: "
            "edgegan evaluate measures it"
        )
    return evaluation


def _read_word_table(evaluation: dict[str, Any], path: Path) -> WordTable | None:
    """The table of pictures that belongs to an evaluation; None where it has none."""
    table: Any = evaluation.get("word_table")
    if table is None:
        return None
    if not isinstance(table, dict):
        table = {}
    rows, columns, named, right = map(table.get, ("rows", "columns", "named", "right"))
    if not (
        isinstance(table.get("sha256"), str)
        and _is_list(rows, str)
        and _is_list(columns, str)
        and _is_table(named, str, len(rows), len(columns))
        and _is_table(right, bool, len(rows), len(columns))
    ):
        raise UserError(f"{path} has no description in {EVALUATION} that can be read")
    if not path.is_file() or hashlib.sha256(read_bytes(path)).hexdigest() != table["sha256"]:
        raise UserError(f"{path} is not the picture that belongs to {EVALUATION} beside it")
    picture = read_picture(path)
    height, width = picture.shape[0] // len(rows), picture.shape[1] // len(columns)
    if picture.shape[:2] != (len(rows) * height, len(columns) * width):
        raise UserError(f"{path} is no table of {len(rows)} x {len(columns)} pictures")
    pictures = picture.reshape(len(rows), height, len(columns), width, 3).transpose(0, 2, 1, 3, 4)
    return WordTable(rows, columns, named, right, pictures)


def _is_table(value: Any, kind: type, rows: int, columns: int) -> bool:
    """Whether it is so many rows of so many things of a kind."""
    return (
        _is_list(value, list)
        and len(value) == rows
        and all(_is_list(row, kind) and len(row) == columns for row in value)
    )


def _is_list(value: Any, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(type(item) is kind for item in value)


def _find_grids(folder: Path, last_step: int, left_out: list[str]) -> list[Grid]:
    """A few whole grids, up to a step."""
    grids = [Grid(int(path.stem), path) for path in folder.glob("*.png") if path.stem.isdecimal()]
    known = sorted((grid for grid in grids if grid.step <= last_step), key=lambda grid: grid.step)
    return [
        grid
        for grid in evenly_spaced(known)
        if _attempt(read_picture, grid.path, left_out) is not None
    ]


def evenly_spaced(grids: Sequence[Grid]) -> list[Grid]:
    """A few of the grids, the first and the last among them."""
    places = np.linspace(0, len(grids) - 1, min(MOST_GRIDS, len(grids))).round().astype(int)
    return [grids[place] for place in places]


def _read_records(folder: Path) -> list[Record]:
    """All that the events hold but pictures, without what was undone by going on from a checkpoint.

    Raises:
        UserError: the events end before the checkpoint that a later part of the run goes on from.
            An evaluation is on the disk before its checkpoint is, so some were lost.
    """
    records: list[Record] = []
    started = earlier = 0.0
    for path in sorted(folder.glob(f"{EVENTS}.out.tfevents.*")):
        for event in _events(path):
            if event.session_log.status == SessionLog.START:
                records = [record for record in records if record.step < event.step]
                found = records[-1].step if records else 0
                if event.step - 1 - found >= SCALARS_EVERY:
                    raise UserError(
                        f"the curves of {folder}, whose events end at step {found} and go on after "
                        f"step {event.step - 1}: an event file is damaged or missing"
                    )
                started, earlier = event.wall_time, records[-1].minutes if records else 0.0
            minutes = earlier + (event.wall_time - started) / 60
            records += [
                Record(event.step, minutes, value)
                for value in event.summary.value
                if not value.HasField("image")
            ]
    return records


def _events(path: Path) -> Iterator[Event]:
    """The events of a file, up to one that is damaged or not yet whole."""
    try:
        yield from LegacyEventFileLoader(str(path)).Load()
    except Exception as error:
        raise UserError(f"cannot read {path}: {error}") from error


def _histogram(record: Record) -> Histogram:
    histogram: HistogramProto = record.value.histo
    mean = histogram.sum / histogram.num
    return Histogram(
        record.step,
        np.array(histogram.bucket_limit),
        np.array(histogram.bucket),
        max(0.0, histogram.sum_squares / histogram.num - mean**2) ** 0.5,
    )
