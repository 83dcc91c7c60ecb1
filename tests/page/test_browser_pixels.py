"""What the page draws in a real browser beside what Python draws, byte for byte."""

from __future__ import annotations

import base64
import functools
import http.server
import re
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
import pytest

from edgegan import Generator
from edgegan.runtime.generator import to_bytes
from edgegan.runtime.latent import MAX_SEED
from words_help import make_conditional_generator

if TYPE_CHECKING:
    from playwright.sync_api import Page

# What all scripts below use: the pictures of a state, drawn as the page draws them; a model that is
# opened once; and bytes as text and back.
COMMON = """
const [{ models }, { Model, toBytes }, { read }, { Studio }] = await Promise.all(
  ["./parts.js", "./model.js", "./state.js", "./studio.js"].map((name) => edgegan(name)));
const draw = async (state) => {
  const studio = (globalThis.studio ??= new Studio(models()));
  await studio.change(read(state, studio.known));
  if (studio.reason !== null) throw studio.reason;
  return studio.pictures;
};
const open = (id) => {
  globalThis.opened ??= {};
  return (opened[id] ??= Model.open(models().find((facts) => facts.id === id)));
};
const toText = (bytes) => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
};
const floats = (text) =>
  text === null ? null
    : new Float32Array(Uint8Array.from(atob(text), (one) => one.charCodeAt(0)).buffer);
"""
GRID = "const pixels = (await draw(state)).flatMap(({ rgb }) => [...rgb]);"
IMAGES_OF = "const pixels = await (await open(id)).images(floats(latents), floats(conditions));"


# Marks when the page has drawn for the first time: until then its controls are hidden.
MARK_FIRST = """
new MutationObserver((_, observer) => {
  const app = document.getElementById("app");
  if (app && !app.hidden) {
    observer.disconnect();
    requestAnimationFrame(() => performance.mark("first picture"));
  }
}).observe(document, { subtree: true, childList: true, attributeFilter: ["hidden"] });
"""


def ask(page: Page, code: str, **values: object) -> Any:
    """What JavaScript returns in a page that has these values by name."""
    names = ", ".join(values)
    page.wait_for_function("() => globalThis.edgegan !== undefined")
    return page.evaluate(f"async ({{ {names} }}) => {{ {COMMON} {code} }}", values)


def pixels(page: Page, code: str, size: int, **values: object) -> np.ndarray:
    """uint8 (N, size, size, 3), the `pixels` that JavaScript ends with."""
    text = ask(page, f"{code} return toText(pixels);", **values)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(-1, size, size, 3)


def grid_of(model: str, seed: int, first: int, text: str | None = None) -> str:
    """The state of a grid, as it stands in an address."""
    words = {} if text is None else {"text": text}
    return urlencode({"model": model, "view": "grid", "seed": seed, "face": first, **words})


def as_text(array: np.ndarray | None) -> str | None:
    return None if array is None else base64.b64encode(array.tobytes()).decode()


def grids() -> Iterator[tuple[int, int]]:
    """Seeds and first faces of 40 grids of 25: 1,000 faces, of small numbers and the largest."""
    yield from ((0, 0), (7, 0), (7, 25), (MAX_SEED, 0), (0, 2**63 - 25), (MAX_SEED, 2**63 - 25))
    random = np.random.default_rng(0)
    for _ in range(34):
        yield int(random.integers(2**63)), int(random.integers(2**40))


@pytest.mark.parametrize(
    ("model", "text"),
    [("student", None), ("cgan_student", None), ("cgan_student", "blue hair red eyes")],
)
def test_a_thousand_faces_are_pythons(shared_page: Page, model: str, text: str | None) -> None:
    page, generator = shared_page, Generator.load(model, provider="cpu")
    condition = None if text is None else generator.condition([text])
    for seed, first in grids():
        drawn = pixels(page, GRID, 64, state=grid_of(model, seed, first, text))
        expected = generator.images(seed, 25, first=first, condition=condition)
        np.testing.assert_array_equal(drawn, expected, f"seed {seed}, from face {first}")


def test_mixtures_of_words_are_pythons(shared_page: Page) -> None:
    page, generator = shared_page, Generator.load("cgan_student", provider="cpu")
    assert generator.words is not None
    random = np.random.default_rng(1)
    latents = generator.latents(3, 30)  # more than are computed at once
    conditions = random.random((30, generator.words.size), np.float32)
    drawn = pixels(
        page,
        IMAGES_OF,
        64,
        id="cgan_student",
        latents=as_text(latents),
        conditions=as_text(conditions),
    )
    np.testing.assert_array_equal(drawn, generator.images_of(latents, conditions))


