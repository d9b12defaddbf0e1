"""Closures by file and by hand, and versions inside a window, from files to the report's bytes."""

import csv
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import httpx
import pytest

import oracle
import strategies
from asked_reports import csv_of, request
from properties import holds_for
from stored import execute, fetch
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.definitions import defs
from storemon_pipeline.defs.resources import Database, DataFolder
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.loads.load_log import RowCounts
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

NOW = datetime(2050, 1, 1, tzinfo=UTC)
HEADER = "store_id,start_local,end_local,reason\n"
XMAS = "*,2023-12-24 18:00,2023-12-26 09:00,Christmas\n"
PAINT = "A,2023-03-01T00:00:00,,painting\n"


def load(url: str, folder: Path, *rows: str) -> RowCounts:
    path = folder / "closures.csv"
    path.write_text(HEADER + "".join(rows))
    return ingest_source(url, folder, Source.CLOSURES, now=NOW, run_id=None).row_counts


def held(url: str) -> list[tuple[str, str, str | None, str]]:
    rows = fetch(
        url,
        "SELECT coalesce(store_id, '*') AS store_id, start_local::text, end_local::text, reason"
        " FROM closures LEFT JOIN stores USING (store_key) WHERE cancelled_by_load_id IS NULL"
        " ORDER BY closure_id",
    )
    return [(row["store_id"], row["start_local"], row["end_local"], row["reason"]) for row in rows]


@pytest.mark.parametrize(
    ("day", "utc", "local"),
    [
        ("20230710", "100000", "2023-07-10 12:00:00"),
        ("20230110", "110000", "2023-01-10 12:00:00"),
    ],
    ids=["summer", "winter"],
)
def test_times_of_a_calendar_become_local_times_of_the_store(
    database_url: str, tmp_path: Path, day: str, utc: str, local: str
) -> None:
    (tmp_path / "timezones.csv").write_text("store_id,timezone_str\nA,Europe/Berlin\n")
    events = (
        f"DTSTART:{day}T{utc}Z\nDURATION:PT2H\nLOCATION:store:A\nSUMMARY:painting",
        f"DTSTART;VALUE=DATE:{day}\nSUMMARY:holiday",
        f"DTSTART:{day}T{utc}Z\nDURATION:PT2H\nSUMMARY:of no store",
    )
    text = "".join(f"BEGIN:VEVENT\n{event}\nEND:VEVENT\n" for event in events)
    path = tmp_path / "closures.ics"
    path.write_text(f"BEGIN:VCALENDAR\n{text}END:VCALENDAR\n")
    for source in (Source.STORE_TIMEZONES, Source.CLOSURES):
        loaded = ingest_source(database_url, tmp_path, source, now=NOW, run_id=None)
    assert loaded.row_counts == RowCounts(loaded=2, replaced=0, unchanged=0, rejected=1)
    date = local[:10]
    next_date = f"{date[:-1]}1"
    assert held(database_url) == [
        ("A", local, f"{date} 14:00:00", "painting"),
        ("*", f"{date} 00:00:00", f"{next_date} 00:00:00", "holiday"),
    ]
    path.write_text("BEGIN:VCALENDAR\nVERSION:2.0\nEND:VCALENDAR\n")
    ingest_source(database_url, tmp_path, Source.CLOSURES, now=NOW, run_id=None)
    assert held(database_url) == []


CHRISTMAS = ("*", "2023-12-24 18:00:00", "2023-12-26 09:00:00", "Christmas")
PAINTING = ("A", "2023-03-01 00:00:00", None, "painting")


def test_a_file_of_closures_is_loaded_once(database_url: str, tmp_path: Path) -> None:
    assert load(database_url, tmp_path, XMAS, PAINT, XMAS) == RowCounts(2, 0, 1, 0)
    assert held(database_url) == [CHRISTMAS, PAINTING]
    assert load(database_url, tmp_path, PAINT, XMAS) == RowCounts(0, 0, 2, 0)
    assert held(database_url) == [CHRISTMAS, PAINTING]


def test_a_row_that_vanishes_is_cancelled_and_a_changed_one_replaced(
    database_url: str, tmp_path: Path
) -> None:
    load(database_url, tmp_path, XMAS, PAINT)
    row_counts = load(database_url, tmp_path, "A,2023-03-01 00:00,2023-03-08 00:00,painting\n")
    assert row_counts == RowCounts(0, 1, 0, 0)
    assert held(database_url) == [
        ("A", "2023-03-01 00:00:00", "2023-03-08 00:00:00", "painting"),
    ]
    cancelled = fetch(
        database_url,
        "SELECT load_id, cancelled_by_load_id FROM closures"
        " WHERE cancelled_by_load_id IS NOT NULL ORDER BY closure_id",
    )
    assert cancelled == [{"load_id": 1, "cancelled_by_load_id": 2}] * 2


