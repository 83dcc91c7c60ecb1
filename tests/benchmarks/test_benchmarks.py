from __future__ import annotations

import itertools
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import cache, partial
from pathlib import Path

import numpy as np
import onnx
import pytest

from benchmarks import (
    cold_start,
    gradient_penalty,
    limit,
    measure,
    networks,
    peers,
    scaling,
    throughput,
    training,
)
from benchmarks.limit import Rate
from benchmarks.measure import PeerFailed, Worker
from benchmarks.networks import Operations
from edgegan.export import pipeline, verify
from edgegan.export.examples import Inputs
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator
from edgegan.runtime.latent import draw_latents
from edgegan.runtime.models import find_model
from edgegan.runtime.options import LATENCY, THROUGHPUT
from edgegan.runtime.quality import decibels
from edgegan.runtime.statistics import Spread
from edgegan.runtime.words import Words
from export_help import METADATA, generator, original, random_generator
from words_help import WORDS

REPOSITORY = Path(__file__).parents[2]
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


def test_ratio_is_taken_round_by_round():
    # The machine became half as fast in the second round: the ratio does not see it.
    assert measure.ratio([100, 50], [50, 25]) == Spread.of([2, 2])


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


def test_median_seconds_of_times_calls_one_by_one():
    clock = Clock()
    lengths = iter([0.5, 9.0, 0.25])

    def run(_: None) -> None:
        clock.now += next(lengths)

    assert measure.median_seconds_of(run, None, calls=3, clock=clock) == 0.5


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


def test_machine_and_versions():
    machine = measure.machine(threads=1)
    assert machine["threads"] == 1
    assert machine["cpu"]
    assert machine["python"] == ".".join(map(str, sys.version_info[:3]))
    found = measure.versions(["numpy", "no-such-package"])
    assert found == {"numpy": np.__version__, "no-such-package": "not installed"}


def test_json_has_spreads_as_objects(tmp_path):
    measure.write_json(tmp_path / "report.json", {"results": [Spread.of([1, 2, 6])]})
    assert json.loads((tmp_path / "report.json").read_text()) == {
        "results": [{"mean": 3, "median": 2, "least": 1, "greatest": 6, "count": 3}]
    }


def test_process_is_measured():
    finished = measure.run_process(
        [sys.executable, "-c", "import os; print(os.environ['WHO']); raise SystemExit(3)"],
        {"WHO": "me"},
    )
    assert (finished.status, finished.output.strip()) == (3, "me")
    assert finished.seconds > 0
    assert 1 < finished.peak_memory < 100


def test_peak_memory_of_a_process_is_its_own_and_its_childrens():
    ours = bytearray(os.urandom(4096)) * 100_000  # 400 MB
    assert 1 < measure.run_process([sys.executable, "-c", ""]).peak_memory < 100
    del ours
    child = f"{sys.executable} -c 'bytearray(300_000_000).count(1)'; true"
    assert 300 < measure.run_process(["bash", "-c", child]).peak_memory < 400


def _make_adder(first: int) -> Callable[[int], int]:
    return lambda second: first + second


def _make_reporter_of_threads() -> Callable[[None], tuple[str, int]]:
    from edgegan.runtime.cores import available_cores

    return lambda _: (os.environ["OMP_NUM_THREADS"], available_cores())


def _make_failure() -> Callable[[None], None]:
    raise ValueError("no such thing\nand more about it")


def _make_death() -> Callable[[None], None]:
    return lambda _: os._exit(5)


def test_worker_runs_in_its_own_process():
    with Worker(_make_adder, 40, threads=1) as worker:
        assert worker.call(2) == 42
        assert worker.seconds(2, calls=3) > 0
        assert worker.median_seconds(2, calls=3) > 0
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


def inputs_of(words: Words | None, count: int = 3) -> Inputs:
    """What small generators take for the first images of seed 0."""
    latents = {"latent": draw_latents(0, count, 16, "normal")}
    return {**latents, "condition": words.one_hot(words.draw(0, count))} if words else latents


@pytest.fixture(scope="module", params=[None, WORDS], ids=["without_words", "with_words"])
def words(request) -> Words | None:
    """Those that a small generator takes, if any."""
    return request.param


