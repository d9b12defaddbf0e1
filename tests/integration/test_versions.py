"""Versions of weekly hours and zones: which rows of a snapshot are new, and from when they hold."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

import pytest

from stored import PUSHED, fetch, load_hours, load_zones
from storemon_pipeline.loads.load_log import RowCounts

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")


class Snapshot(NamedTuple):
    """The rows of one load: store, what the row says, and perhaps `valid_from`."""

    rows: Sequence[str]
    is_pushed: bool = False


class Case(NamedTuple):
    """Snapshots, one loaded on each day of February 2023, and what is stored after the last.

    `row_counts` are those of the last load.
    """

    snapshots: Sequence[Snapshot]
    versions: Sequence[str]
    row_counts: RowCounts


def file(*rows: str) -> Snapshot:
    return Snapshot(rows)


def push(*rows: str) -> Snapshot:
    return Snapshot(rows, is_pushed=True)


ZONES = {
    "the first zone of a store holds always": Case(
        [file("A,Europe/Berlin", "B,Asia/Kolkata")],
        ["A always Europe/Berlin (load 1)", "B always Asia/Kolkata (load 1)"],
        RowCounts(2, 0, 0, 0),
    ),
    "a changed zone holds from its load on": Case(
        [file("A,Europe/Berlin"), file("A,Asia/Kolkata")],
        ["A always Europe/Berlin (load 1)", "A 2023-02-02 Asia/Kolkata (load 2)"],
        RowCounts(0, 1, 0, 0),
    ),
    "an unchanged zone makes no version": Case(
        [file("A,Europe/Berlin"), file("A,Europe/Berlin"), file("A,Europe/Berlin")],
        ["A always Europe/Berlin (load 1)"],
        RowCounts(0, 0, 1, 0),
    ),
    "a store that is missing later keeps its zone": Case(
        [file("A,Europe/Berlin", "B,Asia/Kolkata"), file("B,Asia/Kolkata"), file("B,UTC")],
        [
            "A always Europe/Berlin (load 1)",
            "B always Asia/Kolkata (load 1)",
            "B 2023-02-03 UTC (load 3)",
        ],
        RowCounts(0, 1, 0, 0),
    ),
    "a store that was missing comes back with the zone it had": Case(
        [file("A,Europe/Berlin", "B,UTC"), file("B,UTC"), file("A,Europe/Berlin", "B,UTC")],
        ["A always Europe/Berlin (load 1)", "B always UTC (load 1)"],
        RowCounts(0, 0, 2, 0),
    ),
    "a new store beside known ones holds always": Case(
        [file("A,Europe/Berlin"), file("A,Europe/Berlin", "B,UTC")],
        ["A always Europe/Berlin (load 1)", "B always UTC (load 2)"],
        RowCounts(1, 0, 1, 0),
    ),
    "there and back again are three versions": Case(
        [file("A,Europe/Berlin"), file("A,Asia/Kolkata"), file("A,Europe/Berlin")],
        [
            "A always Europe/Berlin (load 1)",
            "A 2023-02-02 Asia/Kolkata (load 2)",
            "A 2023-02-03 Europe/Berlin (load 3)",
        ],
        RowCounts(0, 1, 0, 0),
    ),
    "always corrects the past": Case(
        [file("A,Europe/Berlin"), file("A,Asia/Kolkata,always")],
        ["A always Europe/Berlin (load 1)", "A always Asia/Kolkata (load 2)"],
        RowCounts(0, 1, 0, 0),
    ),
    "always may correct the past more than once, and is written once each": Case(
        [
            file("A,Europe/Berlin,always"),
            file("A,UTC,always"),
            file("A,UTC,ALWAYS"),
            file("A,Europe/Berlin,always"),
        ],
        [
            "A always Europe/Berlin (load 1)",
            "A always UTC (load 2)",
            "A always Europe/Berlin (load 4)",
        ],
        RowCounts(0, 1, 0, 0),
    ),
    "a version may begin at a named instant": Case(
        [file("A,Europe/Berlin"), file("A,UTC,2023-01-15 00:00:00")],
        ["A always Europe/Berlin (load 1)", "A 2023-01-15 UTC (load 2)"],
        RowCounts(0, 1, 0, 0),
    ),
    "of one named instant both loads are kept": Case(
        [
            file("A,Europe/Berlin,2023-01-15 00:00:00"),
            file("A,UTC,2023-01-15T00:00:00Z"),
            file("A,UTC,2023-01-15T05:30:00+05:30"),
        ],
        ["A 2023-01-15 Europe/Berlin (load 1)", "A 2023-01-15 UTC (load 2)"],
        RowCounts(0, 0, 1, 0),
    ),
    "an undated row beside a dated one of a new store holds always": Case(
        [file("A,UTC,2023-01-15 00:00:00", "A,Europe/Berlin")],
        ["A always Europe/Berlin (load 1)", "A 2023-01-15 UTC (load 1)"],
        RowCounts(2, 0, 0, 0),
    ),
    "an undated row after a dated one was loaded holds from its load on": Case(
        [file("A,UTC,2023-01-15 00:00:00"), file("A,Europe/Berlin")],
        ["A 2023-01-15 UTC (load 1)", "A 2023-02-02 Europe/Berlin (load 2)"],
        RowCounts(0, 1, 0, 0),
    ),
    "a dated row that vanishes stays": Case(
        [file("A,Europe/Berlin", "A,UTC,2023-01-15 00:00:00"), file("A,Europe/Berlin")],
        ["A always Europe/Berlin (load 1)", "A 2023-01-15 UTC (load 1)"],
        RowCounts(0, 0, 1, 0),
    ),
    "of two zones in one file the later line counts": Case(
        [file("A,Europe/Berlin", "B,UTC", "A,Asia/Kolkata")],
        ["A always Asia/Kolkata (load 1)", "B always UTC (load 1)"],
        RowCounts(2, 1, 0, 0),
    ),
    "two zones in one file make no version when they are read again": Case(
        [file("A,Europe/Berlin", "A,UTC"), file("A,Europe/Berlin", "A,UTC")],
        ["A always UTC (load 1)"],
        RowCounts(0, 1, 1, 0),
    ),
    "a line that stands twice is unchanged": Case(
        [file("A,Europe/Berlin", "A,Europe/Berlin", "A,Europe/Berlin")],
        ["A always Europe/Berlin (load 1)"],
        RowCounts(1, 0, 2, 0),
    ),
    "a push is not undone by the unchanged file": Case(
        [file("A,Europe/Berlin"), push("A,UTC"), file("A,Europe/Berlin")],
        ["A always Europe/Berlin (load 1)", "A 2023-02-02 UTC (load 2)"],
        RowCounts(0, 0, 1, 0),
    ),
    "a file that changes after a push counts again": Case(
        [file("A,Europe/Berlin"), push("A,UTC"), file("A,Asia/Kolkata")],
        [
            "A always Europe/Berlin (load 1)",
            "A 2023-02-02 UTC (load 2)",
            "A 2023-02-03 Asia/Kolkata (load 3)",
        ],
        RowCounts(0, 1, 0, 0),
    ),
    "a push that says the same twice makes one version": Case(
        [file("A,Europe/Berlin"), push("A,UTC"), push("A,UTC")],
        ["A always Europe/Berlin (load 1)", "A 2023-02-02 UTC (load 2)"],
        RowCounts(0, 0, 1, 0),
    ),
    "always for the past and an undated row for what is now": Case(
        [file("A,Europe/Berlin"), file("A,Asia/Kolkata,always", "A,UTC")],
        [
            "A always Europe/Berlin (load 1)",
            "A always Asia/Kolkata (load 2)",
            "A 2023-02-02 UTC (load 2)",
        ],
        RowCounts(0, 2, 0, 0),
    ),
    "of always and an undated row of a new store the later line counts": Case(
        [file("A,Europe/Berlin,always", "A,UTC", "B,UTC", "B,Asia/Kolkata,always")],
        [
            "A always Europe/Berlin (load 1)",
            "A always UTC (load 1)",
            "B always UTC (load 1)",
            "B always Asia/Kolkata (load 1)",
        ],
        RowCounts(4, 0, 0, 0),
    ),
    "always and an undated row make no version when they are read again": Case(
        [file("A,Europe/Berlin,always", "A,UTC"), file("A,Europe/Berlin,always", "A,UTC")],
        ["A always Europe/Berlin (load 1)", "A always UTC (load 1)"],
        RowCounts(0, 0, 2, 0),
    ),
    "a row that is dated to the instant of a load beside an undated change": Case(
        [file("A,Europe/Berlin"), file("A,Asia/Kolkata,2023-02-02 00:00:00", "A,UTC")],
        [
            "A always Europe/Berlin (load 1)",
            "A 2023-02-02 Asia/Kolkata (load 2)",
            "A 2023-02-02 UTC (load 2)",
        ],
        RowCounts(0, 2, 0, 0),
    ),
    "no rows": Case([file()], [], RowCounts(0, 0, 0, 0)),
}

HOURS = {
    "the rows of a new store hold always, several on one day too": Case(
        [file("A,0,09:00,12:00", "A,0,13:00,17:00", "A,6,22:00,02:00", "B,1,0:00,24:00")],
        [
            "A always Mon 09:00-12:00, Mon 13:00-17:00, Sun 22:00-02:00 (load 1)",
            "B always Tue 00:00-24:00 (load 1)",
        ],
        RowCounts(4, 0, 0, 0),
    ),
    "a changed row makes a version of the whole week, from its load on": Case(
        [
            file("A,0,09:00,17:00", "A,1,09:00,17:00", "B,0,09:00,17:00"),
            file("A,0,09:00,17:00", "A,1,10:00,17:00", "B,0,09:00,17:00"),
        ],
        [
            "A always Mon 09:00-17:00, Tue 09:00-17:00 (load 1)",
            "A 2023-02-02 Mon 09:00-17:00, Tue 10:00-17:00 (load 2)",
            "B always Mon 09:00-17:00 (load 1)",
        ],
        RowCounts(0, 2, 1, 0),
    ),
    "a day that vanishes makes a version without it": Case(
        [file("A,0,09:00,17:00", "A,1,09:00,17:00"), file("A,0,09:00,17:00")],
        [
            "A always Mon 09:00-17:00, Tue 09:00-17:00 (load 1)",
            "A 2023-02-02 Mon 09:00-17:00 (load 2)",
        ],
        RowCounts(0, 1, 0, 0),
    ),
    "a day that comes makes a version with it": Case(
        [file("A,0,09:00,17:00"), file("A,0,09:00,17:00", "A,1,09:00,17:00")],
        [
            "A always Mon 09:00-17:00 (load 1)",
            "A 2023-02-02 Mon 09:00-17:00, Tue 09:00-17:00 (load 2)",
        ],
        RowCounts(0, 2, 0, 0),
    ),
    "the order of rows and rows that stand twice do not matter": Case(
        [
            file("A,0,09:00,17:00", "A,1,09:00,17:00", "A,0,09:00,17:00"),
            file("A,1,09:00,17:00", "A,1,9:00,17:00:00", "A,0,09:00,17:00"),
        ],
        ["A always Mon 09:00-17:00, Tue 09:00-17:00 (load 1)"],
        RowCounts(0, 0, 3, 0),
    ),
    "a store that is missing later keeps its hours": Case(
        [file("A,0,09:00,17:00", "B,0,09:00,17:00"), file("B,0,09:00,18:00")],
        [
            "A always Mon 09:00-17:00 (load 1)",
            "B always Mon 09:00-17:00 (load 1)",
            "B 2023-02-02 Mon 09:00-18:00 (load 2)",
        ],
        RowCounts(0, 1, 0, 0),
    ),
    "there and back again are three versions": Case(
        [file("A,0,09:00,17:00"), file("A,0,09:00,18:00"), file("A,0,09:00,17:00")],
        [
            "A always Mon 09:00-17:00 (load 1)",
            "A 2023-02-02 Mon 09:00-18:00 (load 2)",
            "A 2023-02-03 Mon 09:00-17:00 (load 3)",
        ],
        RowCounts(0, 1, 0, 0),
    ),
    "always corrects the past and leaves what was dated": Case(
        [
            file("A,0,09:00,17:00", "A,0,10:00,18:00,2023-01-15 00:00:00"),
            file("A,0,08:00,17:00,always", "A,0,10:00,18:00,2023-01-15 00:00:00"),
        ],
        [
            "A always Mon 09:00-17:00 (load 1)",
            "A always Mon 08:00-17:00 (load 2)",
            "A 2023-01-15 Mon 10:00-18:00 (load 1)",
        ],
        RowCounts(0, 1, 1, 0),
    ),
    "of one named instant both loads are kept": Case(
        [
            file("A,0,09:00,17:00,2023-01-15 00:00:00"),
            file("A,0,08:00,17:00,2023-01-15 00:00:00", "A,1,08:00,17:00,2023-01-15 00:00:00"),
        ],
        [
            "A 2023-01-15 Mon 09:00-17:00 (load 1)",
            "A 2023-01-15 Mon 08:00-17:00, Tue 08:00-17:00 (load 2)",
        ],
        RowCounts(0, 2, 0, 0),
    ),
    "a push is not undone by the unchanged file": Case(
        [file("A,0,09:00,17:00"), push("A,0,09:00,18:00"), file("A,0,09:00,17:00")],
        ["A always Mon 09:00-17:00 (load 1)", "A 2023-02-02 Mon 09:00-18:00 (load 2)"],
        RowCounts(0, 0, 1, 0),
    ),
    "always and undated rows of a new store are one week": Case(
        [file("A,0,09:00,17:00,always", "A,1,09:00,17:00"), file("A,1,09:00,17:00")],
        ["A always Mon 09:00-17:00, Tue 09:00-17:00 (load 1)"],
        RowCounts(0, 0, 1, 0),
    ),
    "microseconds and midnight are kept": Case(
        [file("A,3,00:00:00.000001,24:00", "A,4,23:59:59.999999,0:00")],
        ["A always Thu 00:00:00.000001-24:00, Fri 23:59:59.999999-00:00 (load 1)"],
        RowCounts(2, 0, 0, 0),
    ),
    "no rows": Case([file()], [], RowCounts(0, 0, 0, 0)),
}


@pytest.mark.parametrize("case", ZONES.values(), ids=ZONES.keys())
def test_zones_have_the_versions(database_url: str, case: Case) -> None:
    for number, snapshot in enumerate(case.snapshots, 1):
        row_counts = load_zones(
            database_url,
            *snapshot.rows,
            loaded_at=datetime(2023, 2, number, tzinfo=UTC),
            file_path=PUSHED if snapshot.is_pushed else "timezones.csv",
        )
        assert row_counts.read == len(snapshot.rows)
    assert row_counts == case.row_counts
    assert stored_zones(database_url) == case.versions


@pytest.mark.parametrize("case", HOURS.values(), ids=HOURS.keys())
def test_hours_have_the_versions(database_url: str, case: Case) -> None:
    for number, snapshot in enumerate(case.snapshots, 1):
        row_counts = load_hours(
            database_url,
            *snapshot.rows,
            loaded_at=datetime(2023, 2, number, tzinfo=UTC),
            file_path=PUSHED if snapshot.is_pushed else "business_hours.csv",
        )
        assert row_counts.read == len(snapshot.rows)
    assert row_counts == case.row_counts
    assert stored_hours(database_url) == case.versions


_VALID_FROM = """
    CASE WHEN valid_from = '-infinity' THEN 'always'
         ELSE regexp_replace(to_char(valid_from, 'YYYY-MM-DD HH24:MI'), ' 00:00$', '') END
    AS valid_from
