"""How a generator is named: which file a name stands for, and what else it may be."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from edgegan.runtime.errors import UserError
from edgegan.runtime.models import (
    CHECKPOINT,
    FILE,
    RUN,
    SHIPPED,
    find_model,
    find_run,
    identify,
    shipped_models,
)
from edgegan.runtime.run_folder import BEST, LAST, read_header


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A run's folder, runs/faces, named from where it is."""
    monkeypatch.chdir(tmp_path)
    folder = Path("runs/faces")
    folder.mkdir(parents=True)
    write_checkpoint(folder / LAST)
    return folder


def write_checkpoint(path: Path, version: int = 1) -> None:
    header = {"format_version": version, "recipe": {"name": "x"}, "facts": {"step": 7}}
    np.savez(path, header=np.array(json.dumps(header)), weights=np.zeros(1000))


def refusal(find: object, name: str | Path) -> str:
    with pytest.raises(UserError) as refused:
        find(name)
    return str(refused.value)


def test_every_kind_of_name(run: Path) -> None:
    assert identify("dcgan") == (SHIPPED, shipped_models()["dcgan"])
    assert identify("dcgan.onnx") == (FILE, Path("dcgan.onnx"))
    assert identify("runs/faces") == (RUN, run)
    assert identify(run) == (RUN, run)
    assert identify(run / LAST) == (CHECKPOINT, run / LAST)


def test_a_folder_with_a_shipped_name_is_named_by_its_path(run: Path) -> None:
    run.rename("dcgan")
    assert identify("dcgan").kind == SHIPPED
    assert identify("./dcgan") == identify(Path.cwd() / "dcgan")._replace(path=Path("dcgan"))
    assert find_run("dcgan") == Path("dcgan") / LAST  # which no shipped model could be


def test_what_draws_is_told_how_to_export_a_run(run: Path) -> None:
    assert find_model("wgan") == shipped_models()["wgan"]
    assert find_model("some.onnx") == Path("some.onnx")
    expected = "runs/faces is a run: export it first with edgegan export runs/faces -o faces.onnx"
    assert refusal(find_model, "runs/faces") == expected
    assert "runs/faces/last.npz is a checkpoint: export it first with " in refusal(
        find_model, "runs/faces/last.npz"
    )
    assert "-o faces.onnx" in refusal(find_model, run.resolve())


def test_what_takes_a_run_is_told_what_it_was_given(run: Path) -> None:
    assert find_run(run) == run / LAST
    write_checkpoint(run / BEST)
    assert find_run("runs/faces") == run / BEST
    assert find_run(run / LAST) == run / LAST
    assert refusal(find_run, "dcgan").startswith("dcgan is a shipped model, not a run: expected")
    Path("a.onnx").touch()
    assert refusal(find_run, "none.onnx").startswith("no such file or folder: none.onnx, expected")
    assert refusal(find_run, "a.onnx").startswith("a.onnx is an exported file, not a run: expected")
    assert refusal(find_run, "runs").startswith("no checkpoint in runs, expected")
    assert refusal(find_run, "none").startswith("no such file or folder: none, expected a run's")


def test_what_is_nothing(run: Path) -> None:
    assert refusal(identify, "dcgn").endswith("or the path of an .onnx file")
    assert refusal(identify, "").startswith("model '' is neither a file nor a shipped model")
    assert refusal(find_model, "runs/none.npz") == "no such checkpoint: runs/none.npz"
    assert refusal(identify, "runs") == "runs is a folder without a run: no checkpoint is in it"


def test_a_checkpoints_header_is_read_without_its_arrays(run: Path) -> None:
    header = read_header(run / LAST)
    assert (header.recipe, header.facts) == ({"name": "x"}, {"step": 7})
    write_checkpoint(run / BEST, version=2)
    assert "best.npz has format version 2, expected 1" in refusal(read_header, run / BEST)
    (run / BEST).write_bytes((run / LAST).read_bytes()[:500])
    assert "best.npz is truncated or no checkpoint" in refusal(read_header, run / BEST)
    assert re.search("no such checkpoint: .*none.npz", refusal(read_header, run / "none.npz"))


def test_names_are_listed_without_onnxruntime() -> None:
    program = (
        "import sys\n"
        "for name in ('onnxruntime', 'cv2', 'mxnet'): sys.modules[name] = None\n"
        "from edgegan.runtime.models import shipped_models\n"
        "print(*shipped_models())"
    )
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert ended.stdout.split() == [b"cgan", b"cgan_student", b"dcgan", b"student", b"wgan"]
