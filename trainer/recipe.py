"""Recipes: what is trained and how, read from YAML and checked against the classes below."""

from __future__ import annotations

import dataclasses
import difflib
import typing
from dataclasses import dataclass, is_dataclass
from pathlib import Path
from typing import Any, Optional, TypeVar, cast

import dacite
import yaml

from edgegan.runtime.errors import UserError
from edgegan.runtime.latent import DISTRIBUTIONS
from edgegan.trainer import bfloat16, networks, objectives
from edgegan.trainer.augmentation import TRANSFORMATIONS
from edgegan.trainer.networks import Latent

FOLDER = Path(__file__).parent / "recipes"
STUDENT = Path(__file__).parent / "student.yaml"
OPTIMIZERS = ("adam", "rmsprop", "sgd")
BATCHES = ("apart", "mixed")
GENERATED_BATCHES = ("fresh", "reused")
PRECISIONS = ("float32", "bfloat16")
_OF_EVERY_NETWORK = ("network", "optimizer")
IMAGE_SIZES = (8, 16, 32, 64, 128, 256, 512)
VALUE_RANGES = {"signed": (-1.0, 1.0), "unit": (0.0, 1.0)}  # of black and white
MOST_CROP_FROM = 1024  # keeps a mistyped number from filling the memory
DISTILLATION = "distillation"  # a student's objective


@dataclass(frozen=True)
class LearningRateDrops:
    """The learning rate is multiplied by ``factor`` after each of ``epochs``."""

    epochs: list[float]
    factor: float

    def __post_init__(self) -> None:
        for epoch in self.epochs:
            _check_positive("optimizer.drops.epochs", epoch)
        _check_positive("optimizer.drops.factor", self.factor)

    def scale(self, epoch: float) -> float:
        """What the learning rate is multiplied by when ``epoch`` passes are over."""
        return float(self.factor ** sum(epoch >= drop for drop in self.epochs))


@dataclass(frozen=True)
class OptimizerRecipe:
    """An optimizer.

    ``decay`` is Adam's beta2, or how slowly RMSProp's mean square forgets; ``beta1`` is Adam's, or
    the momentum of SGD.
    """

    name: str
    learning_rate: float
    decay: float = 0.999
    beta1: float = 0.9
    drops: Optional[LearningRateDrops] = None  # noqa: UP045 (dacite evaluates it, on Python 3.9 too)

    def __post_init__(self) -> None:
        _check_choice("optimizer.name", self.name, OPTIMIZERS)
        _check_positive("optimizer.learning_rate", self.learning_rate)
        _check_fraction("optimizer.decay", self.decay)
        _check_fraction("optimizer.beta1", self.beta1)


@dataclass(frozen=True)
class GeneratorRecipe:
    """A generator of ``trainer.networks`` and what trains it."""

    architecture: networks.GeneratorArchitecture
    optimizer: OptimizerRecipe


@dataclass(frozen=True)
class DiscriminatorRecipe:
    """A discriminator of ``trainer.networks`` and what trains it."""

    architecture: networks.DiscriminatorArchitecture
    optimizer: OptimizerRecipe


@dataclass(frozen=True)
class InputNoise:
    """Normal noise on what the discriminator sees: ``deviation`` at first, none after ``steps``.

    It decays linearly with the generator's steps (tip 13 of ganhacks; Arjovsky and Bottou 2017,
    section 3, https://arxiv.org/abs/1701.04862).
    """

    deviation: float
    steps: int

    def __post_init__(self) -> None:
        _check_positive("input_noise.deviation", self.deviation)
        _check_at_least("input_noise.steps", self.steps, 1)


