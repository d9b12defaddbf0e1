"""The engine's inputs from the database: stores, status runs and calendars."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import NamedTuple

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import pandas as pd
import pytest

import oracle
from properties import holds_for
from stored import (
    LOADED_AT,
    at,
    clock_of,
    execute,
    load,
    load_frame,
    load_hours,
    load_rows,
    load_zones,
)
from storemon_pipeline.business_time.calendar import ALWAYS
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.compute_uptime import compute_uptime
from storemon_pipeline.loads.load_log import open_load
from storemon_pipeline.polls.status_run_queries import read_status_runs
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.schedules.special_hours import write_special_hours
from storemon_pipeline.schedules.versions import BUSINESS_HOURS, STORE_TIMEZONES
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.figures import Figures
from strategies import Question, questions

AS_OF = at("200:00")
"""The look-back before it begins at 08:00, which is not in it."""


def test_stores_are_in_the_order_of_their_ids_bytes(database_url: str) -> None:
    # Keys are given in two loads, so that their order is another one.
    load(database_url, "a 09:00 up", "10 09:00 up", "é 09:00 up")
    load(database_url, "B 09:00 up", "9 09:00 up", "🙂 09:00 up", "丁 09:00 up", "aa 09:00 up")
    load_zones(database_url, "-1,UTC")
    with bulk_transaction(database_url) as bulk:
        stores = read_stores(bulk)
        found = bulk.fetch("SELECT store_id, store_key FROM stores")
    assert stores.store_ids.to_pylist() == ["-1", "10", "9", "B", "a", "aa", "é", "丁", "🙂"]
    ids_by_key = dict(
        zip(found["store_key"].to_pylist(), found["store_id"].to_pylist(), strict=True)
    )
    assert [ids_by_key[key] for key in stores.store_keys.tolist()] == stores.store_ids.to_pylist()
    keys = stores.store_keys[::-1]
    assert stores.positions(keys).tolist() == list(range(len(stores)))[::-1]


def test_without_any_store_there_are_no_inputs(database_url: str) -> None:
    with bulk_transaction(database_url) as bulk:
        stores = read_stores(bulk)
        runs = read_status_runs(bulk, stores, as_of=AS_OF)
        calendar = read_calendar(bulk, stores, start_us=0, end_us=1)
    assert (len(stores), len(runs), calendar.stores) == (0, 0, 0)


def test_a_closure_of_all_stores_before_there_is_any_is_read(database_url: str) -> None:
    insert_closures(database_url, "(NULL, '2023-01-23 12:00', NULL)")
    with bulk_transaction(database_url) as bulk:
        stores = read_stores(bulk)
        assert read_calendar(bulk, stores, start_us=0, end_us=1).stores == 0


RUNS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "a poll at the beginning of the look-back is not in it": (
        ["A 08:00 up"],
        [],
    ),
    "a poll a microsecond later is": (
        ["A 08:00:00.000001 up"],
        ["A 08:00:00.000001 to 08:00:00.000001 up, 1"],
    ),
    "a run that began before the look-back reaches into it": (
        ["A 06:00 up", "A 08:00 up", "A 09:00 up"],
        ["A 06:00 to 09:00 up, 3"],
    ),
    "a run that ended at its beginning does not": (
        ["A 06:00 up", "A 08:00 up", "A 09:00 down"],
        ["A 09:00 to 09:00 down, 1"],
    ),
    "runs that ended before it are left out": (
        ["A -20:00 up", "A -10:00 down", "A 07:00 up", "A 10:00 up"],
        ["A 07:00 to 10:00 up, 2"],
    ),
    "a poll at the instant is in it": (
        ["A 200:00 up"],
        ["A 200:00 to 200:00 up, 1"],
    ),
    "a run that begins after the instant is not": (
        ["A 199:00 down", "A 200:00:00.000001 up"],
        ["A 199:00 to 199:00 down, 1"],
    ),
    "a run that reaches past the instant comes whole": (
        ["A 199:00 up", "A 201:00 up"],
        ["A 199:00 to 201:00 up, 2"],
    ),
    "a run that covers all of the look-back comes whole": (
        [f"A {hour:02}:00 up" for hour in range(7, 203, 3)],
        ["A 07:00 to 202:00 up, 66"],
    ),
    "runs are sorted by store and time": (
        ["B 09:00 up", "B 20:00 down", "A 30:00 up", "A 100:00 up", "C 09:00 down"],
        [
            "A 30:00 to 30:00 up, 1",
            "A 100:00 to 100:00 up, 1",
            "B 09:00 to 09:00 up, 1",
            "B 20:00 to 20:00 down, 1",
            "C 09:00 to 09:00 down, 1",
        ],
    ),
}


@pytest.mark.parametrize(("polls", "runs"), RUNS.values(), ids=RUNS.keys())
def test_the_runs_of_the_look_back_are_read(
    database_url: str, polls: Sequence[str], runs: Sequence[str]
) -> None:
    # A store with an earlier key and a later position.
    load(database_url, "Z -100:00 up")
    load(database_url, *polls)
    with bulk_transaction(database_url) as bulk:
        stores = read_stores(bulk)
        read = read_status_runs(bulk, stores, as_of=AS_OF)
    columns = (read.store, read.first_poll_us, read.last_poll_us, read.is_active, read.polls)
    assert [
        f"{stores.store_ids[store]} {clock_of(instant(first))} to {clock_of(instant(last))}"
        f" {'up' if is_active else 'down'}, {count}"
        for store, first, last, is_active, count in zip(
            *(column.tolist() for column in columns), strict=True
        )
    ] == runs


class Business(NamedTuple):
    """What is loaded, and the hours of business time that this makes in stretches of UTC."""

    hours: Sequence[Sequence[str]]
    zones: Sequence[Sequence[str]]
    closures: Sequence[str]
    expected: dict[tuple[str, str], float]


DAILY = [f"A,{day},09:00,17:00" for day in range(7)]
DAILY_B = [f"B,{day},09:00,17:00" for day in range(7)]
BERLIN = "A,Europe/Berlin"

# 2023-01-23 is a Monday. In winter Berlin is 1 hour ahead of UTC, Chicago 6 hours behind.
BUSINESS = {
    "no hours: always open": Business(
        [], [[BERLIN]], [], {("2023-01-23", "2023-01-24"): 24.0, ("2023-01-23", "2023-01-30"): 168}
    ),
    "no zone: Chicago": Business(
        [["A,0,09:00,17:00"]],
        [["B,Europe/Berlin"]],
        [],
        {
            ("2023-01-23", "2023-01-23T15:00"): 0,
            ("2023-01-23T15:00", "2023-01-23T23:00"): 8,
            ("2023-01-23", "2023-01-30"): 8,
        },
    ),
    "the zone's own hours": Business(
        [["A,0,09:00,17:00"]],
        [[BERLIN]],
        [],
        {("2023-01-23T08:00", "2023-01-23T16:00"): 8, ("2023-01-23", "2023-01-30"): 8},
    ),
    "weeks over midnight, of Sunday too": Business(
        [["A,6,22:00,02:00", "A,0,23:00,01:00"]],
        [["A,UTC"]],
        [],
        {
            ("2023-01-23", "2023-01-24"): 3,
            ("2023-01-23", "2023-01-23T02:00"): 2,
            ("2023-01-24", "2023-01-25"): 1,
            ("2023-01-29", "2023-01-30"): 2,
        },
    ),
    "hours that changed with a load": Business(
        [DAILY, ["A,1,09:00,10:00", "A,2,09:00,10:00"]],
        [["A,UTC"]],
        [],
        # The second load is one day after the first, on 2 February, a Thursday.
        {
            ("2023-02-01", "2023-02-02"): 8,
            ("2023-02-02", "2023-02-07"): 0,
            ("2023-02-07", "2023-02-10"): 2,
        },
    ),
    "hours before the first dated version: always open": Business(
        [["A,0,09:00,17:00,2023-01-23 12:00:00"]],
        [["A,UTC"]],
        [],
        {("2023-01-23", "2023-01-23T12:00"): 12, ("2023-01-23T12:00", "2023-01-30"): 5},
    ),
    "of hours that begin together those loaded last count": Business(
        [["A,0,09:00,17:00,2023-01-01 00:00:00"], ["A,0,09:00,10:00,2023-01-01 00:00:00"]],
        [["A,UTC"]],
        [],
        {("2023-01-23", "2023-01-24"): 1},
    ),
    "always corrects the past": Business(
        [DAILY, ["A,0,09:00,10:00,always"]],
        [["A,UTC"]],
        [],
        {("2023-01-23", "2023-01-30"): 1},
    ),
    "a zone that changed at an instant": Business(
        [DAILY],
        [[BERLIN, "A,Asia/Kolkata,2023-01-24 00:00:00"]],
        [],
        {
            ("2023-01-23T08:00", "2023-01-23T16:00"): 8,
            ("2023-01-24T03:30", "2023-01-24T11:30"): 8,
            ("2023-01-23", "2023-01-25"): 16,
        },
    ),
    "a zone before its first dated version is that version's": Business(
        [DAILY],
        [["A,Asia/Kolkata,2023-01-25 00:00:00", "A,Europe/Berlin,2023-01-27 00:00:00"]],
        [],
        {
            ("2023-01-23T03:30", "2023-01-23T11:30"): 8,
            ("2023-01-27T08:00", "2023-01-27T16:00"): 8,
        },
    ),
    "of zones that begin together the one loaded last counts": Business(
        [DAILY], [[BERLIN], ["A,UTC,always"]], [], {("2023-01-23T09:00", "2023-01-23T17:00"): 8}
    ),
    "of zones that begin together in one load the later line counts": Business(
        [DAILY],
        [["A,Europe/Berlin,always", "A,UTC"]],
        [],
        {("2023-01-23T09:00", "2023-01-23T17:00"): 8},
    ),
    "the skipped hour of spring does not occur": Business(
        [["A,6,00:00,04:00"]],
        [["A,America/Chicago"]],
        [],
        {
            ("2023-03-12T06:00", "2023-03-12T09:00"): 3,
            ("2023-03-12", "2023-03-13"): 3,
            ("2023-03-19", "2023-03-20"): 4,
        },
    ),
    "the repeated hour of autumn occurs twice": Business(
        [["A,6,00:00,04:00"]],
        [["A,America/Chicago"]],
        [],
        {
            ("2023-11-05T05:00", "2023-11-05T10:00"): 5,
            ("2023-11-05", "2023-11-06"): 5,
            ("2023-10-29", "2023-10-30"): 4,
        },
    ),
    "a closure of the store, on its wall clock": Business(
        [DAILY],
        [[BERLIN]],
        ["(1, '2023-01-23 12:00', '2023-01-23 13:30')"],
        {("2023-01-23T11:00", "2023-01-23T12:30"): 0, ("2023-01-23", "2023-01-24"): 6.5},
    ),
    "a closure of another store": Business(
        [DAILY, DAILY_B],
        [["A,UTC"]],
        ["(2, '2023-01-23 12:00', '2023-01-23 13:30')"],
        {("2023-01-23", "2023-01-24"): 8},
    ),
    "a closure of every store, on the clock of each": Business(
        [DAILY],
        [["A,Asia/Kolkata", "B,UTC"]],
        ["(NULL, '2023-01-23 00:00', '2023-01-23 10:00')"],
        {("2023-01-23T03:30", "2023-01-23T04:30"): 0, ("2023-01-23", "2023-01-24"): 7},
    ),
    "closures that overlap count once": Business(
        [DAILY],
        [["A,UTC"]],
        [
            "(NULL, '2023-01-23 10:00', '2023-01-23 12:00')",
            "(1, '2023-01-23 11:00', '2023-01-23 13:00')",
        ],
        {("2023-01-23", "2023-01-24"): 5},
    ),
    "a closure without an end": Business(
        [DAILY],
        [["A,UTC"]],
        ["(1, '2023-01-23 12:00', NULL)"],
        {("2023-01-23", "2023-01-24"): 3, ("2023-01-24", "2023-02-24"): 0},
    ),
    "a closure takes time from a store that is always open": Business(
        [],
        [["A,UTC"]],
        ["(1, '2023-01-23 12:00', '2023-01-23 12:00:00.000001')"],
        {
            ("2023-01-23T12:00", "2023-01-23T12:00:00.000001"): 0,
            ("2023-01-23", "2023-01-23T12"): 12,
        },
    ),
}


@pytest.mark.parametrize("case", BUSINESS.values(), ids=BUSINESS.keys())
def test_business_time_is_that_of_the_written_rows(database_url: str, case: Business) -> None:
    load(database_url, "A 09:00 up")
    for number, rows in enumerate(case.hours):
        load_hours(database_url, *rows, loaded_at=LOADED_AT + timedelta(days=number))
    for number, rows in enumerate(case.zones):
        load_zones(database_url, *rows, loaded_at=LOADED_AT + timedelta(days=number))
    if case.closures:
        insert_closures(database_url, *case.closures)
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    assert {
        stretch: business_hours(database_url, "A", *stretch) for stretch in case.expected
    } == case.expected


def test_a_cancelled_closure_takes_nothing(database_url: str) -> None:
    load(database_url, "A 09:00 up")
    insert_closures(database_url, "(1, '2023-01-23 12:00', NULL)", "(NULL, '2023-01-23', NULL)")
    execute(database_url, "UPDATE closures SET cancelled_by_load_id = 1")
    assert business_hours(database_url, "A", "2023-01-23", "2023-01-24") == 24


def insert_closures(url: str, *closures: str) -> None:
    """Insert `(store_key, start_local, end_local)`; the first store's key is 1."""
    for closure in closures:
        execute(
            url,
            "INSERT INTO closures (store_key, start_local, end_local, reason, load_id) SELECT"
            " store_key::int, start_local::timestamp, end_local::timestamp, 'test', 1"
            f" FROM (VALUES {closure}) AS closed (store_key, start_local, end_local)",
        )


