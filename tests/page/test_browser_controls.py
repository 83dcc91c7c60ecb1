"""Every control of the page, used in a real browser as people use it: by hand, or by keys alone."""

from __future__ import annotations

import io
import itertools
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from edgegan import Generator
from edgegan.runtime.grid import tight_grid
from edgegan.runtime.interpolation import lerp, slerp, walk
from edgegan.runtime.words import Group, Words
from words_help import make_conditional_generator

if TYPE_CHECKING:
    from playwright.sync_api import Download, Page

OPENED = "#app:not([hidden])"
DESKTOP, PHONE = {"width": 1280, "height": 900}, {"width": 360, "height": 740}
CALM: dict[str, Any] = {"reduced_motion": "reduce", "viewport": DESKTOP, "locale": "en-US"}
VIEWS = ("grid", "near", "walk", "face")


@pytest.fixture
def opened(built_page: Path, open_page: Callable[..., Page]) -> Callable[..., Page]:
    """An opener of the page in a state, which waits until it has drawn."""

    def open_at(state: str = "", *, expected: str = "", script: str = "", **options: Any) -> Page:
        address = built_page if not state else f"{built_page.as_uri()}#{state}"
        page = open_page(address, expected=expected, script=script, **{**CALM, **options})
        page.wait_for_selector(OPENED)
        return page

    return open_at


def state_of(page: Page) -> dict[str, str]:
    """What the field with the state holds, by its keys, as soon as the page stands still."""
    # The address follows after a moment.
    wait(page, "location.hash.slice(1) === document.querySelector('#state').value")
    return page.evaluate("() => Object.fromEntries(new URLSearchParams(location.hash.slice(1)))")


def shown_after(page: Page, act: Callable[[], object]) -> str:
    """The caption that comes after an act; it has to be another than before."""
    before = page.inner_text("#caption")
    act()
    page.wait_for_function(
        "before => document.querySelector('#caption').innerText !== before", arg=before
    )
    return page.inner_text("#caption")


def wait(page: Page, condition: str) -> None:
    """Wait until JavaScript's condition holds; as a function, since the page forbids eval."""
    page.wait_for_function(f"() => {condition}")


def go(page: Page, view: str) -> None:
    """Change what is shown, and wait for it."""
    page.check(f"input[name=view][value={view}]", force=True)
    has = "!" if view == "face" else ""
    shown = "view=" if view == "face" else f"view={view}"
    wait(page, f"{has}document.querySelector('#state').value.includes('{shown}')")


def saved(page: Page, button: str) -> tuple[str, bytes]:
    """The name and the content of the file that a button saves."""
    with page.expect_download() as waiting:
        page.click(button)
    download: Download = waiting.value
    return download.suggested_filename, Path(download.path()).read_bytes()


def picture(content: bytes) -> np.ndarray:
    """uint8 (H, W, 3) of a file."""
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB"))


def face(generator: Generator, seed: int, number: int = 0, text: str | None = None) -> np.ndarray:
    condition = None if text is None else generator.condition([text])
    return generator.images(seed, 1, first=number, condition=condition)[0]


@pytest.fixture(scope="module")
def cgan() -> Generator:
    return Generator.load("cgan_student", provider="cpu")


@pytest.fixture(scope="module")
def student() -> Generator:
    return Generator.load("student", provider="cpu")


def test_a_sentence_chooses_words(opened: Callable[..., Page], cgan: Generator) -> None:
    page = opened("model=cgan_student&seed=7")
    page.fill("#sentence", "Red eyes, BLUE hair.")
    caption = shown_after(page, lambda: page.press("#sentence", "Enter"))
    assert caption == "Face 0 of seed 7: blue hair, red eyes"
    assert page.input_value("#sentence") == "blue hair red eyes"
    chosen = [page.locator(f"#word-{n} option:checked").inner_text() for n in range(2)]
    assert chosen == ["blue", "red"]
    _, content = saved(page, "#save")
    np.testing.assert_array_equal(picture(content), face(cgan, 7, 0, "blue hair red eyes"))


def test_an_example_of_a_sentence_has_the_models_own_words(
    build_page: Callable[..., Path], open_page: Callable[..., Page], tmp_path: Path
) -> None:
    words = Words.of([Group("class", ("cat", "dog"))], np.array([[0], [1]]))
    pets = make_conditional_generator(tmp_path / "pets.onnx", words)
    page = open_page(build_page("cgan_student", pets), **CALM)
    page.wait_for_selector(OPENED)
    example = page.get_attribute("#sentence", "placeholder")
    assert re.fullmatch(r"\w+ hair \w+ eyes", example)
    page.fill("#sentence", example)
    page.press("#sentence", "Enter")
    wait(page, f"document.querySelector('#state').value.includes('{example.replace(' ', '+')}')")
    page.select_option("#language", "zh-Hant")
    assert re.fullmatch(r"[\u4e00-\u9fff]+", page.get_attribute("#sentence", "placeholder"))
    page.select_option("#model", "pets")
    wait(page, "['cat', 'dog'].includes(document.querySelector('#sentence').placeholder)")


