"""Recipes: those shipped, and everything that can be wrong with one."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from edgegan.runtime.errors import UserError
from edgegan.trainer import plugins, recipe
from edgegan.trainer.objectives import Objective
from edgegan.trainer.optimizers.adam import Adam
from edgegan.trainer.optimizers.rmsprop import RMSProp
from edgegan.trainer.optimizers.sgd import SGD
from edgegan.trainer.recipe import from_mapping, load, names
from edgegan.trainer.schedules.step import Step
from training_help import TINY

OBJECTIVES = plugins.find("edgegan.trainer.objectives", Objective)


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
        assert network.optimizer == Adam(2e-4, beta1=0.5, beta2=0.999)
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
    assert wgan.objective == OBJECTIVES["wasserstein"](clip=0.01)
    assert wgan.discriminator_steps == 5
    for network in (wgan.generator, wgan.discriminator):
        architecture = network.architecture
        assert (architecture.network, architecture.width) == ("dcgan", 64)
        assert network.optimizer == RMSProp(5e-5, smoothing=0.99)


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
    assert changed.objective == OBJECTIVES["wasserstein"](clip=0.05)
    assert changed.horizontal_flip is False
    assert changed.crop_from == 94
    assert load("wgan", ["crop_from=94", "crop_from=null"]) == load("wgan")
    assert changed.latent.distribution == "uniform"
    assert changed.name == "mine"
    assert changed.discriminator == load("wgan", changed_rate()).discriminator


def changed_rate() -> list[str]:
    return ["discriminator.optimizer={name: rmsprop, learning_rate: 1, smoothing: 0.99}"]


@pytest.mark.parametrize("key", ["discriminator", "objective"])
def test_a_gans_recipe_that_lost_a_key_is_no_students(key: str) -> None:
    mapping = load("dcgan").to_mapping()
    del mapping[key]
    with pytest.raises(UserError, match=f"{key} is missing, expected keys such as"):
        recipe.any_from_mapping(mapping, "last.npz")
    mapping[f"{key}s"] = {}
    with pytest.raises(UserError, match=f"unknown key '{key}s': did you mean {key}"):
        recipe.any_from_mapping(mapping, "last.npz")


def test_the_objective_can_be_exchanged() -> None:
    assert load("dcgan", ["objective.name=minimax"]).objective == OBJECTIVES["minimax"]()
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
    [
        ("dcgn", "did you mean dcgan.* Expected one of .*began"),
        ("wgan_gq", "did you mean wgan.* Expected one of .*began"),
        ("xyz", "expected one of .*began"),
    ],
)
def test_an_unknown_recipe_is_answered_with_the_nearest(name: str, expected: str) -> None:
    with pytest.raises(UserError, match=f"'{name}' does not exist: {expected}"):
        load(name)
    with pytest.raises(UserError, match=r"no such recipe: nowhere\.yaml"):
        load("nowhere.yaml")


@pytest.mark.parametrize(
    ("override", "sentence"),
    [
        # unknown keys
        (
            "widht=3",
            "'widht': did you mean generator.width or discriminator.width. The keys",
        ),
        (
            "generator.widht=3",
            "did you mean generator.width. The keys of generator are network, wi",
        ),
        (
            "genrator.width=3",
            "unknown key 'genrator': did you mean generator. The keys of a recipe are kind, ",
        ),
        (
            "generator.optimizer.lr=3",
            "unknown key 'generator.optimizer.lr': the keys of generator.optimizer are name, lear",
        ),
        (
            "objective.clipp=3",
            "'objective.clipp': did you mean objective.clip. The keys of objective are name, clip",
        ),
        ("zzz={1: 2}", "unknown key 'zzz'"),
        ("latent.1=2", "unknown key 'latent.1'"),
        # wrong types
        ("image_size=big", "image_size is 'big', expected a whole number"),
        ("batch_size=2.5", "batch_size is 2.5, expected a whole number"),
        ("batch_size=true", "batch_size is True, expected a whole number"),
        ("batch_size=", "batch_size is None, expected a whole number"),
        ("horizontal_flip=1", "horizontal_flip is 1, expected true or false"),
        ("generator=5", "generator is 5, expected keys such as {network: "),
        (
            "generator.optimizer.learning_rate=fast",
            "generator.optimizer.learning_rate is 'fast', expected a number",
        ),
        (
            "generator.optimizer.learning_rate=true",
            "generator.optimizer.learning_rate is True, expected a number",
        ),
        ("objective.clip=[1]", r"objective.clip is \[1\], expected a number"),
        ("objective=wasserstein", "objective is 'wasserstein', expected keys such as {name: "),
        (
            "objective.name=3",
            "objective.name 3 is unknown: expected one of .*boundary_equilibrium",
        ),
        ("objective.name=[hinge]", r"objective.name \['hinge'\] is unknown: "),
        ("name=3", "name is 3, expected text"),
        # impossible values
        ("image_size=63", r"image_size is 63, expected one of \(8, 16"),
        ("image_size=4", "image_size is 4"),
        ("image_size=1048576", "image_size is 1048576"),
        ("batch_size=0", "batch_size is 0, expected 1 to 65536"),
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
        ("jitter={shift: -1}", "jitter.shift is -1.0, expected 0 or a positive number"),
        ("jitter={contrast: .nan}", "jitter.contrast is nan"),
        ("crop_from=63", "crop_from is 63, expected 64 to 1024"),
        ("crop_from=1025", "crop_from is 1025, expected 64 to 1024"),
        ("crop_from=true", "crop_from is True, expected a whole number or null"),
        ("crop_from=94.5", "crop_from is 94.5, expected a whole number or null"),
        (
            "value_range=sined",
            "value_range 'sined' is unknown: did you mean signed. Expected one of signed, unit",
        ),
        ("value_range=[0, 1]", r"value_range is \[0, 1\], expected text"),
        ("validation=0.9", "held_out is 0.1 and validation 0.9, expected less than 1 together"),
        ("validation=-0.1", "validation is -0.1, expected 0 up to"),
        ("held_out=some", "held_out is 'some', expected a number"),
        ("latent.size=0", "latent.size is 0"),
        ("latent.distribution=gauss", "latent.distribution 'gauss' is unknown"),
        ("latent.size=99999999", "latent.size is 99999999, expected 1 to 65536"),
        ("generator.width=0", "generator.width is 0, expected 1 to 4096"),
        (
            "generator.network=dcgam",
            "generator.network 'dcgam' is unknown: did you mean dcgan. Expected one of .*began",
        ),
        (
            "generator.optimizer.name=adamm",
            "generator.optimizer.name 'adamm' is unknown: did you mean adam. Expected one of .*ad",
        ),
        ("generator.optimizer.learning_rate=0", "learning_rate is 0.0, expected a positive"),
        ("generator.optimizer.learning_rate=-1e-3", "learning_rate is -0.001"),
        ("generator.optimizer.learning_rate=.nan", "learning_rate is nan"),
        ("generator.optimizer.learning_rate=.inf", "learning_rate is inf"),
        (
            "generator.optimizer.smoothing=1.5",
            "generator.optimizer.smoothing is 1.5, expected 0 up",
        ),
        (
            "objective.name=wasserstien",
            "objective.name 'wasserstien' is unknown: did you mean wasserstein",
        ),
        ("objective.clip=0", "objective.clip is 0"),
        ("objective.clip=-1", "objective.clip is -1"),
        # no overrides at all
        ("epochs", "'epochs' is not understood: expected key=value"),
        ("=3", "is not understood"),
        ("generator.=3", "is not understood"),
        (".epochs=3", "is not understood"),
        ("epochs=[", "no YAML value"),
        ("epochs=2000-99-99", "no YAML value"),
        ("epochs.deep=3", "epochs is 2 and has no keys in it"),
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
        ("objective.real_labels=1", "real_labels is 1, expected a list of 2 numbers"),
        ("objective.real_labels=[0.9]", r"real_labels is \[0.9\], expected a list of 2 numbers"),
        (
            "objective.real_labels=[0, 1, 2]",
            r"real_labels is \[0, 1, 2\], expected a list of 2 num",
        ),
        ("objective.real_labels=high", "real_labels is 'high', expected a list of 2 numbers"),
        ("objective.real_labels=[high, 1]", "real_labels holds 'high', expected a list of 2 num"),
        ("objective.real_labels=[1.2, 0.7]", r"real_labels is \[1.2, 0.7\], expected the lowest"),
        ("objective.generated_labels=[1, 2]", "generated_labels is .*, their middle within 0 and"),
        ("objective.generated_labels=[.nan, 0]", "generated_labels is .*, expected the lowest"),
        ("objective.flipped=1.1", "objective.flipped is 1.1, expected 0 to 1"),
        ("objective.flipped=.nan", "objective.flipped is nan, expected 0 to 1"),
        (
            "objective.fliped=0.1",
            "'objective.fliped': did you mean objective.flipped. The keys of objective",
        ),
        # augmentation
        (
            "augmentation=[color]",
            "augmentation 'color' is unknown: did you mean colour. Expected one of col",
        ),
        (
            "augmentation=[cutout, shift]",
            "augmentation 'shift' is unknown: expected one of colour, transl",
        ),
        ("augmentation=colour", "augmentation is 'colour', expected a list of words"),
        ("augmentation={colour: 1}", "augmentation is {'colour': 1}, expected a list of words"),
        ("augmentation=[3]", "augmentation holds 3, expected a list of words"),
        ("augmentaton=[colour]", "unknown key 'augmentaton': did you mean augmentation. The keys"),
        # input noise and batches
        ("input_noise=0.1", "input_noise is 0.1, expected the keys deviation and steps$"),
        ("input_noise.steps=10", "input_noise.deviation is missing, expected a number"),
        ("input_noise={deviation: 0, steps: 9}", "input_noise.deviation is 0.0, expected a posi"),
        ("input_noise={deviation: 1, steps: 0}", "input_noise.steps is 0, expected at least 1"),
        ("input_noise={deviation: 1, steps: 9.5}", "input_noise.steps is 9.5, expected a whole"),
        (
            "input_noise={deviation: 1, step: 9}",
            "'input_noise.step': did you mean input_noise.steps",
        ),
        (
            "batches=mixt",
            "batches 'mixt' is unknown: did you mean mixed. Expected one of apart, mixed",
        ),
        # schedules of the learning rate
        ("generator.optimizer.schedule=0.6", "schedule is 0.6, expected keys such as {name: "),
        ("generator.optimizer.schedule={name: stop}", "'stop' is unknown: did you mean step"),
        (
            "generator.optimizer.schedule={name: step, epochs: [3]}",
            "schedule.factor is missing, exp",
        ),
        (
            "generator.optimizer.schedule={name: step, epochs: 3, factor: 0.6}",
            "generator.optimizer.schedule.epochs is 3, expected a list of numbers",
        ),
        (
            "generator.optimizer.schedule={name: step, epochs: [0], factor: 0.6}",
            "generator.optimizer.schedule.epochs is 0.0, expected a positive number",
        ),
        (
            "generator.optimizer.schedule={name: step, epochs: [x], factor: 0.6}",
            "generator.optimizer.schedule.epochs holds 'x', expected a list of numbers",
        ),
        (
            "generator.optimizer.schedule={name: step, epochs: [3], factor: 0}",
            "generator.optimizer.schedule.factor is 0.0, expected a positive number",
        ),
        (
            "generator.optimizer.schedule={name: cosine, epochs: 2, warm_up: 3}",
            "schedule.epochs is 2.0, expected more than the 3.0 of warm_up",
        ),
        (
            "generator.optimizer.schedule={name: constant, warm_up: -1}",
            "schedule.warm_up is -1.0, expected 0 or more epochs",
        ),
        # optimizers
        (
            "generator.optimizer.name=sdg",
            "'sdg' is unknown: did you mean sgd. Expected one of .*adam",
        ),
        (
            "generator.optimizer.name=3",
            "generator.optimizer.name 3 is unknown: expected one of .*adam",
        ),
        (
            "generator={network: dcgan}",
            "generator.optimizer is missing, expected keys such as {name",
        ),
        (
            "generator.optimizer.momentum=0.5",
            "'generator.optimizer.momentum': the keys of generator.optimizer are name",
        ),
        (
            "generator.beta1=0.5",
            "'generator.beta1': did you mean generator.optimizer.beta1 or discr",
        ),
        ("generator.optimizer.beta2=1", "generator.optimizer.beta2 is 1.0, expected 0 up to"),
        # objectives, and discriminators that they cannot train
        ("objective={name: least_squares, b: .inf}", "objective.b is inf, expected a number"),
        (
            "objective={name: hinge, b: 1}",
            "unknown key 'objective.b': the keys of objective are name",
        ),
        (
            "penalty={name: gradient}",
            "penalty gradient does not fit .* not known through BatchNorm",
        ),
        ("penalty={name: gradient, weight: 0}", "penalty.weight is 0.0, expected a positive"),
        ("penalty={name: r1, every: 0}", "penalty.every is 0, expected at least 1"),
        ("penalty={name: r2}", "penalty.name 'r2' is unknown: expected one of dragan"),
        ("penalty=r1", "penalty is 'r1', expected keys such as {name: dragan}"),
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
        (
            "discriminator.mirrored=4",
            "discriminator.mirrored is 4, expected 0 or the side of maps before a convolution: "
            "64, 32, 16, 8",
        ),
        ("negative_augmentation=-1", "negative_augmentation is -1.0, expected 0 or a positive"),
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
        (["discriminator.downsampling=max_pool"], "not known through MaxPool2D"),
        (["discriminator.network=minibatch"], "not known through MinibatchDiscrimination"),
    ],
)
def test_a_gradient_penalty_is_refused_before_training_where_it_is_not_known(
    overrides: list[str], found: str
) -> None:
    with pytest.raises(UserError, match=found):
        load("dcgan", ["penalty={name: gradient}", "discriminator.norm=none", *overrides])


def test_a_penalty_is_refused_beside_weight_clipping() -> None:
    penalised = ["penalty={name: r1}", "discriminator.norm=none"]
    with pytest.raises(UserError, match="penalty is r1, expected none beside objective wasserst"):
        load("wgan", penalised)
    assert load("wgan", [*penalised, "objective.clip=null"]).penalty.name == "r1"


def test_the_old_objective_wasserstein_gp_is_read_as_what_it_is_composed_of() -> None:
    old = load("wgan_gp").to_mapping()
    del old["penalty"]
    old["objective"] = {"name": "wasserstein_gp", "penalty": 5.0}
    assert from_mapping(old, "test") == load("wgan_gp")


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
            "discriminator.optimizer={name: sgd, learning_rate: 1e-3, momentum: 0.5}",
            "discriminator.optimizer.schedule.name=step",
            "discriminator.optimizer.schedule.epochs=[3, 10, 17]",
            "discriminator.optimizer.schedule.factor=0.6",
        ],
    )
    assert tricks.augmentation == ("colour", "cutout")
    assert tricks.input_noise == recipe.InputNoise(0.1, 500)
    assert (tricks.objective.real_labels, tricks.objective.flipped) == ((0.7, 1.2), 0.05)
    assert tricks.objective.generated_labels == (0.0, 0.3)
    assert tricks.discriminator.optimizer == SGD(1e-3, Step((3, 10, 17), 0.6), momentum=0.5)
    as_file = yaml.safe_load(yaml.safe_dump(tricks.to_mapping()))
    assert from_mapping(as_file, "test") == tricks


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"a: [", "is no valid YAML"),
        (b"\xff\xfe\x00", "is no valid YAML"),
        (b"- 1\n- 2", "holds a list, expected keys and values"),
        (b"", "holds nothing, expected keys and values"),
        (b"when: 2000-99-99", "is no valid YAML"),
        (b"!!python/object:os.system {}", "is no valid YAML"),
        (b"latent: {size: 3}", "generator is missing, expected keys such as"),
    ],
)
def test_files_that_are_no_recipe(tmp_path: Path, content: bytes, sentence: str) -> None:
    path = tmp_path / "bad.yaml"
    path.write_bytes(content)
    with pytest.raises(UserError, match=sentence) as told:
        load(str(path))
    assert "bad.yaml" in str(told.value)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("name", recipe.names())
def test_a_recipe_is_written_alike_however_often_it_was_read(name: str) -> None:
    """A run that goes on writes the text that it wrote when it began."""
    first = load(name).to_mapping()
    assert yaml.safe_dump(from_mapping(first, "test").to_mapping()) == yaml.safe_dump(first)


def test_every_recipe_file_says_what_it_is() -> None:
    for path in recipe.FOLDER.glob("*.yaml"):
        assert path.read_text(encoding="utf-8").startswith("# ")


OLD = Path(__file__).parent / "resolved_recipes.yaml"
OLD_RECIPES = yaml.safe_load(OLD.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(OLD_RECIPES.keys() - {"student"}))
def test_a_shipped_recipe_is_what_it_was_before_recipes_extended_others(name: str) -> None:
    before, now = OLD_RECIPES[name], load(name)
    assert from_mapping(before, "test") == now
    for part in ("generator", "discriminator"):
        old, optimizer = before[part]["optimizer"], getattr(now, part).optimizer
        if old["name"] == "adam":
            schedule = old["drops"] and Step((3, 10, 17), 0.6)
            expected: object = Adam(old["learning_rate"], schedule, old["beta1"], old["decay"])
        else:
            expected = RMSProp(old["learning_rate"], smoothing=old["decay"])
        assert optimizer == expected


def test_the_students_recipe_is_what_it_was() -> None:
    before = OLD_RECIPES["student"]
    of_teacher = {key: before[key] for key in ("latent", "image_size", "value_range")}
    now = recipe.load_student([], of_teacher)
    assert recipe.any_from_mapping(before, "test") == now
    assert now.to_mapping()["kind"] == "student"


@pytest.mark.parametrize(
    ("old", "expected"),
    [
        ("{name: adam, learning_rate: 1, decay: 0.9, beta1: 0.5}", Adam(1, None, 0.5, 0.9)),
        ("{name: adam, learning_rate: 1, drops: null}", Adam(1)),
        ("{name: rmsprop, learning_rate: 1, decay: 0.9, beta1: 0.5}", RMSProp(1, smoothing=0.9)),
        ("{name: sgd, learning_rate: 1, decay: 0.9, beta1: 0.5}", SGD(1, momentum=0.5)),
        (
            "{name: sgd, learning_rate: 1, drops: {epochs: [3], factor: 0.1}}",
            SGD(1, Step((3,), 0.1), momentum=0.0),
        ),
    ],
)
def test_the_keys_of_older_versions_are_read(old: str, expected: object) -> None:
    assert load("dcgan", [f"generator.optimizer={old}"]).generator.optimizer == expected


def test_an_old_key_changes_the_schedule_that_there_is() -> None:
    changed = load("began", ["generator.optimizer.drops.factor=0.5"])
    assert changed.generator.optimizer.schedule == Step((3, 10, 17), 0.5)
    assert changed.discriminator.optimizer.schedule == Step((3, 10, 17), 0.6)


def test_what_another_kind_has_not_goes_where_an_override_names_one() -> None:
    wgan = load("wgan", ["objective.name=hinge", "generator.optimizer.name=adam"])
    assert wgan.objective == OBJECTIVES["hinge"]()
    assert wgan.generator.optimizer == Adam(5e-5)
    again = recipe.override(wgan, ["discriminator.network=patch", "generator.optimizer.name=sgd"])
    assert again.discriminator.architecture.network == "patch"
    assert again.discriminator.optimizer == wgan.discriminator.optimizer
    assert again.generator.optimizer == SGD(5e-5)


@settings(max_examples=40, deadline=None)
@given(
    st.sampled_from(["adam", "rmsprop", "sgd"]),
    st.floats(1e-9, 1e9),
    st.floats(0, 1, exclude_max=True),
    st.lists(st.floats(1e-3, 1e3), max_size=3),
    st.lists(st.sampled_from(["colour", "translation", "cutout"]), max_size=3),
    st.text("abc 猫:#'\"-", min_size=1),
)
def test_what_is_written_as_yaml_or_json_is_read_as_the_same(
    optimizer: str, rate: float, decay: float, epochs: list, augmentation: list, name: str
) -> None:
    mapping = load("dcgan").to_mapping()
    schedule = {"name": "step", "epochs": epochs, "factor": 0.5, "warm_up": 2}
    mapping["generator"]["optimizer"] = {
        "name": optimizer,
        "learning_rate": rate,
        "schedule": schedule,
    }
    mapping.update(augmentation=augmentation, name=name, ema_decay=decay)
    made = from_mapping(mapping, "test")
    assert from_mapping(yaml.safe_load(yaml.safe_dump(made.to_mapping())), "test") == made
    assert from_mapping(json.loads(json.dumps(made.to_mapping())), "test") == made
    assert made.generator.optimizer.learning_rate == rate


def test_a_recipe_of_another_kind_is_refused() -> None:
    with pytest.raises(UserError, match="x is a recipe of edgegan distil, expected one of ed"):
        from_mapping(OLD_RECIPES["student"], "x")
    with pytest.raises(UserError, match="kind 'gna' is unknown: did you mean gan"):
        load("dcgan", ["kind=gna"])


def test_a_recipe_cannot_be_changed_and_is_equal_to_one_of_the_same_values() -> None:
    assert load("wgan") == load("wgan")
    assert load("wgan") != load("wgan", ["epochs=3"])
    with pytest.raises(dataclasses.FrozenInstanceError):
        load("wgan").epochs = 3  # type: ignore[misc]


def written(folder: Path, **contents: str) -> Path:
    """YAML files of these names; returns the folder."""
    for name, content in contents.items():
        (folder / f"{name}.yaml").write_text(content, encoding="utf-8")
    return folder


def test_a_recipe_changes_what_it_extends_and_no_more(tmp_path: Path) -> None:
    written(
        tmp_path,
        base="extends: dcgan\nname: based\ngenerator: {optimizer: {learning_rate: 1e-3}}\n",
        child="extends: base.yaml\nlatent: {size: 7}\nobjective: {name: least_squares, c: 2}\n",
    )
    child = load(str(tmp_path / "child.yaml"), ["generator.width=8"])
    changes = [
        "name=child",
        "generator.optimizer.learning_rate=0.001",
        "latent.size=7",
        "objective={name: least_squares, c: 2}",
        "generator.width=8",
    ]
    assert child == load("dcgan", changes)
    assert "extends" not in child.to_mapping()


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        # What has another name, or is another network, has none of the keys of what was before.
        ("objective: {name: hinge}", {"objective": {"name": "hinge"}}),
        (
            "generator: {optimizer: {name: sgd, learning_rate: 1}}",
            {
                "generator.optimizer": {
                    "name": "sgd",
                    "learning_rate": 1,
                    "schedule": None,
                    "momentum": 0.0,
                }
            },
        ),
        (
            "discriminator: {network: patch}",
            {"discriminator": {"network": "patch", "width": 64, "halvings": 3, "norm": "batch"}},
        ),
        (
            "discriminator: {network: dcgan, norm: none}",
            {"discriminator.kernel": 5, "discriminator.norm": "none"},
        ),
        # A schedule goes with null.
        ("generator: {optimizer: {schedule: null}}", {"generator.optimizer.schedule": None}),
    ],
)
def test_another_kind_takes_the_place_of_the_parents(
    tmp_path: Path, content: str, expected: dict
) -> None:
    base = "extends: wgan5\ngenerator: {optimizer: {schedule: {name: constant, warm_up: 1}}}\n"
    folder = written(tmp_path, base=base, child=f"extends: base.yaml\n{content}\n")
    mapping = load(str(folder / "child.yaml")).to_mapping()
    optimizer = mapping["discriminator"]["optimizer"]
    assert optimizer == load("wgan5").to_mapping()["discriminator"]["optimizer"]
    for path, value in expected.items():
        found = mapping
        for key in path.split("."):
            found = found[key]
        if path == "discriminator":
            found.pop("optimizer")
        assert found == value


@pytest.mark.parametrize(
    ("files", "sentence"),
    [
        ({"a": "extends: dcgn"}, "a.yaml extends 'dcgn', which does not exist: did you mean dcgan"),
        (
            {"a": "extends: student"},
            "a.yaml extends 'student': recipe student is of edgegan distil, expected one of "
            "edgegan fit",
        ),
        ({"a": "extends: b.yaml"}, "a.yaml extends 'b.yaml', which does not exist: "),
        ({"a": "extends: a.yaml"}, "a.yaml extends 'a.yaml', which extends it"),
        (
            {"a": "extends: b.yaml", "b": "extends: c.yml/../a.yaml"},
            "b.yaml extends 'c.yml/../a.yaml', which does not exist",
        ),
        (
            {"a": "extends: b.yaml", "b": "extends: a.yaml"},
            "b.yaml extends 'a.yaml', which extends",
        ),
        ({"a": "extends: [dcgan]"}, r"a.yaml: extends is \['dcgan'\], expected a recipe's name or"),
        ({"a": "extends: b.yaml", "b": "- 1"}, "b.yaml holds a list, expected keys and values"),
        ({"a": "extends: b.yaml", "b": "x: ["}, "b.yaml is no valid YAML"),
        ({"a": "extends: dcgan\nwidht: 3"}, "a.yaml: unknown key 'widht'"),
    ],
)
def test_what_cannot_be_extended_is_said_in_one_sentence(
    tmp_path: Path, files: dict[str, str], sentence: str
) -> None:
    with pytest.raises(UserError, match=sentence) as told:
        load(str(written(tmp_path, **files) / "a.yaml"))
    assert "\n" not in str(told.value)
