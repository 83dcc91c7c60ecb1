"""How a generator is named, everywhere: a shipped name, an .onnx file, a run or a checkpoint of it.

A shipped name comes first: a folder of the same name is written ./NAME, but where only a run can be
meant.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from edgegan.runtime.choices import suggestion
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import check_no_address
from edgegan.runtime.run_folder import find_checkpoint, is_run

MODELS = Path(__file__).parent / "models"
DISCRIMINATOR_SUFFIX = ".discriminator.onnx"  # of the file beside NAME.onnx
CHECKPOINT_SUFFIX = ".npz"

SHIPPED = "a shipped model"
FILE = "an exported file"
RUN = "a run"
CHECKPOINT = "a checkpoint"


class Named(NamedTuple):
    """What a name stands for: SHIPPED, FILE, RUN or CHECKPOINT, and where that is."""

    kind: str
    path: Path

    @property
    def is_onnx(self) -> bool:
        """Whether onnxruntime can draw with it: a run has to be exported first."""
        return self.kind in (SHIPPED, FILE)


def shipped_models() -> dict[str, Path]:
    """Return the generators that come with the runtime: their files, by name."""
    return {
        path.stem: path
        for path in sorted(MODELS.glob("*.onnx"))
        if not path.name.endswith(DISCRIMINATOR_SUFFIX)
    }


def discriminator_beside(generator: Path) -> Path:
    """Where the discriminator is that belongs to a generator's file."""
    return generator.with_name(generator.stem + DISCRIMINATOR_SUFFIX)


def identify(name: str | Path) -> Named:
    """Say what a name stands for; a file is not opened for it.

    Raises:
        UserError: it is no shipped name and nothing is there, an address, or a folder without a
            run.
    """
    shipped = shipped_models()
    if str(name) in shipped:
        return Named(SHIPPED, shipped[str(name)])
    check_no_address("model", str(name))
    path = Path(name)
    if str(name) and path.is_dir():
        if not is_run(path):
            raise UserError(f"{path} is a folder without a run: no checkpoint is in it")
        return Named(RUN, path)
    if path.suffix == CHECKPOINT_SUFFIX:
        if not path.exists():
            raise UserError(f"no such checkpoint: {path}")
        return Named(CHECKPOINT, path)
    if (str(name) and path.exists()) or path.suffix == ".onnx" or len(path.parts) > 1:
        return Named(FILE, path)  # whatever is wrong with it, who reads it says so
    raise UserError(
        f"model {str(name)!r} is neither a file nor a shipped model: {suggestion(name, shipped)}, "
        "or the path of an .onnx file"
    )


def find_model(name: str | Path) -> Path:
    """Return the ONNX file that a name stands for.

    Raises:
        UserError: it is a run or a checkpoint, and the sentence says how to export that; or as
            identify.
    """
    named = identify(name)
    if not named.is_onnx:
        import shlex  # for this message only

        output = f"{named.path.resolve().name.removesuffix(CHECKPOINT_SUFFIX)}.onnx"
        command = shlex.join(["edgegan", "export", str(name), "-o", output])
        raise UserError(f"{name} is {named.kind}: export it first with {command}")
    return named.path


def model_files(name: str | Path) -> list[Path]:
    """What is read of a model: its ONNX file and its discriminator's; raises as find_model."""
    path = find_model(name)
    return [path, discriminator_beside(path)]


def find_run(name: str | Path) -> Path:
    """Return the checkpoint that a name stands for: a run's best, or the last where none is best.

    Raises:
        UserError: it is an ONNX file or a shipped model, or nothing is there.
    """
    path = Path(name)
    if str(name) in shipped_models() and not path.exists():
        raise UserError(
            f"{name} is {SHIPPED}, not a run: expected a run's folder, or a checkpoint in one"
        )
    if path.suffix == ".onnx" and path.is_file():
        raise UserError(
            f"{name} is {FILE}, not a run: expected a run's folder, or a checkpoint in one"
        )
    return find_checkpoint(path)
