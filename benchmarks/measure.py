"""What the benchmarks share: fair timing, peak memory, ratios, and what heads a report.

Every peer runs in a process of its own, as it would for a user, with the same number of threads.
Repetitions go round all peers (A B C A B C …), so that a machine that becomes slower becomes so
for all, and are compared within a round.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import math
import multiprocessing
import os
import platform
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any

from edgegan.runtime.cores import available_cores
from edgegan.runtime.errors import UserError
from edgegan.runtime.files import atomic_write
from edgegan.runtime.options import output_file, positive_number, whole_number
from edgegan.runtime.statistics import Spread

LEAST_REPETITIONS = 5
ROOT = Path(__file__).parents[1]
TIMES_AS_FAST = "edgegan is … times as fast"  # over a column: above 1, ours is the faster
PASS_OR_FAIL = (0, 1)  # statuses of what grades, where it could do its work
TIMED_PROCESS = Path(__file__).with_name("timed_process.py")
Timed = Callable[[Any], Any]  # what is timed, made ready: an argument in, a result out


class PeerFailed(Exception):  # noqa: N818 (what happened, not whose fault it is)
    """A peer cannot do what is measured; the text is one line that says why."""


class Worker:
    """A peer in a process of its own; a context manager that ends the process.

    ``make(*arguments)`` is called there and returns what is timed. Modules that it needs are to be
    imported inside it: the process reads its number of threads before that.
    """

    def __init__(self, make: Callable[..., Timed], *arguments: Any, threads: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._pipe, theirs = context.Pipe()
        self._process = context.Process(
            target=_serve, args=(theirs, threads, make, arguments), daemon=True
        )
        self._process.start()
        theirs.close()

    def __enter__(self) -> Worker:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._pipe.close()
        self._process.join(timeout=10)
        self._process.kill()

    def call(self, argument: Any = None) -> Any:
        """Run the peer once; raises PeerFailed if it cannot."""
        return self._ask("call", argument, 1)

    def seconds(self, argument: Any = None, calls: int = 1) -> float:
        """The time that a series of calls takes, in seconds."""
        return float(self._ask("seconds", argument, calls))

    def median_seconds(self, argument: Any = None, calls: int = 1) -> float:
        """The median of the times that single calls take, in seconds."""
        return float(self._ask("median_seconds", argument, calls))

    def peak_memory(self) -> float:
        """The most main memory that the process has had so far, in MB."""
        return float(self._ask("peak_memory", None, 1))

    def _ask(self, what: str, argument: Any, calls: int) -> Any:
        try:
            self._pipe.send((what, argument, calls))
            succeeded, answer = self._pipe.recv()
        except (EOFError, OSError):
            self._process.join(timeout=10)
            raise PeerFailed(f"its process ended, status {self._process.exitcode}") from None
        if not succeeded:
            raise PeerFailed(answer)
        return answer


def limit_threads(threads: int) -> None:
    """Let this process use so many cores, before it loads a library that counts them.

    Raises:
        UserError: this system cannot give a process fewer cores than there are.
    """
    if threads < available_cores():
        if not hasattr(os, "sched_setaffinity"):
            raise UserError(f"--threads {threads} is not possible on {platform.system()}")
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:threads])
    os.environ["OMP_NUM_THREADS"] = str(threads)


def seconds_of(
    run: Timed, argument: Any, calls: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Time a series of calls, in seconds."""
    started = clock()
    for _ in range(calls):
        run(argument)
    return clock() - started


