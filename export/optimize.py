"""The command that writes one of our files anew: edgegan optimize."""

from __future__ import annotations

from edgegan.export import command, reading
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import run_command
from edgegan.runtime.files import check_not_read
from edgegan.runtime.models import find_model

EXAMPLES = """\
examples:
  edgegan optimize dcgan.onnx -o fast.onnx --optimize 3 --quality 40dB --explain
  edgegan optimize dcgan.onnx -o small.onnx --float16
  edgegan optimize dcgan.onnx -o page.onnx --target web
"""


def main(argv: list[str] | None = None) -> int:
    """Write a file of ours anew, optimised further or for another target; returns 0.

    Raises:
        UserError: no such file or none of ours, one whose weights are not to be had any more, the
            parity check or a bound on quality failed, or the file cannot be written.
    """
    options = _parser().parse_args(argv)
    path = find_model(options.model)
    check_not_read("--output", [options.output], [path])
    original = reading.read(path)
    command.check_options(options, original.metadata.part)
    before = path.stat().st_size / 1e6
    command.write(original, options, f"{path}, {before:.2f} MB")
    return 0


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan optimize",
        description="Write one of our ONNX files anew, smaller or faster, verified against itself.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "model", help="the .onnx file to start from, whose layers are not in integers"
    )
    command.add_options(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