def business_hours(url: str, store_id: str, start: str, end: str) -> float:
    """Ask for the business time of a store in `[start, end)`, UTC, in hours."""
    start_us, end_us = (
        microseconds(datetime.fromisoformat(text).replace(tzinfo=UTC)) for text in (start, end)
    )
    with bulk_transaction(url) as bulk:
        stores = read_stores(bulk)
        # A wider calendar than what is asked for, as a report's is.
        calendar = read_calendar(
            bulk, stores, start_us=start_us - 86_400_000_000, end_us=end_us + 86_400_000_000
        )
    store = np.array([stores.store_ids.to_pylist().index(store_id)] * 2)
    before, after = calendar.business_us(store, np.array([start_us, end_us])).tolist()
    return float((after - before) / 3_600_000_000)


@pytest.fixture
def connection(database_url: str) -> Iterator[adbc.Connection]:
    with adbc.connect(libpq_url(database_url)) as connection:
        yield connection


@holds_for(8, 80, question=questions())
def test_figures_of_written_rows_equal_the_reference(
    connection: adbc.Connection, question: Question
) -> None:
    bulk = Bulk(connection)
    try:
        bulk.execute("INSERT INTO database_parameters VALUES (true, $1)", (question.max_gap,))
        write(bulk, question)
        refresh_intervals(bulk)
        stores = read_stores(bulk)
        parts = {
            stores_per_chunk: list(
                compute_uptime(
                    bulk,
                    stores,
                    as_of=question.as_of,
                    policy=question.policy,
                    model=None,
                    stores_per_chunk=stores_per_chunk,
                )
            )
            for stores_per_chunk in (1, 2, len(stores) + 1)
        }
    finally:
        connection.rollback()
    pushed = [replace(row, is_pushed=True) for row in question.inputs.special]
    report = oracle.make_report(
        replace(question.inputs, special=pushed),
        as_of=question.as_of,
        policy=question.policy.value,
        max_gap=question.max_gap,
    )
    expected = {
        store_id: (
            row.business_us,
            row.uptime_us,
            row.downtime_us,
            row.lowest_uptime_us,
            row.highest_uptime_us,
            row.observed_us,
        )
        for store_id, row in report.rows.items()
    }
    for made in parts.values():
        assert [row for some, figures in made for row in rows_of(some, figures)] == sorted(
            expected.items(), key=lambda row: row[0].encode()
        )
        assert sum(len(some) for some, _ in made) - len(expected) == report.silent_stores


