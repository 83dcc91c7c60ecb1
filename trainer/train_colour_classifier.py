"""The command that trains the network of the features: a classifier of hair and eye colours.

A small network learns the hair and eye colours of the course assignment's extra data. What its
layers see of a picture on the way is what generators are measured by
(``runtime.colour_classifier``) where Inception's weights, trained on photographs, cannot be had or
do not fit drawn faces.
"""

from __future__ import annotations

import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePath

import numpy as np
import onnx

from edgegan.export.translations import translate
from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import atomic_write, check_not_read
from edgegan.runtime.options import named_path, output_file
from edgegan.runtime.picture_set import open_set
from edgegan.runtime.tags import TAGS, read_tags
from edgegan.trainer.classifier import BATCH_SIZE, IMAGE_SIZE, Classifier, Examples, train
from edgegan.trainer.data import pack, picture_names, read_pictures
from edgegan.trainer.framework import HybridBlock, mx
from edgegan.trainer.options import add_skip_bad_option
from edgegan.trainer.split import HELD_OUT, VALIDATION, split

EXAMPLES = """\
examples:
  python -m edgegan.trainer.train_colour_classifier --data extra_data.zip \\
      --out runtime/colour_classifier.onnx
"""
HEADS = ("hair", "eyes")
EPOCHS = 12


@dataclass(frozen=True)
class TaggedPictures(Examples):
    """Pictures with the colours of hair and those of eyes, which their choices are of."""

    words: tuple[list[str], list[str]]


def main(argv: list[str] | None = None) -> int:
    """Train the network, write it as ONNX and print its held-out accuracy; returns 0.

    Raises:
        UserError: the pictures or their tags cannot be read, or the file cannot be written.
    """
    options = _parser().parse_args(argv)
    check_not_read("--out", [options.out], [options.data])
    tagged = read_tagged_pictures(options.data, options.skip_bad)
    parts = split(pack(options.data, IMAGE_SIZE, options.skip_bad), HELD_OUT, VALIDATION)
    training, held_out = tagged.part(parts.training), tagged.part(parts.held_out)
    steps = EPOCHS * (len(training.images) // BATCH_SIZE)
    network = train(training, [len(colours) for colours in tagged.words], steps, "training")
    export(network, tagged.words, options.out)
    right = network.name_words(held_out.images) == held_out.choices
    (hair, eyes), both = right.mean(axis=0), right.all(axis=1).mean()
    print(
        f"{options.out}: of {len(held_out.images)} pictures held out, "
        f"hair {hair:.1%}, eyes {eyes:.1%}, both {both:.1%} right"
    )
    return 0


def read_tagged_pictures(source: Path, skip_bad: bool = False) -> TaggedPictures:
    """The pictures of a zip that has a ``tags.csv`` of lines ``N,<colour> hair <colour> eyes``.

    N is a picture's name without its suffix. What else ``runtime.tags`` reads will do too.

    Raises:
        UserError: no such zip, no tags in it, a line that is no tag, or a picture without one.
    """
    if not zipfile.is_zipfile(source):
        raise UserError(f"{source} is no zip file, expected one of pictures and their {TAGS}")
    with open_set(source) as found:
        tags = read_tags(source, found)
        numbers = {entry.name: number for number, entry in enumerate(found.entries)}
    if tags.names != HEADS:
        raise UserError(f"{source} has words of {', '.join(tags.names)}, expected hair and eyes")
    pictures = pack(source, IMAGE_SIZE, skip_bad)
    names = picture_names(source, pictures)
    untagged = [name for name in names if tags.words[numbers[name]] is None]
    if untagged:
        number = PurePath(untagged[0]).stem
        raise UserError(f"{source} has no tag for picture {number} in its {TAGS}")
    hair, eyes = (list(group.words) for group in tags.groups)
    images = read_pictures(pictures, np.arange(pictures.count))
    return TaggedPictures(images, tags.choices[[numbers[name] for name in names]], (hair, eyes))


def export(network: Classifier, words: tuple[list[str], list[str]], path: Path) -> None:
    """Write the network as ONNX: ``image`` in; ``features``, ``hair`` and ``eyes`` out.

    The colours that the logits stand for are in the file's metadata.

    Raises:
        UserError: the file cannot be written.
    """
    outputs = dict(zip(("features", *HEADS), network(mx.sym.var("image"))))
    colours = {head: " ".join(names) for head, names in zip(HEADS, words)}
    write_network(network, outputs, {"image": (3, IMAGE_SIZE, IMAGE_SIZE)}, path, colours)


def write_network(
    network: HybridBlock,
    outputs: dict[str, mx.sym.Symbol],
    shapes: dict[str, tuple[int, ...]],
    path: Path,
    metadata: dict[str, str] | None = None,
) -> None:
    """Write a network that measures as ONNX.

    Args:
        outputs: what it gives, by the names that the file has for them.
        shapes: of each of its inputs, without the batch.

    Raises:
        UserError: the file cannot be written.
    """
    symbol = mx.sym.Group([mx.sym.identity(output, name=name) for name, output in outputs.items()])
    model = translate(network, symbol, shapes)
    model.producer_name = "edgegan"
    onnx.helper.set_model_props(model, metadata or {})
    onnx.checker.check_model(model)
    with atomic_write(path) as temporary:
        onnx.save(model, str(temporary))


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="python -m edgegan.trainer.train_colour_classifier",
        description="Train the network whose features generators are measured by.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "--data",
        type=named_path("--data"),
        required=True,
        help=f"zip of pictures, with their colours in {TAGS}",
    )
    parser.add_argument(
        "--out",
        type=output_file("--out", ".onnx"),
        required=True,
        help="the .onnx file to write",
    )
    add_skip_bad_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
