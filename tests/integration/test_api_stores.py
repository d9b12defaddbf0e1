"""Stores, their history and the fleet over HTTP: every number is the reference's."""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any, Final

import httpx
import pytest

import oracle
import oracle_history
from api_server import serve
from stored import execute, load_rows
from storemon_pipeline.operations.refresh_daily import refresh_daily
from storemon_pipeline.storage.bulk import bulk_transaction
from storemon_pipeline.storage.intervals import refresh_intervals

MAX_GAP: Final = 3 * oracle.HOUR
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ZONES: Final = {"A": "America/New_York", "B": "Asia/Kathmandu", "C": "Australia/Lord_Howe"}
GROUPS: Final = {"A": "East", "B": "East", "C": None}


@dataclass(frozen=True, slots=True)
class Served:
    """A running API, and the same data as the reference's plain rows."""

    client: httpx.Client
    inputs: oracle.Inputs
    as_of: datetime

    def get(self, path: str, **parameters: str | int) -> Any:  # noqa: ANN401 - a JSON body
        answer = self.client.get(path, params=parameters or None)
        assert answer.status_code == 200, answer.text
        return answer.json()


def us(at: datetime) -> int:
    return (at - EPOCH) // timedelta(microseconds=1)


def at(text: str) -> int:
    return us(datetime.fromisoformat(text))


def fill(url: str, inputs: oracle.Inputs) -> None:
    """Put the reference's rows into the database."""
    rows = [(poll.store_id, us(poll.polled_at), poll.is_active) for poll in inputs.polls]
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        load_rows(bulk, rows, file_path=None)
        for number, row in enumerate(inputs.hours):
            start, end = oracle.weekly_interval(row.day, row.start, row.end)
            bulk.execute(
                "INSERT INTO business_hours (store_key, valid_from, load_id, row_number,"
                " day_of_week, start_us, end_us, is_dated) SELECT store_key, '-infinity', 1, $1,"
                " $2, $3, $4, false FROM stores WHERE store_id = $5",
                (
                    number,
                    row.day,
                    start - row.day * oracle.DAY,
                    (end - row.day * oracle.DAY) % oracle.DAY or oracle.DAY,
                    row.store_id,
                ),
            )
        refresh_intervals(bulk)
    for store_id, timezone in ZONES.items():
        execute(
            url,
            "INSERT INTO store_timezones (store_key, valid_from, load_id, row_number, timezone,"
            f" is_dated) SELECT store_key, '-infinity', 1, 0, '{timezone}', false FROM stores"
            f" WHERE store_id = '{store_id}'",
        )
    for store_id, group in GROUPS.items():
        name = "NULL" if group is None else f"'{group}'"
        execute(
            url,
            "INSERT INTO store_details (store_key, name, group_name, load_id) SELECT store_key,"
            f" 'Store ' || store_id, {name}, 1 FROM stores WHERE store_id = '{store_id}'",
        )
    execute(
        url,
        "INSERT INTO closures (store_key, start_local, end_local, reason, load_id)"
        " SELECT store_key, '2023-11-05 10:00', '2023-11-05 15:00', 'stocktaking', 1"
        " FROM stores WHERE store_id = 'A'",
    )
    refresh_daily(url)


def draw(begin: datetime, seed: int) -> oracle.Inputs:
    """Three stores over twelve days: about hourly polls, some long silences."""
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    polls = []
    for store_id in ZONES:
        at_minutes, is_active = rng.randrange(600), True
        while at_minutes < 12 * 24 * 60:
            is_active ^= rng.random() < 0.1
            polls.append(
                oracle.Poll(store_id, begin + timedelta(minutes=at_minutes), is_active=is_active)
            )
            at_minutes += rng.randrange(40, 80) if rng.random() < 0.98 else rng.randrange(2000)
    hours = [
        *(oracle.HoursRow("A", day, "09:00", "17:00", "always") for day in range(6)),
        *(oracle.HoursRow("B", day, "20:00", "02:00", "always") for day in range(0, 7, 2)),
    ]
    zones = [oracle.ZoneRow(store_id, zone, "always") for store_id, zone in ZONES.items()]
    closure = oracle.Closure(
        "A", datetime.fromisoformat("2023-11-05 10:00"), datetime.fromisoformat("2023-11-05 15:00")
    )
    return oracle.Inputs(polls, hours, zones, [closure])


