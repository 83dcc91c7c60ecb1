"""Health on made-up series, and the events as TensorBoard reads them."""

from __future__ import annotations

import math
import re
import resource
from dataclasses import replace
from pathlib import Path

import cv2
import mxnet as mx
import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tensorboardX import summary

from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.run_folder import SCALARS_EVERY
from edgegan.trainer.loop import StepResult, Training
from edgegan.trainer.monitor import HISTORY, Events, Health, Monitor
from edgegan.trainer.student import DistillationResult
from edgegan.trainer.validation import Grade
from training_help import random_batches, random_picture, tiny_recipe

HEALTHY = StepResult(
    discriminator_loss=1.2,
    generator_loss=0.9,
    real_score=0.5,
    generated_score=-0.5,
    discriminator_gradient_norm=2.0,
    generator_gradient_norm=1.0,
)


def noisy(step: int) -> StepResult:
    """A healthy step: everything swings by a factor of up to 20, as in real runs."""
    swing = 20 ** np.random.default_rng(step).uniform(0, 1)
    return replace(
        HEALTHY,
        discriminator_loss=0.1 * swing,
        discriminator_gradient_norm=swing,
        generator_gradient_norm=0.1 * swing,
    )


def warnings_of(health: Health, results: list[StepResult]) -> list[str]:
    return [line for step, result in enumerate(results, 1) for line in health.check(step, result)]


# Health


def test_a_healthy_run_is_quiet() -> None:
    assert warnings_of(Health(True), [noisy(step) for step in range(5 * HISTORY)]) == []


def test_a_discriminator_that_is_sure_of_everything_is_told_once() -> None:
    health = Health(zero_loss_is_failure=True)
    sure = replace(HEALTHY, discriminator_loss=1e-5)
    assert warnings_of(health, [sure] * (HISTORY - 1)) == []  # for a while it may be
    (warning,) = warnings_of(health, [sure] * 300)
    assert "the discriminator's loss is 0" in warning
    # It is told again when it begins again.
    assert warnings_of(health, [HEALTHY]) == []
    assert len(warnings_of(health, [sure] * 300)) == 1


def test_one_loss_of_zero_is_no_failure() -> None:
    results = [replace(HEALTHY, discriminator_loss=0.0 if n % 50 else 0.5) for n in range(400)]
    assert warnings_of(Health(True), results) == []


def test_a_critic_may_have_a_loss_of_zero() -> None:
    results = [replace(HEALTHY, discriminator_loss=-1e-6)] * 300
    assert warnings_of(Health(zero_loss_is_failure=False), results) == []


@pytest.mark.parametrize("network", ["discriminator", "generator"])
def test_exploding_gradients_are_told_once(network: str) -> None:
    health = Health(True)
    assert warnings_of(health, [HEALTHY] * HISTORY) == []
    explosion = replace(HEALTHY, **{f"{network}_gradient_norm": 1e4})
    (warning,) = warnings_of(health, [explosion] * 5)
    assert f"the {network}'s gradients explode (norm 1e+04" in warning


def test_a_students_steps_are_judged_by_the_figures_that_they_have() -> None:
    health = Health(zero_loss_is_failure=True)
    results = [DistillationResult(0.0, 1.0)] * (2 * HISTORY)
    assert warnings_of(health, [*results, DistillationResult(0.0, 99.0)]) == []
    (warning,) = warnings_of(health, [DistillationResult(0.0, 101.0)])
    assert "the generator's gradients explode" in warning


def test_the_first_steps_have_nothing_to_compare_with() -> None:
    falling = [replace(HEALTHY, generator_gradient_norm=1e4 / 10**n) for n in range(8)]
    rising = falling[::-1]
    assert warnings_of(Health(True), falling + rising) == []


@pytest.mark.parametrize("figure", [*HEALTHY.by_name, "r1_penalty"])
@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_figure_that_is_not_finite_stops_the_training(figure: str, value: float) -> None:
    name, changed = figure.replace("_", " "), {figure: value}
    if figure not in HEALTHY.by_name:
        changed = {"besides": changed}
    with pytest.raises(UserError, match=f"failed at step 7: the {name} is {value}; .*is kept"):
        Health(True).check(7, replace(HEALTHY, **changed))