class AnyRecipe:
    """What every recipe has: a generator, how it is trained, and what it draws.

    ``evaluate_every`` steps the run draws its grids, counts their faces and writes a checkpoint;
    ``ema_decay`` is the weight of the past in the moving average of the generator (0 switches it
    off). ``value_range`` names, in ``VALUE_RANGES``, the numbers that black and white are to the
    networks. ``made_by`` is the command that trains by it.
    """

    made_by = ""
    name: str
    latent: Latent
    generator: GeneratorRecipe
    image_size: int
    batch_size: int
    evaluate_every: int
    ema_decay: float
    value_range: str

    def __post_init__(self) -> None:
        _check_at_least("latent.size", self.latent.size, 1)
        _check_choice("latent.distribution", self.latent.distribution, DISTRIBUTIONS)
        _check_at_least("batch_size", self.batch_size, 1)
        _check_at_least("evaluate_every", self.evaluate_every, 1)
        _check_fraction("ema_decay", self.ema_decay)
        _check_choice("value_range", self.value_range, tuple(VALUE_RANGES))
        if self.image_size not in IMAGE_SIZES:
            raise ValueError(f"image_size is {self.image_size}, expected one of {IMAGE_SIZES}")

    @property
    def objective_name(self) -> str:
        """What the generator learns from, in a word."""
        raise NotImplementedError

    @property
    def input_size(self) -> int:
        """How many numbers the generator takes for a picture."""
        return self.generator.architecture.input_size(self.latent.size, self.image_size)

    def to_mapping(self) -> dict[str, Any]:
        """The recipe as plain YAML values, as ``from_mapping`` reads it."""
        mapping = _plain(dataclasses.asdict(cast(Any, self)))
        for key in ("generator", "discriminator"):
            if key in mapping:
                parameters = mapping[key].pop("architecture")
                network = getattr(self, key).architecture.network
                mapping[key] = {"network": network, **parameters, **mapping[key]}
        return mapping


@dataclass(frozen=True)
class Recipe(AnyRecipe):
    """All that decides a GAN's training run, but for the pictures and the seed.

    ``discriminator_steps`` are made before each generator step.

    Of the pictures, the share ``held_out`` is never trained on, so that a generator can be measured
    against it; of the others the share ``instance_selection`` is, those that are most like all
    (``trainer.selection``); ``crop_from`` resizes all to that size before ``image_size`` in their
    middle is kept; each is turned by an angle uniform in ± ``rotation_degrees``.

    ``batches`` are shown to the discriminator ``apart``, real and generated, or ``mixed`` in one
    (tip 4 of ganhacks tells them apart where it has batch norm). ``generated_batches`` are
    ``fresh`` for each update, or ``reused``: the generator learns from the pictures that the
    discriminator's last update was shown, and draws once less a step. ``augmentation`` lists the
    transformations of ``trainer.augmentation`` that all pictures go through before the
    discriminator.

    ``precision`` is the number format that convolutions multiply in while training: ``bfloat16``
    is faster on processors that have it, and weights are float32 all the same.
    """

    made_by = "edgegan fit"
    name: str
    latent: Latent
    generator: GeneratorRecipe
    discriminator: DiscriminatorRecipe
    objective: objectives.Objective
    image_size: int = 64
    batch_size: int = 64
    discriminator_steps: int = 1
    epochs: float = 100
    evaluate_every: int = 250
    ema_decay: float = 0.999
    horizontal_flip: bool = True
    rotation_degrees: float = 0.0
    crop_from: Optional[int] = None  # noqa: UP045 (dacite evaluates it, on Python 3.9 too)
    value_range: str = "signed"
    held_out: float = 0.1
    instance_selection: float = 1.0
    batches: str = "apart"
    generated_batches: str = "fresh"
    precision: str = "float32"
    augmentation: tuple[str, ...] = ()
    input_noise: Optional[InputNoise] = None  # noqa: UP045 (likewise)

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_choice("batches", self.batches, BATCHES)
        _check_choice("generated_batches", self.generated_batches, GENERATED_BATCHES)
        _check_choice("precision", self.precision, PRECISIONS)
        for transformation in self.augmentation:
            _check_choice("augmentation", transformation, list(TRANSFORMATIONS))
        _check_at_least("discriminator_steps", self.discriminator_steps, 1)
        _check_positive("epochs", self.epochs)
        _check_between("rotation_degrees", self.rotation_degrees, 0, 180)
        _check_fraction("held_out", self.held_out)
        if not 0 < self.instance_selection <= 1:
            raise ValueError(
                f"instance_selection is {self.instance_selection}, expected more than 0, up to 1"
            )
        self.discriminator.architecture.check(self.image_size)
        self.objective.check(self.discriminator.architecture, self.image_size)
        if self.precision == "bfloat16":
            bfloat16.check(
                self.generator.architecture.build(self.latent, self.image_size, self.value_range)
            )
            bfloat16.check(self.discriminator.architecture.build(self.image_size))
        if self.crop_from is not None:
            _check_between("crop_from", self.crop_from, self.image_size, MOST_CROP_FROM)

    @property
    def objective_name(self) -> str:
        return self.objective.name

    def to_mapping(self) -> dict[str, Any]:
        mapping = super().to_mapping()
        mapping["objective"] = {"name": self.objective.name, **mapping["objective"]}
        return mapping


