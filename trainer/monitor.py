"""What a person sees of a run: progress, TensorBoard events, grids, and warnings of failure."""

from __future__ import annotations

import math
import statistics
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import TracebackType
from typing import Any

import numpy as np
from tensorboardX import summary
from tensorboardX.event_file_writer import EventsWriter
from tensorboardX.proto.event_pb2 import Event, SessionLog
from tqdm import tqdm

from edgegan.runtime.errors import UserError
from edgegan.runtime.files import make_folder
from edgegan.runtime.grid import BASELINE_IMAGES, BASELINE_SIDE, tight_grid, write_png
from edgegan.runtime.run_folder import (
    DISTANCE,
    EVENTS,
    FACES,
    FILTERS,
    GRIDS,
    SCALARS_EVERY,
)
from edgegan.trainer.loop import Figures, GeneratorTraining
from edgegan.trainer.validation import Grade

LINE_EVERY = 30.0  # seconds between plain lines where the output is no terminal
HISTORY = 100  # steps that a failure is judged by
HISTOGRAM_BINS = 64


class TrainingFailed(UserError):  # noqa: N818 (what happened, not an error of the program)
    """A number is not finite any more, so training cannot go on."""

    def __init__(self, step: int, what: str) -> None:
        super().__init__(
            f"training failed at step {step}: {what}; "
            "the last checkpoint is kept, a lower learning rate may help"
        )


class Monitor:
    """Follows one run; a context manager that closes the bar and the event file."""

    def __init__(
        self,
        training: GeneratorTraining,
        total_steps: int,
        folder: Path,
        most_minutes: float = math.inf,
    ) -> None:
        self.training = training
        self.total_steps = total_steps
        self.most_minutes = most_minutes
        self.folder = folder
        self.health = Health(training.zero_loss_is_failure)
        self.started = time.monotonic()
        self.first_step = training.step_count
        self.first_images = training.images_seen
        self._next_line = self.started + LINE_EVERY
        self._bar = tqdm(
            total=total_steps,
            initial=training.step_count,
            bar_format="{percentage:3.0f}%|{bar}| {n_fmt} of {total_fmt} steps{postfix}",
            disable=not sys.stderr.isatty(),
            dynamic_ncols=True,
        )
        self._events = Events(folder, first_step=training.step_count + 1)

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._bar.close()
        self._events.close()

    def minutes(self) -> float:
        """Minutes since this run was started or resumed."""
        return (time.monotonic() - self.started) / 60

    def images_per_second(self) -> float:
        """Pictures trained on a second, since this run was started or resumed."""
        images = self.training.images_seen - self.first_images
        return images / max(self.minutes() * 60, 1e-9)

    def step(self, result: Figures) -> None:
        """Take note of a step.

        Raises:
            TrainingFailed: a loss or a gradient is not finite any more.
        """
        step = self.training.step_count
        for warning in self.health.check(step, result):
            self.say(f"warning: {warning}")
        if step % SCALARS_EVERY == 0:
            for name, value in result.by_name.items():
                group = name.rpartition("_")[2]
                self._events.add(summary.scalar(f"{group}/{name}", value), step)
        state = f"{result.summary}, {self.images_per_second():.0f} images/s, {self._time_left()}"
        self._bar.set_postfix_str(state, refresh=False)
        self._bar.update()
        if self._bar.disable and time.monotonic() >= self._next_line:
            self._next_line = time.monotonic() + LINE_EVERY
            self.say(f"step {step} of {self.total_steps}: {state}")

    def evaluation(self, images: np.ndarray, grade: Grade) -> None:
        """Record pictures from fixed latents, uint8 (N, S, S, 3), their grade and all filters."""
        step = self.training.step_count
        grid = tight_grid(images[:BASELINE_IMAGES], BASELINE_SIDE, BASELINE_SIDE, gap=2)
        write_png(self.folder / GRIDS / f"{step:07d}.png", grid)
        self._events.add(summary.image("grid", grid, dataformats="HWC"), step)
        for tag, value in ((FACES, grade.faces), (DISTANCE, grade.distance)):
            if value is not None:
                self._events.add(summary.scalar(tag, value), step)
        for network in self.training.networks:
            for name, parameter in network.collect_params(".*weight").items():
                values = parameter.data().asnumpy()
                histogram = summary.histogram(FILTERS + name, values, HISTOGRAM_BINS)
                self._events.add(histogram, step)
        self._events.flush()
        for warning in self.health.check_collapse(step, images):
            self.say(f"warning: {warning}")
        self.say(f"step {step}: {grade}, {self.training.images_seen} images seen")

    def say(self, line: str) -> None:
        """Print a line without breaking the bar."""
        self._bar.write(line, file=sys.stderr)
        sys.stderr.flush()

    def _time_left(self) -> str:
        """Until the last step, or until the time is up where that comes first."""
        done = self.training.step_count - self.first_step
        by_steps = (self.total_steps - self.training.step_count) * self.minutes() / max(done, 1)
        left = max(0.0, min(by_steps, self.most_minutes - self.minutes()))
        if left < 1:
            return f"{int(left * 60)} s left"
        return f"{int(left // 60)} h {int(left % 60):02d} min left"


