"""Stores that only an undone load named: gone from every count, readable in older reports."""

import uuid
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from api_server import serve
from asked_reports import request
from stored import PUSHED, at, execute, fetch, load, load_hours, load_zones
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.checks.table_checks import count_interval_faults
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import compare_all_days, refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.schedules.refresh_weeks import refresh_weeks

NOW = datetime(2023, 2, 2, tzinfo=UTC)
KEEPS_FORMER = {"former_stores", "alerts", "uptime_report"}
"""Tables that refer to former stores: older reports and alerts."""


def known(url: str) -> list[str]:
    rows = fetch(url, "SELECT store_id FROM stores ORDER BY store_id")
    return [row["store_id"] for row in rows]


def undo(url: str, load_id: int, *, is_reloading: bool = False) -> None:
    undo_load(url, load_id, now=NOW, is_reloading=is_reloading)


def refresh(url: str) -> None:
    refresh_weeks(url)
    refresh_uptime(url, refreshed_at=NOW)
    refresh_daily(url)


def report(url: str, engine: sa.Engine) -> str:
    report_id = request(engine)
    make_waiting_reports(url, run_id=str(uuid.uuid4()), is_manual=False)
    return report_id


@pytest.fixture
def mistaken_url(database_url: str) -> str:
    """The URL of a database with a right load and a wrong one, which named 20 other stores."""
    load(database_url, "A 09:00 up", "A 10:00 up", file_path="right.csv")
    load(database_url, *(f"X{number:02} 10:00 down" for number in range(20)), file_path="wrong.csv")
    refresh(database_url)
    return database_url


def test_stores_that_only_the_undone_load_named_are_in_no_count(
    mistaken_url: str, engine: sa.Engine
) -> None:
    assert len(known(mistaken_url)) == 21
    undo(mistaken_url, 2)
    assert known(mistaken_url) == ["A"]
    (state,) = fetch(mistaken_url, "SELECT stores, silent_stores FROM store_uptime_state")
    assert state == {"stores": 1, "silent_stores": 0}
    with serve(mistaken_url) as client:
        assert client.get("/stores").json()["total"] == 1
        now = client.get("/fleet/now").json()
        assert (now["stores"], now["lost_us"], now["standing"]["silent"]) == (1, 0, 0)
        assert client.get("/data-health").json()["silent"]["total"] == 0
        assert client.get("/stores/X00").status_code == 404
        assert client.get("/incidents?open=true").json()["total"] == 0
        (day,) = client.get("/fleet/uptime").json()["periods"]
        assert (day["stores"], day["downtime_us"]) == (1, 0)
        made = client.get(f"/get_report/{report(mistaken_url, engine)}").json()
        assert (made["stores"], made["silent_stores"]) == (1, 0)
    with bulk_transaction(mistaken_url) as bulk:
        assert count_interval_faults(bulk) == 0
    refresh(mistaken_url)
    assert compare_all_days(mistaken_url).different == 0
    for table in metadata.tables.values():
        if "store_key" in table.columns and table.name not in KEEPS_FORMER:
            unknown = (
                f"SELECT store_key FROM {table.name}"
                " WHERE store_key NOT IN (SELECT store_key FROM stores)"
            )
            assert fetch(mistaken_url, unknown) == [], table.name


@pytest.mark.parametrize("named_by", ["poll", "hours", "zone", "closure", "details", "later load"])
def test_a_store_that_something_else_names_stays(database_url: str, named_by: str) -> None:
    load(database_url, "B 09:00 up", file_path="wrong.csv")
    match named_by:
        case "poll":
            load(database_url, "B 10:00 up", file_path="right.csv")
        case "later load":
            load(database_url, "B 09:00 up", file_path=PUSHED)
        case "hours":
            load_hours(database_url, "B,0,09:00,17:00")
        case "zone":
            load_zones(database_url, "B,UTC")
        case "closure":
            execute(
                database_url,
                "INSERT INTO closures (store_key, start_local, reason, load_id)"
                " SELECT store_key, '2023-01-25', 'fair', 9 FROM stores",
            )
        case _:
            execute(
                database_url,
                "INSERT INTO store_details (store_key, name, load_id)"
                " SELECT store_key, 'Market', 9 FROM stores",
            )
    undo(database_url, 1)
    assert known(database_url) == ["B"]


