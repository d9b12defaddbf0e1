"""The pages' tables as files, downloaded in a browser."""

import csv
import io
from pathlib import Path

import openpyxl
from playwright.sync_api import Browser, Page, expect

from api_keys import new_key
from api_server import serve
from browser import PHONE, visit
from stored import at, execute, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime


def fill(url: str) -> None:
    """Load A online, and B and C offline since 09:30 and 10:30."""
    load(url, "A 08:00 up", "A 12:00 up", "B 08:00 up", "C 08:00 up", "C 10:00 up")
    load(url, "B 09:00 up", "B 10:00 down", "B 12:00 down", "C 11:00 down", "C 12:00 down")
    execute(
        url,
        "INSERT INTO rejected_rows (load_id, line, reason, row_text)"
        " VALUES (1, 7, 'unknown status', 'A,2023,perhaps')",
        "UPDATE loads SET header = 'store_id,timestamp_utc,status'",
    )
    refresh_uptime(url, refreshed_at=at("12:00"))
    refresh_daily(url)


def downloaded(page: Page, box: str, name: str) -> Path:
    with page.expect_download() as download:
        page.locator(box).get_by_role("link", name=f"Download {name}").click()
    assert download.value.suggested_filename.endswith(f".{name.lower()}")
    return Path(download.value.path())


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def test_tables_are_downloaded_as_they_are_shown(chromium: Browser, database_url: str) -> None:
    fill(database_url)
    token = new_key(database_url, "reader", Scope.READ)
    with serve(database_url) as client:
        url = str(client.base_url)
        with visit(chromium, url, key=token) as page:
            expect(page.locator("#stores tbody td.id a")).to_have_text(["C", "B"])
            page.locator("#stores").get_by_role("button", name="Open hours lost").click()
            expect(page.locator("#stores tbody td.id a")).to_have_text(["B", "C"])
            rows = rows_of(downloaded(page, "#stores-files", "CSV"))
            assert [row["store_id"] for row in rows] == ["B", "C"]
            page.get_by_placeholder("Search name or ID").fill("a")
            expect(page.locator("#stores tbody td.id a")).to_have_text(["A"])
            file = io.BytesIO(downloaded(page, "#stores-files", "XLSX").read_bytes())
            sheet = openpyxl.load_workbook(file).active
            assert [row[0].value for row in sheet.iter_rows()] == ["store_id", "A"]
            assert rows_of(downloaded(page, "#days-files", "CSV"))[0]["downtime_hours"] == "4.0"
        with visit(chromium, f"{url}/store/C", key=token, scheme="dark", size=PHONE) as page:
            (outage,) = rows_of(downloaded(page, "#incidents-files", "CSV"))
            assert outage["open_hours_lost"] == "1.5"
            assert len(rows_of(downloaded(page, "#days-files", "CSV"))) == 1
        with visit(chromium, f"{url}/pages/data", key=token) as page:
            (row,) = rows_of(downloaded(page, "#rejected-files", "CSV"))
            assert (row["line"], row["text"]) == ("7", "A,2023,perhaps")
        with visit(chromium, f"{url}/pages/alerts", key=token) as page:
            assert rows_of(downloaded(page, "#alerts-files", "CSV")) == []
