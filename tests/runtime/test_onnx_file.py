"""What of an ONNX file is refused before onnxruntime sees it; the package onnx is the judge."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper, numpy_helper

import export_help
from edgegan.export import reading
from edgegan.runtime.colour_classifier import FILE as CLASSIFIER
from edgegan.runtime.errors import UserError
from edgegan.runtime.generator import Generator
from edgegan.runtime.models import MODELS
from edgegan.runtime.onnx_file import HarmfulModel, check_model, read_facts
from edgegan.runtime.session import open_session
from edgegan.runtime.show import describe

OURS = [*sorted(MODELS.glob("*.onnx")), CLASSIFIER]
Node = onnx.NodeProto
Model = onnx.ModelProto


def external(location: str = "etc/passwd") -> TensorProto:
    """Eight bytes that stand in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.UINT8, dims=[8])
    tensor.data_location = TensorProto.EXTERNAL
    for key, value in {"location": location, "offset": "0", "length": "8"}.items():
        tensor.external_data.add(key=key, value=value)
    return tensor


def model_of(*nodes: Node, weights: tuple[TensorProto, ...] = ()) -> Model:
    output = helper.make_tensor_value_info("y", TensorProto.UINT8, [8])
    graph = helper.make_graph(nodes, "g", [], [output], list(weights))
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


def identity() -> Node:
    return helper.make_node("Identity", ["w"], ["y"])


def harmless() -> Model:
    return model_of(identity(), weights=(numpy_helper.from_array(np.zeros(8, np.uint8), "w"),))


def branch() -> onnx.GraphProto:
    return model_of(identity(), weights=(external(),)).graph


def sparse() -> onnx.SparseTensorProto:
    return onnx.SparseTensorProto(values=external(), dims=[8])


def with_function() -> Model:
    model = model_of(helper.make_node("f", [], ["y"], domain="own"))
    constant = helper.make_node("Constant", [], ["y"], value=external())
    opset = [helper.make_opsetid("", 13)]
    model.functions.append(helper.make_function("own", "f", [], ["y"], [constant], opset))
    return model


def with_training() -> Model:
    model = harmless()
    model.training_info.add().algorithm.CopyFrom(branch())
    return model


def with_sparse_weights() -> Model:
    model = harmless()
    model.graph.sparse_initializer.append(sparse())
    return model


def location_alone() -> Model:
    model = harmless()
    model.graph.initializer[0].data_location = TensorProto.EXTERNAL
    return model


def entries_alone() -> Model:
    model = model_of(identity(), weights=(external(),))
    model.graph.initializer[0].ClearField("data_location")
    return model


HARMFUL = {
    "weights": (model_of(identity(), weights=(external(),)), "external data"),
    "location": (location_alone(), "external data"),
    "entries": (entries_alone(), "external data"),
    "attribute": (
        model_of(helper.make_node("Constant", [], ["y"], value=external())),
        "external data",
    ),
    "attributes": (
        model_of(helper.make_node("Identity", [], ["y"], values=[external()])),
        "external data",
    ),
    "branch": (
        model_of(helper.make_node("Identity", ["c"], ["y"], then_branch=branch())),
        "a graph within its graph",
    ),
    "branches": (
        model_of(helper.make_node("Identity", ["c"], ["y"], bodies=[branch()])),
        "a graph within its graph",
    ),
    "sparse attribute": (
        model_of(helper.make_node("Constant", [], ["y"], sparse_value=sparse())),
        "sparse weights",
    ),
    "sparse weights": (with_sparse_weights(), "sparse weights"),
    "function": (with_function(), "'own'"),
    "training": (with_training(), "graphs for training"),
    "another domain": (
        model_of(helper.make_node("EPContext", ["w"], ["y"], domain="com.microsoft")),
        "the domain 'com.microsoft'",
    ),
    "overflow": (  # its square is 0 in 64 bits, by which onnxruntime 1.31 divides
        model_of(helper.make_node("DepthToSpace", ["w"], ["y"], blocksize=2**62)),
        "a setting of more than 32 bits",
    ),
    "settings": (
        model_of(helper.make_node("Conv", ["w"], ["y"], strides=[1, -(2**63)])),
        "a setting of more than 32 bits",
    ),
    "name of a layer": (
        model_of(helper.make_node("Identity", ["w"], ["y"], name="\x1b[2Jcleared")),
        "the name '.*cleared'",
    ),
    "name of weights": (
        model_of(weights=(numpy_helper.from_array(np.zeros(1), "a\nb"),)),
        "the name 'a.nb'",
    ),
    "sequence": (
        model_of(helper.make_node("Optional", [], ["y"], type=onnx.TypeProto())),
        "values that are no tensors",
    ),
    **{
        operator: (model_of(helper.make_node(operator, ["w"], ["y"])), f"the operator '{operator}'")
        for operator in (
            *("If", "Loop", "Scan", "SequenceMap", "RandomNormal", "RandomNormalLike"),
            *("RandomUniform", "RandomUniformLike", "Multinomial", "Bernoulli", "Dropout"),
        )
    },
}


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.name)
def test_our_own_files_pass_in_a_few_milliseconds(path: Path) -> None:
    content = path.read_bytes()
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        check_model(content, path)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.02


