"""Drawing what runs recorded, as pictures that stand in the page itself (data URIs)."""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import cv2
import matplotlib
import numpy as np
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import TABLEAU_COLORS
from matplotlib.figure import Figure
from matplotlib.ticker import EngFormatter, Formatter, ScalarFormatter

from edgegan.runtime.grid import read_picture
from edgegan.trainer.report.runs import Histogram, RecordedRun

COLOURS = tuple(map(str, TABLEAU_COLORS.values()))
DASHES = ((), (6, 3), (2, 2), (6, 2, 2, 2))  # the next for each time the colours are used up
WINDOW = 1 / 40  # of a curve's points: those that a point of the smooth curve is the mean of
OUTLIERS = 1.0  # percent of the values at either end that may lie outside of the axes
BANKS_A_ROW = 5
BINS = 60
JPEG_QUALITY = 85


@dataclass(frozen=True)
class Line:
    """How a run's curves are drawn; ``dash`` is the length of marks and gaps, empty if unbroken."""

    colour: str
    dash: tuple[int, ...]

    @classmethod
    def of(cls, place: int) -> Line:
        """That of the run at this place in the list."""
        rounds, colour = divmod(place, len(COLOURS))
        return cls(COLOURS[colour], DASHES[rounds % len(DASHES)])


def curves(runs: Sequence[RecordedRun], tag: str) -> tuple[str, str]:
    """A scalar of all runs over the images seen, and over the minutes, as SVG pictures.

    At least one of the runs must have it.
    """
    return (
        _curves(runs, tag, "images seen", RecordedRun.images_seen_at, EngFormatter(sep="")),
        _curves(runs, tag, "minutes", RecordedRun.minutes_at, ScalarFormatter()),
    )


def _curves(
    runs: Sequence[RecordedRun],
    tag: str,
    label: str,
    at: Callable[[RecordedRun, np.ndarray], np.ndarray],
    formatter: Formatter,
) -> str:
    """A scalar over what ``at`` makes of the steps, with that label and form of its numbers."""
    with _figure(width=5.4, height=2.7) as figure:
        axes = figure.subplots()
        axes.set_xlabel(label)
        axes.xaxis.set_major_formatter(formatter)
        shown = []
        for place, run in enumerate(runs):
            if tag not in run.scalars:
                continue
            series, line = run.scalars[tag], Line.of(place)
            x = at(run, series.steps)
            few = slice(None, None, max(1, int(len(x) * WINDOW / 8)))  # 8 in a window
            shown.append(series.values)
            # As pixels: as shapes, a long run's raw values would be most of the page.
            axes.plot(x, series.values, color=line.colour, alpha=0.25, rasterized=True)
            axes.plot(
                x[few],
                smooth(series.values)[few],
                color=line.colour,
                linestyle=(0, line.dash or None),
                marker="." if len(x) < 1 / WINDOW else None,  # a point has no line
                markersize=4,
            )
        if tag.startswith("norm/") and min(values.min() for values in shown) > 0:
            axes.set_yscale("log")
        else:
            axes.set_ylim(*limits(shown))
        return _svg(figure)


def limits(curves: Sequence[np.ndarray]) -> tuple[float, float]:
    """Between what values axes show curves, float64 (N,) each: all of every one, but for outliers.

    A short curve beside a long one is none of its outliers.
    """
    ends = [np.percentile(values, (OUTLIERS, 100 - OUTLIERS)) for values in curves]
    low, high = min(low for low, _ in ends), max(high for _, high in ends)
    margin = 0.1 * (high - low) or 0.5
    return low - margin, high + margin


def smooth(values: np.ndarray) -> np.ndarray:
    """The mean of the values around each: a fortieth of all of them, fewer near the ends.

    Args:
        values: float64 (N,).

    Returns:
        float64 (N,).
    """
    reach = int(len(values) * WINDOW / 2)
    window = np.ones(2 * reach + 1)
    here = slice(reach, reach + len(values))
    return np.convolve(values, window)[here] / np.convolve(np.ones_like(values), window)[here]


def histograms(banks: dict[str, tuple[Histogram, Histogram]]) -> str:
    """The first (a line) and the last histogram (filled) of each filter bank, as an SVG picture."""
    rows = math.ceil(len(banks) / BANKS_A_ROW)
    with _figure(width=10.0, height=1.9 * rows) as figure:
        panels = figure.subplots(rows, BANKS_A_ROW, squeeze=False)
        for axes in panels.flat[len(banks) :]:
            axes.remove()
        for axes, (name, (first, last)) in zip(panels.flat, banks.items()):
            edges = np.linspace(
                min(first.limits[0], last.limits[0]), max(first.limits[-1], last.limits[-1]), BINS
            )
            axes.stairs(density(last, edges), edges, fill=True, color="0.7")
            axes.stairs(density(first, edges), edges, color="black", linewidth=0.8)
            axes.set_title(name, fontsize="small")
            axes.set_yticks([])
            axes.spines.left.set_visible(False)
            axes.tick_params(labelsize="x-small")
        return _svg(figure)


def density(histogram: Histogram, edges: np.ndarray) -> np.ndarray:
    """The histogram in other bins, its weights taken as spread evenly within their own.

    Args:
        edges: float64 (B + 1,), rising.

    Returns:
        float64 (B,): the share of all weights in each bin, divided by the bin's width.
    """
    below = np.cumsum(histogram.counts) / histogram.counts.sum()
    return np.diff(np.interp(edges, histogram.limits, below, left=0.0)) / np.diff(edges)


def picture(path: Path, side: int) -> str:
    """A picture's file, at most so many pixels a side, as a JPEG picture.

    Raises:
        UserError: it cannot be read, or is no picture.
    """
    return pixels_as_jpeg(read_picture(path), side)


def pixels_as_jpeg(pixels: np.ndarray, side: int) -> str:
    """A picture, uint8 (H, W, 3) RGB, at most so many pixels a side, as a JPEG picture."""
    scale = side / max(pixels.shape[:2])
    if scale < 1:
        pixels = cv2.resize(pixels, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    return _data_uri("image/jpeg", jpeg(pixels, JPEG_QUALITY))


def jpeg(picture: np.ndarray, quality: int) -> bytes:
    """A picture, uint8 (H, W, 3) RGB, as the content of a JPEG file; quality is 0 to 100."""
    bgr = cv2.cvtColor(picture, cv2.COLOR_RGB2BGR)
    return cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


@contextmanager
def _figure(width: float, height: float) -> Iterator[Figure]:
    """A figure of so many inches, drawn the same whatever the user's matplotlibrc says."""
    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(
            {
                "svg.hashsalt": "edgegan",  # else its names, and the page, are others every time
                "axes.spines.top": False,
                "axes.spines.right": False,
                "lines.linewidth": 1.2,
            }
        )
        yield Figure(figsize=(width, height), layout="constrained")


def _svg(figure: Figure) -> str:
    content = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(content, metadata={"Date": None})
    return _data_uri("image/svg+xml", content.getvalue())


def _data_uri(kind: str, content: bytes) -> str:
    return f"data:{kind};base64,{base64.b64encode(content).decode()}"
