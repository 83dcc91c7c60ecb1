"""The command edgegan: what it lists, what it needs, and what it says of files, runs and models."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from importlib import metadata, util
from pathlib import Path

import mxnet as mx
import numpy as np
import onnx
import pytest

from edgegan.__main__ import COMMANDS, main
from edgegan.runtime.errors import FAULT, UserError
from edgegan.runtime.onnx_file import read_facts
from edgegan.runtime.run_folder import BEST, JUDGE, LAST
from edgegan.trainer.checkpoint import Checkpoint, load
from edgegan.trainer.loop import Training
from edgegan.trainer.recipe import load_student
from edgegan.trainer.student import Distillation
from export_help import METADATA
from training_help import tiny_recipe
from words_help import WORDS, make_conditional_discriminator, make_conditional_generator

REPOSITORY = Path(__file__).parents[1]
MODELS = REPOSITORY / "runtime" / "models"

# The command where packages, named in the first argument, are not installed.
WITHOUT = """
import sys
for name in sys.argv.pop(1).split(","): sys.modules[name] = None
from edgegan.__main__ import run
run()
"""

# The help of every command where of some packages, named in the argument, only those are installed
# that the command names; prints the statuses. Each has a process, forked from one that has mxnet,
# since that takes long to import.
HELP = """
import json, os, sys
absent = set(sys.argv.pop(1).split(","))
sys.modules.update(dict.fromkeys(absent))
import edgegan.trainer.framework
from edgegan.__main__ import COMMANDS, run
statuses = {}
for name, command in COMMANDS.items():
    process = os.fork()
    if process == 0:
        for package in absent.intersection(command.needs): del sys.modules[package]
        os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
        sys.argv[1:] = [name, "--help"]
        run()
    statuses[name] = os.waitpid(process, 0)[1]