@pytest.fixture(scope="module")
def made(words, tmp_path_factory) -> Callable[[str], Path]:
    """What ``throughput.Peer.file`` names, of a small generator of level 1; each is made once."""
    folder = tmp_path_factory.mktemp("made")
    path = random_generator(folder / "tiny.onnx", words=words)

    @cache
    def make(file: str) -> Path:
        if file not in throughput.MADE:
            return path
        pytest.importorskip("mxnet")
        output = folder / f"{file}.onnx"
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(verify, "FACE_SEEDS", range(1))
            throughput.MADE[file](path)(output)
        return output

    return make


@pytest.fixture(scope="module")
def float32_images(made, words) -> np.ndarray:
    """What the network of ``made`` draws of ``inputs_of`` its words; of others it draws others."""
    inputs = inputs_of(words)
    others = {name: np.roll(array, 1, axis=1) for name, array in inputs.items()}
    with Worker(throughput.REFERENCE.make, made("network"), 1, threads=1) as reference:
        images = reference.call(inputs)
        for name in inputs:
            changed = reference.call({**inputs, name: others[name]})
            assert decibels(changed, images, METADATA.value_range) < throughput.COARSE
    assert np.ptp(images) > 0.5
    return images


@pytest.mark.parametrize("peer", throughput.PEERS, ids=lambda peer: peer.name)
def test_generating_peers_agree_with_the_float32_network(made, words, float32_images, peer):
    makers = [maker for maker in (peer.make, peer.make_for_one) if maker]
    missing = [name for name in peer.packages if not measure.is_installed(name)]
    if missing:
        pytest.skip(f"{missing[0]} is not installed")
    if peer.needs_compiler and not measure.has_compiler():
        pytest.skip("there is no C++ compiler")
    for maker in makers:
        with Worker(maker, made(peer.file), 1, threads=1) as theirs:
            images = theirs.call(inputs_of(words))
        assert decibels(images, float32_images, METADATA.value_range) >= peer.agreement


def test_ours_is_as_by_default_and_for_one_image_prefers_latency(make_generator, monkeypatch):
    preferred = []
    load = Generator.load

    def watched(*arguments, prefer):
        preferred.append(prefer)
        return load(*arguments, prefer=prefer)

    monkeypatch.setattr(Generator, "load", watched)
    for peer in throughput.PEERS:
        if peer.make_for_one:
            for maker in (peer.make, peer.make_for_one):
                images = maker(make_generator(), 2)(inputs_of(None))
                assert (images.dtype, images.shape) == (np.uint8, (3, 16, 16, 3))
    assert preferred == 4 * [THROUGHPUT, LATENCY]
    assert throughput.OURS.make_for_one


def test_throughput_reports_all_peers(make_generator, tmp_path, monkeypatch, capsys, words):
    absent = throughput.Peer(
        "absent", throughput.OURS.make, "model", ("no-such-package",), "get it"
    )
    chosen = (*throughput.PEERS[:2], throughput.REFERENCE, absent)
    monkeypatch.setattr(throughput, "PEERS", chosen)
    monkeypatch.setattr(limit, "SIZE", 8)
    monkeypatch.setattr(limit, "PRODUCTS", limit.PRODUCTS[:2])
    report = tmp_path / "report.json"
    model = make_generator(words=words)
    arguments = ["--model", str(model), "--batches", "1,3", "--json", str(report)]
    assert throughput.main([*arguments, "--seconds", "0.001", "--repetitions", "5"]) == 0
    printed = capsys.readouterr().out
    assert "left out: absent: no-such-package is not installed: get it" in printed
    assert "onnxruntime 1." in printed
    assert "the same network with its own weights" in printed
    found = json.loads(report.read_text())
    names = [peer.name for peer in chosen[:3]]
    assert [(result["batch"], result["peer"]) for result in found["results"]] == list(
        itertools.product((1, 3), names)
    )
    for result in found["results"]:
        assert result["agrees"]
        assert result["decibels"] >= throughput.COARSE
        assert result["images_per_second"]["count"] == 5
        assert result["times_as_fast"]["median"] > 0
    assert [each["peer"] for each in found["latencies"]] == names
    assert all(each["milliseconds"]["median"] > 0 for each in found["latencies"])
    # There is one peer that is not ours, so it is the best.
    assert [(each["what"], each["peer"]) for each in found["advantages"]] == [
        (what, throughput.REFERENCE.name)
        for what in ("images/s, batch 1", "images/s, batch 3", "latency of one")
    ]
    assert {rate["number_format"] for rate in found["rates"]} == {"float32", "int8"}
    taps, pixels = 16, (1, 16, 64)  # of 16 -> 64 -> 32 -> 3 channels
    channels = ((16 + (words.size if words else 0)) * 64, 64 * 32, 32 * 3)
    counted = sum(taps * size * count for size, count in zip(pixels, channels))
    assert {share["multiply_adds"] for share in found["shares"]} == {counted}


