"""The page that sets runs side by side: what it reads, compares, draws and says."""

from __future__ import annotations

import base64
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from xml.etree import ElementTree

import cv2
import html5lib
import numpy as np
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import summary

from edgegan.runtime.errors import UserError
from edgegan.runtime.grid import write_png
from edgegan.trainer.mappings import flat
from edgegan.trainer.monitor import HISTOGRAM_BINS, Events
from edgegan.trainer.report import compare, drawing
from edgegan.trainer.report.__main__ import main
from edgegan.trainer.report.page import setting_rows
from edgegan.trainer.report.runs import (
    MOST_GRIDS,
    Facts,
    Grid,
    Histogram,
    RecordedRun,
    Stage,
    evenly_spaced,
    read_run,
    read_runs,
)
from training_help import random_picture

DCGAN: dict[str, Any] = {
    "name": "dcgan",
    "latent": {"size": 128, "distribution": "normal"},
    "generator": {"width": 64, "optimizer": {"name": "adam", "learning_rate": 2e-4}},
    "discriminator": {"width": 64, "optimizer": {"name": "adam", "learning_rate": 2e-4}},
    "objective": {"name": "non_saturating"},
    "batch_size": 64,
    "discriminator_steps": 1,
    "evaluate_every": 20,
    "horizontal_flip": True,
}
RMSPROP = {"name": "rmsprop", "learning_rate": 5e-5}
WGAN: dict[str, Any] = {
    **DCGAN,
    "name": "wgan",
    "generator": {"width": 64, "optimizer": RMSPROP},
    "discriminator": {"width": 64, "optimizer": RMSPROP},
    "objective": {"name": "wasserstein", "clip": 0.01},
    "discriminator_steps": 5,
    "evaluate_every": 100,
}
DASH = "\N{EN DASH}"  # where a run has no value
FACES = {"mean": 24.0, "minimum": 21, "share_that_passes": 1.0, "grids": 40}
EVALUATION: dict[str, Any] = {
    "metrics": {"frechet_distance": 24.5, "recall": 0.5},
    "faces": FACES,
    "floor": {"metrics": {"frechet_distance": 4.5, "recall": 0.95}, "faces": FACES},
    "features": "colours",
    "images": 2000,
    "reference_images": 1799,
    "step": 40,
    "minutes": 3.0,
}


FACTS = Facts(step=40, minutes=3.0, images_seen=2560, seed=0, pictures=1000)


def run_of(
    recipe: dict[str, Any], name: str = "run", seed: int = 0, **evaluation: Any
) -> RecordedRun:
    """A run that recorded nothing."""
    return RecordedRun(name, recipe, replace(FACTS, seed=seed), [], [], evaluation)


def with_distance(recipe: dict[str, Any], name: str, distance: float, seed: int = 0) -> RecordedRun:
    return run_of(recipe, name, seed, metrics={"frechet_distance": distance})


def weights(step: int) -> np.ndarray:
    """A filter bank that widens."""
    return np.random.default_rng(step).normal(0, 0.02 + step / 1000, 4000).astype(np.float32)


def write_checkpoint(folder: Path, **facts: Any) -> None:
    known = {"step": 40, "seed": 0, "minutes": 3.0, "images_seen": 2560, "pictures": 1000}
    header = np.array(json.dumps({"format_version": 1, "recipe": {}, "facts": {**known, **facts}}))
    np.savez(folder / "last.npz", header=header, weights=np.zeros(10))


def record(folder: Path, first: int, last: int, add: float = 0.0) -> None:
    """The events of a session: a loss every 10 steps, an evaluation every 20."""
    events = Events(folder, first)
    for step in range(first + 9, last + 1, 10):
        events.add(summary.scalar("loss/generator_loss", step / 10 + add), step)
        if step % 20 == 0:
            events.add(summary.scalar("faces", step / 2 + add), step)
            name = "filters/generator_layer_weight"
            events.add(summary.histogram(name, weights(step), HISTOGRAM_BINS), step)
            events.add(summary.image("grid", random_picture(step), dataformats="HWC"), step)
    events.close()


def make_run(folder: Path, recipe: dict[str, Any] = DCGAN, **facts: Any) -> Path:
    """A run of 40 steps, as edgegan.trainer.fit leaves it."""
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(yaml.safe_dump(recipe))
    write_checkpoint(folder, **facts)
    record(folder, 1, 40)
    for step in (20, 40):
        (folder / "grids").mkdir(exist_ok=True)
        write_png(folder / "grids" / f"{step:07d}.png", random_picture(step, 88, 88))
    return folder


def write_evaluation(folder: Path, **changes: Any) -> None:
    (folder / "evaluation.json").write_text(json.dumps({**EVALUATION, **changes}))


def write_words(folder: Path, **changes: Any) -> np.ndarray:
    """An evaluation of a run with words, and its table of pictures, which is returned."""
    picture = random_picture(0, 2 * 16, 3 * 16)
    write_png(folder / "words.png", picture)
    digest = hashlib.sha256((folder / "words.png").read_bytes()).hexdigest()
    table = {
        "rows": ["blue", "<red>"],
        "columns": ["black", "green", "pink"],
        "named": [["seen so"] * 3, ["seen so", "blue hair <black> eyes", "seen so"]],
        "right": [[True] * 3, [True, False, True]],
        "sha256": digest,
        **changes,
    }
    write_evaluation(
        folder,
        words={"right_words": 0.875, "variety": 0.5},
        floor={**EVALUATION["floor"], "words": {"right_words": 0.903, "variety": 1.0}},
        word_table=table,
    )
    return picture


def page_of(folder: Path, *runs: Path) -> ElementTree.Element:
    """The page about these runs, which must be flawless HTML5."""
    page = folder / "report.html"
    assert main([*map(str, runs), "-o", str(page)]) == 0
    parser = html5lib.HTMLParser(strict=True, namespaceHTMLElements=False)
    return parser.parse(page.read_bytes())


def text_of(element: ElementTree.Element) -> str:
    for line_break in element.iter("br"):
        line_break.text = " "
    return " ".join("".join(element.itertext()).split())