@pytest.mark.parametrize("name", HARMFUL)
def test_what_could_do_harm_is_refused(name: str) -> None:
    model, found = HARMFUL[name]
    with pytest.raises(HarmfulModel, match=f"^bad.onnx has .*{found}.*expected ") as caught:
        check_model(model.SerializeToString(), "bad.onnx")
    assert "\n" not in str(caught.value)


def test_each_operator_that_has_a_subgraph_or_draws_is_refused() -> None:
    """The standard's own list, of the onnx installed."""
    with_graphs = {
        schema.name
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.domain == "" and any("GRAPH" in str(a.type) for a in schema.attributes.values())
    }
    random = {
        schema.name
        for schema in onnx.defs.get_all_schemas_with_history()
        if schema.domain == "" and "seed" in schema.attributes
    }
    assert {"If", "Loop", "Scan", "RandomNormal", "Dropout"} <= with_graphs | random
    for operator in with_graphs | random:
        with pytest.raises(HarmfulModel, match=operator):
            check_model(model_of(helper.make_node(operator, [], ["y"])).SerializeToString(), "m")


def test_no_file_is_read_by_whoever_opens_a_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "secret").write_bytes(b"password")
    monkeypatch.chdir(tmp_path)
    content = model_of(identity(), weights=(external("secret"),)).SerializeToString()
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    assert session.run(None, {})[0].tobytes() == b"password"  # what it would do
    path = tmp_path / "model.onnx"
    path.write_bytes(content)
    for opened in (path, content):
        with pytest.raises(HarmfulModel, match="external data"):
            open_session(opened, "cpu")
    with pytest.raises(HarmfulModel, match="external data"):
        reading.read(path)
    with pytest.raises(HarmfulModel, match="external data"):
        describe(str(path))


