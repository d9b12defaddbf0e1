"""Reports on one instant before and after late data: revisions and differences."""

import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import httpx
import pytest
import sqlalchemy as sa

from api_server import complete_report, expired_report, failed_report, serve, waiting_report
from stored import MAX_GAP, at, execute, load
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import Policy
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.ingestion.undo_load import undo_load
from storemon_pipeline.reports.make_reports import make_waiting_reports
from storemon_pipeline.reports.requests import request_report

NOW = datetime(2023, 2, 2, tzinfo=UTC)
ZERO = {
    f"{kind}_last_{window}": 0.0
    for kind in ("uptime", "downtime")
    for window in ("hour_minutes", "day_hours", "week_hours")
}


@pytest.fixture
def client(database_url: str) -> Iterator[httpx.Client]:
    # As every load through the product does, before anyone else asks for it.
    execute(database_url, f"INSERT INTO database_parameters (max_gap_us) VALUES ({MAX_GAP})")
    with serve(database_url) as client:
        yield client


def report(
    url: str, engine: sa.Engine, *, as_of: str = "12:00", policy: Policy = Policy.NEAREST
) -> str:
    report_id = str(uuid.uuid4())
    with engine.begin() as connection:
        request_report(connection, report_id=report_id, as_of=at(as_of), policy=policy)
    make_waiting_reports(url, run_id="run", is_manual=False)
    return report_id


