from __future__ import annotations

import itertools
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import onnxruntime
import pytest

import edgegan.runtime.generator
import edgegan.runtime.grid
import edgegan.runtime.models
from edgegan import Generator
from edgegan.runtime.errors import UserError
from edgegan.runtime.fixed_batch import FixedBatchSession
from edgegan.runtime.generate import main
from edgegan.runtime.grid import baseline_grid, read_picture, tight_grid
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.metadata import ModelMetadata
from edgegan.runtime.options import PREFERENCES
from edgegan.runtime.session import PROVIDERS
from export_help import METADATA
from words_help import make_conditional_generator


@pytest.fixture
def shipped(make_generator, monkeypatch):
    """A folder of shipped models with cgan, which takes words, dcgan and wgan in it."""
    folder = make_generator("dcgan.onnx").parent
    make_generator("wgan.onnx")
    make_conditional_generator(folder / "cgan.onnx")
    monkeypatch.setattr(edgegan.runtime.models, "MODELS", folder)
    return folder


def test_a_seed_gives_the_same_bytes_however_it_is_run(make_generator, use_cores, monkeypatch):
    path = make_generator()
    expected = Generator.load(path, "cpu").images(7, 70)
    assert len({image.tobytes() for image in expected}) == 70
    for cores, prefer in itertools.product((1, 2, 3), PREFERENCES):
        use_cores(cores)
        generator = Generator.load(path, "cpu", prefer=prefer)
        for batch in (1, 7, 25, 64):
            monkeypatch.setattr(edgegan.runtime.generator, "BATCH", batch)
            np.testing.assert_array_equal(generator.images(7, 70), expected)
            np.testing.assert_array_equal(generator.images(7, 3), expected[:3])
            np.testing.assert_array_equal(generator.images(7, 30, first=40), expected[40:])


def test_images_are_the_networks_output_in_bytes(make_generator):
    path = make_generator()
    images = Generator.load(path).images(3, 2)
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    output = session.run(None, {"latent": draw_latents(3, 2, 16, "normal")})[0].astype(np.float64)
    assert images.dtype == np.uint8
    assert images.shape == (2, 16, 16, 3)
    assert images.min() < 10
    assert images.max() > 245
    difference = images - (output.transpose(0, 2, 3, 1) + 1) * 127.5
    assert np.abs(difference).max() < 0.501


def test_the_metadata_chooses_the_latents_and_the_value_range(make_generator):
    narrow = replace(METADATA, latent_distribution="uniform", value_range=(-0.1, 0.1))
    images = Generator.load(make_generator(metadata=narrow.to_strings())).images(3, 4)
    usual = Generator.load(make_generator("usual.onnx")).images(3, 4)
    assert np.isin(images, (0, 255)).mean() > np.isin(usual, (0, 255)).mean() + 0.3
    uniform = replace(METADATA, latent_distribution="uniform").to_strings()
    uniform_images = Generator.load(make_generator("uniform.onnx", uniform)).images(3, 4)
    assert not np.array_equal(uniform_images, usual)


def test_no_images_are_an_empty_array(make_generator):
    assert Generator.load(make_generator()).images(0, 0).shape == (0, 16, 16, 3)


def test_metadata_survives_the_file():
    assert ModelMetadata.from_strings(METADATA.to_strings(), "x.onnx") == METADATA
    discriminator = replace(METADATA, part="discriminator")
    read = ModelMetadata.from_strings(discriminator.to_strings(), "x.onnx", "discriminator")
    assert read == discriminator


def test_a_file_that_does_not_say_which_part_it_is_is_a_generator():
    strings = METADATA.to_strings()
    del strings["edgegan.part"]
    assert ModelMetadata.from_strings(strings, "x.onnx") == METADATA
    with pytest.raises(UserError, match=r"x\.onnx is a generator, expected a discriminator"):
        ModelMetadata.from_strings(strings, "x.onnx", "discriminator")