"""


def stored_zones(url: str) -> list[str]:
    """Read `A always Europe/Berlin (load 1)`, in the order in which the engine is given them."""
    rows = fetch(
        url,
        f"""
        SELECT store_id, {_VALID_FROM}, timezone, load_id
        FROM store_timezones v JOIN stores USING (store_key)
        ORDER BY store_id, v.valid_from, load_id, row_number
        """,
    )
    return [
        f"{row['store_id']} {row['valid_from']} {row['timezone']} (load {row['load_id']})"
        for row in rows
    ]


def stored_hours(url: str) -> list[str]:
    """Read `A always Mon 09:00-17:00, Tue 09:00-17:00 (load 1)` for each version."""
    rows = fetch(
        url,
        f"""
        SELECT store_id, {_VALID_FROM}, load_id, day_of_week, start_us, end_us
        FROM business_hours v JOIN stores USING (store_key)
        ORDER BY store_id, v.valid_from, load_id, day_of_week, start_us
        """,
    )
    weeks: dict[tuple[str, str, int], list[str]] = {}
    for row in rows:
        version = (row["store_id"], row["valid_from"], row["load_id"])
        times = f"{time_of_day(row['start_us'])}-{time_of_day(row['end_us'])}"
        weeks.setdefault(version, []).append(f"{DAYS[row['day_of_week']]} {times}")
    return [
        f"{store_id} {valid_from} {', '.join(week)} (load {load_id})"
        for (store_id, valid_from, load_id), week in weeks.items()
    ]


def time_of_day(since_midnight_us: int) -> str:
    minutes, rest = divmod(since_midnight_us, 60_000_000)
    seconds = f":{rest / 1_000_000:09.6f}" if rest else ""
    return f"{minutes // 60:02}:{minutes % 60:02}{seconds}"