def tables(page: ElementTree.Element, section: str) -> list[list[list[str]]]:
    """The rows of cells of each table between a heading of this id and the next."""
    found, current = [], None
    for element in page.find("body"):
        if element.tag == "h2":
            current = element.attrib["id"]
        elif current == section:
            found += element.iter("table")
    return [
        [[text_of(cell) for cell in row if cell.tag in ("th", "td")] for row in one.iter("tr")]
        for one in found
    ]


def pictures(page: ElementTree.Element, words: str) -> list[tuple[str, bytes]]:
    """Kind and content of the pictures whose description has these words."""
    found = []
    for image in page.iter("img"):
        if words in image.attrib["alt"]:
            kind, _, content = image.attrib["src"].partition(";base64,")
            found.append((kind, base64.b64decode(content)))
    return found


# The page


def test_settings_that_differ_stand_side_by_side_and_common_ones_once(tmp_path: Path) -> None:
    first = make_run(tmp_path / "a")
    changed = {**DCGAN, "batch_size": 32, "rotation_degrees": 10}
    second = make_run(tmp_path / "b", changed, seed=7, minutes=61.6, images_seen=1280)
    page = page_of(tmp_path, first, second)
    differing, common = tables(page, "settings")
    assert differing == [
        ["", "a", "b"],
        ["seed", "0", "7"],
        ["steps", "40", "40"],
        ["time", "3.0 min", "62 min"],
        ["images seen", "2,560", "1,280"],
        ["pictures", "1,000", "1,000"],
        ["batch_size", "64", "32"],
        ["rotation_degrees", DASH, "10"],
    ]
    assert ["generator.optimizer.learning_rate", "0.0002"] in common
    assert ["horizontal_flip", "on"] in common
    assert not {"batch_size", "rotation_degrees"} & {key for key, _ in common}
    assert page.find(".//details//table") is not None


def test_page_needs_no_other_file_and_no_script(tmp_path: Path) -> None:
    page = page_of(tmp_path, make_run(tmp_path / "a"), make_run(tmp_path / "b", WGAN))
    for element in page.iter():
        assert element.tag not in ("script", "link", "iframe", "object"), element.tag
        for name, value in element.attrib.items():
            assert not name.startswith("on"), name
            if name in ("src", "href", "srcset"):
                assert value.startswith(("data:image/", "#")), value
    assert "url(" not in text_of(page.find(".//style"))
    assert "@import" not in text_of(page.find(".//style"))


