from __future__ import annotations

import itertools
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cold_start, gradient_penalty, measure, throughput, training
from benchmarks.measure import PeerFailed, Spread, Worker
from runtime.errors import UserError
from runtime.latent import draw_latents

REPOSITORY = Path(__file__).parents[1]
TINY = [
    *("--set", "generator.width=2", "--set", "discriminator.width=2"),
    *("--set", "image_size=16", "--set", "batch_size=4"),
]


class Clock:
    """A clock that moves only when it is told to."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def one_repetition(monkeypatch):
    monkeypatch.setattr(measure, "LEAST_REPETITIONS", 1)
    return ["--repetitions", "1"]


def test_spread_is_the_median_and_the_extremes():
    assert Spread.of([3, 1, 2]) == Spread(2, 1, 3, 3)
    assert Spread.of([1, 2, 3, 10]).median == 2.5


@pytest.mark.parametrize(
    ("value", "text"), [(1234.5, "1,234"), (45.67, "45.7"), (0.01234, "0.0123"), (0, "0")]
)
def test_spread_is_written_with_three_digits(value, text):
    assert str(Spread(value, value, value, 1)) == f"{text} ({text}-{text})"


def test_ratio_is_taken_round_by_round():
    # The machine became half as fast in the second round: the ratio does not see it.
    assert measure.ratio([100, 50], [50, 25]) == Spread(2, 2, 2, 2)


def test_interleave_goes_round_all_measurements():
    order: list[str] = []

    def take(name: str) -> Callable[[], float]:
        def measurement() -> float:
            order.append(name)
            return float(len(order))

        return measurement

    results = measure.interleave({name: take(name) for name in "ABC"}, repetitions=3)
    assert "".join(order) == "ABCABCABC"
    assert results == {"A": [1, 4, 7], "B": [2, 5, 8], "C": [3, 6, 9]}


def test_seconds_of_times_all_calls_together():
    clock = Clock()

    def run(argument: float) -> None:
        clock.now += argument

    assert measure.seconds_of(run, 0.25, calls=4, clock=clock) == 1.0


@pytest.mark.parametrize("seconds_per_call", [0.001, 0.3, 5.0])
def test_warm_up_finds_how_many_calls_last_long_enough(seconds_per_call):
    series: list[int] = []

    def time_calls(calls: int) -> float:
        series.append(calls)
        return calls * seconds_per_call + (60 if len(series) == 1 else 0)

    calls = measure.warm_up(time_calls, seconds=1)
    assert calls * seconds_per_call >= 1
    assert calls == 1 or calls * seconds_per_call < 2
    assert len(series) < 10


def test_warm_up_survives_a_clock_too_coarse_for_one_call():
    assert measure.warm_up(lambda calls: 0.0 if calls < 100 else 1.0, seconds=1) == 100


def test_table_is_aligned_markdown():
    assert measure.table(("peer", "images/s"), [("ours", 1234), ("a longer name", 5)]) == (
        "| peer          | images/s |\n"
        "|---------------|----------|\n"
        "| ours          | 1234     |\n"
        "| a longer name | 5        |"
    )


def test_machine_and_versions():
    machine = measure.machine(threads=1)
    assert machine["threads"] == 1
    assert machine["cpu"]
    assert machine["python"] == ".".join(map(str, sys.version_info[:3]))
    found = measure.versions(["numpy", "no-such-package"])
    assert found == {"numpy": np.__version__, "no-such-package": "not installed"}


def test_json_has_spreads_as_objects(tmp_path):
    measure.write_json(tmp_path / "report.json", {"results": [Spread.of([1, 2, 4])]})
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "results": [{"median": 2, "least": 1, "greatest": 4, "repetitions": 3}]
    }


def test_process_is_measured():
    finished = measure.run_process(
        [sys.executable, "-c", "import os; print(os.environ['WHO']); raise SystemExit(3)"],
        {"WHO": "me"},
    )
    assert (finished.status, finished.output.strip()) == (3, "me")
    assert finished.seconds > 0
    assert 1 < finished.peak_memory < 1000


def _make_adder(first: int) -> Callable[[int], int]:
    return lambda second: first + second


def _make_reporter_of_threads() -> Callable[[None], tuple[str, int]]:
    from runtime.cores import available_cores

    return lambda _: (os.environ["OMP_NUM_THREADS"], available_cores())


def _make_failure() -> Callable[[None], None]:
    raise ValueError("no such thing\nand more about it")


def _make_death() -> Callable[[None], None]:
    return lambda _: os._exit(5)


def test_worker_runs_in_its_own_process():
    with Worker(_make_adder, 40, threads=1) as worker:
        assert worker.call(2) == 42
        assert worker.seconds(2, calls=3) > 0
        assert worker.peak_memory() > 1


def test_worker_has_as_many_threads_as_asked():
    with Worker(_make_reporter_of_threads, threads=1) as worker:
        assert worker.call() == ("1", 1)


@pytest.mark.parametrize(
    ("make", "message"),
    [(_make_failure, "^ValueError: no such thing$"), (_make_death, "process ended, status 5")],
)
def test_worker_says_why_it_failed(make, message):
    with Worker(make, threads=1) as worker, pytest.raises(PeerFailed, match=message):
        worker.call()


@pytest.mark.parametrize("peer", throughput.PEERS, ids=lambda peer: peer.name)
def test_generating_peers_agree_with_ours(make_generator, peer):
    missing = [name for name in peer.packages if not measure.is_installed(name)]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    if peer.needs_compiler and not shutil.which("c++"):
        pytest.skip("there is no C++ compiler")
    path = make_generator()
    latents = draw_latents(0, 3, 16, "normal")
    with throughput.ExitStack() as stack:
        file = throughput.plain_export(path, 1, stack) if peer.takes_plain_export else path
        ours = stack.enter_context(Worker(throughput.OURS.make, path, 1, threads=1))
        theirs = stack.enter_context(Worker(peer.make, file, 1, threads=1))
        expected = ours.call(latents)
        assert np.ptp(expected) > 0.5
        assert throughput.difference(theirs.call(latents), expected) <= peer.tolerance


def test_throughput_reports_all_peers(make_generator, tmp_path, monkeypatch, capsys):
    absent = throughput.Peer("absent", throughput.OURS.make, ("no-such-package",), "pip install it")
    monkeypatch.setattr(throughput, "PEERS", (*throughput.PEERS[:2], absent))
    report = tmp_path / "report.json"
    arguments = ["--model", str(make_generator()), "--batches", "1,3", "--json", str(report)]
    assert throughput.main([*arguments, "--seconds", "0.001", "--repetitions", "5"]) == 0
    printed = capsys.readouterr().out
    assert "left out: absent: no-such-package is not installed: pip install it" in printed
    assert "onnxruntime 1." in printed
    results = json.loads(report.read_text())["results"]
    assert [(result["batch"], result["peer"]) for result in results] == list(
        itertools.product((1, 3), ("edgegan", "edgegan, seed to uint8"))
    )
    for result in results:
        assert result["agrees"]
        assert result["images_per_second"]["repetitions"] == 5
        assert result["ours_over_theirs"]["median"] > 0


def test_training_reports_speed_and_memory(tmp_path, capsys, one_repetition):
    pytest.importorskip("mxnet")
    report = tmp_path / "report.json"
    arguments = [*TINY, *one_repetition, "--seconds", "0.01", "--pictures", "8", "--steps", "1"]
    assert training.main([*arguments, "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert [result["pictures"] for result in found["memory"]] == [8, 16]
    assert found["speed"][0]["peer"] == "edgegan"
    assert found["speed"][0]["images_per_second"]["median"] > 0
    assert ("PyTorch eager" in found["left_out"]) != (len(found["speed"]) == 2)
    assert "to the first row" in capsys.readouterr().out


def test_gradient_penalty_reports_both_objectives(tmp_path, capsys, one_repetition):
    pytest.importorskip("mxnet")
    report = tmp_path / "report.json"
    arguments = [*TINY, *one_repetition, "--seconds", "0.01", "--json", str(report)]
    assert gradient_penalty.main(arguments) == 0
    found = json.loads(report.read_text())
    clipped, penalised = found["results"]
    assert (clipped["objective"], penalised["objective"]) == ("wasserstein", "wasserstein_gp")
    assert clipped["over_clipped"]["median"] == 1
    ratio = penalised["seconds"]["median"] / clipped["seconds"]["median"]
    assert penalised["over_clipped"]["median"] == pytest.approx(ratio)
    assert found["recipe"]["discriminator"]["kernel"] == 5
    assert "wasserstein_gp" in capsys.readouterr().out


def _make_parameter_shapes(framework: str, recipe: dict) -> Callable[[None], list]:
    """All trained parameters' shapes: of both networks, generator first."""
    if framework == "torch":
        from benchmarks.pytorch_dcgan import Training

        networks = Training(recipe)
        pair = (networks.generator, networks.discriminator)
        return lambda _: [tuple(array.shape) for network in pair for array in network.parameters()]
    from trainer import device, loop
    from trainer import recipe as recipes
    from trainer.optimizer import trained_parameters

    ours = loop.Training(recipes.from_mapping(recipe, "test"), 0, device.choose("cpu"), 100)
    both = (ours.generator, ours.discriminator)
    return lambda _: [array.shape for network in both for array in trained_parameters(network)]


