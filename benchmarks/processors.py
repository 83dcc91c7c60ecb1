"""Whether other processors draw the same bytes: python -m benchmarks.processors.

qemu-user runs a whole Python, with numpy and onnxruntime, on a processor that it emulates: on older
x86-64 ones, which lack the instructions for 8-bit integers, and on 64-bit ARM, for which it needs
a Debian of that kind in a folder (docs/limits.md says how to make one). It says nothing of speed.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import measure
from edgegan.runtime import tables
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.generator import from_bytes
from edgegan.runtime.models import find_model, shipped_models
from edgegan.runtime.options import named_path, whole_number
from edgegan.runtime.quality import decibels

EXAMPLES = """\
examples:
  python -m benchmarks.processors
  python -m benchmarks.processors student mine.onnx --seeds 40 --json processors.json
  python -m benchmarks.processors --arm64 debian-arm64/
"""
PACKAGES = ("numpy", "onnxruntime")
SCRIPT = Path(__file__).with_name("drawn_bytes.py")
SEEDS = 4
MOST_SEEDS = 1000
# Of Intel: with 256-bit vectors and without. Neither multiplies 8-bit integers without saturating.
X86 = ("Haswell", "Nehalem")
# Of ARM: without a product of 8-bit integers, with one, and all that qemu emulates.
ARM = ("cortex-a53", "neoverse-n1", "max")


@dataclass(frozen=True)
class Processor:
    """An emulated processor: its name, and the command line of a Python on it."""

    name: str
    python: tuple[str, ...]
    environment: dict[str, str]


@dataclass(frozen=True)
class Result:
    """How the bytes that a processor drew differ from this machine's.

    Attributes:
        differing: how many do, of ``bytes``.
        most: the greatest difference, in levels of 255.
        quality: peak signal-to-noise ratio in dB, infinite where all are equal.
    """

    processor: str
    model: str
    bytes: int
    differing: int
    most: int
    quality: float


def main(argv: list[str] | None = None) -> int:
    """Draw, compare and print; returns 0.

    Raises:
        UserError: bad options, no such model, or an emulator that is missing or fails.
    """
    options = _parse(argv)
    processors = x86_processors()
    if options.arm64:
        processors += arm_processors(options.arm64)
    models = [(Path(name).stem, find_model(name)) for name in options.models or shipped_models()]
    results = [
        result for name, path in models for result in compare(name, path, options.seeds, processors)
    ]
    report = {
        "benchmark": "processors",
        "machine": measure.machine(available_cores()),
        "versions": measure.versions(PACKAGES),
        "seeds": options.seeds,
        "results": results,
    }
    _print(report)
    if options.json:
        measure.write_json(options.json, report)
    return 0


def x86_processors() -> list[Processor]:
    """This Python on older x86-64 processors.

    Raises:
        UserError: there is no qemu-x86_64.
    """
    emulator = _emulator("qemu-x86_64")
    return [Processor(name, (emulator, "-cpu", name, sys.executable), {}) for name in X86]


def arm_processors(root: Path) -> list[Processor]:
    """The Python of a Debian for 64-bit ARM, with its packages in ``root``/packages.

    Raises:
        UserError: there is no qemu-aarch64, or no Python in the folder.
    """
    emulator = _emulator("qemu-aarch64")
    pythons = sorted(root.glob("usr/bin/python3.*[0-9]"))
    if not pythons:
        raise UserError(f"{root} has no usr/bin/python3.*, expected a Debian for arm64")
    path = f"PYTHONPATH={measure.ROOT}:{(root / 'packages').resolve()}"
    return [
        Processor(
            name,
            (emulator, "-cpu", name, "-L", str(root.resolve()), "-E", path, str(pythons[-1])),
            {"PYTHONHOME": "/usr"},
        )
        for name in ARM
    ]


def compare(name: str, model: Path, seeds: int, processors: Sequence[Processor]) -> list[Result]:
    """How the images that each processor draws differ from those that this one draws.

    Raises:
        UserError: a processor's Python fails; the sentence has the last line that it said.
    """
    with tempfile.TemporaryDirectory() as folder:

        def draw(where: str, python: Sequence[str], environment: dict[str, str]) -> np.ndarray:
            measure.progress(f"{name} on {where}", "drawing")
            output = Path(folder, "images.npy")
            command = [*python, str(SCRIPT), str(model.resolve()), str(seeds), str(output)]
            measure.run_checked(command, f"{name} on {where}", environment)
            return np.load(output)

        expected = draw("this processor", [sys.executable], {})
        results = []
        for processor in processors:
            images = draw(processor.name, processor.python, processor.environment)
            apart = np.abs(images.astype(int) - expected)
            results.append(
                Result(
                    processor.name,
                    name,
                    images.size,
                    int((apart > 0).sum()),
                    int(apart.max()),
                    decibels(images, from_bytes(expected)),
                )
            )
    return results


def _emulator(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UserError(f"{name} is not installed: it is in Debian's and Ubuntu's qemu-user")
    return found


def _print(report: dict[str, Any]) -> None:
    seeds = report["seeds"]
    on = report["machine"]
    packages = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    print(f"The bytes of seeds 0 to {seeds - 1} on emulated processors, beside this one's\n")
    print(f"{on['cpu']}, {on['system']}, Python {on['python']}, {packages}\n")
    titles = ("processor", "model", "bytes that differ", "of", "by at most", "quality, dB")
    rows = [
        (it.processor, it.model, it.differing, it.bytes, it.most, f"{it.quality:.1f}")
        for it in report["results"]
    ]
    print(tables.markdown(titles, rows))


def _parse(argv: list[str] | None) -> argparse.Namespace:
    parser = CommandParser(
        prog="python -m benchmarks.processors",
        description="Compare the bytes that models draw on emulated processors.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "models",
        nargs="*",
        metavar="MODEL",
        help="draw with these: shipped models' names, or .onnx files (all shipped ones)",
    )
    parser.add_argument(
        "--seeds",
        type=whole_number("--seeds", 1, MOST_SEEDS),
        default=SEEDS,
        metavar="N",
        help=f"draw 25 images of each of so many seeds ({SEEDS})",
    )
    parser.add_argument(
        "--arm64",
        type=named_path("--arm64"),
        metavar="FOLDER",
        help="emulate 64-bit ARM too, by the Debian in this folder; its Python's packages are in "
        "FOLDER/packages",
    )
    measure.add_json_option(parser)
    return parser.parse_args(argv)


if __name__ == "__main__":
    run_command(main)
