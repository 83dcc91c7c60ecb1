"""The command that builds the page, one HTML file that draws faces in a browser: edgegan page."""

from __future__ import annotations

import base64
import gzip
import hashlib
import html
import json
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import numpy as np

from edgegan.runtime.command_parser import CommandParser
from edgegan.runtime.errors import UserError, run_command
from edgegan.runtime.files import Kind, check_not_read, write_bytes
from edgegan.runtime.metadata import GENERATOR, TrainingPictures
from edgegan.runtime.models import find_model, shipped_models
from edgegan.runtime.network import Network
from edgegan.runtime.options import output_file
from edgegan.runtime.page.exactness import is_exact
from edgegan.runtime.page.licences import licences
from edgegan.runtime.page.onnxruntime_web import BINARY, CODE, onnxruntime_web
from edgegan.runtime.show import describe_network
from edgegan.runtime.words import Words

DEFAULT_MODELS = ("cgan_student", "student")  # the first is what the page begins with

EXAMPLES = """\
examples:
  edgegan page -o page.html
  edgegan page student small.onnx -o page.html
"""

FOLDER = Path(__file__).parent
# Where they stand in page.html, and what comes there.
HEAD, PARTS = "<!-- build: head -->", "<!-- build: parts -->"
# How all built pages begin, also of earlier versions. Others may have the title, not the policy.
BUILT = Kind(
    "page that edgegan page built",
    re.compile(
        rb"<!doctype html>.*<title>edgegan</title>.*"
        rb"<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
        rb"script-src 'sha256-",
        re.DOTALL,
    ),
)
# As boot.js finds them too: at the beginning of a line, so that comments name modules freely.
IMPORT = re.compile(r'^(?:import|export)\s(?:[\w*{}\s,$]+\sfrom\s)?"\./([\w.-]+)"', re.MULTILINE)
# What stands for bytes: all that is printed in ASCII but what means something in HTML.
CHARACTERS = "".join(character for character in map(chr, range(33, 127)) if character not in '"&<')
BITS = 13  # in two of them
ENDS_SCRIPT = re.compile(r"</script|<!--", re.IGNORECASE)

SHIPPED_PICTURES = (
    "drawn faces that are other people's work, for research use: 64 x 64 pictures with the colours "
    "of hair and eyes, the extra data of a course assignment"
)


@dataclass(frozen=True)
class PageModel:
    """A model as the page has it.

    Attributes:
        name: what the page calls it, its file's without the suffix.
        content: its file.
        words: what it takes beside latents; None where it takes none.
        exact: whether it draws the same bytes in a browser as here.
        facts: a ModelFacts of modules/parts.js.
    """

    name: str
    content: bytes
    words: Words | None
    exact: bool
    facts: dict[str, Any]

    def __str__(self) -> str:
        groups = self.words.groups if self.words else ()
        numbers = " and ".join(f"{group.name} ({len(group.words)})" for group in groups)
        takes = f"words for {numbers}" if groups else "no words"
        same = "byte for byte" if self.exact else "but a level of 255 may differ"
        return f"{self.name}: {takes}; draws the faces that edgegan generate draws, {same}"


def main(argv: list[str] | None = None) -> int:
    """Build the page, and say what is in it; returns 0.

    Raises:
        UserError: a model is none of ours, is no generator, or has the name of another; what the
            page is made with cannot be had; or the page cannot be written.
    """
    options = _parser().parse_args(argv)
    paths = [find_model(name) for name in options.models]
    check_not_read("--output", [options.output], paths)
    models = read_models(paths)
    page = build(models)
    write_bytes(options.output, page)
    print("\n".join(map(str, models)))
    print(f"wrote {options.output} ({len(page) / 1e6:.1f} MB)")
    return 0


def read_models(paths: Sequence[Path]) -> list[PageModel]:
    """Read generators' files, each with a name of its own.

    Raises:
        UserError: one is damaged, none of ours, or no generator; or two have the same name.
    """
    by_name: dict[str, Path] = {}
    for path in paths:
        name = _text(path.stem)
        if name in by_name:
            both = f"{by_name[name]} and {path}" if by_name[name] != path else f"{path} twice"
            raise UserError(f"two models would be called {name} on the page: found {both}")
        by_name[name] = path
    return [_read(name, path) for name, path in by_name.items()]


def build(models: Sequence[PageModel]) -> bytes:
    """Return the page with these models: the same bytes whenever it is built of the same.

    Raises:
        UserError: onnxruntime-web, or a licence that belongs on the page, cannot be had.
    """
    runtime = onnxruntime_web()
    parts = {
        "/onnxruntime.mjs": runtime[CODE],  # with a slash, which no model's name has
        "/onnxruntime.wasm": runtime[BINARY],
        "/licences": json.dumps(licences()).encode(),
        **{model.name: model.content for model in models},
    }
    boot, style = (_source(FOLDER / name) for name in ("boot.js", "style.css"))
    head = [f'<meta http-equiv="Content-Security-Policy" content="{_policy(boot, style)}">']
    head.append(f"<style>{style}</style>")
    scripts = [
        _script("models", "application/json", _json([model.facts for model in models])),
        *(_script(f"./{name}", "text/plain", text) for name, text in modules(FOLDER / "modules")),
        *(_part(name, content) for name, content in parts.items()),
        f"<script>{boot}</script>",
    ]
    page = _source(FOLDER / "page.html")
    return page.replace(HEAD, "\n".join(head)).replace(PARTS, "\n".join(scripts)).encode()


