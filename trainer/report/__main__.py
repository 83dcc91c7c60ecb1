"""The command that sets runs side by side: python -m trainer.report."""

from __future__ import annotations

import argparse
from pathlib import Path

from runtime.errors import add_debug_option, run_command
from runtime.files import write_bytes
from trainer.report.page import render
from trainer.report.runs import read_runs

EXAMPLES = """\
examples:
  python -m trainer.report runs/dcgan runs/wgan -o report.html
  python -m trainer.report runs/* -o report.html
"""


def main(argv: list[str] | None = None) -> int:
    """Write the page; returns 0.

    Raises:
        UserError: a folder that holds no run or a damaged one, or a page that cannot be written.
    """
    options = _parser().parse_args(argv)
    page = render(read_runs(options.runs)).encode()
    write_bytes(options.output, page)
    print(f"wrote {options.output} ({len(page) / 1e6:.1f} MB)")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m trainer.report",
        description="Set training runs side by side on one page that needs no other file.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("runs", nargs="+", type=Path, metavar="RUN", help="folder of a run")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the page, an .html file")
    add_debug_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
