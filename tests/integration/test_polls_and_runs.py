"""Loading polls: the rows of `store_status` and `status_runs`, and the row counts."""

import threading
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any, NamedTuple
from unittest.mock import patch

import adbc_driver_postgresql.dbapi as adbc
import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import strategies as st

from poll_loads import Batch, Identity, Model, batches, undone_transaction
from properties import holds_for
from stored import (
    HOUR,
    LOADED_AT,
    MAX_GAP,
    PUSHED,
    Row,
    at_us,
    fetch,
    load,
    load_rows,
    polls,
    rows_of,
    stored_polls,
    stored_runs,
    superseded_polls,
)
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.connections import libpq_url
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.loads.load_log import RowCounts, open_load
from storemon_pipeline.polls import poll_table
from storemon_pipeline.polls.poll_table import load_polls, write_poll_load
from storemon_pipeline.stores import store_keys
from storemon_pipeline.uptime.status_runs import compress
from waiting import eventually


class Case(NamedTuple):
    """Two loads of one file, the runs after them, and the accounts of the second."""

    first: Sequence[str]
    second: Sequence[str]
    runs: Sequence[str]
    row_counts: RowCounts


CASES = {
    "a later poll of the same status continues the run": Case(
        ["A 09:00 up"],
        ["A 10:00 up"],
        ["A 09:00 to 10:00 up, 2 polls"],
        RowCounts(1, 0, 0, 0),
    ),
    "a later poll of the other status opens a run": Case(
        ["A 09:00 up", "A 10:00 up"],
        ["A 11:00 down"],
        ["A 09:00 to 10:00 up, 2 polls", "A 11:00 to 11:00 down, 1 poll"],
        RowCounts(1, 0, 0, 0),
    ),
    "a late poll inside a run of its status is counted by the run": Case(
        ["A 09:00 up", "A 10:00 up", "A 12:00 up"],
        ["A 11:00 up"],
        ["A 09:00 to 12:00 up, 4 polls"],
        RowCounts(1, 0, 0, 0),
    ),
    "a late poll of the other status splits a run": Case(
        ["A 09:00 up", "A 10:00 up", "A 12:00 up"],
        ["A 11:00 down"],
        [
            "A 09:00 to 10:00 up, 2 polls",
            "A 11:00 to 11:00 down, 1 poll",
            "A 12:00 to 12:00 up, 1 poll",
        ],
        RowCounts(1, 0, 0, 0),
    ),
    "a late poll joins two runs that were too far apart": Case(
        ["A 09:00 up", "A 13:00 up"],
        ["A 11:00 up"],
        ["A 09:00 to 13:00 up, 3 polls"],
        RowCounts(1, 0, 0, 0),
    ),
    "a late poll too far from both neighbours is a run of its own": Case(
        ["A 00:00 up", "A 08:00 up"],
        ["A 04:00 up"],
        [
            "A 00:00 to 00:00 up, 1 poll",
            "A 04:00 to 04:00 up, 1 poll",
            "A 08:00 to 08:00 up, 1 poll",
        ],
        RowCounts(1, 0, 0, 0),
    ),
    "a late poll between two runs joins the one of its status": Case(
        ["A 09:00 down", "A 10:00 down", "A 12:00 up"],
        ["A 11:00 up"],
        ["A 09:00 to 10:00 down, 2 polls", "A 11:00 to 12:00 up, 2 polls"],
        RowCounts(1, 0, 0, 0),
    ),
    "a correction splits a run": Case(
        ["A 09:00 up", "A 10:00 up", "A 11:00 up"],
        ["A 10:00 down"],
        [
            "A 09:00 to 09:00 up, 1 poll",
            "A 10:00 to 10:00 down, 1 poll",
            "A 11:00 to 11:00 up, 1 poll",
        ],
        RowCounts(0, 1, 0, 0),
    ),
    "a correction joins three runs": Case(
        ["A 09:00 up", "A 10:00 down", "A 11:00 up"],
        ["A 10:00 up"],
        ["A 09:00 to 11:00 up, 3 polls"],
        RowCounts(0, 1, 0, 0),
    ),
    "a correction moves the border of two runs": Case(
        ["A 09:00 up", "A 10:00 down", "A 11:00 down"],
        ["A 10:00 up"],
        ["A 09:00 to 10:00 up, 2 polls", "A 11:00 to 11:00 down, 1 poll"],
        RowCounts(0, 1, 0, 0),
    ),
    "a correction of the first poll": Case(
        ["A 09:00 up", "A 10:00 up"],
        ["A 09:00 down"],
        ["A 09:00 to 09:00 down, 1 poll", "A 10:00 to 10:00 up, 1 poll"],
        RowCounts(0, 1, 0, 0),
    ),
    "a correction of the last poll": Case(
        ["A 09:00 up", "A 10:00 up"],
        ["A 10:00 down"],
        ["A 09:00 to 09:00 up, 1 poll", "A 10:00 to 10:00 down, 1 poll"],
        RowCounts(0, 1, 0, 0),
    ),
    "a correction of the only poll": Case(
        ["A 09:00 up"],
        ["A 09:00 down"],
        ["A 09:00 to 09:00 down, 1 poll"],
        RowCounts(0, 1, 0, 0),
    ),
    "a poll before the first, of its status": Case(
        ["A 09:00 up"],
        ["A 08:00 up"],
        ["A 08:00 to 09:00 up, 2 polls"],
        RowCounts(1, 0, 0, 0),
    ),
    "a poll before the first, of the other status": Case(
        ["A 09:00 up", "A 10:00 up"],
        ["A 08:00 down"],
        ["A 08:00 to 08:00 down, 1 poll", "A 09:00 to 10:00 up, 2 polls"],
        RowCounts(1, 0, 0, 0),
    ),
    "a poll far before the first": Case(
        ["A 09:00 up"],
        ["A 05:00 up"],
        ["A 05:00 to 05:00 up, 1 poll", "A 09:00 to 09:00 up, 1 poll"],
        RowCounts(1, 0, 0, 0),
    ),
    "a batch of nothing but duplicates changes nothing": Case(
        ["A 09:00 up", "A 10:00 up", "A 11:00 down", "B 09:00 down"],
        ["B 09:00 down", "A 11:00 down", "A 09:00 up"],
        [
            "A 09:00 to 10:00 up, 2 polls",
            "A 11:00 to 11:00 down, 1 poll",
            "B 09:00 to 09:00 down, 1 poll",
        ],
        RowCounts(0, 0, 3, 0),
    ),
    "of two new lines for one poll the later one counts": Case(
        ["A 09:00 up"],
        ["A 10:00 up", "A 11:00 up", "A 10:00 down"],
        [
            "A 09:00 to 09:00 up, 1 poll",
            "A 10:00 to 10:00 down, 1 poll",
            "A 11:00 to 11:00 up, 1 poll",
        ],
        RowCounts(2, 1, 0, 0),
    ),
    "of several lines for a known poll the last one counts": Case(
        ["A 09:00 up"],
        ["A 09:00 down", "A 09:00 down", "A 09:00 up"],
        ["A 09:00 to 09:00 up, 1 poll"],
        RowCounts(0, 2, 1, 0),
    ),
    "neighbours at exactly the greatest gap share a run": Case(
        ["A 06:00 up"],
        ["A 09:00 up"],
        ["A 06:00 to 09:00 up, 2 polls"],
        RowCounts(1, 0, 0, 0),
    ),
    "neighbours a microsecond beyond the greatest gap do not": Case(
        ["A 06:00 up"],
        ["A 09:00:00.000001 up"],
        ["A 06:00 to 06:00 up, 1 poll", "A 09:00:00.000001 to 09:00:00.000001 up, 1 poll"],
        RowCounts(1, 0, 0, 0),
    ),
    "a late poll joins at the greatest gap on one side, and not beyond it on the other": Case(
        ["A 06:00 up", "A 12:00:00.000001 up"],
        ["A 09:00 up"],
        ["A 06:00 to 09:00 up, 2 polls", "A 12:00:00.000001 to 12:00:00.000001 up, 1 poll"],
        RowCounts(1, 0, 0, 0),
    ),
    "two stores at once, one late and one in order": Case(
        ["A 09:00 up", "A 11:00 up", "B 09:00 down"],
        ["B 10:00 down", "A 10:00 down"],
        [
            "A 09:00 to 09:00 up, 1 poll",
            "A 10:00 to 10:00 down, 1 poll",
            "A 11:00 to 11:00 up, 1 poll",
            "B 09:00 to 10:00 down, 2 polls",
        ],
        RowCounts(2, 0, 0, 0),
    ),
    "several late polls in different places of one store": Case(
        [
            "A 00:00 up",
            "A 02:00 up",
            "A 04:00 up",
            "A 06:00 down",
            "A 08:00 down",
            "A 20:00 up",
            "A 24:00 up",
            "A 25:00 up",
        ],
        ["A 22:00 up", "A 01:00 up", "A 07:00 up", "A 03:00 down"],
        [
            "A 00:00 to 02:00 up, 3 polls",
            "A 03:00 to 03:00 down, 1 poll",
            "A 04:00 to 04:00 up, 1 poll",
            "A 06:00 to 06:00 down, 1 poll",
            "A 07:00 to 07:00 up, 1 poll",
            "A 08:00 to 08:00 down, 1 poll",
            "A 20:00 to 25:00 up, 4 polls",
        ],
        RowCounts(4, 0, 0, 0),
    ),
    "one batch corrects, repeats, comes late and goes on": Case(
        ["A 09:00 up", "A 10:00 up", "A 11:00 up", "A 12:00 up"],
        ["A 13:00 up", "A 10:00 down", "A 12:00 up", "A 09:30 up"],
        [
            "A 09:00 to 09:30 up, 2 polls",
            "A 10:00 to 10:00 down, 1 poll",
            "A 11:00 to 13:00 up, 3 polls",
        ],
        RowCounts(2, 1, 1, 0),
    ),
    "a new store in the batch of a late one": Case(
        ["B 09:00 up", "B 11:00 up"],
        ["A 03:00 up", "C 12:00 down", "B 10:00 up", "C 11:00 down"],
        [
            "A 03:00 to 03:00 up, 1 poll",
            "B 09:00 to 11:00 up, 3 polls",
            "C 11:00 to 12:00 down, 2 polls",
        ],
        RowCounts(4, 0, 0, 0),
    ),
    "a store whose polls are all repeated beside one that goes on": Case(
        ["A 09:00 up", "A 10:00 down", "B 09:00 up"],
        ["A 09:00 up", "B 10:00 up"],
        [
            "A 09:00 to 09:00 up, 1 poll",
            "A 10:00 to 10:00 down, 1 poll",
            "B 09:00 to 10:00 up, 2 polls",
        ],
        RowCounts(1, 0, 1, 0),
    ),
    "a late poll at the border of two weeks": Case(
        ["A -01:00 up", "A 01:00 up"],
        ["A -00:00:00.000001 up", "A 00:00 up"],
        ["A -01:00 to 01:00 up, 4 polls"],
        RowCounts(2, 0, 0, 0),
    ),
    "an empty batch": Case(
        ["A 09:00 up"],
        [],
        ["A 09:00 to 09:00 up, 1 poll"],
        RowCounts(0, 0, 0, 0),
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
def test_status_runs_are_repaired_around_late_polls(database_url: str, case: Case) -> None:
    load(database_url, *case.first)
    assert load(database_url, *case.second) == case.row_counts
    assert stored_runs(database_url) == case.runs


def test_the_first_load_of_all_makes_the_runs_of_its_polls_in_any_order(
    database_url: str,
) -> None:
    row_counts = load(
        database_url,
        "B 10:00 down",
        "A 11:00 up",
        "A 10:00 up",
        "A 15:00 up",
        "B 09:00 up",
        "A 15:00 up",
    )
    assert row_counts == RowCounts(loaded=5, replaced=0, unchanged=1, rejected=0)
    assert stored_runs(database_url) == [
        "A 10:00 to 11:00 up, 2 polls",
        "A 15:00 to 15:00 up, 1 poll",
        "B 09:00 to 09:00 up, 1 poll",
        "B 10:00 to 10:00 down, 1 poll",
    ]
    assert stored_polls(database_url) == [
        "A 10:00 up",
        "A 11:00 up",
        "A 15:00 up",
        "B 09:00 up",
        "B 10:00 down",
    ]


def test_a_load_without_rows_into_an_empty_database_leaves_it_empty(database_url: str) -> None:
    assert load(database_url) == RowCounts(0, 0, 0, 0)
    assert stored_runs(database_url) == []


def test_rows_of_runs_that_stay_the_same_are_not_written_again(database_url: str) -> None:
    load(database_url, "A 00:00 up", "A 10:00 down", "A 20:00 up")

    def versions() -> dict[Any, Any]:
        rows = fetch(database_url, "SELECT first_poll_at, xmin::text FROM status_runs")
        return {row["first_poll_at"]: row["xmin"] for row in rows}

    before = versions()
    load(database_url, "A 09:30 down", "A 20:00 up")
    assert before.items() & versions().items() == {
        (first, xmin) for first, xmin in before.items() if first.hour in {0, 20}
    }


@pytest.mark.parametrize(
    "polled_at", ["0001-01-01T00:00:00", "0099-12-31T23:59:59", "0999-06-01T00:00:00", "1900-01-01"]
)
def test_a_poll_of_any_year_is_loaded(database_url: str, polled_at: str) -> None:
    polled_at_us = int(np.datetime64(polled_at, "us").astype(np.int64))
    rows = [("A", polled_at_us, True), ("A", at_us("09:00"), True)]
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        row_counts = load_rows(bulk, rows, file_path="store_status.csv")
    assert row_counts == RowCounts(2, 0, 0, 0)
    found = fetch(
        database_url,
        "SELECT (extract(epoch FROM polled_at) * 1000000)::bigint AS us FROM store_status"
        " ORDER BY polled_at",
    )
    assert [row["us"] for row in found] == [polled_at_us, at_us("09:00")]


def test_late_polls_of_many_stores_fit_into_polls_of_many_centuries(database_url: str) -> None:
    """A store and an instant do not fit into one integer there."""
    store_ids = [f"store {store:02}" for store in range(40)]
    ancient_us = int(np.datetime64("0001-01-01T00:00", "us").astype(np.int64))

    def polls_at(*instants_us: int) -> list[Row]:
        return [(store_id, at, True) for store_id in store_ids for at in instants_us]

    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        load_rows(bulk, polls_at(ancient_us, at_us("11:00")), file_path="a.csv")
        late = polls_at(ancient_us + HOUR, at_us("10:00"), at_us("11:00"))
        assert load_rows(bulk, late, file_path="b.csv") == RowCounts(80, 0, 40, 0)
        assert read_status_runs(bulk) == [
            run
            for store_id in store_ids
            for run in (
                (store_id, ancient_us, ancient_us + HOUR, True, 2),
                (store_id, at_us("10:00"), at_us("11:00"), True, 2),
            )
        ]


def test_polls_lie_in_partitions_of_a_week_from_monday(database_url: str) -> None:
    load(database_url, "A -00:00:00.000001 up", "A 00:00 up", "A 167:59 up", "A 168:00 up")
    found = fetch(
        database_url,
        "SELECT tableoid::regclass::text AS partition, count(*) AS polls FROM store_status"
        " GROUP BY 1 ORDER BY 1",
    )
    assert [(row["partition"], row["polls"]) for row in found] == [
        ("store_status_2023_01_16", 1),
        ("store_status_2023_01_23", 2),
        ("store_status_2023_01_30", 1),
    ]


class TestArrival:
    """What a file says again is no new arrival; what it says anew is."""

    def test_a_file_that_is_read_again_does_not_undo_a_correction(self, database_url: str) -> None:
        load(database_url, "A 09:00 up", "A 10:00 up", file_path="a.csv")
        assert load(database_url, "A 09:00 down", file_path="b.csv") == RowCounts(0, 1, 0, 0)
        again = load(database_url, "A 09:00 up", "A 10:00 up", file_path="a.csv")
        assert again == RowCounts(0, 0, 2, 0)
        assert stored_polls(database_url) == ["A 09:00 down", "A 10:00 up"]
        assert stored_runs(database_url) == [
            "A 09:00 to 09:00 down, 1 poll",
            "A 10:00 to 10:00 up, 1 poll",
        ]
        assert superseded_polls(database_url) == ["A 09:00 up of load 1"]

    def test_a_file_that_changes_its_mind_is_an_arrival(self, database_url: str) -> None:
        load(database_url, "A 09:00 up", file_path="a.csv")
        load(database_url, "A 09:00 down", file_path="b.csv")
        # The same status as now stands, but new from this file: the statement is its own again.
        assert load(database_url, "A 09:00 down", file_path="a.csv") == RowCounts(0, 0, 1, 0)
        assert load(database_url, "A 09:00 down", file_path="b.csv") == RowCounts(0, 0, 1, 0)
        assert load(database_url, "A 09:00 up", file_path="a.csv") == RowCounts(0, 1, 0, 0)
        assert stored_polls(database_url) == ["A 09:00 up"]
        assert superseded_polls(database_url) == [
            "A 09:00 up of load 1",
            "A 09:00 down of load 2",
            "A 09:00 down of load 3",
        ]

    def test_the_other_file_is_no_arrival_either_once_it_was_overtaken(
        self, database_url: str
    ) -> None:
        load(database_url, "A 09:00 up", file_path="a.csv")
        load(database_url, "A 09:00 down", file_path="b.csv")
        load(database_url, "A 09:00 down", file_path="a.csv")
        load(database_url, "A 09:00 up", file_path="a.csv")
        assert load(database_url, "A 09:00 down", file_path="b.csv") == RowCounts(0, 0, 1, 0)
        assert stored_polls(database_url) == ["A 09:00 up"]

    def test_a_correction_by_push_outlasts_the_file(self, database_url: str) -> None:
        load(database_url, "A 09:00 up", "A 10:00 up")
        assert load(database_url, "A 10:00 down", file_path=PUSHED) == RowCounts(0, 1, 0, 0)
        again = load(database_url, "A 09:00 up", "A 10:00 up", "A 11:00 up")
        assert again == RowCounts(1, 0, 2, 0)
        assert stored_polls(database_url) == ["A 09:00 up", "A 10:00 down", "A 11:00 up"]

    def test_every_push_is_an_arrival(self, database_url: str) -> None:
        load(database_url, "A 09:00 up", file_path=PUSHED)
        load(database_url, "A 09:00 down", file_path=PUSHED)
        assert load(database_url, "A 09:00 up", file_path=PUSHED) == RowCounts(0, 1, 0, 0)
        assert stored_polls(database_url) == ["A 09:00 up"]
        assert superseded_polls(database_url) == ["A 09:00 up of load 1", "A 09:00 down of load 2"]

    def test_the_last_line_of_a_poll_in_a_file_counts(self, database_url: str) -> None:
        load(database_url, "A 09:00 up", "A 09:00 down", file_path="a.csv")
        load(database_url, "A 09:00 up", file_path="b.csv")
        again = load(database_url, "A 09:00 up", "A 09:00 down", file_path="a.csv")
        assert again == RowCounts(0, 1, 1, 0)
        assert stored_polls(database_url) == ["A 09:00 up"]

    def test_the_last_load_of_a_file_counts(self, database_url: str) -> None:
        load(database_url, "A 09:00 up", "A 10:00 up", file_path="a.csv")
        load(database_url, "A 09:00 down", "A 10:00 down", file_path="a.csv")
        load(database_url, "A 09:00 up", "A 10:00 up", file_path="b.csv")
        assert load(database_url, "A 09:00 down", file_path="a.csv") == RowCounts(0, 0, 1, 0)
        assert stored_polls(database_url) == ["A 09:00 up", "A 10:00 up"]
        load(database_url, "A 10:00 up", file_path="a.csv")
        load(database_url, "A 10:00 down", file_path="b.csv")
        assert load(database_url, "A 10:00 up", file_path="a.csv") == RowCounts(0, 0, 1, 0)
        assert stored_polls(database_url) == ["A 09:00 up", "A 10:00 down"]

    def test_a_new_poll_is_not_superseded_by_itself(self, database_url: str) -> None:
        load(database_url, "A 09:00 up", "A 09:00 down", "A 10:00 up")
        assert superseded_polls(database_url) == []


def test_a_load_that_fails_leaves_nothing(database_url: str) -> None:
    load(database_url, "A 09:00 up")
    rows = [("A", at_us("08:00"), False), ("B", at_us("200:00"), True)]

    def load_half() -> None:
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            load_rows(bulk, rows, file_path="b.csv")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        load_half()
    assert stored_polls(database_url) == ["A 09:00 up"]
    assert stored_runs(database_url) == ["A 09:00 to 09:00 up, 1 poll"]
    assert fetch(database_url, "SELECT count(*) AS n FROM loads") == [{"n": 1}]
    assert fetch(database_url, "SELECT store_id FROM stores") == [{"store_id": "A"}]


def test_a_load_waits_for_the_one_before_it_and_then_knows_its_polls(
    database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up", "A 12:00 up")
    second = threading.Thread(target=load, args=(database_url, "A 11:00 up", "B 09:00 up"))

    def is_waiting() -> bool:
        with engine.connect() as connection:
            waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
            return bool(connection.execute(sa.text(waiting)).scalar_one())

    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        second.start()
        eventually(is_waiting)
        first = [("A", at_us("10:00"), True), ("A", at_us("11:00"), False), ("B", 0, True)]
        load_rows(bulk, first, file_path="first.csv")
    second.join(180)
    assert stored_polls(database_url)[:4] == [
        "A 09:00 up",
        "A 10:00 up",
        "A 11:00 up",
        "A 12:00 up",
    ]
    assert stored_runs(database_url)[0] == "A 09:00 to 12:00 up, 4 polls"
    assert fetch(database_url, "SELECT count(*) AS n FROM stores") == [{"n": 2}]


def test_a_load_does_not_wait_for_a_report_that_reads(database_url: str) -> None:
    load(database_url, "A 09:00 up")
    with bulk_transaction(database_url) as reader:
        runs = "SELECT sum(polls) AS polls FROM status_runs"
        assert reader.scalar(f"SELECT polls::int FROM ({runs})") == 1
        load(database_url, "A 10:00 up", "A 08:00 down", "A 400:00 up")
        # The reader still sees the snapshot that it began with.
        assert reader.scalar(f"SELECT polls::int FROM ({runs})") == 1
    assert fetch(database_url, f"SELECT polls::int FROM ({runs})") == [{"polls": 4}]


def read_polls(bulk: Bulk) -> dict[Identity, bool]:
    rows = rows_of(
        bulk.fetch(
            "SELECT store_id, (extract(epoch FROM polled_at) * 1000000)::bigint AS us, is_active"
            " FROM store_status JOIN stores USING (store_key)"
        )
    )
    return {(row["store_id"], row["us"]): row["is_active"] for row in rows}


def read_status_runs(bulk: Bulk) -> list[tuple[str, int, int, bool, int]]:
    rows = rows_of(
        bulk.fetch(
            "SELECT store_id, (extract(epoch FROM first_poll_at) * 1000000)::bigint AS first,"
            " (extract(epoch FROM last_poll_at) * 1000000)::bigint AS last, is_active, polls"
            " FROM status_runs JOIN stores USING (store_key) ORDER BY store_id, first_poll_at"
        )
    )
    return [tuple(row.values()) for row in rows]


def read_superseded(bulk: Bulk) -> list[tuple[Identity, int, bool]]:
    rows = rows_of(
        bulk.fetch(
            "SELECT store_id, (extract(epoch FROM polled_at) * 1000000)::bigint AS us,"
            " (SELECT count(*) FROM loads l WHERE l.load_id < s.load_id) AS number, is_active"
            " FROM superseded_polls s JOIN stores USING (store_key)"
        )
    )
    return [((row["store_id"], row["us"]), row["number"], row["is_active"]) for row in rows]


@pytest.fixture
def connection(database_url: str) -> Iterator[adbc.Connection]:
    with adbc.connect(libpq_url(database_url)) as connection:
        yield connection


@holds_for(
    20,
    150,
    loads=batches(),
    max_gap_us=st.sampled_from([HOUR, 2 * HOUR, MAX_GAP]),
    many_stores=st.sampled_from([0, 50_000]),
)
def test_any_loads_leave_what_one_load_of_the_final_polls_leaves(
    connection: adbc.Connection, loads: list[Batch], max_gap_us: int, many_stores: int
) -> None:
    model = Model()
    with (
        undone_transaction(connection) as bulk,
        # Loads of many stores read the known ids and status runs in another way.
        patch.object(store_keys, "_MANY_STORES", many_stores),
        patch.object(poll_table, "_MANY_STORES", many_stores),
    ):
        for number, batch in enumerate(loads):
            row_counts = load_rows(
                bulk, batch.rows, file_path=batch.file_path, max_gap_us=max_gap_us
            )
            assert row_counts.read == len(batch.rows)
            assert row_counts == model.load(number, batch)
        polls_left, runs_left = read_polls(bulk), read_status_runs(bulk)
        assert polls_left == model.polls
        assert sorted(read_superseded(bulk)) == sorted(model.superseded)
        assert runs_left == model.runs(max_gap_us)
        assert bulk.scalar("SELECT coalesce(sum(rows_loaded), 0)::int FROM loads") == len(
            polls_left
        )
        assert runs_left == compressed(polls_left, max_gap_us)

        bulk.execute("TRUNCATE stores, loads, store_status, superseded_polls, status_runs")
        final = [(store_id, us, status) for (store_id, us), status in polls_left.items()]
        load_rows(bulk, final, file_path="final.csv", max_gap_us=max_gap_us)
        assert (read_polls(bulk), read_status_runs(bulk)) == (polls_left, runs_left)


def compressed(
    statuses: dict[Identity, bool], max_gap_us: int
) -> list[tuple[str, int, int, bool, int]]:
    """Ask the engine for the runs of these polls."""
    store_ids = sorted({store_id for store_id, _ in statuses})
    identities = sorted(statuses)
    runs = compress(
        np.array([store_ids.index(store_id) for store_id, _ in identities], np.int64),
        np.array([us for _, us in identities], np.int64),
        np.array([statuses[identity] for identity in identities], np.bool_),
        max_gap_us=max_gap_us,
    )
    columns = (runs.first_poll_us, runs.last_poll_us, runs.is_active, runs.polls)
    rows = zip(runs.store.tolist(), *(column.tolist() for column in columns), strict=True)
    return [(store_ids[store], *rest) for store, *rest in rows]


def test_many_polls_in_one_load_are_all_there(database_url: str) -> None:
    stores, hours = 300, 200
    rows = [
        (f"store {store}", at_us(f"{hour}:00"), (store + hour // 50) % 3 > 0)
        for hour in range(hours)
        for store in range(stores)
    ]
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        # More than what makes the load renew the planner's statistics.
        assert load_rows(bulk, rows, file_path="a.csv") == RowCounts(60_000, 0, 0, 0)
        again = open_load(
            bulk, Source.STORE_STATUS, file_path="a.csv", run_id=None, loaded_at=LOADED_AT
        )
        unchanged = load_polls(bulk, again, polls(rows), max_gap_us=MAX_GAP)
        assert unchanged == RowCounts(0, 0, 60_000, 0)
        runs = read_status_runs(bulk)
    # Statuses change every 50 hours at most; neighbours of a store are an hour apart.
    expected = [
        sum(
            before != after
            for before, after in pairwise((store + block) % 3 > 0 for block in range(4))
        )
        + 1
        for store in range(stores)
    ]
    assert len(runs) == sum(expected)
    assert sum(count for *_, count in runs) == 60_000


def test_only_a_load_of_polls_stores_the_largest_gap(database_url: str) -> None:
    # Of two transactions that store it at once, one could not be serialized.
    with bulk_transaction(database_url) as bulk, bulk_transaction(database_url) as other:
        assert read_max_gap_us(bulk) == read_max_gap_us(other) == MAX_GAP
    assert fetch(database_url, "SELECT * FROM database_parameters") == []
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        write_poll_load(
            bulk,
            polls([("A", at_us("09:00"), True)]),
            [],
            file_path=None,
            run_id=None,
            loaded_at=LOADED_AT,
            header=None,
        )
    stored = fetch(database_url, "SELECT max_gap_us FROM database_parameters")
    assert [row["max_gap_us"] for row in stored] == [MAX_GAP]