class Events:
    """A TensorBoard event file, written at once and not by a thread.

    tensorboardX's own SummaryWriter writes from a thread; where the disk is full, that thread dies
    and whoever adds the next events waits for ever.

    Raises:
        UserError: from every method, if the file cannot be written.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        """Events of ``first_step`` and later in the folder's older files are those of a past that
        was undone by going on from a checkpoint: TensorBoard will not show them."""
        self.folder = folder
        make_folder(folder)
        with self._reporting():
            # The name has the second only; a run may be resumed within it.
            self._writer = EventsWriter(str(folder / EVENTS), f".{time.time_ns()}")
        start = SessionLog(status=SessionLog.START)
        self._write(Event(session_log=start, step=first_step, wall_time=time.time()))

    def add(self, content: Any, step: int) -> None:
        """Add a summary of ``tensorboardX.summary`` to ``step``."""
        self._write(Event(summary=content, step=step, wall_time=time.time()))

    def flush(self) -> None:
        """Have all events so far on the disk."""
        with self._reporting():
            self._writer.flush()

    def close(self) -> None:
        """Close the file; events that a full disk has no room for are lost."""
        with suppress(OSError):
            self._writer.close()

    def _write(self, event: Event) -> None:
        with self._reporting():
            self._writer.write_event(event)

    @contextmanager
    def _reporting(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            reason = error.strerror or error
            raise UserError(f"cannot write events in {self.folder}: {reason}") from error


class Health:
    """Notices early that a run fails: each kind of failure is said once while it lasts."""

    ZERO_LOSS = 1e-3  # a discriminator loss below it, for HISTORY steps, is sure of everything
    EXPLOSION = 100.0  # times the median gradient norm of the last HISTORY steps
    COLLAPSE = 0.1  # share of the pictures' spread that is between pictures, not within them
    FLAT = 5.0  # levels of 255: pictures that vary less, each in itself, are still the first grey
    STARTED = 1000  # steps after which even those are no start any more

    def __init__(self, zero_loss_is_failure: bool) -> None:
        self.zero_loss_is_failure = zero_loss_is_failure
        self._losses: deque[float] = deque(maxlen=HISTORY)
        self._norms: dict[str, deque[float]] = {
            network: deque(maxlen=HISTORY) for network in ("discriminator", "generator")
        }
        self._started = False  # whether the pictures once were more than the first grey
        self._said: set[str] = set()

    def check(self, step: int, result: Figures) -> list[str]:
        """Warnings due after a step.

        Raises:
            TrainingFailed: a figure is NaN or infinite.
        """
        figures = result.by_name
        for name, value in figures.items():
            if not np.isfinite(value):
                raise TrainingFailed(step, f"the {name.replace('_', ' ')} is {value}")
        if "discriminator_loss" in figures:
            self._losses.append(figures["discriminator_loss"])
        sure = len(self._losses) == HISTORY and max(self._losses) < self.ZERO_LOSS
        warnings = self._once(
            "zero loss",
            self.zero_loss_is_failure and sure,
            f"step {step}: the discriminator's loss is 0, the generator learns nothing from it",
        )
        for network, norms in self._norms.items():
            if f"{network}_gradient_norm" not in figures:
                continue
            norm = figures[f"{network}_gradient_norm"]
            usual = statistics.median(norms) if len(norms) == HISTORY else float("inf")
            norms.append(norm)
            warnings += self._once(
                f"{network} gradients",
                norm > self.EXPLOSION * usual,
                f"step {step}: the {network}'s gradients explode (norm {norm:.3g}, "
                f"usually {usual:.3g})",
            )
        return warnings

    def check_collapse(self, step: int, images: np.ndarray) -> list[str]:
        """A warning if different latents give the same picture; images uint8 (N, H, W, 3).

        An untrained network's pictures are all but the same, too, and that is no collapse.
        """
        pixels = images.astype(np.float32)
        between = pixels.std(axis=0).mean()
        within = float(pixels.std(axis=(1, 2)).mean())
        self._started |= within >= self.FLAT or step >= self.STARTED
        return self._once(
            "collapse",
            bool(self._started and between < self.COLLAPSE * max(within, 1)),
            f"step {step}: the generator has collapsed, its pictures differ by {between:.2f} "
            f"levels of 255 where the latents differ",
        )

    def _once(self, kind: str, failing: bool, sentence: str) -> list[str]:
        """The sentence when a failure begins, nothing while it lasts."""
        if not failing:
            self._said.discard(kind)
            return []
        if kind in self._said:
            return []
        self._said.add(kind)
        return [sentence]
