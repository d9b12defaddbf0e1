"""Pages that follow the data: several tabs of one browser at the same server."""

import time
from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from api_server import serve
from stored import load_rows
from storemon_pipeline.database.bulk import bulk_transaction

TABS = 7
"""More than the six connections that a browser opens to one host over HTTP/1.1."""
MINUTE_US = 60_000_000


@dataclass(frozen=True, slots=True)
class Site:
    """A service whose only store was up a minute before the hour, and a browser."""

    url: str
    database_url: str
    browser: Browser

    def load_poll(self, *, minute: int) -> None:
        """Load a poll of this minute of the current hour."""
        with bulk_transaction(self.database_url, is_writing_polls=True) as bulk:
            hour_us = int(time.time()) // 3600 * 3600 * 1_000_000
            at_us = hour_us - 3600 * 1_000_000 + minute * MINUTE_US
            load_rows(bulk, [("store", at_us, True)], file_path=None)

    def open_tab(self, context: BrowserContext) -> Page:
        """Return a tab whose data has been shown."""
        page = context.new_page()
        page.goto(f"{self.url}/?standing=")
        page.wait_for_selector("body[data-ready]")
        expect(page.locator("#as-of .live")).to_have_text("Live")
        return page


def expect_minute(page: Page, minute: int) -> None:
    """Wait until the page shows data up to this minute."""
    shown = page.locator("#as-of strong").first
    expect(shown).to_contain_text(f":{minute:02}")


@pytest.fixture
def site(chromium: Browser, database_url: str) -> Iterator[Site]:
    with serve(database_url) as client:
        site = Site(str(client.base_url), database_url, chromium)
        site.load_poll(minute=1)
        yield site


def test_seven_tabs_load_and_update_also_after_the_first_ones_close(site: Site) -> None:
    with site.browser.new_context() as context:
        tabs = [site.open_tab(context) for _ in range(TABS)]
        site.load_poll(minute=2)
        for tab in tabs:
            expect_minute(tab, 2)
        # The first tab started what all of them share.
        for tab in tabs[:4]:
            tab.close()
        site.load_poll(minute=3)
        for tab in tabs[4:]:
            expect_minute(tab, 3)
        expect_minute(site.open_tab(context), 3)


def test_a_tab_says_that_the_server_is_gone_and_updates_when_it_is_back(
    chromium: Browser, database_url: str
) -> None:
    with chromium.new_context() as context:
        with serve(database_url) as client:
            site = Site(str(client.base_url), database_url, chromium)
            site.load_poll(minute=1)
            tab = site.open_tab(context)
            port = client.base_url.port or 0
        expect(tab.locator("#as-of .live")).to_have_text("Not connected, retrying")
        site.load_poll(minute=2)
        with serve(database_url, port=port):
            expect_minute(tab, 2)
            expect(tab.locator("#as-of .live")).to_have_text("Live")


def test_hidden_tabs_give_their_connections_back_where_tabs_cannot_share(site: Site) -> None:
    with site.browser.new_context() as context:
        context.add_init_script(
            "delete window.SharedWorker;"
            " Object.defineProperty(document, 'hidden', { get: () => window.isHidden ?? false })"
        )
        tabs: list[Page] = []
        for _ in range(TABS):
            for tab in tabs:
                show(tab, is_visible=False)
            tabs.append(site.open_tab(context))
        site.load_poll(minute=2)
        expect_minute(tabs[-1], 2)
        show(tabs[-1], is_visible=False)
        show(tabs[0], is_visible=True)
        expect_minute(tabs[0], 2)


def show(tab: Page, *, is_visible: bool) -> None:
    """Tell the page that its tab came to the front or went to the back."""
    tab.evaluate(
        "isHidden => { window.isHidden = isHidden;"
        " document.dispatchEvent(new Event('visibilitychange')) }",
        not is_visible,
    )
