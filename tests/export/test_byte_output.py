"""The graph's own conversion to bytes, and the runtime that takes files with it and without."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from onnx import TensorProto, helper
from onnx.reference import ReferenceEvaluator

from edgegan import Generator
from edgegan.export.passes import byte_output
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import from_bytes, to_bytes
from edgegan.runtime.network import Network

Make = Callable[..., Path]


def identity() -> onnx.ModelProto:
    shape = ["batch", 3, 4, 4]
    graph = helper.make_graph(
        [helper.make_node("Identity", ["latent"], ["image"], name="image")],
        "network",
        [helper.make_tensor_value_info("latent", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, shape)],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def bytes_of(values: np.ndarray, value_range: tuple[float, float]) -> np.ndarray:
    model = byte_output.rewrite(identity(), value_range)
    onnx.checker.check_model(model, full_check=True)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (found,) = session.run(None, {"latent": values})
    (by_definition,) = ReferenceEvaluator(model).run(None, {"latent": values})
    np.testing.assert_array_equal(found, by_definition)
    return found


@settings(max_examples=50, deadline=None)
@given(
    values=hnp.arrays(np.float32, (2, 3, 4, 4), elements=st.floats(-3, 3, width=32)),
    value_range=st.sampled_from([(-1.0, 1.0), (0.0, 1.0), (-2.5, 0.7)]),
)
def test_the_graphs_bytes_are_those_of_the_runtime(
    values: np.ndarray, value_range: tuple[float, float]
) -> None:
    np.testing.assert_array_equal(bytes_of(values, value_range), to_bytes(values, value_range))


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0)])
def test_halves_are_rounded_to_even_as_the_runtime_rounds_them(
    value_range: tuple[float, float],
) -> None:
    """Every half level and the float32 numbers next to it."""
    low, high = value_range
    halves = np.float32((np.arange(-1, 257) + 0.5) * (high - low) / 255 + low)
    around = [np.nextafter(halves, np.float32(end)) for end in (low - 9, high + 9)]
    values = np.resize(np.concatenate([halves, *around]), (17, 3, 4, 4))
    np.testing.assert_array_equal(bytes_of(values, value_range), to_bytes(values, value_range))


@settings(max_examples=20, deadline=None)
@given(low=st.floats(-5, 5), width=st.floats(0.1, 10))
def test_bytes_come_back_from_the_networks_range(low: float, width: float) -> None:
    images = np.arange(768, dtype=np.uint8).reshape(1, 16, 16, 3)
    value_range = (low, low + width)
    values = from_bytes(images, value_range)
    assert (values.dtype, values.shape) == (np.float32, (1, 3, 16, 16))
    np.testing.assert_allclose([values.min(), values.max()], value_range, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(to_bytes(values, value_range), images)


@pytest.fixture
def both_forms(make_generator: Make) -> tuple[Path, Path]:
    """A generator's file that gives values, and one that gives bytes."""
    path = make_generator()
    converted = path.with_name("bytes.onnx")
    onnx.save(byte_output.rewrite(onnx.load(str(path)), (-1.0, 1.0)), str(converted))
    return path, converted


def test_the_runtime_draws_the_same_from_both_forms(both_forms: tuple[Path, Path]) -> None:
    values, converted = (Generator.load(path, "cpu") for path in both_forms)
    assert values.images(3, 70).std() > 5
    np.testing.assert_array_equal(converted.images(3, 70), values.images(3, 70))
    np.testing.assert_array_equal(converted.images(3, 2, first=9), values.images(3, 11)[9:])
    latents = values.latents(3, 5)
    np.testing.assert_array_equal(converted.images_of(latents), values.images_of(latents))


def test_the_runtime_converts_nothing_itself(
    both_forms: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delattr("edgegan.runtime.generator.to_bytes")
    assert Generator.load(both_forms[1], "cpu").images(3, 2).dtype == np.uint8


def test_the_same_candidates_are_kept_of_both_forms(
    both_forms: tuple[Path, Path], make_discriminator: Make
) -> None:
    for path in both_forms:
        make_discriminator(f"{path.stem}.discriminator.onnx")
    kept, kept_of_bytes = (
        Generator.load(path, "cpu", best_of=4).images(7, 9) for path in both_forms
    )
    np.testing.assert_array_equal(kept_of_bytes, kept)
    candidates = Generator.load(both_forms[0], "cpu").images(7, 36).reshape(9, 4, 16, 16, 3)
    reddest = candidates[..., 0].mean(axis=(2, 3)).argmax(axis=1)
    np.testing.assert_array_equal(kept, candidates[np.arange(9), reddest])


def test_bytes_of_another_shape_are_an_error(both_forms: tuple[Path, Path]) -> None:
    model = onnx.load(str(both_forms[1]))
    model.graph.node[-1].attribute[0].ints[:] = [0, 1, 2, 3]
    shape = ["N", 3, 16, 16]
    output = helper.make_tensor_value_info("image", TensorProto.UINT8, shape)
    model.graph.output[0].CopyFrom(output)
    onnx.save(model, str(both_forms[1]))
    with pytest.raises(UserError) as caught:
        Network(both_forms[1], "cpu", "generator")
    assert str(caught.value) == (
        f"{both_forms[1]} has the output 'image tensor(uint8) N x 3 x 16 x 16', "
        "expected 'image tensor(float) N x 3 x 16 x 16' or 'image tensor(uint8) N x 16 x 16 x 3'"
    )