@pytest.fixture(
    params=[
        pytest.param(datetime(2023, 3, 5, tzinfo=UTC), id="spring"),
        pytest.param(datetime(2023, 10, 28, tzinfo=UTC), id="autumn"),
    ]
)
def served(database_url: str, request: pytest.FixtureRequest) -> Iterator[Served]:
    inputs = draw(request.param, seed=request.param.month)
    fill(database_url, inputs)
    with serve(database_url) as client:
        yield Served(client, inputs, max(poll.polled_at for poll in inputs.polls))


def test_every_number_of_stores_and_fleet_is_the_reference_s(served: Served) -> None:
    report = oracle.make_report(served.inputs, as_of=served.as_of)
    stores = served.get("/stores")["stores"]
    assert [store["store_id"] for store in stores] == list(ZONES)
    sums = [0, 0, 0]
    for store in stores:
        row = report.rows[store["store_id"]]
        for column, window in enumerate(("hour", "day", "week")):
            figures = store["figures"][window]
            assert figures["business_us"] == row.business_us[column]
            assert figures["uptime_us"] == row.uptime_us[column]
            assert figures["downtime_us"] == row.downtime_us[column]
            assert figures["lowest_uptime_us"] == row.lowest_us[column]
            assert figures["highest_uptime_us"] == row.highest_us[column]
            assert figures["observed_us"] == row.observed_us[column]
            sums[column] += row.uptime_us[column]
            ledger = served.get(f"/stores/{store['store_id']}/explain", window=window)
            up = [entry["counted_us"] for entry in ledger["entries"] if entry["kind"] == "up"]
            assert sum(up) == ledger["uptime_us"] == row.uptime_us[column]
            assert ledger["lowest_uptime_us"] == row.lowest_us[column]
            assert ledger["highest_uptime_us"] == row.highest_us[column]
    now = served.get("/fleet/now")
    assert [now["windows"][window]["uptime_us"] for window in ("hour", "day", "week")] == sums
    assert sum(now["standing"].values()) == 3


def expected_history(
    served: Served, store_id: str, start: datetime, end: datetime, by: oracle_history.Period
) -> dict[str, oracle_history.Amounts]:
    found = oracle_history.stretches(
        served.inputs, store_id, start, end, as_of=served.as_of, max_gap=MAX_GAP
    )
    return {label: made for (label, _), made in oracle_history.history(found, by).items()}


@pytest.mark.parametrize("by", ["day", "week", "month"])
def test_history_of_random_periods_is_the_reference_s(
    served: Served, by: oracle_history.Period
) -> None:
    rng = random.Random(by)  # noqa: S311 - a test's dice
    for store_id in ZONES:
        end = served.as_of - timedelta(minutes=rng.randrange(3000))
        start = end - timedelta(minutes=rng.randrange(1, 12_000))
        answer = served.get(
            f"/stores/{store_id}/uptime",
            by=by,
            limit=1000,
            **{"from": start.isoformat(), "to": end.isoformat()},
        )
        expected = expected_history(served, store_id, start, end, by)
        assert {row["begin_local"][:16] for row in answer["periods"]} == set(expected)
        for row in answer["periods"]:
            amounts = expected[row["begin_local"][:16]]
            assert row["business_us"] == amounts.business
            assert row["uptime_us"] == amounts.up
            assert row["downtime_us"] == amounts.down
            assert row["uncertain_us"] == amounts.uncertain
            assert row["lowest_uptime_us"] == amounts.certain_up
        assert answer["sum"]["uptime_us"] == sum(amounts.up for amounts in expected.values())