def test_two_drawings_at_once_do_not_mix(shared_page: Page) -> None:
    page, generator = shared_page, Generator.load("student", provider="cpu")
    code = """
    const model = await open("student");
    const drawn = await Promise.all(latents.map((text) => model.images(floats(text), null)));
    const pixels = drawn.flatMap((bytes) => [...bytes]);
    """
    latents = [as_text(generator.latents(seed, 30)) for seed in (1, 2)]
    expected = [generator.images(seed, 30) for seed in (1, 2)]
    drawn = pixels(page, code, 64, latents=latents)
    np.testing.assert_array_equal(drawn, np.concatenate(expected))


@pytest.mark.parametrize("with_words", [False, True])
def test_floating_point_differs_by_a_level_at_most(
    build_page: Callable[..., Path],
    open_page: Callable[..., Page],
    make_generator: Callable[..., Path],
    tmp_path: Path,
    with_words: bool,
) -> None:
    path = make_conditional_generator(tmp_path / "tiny.onnx") if with_words else make_generator()
    page, generator = open_page(build_page(path)), Generator.load(path, provider="cpu")
    size = generator.metadata.image_size
    text = "red hair" if with_words else None
    condition = None if text is None else generator.condition([text])
    assert ask(page, "return models()[0].exact;") is False
    differing = 0
    for seed, first in grids():
        drawn = pixels(page, GRID, size, state=grid_of("tiny", seed, first, text))
        expected = generator.images(seed, 25, first=first, condition=condition)
        apart = np.abs(drawn.astype(int) - expected).reshape(25, -1).max(axis=1)
        assert apart.max() <= 1
        differing += int((apart > 0).sum())
    print(f"\nfloat32, {'with' if with_words else 'without'} words: {differing} of 1,000 differ")


@pytest.mark.parametrize("value_range", [(-1.0, 1.0), (0.0, 1.0), (-3.5, 0.1), (0.0, 255.0)])
def test_numbers_become_bytes_as_pythons_do(
    shared_page: Page, value_range: tuple[float, float]
) -> None:
    low, high = value_range
    random = np.random.default_rng(2)
    middles = low + (high - low) * (np.arange(-2, 258) + 0.5) / 255  # where halves go to even
    edges = [low, high, 1e30, -1e30]
    above = np.nextafter(np.float32(middles), np.float32(np.inf))
    others = random.uniform(low - 1, high + 1, 24_052)
    values = np.concatenate([middles, above, edges, others])
    output = values.astype(np.float32).reshape(-1, 3, 8, 8)
    code = "const pixels = toBytes(floats(output), 8, range);"
    drawn = pixels(shared_page, code, 8, output=as_text(output), range=value_range)
    np.testing.assert_array_equal(drawn, to_bytes(output, value_range))


def test_what_is_no_number_is_told(shared_page: Page) -> None:
    code = """
    try { toBytes(Float32Array.of(0, NaN, 0), 1, [-1, 1]); } catch (error) { return error.message; }
    """
    assert ask(shared_page, code) == "the model gave values that are not numbers"


@pytest.mark.parametrize(
    ("latents", "conditions"), [("1", "null"), ("64", "null"), ("64", "21"), ("0", "22")]
)
def test_arrays_that_do_not_fit_are_refused(
    shared_page: Page, latents: str, conditions: str
) -> None:
    made = f"new Float32Array({latents}), {conditions} && new Float32Array({conditions})"
    code = f"""
    const model = await open("cgan_student");
    try {{ await model.images({made}); }} catch (error) {{ return error.name; }}
    """
    assert ask(shared_page, code) == "TypeError"


def test_the_parts_are_what_was_put_in(shared_page: Page) -> None:
    code = """
    const { bytesOf, licences } = await edgegan("./parts.js");
    return [toText(await bytesOf("student")), await licences()];
    """
    content, licences = ask(shared_page, code)
    assert base64.b64decode(content) == Generator.load("student")._network.content
    assert {"edgegan", "onnxruntime-web 1.30.0"} <= {licence["part"] for licence in licences}


