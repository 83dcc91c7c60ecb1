"""Checkpoints: one file that holds all that a run needs to go on, written whole or not at all."""

from __future__ import annotations

import json
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, overload

import numpy as np

from edgegan.runtime.errors import UserError
from edgegan.runtime.files import atomic_write
from edgegan.runtime.run_folder import FORMAT_VERSION, HEADER, open_checkpoint
from edgegan.runtime.words import Words
from edgegan.trainer import recipe as recipes
from edgegan.trainer.bfloat16 import stored_parameters
from edgegan.trainer.framework import HybridBlock
from edgegan.trainer.old_recipes import of_checkpoint
from edgegan.trainer.recipe import R, Recipe


@dataclass(frozen=True)
class Checkpoint(Generic[R]):
    """A run's state after ``facts["step"]`` generator steps.

    ``arrays`` holds what ``GeneratorTraining.state`` gives, by names such as ``generator/…``,
    ``ema/…`` and ``generator_optimizer/…``; ``facts`` the run's counts: step, seed, pictures and
    score.
    """

    recipe: R
    facts: dict[str, Any]
    arrays: dict[str, np.ndarray]

    def save(self, path: Path) -> None:
        """Write the checkpoint to ``path``; a failure leaves what stood there as it was.

        Raises:
            UserError: it cannot be written (full disk, no permission).
        """
        header = {
            "format_version": FORMAT_VERSION,
            "recipe": self.recipe.to_mapping(),
            "facts": self.facts,
        }
        arrays = {HEADER: np.array(json.dumps(header)), **self.arrays}
        # As np.savez writes it, which leaves its file half open where the disk is full.
        with atomic_write(path) as temporary, zipfile.ZipFile(temporary, "w") as archive:
            for name, array in arrays.items():
                with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                    np.lib.format.write_array(member, array, allow_pickle=False)


@overload
def load(path: Path) -> Checkpoint[Recipe]: ...


@overload
def load(path: Path, kind: type[R]) -> Checkpoint[R]: ...


def load(path: Path, kind: type[Any] = Recipe) -> Checkpoint[Any]:
    """Read the checkpoint at ``path``, with a recipe of that kind.

    Raises:
        UserError: no such file, a truncated one, or one that is no checkpoint of ours or of another
            kind of recipe.
    """
    with open_checkpoint(path) as (header, stored):
        arrays = {name: stored[name] for name in stored if name != HEADER}
    mapping = of_checkpoint(header.recipe) if isinstance(header.recipe, dict) else header.recipe
    recipe = recipes.any_from_mapping(mapping, str(path))
    if not isinstance(recipe, kind):
        raise UserError(
            f"{path} is a checkpoint of {recipe.made_by}, expected one of {kind.made_by}"
        )
    return Checkpoint(recipe, header.facts, arrays)


def words_of(source: Checkpoint[Any]) -> Words | None:
    """The words that the networks of a checkpoint take; None where they take none.

    Raises:
        UserError: they are malformed.
    """
    stored = source.facts.get("words")
    if stored is None:
        return None
    try:
        return Words.from_json(stored)
    except ValueError as error:
        raise UserError(
            f"a checkpoint of recipe {source.recipe.name} has malformed words, expected {error}"
        ) from error


def check_scores_pictures(source: Checkpoint[Recipe], path: Path) -> None:
    """Raise UserError where the discriminator of the checkpoint at ``path`` scores batches only."""
    discriminator = source.recipe.discriminator.architecture
    if discriminator.scores_batches:
        raise UserError(
            f"{path} has the discriminator {discriminator.network}, which scores a picture by the "
            "others of its batch: expected one that scores single pictures"
        )


def part_of(arrays: dict[str, np.ndarray], name: str) -> dict[str, np.ndarray]:
    """The arrays whose names begin with ``name/``, without it."""
    prefix = f"{name}/"
    return {key[len(prefix) :]: array for key, array in arrays.items() if key.startswith(prefix)}


def network_arrays(network: HybridBlock) -> dict[str, np.ndarray]:
    """All parameters and running statistics of a network, by name within it."""
    return {
        name[len(network.prefix) :]: parameter.data().asnumpy()
        for name, parameter in stored_parameters(network).items()
    }


def set_network_arrays(network: HybridBlock, arrays: dict[str, np.ndarray]) -> None:
    """Set what ``network_arrays`` gave.

    Raises:
        UserError: names or shapes are those of another network.
    """
    parameters = stored_parameters(network)
    found = {network.prefix + name: array.shape for name, array in arrays.items()}
    expected = {name: parameter.shape for name, parameter in parameters.items()}
    if found != expected:
        names = sorted(name for name, _ in set(found.items()) ^ set(expected.items()))
        raise UserError(f"the checkpoint is of another network: {names[0]} differs")
    for name, parameter in parameters.items():
        parameter.set_data(arrays[name[len(network.prefix) :]])
