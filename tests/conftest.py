"""What several test files share."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import edgegan.runtime.network
import edgegan.runtime.session
import edgegan.trainer.framework
from edgegan.runtime.detector import CascadeNotFound, find_cascade
from edgegan.runtime.metadata import ModelMetadata
from export_help import METADATA, random_generator

# Threads that wait in a loop starve each other where the cores are busy with something else.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

PEER_GRIDS = Path(__file__).parents[2] / "shared" / "data" / "peer_grids"


@pytest.fixture(scope="session")
def cascade() -> Path:
    """The graders' cascade, or a skip where it cannot be had."""
    try:
        return find_cascade()
    except CascadeNotFound as error:
        pytest.skip(str(error))


@pytest.fixture
def peer_grids() -> Path:
    """Others' grids with known counts, or a skip where they are absent."""
    if not PEER_GRIDS.is_dir():
        pytest.skip(f"{PEER_GRIDS} is absent")
    return PEER_GRIDS


@pytest.fixture
def use_cores(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """What has the networks that are opened from now on use so many cores."""

    def use(cores: int) -> None:
        for module in (edgegan.runtime.network, edgegan.runtime.session):
            monkeypatch.setattr(module, "available_cores", lambda: cores)

    return use


@pytest.fixture
def make_generator(tmp_path: Path) -> Callable[..., Path]:
    """A maker of small generators with random weights, as export writes them."""

    def make(
        name: str = "tiny.onnx", metadata: dict[str, str] | None = None, **options: Any
    ) -> Path:
        return random_generator(tmp_path / name, metadata, **options)

    return make


@pytest.fixture
def make_discriminator(tmp_path: Path) -> Callable[..., Path]:
    """A maker of discriminators that look at red: a score is its mean, times `liking`."""

    def make(
        name: str = "tiny.discriminator.onnx",
        metadata: ModelMetadata = METADATA,
        liking: float = 1,
        keepdims: int = 0,
    ) -> Path:
        size = metadata.image_size
        graph = helper.make_graph(
            [
                helper.make_node("Mul", ["image", "red"], ["a"]),
                helper.make_node("ReduceMean", ["a"], ["score"], axes=[1, 2, 3], keepdims=keepdims),
            ],
            "discriminator",
            [helper.make_tensor_value_info("image", TensorProto.FLOAT, ["N", 3, size, size])],
            [helper.make_tensor_value_info("score", TensorProto.FLOAT, ["N"] + 3 * keepdims * [1])],
            [numpy_helper.from_array(np.float32([3 * liking, 0, 0]).reshape(1, 3, 1, 1), "red")],
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        helper.set_model_props(model, replace(metadata, part="discriminator").to_strings())
        onnx.checker.check_model(model, full_check=True)
        path = tmp_path / name
        onnx.save(model, str(path))
        return path

    return make