def test_page_is_the_same_each_time(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    pages = []
    for _ in range(2):
        page_of(tmp_path, run)
        pages.append((tmp_path / "report.html").read_bytes())
        (tmp_path / "report.html").write_bytes(pages[0][:200])  # is replaced all the same
    assert pages[0] == pages[1]


def test_what_stands_in_names_and_recipes_is_text(tmp_path: Path) -> None:
    evil = {**DCGAN, "objective": {"name": "<script>alert(1)</script>"}}
    plain = make_run(tmp_path / '<i>"$x$&')
    write_evaluation(plain, features="<b>&")
    page = page_of(tmp_path, plain, make_run(tmp_path / "_名前", evil))
    assert page.find(".//script") is None
    assert page.find(".//i") is None
    differing = tables(page, "settings")[0]
    assert differing[0] == ["", '<i>"$x$&', "_名前"]
    assert ["objective.name", "non_saturating", "<script>alert(1)</script>"] in differing
    heading = "1799 that may have been trained on, or copies of them (old split), features"
    assert f"2000 pictures each against {heading} <b>&" in text_of(page)  # as older versions did


def test_figures_with_their_floor_seeds_together_and_the_best_marked(tmp_path: Path) -> None:
    runs = [make_run(tmp_path / f"s{seed}", seed=seed) for seed in (0, 1)]
    write_evaluation(runs[0], metrics={"frechet_distance": 20.0, "recall": 0.5})
    write_evaluation(runs[1], metrics={"frechet_distance": 30.0, "recall": None}, minutes=None)
    runs.append(make_run(tmp_path / "wgan", WGAN))
    write_evaluation(runs[2], metrics={"frechet_distance": 28.0, "novelty": 3}, faces={})
    page = page_of(tmp_path, *runs)
    ((heads, *rows),) = tables(page, "figures")
    assert heads == [
        "run",
        "Fréchet distance ↓",
        "recall ↑",
        "faces of 25 ↑",
        "fewest faces ↑",
        "grids that pass ↑",
        "novelty",  # of a metric that is not known here
        "faces in training ↑",
    ]
    same = ["24.00", "21", "100%", DASH, "20.00"]
    assert rows == [
        ["real pictures", "4.50", "0.950", "24.00", "21", "100%", DASH, DASH],
        [
            "s0, s1",
            "25.00 20.00 to 30.00",
            "0.500",
            "24.00 24.00 to 24.00",
            "21 21 to 21",
            "100% 100% to 100%",
            DASH,
            "20.00 20.00 to 20.00",
        ],
        ["s0 seed 0, step 40, 3.0 min", "20.00", "0.500", *same],
        ["s1 seed 1, step 40", "30.00", DASH, *same],
        ["wgan seed 0, step 40, 3.0 min", "28.00", DASH, DASH, DASH, DASH, "3", "20.00"],
    ]
    # Of one value none is the best, nor of two that are equal (the faces in training).
    marked = [text_of(cell) for cell in page.iter("td") if cell.get("class") == "best"]
    assert marked == ["25.00 20.00 to 30.00"]


@pytest.mark.parametrize(
    "other",
    [
        {"features": "inception"},
        {"images": 1000},
        {"reference": {"standing": "held out"}},
        {"floor": {"metrics": {"frechet_distance": 4.6, "recall": 0.95}}},  # of other pictures
    ],
)
def test_figures_that_cannot_be_compared_stand_in_tables_of_their_own(
    tmp_path: Path, other: dict[str, Any]
) -> None:
    runs = [make_run(tmp_path / name, seed=seed) for seed, name in enumerate("abc")]
    runs.append(make_run(tmp_path / "unmeasured", WGAN))
    write_evaluation(runs[0])
    write_evaluation(runs[1], **other)
    write_evaluation(runs[2], metrics={"frechet_distance": 30.0})
    page = page_of(tmp_path, *runs)
    first, second, third = tables(page, "figures")
    assert [row[0].split(" ")[0] for row in first] == ["run", "real", "a,", "a", "c"]
    assert [row[0].split(" ")[0] for row in second] == ["run", "real", "b"]
    assert third == [
        ["run", "faces in training ↑"],
        ["unmeasured seed 0", "20.00"],
    ]


def test_pictures_come_first_then_figures_curves_and_settings(tmp_path: Path) -> None:
    page = page_of(tmp_path, make_run(tmp_path / "a"))
    order = [heading.attrib["id"] for heading in page.iter("h2")]
    assert order == [
        "pictures",
        "grids",
        "figures",
        "comparisons",
        "curves",
        "settings",
        "filters",
    ]


def test_tables_scroll_in_boxes_of_their_own(tmp_path: Path) -> None:
    """What is wider than a phone must not widen the page."""
    page = page_of(tmp_path, make_run(tmp_path / "a"), make_run(tmp_path / "b", WGAN))
    boxes = [box for box in page.iter("div") if "wide" in box.get("class", "").split()]
    assert len(list(page.iter("table"))) == sum(len(box.findall("table")) for box in boxes) > 3
    assert ".wide { overflow-x: auto; }" in text_of(page.find(".//style"))


def test_grids_over_time(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    write_png(run / "grids" / "0000060.png", random_picture(60))  # after the checkpoint: undone
    write_png(run / "grids" / "0000030.png", random_picture(30, 656, 656))
    page = page_of(tmp_path, run)
    captions = [text_of(caption) for caption in page.iter("figcaption")]
    assert [text.split(",")[0] for text in captions if text.startswith("step")] == [
        "step 20",
        "step 30",
        "step 40",
    ]
    (large,) = pictures(page, "last grid of a")
    shown = []
    for kind, content in [*pictures(page, "grid of a at step"), large]:
        assert kind == "data:image/jpeg"
        shown.append(cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR))
    assert [picture.shape[0] for picture in shown] == [88, 256, 88, 88]
    # It is the picture that was drawn, but for JPEG's loss.
    assert np.abs(shown[0][..., ::-1].astype(int) - random_picture(20, 88, 88)).mean() < 4
    assert "a, step 40, 0.0 min, 20.00 faces of 25" in text_of(page)


@given(st.integers(1, 100))
def test_grids_shown_are_few_and_even(count: int) -> None:
    grids = [Grid(step, Path()) for step in range(count)]
    shown = [grid.step for grid in evenly_spaced(grids)]
    assert len(shown) == min(count, MOST_GRIDS)
    assert (shown[0], shown[-1]) == (0, count - 1)
    gaps = np.diff(shown)
    assert len(gaps) == 0 or 1 <= gaps.min() >= gaps.max() - 1


def test_every_scalar_has_curves_and_every_network_histograms(tmp_path: Path) -> None:
    page = page_of(tmp_path, make_run(tmp_path / "a"), make_run(tmp_path / "b"))
    titles = [text_of(caption) for caption in page.iter("figcaption")]
    assert [title for title in titles if "loss" in title or title == "faces"] == [
        "faces",
        "generator loss",
    ]
    curves = pictures(page, "generator loss of the runs")
    assert len(curves) == 2  # over images and over minutes
    for kind, content in curves:
        assert kind == "data:image/svg+xml"
        ElementTree.fromstring(content)
    assert len(pictures(page, "generator's filter banks")) == 2
    first, last = weights(20).std(), weights(40).std()
    shown = f"{first:.4f}, {last:.4f}"
    (filters,) = tables(page, "filters")
    assert ["layer", shown, shown] in filters


def test_whatever_is_recorded_has_curves(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    events = Events(folder, 41)
    for tag in ("penalty/gradient", "penalty/zero_centred_penalty", "k"):
        events.add(summary.scalar(tag, 1.0), 50)
    events.close()
    titles = [text_of(caption) for caption in page_of(tmp_path, folder).iter("figcaption")]
    assert {"gradient (penalty)", "zero centred penalty", "k"} <= set(titles)


def test_run_that_has_only_begun(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "new", step=0, images_seen=0, minutes=0.0)
    for path in (*folder.glob("events*"), *folder.glob("grids/*")):
        path.unlink()
    page = page_of(tmp_path, folder)
    assert "No run was measured" in text_of(page)
    assert "new: no grid yet" in text_of(page)
    # Beside one that went on, it has dashes.
    page = page_of(tmp_path, folder, make_run(tmp_path / "old", WGAN))
    ((_, new, old),) = tables(page, "figures")
    assert new == ["new seed 0", DASH]
    assert old == ["old seed 0", "20.00"]


def test_a_student_stands_beside_other_runs(tmp_path: Path) -> None:
    student = {key: DCGAN[key] for key in ("latent", "generator", "batch_size")}
    folder = make_run(tmp_path / "student", student, teacher=["84b8d8a0"])
    (folder / "last.npz").unlink()
    facts = {"step": 40, "seed": 0, "minutes": 3.0, "images_seen": 2560, "teacher": ["84b8d8a0"]}
    header = {"format_version": 1, "recipe": student, "facts": facts}
    np.savez(folder / "last.npz", header=np.array(json.dumps(header)))
    page = page_of(tmp_path, make_run(tmp_path / "a"), folder)
    settings = tables(page, "settings")[0]
    assert settings[0] == ["", "a", "student"]
    assert ["pictures", "1,000", DASH] in settings
    assert ["objective.name", "non_saturating", DASH] in settings


def test_students_of_other_teachers_are_not_the_same_but_for_the_seed() -> None:
    runs = [
        RecordedRun(name, DCGAN, replace(FACTS, pictures=None, teacher=name), [], [], {})
        for name in ("large", "small")
    ]
    (pair,) = compare.one_setting_apart(compare.group_runs(runs))
    assert pair.differences == {"teacher": ("large", "small")}


def test_making_a_page_needs_neither_mxnet_nor_what_else_trains(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    write_evaluation(folder)
    absent = ["mxnet", "gluoncv", "scipy", "onnx", "onnxruntime", "tensorboardX", "dacite", "torch"]
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({absent}));"  # None: an import of it fails
        "from edgegan.__main__ import main;"
        f"sys.exit(main(['report', {str(folder)!r}, '-o', {str(tmp_path / 'page.html')!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"wrote {tmp_path / 'page.html'} (")


# Reading


def test_undone_steps_are_not_shown(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    record(folder, 41, 80, add=1000)  # killed before a checkpoint
    record(folder, 41, 60)  # gone on from step 40
    write_checkpoint(folder, step=60)
    run = read_run(folder, "a")
    events = EventAccumulator(str(folder), size_guidance={"scalars": 0, "histograms": 0}).Reload()
    for tag in ("loss/generator_loss", "faces"):
        expected = [(event.step, event.value) for event in events.Scalars(tag)]
        series = run.scalars[tag]
        assert list(zip(series.steps, series.values)) == expected
    assert list(run.scalars["faces"].values) == [10.0, 20.0, 30.0]
    assert [histogram.step for histogram in run.filters["generator_layer_weight"]] == [20, 60]


def test_pauses_are_no_minutes_of_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1e9
    clock = SimpleNamespace(time=lambda: now, time_ns=lambda: int(now * 1e9))
    monkeypatch.setattr("edgegan.trainer.monitor.time", clock)
    sessions = {1: [(60, 10), (120, 20)], 21: [(60, 30)]}  # seconds since the last, step
    for first_step, recorded in sessions.items():
        events = Events(tmp_path, first_step)
        for seconds, step in recorded:
            now += seconds
            events.add(summary.scalar("faces", 1.0), step)
        events.close()
        now += 10000
    (tmp_path / "recipe.yaml").write_text("name: dcgan")
    write_checkpoint(tmp_path, step=30, images_seen=960)
    run = read_run(tmp_path, "a")
    steps = np.array([0, 5, 10, 15, 20, 30])
    np.testing.assert_allclose(run.minutes_at(steps), [0, 0.5, 1, 2, 3, 4], rtol=1e-6)
    np.testing.assert_allclose(run.images_seen_at(steps), 32 * steps)


def start_of(minutes: float | None) -> dict[str, Any]:
    """A stage of 100 steps, as a checkpoint notes it, and as older ones did where None."""
    stage = {"recipe": DCGAN, "seed": 7, "step": 100, "images_seen": 9600}
    noted = {"minutes": minutes, "split": 2, "pictures_digest": "a"}
    return stage if minutes is None else {**stage, **noted}


@pytest.mark.parametrize("noted", [5.0, None])
def test_a_continued_run_goes_on_where_the_first_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noted: float | None
) -> None:
    """100 steps of 96 images in 5 minutes, then 40 of 64 in 2, of which the first 10 took one."""
    now = 1e9
    clock = SimpleNamespace(time=lambda: now, time_ns=lambda: int(now * 1e9))
    monkeypatch.setattr("edgegan.trainer.monitor.time", clock)
    events = Events(tmp_path, 1)
    for seconds, step in ((60, 10), (60, 40)):
        now += seconds
        events.add(summary.scalar("faces", 1.0), step)
    events.close()
    (tmp_path / "recipe.yaml").write_text("name: dcgan")
    facts = {"step": 40, "images_seen": 9600 + 40 * 64, "minutes": 7.0}
    write_checkpoint(tmp_path, **facts, stages=[start_of(noted)])
    run = read_run(tmp_path, "a")
    steps = np.array([0, 5, 10, 25, 40])
    np.testing.assert_allclose(run.minutes_at(steps), [5, 5.5, 6, 6.5, 7], rtol=1e-6)
    np.testing.assert_allclose(run.images_seen_at(steps), 9600 + 64 * steps)
    assert (run.facts.stages[0].split, run.facts.stages[0].digest) == (
        (2, "a") if noted else (None, None)
    )
    assert compare.Length.of(run).images == 40 * 64
    assert compare.Length.of(run).minutes == pytest.approx(2)


def test_a_continued_run_is_told_as_one_on_the_page(tmp_path: Path) -> None:
    plain = make_run(tmp_path / "a")
    continued = make_run(tmp_path / "b", seed=1, images_seen=12160, stages=[start_of(2.0)])
    settings = tables(page_of(tmp_path, plain, continued), "settings")[0]
    assert ["started from", DASH, "dcgan (100 steps)"] in settings
    assert "started from" not in text_of(page_of(tmp_path, plain))


def test_minutes_of_lost_events_are_the_checkpoints(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    remove("events*")(folder)
    run = read_run(folder, "a")
    np.testing.assert_allclose(run.minutes_at(np.array([0, 20, 40])), [0, 1.5, 3])


def test_faces_are_those_of_the_grid_and_not_of_a_step_that_may_be_undone(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    record(folder, 41, 60)  # killed after the evaluation of step 60, before its checkpoint
    page = page_of(tmp_path, folder)
    assert re.search(r"a, step 40, \S+ min, 20\.00 faces of 25", text_of(page))
    (table,) = tables(page, "figures")
    assert table == [["run", "faces in training ↑"], ["a seed 0", "20.00"]]


def test_an_evaluation_of_an_earlier_checkpoint_is_left_out(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    write_evaluation(folder, checkpoint="last.npz")
    assert read_run(folder, "a").evaluation["step"] == 40
    write_checkpoint(folder, step=60)
    run = read_run(folder, "a")
    assert run.evaluation == {}
    assert run.left_out[-1] == (
        f"{folder / 'evaluation.json'} is of step 40, though last.npz is of step 60: "
        "edgegan evaluate measures it"
    )


def test_torn_end_of_events_is_no_damage(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    (events,) = folder.glob("events*")
    record(tmp_path / "longer", 1, 50)
    (longer,) = (tmp_path / "longer").glob("events*")
    events.write_bytes(longer.read_bytes()[:-5])  # killed while it wrote step 50
    assert list(read_run(folder, "a").scalars["loss/generator_loss"].steps) == [10, 20, 30, 40]


def test_runs_of_all_times_have_the_same_settings(tmp_path: Path) -> None:
    """Adam's beta2 was called decay once."""
    folders = []
    for name in ("beta2", "decay"):
        network = {"width": 64, "optimizer": {"name": "adam", "learning_rate": 2e-4, name: 0.999}}
        recipe = {**DCGAN, "generator": network, "discriminator": network}
        folders.append(make_run(tmp_path / name, recipe, seed=len(folders)))
    (group,) = compare.group_runs(read_runs(folders)[0])
    assert group.name == "beta2, decay"


def test_runs_are_named_after_their_folders_or_by_what_tells_them_apart(tmp_path: Path) -> None:
    a, b = make_run(tmp_path / "x" / "a"), make_run(tmp_path / "x" / "b")
    other = make_run(tmp_path / "y" / "a")
    assert [run.name for run in read_runs([a, b, a])[0]] == ["a", "b"]
    (tmp_path / "link").symlink_to(a)
    assert [run.name for run in read_runs([b, a, tmp_path / "link"])[0]] == ["b", "a"]
    assert [run.name for run in read_runs([a, other])[0]] == ["x/a", "y/a"]


def cut(name: str) -> Callable[[Path], object]:
    """Lose the second half of a file."""

    def damage(folder: Path) -> None:
        (path,) = folder.glob(name)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])

    return damage


def write(name: str, text: str) -> Callable[[Path], object]:
    return lambda folder: (folder / name).write_text(text)


def remove(name: str) -> Callable[[Path], object]:
    return lambda folder: [path.unlink() for path in folder.glob(name)]


def flip(folder: Path) -> None:
    """Change one byte of the first events."""
    (path,) = folder.glob("events*")
    content = bytearray(path.read_bytes())
    content[100] ^= 255
    path.write_bytes(content)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (remove("recipe.yaml"), "a holds no run: no such file as .*recipe.yaml"),
        (write("recipe.yaml", "a: [1"), "recipe.yaml is no valid YAML: .*"),
        (write("recipe.yaml", "text"), "recipe.yaml holds str, expected keys and values"),
    ],
)
def test_what_is_no_run_is_left_out_by_name(
    tmp_path: Path,
    damage: Callable[[Path], object],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder, other = make_run(tmp_path / "a"), make_run(tmp_path / "b")
    damage(folder)
    page = page_of(tmp_path, folder, other)
    said = capsys.readouterr().err
    assert re.fullmatch(f"left out: .*{sentence}\n", said)
    assert said.partition(": ")[2].strip() in text_of(page)
    assert tables(page, "settings")[0][0] == ["", "b"]
    (tmp_path / "report.html").unlink()
    with pytest.raises(UserError, match=f"no run to report on: .*{sentence}"):
        main([str(folder), "-o", str(tmp_path / "report.html")])
    assert not (tmp_path / "report.html").exists()


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (remove("last.npz"), "the seed of .*a, since there is no .*last.npz yet"),
        (cut("last.npz"), ".*last.npz is truncated or no checkpoint of this trainer"),
        (write("last.npz", "no checkpoint"), ".*last.npz is truncated or no checkpoint.*"),
        (write("evaluation.json", "{"), ".*evaluation.json is no valid JSON: .*"),
        (write("evaluation.json", "[" * 100_000), ".*evaluation.json is no valid JSON: .*"),
        (write("evaluation.json", "[]"), ".*evaluation.json holds list, expected keys and values"),
        (write("evaluation.json", '{"metrics": 3}'), ".*has metrics 3, expected names and numbers"),
        (
            write("evaluation.json", '{"faces": {"mean": "x"}}'),
            ".*has faces {'mean': 'x'}, expected names and numbers",
        ),
        (
            write("evaluation.json", '{"images": [1]}'),
            r".*has images \[1\], expected one value",
        ),
        (write("evaluation.json", '{"floor": 3}'), ".*has metrics 3, expected names and numbers"),
        (cut("events*"), "the curves of .*a after step 20, .* its checkpoint is of step 40"),
        (flip, "the curves of .*a after step 0, .* its checkpoint is of step 40"),
        (remove("events*"), "the curves of .*a after step 0, .* its checkpoint is of step 40"),
        (cut("grids/0000040.png"), "cannot read .*0000040.png: truncated PNG.*"),
    ],
)
def test_what_is_missing_or_damaged_in_a_run_is_left_out_and_said(
    tmp_path: Path,
    damage: Callable[[Path], object],
    sentence: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = make_run(tmp_path / "a")
    damage(folder)
    page = page_of(tmp_path, folder)
    said = capsys.readouterr().err
    assert re.fullmatch(f"left out: {sentence}\n", said)
    assert said.partition(": ")[2].strip() in text_of(page)
    assert tables(page, "settings")[0][0] == ["", "a"] or "settings are in all" in text_of(page)


def test_half_finished_run_is_told_by_its_events(tmp_path: Path) -> None:
    folder = make_run(tmp_path / "a")
    remove("last.npz")(folder)
    run = read_run(folder, "a")
    assert (run.facts.step, run.facts.seed, run.facts.images_seen) == (40, None, 40 * 64)
    assert [grid.step for grid in run.grids] == [20, 40]
    remove("events*")(folder)
    assert [grid.step for grid in read_run(folder, "a").grids] == [20, 40]
    remove("grids/*")(folder)
    with pytest.raises(UserError, match="a holds no run yet, only a recipe"):
        read_run(folder, "a")


def test_lost_events_before_the_run_was_gone_on_with_are_told(tmp_path: Path) -> None:
    """Curves that lack their middle would look whole."""
    folder = make_run(tmp_path / "a")
    remove("events*")(folder)
    record(folder, 41, 60)
    write_checkpoint(folder, step=60)
    run = read_run(folder, "a")
    assert run.records == []
    assert run.left_out == (
        f"the curves of {folder}, whose events end at step 0 and go on after step 40: "
        "an event file is damaged or missing",
    )


def test_what_is_no_folder_of_a_run(tmp_path: Path) -> None:
    (tmp_path / "a.log").write_text("")
    for name in ("a.log", "missing"):
        with pytest.raises(UserError, match=f"{name} is no folder, expected the folder of a run"):
            main([str(tmp_path / name), "-o", str(tmp_path / "report.html")])


def test_page_that_cannot_be_written(tmp_path: Path) -> None:
    run = make_run(tmp_path / "a")
    page = tmp_path / "page.html"
    page.mkdir()
    with pytest.raises(UserError, match=r"cannot write .*page.html: it is a folder"):
        main([str(run), "-o", str(page)])
    with pytest.raises(UserError, match=r"--output is 'page\.png', expected a \.html file"):
        main([str(run), "-o", "page.png"])


@pytest.mark.parametrize("arguments", [["-o", "page.html"], ["runs/a"]])
def test_no_runs_or_no_page_named(arguments: list[str]) -> None:
    with pytest.raises(UserError, match="the following arguments are required"):
        main(arguments)


# Comparing

VALUES = st.integers(0, 3) | st.booleans() | st.sampled_from(["adam", "rmsprop"])
KEYS = st.sampled_from("abcdef")
MAPPINGS = st.dictionaries(KEYS, VALUES | st.dictionaries(KEYS, VALUES, min_size=1))


@given(MAPPINGS, MAPPINGS)
def test_differences_are_those_of_the_flat_mappings(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    found = compare.differences(before, after)
    old, new = flat(before), flat(after)
    for key in old.keys() | new.keys():
        if old.get(key) != new.get(key):
            # Where one side has a value and the other has keys, the whole is one difference.
            assert key in found or key.partition(".")[0] in found
    for key, (value, other) in found.items():
        top, _, rest = key.partition(".")
        assert value == (before.get(top, {}).get(rest) if rest else before.get(top))
        assert other == (after.get(top, {}).get(rest) if rest else after.get(top))
        assert value != other


@given(MAPPINGS)
def test_nothing_differs_from_itself(mapping: dict[str, Any]) -> None:
    assert compare.differences(mapping, mapping) == {}


def test_what_goes_by_another_name_differs_as_a_whole() -> None:
    objective = {"name": "wasserstein", "clip": 0.01}
    assert compare.differences(DCGAN, {**DCGAN, "objective": objective}) == {
        "objective": ({"name": "non_saturating"}, objective)
    }
    assert compare.differences(WGAN, {**WGAN, "objective": {**objective, "clip": 0.1}}) == {
        "objective.clip": (0.01, 0.1)
    }


def test_what_is_switched_on_differs_as_a_whole() -> None:
    noise = {"deviation": 0.1, "steps": 600}
    off, on = {**DCGAN, "input_noise": None}, {**DCGAN, "input_noise": noise}
    assert compare.differences(off, on) == {"input_noise": (None, noise)}
    weaker = {**DCGAN, "input_noise": {**noise, "deviation": 0.05}}
    assert compare.differences(on, weaker) == {"input_noise.deviation": (0.1, 0.05)}


def test_a_key_that_older_versions_had_not_is_switched_off_in_their_runs() -> None:
    runs = [run_of(DCGAN, "old"), run_of({**DCGAN, "penalty": None}, "new", seed=1)]
    (group,) = compare.group_runs(runs)
    assert group.name == "old, new"


def test_all_pairs_one_setting_apart_are_found() -> None:
    tricks = {
        "plain": DCGAN,
        "noise": {**DCGAN, "tricks": {"noise": 0.1}},
        "labels": {**DCGAN, "tricks": {"labels": 0.9}},
        "both": {**DCGAN, "tricks": {"noise": 0.1, "labels": 0.9}},
        "unlike": {**WGAN, "horizontal_flip": False},
    }
    groups = compare.group_runs(run_of(recipe, name) for name, recipe in tricks.items())
    pairs = compare.one_setting_apart(groups)
    assert [(pair.before.name, pair.after.name, list(pair.differences)) for pair in pairs] == [
        ("plain", "noise", ["tricks.noise"]),
        ("plain", "labels", ["tricks.labels"]),
        ("noise", "both", ["tricks.labels"]),
        ("labels", "both", ["tricks.noise"]),
    ]
    assert pairs[0].differences["tricks.noise"] == (None, 0.1)


def test_more_discriminator_steps_and_other_pictures_are_one_setting() -> None:
    more = {**DCGAN, "discriminator_steps": 5, "epochs": 3}
    fewer = RecordedRun("fewer", DCGAN, replace(FACTS, pictures=500), [], [], {})
    groups = compare.group_runs([run_of(DCGAN), run_of(more), fewer])
    pairs = compare.one_setting_apart(groups)
    assert [pair.differences for pair in pairs] == [
        {"discriminator_steps": (1, 5)},
        {"pictures": (1000, 500)},
    ]


def test_objectives_are_compared_with_what_they_bring_along() -> None:
    without_norm = {**DCGAN["discriminator"], "norm": "none"}
    penalised = {
        **WGAN,
        "objective": {"name": "wasserstein", "clip": None},
        "penalty": {"name": "gradient", "weight": 10.0},
        "generator": DCGAN["generator"],
        "discriminator": without_norm,
    }
    r1 = {**DCGAN, "penalty": {"name": "r1"}, "discriminator": without_norm}
    narrow = {**WGAN, "generator": {**WGAN["generator"], "width": 32}}
    slow = {**WGAN, "objective": {"name": "wasserstein", "clip": 0.1}, "discriminator_steps": 9}
    recipes = {
        "dcgan": DCGAN,
        "wgan": WGAN,
        "wgan_gp": penalised,
        "r1": r1,
        "narrow": narrow,
        "slow": slow,
    }
    groups = compare.group_runs(run_of(recipe, name) for name, recipe in recipes.items())
    pairs = compare.objectives_apart(groups)
    assert [(pair.before.name, pair.after.name) for pair in pairs] == [
        *(("dcgan", name) for name in ("wgan", "wgan_gp", "r1", "slow")),
        *(("wgan", name) for name in ("wgan_gp", "r1")),  # slow has the same objective
        *(("wgan_gp", name) for name in ("r1", "slow")),
        ("r1", "slow"),
    ]
    assert list(pairs[0].differences) == [
        "generator.optimizer",
        "discriminator.optimizer",
        "objective",
        "discriminator_steps",
        "evaluate_every",
    ]


def test_a_pair_is_told_in_a_sentence_of_its_figures() -> None:
    wasserstein = {**DCGAN, "objective": {"name": "wasserstein", "clip": 0.01}}
    groups = compare.group_runs(
        [with_distance(DCGAN, "a", 24.5), with_distance(wasserstein, "b", 31.2)]
    )
    (pair,) = compare.one_setting_apart(groups)
    assert pair.sentence() == (
        "objective wasserstein (clip 0.01) instead of non_saturating: "
        "Fréchet distance 31.20 instead of 24.50 (1 run each)"
    )
    (metric,) = pair.measures
    assert pair.difference(metric) == pytest.approx(6.7)
    assert pair.verdict(metric) == ""
    nothing = compare.group_runs([run_of(DCGAN), run_of(wasserstein)])
    assert compare.one_setting_apart(nothing)[0].sentence().endswith(": no figure that both have")


@pytest.mark.parametrize(
    ("others", "verdict"),
    [
        ([26.0, 30.0, 31.0], "ranges overlap"),
        ([28.0, 30.0, 31.0], "ranges apart"),
        ([28.0, 30.0], ""),  # too few to say
        ([28.0], ""),
    ],
)
def test_seeds_tell_whether_a_difference_is_within_the_noise(
    others: list[float], verdict: str
) -> None:
    unflipped = {**DCGAN, "horizontal_flip": False}
    runs = [with_distance(DCGAN, f"a{n}", value, n) for n, value in enumerate([20.0, 24.0, 27.0])]
    runs += [with_distance(unflipped, f"b{n}", value, n) for n, value in enumerate(others)]
    (pair,) = compare.one_setting_apart(compare.group_runs(runs))
    (metric,) = pair.measures
    spread = pair.before.spreads[metric]
    assert (spread.least, spread.greatest, spread.count) == (20.0, 27.0, 3)
    assert spread.mean == pytest.approx(71 / 3)
    assert pair.verdict(metric) == verdict
    assert pair.sentence().startswith("horizontal_flip off instead of on: ")
    counts = {1: "(1 run against 3)", 2: "(2 runs against 3)", 3: "(3 runs each)"}
    assert pair.sentence().endswith(counts[len(others)])


def test_a_figure_is_of_the_runs_that_have_it() -> None:
    """One of three was measured: its figure is no mean of three."""
    other = {**DCGAN, "batch_size": 32}
    faces = {"faces": {"mean": 24.0}}
    runs = [with_distance(DCGAN, "a0", 20.0), *(run_of(DCGAN, f"a{n}", n, **faces) for n in (1, 2))]
    runs += [run_of(other, "b0", 0, metrics={"frechet_distance": 30.0}, **faces)]
    (pair,) = compare.one_setting_apart(compare.group_runs(runs))
    assert len(pair.before.runs) == 3
    assert pair.sentence() == (
        "batch_size 32 instead of 64: Fréchet distance 30.00 instead of 20.00 (1 run each), "
        "faces of 25 24.00 instead of 24.00 (1 run against 2)"
    )


def with_facts(name: str, **changes: Any) -> RecordedRun:
    return RecordedRun(name, DCGAN, replace(FACTS, **changes), [], [], {})


def names_of(groups: list[compare.Group]) -> list[str]:
    return [group.name for group in groups]


STAGE = Stage(recipe=DCGAN, seed=0, step=100, images_seen=6400, minutes=5.0)


def test_a_run_that_was_continued_is_no_seed_of_those_from_nothing() -> None:
    continued = {"images_seen": 2560 + 6400, "minutes": 8.0}
    runs = [
        with_facts("a", seed=0),
        with_facts("b", seed=1),
        with_facts("c", seed=2, stages=(STAGE,), **continued),
        # The same from other weights is one more seed of it, from the same weights it is not.
        with_facts("d", seed=2, stages=(replace(STAGE, seed=1),), **continued),
        with_facts("e", seed=5, stages=(STAGE,), **continued),
        with_facts("f", seed=6, stages=(replace(STAGE, seed=2, step=50),), **continued),
    ]
    groups = compare.group_runs(runs)
    assert names_of(groups) == ["a, b", "c, d", "e", "f"]
    for other in ({"digest": "b" * 64}, {"split": 2}):  # it began with other pictures
        stage = replace(STAGE, seed=3, **other)
        assert (
            len(compare.group_runs([runs[2], with_facts("g", stages=(stage,), **continued)])) == 2
        )
    pairs = compare.one_setting_apart(groups)
    assert [(pair.before.name, pair.after.name) for pair in pairs] == [
        *(("a, b", name) for name in ("c, d", "e", "f")),
        *((name, "f") for name in ("c, d", "e")),
    ]
    assert pairs[0].sentence().startswith("started from dcgan (100 steps) instead of none: ")


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 0},  # the same run twice
        {"seed": None},  # which seed it is of is not known
        {"step": 41, "images_seen": 2624},
        {"pictures": 999},
        {"digest": "b" * 64},
        {"split": 2},
    ],
)
def test_what_differs_in_more_than_the_seed_is_no_seed(changes: dict[str, Any]) -> None:
    first = with_facts("a", digest="a" * 64)
    other = replace(first, name="b", facts=replace(first.facts, **{"seed": 1, **changes}))
    assert names_of(compare.group_runs([first, other])) == ["a", "b"]
    seed = replace(first, name="b", facts=replace(first.facts, seed=1))
    assert names_of(compare.group_runs([first, seed])) == ["a, b"]


def test_how_often_a_run_is_looked_at_is_a_setting() -> None:
    """The best of more looks is better by chance."""
    runs = [run_of(DCGAN, "a"), run_of({**DCGAN, "evaluate_every": 2}, "b", seed=1)]
    (pair,) = compare.one_setting_apart(compare.group_runs(runs))
    assert pair.differences == {"evaluate_every": (20, 2)}


def test_longer_training_is_a_setting() -> None:
    runs = [with_facts("a"), with_facts("b", seed=1, step=80, images_seen=5120)]
    (pair,) = compare.one_setting_apart(compare.group_runs(runs))
    assert pair.sentence().startswith("length 80 steps instead of 40 steps: ")
    other = replace(runs[1], recipe={**DCGAN, "batch_size": 32})
    assert compare.one_setting_apart(compare.group_runs([runs[0], other])) == []


@pytest.mark.parametrize(
    ("changes", "alike"),
    [
        ({"step": 20, "images_seen": 2560}, True),  # the same epochs in larger batches
        ({"step": 14, "images_seen": 2688}, True),  # 192 a step: the last step is a whole one
        ({"step": 13, "images_seen": 2304}, False),
        ({"step": 50, "images_seen": 3200}, False),  # the same minutes, by chance
        ({"step": 50, "images_seen": 3200, "total_steps": 999}, True),  # both were stopped
        ({"step": 80, "images_seen": 5120, "total_steps": 999, "minutes": 4.0}, False),
    ],
)
def test_runs_are_as_long_in_steps_images_or_where_time_decided_minutes(
    changes: dict[str, Any], alike: bool
) -> None:
    """One run made 40 steps, 2,560 images, in 3 minutes; it was stopped if the other was."""
    total = changes.get("total_steps")
    lengths = [
        compare.Length.of(with_facts("a", total_steps=total)),
        compare.Length.of(with_facts("b", **changes)),
    ]
    assert lengths[0].is_like(lengths[1]) is lengths[1].is_like(lengths[0]) is alike


def test_pictures_of_another_size_are_compared_by_their_number() -> None:
    first = with_facts("a", digest="a" * 64)
    second = with_facts("b", digest="b" * 64)
    assert compare.apart(first, second) == {"pictures": ("set aaaaaaaa", "set bbbbbbbb")}
    larger = replace(second, recipe={**DCGAN, "image_size": 128})
    assert compare.apart(first, larger) == {"image_size": (None, 128)}


def test_comparisons_on_the_page(tmp_path: Path) -> None:
    a = make_run(tmp_path / "a")
    b = make_run(tmp_path / "b", {**DCGAN, "discriminator_steps": 2})
    write_evaluation(a)
    write_evaluation(b, metrics={"frechet_distance": 20.25})
    page = page_of(tmp_path, a, b)
    assert (
        "discriminator_steps 2 instead of 1: Fréchet distance 20.25 instead of 24.50, "
        "faces of 25 24.00 instead of 24.00, faces in training 20.00 instead of 20.00 (1 run each)."
    ) in text_of(page)
    ((heads, before, after, difference),) = tables(page, "comparisons")
    assert heads[:2] == ["run", "Fréchet distance ↓"]
    assert (before[:2], before[-1]) == (["a", "24.50"], "20.00")
    assert (after[:2], after[-1]) == (["b", "20.25"], "20.00")
    assert (difference[:2], difference[-1]) == (["difference", "-4.25"], "+0.00")
    page = page_of(tmp_path, a)
    assert "No two of these runs differ in one setting alone" in text_of(page)


def test_whole_numbers_are_the_same_in_either_spelling() -> None:
    runs = [run_of({"epochs": epochs, "rate": 0.5}) for epochs in (100, 100.0, 1e2)]
    assert setting_rows(runs) == ({}, {"epochs": "100", "rate": "0.5"})
    assert compare.describe(1e300) == "1e+300"


def test_settings_of_one_run_are_common() -> None:
    differing, common = setting_rows([run_of(DCGAN)])
    assert differing == {}
    assert common["latent.size"] == "128"


def test_settings_that_hardly_differ_differ() -> None:
    runs = [run_of({"name": "dcgan", "ema_decay": decay}) for decay in (0.9999999, 0.9999998)]
    assert setting_rows(runs) == ({"ema_decay": ["0.9999999", "0.9999998"]}, {"name": "dcgan"})


# Drawing


@given(st.lists(st.floats(-1e3, 1e3), min_size=1, max_size=300))
def test_smooth_values_are_means_of_their_neighbours(values: list[float]) -> None:
    reach = len(values) // 80
    expected = [
        np.mean(values[max(0, place - reach) : place + reach + 1]) for place in range(len(values))
    ]
    np.testing.assert_allclose(drawing.smooth(np.array(values)), expected, atol=1e-9)


def test_a_short_curve_beside_a_long_one_is_shown() -> None:
    long = np.linspace(1, 2, 1000)
    long[500] = 1000  # an outlier
    low, high = drawing.limits([long, np.full(5, 24.0)])
    assert low < 1.01
    assert 24 < high < 30
    assert drawing.limits([np.zeros(3)]) == (-0.5, 0.5)


def test_density_is_numpys(tmp_path: Path) -> None:
    run = read_run(make_run(tmp_path / "a"), "a")
    _, last = run.filters["generator_layer_weight"]
    assert last.deviation == pytest.approx(weights(40).std(), rel=1e-4)
    expected, edges = np.histogram(weights(40), HISTOGRAM_BINS, density=True)
    np.testing.assert_allclose(drawing.density(last, edges), expected, rtol=1e-4, atol=1e-5)
    wide = np.linspace(-1, 1, 31)
    assert (drawing.density(last, wide) * np.diff(wide)).sum() == pytest.approx(1)


def test_density_of_uneven_bins() -> None:
    histogram = Histogram(1, np.array([0.0, 1.0, 4.0]), np.array([0.0, 1.0, 3.0]), 0.0)
    edges = np.array([-1.0, 0.0, 0.5, 2.0, 4.0, 5.0])
    np.testing.assert_allclose(drawing.density(histogram, edges), [0, 0.25, 0.25, 0.25, 0])


def test_forty_runs_have_lines_of_their_own() -> None:
    assert len({drawing.Line.of(place) for place in range(40)}) == 40