@pytest.mark.parametrize(
    ("key", "value", "expected"),
    [
        ("latent_size", None, "x.onnx has no edgegan.latent_size in its metadata"),
        ("latent_size", "0", "'0' in its metadata, expected a whole number of at least 1"),
        ("image_size", "big", "'big' in its metadata, expected a whole number"),
        ("latent_distribution", "cauchy", "expected normal or uniform"),
        ("value_range", "1,-1", "expected two numbers, the lower first"),
        ("value_range", "nan,1", "expected two numbers"),
        ("value_range", "1", "expected two numbers"),
        ("part", "critic", "'critic' in its metadata, expected generator or discriminator"),
        ("part", "discriminator", "x.onnx is a discriminator, expected a generator"),
        ("format_version", "3", "expected at most 2: update edgegan"),
    ],
)
def test_bad_metadata_is_named(key, value, expected):
    strings = METADATA.to_strings()
    strings.pop(f"edgegan.{key}")
    if value is not None:
        strings[f"edgegan.{key}"] = value
    with pytest.raises(UserError, match=expected):
        ModelMetadata.from_strings(strings, "x.onnx")


def test_a_model_that_is_not_ours_is_an_error(make_generator):
    with pytest.raises(UserError, match=r"theirs\.onnx is not a generator of this project"):
        Generator.load(make_generator("theirs.onnx", metadata={"author": "somebody"}))


def test_a_network_that_is_not_what_its_metadata_says_is_an_error(make_generator):
    other = replace(METADATA, latent_size=128).to_strings()
    with pytest.raises(UserError, match=r"N x 16', expected 'latent .* N x 128'"):
        Generator.load(make_generator(metadata=other))
    with pytest.raises(UserError, match=r"output .* N x 3 x 16 x 16', expected .* 64 x 64'"):
        Generator.load(make_generator(metadata=replace(METADATA, image_size=64).to_strings()))
    with pytest.raises(UserError, match="has the input 'noise"):
        Generator.load(make_generator(input_name="noise"))
    with pytest.raises(UserError, match=r"has the input 'latent .* 1 x 16'"):
        Generator.load(make_generator(batch=1))


@pytest.mark.parametrize("share", [0.01, 0.2, 0.7, 0.99])
def test_a_truncated_model_is_an_error(make_generator, tmp_path, share):
    content = make_generator().read_bytes()
    path = tmp_path / "half.onnx"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(UserError, match=r"half\.onnx is not a") as caught:
        Generator.load(path)
    assert "\n" not in str(caught.value)


def test_an_unknown_model_lists_the_shipped_ones_and_the_nearest(shipped):
    with pytest.raises(
        UserError, match=r"'dcgn'.*: did you mean dcgan or cgan\? Expected one of cgan, dcgan, wgan"
    ):
        Generator.load("dcgn")
    with pytest.raises(
        UserError, match=r"'something else'.*: expected one of cgan, dcgan, wgan, or the path"
    ):
        Generator.load("something else")


def test_a_model_that_is_no_file_is_an_error(tmp_path):
    with pytest.raises(UserError, match=r"cannot read .*none\.onnx: No such file"):
        Generator.load(tmp_path / "none.onnx")
    with pytest.raises(UserError, match=f"{tmp_path} is a folder without a run"):
        Generator.load(tmp_path)


class FakeOnnxruntime:
    """An onnxruntime with a CUDA provider, on a machine where it may or may not work."""

    def __init__(self, monkeypatch, works: bool, error: Exception | None = None):
        self.preloaded = 0
        real = onnxruntime.InferenceSession

        def session(content, options, providers, **arguments):
            if providers == ["CPUExecutionProvider"]:
                return real(content, options, providers=providers)
            assert arguments == {"enable_fallback": 0}
            assert providers[0][0] == "CUDAExecutionProvider"
            if error is not None:
                raise error
            made = real(content, options, providers=["CPUExecutionProvider"])
            if works:
                made.get_providers = lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"]
            return made

        def preload():
            self.preloaded += 1
            print("Failed to load libcudnn.so.9")

        available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
        monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: available)
        monkeypatch.setattr(onnxruntime, "InferenceSession", session)
        monkeypatch.setattr(onnxruntime, "preload_dlls", preload, raising=False)
        cuda = replace(PROVIDERS["cuda"], memory="cpu")  # no other is here
        monkeypatch.setitem(PROVIDERS, "cuda", cuda)


