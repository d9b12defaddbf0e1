"""The pages in a real browser, over the sample: clicked through, and equal to the JSON."""

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from api_server import serve
from browser import PHONE, browser, visit
from dagster_stand_in import dagster_stand_in
from stored import execute, load_rows
from storemon_pipeline.access import Scope
from storemon_pipeline.ingest.sources import Source
from storemon_pipeline.operations.ingest_files import ingest_source
from storemon_pipeline.operations.make_reports import make_waiting_reports
from storemon_pipeline.operations.manage_keys import create_key
from storemon_pipeline.operations.refresh_daily import refresh_daily
from storemon_pipeline.operations.refresh_uptime import refresh_uptime
from storemon_pipeline.sample_data import write_sample_data
from storemon_pipeline.storage.bulk import bulk_transaction
from storemon_pipeline.storage.intervals import refresh_intervals
from waiting import eventually

SAMPLE = Path(__file__).parents[2] / "data"
NOW = datetime(2023, 2, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Site:
    """A running service with the sample's data, and a browser."""

    url: str
    client: httpx.Client
    browser: Browser
    database_url: str

    def get(self, path: str) -> Any:  # noqa: ANN401 - a JSON body
        answer = self.client.get(path)
        assert answer.status_code == 200
        return answer.json()


def fill(url: str, data: Path) -> None:
    for source in (Source.BUSINESS_HOURS, Source.STORE_TIMEZONES, Source.STORE_STATUS):
        ingest_source(url, data, source, now=NOW, run_id=None)
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh_uptime(url, refreshed_at=NOW)
    refresh_daily(url)


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browser() as launched:
        yield launched


@pytest.fixture
def site(chromium: Browser, database_url: str) -> Iterator[Site]:
    fill(database_url, SAMPLE)
    with serve(database_url) as client:
        yield Site(str(client.base_url), client, chromium, database_url)


def percent(value: float | None) -> str:
    return "n/a" if value is None else f"{value:.2f} %"


def test_now_shows_the_numbers_of_the_json(site: Site) -> None:
    now = site.get("/fleet/now")
    with visit(site.browser, site.url) as page:
        for standing, count in now["standing"].items():
            expect(page.locator(f"button.standing.{standing} .count")).to_have_text(str(count))
        shares = page.locator(".share .percent").all_inner_texts()
        assert shares == [percent(share["uptime_percent"]) for share in now["windows"].values()]
        down = site.get("/stores?standing=down&sort=since&order=desc")["stores"]
        assert page.locator("#stores tbody td.id a").all_inner_texts() == [
            store["store_id"] for store in down
        ]


def test_now_is_filtered_searched_sorted_and_keeps_that_in_its_address(site: Site) -> None:
    with visit(site.browser, site.url) as page:
        page.locator("button.standing.down").click()
        expect(page.locator("#pager")).to_contain_text("of 60")
        some_id = site.get("/stores?sort=uptime_week&order=desc")["stores"][0]["store_id"]
        page.keyboard.press("/")
        page.keyboard.type(some_id)
        expect(page.locator("#stores tbody tr")).to_have_count(1)
        expect(page.locator("#stores tbody td.id")).to_have_text(some_id)
        assert some_id in page.url
        page.reload()
        expect(page.locator("#stores tbody tr")).to_have_count(1)
        page.locator("input[name=q]").fill("")
        expect(page.locator("#pager")).to_contain_text("of 60")
        page.get_by_role("button", name="7 days").click()
        expect(page.locator("th[aria-sort]")).to_contain_text("7 days")
        shown = page.locator("#stores tbody tr td:nth-child(7)").first
        least = site.get("/stores?sort=uptime_week&order=asc")["stores"][0]
        expect(shown).to_have_text(percent(least["figures"]["week"]["uptime_percent"]))


def test_now_changes_by_itself_when_data_arrives(site: Site) -> None:
    with visit(site.browser, site.url) as page:
        before = page.locator("#as-of").inner_text()
        expect(page.locator(".live.on")).to_be_visible()
        newest = datetime.fromisoformat(site.get("/fleet/now")["as_of"])
        store = site.get("/stores?standing=up")["stores"][0]["store_id"]
        at_us = int(newest.timestamp() * 1_000_000) + 3_600_000_000
        with bulk_transaction(site.database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, [(store, at_us, False)], file_path=None)
        expect(page.locator("#as-of")).not_to_have_text(before, timeout=15_000)


def test_a_store_page_shows_figures_timeline_incidents_and_a_ledger_that_adds_up(
    site: Site,
) -> None:
    store_id = next(
        store["store_id"]
        for store in site.get("/stores?standing=down&sort=since&order=desc")["stores"]
        if store["last_active_poll_at"]
    )
    with visit(site.browser, site.url) as page:
        page.locator("#stores").get_by_role("link", name=store_id).click()
        page.wait_for_selector("#ledger tfoot tr")
        expect(page.locator("h1")).to_have_text(store_id)
        store = site.get(f"/stores/{store_id}")
        shown = page.locator(".figure .percent").all_inner_texts()
        assert shown == [percent(one["uptime_percent"]) for one in store["figures"].values()]
        timeline = site.get(f"/stores/{store_id}/timeline")
        ticks = page.locator("#timeline .tick-up, #timeline .tick-down")
        expect(ticks).to_have_count(len(timeline["polls"]))
        incidents = site.get(f"/stores/{store_id}/incidents")
        expect(page.locator("#incidents tbody tr")).to_have_count(min(15, incidents["total"]))
        expect(page.locator("#incidents tbody tr").first).to_contain_text("still down")
        _check_ledger(site, page, store_id, "day")
        page.locator("#windows").get_by_role("button", name="Last 7 days").click()
        expect(page.locator("#ledger-note")).to_contain_text("last week")
        _check_ledger(site, page, store_id, "week")
        page.locator("#timeline rect[data-tip]").nth(3).hover()
        expect(page.locator("#tip")).to_be_visible()


def _check_ledger(site: Site, page: Page, store_id: str, window: str) -> None:
    ledger = site.get(f"/stores/{store_id}/explain?window={window}")
    expect(page.locator("#ledger tbody tr")).to_have_count(len(ledger["entries"]))
    shown = page.locator("#ledger tbody tr td:nth-child(5)").all_inner_texts()
    total = sum(_us(text) for text in shown if text)
    assert total == ledger["uptime_us"] == _us(page.locator("#ledger-up").inner_text())


def _us(text: str) -> int:
    """Read `8:46:37.520780` as microseconds."""
    hours, minutes, seconds = text.split(":")
    whole, _, fraction = seconds.partition(".")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 1_000_000 + int(fraction or 0)


def test_a_report_is_made_with_progress_and_downloaded(
    chromium: Browser, database_url: str
) -> None:
    fill(database_url, SAMPLE)
    with (
        dagster_stand_in() as dagster,
        serve(database_url, dagster.url) as client,
        visit(chromium, f"{client.base_url}/pages/reports") as page,
    ):
        page.get_by_role("button", name="Make report").click()
        expect(page.locator("#progress")).to_contain_text("running")
        # The stand-in launches nothing: the test is the run.
        make_waiting_reports(database_url, run_id="run", is_asked_by_hand=False)
        expect(page.locator("#progress")).to_contain_text("58 stores", timeout=15_000)
        with page.expect_download() as download:
            page.locator("#download").click()
        saved = Path(download.value.path()).read_text()
        assert saved.startswith("store_id,uptime_last_hour(in minutes)")
        assert len(saved.splitlines()) == 59
        expect(page.locator("#reports tbody tr")).to_have_count(1)


def test_two_reports_on_one_instant_are_compared(site: Site) -> None:
    as_of = datetime.fromisoformat(site.get("/fleet/now")["as_of"])
    store = site.get("/stores?standing=up&limit=1")["stores"][0]["store_id"]
    at_us = int(as_of.timestamp() * 1_000_000) - 30 * 60_000_000
    for _ in range(2):
        site.client.post("/trigger_report", json={"as_of": as_of.isoformat()})
        make_waiting_reports(site.database_url, run_id=str(at_us), is_asked_by_hand=False)
        at_us += 60_000_000
        with bulk_transaction(site.database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, [(store, at_us, False)], file_path=None)
    with visit(site.browser, f"{site.url}/pages/reports") as page:
        page.get_by_role("checkbox").nth(0).check()
        page.get_by_role("checkbox").nth(1).check()
        page.get_by_role("button", name="Show the difference").click()
        expect(page.locator("#difference-body")).to_contain_text("1 stores changed")
        expect(page.locator("#difference-body td.id")).to_have_text(store)


def test_data_health_shows_what_was_rejected_with_examples(site: Site) -> None:
    execute(site.database_url, "INSERT INTO stores (store_id) VALUES ('never polled')")
    health = site.get("/data-health")
    with visit(site.browser, f"{site.url}/pages/data") as page:
        expect(page.locator("#sources tbody tr")).to_have_count(len(health["sources"]))
        expect(page.locator("#rejected details")).to_have_count(len(health["rejected"]))
        first = health["rejected"][0]
        page.locator("#rejected summary").first.click()
        expect(page.locator("#rejected code").first).to_have_text(first["examples"][0]["text"])
        page.locator("#lacking summary").first.click()
        expect(page.locator("#lacking a").first).to_be_visible()


@pytest.mark.parametrize("path", ["", "pages/reports", "pages/data"])
def test_pages_fit_a_phone_and_every_control_has_a_name(site: Site, path: str) -> None:
    with visit(site.browser, f"{site.url}/{path}", size=PHONE, scheme="dark") as page:
        width = page.evaluate("() => document.documentElement.scrollWidth")
        assert width <= PHONE[0]
        unnamed = page.evaluate(
            "() => [...document.querySelectorAll('button, a, input, select')].filter((one) =>"
            " !(one.textContent.trim() || one.getAttribute('aria-label') || one.labels?.length"
            " || one.closest('label'))).length"
        )
        assert unnamed == 0
        assert page.locator("h1").count() == 1


def test_a_store_without_a_poll_and_an_unknown_one_say_so(site: Site) -> None:
    silent = site.get("/stores?standing=silent")["stores"][0]["store_id"]
    with visit(site.browser, f"{site.url}/store/{silent}") as page:
        expect(page.locator("#figures")).to_contain_text("no poll in 192 hours")
    context = site.browser.new_context()
    page = context.new_page()
    page.goto(f"{site.url}/store/nobody")
    expect(page.get_by_role("alert")).to_have_text(re.compile("No source has named"))
    context.close()


@pytest.mark.slow
def test_now_is_usable_within_a_second_at_14_092_stores(
    chromium: Browser, database_url: str, tmp_path: Path
) -> None:
    write_sample_data(tmp_path, stores=14_092, days=7.76, seed=1)
    fill(database_url, tmp_path)
    with serve(database_url) as client:
        url = str(client.base_url)
        seconds = []
        for _ in range(4):
            began = time.perf_counter()
            context = chromium.new_context()
            page = context.new_page()
            page.goto(url)
            page.wait_for_selector("#stores tbody tr a")
            seconds.append(time.perf_counter() - began)
            context.close()
    # The first visit also starts the browser's processes.
    assert min(seconds[1:]) < 1.0, seconds


def test_a_key_of_two_stores_gets_whole_pages_of_these_stores(site: Site) -> None:
    stores = site.get("/stores?sort=lost&order=desc")["stores"]
    own = frozenset(store["store_id"] for store in stores[:2])
    others = [store["store_id"] for store in stores[2:]]
    token = create_key(
        site.database_url,
        name="two stores",
        scopes=frozenset({Scope.TRIGGER}),
        store_ids=own,
        expires_at=None,
        by="test",
    ).token
    headers = {"X-API-Key": token}
    eventually(lambda: site.client.get("/stores", headers=headers).status_code == 200)
    report = site.client.post("/trigger_report", headers=headers).json()["report_id"]
    make_waiting_reports(site.database_url, run_id="run", is_asked_by_hand=False)
    now = site.client.get("/fleet/now", headers=headers).json()
    assert now["stores"] == 2
    for path in ("/", f"/store/{min(own)}", "/pages/reports", "/pages/data"):
        with visit(site.browser, f"{site.url}{path}", key=token) as page:
            text = page.content()
            assert not [store_id for store_id in others if store_id in text], path
            if path == "/":
                for standing, count in now["standing"].items():
                    expect(page.locator(f"button.standing.{standing} .count")).to_have_text(
                        str(count)
                    )
            if path == "/pages/reports":
                assert report in text
