"""The eye measure: two small networks find the eyes of a drawn face and say whether they agree."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import cv2
import numpy as np

from edgegan.runtime.arguments import check_array
from edgegan.runtime.colour_classifier import resize
from edgegan.runtime.generator import from_bytes
from edgegan.runtime.session import BATCH, open_session

LOCATOR = Path(__file__).with_name("locator.onnx")
MATCHER = Path(__file__).with_name("matcher.onnx")
SIZE = 64  # of a picture, height and width
CELLS = SIZE // 2  # of the locator's map
ROWS, COLUMNS = slice(8, 25), slice(3, 29)  # of that map: where eyes may be
EYE_SIZE = 24  # pixels, height and width of what is cut out around an eye
ABOVE = (
    3  # pixels from the place that is found, the lower half of the iris, to the middle of an eye
)

# Of pairs of eyes, in cells: what their distance is like in most faces, and how much it, the
# difference of their heights and the distance of their middle from that of the picture vary.
DISTANCE, LEAST_DISTANCE = 12, 5
SPREAD_OF_DISTANCE, SPREAD_OF_HEIGHT, SPREAD_OF_MIDDLE = 2.5, 2.0, 2.5

CHANNELS = 5  # of what the matcher sees: colours, and colours over lightness
COLOUR_GAIN, DARKEST = 4.0, 0.4  # the second so that what is black has no colour

# How much the colours that the locator names weigh beside what the matcher says: what it takes for
# one of them it may take for another at times, so its logits are halved.
COLOUR_WEIGHT, COLOUR_SCALE, LEAST_LIKELY = 2.0, 0.5, 1e-3

# Generated faces had a say in this number alone and in the weight above: it is where viewers of a
# hundred of them drew the line.
LEAST_SCORE = -2.5


class Eyes(NamedTuple):
    """The eyes of some pictures.

    Attributes:
        cut: as ``cut_eyes`` gives them, uint8 (N, 2, 24, 24, 3).
        colours: how likely each colour is that of the left and that of the right one, logits,
            float64 (N, 2, colours).
    """

    cut: np.ndarray
    colours: np.ndarray


class EyeFinder:
    """Finds the eyes of pictures, by a locator's file; making one reads it.

    Raises:
        UserError: the file cannot be read.
    """

    def __init__(self, locator: Path) -> None:
        self._session, _ = open_session(locator, "cpu")

    def __call__(self, images: np.ndarray) -> Eyes:
        """The eyes of uint8 (N, 64, 64, 3), RGB, at least one."""
        batches = (images[first : first + BATCH] for first in range(0, len(images), BATCH))
        return Eyes(*(np.concatenate(part) for part in zip(*map(self._find, batches))))

    def _find(self, images: np.ndarray) -> Eyes:
        there, mirrored = (
            self._session.run(["eyes", "colours"], {"image": from_bytes(seen)})
            for seen in (images, images[:, :, ::-1])
        )
        # The mean of both, so that a picture's mirror image has its eyes in the same places.
        maps, colours = ((one + other[..., ::-1]) / 2 for one, other in zip(there, mirrored))
        cells = find_cells(maps[:, 0])
        places = places_of(maps[:, 0], cells)
        return Eyes(cut_eyes(images, places), _mean_around(colours, maps[:, 0], cells))


class EyeMeasure:
    """Both networks, those of the files beside this one; making one reads them.

    A picture and its mirror image get the same answer: the right eye is looked at in the mirror
    image, as if it were a left one, and which of two eyes comes first does not matter.

    Raises:
        UserError: a file cannot be read.
    """

    def __init__(self, locator: Path = LOCATOR, matcher: Path = MATCHER) -> None:
        self._find = EyeFinder(locator)
        self._matcher, _ = open_session(matcher, "cpu")

    def match(self, images: np.ndarray) -> np.ndarray:
        """Whether the eyes of uint8 (N, H, W, 3), RGB, agree: bool (N,)."""
        return self.scores(images) >= LEAST_SCORE

    def scores(self, images: np.ndarray) -> np.ndarray:
        """How surely the eyes of uint8 (N, H, W, 3), RGB, agree: float64 (N,).

        Raises:
            TypeError, ValueError: the images are of another type or shape.
        """
        check_array("images", images, "uint8", ("N", "H", "W", 3))
        scores = np.empty(len(images))
        for first in range(0, len(images), BATCH):
            eyes = self._find(resize(images[first : first + BATCH], SIZE))
            left, right = (matcher_input(eyes.cut[:, side]) for side in (0, 1))
            (logits,) = self._matcher.run(["match"], {"left": left, "right": right})
            same = same_colour(eyes.colours)
            scores[first : first + BATCH] = logits[:, 0] + COLOUR_WEIGHT * np.log(same)
        return scores


def matcher_input(eyes: np.ndarray) -> np.ndarray:
    """uint8 (N, 24, 24, 3), RGB -> float32 (N, 5, 24, 24): RGB in [-1, 1], and how colourful it is.

    The last two are red beside green and blue beside both, each over the lightness: people see that
    one dark eye is green and the other blue, though the levels hardly differ.
    """
    rgb = from_bytes(eyes)
    red, green, blue = (rgb[:, channel] + 1 for channel in range(3))
    lightness = red + green + blue + DARKEST
    colours = np.stack([red - green, blue - (red + green) / 2], axis=1) / lightness[:, np.newaxis]
    return np.concatenate([rgb, (COLOUR_GAIN * colours).clip(-2, 2)], axis=1)


def same_colour(colours: np.ndarray) -> np.ndarray:
    """How likely two eyes have one colour, float64 (N,), by the logits of it, (N, 2, colours)."""
    scaled = COLOUR_SCALE * colours
    likely = np.exp(scaled - scaled.max(axis=2, keepdims=True))
    likely /= likely.sum(axis=2, keepdims=True)
    return likely.prod(axis=1).sum(axis=1) + LEAST_LIKELY


def find_cells(maps: np.ndarray) -> np.ndarray:
    """Where the likeliest pair of eyes of each map is.

    Args:
        maps: of how much a place is like an eye, float (N, 32, 32).

    Returns:
        int64 (N, 2, 2): row and column, in cells of the map, of the left eye and of the right one.
    """
    within = maps[:, ROWS, COLUMNS]
    rows, columns = (axis.ravel() for axis in np.mgrid[ROWS, COLUMNS])
    likely = _likelihood_of_pairs(rows, columns)
    cells = np.empty((len(maps), 2, 2), np.int64)
    for number, values in enumerate(within.reshape(len(maps), -1)):
        pairs = values[:, np.newaxis] + values + likely
        pair = list(np.unravel_index(pairs.argmax(), pairs.shape))
        cells[number] = np.stack([rows[pair], columns[pair]], axis=1)
    return cells


def _likelihood_of_pairs(rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """The logarithm of how likely a left eye in each cell and a right eye in each other one are."""
    apart = columns - columns[:, np.newaxis]
    higher = rows - rows[:, np.newaxis]
    middle = (columns + columns[:, np.newaxis] - (CELLS - 1)) / 2
    squares = (
        ((apart - DISTANCE) / SPREAD_OF_DISTANCE) ** 2
        + (higher / SPREAD_OF_HEIGHT) ** 2
        + (middle / SPREAD_OF_MIDDLE) ** 2
    )
    return np.where(apart >= LEAST_DISTANCE, -squares / 2, -np.inf)


def places_of(maps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The places of the eyes in these cells of maps, as ``find_cells`` has both.

    Returns:
        float64 (N, 2, 2): x and y, in pixels of the picture, of the left eye and of the right one.
    """
    rows, columns = np.mgrid[:CELLS, :CELLS]
    axes = np.broadcast_to(np.stack([columns, rows]), (len(maps), 2, CELLS, CELLS))
    return 2 * _mean_around(axes, maps, cells) + 0.5