def test_hours_of_a_store_and_of_the_fleet_sum_to_the_days(served: Served) -> None:
    begin = (served.as_of - timedelta(days=5)).replace(microsecond=0, second=0, minute=0)
    total = 0
    for store_id in ZONES:
        period = {"from": begin.isoformat()}
        hours = served.get(f"/stores/{store_id}/uptime", by="hour", limit=1000, **period)
        days = served.get(f"/stores/{store_id}/uptime", by="day", **period)
        assert hours["sum"] == days["sum"]
        assert sum(row["uptime_us"] for row in hours["periods"]) == hours["sum"]["uptime_us"]
        total += hours["sum"]["uptime_us"]
    fleet = served.get("/fleet/uptime", by="hour", limit=1000, **{"from": begin.isoformat()})
    assert sum(row["uptime_us"] for row in fleet["periods"]) == total


def test_the_fleet_s_days_are_the_sums_of_the_stores_days(served: Served) -> None:
    fleet = {row["begin_local"]: row for row in served.get("/fleet/uptime")["periods"]}
    sums: dict[str, int] = {}
    for store_id in ZONES:
        days = served.get(f"/stores/{store_id}/uptime", limit=1000)
        for row in days["periods"]:
            sums[row["begin_local"]] = sums.get(row["begin_local"], 0) + row["uptime_us"]
    assert {begin: row["uptime_us"] for begin, row in fleet.items()} == sums
    east = served.get("/fleet/uptime", split="group")["periods"]
    assert {row["group"] for row in east} == {"East", None}


def test_incidents_are_the_reference_s(served: Served) -> None:
    start = min(poll.polled_at for poll in served.inputs.polls) - timedelta(days=9)
    found_open = []
    for store_id in ZONES:
        answer = served.get(f"/stores/{store_id}/incidents", limit=1000)
        expected = oracle_history.incidents(
            served.inputs, store_id, start, as_of=served.as_of, max_gap=MAX_GAP
        )
        made = sorted(
            (at(row["start"]), at(row["end"]), row["lost_us"], row["ending"])
            for row in answer["incidents"]
        )
        assert made == [
            (row.start, row.end, row.lost, row.ending.replace("sight", "sight of"))
            for row in expected
        ]
        ended = [row.lost for row in expected if row.ending == "ended"]
        assert answer["summary"]["longest_us"] == max((row.lost for row in expected), default=0)
        assert answer["summary"]["mean_to_recovery_us"] == (
            sum(ended) // len(ended) if ended else None
        )
        found_open += [store_id for row in expected if row.ending == "open"]
    open_now = served.get("/incidents", open="true")
    assert sorted(row["store_id"] for row in open_now["incidents"]) == sorted(found_open)


def test_a_timeline_fills_its_period_and_shows_each_poll(served: Served) -> None:
    answer = served.get("/stores/A/timeline", **{"from": served.as_of.date().isoformat()})
    segments = answer["segments"]
    assert segments[0]["start"] == answer["start"]
    assert segments[-1]["end"] == answer["end"]
    for before, after in pairwise(segments):
        assert before["end"] == after["start"]
    polled = [
        us(poll.polled_at)
        for poll in served.inputs.polls
        if poll.store_id == "A" and us(poll.polled_at) >= at(answer["start"])
    ]
    assert [at(tick["at"]) for tick in answer["polls"]] == polled


def test_a_planned_closure_is_a_segment_of_its_own(database_url: str) -> None:
    inputs = draw(datetime(2023, 10, 28, tzinfo=UTC), seed=3)
    hours = [oracle.HoursRow("A", day, "09:00", "17:00", "always") for day in range(7)]
    fill(database_url, oracle.Inputs(inputs.polls, hours, inputs.zones, inputs.closures))
    with serve(database_url) as client:
        answer = client.get("/stores/A/timeline?from=2023-11-05&to=2023-11-06").json()
    closures = [
        (segment["start"], segment["end"])
        for segment in answer["segments"]
        if segment["kind"] == "closure"
    ]
    # New York's clocks went back on that morning: 10:00 there is 15:00 UTC.
    assert closures == [("2023-11-05T15:00:00Z", "2023-11-05T20:00:00Z")]


