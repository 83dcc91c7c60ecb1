"""Recipes: what is trained and how, read from YAML and checked against the classes below."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Optional, TypeVar

from edgegan.runtime.choices import check_choice, suggestion
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import check_no_address
from edgegan.runtime.latent import DISTRIBUTIONS
from edgegan.trainer import bfloat16, networks, plugins
from edgegan.trainer.augmentation import TRANSFORMATIONS
from edgegan.trainer.checks import (
    check_at_least,
    check_between,
    check_fraction,
    check_not_negative,
    check_positive,
)
from edgegan.trainer.conditioned_networks import ConditionedGenerator
from edgegan.trainer.conditions import Condition
from edgegan.trainer.framework import HybridBlock
from edgegan.trainer.jitter import Jitter
from edgegan.trainer.mappings import flat, merged, parse_yaml
from edgegan.trainer.networks import Latent, TrunkDiscriminator
from edgegan.trainer.objectives import Objective
from edgegan.trainer.old_recipes import modern
from edgegan.trainer.optimizers import Optimizer
from edgegan.trainer.penalties import Penalty
from edgegan.trainer.schedules import Schedule
from edgegan.trainer.schema import Choice, Schema
from edgegan.trainer.split import HELD_OUT, VALIDATION

FOLDER = Path(__file__).parent / "recipes"
STUDENT = Path(__file__).parent / "student.yaml"
SUFFIXES = (".yaml", ".yml")
BATCHES = ("apart", "mixed")
GENERATED_BATCHES = ("fresh", "reused")
PRECISIONS = ("float32", "bfloat16")
IMAGE_SIZES = (8, 16, 32, 64, 128, 256, 512)
VALUE_RANGES = {"signed": (-1.0, 1.0), "unit": (0.0, 1.0)}  # of black and white
# These keep a mistyped number from filling the memory.
MOST_CROP_FROM = 1024
MOST_LATENT_SIZE = 65_536
MOST_BATCH_SIZE = 65_536
SOME_GROUPS = (2, 2)  # of words, where a network is built to be looked at only
DISTILLATION = "distillation"  # a student's objective


@dataclass(frozen=True)
class GeneratorRecipe:
    """A generator of ``trainer.networks`` and what trains it."""

    architecture: networks.GeneratorArchitecture
    optimizer: Optimizer


@dataclass(frozen=True)
class DiscriminatorRecipe:
    """A discriminator of ``trainer.networks`` and what trains it."""

    architecture: networks.DiscriminatorArchitecture
    optimizer: Optimizer


@dataclass(frozen=True)
class InputNoise:
    """Normal noise on what the discriminator sees.

    It decays linearly with the generator's steps (tip 13 of ganhacks; Arjovsky and Bottou 2017,
    section 3, https://arxiv.org/abs/1701.04862).

    Attributes:
        deviation: the standard deviation at first, of pictures in [-1, 1]; half of it in [0, 1].
        steps: after so many there is none.
    """

    deviation: float
    steps: int

    def __post_init__(self) -> None:
        check_positive("input_noise.deviation", self.deviation)
        check_at_least("input_noise.steps", self.steps, 1)


class AnyRecipe:
    """What every recipe has: a generator, how it is trained, and what it draws.

    ``made_by`` is the command that trains by it.

    Attributes:
        name: what the recipe is called, in files and reports.
        latent: what the generator starts from.
        image_size: the side of the pictures in pixels.
        batch_size: how many pictures a network is shown in an update.
        evaluate_every: after so many steps each time the run draws its grids, counts their faces
            and writes a checkpoint.
        ema_decay: the weight of the past in the moving average of the generator; 0 switches it off.
        value_range: the numbers that black and white are to the networks: signed for -1 and 1,
            unit for 0 and 1.
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
        if not self.name:
            raise ValueError("name is empty, expected what the recipe is called")
        check_between("latent.size", self.latent.size, 1, MOST_LATENT_SIZE)
        check_choice("latent.distribution", self.latent.distribution, DISTRIBUTIONS)
        check_between("batch_size", self.batch_size, 1, MOST_BATCH_SIZE)
        check_at_least("evaluate_every", self.evaluate_every, 1)
        check_fraction("ema_decay", self.ema_decay)
        check_choice("value_range", self.value_range, tuple(VALUE_RANGES))
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

    def build_generator(self, words: int = 0) -> HybridBlock:
        """The generator: latents (N, input_size) to images, of conditions (N, words) too if any."""
        size, value_range = self.image_size, self.value_range
        architecture = self.generator.architecture
        if not words:
            return architecture.build(self.latent, size, value_range)
        together = replace(self.latent, size=words + self.latent.size)
        return ConditionedGenerator(architecture.build(together, size, value_range))

    def to_mapping(self) -> dict[str, Any]:
        """The recipe as plain YAML values, as ``any_from_mapping`` reads it."""
        mapping: dict[str, Any] = schema().write(self)
        return mapping