def _mean_around(values: np.ndarray, maps: np.ndarray, cells: np.ndarray) -> np.ndarray:
    """The mean of values around cells, weighted by how much each place there is like an eye.

    Args:
        values: float (N, V, 32, 32).
        maps: float (N, 32, 32).
        cells: as ``find_cells`` gives them.

    Returns:
        float64 (N, 2, V).
    """
    means = np.empty((len(maps), 2, values.shape[1]))
    for number, pair in enumerate(cells):
        for side, (row, column) in enumerate(pair):
            around = slice(row - 1, row + 2), slice(column - 1, column + 2)
            logits = maps[number][around].astype(np.float64)
            weights = np.exp(logits - logits.max())
            weights /= weights.sum()
            means[number, side] = (values[number][:, around[0], around[1]] * weights).sum((1, 2))
    return means


def cut_eyes(images: np.ndarray, places: np.ndarray) -> np.ndarray:
    """The left eye and the mirrored right one, turned as if both were at one height.

    Args:
        images: uint8 (N, 64, 64, 3).
        places: float (N, 2, 2), as ``places_of`` gives them.

    Returns:
        uint8 (N, 2, 24, 24, 3).
    """
    mirrored = np.stack([SIZE - 1 - places[..., 0], places[..., 1]], axis=-1)
    eyes = np.empty((len(images), 2, EYE_SIZE, EYE_SIZE, 3), np.uint8)
    for number, image in enumerate(images):
        left, right = places[number]
        eyes[number, 0] = _cut(image, left, right)
        left, right = mirrored[number]
        eyes[number, 1] = _cut(image[:, ::-1], right, left)
    return eyes


def _cut(image: np.ndarray, eye: np.ndarray, other: np.ndarray) -> np.ndarray:
    """The surroundings of a left eye, with the line to the other eye turned level."""
    along, down = (other - eye) / np.hypot(*(other - eye))
    turn = np.array([[along, -down], [down, along]])
    middle = (EYE_SIZE - 1) / 2
    shift = eye - turn @ (middle, middle + ABOVE)
    return cv2.warpAffine(
        np.ascontiguousarray(image),
        np.column_stack([turn, shift]),
        (EYE_SIZE, EYE_SIZE),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
