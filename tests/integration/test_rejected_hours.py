"""A store all of whose rows of hours were rejected is marked wherever it is shown or counted."""

import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pyarrow.parquet as pq
import pytest

from api_server import serve
from stored import fetch
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks

NOW = datetime(2024, 6, 1, tzinfo=UTC)
HEADER = "store_id,dayOfWeek,start_time_local,end_time_local\n"
HOURS = HEADER + (
    "ampm,0,9:00 AM,5:00 PM\n"
    "dayname,Monday,09:00,17:00\n"
    "late,0,17:00,26:00\n"
    "mixed,0,09:00,17:00\n"
    "mixed,1,9:00 AM,5:00 PM\n"
    "shut,0,closed,closed\n"
)
STORES = ["ampm", "dayname", "free", "late", "mixed", "shut"]
MARKED = ["ampm", "dayname", "shut"]
# Tuesday noon: late was open Monday 17:00 to Tuesday 02:00, mixed Monday 09:00 to 17:00.
WEEK_HOURS = {"ampm": 168, "dayname": 168, "free": 168, "late": 9, "mixed": 8, "shut": 168}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    polls = "".join(f"{store},2024-05-14 12:00:00 UTC,active\n" for store in STORES)
    zones = "".join(f"{store},UTC\n" for store in STORES)
    (tmp_path / "store_status.csv").write_text(f"store_id,timestamp_utc,status\n{polls}")
    (tmp_path / "timezones.csv").write_text(f"store_id,timezone_str\n{zones}")
    (tmp_path / "business_hours.csv").write_text(HOURS)
    return tmp_path


def refresh(url: str, data: Path) -> None:
    for source in (Source.STORE_STATUS, Source.STORE_TIMEZONES, Source.BUSINESS_HOURS):
        ingest_source(url, data, source, now=NOW, run_id=None)
    refresh_weeks(url)
    refresh_uptime(url, refreshed_at=NOW)


def marked(rows: list[dict[str, Any]]) -> list[str]:
    return [row["store_id"] for row in rows if row["hours_rejected"]]


def test_reports_mark_and_count_them(database_url: str, data: Path) -> None:
    refresh(database_url, data)
    with serve(database_url) as client:
        report_id = client.post("/trigger_report").json()["report_id"]
        make_waiting_reports(database_url, run_id="run", is_manual=False)
        status = client.get(f"/get_report/{report_id}").json()
        assert (status["stores"], status["stores_with_rejected_hours"]) == (6, 3)
        rows = client.get(f"/reports/{report_id}.json").json()["rows"]
        assert {row["store_id"]: row["uptime_last_week_hours"] for row in rows} == WEEK_HOURS
        assert marked(rows) == MARKED
        parquet = client.get(f"/reports/{report_id}.parquet").content
        assert marked(pq.read_table(io.BytesIO(parquet)).to_pylist()) == MARKED
        workbook = openpyxl.load_workbook(
            io.BytesIO(client.get(f"/reports/{report_id}.xlsx").content)
        )
        names, *lines = workbook["report"].iter_rows(values_only=True)
        assert marked([dict(zip(map(str, names), line, strict=True)) for line in lines]) == MARKED
        csv = client.get(f"/reports/{report_id}.csv").text
        assert csv.splitlines()[0].count(",") == 6


def test_lists_and_stores_mark_them_until_they_are_corrected(database_url: str, data: Path) -> None:
    refresh(database_url, data)
    with serve(database_url) as client:
        assert marked(client.get("/stores").json()["stores"]) == MARKED
        assert client.get("/stores/shut").json()["hours_rejected"]
        assert client.get("/data-health").json()["only_rejected_hours"]["store_ids"] == MARKED
    (data / "business_hours.csv").write_text(
        HEADER + "".join(f"{one},0,9:00,17:00\n" for one in MARKED)
    )
    refresh(database_url, data)
    with serve(database_url) as client:
        assert marked(client.get("/stores").json()["stores"]) == []


def test_they_are_one_alert_until_they_are_corrected(database_url: str, data: Path) -> None:
    def evaluate() -> list[tuple[object, ...]]:
        notification = Notification(("json://receiver",))
        evaluate_rules(
            database_url, rules=Rules(), notification=notification, now=NOW, is_loading=False
        )
        rows = fetch(database_url, "SELECT kind, subject, stores, ending FROM alerts")
        return [tuple(row.values()) for row in rows if row["kind"] == "data"]

    refresh(database_url, data)
    assert evaluate() == [("data", "rejected_hours", 3, None)]
    lines = HOURS.replace("shut,0,closed,closed", "shut,0,09:00,17:00")
    (data / "business_hours.csv").write_text(lines)
    refresh(database_url, data)
    assert evaluate() == [("data", "rejected_hours", 2, None)]
    (data / "business_hours.csv").write_text(
        HEADER + "".join(f"{one},0,9:00,17:00\n" for one in MARKED)
    )
    refresh(database_url, data)
    assert evaluate() == [("data", "rejected_hours", 2, "corrected")]
    titles = fetch(database_url, "SELECT title FROM alert_deliveries ORDER BY delivery_id")
    assert [row["title"] for row in titles] == [
        "Opening hours rejected: 3 stores",
        "Opening hours can be read again",
    ]