@dataclass(frozen=True)
class Recipe(AnyRecipe):
    """All that decides a GAN's training run, but for the pictures and the seed.

    Attributes:
        objective: what generator and discriminator learn from.
        condition: how the discriminator is told of the pictures' words; null to train without any.
        penalty: what is added to the discriminator's loss.
        discriminator_steps: updates of the discriminator before each of the generator.
        epochs: passes over the pictures.
        horizontal_flip: whether half of the pictures are mirrored.
        rotation_degrees: each picture is turned by an angle drawn evenly up to this, either way.
        jitter: how far each picture is moved and its colours are changed at random; null for not at
            all.
        crop_from: pictures are resized to this size, and image_size in their middle is kept; null
            to resize them to image_size at once.
        held_out: the share of the pictures that is never trained on, to measure a generator by.
        validation: the share of the pictures that is never trained on, to choose a checkpoint by.
        instance_selection: the share of the other pictures that is trained on, those that are most
            like all the others (DeVries et al. 2020, https://arxiv.org/abs/2007.15255).
        batches: real and generated pictures are shown to the discriminator apart (tip 4 of
            ganhacks: with batch norm that helps it to tell them), or mixed in one batch.
        generated_batches: fresh for each update, or reused: the generator learns from the pictures
            that the discriminator's last update was shown, and draws once less a step.
        precision: the number format that convolutions multiply in while training, float32 or
            bfloat16, which is faster on processors that have it; weights are float32 all the same.
        augmentation: what all pictures go through before the discriminator: any of colour,
            translation and cutout (Zhao et al. 2020, https://arxiv.org/abs/2006.10738).
        input_noise: normal noise on what the discriminator sees, which decays with the steps.
        mode_seeking: the weight of a loss that is the smaller, the more two of the generator's
            pictures differ where their latents do, with the same words if there are any (Mao et al.
            2019, equation 3, https://arxiv.org/abs/1903.05628); 0 switches it off.
        negative_augmentation: the weight of the discriminator's loss of real pictures that were
            spoiled on one side, half a batch of them, as if they were generated (Sinha et al. 2021,
            https://arxiv.org/abs/2102.05113); 0 shows it none.
        even_phases: whether each update keeps the gains of all phases of the generator's transposed
            convolutions alike, so that even areas get no checkerboard (Sugawara et al. 2018,
            https://arxiv.org/abs/1806.02658).
    """

    made_by = "edgegan fit"
    name: str
    latent: Latent
    generator: GeneratorRecipe
    discriminator: DiscriminatorRecipe
    objective: Objective
    condition: Optional[Condition] = None  # noqa: UP045 (likewise)
    penalty: Optional[Penalty] = None  # noqa: UP045 (pydantic evaluates it, on Python 3.9 too)
    image_size: int = 64
    batch_size: int = 64
    discriminator_steps: int = 1
    epochs: float = 100.0
    evaluate_every: int = 250
    ema_decay: float = 0.999
    horizontal_flip: bool = True
    rotation_degrees: float = 0.0
    jitter: Optional[Jitter] = None  # noqa: UP045 (pydantic evaluates it, on Python 3.9 too)
    crop_from: Optional[int] = None  # noqa: UP045 (likewise)
    value_range: str = "signed"
    held_out: float = HELD_OUT
    validation: float = VALIDATION
    instance_selection: float = 1.0
    batches: str = "apart"
    generated_batches: str = "fresh"
    precision: str = "float32"
    augmentation: tuple[str, ...] = ()
    input_noise: Optional[InputNoise] = None  # noqa: UP045 (likewise)
    mode_seeking: float = 0.0
    negative_augmentation: float = 0.0
    even_phases: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        check_choice("batches", self.batches, BATCHES)
        check_choice("generated_batches", self.generated_batches, GENERATED_BATCHES)
        check_choice("precision", self.precision, PRECISIONS)
        for transformation in self.augmentation:
            check_choice("augmentation", transformation, list(TRANSFORMATIONS))
        check_at_least("discriminator_steps", self.discriminator_steps, 1)
        check_positive("epochs", self.epochs)
        check_not_negative("mode_seeking", self.mode_seeking)
        if self.mode_seeking and self.batch_size % 2:
            raise ValueError(
                f"batch_size is {self.batch_size}, expected an even number: mode_seeking compares "
                "one half of a batch with the other"
            )
        self._check_negative_augmentation()
        check_between("rotation_degrees", self.rotation_degrees, 0, 180)
        check_fraction("held_out", self.held_out)
        check_fraction("validation", self.validation)
        if self.held_out + self.validation >= 1:
            raise ValueError(
                f"held_out is {self.held_out} and validation {self.validation}, expected less "
                "than 1 together: the rest is trained on"
            )
        if not 0 < self.instance_selection <= 1:
            raise ValueError(
                f"instance_selection is {self.instance_selection}, expected more than 0, up to 1"
            )
        self.discriminator.architecture.check(self.image_size)
        self.objective.check(self.discriminator.architecture, self.image_size)
        if self.condition:
            self.condition.check(self.discriminator.architecture)
        if self.penalty:
            if not self.objective.allows_penalty:
                raise ValueError(
                    f"penalty is {self.penalty.name}, expected none beside objective "
                    f"{self.objective.name} as it is set"
                )
            self.penalty.check(self.build_discriminator(SOME_GROUPS))
        if self.precision == "bfloat16":
            bfloat16.check(self.build_generator())
            bfloat16.check(self.discriminator.architecture.build(self.image_size))
        if self.crop_from is not None:
            check_between("crop_from", self.crop_from, self.image_size, MOST_CROP_FROM)

    def _check_negative_augmentation(self) -> None:
        check_not_negative("negative_augmentation", self.negative_augmentation)
        if not self.negative_augmentation:
            return
        if not self.objective.allows_negatives:
            raise ValueError(
                f"negative_augmentation is {self.negative_augmentation}, expected 0 with objective "
                f"{self.objective.name}, which scores pictures by others"
            )
        if self.batch_size < 2:
            raise ValueError(
                f"batch_size is {self.batch_size}, expected 2 or more: negative_augmentation "
                "spoils half of a batch"
            )
        architecture = self.discriminator.architecture
        if isinstance(architecture, TrunkDiscriminator) and architecture.scores_patches:
            raise ValueError(
                f"negative_augmentation is {self.negative_augmentation}, expected 0 with a "
                f"discriminator of {self.discriminator.architecture.network}: most patches of a "
                "spoiled picture are as they were"
            )

    @property
    def objective_name(self) -> str:
        return self.objective.name

    def build_discriminator(self, groups: Sequence[int] = ()) -> HybridBlock:
        """The discriminator: images to scores, with a condition those of conditions too.

        Args:
            groups: how many words each group of the condition has.
        """
        architecture = self.discriminator.architecture
        if self.condition:
            return self.condition.build(architecture, self.image_size, groups)
        return architecture.build(self.image_size)