@pytest.mark.parametrize("name", ["dcgan", "wgan"])
def test_pytorch_trains_the_same_networks(name):
    pytest.importorskip("mxnet")
    if not measure.is_installed("torch"):
        pytest.skip("torch is not installed")
    with Worker(training.recipe_values, name, TINY[1::2], threads=1) as worker:
        recipe = worker.call()
    shapes = []
    for framework in ("torch", "mxnet"):
        with Worker(_make_parameter_shapes, framework, recipe, threads=1) as worker:
            shapes.append(worker.call())
    assert shapes[0] == shapes[1]
    with Worker(training.pytorch, recipe, 1, threads=1) as worker:
        assert np.isfinite(worker.call()).all()


def test_cold_start_reports_commands_and_parts(
    make_generator, cascade, tmp_path, monkeypatch, capsys, one_repetition
):
    monkeypatch.setenv("EDGEGAN_CASCADE", str(cascade))
    (tmp_path / "run_gan.sh").write_text(f'exec {sys.executable} -m runtime.run_gan "$@"\n')
    monkeypatch.setattr(cold_start, "ROOT", tmp_path)
    report = tmp_path / "report.json"
    arguments = ["--model", str(make_generator()), *one_repetition, "--json", str(report)]
    assert cold_start.main(arguments) == 0
    found = json.loads(report.read_text())
    assert len(found["results"]) + len(found["left_out"]) == 3
    for result in found["results"]:
        assert result["seconds"]["median"] > 0
        assert result["peak_memory_mb"]["median"] > 1
    assert "generate 25" in found["parts_seconds"]
    if cold_start.PYTORCH not in found["left_out"]:
        assert found["pytorch_picture_difference_levels"] <= 1
    assert "./run_gan.sh" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "parts"),
    [
        (["throughput", "--model", "dcgn"], ["'dcgn'", "shipped models"]),
        (["throughput", "--model", "none.onnx"], ["cannot read", "none.onnx"]),
        (["throughput", "--batches", "1,x"], ["--batches is 'x'", "a whole number from 1"]),
        (["throughput", "--threads", "999999"], ["--threads is '999999'"]),
        (["throughput", "--seconds", "0"], ["--seconds is '0'", "a positive number"]),
        (["training", "--repetitions", "4"], ["--repetitions is '4'", "a whole number from 5"]),
        (["training", "--pictures", "-1"], ["--pictures is '-1'"]),
        (["training", "--recipe", "dcgn"], ["recipe 'dcgn' does not exist", "dcgan"]),
        (["training", "--set", "batch_size=0"], ["batch_size is 0", "at least 1"]),
        (["gradient_penalty", "--repetitions", "4"], ["--repetitions is '4'"]),
        (["gradient_penalty", "--set", "discriminator.norm=batch"], ["norm has to be none"]),
        (["cold_start", "--repetitions", "many"], ["--repetitions is 'many'"]),
    ],
)
def test_bad_options_are_one_sentence(tmp_path, arguments, parts):
    if "--recipe" in arguments or "--set" in arguments:
        pytest.importorskip("mxnet")
    finished = subprocess.run(
        [sys.executable, "-m", f"benchmarks.{arguments[0]}", *arguments[1:]],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(REPOSITORY)},
    )
    assert finished.returncode == 2
    (line,) = finished.stderr.splitlines()
    assert line.startswith("error: ")
    for part in parts:
        assert part in line


def test_report_that_cannot_be_written_is_said(tmp_path):
    with pytest.raises(UserError, match="it is a folder"):
        measure.write_json(tmp_path, {})