@pytest.mark.skipif(
    tuple(map(int, onnxruntime.__version__.split(".")[:2])) < (1, 21), reason="has no such option"
)
def test_onnxruntime_finds_no_file_either(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second wall, where the first is taken away."""
    (tmp_path / "secret").write_bytes(b"password")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("edgegan.runtime.session.check_model", lambda *_: None)
    for location in ("secret", "../secret", str(tmp_path / "secret"), "*/_ORT_MEM_ADDR_/*"):
        content = model_of(identity(), weights=(external(location),)).SerializeToString()
        with pytest.raises(UserError, match="not a whole ONNX model"):
            open_session(content, "cpu")


def field(number: int, payload: bytes | int) -> bytes:
    """A field of a message, as the guide to protobuf's encoding has it."""
    if isinstance(payload, int):
        return varint(number << 3) + varint(payload)
    return varint(number << 3 | 2) + varint(len(payload)) + payload


def varint(value: int, padding: int = 0) -> bytes:
    groups = [value >> shift & 0x7F for shift in range(0, max(value.bit_length(), 1), 7)]
    groups += [0] * padding
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def external_in_wire(message: bytes) -> bool:
    return any(map(_is_external, tensors(onnx.load_model_from_string(message))))


VERSION = field(1, 8)  # of the format, with which models begin
WEIGHT = external().SerializeToString()


@pytest.mark.parametrize(
    "content",
    [
        harmless().SerializeToString() + field(7, field(5, WEIGHT)),  # a second graph joins
        field(7, field(5, WEIGHT)) + harmless().SerializeToString(),
        # The tensor of an attribute in two halves, of which neither has all of it.
        field(7, field(1, field(5, field(5, field(14, 1)) + field(5, field(13, field(1, b"x")))))),
        field(7, field(5, field(14, 0) + field(14, 1))),  # the last counts
        field(7, field(5, field(14, 2**32 + 1))),  # of which an enum has the lower half
        field(7, field(5, varint(14 << 3) + varint(1, padding=4))),
        field(7, field(5, varint(14 << 3, padding=3) + b"\1")),
        varint(7 << 3 | 2, padding=2) + varint(len(field(5, WEIGHT))) + field(5, WEIGHT),
        field(99, b"unknown") + field(7, field(77, 1) + field(5, WEIGHT)),
    ],
)
def test_it_is_not_hidden_by_how_the_file_is_written(content: bytes) -> None:
    assert external_in_wire(content)
    with pytest.raises(UserError):
        check_model(content, "m")


def test_a_field_number_of_more_than_32_bits_hides_nothing() -> None:
    """Some readers keep the lower half of it, which is the field 7, a graph."""
    graph = varint(len(field(5, WEIGHT))) + field(5, WEIGHT)
    hidden = VERSION + varint(2**32 + (7 << 3 | 2)) + graph
    with pytest.raises(UserError, match="not a whole ONNX model: a field has the number"):
        check_model(hidden, "m")


@pytest.mark.parametrize(
    "content",
    [
        b"\x80",  # ends in a number
        b"\x08" + b"\x80" * 9 + b"\x02",  # 65 bits
        b"\x08" + b"\xff" * 10 + b"\x01",  # 11 bytes
        b"\x08\x80\x00",  # a byte more than it takes
        b"\x12\x7f",  # a length beyond the end
        b"\x12" + varint(2**63),
        b"\x00\x00",  # field 0
        b"\x0b\x0c",  # a group
        b"\x0e\x00",  # a kind that there is not
        b"\x3d\0\0\0\0",  # a graph that is a number of four bytes
        b"\x38\x01",  # a graph that is a number
        b"\x35\0\0\0",  # three bytes of four
        field(7, field(1, field(4, 1))),  # an operator that is a number
        field(7, field(5, field(14, b"\1"))),  # a place that is bytes
        field(2, b"\xff"),  # a name that is no UTF-8
        field(14, field(1, b"edgegan.recipe") + field(2, b"\x80")),
        field(7, field(11, field(2, field(1, field(2, field(1, field(2, b"\xff"))))))),
        b"\x0b" * 100_000,
        field(7, b"\x3a") * 3,
    ],
)
def test_a_broken_file_is_no_whole_model(content: bytes) -> None:
    expected = r"^bad\.onnx is not a whole ONNX model: .* \(\d+ bytes read\)$"
    with pytest.raises(UserError, match=expected):
        check_model(VERSION + content, "bad.onnx")


@pytest.mark.parametrize(
    "content",
    [
        b"no model\n",
        b"\n",
        b"\xef\xbb\xbfmy notes",
        b"* a list of what is still to be done, and what not\n",
        b'"number","text","one more column","the last of the columns"\n1,blue hair,2,3\n' * 3,
        b": " + b"x" * 100,
        b"<!doctype html>\n<title>404",
        b"version https://git-lfs.github.com/spec/v1\n",
        b"\x89PNG\r\n\x1a\n" + bytes(100),
        b"PK\x03\x04" + bytes(100),
        np.random.default_rng(0).bytes(1000),
    ],
)
def test_another_file_is_no_model(content: bytes) -> None:
    with pytest.raises(UserError, match=r"^bad\.onnx is no ONNX model$"):
        check_model(content, "bad.onnx")


def test_an_empty_file_is_no_model() -> None:
    with pytest.raises(UserError, match=r"^bad\.onnx is empty, expected an ONNX model$"):
        check_model(b"", "bad.onnx")


@pytest.mark.parametrize("path", OURS[:1], ids=lambda path: path.name)
def test_a_cut_file_is_no_whole_model(path: Path) -> None:
    content = path.read_bytes()
    for length in (*range(1, 100), *range(100, len(content), 100_003)):
        with pytest.raises(UserError, match=rf"^m is not a whole ONNX .* \({length} bytes read\)$"):
            check_model(content[:length], "m")


def test_onnxruntimes_own_format_is_none_of_ours() -> None:
    with pytest.raises(UserError, match=r"m\.ort is in onnxruntime's own format, expected an ONNX"):
        check_model(b"\x1a\x04XXORTM" + bytes(100), "m.ort")


def test_nesting_costs_neither_the_stack_nor_much_time() -> None:
    nested = b""
    for _ in range(3000):  # an If in an If in an If …
        nested = field(1, field(5, field(6, nested)))
    many = field(7, field(1, b"") * 100_000)
    start = time.perf_counter()
    with pytest.raises(HarmfulModel, match="a graph within its graph"):
        check_model(VERSION + field(7, nested), "m")
    check_model(many, "m")
    assert time.perf_counter() - start < 5


def test_a_long_name_is_cut() -> None:
    model = model_of(helper.make_node("If", [], ["y"], domain="\x1b[2J" + "x" * 100_000))
    with pytest.raises(HarmfulModel) as caught:
        check_model(model.SerializeToString(), "m")
    assert len(str(caught.value)) < 200
    assert "\x1b" not in str(caught.value)


# Fuzzing. The package onnx is the judge of what is in a file.


def tensors(message: object) -> Iterator[TensorProto]:
    """All tensors anywhere in a message of any kind."""
    if isinstance(message, TensorProto):
        yield message
    for descriptor, value in message.ListFields():
        if descriptor.message_type is not None:
            values = [value] if hasattr(value, "ListFields") else value
            for inner in values:
                yield from tensors(inner)


def _is_external(tensor: TensorProto) -> bool:
    return tensor.data_location == TensorProto.EXTERNAL or len(tensor.external_data) > 0


def is_harmful(model: Model) -> bool:
    nodes = model.graph.node
    return (
        any(map(_is_external, tensors(model)))
        or len(model.functions) + len(model.training_info) > 0
        or any(
            attribute.HasField("g") or attribute.graphs for n in nodes for attribute in n.attribute
        )
        or any(node.domain not in ("", "ai.onnx") for node in nodes)
        or any(node.op_type in HARMFUL for node in nodes)
    )


FOLLOWED = {
    "ModelProto": ["graph", "graph", "graph", "functions", "training_info", "opset_import"],
    "GraphProto": ["node", "initializer", "sparse_initializer", "name", "input"],
    "NodeProto": ["attribute", "attribute", "op_type", "domain", "input"],
    "AttributeProto": ["t", "t", "tensors", "g", "graphs", "sparse_tensor", "i", "ints", "type"],
    "FunctionProto": ["node", "attribute_proto", "name"],
    "TrainingInfoProto": ["initialization", "algorithm"],
    "SparseTensorProto": ["values", "indices", "dims"],
    "TensorProto": ["dims", "data_location", "external_data", "raw_data", "int64_data", "name"],
}
TEXTS = st.sampled_from([b"", b"If", b"Add", b"ai.onnx", b"com.microsoft", b"Loop"])
NUMBERS = st.sampled_from([0, 1, 2, 300, 2**31, 2**32 + 1, 2**63, 2**64 - 1])


@st.composite
def wires(draw: st.DrawFn, descriptor: object = Model.DESCRIPTOR, depth: int = 5) -> bytes:
    """A message as bytes: its fields in any order and number, some unknown, some written oddly."""
    names = FOLLOWED.get(descriptor.name)
    content = b""
    for _ in range(draw(st.integers(0, 3))):
        if names is None or draw(st.integers(0, 15)) == 0:  # any field, known or not
            number = draw(st.integers(1, 40))
            payload = draw(st.one_of(TEXTS, NUMBERS))
        else:
            known = descriptor.fields_by_name[draw(st.sampled_from(names))]
            number = known.number
            if known.message_type is not None:
                inner = wires(known.message_type, depth - 1)
                payload = draw(inner) if depth else b""
            elif known.type in (known.TYPE_STRING, known.TYPE_BYTES):
                payload = draw(TEXTS)
            else:  # numbers, packed or not
                payload = draw(st.one_of(NUMBERS, NUMBERS.map(varint)))
        padding = draw(st.sampled_from([0] * 12 + [1, 3]))
        tag = varint(number << 3 | (0 if isinstance(payload, int) else 2), padding)
        if isinstance(payload, int):
            content += tag + varint(payload)
        else:
            content += tag + varint(len(payload)) + payload
    return content


def verdicts(content: bytes) -> tuple[bool, bool]:
    """Whether it is accepted here; whether onnx reads it and finds harm in it."""
    try:
        check_model(content, "m")
        accepted = True
    except UserError:
        accepted = False
    try:
        harm = is_harmful(onnx.load_model_from_string(content))
    except Exception:  # of the parser's own kind
        harm = False
    return accepted, harm


fuzzed = settings(
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@fuzzed
@given(wires())
def test_no_way_of_writing_a_file_hides_harm(content: bytes) -> None:
    accepted, harm = verdicts(content)
    assert not (accepted and harm)


SEEDS = [
    export_help.generator().SerializeToString()[:2000],
    *(model.SerializeToString() for model, _ in HARMFUL.values()),
]


@fuzzed
@given(st.data())
def test_no_damage_to_a_file_hides_harm(data: st.DataObject) -> None:
    content = bytearray(data.draw(st.sampled_from(SEEDS)))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(content)))
        end = min(len(content), at + data.draw(st.integers(0, 3)))
        content[at:end] = data.draw(st.binary(max_size=4))
    accepted, harm = verdicts(bytes(content))
    assert not (accepted and harm)


