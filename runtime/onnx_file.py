"""An ONNX file's bytes: whether it is harmless, and what onnxruntime does not tell of its graph.

Read as https://protobuf.dev/programming-guides/encoding/ and onnx.proto have it, since the package
onnx is not needed for anything else at the edge.

Where a field stands more than once, protobuf joins messages and takes the last of numbers and
texts. Here each of them has to be harmless, so it does not matter which are taken; what no writer
of protobuf writes, and readers may take in different ways, is refused.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple, Union

from edgegan.runtime.errors import UserError, quoted

Value = Union[int, memoryview]
Fields = Mapping[int, Callable[[Value], object]]  # what checks each field that a message may have

# Numbers of fields in onnx.proto.
MODEL_GRAPH, MODEL_OPSET_IMPORT = 7, 8
OPSET_DOMAIN, OPSET_VERSION = 1, 2
GRAPH_NODE, GRAPH_INITIALIZER = 1, 5
NODE_INPUT, NODE_OUTPUT, NODE_OPERATOR = 1, 2, 4
TENSOR_DIMS, TENSOR_DATA_TYPE = 1, 2
# TensorProto.DataType, as far as our files have them.
DATA_TYPES = {1: "float32", 2: "uint8", 3: "int8", 6: "int32", 7: "int64", 10: "float16"}

VARINT, EIGHT_BYTES, LENGTH, FOUR_BYTES = 0, 1, 2, 5  # wire types
MOST_VARINT_BYTES = 10
MOST_INTEGER = 2**31

BEGINNING = b"\x08"  # of the version of the format, which has the least number of a model's fields
ORT_FORMAT = b"ORTM"  # at bytes 4 to 7: onnxruntime's own format, which it opens as well
STANDARD_DOMAINS = ("", "ai.onnx")
FORBIDDEN_OPERATORS = (
    *("If", "Loop", "Scan", "SequenceMap"),  # control flow
    *("RandomNormal", "RandomNormalLike", "RandomUniform", "RandomUniformLike"),
    *("Multinomial", "Bernoulli", "Dropout"),
)


class HarmfulModel(UserError):  # noqa: N818 (the file is what is said to be so)
    """A whole ONNX file that could do more than compute: the sentence says what is in it."""


class _HarmError(Exception):
    """What a file has and may not have, and what was expected, as the end of a sentence."""


class _BrokenError(ValueError):
    """Why bytes are no message of protobuf."""


class GraphFacts(NamedTuple):
    """The opset, and how many numbers the initializers have of each type, most first."""

    opset: int
    weights: dict[str, int]


class Node(NamedTuple):
    """A node of a graph: its operator, and the names of what it takes and gives."""

    operator: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]


def check_model(content: bytes, name: str | Path) -> None:
    """Check that an ONNX file is a graph of standard operators with all its weights in it.

    Such a graph reads no file, and computes the same every time. onnxruntime would read weights
    from any file that a model names.

    Args:
        content: the whole file.
        name: of the file, in errors.

    Raises:
        HarmfulModel: it has external data, control flow, random operators, those of another domain,
            or what else none of our files has: functions, subgraphs, sparse weights, fields that
            onnx.proto lacks.
        UserError: it is empty, something else, damaged, or onnxruntime's own format.
    """
    if not content:
        raise UserError(f"{name} is empty, expected an ONNX model")
    if content[4:8] == ORT_FORMAT:
        raise UserError(f"{name} is in onnxruntime's own format, expected an ONNX file")
    try:
        _check_fields(memoryview(content), MODEL)
        _check_graph(memoryview(content))
    except (_HarmError, _BrokenError) as reason:
        if not content.startswith(BEGINNING):
            raise UserError(f"{name} is no ONNX model") from None
        if isinstance(reason, _HarmError):
            raise HarmfulModel(f"{name} has {reason}") from None
        raise UserError(
            f"{name} is not a whole ONNX model: {reason} ({len(content)} bytes read)"
        ) from None


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


def read_nodes(content: bytes) -> list[Node]:
    """Read the nodes of a whole ONNX model, which onnxruntime has opened before."""
    return [
        _node(_message(node))
        for number, graph in _fields(memoryview(content))
        if number == MODEL_GRAPH
        for inner, node in _fields(_message(graph))
        if inner == GRAPH_NODE
    ]


def _node(message: memoryview) -> Node:
    texts: dict[int, list[str]] = {NODE_INPUT: [], NODE_OUTPUT: [], NODE_OPERATOR: []}
    for number, value in _fields(message):
        if number in texts:
            texts[number].append(_text(value))
    return Node(texts[NODE_OPERATOR][-1], tuple(texts[NODE_INPUT]), tuple(texts[NODE_OUTPUT]))


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


# What check_model looks into. None of these messages can hold another of its own kind, so the
# depth has a bound.


def _check_fields(message: memoryview, allowed: Fields) -> None:
    for number, value in _fields(message):
        check = allowed.get(number)
        if check is None:
            raise _HarmError(f"a field {number} that ONNX models have not, expected an ONNX model")
        check(value)


def _check_graph(message: memoryview) -> None:
    if not any(number == MODEL_GRAPH for number, _ in _fields(message)):
        raise _BrokenError("it has no graph")


def _all(check: Callable[[Value], object], *numbers: int) -> dict[int, Callable[[Value], object]]:
    """Several fields that are checked alike."""
    return dict.fromkeys(numbers, check)


def _each(allowed: Fields) -> Callable[[Value], None]:
    """Of a field that is a message."""
    return lambda value: _check_fields(_message(value), allowed)


def _none(sentence: str) -> Callable[[Value], None]:
    """Of a field that has to be absent."""

    def check(value: Value) -> None:
        raise _HarmError(sentence)

    return check


def _any(value: Value) -> None:
    """Of a field that can do no harm: numbers, weights, notes."""


def _text(value: Value) -> str:
    """Of what onnxruntime and onnx fail to tell where it is no UTF-8."""
    try:
        return bytes(_message(value)).decode()
    except UnicodeDecodeError:
        raise _BrokenError("a text is no UTF-8") from None


def _name(value: Value) -> None:
    """Of what is printed: of a layer, say. An escape sequence would command the terminal."""
    if not _text(value).isprintable():
        raise _HarmError(f"the name {quoted(_text(value))}, expected printable characters")


def _number(value: Value) -> None:
    """Of an attribute: onnxruntime divides by the product of some, which may overflow to 0."""
    for number in [value] if isinstance(value, int) else _packed(value):
        if MOST_INTEGER < number < 2**64 - MOST_INTEGER:  # as int64: beyond it, or below minus it
            raise _HarmError("a setting of more than 32 bits, expected one that a layer can have")


def _location(value: Value) -> None:
    if _integer(value):
        _external(value)


def _operator(value: Value) -> None:
    name = _text(value)
    if name in FORBIDDEN_OPERATORS:
        raise _HarmError(f"the operator {name!r}, expected neither control flow nor randomness")


def _domain(value: Value) -> None:
    name = _text(value)
    if name not in STANDARD_DOMAINS:
        raise _HarmError(f"an operator of the domain {quoted(name)}, expected those of ONNX alone")


_external = _none("external data, which could be any file: expected all weights in it")
_subgraph = _none("a graph within its graph, expected no control flow")
_sparse = _none("sparse weights, expected dense ones")
_no_tensor = _none("values that are no tensors, expected tensors alone")

ENTRY: Fields = _all(_text, 1, 2)
TENSOR: Fields = {
    **_all(_any, *range(1, 8), 9, 10, 11, 16),
    8: _name,
    12: _text,
    13: _external,
    14: _location,
}
ATTRIBUTE: Fields = {
    **_all(_any, 2, 4, 7, 9, 20),
    **_all(_name, 1, 21),
    13: _text,
    **_all(_number, 3, 8),
    **_all(_each(TENSOR), 5, 10),
    **_all(_subgraph, 6, 11),
    **_all(_no_tensor, 14, 15),
    **_all(_sparse, 22, 23),
}
NODE: Fields = {
    **_all(_any, 9, 10),
    **_all(_name, NODE_INPUT, NODE_OUTPUT, 3, 8),
    6: _text,
    NODE_OPERATOR: _operator,
    5: _each(ATTRIBUTE),
    7: _domain,
}
SIZE: Fields = {1: _any, **_all(_name, 2, 3)}
TENSOR_TYPE: Fields = {1: _any, 2: _each({1: _each(SIZE)})}
TYPE: Fields = {1: _each(TENSOR_TYPE), **_all(_no_tensor, 4, 5, 8, 9), 6: _text}
DECLARED: Fields = {1: _name, 3: _text, 2: _each(TYPE), 4: _any}
GRAPH: Fields = {
    **_all(_any, 14, 16),
    2: _name,
    10: _text,
    GRAPH_NODE: _each(NODE),
    GRAPH_INITIALIZER: _each(TENSOR),
    **_all(_each(DECLARED), 11, 12, 13),
    15: _sparse,
}
MODEL: Fields = {
    **_all(_any, 1, 5, 26),
    **_all(_name, 2, 3, 4),
    6: _text,
    MODEL_GRAPH: _each(GRAPH),
    MODEL_OPSET_IMPORT: _each({OPSET_DOMAIN: _text, OPSET_VERSION: _any}),
    14: _each(ENTRY),
    20: _none("graphs for training, expected one for use"),
    25: _none("functions of its own, expected the operators of ONNX alone"),
}


# The wire format.


def _fields(message: memoryview) -> Iterator[tuple[int, Value]]:
    """The fields of a message: their numbers, with an integer or the bytes of what else it is."""
    at = 0
    while at < len(message):
        key, at = _varint(message, at)
        number, wire_type = key >> 3, key & 7
        if not 0 < number < 2**29:
            raise _BrokenError(f"a field has the number {number}")
        if wire_type == VARINT:
            integer, at = _varint(message, at)
            yield number, integer
            continue
        if wire_type == LENGTH:
            length, at = _varint(message, at)
        elif wire_type in (EIGHT_BYTES, FOUR_BYTES):
            length = 8 if wire_type == EIGHT_BYTES else 4
        else:
            raise _BrokenError(f"field {number} is of the kind {wire_type}")
        if length > len(message) - at:
            raise _BrokenError(f"field {number} ends too early")
        yield number, message[at : at + length]
        at += length


def _packed(message: memoryview) -> list[int]:
    """Integers one after the other."""
    integers, at = [], 0
    while at < len(message):
        integer, at = _varint(message, at)
        integers.append(integer)
    return integers


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    """An integer of 64 bits that begins at a byte, seven bits in each, and where the next begins.

    In as few bytes as it takes: readers differ in what they make of more.
    """
    value = shift = 0
    for byte in message[at : at + MOST_VARINT_BYTES]:
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            if value >= 2**64 or (byte == 0 and shift > 7):
                break
            return value, at + shift // 7
    raise _BrokenError(f"there is no number at byte {at} of a field")


def _integer(value: Value) -> int:
    if not isinstance(value, int):
        raise _BrokenError("there are bytes where a number should be")
    return value


def _message(value: Value) -> memoryview:
    if isinstance(value, int):
        raise _BrokenError("there is a number where a message should be")
    return value
