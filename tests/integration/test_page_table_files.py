"""Tables of the pages as files: each has the rows that its page shows, in the same order."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import httpx
import sqlalchemy as sa
from openpyxl import load_workbook

from api_keys import new_key
from api_server import serve
from refreshed import refresh_figures
from signed_in import new_account
from stored import at, execute, load, load_hours, load_monday, load_zones
from storemon_pipeline.access.accounts import Role
from storemon_pipeline.access.keys import Scope as KeyScope
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

XLSX: Final = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FORMULA: Final = '=HYPERLINK("http://example.com")'
MARKED: Final = "left\u202eright"


def rows_of(client: httpx.Client, path: str, **parameters: str) -> list[dict[str, str]]:
    """Return the rows of the CSV file; the workbook has as many, under the same heads."""
    answer = client.get(path, params={**parameters, "format": "csv"})
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.headers["Vary"].startswith("Accept")
    written = list(csv.DictReader(io.StringIO(answer.text, newline="")))
    sheet = client.get(path, params=parameters, headers={"Accept": XLSX})
    assert (sheet.status_code, sheet.headers["Content-Type"]) == (200, XLSX)
    heads, *rows = load_workbook(io.BytesIO(sheet.content)).active.iter_rows(values_only=True)
    assert list(heads) == next(csv.reader(io.StringIO(answer.text, newline="")))
    assert len(rows) == len(written)
    assert client.get(path, params=parameters).headers["Content-Type"] == "application/json"
    return written


def columns(rows: list[dict[str, str]], *names: str) -> list[tuple[str, ...]]:
    return [tuple(row[name] for name in names) for row in rows]


def ingest(url: str, folder: Path, source: Source, *lines: str) -> None:
    (folder / f"{source}.csv").write_text("".join(f"{line}\n" for line in lines))
    ingest_source(url, folder, source, now=datetime(2023, 2, 1, tzinfo=UTC), run_id=None)


def load_three_stores(url: str, folder: Path) -> None:
    """Load A online, and B and C offline since 09:30 and 10:30, until 12:00; D is in no group."""
    load(url, "A 08:00 up", "A 12:00 up", "B 08:00 up", "C 08:00 up", "C 10:00 up", "D 12:00 up")
    load(url, "B 09:00 up", "B 10:00 down", "B 12:00 down", "C 11:00 down", "C 12:00 down")
    ingest(
        url,
        folder,
        Source.STORE_DETAILS,
        "store_id,name,group,region",
        'A,First,"=1+1",West',
        f"B,{MARKED},Old Town,West",
        "C,,Old Town,East",
    )
    refresh_figures(url)


def test_groups_are_the_worst_first_with_the_filters_of_the_page(
    database_url: str, tmp_path: Path
) -> None:
    load_three_stores(database_url, tmp_path)
    with serve(database_url) as client:
        groups = rows_of(client, "/fleet/now")
        # B was offline for 2.5 hours, C for 1.5, A and D never.
        assert columns(groups, "group", "stores", "stores_down", "open_outages") == [
            ("Old Town", "2", "2", "2"),
            ("'=1+1", "1", "0", "0"),
            ("", "1", "0", "0"),
        ]
        assert columns(groups, "open_hours_lost", "downtime_hours_last_day") == [
            ("4.0", "4.0"),
            ("0.0", "0.0"),
            ("0.0", "0.0"),
        ]
        assert columns(groups, "uptime_percent_last_hour", "open_hours_last_hour") == [
            ("0.0", "2.0"),
            ("100.0", "1.0"),
            ("100.0", "1.0"),
        ]
        regions = rows_of(client, "/fleet/now", table="regions")
        assert columns(regions, "region", "downtime_hours_last_hour") == [
            # East lost 1.5 hours at one store, West 2.5 at two.
            ("East", "1.0"),
            ("West", "1.0"),
            ("", "0.0"),
        ]
        (zone,) = rows_of(client, "/fleet/now", table="timezones", group="Old Town")
        assert (zone["timezone"], zone["stores"]) == ("America/Chicago", "2")
        assert "verdict_last_day" not in zone
        (judged,) = rows_of(client, "/fleet/now", group="Old Town", objective="99")
        assert judged["verdict_last_hour"] == "cannot be told"
        assert client.get("/fleet/now?format=csv&table=shops").status_code == 422


def test_a_timeline_and_its_explanation_have_a_row_for_each_stretch(database_url: str) -> None:
    load_monday(database_url, "A 09:00 up", "A 10:00 up", "A 11:00 down", "A 12:00 down")
    refresh_figures(database_url)
    with serve(database_url) as client:
        start = f"{at('09:00'):%Y-%m-%dT%H:%M:%SZ}"
        stretches = rows_of(client, "/stores/A/timeline", **{"from": start})
        shown = client.get("/stores/A/timeline", params={"from": start}).json()["segments"]
        assert [one["kind"] for one in shown] == ["up", "up", "down", "down"]
        assert columns(stretches, "start_utc", "end_utc", "kind", "is_certain", "hours") == [
            ("2023-01-23 11:00:00", "2023-01-23 12:00:00", "down", "true", "1.0"),
            ("2023-01-23 10:30:00", "2023-01-23 11:00:00", "down", "false", "0.5"),
            ("2023-01-23 10:00:00", "2023-01-23 10:30:00", "up", "false", "0.5"),
            ("2023-01-23 09:00:00", "2023-01-23 10:00:00", "up", "true", "1.0"),
        ]
        entries = rows_of(client, "/stores/A/explain")
        assert columns(entries, "end_utc", "kind", "reason", "uptime_hours", "downtime_hours") == [
            ("2023-01-23 09:00:00", "closed", "outside opening hours", "0.0", "0.0"),
            ("2023-01-23 10:00:00", "up", "between online checks", "1.0", "0.0"),
            ("2023-01-23 10:30:00", "up", "nearest check was online", "0.5", "0.0"),
            ("2023-01-23 11:00:00", "down", "nearest check was offline", "0.0", "0.5"),
            ("2023-01-23 12:00:00", "down", "between offline checks", "0.0", "1.0"),
        ]
        hourly = client.get("/stores/A/explain?window=hour&format=csv")
        assert hourly.headers["Content-Disposition"] == (
            'attachment; filename="explain-hour-2023-01-23T120000Z.csv"'
        )
        (hour,) = rows_of(client, "/stores/A/explain", window="hour")
        assert (hour["counted_hours"], hour["run_polls"]) == ("1.0", "2")
        assert client.get("/stores/nobody/timeline?format=csv").status_code == 404


def test_storefronts_count_by_their_share_in_files(database_url: str, tmp_path: Path) -> None:
    load(database_url, "U 10:00 up", "U 11:00 down", "U 12:00 down", "D 10:00 up", "D 12:00 up")
    ingest(
        database_url,
        tmp_path,
        Source.CHANNELS,
        "store_id,channel,channel_store_id",
        "A,uber,U",
        "A,@doordash,D",
    )
    load_zones(database_url, "A,UTC")
    load_hours(database_url, *(f"A,{day},08:00,20:00" for day in (0, 2)))
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    refresh_figures(database_url)
    with serve(database_url) as client:
        fronts = rows_of(client, "/stores/A")
        heads = ("channel", "channel_store_id", "standing", "last_poll_utc")
        assert columns(fronts, *heads, "downtime_hours_last_hour") == [
            ("'@doordash", "D", "up", "2023-01-23 12:00:00", "0.0"),
            ("uber", "U", "down", "2023-01-23 12:00:00", "1.0"),
        ]
        hours = rows_of(client, "/stores/A", table="hours")
        assert columns(hours, "day_of_week", "start", "end") == [
            ("0", "08:00:00", "20:00:00"),
            ("2", "08:00:00", "20:00:00"),
        ]


def test_data_health_has_a_file_for_each_table_with_all_rows(
    database_url: str, tmp_path: Path
) -> None:
    load_three_stores(database_url, tmp_path)
    execute(
        database_url,
        "INSERT INTO unread_files (file_path, source, reason, is_refused, found_at)"
        " SELECT 'store_status/' || number || '.csv', 'store_status', 'no column status',"
        " true, '2023-01-23 12:00+00' FROM generate_series(1, 150) number",
    )
    with serve(database_url) as client:
        sources = rows_of(client, "/data-health")
        shown = client.get("/data-health").json()
        heads = ("source", "last_file", "last_rows_read", "loads", "rows_loaded")
        assert columns(sources, *heads) == [
            ("store_details", "store_details.csv", "3", "1", "3"),
            ("store_status", "store_status.csv", "5", "2", "11"),
        ]
        assert sources[1]["last_loaded_utc"] == "2023-02-01 00:00:00"
        assert len(shown["unread_files"]) == 100
        files = rows_of(client, "/data-health", table="unread_files")
        assert len(files) == 150
        assert files[0]["is_refused"] == "true"
        assert files[0]["since_utc"] == "2023-01-23 12:00:00"
        named = rows_of(client, "/data-health", table="without_hours")
        # Files keep the characters that pages show as their numbers.
        assert columns(named, "store_id", "name") == [
            ("A", "First"),
            ("B", MARKED),
            ("C", ""),
            ("D", ""),
        ]
        assert rows_of(client, "/data-health", table="contradictions") == []


def send(client: httpx.Client, method: str, path: str, **body: object) -> None:
    client.request(method, path, json=body).raise_for_status()


def test_what_is_entered_for_a_store_is_listed_in_files(database_url: str) -> None:
    load_monday(database_url, "A 09:00 up", "A 10:00 up", "B 10:00 up")
    refresh_figures(database_url)
    token = new_key(database_url, "=desk", KeyScope.ADMIN)
    with serve(database_url) as client:
        client.headers["X-API-Key"] = token
        closure = {"start_local": "2023-01-24 09:00:00", "end_local": "2023-01-24 10:00:00"}
        send(client, "POST", "/closures", store_id="A", reason="+paint", **closure)
        send(client, "POST", "/closures", store_id="B", reason="move", **closure)
        for store, minute in (("A", 10), ("A", 20), ("B", 30)):
            times = {
                "from_utc": f"2023-01-23T09:{minute}:00Z",
                "to_utc": f"2023-01-23T09:{minute + 5}:00Z",
            }
            send(
                client, "POST", "/corrections", store_id=store, kind="down", reason="@cut", **times
            )
        part = {"start_time_local": "10:00", "end_time_local": "12:30"}
        send(client, "PUT", "/stores/A/special-hours", date="2023-01-25", hours=[part, part])
        send(client, "PUT", "/stores/A/special-hours", date="2023-01-26", hours=[])
        hours = [{"day_of_week": 1, "start_time_local": "08:00", "end_time_local": "26:00"}]
        send(client, "PUT", "/stores/A/hours", hours=hours, valid_from="2023-01-24T00:00:00Z")

        closures = rows_of(client, "/closures", store_id="A", limit="1")
        assert columns(closures, "store_id", "start_local", "end_local", "reason") == [
            ("A", "2023-01-24 09:00:00", "2023-01-24 10:00:00", "'+paint")
        ]
        assert len(rows_of(client, "/closures", limit="1", after="1")) == 2
        corrections = rows_of(client, "/corrections", store_id="A", limit="1")
        assert columns(corrections, "from_utc", "to_utc", "kind", "reason", "author") == [
            ("2023-01-23 09:10:00", "2023-01-23 09:15:00", "down", "'@cut", "'=desk"),
            ("2023-01-23 09:20:00", "2023-01-23 09:25:00", "down", "'@cut", "'=desk"),
        ]
        dates = rows_of(client, "/stores/A/special-hours", **{"from": "2023-01-01"})
        assert columns(dates, "date", "is_pushed", "hours_local") == [
            ("2023-01-25", "true", "10:00:00-12:30:00"),
            ("2023-01-26", "true", ""),
        ]
        versions = rows_of(client, "/stores/A/hours")
        heads = ("valid_from_utc", "is_pushed", "day_of_week", "start", "end")
        assert sorted(columns(versions, *heads)) == [
            ("", "false", "0", "09:00:00", "18:00:00"),
            ("2023-01-24 00:00:00", "true", "1", "08:00:00", "26:00:00"),
        ]
        changes = rows_of(client, "/stores/A/changes")
        assert columns(changes, "action", "by") == [
            ("hours.put", "'=desk"),
            *[("special-hours.put", "'=desk")] * 2,
            *[("correction.add", "'=desk")] * 2,
            ("closure.add", "'=desk"),
        ]


def test_versions_of_objectives_are_the_newest_first_in_a_file(database_url: str) -> None:
    load(database_url, "A 08:00 up", "B 08:00 up")
    refresh_figures(database_url)
    limited = new_key(database_url, "A", KeyScope.READ, stores={"A"})
    token = new_key(database_url, "all", KeyScope.ADMIN)
    with serve(database_url) as client:
        client.headers["X-API-Key"] = token
        send(client, "PUT", "/objectives", applies_to="all", objective=98.5, valid_from="always")
        send(client, "PUT", "/objectives", applies_to="store", name="A", objective=99, by="week")
        send(client, "PUT", "/objectives", applies_to="store", name="B", objective=97)
        heads = ("applies_to", "name", "objective", "by")
        assert columns(rows_of(client, "/objectives", limit="1", after="1"), *heads) == [
            ("store", "B", "97.0", "month"),
            ("store", "A", "99.0", "week"),
            ("all", "", "98.5", "month"),
        ]
        assert client.get("/objectives?format=openslo").text.count("kind: SLO") == 3
        client.headers["X-API-Key"] = limited
        found = rows_of(client, "/objectives")
        assert ("store", "B") not in columns(found, "applies_to", "name")
        assert ("store", "A") in columns(found, "applies_to", "name")


def test_reports_their_totals_and_their_difference_are_files(database_url: str) -> None:
    load(database_url, "A 08:00 up", "A 12:00 up", "B 08:00 up", "B 10:00 down", "B 12:00 down")
    refresh_figures(database_url)
    limited = new_key(database_url, "A", KeyScope.READ, stores={"A"})
    token = new_key(database_url, "all", KeyScope.ADMIN)
    with serve(database_url) as client:
        client.headers["X-API-Key"] = token
        for run in ("first", "second"):
            send(client, "POST", "/trigger_report", as_of=f"{at('12:00').isoformat()}")
            make_waiting_reports(database_url, run_id=run, is_manual=False)
            load(database_url, "A 11:00 down")
        later, earlier = (one["report_id"] for one in client.get("/reports").json()["reports"])
        reports = rows_of(client, "/reports", limit="1")
        heads = ("report_id", "status", "as_of_utc", "stores")
        assert columns(reports, *heads) == [
            (later, "Complete", "2023-01-23 12:00:00", "2"),
            (earlier, "Complete", "2023-01-23 12:00:00", "2"),
        ]
        (total,) = rows_of(client, f"/reports/{earlier}/totals")
        assert (total["stores"], total["downtime_hours_last_hour"]) == ("2", "1.0")
        difference = rows_of(client, f"/reports/{later}/diff", against=earlier, limit="1")
        # A is down from 10:30 to 11:30 now: half of the last hour.
        name = "difference_uptime_last_hour_minutes"
        assert columns(difference, "store_id", "change", name) == [("A", "changed", "-30.0")]
        client.headers["X-API-Key"] = limited
        assert [row["stores"] for row in rows_of(client, "/reports")] == ["1", "1"]
        (own,) = rows_of(client, f"/reports/{earlier}/totals")
        assert (own["stores"], own["downtime_hours_last_hour"]) == ("1", "0.0")


def test_accounts_are_a_file_as_searched(database_url: str, engine: sa.Engine) -> None:
    new_account(engine)
    new_account(engine, Role.OWNER, email="bob@example.com", stores={"A", "B"}, groups={"=East"})
    token = new_key(database_url, "all", KeyScope.ADMIN)
    reader = new_key(database_url, "reader", KeyScope.READ)
    with serve(database_url) as client:
        client.headers["X-API-Key"] = token
        assert len(rows_of(client, "/accounts", limit="1")) == 2
        (bob,) = rows_of(client, "/accounts", q="bob")
        assert (bob["email"], bob["role"], bob["enabled"]) == ("bob@example.com", "owner", "true")
        assert (bob["stores"], bob["groups"]) == ("A; B", "'=East")
        client.headers["X-API-Key"] = reader
        assert client.get("/accounts?format=csv").status_code == 403


def test_sent_statements_schedules_and_mails_are_files(database_url: str) -> None:
    load(database_url, *(f"{one} {hour:02}:00 up" for one in "AB" for hour in range(8, 40)))
    load(database_url, "A 300:00 up")
    refresh_figures(database_url)
    limited = new_key(database_url, "A", KeyScope.READ, stores={"A"})
    token = new_key(database_url, "all", KeyScope.ADMIN)
    with serve(database_url) as client:
        client.headers["X-API-Key"] = token
        week = "2023-W04"
        send(client, "POST", "/statements", store_id="A", period=week, to="owner@example.com")
        send(client, "POST", "/statements", period=week)
        two = ["owner@example.com", "office@example.com"]
        send(client, "POST", "/statement-schedules", store_id="A", every="monday", to=two)
        send(client, "POST", "/statement-schedules", every="month", to="all@example.com")
        sent = rows_of(client, "/statements", limit="1")
        assert columns(sent, "statement_id", "store_id", "period", "revision", "sent_by") == [
            ("2", "", week, "1", "all"),
            ("1", "A", week, "1", "all"),
        ]
        plans = rows_of(client, "/statement-schedules")
        assert columns(plans, "store_id", "every", "at", "to", "format") == [
            ("A", "monday", "08:00", "owner@example.com; office@example.com", "pdf"),
            ("", "month", "08:00", "all@example.com", "pdf"),
        ]
        (mail,) = rows_of(client, "/statement-deliveries", offset="1")
        assert (mail["to"], mail["state"], mail["tries"]) == ("owner@example.com", "waiting", "0")
        assert rows_of(client, "/statements/1/changes") == []
        load(database_url, "A 20:30 down")
        changes = rows_of(client, "/statements/1/changes")
        # From 20:15 to 20:45, halfway to the checks before and after.
        down = [one for one in changes if (one["line"], one["field"]) == ("total", "offline (h)")]
        assert columns(down, "before", "after") == [("0.0", "0.5")]
        client.headers["X-API-Key"] = limited
        assert [row["statement_id"] for row in rows_of(client, "/statements")] == ["1"]
        assert [row["store_id"] for row in rows_of(client, "/statement-schedules")] == ["A"]
        assert client.get("/statements/2/changes?format=csv").status_code == 404