def test_collapse() -> None:
    health = Health(True)
    different = np.stack([random_picture(seed) for seed in range(25)])
    assert health.check_collapse(1, different) == []
    nearly = np.stack([random_picture(0)] * 25)
    nearly[::2] ^= 1
    (warning,) = health.check_collapse(2, nearly)
    assert "the generator has collapsed" in warning
    assert health.check_collapse(3, nearly) == []
    assert health.check_collapse(4, different) == []
    assert len(health.check_collapse(5, np.zeros_like(nearly))) == 1  # all black is collapse too


def drawn(training: Training, count: int = 25) -> np.ndarray:
    """What the generator itself draws from as many latents, uint8 (count, S, S, 3)."""
    latents = draw_latents(0, count, training.recipe.input_size, "normal")
    return to_bytes(training.generator(mx.nd.array(latents)).asnumpy())


def test_an_untrained_network_has_not_collapsed() -> None:
    training = Training(tiny_recipe("dcgan", "image_size=32"), 0, mx.cpu(), pictures=100)
    batches = random_batches(training.recipe)
    for _ in range(3):
        training.step(batches)
        assert Health(True).check_collapse(training.step_count, drawn(training)) == []
    # So alike would they be no start any more.
    (warning,) = Health(True).check_collapse(Health.STARTED, drawn(training))
    assert "the generator has collapsed" in warning


def test_a_network_that_ignores_its_latents_has_collapsed_at_any_step() -> None:
    training = Training(tiny_recipe("dcgan", "image_size=32"), 0, mx.cpu(), pictures=100)
    for parameter in training.generator.collect_params(".*weight").values():
        parameter.set_data(parameter.data() * 15)  # which DCGAN begins near 0
    assert Health(True).check_collapse(20, drawn(training)) == []
    (first,) = training.generator.collect_params(".*norm0_gamma").values()
    first.set_data(mx.nd.zeros(first.shape))
    (shift,) = training.generator.collect_params(".*norm0_beta").values()
    shift.set_data(mx.nd.array(np.linspace(0, 2, len(shift.data()))))
    (warning,) = Health(True).check_collapse(20, drawn(training))
    assert "its pictures differ by 0.00 levels of 255" in warning


# Events


@pytest.fixture
def training() -> Training:
    return Training(tiny_recipe("dcgan", "image_size=16"), 0, mx.cpu(), pictures=100)


def train(training: Training, monitor: Monitor, steps: int) -> None:
    batches = random_batches(training.recipe)
    for _ in range(steps):
        monitor.step(training.step(batches))


def pictures(training: Training) -> np.ndarray:
    size = training.recipe.image_size
    return np.stack([random_picture(seed, size, size) for seed in range(25)])


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder), size_guidance={"images": 0, "histograms": 0})
    return events.Reload()


def test_what_a_penalty_reports_is_a_figure_of_its_own(training: Training, tmp_path: Path) -> None:
    with Monitor(training, 100, tmp_path) as monitor:
        training.step_count = SCALARS_EVERY
        monitor.step(replace(HEALTHY, besides={"r1_penalty": 2.5, "k": 0.25}))
    events = read(tmp_path)
    for name, value in (("penalty/r1_penalty", 2.5), ("k/k", 0.25)):
        assert [(event.step, event.value) for event in events.Scalars(name)] == [(10, value)]


def test_tensorboard_finds_all_that_a_run_records(training: Training, tmp_path: Path) -> None:
    with Monitor(training, 100, tmp_path) as monitor:
        train(training, monitor, 2 * SCALARS_EVERY)
        monitor.evaluation(pictures(training), Grade(3.5, 0.25, 1.0))
        train(training, monitor, SCALARS_EVERY)

    events = read(tmp_path)
    tags = events.Tags()
    scalars = {
        "loss/discriminator_loss",
        "loss/generator_loss",
        "score/real_score",
        "score/generated_score",
        "norm/discriminator_gradient_norm",
        "norm/generator_gradient_norm",
    }
    assert set(tags["scalars"]) == {*scalars, "faces", "distance"}
    for name in scalars:
        assert [event.step for event in events.Scalars(name)] == [10, 20, 30]
        assert all(math.isfinite(event.value) for event in events.Scalars(name))
    assert [(event.step, event.value) for event in events.Scalars("faces")] == [(20, 3.5)]
    assert [(event.step, event.value) for event in events.Scalars("distance")] == [(20, 0.25)]

    # Every filter bank of both networks: 16 x 16 pictures have 3 layers each.
    banks = [f"filters/generator_{name}_weight" for name in ("deconvolution0", "deconvolution1")]
    banks += [f"filters/discriminator_convolution{depth}_weight" for depth in (0, 1)]
    banks += ["filters/generator_to_image_weight", "filters/discriminator_score_weight"]
    assert set(tags["histograms"]) == set(banks)
    (histogram,) = events.Histograms("filters/generator_to_image_weight")
    assert histogram.step == 20
    assert histogram.histogram_value.num == 4 * 3 * 4 * 4
    assert sum(histogram.histogram_value.bucket) == 4 * 3 * 4 * 4

    (image,) = events.Images("grid")
    png = cv2.imread(str(tmp_path / "grids" / "0000020.png"))
    shown = cv2.imdecode(np.frombuffer(image.encoded_image_string, np.uint8), cv2.IMREAD_COLOR)
    np.testing.assert_array_equal(shown, png)
    assert png.shape == (5 * 16 + 4 * 2, 5 * 16 + 4 * 2, 3)
    np.testing.assert_array_equal(png[:16, :16, ::-1], pictures(training)[0])