@pytest.mark.parametrize(
    ("pattern", "replacement"),
    [
        ('(id="part:student"[^>]*>.{4000})....', r"\1AAAA"),  # gzip's own check sum tells
        ('(id="part:student"[^>]*>)[^<]*', r"\1"),
        ('(id="part:student"[^>]* data-bytes=")[0-9]*', r"\g<1>7"),
        ('(id="part:student"[^>]* data-sha256=").', r"\1x"),
        ('id="part:student"', 'id="part:gone"'),
        ('(id="models">.)', r"\1,"),
    ],
)
def test_a_damaged_page_is_told(
    built_page: Path,
    open_page: Callable[..., Page],
    tmp_path: Path,
    pattern: str,
    replacement: str,
) -> None:
    damaged = tmp_path / "page.html"
    text, count = re.subn(pattern, replacement, built_page.read_text(encoding="utf-8"), count=1)
    assert count == 1
    damaged.write_text(text, encoding="utf-8")
    code = """
    try { await open(models()[0].id); } catch (error) { return error.message; }
    """
    assert "this page is damaged" in ask(open_page(damaged), code)


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("WebAssembly.validate = () => false", "WebAssembly has no SIMD"),
        ("delete globalThis.WebAssembly", "WebAssembly has no SIMD"),
        (
            "WebAssembly.Memory = class { constructor() { throw new RangeError('too much'); } }",
            "this browser cannot run student",
        ),
    ],
)
def test_what_a_browser_lacks_is_told(
    built_page: Path, open_page: Callable[..., Page], script: str, sentence: str
) -> None:
    page = open_page(built_page, script=script)
    code = (
        'try { await open("student"); } catch (error) { return `${error.name}: ${error.message}`; }'
    )
    assert sentence in ask(page, code)


@pytest.fixture
def served(built_page: Path) -> Iterator[tuple[str, list[str]]]:
    """The page's address on a server of this machine, and the paths that are asked for there."""
    asked: list[str] = []

    class Handler(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            asked.append(self.path)

    handler = functools.partial(Handler, directory=str(built_page.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/{built_page.name}", asked
        server.shutdown()


def test_served_over_http_it_draws_the_same(
    served: tuple[str, list[str]], open_page: Callable[..., Page]
) -> None:
    address, asked = served
    page = open_page(address)
    drawn = pixels(page, GRID, 64, state=grid_of("student", 7, 0))
    np.testing.assert_array_equal(drawn, Generator.load("student").images(7, 25))
    assert asked == ["/page.html"]


def test_no_request_can_leave_the_page(
    served: tuple[str, list[str]], open_page: Callable[..., Page]
) -> None:
    address, asked = served
    page = open_page(address, expected="Content Security Policy|it asked for http://127")
    code = """
    const image = (src) => new Promise((resolve, reject) => {
      Object.assign(new Image(), { onload: resolve, onerror: reject, src });
    });
    const tries = [
      () => fetch("/fetched"),
      () => import("/imported.js"),
      () => import("data:text/javascript,1"),
      () => image("/shown.png"),
      () => new Function("return 1")(),
    ];
    const ended = await Promise.allSettled(tries.map(async (one) => one()));
    return ended.map(({ status }) => status);
    """
    assert ask(page, code) == 5 * ["rejected"]
    assert asked == ["/page.html"]


def test_how_long_it_takes(
    built_page: Path, open_page: Callable[..., Page], request: pytest.FixtureRequest
) -> None:
    """Printed, not asserted: python -m pytest -s -k how_long tests/page/test_browser_pixels.py.

    Where nobody sees what is printed, it is only tried.
    """
    faces, grids = (300, 20) if request.config.getoption("capture") == "no" else (2, 1)
    page = open_page(built_page, script=MARK_FIRST)
    page.wait_for_function("() => performance.getEntriesByName('first picture').length")
    first = page.evaluate("performance.getEntriesByName('first picture')[0].startTime")
    print(f"\nfrom opening to the first picture: {first / 1000:.2f} s")
    code = """
    await draw(`model=${id}`);
    const taken = { face: [], grid: [] };
    for (const [view, times] of Object.entries(taken)) {
      for (let seed = 0; seed < (view === "face" ? faces : grids); seed++) {
        const start = performance.now();
        await draw(`model=${id}&view=${view}&seed=${seed}`);
        times.push(performance.now() - start);
      }
    }
    return taken;
    """
    for name in ("student", "cgan_student"):
        one, many = ask(page, code, id=name, faces=faces, grids=grids).values()
        # The browser translates what it runs often once more, and better.
        print(
            f"{name}, medians: a face {np.median(one[:20]):.1f} ms, after 200 of them "
            f"{np.median(one[-100:]):.1f} ms, 25 faces {np.median(many):.0f} ms"
        )
