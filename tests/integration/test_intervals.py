"""The table `business_hour_intervals`: which weeks it holds, and when it is computed again."""

from collections.abc import Sequence
from datetime import UTC, datetime

import pytest

from stored import execute, fetch, load, load_hours
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.schedules.weekly_intervals import IntervalCounts, refresh_intervals

DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
FEBRUARY_2 = datetime(2023, 2, 2, tzinfo=UTC)


def refresh(url: str) -> IntervalCounts:
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        return refresh_intervals(bulk)


def stored_intervals(url: str) -> list[str]:
    """Read `A always Mon 09:00 to Mon 17:00` for each interval, by store, version and start."""
    rows = fetch(
        url,
        """
        SELECT store_id, start_us_of_week, end_us_of_week, load_id,
               CASE WHEN valid_from = '-infinity' THEN 'always'
                    ELSE to_char(valid_from, 'YYYY-MM-DD') END AS since
        FROM business_hour_intervals JOIN stores USING (store_key)
        ORDER BY store_id, valid_from, start_us_of_week
        """,
    )
    return [
        f"{row['store_id']} {row['since']} {time_of_week(row['start_us_of_week'])}"
        f" to {time_of_week(row['end_us_of_week'])}"
        f"{'' if row['load_id'] else ' for want of hours'}"
        for row in rows
    ]


def time_of_week(since_monday_us: int) -> str:
    minutes, rest = divmod(since_monday_us, 60_000_000)
    assert rest == 0
    day, minutes = divmod(minutes, 24 * 60)
    return f"{(*DAYS, 'next Mon')[day]} {minutes // 60:02}:{minutes % 60:02}"


WEEKS: dict[str, tuple[Sequence[str], Sequence[str]]] = {
    "a plain day": (
        ["A,0,09:00,17:00"],
        ["A always Mon 09:00 to Mon 17:00"],
    ),
    "a split day stays split": (
        ["A,0,13:00,17:00", "A,0,09:00,12:00"],
        ["A always Mon 09:00 to Mon 12:00", "A always Mon 13:00 to Mon 17:00"],
    ),
    "overlapping and touching rows are one interval": (
        ["A,0,09:00,12:00", "A,0,11:00,14:00", "A,0,14:00,17:00", "A,0,10:00,10:30"],
        ["A always Mon 09:00 to Mon 17:00"],
    ),
    "over midnight into the next day": (
        ["A,4,22:00,02:00"],
        ["A always Fri 22:00 to Sat 02:00"],
    ),
    "over midnight on Sunday into the week's beginning": (
        ["A,6,22:00,02:00"],
        ["A always Mon 00:00 to Mon 02:00", "A always Sun 22:00 to next Mon 00:00"],
    ),
    "an end in the last minute is midnight, and touches the next day": (
        ["A,0,09:00,23:59:00", "A,1,00:00,01:00"],
        ["A always Mon 09:00 to Tue 01:00"],
    ),
    "equal ends are 24 hours": (
        ["A,2,06:00,06:00"],
        ["A always Wed 06:00 to Thu 06:00"],
    ),
    "round the clock": (
        [f"A,{day},00:00,23:59:59" for day in range(7)],
        ["A always Mon 00:00 to next Mon 00:00"],
    ),
    "stores do not touch one another": (
        ["A,0,09:00,17:00", "B,0,12:00,18:00", "B,0,08:00,12:00"],
        ["A always Mon 09:00 to Mon 17:00", "B always Mon 08:00 to Mon 18:00"],
    ),
    "versions do not touch one another": (
        ["A,0,09:00,17:00", "A,0,08:00,18:00,2023-01-15 00:00:00", "A,1,08:00,18:00,always"],
        [
            "A always Mon 09:00 to Mon 17:00",
            "A always Tue 08:00 to Tue 18:00",
            "A 2023-01-15 Mon 08:00 to Mon 18:00",
        ],
    ),
}


@pytest.mark.parametrize(("rows", "intervals"), WEEKS.values(), ids=WEEKS.keys())
def test_hours_become_the_intervals(
    database_url: str, rows: Sequence[str], intervals: Sequence[str]
) -> None:
    load_hours(database_url, *rows)
    refresh(database_url)
    assert stored_intervals(database_url) == intervals


def test_a_store_without_hours_is_open_always_until_it_has_some(database_url: str) -> None:
    load(database_url, "A 09:00 up", "B 09:00 up")
    assert refresh(database_url) == IntervalCounts(
        stores_rebuilt=2, stores_without_hours=2, intervals=2
    )
    assert stored_intervals(database_url) == [
        "A always Mon 00:00 to next Mon 00:00 for want of hours",
        "B always Mon 00:00 to next Mon 00:00 for want of hours",
    ]
    load_hours(database_url, "B,0,09:00,12:00", "B,0,13:00,17:00")
    assert refresh(database_url) == IntervalCounts(
        stores_rebuilt=1, stores_without_hours=1, intervals=3
    )
    assert stored_intervals(database_url) == [
        "A always Mon 00:00 to next Mon 00:00 for want of hours",
        "B always Mon 09:00 to Mon 12:00",
        "B always Mon 13:00 to Mon 17:00",
    ]


