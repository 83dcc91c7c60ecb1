"""Every architecture as an ONNX file: it computes what the Gluon network computes in use."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from statistics import NormalDist

import mxnet as mx
import numpy as np
import onnx
import onnxruntime
import pytest

from edgegan.export import pipeline, to_onnx, translation
from edgegan.export.passes.graph import initializers
from edgegan.runtime import detector
from edgegan.runtime.detector import CascadeNotFound
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator, to_bytes
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.models import find_run
from edgegan.runtime.run_folder import BEST, JUDGE
from edgegan.trainer import recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.loop import Training
from training_help import as_if_trained

SMALL = ["image_size=16", "generator.width=3", "discriminator.width=3", "latent.size=6"]
GENERATORS = [
    *([f"generator.norm={norm}"] for norm in ("batch", "instance", "none")),
    ["value_range=unit"],
    *(
        [f"generator.norm={norm}", f"generator.upsampling={upsampling}"]
        for norm in ("batch", "instance")
        for upsampling in ("pixel_shuffle", "nearest")
    ),
    ["generator.kernel=5", "generator.activation=leaky_relu"],
    ["generator.dropout=0.4", "latent.distribution=uniform"],
    ["generator.dropout=0.7", "generator.upsampling=nearest"],
    ["generator.network=began"],
    ["generator.network=resnet", "generator.blocks=1", "image_size=32"],
    ["generator.network=hw3_baseline", "value_range=unit"],
    *([f"generator.kernel={kernel}", "generator.width=64"] for kernel in (4, 5)),
]
DISCRIMINATORS = [
    *([f"discriminator.norm={norm}"] for norm in ("batch", "instance", "spectral", "none")),
    *(
        [f"discriminator.norm={norm}", f"discriminator.downsampling={downsampling}"]
        for norm in ("batch", "spectral")
        for downsampling in ("max_pool", "average_pool")
    ),
    ["discriminator.kernel=5", "discriminator.normalise_first=true"],
    ["discriminator.activation=relu", "value_range=unit"],
    *([f"discriminator.mirrored={side}"] for side in (8, 16)),
    ["discriminator.network=patch", "discriminator.halvings=2"],
    ["discriminator.network=patch", "discriminator.halvings=2", "discriminator.norm=spectral"],
    ["discriminator.network=began", "objective.name=boundary_equilibrium"],
    ["discriminator.network=hw3_baseline"],
]


def trained(*overrides: str) -> tuple[Training, Checkpoint]:
    """A training with weights and statistics as if it had gone on for long, and its checkpoint."""
    training = Training(recipe.load("dcgan", [*SMALL, *overrides]), 0, mx.cpu(), pictures=100)
    return training, as_if_trained(training)


def write(folder: Path, source: Checkpoint, *options: str, name: str = BEST) -> Path:
    """Save a checkpoint and export it as the command does."""
    source.save(folder / name)
    output = folder / "model.onnx"
    assert to_onnx.main([str(folder), "-o", str(output), *options]) == 0
    return output


def run(model: Path, inputs: np.ndarray) -> np.ndarray:
    session = onnxruntime.InferenceSession(str(model), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: inputs})[0]


def operators(model: Path) -> list[str]:
    return [node.op_type for node in onnx.load(str(model)).graph.node]


def check_names(model: Path) -> None:
    """A tensor is named once, and by words, not by mxnet's scopes."""
    graph = onnx.load(str(model)).graph
    names = [name for node in graph.node for name in node.output]
    names += [tensor.name for tensor in graph.initializer]
    assert len(set(names)) == len(names)
    for name in names:
        assert name[0] != "_", name
        assert not {"generator", "discriminator", "fwd", "targ"} & set(name.split("_")), name
    assert [node.name for node in graph.node] == [node.output[0] for node in graph.node]


@pytest.mark.parametrize("overrides", GENERATORS, ids=" ".join)
def test_every_generator_draws_what_its_network_draws(overrides: list[str], tmp_path: Path) -> None:
    training, source = trained(*overrides)
    chosen = training.recipe
    latents = draw_latents(3, 40, chosen.input_size, chosen.latent.distribution)
    expected = training.images(latents)
    assert expected.std() > 0.02  # a grey picture would agree with everything
    for level in "01":
        model = write(tmp_path, source, "--optimize", level)
        np.testing.assert_allclose(run(model, latents), expected, rtol=0, atol=1e-5)
        check_names(model)
    normed = "generator.norm=instance" in overrides
    assert ("InstanceNormalization" in operators(model)) == normed
    # Batch norm is left only after the sum of all residual blocks.
    left = "generator.network=resnet" in overrides
    assert operators(model).count("BatchNormalization") == left

    model = write(tmp_path, source)
    drawn = Generator.load(model, "cpu").images(3, 40).astype(int)
    as_bytes = to_bytes(expected, recipe.VALUE_RANGES[chosen.value_range])
    assert np.abs(drawn - as_bytes).max() <= 1  # a value at a half may round either way
    assert (drawn != as_bytes).mean() < 1e-3
    check_names(model)
    found = operators(model)
    assert found.count("Gemm") == 1  # a dense layer, or what is as good as one
    assert found.count("Concat") == ("generator.width=64" in overrides)