@fuzzed
@given(st.binary(max_size=60))
def test_any_bytes_are_a_model_or_a_sentence(content: bytes) -> None:
    verdicts(content)


def test_the_facts_of_a_graph_in_two_halves_are_those_of_both() -> None:
    two = harmless().SerializeToString() + field(7, field(5, field(1, 3) + field(2, 1)))
    merged = onnx.load_model_from_string(two)
    assert len(merged.graph.initializer) == 2
    assert read_facts(two).weights == {"uint8": 8, "float32": 3}


def test_an_empty_place_to_look_in() -> None:
    """What onnxruntime is given as a folder is none, on any system."""
    assert not Path(os.devnull, "secret").exists()


def test_a_graph_that_fails_when_it_is_run_is_a_sentence(tmp_path: Path) -> None:
    """Of a bias with another length than its layer, onnxruntime says so only then."""
    model = export_help.generator()
    helper.set_model_props(model, export_help.METADATA.to_strings())
    (bias,) = (tensor for tensor in model.graph.initializer if tensor.name == "double_bias")
    bias.CopyFrom(numpy_helper.from_array(np.zeros(7, np.float32), bias.name))
    path = tmp_path / "bias.onnx"
    path.write_bytes(model.SerializeToString())
    for use in (lambda: Generator.load(path, "cpu").images(0, 1), lambda: reading.read(path)):
        with pytest.raises(UserError, match=r"fails when it is run: .*[Bb]ias") as caught:
            use()
        assert "\n" not in str(caught.value)