def test_only_stores_whose_versions_changed_are_made_again(database_url: str) -> None:
    def written_by() -> dict[str, str]:
        query = (
            "SELECT store_id, min(i.xmin::text) AS writer FROM business_hour_intervals i"
            " JOIN stores USING (store_key) GROUP BY store_id"
        )
        return {row["store_id"]: row["writer"] for row in fetch(database_url, query)}

    load(database_url, "C 09:00 up")
    load_hours(database_url, "A,0,09:00,17:00", "B,0,09:00,17:00")
    assert refresh(database_url).stores_rebuilt == 3
    before = written_by()
    assert refresh(database_url).stores_rebuilt == 0
    assert written_by() == before

    load_hours(database_url, "A,0,09:00,17:00", "B,0,10:00,17:00", loaded_at=FEBRUARY_2)
    assert refresh(database_url) == IntervalCounts(
        stores_rebuilt=1, stores_without_hours=1, intervals=4
    )
    after = written_by()
    assert {store_id for store_id in before if before[store_id] != after[store_id]} == {"B"}
    assert stored_intervals(database_url) == [
        "A always Mon 09:00 to Mon 17:00",
        "B always Mon 09:00 to Mon 17:00",
        "B 2023-02-02 Mon 10:00 to Mon 17:00",
        "C always Mon 00:00 to next Mon 00:00 for want of hours",
    ]


def test_the_last_loaded_of_versions_that_begin_together_holds(database_url: str) -> None:
    load_hours(database_url, "A,0,09:00,17:00", "A,1,09:00,17:00")
    refresh(database_url)
    load_hours(database_url, "A,2,08:00,18:00,always", loaded_at=FEBRUARY_2)
    assert refresh(database_url).stores_rebuilt == 1
    assert stored_intervals(database_url) == ["A always Wed 08:00 to Wed 18:00"]


def test_a_version_that_is_taken_back_leaves_the_one_before(database_url: str) -> None:
    load_hours(database_url, "A,0,09:00,17:00")
    load_hours(database_url, "A,0,10:00,18:00", loaded_at=FEBRUARY_2)
    refresh(database_url)
    execute(database_url, "DELETE FROM business_hours WHERE load_id = 2")
    assert refresh(database_url).stores_rebuilt == 1
    assert stored_intervals(database_url) == ["A always Mon 09:00 to Mon 17:00"]
    execute(database_url, "DELETE FROM business_hours")
    refresh(database_url)
    assert stored_intervals(database_url) == [
        "A always Mon 00:00 to next Mon 00:00 for want of hours"
    ]


def test_without_stores_the_table_is_empty(database_url: str) -> None:
    assert refresh(database_url) == IntervalCounts(0, 0, 0)


def stored_patterns(url: str) -> list[str]:
    """Read `A, B: 09:00 to 17:00` for each week that stores have, its hours on Monday."""
    rows = fetch(
        url,
        """
        SELECT string_agg(store_id, ', ' ORDER BY store_id, valid_from) AS stores,
               start_us_of_week, end_us_of_week
        FROM store_weeks JOIN stores USING (store_key) JOIN week_patterns USING (week_id)
        GROUP BY week_patterns.week_id ORDER BY 1
        """,
    )
    return [
        f"{row['stores']}: "
        + " and ".join(
            f"{time_of_week(start)} to {time_of_week(end)}"
            for start, end in zip(row["start_us_of_week"], row["end_us_of_week"], strict=True)
        )
        for row in rows
    ]


def test_stores_with_the_same_week_share_its_pattern(database_url: str) -> None:
    load_hours(
        database_url,
        "A,0,09:00,17:00",
        "B,0,09:00,12:00",
        "B,0,13:00,17:00",
        "C,0,09:00,12:00",
        "C,0,12:00,17:00",
        "D,0,10:00,17:00",
        "D,0,09:00,17:00,2023-01-01T00:00:00Z",
    )
    load(database_url, "always 09:00 up")
    refresh(database_url)
    assert stored_patterns(database_url) == [
        "A, C, D: Mon 09:00 to Mon 17:00",
        "B: Mon 09:00 to Mon 12:00 and Mon 13:00 to Mon 17:00",
        "D: Mon 10:00 to Mon 17:00",
    ]


def test_a_store_whose_hours_change_has_another_pattern(database_url: str) -> None:
    load_hours(database_url, "A,0,09:00,17:00", "B,0,09:00,17:00")
    refresh(database_url)
    load_hours(database_url, "A,0,09:00,18:00,always", "B,0,09:00,17:00", loaded_at=FEBRUARY_2)
    refresh(database_url)
    assert stored_patterns(database_url) == [
        "A: Mon 09:00 to Mon 18:00",
        "B: Mon 09:00 to Mon 17:00",
    ]
