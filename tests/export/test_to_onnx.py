"""The exporter: what it writes, and what it refuses to."""

from __future__ import annotations

import re
from pathlib import Path

import mxnet as mx
import numpy as np
import onnx
import pytest
from onnx import TensorProto

from edgegan.export import explanation, to_onnx, verify
from edgegan.export.operations import multiply_adds
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator, to_bytes
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.metadata import PARTS
from edgegan.runtime.run_folder import BEST
from edgegan.trainer import checkpoint, recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.loop import Training

SMALL = ["image_size=16", "generator.width=64", "discriminator.width=4", "latent.size=12"]


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run's folder with one checkpoint whose batch norms have seen something."""
    training = Training(recipe.load("dcgan", SMALL), 0, mx.cpu(), pictures=100)
    random = np.random.default_rng(0)
    arrays = training.state()
    for name, array in arrays.items():
        if name.startswith(("ema/", "generator/")):
            spread = random.uniform(0.5, 2, array.shape)
            arrays[name] = (spread if "running_var" in name else array + 0.1 * spread).astype("f")
    facts = {"step": 7, "seed": 0, "images_seen": 448, "pictures": 9, "minutes": 1.0}
    Checkpoint(training.recipe, facts, arrays).save(tmp_path / "run" / BEST)
    return tmp_path / "run"


def gluon_images(run: Path, part: str, latents: np.ndarray) -> np.ndarray:
    """What the network draws from a checkpoint's part, without any of the exporter's code."""
    source = checkpoint.load(run / BEST)
    training = Training(source.recipe, 0, mx.cpu(), pictures=100)
    checkpoint.set_network_arrays(training.average, checkpoint.part_of(source.arrays, part))
    return training.images(latents)


@pytest.mark.parametrize("part", ["ema", "generator"])
def test_the_runtime_draws_what_the_network_draws(run: Path, tmp_path: Path, part: str) -> None:
    output = tmp_path / "model.onnx"
    assert to_onnx.main([str(run), "-o", str(output), "--weights", part]) == 0
    latents = draw_latents(5, 30, 12, "normal")
    expected = to_bytes(gluon_images(run, part, latents)).astype(int)
    drawn = Generator.load(output, "cpu").images(5, 30).astype(int)
    assert expected.std() > 5  # a grey picture would agree with everything
    assert np.abs(drawn - expected).max() <= 1  # a value at a half may round either way
    assert (drawn != expected).mean() < 1e-3