def test_each_new_report_on_an_instant_is_a_revision(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up")
    first, second = (report(database_url, engine) for _ in range(2))
    other = report(database_url, engine, policy=Policy.PREVIOUS)
    earlier = report(database_url, engine, as_of="11:00")
    revisions = [
        client.get(f"/get_report/{report_id}").json()["revision"]
        for report_id in (first, second, other, earlier)
    ]
    assert revisions == [1, 2, 1, 1]


def test_a_difference_names_stores_figures_and_inputs(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up", "A 12:00 up", "B 12:00 up", "C 12:00 up", file_path="on_time")
    first = report(database_url, engine)
    load(database_url, "A 11:30 down", "D 10:00 up", file_path="late")
    load(database_url, "A 13:00 up", file_path="after_the_instant")
    undo_load(database_url, 1, now=NOW)
    second = report(database_url, engine)

    diff = client.get(f"/reports/{second}/diff?against={first}").json()
    assert (diff["revision"], diff["against_revision"], diff["against"]) == (2, 1, first)
    assert (diff["stores_changed"], diff["stores_appeared"], diff["stores_vanished"]) == (1, 1, 2)
    changed, gone, also_gone, new = diff["stores"]
    # A: up all the time, then only known as down at 11:30.
    assert (changed["store_id"], changed["change"]) == ("A", "changed")
    assert changed["difference"] == {
        "uptime_last_hour_minutes": -60.0,
        "uptime_last_day_hours": -24.0,
        "uptime_last_week_hours": -168.0,
        "downtime_last_hour_minutes": 60.0,
        "downtime_last_day_hours": 24.0,
        "downtime_last_week_hours": 168.0,
    }
    assert changed["before"] == ZERO | {
        "uptime_last_hour_minutes": 60.0,
        "uptime_last_day_hours": 24.0,
        "uptime_last_week_hours": 168.0,
    }
    assert [(one["store_id"], one["change"]) for one in (gone, also_gone, new)] == [
        ("B", "vanished"),
        ("C", "vanished"),
        ("D", "appeared"),
    ]
    assert "after" not in gone
    assert "before" not in new
    assert [(one["load_id"], one.get("file_path")) for one in diff["inputs"]] == [
        (2, "late"),
        (4, None),
    ]
    assert (diff["inputs"][1]["undoes_load_id"], diff["inputs"][1]["rows_removed"]) == (1, 4)


def test_the_other_direction_has_the_opposite_sign(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up", "A 12:00 up", file_path="on_time")
    first = report(database_url, engine)
    row = {"store_id": "A", "start_local": "2023-01-23 05:30", "end_local": "", "reason": "x"}
    push_rows(database_url, Source.CLOSURES, [row], now=NOW, patience=timedelta(seconds=1))
    second = report(database_url, engine)
    # 12:00 UTC is 06:00 in Chicago: the closure takes the last half hour.
    for one, other, sign in ((second, first, -1), (first, second, 1)):
        diff = client.get(f"/reports/{one}/diff?against={other}").json()
        (store,) = diff["stores"]
        assert store["difference"] == ZERO | {
            "uptime_last_hour_minutes": sign * 30.0,
            "uptime_last_day_hours": sign * 0.5,
            "uptime_last_week_hours": sign * 0.5,
        }
        assert [load["source"] for load in diff["inputs"]] == ["closures"]


EVENT = {
    "store_id": "A",
    "from_utc": "2023-01-23T10:00:00Z",
    "to_utc": "2023-01-23T10:30:00Z",
    "state": "down",
    "reason": "tablet offline",
    "source": "till",
}
SPECIAL = {
    "store_id": "A",
    "date": "2023-01-23",
    "start_time_local": "05:30",
    "end_time_local": "23:00",
    "valid_from": "always",
}


@pytest.mark.parametrize(
    ("source", "row", "difference"),
    [
        pytest.param(
            Source.STORE_EVENTS,
            EVENT,
            {
                f"{kind}_last_{window}_hours": sign * 0.5
                for kind, sign in (("uptime", -1), ("downtime", 1))
                for window in ("day", "week")
            },
            id="event",
        ),
        # A is closed from midnight to 05:30 in Chicago, which is 06:00 to 11:30 UTC: 4.5 hours up
        # and the hour down.
        pytest.param(
            Source.SPECIAL_HOURS,
            SPECIAL,
            {
                "uptime_last_hour_minutes": -30.0,
                "uptime_last_day_hours": -4.5,
                "uptime_last_week_hours": -4.5,
                "downtime_last_day_hours": -1.0,
                "downtime_last_week_hours": -1.0,
            },
            id="special hours",
        ),
        # C is up while A is down, and is no store any more.
        pytest.param(
            Source.CHANNELS,
            {"store_id": "A", "channel": "uber", "channel_store_id": "C"},
            {
                f"{kind}_last_{window}_hours": sign * 1.0
                for kind, sign in (("uptime", 1), ("downtime", -1))
                for window in ("day", "week")
            },
            id="channel",
        ),
    ],
)
def test_events_special_hours_and_channels_revise_a_report_on_a_past_instant(
    client: httpx.Client,
    database_url: str,
    engine: sa.Engine,
    source: Source,
    row: dict[str, str],
    difference: dict[str, float],
) -> None:
    # A is down from 07:30 to 08:30; the last poll is after the instant of the report.
    load(database_url, *(f"A {hour} up" for hour in ("07:00", "09:00", "12:00", "15:00")))
    load(database_url, "A 08:00 down", *(f"C {hour} up" for hour in ("07:00", "09:00", "12:00")))
    first = report(database_url, engine)
    push_rows(database_url, source, [row], now=NOW, patience=timedelta(seconds=1))
    second = report(database_url, engine)
    diff = client.get(f"/reports/{second}/diff?against={first}").json()
    assert (diff["revision"], diff["against_revision"]) == (2, 1)
    changed = {one["store_id"]: one for one in diff["stores"]}
    assert changed["A"]["difference"] == ZERO | difference
    assert [one["change"] for one in diff["stores"][1:]] == (
        ["vanished"] if source is Source.CHANNELS else []
    )
    assert [one["source"] for one in diff["inputs"]] == [source.value]


def test_a_report_does_not_differ_from_itself(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up")
    report_id = report(database_url, engine)
    diff = client.get(f"/reports/{report_id}/diff?against={report_id}").json()
    assert (diff["stores"], diff["inputs"], diff["stores_changed"]) == ([], [], 0)


def test_stores_come_in_pages(client: httpx.Client, database_url: str, engine: sa.Engine) -> None:
    load(database_url, *(f"{name} 09:00 up" for name in "aBc"), file_path="first")
    first = report(database_url, engine)
    load(database_url, *(f"{name} 09:00 down" for name in "aBc"), file_path="second")
    address = f"/reports/{report(database_url, engine)}/diff?against={first}&limit=2"
    page = client.get(address).json()
    assert [store["store_id"] for store in page["stores"]] == ["B", "a"]
    assert page["stores_changed"] == 3
    rest = client.get(f"{address}&after={page['next_after']}").json()
    assert [store["store_id"] for store in rest["stores"]] == ["c"]
    assert "next_after" not in rest


def test_a_comparison_that_is_impossible_says_why(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up")
    good = report(database_url, engine)
    cases = {
        waiting_report(engine): 409,
        failed_report(engine, "no"): 409,
        expired_report(engine): 410,
        complete_report(engine, b"x"): 422,
        str(uuid.uuid4()): 404,
        "x": 404,
        "": 404,
    }
    for other, status in cases.items():
        response = client.get(f"/reports/{good}/diff", params={"against": other})
        assert response.status_code == status, response.text
        assert response.headers["Content-Type"] == "application/problem+json"
    assert client.get(f"/reports/{good}/diff").status_code == 422
    assert client.get(f"/reports/x/diff?against={good}").status_code == 404
    assert client.get(f"/reports/{good}/diff?against={good}&limit=0").status_code == 422
    assert client.get(f"/reports/{good}/diff?against={good}&after=%00").status_code == 422


def test_revisions_keep_their_numbers(
    client: httpx.Client, database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up")
    report(database_url, engine)
    second = report(database_url, engine)
    execute(
        database_url,
        "DELETE FROM report_columns WHERE result_id = 1",
        "UPDATE reports SET state = 'expired', result_id = NULL WHERE result_id = 1",
    )
    assert client.get(f"/get_report/{second}").json()["revision"] == 2