@dataclass(frozen=True)
class StudentRecipe(AnyRecipe):
    """All that decides the distillation of a student, but for its teacher's pictures and the seed.

    Latents, ``image_size`` and ``value_range`` are the teacher's.

    Attributes:
        steps: updates of the student.
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
        check_at_least("steps", self.steps, 1)
        if self.generator.optimizer.schedule:
            raise ValueError(
                "generator.optimizer.schedule counts epochs, expected null: a student has no epochs"
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


@cache
def schema() -> Schema:
    """What a recipe's mapping may hold: made when it is needed, since it imports every plug-in."""
    choices = {
        AnyRecipe: Choice("kind", {"gan": Recipe, "student": StudentRecipe}),
        GeneratorRecipe: Choice(
            "network", _found("networks", networks.GeneratorArchitecture), GeneratorRecipe
        ),
        DiscriminatorRecipe: Choice(
            "network", _found("networks", networks.DiscriminatorArchitecture), DiscriminatorRecipe
        ),
        Condition: Choice("name", _found("conditions", Condition)),
        Objective: Choice("name", _found("objectives", Objective)),
        Optimizer: Choice("name", _found("optimizers", Optimizer)),
        Penalty: Choice("name", _found("penalties", Penalty)),
        Schedule: Choice("name", _found("schedules", Schedule)),
    }
    return Schema(AnyRecipe, choices)