def test_without_mxnet_its_files_are_left_out_with_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(measure, "is_installed", lambda name: name != "mxnet")
    network = networks.FloatNetwork(tmp_path / "network.onnx", "its own weights", True)
    left_out: dict[str, str] = {}
    files = throughput.peers_files(tmp_path / "model.onnx", network, tmp_path, 1, left_out)
    assert files == {"model": tmp_path / "model.onnx", "network": network.path}
    assert left_out == {
        f"the file {name}": "mxnet is not installed: pip install '.[train]'"
        for name in throughput.MADE
    }


def test_latency_and_comparison_are_times_as_fast():
    def result(peer: str, batch: int, rate: float) -> throughput.BatchResult:
        spread = Spread.of([rate])
        return throughput.BatchResult(peer, batch, spread, Spread.of([100 / rate]), None, True)

    def latency(peer: str, time: float) -> throughput.Latency:
        return throughput.Latency(peer, Spread.of([time]), Spread.of([time / 1]))

    rates = {"edgegan": 100, "PyTorch eager": 20, "OpenVINO float32": 50, "mxnet": 40}
    found = throughput.advantages(
        [result(peer, 25, rate) for peer, rate in rates.items()],
        [latency("edgegan", 1), latency("mxnet", 2), latency("OpenVINO float32", 4)],
    )
    assert [(each.what, each.peer, each.times_as_fast.median) for each in found] == [
        ("images/s, batch 25", "PyTorch eager", 5),
        ("images/s, batch 25", "OpenVINO float32", 2),
        ("latency of one", "mxnet", 2),
    ]


def test_share_is_the_time_of_the_multiply_adds_over_the_whole():
    rates = [
        Rate("float32", "slow", Spread.of([50.0])),
        Rate("float32", "fast", Spread.of([100.0])),
        Rate("int8", "any", Spread.of([400.0])),
    ]
    # 0.1 billion at 100 a second take 1 ms, 0.2 billion at 400 take half of one
    operations = Operations(floating=100_000_000, integers=200_000_000, first_layer=1)
    found = limit.share("ours", "float32", operations, {1: 100.0, 25: 400.0}, rates)
    assert found is not None
    assert found.least_milliseconds == pytest.approx(1.5)
    assert found.by_batch == pytest.approx({1: 0.15, 25: 0.6})
    assert found.number_format == "int8 + float32"
    assert limit.share("theirs", "bfloat16", operations, {1: 100.0}, rates) is None


@pytest.mark.parametrize("product", limit.PRODUCTS, ids=lambda item: item.library)
def test_matrix_products_are_measured(product, monkeypatch):
    for package in product.packages:
        if not measure.is_installed(package):
            pytest.skip(f"{package} is not installed")
    monkeypatch.setattr(limit, "PRODUCTS", (product,))
    left_out: dict[str, str] = {}
    (rate,) = limit.rates(1, 0.001, 2, left_out, size=16)
    assert not left_out
    assert rate.billions_per_second.count == 2
    assert rate.billions_per_second.least > 0


