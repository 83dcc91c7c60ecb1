"""The command that trains the network of the features: a classifier of hair and eye colours.

A small network learns the hair and eye colours of the course assignment's extra data. What its
layers see of a picture on the way is what generators are measured by
(``runtime.colour_classifier``) where Inception's weights, trained on photographs, cannot be had or
do not fit drawn faces.
"""

from __future__ import annotations

import argparse
import math
import sys
import zipfile
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
import onnx
from tqdm import tqdm

from edgegan.export.translations import translate
from edgegan.runtime.errors import UserError, add_debug_option, run_command
from edgegan.runtime.files import atomic_write, check_not_read
from edgegan.runtime.latent import Stream, philox
from edgegan.runtime.options import named_path, output_file
from edgegan.runtime.picture_set import open_set
from edgegan.runtime.tags import TAGS, read_tags
from edgegan.trainer.data import pack, picture_names, read_pictures, to_network_range
from edgegan.trainer.framework import HybridBlock, autograd, gluon, mx, nn
from edgegan.trainer.options import add_skip_bad_option
from edgegan.trainer.split import HELD_OUT, VALIDATION, split

EXAMPLES = """\
examples:
  python -m edgegan.trainer.train_colour_classifier --data extra_data.zip \\
      --out runtime/colour_classifier.onnx
"""
IMAGE_SIZE = 64
WIDTHS = (16, 32, 48, 64)  # channels at 32, 16, 8 and 4 pixels: two features of each, 320 together
FEATURES = 2 * sum(WIDTHS)
LEAST_VARIANCE = 1e-5  # so that the root has a gradient where all activations are alike
HEADS = ("hair", "eyes")

SEED = 0
EPOCHS = 12
BATCH_SIZE = 64
LEARNING_RATE = 2e-3  # at first; it falls to 0 in a straight line
MOST_SHIFT = 4  # pixels


@dataclass(frozen=True)
class TaggedPictures:
    """Pictures uint8 (N, 64, 64, 3) and their labels int64 (N, 2), which index ``words``.

    ``words`` holds the colours of hair and those of eyes.
    """

    images: np.ndarray
    labels: np.ndarray
    words: tuple[list[str], list[str]]

    def part(self, indices: np.ndarray) -> TaggedPictures:
        """The pictures of these indices, with their labels."""
        return TaggedPictures(self.images[indices], self.labels[indices], self.words)


class ColourClassifier(HybridBlock):
    """Images float32 (N, 3, 64, 64) in [-1, 1] -> features (N, 320), hair and eye colour logits.

    The features are the means and the standard deviations over space of the activations at four
    depths: the means alone cannot tell a few sharp edges from grain all over. Each is standardised
    by the mean and variance that batch norm has kept from training (Ioffe and Szegedy 2015,
    https://arxiv.org/abs/1502.03167), so that no depth outweighs another in a distance. Both heads
    read all of them: the shallow ones see texture, the deepest the whole face.
    """

    def __init__(self, hair_colours: int, eye_colours: int) -> None:
        super().__init__(prefix="classifier_")
        with self.name_scope():
            self.stages = nn.HybridSequential(prefix="")
            for depth, (inputs, outputs) in enumerate(zip([3, *WIDTHS], WIDTHS)):
                stage = nn.HybridSequential(prefix=f"stage{depth}_")
                with stage.name_scope():
                    stage.add(
                        nn.Conv2D(outputs, 4, 2, 1, in_channels=inputs, use_bias=False),
                        nn.BatchNorm(in_channels=outputs),
                        nn.Activation("relu"),
                        nn.Conv2D(outputs, 3, 1, 1, in_channels=outputs, use_bias=False),
                        nn.BatchNorm(in_channels=outputs),
                        nn.Activation("relu"),
                    )
                self.stages.add(stage)
            self.standardise = nn.BatchNorm(
                scale=False, center=False, in_channels=FEATURES, prefix="standardise_"
            )
            self.hair = nn.Dense(hair_colours, in_units=FEATURES, prefix="hair_")
            self.eyes = nn.Dense(eye_colours, in_units=FEATURES, prefix="eyes_")

    def hybrid_forward(self, F: Any, image: Any) -> Any:  # noqa: N803 (gluon's name)
        activations, side = image, IMAGE_SIZE
        pooled = []
        for stage in self.stages:
            activations, side = stage(activations), side // 2
            # Sums, since mxnet's exporter writes a mean that newer opsets do not know, and its
            # pooling is slow to differentiate.
            mean = activations.sum(axis=(2, 3), keepdims=True) / side**2
            square = F.broadcast_sub(activations, mean).square().sum(axis=(2, 3)) / side**2
            pooled += [mean.flatten(), (square + LEAST_VARIANCE).sqrt()]
        features = self.standardise(F.concat(*pooled, dim=1))
        return features, self.hair(features), self.eyes(features)


