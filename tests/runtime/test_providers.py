"""Execution providers: which there are, what is told of them, and how they are opened."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import edgegan.runtime.models
from edgegan.runtime.errors import UserError
from edgegan.runtime.fixed_batch import FixedBatchSession
from edgegan.runtime.generator import Generator
from edgegan.runtime.options import PREFERENCES
from edgegan.runtime.options import PROVIDERS as CHOICES
from edgegan.runtime.providers import main
from edgegan.runtime.session import PROVIDERS, open_session

MakeGenerator = Callable[..., Path]


class FakeProvider:
    """An onnxruntime that has a provider, which runs on the CPU in truth, or fails.

    Attributes:
        options: what the provider was told, each time that a session was opened.
        runs: shape and address of the output, of each run of any session.
    """

    def __init__(
        self,
        monkeypatch: pytest.MonkeyPatch,
        provider: str,
        error: Exception | None = None,
        refused: str = "",
    ) -> None:
        """Have a provider of PROVIDERS; with `error`, it fails where told `refused`, or always."""
        self.options: list[dict[str, str]] = []
        self.runs: list[tuple[list[int], int]] = []
        real = onnxruntime.InferenceSession
        name, cpu = PROVIDERS[provider].name, "CPUExecutionProvider"

        def session(content: bytes, options: Any, providers: Sequence[Any], **_: Any) -> Any:
            made = real(content, options, providers=[cpu])
            if providers != [cpu]:
                assert providers[0][0] == name
                self.options.append(providers[0][1])
                if error is not None and (not refused or refused in providers[0][1]):
                    raise error
                run = made.run_with_iobinding
                made.get_providers = lambda: [name, cpu]
                made.run = None  # of which a captured graph would know nothing
                made.run_with_iobinding = lambda binding: self._watched(run, binding)
            return made

        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: [name, cpu])
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        here = replace(PROVIDERS[provider], memory="cpu")  # no other is
        monkeypatch.setitem(PROVIDERS, provider, here)

    def _watched(self, run: Callable[..., Any], binding: onnxruntime.IOBinding) -> None:
        run(binding)
        (output,) = binding.get_outputs()
        self.runs.append((output.shape(), output.data_ptr()))


@pytest.fixture
def shipped(make_generator: MakeGenerator, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of shipped models with tiny in it."""
    path = make_generator()
    monkeypatch.setattr(edgegan.runtime.models, "MODELS", path.parent)
    return path


def test_every_provider_can_be_asked_for() -> None:
    assert set(CHOICES) == {"auto", *PROVIDERS}


def test_onnxruntime_knows_the_providers_by_our_names_for_them() -> None:
    assert {provider.name for provider in PROVIDERS.values()} <= set(
        onnxruntime.get_all_providers()
    )


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
@pytest.mark.parametrize("prefer", PREFERENCES)
def test_a_provider_gets_batches_of_one_shape_in_one_place(
    make_generator: MakeGenerator,
    make_discriminator: MakeGenerator,
    monkeypatch: pytest.MonkeyPatch,
    provider: str,
    prefer: str,
) -> None:
    path = make_generator()
    make_discriminator()
    expected = Generator.load(path, "cpu", best_of=2).images(0, 70)
    fake = FakeProvider(monkeypatch, provider)
    generator = Generator.load(path, provider, 2, prefer)
    assert PROVIDERS[provider].name in generator.provider_line
    assert fake.options == [PROVIDERS[provider].options[0]] * 2
    tried_out = list(fake.runs)
    assert [shape for shape, _ in tried_out] == [[64, 3, 16, 16], [64]]
    np.testing.assert_array_equal(generator.images(0, 70), expected)
    np.testing.assert_array_equal(generator.images(0, 1), expected[:1])
    assert fake.runs == tried_out * 5  # which is where a graph was captured


def test_where_there_can_be_no_graph_cuda_does_without(
    make_generator: MakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = make_generator()
    expected = Generator.load(path, "cpu").images(0, 3)
    fake = FakeProvider(monkeypatch, "cuda", RuntimeError("no graph"), refused="enable_cuda_graph")
    generator = Generator.load(path, "cuda")
    np.testing.assert_array_equal(generator.images(0, 3), expected)
    with_graph, without = fake.options
    assert with_graph == {**without, "enable_cuda_graph": "1"}


def test_loading_leaves_the_programs_output_and_log_alone(
    make_generator: MakeGenerator,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fake, begun, said = FakeProvider(monkeypatch, "cuda"), threading.Event(), threading.Event()

    def preload(cuda: bool = True, *, cudnn: bool = True) -> None:
        """As onnxruntime's own: its defaults count, and it prints."""
        assert cuda
        assert cudnn
        begun.set()
        said.wait(timeout=10)
        print("Failed to load libcudnn.so.9", flush=True)

    def speak() -> None:
        begun.wait(timeout=10)
        print("the host speaks")
        said.set()

    monkeypatch.setattr(onnxruntime, "preload_dlls", preload, raising=False)
    for name in ("set_default_logger_severity", "set_default_logger_verbosity"):
        monkeypatch.setattr(onnxruntime, name, lambda _: pytest.fail("that is the host's"))
    host = threading.Thread(target=speak)
    host.start()
    assert "GPU" in Generator.load(make_generator(), "auto").provider_line
    host.join()
    assert fake.options
    assert capsys.readouterr().out == "the host speaks\n"


@pytest.mark.parametrize("rows", [1, 5, 64])
def test_fixed_places_change_no_byte_and_keep_no_result(
    make_generator: MakeGenerator, rows: int
) -> None:
    session, _ = open_session(make_generator(), "cpu")
    fixed = FixedBatchSession(session, 64, "cpu")
    latents = np.random.default_rng(rows).standard_normal((2, rows, 16)).astype(np.float32)
    (first,) = fixed.run(None, {"latent": latents[0]})
    (second,) = fixed.run(None, {"latent": latents[1]})
    np.testing.assert_array_equal(first, session.run(None, {"latent": latents[0]})[0])
    np.testing.assert_array_equal(second, session.run(None, {"latent": latents[1]})[0])


def test_a_provider_that_fails_is_refused_by_name_and_not_chosen(
    shipped: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    FakeProvider(monkeypatch, "tensorrt", RuntimeError("no libnvinfer\nstack"))
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
    FakeProvider(monkeypatch, "cuda", RuntimeError("CUDA failure 35: too old ; x"))
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
    FakeProvider(monkeypatch, "cuda")
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
