"""Lists as CSV and XLSX files: all rows as filtered and sorted, harmless, hours as numbers."""

import csv
import io
from datetime import datetime
from typing import Any, Final

import httpx
import pytest
from openpyxl import load_workbook

from api_keys import new_key
from api_server import serve
from stored import at, execute, load
from storemon_pipeline.access.keys import Scope
from storemon_pipeline.alerts.conditions import Rules
from storemon_pipeline.alerts.evaluate import Notification, evaluate_rules
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA: Final = '=HYPERLINK("http://example.com")'


@pytest.fixture
def url(database_url: str) -> str:
    """Give a database with A online all the time, B offline since 09:30 and C since 10:30."""
    load(database_url, "A 08:00 up", "A 12:00 up", "B 08:00 up", "C 08:00 up", "C 10:00 up")
    load(database_url, "B 09:00 up", "B 10:00 down", "B 12:00 down", "C 11:00 down", "C 12:00 down")
    execute(
        database_url,
        "INSERT INTO store_details (store_key, name, load_id)"
        f" SELECT store_key, '{FORMULA}', 1 FROM stores WHERE store_id = 'B'",
        "INSERT INTO rejected_rows (load_id, line, reason, row_text)"
        " SELECT 1, line, 'unknown status', 'A,' || line || ',perhaps'"
        " FROM generate_series(2, 1501) line",
        "UPDATE loads SET header = 'store_id,timestamp_utc,status'",
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


def rows_of(answer: httpx.Response) -> list[dict[str, str]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def sheet_of(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == XLSX
    heads, *rows = load_workbook(io.BytesIO(answer.content)).active.iter_rows(values_only=True)
    return [dict(zip(heads, row, strict=True)) for row in rows]


def test_stores_are_filtered_sorted_and_harmless_and_their_hours_are_numbers(url: str) -> None:
    with serve(url) as client:
        path = "/stores?standing=down&sort=lost&order=desc&limit=1"
        written = rows_of(client.get(f"{path}&format=csv"))
        assert [row["store_id"] for row in written] == ["B", "C"]
        assert written[0]["name"] == f"'{FORMULA}"
        assert [float(row["open_hours_lost"]) for row in written] == [2.5, 1.5]
        assert written[0]["offline_since_utc"] == f"{at('09:30'):%Y-%m-%d %H:%M:%S}"
        found = sheet_of(client.get(path, headers={"Accept": XLSX}))
        assert [row["store_id"] for row in found] == ["B", "C"]
        assert found[0]["name"] == f"'{FORMULA}"
        assert found[0]["open_hours_lost"] == 2.5
        assert found[0]["offline_since_utc"] == at("09:30").replace(tzinfo=None)
        assert found[1]["uptime_hours_last_hour"] == 0.0
        assert "verdict_last_day" not in found[0]
        (only,) = rows_of(client.get("/stores?q=a&standing=up&objective=99&format=csv"))
        assert only["verdict_last_day"] == "cannot be told"


def test_a_list_is_json_unless_a_file_is_preferred(url: str) -> None:
    with serve(url) as client:
        for accept in ("*/*", "text/html,application/xml;q=0.9,*/*;q=0.8", "application/json"):
            answer = client.get("/stores?limit=1", headers={"Accept": accept})
            assert len(answer.json()["stores"]) == 1
            assert answer.headers["Vary"] == "Accept"
        rows = rows_of(client.get("/stores?limit=1", headers={"Accept": "text/csv"}))
        assert len(rows) == 3
        assert client.get("/stores?format=ods").status_code == 422


def test_outages_days_and_alerts_are_files_too(url: str) -> None:
    with serve(url) as client:
        (outage,) = rows_of(client.get("/stores/C/incidents?format=csv"))
        assert (outage["ending"], outage["open_hours_lost"]) == ("open", "1.5")
        outages = sheet_of(client.get("/incidents?open=true&limit=1&format=xlsx"))
        assert [one["store_id"] for one in outages] == ["B", "C"]
        (day,) = sheet_of(client.get("/stores/B/uptime?format=xlsx"))
        json_day = client.get("/stores/B/uptime").json()["periods"][0]
        assert isinstance(day["begin_local"], datetime)
        assert day["begin_local"] == datetime.fromisoformat(json_day["begin_local"])
        assert (day["downtime_hours"], day["outages"]) == (2.5, 1)
        fleet = rows_of(client.get("/fleet/uptime?format=csv"))
        assert [(one["stores"], one["downtime_hours"]) for one in fleet] == [("3", "4.0")]
        hourly = rows_of(client.get("/fleet/uptime?by=hour&limit=1&format=csv"))
        assert len(hourly) == client.get("/fleet/uptime?by=hour").json()["total"]
        alerts = sheet_of(client.get("/alerts?state=open&limit=1&format=xlsx"))
        assert [(one["store_id"], one["open_hours_lost"]) for one in alerts] == [("B", 2.5)]


def test_rejected_rows_are_listed_in_pages_and_whole_in_a_file(url: str) -> None:
    with serve(url) as client:
        page = client.get("/rejected-rows?limit=2&source=store_status").json()
        assert (page["total"], len(page["rows"])) == (1_500, 2)
        assert page["rows"][0]["text"] == "A,1501,perhaps"
        assert client.get(page["next"]).json()["rows"][0]["text"] == "A,1499,perhaps"
        rows = rows_of(client.get("/rejected-rows?reason=unknown%20status&format=csv"))
        assert len(rows) == 1_500
        assert rows[-1] == {
            "source": "store_status",
            "reason": "unknown status",
            "file": "store_status.csv",
            "line": "2",
            "text": "A,2,perhaps",
        }
        assert rows_of(client.get("/rejected-rows?source=closures&format=csv")) == []


def test_a_file_for_a_key_of_some_stores_has_only_these(url: str) -> None:
    token = new_key(url, "C", Scope.READ, stores={"C"})
    with serve(url) as client:
        client.headers["X-API-Key"] = token
        assert [row["store_id"] for row in rows_of(client.get("/stores?format=csv"))] == ["C"]
        assert rows_of(client.get("/rejected-rows?format=csv")) == []
        assert client.get("/rejected-rows").json()["total"] == 0
        (fleet,) = rows_of(client.get("/fleet/uptime?format=csv"))
        assert (fleet["stores"], fleet["downtime_hours"]) == ("1", "1.5")
        assert [row["store_id"] for row in rows_of(client.get("/incidents?format=csv"))] == ["C"]


def test_an_empty_database_gives_files_with_a_header_alone(database_url: str) -> None:
    with serve(database_url) as client:
        for path in ("/stores", "/incidents", "/fleet/uptime", "/alerts", "/rejected-rows"):
            answer = client.get(f"{path}?format=csv")
            assert len(answer.text.splitlines()) == 1
            assert sheet_of(client.get(f"{path}?format=xlsx")) == []
