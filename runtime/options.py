"""What the commands' options share: reading numbers, and the options that several commands have."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.files import BEGINNINGS, Kind, check_folder, check_new_file, check_no_address
from edgegan.runtime.latent import parse_digits, parse_seed

DEFAULT_MODEL = "cgan"
DEFAULT_SEED = 0
MOST_SEEDS = 1_000_000  # a month of grading
MOST_CANDIDATES = 1_000
MOST_OF_ANYTHING = 1_000_000_000_000  # images or steps: more than anybody waits for
PROVIDERS = ("auto", "cpu", "cuda", "tensorrt", "openvino")
THROUGHPUT, LATENCY = "throughput", "latency"
PREFERENCES = (THROUGHPUT, LATENCY)
FILE_SUFFIXES = {*BEGINNINGS, ".html", ".jpg", ".jpeg", ".npz", ".rec", ".yaml", ".zip"}


def whole_number(option: str, least: int, greatest: int = MOST_OF_ANYTHING) -> Callable[[str], int]:
    """An argparse type: a whole number in a range, or a UserError that names the option."""

    def parse(text: str) -> int:
        value = parse_digits(text)
        if value is not None and least <= value <= greatest:
            return value
        raise UserError(
            f"{option} is {quoted(text)}, expected a whole number from {least} to {greatest}"
        )

    return parse


def positive_number(option: str) -> Callable[[str], float]:
    """An argparse type: a finite number above 0, or a UserError that names the option."""

    def parse(text: str) -> float:
        with suppress(ValueError):
            if 0 < float(text) < math.inf:
                return float(text)
        raise UserError(f"{option} is {quoted(text)}, expected a positive number")

    return parse


def named_path(option: str) -> Callable[[str], Path]:
    """An argparse type: a path, or a UserError that names the option where it is none.

    An address is none, and neither is empty text, such as a shell's variable that is not set: that
    would be the folder one is in.
    """

    def parse(text: str) -> Path:
        if not text:
            raise UserError(f"{option} is empty, expected the path of a file or folder")
        check_no_address(option, text)
        return Path(text)

    return parse


def output_file(option: str, *suffixes: str, kind: Kind | None = None) -> Callable[[str], Path]:
    """An argparse type: the path of a file of such a kind, or a UserError that names the option.

    One that is there has to be of its kind, and it can be written.

    Args:
        suffixes: what its name may end in.
        kind: what one that is there has to be; without it that is what its suffix says, and the
            suffixes are keys of BEGINNINGS.
    """
    *others, last = suffixes
    expected = f"{', '.join(others)} or {last}" if others else last

    def parse(text: str) -> Path:
        path = Path(text)
        if path.suffix.lower() not in suffixes:
            raise UserError(f"{option} is {text!r}, expected a {expected} file")
        check_no_address(option, text)
        check_new_file(option, path, kind)
        return path

    return parse


def output_folder(option: str) -> Callable[[str], Path]:
    """An argparse type: the path of a folder that can be made or written to, or a UserError.

    One that is not there yet is not named as a file is.
    """
    parse_path = named_path(option)

    def parse(text: str) -> Path:
        path = parse_path(text)
        if path.suffix.lower() in FILE_SUFFIXES and not path.is_dir():
            raise UserError(f"{option} is {text!r}, the name of a file, expected a folder")
        check_folder(path)
        return path

    return parse


def parse_seeds(text: str) -> list[int]:
    """Read seeds such as 3, 0-99 or 0-9,20 from the command line."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first:
            raise UserError(
                f"seeds are {quoted(text)}, expected whole numbers such as 3, 0-99 or 0-9,20"
            )
        start = parse_seed(first)
        end = parse_seed(last) if dash else start
        if end < start:
            raise UserError(
                f"seeds are {quoted(text)}, expected the lower one of {quoted(part)} first"
            )
        if len(seeds) + end - start >= MOST_SEEDS:
            raise UserError(f"seeds are {quoted(text)}, expected at most {MOST_SEEDS} of them")
        seeds += range(start, end + 1)
    return seeds


def add_model_options(parser: argparse.ArgumentParser, default: str = DEFAULT_MODEL) -> None:
    """Declare --model, --provider and --prefer: what draws, and where and how it is computed."""
    add_model_option(parser, default=default)
    add_device_options(parser)


def add_model_option(
    parser: argparse.ArgumentParser,
    purpose: str = "draw with this generator",
    default: str | None = DEFAULT_MODEL,
) -> None:
    """Declare --model; ``purpose`` begins its help."""
    usual = "" if default is None else f" ({default})"
    parser.add_argument(
        "--model",
        default=default,
        help=f"{purpose}: a shipped model's name, or the path of an exported .onnx{usual}",
    )


def add_seed_option(parser: argparse.ArgumentParser) -> None:
    """Declare --seed."""
    parser.add_argument(
        "--seed",
        type=parse_seed,
        default=DEFAULT_SEED,
        help=f"draw the faces of this seed, a whole number from 0 ({DEFAULT_SEED})",
    )


def add_best_of_option(parser: argparse.ArgumentParser) -> None:
    """Declare --best-of."""
    parser.add_argument(
        "--best-of",
        type=whole_number("--best-of", 1, MOST_CANDIDATES),
        default=1,
        metavar="K",
        help="draw K faces for each and keep the one that the discriminator scores highest (1)",
    )


def add_device_options(parser: argparse.ArgumentParser) -> None:
    """Declare --provider and --prefer."""
    parser.add_argument(
        "--provider",
        choices=PROVIDERS,
        default="auto",
        help="compute with this; auto takes a GPU with CUDA where one works, else the CPU (auto)",
    )
    parser.add_argument(
        "--prefer",
        choices=PREFERENCES,
        default=THROUGHPUT,
        help="on the CPU, draw most faces a second (a batch on each core) or one face soonest (all "
        f"cores on one batch); the faces are the same ({THROUGHPUT})",
    )


def add_cascade_option(parser: argparse.ArgumentParser) -> None:
    """Declare --cascade."""
    parser.add_argument(
        "--cascade",
        type=named_path("--cascade"),
        metavar="FILE",
        help="find faces by this copy of lbpcascade_animeface.xml, where it is not in the cache",
    )
