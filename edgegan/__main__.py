"""The command ``edgegan``, which runs all the others: ``edgegan fit``, ``edgegan generate``."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import NamedTuple, NoReturn

from edgegan.runtime.errors import UserError, run_command


class Command(NamedTuple):
    """A command: the module that has its ``main``, and what it is for."""

    module: str
    purpose: str


COMMANDS = {
    "fit": Command("edgegan.trainer.fit", "train a GAN by a recipe on your pictures"),
    "evaluate": Command("edgegan.trainer.evaluate", "measure generators against held-out pictures"),
    "report": Command("edgegan.trainer.report.__main__", "set training runs side by side"),
    "judge": Command("edgegan.trainer.judge", "train a run's discriminator on, to choose faces by"),
    "distil": Command("edgegan.trainer.distil", "teach a small generator what a large one draws"),
    "export": Command("edgegan.export.to_onnx", "write a trained network as one ONNX file"),
    "optimize": Command("edgegan.export.optimize", "make one of our ONNX files smaller or faster"),
    "generate": Command("edgegan.runtime.generate", "draw faces from a seed"),
    "score": Command("edgegan.runtime.score", "count faces as the graders do"),
    "interpolate": Command("edgegan.runtime.interpolate", "walk from one face to another"),
    "providers": Command("edgegan.runtime.providers", "say what models can run on here"),
}


def main(argv: list[str] | None = None) -> int:
    """Run the command that the first argument names, with the others; returns its exit status.

    Raises:
        UserError: no such command, or what that command raises.
    """
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name not in COMMANDS:
        raise UserError(f"command {name!r} is unknown, expected one of {', '.join(COMMANDS)}")
    status: int = import_module(COMMANDS[name].module).main(arguments)
    return status


def run() -> NoReturn:
    """What the installed program ``edgegan`` calls."""
    run_command(main)


def _help() -> str:
    lines = ["usage: edgegan COMMAND ...", "", "commands:"]
    lines += [f"  {name:<12}{command.purpose}" for name, command in COMMANDS.items()]
    return "\n".join([*lines, "", "edgegan COMMAND --help tells more."])


if __name__ == "__main__":
    run()