def median_seconds_of(
    run: Timed, argument: Any, calls: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Time calls one by one; the median, in seconds."""
    return statistics.median(seconds_of(run, argument, 1, clock) for _ in range(calls))


def warm_up(time_calls: Callable[[int], float], seconds: float) -> int:
    """Make calls until a series of them lasts ``seconds``; returns how many that takes.

    The first call, which sets things up, does not count.
    """
    time_calls(1)
    calls = 1
    while (elapsed := time_calls(calls)) < seconds:
        growth = seconds / elapsed if elapsed > 0 else math.inf
        calls = math.ceil(calls * min(10.0, max(1.2, growth)))
    return calls


def interleave(
    measurements: Mapping[str, Callable[[], float]], repetitions: int
) -> dict[str, list[float]]:
    """Take every measurement in turn, ``repetitions`` times round; returns them by name."""
    results: dict[str, list[float]] = {name: [] for name in measurements}
    for _ in range(repetitions):
        for name, take in measurements.items():
            results[name].append(take())
    return results


def ratio(values: Sequence[float], others: Sequence[float]) -> Spread:
    """The first over the second, round by round."""
    return Spread.of([value / other for value, other in zip(values, others)])


@dataclass(frozen=True)
class Finished:
    """A process that ended: its wall time, its and its children's peak memory, what it said."""

    status: int
    seconds: float
    peak_memory: float  # MB
    output: str


def run_process(command: Sequence[str], environment: Mapping[str, str] | None = None) -> Finished:
    """Run a command to its end and measure it; its output and errors are kept together."""
    finished = subprocess.run(
        [sys.executable, "-I", "-S", str(TIMED_PROCESS), *command],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env={**os.environ, **(environment or {})},
        check=True,
    )
    report = json.loads(finished.stderr)
    output = finished.stdout.decode(errors="replace")
    return Finished(report["status"], report["seconds"], _megabytes(report["maxrss"]), output)


def edgegan_command(*words: str) -> list[str]:
    """The command line of a command of ours: ``edgegan WORDS`` by this Python."""
    return [sys.executable, "-m", "edgegan", *words]


def run_checked(
    command: Sequence[str],
    name: str,
    environment: Mapping[str, str] | None = None,
    statuses: Sequence[int] = (0,),
) -> Finished:
    """Run a command to its end and measure it; it finds ``edgegan`` in this checkout.

    Raises:
        UserError: its status is another than ``statuses``; the sentence has the command's name and
            its last line.
    """
    paths = filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")])
    finished = run_process(command, {"PYTHONPATH": os.pathsep.join(paths), **(environment or {})})
    if finished.status not in statuses:
        last = (finished.output.strip().splitlines() or ["it said nothing"])[-1]
        raise UserError(f"{name} failed: {last.removeprefix('error: ')}")
    return finished


def machine(threads: int) -> dict[str, str | int]:
    """What the measurements were taken on."""
    return {
        "cpu": _cpu_model(),
        "cores": os.cpu_count() or 1,
        "threads": threads,
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
    }


def versions(packages: Sequence[str]) -> dict[str, str]:
    """The installed versions of packages; "not installed" for those that are not."""
    return {package: _version(package) or "not installed" for package in packages}


def is_installed(package: str) -> bool:
    """Whether a package of that name on the package index is installed."""
    return _version(package) is not None


def has_compiler() -> bool:
    """Whether there is a C++ compiler, which PyTorch's own compiler needs."""
    return any(map(shutil.which, ("c++", "g++", "clang++")))


def print_header(title: str, report: Mapping[str, Any]) -> None:
    """Print what a benchmark is and what it ran on."""
    on = report["machine"]
    print(f"{title}\n")
    print(f"{on['cpu']}, {on['threads']} of {on['cores']} cores used, {on['system']}")
    packages = ", ".join(f"{name} {version}" for name, version in report["versions"].items())
    print(f"Python {on['python']}, {packages}")
    print("median (least to greatest) of the repetitions; ratios are taken within each round\n")


def write_json(path: Path, report: Mapping[str, Any]) -> None:
    """Write a report whole or not at all; raises UserError if it cannot be written."""
    with atomic_write(path) as temporary:
        text = json.dumps(report, indent=2, default=vars, ensure_ascii=False)
        temporary.write_text(text + "\n", encoding="utf-8")


def progress(what: str, doing: str = "measuring") -> None:
    """Tell who waits what is being measured, or made for it."""
    print(f"{doing} {what} …", file=sys.stderr, flush=True)


def add_options(parser: argparse.ArgumentParser, repetitions: int) -> None:
    """Declare what most benchmarks take: --repetitions and --json."""
    parser.add_argument(
        "--repetitions",
        type=whole_number("--repetitions", LEAST_REPETITIONS),
        default=repetitions,
        metavar="N",
        help=f"rounds to measure, at least {LEAST_REPETITIONS} ({repetitions})",
    )
    add_json_option(parser)


def add_json_option(parser: argparse.ArgumentParser) -> None:
    """Declare --json."""
    parser.add_argument(
        "--json",
        type=output_file("--json", ".json"),
        metavar="FILE",
        help="write the report as JSON too",
    )


def add_set_option(parser: argparse.ArgumentParser) -> None:
    """Declare --set."""
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="KEY=VALUE",
        help="override a value of the recipe, as edgegan fit does",
    )


