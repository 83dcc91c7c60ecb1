"""The colour classifier: colours by name, features, and that no mxnet is needed for them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import onnxruntime

from edgegan.runtime import session
from edgegan.runtime.colour_classifier import FILE, ColourClassifier, shipped_namer
from edgegan.runtime.words import Group, Words

COUNT = session.BATCH + 3  # more than are computed at once


def pictures() -> np.ndarray:
    """Large squares of random colours."""
    coarse = np.random.default_rng(0).integers(0, 256, (COUNT, 4, 4, 3), dtype=np.uint8)
    return coarse.repeat(16, axis=1).repeat(16, axis=2)


def outputs(images: np.ndarray) -> dict[str, np.ndarray]:
    """What onnxruntime by itself makes of the file."""
    network = onnxruntime.InferenceSession(str(FILE))
    image = images.transpose(0, 3, 1, 2).astype(np.float32) / 127.5 - 1
    names = [output.name for output in network.get_outputs()]
    return dict(zip(names, network.run(names, {"image": image})))


def test_features_are_those_of_the_file() -> None:
    found = ColourClassifier().features(pictures())
    assert found.shape == (COUNT, 320)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, outputs(pictures())["features"], atol=1e-4)


def test_colours_are_the_words_of_the_largest_logits() -> None:
    metadata = onnxruntime.InferenceSession(str(FILE)).get_modelmeta().custom_metadata_map
    expected = outputs(pictures())
    hair, eyes = (
        [metadata[head].split()[row.argmax()] for row in expected[head]]
        for head in ("hair", "eyes")
    )
    assert len(set(hair)) > 1
    assert ColourClassifier().colours(pictures()) == list(zip(hair, eyes))


def test_colours_are_named_by_the_shipped_classifier_in_the_order_of_the_words() -> None:
    groups = [Group("Eyes", ("red", "blue")), Group("hair", ("grey", "black", "blond"))]
    namer = shipped_namer(Words.of(groups, np.array([[0, 0]])))
    assert namer
    pictures = np.random.default_rng(0).integers(0, 256, (40, 64, 64, 3), dtype=np.uint8)
    named = namer(pictures)
    assert named.shape == (40, 2)
    shipped = ColourClassifier()
    for column, head, words in ((0, "eyes", ["red", "blue"]), (1, "hair", ["gray", "black"])):
        logits = shipped.logits(pictures)[head][:, [shipped.words[head].index(w) for w in words]]
        asked = named[:, column] < 2
        assert (logits.argmax(axis=1)[asked] == named[asked, column]).all()
    other = Words.of([Group("hair", ("red", "rainbow"))], np.array([[0]]))
    assert shipped_namer(other) is None
    assert shipped_namer(Words.of([Group("class", ("red", "blue"))], np.array([[0]]))) is None


def test_the_network_names_the_colours_it_was_trained_on() -> None:
    network = onnxruntime.InferenceSession(str(FILE))
    metadata = network.get_modelmeta().custom_metadata_map
    shapes = {output.name: output.shape[1] for output in network.get_outputs()}
    assert shapes["hair"] == len(metadata["hair"].split()) == 12
    assert shapes["eyes"] == len(metadata["eyes"].split()) == 10
    assert FILE.stat().st_size <= 2_000_000


def test_mxnet_is_not_needed() -> None:
    code = (
        "import sys; sys.modules.update(mxnet=None, onnx=None); import numpy as np;"
        "from edgegan.runtime.colour_classifier import ColourClassifier;"
        "print(len(ColourClassifier().colours(np.zeros((2, 64, 64, 3), np.uint8))));"
        "print(any(name.startswith('edgegan.trainer') for name in sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["2", "False"]