def test_a_row_that_comes_back_holds_again(database_url: str, tmp_path: Path) -> None:
    load(database_url, tmp_path, XMAS)
    load(database_url, tmp_path)
    assert held(database_url) == []
    assert load(database_url, tmp_path, XMAS) == RowCounts(1, 0, 0, 0)
    assert held(database_url) == [CHRISTMAS]


def test_bad_rows_are_rejected_and_the_others_loaded(database_url: str, tmp_path: Path) -> None:
    bad = "A,2023-03-02 00:00,2023-03-01 00:00,\n,2023-03-01 00:00,,\nA,soon,,\n"
    assert load(database_url, tmp_path, bad, XMAS) == RowCounts(1, 0, 0, 3)


def test_files_do_not_change_pushed_closures_nor_pushes_those_of_files(
    client: httpx.Client, database_url: str, tmp_path: Path
) -> None:
    client.post("/closures", json={"store_id": "A", "start_local": "2023-03-01 00:00",
                                   "reason": "painting"})  # fmt: skip
    load(database_url, tmp_path, XMAS)
    assert held(database_url) == [PAINTING, CHRISTMAS]
    load(database_url, tmp_path)
    assert held(database_url) == [PAINTING]


def test_a_closure_cancelled_by_hand_stays_cancelled_while_the_file_lists_it(
    client: httpx.Client, database_url: str, tmp_path: Path
) -> None:
    load(database_url, tmp_path, XMAS)
    assert client.delete("/closures/1").status_code == 204
    assert load(database_url, tmp_path, XMAS, PAINT) == RowCounts(1, 0, 1, 0)
    assert held(database_url) == [PAINTING]


def test_a_closure_is_added_listed_and_cancelled(client: httpx.Client) -> None:
    body = {
        "store_id": "A",
        "start_local": "2023-12-24 18:00",
        "end_local": "2023-12-26T09:00:00",
        "reason": "Christmas",
    }
    added = client.post("/closures", json=body)
    assert added.status_code == 201
    assert added.headers["Location"] == "/closures/1"
    closure = added.json()
    assert (closure["closure_id"], closure["store_id"]) == (1, "A")
    assert (closure["start_local"], closure["end_local"]) == (
        "2023-12-24T18:00:00",
        "2023-12-26T09:00:00",
    )
    again = client.post("/closures", json=body)
    assert (again.status_code, again.json()) == (200, closure)
    everywhere = client.post("/closures", json={"store_id": "*", "start_local": "2024-01-01 00:00"})
    assert "end_local" not in everywhere.json()
    assert [one["closure_id"] for one in client.get("/closures").json()["closures"]] == [1, 2]
    assert [one["closure_id"] for one in client.get("/closures?store_id=B").json()["closures"]] == [
        2
    ]
    page = client.get("/closures?limit=1").json()
    assert page["next_after"] == 1
    assert client.get("/closures?limit=5&after=1").json()["closures"] == [everywhere.json()]
    assert client.delete("/closures/1").status_code == 204
    assert client.delete("/closures/1").status_code == 404
    assert [one["closure_id"] for one in client.get("/closures").json()["closures"]] == [2]


@pytest.mark.parametrize("closure_id", ["0", "-1", "x", "9" * 30, "2147483648", "%00", "²"])
def test_a_closure_that_cannot_be_is_404(client: httpx.Client, closure_id: str) -> None:
    assert client.delete(f"/closures/{closure_id}").status_code == 404


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"store_id": "A", "start_local": "soon"},
        {"store_id": "", "start_local": "2023-01-01 00:00"},
        {"store_id": "A", "start_local": "2023-01-01 00:00Z"},
        {"store_id": "A", "start_local": "2023-01-02 00:00", "end_local": "2023-01-01 00:00"},
        {"store_id": "A", "start_local": "2023-01-02 00:00", "reason": "\0"},
    ],
)
def test_a_closure_that_cannot_be_read_is_422(client: httpx.Client, body: object) -> None:
    assert client.post("/closures", json=body).status_code == 422


def test_without_a_file_the_asset_loads_nothing_and_succeeds(
    database_url: str, tmp_path: Path
) -> None:
    closures = next(
        asset
        for asset in defs.assets or ()
        if isinstance(asset, dg.AssetsDefinition) and dg.AssetKey("closures") in asset.keys
    )
    resources = {"database": Database(url=database_url), "data": DataFolder(path=str(tmp_path))}
    result = dg.materialize([closures], resources=resources)
    assert result.success
    (tmp_path / "closures.csv").write_text(HEADER + XMAS)
    result = dg.materialize([closures], resources=resources)
    made, *_ = result.asset_materializations_for_node("schedule_changes_events_and_channels")
    assert made.metadata["rows_loaded"].value == 1
    assert held(database_url) == [CHRISTMAS]


