"""What the processor allows: multiply-adds a second by number format, and who reaches how much.

The rate is that of a large matrix product in the libraries that are compared, on the same cores.
Of a network's time, what its multiply-adds would take at that rate is the part that nobody saves
without fewer of them or shorter numbers; the rest is for moving numbers, for activations and for
shapes that fill a kernel badly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from benchmarks import measure
from benchmarks.measure import PeerFailed, Timed, Worker
from benchmarks.networks import Operations
from edgegan.runtime import tables
from edgegan.runtime.statistics import Spread

INTEGERS = "int8"
SIZE = 1024  # rows and columns of both matrices: 1.07 billion multiply-adds, 4 MB each in float32


@dataclass(frozen=True)
class Product:
    """A library's matrix product: what makes it ready, given a size and a number of threads."""

    library: str
    number_format: str
    make: Callable[[int, int], Timed]
    packages: tuple[str, ...]


@dataclass(frozen=True)
class Rate:
    """Multiply-adds a second, in billions, of a library's matrix product in a number format."""

    number_format: str
    library: str
    billions_per_second: Spread


@dataclass(frozen=True)
class Share:
    """How much of a peer's time its multiply-adds account for.

    Attributes:
        number_format: of what it multiplies; two with a plus between them if there are two.
        multiply_adds: for an image.
        least_milliseconds: what they would take at the best rate of their formats.
        by_batch: that, over what an image takes in a batch of so many.
    """

    peer: str
    number_format: str
    multiply_adds: int
    least_milliseconds: float
    by_batch: dict[int, float]


def onnxruntime_float32(size: int, threads: int) -> Timed:
    """onnxruntime's MatMul of float32 matrices, the second a constant."""
    random = np.random.default_rng(0)
    left, right = random.standard_normal((2, size, size)).astype(np.float32)
    return _onnxruntime_product("MatMul", left, right, np.float32, threads)


def onnxruntime_integers(size: int, threads: int) -> Timed:
    """onnxruntime's MatMulInteger of unsigned by signed bytes, the second matrix a constant."""
    random = np.random.default_rng(0)
    left = random.integers(0, 256, (size, size), dtype=np.uint8)
    right = random.integers(-64, 65, (size, size), dtype=np.int8)
    return _onnxruntime_product("MatMulInteger", left, right, np.int32, threads)


def pytorch(number_format: str, size: int, threads: int) -> Timed:
    """PyTorch's matrix product of a floating-point format."""
    import torch

    torch.set_num_threads(threads)
    kind = getattr(torch, number_format)
    left, right = torch.randn(2, size, size).to(kind)
    result = torch.empty(size, size, dtype=kind)

    def run(_: None) -> None:
        torch.mm(left, right, out=result)

    return run


PRODUCTS = (
    Product("onnxruntime MatMul", "float32", onnxruntime_float32, ("onnx",)),
    Product("onnxruntime MatMulInteger", INTEGERS, onnxruntime_integers, ("onnx",)),
    Product("PyTorch mm", "float32", partial(pytorch, "float32"), ("torch",)),
    Product("PyTorch mm", "bfloat16", partial(pytorch, "bfloat16"), ("torch",)),
)


def rates(
    threads: int, seconds: float, repetitions: int, left_out: dict[str, str], size: int = SIZE
) -> list[Rate]:
    """Measure all products in turn; why one cannot be goes to ``left_out``.

    Args:
        seconds: least length of a repetition.
        size: rows and columns of the matrices.
    """
    measure.progress(f"matrix products, {repetitions} rounds of {len(PRODUCTS)}")
    takes: dict[str, Callable[[], float]] = {}
    calls: dict[str, int] = {}
    products: dict[str, Product] = {}
    with ExitStack() as stack:
        for product in PRODUCTS:
            name = f"{product.library}, {product.number_format}"
            missing = [package for package in product.packages if not measure.is_installed(package)]
            if missing:
                left_out[name] = f"{missing[0]} is not installed"
                continue
            worker = stack.enter_context(Worker(product.make, size, threads, threads=threads))
            try:
                calls[name] = measure.warm_up(partial(worker.seconds, None), seconds)
            except PeerFailed as error:
                left_out[name] = str(error)
                continue
            products[name] = product
            takes[name] = partial(worker.seconds, None, calls[name])
        taken = measure.interleave(takes, repetitions)
    return [
        Rate(
            product.number_format,
            product.library,
            Spread.of([calls[name] * size**3 / value / 1e9 for value in taken[name]]),
        )
        for name, product in products.items()
    ]


def share(
    peer: str,
    floating: str,
    operations: Operations,
    images_per_second: Mapping[int, float],
    measured: list[Rate],
) -> Share | None:
    """How much of a peer's time its multiply-adds account for; None if no rate is known of some.

    Args:
        floating: the format of its floating-point numbers.
        operations: what its file takes for an image.
        images_per_second: by the size of a batch.
    """
    best: dict[str, float] = {}
    for rate in measured:
        found = rate.billions_per_second.median
        best[rate.number_format] = max(best.get(rate.number_format, 0), found)
    counts = {INTEGERS: operations.integers, floating: operations.floating}
    counts = {number_format: count for number_format, count in counts.items() if count}
    if not best.keys() >= counts.keys():
        return None
    least = sum(count / best[number_format] for number_format, count in counts.items()) / 1e9
    return Share(
        peer,
        " + ".join(counts),
        sum(counts.values()),
        least * 1e3,
        {batch: least * rate for batch, rate in images_per_second.items()},
    )


def print_tables(measured: list[Rate], shares: list[Share]) -> None:
    """Print the rates, and below them who reaches how much."""
    rows: list[tuple[object, ...]] = [
        (rate.number_format, rate.library, rate.billions_per_second) for rate in measured
    ]
    print(f"\nA product of two {SIZE} x {SIZE} matrices:\n")
    print(tables.markdown(("numbers", "library", "billion multiply-adds/s"), rows))
    if not shares:
        return
    batches = list(shares[0].by_batch)  # of ours, which is there for all
    rows = [
        (
            each.peer,
            each.number_format,
            f"{each.multiply_adds / 1e6:.1f}",
            f"{each.least_milliseconds:.3f}",
            *(f"{each.by_batch[batch]:.0%}" if batch in each.by_batch else "" for batch in batches),
        )
        for each in shares
    ]
    headers = ("peer", "numbers", "million multiply-adds an image", "ms they take at that rate")
    print("\nThe part of a peer's time that its multiply-adds would take at the best of those:\n")
    print(tables.markdown((*headers, *(f"of batch {batch}" for batch in batches)), rows))


def _onnxruntime_product(
    operator: str, left: np.ndarray, right: np.ndarray, result: Any, threads: int
) -> Timed:
    from onnx import helper, numpy_helper

    from edgegan.runtime.without_telemetry import onnxruntime

    def value(name: str, kind: Any) -> Any:
        number = helper.np_dtype_to_tensor_dtype(np.dtype(kind))
        return helper.make_tensor_value_info(name, number, list(left.shape))

    graph = helper.make_graph(
        [helper.make_node(operator, ["left", "right"], ["product"])],
        "product",
        [value("left", left.dtype)],
        [value("product", result)],
        [numpy_helper.from_array(right, "right")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    return lambda _: session.run(None, {"left": left})