def test_peers_of_a_file_in_integers_get_random_weights(made, words, tmp_path, monkeypatch):
    """As wide as the file has it; where the recipe is another, the network has to be given."""
    pytest.importorskip("mxnet")
    plain, integers = made("network"), made("level 3")
    assert not peers.is_plain(integers)
    assert networks.float_network(plain, None, tmp_path, 1).path == plain
    given = networks.float_network(integers, plain, tmp_path, 1)
    assert (given.path, given.is_the_models) == (plain, True)
    random = networks.float_network(integers, None, tmp_path, 1)
    assert (peers.is_plain(random.path), random.is_the_models) == (True, False)
    assert shapes_of_weights(random.path) == shapes_of_weights(plain)
    assert peers.metadata_of(random.path).words == words
    other = find_model("wgan")
    message = r"first layer of .*wgan.onnx takes 524288 multiply-adds, that of the weights of tiny"
    found = 1024 * (16 + (words.size if words else 0))
    with pytest.raises(UserError, match=rf"{message}.* {found}: give the network"):
        networks.float_network(other, plain, tmp_path, 1)
    with pytest.raises(UserError, match=r"level 3.onnx is no chain of transposed convolutions"):
        networks.float_network(plain, integers, tmp_path, 1)
    monkeypatch.setattr(measure, "is_installed", lambda name: name != "mxnet")
    with pytest.raises(PeerFailed, match="mxnet is not installed: pip install"):
        networks.float_network(integers, None, tmp_path, 1)
    assert networks.float_network(plain, None, tmp_path, 1).path == plain
    assert networks.float_network(integers, plain, tmp_path, 1).path == plain
    monkeypatch.setattr(measure, "is_installed", lambda name: name != "onnx")
    with pytest.raises(PeerFailed, match="onnx is not installed: pip install"):
        networks.float_network(plain, None, tmp_path, 1)


def test_a_network_of_other_words_is_refused(make_generator, tmp_path):
    """One that has as many of them, so that the first layers are alike."""
    groups = (replace(WORDS.groups[0], name="hat"), *WORDS.groups[1:])
    model = make_generator("model.onnx", words=WORDS)
    other = make_generator("other.onnx", words=replace(WORDS, groups=groups))
    message = r"model.onnx and .*other.onnx take other words: give the network it was made of"
    with pytest.raises(UserError, match=message):
        networks.float_network(model, other, tmp_path, 1)


def test_only_words_before_latents_are_plain(make_generator):
    path = make_generator(words=WORDS)
    assert peers.is_plain(path)
    model = onnx.load(str(path))
    model.graph.node[0].input[:] = ["latent", "condition"]
    onnx.save(model, str(path))
    assert not peers.is_plain(path)


def shapes_of_weights(path: Path) -> list[tuple[int, ...]]:
    """Those of a file's kernels, in its order."""
    return [
        tuple(item.dims) for item in onnx.load(str(path)).graph.initializer if len(item.dims) == 4
    ]


@pytest.mark.parametrize(("model", "width"), [("wgan", 32), ("student", 24)])
def test_peers_of_a_shipped_model_are_as_wide_as_its_file(model, width, tmp_path, monkeypatch):
    pytest.importorskip("mxnet")
    monkeypatch.setattr(networks, "SETTLING_BATCHES", 1)
    write = networks.random_network(find_model(model))
    write(tmp_path / "network.onnx")
    kernels = [(128, 8), (8, 4), (4, 2), (2, 1)]
    assert shapes_of_weights(tmp_path / "network.onnx") == [
        *(
            (128 if inputs == 128 else inputs * width, outputs * width, 4, 4)
            for inputs, outputs in kernels
        ),
        (width, 3, 4, 4),
    ]


@pytest.mark.parametrize("level", [0, 1, 2, 3])
@pytest.mark.parametrize("float16", [False, True])
def test_a_width_is_read_from_every_form_of_a_file(level, float16, tmp_path, monkeypatch):
    monkeypatch.setattr(verify, "FACE_SEEDS", range(1))
    output = tmp_path / "made.onnx"
    pipeline.export(original(generator()), output, "cpu", level, float16, 25)
    assert peers.width_of(output) == 32


def _make_operations_without_mxnet() -> Callable[[Path], Operations]:
    sys.modules.update(
        dict.fromkeys(("mxnet", "gluoncv", "edgegan.trainer"))
    )  # what imports them fails
    return networks.operations()


def test_operations_are_counted_without_mxnet(make_generator):
    with Worker(_make_operations_without_mxnet, threads=1) as worker:
        found = worker.call(make_generator())
    assert found == Operations(
        floating=16 * (16 * 64 + 16 * 64 * 32 + 64 * 32 * 3), integers=0, first_layer=16 * 16 * 64
    )


