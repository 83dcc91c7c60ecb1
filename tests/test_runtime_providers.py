"""Execution providers: which there are, what is told of them, and how they are opened."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import runtime.generator
from runtime.errors import UserError
from runtime.generator import Generator
from runtime.options import PROVIDERS as CHOICES
from runtime.providers import main
from runtime.session import PROVIDERS

MakeGenerator = Callable[..., Path]


class FakeProvider:
    """An onnxruntime that has a provider, which runs on the CPU in truth or fails."""

    def __init__(
        self, monkeypatch: pytest.MonkeyPatch, name: str, error: Exception | None = None
    ) -> None:
        self.shapes: list[tuple[int, ...]] = []
        self.options: list[dict[str, str]] = []
        real = onnxruntime.InferenceSession
        cpu = "CPUExecutionProvider"

        def session(content: bytes, options: Any, providers: Sequence[Any], **_: Any) -> Any:
            made = real(content, options, providers=[cpu])
            if providers != [cpu]:
                if error is not None:
                    raise error
                assert providers[0][0] == name
                self.options.append(providers[0][1])
                run = made.run
                made.get_providers = lambda: [name, cpu]
                made.run = lambda names, feeds: self._watched(run, feeds)
            return made

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [name, cpu])
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)

    def _watched(self, run: Callable[..., Any], feeds: dict[str, np.ndarray]) -> Any:
        self.shapes += [array.shape for array in feeds.values()]
        return run(None, feeds)


@pytest.fixture
def shipped(make_generator: MakeGenerator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped models with tiny in it."""
    path = make_generator()
    monkeypatch.setattr(runtime.generator, "MODELS", path.parent)
    return path


def test_every_provider_can_be_asked_for() -> None:
    assert set(CHOICES) == {"auto", *PROVIDERS}


def test_onnxruntime_knows_the_providers_by_our_names_for_them() -> None:
    assert {provider.name for provider in PROVIDERS.values()} <= set(
        onnxruntime.get_all_providers()
    )


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_provider_gets_batches_of_one_shape(
    make_generator: MakeGenerator,
    make_discriminator: MakeGenerator,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
) -> None:
    path = make_generator()
    make_discriminator()
    expected = Generator.load(path, "cpu", best_of=2).images(0, 3)
    fake = FakeProvider(monkeypatch, PROVIDERS[provider].name)
    generator = Generator.load(path, provider, best_of=2)
    assert PROVIDERS[provider].name in generator.provider_line
    fake.shapes.clear()  # of what was tried out
    np.testing.assert_array_equal(generator.images(0, 3), expected)
    assert fake.shapes == [(64, 16), (64, 3, 16, 16)]
    assert fake.options == [PROVIDERS[provider].options] * 2


def test_a_provider_that_fails_is_refused_by_name_and_not_chosen(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeProvider(monkeypatch, "TensorrtExecutionProvider", RuntimeError("no libnvinfer\nstack"))
    with pytest.raises(UserError, match="tensorrt does not work here: TensorRT failed: no libnvi"):
        Generator.load(shipped, "tensorrt")
    with pytest.raises(UserError, match="this onnxruntime has no OpenVINO provider"):
        Generator.load(shipped, "openvino")
    line = Generator.load(shipped, "auto").provider_line
    assert line == "running on the CPU (this onnxruntime has no CUDA provider)"


@pytest.mark.usefixtures("shipped")
def test_the_command_lists_what_is_here_and_what_becomes_of_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    FakeProvider(monkeypatch, "CUDAExecutionProvider", RuntimeError("CUDA failure 35: too old ; x"))
    assert main([]) == 0
    assert capsys.readouterr().out.splitlines() == [
        f"onnxruntime {onnxruntime.__version__}",
        "tiny",
        "  cpu       running on the CPU (as asked)",
        "  cuda      provider cuda does not work here: CUDA failure 35: too old",
        "  auto      running on the CPU (CUDA failure 35: too old)",
    ]


@pytest.mark.usefixtures("shipped")
def test_a_working_provider_is_said_to_be_chosen(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    FakeProvider(monkeypatch, "CUDAExecutionProvider")
    main([])
    assert capsys.readouterr().out.splitlines()[3:] == [
        "  cuda      running on the GPU (CUDAExecutionProvider)",
        "  auto      running on the GPU (CUDAExecutionProvider)",
    ]


def test_a_damaged_model_is_told_and_does_not_end_the_list(
    shipped: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shipped.with_name("broken.onnx").write_bytes(b"no model")
    main([])
    lines = capsys.readouterr().out.splitlines()
    assert "broken.onnx is not a whole ONNX model" in lines[lines.index("broken") + 1]
    assert lines[lines.index("tiny") + 1].endswith("running on the CPU (as asked)")