def main(argv: list[str] | None = None) -> int:
    """Train the network, write it as ONNX and print its held-out accuracy; returns 0.

    Raises:
        UserError: the pictures or their tags cannot be read, or the file cannot be written.
    """
    options = _parser().parse_args(argv)
    check_not_read("--out", [options.out], [options.data])
    tagged = read_tagged_pictures(options.data, options.skip_bad)
    parts = split(pack(options.data, IMAGE_SIZE, options.skip_bad), HELD_OUT, VALIDATION)
    network = train(tagged.part(parts.training))
    held_out = tagged.part(parts.held_out)
    export(network, tagged.words, options.out)
    hair, eyes, both = accuracy(network, held_out)
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


def train(tagged: TaggedPictures) -> ColourClassifier:
    """A classifier after ``EPOCHS`` passes with Adam; repeatable on the same machine."""
    network = ColourClassifier(*map(len, tagged.words))
    _initialise(network)
    network.hybridize(static_alloc=True, static_shape=True)
    steps_an_epoch = len(tagged.images) // BATCH_SIZE
    schedule = mx.lr_scheduler.PolyScheduler(EPOCHS * steps_an_epoch, LEARNING_RATE, pwr=1)
    optimizer = mx.optimizer.Adam(learning_rate=LEARNING_RATE, lr_scheduler=schedule)
    trainer = gluon.Trainer(network.collect_params(), optimizer)
    cross_entropy = gluon.loss.SoftmaxCrossEntropyLoss()
    for epoch in range(EPOCHS):
        order = philox(SEED, Stream.SHUFFLE, epoch).permutation(len(tagged.images))
        for step in tqdm(range(steps_an_epoch), f"epoch {epoch + 1} of {EPOCHS}", disable=None):
            batch = tagged.part(order[step * BATCH_SIZE : (step + 1) * BATCH_SIZE])
            images = augment(batch.images, epoch * steps_an_epoch + step)
            hair_labels, eye_labels = mx.nd.array(batch.labels).T
            with autograd.record():
                _, hair, eyes = network(mx.nd.array(to_network_range(images, "signed")))
                loss = cross_entropy(hair, hair_labels) + cross_entropy(eyes, eye_labels)
            loss.backward()
            trainer.step(BATCH_SIZE)
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.mean().asscalar():.3f}", file=sys.stderr)
    return network


def augment(images: np.ndarray, index: int) -> np.ndarray:
    """Mirror and shift pictures, uint8 (N, 64, 64, 3), by the draws of batch ``index``.

    Nothing that changes colours or blurs: the features must see that.
    """
    draws = philox(SEED, Stream.AUGMENTATION, index)
    mirrored = draws.random(len(images)) < 0.5
    shifts = draws.integers(0, 2 * MOST_SHIFT + 1, (len(images), 2))
    borders = (0, 0), (MOST_SHIFT, MOST_SHIFT), (MOST_SHIFT, MOST_SHIFT), (0, 0)
    padded = np.pad(images, borders, mode="reflect")
    padded[mirrored] = padded[mirrored, :, ::-1]
    moved = [
        picture[top : top + IMAGE_SIZE, left : left + IMAGE_SIZE]
        for picture, (top, left) in zip(padded, shifts)
    ]
    return np.stack(moved)


def accuracy(network: ColourClassifier, tagged: TaggedPictures) -> tuple[float, float, float]:
    """The shares of the pictures whose hair, eyes, and both are named right, each 0 to 1."""
    right = []
    for start in range(0, len(tagged.images), BATCH_SIZE):
        images = to_network_range(tagged.images[start : start + BATCH_SIZE], "signed")
        _, *heads = network(mx.nd.array(images))
        named = np.stack([logits.asnumpy().argmax(axis=1) for logits in heads], axis=1)
        right.append(named == tagged.labels[start : start + BATCH_SIZE])
    hair, eyes = np.concatenate(right).T
    return float(hair.mean()), float(eyes.mean()), float((hair & eyes).mean())


def export(network: ColourClassifier, words: tuple[list[str], list[str]], path: Path) -> None:
    """Write the network as ONNX: ``image`` in; ``features``, ``hair`` and ``eyes`` out.

    The colours that the logits stand for are in the file's metadata.

    Raises:
        UserError: the file cannot be written.
    """
    outputs = zip(("features", *HEADS), network(mx.sym.var("image")))
    symbol = mx.sym.Group([mx.sym.identity(output, name=name) for name, output in outputs])
    model = translate(network, symbol, {"image": (3, IMAGE_SIZE, IMAGE_SIZE)})
    model.producer_name = "edgegan"
    colours = {head: " ".join(names) for head, names in zip(HEADS, words)}
    onnx.helper.set_model_props(model, colours)
    onnx.checker.check_model(model)
    with atomic_write(path) as temporary:
        onnx.save(model, str(temporary))


def _initialise(network: ColourClassifier) -> None:
    """Draw all weights from N(0, 2 / inputs): He et al. 2015, https://arxiv.org/abs/1502.01852."""
    network.initialize()
    for index, parameter in enumerate(network.collect_params(".*weight").values()):
        deviation = math.sqrt(2 / math.prod(parameter.shape[1:]))
        draws = philox(SEED, Stream.INITIALISATION, index)
        parameter.set_data(draws.normal(0, deviation, parameter.shape).astype(np.float32))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m edgegan.trainer.train_colour_classifier",
        description="Train the network whose features generators are measured by.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
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
    add_debug_option(parser)
    return parser


if __name__ == "__main__":
    run_command(main)
