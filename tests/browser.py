"""A real browser for the tests of pages, where there is one."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from outcomes import PATIENCE
from playwright.sync_api import Browser, Page, sync_playwright

REQUIRED = "FACETL_BROWSER_REQUIRED"
NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Without these it asks its maker's hosts for updates, which are not the page's requests.
SWITCHES = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync")


def find_browser() -> str:
    """Return the path of a Chromium; skip the test without one, or fail where it is required."""
    found = next((path for name in NAMES if (path := shutil.which(name))), None)
    if found is None:
        why = "found no Chromium; install one, on Debian with apt-get install chromium"
        assert not os.environ.get(REQUIRED), why
        pytest.skip(why)
    return found


class Watched:
    """A page, and what it asked for and complained of since it was opened."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.requests: list[str] = []
        self.complaints: list[str] = []
        self.expected: list[str] = []
        """Words of complaints that a test brings about."""
        page.on("request", lambda request: self.requests.append(request.url))
        page.on("pageerror", lambda error: self.complaints.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: object) -> None:
        text = str(getattr(message, "text", message))
        is_expected = any(words in text for words in self.expected)
        if getattr(message, "type", "") in ("error", "warning") and not is_expected:
            self.complaints.append(text)


@contextmanager
def launched() -> Iterator[Browser]:
    """Start a headless browser for some tests."""
    executable = find_browser()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=executable, args=list(SWITCHES), timeout=1000 * PATIENCE
        )
        yield browser
        browser.close()


@contextmanager
def opened(browser: Browser, path: Path, **options: Any) -> Iterator[Watched]:
    """Open a file; at the end see that it asked for nothing else and complained of nothing."""
    context = browser.new_context(**options)
    context.set_default_timeout(1000 * PATIENCE)
    watched = Watched(context.new_page())
    own = path.resolve().as_uri()
    watched.page.goto(own)
    yield watched
    context.close()
    assert [url for url in watched.requests if not url.startswith("data:")] == [own]
    assert watched.complaints == []


@contextmanager
def visiting(browser: Browser, address: str, **options: Any) -> Iterator[Watched]:
    """Open an address; at the end see that no other place was asked, and nothing complained of."""
    context = browser.new_context(**options)
    context.set_default_timeout(1000 * PATIENCE)
    watched = Watched(context.new_page())
    watched.page.goto(address)
    yield watched
    context.close()
    own = urlsplit(address)[:2]
    assert {urlsplit(url)[:2] for url in watched.requests if not url.startswith("data:")} == {own}
    assert watched.complaints == []