def test_what_a_resumed_run_does_again_is_shown_once(training: Training, tmp_path: Path) -> None:
    with Monitor(training, 100, tmp_path) as monitor:
        train(training, monitor, 20)
        monitor.evaluation(pictures(training), Grade(1.0, None, 1.0))
        state = training.state()
        train(training, monitor, 20)  # lost: killed before the next checkpoint
    training.set_state(20, state)
    with Monitor(training, 100, tmp_path) as monitor:
        train(training, monitor, 10)

    assert len(list(tmp_path.glob("events*"))) == 2
    events = read(tmp_path)
    assert [event.step for event in events.Scalars("loss/generator_loss")] == [10, 20, 30]
    # What was recorded at the checkpoint itself stays.
    assert [event.step for event in events.Scalars("faces")] == [20]
    assert [event.step for event in events.Images("grid")] == [20]


def test_events_are_on_the_disk_when_an_evaluation_is_over(
    training: Training, tmp_path: Path
) -> None:
    with Monitor(training, 100, tmp_path) as monitor:
        train(training, monitor, 10)
        monitor.evaluation(pictures(training), Grade(None, None, 1.0))
        assert [event.step for event in read(tmp_path).Scalars("score/real_score")] == [10]


def test_a_full_disk_is_told_and_holds_nothing_up(tmp_path: Path) -> None:
    events = Events(tmp_path, 1)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        for step in range(30):
            events.add(summary.scalar("loss", 1.0), step)  # the system's buffer has room
        with pytest.raises(UserError, match=r"cannot write events in .*: File too large"):
            events.flush()
        events.close()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UserError, match="file is in its place"):
        Events(tmp_path / "file", 1)


# Lines


def test_plain_lines_where_the_output_is_no_terminal(
    training: Training,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("edgegan.trainer.monitor.LINE_EVERY", 0.0)
    with Monitor(training, 5, tmp_path) as monitor:
        train(training, monitor, 5)
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"step {n} of 5" for n in range(1, 6)]
    assert all("images/s" in line and " left" in line for line in lines)
    assert lines[-1].endswith(", 0 s left")
    assert not any("\r" in line or "\x1b" in line for line in lines)


def test_a_bar_where_it_is_one(
    training: Training,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    with Monitor(training, 5, tmp_path) as monitor:
        train(training, monitor, 3)
    shown = capsys.readouterr().err
    assert "3 of 5 steps" in shown
    assert "images/s" in shown
    assert re.search(r"images/s, \d+ s left", shown)


@pytest.mark.parametrize(
    ("minutes", "left"), [(90.9, "1 h 30 min"), (1.9, "0 h 01 min"), (0.99, "59 s")]
)
def test_the_time_left_ends_where_the_minutes_do(
    training: Training,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    minutes: float,
    left: str,
) -> None:
    monkeypatch.setattr("edgegan.trainer.monitor.LINE_EVERY", 0.0)
    monkeypatch.setattr(Monitor, "minutes", lambda self: 0.0)
    with Monitor(training, 10**9, tmp_path, most_minutes=minutes) as monitor:
        monkeypatch.setattr(Monitor, "minutes", lambda self: 1e-3)
        train(training, monitor, 1)
    assert capsys.readouterr().err.splitlines()[0].endswith(f", {left} left")