def test_cuda_is_used_where_it_works(make_generator, monkeypatch, capsys):
    path = make_generator()
    expected = Generator.load(path, "cpu").images(0, 70)
    fake = FakeOnnxruntime(monkeypatch, works=True)
    for provider in ("auto", "cuda"):
        generator = Generator.load(path, provider)
        assert generator.provider_line == "running on the GPU (CUDAExecutionProvider)"
        np.testing.assert_array_equal(generator.images(0, 70), expected)
    assert fake.preloaded == 2
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (None, "CUDA or cuDNN, or the GPU's driver, could not be loaded"),
        (RuntimeError("no kernel\nstack"), "CUDA failed: no kernel)"),
        (
            RuntimeError("/src/cuda_call.cc:129 CUDA failure 35: driver too old ; GPU=0 ; file=x"),
            "(CUDA failure 35: driver too old)",
        ),
    ],
)
def test_the_cpu_is_used_where_cuda_fails(make_generator, monkeypatch, capsys, error, reason):
    path = make_generator()
    FakeOnnxruntime(monkeypatch, works=False, error=error)
    generator = Generator.load(path, "auto")
    assert generator.provider_line.startswith("running on the CPU (")
    assert reason in generator.provider_line
    assert "\n" not in generator.provider_line
    assert generator.images(0, 1).shape == (1, 16, 16, 3)
    assert Generator.load(path, "cpu").provider_line == "running on the CPU (as asked)"
    with pytest.raises(UserError, match="provider cuda does not work here: CUDA"):
        Generator.load(path, "cuda")
    assert capsys.readouterr().out == ""


def test_a_gpu_that_opens_the_file_but_cannot_run_it_is_not_used(make_generator, monkeypatch):
    path = make_generator()
    FakeOnnxruntime(monkeypatch, works=True)

    def no_kernel(*_):
        raise RuntimeError("CUDA failure 209: no kernel image is available ; GPU=0")

    monkeypatch.setattr(FixedBatchSession, "run", no_kernel)
    line = Generator.load(path, "auto").provider_line
    assert line == "running on the CPU (CUDA failure 209: no kernel image is available)"


def test_a_damaged_file_is_not_blamed_on_cuda(tmp_path, monkeypatch):
    path = tmp_path / "text.onnx"
    path.write_text("no model")
    FakeOnnxruntime(monkeypatch, works=False)
    with pytest.raises(UserError, match="is no ONNX model"):
        Generator.load(path, "cuda")


def test_an_onnxruntime_without_cuda_says_so(make_generator, monkeypatch):
    monkeypatch.setattr(onnxruntime, "get_available_providers", lambda: ["CPUExecutionProvider"])
    path = make_generator()
    line = Generator.load(path).provider_line
    assert line == "running on the CPU (this onnxruntime has no CUDA provider)"
    with pytest.raises(UserError, match="this onnxruntime has no CUDA provider"):
        Generator.load(path, "cuda")


def test_the_command_writes_the_baseline_grid(shipped, tmp_path, capsys):
    output = tmp_path / "new" / "grid.png"
    assert main(["--seed", "7", "--output", str(output)]) == 0
    np.testing.assert_array_equal(
        read_picture(output), baseline_grid(Generator.load("cgan").images(7, 25))
    )
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("running on the ")
    assert lines[1] == f"wrote {output}"
    again = tmp_path / "again.png"
    main(["--seed", "7", "--output", str(again)])
    assert again.read_bytes() == output.read_bytes()


def test_the_command_writes_a_tight_grid(shipped, tmp_path):
    output = tmp_path / "grid.png"
    layout = ["--layout", "tight", "--rows", "2", "--columns", "3", "--gap", "0"]
    assert main(["--model", "wgan", *layout, "--output", str(output)]) == 0
    images = Generator.load("wgan").images(0, 6)
    np.testing.assert_array_equal(read_picture(output), tight_grid(images, 2, 3, 0))


