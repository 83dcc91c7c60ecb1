"""Where training runs: the CPU, or one of the GPUs."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from edgegan.runtime.errors import UserError, quoted
from edgegan.runtime.latent import parse_digits
from edgegan.trainer.framework import bfloat16, mx

# As mxnet says it of an array, of the CPU and of a GPU.
OUT_OF_MEMORY = re.compile(r"larger than 2\^31|bad_alloc|[Mm]emory alloc|out of memory")


def choose(name: str, precision: str = "float32") -> mx.Context:
    """The device called ``auto``, ``cpu`` or ``gpu:N``; auto is the first GPU where one works.

    Raises:
        UserError: no such device here, no such name, or it cannot compute in that precision.
    """
    where = _find(name)
    if precision == "bfloat16":
        check_bfloat16(where)
    return where


def describe(where: mx.Context) -> str:
    """What is computed on, in a line."""
    if where.device_type == "gpu":
        return f"device: GPU {where.device_id}"
    threads = int(os.environ["OMP_NUM_THREADS"])  # set before mxnet was imported, or by the user
    return f"device: CPU, {threads} thread{'s' * (threads != 1)}"


def check_bfloat16(where: mx.Context) -> None:
    """Raise UserError where convolutions cannot be computed in bfloat16."""
    try:
        one = mx.nd.amp_cast(mx.nd.ones((1, 1, 1, 1), ctx=where), dtype=bfloat16)
        mx.nd.Convolution(one, one, kernel=(1, 1), num_filter=1, no_bias=True).wait_to_read()
    except mx.MXNetError as error:
        raise UserError(
            f"precision is bfloat16, which mxnet cannot compute with on this {where.device_type} "
            "(it needs AVX-512): expected float32"
        ) from error


@contextmanager
def enough_memory() -> Iterator[None]:
    """Tell the user where mxnet has no memory for the networks or for a batch.

    Raises:
        UserError: it said so.
    """
    try:
        yield
    except mx.MXNetError as error:
        if not OUT_OF_MEMORY.search(str(error)):
            raise
        raise UserError(
            "the networks or a batch do not fit in memory, expected a smaller generator.width, "
            "discriminator.width, latent.size, image_size or batch_size"
        ) from error


def _find(name: str) -> mx.Context:
    gpus = count_gpus()
    if name == "auto":
        return mx.gpu(0) if gpus else mx.cpu()
    if name == "cpu":
        return mx.cpu()
    kind, _, digits = name.partition(":")
    number = parse_digits(digits or "0")
    if kind != "gpu" or number is None:
        raise UserError(f"device {quoted(name)} is unknown: expected auto, cpu or gpu:N")
    if number >= gpus:
        raise UserError(f"device {quoted(name)} is not here: mxnet sees {gpus} GPU(s)")
    return mx.gpu(number)


def count_gpus() -> int:
    """How many GPUs mxnet can use: none without CUDA, or with a driver that does not work."""
    if mx.runtime.Features().is_enabled("CUDA"):
        with suppress(mx.MXNetError):
            return int(mx.context.num_gpus())
    return 0