def _found(package: str, base: Any) -> dict[str, type]:
    return plugins.find(f"edgegan.trainer.{package}", base)


def names() -> list[str]:
    """Names of the recipes that come with the trainer."""
    return sorted(path.stem for path in FOLDER.glob("*.yaml"))


def load(name: str, overrides: list[str] | None = None) -> Recipe:
    """Read the recipe called ``name``, or the YAML file at that path, and apply ``key=value``s.

    Raises:
        UserError: no such recipe, one that extends none, an unknown key, a wrong type or an
            impossible value.
    """
    path = _path_of(name, Path())
    if not path.is_file():
        raise UserError(_missing(name))
    origin = str(path) if Path(name) == path else f"recipe {name}"
    mapping = _with_overrides({"name": path.stem, **_read_file(path)}, overrides or [])
    return from_mapping(mapping, origin)


def load_student(overrides: list[str], of_teacher: dict[str, Any]) -> StudentRecipe:
    """Read the student's recipe, apply ``key=value``s and add what its teacher decides.

    Args:
        of_teacher: the values, some nested, that are the teacher's and no others.

    Raises:
        UserError: an unknown key, a wrong type, an impossible value, or another than the teacher's.
    """
    mapping = _with_overrides(_read_file(STUDENT), overrides)
    expected = flat(of_teacher)
    for key, value in flat(mapping).items():
        parent = key.partition(".")[0]
        if parent in of_teacher and expected.get(key) != value:
            teachers = expected.get(key, of_teacher[parent])
            raise UserError(f"{key} is {value!r}, expected {teachers!r} as the teacher has it")
    return _of_kind(StudentRecipe, {**mapping, **of_teacher}, f"recipe {mapping['name']}")


def override(recipe: R, overrides: list[str]) -> R:
    """The recipe with ``key=value``s applied; raises UserError as ``load`` does."""
    mapping = _with_overrides(recipe.to_mapping(), overrides)
    return _of_kind(type(recipe), mapping, f"recipe {recipe.name}")


def differences(recipe: AnyRecipe, other: AnyRecipe) -> dict[str, str]:
    """The keys in which two recipes differ, each with both values in words."""
    values, others = flat(recipe.to_mapping()), flat(other.to_mapping())
    return {
        key: f"{key} {values.get(key)}, not {others.get(key)}"
        for key in [*values, *others]
        if values.get(key) != others.get(key)
    }


def first_difference(recipe: AnyRecipe, other: AnyRecipe) -> str:
    """The first key in which two recipes differ, with both values; empty where none does."""
    return next(iter(differences(recipe, other).values()), "")


def from_mapping(mapping: dict[str, Any], origin: str) -> Recipe:
    """Build a GAN's checked recipe from plain values; ``origin`` names their file in errors."""
    return _of_kind(Recipe, mapping, origin)


def any_from_mapping(mapping: dict[str, Any], origin: str) -> AnyRecipe:
    """Build a checked recipe of either kind, as older versions wrote it too."""
    if not isinstance(mapping, dict):
        raise UserError(f"{origin} holds {type(mapping).__name__}, expected keys and values")
    try:
        recipe: AnyRecipe = schema().read(modern(mapping))
    except ValueError as error:
        raise UserError(f"{origin}: {error}") from error
    return recipe


