"""Execution providers: which there are, what is told of them, and how they are opened."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest

import edgegan.runtime.models
from edgegan.runtime.errors import UserError
from edgegan.runtime.fixed_batch import FixedBatchSession
from edgegan.runtime.generator import Generator
from edgegan.runtime.models import shipped_models
from edgegan.runtime.options import PREFERENCES
from edgegan.runtime.options import PROVIDERS as CHOICES
from edgegan.runtime.providers import main
from edgegan.runtime.session import PROVIDERS, open_session
from provider_help import FakeProvider

MakeGenerator = Callable[..., Path]


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


@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_threads_draw_what_one_does(
    make_generator: MakeGenerator, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    path = make_generator()
    one_by_one = Generator.load(path, "cpu")
    expected = [one_by_one.images(seed, 25) for seed in range(80)]
    fake = FakeProvider(monkeypatch, provider)
    generator = Generator.load(path, provider)
    fake.pause = 0.0005
    with ThreadPoolExecutor(8) as pool:
        drawn = list(pool.map(lambda seed: generator.images(seed, 25), range(80)))
    np.testing.assert_array_equal(drawn, expected)
    if provider != "openvino":  # a CUDA graph is for one thread
        assert len(fake.threads) == 1
        assert threading.get_ident() not in fake.threads


def in_a_forked_child(call: Callable[[], object]) -> str:
    """What a call returns in a child, or raises there."""
    gc.collect()  # of other tests: mxnet's arrays cannot go in a child
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # a hang is a failure
        gc.collect()  # what nobody holds any more goes at some moment, also in the child
        try:
            answer = str(call())
        except Exception as error:
            answer = f"{type(error).__name__}: {error}"
        os.write(writing, answer.encode())
        os._exit(0)
    os.close(writing)
    with open(reading) as pipe:  # noqa: PTH123 (it has no path)
        answer = pipe.read()
    os.waitpid(child, 0)
    return answer


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("provider", ["cuda", "tensorrt", "openvino"])
def test_a_gpu_cannot_be_used_in_a_forked_child_and_the_cpu_can(
    make_generator: MakeGenerator, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    path = make_generator()
    FakeProvider(monkeypatch, provider)
    generator = Generator.load(path, provider)
    expected = generator.images(0, 3).tolist()
    drawn = in_a_forked_child(lambda: generator.images(0, 3).tolist())
    if provider == "openvino":
        assert drawn == str(expected)
    else:
        title = PROVIDERS[provider].title
        assert drawn == (
            f"RuntimeError: {title} cannot be used in a child that was forked after {path} was "
            "loaded: load it in the child, or start children by spawn"
        )
    again = in_a_forked_child(lambda: pickle.loads(pickle.dumps(generator)).images(0, 3).tolist())
    assert again == str(expected)
    closed = in_a_forked_child(generator.close)
    assert closed == "None"
    assert generator.images(0, 3).tolist() == expected


def test_the_device_and_the_threads_are_passed_on(
    make_generator: MakeGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, reserved = make_generator(), []
    real = onnxruntime.OrtValue.ortvalue_from_shape_and_type

    def reserve(shape: list[int], kind: Any, memory: str, device_id: int) -> Any:
        reserved.append(device_id)
        return real(shape, kind, memory, 0)

    monkeypatch.setattr(onnxruntime.OrtValue, "ortvalue_from_shape_and_type", reserve)
    for provider in ("cuda", "tensorrt", "auto"):
        fake = FakeProvider(monkeypatch, "cuda" if provider == "auto" else provider)
        Generator.load(path, provider, device_id=3, threads=2)
        assert fake.options[0]["device_id"] == "3"
        assert "num_of_threads" not in fake.options[0]
        assert reserved == [3, 3]
        reserved.clear()
    fake = FakeProvider(monkeypatch, "openvino")
    Generator.load(path, "openvino", threads=2)
    assert fake.options == [{**PROVIDERS["openvino"].options[0], "num_of_threads": "2"}]
    assert reserved == [0, 0]


def test_a_discriminator_is_on_the_same_device_wherever_the_generator_is(
    make_generator: MakeGenerator,
    make_discriminator: MakeGenerator,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    path = make_generator()
    make_discriminator()
    FakeProvider(monkeypatch, "cuda", RuntimeError("invalid device ordinal"))
    generator = Generator.load(path, "auto", 2, device_id=3)
    assert generator.provider_line == "running on the CPU (CUDA failed: invalid device ordinal)"
    assert generator.images(0, 3).shape == (3, 16, 16, 3)


@pytest.mark.parametrize("model", sorted(shipped_models()))
def test_tensorrt_is_not_tried_with_a_file_in_integers(
    monkeypatch: pytest.MonkeyPatch, model: str
) -> None:
    fake = FakeProvider(monkeypatch, "tensorrt")
    with pytest.raises(UserError) as raised:
        Generator.load(model, "tensorrt")
    assert str(raised.value) == (
        "provider tensorrt does not work here: TensorRT does not run 8-bit integers, which "
        f"{shipped_models()[model]} computes in: use cuda, or a file in floating point, exported "
        "with --target cuda"
    )
    assert fake.options == []


def test_a_damaged_file_is_not_blamed_on_tensorrt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "text.onnx"
    path.write_text("no model")
    FakeProvider(monkeypatch, "tensorrt")
    with pytest.raises(UserError, match=r"text.onnx is no ONNX model"):
        Generator.load(path, "tensorrt")


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
    assert "broken.onnx is no ONNX model" in lines[lines.index("broken") + 1]
    assert lines[lines.index("tiny") + 1].endswith("running on the CPU (as asked)")
