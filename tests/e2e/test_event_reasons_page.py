"""Reasons of events on a store's page: where an event covers an outage, and nowhere else."""

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from api_server import serve
from browser import visit
from stored import at, execute, load
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source


def test_an_outage_shows_the_reason_of_its_event(
    chromium: Browser, database_url: str, tmp_path: Path
) -> None:
    load(database_url, "A 08:00 up", "A 09:00 up", "A 10:00 down", "A 11:00 up", "A 12:00 up")
    execute(
        database_url,
        "INSERT INTO store_timezones (store_key, valid_from, load_id, row_number, timezone,"
        " is_dated) SELECT store_key, '-infinity', 1, 0, 'UTC', false FROM stores",
    )
    refresh_uptime(database_url, refreshed_at=at("12:00"))
    with serve(database_url) as client:
        url = f"{client.base_url}/store/A"
        with visit(chromium, url) as page:
            expect(page.locator("#incidents tbody tr")).to_have_count(1)
            expect(page.locator("#incidents thead")).not_to_contain_text("Reason")
        begin, end = (f"{at(time):%Y-%m-%d %H:%M:%S}" for time in ("09:45", "10:15"))
        (tmp_path / "store_events.csv").write_text(
            "store_id,from_utc,to_utc,state,reason,source\n"
            f"A,{begin},{end},down,tablet offline,platform\n"
        )
        now = datetime(2023, 2, 1, tzinfo=UTC)
        ingest_source(database_url, tmp_path, Source.STORE_EVENTS, now=now, run_id=None)
        refresh_uptime(database_url, refreshed_at=at("12:00"))
        with visit(chromium, url) as page:
            row = page.locator("#incidents tbody tr")
            expect(row).to_contain_text("platform: tablet offline")
            # The exact instants of the event, and no checks.
            expect(row.locator("td").nth(0)).to_contain_text("9:45")
            expect(row.locator("td").nth(1)).to_contain_text("10:15")
            expect(page.locator("#incident-numbers")).to_contain_text("platform: tablet offline")
            expect(page.locator("#ledger tbody")).to_contain_text(
                "an event of platform says offline: tablet offline"
            )
