"""The command that measures: what it writes and prints, and what it refuses to."""

from __future__ import annotations

import itertools
import json
import sys
import zipfile
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from types import SimpleNamespace

import mxnet as mx
import numpy as np
import pytest

from edgegan.export import optimize, to_onnx
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.run_folder import BEST, EVALUATION, LAST
from edgegan.trainer import checkpoint, evaluate, recipe
from edgegan.trainer.checkpoint import Checkpoint
from edgegan.trainer.data import pack, read_pictures
from edgegan.trainer.loop import Training
from edgegan.trainer.metrics import find_columns
from edgegan.trainer.split import SPLIT_VERSION, split
from edgegan.trainer.student import Distillation
from training_help import encode, part_of, random_picture, tiny_recipe

SIZE = 16
FACTS = {"step": 7, "seed": 0, "images_seen": 448, "pictures": 1000, "minutes": 1.5}
FACTS["split"] = SPLIT_VERSION
Command = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A cache of these tests' own, shared by them: packing is what takes long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EDGEGAN_CACHE", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1,000 pictures, so that about 100 are held out, and not less."""
    path = tmp_path_factory.mktemp("data") / "pictures.zip"
    return write_zip(path, seeds_of_pictures())


def seeds_of_pictures() -> list[int]:
    return seeds_for(100, "held out") + seeds_for(900, "training")


@pytest.fixture(autouse=True)
def detector(monkeypatch: pytest.MonkeyPatch) -> None:
    """Finds 25, 21, 20 and no faces in one grid after the other."""
    found = itertools.cycle([25, 21, 20, 0])
    finds = SimpleNamespace(faces=lambda grid: np.zeros((next(found), 4), np.int32))
    monkeypatch.setattr(evaluate, "find_detector", lambda cascade: finds)


@pytest.fixture
def run(tmp_path: Path, pictures: Path) -> Path:
    """A run on the pictures with a best and a last checkpoint of other weights."""
    digest = pack(pictures, SIZE).digest
    for seed, name in enumerate((BEST, LAST)):
        save_run(tmp_path / "run" / name, seed, pictures_digest=digest)
    return tmp_path / "run"


def save_run(path: Path, seed: int = 0, overrides: tuple[str, ...] = (), **facts: object) -> None:
    """A checkpoint of weights that draw something."""
    chosen = tiny_recipe("dcgan", f"image_size={SIZE}", *overrides)
    training = Training(chosen, seed, mx.cpu(), pictures=100)
    arrays = {name: 10 * array for name, array in training.state().items()}
    Checkpoint(chosen, {**FACTS, **facts}, arrays).save(path)


