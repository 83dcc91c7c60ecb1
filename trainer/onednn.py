"""oneDNN 3 through its C interface: what convolutions in bfloat16 need of it.

mxnet 1.9.1 has a oneDNN within it that is older than the matrix units of today's processors (AMX).
Where a newer one is installed too (the package onednn-cpu-gomp, or the system's libdnnl.so.3), this
module reaches it. Its words are oneDNN's: a descriptor tells an array's shape, its type and the
order of its numbers, a memory is an array, and a primitive is an operation on memories. See
https://uxlfoundation.github.io/oneDNN/dev_guide_c_and_cpp_apis.html.
"""

from __future__ import annotations

import ctypes
import os
import site
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from ctypes import byref, c_float, c_int, c_int64, c_size_t, c_uint, c_void_p
from functools import cache
from pathlib import Path

import numpy as np

LIBRARY = "libdnnl.so.3"
ALIGNMENT = 64  # bytes: a line of the processor's cache
MOST_DIMENSIONS = 12

# Numbers of oneDNN's enumerations, in dnnl_types.h and dnnl_common_types.h.
FLOAT32, BFLOAT16 = 3, 2
ANY, VECTOR, MATRIX, NCHW, NHWC, IOHW = 1, 2, 3, 5, 22, 25
CPU, IN_ORDER, IN_TRAINING, BACKWARD = 1, 1, 64, 128
CONVOLUTION, TRANSPOSED_CONVOLUTION = 1, 10
RELU_FROM_TARGET = 0x100
USE_SCALE, USE_SHIFT, FUSE_RELU = 2, 4, 8
AMX = 0xFEF  # all that it implies, too
# Of what a primitive takes and gives.
SOURCE, TARGET, WEIGHTS, BIAS, WORKSPACE, FIRST_OF_MANY = 1, 17, 33, 41, 64, 1024
MEAN, VARIANCE, SCALE, SHIFT = 49, 50, 51, 52
GRADIENT_OF_SOURCE, GRADIENT_OF_TARGET, GRADIENT_OF_WEIGHTS = 129, 145, 161
GRADIENT_OF_BIAS, GRADIENT_OF_SCALE, GRADIENT_OF_SHIFT = 169, 255, 256
_QUERIES = {WEIGHTS: 131, GRADIENT_OF_WEIGHTS: 132, WORKSPACE: 135}

Shape = Sequence[int]


class _Argument(ctypes.Structure):
    _fields_ = [("kind", c_int), ("memory", c_void_p)]


@cache
def _library() -> ctypes.CDLL | None:
    """oneDNN 3, or nothing where none is installed."""
    if sys.platform != "linux":  # elsewhere its symbols and those of mxnet's would mix
        return None
    prefixes = sysconfig.get_path("data"), sys.base_prefix, site.getuserbase()
    installed = (Path(prefix, "lib", LIBRARY) for prefix in prefixes)
    for place in (*filter(Path.exists, installed), LIBRARY):
        try:
            # Its own symbols first: mxnet has another oneDNN within it.
            library = ctypes.CDLL(str(place), mode=os.RTLD_LOCAL | os.RTLD_DEEPBIND)
        except OSError:
            continue
        library.dnnl_memory_desc_get_size.restype = c_size_t
        library.dnnl_primitive_desc_query_md.restype = c_void_p
        return library
    return None


@cache
def computes_in_bfloat16() -> bool:
    """Whether oneDNN 3 is here, and convolutions in bfloat16 run on this processor."""
    if _library() is None:
        return False
    try:
        Convolution((1, 1, 4, 4), (1, 1, 2, 2), 4, 2, (1, 1), transposed=False, bias=False)
    except (OneDnnError, AttributeError):  # the second of another version's library
        return False
    return True


@cache
def has_matrix_units() -> bool:
    """Whether it finds matrix units here (AMX); without them mxnet's own oneDNN is as fast."""
    library = _library()
    return library is not None and library.dnnl_get_effective_cpu_isa() & AMX == AMX


class OneDnnError(Exception):
    """oneDNN refused something: it has no such operation on this processor."""


def _loaded() -> ctypes.CDLL:
    library = _library()
    assert library, "whether it is installed is asked before"
    return library


def _call(name: str, *arguments: object) -> None:
    status = getattr(_loaded(), f"dnnl_{name}")(*arguments)
    if status:
        raise OneDnnError(f"oneDNN's {name} answered with status {status}")


