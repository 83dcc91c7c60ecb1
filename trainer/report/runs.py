"""Reading a run's folder as trainer.fit leaves it: what it was set to, recorded, drew and scored.

Nothing here needs mxnet: a page can be made where no training could run.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from tensorboard.backend.event_processing.event_file_loader import LegacyEventFileLoader
from tensorboard.compat.proto.event_pb2 import Event, SessionLog
from tensorboard.compat.proto.summary_pb2 import HistogramProto, Summary

from edgegan.runtime.errors import UserError
from edgegan.runtime.files import read_bytes
from edgegan.runtime.run_folder import (
    EVALUATION,
    EVENTS,
    FILTERS,
    GRIDS,
    LAST,
    RECIPE,
    SCALARS_EVERY,
)


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
class Facts:
    """What a checkpoint says of its run: ``pictures`` is the number of different ones."""

    step: int
    seed: int
    minutes: float
    images_seen: int
    pictures: int


@dataclass(frozen=True)
class Record:
    """One value of an event, ``minutes`` of training after the run began."""

    step: int
    minutes: float
    value: Summary.Value


@dataclass(frozen=True)
class Run:
    """One training run.

    ``facts`` are those of its last checkpoint, ``records`` rise in step and minutes, and
    ``evaluation`` is what trainer.evaluate measured, empty where it was not run.
    """

    name: str
    recipe: dict[str, Any]
    facts: Facts
    records: list[Record]
    grids: list[Grid]
    evaluation: dict[str, Any]

    @cached_property
    def scalars(self) -> dict[str, Series]:
        """All figures, by tag, in the order in which they were recorded first."""
        return {
            tag: Series(
                np.array([record.step for record in records]),
                np.array([record.value.simple_value for record in records], np.float64),
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
        """How many real pictures had been seen after ``steps``, float64 of the same shape."""
        return np.asarray(steps) * (self.facts.images_seen / max(self.facts.step, 1))

    def minutes_at(self, steps: np.ndarray) -> np.ndarray:
        """How many minutes ``steps`` took, pauses left out, float64 of the same shape."""
        known = [0, *(record.step for record in self.records)]
        return np.interp(steps, known, [0.0, *(record.minutes for record in self.records)])

    def _by_tag(self, kind: str) -> dict[str, list[Record]]:
        found: dict[str, list[Record]] = {}
        for record in self.records:
            if record.value.HasField(kind):
                found.setdefault(record.value.tag, []).append(record)
        return found


def read_runs(folders: list[Path]) -> list[Run]:
    """Read the runs in ``folders``, named after them, or by the paths where names are the same.

    Raises:
        UserError: no such folder, one that holds no run, or a file in it that is damaged.
    """
    folders = list(dict.fromkeys(folders))
    names = [folder.resolve().name for folder in folders]
    unique = len(set(names)) == len(names)
    return [
        read_run(folder, name if unique else str(folder)) for folder, name in zip(folders, names)
    ]


def read_run(folder: Path, name: str) -> Run:
    """Read one run; raises UserError as read_runs does."""
    if not folder.is_dir():
        raise UserError(f"{folder} is no folder, expected the folder of a run")
    for needed in (RECIPE, LAST):
        if not (folder / needed).is_file():
            raise UserError(f"{folder} holds no run: no such file as {folder / needed}")
    facts = _read_facts(folder / LAST)  # before the events: a run that goes on adds to them
    return Run(
        name=name,
        recipe=_read_recipe(folder / RECIPE),
        facts=facts,
        records=_read_records(folder, facts.step),
        grids=_find_grids(folder / GRIDS, facts.step),
        evaluation=_read_evaluation(folder / EVALUATION),
    )


def _read_recipe(path: Path) -> dict[str, Any]:
    try:
        recipe = yaml.safe_load(read_bytes(path))
    except yaml.YAMLError as error:
        raise UserError(f"{path} is no valid YAML") from error
    if not isinstance(recipe, dict):
        raise UserError(f"{path} holds {type(recipe).__name__}, expected keys and values")
    return recipe


def _read_facts(path: Path) -> Facts:
    """The facts of a checkpoint, without reading its arrays."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            facts = json.loads(str(archive["header"]))["facts"]
        if "teacher" not in facts:
            return Facts(**{field.name: facts[field.name] for field in fields(Facts)})
    except Exception as error:  # zipfile, numpy and json raise many kinds on what is damaged
        raise UserError(f"{path} is truncated or no checkpoint of this trainer") from error
    raise UserError(f"{path} is a checkpoint of edgegan distil, expected one of edgegan fit")


def _read_evaluation(path: Path) -> dict[str, Any]:
    """What trainer.evaluate wrote; empty where it wrote nothing."""
    if not path.exists():
        return {}
    try:
        evaluation = json.loads(read_bytes(path))
    except ValueError as error:
        raise UserError(f"{path} is no valid JSON") from error
    if not isinstance(evaluation, dict):
        raise UserError(f"{path} holds {type(evaluation).__name__}, expected keys and values")
    for part in ("metrics", "faces"):
        values = evaluation.get(part, {})
        if not isinstance(values, dict) or not all(
            value is None or type(value) in (int, float) for value in values.values()
        ):
            raise UserError(f"{path} has {part} {values!r}, expected names and numbers")
    return evaluation


def _find_grids(folder: Path, last_step: int) -> list[Grid]:
    """The grids in the order of their steps; later ones than the checkpoint may be undone yet."""
    grids = [Grid(int(path.stem), path) for path in folder.glob("*.png") if path.stem.isdecimal()]
    return sorted((grid for grid in grids if grid.step <= last_step), key=lambda grid: grid.step)


def _read_records(folder: Path, last_step: int) -> list[Record]:
    """All that the events hold but pictures, without what was undone by going on from a checkpoint.

    Raises:
        UserError: the events end before the checkpoint that the run, or a later part of it, goes
            on from. An evaluation is on the disk before its checkpoint is, so some were lost.
    """
    records: list[Record] = []
    started = earlier = 0.0
    for path in sorted(folder.glob(f"{EVENTS}.out.tfevents.*")):
        for event in _events(path):
            if event.session_log.status == SessionLog.START:
                records = [record for record in records if record.step < event.step]
                _check_complete(folder, records, event.step - 1)
                started, earlier = event.wall_time, records[-1].minutes if records else 0.0
            minutes = earlier + (event.wall_time - started) / 60
            records += [
                Record(event.step, minutes, value)
                for value in event.summary.value
                if not value.HasField("image")
            ]
    _check_complete(folder, records, last_step)
    return records


def _events(path: Path) -> Iterator[Event]:
    """The events of a file, up to one that is damaged or not yet whole."""
    try:
        yield from LegacyEventFileLoader(str(path)).Load()
    except Exception as error:
        raise UserError(f"cannot read {path}: {error}") from error


def _check_complete(folder: Path, records: list[Record], step: int) -> None:
    found = records[-1].step if records else 0
    if step - found >= SCALARS_EVERY:
        raise UserError(
            f"the events in {folder} end at step {found}, expected step {step} of its "
            "checkpoint: an event file is damaged or missing"
        )


def _histogram(record: Record) -> Histogram:
    histogram: HistogramProto = record.value.histo
    mean = histogram.sum / histogram.num
    return Histogram(
        record.step,
        np.array(histogram.bucket_limit),
        np.array(histogram.bucket),
        max(0.0, histogram.sum_squares / histogram.num - mean**2) ** 0.5,
    )