print(json.dumps(statuses))
"""


def edgegan(*arguments: str, without: str = "") -> tuple[int, str, str]:
    """The command's status, stdout and stderr, in a process of its own."""
    start = ["-c", WITHOUT, without] if without else ["-m", "edgegan"]
    ended = subprocess.run(
        [sys.executable, *start, *arguments],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert FAULT not in ended.stderr
    return ended.returncode, ended.stdout, ended.stderr


# What there is


def test_help_lists_every_command_with_what_it_is_for(capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ([], ["-h"], ["--help"]):
        assert main(arguments) == 0
        drawing, training = capsys.readouterr().out.split("need the training packages")
        for name, command in COMMANDS.items():
            assert f"  {name:<13}{command.purpose}" in (training if command.needs else drawing)
    assert "pip install '.[train]'" in training


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_there_and_has_help(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert util.find_spec(COMMANDS[name].module) is not None
    with pytest.raises(SystemExit) as ended:
        main([name, "--help"])
    assert ended.value.code == 0
    assert f"usage: edgegan {name}" in capsys.readouterr().out


def test_the_installed_program_and_the_module_are_one() -> None:
    program = Path(sys.executable).with_name("edgegan")
    told = subprocess.run([program, "--help"], capture_output=True, text=True, check=True).stdout
    assert edgegan("--help") == (0, told, "")


def test_versions_are_those_of_what_is_installed() -> None:
    status, out, _ = edgegan("--version")
    found = dict(line.split(maxsplit=1) for line in out.splitlines())
    assert status == 0
    assert found["Python"] == ".".join(map(str, sys.version_info[:3]))
    for title, distribution in (("edgegan", "edgegan"), ("numpy", "numpy"), ("onnx", "onnx")):
        assert found[title] == metadata.version(distribution)
    assert next(iter(found)) == "edgegan"
    assert {"onnxruntime", "OpenCV", "Pillow", "mxnet", "gluoncv"} < found.keys()


def test_a_version_of_what_is_not_installed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installed = {"numpy": "2.0.1", "onnxruntime-gpu": "1.26.0"}

    def version(name: str) -> str:
        if name not in installed:
            raise metadata.PackageNotFoundError(name)
        return installed[name]

    monkeypatch.setattr(metadata, "version", version)
    assert main(["--version"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert "onnxruntime  1.26.0 (onnxruntime-gpu)" in lines
    assert "mxnet        not installed" in lines


def test_an_unknown_command() -> None:
    status, out, err = edgegan("genrate")
    assert (status, out) == (2, "")
    assert err.startswith("error: command 'genrate' is unknown: did you mean generate")
    assert len(err.splitlines()) == 1


@pytest.mark.parametrize("name", [name for name, command in COMMANDS.items() if command.needs])
def test_what_is_not_installed_is_named_with_how_to_install_it(name: str) -> None:
    needs = COMMANDS[name].needs
    status, out, err = edgegan(name, "--help", without=",".join(needs))
    assert (status, out) == (2, "")
    verb = "is" if len(needs) == 1 else "are"
    named = " and ".join(needs)
    assert err.startswith(f"error: edgegan {name} needs {named}, which {verb} not installed: ")
    assert "pip install '.[train]'" in err
    assert len(err.splitlines()) == 1


def test_what_is_not_named_is_not_needed() -> None:
    """mxnet's own imports apart, which are installed with it."""
    others = "yaml,tensorboardX,tensorboard,matplotlib,jinja2,gluoncv"
    ended = subprocess.run(
        [sys.executable, "-c", HELP, others],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(ended.stdout) == dict.fromkeys(COMMANDS, 0), ended.stderr


def test_what_draws_needs_nothing_that_trains(tmp_path: Path) -> None:
    training = "mxnet,onnx,yaml,gluoncv,tensorboardX,matplotlib,jinja2"
    for arguments in (["--help"], ["--version"], ["show", "dcgan"], ["providers", "--help"]):
        assert edgegan(*arguments, without=training)[0] == 0
    grid = tmp_path / "grid.png"
    assert edgegan("generate", "--output", str(grid), without=training)[0] == 0
    assert grid.exists()


# edgegan show


@pytest.fixture
def show(capsys: pytest.CaptureFixture[str]) -> Callable[..., dict[str, str]]:
    """The first line, under "", and the others by their first words."""

    def run(name: str | Path) -> dict[str, str]:
        assert main(["show", str(name)]) == 0
        first, *lines = capsys.readouterr().out.splitlines()
        width = max(line.index("  ") for line in lines)
        start = next(n for n in range(width, 99) if all(line[n - 1] == " " for line in lines))
        return {"": first, **{line[:start].strip(): line[start:].strip() for line in lines}}

    return run


@pytest.mark.parametrize("name", ["dcgan", "wgan", "student"])
def test_a_shipped_model(name: str, show: Callable[..., dict[str, str]]) -> None:
    path = MODELS / f"{name}.onnx"
    model = onnx.load(str(path))
    found = show(name)
    assert found[""].startswith(f"{name}: a shipped model, ")
    assert found[""].endswith(f"{path.stat().st_size / 1e6:.2f} MB")
    strings = {entry.key: entry.value for entry in model.metadata_props}
    assert found["recipe"] == strings["edgegan.recipe"] == name
    assert found["objective"] == strings["edgegan.objective"]
    assert found["images seen"].replace(",", "") == strings["edgegan.images_seen"]
    assert found["latent"] == "128 numbers, normal"
    assert found["value range"] == "black is -1, white is 1"
    assert found["opset"] == str(model.opset_import[0].version)
    assert found["input"] == "latent float32 N x 128"
    as_bytes = model.graph.output[0].type.tensor_type.elem_type == onnx.TensorProto.UINT8
    assert ("pictures as bytes" in found["output"]) == as_bytes


@pytest.mark.parametrize("name", ["dcgan", "wgan", "student"])
def test_weights_are_counted_as_onnx_reads_them(name: str) -> None:
    content = (MODELS / f"{name}.onnx").read_bytes()
    model = onnx.load_model_from_string(content)
    counts: dict[str, int] = {}
    for tensor in model.graph.initializer:
        kind = str(onnx.numpy_helper.to_array(tensor).dtype)
        counts[kind] = counts.get(kind, 0) + int(np.prod(tensor.dims))
    facts = read_facts(content)
    assert facts.weights == counts
    assert list(facts.weights.values()) == sorted(counts.values(), reverse=True)
    assert facts.opset == model.opset_import[0].version


def test_dimensions_are_read_packed_or_not() -> None:
    tensor = onnx.helper.make_tensor(
        "t", onnx.TensorProto.FLOAT16, [300, 2], b"\0" * 1200, raw=True
    )
    graph = onnx.helper.make_graph([], "g", [], [], [tensor])
    opsets = [onnx.helper.make_opsetid("com.microsoft", 1), onnx.helper.make_opsetid("", 17)]
    content = onnx.helper.make_model(graph, opset_imports=opsets).SerializeToString()
    assert read_facts(content).opset == 17
    assert read_facts(content).weights == {"float16": 600}
    apart = b"\x08\xac\x02\x08\x02"  # dims as two fields of their own: 300, 2
    assert apart in content
    packed = content.replace(apart, b"\x0a\x03\xac\x02\x02")
    assert read_facts(packed).weights == {"float16": 600}


def test_a_discriminators_file(
    make_discriminator: Callable[..., Path], show: Callable[..., dict[str, str]]
) -> None:
    path = make_discriminator(metadata=replace(METADATA, value_range=(0.0, 1.0)))
    found = show(path)
    assert found[""].startswith(f"{path}: an exported file, ")
    assert found["part"] == "discriminator"
    assert found["output"] == "score float32 N"
    assert found["value range"] == "black is 0, white is 1"
    assert "latent" not in found


def test_a_file_that_takes_words(tmp_path: Path, show: Callable[..., dict[str, str]]) -> None:
    for make in (make_conditional_generator, make_conditional_discriminator):
        found = show(make(tmp_path / "x.onnx"))
        assert found["input"].endswith(" 16, condition float32 N x 5")
        assert found["words of hair"] == "3: blond, blue, red"
        assert found["words of eyes"] == "2: blue, green"
        assert found["combinations"] == "4 of 6, of 7 pictures"


@pytest.fixture
def run(tmp_path: Path) -> Path:
    """A run that began with another and was stopped at step 7 of 9; its best is step 5."""
    chosen = tiny_recipe("wgan")
    state = Training(chosen, 3, mx.cpu(), pictures=100).state()
    stage = {"recipe": {"name": "lsgan"}, "seed": 1, "step": 2000, "images_seen": 64000}
    facts = {
        "step": 7,
        "total_steps": 9,
        "seed": 3,
        "images_seen": 64140,
        "pictures": 1234,
        "minutes": 1.25,
        "best_faces": 20.5,
        "stages": [stage],
    }
    folder = tmp_path / "run"
    Checkpoint(chosen, facts, state).save(folder / LAST)
    for name in (BEST, JUDGE):
        Checkpoint(chosen, {**facts, "step": 5}, state).save(folder / name)
    for name in ("grids/0000005.png", "grids/0000007.png", "events.1", "evaluation.json"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).touch()
    return folder


def test_a_run(run: Path, show: Callable[..., dict[str, str]]) -> None:
    assert show(run) == {
        "": f"{run}: a run",
        "made by": "edgegan fit",
        "recipe": "wgan",
        "step": "7 of 9",
        "seed": "3",
        "images seen": "64,140",
        "minutes": "1.2",
        "best faces": "20.50 of 25",
        "pictures": "1,234",
        "began with": "recipe lsgan, step 2,000, 64,000 images seen",
        "holds": "last.npz, best.npz, judge.npz, grids/ (2 pictures), events* (1 file), "
        "evaluation.json",
        "to use it": f"edgegan export {run} -o run.onnx",
    }


def test_a_run_with_words(run: Path, show: Callable[..., dict[str, str]]) -> None:
    assert "combinations" not in show(run)
    checkpoint = load(run / LAST)
    for name, words in (("good.npz", WORDS.to_json()), ("bad.npz", "{}")):
        facts = {**checkpoint.facts, "words": words}
        Checkpoint(checkpoint.recipe, facts, checkpoint.arrays).save(run / name)
    found = show(run / "good.npz")
    assert found["words of eyes"] == "2: blue, green"
    assert found["combinations"] == "4 of 6, of 7 pictures"
    with pytest.raises(UserError, match=r"bad\.npz is no checkpoint .*: its words is '{}'"):
        show(run / "bad.npz")


def test_a_checkpoint(run: Path, show: Callable[..., dict[str, str]]) -> None:
    found = show(run / BEST)
    assert found[""].startswith(f"{run / BEST}: a checkpoint, ")
    assert found["step"] == "5 of 9"
    assert "holds" not in found


def test_a_run_is_read_without_mxnet(run: Path) -> None:
    status, out, _ = edgegan("show", str(run), without="mxnet,yaml")
    assert status == 0
    assert "images seen  64,140" in out


def test_a_student_and_older_facts(tmp_path: Path, show: Callable[..., dict[str, str]]) -> None:
    latent = {"size": 6, "distribution": "normal"}
    of_teacher = {"latent": latent, "image_size": 8, "value_range": "signed"}
    chosen = load_student(["generator.width=4"], of_teacher)
    state = Distillation(chosen, 0, mx.cpu()).state()
    Checkpoint(chosen, {"step": 4, "best_faces": -1.0}, state).save(tmp_path / "student" / LAST)
    found = show(tmp_path / "student")
    assert found["made by"] == "edgegan distil"
    assert found["best faces"] == "not counted"
    assert found["seed"] == "not noted"


def test_several_names(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["show", "dcgan", str(run)]) == 0
    assert [part.split(":")[0] for part in capsys.readouterr().out.split("\n\n")] == [
        "dcgan",
        str(run),
    ]


def test_what_is_none_of_ours(
    tmp_path: Path, make_generator: Callable[..., Path], run: Path
) -> None:
    def refusal(name: str | Path) -> str:
        with pytest.raises(UserError) as refused:
            main(["show", str(name)])
        return str(refused.value)

    (tmp_path / "text.txt").write_text("text")
    neither = "text.txt is neither an ONNX model nor a checkpoint nor a run's folder"
    assert refusal(tmp_path / "text.txt").endswith(neither)
    (tmp_path / "text.onnx").write_text("text")
    assert refusal(tmp_path / "text.onnx").endswith("text.onnx is no ONNX model")
    others = make_generator("others.onnx", metadata={})
    assert "others.onnx is not a generator of this project" in refusal(others)
    assert "folder without a run" in refusal(tmp_path)
    assert "did you mean dcgan" in refusal("dcgn")
    assert "cannot read" in refusal(tmp_path / "none.onnx")
    header = {"format_version": 9, "recipe": {}, "facts": {}}
    np.savez(run / "later.npz", header=np.array(json.dumps(header)))
    assert "has format version 9, expected 1" in refusal(run / "later.npz")
