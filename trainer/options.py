"""The options that several commands of the trainer have."""

from __future__ import annotations

import argparse
import math

from edgegan.runtime.latent import parse_seed
from edgegan.runtime.options import add_cascade_option, named_path, output_folder, positive_number


def add_data_options(parser: argparse.ArgumentParser, purpose: str) -> None:
    """Declare --data and --skip-bad; ``purpose`` begins the help of the first."""
    parser.add_argument(
        "--data",
        type=named_path("--data"),
        required=True,
        metavar="PICTURES",
        help=f"{purpose} this folder, zip or RecordIO file (.rec): JPEG, PNG, WebP, BMP, "
        "GIF or AVIF",
    )
    add_skip_bad_option(parser)


def add_skip_bad_option(parser: argparse.ArgumentParser) -> None:
    """Declare --skip-bad, which whoever packs pictures may be advised."""
    parser.add_argument(
        "--skip-bad",
        action="store_true",
        help="leave out pictures that cannot be read, even if they are more than one in a hundred",
    )


def add_device_option(parser: argparse.ArgumentParser) -> None:
    """Declare --device."""
    parser.add_argument(
        "--device", default="auto", help="train on this device: auto, cpu or gpu:N (auto)"
    )


def add_run_options(parser: argparse.ArgumentParser) -> None:
    """Declare what every run can be told, whatever it trains."""
    parser.add_argument(
        "--out", type=output_folder("--out"), required=True, help="keep the run in this folder"
    )
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="set a key of the recipe, such as generator.width=32; edgegan recipes NAME lists them",
    )
    parser.add_argument(
        "--minutes",
        type=positive_number("--minutes"),
        default=math.inf,
        help="stop after so many minutes, at the latest; --resume goes on",
    )
    parser.add_argument(
        "--seed", type=parse_seed, help="draw all that is random from this seed (0)"
    )
    parser.add_argument(
        "--dry-run",
        action="store_true",
        help="check everything, say what would be trained, and stop without writing to --out",
    )
    add_device_option(parser)
    add_cascade_option(parser)


def resumed_options(options: argparse.Namespace) -> list[str]:
    """What of a run's options has to be said again to go on with it; its folder has the rest."""
    again = ["--out", str(options.out)]
    if options.device != "auto":
        again += ["--device", options.device]
    if options.cascade:
        again += ["--cascade", str(options.cascade)]
    return again
