"""What edgegan page writes, and what it says where it cannot; no browser and no network."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tarfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import Element

import html5lib
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from edgegan import Generator
from edgegan.runtime import cache
from edgegan.runtime.errors import UserError
from edgegan.runtime.models import shipped_models
from edgegan.runtime.onnx_file import read_nodes
from edgegan.runtime.page import onnxruntime_web
from edgegan.runtime.page.build import CHARACTERS, DEFAULT_MODELS, as_text, main, modules
from edgegan.runtime.page.exactness import is_exact
from words_help import make_conditional_generator

SOURCE = Path(onnxruntime_web.__file__).parent
CONTENTS = {onnxruntime_web.CODE: b"export const env = {};\n", onnxruntime_web.BINARY: b"\0asm"}


class Registry:
    """An npm client that brings a package with these files, or what else it is told to do."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir()
        self.npm, self._folder, self._asked = folder / "npm", folder, folder / "asked"
        self._asked.touch()
        self.give(CONTENTS)

    @property
    def asked(self) -> int:
        """How often it was called."""
        return len(self._asked.read_text().splitlines())

    def give(self, contents: dict[str, bytes]) -> None:
        archive = self._folder / "package.tgz"
        with tarfile.open(archive, "w:gz") as package:
            for name, content in contents.items():
                member = tarfile.TarInfo(f"package/dist/{name}")
                member.size = len(content)
                package.addfile(member, io.BytesIO(content))
        self.do(f"cp {archive} onnxruntime-web-1.30.0.tgz")

    def do(self, script: str) -> None:
        right = '[ "$1 $2" = "pack onnxruntime-web@1.30.0" ]'
        self.npm.write_text(f'#!/bin/sh\necho "$*" >> {self._asked}\n{right} || exit 9\n{script}\n')
        self.npm.chmod(0o755)


@pytest.fixture(autouse=True)
def registry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Registry:
    """Small files in place of onnxruntime-web's, in a cache of the test's own."""
    made = Registry(tmp_path / "registry")
    known = {name: hashlib.sha256(content).hexdigest() for name, content in CONTENTS.items()}
    monkeypatch.setattr(onnxruntime_web, "SHA256", known)
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(shutil, "which", lambda _: str(made.npm))
    return made


@pytest.fixture
def build(tmp_path: Path) -> Callable[..., Path]:
    """A builder of pages by the command."""

    def build_with(*models: str | Path) -> Path:
        path = tmp_path / "page.html"
        assert main([*map(str, models), "--output", str(path)]) == 0
        return path

    return build_with


def read(page: Path) -> Element:
    """The page as a browser reads it."""
    return html5lib.parse(page.read_bytes(), namespaceHTMLElements=False)


def scripts(page: Element) -> dict[str, Element]:
    """Those that have an id, by it, in their order."""
    return {one.get("id"): one for one in page.iter("script") if one.get("id")}


def part(page: Element, name: str) -> bytes:
    """A part's bytes, which are as it says."""
    script = scripts(page)[f"part:{name}"]
    packed = from_text(script.text)[: int(script.get("data-packed"))]
    content = gzip.decompress(packed)
    assert script.get("data-bytes") == str(len(content))
    assert script.get("data-sha256") == hashlib.sha256(content).hexdigest()
    return content


def from_text(text: str) -> bytes:
    """The bits of all pairs of characters as one number of Python's, in bytes."""
    numbers = [
        CHARACTERS.index(one) * 91 + CHARACTERS.index(two)
        for one, two in zip(text[::2], text[1::2])
    ]
    bits = "".join(f"{number:013b}" for number in numbers)
    whole = len(bits) // 8
    return int(bits[: 8 * whole] or "0", 2).to_bytes(whole, "big")


def facts_of(page: Element) -> list[dict[str, Any]]:
    return json.loads(scripts(page)["models"].text)


# What is in the page