@cache
def _engine() -> c_void_p:
    engine = c_void_p()
    _call("engine_create", byref(engine), c_int(CPU), c_size_t(0))
    return engine


@cache
def _stream() -> c_void_p:
    stream = c_void_p()
    _call("stream_create", byref(stream), _engine(), c_uint(IN_ORDER))
    return stream


def _dimensions(values: Shape) -> ctypes.Array[c_int64]:
    return (c_int64 * MOST_DIMENSIONS)(*values)


class Descriptor:
    """An array's shape, in oneDNN's order of axes, its type and the order of its numbers."""

    def __init__(self, handle: c_void_p) -> None:
        self.handle = handle

    @classmethod
    def of(cls, shape: Shape, dtype: int, order: int) -> Descriptor:
        handle = c_void_p()
        sizes = _dimensions(shape)
        _call("memory_desc_create_with_tag", byref(handle), len(shape), sizes, dtype, order)
        return cls(handle)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Descriptor):
            return NotImplemented
        return bool(_loaded().dnnl_memory_desc_equal(self.handle, other.handle))

    __hash__ = None  # type: ignore[assignment]  # equal ones cannot be told by a number

    @property
    def size(self) -> int:
        """How many bytes such an array takes."""
        return int(_loaded().dnnl_memory_desc_get_size(self.handle))


class Memory:
    """An array of a descriptor: of its own, or what lies at the address that is set later."""

    def __init__(self, descriptor: Descriptor, *, own: bool = True) -> None:
        self.descriptor = descriptor
        self.handle = c_void_p()
        address = 0
        if own:
            raw = np.zeros(descriptor.size + ALIGNMENT, np.uint8)
            start = -raw.ctypes.data % ALIGNMENT
            self.bytes = raw[start : start + descriptor.size]
            address = self.bytes.ctypes.data
        _call("memory_create", byref(self.handle), descriptor.handle, _engine(), c_void_p(address))

    @property
    def float32(self) -> np.ndarray:
        """Its numbers in the order in which they lie, where they are float32."""
        return self.bytes.view(np.float32)

    def point_to(self, array: np.ndarray) -> None:
        """Let it be this array."""
        self._array = array  # lives as long
        _call("memory_set_data_handle", self.handle, c_void_p(array.ctypes.data))


class Primitive:
    """One of oneDNN's operations, for memories of certain descriptors."""

    def __init__(self, kind: str, *arguments: object) -> None:
        self.description = c_void_p()
        _call(f"{kind}_primitive_desc_create", byref(self.description), *arguments)
        self._handle = c_void_p()
        _call("primitive_create", byref(self._handle), self.description)

    def descriptor(self, argument: int) -> Descriptor:
        """Of the memory that it takes or gives as ``argument``, in the order that it wants."""
        query = _loaded().dnnl_primitive_desc_query_md(self.description, _QUERIES[argument], 0)
        return Descriptor(c_void_p(query))

    def on(self, memories: Mapping[int, Memory]) -> Operation:
        """It, on these memories by what they are to it."""
        return Operation(self._handle, memories)


class Operation:
    """A primitive on certain memories: a call computes it."""

    def __init__(self, primitive: c_void_p, memories: Mapping[int, Memory]) -> None:
        pairs = (_Argument(kind, memory.handle) for kind, memory in memories.items())
        arguments = (_Argument * len(memories))(*pairs)
        self._execute = _loaded().dnnl_primitive_execute
        self._arguments = primitive, _stream(), len(memories), arguments
        self._memories = memories  # which have to live as long

    def __call__(self) -> None:
        if self._execute(*self._arguments):
            raise OneDnnError("oneDNN could not compute an operation")


def copying(source: Memory, target: Memory) -> Operation:
    """What copies numbers to another order or type."""
    ends = source.descriptor.handle, _engine(), target.descriptor.handle, _engine()
    return Primitive("reorder", *ends, None).on({SOURCE: source, TARGET: target})


def adding(terms: Sequence[Memory], target: Memory) -> Operation:
    """What sets an array to the sum of others of its descriptor."""
    count, descriptor = len(terms), target.descriptor.handle
    ones, descriptors = (c_float * count)(*[1] * count), (c_void_p * count)(*[descriptor] * count)
    total = Primitive("sum", _engine(), descriptor, count, ones, descriptors, None)
    sources = {FIRST_OF_MANY + number: each for number, each in enumerate(terms)}
    return total.on({**sources, TARGET: target})


def maps(shape: Shape) -> Descriptor:
    """Maps (N, C, H, W) in bfloat16, a pixel's channels side by side."""
    return Descriptor.of(shape, BFLOAT16, NHWC)


