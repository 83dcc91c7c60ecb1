"""Networks that take words: their files compute the same for every word, however optimised."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgegan.export import (
    examples,
    explanation,
    optimize,
    pipeline,
    reading,
    to_onnx,
    translation,
    verify,
)
from edgegan.export.examples import Inputs
from edgegan.export.operations import multiply_adds
from edgegan.export.pipeline import Original
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator, from_bytes, to_bytes
from edgegan.runtime.latent import Stream, draw_latents
from edgegan.runtime.metadata import ModelMetadata
from edgegan.runtime.quality import decibels
from edgegan.runtime.run_folder import BEST
from edgegan.runtime.words import Group, Words
from edgegan.trainer import recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.conditioned import ConditionedTraining
from edgegan.trainer.framework import HybridBlock, autograd, mx
from edgegan.trainer.networks import Latent
from edgegan.trainer.networks.dcgan import DcganGenerator
from training_help import as_if_trained
from words_help import make_conditional_discriminator, make_conditional_generator

LATENT_SIZE = 12
HAIR, EYES = tuple("abcdefg"), tuple("vwxyz")
# The last words of both are of one picture in a thousand.
CHOICES = np.array([[n % 6, n % 4] for n in range(999)] + [[6, 4]])
WORDS = Words.of([Group("hair", HAIR), Group("eyes", EYES)], CHOICES)
METADATA = ModelMetadata(
    recipe="acgan",
    objective="non_saturating",
    latent_size=LATENT_SIZE,
    latent_distribution="normal",
    image_size=16,
    value_range=(-1.0, 1.0),
    images_seen=7,
    words=WORDS,
)


SMALL = ["image_size=16", "generator.width=3", "discriminator.width=3", "latent.size=6"]
DISCRIMINATORS = [
    ["condition={name: auxiliary, loss: softmax}"],
    ["condition={name: auxiliary, loss: softmax, twin: 1}"],
    ["condition={name: auxiliary, loss: softmax}", "discriminator.norm=spectral"],
    [
        "condition={name: auxiliary, loss: binary}",
        "objective={name: least_squares}",
        "objective.a=1",
        "objective.b=0",
    ],
    ["condition={name: concatenated}"],
    ["condition={name: projection}", "discriminator.norm=spectral"],
    *(
        [f"condition={{name: {name}}}", "discriminator.network=patch", "discriminator.halvings=2"]
        for name in ("auxiliary, loss: softmax", "concatenated", "projection")
    ),
    ["condition={name: concatenated}", "discriminator.network=hw3_baseline"],
]


class Conditional(HybridBlock):
    """A network of the condition and the latent, side by side."""

    def __init__(self, network: HybridBlock) -> None:
        super().__init__(prefix=network.prefix)
        self.network = network

    def hybrid_forward(self, F: Any, latent: Any, condition: Any) -> Any:  # noqa: N803
        return self.network(F.concat(condition, latent, dim=1))


@pytest.fixture(scope="module")
def network() -> HybridBlock:
    """A generator whose batch norms have seen something, and whose words count."""
    random = np.random.default_rng(0)
    size = Latent(LATENT_SIZE + WORDS.size)
    network = Conditional(DcganGenerator(width=64).build(size, METADATA.image_size, "signed"))
    network.initialize()
    for name, parameter in network.collect_params().items():
        if name.endswith("weight"):
            deviation = 1.5 / np.sqrt(np.prod(parameter.shape[1:]))
            weight = random.normal(0, deviation, parameter.shape)
            weight[: WORDS.size if "deconvolution0" in name else 0] *= 3
            parameter.set_data(weight)
    for seed in range(3):
        latents = mx.nd.array(draw_latents(seed, 64, LATENT_SIZE, "normal"))
        with autograd.record():
            images = network(latents, mx.nd.array(WORDS.one_hot(WORDS.draw(seed, 64))))
        images.backward()  # in which mxnet brings the batch norms' averages up to date
    return network


@pytest.fixture(scope="module")
def original(network: HybridBlock) -> Original:
    return translation.generator(network, METADATA)


@pytest.fixture(scope="module")
def every_pair(network: HybridBlock) -> tuple[Inputs, np.ndarray]:
    """Latents with every pair of words and mixtures of such, and what the network makes of them."""
    pairs = np.stack(np.meshgrid(range(len(HAIR)), range(len(EYES))), axis=-1).reshape(-1, 2)
    conditions = WORDS.one_hot(pairs)
    conditions = np.concatenate([conditions, (conditions[1:] + conditions[:-1]) / 2])
    latents = draw_latents(5, len(conditions), LATENT_SIZE, "normal")
    images = network(mx.nd.array(latents), mx.nd.array(conditions)).asnumpy()
    return {"latent": latents, "condition": conditions}, images


@pytest.fixture
def one_grid(monkeypatch: pytest.MonkeyPatch, cascade: Path) -> None:
    """Faces counted in one grid, since a hundred take half a minute."""
    monkeypatch.setattr(verify, "FACE_SEEDS", range(1))


# The examples


@pytest.mark.parametrize("stream", [Stream.PARITY_CONDITION, Stream.CALIBRATION_CONDITION])
def test_every_word_is_among_the_examples_as_pictures_have_it(stream: Stream) -> None:
    choices = examples.every_word(WORDS, stream)
    np.testing.assert_array_equal(choices[:64], WORDS.draw(0, 64, stream=stream))
    assert (set(choices[:, 0]), set(choices[:, 1])) == (set(range(7)), set(range(5)))
    combinations = set(map(tuple, WORDS.combinations.tolist()))
    assert set(map(tuple, choices.tolist())) <= combinations
    assert 64 <= len(choices) <= 66


def test_many_words_get_as_many_examples_as_they_take() -> None:
    names = tuple(f"w{number}" for number in range(512))
    words = Words.of([Group("class", names)], np.arange(512)[:, None])
    choices = examples.every_word(words, Stream.PARITY_CONDITION)
    assert set(choices[:, 0]) == set(range(512))
    assert 512 <= len(choices) <= 576


def test_latents_are_those_of_a_network_without_words() -> None:
    with_words = examples.parity_latents(METADATA)
    alone = examples.parity_latents(replace(METADATA, words=None))
    assert list(with_words) == ["latent", "condition"]
    assert list(alone) == ["latent"]
    np.testing.assert_array_equal(with_words["latent"][:64], alone["latent"])
    assert len(with_words["condition"]) == len(with_words["latent"])
    calibration = examples.calibration_latents(METADATA)
    assert not (calibration["latent"][:, None] == with_words["latent"]).all(axis=2).any()


# Files of every kind


def test_the_file_keeps_the_contract(original: Original, tmp_path: Path) -> None:
    path = tmp_path / "model.onnx"
    pipeline.export(original, path)
    model = onnx.load(str(path))
    onnx.checker.check_model(model, full_check=True)
    kinds = {value.name: value.type.tensor_type for value in model.graph.input}
    assert list(kinds) == ["latent", "condition"]
    for kind, size in zip(kinds.values(), (LATENT_SIZE, WORDS.size)):
        batch, row = kind.shape.dim
        assert (kind.elem_type, batch.dim_param, row.dim_value) == (1, "batch", size)
    metadata = {item.key: item.value for item in model.metadata_props}
    assert metadata["edgegan.format_version"] == "2"
    assert Words.from_json(metadata["edgegan.words"]) == WORDS
    assert Generator.load(path, "cpu").metadata == METADATA


@pytest.mark.parametrize("target", ["cpu", "cuda", "web"])
@pytest.mark.parametrize("float16", [False, True], ids=["float32", "float16"])
@pytest.mark.parametrize("level", [0, 1, 2])
def test_every_word_is_drawn_as_the_network_draws_it(
    original: Original,
    every_pair: tuple[Inputs, np.ndarray],
    level: int,
    target: str,
    float16: bool,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.onnx"
    exported = pipeline.export(original, path, target, level, float16)
    assert exported.parity < 1e-5
    inputs, expected = every_pair
    assert expected.std() > 0.1  # a grey picture would agree with everything
    drawn = Generator.load(path, "cpu").images_of(*inputs.values()).astype(int)
    assert np.abs(drawn - to_bytes(expected)).max() <= 1  # a value at a half may round either way
    found = [node.op_type for node in onnx.load(str(path)).graph.node]
    assert found[found.count("Cast")] == "Concat"
    assert found.count("BatchNormalization") == (level == 0) * 2
    assert found.count("Gemm") == (level == 2)
    assert found.count("Conv") == (level == 2 and target == "cpu") * 4
    assert found.count("Reshape") == 1  # of the first layer's input, or of what it makes


@pytest.mark.usefixtures("one_grid")
@pytest.mark.parametrize("target", ["cpu", "cuda", "web"])
@pytest.mark.parametrize("float16", [False, True], ids=["float32", "float16"])
def test_fewer_bits_keep_the_bound_for_every_word(
    original: Original,
    every_pair: tuple[Inputs, np.ndarray],
    target: str,
    float16: bool,
    tmp_path: Path,
) -> None:
    path = tmp_path / "model.onnx"
    exported = pipeline.export(original, path, target, 3, float16, 30)
    assert exported.reduction is not None
    assert "in float32" not in exported.reduction.line  # all layers have fewer bits
    assert exported.faces == (0, 0)
    inputs, expected = every_pair
    drawn = Generator.load(path, "cpu").images_of(*inputs.values())
    apart = from_bytes(drawn) - expected
    of_each = -10 * np.log10((apart**2).mean(axis=(1, 2, 3)) / 4)
    assert decibels(drawn, expected) > 30
    assert of_each.min() > 27


def test_the_first_layer_is_computed_in_integers(
    original: Original, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(pipeline, "find_detector", lambda: None)
    path, computed = tmp_path / "model.onnx", tmp_path / "computed.onnx"
    pipeline.export(original, path, "cpu", 3, False, 30)
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(computed)
    options.log_severity_level = 3
    onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    operators = [node.op_type for node in onnx.load(str(computed)).graph.node]
    first = [name for name in operators if name != "Mul"][:4]
    assert first == ["QuantizeLinear", "QuantizeLinear", "Concat", "QGemm"]
    assert operators.count("QLinearConv") == 4 + 1  # phases, and blocks


@pytest.mark.usefixtures("one_grid")
@pytest.mark.parametrize("given", [0, 1, 2])
@pytest.mark.parametrize("asked", [2, 3])
def test_a_file_becomes_what_the_exporter_would_have_written(
    original: Original, given: int, asked: int, tmp_path: Path
) -> None:
    source, output, other = (tmp_path / f"{name}.onnx" for name in ("given", "made", "other"))
    pipeline.export(original, source, "cpu", given)
    pipeline.export(original, other, "cpu", asked, False, 30)
    arguments = ["--optimize", str(asked), *(["--quality=30dB"] if asked == 3 else [])]
    assert optimize.main([str(source), "-o", str(output), *arguments]) == 0
    assert output.read_bytes() == other.read_bytes()


def test_what_is_said_names_both_inputs(
    original: Original, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source, output = tmp_path / "given.onnx", tmp_path / "made.onnx"
    pipeline.export(original, source)
    optimize.main([str(source), "-o", str(output)])
    count = len(original.outputs)
    said = f"parity with given.onnx on {count} latents and conditions: 0.0e+00"
    assert said in capsys.readouterr().out


def test_operations_are_those_of_one_image(original: Original) -> None:
    inputs, maps = LATENT_SIZE + WORDS.size, [(128, 4), (64, 8), (3, 16)]
    (first, pixels), *_ = maps
    layers = inputs * first * pixels**2  # one pixel to 4 x 4
    layers += sum(
        read * size**2 * made * 16 for (read, size), (made, _) in zip(maps[:-1], maps[1:])
    )
    norms = sum(made * size**2 for made, size in maps[:-1])
    assert multiply_adds(original.model) == layers + norms


def test_times_are_told_with_words(original: Original) -> None:
    heading, line = explanation.table({"original": original.model}, original.inputs).splitlines()
    assert "ms each" in heading
    assert line.startswith("original")


# The discriminator


def test_a_discriminator_is_verified_on_noise_and_words(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path, output = tmp_path / "d.onnx", tmp_path / "made.onnx"
    make_conditional_discriminator(path, WORDS)
    assert optimize.main([str(path), "-o", str(output)]) == 0
    inputs = reading.read(output).inputs
    assert list(inputs) == ["image", "condition"]
    assert inputs["condition"].any(axis=0).all()
    said = f"parity with d.onnx on {len(inputs['image'])} images and conditions: 0.0e+00"
    assert said in capsys.readouterr().out
    expected, found = (verify.model_output(model, inputs) for model in (path, output))
    np.testing.assert_array_equal(found, expected)


def test_a_condition_that_nothing_reads_is_an_input_all_the_same() -> None:
    class Deaf(Conditional):
        """A network that takes words and does without them."""

        def hybrid_forward(self, F: Any, latent: Any, condition: Any) -> Any:  # noqa: N803
            return self.network(latent)

    deaf = Deaf(DcganGenerator(width=3).build(Latent(LATENT_SIZE), 16, "signed"))
    deaf.initialize()
    made = translation.generator(deaf, METADATA)
    assert [value.name for value in made.model.graph.input] == ["latent", "condition"]
    np.testing.assert_allclose(
        verify.output_of(made.model, made.inputs), made.outputs, rtol=0, atol=1e-5
    )


def trained(*overrides: str) -> tuple[ConditionedTraining, Checkpoint]:
    """A training with weights and statistics as if it had gone on for long, and its checkpoint."""
    training = ConditionedTraining(
        recipe.load("dcgan", [*SMALL, *overrides]), 0, mx.cpu(), 9, WORDS
    )
    return training, as_if_trained(training, words=WORDS.to_json())


def log_likelihood(logits: np.ndarray, conditions: np.ndarray, loss: str) -> np.ndarray:
    """Of words, by what an auxiliary classifier reads; float32 (N,)."""
    if loss == "binary":
        shares = 1 / (1 + np.exp(-logits))
        return np.log(np.where(conditions == 1, shares, 1 - shares)).sum(axis=1)
    groups = zip(np.split(logits, [7], axis=1), np.split(conditions, [7], axis=1))
    return sum(
        np.log((np.exp(read) / np.exp(read).sum(axis=1, keepdims=True))[asked == 1])
        for read, asked in groups
    )


@pytest.mark.parametrize("overrides", DISCRIMINATORS, ids=" ".join)
def test_every_discriminator_scores_as_its_network_does(
    overrides: list[str], every_pair: tuple[Inputs, np.ndarray], tmp_path: Path
) -> None:
    training, source = trained(*overrides)
    source.save(tmp_path / BEST)
    path = tmp_path / "model.onnx"
    to_onnx.main([str(tmp_path), "-o", str(path), "--part", "discriminator"])
    conditions = every_pair[0]["condition"][:35]  # no mixtures, whose words are none
    images = np.random.default_rng(5).uniform(-1, 1, (35, 3, 16, 16)).astype(np.float32)
    given = mx.nd.array(images), mx.nd.array(conditions)
    judged = training.discriminator(*given)
    alone = judged[0] if isinstance(judged, (list, tuple)) else judged
    expected = alone.asnumpy().reshape(35, -1).mean(axis=1)
    if "objective.a=1" in overrides:
        expected = -expected  # it is taught that what is real has the lower score
    for loss in [text for text in ("softmax", "binary") if text in overrides[0]]:
        maps = training.discriminator.core(given[0])
        logits = training.discriminator.head.logits(maps).asnumpy()
        expected = expected + log_likelihood(logits.astype(float), conditions, loss)
    inputs = {"image": images, "condition": conditions}
    scores = verify.model_output(path, inputs)
    assert scores.shape == (35,)
    np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-5)
    other = verify.model_output(path, {**inputs, "condition": np.roll(conditions, 9, axis=0)})
    assert np.abs(other - scores).max() > 1e-3  # the words count
    operators = {node.op_type for node in onnx.load(str(path)).graph.node}
    assert not operators & {"MatMul", "Shape", "Range", "Constant", "BatchNormalization"}
    first = path.read_bytes()
    to_onnx.main([str(tmp_path), "-o", str(path), "--part", "discriminator"])
    assert path.read_bytes() == first


def test_a_run_with_words_becomes_two_files_that_fit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    training, source = trained("condition={name: auxiliary}")
    source.save(tmp_path / BEST)
    path, beside = tmp_path / "model.onnx", tmp_path / "model.discriminator.onnx"
    to_onnx.main([str(tmp_path), "-o", str(path)])
    to_onnx.main([str(tmp_path), "-o", str(beside), "--part", "discriminator"])
    said = capsys.readouterr().out
    assert re.search(r"parity with the network on 6\d latents and conditions", said)
    assert re.search(r"parity with the network on 6\d images and conditions", said)
    generator = Generator.load(path, "cpu")
    assert generator.words == WORDS
    condition = generator.condition(["b hair y eyes"])
    drawn = generator.images(3, 20, condition=condition)
    latents = mx.nd.array(generator.latents(3, 20))
    expected = training.average(latents, mx.nd.array(condition.repeat(20, axis=0))).asnumpy()
    assert np.abs(drawn.astype(int) - to_bytes(expected)).max() <= 1
    best = Generator.load(path, "cpu", best_of=4).images(3, 5, condition=condition)
    scores = verify.model_output(
        beside, {"image": from_bytes(drawn), "condition": condition.repeat(20, axis=0)}
    )
    chosen = scores.reshape(5, 4).argmax(axis=1) + 4 * np.arange(5)
    np.testing.assert_array_equal(best, drawn[chosen])


# Files that are none of ours


@pytest.mark.parametrize("wrong", ["text", "size", "none", "order"])
def test_a_condition_that_is_named_or_shaped_wrongly_is_refused(wrong: str, tmp_path: Path) -> None:
    path, output = make_conditional_generator(tmp_path / "given.onnx", WORDS), tmp_path / "m.onnx"
    model = onnx.load(str(path))
    latent, condition = model.graph.input
    if wrong == "text":
        condition.name = "text"
        for node in model.graph.node:
            node.input[:] = ["text" if name == "condition" else name for name in node.input]
    elif wrong == "size":
        shape = ["N", WORDS.size + 1]
        condition.CopyFrom(helper.make_tensor_value_info("condition", TensorProto.FLOAT, shape))
        for tensor in model.graph.initializer:
            if tensor.name == "condition_weight":
                weight = numpy_helper.to_array(tensor)
                wider = np.concatenate([weight, weight[:1]])
                tensor.CopyFrom(numpy_helper.from_array(wider, tensor.name))
    elif wrong == "none":
        model.graph.initializer.append(
            numpy_helper.from_array(np.zeros((1, WORDS.size), "f"), "condition")
        )
        del model.graph.input[1]
    else:
        swapped = [
            onnx.ValueInfoProto.FromString(v.SerializeToString()) for v in (condition, latent)
        ]
        del model.graph.input[:]
        model.graph.input.extend(swapped)
    onnx.save(model, str(path))
    expected = f"latent tensor.float. N x 16, condition tensor.float. N x {WORDS.size}"
    with pytest.raises(
        UserError, match=rf"^\S*given\.onnx has the input '.*', expected '{expected}'$"
    ):
        optimize.main([str(path), "-o", str(output)])
    assert not output.exists()
