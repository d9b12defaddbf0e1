"""The page Compare: what is chosen is in its address, and the figures are those of the API."""

from datetime import timedelta

from playwright.sync_api import Browser, expect

from api_server import serve
from browser import PHONE, visit
from stored import at, execute, load, load_zones
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.push_schedules import push_rows


def test_periods_are_chosen_and_linked(chromium: Browser, database_url: str) -> None:
    """A was up on Sunday and down on Monday, B was up on both days."""
    load(database_url, *(f"A -{hour:02}:00 up" for hour in range(1, 25)))
    load(database_url, *(f"A {hour:02}:00 down" for hour in range(25)))
    load(database_url, *(f"B -{hour:02}:00 up" for hour in range(1, 25)), "B 00:00 up")
    load(database_url, *(f"B {hour:02}:00 up" for hour in range(1, 25)))
    load_zones(database_url, "A,UTC,always", "B,UTC,always")
    execute(
        database_url,
        "INSERT INTO store_details (store_key, name, group_name, region, load_id)"
        " SELECT store_key, NULL, 'Group ' || store_id, NULL, 1 FROM stores",
    )
    event = {
        "store_id": "A",
        "from_utc": at("06:00").isoformat(),
        "to_utc": at("12:00").isoformat(),
        "state": "down",
        "reason": "tablet offline",
        "source": "platform",
    }
    push_rows(
        database_url, Source.STORE_EVENTS, [event], now=at("24:00"), patience=timedelta(seconds=5)
    )
    refresh_uptime(database_url, refreshed_at=at("24:00"))
    refresh_daily(database_url)
    with serve(database_url) as client:
        url = f"{client.base_url}/pages/compare"
        with visit(chromium, url) as page:
            expect(page.locator("#comparison thead")).to_contain_text("Mon, Jan 16, 2023")
            page.get_by_role("button", name="Other days").click()
            for name, day in (("from", 23), ("to", 23), ("before", 22), ("until", 22)):
                page.locator(f"#custom [name={name}]").fill(f"2023-01-{day}")
                page.locator(f"#custom [name={name}]").dispatch_event("change")
            online = page.locator("#comparison tbody tr").first
            expect(online).to_have_text("Online50.00 %98.95 %-48.96 points".replace("-", "−"))  # noqa: RUF001 - as on the page
            # Six of the 24 hours of A. Half an hour of Sunday is nearer to the poll on Monday.
            reasons = page.locator("#reasons-compared tbody tr")
            expect(reasons).to_have_text(
                ["platform: tablet offline6 h0 s", "No reason known18 h30 min"]
            )
            names = page.locator("#groups-compared td.id")
            expect(names).to_have_text(["Group A", "Group B"])
            names.first.get_by_role("button").click()
            expect(online).to_contain_text("0.00 %")
            link = page.url
            page.go_back()
            expect(online).to_contain_text("50.00 %")
        with visit(chromium, link, size=PHONE, scheme="dark") as page:
            expect(page.locator("#comparison tbody tr").first).to_contain_text("0.00 %")
            assert page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]