def test_lists_are_filtered_sorted_and_paged(served: Served) -> None:
    def ids(**parameters: str | int) -> list[str]:
        return [row["store_id"] for row in served.get("/stores", **parameters)["stores"]]

    assert ids(sort="name", order="desc") == ["C", "B", "A"]
    assert ids(q="store b") == ["B"]
    assert ids(group="East") == ["A", "B"]
    assert ids(timezone="Asia/Kathmandu") == ["B"]
    assert ids(group="nowhere") == []
    page = served.get("/stores", limit=2)
    assert page["total"] == 3
    assert [row["store_id"] for row in served.get(page["next"])["stores"]] == ["C"]
    standing = {row["store_id"]: row["standing"] for row in served.get("/stores")["stores"]}
    for word in set(standing.values()):
        assert ids(standing=word) == [key for key in standing if standing[key] == word]


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/stores/nobody", 404),
        ("/stores/nobody/uptime", 404),
        ("/stores/%00/uptime", 404),
        ("/stores/A/uptime?from=yesterday", 422),
        ("/stores/A/uptime?from=0001-01-01", 422),
        ("/stores/A/uptime?from=1990-01-01&by=hour", 422),
        ("/stores/A/timeline?from=1990-01-01", 422),
        ("/stores/A/timeline?to=9999-12-31", 422),
        ("/stores/A/timeline?to=1950-01-01", 200),
        ("/stores/A/explain?as_of=1950-01-01T00:00:00Z", 200),
        ("/stores/A/explain?window=year", 422),
        ("/stores?limit=0", 422),
        ("/stores?group=%00", 422),
        ("/incidents?from=1990-01-01T00:00:00Z", 422),
        ("/fleet/uptime?by=day&from=2023-01-01T00:00:00Z", 422),
        ("/fleet/uptime?by=hour&from=2000-01-01", 422),
    ],
)
def test_bad_questions_get_a_problem(database_url: str, path: str, status: int) -> None:
    fill(database_url, draw(datetime(2023, 10, 28, tzinfo=UTC), seed=3))
    with serve(database_url) as client:
        assert client.get(path).status_code == status


def test_without_polls_lists_are_empty_and_a_store_has_no_history(database_url: str) -> None:
    execute(database_url, "INSERT INTO stores (store_id) VALUES ('A')")
    with serve(database_url) as client:
        assert client.get("/stores").json()["total"] == 0
        assert client.get("/fleet/now").json()["as_of"] is None
        assert client.get("/incidents").json()["total"] == 0
        assert client.get("/fleet/uptime").json()["periods"] == []
        assert client.get("/fleet/uptime?by=hour").json()["periods"] == []
        assert client.get("/stores/A").status_code == 404
        assert client.get("/stores/A/uptime").status_code == 409


def test_a_stream_of_events_tells_of_the_data_at_once_and_of_newer_data(
    database_url: str,
) -> None:
    inputs = draw(datetime(2023, 10, 28, tzinfo=UTC), seed=3)
    fill(database_url, inputs)
    later = max(poll.polled_at for poll in inputs.polls) + timedelta(hours=1)
    with serve(database_url) as client, client.stream("GET", "/events") as answer:
        assert answer.headers["Content-Type"].startswith("text/event-stream")
        lines = answer.iter_lines()
        assert any(line == "event: data" for line in lines)
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, [("A", us(later), True)], file_path=None)
        assert any(line == "event: data" for line in lines)
        assert client.get("/fleet/now").json()["as_of"] == later.isoformat().replace("+00:00", "Z")
