"""Three sample stores over a clock change, as rows of the reference and of a database."""

import random
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from typing import Final

import oracle
from stored import execute, load_rows
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

MAX_GAP: Final = 3 * oracle.HOUR
EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
ZONES: Final = {"A": "America/New_York", "B": "Asia/Kathmandu", "C": "Australia/Lord_Howe"}
GROUPS: Final = {"A": "East", "B": "East", "C": None}
SPRING: Final = datetime(2023, 3, 5, tzinfo=UTC)
AUTUMN: Final = datetime(2023, 10, 28, tzinfo=UTC)
SOURCES: Final = ("platform", "till", "people")
PUSHED_AT: Final = datetime(2024, 1, 1, tzinfo=UTC)
# Two nights over a change of the clock, closed dates, and hours of a store that is always open.
SPECIAL: Final = [
    oracle.SpecialRow("A", date(2023, 3, 7), valid_from="always"),
    oracle.SpecialRow("A", date(2023, 3, 11), "18:00", "27:00", "always"),
    oracle.SpecialRow("A", date(2023, 11, 4), "20:00", "26:30", "always"),
    oracle.SpecialRow("B", date(2023, 3, 12), "06:00", "10:00", "always"),
    oracle.SpecialRow("B", date(2023, 10, 31), valid_from="always"),
    oracle.SpecialRow("C", date(2023, 11, 4), "09:00", "12:00", "always"),
]


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
    push(
        url,
        Source.SPECIAL_HOURS,
        [
            {
                "store_id": row.store_id,
                "date": row.day.isoformat(),
                "start_time_local": str(row.start or ""),
                "end_time_local": str(row.end or ""),
                "valid_from": "always",
            }
            for row in inputs.special
        ],
    )
    execute(
        url,
        "INSERT INTO closures (store_key, start_local, end_local, reason, load_id)"
        " SELECT store_key, '2023-11-05 10:00', '2023-11-05 15:00', 'stocktaking', 1"
        " FROM stores WHERE store_id = 'A'",
    )
    refresh_daily(url)


def push(url: str, source: Source, rows: list[dict[str, str]]) -> None:
    """Push rows, if there are any, long after everything that they tell of."""
    if rows:
        push_rows(url, source, rows, now=PUSHED_AT, patience=timedelta(minutes=1))


def event_rows(events: Iterable[oracle.Event]) -> list[dict[str, str]]:
    """Events as rows of a file."""
    return [
        {
            "store_id": event.store_id,
            "from_utc": event.start.isoformat(),
            "to_utc": event.end.isoformat() if event.end else "",
            "state": "up" if event.is_up else "down",
            "reason": f"by {event.source}",
            "source": event.source,
        }
        for event in events
    ]


def draw_events(begin: datetime, end: datetime, seed: int) -> list[oracle.Event]:
    """Events of three sources, some without an end, that overlap at random."""
    rng = random.Random(seed)  # noqa: S311 - a test's dice
    minutes = (end - begin) // timedelta(minutes=1)
    events = {}
    for _ in range(40):
        store_id, source = rng.choice(list(ZONES)), rng.choice(SOURCES)
        start = begin + timedelta(minutes=rng.randrange(minutes))
        length = timedelta(minutes=rng.randrange(1, 900))
        events[store_id, source, start] = oracle.Event(
            store_id,
            start,
            None if rng.random() < 0.2 else min(start + length, end),
            is_up=rng.random() < 0.3,
            source=source,
        )
    return list(events.values())


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
    return oracle.Inputs(polls, hours, zones, [closure], SPECIAL)