@pytest.fixture
def faces_uncounted(monkeypatch: pytest.MonkeyPatch) -> None:
    def nowhere(_: object) -> Path:
        raise CascadeNotFound("there are no faces to count")

    monkeypatch.setattr(detector, "find_cascade", nowhere)


@pytest.mark.usefixtures("faces_uncounted")
@pytest.mark.parametrize("overrides", GENERATORS, ids=" ".join)
def test_every_generator_keeps_its_bound_in_float16(overrides: list[str], tmp_path: Path) -> None:
    training, source = trained(*overrides)
    chosen = training.recipe
    model = write(tmp_path, source, "--target", "cuda", "--optimize", "3", "--quality", "60dB")
    check_names(model)
    float32 = {
        name
        for name, array in initializers(onnx.load(str(model))).items()
        if array.dtype == np.float32 and array.ndim > 1
    }
    assert not float32
    latents = draw_latents(3, 40, chosen.input_size, chosen.latent.distribution)
    drawn = Generator.load(model, "cpu").images(3, 40).astype(float)
    expected = to_bytes(training.images(latents), recipe.VALUE_RANGES[chosen.value_range])
    # Of other latents than those that the bound was kept on; bytes are rounded, to 59 dB at most.
    assert 10 * np.log10(255**2 / np.mean((drawn - expected) ** 2)) > 55


@pytest.mark.usefixtures("faces_uncounted")
@pytest.mark.parametrize("overrides", GENERATORS, ids=" ".join)
def test_every_generator_keeps_its_bound_in_integers(overrides: list[str], tmp_path: Path) -> None:
    training, source = trained(*overrides)
    chosen = training.recipe
    model = write(tmp_path, source, "--optimize", "3", "--quality", "25dB")
    check_names(model)
    assert "QuantizeLinear" in operators(model)
    assert np.dtype("int8") in {
        array.dtype for array in initializers(onnx.load(str(model))).values()
    }
    latents = draw_latents(3, 40, chosen.input_size, chosen.latent.distribution)
    drawn = Generator.load(model, "cpu").images(3, 40).astype(float)
    expected = to_bytes(training.images(latents), recipe.VALUE_RANGES[chosen.value_range])
    # Of other latents than those that the bound was kept on: about the same.
    assert 10 * np.log10(255**2 / np.mean((drawn - expected) ** 2)) > 24


@pytest.mark.parametrize("distribution", ["normal", "uniform"])
@pytest.mark.parametrize("dropout", [0.1, 0.3, 0.5, 0.8])
def test_a_number_at_dropouts_threshold_decides_as_in_the_network(
    distribution: str, dropout: float, tmp_path: Path
) -> None:
    """The file rounds the threshold to float32: the nearest numbers around it must not flip."""
    training, source = trained(
        f"generator.dropout={dropout}", f"latent.distribution={distribution}"
    )
    model = write(tmp_path, source, "--optimize", "1")
    cut = NormalDist().inv_cdf(dropout) if distribution == "normal" else 2 * dropout - 1
    at = np.float32(cut)
    below, above = (np.nextafter(at, np.float32(end)) for end in (-9, 9))
    latents = draw_latents(0, 3, training.recipe.input_size, distribution)
    latents[:, 6:] = np.array([[below], [at], [above]])
    latents[:, :6] = latents[0, :6]
    expected = training.images(latents)
    np.testing.assert_allclose(run(model, latents), expected, rtol=0, atol=1e-5)
    assert np.abs(expected[2] - expected[0]).max() > 1e-3  # everything kept, or dropped


@pytest.mark.parametrize("overrides", DISCRIMINATORS, ids=" ".join)
def test_every_discriminator_scores_as_its_network_does(
    overrides: list[str], tmp_path: Path
) -> None:
    training, source = trained(*overrides)
    model = write(tmp_path, source, "--part", "discriminator")
    low, high = recipe.VALUE_RANGES[training.recipe.value_range]
    images = np.random.default_rng(5).uniform(low, high, (20, 3, 16, 16)).astype(np.float32)
    expected = training.discriminator(mx.nd.array(images)).asnumpy()
    if expected.ndim == 2:
        assert expected.shape == (20, 9)
        expected = expected.sum(axis=1) / 9
    if training.recipe.objective.name == "boundary_equilibrium":
        expected = -expected  # of an autoencoder's error: the less, the more real
    scores = run(model, images)
    assert scores.dtype == np.float32
    assert scores.shape == (20,)
    assert expected.std() > 1e-3
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(run(model, images[4:5]), scores[4:5], rtol=1e-5, atol=1e-6)
    check_names(model)
    found = set(operators(model))
    # Nothing is left of a norm of weights, nor of batches where no pooling stands between.
    assert not found & {"MatMul", "Pow", "Sqrt", "Div", "ReduceSum", "Constant"}
    assert not any("left_vector" in item.name for item in onnx.load(str(model)).graph.initializer)
    pooled, spectral = "_pool" in " ".join(overrides), "discriminator.norm=spectral"
    assert ("BatchNormalization" in found) == (pooled and spectral not in overrides)