def test_what_is_wrong_with_a_sentence_stands_beside_it(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student&seed=7&text=blue+hair")
    page.fill("#sentence", "blue hair geren eyes")
    page.press("#sentence", "Enter")
    error = page.locator("#sentence-error")
    assert error.inner_text().startswith("'geren' is no word of eyes: did you mean green? ")
    assert page.get_attribute("#sentence", "aria-invalid") == "true"
    assert page.input_value("#sentence") == "blue hair geren eyes"
    page.select_option("#language", "zh-Hant")
    assert error.inner_text().startswith("'geren' 不是眼睛的詞語")
    assert "是否指綠色" in error.inner_text()
    page.fill("#sentence", "藍髮綠眼")
    page.press("#sentence", "Enter")
    wait(page, "!document.querySelector('#sentence').ariaInvalid")
    assert error.inner_text() == ""
    assert state_of(page)["text"] == "blue hair green eyes"
    assert page.input_value("#sentence") == "藍色頭髮綠色眼睛"


def test_a_word_for_each_group_or_a_random_one(
    opened: Callable[..., Page], cgan: Generator
) -> None:
    page = opened("model=cgan_student&seed=3")
    page.select_option("#word-0", label="pink")
    wait(page, "document.querySelector('#sentence').value === 'pink hair'")
    _, content = saved(page, "#save")
    np.testing.assert_array_equal(picture(content), face(cgan, 3, 0, "pink hair"))
    page.select_option("#word-0", label="random")
    wait(page, "document.querySelector('#sentence').value === ''")
    _, content = saved(page, "#save")
    np.testing.assert_array_equal(picture(content), face(cgan, 3))


def test_two_words_are_mixed_by_a_slider(opened: Callable[..., Page], cgan: Generator) -> None:
    page = opened("model=cgan_student&seed=7&text=blue+hair+red+eyes")
    assert page.is_hidden("#percent-0")
    page.select_option("#mix-0", label="red")
    page.wait_for_selector("#percent-0")
    page.focus("#percent-0")
    for _ in range(15):
        page.keyboard.press("ArrowLeft")
    caption = "hair, red eyes"
    wait(page, "document.querySelector('#caption').innerText.includes('35')")
    assert page.inner_text("#caption").endswith(caption)
    assert {"mix": "red hair", "percent": "35"}.items() <= state_of(page).items()
    blue, red = cgan.condition(["blue hair red eyes", "red hair red eyes"])
    expected = cgan.images_of(cgan.latents(7, 1), lerp(blue, red, np.array([0.35])))[0]
    np.testing.assert_array_equal(picture(saved(page, "#save")[1]), expected)


def test_seed_and_face_number(opened: Callable[..., Page], student: Generator) -> None:
    page = opened("model=student")
    assert page.is_disabled("#previous-face")
    page.fill("#seed", "9223372036854775807")
    shown_after(page, lambda: page.press("#seed", "Enter"))
    page.fill("#face-number", "41")
    shown_after(page, lambda: page.press("#face-number", "Enter"))
    shown_after(page, lambda: page.click("#next-face"))
    shown_after(page, lambda: page.click("#next-face"))
    caption = shown_after(page, lambda: page.click("#previous-face"))
    assert caption == "Face 42 of seed 9223372036854775807"
    np.testing.assert_array_equal(picture(saved(page, "#save")[1]), face(student, 2**63 - 1, 42))
    page.fill("#face-number", "1")
    shown_after(page, lambda: page.press("#face-number", "Enter"))
    page.focus("#previous-face")
    shown_after(page, lambda: page.keyboard.press("Enter"))  # it disables itself
    assert page.evaluate("document.activeElement.id") == "next-face"
    shown_after(page, lambda: page.click("#random-seed"))
    assert page.input_value("#face-number") == "0"
    for field, wrong in (("#seed", "-1"), ("#seed", "2e3"), ("#face-number", "x")):
        page.fill(field, wrong)
        page.press(field, "Enter")
        assert f"is '{wrong}', expected a whole number" in page.inner_text(f"{field}-error")


def test_the_next_drawing_has_new_noise_or_the_same(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student&seed=7")
    shown_after(page, lambda: page.click("#draw"))
    drawn = state_of(page)
    assert drawn["seed"] != "7"
    page.check("input[name=noise][value=fixed]")
    page.click("#draw")
    wait(page, "document.querySelector('#state').value.includes('wordseed')")
    again = state_of(page)
    assert again["seed"] == drawn["seed"]
    page.select_option("#word-0", label="blue")
    page.select_option("#word-1", label="red")
    wait(page, "document.querySelector('#sentence').value === 'blue hair red eyes'")
    page.click("#draw")
    assert page.inner_text("#said").startswith("Noise and words are both kept")


def test_a_grid_is_pythons_and_each_face_can_be_chosen(
    opened: Callable[..., Page], cgan: Generator
) -> None:
    page = opened("model=cgan_student&seed=5&text=green+eyes")
    shown_after(page, lambda: page.check("input[name=view][value=grid]", force=True))
    name, content = saved(page, "#save")
    images = cgan.images(5, 25, condition=cgan.condition(["green eyes"]))
    np.testing.assert_array_equal(picture(content), tight_grid(images, 5, 5, 2))
    assert name == "cgan_student-seed5-face0-grid.png"
    tiles = page.locator("#tiles button")
    assert tiles.count() == 25
    assert tiles.nth(7).get_attribute("aria-label").startswith("Show face 7 alone: ")
    shown_after(page, lambda: tiles.nth(7).click())
    assert {"face": "7"}.items() <= state_of(page).items()
    np.testing.assert_array_equal(picture(saved(page, "#save")[1]), images[7])


def test_a_grid_has_the_seeds_noise_and_faces_that_have_a_number(
    opened: Callable[..., Page], student: Generator
) -> None:
    page = opened(f"model=student&seed=5&face={2**63 - 3}&near=3-20&view=grid")
    first = 2**63 - 25
    assert page.inner_text("#caption") == (
        f"Faces {first} to {2**63 - 1} of seed 5, all of the seed's own noise"
    )
    name, content = saved(page, "#save")
    assert name == f"student-seed5-face{first}-grid.png"
    expected = tight_grid(student.images(5, 25, first=first), 5, 5, 2)
    np.testing.assert_array_equal(picture(content), expected)
    caption = shown_after(page, lambda: page.locator("#tiles button").first.click())
    assert caption == f"Face {first} of seed 5"


def test_neighbours_are_clicked_through_and_back(opened: Callable[..., Page]) -> None:
    page = opened("model=student&seed=5&view=near")
    tiles = page.locator("#tiles button")
    shown_after(page, lambda: tiles.nth(13).click())
    assert state_of(page)["near"] == "13-20"
    page.focus("#near-angle")
    page.keyboard.press("ArrowRight")
    wait(page, "document.querySelector('#near-angle-value').value === '25°'")
    shown_after(page, lambda: tiles.nth(0).click())
    assert state_of(page)["near"] == "13-20,1-25"
    assert page.inner_text("#noise-own") == "The noise is 2 steps away from the seed's."
    shown_after(page, lambda: page.click("#near-back"))
    page.focus("#noise-drop")
    shown_after(page, lambda: page.keyboard.press("Enter"))
    assert page.evaluate("document.activeElement.id") == "noise-summary"
    assert "near" not in state_of(page)
    shown_after(page, lambda: tiles.nth(13).click())
    page.focus("#near-back")
    shown_after(page, lambda: page.keyboard.press("Enter"))  # it disables itself
    assert page.evaluate("document.activeElement.id") == "near-angle"
    shown_after(page, lambda: tiles.nth(12).click())
    assert "view" not in state_of(page)


def test_a_walk_is_pythons_and_saved_as_an_animation(
    opened: Callable[..., Page], cgan: Generator
) -> None:
    page = opened("model=cgan_student&seed=3&text=blue+hair+red+eyes", expected="it is full")
    go(page, "walk")
    page.fill("#walk-seed", "8")
    shown_after(page, lambda: page.press("#walk-seed", "Enter"))
    page.fill("#walk-sentence", "red hair green eyes")
    shown_after(page, lambda: page.press("#walk-sentence", "Enter"))
    page.fill("#walk-frames", "9")
    page.press("#walk-frames", "Enter")
    wait(page, "document.querySelector('#walk-place').max === '8'")
    latents = walk(np.concatenate([cgan.latents(3, 1), cgan.latents(8, 1)]), 9, slerp)
    texts = cgan.condition(["blue hair red eyes", "red hair green eyes"])
    images = cgan.images_of(latents, walk(texts, 9, lerp))

    name, content = saved(page, "#walk-save")
    animation = Image.open(io.BytesIO(content))
    assert page.inner_text("#walk-hint").endswith(": 9 pictures become 16 frames.")
    assert name == "cgan_student-seed3-face0-walk.png"
    assert (animation.n_frames, animation.info["duration"], animation.info["loop"]) == (16, 50, 0)
    there_and_back = [*range(9), *range(7, 0, -1)]
    for frame, number in enumerate(there_and_back):
        animation.seek(frame)
        np.testing.assert_array_equal(np.asarray(animation.convert("RGB")), images[number])

    page.focus("#walk-place")
    page.keyboard.press("ArrowRight")
    assert page.get_attribute("#walk-place", "aria-valuetext") == "picture 2 of 9"
    np.testing.assert_array_equal(picture(saved(page, "#save")[1]), images[1])
    before = state_of(page)
    page.click("#walk-swap")
    wait(page, "document.querySelector('#seed').value === '8'")
    assert "seed=3" in state_of(page)["to"] != before["to"]
    page.click("#walk-same")
    wait(page, "document.querySelector('#walk-seed').value === '8'")
    page.click("#walk-random")
    wait(page, "document.querySelector('#walk-seed').value !== '8'")
    page.evaluate(
        """() => {
          globalThis.CompressionStream = class { constructor() { throw new Error("it is full") } };
        }"""
    )
    page.click("#walk-save")
    wait(page, "document.querySelector('#trouble').innerText.includes('it is full')")
    assert page.inner_text("#said") == page.inner_text("#saving") == ""
    assert page.is_enabled("#walk-save")
    page.fill("#walk-frames", "1")
    page.press("#walk-frames", "Enter")
    assert "from 2 to 120" in page.inner_text("#walk-frames-error")


def test_while_a_walk_is_saved_the_page_says_so(opened: Callable[..., Page]) -> None:
    page = opened("model=student&seed=3&view=walk&to=seed%3D8&frames=60")
    page.select_option("#saved-size", "8")
    page.focus("#walk-save")
    with page.expect_download():
        page.keyboard.press("Enter")
        assert page.is_disabled("#walk-save")
        assert page.evaluate("document.activeElement.id") == "walk-play"
        shown_after(page, lambda: page.click("#next-face"))
        assert page.inner_text("#saving") == "Saving …"
        page.select_option("#language", "zh-Hant")
        assert page.inner_text("#saving") == "儲存中⋯⋯"
    wait(page, "document.querySelector('#saving').innerText === ''")
    assert page.inner_text("#said") == "已儲存 student-seed3-face0-walk-512.png。"
    assert page.is_enabled("#walk-save")


@pytest.mark.parametrize("motion", ["reduce", "no-preference"])
def test_a_walk_plays_by_itself_only_for_those_who_like_motion(
    opened: Callable[..., Page], motion: str
) -> None:
    page = opened("model=student&view=walk&seed=3&to=seed%3D8", reduced_motion=motion)
    button = page.locator("#walk-play")
    if motion == "reduce":
        assert button.inner_text() == "Play"
        assert page.input_value("#walk-place") == "0"
        button.click()
    wait(page, "document.querySelector('#walk-place').value > 3")
    told = """() => { const place = document.querySelector("#walk-place");
      return [`picture ${Number(place.value) + 1} of 30`, place.ariaValueText] }"""
    assert len(set(page.evaluate(told))) == 1
    page.focus("#walk-place")
    told_at_focus = page.evaluate(told)[1]
    page.wait_for_timeout(300)
    shown, still_told = page.evaluate(told)
    assert still_told == told_at_focus != shown  # each change of what has the focus is read out
    assert button.inner_text() == "Pause"
    button.click()
    place = page.input_value("#walk-place")
    page.wait_for_timeout(300)
    assert (button.inner_text(), page.input_value("#walk-place")) == ("Play", place)


def test_noise_goes_out_and_comes_back_as_picture_and_text(
    opened: Callable[..., Page], student: Generator, tmp_path: Path
) -> None:
    page = opened("model=student&seed=11")
    page.click("#noise-details summary")
    name, content = saved(page, "#noise-save")
    assert name == "student-seed11-face0-noise.png"
    image, text = tmp_path / "noise.png", tmp_path / "noise.txt"
    image.write_bytes(content)
    mark = "\ufeff".encode()  # which some editors put before a text
    text.write_bytes(mark + saved(page, "#noise-save-text")[1])
    for file in (image, text):
        page = opened("model=student&seed=1&text=" if file is image else "model=student&seed=1")
        page.set_input_files("#noise-file", file)
        wait(page, "document.querySelector('#caption').innerText.includes('own')")
        np.testing.assert_array_equal(picture(saved(page, "#save")[1]), face(student, 11))
        assert page.inner_text("#noise-own") == "The noise is your own, not the seed's."
    changed = text.read_text().replace("128.", "128.A", 1)
    page.click("#noise-details summary")
    page.fill("#noise-text", changed)
    page.click("#noise-use")
    assert page.inner_text("#noise-error") != ""
    page.fill("#noise-text", text.read_text())
    page.click("#noise-use")
    wait(page, "document.querySelector('#noise-error').innerText === ''")
    # Pillow's PNG has other filters, and a channel more.
    Image.open(image).convert("RGBA").save(image, optimize=True)
    page.set_input_files("#noise-file", image)
    np.testing.assert_array_equal(picture(saved(page, "#save")[1]), face(student, 11))
    Image.new("RGB", (64, 64)).save(image)
    page.set_input_files("#noise-file", image)
    wait(page, "document.querySelector('#noise-error').innerText !== ''")
    assert page.inner_text("#noise-error").startswith("The picture is no noise")


def test_noise_of_another_model_is_refused(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student")
    page.click("#noise-details summary")
    text = page.input_value("#noise-text")
    page.select_option("#model", "student")
    wait(page, "document.querySelector('#noise-text').value.startsWith('128.')")
    page.fill("#noise-text", text)
    page.click("#noise-use")
    expected = "The noise has 64 numbers, expected 128: it is that of another model."
    assert page.inner_text("#noise-error") == expected


def test_a_file_without_noise_is_refused(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student")
    page.click("#noise-details summary")
    for name, content, sentence in (
        ("a.txt", b"", "The file holds no noise, expected a PNG or a text that this page saved."),
        ("a.txt", b"hello", "The text is no noise, expected what this page wrote: 64.….1a2b3c4d."),
        ("a.jpg", b"\xff\xd8\xff\xe0", "The file holds no noise, expected a PNG or a text that "),
    ):
        file: Any = {"name": name, "mimeType": "", "buffer": content}
        page.set_input_files("#noise-file", file)
        page.wait_for_function(
            "start => document.querySelector('#noise-error').innerText.startsWith(start)",
            arg=sentence,
        )
        assert page.inner_text("#noise-error").startswith(sentence)


def test_texts_are_copied(opened: Callable[..., Page], built_page: Path) -> None:
    page = opened("model=student&seed=12", permissions=["clipboard-read", "clipboard-write"])
    clipboard = "navigator.clipboard.readText()"
    page.click("#copy-state")
    wait(page, "document.querySelector('#copied').innerText === 'Copied.'")
    assert page.evaluate(clipboard) == "model=student&seed=12"
    page.click("#copy-address")
    wait(page, f"{clipboard}.then((text) => text.startsWith('file:'))")
    assert page.evaluate(clipboard) == f"{built_page.as_uri()}#model=student&seed=12"
    page.click("#noise-details summary")
    page.click("#noise-copy")
    wait(page, "document.querySelector('#noise-said').innerText === 'Copied.'")
    assert page.evaluate(clipboard) == page.input_value("#noise-text")


def test_a_pasted_state_is_drawn(opened: Callable[..., Page], cgan: Generator) -> None:
    page = opened("model=student&seed=1")
    page.fill(
        "#state", "https://example.org/p.html#model=cgan_student&text=blue+hair+red+eyes&seed=7"
    )
    caption = shown_after(page, lambda: page.press("#state", "Enter"))
    assert caption == "Face 0 of seed 7: blue hair, red eyes"
    expected = face(cgan, 7, 0, "blue hair red eyes")
    np.testing.assert_array_equal(picture(saved(page, "#save")[1]), expected)
    page.fill("#state", "model=nobody")
    page.press("#state", "Enter")
    assert (
        page.inner_text("#state-error")
        == "Model is 'nobody', expected one of student, cgan_student."
    )
    assert page.inner_text("#caption") == caption


def test_the_state_comes_back_from_the_address(opened: Callable[..., Page]) -> None:
    page = opened(
        "model=cgan_student&text=blue+hair&mix=red+hair&percent=30&seed=7&face=4&near=3-20"
    )
    contents = set()
    for view in ("grid", "near", "walk", "face"):
        go(page, view)
        state_of(page)
        address, content = page.evaluate("location.hash"), saved(page, "#save")[1]
        other = opened(address[1:])
        assert saved(other, "#save")[1] == content
        assert other.is_checked(f"input[name=view][value={view}]")
        contents.add(content)
    assert len(contents) == 3  # a walk begins with the face


def test_the_browsers_back_goes_to_the_picture_before(opened: Callable[..., Page]) -> None:
    page = opened("model=student&seed=1")
    shown_after(page, lambda: page.click("#next-face"))
    state_of(page)
    assert shown_after(page, page.go_back) == "Face 0 of seed 1"
    assert shown_after(page, page.go_forward) == "Face 1 of seed 1"


def test_an_address_in_other_words_leaves_no_step_back_to_itself(
    opened: Callable[..., Page],
) -> None:
    page = opened("seed=1")
    steps = page.evaluate("history.length")
    assert state_of(page) == {"model": "student", "seed": "1"}
    page.wait_for_timeout(400)  # else a step that is made after a moment would not be seen
    assert page.evaluate("history.length") == steps


@pytest.mark.parametrize("typed", ["at opening", "in the open page"])
def test_a_wrong_address_is_said_and_kept_to_be_corrected(
    opened: Callable[..., Page], typed: str
) -> None:
    wrong = "text=blue+hare&model=cgan_student"
    page = opened(wrong if typed == "at opening" else "seed=0")
    if typed != "at opening":
        state_of(page)
        page.evaluate("address => { location.hash = address }", wrong)
    beginning = "The address is wrong, correct it in the field “Share”: 'hare' is no word of "
    wait(page, "document.querySelector('#state-error').innerText !== ''")
    assert page.inner_text("#trouble").startswith(beginning)
    assert page.inner_text("#state-error").startswith("'hare' is no word of ")
    assert page.inner_text("#caption") == "Face 0 of seed 0"
    page.select_option("#language", "zh-Hant")
    assert re.match("網址有誤.+'hare' 不是", page.inner_text("#trouble"))
    page.select_option("#language", "en")
    assert state_of(page) == {"text": "blue hare", "model": "cgan_student"}
    page.fill("#state", wrong.replace("hare", "hair"))
    caption = shown_after(page, lambda: page.press("#state", "Enter"))
    assert caption.startswith("Face 0 of seed 0: blue hair, ")
    assert state_of(page)["text"] == "blue hair"
    assert page.inner_text("#trouble") == page.inner_text("#state-error") == ""


def test_after_a_wrong_address_the_one_that_is_shown_can_be_typed(
    opened: Callable[..., Page],
) -> None:
    page = opened("model=student&seed=abc")
    page.evaluate("() => { location.hash = 'model=student&seed=0' }")
    wait(page, "document.querySelector('#trouble').innerText === ''")
    assert state_of(page) == {"model": "student", "seed": "0"}
    shown_after(page, lambda: page.click("#next-face"))
    assert state_of(page)["face"] == "1"


def test_history_goes_back_and_walks_to_what_was_drawn(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student&seed=1&text=blue+hair+red+eyes")
    shown_after(page, lambda: page.click("#next-face"))
    shown_after(page, lambda: page.select_option("#word-0", label="green"))
    faces = page.locator(".past-face")
    assert faces.count() == 3
    caption = shown_after(page, lambda: faces.nth(2).click())
    assert caption == "Face 0 of seed 1: blue hair, red eyes"
    assert faces.count() == 3
    assert faces.nth(2).get_attribute("aria-current") == "true"
    assert page.evaluate("document.activeElement.className") == "past-face"
    shown_after(page, lambda: page.click("#history li:first-child button.small"))
    state = state_of(page)
    assert state["view"] == "walk"
    assert state["to"] == "text=green+hair+red+eyes&seed=1&face=1"
    page.select_option("#model", "student")
    wait(page, "document.querySelector('#model-hint').innerText.includes('0.87')")
    assert page.locator("#history button.small:visible").count() == 0
    shown_after(page, lambda: page.check("input[name=view][value=face]", force=True))
    shown_after(page, lambda: page.click("#next-face"))
    assert page.locator("#history button.small:visible").count() == 2  # the walk, and its start


def test_a_slider_makes_one_step_of_history(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student&seed=7&text=blue+hair&mix=red+hair&percent=50")
    steps = page.evaluate("history.length")
    page.focus("#percent-0")
    for percent in range(51, 55):
        page.keyboard.press("ArrowRight")
        wait(page, f"location.hash.includes('percent={percent}')")
    assert page.locator("#history li").count() == 2
    assert page.evaluate("history.length") == steps + 1
    shown_after(page, page.go_back)
    assert state_of(page)["percent"] == "50"


def test_a_walk_is_offered_to_other_faces_and_each_view_has_its_thumbnail(
    opened: Callable[..., Page],
) -> None:
    page = opened("model=student&seed=7&to=seed%3D8", expected="willReadFrequently")
    for view in ("grid", "near", "walk"):
        go(page, view)
        state_of(page)
    assert page.locator("#history button.small").count() == 4
    assert page.locator("#history button.small:visible").count() == 0
    thumbs = page.evaluate(
        """() => [...document.querySelectorAll("#history canvas")].map((one) => one.toDataURL())"""
    )
    assert len(set(thumbs)) == 4
    shown_after(page, lambda: page.click("#next-face"))
    assert page.locator("#history button.small:visible").count() == 4


def test_the_look_and_the_size_of_saved_faces(
    opened: Callable[..., Page], student: Generator
) -> None:
    page = opened("model=student&seed=2")
    page.check("input[name=look][value=pixels]")
    assert page.evaluate("document.querySelector('#face').classList.contains('pixels')")
    page.select_option("#saved-size", "4")
    expected = face(student, 2).repeat(4, axis=0).repeat(4, axis=1)
    name, content = saved(page, "#save")
    assert name == "student-seed2-face0-face-256.png"
    np.testing.assert_array_equal(picture(content), expected)
    page.check("input[name=look][value=smooth]")
    page.select_option("#saved-size", "8")
    smooth = picture(saved(page, "#save")[1])
    assert smooth.shape == (512, 512, 3)
    assert len(np.unique(smooth.reshape(-1, 3), axis=0)) > 64 * 64


def test_models_and_their_files(opened: Callable[..., Page]) -> None:
    from edgegan.runtime.models import shipped_models

    page = opened("model=cgan_student&text=blue+hair&seed=7")
    page.select_option("#model", "student")
    page.wait_for_selector("#words-panel", state="hidden")
    assert state_of(page) == {"model": "student", "seed": "7"}
    assert page.is_hidden("#noise-keeping")
    page.click("#about summary")
    page.wait_for_selector(".licence")
    name, content = saved(page, "#save-model")
    assert name == "student.onnx"
    assert content == shipped_models()["student"].read_bytes()
    page.locator(".licence summary").first.click()
    assert "Permission is hereby granted" in page.locator(".licence pre").first.inner_text()
    about = page.inner_text("#about-text")
    for said in ("trained on", "course assignment", "the same everywhere, byte for byte"):
        assert said in about


def test_everything_is_reached_by_keys_alone(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student&seed=7&view=grid")
    page.click("#noise-details summary")
    page.click("#about summary")
    page.wait_for_selector(".licence")
    focusable = (
        "button:not([tabindex='-1']):not(:disabled), input:not([type=file]), select, summary"
    )
    wanted = page.evaluate(
        """selector => [...document.querySelectorAll(selector + ", textarea")]
          .filter((one) => one.checkVisibility({ visibilityProperty: true })
            && !(one.type === "radio" && !one.checked))
          .map((one) => one.id || one.className || one.name + one.value + one.textContent)""",
        focusable,
    )
    page.evaluate("document.activeElement.blur(); scrollTo(0, 0)")
    found = []
    for _ in range(len(wanted) + 20):
        page.keyboard.press("Tab")
        found.append(
            page.evaluate(
                """() => { const one = document.activeElement;
                return one.id || one.className || one.name + one.value + one.textContent }"""
            )
        )
    assert set(wanted) <= set(found)


def test_faces_are_chosen_by_keys_alone(opened: Callable[..., Page]) -> None:
    page = opened("model=student&seed=7")
    page.focus("input[name=view][value=face]")
    shown_after(page, lambda: page.keyboard.press("ArrowRight"))
    page.keyboard.press("Tab")
    for key in ("ArrowRight", "ArrowDown", "ArrowDown", "ArrowLeft", "ArrowUp", "ArrowUp"):
        page.keyboard.press(key)
    page.keyboard.press("ArrowUp")  # there is none above
    page.keyboard.press("End")
    page.keyboard.press("ArrowLeft")
    caption = shown_after(page, lambda: page.keyboard.press("Enter"))
    assert caption == "Face 23 of seed 7"
    assert page.evaluate("document.activeElement.value") == "face"  # of the radio buttons
    go(page, "near")
    page.locator("#tiles .middle").focus()
    shown_after(page, lambda: page.keyboard.press("Enter"))
    assert page.evaluate("document.activeElement.value") == "face"


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_every_control_has_a_name(opened: Callable[..., Page], locale: str) -> None:
    page = opened("model=cgan_student&seed=7&mix=red+hair&percent=30", locale=locale)
    assert page.get_attribute("#caption", "aria-live") == "polite"
    for view in VIEWS:
        go(page, view)
        nameless = page.evaluate(
            """() => [...document.querySelectorAll(
                "button, input, select, textarea, canvas[role], [role=group]")]
              .filter((one) => one.checkVisibility())
              .filter((one) => !(one.ariaLabel || one.textContent.trim()
                || [...(one.labels ?? [])].some((label) => label.textContent.trim())))
              .map((one) => one.outerHTML)"""
        )
        assert nameless == []


def test_nothing_stays_english_in_chinese(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student&seed=7&mix=red+hair&percent=30", locale="zh-TW")
    assert page.evaluate("document.documentElement.lang") == "zh-Hant"
    page.click("#about summary")
    page.wait_for_selector(".licence")
    names = re.compile(
        r"[a-z]*gan|PNG|Python|MB|onnx\S*|numpy|MIT|BSD"  # of things
        r"|non_saturating|student|distillation|opset|latent|condition|image|u?int\d+|float32|N x"
    )
    for view in VIEWS:
        go(page, view)
        text = page.evaluate(
            """() => [...document.querySelectorAll("body *")]
              .filter((one) => one.checkVisibility() && !one.matches("pre, script, .top *"))
              .flatMap((one) => [one.ariaLabel, one.placeholder, one.title, ...[...one.childNodes]
                .filter((child) => child.nodeType === 3).map((child) => child.data)])
              .join("\\n")"""
        )
        left = re.findall(r"[A-Za-z]{3,}", names.sub("", text))
        assert left == []
    page.select_option("#language", "en")
    assert page.inner_text("#draw") == "Draw another"
    assert page.evaluate("document.documentElement.lang") == "en"


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_a_phone_shows_all_of_it(opened: Callable[..., Page], locale: str) -> None:
    state = "model=cgan_student&seed=7&mix=red+hair+blue+eyes&percent=30,40&near=3-20"
    page = opened(state, locale=locale, viewport=PHONE)
    page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
    page.wait_for_selector(".licence")
    for view in VIEWS:
        go(page, view)
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        outside = page.evaluate(
            """() => [...document.querySelectorAll("button, input, select, textarea, canvas, p")]
              .filter((one) => one.checkVisibility() && !one.closest(".history"))
              .filter((one) => { const { left, right } = one.getBoundingClientRect();
                return left < 0 || right > innerWidth })
              .map((one) => one.outerHTML)"""
        )
        assert outside == []


def test_on_a_phone_what_was_drawn_is_scrolled_through(opened: Callable[..., Page]) -> None:
    page = opened("model=student&seed=7")
    for _ in range(11):
        shown_after(page, lambda: page.click("#next-face"))
    measured = """() => [...document.querySelectorAll("#history li")]
      .map((one) => one.getBoundingClientRect()).map(({ left, right }) => [left, right])"""
    on_desktop = page.evaluate(measured)
    for width in (360, 414, 768):
        page.set_viewport_size({"width": width, "height": 740})
        on_phone = page.evaluate(measured)
        assert len(on_phone) == 12
        assert all(end <= start for (_, end), (start, _) in zip(on_phone, on_phone[1:]))
        for (left, right), (start, end) in zip(on_desktop, on_phone):
            assert end - start == pytest.approx(right - left, abs=0.1)


def luminance(colour: str) -> float:
    """The relative luminance of "rgb(1, 2, 3)" (WCAG 2.2)."""
    parts = np.array([float(n) for n in re.findall(r"[\d.]+", colour)[:3]]) / 255
    linear = np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


def test_text_can_be_read_in_light_and_dark(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student&seed=abc")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        colours = colours_of(page)
        for name, text, behind in colours:
            low, high = sorted((luminance(text), luminance(behind)))
            assert (high + 0.05) / (low + 0.05) >= 4.5, f"{name}: {text} on {behind}"
        assert (luminance(colours[0][2]) < 0.1) is (scheme == "dark")


def colours_of(page: Page) -> list[tuple[str, str, str]]:
    """What has text, the text's colour, and that behind it."""
    return page.evaluate(
        """() => ["#caption", ".hint:not(:empty)", "#draw", "#save", "#trouble", "legend", "#seed",
            ".segments label:has(:checked)", ".segments label:not(:has(:checked))"]
          .map((name) => {
            const one = document.querySelector(name);
            let behind = one;
            while (getComputedStyle(behind).backgroundColor === "rgba(0, 0, 0, 0)")
              behind = behind.parentElement;
            return [name, getComputedStyle(one).color, getComputedStyle(behind).backgroundColor];
          })"""
    )


def test_nothing_flickers_while_faces_follow_each_other(opened: Callable[..., Page]) -> None:
    page = opened("model=student&seed=7", expected="willReadFrequently")  # of what reads it here
    blank = page.evaluate(
        """async () => {
          const canvas = document.querySelector("#face");
          let blank = 0;
          let frames = 0;
          for (; frames < 40; frames++) {
            if (frames % 2 === 0) document.querySelector("#next-face").click();
            await new Promise(requestAnimationFrame);
            const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, 1);
            if (data.some((value, place) => place % 4 === 3 && value !== 255)) blank++;
          }
          return blank;
        }"""
    )
    assert blank == 0


@pytest.mark.parametrize(
    ("script", "sentence"),
    [
        ("delete globalThis.DecompressionStream", "This browser has no DecompressionStream"),
        ("delete globalThis.WebAssembly", "This browser has no WebAssembly"),
        ("WebAssembly.validate = () => false", "This browser's WebAssembly has no SIMD"),
        (
            "WebAssembly.Memory = function () { throw new RangeError('could not allocate') };"
            "WebAssembly.instantiate = async () => { throw new RangeError('Out of memory') }",
            "There is not enough memory",
        ),
    ],
)
def test_a_browser_that_cannot_gets_a_sentence(
    built_page: Path, open_page: Callable[..., Page], script: str, sentence: str
) -> None:
    page = open_page(built_page, script=script, expected="emory", **CALM)
    page.wait_for_selector("#failure:not([hidden])")
    assert page.inner_text("#failure").startswith(sentence)
    page.select_option("#language", "zh-Hant")
    assert re.search(r"[\u4e00-\u9fff]", page.inner_text("#failure"))
    assert page.is_hidden("#app")


def damage(built_page: Path, folder: Path, what: str) -> Path:
    """A copy of the page of which a part is not what it was."""
    page_text = built_page.read_text(encoding="utf-8")
    start = page_text.index(">", page_text.index(f'id="{what}"')) + 40
    damaged = folder / "damaged.html"
    damaged.write_text(f"{page_text[:start]}~~~~{page_text[start + 4 :]}", encoding="utf-8")
    return damaged


@pytest.mark.parametrize("model", ["student", "cgan_student"])
def test_where_a_model_is_damaged_another_one_draws(
    built_page: Path, open_page: Callable[..., Page], tmp_path: Path, model: str
) -> None:
    damaged = damage(built_page, tmp_path, f"part:{model}")
    page = open_page(f"{damaged.as_uri()}#model={model}&seed=7", **CALM)
    page.wait_for_selector(OPENED)
    assert page.inner_text("#trouble").startswith(f"This page is damaged at {model}: ")
    assert page.inner_text("#caption").startswith("Face 0 of seed 7")
    caption = shown_after(page, lambda: page.click("#next-face"))
    assert caption.startswith("Face 1 of seed 7")
    assert page.inner_text("#trouble") == ""


def test_a_fault_in_a_part_of_the_page_is_said(opened: Callable[..., Page]) -> None:
    script = "CanvasRenderingContext2D.prototype.putImageData = () => { throw Error('no ink') }"
    page = opened("model=student&seed=7", script=script, expected="no ink")
    wait(page, "document.querySelector('#trouble').innerText !== ''")
    assert page.inner_text("#trouble") == "A fault in this page: no ink"
    assert page.inner_text("#caption") == "Face 0 of seed 7"  # the rest of it goes on


def test_words_wait_for_the_model_that_is_opened(opened: Callable[..., Page]) -> None:
    page = opened("model=cgan_student&seed=7&view=walk&to=seed%3D8")
    locked = "[...document.querySelectorAll('#words-panel, #walk-sentence')].map((e) => e.disabled)"
    changed = page.evaluate(
        f"""() => {{
          const select = document.querySelector("#model");
          select.value = "student";
          select.dispatchEvent(new Event("change"));
          return {locked};
        }}"""
    )
    assert changed == [True, True]
    page.wait_for_selector("#words-panel", state="hidden")
    page.select_option("#model", "cgan_student")
    page.wait_for_selector("#words-panel:not([hidden])")
    assert page.evaluate(f"() => {locked}") == [False, False]


def test_a_sentence_is_not_mixed(opened: Callable[..., Page]) -> None:
    mixed = "model=cgan_student&text=blue+hair&mix=red+hair&percent=30&seed=7"
    page = opened(f"{mixed}&view=walk&to=text%3Dblue%2Bhair%26mix%3Dred%2Bhair%26percent%3D30")
    for field in ("#sentence", "#walk-sentence"):
        page.fill(field, "green hair green eyes")
        shown_after(page, lambda field=field: page.press(field, "Enter"))
    state = state_of(page)
    assert "mix" not in state
    assert state["to"] == "text=green+hair+green+eyes&seed=0"


@pytest.mark.parametrize("what", ["models", "part:/onnxruntime.wasm"])
def test_a_damaged_page_gets_a_sentence(
    built_page: Path, open_page: Callable[..., Page], tmp_path: Path, what: str
) -> None:
    page = open_page(damage(built_page, tmp_path, what), **CALM)
    page.wait_for_selector("#failure:not([hidden])")
    assert page.inner_text("#failure").startswith("This page is damaged at ")


def test_without_scripts_the_page_says_so(browser: Any, built_page: Path) -> None:
    context = browser.new_context(java_script_enabled=False, offline=True)
    page = context.new_page()
    page.goto(built_page.as_uri())
    assert "JavaScript" in page.inner_text("noscript")
    context.close()


@pytest.mark.parametrize("locale", ["en-US", "zh-TW"])
def test_screenshots_are_kept(opened: Callable[..., Page], tmp_path: Path, locale: str) -> None:
    """All that there are where EDGEGAN_SCREENSHOTS names a folder, else one of each view."""
    kept = os.environ.get("EDGEGAN_SCREENSHOTS")
    folder = Path(kept or tmp_path)
    folder.mkdir(parents=True, exist_ok=True)
    page = opened("model=cgan_student&text=blue+hair&seed=7", locale=locale)
    looks = list(itertools.product(("light", "dark"), (("desktop", DESKTOP), ("phone", PHONE))))
    for number, view in enumerate(VIEWS):
        go(page, view)
        # Each view in another look, and in Chinese in yet another.
        other = (number + 2 * (locale == "zh-TW")) % len(looks)
        for scheme, (size, viewport) in looks if kept else [looks[other]]:
            page.emulate_media(color_scheme=scheme)
            page.set_viewport_size(viewport)
            page.wait_for_timeout(200)
            path = folder / f"{view}-{size}-{scheme}-{locale}.png"
            page.screenshot(path=path, full_page=True)
            colours = picture(path.read_bytes()) @ np.array([65_536, 256, 1])
            assert len(np.unique(colours)) > 1_000