def _of_kind(kind: type[R], mapping: dict[str, Any], origin: str) -> R:
    recipe = any_from_mapping(mapping, origin)
    if not isinstance(recipe, kind):
        raise UserError(f"{origin} is a recipe of {recipe.made_by}, expected one of {kind.made_by}")
    return recipe


def _path_of(name: str, folder: Path) -> Path:
    """Where a recipe called that is: a shipped one, or a path from ``folder``."""
    return folder / name if name.endswith(SUFFIXES) else FOLDER / f"{name}.yaml"


def _missing(name: str) -> str:
    """What is said where there is no recipe of that name; raises UserError of an address."""
    if name == STUDENT.stem:
        return f"recipe {name} is of {StudentRecipe.made_by}, expected one of {Recipe.made_by}"
    if Path(name).exists():
        return f"{name!r} is no recipe, expected the name of one or a YAML file (.yaml)"
    check_no_address("recipe", name)
    if name.endswith(SUFFIXES):
        return f"no such recipe: {name}"
    known = suggestion(name, names())
    return f"recipe {name!r} does not exist: {known}, or the path of a YAML file"


def _read_file(path: Path, children: tuple[Path, ...] = ()) -> dict[str, Any]:
    """The mapping in a YAML file: where it ``extends`` a recipe, that with what it changes.

    ``children`` are the files that extend it, which it cannot extend.
    """
    try:
        mapping = parse_yaml(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise UserError(f"recipe {path} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise UserError(f"recipe {path} is no valid YAML: {error}") from error
    if not isinstance(mapping, dict):
        found = "nothing" if mapping is None else f"a {type(mapping).__name__}"
        raise UserError(f"{path} holds {found}, expected keys and values")
    if "extends" not in mapping:
        return mapping
    name = mapping.pop("extends")
    if not isinstance(name, str):
        raise UserError(f"{path}: extends is {name!r}, expected a recipe's name or a YAML file")
    parent = _path_of(name, path.parent)
    if name == STUDENT.stem:
        raise UserError(f"{path} extends {name!r}: {_missing(name)}")
    if not parent.is_file():
        raise UserError(
            f"{path} extends {name!r}, which does not exist: {suggestion(name, names())}, or the "
            "path of a YAML file from the one that extends it"
        )
    family = (*children, path.resolve())
    if parent.resolve() in family:
        raise UserError(f"{path} extends {name!r}, which extends it: expected one that does not")
    inherited = _read_file(parent, family)
    inherited.pop("name", None)
    return merged(inherited, mapping)


def _with_overrides(mapping: dict[str, Any], overrides: list[str]) -> dict[str, Any]:
    """The mapping with ``key=value``s applied, in today's words."""
    mapping = copy.deepcopy(modern(mapping))
    for item in overrides:
        _apply_override(mapping, item)
    return modern(mapping)


def _apply_override(mapping: dict[str, Any], override: str) -> None:
    """Set ``a.b=value`` in nested mappings; the value is read as YAML."""
    key, equals, text = override.partition("=")
    *parents, last = key.split(".")
    if not equals or not all([*parents, last]):
        raise UserError(f"--set {override!r} is not understood: expected key=value")
    for parent in parents:
        if mapping.get(parent) is None:
            mapping[parent] = {}
        if not isinstance(mapping[parent], dict):
            found = mapping[parent]
            raise UserError(f"--set {override!r}: {parent} is {found!r} and has no keys in it")
        mapping = mapping[parent]
    try:
        mapping[last] = parse_yaml(text)
    except ValueError as error:
        raise UserError(f"--set {override!r}: {text!r} is no YAML value") from error
    _forget_others(mapping, parents, last)


def _forget_others(mapping: dict[str, Any], path: list[str], key: str) -> None:
    """Where ``key`` names another kind of part now, drop what that kind has not."""
    table = schema()
    part = table.at(path)
    kind = table.kind_of(part, mapping)
    if path and kind and key == table.choices[part].key:
        for other in mapping.keys() - table.fields(part, kind).keys():
            del mapping[other]
