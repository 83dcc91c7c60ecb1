"""A browser, and pages that are built and opened in it."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from edgegan.runtime.errors import UserError
from edgegan.runtime.page import build
from edgegan.runtime.page.onnxruntime_web import onnxruntime_web

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page, Request

CHROMIUMS = ("chromium", "chromium-browser", "google-chrome")
# Root has no sandbox, and machines that test have no GPU.
SWITCHES = ["--no-sandbox", "--disable-gpu"]
MOST_MILLISECONDS = 120_000  # machines that test are busy


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Chromium, the one of EDGEGAN_CHROMIUM or of the system, or a skip where there is none."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    found = os.environ.get("EDGEGAN_CHROMIUM") or next(
        filter(None, map(shutil.which, CHROMIUMS)), None
    )
    if found is None:
        pytest.skip("there is no Chromium: install it, or name it in EDGEGAN_CHROMIUM")
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=found, args=SWITCHES)
        yield opened
        opened.close()


@pytest.fixture(scope="session")
def build_page(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A builder of pages with models, or a skip where onnxruntime-web cannot be had."""
    try:
        onnxruntime_web()
    except UserError as error:
        pytest.skip(str(error))

    def build_with(*models: str | Path) -> Path:
        path = tmp_path_factory.mktemp("page") / "page.html"
        assert build.main([*map(str, models), "-o", str(path)]) == 0
        return path

    return build_with


@pytest.fixture(scope="session")
def built_page(build_page: Callable[..., Path]) -> Path:
    """The page with both students, that without words first."""
    return build_page("student", "cgan_student")


class Pages:
    """An opener of pages without a network, which hears what is wrong with them."""

    def __init__(self, browser: Browser) -> None:
        self._browser = browser
        self._contexts: list[BrowserContext] = []
        self._wrong: list[str] = []

    def open(
        self, place: Path | str, *, script: str = "", expected: str = "", **options: Any
    ) -> Page:
        """Open a page.

        Args:
            place: its file, or its address on this machine.
            script: JavaScript that is run before the page's own.
            expected: a pattern of what else may be said of it; empty: nothing.
            options: of Playwright's new_context, such as viewport or color_scheme.
        """
        address = place.as_uri() if isinstance(place, Path) else place
        is_file = isinstance(place, Path)
        context = self._browser.new_context(offline=is_file, **options)
        self._contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(MOST_MILLISECONDS)
        page.add_init_script(script)

        def hear(text: str) -> None:
            if not (expected and re.search(expected, text)):
                self._wrong.append(text)

        def see(request: Request) -> None:
            if request.url.partition("#")[0] != address.partition("#")[0] and not (
                request.url.startswith(("blob:", "data:"))
            ):
                hear(f"it asked for {request.url}")

        page.on("console", lambda message: hear(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: hear(str(error)))
        page.on("request", see)
        page.goto(address)
        return page

    def check(self) -> None:
        """Fail if there was a message in a page's console, or a request that left it."""
        wrong, self._wrong = self._wrong, []
        assert wrong == []

    def close(self) -> None:
        """Close all pages."""
        for context in self._contexts:
            context.close()


@pytest.fixture
def open_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """``Pages.open``; what is wrong with a page ends the test as a failure."""
    pages = Pages(browser)
    yield pages.open
    pages.close()
    pages.check()


@pytest.fixture(scope="session")
def opened_once(browser: Browser, built_page: Path) -> Iterator[tuple[Pages, Page]]:
    """The page of ``shared_page``, and what hears what is wrong with it."""
    pages = Pages(browser)
    yield pages, pages.open(built_page)
    pages.close()


@pytest.fixture
def shared_page(opened_once: tuple[Pages, Page]) -> Iterator[Page]:
    """The built page, opened once for all tests that ask its modules and touch no control."""
    pages, page = opened_once
    yield page
    pages.check()