def rows_of(stores: StoreIndex, figures: Figures) -> Iterator[tuple[str, tuple[object, ...]]]:
    """Read each store's id, and its amounts in the order of the reference's rows."""
    columns = (
        figures.business_us,
        figures.uptime_us,
        figures.downtime_us,
        figures.lowest_uptime_us,
        figures.highest_uptime_us,
        figures.observed_us,
    )
    for row, store in enumerate(figures.store.tolist()):
        yield stores.store_ids[store].as_py(), tuple(tuple(c[row].tolist()) for c in columns)


def write(bulk: Bulk, question: Question) -> None:
    """Load the reference's rows through the product's own loads, each version as one load."""
    inputs = question.inputs
    polls = [(row.store_id, microseconds(row.polled_at), row.is_active) for row in inputs.polls]
    load_rows(bulk, polls, file_path="store_status.csv", max_gap_us=question.max_gap)
    for loaded_at, hours in groupby(
        sorted(inputs.hours, key=lambda row: row.loaded_at), key=lambda row: row.loaded_at
    ):
        rows = list(hours)
        frame = pd.DataFrame(
            {
                "store_id": [row.store_id for row in rows],
                "day_of_week": np.array([row.day for row in rows], np.int8),
                "start_us": np.array([row.start for row in rows], np.int64),
                "end_us": np.array([row.end for row in rows], np.int64),
                "valid_from_us": valid_from([row.valid_from for row in rows]),
            }
        )
        load_frame(bulk, BUSINESS_HOURS, frame, loaded_at=loaded_at, file_path="hours.csv")
    for loaded_at, zones in groupby(
        sorted(inputs.zones, key=lambda row: row.loaded_at), key=lambda row: row.loaded_at
    ):
        zone_rows = list(zones)
        frame = pd.DataFrame(
            {
                "store_id": [row.store_id for row in zone_rows],
                "timezone": [row.timezone for row in zone_rows],
                "valid_from_us": valid_from([row.valid_from for row in zone_rows]),
            }
        )
        load_frame(bulk, STORE_TIMEZONES, frame, loaded_at=loaded_at, file_path="zones.csv")
    pushes: defaultdict[tuple[datetime, str, oracle.ValidFrom], list[oracle.SpecialRow]]
    pushes = defaultdict(list)
    for row in sorted(inputs.special, key=lambda row: row.loaded_at):
        pushes[row.loaded_at, row.store_id, row.valid_from].append(row)
    for (loaded_at, _, _), special_rows in pushes.items():
        pairs = [
            (0, 0)
            if row.start is None or row.end is None
            else oracle.weekly_interval(0, row.start, row.end)
            for row in special_rows
        ]
        frame = pd.DataFrame(
            {
                "store_id": [row.store_id for row in special_rows],
                "day": [(row.day - date(1970, 1, 1)).days for row in special_rows],
                "start_us": [start for start, _ in pairs],
                "end_us": [end for _, end in pairs],
                "valid_from_us": valid_from([row.valid_from for row in special_rows]),
            }
        )
        pushed = open_load(
            bulk, Source.SPECIAL_HOURS, file_path=None, run_id=None, loaded_at=loaded_at
        )
        write_special_hours(bulk, [pushed], [frame])
    for closure in inputs.closures:
        bulk.execute(
            """
            INSERT INTO closures (store_key, start_local, end_local, reason, load_id)
            SELECT min(store_key), $2::timestamp, nullif($3, '')::timestamp, 'test', 1
            FROM stores WHERE store_id = $1 HAVING $1 = '*' OR count(*) = 1
            """,
            (
                closure.store_id,
                closure.start.isoformat(),
                "" if closure.end is None else closure.end.isoformat(),
            ),
        )


def valid_from(values: Sequence[oracle.ValidFrom]) -> "pd.Series[int]":
    """Give the starts the form in which a file's reader hands them over."""
    return pd.Series(
        [
            microseconds(value)
            if isinstance(value, datetime)
            else {"always": ALWAYS}.get(value or "")
            for value in values
        ],
        dtype="Int64",
    )