def modules(folder: Path) -> Iterator[tuple[str, str]]:
    """The name and text of each JavaScript module of a folder, after those that it imports."""
    texts = {path.name: _source(path) for path in sorted(folder.glob("*.js"))}
    imports = {name: IMPORT.findall(text) for name, text in texts.items()}
    return ((name, texts[name]) for name in TopologicalSorter(imports).static_order())


def _read(name: str, path: Path) -> PageModel:
    network = Network(path, "cpu", GENERATOR)
    metadata, content = network.metadata, network.content
    exact, words = is_exact(content), metadata.words
    trained_on = _trained_on(metadata.pictures)
    if path in shipped_models().values():
        trained_on = SHIPPED_PICTURES
    rows = [*describe_network(network), ("trained on", trained_on)]
    facts = {
        "id": name,
        "title": name,
        "file": f"{name}.onnx",
        "bytes": len(content),
        "latentSize": metadata.latent_size,
        "distribution": metadata.latent_distribution,
        "imageSize": metadata.image_size,
        "valueRange": metadata.value_range,
        "bytesOut": "uint8" in network.gives,
        "words": words.to_json() if words else None,
        "exact": exact,
        "facts": [{"name": title, "value": value} for title, value in rows],
    }
    return PageModel(name, content, words, exact, facts)


def _trained_on(pictures: TrainingPictures | None) -> str:
    if pictures is None or pictures.digest is None:
        return "not noted in its file"
    return f"the pictures whose packed set has the SHA-256 {pictures.digest}"


def _text(name: str) -> str:
    """A file's name as text that can be written: what is no UTF-8 in it is marked as such."""
    return os.fsencode(name).decode(errors="replace")


def _source(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def _policy(boot: str, style: str) -> str:
    """What the browser lets the page do: run its own code, show its own pictures, ask for nothing.

    As https://www.w3.org/TR/CSP3/ has it. Modules and onnxruntime-web come from Blobs.
    """
    rules = {
        "default-src": "'none'",
        "script-src": f"{_hash(boot)} blob: 'wasm-unsafe-eval'",
        "style-src": _hash(style),
        "img-src": "blob: data:",
        "connect-src": "'none'",
        "form-action": "'none'",
        "base-uri": "'none'",
    }
    return "; ".join(f"{name} {sources}" for name, sources in rules.items())


def _hash(text: str) -> str:
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"


def _part(name: str, content: bytes) -> str:
    """A script that holds bytes: gzip as text, which parts.js unpacks and checks."""
    packed = gzip.compress(content, mtime=0)
    noted = {
        "data-packed": len(packed),
        "data-bytes": len(content),
        "data-sha256": hashlib.sha256(content).hexdigest(),
    }
    return _script(f"part:{name}", "text/plain", as_text(packed), noted.items())


def as_text(content: bytes) -> str:
    """Bytes as text, 13 bits in two characters of 91, the higher one first.

    That is 8 % shorter than base64. The last bits are filled up with zeros.
    """
    bits = np.unpackbits(np.frombuffer(content, np.uint8))
    groups = np.pad(bits, (0, -len(bits) % BITS)).reshape(-1, BITS)
    numbers = groups @ (1 << np.arange(BITS)[::-1])
    characters = np.frombuffer(CHARACTERS.encode(), np.uint8)
    return characters[np.stack(divmod(numbers, len(CHARACTERS)), axis=1)].tobytes().decode()


def _script(name: str, kind: str, text: str, attributes: Iterable[tuple[str, object]] = ()) -> str:
    """A script of that id that is not run; its text has to be none that ends it."""
    assert not ENDS_SCRIPT.search(text), f"{name} cannot stand in a page"
    noted = "".join(f' {key}="{value}"' for key, value in attributes)
    return f'<script type="{kind}" id="{html.escape(name)}"{noted}>{text}</script>'


def _json(value: object) -> str:
    return json.dumps(value).replace("<", "\\u003c")


def _parser() -> CommandParser:
    parser = CommandParser(
        prog="edgegan page",
        description="Build a page that draws faces in a browser: one HTML file, with the models in "
        "it, that opens by a double click and needs no network. onnxruntime-web, which runs the "
        "models there, is fetched once by the npm client into your cache.",
        epilog=EXAMPLES,
    )
    parser.add_argument(
        "models",
        nargs="*",
        default=DEFAULT_MODELS,
        metavar="MODEL",
        help="put this generator into it: a shipped model's name, or the path of an exported .onnx "
        f"({' '.join(DEFAULT_MODELS)})",
    )
    parser.add_argument(
        "-o",
        "--output",
        type=output_file("--output", ".html", kind=BUILT),
        required=True,
        metavar="PAGE",
        help="write the page to this .html file",
    )
    return parser


if __name__ == "__main__":
    run_command(main)
