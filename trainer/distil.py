"""The command that distils a small student from a generator: edgegan distil."""

from __future__ import annotations

import argparse
import shlex
from pathlib import Path

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.detector import find_detector
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.generator import Generator
from edgegan.runtime.metadata import ModelMetadata
from edgegan.runtime.models import find_model
from edgegan.runtime.options import whole_number
from edgegan.trainer import device, recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.options import add_run_options, resumed_options
from edgegan.trainer.recipe import VALUE_RANGES, StudentRecipe
from edgegan.trainer.resuming import agree, check_same_recipe, last_checkpoint
from edgegan.trainer.run import Run, carry_out, check_inputs, only_writer
from edgegan.trainer.student import Distillation, Teacher, digest_of

EXAMPLES = """\
examples:
  edgegan distil dcgan --out runs/student
  edgegan distil dcgan.onnx --out runs/student --set generator.width=16 --minutes 20
  edgegan distil dcgan --resume --out runs/student
  edgegan export runs/student -o student.onnx --optimize 3
"""


def main(argv: list[str] | None = None) -> int:
    """Train a student to draw what its teacher draws, or go on with it; returns 0.

    Raises:
        UserError: bad options, no such teacher, one whose file is no generator of ours or whose
            pictures no recipe here can draw, a recipe or checkpoint that does not fit it, a folder
            that another process writes to, or a training that diverged.
    """
    options = _parser().parse_args(argv)
    with only_writer(options, "edgegan distil"):
        _train(options)
    return 0


def _train(options: argparse.Namespace) -> None:
    """Train as the options say."""
    folder: Path = options.out
    last = last_checkpoint(folder, options.resume, StudentRecipe)
    check_inputs(folder, [find_model(options.teacher)])
    where = device.choose(options.device)
    provider = "cpu" if where.device_type == "cpu" else "auto"
    generator = Generator.load(options.teacher, provider)
    digest = digest_of(generator)
    if last and last.facts["teacher"] != digest:
        raise UserError(
            f"{options.teacher} is another teacher than that of the run in {folder}: its SHA-256 "
            f"is {digest[0]}, expected {last.facts['teacher'][0]}"
        )
    chosen = _choose_recipe(last, generator.metadata, options)
    seed = agree("seed", last and last.facts["seed"], options.seed, default=0)
    teacher = Teacher(generator, digest, chosen, seed)
    detector = find_detector(options.cascade)
    with device.enough_memory():
        training = Distillation(chosen, seed, where, words=generator.words)
    if last:
        training.set_state(last.facts["step"], last.arrays)
    total_steps = options.steps or (last.facts["total_steps"] if last else chosen.steps)
    run = Run(training, teacher, folder, detector, total_steps, last, None)
    resume = shlex.join(
        ["edgegan", "distil", options.teacher, "--resume", *resumed_options(options)]
    )
    about = [device.describe(where), _describe(options.teacher, generator)]
    carry_out(run, about, options.minutes, options.dry_run, resume)


def _describe(name: str, teacher: Generator) -> str:
    """What is learnt from, in a line."""
    size = teacher.metadata.image_size
    return f"teacher: {name}, recipe {teacher.metadata.recipe}, {size} x {size} pictures"


def _choose_recipe(
    last: Checkpoint[StudentRecipe] | None, teacher: ModelMetadata, options: argparse.Namespace
) -> StudentRecipe:
    """The recipe asked for, which has to be that of the run that goes on."""
    if last:
        asked = recipe.override(last.recipe, options.set)
        check_same_recipe(options.out, last.recipe, asked)
        return asked
    value_range = next((k for k, v in VALUE_RANGES.items() if v == teacher.value_range), None)
    if value_range is None:
        raise UserError(
            f"{options.teacher} has the value range {teacher.value_range}, "
            f"expected one of {', '.join(map(str, VALUE_RANGES.values()))}"
        )
    latent = {"size": teacher.latent_size, "distribution": teacher.latent_distribution}
    of_teacher = {"latent": latent, "image_size": teacher.image_size, "value_range": value_range}
    return recipe.load_student(options.set, of_teacher)


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan distil",
        description="Distil a small student from an exported generator: a seed shows the same "
        "faces, only plainer.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "teacher", help="learn from this generator: a shipped model's name, or an exported .onnx"
    )
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument(
        "--steps", type=whole_number("--steps", 1), help="train to this step (as the recipe says)"
    )
    add_run_options(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
