"""The command that says what a file, a run or a shipped model is: edgegan show."""

from __future__ import annotations

import math
import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.metadata import DISCRIMINATOR, GENERATOR, PREFIX
from edgegan.runtime.models import RUN, SHIPPED, Named, identify
from edgegan.runtime.network import Network
from edgegan.runtime.onnx_file import HarmfulModel, read_facts
from edgegan.runtime.run_folder import (
    BEST,
    EVALUATION,
    EVENTS,
    GRIDS,
    JUDGE,
    LAST,
    RECIPE,
    SKIPPED,
    WORDS,
    find_checkpoint,
    read_header,
)
from edgegan.runtime.session import open_session
from edgegan.runtime.tables import aligned

if TYPE_CHECKING:
    from edgegan.runtime.words import Words

EXAMPLES = """\
examples:
  edgegan show dcgan
  edgegan show runs/dcgan
  edgegan show dcgan.onnx runs/dcgan/best.npz
"""

Rows = list[tuple[str, str]]


def main(argv: list[str] | None = None) -> int:
    """Say of each name what it stands for; returns 0.

    Raises:
        UserError: nothing is there, or what is there is damaged or none of ours.
    """
    options = _parser().parse_args(argv)
    print("\n\n".join(describe(name) for name in options.names))
    return 0


def describe(name: str) -> str:
    """What a shipped model, an ONNX file, a run or a checkpoint says of itself, as lines.

    Raises:
        UserError: nothing is there, or what is there is damaged or none of ours.
    """
    named = identify(name)
    rows = describe_onnx(named.path) if named.is_onnx else describe_run(named)
    size = "" if named.kind == RUN else f", {named.path.stat().st_size / 1e6:.2f} MB"
    place = f", {named.path}" if named.kind == SHIPPED else ""
    return "\n".join([f"{name}: {named.kind}{place}{size}", aligned(rows, left=(0, 1))])


def describe_onnx(path: Path) -> Rows:
    """What one of our ONNX files says of itself.

    Raises:
        UserError: the file cannot be read, is damaged, or is none of ours.
    """
    return describe_network(Network(path, "cpu", _part_of(path)))


def describe_network(network: Network) -> Rows:
    """What the file of a network that was opened says of itself."""
    metadata, facts = network.metadata, read_facts(network.content)
    low, high = metadata.value_range
    rows = [
        ("part", metadata.part),
        ("recipe", metadata.recipe),
        ("objective", metadata.objective),
        ("images seen", f"{metadata.images_seen:,}"),
    ]
    if metadata.part == GENERATOR:
        latent = f"{metadata.latent_size} numbers, {metadata.latent_distribution}"
        rows.append(("latent", latent))
    if metadata.words is not None:
        rows += _of_words(metadata.words)
    numbers = ", ".join(f"{count:,} in {kind}" for kind, count in facts.weights.items())
    takes, gives = map(_in_numpys_words, (network.takes, network.gives))
    return [
        *rows,
        ("pictures", f"{metadata.image_size} x {metadata.image_size} pixels"),
        ("value range", f"black is {low:g}, white is {high:g}"),
        ("input", takes),
        ("output", gives + (": pictures as bytes" if "uint8" in gives else "")),
        ("weights", numbers),
        ("opset", str(facts.opset)),
    ]


def describe_run(named: Named) -> Rows:
    """What a run, or a checkpoint of one, says of itself.

    Raises:
        UserError: its checkpoint is damaged or of another version.
    """
    whole = named.kind == RUN
    path = named.path / LAST if whole and (named.path / LAST).is_file() else named.path
    header = read_header(find_checkpoint(path))
    recipe, facts = header.recipe, header.facts
    rows = [
        ("made by", "edgegan fit" if "discriminator" in recipe else "edgegan distil"),
        ("recipe", str(recipe.get("name", "?"))),
        ("step", _of(facts, "step", "total_steps")),
        ("seed", _number(facts, "seed")),
        ("images seen", _number(facts, "images_seen")),
        ("minutes", _number(facts, "minutes", ",.1f")),
        ("best faces", _best_faces(facts)),
    ]
    if facts.get("best_distance") is not None:
        rows.append(("best distance", f"{facts['best_distance']:.4f}"))
    if "pictures" in facts:
        rows.append(("pictures", f"{facts['pictures']:,}"))
    if "words" in facts:
        from edgegan.runtime.words import Words  # most runs have none

        rows += _of_words(Words.from_json(facts["words"]))
    for stage in facts.get("stages", []):
        start = f"recipe {stage['recipe'].get('name', '?')}, step {stage['step']:,}"
        rows.append(("began with", f"{start}, {stage['images_seen']:,} images seen"))
    if whole:
        rows.append(("holds", ", ".join(_contents(named.path))))
        export = ["edgegan", "export", str(named.path), "-o", f"{named.path.resolve().name}.onnx"]
        rows.append(("to use it", shlex.join(export)))
    return rows


def _of_words(words: Words) -> Rows:
    """The words of each group, and how many of their combinations pictures had."""
    rows = [
        (f"words of {group.name}", f"{len(group.words)}: {', '.join(group.words)}")
        for group in words.groups
    ]
    possible = math.prod(len(group.words) for group in words.groups)
    known, pictures = len(words.combinations), int(words.counts.sum())
    return [*rows, ("combinations", f"{known:,} of {possible:,}, of {pictures:,} pictures")]


def _part_of(path: Path) -> str:
    """The part that a file says it holds; a file that does not say holds a generator."""
    try:
        session, _ = open_session(path, "cpu")
    except HarmfulModel:
        raise
    except UserError as error:
        if not path.is_file() or path.suffix == ".onnx":
            raise
        raise UserError(
            f"{path} is neither an ONNX model nor a checkpoint nor a run's folder"
        ) from error
    part = session.get_modelmeta().custom_metadata_map.get(f"{PREFIX}part")
    return DISCRIMINATOR if part == DISCRIMINATOR else GENERATOR


def _in_numpys_words(signature: str) -> str:
    return signature.replace("tensor(float)", "float32").replace("tensor(uint8)", "uint8")


def _contents(folder: Path) -> list[str]:
    """What of a run there is in its folder, by name."""
    files = [name for name in (LAST, BEST, JUDGE, RECIPE, SKIPPED) if (folder / name).is_file()]
    grids = len(list((folder / GRIDS).glob("*.png")))
    events = len(list(folder.glob(f"{EVENTS}*")))
    evaluation = [name for name in (EVALUATION, WORDS) if (folder / name).is_file()]
    counted = [
        f"{GRIDS}/ ({_counted(grids, 'picture')})",
        f"{EVENTS}* ({_counted(events, 'file')})",
    ]
    return [*files, *counted, *evaluation]


def _counted(number: int, noun: str) -> str:
    return f"{number:,} {noun}" + ("" if number == 1 else "s")


def _of(facts: dict[str, Any], done: str, total: str) -> str:
    return f"{_number(facts, done)} of {_number(facts, total)}"


def _number(facts: dict[str, Any], name: str, form: str = ",") -> str:
    return format(facts[name], form) if name in facts else "not noted"


def _best_faces(facts: dict[str, Any]) -> str:
    faces = facts.get("best_faces", -1)
    return f"{faces:.2f} of 25" if faces >= 0 else "not counted"


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan show",
        description="Say what a shipped model, an exported file, a run or a checkpoint is, from "
        "what it says of itself.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "names",
        nargs="+",
        metavar="NAME",
        help="a shipped model's name, an .onnx file, a run's folder or a checkpoint of it (.npz)",
    )
    return parser


if __name__ == "__main__":
    run_command(main)