def whole_numbers(option: str, least: int, greatest: int) -> Callable[[str], list[int]]:
    """An argparse type: whole numbers in a range, with commas between them."""
    one = whole_number(option, least, greatest)
    return lambda text: [one(part) for part in text.split(",")]


def add_threads_option(parser: argparse.ArgumentParser) -> None:
    """Declare --threads, which all peers get."""
    cores = available_cores()
    parser.add_argument(
        "--threads",
        type=whole_number("--threads", 1, cores),
        default=cores,
        metavar="N",
        help=f"threads of every peer, up to the cores this process may use ({cores})",
    )


def add_seconds_option(parser: argparse.ArgumentParser, seconds: float) -> None:
    """Declare --seconds, the length of a repetition."""
    parser.add_argument(
        "--seconds",
        type=positive_number("--seconds"),
        default=seconds,
        metavar="S",
        help=f"least length of one repetition, in seconds ({seconds:g})",
    )


def _serve(
    pipe: Connection, threads: int, make: Callable[..., Timed], arguments: Sequence[Any]
) -> None:
    """Be a worker's process: build the peer, then answer until the pipe is closed."""
    run: Timed | None = None
    while True:
        try:
            what, argument, calls = pipe.recv()
        except (EOFError, KeyboardInterrupt):
            return
        try:
            if run is None:
                limit_threads(threads)
                run = make(*arguments)
            if what == "call":
                answer = run(argument)
            elif what == "seconds":
                answer = seconds_of(run, argument, calls)
            elif what == "median_seconds":
                answer = median_seconds_of(run, argument, calls)
            else:
                answer = _own_peak_memory()
        except KeyboardInterrupt:
            return
        except Exception as error:  # of any library; the row in the table says it
            lines = str(error).strip().splitlines() or [""]
            sentence = (
                lines[0] if isinstance(error, UserError) else f"{type(error).__name__}: {lines[0]}"
            )
            pipe.send((False, sentence))
        else:
            pipe.send((True, answer))


def _own_peak_memory() -> float:
    """This process's peak memory in MB."""
    with suppress(OSError, StopIteration):
        # Not getrusage: there a new process starts with the memory of the one that started it.
        lines = Path("/proc/self/status").read_text().splitlines()
        peak = next(line for line in lines if line.startswith("VmHWM:"))
        return int(peak.split()[1]) * 1024 / 1e6
    import resource

    return _megabytes(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)


def _megabytes(maxrss: int) -> float:
    """What getrusage gives, KiB on Linux and bytes on macOS, in MB."""
    return maxrss * (1 if sys.platform == "darwin" else 1024) / 1e6


def _cpu_model() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def _version(package: str) -> str | None:
    with suppress(importlib.metadata.PackageNotFoundError):
        return importlib.metadata.version(package)
    return None
