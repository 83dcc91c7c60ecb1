"""The command that sets runs side by side: edgegan report."""

from __future__ import annotations

import re

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command, say
from edgegan.runtime.files import Kind, write_bytes
from edgegan.runtime.options import named_path, output_file
from edgegan.trainer.report.page import render
from edgegan.trainer.report.runs import read_runs

# How all pages begin that this has ever written.
WRITTEN = Kind(
    "page that edgegan report wrote",
    re.compile(
        rb'<!DOCTYPE html>\s*<html lang="en">\s*<head>\s*(<meta [^>]*>\s*)*<title>Training runs: '
    ),
)

EXAMPLES = """\
examples:
  edgegan report runs/dcgan runs/wgan -o report.html
  edgegan report runs/* -o report.html
"""


def main(argv: list[str] | None = None) -> int:
    """Write the page, and say what was left out of it; returns 0.

    Raises:
        UserError: nothing was left to report on, or the page cannot be written.
    """
    options = _parser().parse_args(argv)
    runs, left_out = read_runs(options.runs)
    if not runs:
        raise UserError(f"no run to report on: {'; '.join(left_out)}")
    for sentence in left_out:
        say(f"left out: {sentence}")
    page = render(runs, left_out).encode()
    write_bytes(options.output, page)
    print(f"wrote {options.output} ({len(page) / 1e6:.1f} MB)")
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan report",
        description="Set training runs side by side on one page that needs no other file.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "runs",
        nargs="+",
        type=named_path("RUN"),
        metavar="RUN",
        help="show the run of this folder; what cannot be read is left out, and said",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=output_file("--output", ".html", kind=WRITTEN),
        required=True,
        help="write the page to this .html file",
    )
    return parser


if __name__ == "__main__":
    run_command(main)