@dataclass(frozen=True)
class StudentRecipe(AnyRecipe):
    """All that decides the distillation of a student, but for its teacher's pictures and the seed.

    Latents, ``image_size`` and ``value_range`` are the teacher's.
    """

    made_by = "edgegan distil"
    name: str
    latent: Latent
    generator: GeneratorRecipe
    image_size: int
    value_range: str
    batch_size: int = 32
    steps: int = 20_000
    evaluate_every: int = 1000
    ema_decay: float = 0.999

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_at_least("steps", self.steps, 1)
        if self.generator.optimizer.drops:
            raise ValueError(
                "generator.optimizer.drops come after epochs, expected none: "
                "a student has no epochs"
            )
        if self.input_size != self.latent.size:
            raise ValueError(
                f"generator takes {self.input_size} numbers, expected the {self.latent.size} of "
                "its teacher's latent and none besides"
            )

    @property
    def objective_name(self) -> str:
        return DISTILLATION


R = TypeVar("R", bound=AnyRecipe)


def names() -> list[str]:
    """Names of the recipes that come with the trainer."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str, overrides: list[str] | None = None) -> Recipe:
    """Read the recipe called ``name``, or the YAML file at that path, and apply ``key=value``s.

    Raises:
        UserError: no such recipe, an unknown key, a wrong type or an impossible value.
    """
    path = Path(name) if name.endswith((".yaml", ".yml")) else FOLDER / f"{name}.yaml"
    try:
        mapping = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        near = nearest(name, names()) or f"one of {', '.join(names())}"
        raise UserError(f"recipe {name!r} does not exist: expected {near}") from error
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"recipe {path} is no valid YAML: {_one_line(error)}") from error
    if isinstance(mapping, dict):
        mapping.setdefault("name", path.stem)
        for override in overrides or []:
            _apply_override(mapping, override)
    return from_mapping(mapping, str(path) if Path(name) == path else f"recipe {name}")


def load_student(overrides: list[str], of_teacher: dict[str, Any]) -> StudentRecipe:
    """Read the student's recipe, apply ``key=value``s and add what its teacher decides.

    Args:
        of_teacher: the values, some nested, that are the teacher's and no others.

    Raises:
        UserError: an unknown key, a wrong type, an impossible value, or another than the teacher's.
    """
    mapping = yaml.safe_load(STUDENT.read_text(encoding="utf-8"))
    for item in overrides:
        _apply_override(mapping, item)
    expected = _flat(of_teacher)
    for key, value in _flat(mapping).items():
        parent = key.partition(".")[0]
        if parent in of_teacher and expected.get(key) != value:
            teachers = expected.get(key, of_teacher[parent])
            raise UserError(f"{key} is {value!r}, expected {teachers!r} as the teacher has it")
    return _from_mapping({**mapping, **of_teacher}, f"recipe {mapping['name']}", StudentRecipe)


def override(recipe: R, overrides: list[str]) -> R:
    """The recipe with ``key=value``s applied; raises UserError as ``load`` does."""
    mapping = recipe.to_mapping()
    for item in overrides:
        _apply_override(mapping, item)
    return _from_mapping(mapping, f"recipe {recipe.name}", type(recipe))


def first_difference(recipe: AnyRecipe, other: AnyRecipe) -> str:
    """The first key in which two recipes differ, with both values; empty where none does."""
    values, others = _flat(recipe.to_mapping()), _flat(other.to_mapping())
    for key in [*values, *others]:
        if values.get(key) != others.get(key):
            return f"{key} {values.get(key)}, not {others.get(key)}"
    return ""


def from_mapping(mapping: dict[str, Any], origin: str) -> Recipe:
    """Build a checked recipe from plain values; ``origin`` names their file in errors."""
    return _from_mapping(mapping, origin, Recipe)


def any_from_mapping(mapping: dict[str, Any], origin: str) -> AnyRecipe:
    """Build a checked recipe of either kind: a student's has nothing that judges a generator."""
    # By two keys, so that a GAN's recipe that lost one is still told as what it is.
    gan = not isinstance(mapping, dict) or {"discriminator", "objective"} & mapping.keys()
    return _from_mapping(mapping, origin, Recipe if gan else StudentRecipe)


