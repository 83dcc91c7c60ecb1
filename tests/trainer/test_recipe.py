"""Recipes: those shipped, and everything that can be wrong with one."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from edgegan.runtime.errors import UserError
from edgegan.trainer import objectives, recipe
from edgegan.trainer.recipe import from_mapping, load, names
from training_help import TINY


@pytest.mark.parametrize("name", names())
def test_every_shipped_recipe_loads_and_makes_the_round_trip(name: str) -> None:
    loaded = load(name)
    assert loaded.name == name
    as_file = yaml.safe_load(yaml.safe_dump(loaded.to_mapping()))
    assert from_mapping(as_file, "test") == loaded


def test_dcgan_is_that_of_its_source() -> None:
    dcgan = load("dcgan")
    assert (dcgan.latent.size, dcgan.latent.distribution) == (128, "normal")
    assert (dcgan.image_size, dcgan.discriminator_steps, dcgan.epochs) == (64, 1, 100)
    for network in (dcgan.generator, dcgan.discriminator):
        architecture = network.architecture
        assert (architecture.network, architecture.width) == ("dcgan", 64)
        optimizer = network.optimizer
        assert (optimizer.name, optimizer.learning_rate, optimizer.beta1) == ("adam", 2e-4, 0.5)
        assert optimizer.decay == 0.999
    assert dcgan.horizontal_flip
    assert dcgan.ema_decay == 0.999


def test_dcgan_fast_is_dcgan_but_for_how_it_is_computed() -> None:
    how = ["generated_batches=reused", "precision=bfloat16"]
    assert load("dcgan_fast") == load("dcgan", ["name=dcgan_fast", *how])


def test_dcgan_rotated_is_dcgan_but_for_the_angle() -> None:
    rotated = load("dcgan_rotated")
    assert rotated == load("dcgan", ["name=dcgan_rotated", "rotation_degrees=10"])
    assert load("dcgan").rotation_degrees == 0


def test_the_remedy_of_collapse_is_all_that_differs() -> None:
    remedied = ["name=collapse_remedied", "augmentation=[colour, translation]"]
    assert load("collapse_remedied") == load("collapse", remedied)
    assert load("collapse").augmentation == ()


def test_wgan_is_that_of_its_source() -> None:
    wgan = load("wgan")
    assert wgan.objective == objectives.find("wasserstein")(clip=0.01)
    assert wgan.discriminator_steps == 5
    for network in (wgan.generator, wgan.discriminator):
        architecture = network.architecture
        assert (architecture.network, architecture.width) == ("dcgan", 64)
        assert (network.optimizer.name, network.optimizer.learning_rate) == ("rmsprop", 5e-5)


def test_overrides_reach_every_level_and_read_numbers_as_people_write_them() -> None:
    changed = load(
        "wgan",
        [
            "generator.width=32",
            "generator.optimizer.learning_rate=1e-3",
            "discriminator.optimizer.learning_rate=1",
            "objective.clip=5e-2",
            "horizontal_flip=false",
            "crop_from=94",
            "latent.distribution=uniform",
            "name=mine",
        ],
    )
    assert changed.generator.architecture.width == 32
    assert changed.generator.optimizer.learning_rate == 0.001
    assert changed.discriminator.optimizer.learning_rate == 1.0
    assert changed.objective == objectives.find("wasserstein")(clip=0.05)
    assert changed.horizontal_flip is False
    assert changed.crop_from == 94
    assert load("wgan", ["crop_from=94", "crop_from=null"]) == load("wgan")
    assert changed.latent.distribution == "uniform"
    assert changed.name == "mine"
    assert changed.discriminator == load("wgan", changed_rate()).discriminator


def changed_rate() -> list[str]:
    return ["discriminator.optimizer={name: rmsprop, learning_rate: 1, decay: 0.99}"]


@pytest.mark.parametrize("key", ["discriminator", "objective"])
def test_a_gans_recipe_that_lost_a_key_is_no_students(key: str) -> None:
    mapping = load("dcgan").to_mapping()
    del mapping[key]
    with pytest.raises(UserError, match=f'missing value for field "{key}"'):
        recipe.any_from_mapping(mapping, "last.npz")
    mapping[f"{key}s"] = {}
    with pytest.raises(UserError, match=f"unknown key '{key}s', expected .*{key}"):
        recipe.any_from_mapping(mapping, "last.npz")


def test_the_objective_can_be_exchanged() -> None:
    assert load("dcgan", ["objective.name=minimax"]).objective == objectives.find("minimax")()
    assert load("dcgan", ["objective={name: wasserstein}"]).objective.name == "wasserstein"


def test_a_recipe_of_ones_own(tmp_path: Path) -> None:
    path = tmp_path / "我的 recipe.yml"
    mapping = load("dcgan", TINY).to_mapping()
    del mapping["name"]
    path.write_text(yaml.safe_dump(mapping), encoding="utf-8")
    assert load(str(path)).name == "我的 recipe"
    assert load(str(path), ["epochs=3"]).epochs == 3


@pytest.mark.parametrize(
    ("name", "expected"),
    [("dcgn", "dcgan"), ("wgan_gq", "wgan"), ("xyz", "dcgan, "), ("nowhere.yaml", "dcgan, ")],
)
def test_an_unknown_recipe_is_answered_with_the_nearest(name: str, expected: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' does not exist: expected .*{expected}"):
        load(name)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        # unknown keys
        ("widht=3", "unknown key 'widht', expected generator.width or discriminator.width"),
        (
            "generator.widht=3",
            "unknown key 'widht', expected generator.width or discriminator.width",
        ),
        ("genrator.width=3", "unknown key 'genrator', expected generator"),
        ("generator.optimizer.lr=3", "unknown key 'lr'"),
        ("objective.clipp=3", "unknown key 'clipp' of wasserstein, expected one of clip"),
        ("zzz={1: 2}", "unknown key 'zzz'"),
        ("latent.1=2", "unknown key '1'"),
        # wrong types
        ("image_size=big", "image_size.*int.*big"),
        ("batch_size=2.5", "batch_size.*int.*2.5"),
        ("batch_size=true", "whole number"),
        ("batch_size=", "batch_size.*int.*None"),
        ("horizontal_flip=1", "horizontal_flip.*bool"),
        ("generator=5", "generator"),
        ("generator.optimizer.learning_rate=fast", "'fast' where a number"),
        ("generator.optimizer.learning_rate=true", "True where a number"),
        ("objective.clip=[1]", "where a number"),
        ("objective=wasserstein", "objective is .*, expected keys such as {name: minimax}"),
        ("objective.name=3", "objective is .*, expected keys such as {name: minimax}"),
        ("name=3", "name.*str"),
        # impossible values
        ("image_size=63", r"image_size is 63, expected one of \(8, 16"),
        ("image_size=4", "image_size is 4"),
        ("image_size=1048576", "image_size is 1048576"),
        ("batch_size=0", "batch_size is 0, expected at least 1"),
        ("epochs=-1", "epochs is -1.0, expected a positive number"),
        ("discriminator_steps=0", "discriminator_steps is 0"),
        ("evaluate_every=0", "evaluate_every is 0"),
        ("ema_decay=1", "ema_decay is 1.0, expected 0 up to"),
        ("held_out=1", "held_out is 1.0, expected 0 up to but not including 1"),
        ("held_out=-0.1", "held_out is -0.1, expected 0 up to"),
        ("held_out=.nan", "held_out is nan, expected 0 up to"),
        ("rotation_degrees=-1", "rotation_degrees is -1.0, expected 0 to 180"),
        ("rotation_degrees=181", "rotation_degrees is 181.0, expected 0 to 180"),
        ("rotation_degrees=.nan", "rotation_degrees is nan"),
        ("crop_from=63", "crop_from is 63, expected 64 to 1024"),
        ("crop_from=1025", "crop_from is 1025, expected 64 to 1024"),
        ("crop_from=true", "found True where a whole number"),
        ("crop_from=94.5", "crop_from.*int.*94.5"),
        ("value_range=sined", "value_range 'sined' is unknown, expected signed"),
        ("value_range=[0, 1]", "value_range.*str"),
        ("held_out=some", "'some' where a number"),
        ("latent.size=0", "latent.size is 0"),
        ("latent.distribution=gauss", "latent.distribution 'gauss' is unknown"),
        ("generator.width=0", "width is 0"),
        ("generator.network=dcgam", "network 'dcgam' is unknown, expected dcgan"),
        ("generator.optimizer.name=adamm", "'adamm' is unknown, expected adam"),
        ("generator.optimizer.learning_rate=0", "learning_rate is 0.0, expected a positive"),
        ("generator.optimizer.learning_rate=-1e-3", "learning_rate is -0.001"),
        ("generator.optimizer.learning_rate=.nan", "learning_rate is nan"),
        ("generator.optimizer.learning_rate=.inf", "learning_rate is inf"),
        ("generator.optimizer.decay=1.5", "decay is 1.5"),
        ("objective.name=wasserstien", "'wasserstien' is unknown, expected wasserstein"),
        ("objective.clip=0", "objective.clip is 0"),
        ("objective.clip=-1", "objective.clip is -1"),
        # no overrides at all
        ("epochs", "'epochs' is not understood: expected key=value"),
        ("=3", "is not understood"),
        ("generator.=3", "is not understood"),
        (".epochs=3", "is not understood"),
        ("epochs=[", "no YAML value"),
        ("epochs=2000-99-99", "no YAML value"),
        ("epochs.deep=3", "epochs.* has no keys in it"),
        ("image_size.deep=3", "image_size.* has no keys in it"),
    ],
)
def test_what_is_wrong_is_said_in_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as told:
        load("wgan", ["epochs=2", "image_size=64", override])
    assert "\n" not in str(told.value)
    assert "wgan" in str(told.value) or repr(override) in str(told.value)


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        # labels
        ("objective.real_labels=1", "found 1 where a list of 2 numbers was expected"),
        ("objective.real_labels=[0.9]", r"found \[0.9\] where a list of 2 numbers"),
        ("objective.real_labels=[0, 1, 2]", r"found \[0, 1, 2\] where a list of 2 numbers"),
        ("objective.real_labels=high", "found 'high' where a list of 2 numbers"),
        ("objective.real_labels=[high, 1]", "found 'high' where a number was expected"),
        ("objective.real_labels=[1.2, 0.7]", r"real_labels is \[1.2, 0.7\], expected the lowest"),
        ("objective.generated_labels=[1, 2]", "generated_labels is .*, their middle within 0 and"),
        ("objective.generated_labels=[.nan, 0]", "generated_labels is .*, expected the lowest"),
        ("objective.flipped=1.1", "objective.flipped is 1.1, expected 0 to 1"),
        ("objective.flipped=.nan", "objective.flipped is nan, expected 0 to 1"),
        ("objective.fliped=0.1", "unknown key 'fliped' of non_saturating, expected one of real_la"),
        # augmentation
        ("augmentation=[color]", "augmentation 'color' is unknown, expected colour"),
        ("augmentation=[cutout, shift]", "'shift' is unknown, expected one of colour, transl"),
        ("augmentation=colour", "found 'colour' where a list was expected"),
        ("augmentation={colour: 1}", "found {'colour': 1} where a list was expected"),
        ("augmentation=[3]", "augmentation.*3"),
        ("augmentaton=[colour]", "unknown key 'augmentaton', expected .* or augmentation$"),
        # input noise and batches
        ("input_noise=0.1", "input_noise is 0.1, expected keys such as {deviation: 0.1, steps"),
        ("input_noise.steps=10", "missing value.*input_noise.deviation"),
        ("input_noise={deviation: 0, steps: 9}", "input_noise.deviation is 0.0, expected a posi"),
        ("input_noise={deviation: 1, steps: 0}", "input_noise.steps is 0, expected at least 1"),
        ("input_noise={deviation: 1, steps: 9.5}", "input_noise.steps.*int.*9.5"),
        ("input_noise={deviation: 1, step: 9}", "unknown key 'step', expected .*input_noise.steps"),
        ("batches=mixt", "batches 'mixt' is unknown, expected mixed"),
        # drops of the learning rate
        ("generator.optimizer.drops=0.6", "drops is 0.6, expected keys such as {epochs: "),
        ("generator.optimizer.drops={epochs: [3]}", "missing.*generator.optimizer.drops.factor"),
        ("generator.optimizer.drops={epochs: 3, factor: 0.6}", "optimizer.drops.epochs.*list.*3"),
        ("generator.optimizer.drops={epochs: [0], factor: 0.6}", "drops.epochs is 0.0, expected a"),
        ("generator.optimizer.drops={epochs: [x], factor: 0.6}", "'x' where a number"),
        ("generator.optimizer.drops={epochs: [3], factor: 0}", "drops.factor is 0.0, expected a"),
        ("generator.optimizer.name=sdg", "'sdg' is unknown, expected sgd"),
        ("generator.optimizer.name=3", 'field "generator.optimizer.name".*3'),
        ("generator={network: dcgan}", "generator.optimizer"),
        # objectives, and discriminators that they cannot train
        ("objective={name: least_squares, b: .inf}", "objective.b is inf, expected a number"),
        ("objective={name: hinge, b: 1}", "unknown key 'b' of hinge, it has none"),
        ("objective={name: wasserstein_gp}", "discriminator.norm has to be none, found batch"),
        ("objective={name: wasserstein_gp, penalty: 0}", "penalty is 0.0, expected a positive"),
        (
            "objective={name: boundary_equilibrium}",
            "discriminator.network has to be began, found dcgan",
        ),
        (
            "objective={name: boundary_equilibrium, gamma: 1.5}",
            "objective.gamma is 1.5, expected 0 to 1",
        ),
        (
            "objective={name: boundary_equilibrium, proportional_gain: 1}",
            "objective.proportional_gain is 1.0, expected within 0 and 1",
        ),
    ],
)
def test_what_is_wrong_with_a_trick_is_said_in_one_sentence(override: str, sentence: str) -> None:
    with pytest.raises(UserError, match=sentence) as told:
        load("dcgan", [override])
    assert "\n" not in str(told.value)
    assert "recipe dcgan" in str(told.value)


@pytest.mark.parametrize(
    ("overrides", "found"),
    [
        (["discriminator.norm=spectral"], "discriminator.norm has to be none, found spectral"),
        (["discriminator.downsampling=max_pool"], "not known through MaxPool2D"),
        (["discriminator.network=minibatch"], "not known through MinibatchDiscrimination"),
    ],
)
def test_a_gradient_penalty_is_refused_before_training_where_it_is_not_known(
    overrides: list[str], found: str
) -> None:
    with pytest.raises(UserError, match=found):
        load("dcgan", ["objective={name: wasserstein_gp}", "discriminator.norm=none", *overrides])


def test_every_trick_at_once_makes_the_round_trip() -> None:
    tricks = load(
        "dcgan",
        [
            "augmentation=[colour, cutout]",
            "input_noise.deviation=0.1",
            "input_noise.steps=500",
            "batches=mixed",
            "objective.real_labels=[0.7, 1.2]",
            "objective.generated_labels=[0, 0.3]",
            "objective.flipped=0.05",
            "discriminator.optimizer={name: sgd, learning_rate: 1e-3, beta1: 0.5}",
            "discriminator.optimizer.drops.epochs=[3, 10, 17]",
            "discriminator.optimizer.drops.factor=0.6",
        ],
    )
    assert tricks.augmentation == ("colour", "cutout")
    assert tricks.input_noise == recipe.InputNoise(0.1, 500)
    assert (tricks.objective.real_labels, tricks.objective.flipped) == ((0.7, 1.2), 0.05)
    assert tricks.objective.generated_labels == (0.0, 0.3)
    assert tricks.discriminator.optimizer.drops == recipe.LearningRateDrops([3, 10, 17], 0.6)
    as_file = yaml.safe_load(yaml.safe_dump(tricks.to_mapping()))
    assert from_mapping(as_file, "test") == tricks


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: [", "is no valid YAML"),
        (b"\xff\xfe\x00", "is no valid YAML"),
        (b"- 1\n- 2", "holds list, expected keys and values"),
        (b"", "holds NoneType, expected keys and values"),
        (b"when: 2000-99-99", "is no valid YAML"),
        (b"!!python/object:os.system {}", "is no valid YAML"),
        (b"latent: {size: 3}", "missing value.*generator"),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence) as told:
        load(str(path))
    assert "bad.yaml" in str(told.value)
    assert "\n" not in str(told.value)


def test_every_recipe_file_says_what_it_is() -> None:
    for path in recipe.FOLDER.glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# ")
