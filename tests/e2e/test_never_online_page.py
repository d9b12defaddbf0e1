"""Lists of what is worst: stores that were never online are apart on every page alike."""

import re

import pytest
from playwright.sync_api import Browser, expect

from api_server import serve
from browser import PHONE, visit
from refreshed import refresh_figures
from stored import execute, load


@pytest.fixture
def url(database_url: str) -> str:
    """Give a database in which A was never online, and B was offline for an hour."""
    for name in "AB":
        down = range(8, 17) if name == "A" else (10,)
        load(
            database_url,
            *(f"{name} {hour:02}:00 {'down' if hour in down else 'up'}" for hour in range(8, 17)),
        )
    execute(
        database_url,
        "INSERT INTO alerts (kind, subject, store_key, opened_at, since, lost_us, is_told)"
        " SELECT 'down', store_id, store_key, now(), now(), 0, false FROM stores",
    )
    refresh_figures(database_url)
    return database_url


@pytest.mark.parametrize(
    ("path", "table", "words"),
    [
        pytest.param("/pages/alerts", "alerts", "1 alert of stores", id="alerts"),
        pytest.param("/pages/objectives?by=week", "budgets", "1 store", id="objectives"),
    ],
)
def test_a_store_that_was_never_online_is_apart(
    chromium: Browser, url: str, path: str, table: str, words: str
) -> None:
    with serve(url) as client:
        goal = {"applies_to": "all", "objective": 99, "by": "week", "valid_from": "always"}
        client.put("/objectives", json=goal).raise_for_status()
        address = f"{client.base_url}{path}"
        with visit(chromium, address) as page, visit(chromium, address, size=PHONE) as phone:
            for one in (page, phone):
                ids = one.locator(f"#{table} td.id a")
                expect(ids).to_have_text(["B"])
                apart = one.locator("#never")
                expect(apart).to_have_text(f"Not listed: {words} never online in the last 7 days")
                apart.get_by_role("button").click()
                expect(ids).to_have_text(["A"])
                expect(one).to_have_url(re.compile("never=true"))
                apart.get_by_role("button", name="Show all").click()
                expect(ids).to_have_text(["B"])


def test_a_search_finds_a_store_that_was_never_online(chromium: Browser, url: str) -> None:
    with (
        serve(url) as client,
        visit(chromium, f"{client.base_url}/pages/alerts?q=A") as page,
    ):
        expect(page.locator("#alerts td.id a")).to_have_text(["A"])
        expect(page.locator("#never")).to_be_hidden()