def _from_mapping(mapping: dict[str, Any], origin: str, kind: type[R]) -> R:
    if not isinstance(mapping, dict):
        raise UserError(f"{origin} holds {type(mapping).__name__}, expected keys and values")
    try:
        return cast(R, dacite.from_dict(cast(Any, kind), mapping, _READING))
    except dacite.UnexpectedDataError as error:
        unknown = sorted(map(str, error.keys))[0]
        raise UserError(f"{origin}: {_unknown_key(unknown, kind)}") from error
    except (dacite.DaciteError, ValueError, TypeError) as error:
        raise UserError(f"{origin}: {_one_line(error)}") from error


def nearest(name: str, candidates: list[str]) -> str:
    """The candidates most like ``name``, as words for a sentence; empty if none is like it."""
    return " or ".join(difflib.get_close_matches(name, candidates, n=3, cutoff=0.5))


def _apply_override(mapping: dict[str, Any], override: str) -> None:
    """Set ``a.b=value`` in nested mappings; the value is read as YAML."""
    key, equals, text = override.partition("=")
    *parents, last = key.split(".")
    if not equals or not all([*parents, last]):
        raise UserError(f"override {override!r} is not understood: expected key=value")
    for parent in parents:
        if mapping.get(parent) is None:
            mapping[parent] = {}
        if not isinstance(mapping[parent], dict):
            found = mapping[parent]
            raise UserError(f"override {override!r}: {parent} is {found!r} and has no keys in it")
        mapping = mapping[parent]
    try:
        mapping[last] = yaml.safe_load(text)
    except (yaml.YAMLError, ValueError) as error:  # ValueError: of a date such as 2000-99-99
        raise UserError(f"override {override!r}: {text!r} is no YAML value") from error


def _unknown_key(key: str, kind: type[AnyRecipe]) -> str:
    """A sentence's part that names an unknown key and those most like it, with where they stand."""
    paths = _known_keys(kind)
    names = {path.rpartition(".")[2] for path in paths}
    near = [key] if key in names else difflib.get_close_matches(key, sorted(names), cutoff=0.5)
    expected = [path for path in paths if path.rpartition(".")[2] in near]
    return f"unknown key {key!r}, expected {' or '.join(expected or _known_keys(kind, depth=1))}"


def _known_keys(kind: Any, depth: int = 3) -> list[str]:
    """The keys of a recipe's class, those of the classes in it with a dot: ``generator.width``."""
    keys: list[str] = []
    for name, inner in typing.get_type_hints(kind).items():
        if name == "architecture":
            keys += ["network", *_architecture_keys(kind)]
            continue
        keys.append(name)
        if depth > 1:
            parts = [part for part in (inner, *typing.get_args(inner)) if is_dataclass(part)]
            keys += [f"{name}.{key}" for part in parts for key in _known_keys(part, depth - 1)]
    return keys


def _architecture_keys(kind: Any) -> list[str]:
    """The keys of all architectures of a network's recipe."""
    architectures = networks.find("generator" if kind is GeneratorRecipe else "discriminator")
    keys = (field.name for each in architectures.values() for field in dataclasses.fields(each))
    return list(dict.fromkeys(keys))


def _flat(mapping: dict[str, Any]) -> dict[str, Any]:
    """Nested values by dotted keys."""
    flat = {}
    for key, value in mapping.items():
        if isinstance(value, dict):
            flat.update({f"{key}.{inner}": item for inner, item in _flat(value).items()})
        else:
            flat[key] = value
    return flat


def _plain(value: Any) -> Any:
    """Nested values with lists for tuples, which YAML does not have."""
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    return [_plain(inner) for inner in value] if isinstance(value, (list, tuple)) else value