def test_the_parts_are_in_it_whole(build: Callable[..., Path]) -> None:
    page = read(build())
    assert part(page, "/onnxruntime.mjs") == CONTENTS[onnxruntime_web.CODE]
    assert part(page, "/onnxruntime.wasm") == CONTENTS[onnxruntime_web.BINARY]
    for name in DEFAULT_MODELS:
        assert part(page, name) == shipped_models()[name].read_bytes()
    sources = {f"./{path.name}": path for path in (SOURCE / "modules").glob("*.js")}
    found = {name: one for name, one in scripts(page).items() if name.startswith("./")}
    assert found.keys() == sources.keys()
    for name, one in found.items():
        assert one.text == sources[name].read_text(encoding="utf-8")
        assert one.get("type") == "text/plain"


@pytest.mark.parametrize("length", [*range(27), 1000])
def test_bytes_are_text_that_means_nothing_in_a_page(length: int) -> None:
    for content in (bytes(length), length * b"\xff", np.random.default_rng(0).bytes(length)):
        text = as_text(content)
        assert from_text(text)[:length] == content
        assert len(text) == 2 * -(-8 * length // 13)
        assert not set(text) & set('<&" \n')
        assert text.isascii()


def test_a_model_is_described_as_its_file_does(
    build: Callable[..., Path], make_generator: Callable[..., Path], tmp_path: Path
) -> None:
    conditional = make_conditional_generator(tmp_path / "conditional.onnx")
    paths = ["cgan", make_generator(), conditional]
    page = read(build(*paths))
    for path, name, facts in zip(paths, ("cgan", "tiny", "conditional"), facts_of(page)):
        generator = Generator.load(path)
        metadata, words = generator.metadata, generator.words
        assert (facts["id"], facts["title"], facts["file"]) == (name, name, f"{name}.onnx")
        assert facts["bytes"] == len(part(page, name))
        assert facts["latentSize"] == metadata.latent_size
        assert facts["distribution"] == metadata.latent_distribution
        assert facts["imageSize"] == metadata.image_size
        assert tuple(facts["valueRange"]) == metadata.value_range
        assert facts["words"] == (words.to_json() if words else None)
        assert (facts["exact"], facts["bytesOut"]) == 2 * (name == "cgan",)
        rows = {fact["name"]: fact["value"] for fact in facts["facts"]}
        assert rows["recipe"] == metadata.recipe
        assert ("other people's work" in rows["trained on"]) == (name == "cgan")


def test_it_has_the_licences_of_its_parts(build: Callable[..., Path]) -> None:
    licences = {one["part"]: one["text"] for one in json.loads(part(read(build()), "/licences"))}
    assert "the edgegan authors" in licences["edgegan"]
    assert "Microsoft Corporation" in licences["onnxruntime-web 1.30.0"]
    assert "protobuf" in licences["what onnxruntime-web is built of"]
    (tables,) = (text for name, text in licences.items() if "numpy" in name)
    assert "Kevin Sheppard" in tables
    assert "*" not in tables
    for text in licences.values():
        assert re.search("WITHOUT WARRANTY|AS IS", text)


def test_what_it_may_do_is_bound_to_its_own_code(build: Callable[..., Path]) -> None:
    page = read(build())
    (policy,) = (one.get("content") for one in page.iter("meta") if one.get("http-equiv"))
    rules = dict(rule.split(" ", 1) for rule in policy.split("; "))
    (style,) = page.iter("style")
    (boot,) = (one for one in page.iter("script") if one.get("id") is None)

    def source(element: Element) -> str:
        digest = hashlib.sha256(element.text.encode()).digest()
        return f"'sha256-{base64.b64encode(digest).decode()}'"

    assert rules["default-src"] == rules["connect-src"] == "'none'"
    assert rules["script-src"].split() == [source(boot), "blob:", "'wasm-unsafe-eval'"]
    assert rules["style-src"] == source(style)
    for element in page.iter():
        attributes = dict(element.items())
        assert not {name for name in attributes if name == "style" or name.startswith("on")}
        assert "src" not in attributes or element.get("src", "").startswith("data:")


def test_modules_come_after_those_that_they_import() -> None:
    seen: set[str] = set()
    for name, text in modules(SOURCE / "modules"):
        # As JavaScript has it, wherever it is in a line: but for types in comments.
        code = re.sub(r"/\*.*?\*/|^\s*//.*?$", "", text, flags=re.DOTALL | re.MULTILINE)
        assert set(re.findall(r'(?:from|import)\s*\(?\s*"\./([^"]+)"', code)) <= seen, name
        seen.add(name)
    assert "page.js" in seen


def test_modules_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.js").write_text('import { b } from "./b.js";\n')
    (tmp_path / "b.js").write_text('import {\n  a,\n} from "./a.js";\n')
    with pytest.raises(ValueError, match="cycle"):
        list(modules(tmp_path))


def test_it_is_the_same_bytes_each_time(build: Callable[..., Path]) -> None:
    first = build().read_bytes()
    assert build().read_bytes() == first


@pytest.mark.parametrize("name", ["<b>&\"'.onnx", "two\nlines.onnx", "臉.onnx", "\udcff.onnx"])
def test_any_name_of_a_file_can_be_in_it(
    build: Callable[..., Path], make_generator: Callable[..., Path], tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    try:
        make_generator().rename(path)
    except OSError as error:
        pytest.skip(f"the file system takes no such name: {error}")
    page = read(build(path))
    (facts,) = facts_of(page)
    assert facts["title"] == name[: -len(".onnx")].replace("\udcff", "\ufffd")
    assert part(page, facts["id"]) == path.read_bytes()


def test_the_command_says_what_it_wrote(
    build: Callable[..., Path],
    make_generator: Callable[..., Path],
    capsys: pytest.CaptureFixture[str],
) -> None:
    page = build("cgan", make_generator())
    draws = "draws the faces that edgegan generate draws"
    assert capsys.readouterr().out.splitlines() == [
        f"cgan: words for hair (12) and eyes (10); {draws}, byte for byte",
        f"tiny: no words; {draws}, but a level of 255 may differ",
        f"wrote {page} ({page.stat().st_size / 1e6:.1f} MB)",
    ]


# What is refused


def refuse(tmp_path: Path, pattern: str, *words: str | Path) -> None:
    """The command ends with such a sentence, and there is no page."""
    output = tmp_path / "page.html"
    with pytest.raises(UserError, match=pattern):
        main([*map(str, words), "-o", str(output)])
    assert not output.exists()


def test_a_discriminator_is_refused(
    make_discriminator: Callable[..., Path], tmp_path: Path
) -> None:
    refuse(tmp_path, "is a discriminator, expected a generator", make_discriminator())


def test_a_file_of_others_is_refused(make_generator: Callable[..., Path], tmp_path: Path) -> None:
    path = make_generator(metadata={"author": "somebody"})
    refuse(tmp_path, r"tiny\.onnx is not a generator of this project", path)


def test_two_models_of_one_name_are_refused(
    make_generator: Callable[..., Path], tmp_path: Path
) -> None:
    (tmp_path / "other").mkdir()
    path = make_generator()
    other = Path(shutil.copy(path, tmp_path / "other"))
    sentence = "two models would be called tiny on the page: found "
    refuse(tmp_path, f"{sentence}{path} and {other}", path, "student", other)
    refuse(tmp_path, f"{sentence}{path} twice", path, path)


@pytest.mark.parametrize("way", [os.link, os.symlink])
def test_a_model_is_not_written_over(
    make_generator: Callable[..., Path], tmp_path: Path, way: Callable[[Path, Path], None]
) -> None:
    """Even where it has the suffix of a page and begins as one does, which no model can."""
    model = tmp_path / "model.html"
    beginning = (
        """<!doctype html><title>edgegan</title><meta http-equiv="Content-Security-Policy" """
    )
    beginning += """content="default-src 'none'; script-src 'sha256-"""
    model.write_text(beginning)
    way(model, tmp_path / "page.html")
    with pytest.raises(UserError, match=r"--output would write to .*model\.html.*, which is read"):
        main([str(model), "-o", str(tmp_path / "page.html")])
    with pytest.raises(UserError, match=r"expected a \.html file"):
        main(["student", "-o", str(make_generator())])
    assert model.read_text() == beginning


# onnxruntime-web


def test_it_is_fetched_once(
    build: Callable[..., Path], registry: Registry, capsys: pytest.CaptureFixture[str]
) -> None:
    build("student")
    assert registry.asked == 1
    assert "fetching onnxruntime-web 1.30.0 by npm" in capsys.readouterr().err
    registry.do("exit 1")  # no network
    build("student")
    assert registry.asked == 1
    assert capsys.readouterr().err == ""


def test_no_script_of_it_is_run(build: Callable[..., Path], registry: Registry) -> None:
    build("student")
    assert "--ignore-scripts" in (registry.npm.parent / "asked").read_text().split()


@pytest.mark.parametrize("damage", ["shorter", "another", "missing"])
def test_a_damaged_cache_is_fetched_again(
    build: Callable[..., Path], registry: Registry, tmp_path: Path, damage: str
) -> None:
    first = build("student").read_bytes()
    path = tmp_path / "cache" / "onnxruntime-web-1.30.0" / onnxruntime_web.BINARY
    if damage == "missing":
        path.unlink()
    else:
        path.write_bytes(b"\0as" if damage == "shorter" else b"\0asn")
    assert build("student").read_bytes() == first
    assert registry.asked == 2
    assert path.read_bytes() == CONTENTS[onnxruntime_web.BINARY]


def test_without_npm_it_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    refuse(tmp_path, "could not be fetched .the npm client is not installed.: expected npm, and a")


def test_without_a_network_it_is_told(tmp_path: Path, registry: Registry) -> None:
    registry.do("exit 1")
    refuse(
        tmp_path, r"could not be fetched \(npm pack onnxruntime-web@1.30.0 ended with status 1\)"
    )
    assert not (tmp_path / "cache").exists()


def test_a_builder_killed_while_npm_fetches_leaves_nothing_half(
    build: Callable[..., Path], registry: Registry, tmp_path: Path
) -> None:
    registry.do(
        f"echo half > onnxruntime-web-1.30.0.tgz; echo $$ > {tmp_path}/npm.pid; exec sleep 60"
    )
    page, pid = tmp_path / "page.html", tmp_path / "npm.pid"
    command = [sys.executable, "-m", "edgegan", "page", "student", "-o", str(page)]
    path = os.pathsep.join([str(registry.npm.parent), os.environ["PATH"]])
    builder = subprocess.Popen(command, env={**os.environ, "PATH": path})
    while not (pid.exists() and pid.read_text()):
        assert builder.poll() is None
        time.sleep(0.02)
    builder.kill()
    builder.wait()
    os.kill(int(pid.read_text()), signal.SIGKILL)  # npm, which would end by itself
    assert not page.exists()
    registry.give(CONTENTS)
    assert part(read(build("student")), "/onnxruntime.mjs") == CONTENTS[onnxruntime_web.CODE]


@pytest.mark.parametrize("name", CONTENTS)
def test_another_file_than_the_known_one_is_refused(
    tmp_path: Path, registry: Registry, name: str
) -> None:
    registry.give({**CONTENTS, name: b"another"})
    refuse(tmp_path, f"{name} of onnxruntime-web 1.30.0 is not the known file: its SHA-256 is ")
    assert not (tmp_path / "cache").exists()


def test_a_package_without_the_file_is_refused(tmp_path: Path, registry: Registry) -> None:
    registry.give({onnxruntime_web.CODE: CONTENTS[onnxruntime_web.CODE]})
    refuse(tmp_path, f"could not be fetched .*{onnxruntime_web.BINARY}")


def test_without_a_cache_the_page_is_built(
    build: Callable[..., Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("EDGEGAN_CACHE", str(tmp_path / "file"))
    build("student")
    assert "a file is in its place; onnxruntime-web is fetched each time" in capsys.readouterr().err


def test_the_cache_lists_and_clears_it(
    build: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "cache" / "onnxruntime-web-1.30.0"
    build("student")
    month_ago = folder.stat().st_mtime - 30 * 24 * 60 * 60 - 1
    os.utime(folder, (month_ago, month_ago))
    build("student")  # by which it is used
    assert cache.main([]) == 0
    assert re.search(r"onnxruntime-web-1.30.0 +fetched +0.0 MB", capsys.readouterr().out)
    cache.main(["--clear", "30"])
    assert "nothing to clear" in capsys.readouterr().out
    os.utime(folder, (month_ago, month_ago))
    cache.main(["--clear", "30"])
    assert "removed: onnxruntime-web-1.30.0" in capsys.readouterr().out
    assert not folder.exists()


# Exactness


def graph(*nodes: tuple[str, str, str]) -> bytes:
    """A model of nodes "operator, inputs, outputs"; `x` goes in, and w, b, s and z are weights."""
    zeros = {
        "s": np.float32(1),
        "z": np.uint8(0),
        "w": np.ones((1, 1, 1, 1), np.int8),
        "b": np.zeros(1, np.int32),
    }
    made = [
        helper.make_node(name, inputs.split(), outputs.split()) for name, inputs, outputs in nodes
    ]
    model = helper.make_model(
        helper.make_graph(
            made,
            "graph",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", 1, 4, 4])],
            [helper.make_empty_tensor_value_info(nodes[-1][2])],
            [numpy_helper.from_array(np.asarray(value), name) for name, value in zeros.items()],
        )
    )
    return model.SerializeToString()


BYTES = (("QuantizeLinear", "x s z", "q"), ("DequantizeLinear", "q s z", "d"))
WEIGHTS = (("DequantizeLinear", "w s", "dw"), ("DequantizeLinear", "b s", "db"))
OUT = ("QuantizeLinear", "c s z", "o")


@pytest.mark.parametrize(
    ("nodes", "exact"),
    [
        ((*BYTES, *WEIGHTS, ("Conv", "d dw db", "c"), OUT), True),
        ((*BYTES, ("Tanh", "d", "c"), OUT), True),
        ((*BYTES, ("Transpose", "d", "t"), ("Mul", "t s", "c"), OUT), True),
        ((*BYTES, *WEIGHTS, ("Conv", "d dw db", "c")), False),  # it gives what it computed
        ((*BYTES, *WEIGHTS, ("Conv", "d dw db", "c"), OUT, ("Relu", "c", "r")), False),
        ((*WEIGHTS, ("Conv", "x dw db", "c"), OUT), False),
        ((*BYTES, ("Conv", "d w", "c"), OUT), False),
        ((*BYTES, *WEIGHTS, ("ConvTranspose", "d dw db", "c"), OUT), False),
        ((("Tanh", "x", "c"), OUT), False),
        ((*BYTES, ("ReduceMean", "d", "c"), OUT), False),
    ],
)
def test_exact_is_what_sums_integers_alone(
    nodes: tuple[tuple[str, str, str], ...], exact: bool
) -> None:
    assert is_exact(graph(*nodes)) is exact


@pytest.mark.parametrize("name", shipped_models())
def test_the_shipped_models_are_exact_and_read_as_onnx_reads_them(name: str) -> None:
    content = shipped_models()[name].read_bytes()
    nodes = onnx.load_from_string(content).graph.node
    assert read_nodes(content) == [(n.op_type, tuple(n.input), tuple(n.output)) for n in nodes]
    assert is_exact(content)