def test_closures_come_before_everything_that_is_computed() -> None:
    graph = defs.get_repository_def().asset_graph
    children = graph.get(dg.AssetKey("closures")).child_keys
    assert {dg.AssetKey("store_uptime"), dg.AssetKey("report_inputs")} <= children
    assert dg.AssetKey("uptime_report") in graph.get(dg.AssetKey("report_inputs")).child_keys
    refresh = defs.resolve_job_def("refresh_job").asset_layer.executable_asset_keys
    assert dg.AssetKey("closures") in refresh


# A report from files, against the reference.


@holds_for(3, 60, question=strategies.questions())
def test_versions_and_closures_inside_a_window_count_as_the_reference_says(
    database_url: str, tmp_path: Path, question: strategies.Question
) -> None:
    empty(database_url, max_gap_us=question.max_gap)
    inputs = question.inputs
    now = datetime(2100, 1, 1, tzinfo=UTC)

    def ingest(source: Source, rows: Sequence[Mapping[str, object]]) -> None:
        path = tmp_path / f"{uuid.uuid4().hex}" / f"{source.value}.csv"
        path.parent.mkdir()
        with path.open("w", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]))
            writer.writeheader()
            writer.writerows(rows)
        row_counts = ingest_source(
            database_url, path.parent, source, now=now, run_id=None
        ).row_counts
        assert row_counts.rejected == 0

    for number in range(4):
        loaded_at = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(days=number)
        if hours := [row for row in inputs.hours if row.loaded_at == loaded_at]:
            ingest(Source.BUSINESS_HOURS, [
                {"store_id": row.store_id, "day": row.day, "start_time_local": time_of(row.start),
                 "end_time_local": time_of(row.end), "valid_from": row.valid_from}
                for row in hours
            ])  # fmt: skip
        if zones := [row for row in inputs.zones if row.loaded_at == loaded_at]:
            ingest(Source.STORE_TIMEZONES, [
                {"store_id": row.store_id, "timezone_str": row.timezone,
                 "valid_from": row.valid_from} for row in zones
            ])  # fmt: skip
        if special := [row for row in inputs.special if row.loaded_at == loaded_at]:
            ingest(Source.SPECIAL_HOURS, [
                {"store_id": row.store_id, "date": row.day,
                 "start_time_local": "" if row.start is None else time_of(row.start),
                 "end_time_local": "" if row.end is None else time_of(row.end),
                 "valid_from": row.valid_from} for row in special
            ])  # fmt: skip
    kinds = (inputs.polls, inputs.hours, inputs.zones, inputs.special)
    named = {row.store_id for rows in kinds for row in rows}
    closed = [row for row in inputs.closures if row.store_id in named | {"*"}
              and (row.end is None or row.start < row.end)]  # fmt: skip
    if closed:
        ingest(Source.CLOSURES, [
            {"store_id": row.store_id, "start_local": row.start, "end_local": row.end or "",
             "reason": ""} for row in closed
        ])  # fmt: skip
    if inputs.polls:
        ingest(Source.STORE_STATUS, [
            {"store_id": poll.store_id, "timestamp_utc": poll.polled_at,
             "status": "active" if poll.is_active else "inactive"} for poll in inputs.polls
        ])  # fmt: skip
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    expected = oracle.make_report(
        inputs, as_of=question.as_of, policy=question.policy.value, max_gap=question.max_gap
    )
    if inputs.polls:
        assert report(database_url, question) == oracle.report_csv(expected)


def empty(url: str, *, max_gap_us: int) -> None:
    tables = ", ".join(table.name for table in metadata.sorted_tables)
    execute(
        url,
        f"TRUNCATE {tables}",
        f"INSERT INTO database_parameters (max_gap_us) VALUES ({max_gap_us})",
    )


def time_of(time: str | int) -> str:
    """A time of day as a file says it."""
    if isinstance(time, str):
        return time
    seconds, microseconds = divmod(time, 1_000_000)
    hours, rest = divmod(seconds, 3_600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}.{microseconds:06}"


def report(url: str, question: strategies.Question) -> str:
    engine = create_engine(url, application_name="test", pool_size=1)
    report_id = request(engine, as_of=question.as_of, policy=question.policy)
    make_waiting_reports(url, run_id="run", is_manual=False)
    made = csv_of(engine, report_id)
    engine.dispose()
    return made