def _read_network(value: Any, key: str) -> GeneratorRecipe | DiscriminatorRecipe:
    """The architecture called ``network`` with its parameters, and its optimizer."""
    if not isinstance(value, dict) or not isinstance(value.get("network"), str):
        raise ValueError(f"{key} is {value!r}, expected keys such as {{network: dcgan}}")
    architectures = networks.find(key)
    _check_choice(f"{key}.network", value["network"], list(architectures))
    parameters = {name: item for name, item in value.items() if name not in _OF_EVERY_NETWORK}
    architecture = dacite.from_dict(architectures[value["network"]], parameters, _READING)
    kind: Any = GeneratorRecipe if key == "generator" else DiscriminatorRecipe
    parts = {"architecture": architecture, "optimizer": value.get("optimizer")}
    return dacite.from_dict(kind, parts, _READING)


def _read_objective(value: Any) -> objectives.Objective:
    """The objective called ``name`` with the other values as its parameters."""
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise ValueError(f"objective is {value!r}, expected keys such as {{name: minimax}}")
    _check_choice("objective.name", value["name"], objectives.names())
    kind = objectives.find(value["name"])
    parameters = {key: value for key, value in value.items() if key != "name"}
    try:
        return dacite.from_dict(kind, parameters, _READING)
    except dacite.UnexpectedDataError as error:
        known = [item.name for item in dataclasses.fields(kind)]
        unknown = sorted(map(str, error.keys))[0]
        expected = f"expected one of {', '.join(known)}" if known else "it has none"
        raise ValueError(f"unknown key {unknown!r} of {value['name']}, {expected}") from error


def _read_keys(value: Any, key: str, example: str) -> Any:
    """Refuse what has no keys."""
    if not isinstance(value, dict):
        raise ValueError(f"{key} is {value!r}, expected keys such as {example}")
    return value


def _read_tuple(value: Any, count: int | None = None) -> tuple[Any, ...]:
    """Take a list, which is what YAML has for a tuple; of ``count`` values if that is given."""
    if not isinstance(value, (list, tuple)) or count not in (None, len(value)):
        expected = f"a list of {count} numbers" if count else "a list"
        raise ValueError(f"found {value!r} where {expected} was expected")
    return tuple(value)


def _read_int(value: Any) -> Any:
    """Refuse true and false, which Python takes for 1 and 0."""
    if isinstance(value, bool):
        raise ValueError(f"found {value!r} where a whole number was expected")
    return value


def _read_float(value: Any) -> float:
    """Accept whole numbers and what YAML 1.1 takes for text, such as 2e-4."""
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        raise ValueError(f"found {value!r} where a number was expected")
    try:
        return float(value)
    except ValueError as error:
        raise ValueError(f"found {value!r} where a number was expected") from error


_READING = dacite.Config(
    strict=True,
    type_hooks={
        float: _read_float,
        int: _read_int,
        tuple[str, ...]: _read_tuple,
        tuple[float, float]: lambda value: _read_tuple(value, 2),
        LearningRateDrops: lambda value: _read_keys(
            value, "optimizer.drops", "{epochs: [3, 10], factor: 0.6}"
        ),
        InputNoise: lambda value: _read_keys(value, "input_noise", "{deviation: 0.1, steps: 1000}"),
        objectives.Objective: _read_objective,
        GeneratorRecipe: lambda value: _read_network(value, "generator"),
        DiscriminatorRecipe: lambda value: _read_network(value, "discriminator"),
    },
)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())


def _check_at_least(key: str, value: int, least: int) -> None:
    if value < least:
        raise ValueError(f"{key} is {value}, expected at least {least}")


def _check_between(key: str, value: float, least: int, most: int) -> None:
    if not least <= value <= most:
        raise ValueError(f"{key} is {value}, expected {least} to {most}")


def _check_positive(key: str, value: float) -> None:
    if not 0 < value < float("inf"):
        raise ValueError(f"{key} is {value}, expected a positive number")


def _check_fraction(key: str, value: float) -> None:
    if not 0 <= value < 1:
        raise ValueError(f"{key} is {value}, expected 0 up to but not including 1")


def _check_choice(key: str, value: str, choices: tuple[str, ...] | list[str]) -> None:
    if value not in choices:
        expected = nearest(value, list(choices)) or f"one of {', '.join(choices)}"
        raise ValueError(f"{key} {value!r} is unknown, expected {expected}")
