"""What names the words of pictures: a classifier that trains no generator.

Of hair and eye colours it is the shipped one. For other words one is trained on the training part
of the pictures that generators are measured against, and kept in the user's cache.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from edgegan.runtime.errors import UserError, say
from edgegan.runtime.files import atomic_write, classifiers_folder, make_folder
from edgegan.runtime.words import Words
from edgegan.trainer.checkpoint import network_arrays, set_network_arrays
from edgegan.trainer.classifier import Classifier, Examples, train

STEPS = 300  # a minute on a core
MOST_EXAMPLES = 5000  # more teach no more in so few steps
VERSION = 1  # of the network and its training; another one trains all again


def trained_on_real(examples: Examples, words: Words, digest: str) -> Classifier:
    """A classifier of these words, trained on real pictures, at least one, or found in the cache.

    Args:
        digest: tells the set of pictures, and the part of it, from others.
    """
    sizes = [len(group.words) for group in words.groups]
    path = _cached(words, examples, digest)
    if path.exists():
        with suppress(Exception):  # zipfile's or numpy's own, by what is broken: train it again
            return _read(path, sizes)
    network = train(examples, sizes, STEPS, "training a classifier on real pictures")
    try:
        make_folder(path.parent)
        with atomic_write(path) as temporary, temporary.open("wb") as file:
            np.savez(file, **network_arrays(network))
    except UserError as error:  # it is trained again next time
        say(f"the classifier is not kept: {error}")
    return network


def trained_on_generated(examples: Examples, words: Words) -> Classifier:
    """The same, trained on pictures that were drawn with words."""
    sizes = [len(group.words) for group in words.groups]
    return train(examples, sizes, STEPS, "training a classifier on generated pictures")


def _read(path: Path, sizes: Sequence[int]) -> Classifier:
    network = Classifier(sizes)
    network.initialize()
    with np.load(path) as stored:
        set_network_arrays(network, dict(stored))
    os.utime(path)  # edgegan cache tells when it was last used
    return network


def _cached(words: Words, examples: Examples, digest: str) -> Path:
    groups = [[group.name, *group.words] for group in words.groups]
    told = json.dumps([VERSION, STEPS, digest, groups])
    key = hashlib.sha256(told.encode() + examples.choices.astype("<i8").tobytes())
    return classifiers_folder() / f"{key.hexdigest()[:24]}.npz"