def test_the_file_keeps_the_contract(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    to_onnx.main([str(run), "-o", str(output)])
    model = onnx.load(str(output))
    onnx.checker.check_model(model, full_check=True)
    assert [value.name for value in model.graph.input] == ["latent"]
    assert signature(model) == (TensorProto.UINT8, "batch", [16, 16, 3])
    assert "BatchNormalization" not in {node.op_type for node in model.graph.node}
    assert all(node.name and "fwd" not in node.name for node in model.graph.node)
    metadata = Generator.load(output, "cpu").metadata
    assert (metadata.recipe, metadata.objective) == ("dcgan", "non_saturating")
    assert (metadata.latent_size, metadata.images_seen, metadata.image_size) == (12, 448, 16)


def signature(model: onnx.ModelProto) -> tuple[int, str, list[int]]:
    """The type, the batch dimension's name and the other dimensions of a model's one output."""
    (output,) = model.graph.output
    tensor = output.type.tensor_type
    batch, *rest = tensor.shape.dim
    return tensor.elem_type, batch.dim_param, [size.dim_value for size in rest]


@pytest.mark.parametrize("target", ["cpu", "cuda", "web"])
@pytest.mark.parametrize("float16", [[], ["--float16"]], ids=["float32", "float16"])
def test_every_target_and_level_draws_the_same_images(
    run: Path, tmp_path: Path, target: str, float16: list[str]
) -> None:
    latents = draw_latents(5, 30, 12, "normal")
    expected = to_bytes(gluon_images(run, "ema", latents)).astype(int)
    for level in "012":
        output = tmp_path / f"{level}.onnx"
        command = [str(run), "-o", str(output), "--target", target, "--optimize", level]
        assert to_onnx.main(command + float16) == 0
        drawn = Generator.load(output, "cpu").images(5, 30).astype(int)
        assert np.abs(drawn - expected).max() <= 1  # a value at a half may round either way
        model = onnx.load(str(output))
        found = [node.op_type for node in model.graph.node]
        assert found.count("BatchNormalization") == (level == "0") * 2
        assert found.count("Gemm") == (level == "2")
        assert found.count("Conv") == (level == "2" and target == "cpu") * 4
        assert found.count("Cast") == bool(float16) * sum(
            len(tensor.dims) > 1 for tensor in model.graph.initializer
        )
        expected_type = TensorProto.UINT8 if level == "2" else TensorProto.FLOAT
        assert signature(model)[0] == expected_type


def test_explain_tells_what_each_pass_did(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "model.onnx"
    to_onnx.main([str(run), "-o", str(output), "--float16", "--explain"])
    _, table, reasons = capsys.readouterr().out.split("\n\n")
    titles, *lines = table.splitlines()
    assert re.split(r"  +", titles.strip()) == [*explanation.TITLES]
    names, *columns = zip(*(re.split(r"  +", line) for line in lines))
    assert names == (
        "original",
        "fold_constants",
        "fold_batch_norm",
        "matrix_product",
        "activation_first",
        "phase_convolutions",
        "store_float16",
        "byte_output",
    )
    nodes, megabytes, operations = (list(map(float, column)) for column in columns[:3])
    model = onnx.load(str(output))
    assert nodes[-1] == len(model.graph.node)
    assert megabytes[-1] == pytest.approx(output.stat().st_size / 1e6, abs=0.02)
    assert megabytes[-2] == pytest.approx(megabytes[-3] / 2, abs=0.02)
    assert operations[-1] == pytest.approx(multiply_adds(model) / 1e6, abs=0.01)
    assert reasons.splitlines() == [
        "fold_constants: nothing is computed from constants alone",
        "matrix_product: deconvolution1 reads maps of 4 x 4 pixels, not of one",
        "matrix_product: to_image reads maps of 8 x 8 pixels, not of one",
        "activation_first: relu0 (Reshape) is not followed by an activation and nothing else",
        "phase_convolutions: to_image has 3 output channels, fewer than 64: "
        "onnxruntime computes it sooner as it is",
        "quantise_int8: from --optimize 3 on",
        "compute_float16: for --target cuda only",
    ]


def test_the_same_export_gives_the_same_bytes(run: Path, tmp_path: Path) -> None:
    first, second = tmp_path / "1.onnx", tmp_path / "2.onnx"
    to_onnx.main([str(run), "-o", str(first)])
    to_onnx.main([str(run), "-o", str(second)])
    assert first.read_bytes() == second.read_bytes()


def test_float16_storage_halves_the_file_and_says_its_cost(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    full, half = tmp_path / "full.onnx", tmp_path / "half.onnx"
    to_onnx.main([str(run), "-o", str(full), "--optimize", "1"])
    to_onnx.main([str(run), "-o", str(half), "--optimize", "1", "--float16"])
    assert half.stat().st_size < 0.65 * full.stat().st_size
    assert "float16 storage costs at most" in capsys.readouterr().out
    latents = draw_latents(0, 8, 12, "normal")
    half_images, full_images = (
        verify.model_output(path, {"latent": latents}) for path in (half, full)
    )
    cost = verify.compare(half_images, full_images)
    assert 40 < cost.decibels < 120


def test_difference_is_the_peak_signal_to_noise_ratio() -> None:
    black = np.full((1, 3, 8, 8), -1, dtype=np.float32)
    white = np.full((1, 3, 8, 8), 1, dtype=np.float32)
    assert verify.compare(white, black) == verify.Difference(2.0, 0.0)
    assert verify.compare(white, white) == verify.Difference(0.0, float("inf"))


def test_bad_input_is_one_sentence(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"no such file or folder: .*nowhere"):
        to_onnx.main([str(tmp_path / "nowhere"), "-o", str(tmp_path / "a.onnx")])
    best = run / BEST
    best.write_bytes(best.read_bytes()[:5000])
    with pytest.raises(UserError, match="truncated"):
        to_onnx.main([str(run), "-o", str(tmp_path / "a.onnx")])
    with pytest.raises(UserError, match=r"--output is '.*best\.npz', expected a \.onnx file"):
        to_onnx.main([str(run), "-o", str(best)])
    assert not (tmp_path / "a.onnx").exists()


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("wgan", "wgan is a shipped model, not a run: expected a run's folder, or a checkpoint"),
        (
            "b.onnx",
            "b.onnx is exported already, expected a run's folder or a checkpoint: "
            "edgegan optimize b.onnx -o NEW.onnx writes it anew",
        ),
    ],
)
def test_what_is_exported_already_is_refused(
    name: str, sentence: str, part: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UserError, match=r"^no such file or folder: b"):
        to_onnx.main(["b.onnx", "-o", "a.onnx", "--part", part])
    Path("b.onnx").touch()
    with pytest.raises(UserError, match=f"^{re.escape(sentence)}"):
        to_onnx.main([name, "-o", str(tmp_path / "a.onnx"), "--part", part])


def test_no_level_or_target_is_offered_that_does_nothing() -> None:
    with pytest.raises(UserError, match="--optimize is '4', expected a whole number from 0 to 3"):
        to_onnx.main(["run", "-o", "a.onnx", "--optimize", "4"])
    with pytest.raises(UserError, match="--target 'gpu' is unknown"):
        to_onnx.main(["run", "-o", "a.onnx", "--target", "gpu"])


@pytest.fixture
def one_grid(monkeypatch: pytest.MonkeyPatch, cascade: Path) -> None:
    """Faces counted in one grid, since a hundred take half a minute."""
    monkeypatch.setattr(verify, "FACE_SEEDS", range(1))


@pytest.mark.usefixtures("one_grid")
def test_integers_keep_the_bound_and_say_what_they_cost(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exact, fast, again = (tmp_path / f"{name}.onnx" for name in ("exact", "fast", "again"))
    to_onnx.main([str(run), "-o", str(exact), "--optimize", "1"])
    command = [str(run), "--optimize", "3", "--quality", "15dB"]
    assert to_onnx.main([*command, "-o", str(fast), "--explain"]) == 0
    said = capsys.readouterr().out
    assert "in 8-bit integers: " in said
    assert "faces of 25, mean of 1 grids: 0.00, in float32 0.00" in said
    assert "computed in" in said
    to_onnx.main([*command, "-o", str(again)])
    assert fast.read_bytes() == again.read_bytes()
    assert fast.stat().st_size < 0.7 * exact.stat().st_size
    expected = Generator.load(exact, "cpu").images(5, 30).astype(float)
    drawn = Generator.load(fast, "cpu").images(5, 30).astype(float)
    # Of other latents than those that the bound was kept on: about the same.
    assert 10 * np.log10(255**2 / np.mean((drawn - expected) ** 2)) > 14


@pytest.mark.usefixtures("one_grid")
def test_the_web_gets_the_integers_of_the_cpu(run: Path, tmp_path: Path) -> None:
    cpu, web = tmp_path / "cpu.onnx", tmp_path / "web.onnx"
    for output, target in ((cpu, "cpu"), (web, "web")):
        command = [str(run), "-o", str(output), "--target", target]
        assert to_onnx.main([*command, "--optimize", "3", "--quality", "15dB"]) == 0
    operators = [node.op_type for node in onnx.load(str(web)).graph.node]
    assert "DequantizeLinear" in operators
    assert "ConvTranspose" not in operators
    assert web.read_bytes() == cpu.read_bytes()


@pytest.mark.usefixtures("one_grid")
def test_cuda_gets_float16_that_keeps_the_bound_and_says_what_it_costs(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exact, half = tmp_path / "exact.onnx", tmp_path / "half.onnx"
    command = [str(run), "--target", "cuda"]
    to_onnx.main([*command, "-o", str(exact)])
    assert to_onnx.main([*command, "-o", str(half), "--optimize", "3", "--explain"]) == 0
    said = capsys.readouterr().out
    (decibels,) = map(float, re.findall(r"in float16: all layers; ([\d.]+) dB", said))
    assert 60 < decibels < 100
    assert "faces of 25, mean of 1 grids: 0.00, in float32 0.00" in said
    assert re.search(r"^compute_float16 ", said, re.MULTILINE)
    assert half.stat().st_size < 0.65 * exact.stat().st_size
    model = onnx.load(str(half))
    assert signature(model) == (TensorProto.UINT8, "batch", [16, 16, 3])
    assert model.graph.input[0].type.tensor_type.elem_type == TensorProto.FLOAT
    drawn, expected = (
        Generator.load(path, "cpu").images(5, 30).astype(int) for path in (half, exact)
    )
    assert np.abs(drawn - expected).max() <= 1  # a value at a half may round either way


@pytest.mark.usefixtures("one_grid")
@pytest.mark.parametrize(
    ("options", "quality", "format_name"),
    [
        ([], "70", "8-bit integers"),
        (["--float16"], "70", "8-bit integers"),
        (["--target=cuda"], "110", "float16"),
    ],
)
def test_a_bound_that_only_float32_keeps_is_said(
    run: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    quality: str,
    format_name: str,
) -> None:
    exact, output = tmp_path / "exact.onnx", tmp_path / "model.onnx"
    to_onnx.main([str(run), "-o", str(exact), *options])
    command = [str(run), "-o", str(output), *options, "--optimize", "3", "--quality", quality]
    assert to_onnx.main(command) == 0
    assert f"no layer is computed in {format_name}" in capsys.readouterr().out
    assert output.read_bytes() == exact.read_bytes()


def test_a_bound_that_cannot_be_kept_writes_nothing(run: Path, tmp_path: Path) -> None:
    output = tmp_path / "model.onnx"
    with pytest.raises(UserError, match=r"expected at least 300 dB: nothing was written"):
        to_onnx.main([str(run), "-o", str(output), "--optimize", "3", "--quality", "300dB"])
    assert not list(tmp_path.glob("*.onnx"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (
            ["--optimize=3", "--part=discriminator"],
            "--optimize is 3, expected at most 2 for a discriminator",
        ),
        (["--quality=40dB"], "--quality is 40dB, expected with --optimize 3 only"),
        (["--optimize=3", "--quality=best"], "--quality is 'best', expected a positive number"),
    ],
)
def test_fewer_bits_where_there_are_none_are_one_sentence(
    run: Path, tmp_path: Path, options: list[str], sentence: str
) -> None:
    with pytest.raises(UserError, match=re.escape(sentence)):
        to_onnx.main([str(run), "-o", str(tmp_path / "a.onnx"), *options])


def test_an_output_that_cannot_be_written_is_one_sentence(run: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="a file is in its place"):
        to_onnx.main([str(run), "-o", str(tmp_path / "file" / "a.onnx")])
