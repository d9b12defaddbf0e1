"""Sales lost on the pages: where demand is loaded, and nowhere else."""

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from api_server import serve
from browser import PHONE, late_answers, visit
from stored import at, execute, load
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.learn_demand import learn_demand_when_due
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source


def fill(url: str) -> None:
    """Load A offline from 09:30 to 10:30 and B from 11:30 on, both in North; and C online."""
    load(url, "A 08:00 up", "A 09:00 up", "A 10:00 down", "A 11:00 up", "A 12:00 up")
    load(url, "B 09:00 up", "B 10:00 up", "B 11:00 up", "B 12:00 down", "C 11:00 up", "C 12:00 up")
    execute(
        url,
        "INSERT INTO store_timezones (store_key, valid_from, load_id, row_number, timezone,"
        " is_dated) SELECT store_key, '-infinity', 1, 0, 'UTC', false FROM stores",
        "INSERT INTO store_details (store_key, name, group_name, load_id)"
        " SELECT store_key, NULL, CASE WHEN store_id < 'C' THEN 'North' END, 1 FROM stores",
    )
    refresh_uptime(url, refreshed_at=at("12:00"))


def demand(url: str, folder: Path) -> None:
    """Expect 120.00 an hour of A, and 60.00 of B, at any time."""
    rows = [
        f"{store},{day},{hour},{amount},USD\n"
        for store, amount in (("A", 120), ("B", 60))
        for day in range(7)
        for hour in range(24)
    ]
    path = folder / "demand.csv"
    path.write_text("store_id,weekday,hour,sales_per_hour,currency\n" + "".join(rows))
    now = datetime(2023, 2, 1, tzinfo=UTC)
    ingest_source(url, folder, Source.DEMAND, now=now, run_id=None)


def test_sales_lost_are_shown_where_demand_is_loaded(
    chromium: Browser, database_url: str, tmp_path: Path
) -> None:
    fill(database_url)
    with serve(database_url) as client:
        url = str(client.base_url)
        with visit(chromium, f"{url}/?standing=") as page:
            expect(page.locator("#stores tbody tr")).to_have_count(3)
            expect(page.locator("#stores thead")).not_to_contain_text("Sales lost")
            expect(page.locator("#groups")).not_to_contain_text("lost")
            expect(page.locator("#sales-panel")).to_be_hidden()
        demand(database_url, tmp_path)
        with visit(chromium, f"{url}/?standing=") as page:
            expect(page.locator("#sales li")).to_have_count(2)
            expect(page.locator("#sales li").first).to_contain_text("$120.00")
            expect(page.locator("#groups tbody tr").first).to_contain_text("$150.00 lost")
            page.locator("#stores").get_by_role("button", name="Sales lost, 7 days").click()
            expect(page.locator("#stores tbody td.id a")).to_have_text(["A", "B", "C"])
            expect(page.locator("#stores tbody tr").nth(1)).to_contain_text("$30.00")
        with visit(chromium, f"{url}/store/A", size=PHONE) as page:
            expect(page.locator("#incidents tbody tr")).to_contain_text("$120.00")
            expect(page.locator("#incident-numbers")).to_contain_text("sales lost$120.00")
            expect(page.locator("#figures")).to_contain_text("Online by demand")


def test_sales_that_were_learned_from_orders_are_shown(
    chromium: Browser, database_url: str, tmp_path: Path
) -> None:
    load(database_url, *(f"{store} {hour:02}:00 up" for store in "AB" for hour in range(2, 8)))
    fill(database_url)
    orders = [
        f"{store},2023-01-23 {hour:02}:{minute:02},20.00,USD\n"
        for store, hours in (("A", (3, 4, 5, 6, 7, 8, 11)), ("B", range(3, 11)))
        for hour in hours
        for minute in range(0, 60, 10)
    ]
    (tmp_path / "orders.csv").write_text("store_id,ordered_at,amount,currency\n" + "".join(orders))
    now = datetime(2023, 2, 1, tzinfo=UTC)
    ingest_source(database_url, tmp_path, Source.HOURLY_ORDERS, now=now, run_id=None)
    assert learn_demand_when_due(database_url) == 2
    refresh_daily(database_url)
    with serve(database_url) as client:
        (sales,) = client.get("/stores/A/incidents").json()["summary"]["sales_lost"]
        assert sales["lost"] > 0
        shown = f"${sales['lost']:.2f}"
        with visit(chromium, f"{client.base_url}/store/A") as page:
            expect(page.locator("#incidents tbody tr")).to_contain_text(shown)
            expect(page.locator("#incident-numbers")).to_contain_text(f"sales lost{shown}")
        with visit(chromium, f"{client.base_url}/pages/compare?period=this-week") as page:
            expect(page.locator("#comparison")).to_contain_text("Sales lost")
            expect(page.locator("#comparison")).to_contain_text("$")
            expect(page.get_by_text("Working out the sales")).to_be_hidden()
            # The sales of a large chain take seconds: the other figures do not wait for them.
            with late_answers(page, "sales=true"):
                page.get_by_role("button", name="This month").click()
                expect(page.get_by_text("Working out the sales")).to_be_visible()
                expect(page.locator("#comparison thead")).to_contain_text("Jan 1, 2023")
                expect(page.locator("#comparison tbody tr").first).to_contain_text("Online")
                expect(page.locator("#comparison")).not_to_contain_text("Sales lost")
            expect(page.locator("#comparison")).to_contain_text("Sales lost")
            expect(page.get_by_text("Working out the sales")).to_be_hidden()