@pytest.mark.parametrize(
    ("recipe", "value_range", "slope", "words"),
    [
        ("dcgan", (-1, 1), 1, None),
        ("dcgan_fast", (0, 1), 1 / 4, None),
        ("acgan", (-1, 1), 1, WORDS),
    ],
)
def test_random_weights_draw_pictures_of_contrast(
    make_generator, tmp_path, recipe, value_range, slope, words
):
    """In float32, whatever the recipe trains in, by a tanh or a sigmoid of that slope."""
    pytest.importorskip("mxnet")
    metadata = replace(METADATA, recipe=recipe, value_range=value_range, words=words).to_strings()
    path = tmp_path / "random.onnx"
    networks.random_network(make_generator(metadata=metadata, words=words))(path)
    assert peers.is_plain(path)
    assert peers.metadata_of(path).latent_size == 16
    inputs = inputs_of(words, 16)
    images = peers.onnxruntime_plain(path, 1)(inputs)
    assert images.mean() == pytest.approx(np.mean(value_range), abs=0.05)
    # The last layer adds 4 taps of 32 channels, half of them 0, by weights N(0, 0.02).
    expected = 0.02 * np.sqrt(4 * 32 / 2) * slope
    assert images.std() == pytest.approx(expected, rel=0.3)
    assert peers.mxnet(path, 1)(inputs) == pytest.approx(images, abs=1e-5)
    if measure.is_installed("torch"):
        with Worker(peers.pytorch_batch_norm, path, 1, threads=1) as worker:
            assert worker.call(inputs) == pytest.approx(images, abs=1e-5)


def test_scaling_reports_threads_batches_and_folders(
    make_generator, tmp_path, capsys, one_repetition
):
    report = tmp_path / "report.json"
    model = make_generator(words=WORDS)
    arguments = ["--model", str(model), "--batches", "1,4", "--counts", "2,70"]
    arguments += [*one_repetition, "--seconds", "0.001", "--json", str(report)]
    assert scaling.main(arguments) == 0
    found = json.loads(report.read_text())
    cores = measure.machine(1)["cores"]
    assert 1 <= len(found["threads"]) <= cores
    assert found["threads"][0]["over_first"]["median"] == 1
    assert [each["batch"] for each in found["batches"]] == [1, 4]
    ratio = found["batches"][1]["over_first"]["median"]
    rates = [each["images_per_second"]["median"] for each in found["batches"]]
    assert ratio == pytest.approx(rates[1] / rates[0])
    for each in [*found["threads"], *found["batches"]]:
        assert each["images_per_second_preferring_latency"]["median"] > 0
    assert [each["images"] for each in found["folders"]] == [2, 70]
    for each in found["folders"]:
        assert each["images_per_second"]["median"] * each["seconds"]["median"] == pytest.approx(
            each["images"]
        )
        assert each["peak_memory_mb"]["median"] > 1
    assert "images written" in capsys.readouterr().out


def test_many_images_are_written_less_often_than_few():
    def write(count: int) -> measure.Finished:
        return measure.Finished(0, count / 1000, count, "")

    found = scaling.folders([1_000, 10_000, 10_001], 5, write)
    assert [(each.images, each.seconds.count) for each in found] == [
        (1_000, 5),
        (10_000, 5),
        (10_001, 3),
    ]
    assert found[2].peak_over_first == Spread.of(3 * [10.001])
    assert all(each.images_per_second == Spread.of(n * [1e3]) for each, n in zip(found, (5, 5, 3)))


def test_training_reports_speed_and_memory(tmp_path, capsys, one_repetition):
    pytest.importorskip("mxnet")
    report = tmp_path / "report.json"
    arguments = [*TINY, *one_repetition, "--seconds", "0.01", "--pictures", "8", "--steps", "1"]
    assert training.main([*arguments, "--json", str(report)]) == 0
    found = json.loads(report.read_text())
    assert [result["pictures"] for result in found["memory"]] == [8, 16]
    assert found["speed"][0]["peer"] == "edgegan"
    assert found["speed"][0]["images_per_second"]["median"] > 0
    peers_of_ours = {result["peer"] for result in found["speed"][1:]}
    assert peers_of_ours | found["left_out"].keys() == training.PYTORCH.keys()
    assert "to the first row" in capsys.readouterr().out


def test_gradient_penalty_reports_both_constraints(tmp_path, capsys, one_repetition):
    pytest.importorskip("mxnet")
    report = tmp_path / "report.json"
    arguments = [*TINY, *one_repetition, "--seconds", "0.01", "--json", str(report)]
    assert gradient_penalty.main(arguments) == 0
    found = json.loads(report.read_text())
    clipped, penalised = found["results"]
    assert (clipped["constraint"], penalised["constraint"]) == ("clipping", "gradient penalty")
    assert clipped["over_clipped"]["median"] == 1
    ratio = penalised["seconds"]["median"] / clipped["seconds"]["median"]
    assert penalised["over_clipped"]["median"] == pytest.approx(ratio)
    assert found["recipe"]["discriminator"]["kernel"] == 5
    assert "gradient penalty" in capsys.readouterr().out


