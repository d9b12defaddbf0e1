"""Storefronts on the pages: beside their store, in the explanation of a figure, and on Now."""

from datetime import UTC, datetime
from pathlib import Path

from playwright.sync_api import Browser, expect

from api_server import serve
from browser import PHONE, visit
from stored import at, execute, load
from storemon_pipeline.channels.keep_rule import keep_channel_rule
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source

NOW = datetime(2023, 2, 1, tzinfo=UTC)


def test_pages_show_each_storefront_and_the_share_that_is_up(
    chromium: Browser, database_url: str, tmp_path: Path
) -> None:
    load(database_url, "A 12:00 up", "U 10:00 up", "U 12:00 down", "D 10:00 up", "D 12:00 up")
    execute(
        database_url,
        "INSERT INTO store_timezones (store_key, valid_from, load_id, row_number, timezone,"
        " is_dated) SELECT store_key, '-infinity', 1, 0, 'UTC', false FROM stores",
    )
    (tmp_path / "channels.csv").write_text(
        "store_id,channel,channel_store_id\nA,uber,U\nA,doordash,D\nA,site,A\n"
    )
    keep_channel_rule(database_url, ChannelRule.SHARE, now=NOW)
    ingest_source(database_url, tmp_path, Source.CHANNELS, now=NOW, run_id=None)
    refresh_uptime(database_url, refreshed_at=at("12:00"))
    with serve(database_url) as client:
        for size in ((1360, 900), PHONE):
            with visit(chromium, f"{client.base_url}/store/A", size=size) as page:
                rows = page.locator("#storefronts tbody tr")
                expect(rows).to_have_count(3)
                shown = [" ".join(row.inner_text().split()) for row in rows.all()]
                assert [("Offline" in text, "Online" in text) for text in shown] == [
                    (False, True),
                    (False, True),
                    (True, False),
                ]
                assert "100" in shown[1]
                assert "95.83" in shown[2]
                expect(page.locator("#channels-note")).to_contain_text("the mean of its")
                # From 11:00 on Uber is offline; the site counts from its first poll on, 12:00.
                expect(page.locator("#ledger tbody")).to_contain_text("1 of 2 online")
                expect(page.locator("#ledger tbody")).to_contain_text("share of its storefronts")
                expect(page.locator("#ledger-down")).to_contain_text("30 min")
            with visit(chromium, f"{client.base_url}/?standing=", size=size) as page:
                expect(page.locator("#stores tbody")).to_contain_text("offline: uber")