def test_a_store_that_only_hours_or_zones_named_goes_with_the_last_of_them(
    database_url: str,
) -> None:
    load(database_url, "A 09:00 up")
    load_hours(database_url, "B,0,09:00,17:00")
    load_zones(database_url, "B,UTC")
    refresh(database_url)
    undo(database_url, 2)
    assert known(database_url) == ["A", "B"]
    undo(database_url, 3)
    assert known(database_url) == ["A"]
    with bulk_transaction(database_url) as bulk:
        assert count_interval_faults(bulk) == 0


def test_reports_of_before_stay_readable(mistaken_url: str, engine: sa.Engine) -> None:
    before = report(mistaken_url, engine)
    with serve(mistaken_url) as client:
        addresses = [f"/reports/{before}.{form}" for form in ("csv", "json", "ndjson")]
        addresses.append(f"/reports/{before}/totals")
        expected = [client.get(address).text for address in addresses]
        assert "X19" in expected[0]
        undo(mistaken_url, 2)
        after = report(mistaken_url, engine)
        assert [client.get(address).text for address in addresses] == expected
        diff = client.get(f"/reports/{after}/diff?against={before}").json()
        assert diff["stores_vanished"] == 20
        assert [row["store_id"] for row in diff["stores"]][:2] == ["X00", "X01"]


def test_a_store_that_is_loaded_again_is_the_same_store(
    database_url: str, engine: sa.Engine, tmp_path: Path
) -> None:
    rows = [f"{store},2023-01-23 09:00:00,active\n" for store in "AB"]
    (tmp_path / "store_status.csv").write_text("store_id,timestamp_utc,status\n" + "".join(rows))
    ingest_source(database_url, tmp_path, Source.STORE_STATUS, now=NOW, run_id=None)
    keys = fetch(database_url, "SELECT store_id, store_key FROM stores ORDER BY store_id")
    refresh(database_url)
    before = report(database_url, engine)
    undo(database_url, 1, is_reloading=True)
    assert known(database_url) == []
    ingest_source(database_url, tmp_path, Source.STORE_STATUS, now=NOW, run_id=None)
    assert fetch(database_url, "SELECT store_id, store_key FROM stores ORDER BY store_id") == keys
    assert fetch(database_url, "SELECT * FROM former_stores") == []
    refresh(database_url)
    after = report(database_url, engine)
    with serve(database_url) as client:
        diff = client.get(f"/reports/{after}/diff?against={before}").json()
    assert (diff["stores_changed"], diff["stores_appeared"], diff["stores_vanished"]) == (0, 0, 0)


def test_alerts_of_a_store_that_is_gone_are_taken_back(database_url: str) -> None:
    def evaluate(clock: str) -> None:
        evaluate_rules(
            database_url,
            rules=Rules(),
            notification=Notification(("json://receiver",), "https://storemon.example/"),
            now=at(clock) + timedelta(minutes=1),
            is_loading=False,
        )

    load(database_url, "A 08:00 up", file_path="right.csv")
    evaluate("08:00")
    load(database_url, "B 08:00 up", "B 09:00 down", "B 12:00 down", file_path="wrong.csv")
    load(database_url, "A 12:00 up", file_path="right.csv")
    evaluate("12:00")
    undo(database_url, 2)
    evaluate("12:10")
    (alert,) = fetch(database_url, "SELECT subject, ending FROM alerts")
    assert alert == {"subject": "B", "ending": "taken back"}
    titles = fetch(database_url, "SELECT title FROM alert_deliveries ORDER BY delivery_id")
    assert [row["title"] for row in titles] == ["Offline: store B", "Correction: store B"]


def test_a_cut_last_line_leaves_no_store_of_its_own(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "store_status.csv"
    header = "timestamp_utc,status,store_id\n"
    path.write_text(header + "2023-01-23 09:00:00,active,12")
    # A line without an end is read once the file has not grown.
    for _ in range(2):
        ingest_source(database_url, tmp_path, Source.STORE_STATUS, now=NOW, run_id=None)
    assert known(database_url) == ["12"]
    path.write_text(header + "2023-01-23 09:00:00,active,1234\n")
    ingest_source(database_url, tmp_path, Source.STORE_STATUS, now=NOW, run_id=None)
    assert known(database_url) == ["1234"]