@pytest.fixture
def command(
    pictures: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Command:
    """The command as a shell runs it: exit status, and what it wrote to stdout and stderr."""

    def call(*arguments: str | Path, data: Path = pictures) -> tuple[int, str, str]:
        words = [*map(str, arguments), "--data", str(data), "--images", "100"]
        monkeypatch.setattr(sys, "argv", ["evaluate", *words])
        capfd.readouterr()
        with pytest.raises(SystemExit) as ended:
            run_command(evaluate.main)
        return ended.value.code, *capfd.readouterr()

    return call


@lru_cache(None)
def picture(seed: int) -> bytes:
    return encode(random_picture(seed, SIZE, SIZE))


def seeds_for(count: int, part: str) -> list[int]:
    """So many seeds whose pictures are in that part."""
    seeds = (n for n in itertools.count() if part_of(picture(n)) == part)
    return list(itertools.islice(seeds, count))


def write_zip(path: Path, seeds: range | list[int]) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for number, seed in enumerate(seeds):
            archive.writestr(f"{number:04}.png", picture(seed))
    return path


def test_a_run_keeps_what_was_measured(command: Command, run: Path, pictures: Path) -> None:
    status, out, _ = command(run)
    assert status == 0
    found = json.loads((run / EVALUATION).read_text())
    assert list(found["metrics"]) == list(found["floor"]["metrics"]) == list(find_columns())
    assert np.isfinite(list(found["metrics"].values())).all()
    assert found["floor"]["metrics"]["frechet_distance"] < found["metrics"]["frechet_distance"]
    about = {key: value for key, value in found.items() if key not in ("metrics", "floor")}
    assert about == {
        "faces": {"mean": 16.5, "minimum": 0, "share_that_passes": 0.5, "grids": 4},
        "features": "colour_classifier",
        "images": 100,
        "reference_images": 100,
        "seed": 0,
        "step": 7,
        "minutes": 1.5,
        "images_seen": 448,
        "checkpoint": BEST,
        "reference": {
            "standing": "held out",
            "digest": pack(pictures, SIZE).digest,
            "split": SPLIT_VERSION,
            "image_size": SIZE,
            "crop_from": None,
            "held_out": 0.1,
        },
    }
    wrote, how, titles, floor, line = out.splitlines()
    assert wrote == f"wrote {run / EVALUATION}"
    assert how.startswith("100 pictures each against 100 that were held out from training,")
    assert floor.startswith("real pictures, 16 x 16  ")
    assert line.startswith(f"{run}  ")
    assert line.endswith("  16.50 (0)")
    for key, column in find_columns().items():  # figures end where their titles do
        end = titles.index(column.title) + len(column.title)
        for shown, measured in ((floor, found["floor"]), (line, found)):
            assert shown[:end].endswith(f"  {column.show(measured['metrics'][key])}")


def test_a_generator_measures_the_same_as_its_export(
    command: Command, run: Path, tmp_path: Path
) -> None:
    """Which draws by another engine, from the moving average of the best checkpoint."""
    onnx = tmp_path / "exported.onnx"
    assert to_onnx.main([str(run), "-o", str(onnx)]) == 0
    status, out, err = command(run, onnx, run / LAST, "--json", "--seed", "3")
    assert status == 0
    assert err.splitlines()[-1] == f"wrote {run / EVALUATION}"
    best, exported, last = json.loads(out)
    assert [entry["name"] for entry in (best, exported, last)] == [
        str(run),
        str(onnx),
        str(run / LAST),
    ]
    for name, value in best["metrics"].items():
        assert exported["metrics"][name] == pytest.approx(value, rel=1e-2, abs=1e-2), name
    assert exported["images_seen"] == 448
    assert best["metrics"] != last["metrics"]
    written = json.loads((run / EVALUATION).read_text())
    assert written == {key: value for key, value in best.items() if key != "name"}


def test_a_student_is_measured_as_its_teacher_is(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "student"
    of_teacher = {"latent": {"size": 6, "distribution": "normal"}, "image_size": SIZE}
    chosen = recipe.load_student(["generator.width=4"], {**of_teacher, "value_range": "signed"})
    facts = {"step": 7, "images_seen": 56, "minutes": 1.5, "teacher": ["0"]}
    Checkpoint(chosen, facts, Distillation(chosen, 0, mx.cpu()).state()).save(folder / LAST)
    assert command(folder)[0] == 0
    found = json.loads((folder / EVALUATION).read_text())
    assert (found["step"], found["checkpoint"]) == (7, LAST)
    assert found["floor"]["metrics"].keys() == find_columns().keys()


def test_a_shipped_model_is_measured_by_its_name(command: Command) -> None:
    status, out, _ = command("wgan", "--json")
    (found,) = json.loads(out)
    assert (status, found["name"]) == (0, "wgan")
    assert found["reference"]["standing"] == "not known"
    assert found["metrics"].keys() == find_columns().keys()


def test_a_single_checkpoint_leaves_the_run_alone(command: Command, run: Path) -> None:
    assert command(run / LAST)[0] == 0
    assert not (run / EVALUATION).exists()


def test_held_out_pictures_are_what_is_measured_against(
    command: Command, pictures: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A generator that draws just them, in another order, is perfect; training pictures are not."""
    packed = pack(pictures, SIZE)
    held_out_images = read_pictures(packed, split(packed, 0.1, 0.05).held_out)

    def perfect(name: str, seed: int) -> evaluate.MeasuredGenerator:
        def draw(first: int, count: int) -> np.ndarray:
            return held_out_images[first : first + count]

        return evaluate.MeasuredGenerator(name, SIZE, None, draw, {})

    monkeypatch.setattr(evaluate, "open_generator", perfect)
    (found,) = json.loads(command("perfect", "--json")[1])
    assert found["metrics"]["frechet_distance"] == pytest.approx(0, abs=1e-3)
    assert found["metrics"]["precision"] == found["metrics"]["recall"] == 1
    assert found["metrics"]["diversity"] == pytest.approx(1, abs=0.05)
    assert found["floor"]["metrics"]["frechet_distance"] > 1


def test_a_seed_measures_the_same_twice_and_another_something_else(
    command: Command, run: Path
) -> None:
    found = [
        json.loads(command(run, "--json", "--seed", seed)[1])[0]["metrics"]
        for seed in ("1", "1", "2")
    ]
    assert found[0] == found[1] != found[2]


def test_without_a_cascade_all_else_is_measured(
    command: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(evaluate, "find_detector", lambda cascade: None)
    status, out, _ = command(run)
    assert status == 0
    assert out.splitlines()[-1].endswith("  -")
    assert json.loads((run / EVALUATION).read_text())["faces"] == {}


def test_pictures_are_looked_at_a_grid_at_a_time() -> None:
    asked = []

    def draw(first: int, count: int) -> np.ndarray:
        asked.append((first, count))
        return np.full((count, SIZE, SIZE, 3), first, np.uint8)

    half_passes = SimpleNamespace(passes=lambda images: np.arange(len(images)) % 2 == 0)
    examiner = evaluate.Examiner(
        lambda images: images[:, 0, 0].astype(np.float32), None, {"half": half_passes}
    )
    seen = examiner.look_at("name", draw, 60)
    assert asked == [(0, 25), (25, 25), (50, 10)]
    assert seen.features[:, 0].tolist() == [0] * 25 + [25] * 25 + [50] * 10
    assert seen.faces == []
    assert seen.shares == {"half": (13 + 13 + 5) / 60}


def refused(answer: tuple[int, str, str], *words: str) -> None:
    status, out, err = answer
    assert status == 2
    assert out == ""
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    for word in words:
        assert word in line


def test_what_is_no_generator_is_refused(command: Command, run: Path, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.onnx").write_bytes(b"no model")
    (run / BEST).write_bytes((run / BEST).read_bytes()[:1000])
    refused(command(tmp_path / "empty"), "empty is a folder without a run")
    refused(command(tmp_path / "none"), "cannot read", "none")
    refused(command("dcgam"), "'dcgam' is neither a file nor a shipped model", "did you mean dcgan")
    refused(command(tmp_path / "bad.onnx"), "bad.onnx is no ONNX model")
    refused(command(tmp_path / "none.onnx"), "cannot read", "none.onnx")
    refused(command(run), BEST, "truncated")
    refused(command(run / LAST, tmp_path / "empty"), "without a run")  # before any is measured


def test_pictures_that_will_not_do_are_refused(command: Command, run: Path, tmp_path: Path) -> None:
    twenty = seeds_for(2, "held out") + seeds_for(18, "training")
    few = write_zip(tmp_path / "few.zip", twenty)
    alike = write_zip(tmp_path / "alike.zip", 1000 * seeds_for(1, "training"))
    refused(command(run, data=few), "few.zip has 2 pictures held out of 20", "at least 100")
    assert "new run" not in command(run, data=few)[2]  # half of them would not do
    refused(command(run, data=alike), "alike.zip has 0 pictures held out of 1000", "at least 100")
    refused(command(run, data=tmp_path / "none"), "no such folder or file")
    damaged = write_zip(tmp_path / "damaged.zip", twenty)
    with zipfile.ZipFile(damaged, "a") as archive:
        archive.writestr("damaged.png", b"no picture")
    refused(command(run, data=damaged), "1 of 21 pictures", "leave them out with --skip-bad")
    status, _, err = command(run, "--skip-bad", data=damaged)
    assert status == 2
    assert "has 2 pictures held out of 20, expected at least" in err  # the bad one is left out
    assert not (run / EVALUATION).exists()


def test_counts_out_of_range_are_refused(command: Command, run: Path) -> None:
    with pytest.raises(UserError, match="--images is '99', expected a whole number from 100"):
        evaluate.main([str(run), "--data", "x", "--images", "99"])


def test_figures_that_cannot_be_kept_are_printed_before_that_is_said(
    command: Command, run: Path
) -> None:
    (run / EVALUATION).mkdir()
    status, out, err = command(run, run / LAST)
    assert status == 2
    assert [line.split("  ")[0] for line in out.splitlines()[-2:]] == [str(run), str(run / LAST)]
    assert err.splitlines()[-1].startswith(f"error: cannot write {run / EVALUATION}")
    status, out, err = command(run, "--json")
    assert (status, len(json.loads(out))) == (2, 1)
    assert err.splitlines()[-1].startswith(f"error: cannot write {run / EVALUATION}")


def test_what_was_not_held_out_is_not_called_so(
    command: Command, run: Path, tmp_path: Path, pictures: Path
) -> None:
    """Each of these is measured against the same pictures, which were something else to each."""
    digest = pack(pictures, SIZE).digest
    others = {
        "old.npz": {"pictures_digest": digest, "split": None},
        "other.npz": {"pictures_digest": "0" * 64},
        "all.npz": {"pictures_digest": digest, "overrides": ("held_out=0",)},
    }
    for name, changes in others.items():
        save_run(tmp_path / name, **changes)
    status, out, _ = command(run / BEST, *(tmp_path / name for name in others))
    assert status == 0
    tables = [text.splitlines() for text in out.split("\n\n")]
    against = "100 pictures each against 100 "
    assert [table[0] for table in tables] == [
        against + "that were held out from training, features colour_classifier",
        against + "that may have been trained on, or copies of them (old split), "
        "features colour_classifier",
        against + "of another set than was trained on (some may be in both), "
        "features colour_classifier",
        against + "that were trained on (none were held out), features colour_classifier",
    ]
    names = [run / BEST, *(tmp_path / name for name in others)]
    for table, name in zip(tables, names):
        assert [line.split("  ")[0] for line in table[2:]] == ["real pictures, 16 x 16", str(name)]


def test_an_export_is_measured_by_what_its_run_was_trained_on(
    command: Command, tmp_path: Path, pictures: Path
) -> None:
    """Which stands in the file, through optimize too: here another share and a crop."""
    packed = pack(pictures, SIZE, crop_from=24)
    save_run(
        tmp_path / "run.npz",
        overrides=("held_out=0.2", "crop_from=24"),
        pictures_digest=packed.digest,
    )
    exported, again = tmp_path / "exported.onnx", tmp_path / "again.onnx"
    assert to_onnx.main([str(tmp_path / "run.npz"), "-o", str(exported)]) == 0
    assert optimize.main([str(exported), "-o", str(again)]) == 0
    found = json.loads(command(tmp_path / "run.npz", exported, again, "--json")[1])
    expected = [part_of(picture(seed), 0.2) for seed in seeds_of_pictures()].count("held out")
    assert 100 < expected < 300
    for evaluation in found:
        assert evaluation["reference_images"] == expected
        assert evaluation["reference"] == {
            "standing": "held out",
            "digest": packed.digest,
            "split": SPLIT_VERSION,
            "image_size": SIZE,
            "crop_from": 24,
            "held_out": 0.2,
        }


def test_a_floor_of_fewer_pictures_than_are_drawn_is_told_as_one(
    command: Command, run: Path, tmp_path: Path
) -> None:
    """Its distance is larger for that alone."""
    data = write_zip(tmp_path / "few.zip", seeds_for(100, "held out") + seeds_for(60, "training"))
    status, out, _ = command(run, data=data)
    assert status == 0
    assert "\nreal pictures, 16 x 16 (60 of them)  " in out
    found = json.loads((run / EVALUATION).read_text())
    assert (found["images"], found["floor"]["images"]) == (100, 60)
    assert found["reference"]["standing"] == "other set"


def test_how_to_get_enough_pictures_is_said(command: Command, run: Path, tmp_path: Path) -> None:
    """A mean of 125 is at least 100 but for once in a hundred times."""
    some = write_zip(tmp_path / "some.zip", seeds_of_pictures()[50:600])
    refused(
        command(run, data=some),
        "some.zip has 50 pictures held out of 550, expected at least 100 to measure against: add "
        "pictures, up to about 1,250, or hold out more of them in a new run (--set held_out=0.23)",
    )


def test_features_that_cannot_be_had_are_refused(
    command: Command, run: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(pretrained: bool) -> None:
        raise ConnectionError("no route")

    monkeypatch.setattr(mx.gluon.model_zoo.vision, "inception_v3", fail)
    refused(command(run, "--features", "inception"), "inception_v3", "--features colour_classifier")
    assert checkpoint.load(run / BEST).facts["step"] == FACTS["step"]
