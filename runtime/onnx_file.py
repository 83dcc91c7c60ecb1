"""What an ONNX file says of its graph and onnxruntime does not tell: its opset and its weights.

Read from the bytes, as https://protobuf.dev/programming-guides/encoding/ and onnx.proto have them,
since the package onnx is not needed for anything else at the edge.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Union

Value = Union[int, memoryview]

# Numbers of fields in onnx.proto.
MODEL_GRAPH, MODEL_OPSET_IMPORT = 7, 8
OPSET_DOMAIN, OPSET_VERSION = 1, 2
GRAPH_INITIALIZER = 5
TENSOR_DIMS, TENSOR_DATA_TYPE = 1, 2
# TensorProto.DataType, as far as our files have them.
DATA_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16"}

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5  # wire types


@dataclass(frozen=True)
class GraphFacts:
    """The opset, and how many numbers the initializers have of each type, most first."""

    opset: int
    weights: dict[str, int]


def read_facts(content: bytes) -> GraphFacts:
    """Read a whole ONNX model, which onnxruntime has opened before."""
    opset, counts = 0, Counter[str]()
    for number, value in _fields(memoryview(content)):
        if number == MODEL_OPSET_IMPORT:
            imported = dict(_fields(_message(value)))
            if not imported.get(OPSET_DOMAIN):  # the standard's own has no name
                opset = _integer(imported[OPSET_VERSION])
        elif number == MODEL_GRAPH:
            for inner, tensor in _fields(_message(value)):
                if inner == GRAPH_INITIALIZER:
                    counts.update(_count(_message(tensor)))
    return GraphFacts(opset, dict(counts.most_common()))


def _count(tensor: memoryview) -> dict[str, int]:
    """How many numbers a tensor has, by their type."""
    dimensions: list[int] = []
    data_type = 0
    for number, value in _fields(tensor):
        if number == TENSOR_DATA_TYPE:
            data_type = _integer(value)
        elif number == TENSOR_DIMS:
            dimensions += [value] if isinstance(value, int) else _packed(value)
    return {DATA_TYPES.get(data_type, f"type {data_type}"): math.prod(dimensions)}


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message: their numbers, with an integer or the bytes of what else it is."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        wire_type = key & 7
        if wire_type == VARINT:
            integer, at = _varint(message, at)
            yield key >> 3, integer
            continue
        if wire_type == LENGTH:
            length, at = _varint(message, at)
        else:
            length = {EIGHT_BYTES: 8, FOUR_BYTES: 4}[wire_type]
        yield key >> 3, message[at : at + length]
        at += length


def _packed(message: memoryview) -> list[int]:
    """Integers one after the other."""
    integers, at = [], 0
    while at < len(message):
        integer, at = _varint(message, at)
        integers.append(integer)
    return integers


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer that begins at a byte, seven bits in each, and where the next begins."""
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise ValueError("expected an integer in the ONNX file, found bytes")
    return value


def _message(value: Value) -> memoryview:
    if isinstance(value, int):
        raise ValueError("expected a message in the ONNX file, found an integer")
    return value