def test_the_file_of_a_discriminator_keeps_the_contract(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, source = trained("value_range=unit")
    model = write(tmp_path, source, "--part", "discriminator")
    loaded = onnx.load(str(model))
    onnx.checker.check_model(loaded, full_check=True)
    (image,), (score,) = loaded.graph.input, loaded.graph.output
    assert (image.name, score.name) == ("image", "score")
    batch, *rest = image.type.tensor_type.shape.dim
    assert (batch.dim_param, [d.dim_value for d in rest]) == ("batch", [3, 16, 16])
    assert [d.dim_param for d in score.type.tensor_type.shape.dim] == ["batch"]
    metadata = {item.key: item.value for item in loaded.metadata_props}
    assert metadata["edgegan.part"] == "discriminator"
    assert metadata["edgegan.value_range"] == "0.0,1.0"
    assert metadata["edgegan.image_size"] == "16"
    assert metadata["edgegan.images_seen"] == "448"
    assert "parity with the network on 64 images" in capsys.readouterr().out
    with pytest.raises(UserError, match="is a discriminator, expected a generator"):
        Generator.load(model, "cpu")


def test_the_same_export_of_a_discriminator_gives_the_same_bytes(tmp_path: Path) -> None:
    _, source = trained("discriminator.network=patch", "discriminator.halvings=2")
    first = write(tmp_path, source, "--part", "discriminator").read_bytes()
    assert write(tmp_path, source, "--part", "discriminator").read_bytes() == first


def test_no_library_has_a_say_in_what_an_export_prints(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    _, source = trained("discriminator.norm=spectral")
    capfd.readouterr()
    write(tmp_path, source, "--part", "discriminator")
    out, err = capfd.readouterr()
    assert len(out.splitlines()) == 2
    assert err == ""
    assert not caplog.records


def test_float16_storage_says_what_it_costs_a_score(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    _, source = trained("discriminator.width=16")
    full = write(tmp_path, source, "--part", "discriminator").stat().st_size
    half = write(tmp_path, source, "--part", "discriminator", "--float16").stat().st_size
    assert half < 0.65 * full
    assert "float16 storage changes no score by more than" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("a", "b", "higher"), [(0.0, 1.0, True), (-1.0, 1.0, True), (1.0, 0.0, False)]
)
def test_higher_is_real_whatever_the_objective_teaches(
    a: float, b: float, higher: bool, tmp_path: Path
) -> None:
    least_squares = ["objective={name: least_squares}", f"objective.a={a}", f"objective.b={b}"]
    training, source = trained(*least_squares)
    model = write(tmp_path, source, "--part", "discriminator")
    images = np.random.default_rng(5).uniform(-1, 1, (9, 3, 16, 16)).astype(np.float32)
    scores = training.discriminator(mx.nd.array(images)).asnumpy()
    np.testing.assert_allclose(run(model, images), scores if higher else -scores, atol=1e-5)


def test_a_judge_is_preferred_for_the_discriminator_only(tmp_path: Path) -> None:
    _, source = trained()
    generator = write(tmp_path, source).read_bytes()
    plain = write(tmp_path, source, "--part", "discriminator").read_bytes()
    arrays = {
        name: array + 1 if name.startswith("discriminator/score") else array
        for name, array in source.arrays.items()
    }
    judge = Checkpoint(source.recipe, source.facts, arrays)
    judged = write(tmp_path, judge, "--part", "discriminator", name=JUDGE).read_bytes()
    assert judged != plain
    assert write(tmp_path, source).read_bytes() == generator
    output = tmp_path / "best.onnx"
    to_onnx.main([str(tmp_path / BEST), "-o", str(output), "--part", "discriminator"])
    assert output.read_bytes() == plain


def test_bad_input_is_one_sentence(tmp_path: Path) -> None:
    _, source = trained("discriminator.network=minibatch")
    source.save(tmp_path / BEST)
    output = tmp_path / "model.onnx"
    command = [str(tmp_path), "-o", str(output), "--part", "discriminator"]
    with pytest.raises(UserError, match=r"best\.npz has the discriminator minibatch, which scores"):
        to_onnx.main(command)
    with pytest.raises(UserError, match="--weights is 'ema', expected of a generator only"):
        to_onnx.main([*command, "--weights", "ema"])
    with pytest.raises(UserError, match="no such file or folder"):
        to_onnx.main([str(tmp_path / "none"), *command[1:]])
    assert not output.exists()
    assert find_run(tmp_path) == tmp_path / BEST


def test_a_discriminator_that_scores_otherwise_is_not_written(tmp_path: Path) -> None:
    _, source = trained()
    original = translation.discriminator_of(source, tmp_path / BEST)
    other = replace(original, outputs=original.outputs + np.float32(1e-3))
    with pytest.raises(UserError, match="apart from those of the network, expected at most"):
        pipeline.export(other, tmp_path / "a.onnx")
    assert not list(tmp_path.iterdir())
