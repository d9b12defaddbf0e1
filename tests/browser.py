"""A headless Chromium for tests of the pages; the tests are skipped where there is none."""

import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal

import httpx
import pytest
from playwright.sync_api import (
    Browser,
    ConsoleMessage,
    Error,
    HttpCredentials,
    Page,
    Route,
    sync_playwright,
)

from waiting import DEADLINE_SECONDS

_NAMES: Final = ("chromium", "chromium-browser", "google-chrome")
_FLAGS: Final = (
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PHONE: Final = (390, 844)
DESK: Final = (1360, 900)
BLANK: Final = "about:blank"
# The tabs in which visits take turns, by key. A process has one browser at a time.
_TABS: Final[dict[str | None, Page]] = {}


@dataclass(frozen=True, slots=True)
class Site:
    """A running service with its database, and a browser to visit it with."""

    url: str
    client: httpx.Client
    browser: Browser
    database_url: str

    def get(self, path: str) -> Any:  # noqa: ANN401 - a JSON body
        answer = self.client.get(path)
        assert answer.status_code == 200
        return answer.json()


@contextmanager
def browser() -> Iterator[Browser]:
    """Yield a browser, or skip the test and say what is missing."""
    found = next((path for name in _NAMES if (path := shutil.which(name))), None)
    if found is None:
        pytest.skip(f"no browser: install one of {', '.join(_NAMES)} to test the pages")
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=Path(found), args=list(_FLAGS))
        try:
            yield launched
        finally:
            _TABS.clear()
            launched.close()


@contextmanager
def visit(
    launched: Browser,
    address: str,
    *,
    scheme: Literal["light", "dark"] = "light",
    size: tuple[int, int] = DESK,
    key: str | None = None,
) -> Iterator[Page]:
    """Yield a page once its data is there; fails when a script has, or a file is missing.

    `key` is what a user types as the password when the browser asks for it. Visits with the same
    one, or without one, take turns in a tab: a new tab costs as much as two visits. A visit during
    another one is that of a second reader.
    """
    page = _tab(launched, key)
    is_in_tab = page.url == BLANK
    if not is_in_tab:
        page = _new_tab(launched, key)
    page.set_viewport_size({"width": size[0], "height": size[1]})
    page.emulate_media(color_scheme=scheme)
    faults: list[str] = []

    def note_error(error: Error) -> None:
        faults.append(str(error))

    def note_line(line: ConsoleMessage) -> None:
        if line.type == "error":
            faults.append(f"{line.text} {line.location['url']}")

    page.on("pageerror", note_error)
    page.on("console", note_line)
    try:
        page.goto(address)
        page.wait_for_selector("body[data-ready]")
        yield page
    finally:
        # Leaving the page interrupts its requests, which is no fault.
        page.remove_listener("pageerror", note_error)
        page.remove_listener("console", note_line)
        if is_in_tab:
            page.goto(BLANK)
        else:
            page.context.close()
    assert faults == [], faults


def forget_visits() -> None:
    """Let nothing of past visits be seen by later ones: close tabs with keys, remove cookies."""
    for key in [key for key in _TABS if key is not None]:
        _TABS.pop(key).context.close()
    for page in _TABS.values():
        page.context.clear_cookies()


def _tab(launched: Browser, key: str | None) -> Page:
    if key not in _TABS:
        _TABS[key] = _new_tab(launched, key)
    return _TABS[key]


def _new_tab(launched: Browser, key: str | None) -> Page:
    login: HttpCredentials | None = None if key is None else {"username": "any", "password": key}
    context = launched.new_context(http_credentials=login)
    context.set_default_timeout(1000 * DEADLINE_SECONDS)
    return context.new_page()


@contextmanager
def late_answers(page: Page, part: str) -> Iterator[None]:
    """Hold back requests with `part` in their address; at the end let the page have its answers."""
    held: list[Route] = []
    addresses = re.compile(re.escape(part))
    page.route(addresses, lambda route: held.append(route))  # noqa: PLW0108 - needs a function
    yield
    assert held
    for route in held:
        with page.expect_request_finished(lambda request: part in request.url):
            route.continue_()
    page.unroute(addresses)
    # By the time that the page has read another answer, it has done its work with these.
    page.evaluate("async () => (await fetch('/healthz')).text()")