def _make_parameter_shapes(framework: str, recipe: dict) -> Callable[[None], list]:
    """All trained parameters' shapes: of both networks, generator first."""
    if framework == "torch":
        from benchmarks.pytorch_dcgan import PyTorchTraining

        networks = PyTorchTraining(recipe)
        pair = (networks.generator, networks.discriminator)
        return lambda _: [tuple(array.shape) for network in pair for array in network.parameters()]
    from edgegan.trainer import device, loop
    from edgegan.trainer import recipe as recipes
    from edgegan.trainer.optimizer import trained_parameters

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
    losses = {}
    # A recipe's keys that say how our trainer computes are not for the peer.
    for how, extra in (("float32", {}), ("bfloat16", {"precision": "bfloat16"})):
        make = partial(training.pytorch, bfloat16=how == "bfloat16")
        with Worker(make, {**recipe, **extra}, 1, threads=1) as worker:
            losses[how] = np.array(worker.call())
    assert np.isfinite(losses["float32"]).all()
    # The same draws in 8 bits of precision: near, and not the same.
    assert losses["bfloat16"] == pytest.approx(losses["float32"], rel=0.05, abs=0.01)
    assert (losses["bfloat16"] != losses["float32"]).any()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("generator.kernel=5", "no generator.kernel 5"),
        ("augmentation=[colour]", r"no augmentation \['colour'\]"),
        ("discriminator.optimizer.name=sgd", "no optimizer 'sgd'"),
        ("objective={name: least_squares}", "no objective 'least_squares'"),
    ],
)
def test_pytorch_refuses_what_it_would_compute_otherwise(override, message):
    pytest.importorskip("mxnet")
    if not measure.is_installed("torch"):
        pytest.skip("torch is not installed")
    arguments = ("dcgan", [*TINY[1::2], override])
    with Worker(training.recipe_values, *arguments, threads=1) as worker:
        recipe = worker.call()
    with (
        Worker(training.pytorch, recipe, 1, threads=1) as worker,
        pytest.raises(PeerFailed, match=message),
    ):
        worker.call()


def test_cold_start_reports_commands_and_parts(
    make_generator, cascade, tmp_path, monkeypatch, capsys, one_repetition, words
):
    monkeypatch.setenv("EDGEGAN_CASCADE", str(cascade))
    (tmp_path / "run_gan.sh").write_text(f'exec {sys.executable} -m edgegan.runtime.run_gan "$@"\n')
    monkeypatch.setattr(cold_start, "RUN_GAN", tmp_path / "run_gan.sh")
    report = tmp_path / "report.json"
    model = make_generator(words=words)
    arguments = ["--model", str(model), *one_repetition, "--json", str(report)]
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
        (["throughput", "--model", "dcgn"], ["'dcgn'", "did you mean dcgan"]),
        (["throughput", "--model", "none.onnx"], ["cannot read", "none.onnx"]),
        (["throughput", "--batches", "1,x"], ["--batches is 'x'", "a whole number from 1"]),
        (["throughput", "--threads", "999999"], ["--threads is '999999'"]),
        (["throughput", "--seconds", "0"], ["--seconds is '0'", "a positive number"]),
        (["throughput", "--network", "none.onnx"], ["cannot read", "none.onnx"]),
        (["scaling", "--counts", "0"], ["--counts is '0'", "a whole number from 1"]),
        (["scaling", "--batches", "1,x"], ["--batches is 'x'"]),
        (["scaling", "--model", "none.onnx"], ["cannot read", "none.onnx"]),
        (["training", "--repetitions", "4"], ["--repetitions is '4'", "a whole number from 5"]),
        (["training", "--pictures", "-1"], ["--pictures is '-1'"]),
        (["training", "--recipe", "dcgn"], ["recipe 'dcgn' does not exist", "dcgan"]),
        (["training", "--set", "batch_size=0"], ["batch_size is 0", "expected 1 to"]),
        (["gradient_penalty", "--repetitions", "4"], ["--repetitions is '4'"]),
        (
            ["gradient_penalty", "--set", "discriminator.norm=batch"],
            ["not known through BatchNorm"],
        ),
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
