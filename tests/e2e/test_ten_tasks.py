"""What owners come for, done by the pages alone, with the number of clicks that each takes.

Three stores with names are open on Mondays from 9 to 18 UTC; A was offline in the afternoon. Every
task begins at the page Now; typing into a field is no click.
"""

import csv
import io
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator, Page, expect

from api_server import serve
from browser import visit
from stored import at, execute, load, load_hours, load_zones
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals


@pytest.fixture(scope="module")
def address(module_database_url: str) -> Iterator[str]:
    url = module_database_url
    for name in "ABC":
        load(url, *(f"{name} {hour:02}:00 up" for hour in range(8, 13)))
        status = "down" if name == "A" else "up"
        load(url, *(f"{name} {hour:02}:00 {status}" for hour in range(13, 17)))
    load_zones(url, *(f"{name},UTC,always" for name in "ABC"))
    load_hours(url, *(f"{name},0,09:00,18:00" for name in "ABC"))
    execute(
        url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, 'Store ' || store_id, 'Bay Area', NULL, 1 FROM stores",
    )
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh_uptime(url, refreshed_at=at("16:00"))
    refresh_daily(url)
    with serve(url) as client:
        yield str(client.base_url)


@pytest.fixture
def page(chromium: Browser, address: str) -> Iterator[Page]:
    with visit(chromium, f"{address}/?standing=") as page:
        yield page


class Clicks:
    """Counts the clicks of one task."""

    def __init__(self) -> None:
        self.count = 0

    def __call__(self, target: Locator) -> None:
        target.click()
        self.count += 1


def test_export_a_month_by_day_of_three_stores_to_a_spreadsheet(page: Page) -> None:
    click = Clicks()
    for name in "ABC":
        click(page.get_by_label(f"Choose Store {name}"))
    with page.expect_download() as caught:
        click(page.get_by_role("group", name="Chosen stores").get_by_label("Download CSV"))
    assert click.count == 4
    text = Path(caught.value.path()).read_text("utf-8")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert [(row["name"], row["local_date"]) for row in rows] == [
        (f"Store {name}", "2023-01-23") for name in "ABC"
    ]
    # Offline from 12:30, the middle between two checks, to the newest check at 16:00.
    assert [row["downtime_hours"] for row in rows] == ["3.5", "0.0", "0.0"]


def test_compare_this_month_with_last(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Compare"))
    click(page.get_by_role("button", name="This month"))
    assert click.count == 2
    expect(page.locator("#comparison tbody tr").first).to_contain_text("83.33 %")
    expect(page.locator("#comparison thead")).to_contain_text("Jan 1, 2023")


def test_was_it_the_platform_or_my_store(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Store A").first)
    assert click.count == 1
    expect(page.locator("#incidents tbody")).to_contain_text("This store alone")


def test_close_the_store_on_friday_and_take_it_back(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Store B").first)
    click(page.get_by_role("button", name="Add a closure"))
    page.get_by_label("First day").fill("2023-01-27")
    click(page.get_by_role("button", name="Save"))
    assert click.count == 3
    expect(page.locator("#closures li")).to_contain_text("Jan 27, 2023")
    click(page.get_by_role("button", name="Cancel closure"))
    click(page.locator("#change-save"))
    expect(page.locator("#closures li")).to_have_count(0)


def test_correct_wrong_hours(page: Page) -> None:
    click = Clicks()
    click(page.get_by_role("link", name="Store C").first)
    click(page.get_by_role("button", name="Change opening hours"))
    page.get_by_role("group", name="Mon").get_by_label("to").fill("15:00")
    click(page.get_by_label("always: they were wrong before"))
    click(page.get_by_role("button", name="Show what changes"))
    expect(page.locator("#change-preview .changed").first).to_be_visible()
    click(page.get_by_role("button", name="Save"))
    assert click.count == 5
    expect(page.locator("#hours dd").first).to_contain_text("3:00 PM")


def test_link_a_colleague_to_exactly_what_i_see(chromium: Browser, address: str) -> None:
    click = Clicks()
    with visit(chromium, f"{address}/?standing=") as page:
        click(page.get_by_role("button", name="by share"))
        expect(page.locator("#worst-by [aria-pressed=true]")).to_have_text("by share")
        click(page.get_by_role("button", name="7 days"))
        expect(page.locator("#stores th[aria-sort]")).to_contain_text("7 days")
        click(page.get_by_label("Choose Store B"))
        expect(page.get_by_role("group", name="Chosen stores")).to_be_visible()
        mine, link = page.locator("main").inner_text(), page.url
    assert click.count == 3
    with visit(chromium, link) as page:
        expect(page.get_by_role("group", name="Chosen stores")).to_be_visible()
        expect(page.get_by_label("Choose Store B")).to_be_checked()
        assert page.locator("main").inner_text() == mine
