"""Every control is large enough for a finger, is reached and seen by keyboard, and not printed."""

from typing import Final

import pytest
from playwright.sync_api import Browser, expect

from api_server import serve
from browser import PHONE, visit
from stored import at, execute, load
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime

# Not checked: links within a sentence, and the box of a choice, whose label is a target too.
SMALL: Final = """() => [...document.querySelectorAll(
    "button, select, input:not([type=checkbox], [type=radio]), summary, " +
    "header a, .files a, td.id a, .ranking a"
  )].filter((one) => one.checkVisibility()).map((one) => [one, one.getBoundingClientRect()])
  .filter(([, box]) => box.width < 44 || box.height < 44)
  .map(([one, box]) => `${one.outerHTML.slice(0, 90)} ${box.width} x ${box.height}`)"""


@pytest.fixture
def url(database_url: str) -> str:
    """Give a database with A online, B offline with an alert, and a rejected row."""
    load(database_url, "A 08:00 up", "A 12:00 up", "B 08:00 up", "B 09:00 up")
    load(database_url, "B 10:00 down", "B 12:00 down")
    execute(
        database_url,
        "INSERT INTO rejected_rows (load_id, line, reason, row_text)"
        " VALUES (1, 7, 'unknown status', 'A,2023,perhaps')",
    )
    refresh_uptime(database_url, refreshed_at=at("12:00"))
    refresh_daily(database_url)
    evaluate_rules(
        database_url,
        rules=Rules(),
        notification=Notification(()),
        now=at("12:01"),
        is_loading=False,
    )
    return database_url


PATHS: Final = (
    *("/", "/store/B", "/pages/alerts", "/pages/objectives", "/pages/compare"),
    *("/pages/reports", "/pages/data", "/pages/accounts"),
)

# The fields within a date's field are stops of their own, of which the browser draws the focus.
FOCUS: Final = """() => {
  const one = document.activeElement;
  const isSeen = one.matches("[type=datetime-local], [type=date], [type=month]") ||
    getComputedStyle(one).outlineStyle !== "none";
  return one === document.body ? null : [isSeen, one.outerHTML.slice(0, 90)];
}"""
MOST_STOPS: Final = 120


def test_the_tab_key_walks_through_every_page_and_out_again(chromium: Browser, url: str) -> None:
    with serve(url) as client:
        for path in PATHS:
            with visit(chromium, f"{client.base_url}{path}") as page:
                for stop in range(MOST_STOPS):
                    page.keyboard.press("Tab")
                    found = page.evaluate(FOCUS)
                    if found is None:
                        assert stop > 8, path
                        break
                    is_seen, element = found
                    assert is_seen, (path, element)
                else:
                    pytest.fail(f"{path} has no end for the Tab key")


def test_every_control_is_large_enough_for_a_finger(chromium: Browser, url: str) -> None:
    with serve(url) as client:
        for path in PATHS:
            with visit(chromium, f"{client.base_url}{path}", size=PHONE) as page:
                assert page.evaluate(SMALL) == [], path
                assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0], path


PRINTED: Final = """() => ({
  colours: [getComputedStyle(document.body).backgroundColor, getComputedStyle(document.body).color,
    ...["--link", "--faint"].map((name) => getComputedStyle(document.body).getPropertyValue(name))],
  tools: [...document.querySelectorAll("nav, .filters, .files, .make, dialog")]
    .filter((one) => one.checkVisibility()).map((one) => one.outerHTML.slice(0, 90)),
  tables: [...document.querySelectorAll("table")].filter((one) => one.checkVisibility()).length,
})"""


def test_paper_is_white_and_has_tables_without_tools(chromium: Browser, url: str) -> None:
    with serve(url) as client:
        for path in ("/", "/store/B", "/pages/alerts", "/pages/data"):
            with visit(chromium, f"{client.base_url}{path}", scheme="dark") as page:
                expect(page.locator("tbody tr:visible").first).to_be_visible()
                seen = page.evaluate(PRINTED)
                assert seen["colours"][0] != "rgb(255, 255, 255)", path
                assert seen["tools"], path
                page.emulate_media(media="print")
                printed = page.evaluate(PRINTED)
                # Other tests go on in this tab.
                page.emulate_media(media="null")
                # Links and pressed buttons can be read on white too.
                assert printed["colours"] == [
                    *("rgb(255, 255, 255)", "rgb(0, 0, 0)"),
                    *("#1b5fa8", "#f0efec"),
                ], path
                assert printed["tools"] == [], path
                assert printed["tables"] == seen["tables"] > 0, path