def vector(size: int) -> Descriptor:
    """So many float32."""
    return Descriptor.of((size,), FLOAT32, VECTOR)


class Convolution:
    """A convolution of maps in bfloat16, or a transposed one, and both of its gradients.

    Its weights are float32 (outputs, inputs, kernel, kernel), or (inputs, outputs, kernel, kernel)
    of a transposed one, as mxnet has them: so ``weights`` describes them.

    Args:
        padding: before the first row and column, and after the last.

    Raises:
        OneDnnError: this processor cannot.
    """

    def __init__(
        self,
        source: Shape,
        target: Shape,
        kernel: int,
        stride: int,
        padding: tuple[int, int],
        *,
        transposed: bool,
        bias: bool,
    ) -> None:
        name = "deconvolution" if transposed else "convolution"
        algorithm = TRANSPOSED_CONVOLUTION if transposed else CONVOLUTION
        shape = (target[1], source[1], kernel, kernel)
        self.weights = Descriptor.of(shape, FLOAT32, IOHW if transposed else NCHW)
        x, y = maps(source).handle, maps(target).handle
        any_weights = Descriptor.of(shape, BFLOAT16, ANY).handle
        any_gradient = Descriptor.of(shape, FLOAT32, ANY).handle
        bias_handle = vector(target[1]).handle if bias else None
        steps = [_dimensions((size,) * 2) for size in (stride, 0, *padding)]
        self.forward = Primitive(
            f"{name}_forward",
            *(_engine(), IN_TRAINING, algorithm, x, any_weights, bias_handle, y, *steps, None),
        )
        hint = self.forward.description
        self.to_source = Primitive(
            f"{name}_backward_data",
            *(_engine(), algorithm, x, any_weights, y, *steps, hint, None),
        )
        self.to_weights = Primitive(
            f"{name}_backward_weights",
            *(_engine(), algorithm, x, any_gradient, bias_handle, y, *steps, hint, None),
        )


class InnerProduct:
    """Patches, a batch of maps (N, C, K, K) in bfloat16, times weights (O, C, K, K), and gradients.

    What it gives is (N, O) in bfloat16. Its weights are float32, as mxnet has them.

    Raises:
        OneDnnError: this processor cannot.
    """

    def __init__(self, patches: Shape, outputs: int, *, bias: bool) -> None:
        shape = (outputs, *patches[1:])
        self.weights = Descriptor.of(shape, FLOAT32, NCHW)
        x = maps(patches).handle
        products = Descriptor.of((patches[0], outputs), BFLOAT16, MATRIX).handle
        any_weights = Descriptor.of(shape, BFLOAT16, ANY).handle
        any_gradient = Descriptor.of(shape, FLOAT32, ANY).handle
        bias_handle = vector(outputs).handle if bias else None
        self.forward = Primitive(
            "inner_product_forward",
            *(_engine(), IN_TRAINING, x, any_weights, bias_handle, products, None),
        )
        hint = self.forward.description
        self.to_source = Primitive(
            "inner_product_backward_data", _engine(), x, any_weights, products, hint, None
        )
        self.to_weights = Primitive(
            "inner_product_backward_weights",
            *(_engine(), x, any_gradient, bias_handle, products, hint, None),
        )


class BatchNorm:
    """A batch norm of maps in training, with ReLU after it or without, and its gradients."""

    def __init__(self, shape: Shape, epsilon: float, *, relu: bool) -> None:
        flags = c_uint(USE_SCALE | USE_SHIFT | (FUSE_RELU if relu else 0))
        x, small = maps(shape).handle, c_float(epsilon)
        self.forward = Primitive(
            "batch_normalization_forward", _engine(), IN_TRAINING, x, x, small, flags, None
        )
        self.backward = Primitive(
            "batch_normalization_backward",
            *(_engine(), BACKWARD, x, x, x, small, flags, self.forward.description, None),
        )


class LeakyRelu:
    """Leaky ReLU, and its gradient, which it finds by what came out."""

    def __init__(self, shape: Shape, slope: float) -> None:
        x, numbers = maps(shape).handle, (c_float(slope), c_float(0))
        kind = RELU_FROM_TARGET
        self.forward = Primitive(
            "eltwise_forward", _engine(), IN_TRAINING, kind, x, x, *numbers, None
        )
        self.backward = Primitive(
            "eltwise_backward",
            *(_engine(), kind, x, x, x, *numbers, self.forward.description, None),
        )