def test_the_command_writes_single_images(make_generator, tmp_path):
    path = make_generator()
    folder = tmp_path / "faces"
    command = ["--model", str(path), "--images", str(folder), "--count", "70"]
    assert main(command) == 0
    images = Generator.load(path).images(0, 70)
    files = sorted(folder.iterdir())
    assert [file.name for file in (files[0], files[69])] == ["000000.png", "000069.png"]
    for file, image in zip(files, images):
        np.testing.assert_array_equal(read_picture(file), image)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to write"),
        (["--output", "x.png", "--count", "3"], "--count is for --images only"),
        (["--output", "x.png", "--rows", "3"], "--rows is for --output with --layout tight"),
        (["--images", "x", "--gap", "0"], "--gap is for --output"),
        (["--images", "x", "--layout", "tight"], "--layout is for --output only"),
        (
            ["--output", "x.png", "--provider", "tpu"],
            "--provider 'tpu' is unknown: did you",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(UserError, match=re.escape(message)):
        main(arguments)


@pytest.mark.parametrize(
    ("option", "value", "least"),
    [("--rows", "0", 1), ("--columns", "x", 1), ("--gap", "-1", 0), ("--count", "1.5", 1)],
)
def test_numbers_out_of_range_are_named(option, value, least):
    sentence = f"{option} is '{value}', expected a whole number from {least}"
    with pytest.raises(UserError, match=re.escape(sentence)):
        main(["--output", "x.png", "--layout", "tight", f"{option}={value}"])


@pytest.mark.parametrize(("rows", "columns", "gap"), [("1", "1000", "4"), ("2", "2", "1")])
def test_a_grid_that_is_too_large_is_refused_before_it_is_drawn(
    make_generator, tmp_path, monkeypatch, rows, columns, gap
):
    """As with the limits of PNG, which larger models reach."""
    monkeypatch.setattr(edgegan.runtime.grid, "MOST_SIDE", 19_995)
    monkeypatch.setattr(edgegan.runtime.grid, "MOST_PIXELS", 33 * 33 - 1)

    def drawn(*_, **__):
        raise AssertionError("drawn in vain")

    monkeypatch.setattr(Generator, "images", drawn)
    layout = ["--layout", "tight", "--rows", rows, "--columns", columns, "--gap", gap]
    output = tmp_path / "grid.png"
    height, width = (int(n) * (16 + int(gap)) - int(gap) for n in (rows, columns))
    with pytest.raises(UserError, match=f"a picture of {width} x {height} pixels is too large"):
        main(["--model", str(make_generator()), *layout, "--output", str(output)])
    assert not output.exists()


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--output", "x.jpg"], "--output is 'x.jpg', expected a .png file"),
        (["--output", ""], "--output is '', expected a .png file"),
        (
            ["--images", "x", "--output", "x/000003.png"],
            "which has the name of an image in --images",
        ),
        (["--images", "x.png"], "--images is 'x.png', the name of a file, expected a folder"),
        (["--images", ""], "--images is empty, expected the path of a file or folder"),
        (
            ["--output", "x.png", "--layout", "tight", "--rows", "101", "--columns", "100"],
            "--rows and --columns make 10100 faces, expected at most 10000 in a grid",
        ),
    ],
)
def test_what_cannot_be_written_is_refused_before_it_is_drawn(
    arguments, sentence, tmp_path, monkeypatch
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=re.escape(sentence)):
        main(arguments)
    assert not list(tmp_path.iterdir())


def imported(program: str) -> set[str]:
    """Return the names of the modules that a program of one line imports."""
    command = [sys.executable, "-c", f"import sys; {program}; print(*sys.modules)"]
    repository = Path(__file__).parents[2]
    finished = subprocess.run(command, capture_output=True, text=True, check=True, cwd=repository)
    return set(finished.stdout.split())


def test_the_runtime_starts_without_what_trains_and_without_matplotlib():
    """What a device has not, and what would cost it time, is not imported."""
    modules = imported(
        "import numpy, edgegan.runtime.generate, edgegan.runtime.score;"
        "edgegan.runtime.score.baseline_grid(numpy.zeros((25, 8, 8, 3), numpy.uint8))"
    )
    assert not modules & {"mxnet", "gluoncv", "onnx", "trainer", "export", "matplotlib", "PIL"}
    modules = imported("import edgegan.runtime.run_gan, edgegan.runtime.run_cgan")
    assert not modules & {"concurrent.futures.thread", "tempfile", "simplejpeg", "PIL", "tqdm"}
    modules = imported("import edgegan, edgegan.runtime.latent")
    assert not modules & {"cv2", "onnxruntime"}
    modules = imported("import edgegan.runtime.interpolate, edgegan.runtime.generate")
    assert not modules & {"mxnet", "trainer", "export", "onnx", "PIL", "tqdm"}
