"""The command ``edgegan``, which runs all the others: ``edgegan fit``, ``edgegan generate``."""

from __future__ import annotations

import sys
from contextlib import suppress
from importlib import import_module
from importlib.util import find_spec
from typing import NamedTuple, NoReturn

from edgegan.installation import INSTALL_TRAINING
from edgegan.runtime.errors import UserError, run_command


class Command(NamedTuple):
    """A command: the module that has its ``main``, what it is for, and what it needs to run.

    ``needs`` are the import names of packages that only the extra "train" installs.
    """

    module: str
    purpose: str
    needs: tuple[str, ...] = ()


TRAINER = ("mxnet", "yaml", "pydantic", "tensorboardX")
REPORT = ("yaml", "tensorboard", "matplotlib", "jinja2")
COMMANDS = {
    "generate": Command("edgegan.runtime.generate", "draw faces from a seed"),
    "interpolate": Command("edgegan.runtime.interpolate", "walk from one face to another"),
    "page": Command(
        "edgegan.runtime.page.build", "build a page that draws faces in a browser, one HTML file"
    ),
    "score": Command("edgegan.runtime.score", "count the faces in pictures as the graders do"),
    "show": Command("edgegan.runtime.show", "say what a model, an ONNX file or a run is"),
    "cache": Command("edgegan.runtime.cache", "say what is in your cache, and clear it"),
    "providers": Command("edgegan.runtime.providers", "say what models can run on here"),
    "fit": Command("edgegan.trainer.fit", "train a GAN by a recipe on your pictures", TRAINER),
    "recipes": Command(
        "edgegan.trainer.recipes.__main__", "list the recipes, or all keys of one", TRAINER
    ),
    "evaluate": Command(
        "edgegan.trainer.evaluate", "measure generators against held-out pictures", TRAINER
    ),
    "report": Command(
        "edgegan.trainer.report.__main__", "set training runs side by side on a page", REPORT
    ),
    "judge": Command(
        "edgegan.trainer.judge", "train a run's discriminator on, to choose faces by", TRAINER
    ),
    "distil": Command(
        "edgegan.trainer.distil", "teach a small generator what a large one draws", TRAINER
    ),
    "export": Command(
        "edgegan.export.to_onnx",
        "write a trained network as one ONNX file",
        ("mxnet", "yaml", "pydantic", "onnx"),
    ),
    "optimize": Command(
        "edgegan.export.optimize", "make one of our ONNX files smaller or faster", ("onnx",)
    ),
}

# What --version names: by the first distribution of these that is installed.
DISTRIBUTIONS = {
    "edgegan": ("edgegan",),
    "numpy": ("numpy",),
    "onnxruntime": ("onnxruntime", "onnxruntime-gpu", "onnxruntime-openvino"),
    "OpenCV": ("opencv-python", "opencv-python-headless"),
    "Pillow": ("pillow",),
    "mxnet": ("mxnet", "mxnet-cu112"),
    "onnx": ("onnx",),
    "gluoncv": ("gluoncv",),
}


def main(argv: list[str] | None = None) -> int:
    """Run the command that the first argument names, with the others; returns its exit status.

    Raises:
        UserError: no such command, one that needs what is not installed, or what that raises.
    """
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        print(_help())
        return 0
    if name == "--version":
        print(_versions())
        return 0
    if name not in COMMANDS:
        from edgegan.runtime.choices import suggestion  # for this sentence only

        raise UserError(f"command {name!r} is unknown: {suggestion(name, COMMANDS)}")
    command = COMMANDS[name]
    missing = [package for package in command.needs if find_spec(package) is None]
    if missing:
        raise UserError(
            f"edgegan {name} needs {' and '.join(missing)}, which {_is_are(missing)} not "
            f"installed: in a checkout of edgegan run {INSTALL_TRAINING}"
        )
    status: int = import_module(command.module).main(arguments)
    return status


def run() -> NoReturn:
    """What the installed program ``edgegan`` calls."""
    run_command(main)


def _help() -> str:
    drawing, training = (
        [f"  {name:<13}{it.purpose}" for name, it in COMMANDS.items() if bool(it.needs) == needs]
        for needs in (False, True)
    )
    return "\n".join(
        [
            "usage: edgegan COMMAND ...",
            "",
            "Draw faces with a GAN, and train one.",
            "",
            "commands:",
            *drawing,
            "",
            f"commands that need the training packages ({INSTALL_TRAINING}):",
            *training,
            "",
            "edgegan COMMAND --help says more of one; edgegan --version names the packages here.",
        ]
    )


def _versions() -> str:
    import platform  # this and importlib.metadata would delay every command

    lines = [f"{title:<13}{_installed(names)}" for title, names in DISTRIBUTIONS.items()]
    lines.insert(1, f"{'Python':<13}{platform.python_version()}")
    return "\n".join(lines)


def _installed(distributions: tuple[str, ...]) -> str:
    """The version of the first that is installed, and its name where that is not the usual one."""
    from importlib import metadata

    for name in distributions:
        with suppress(metadata.PackageNotFoundError):
            return metadata.version(name) + (f" ({name})" if name != distributions[0] else "")
    return "not installed"


def _is_are(names: list[str]) -> str:
    return "is" if len(names) == 1 else "are"


if __name__ == "__main__":
    run()
