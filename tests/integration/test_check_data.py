"""Contradictions between polls, events and listed data, from a database."""

from datetime import timedelta
from pathlib import Path

import numpy as np

from planted_mistakes import draw_fleet, draw_polls, plant, write_files
from stored import LOADED_AT, at, load, load_hours, load_zones
from storemon_pipeline.checks.contradictions import check_data
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.ingestion.push_schedules import push_rows
from storemon_pipeline.sample_data import DEFAULT_END
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals


def test_findings_are_the_same_some_stores_at_a_time(database_url: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    fleet = draw_fleet(rng, 400)
    planted = np.concatenate(plant(rng, fleet))
    write_files(tmp_path, fleet, *draw_polls(rng, fleet))
    for source in (Source.STORE_STATUS, Source.BUSINESS_HOURS, Source.STORE_TIMEZONES):
        ingest_source(
            database_url, tmp_path, source, now=DEFAULT_END.replace(year=2024), run_id=None
        )
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    whole, parts = check_data(database_url), check_data(database_url, stores_per_chunk=37)
    assert whole is not None
    assert parts is not None
    found = whole.contradictions
    named = {int(whole.stores.store_ids[store].as_py()) for store in found.store.tolist()}
    assert len(named & set(planted.tolist())) > 0.9 * len(planted)
    assert parts.contradictions.store.tolist() == found.store.tolist()
    assert parts.contradictions.kind == found.kind
    assert parts.contradictions.by_us.tolist() == found.by_us.tolist()


DAYS = 14


def contradictions(url: str) -> dict[str, tuple[str, int]]:
    """The kind and the hours of each store's finding."""
    checked = check_data(url)
    assert checked is not None
    found = checked.contradictions
    return {
        checked.stores.store_ids[store].as_py(): (str(kind), by_us // 3_600_000_000)
        for store, kind, by_us in zip(
            found.store.tolist(), found.kind, found.by_us.tolist(), strict=True
        )
    }


def push_daily(url: str, store_id: str, start: str, end: str, state: str) -> None:
    """Push an event of each day."""
    rows = [
        {
            "store_id": store_id,
            "from_utc": (at(start) + timedelta(days=day)).isoformat(),
            "to_utc": (at(end) + timedelta(days=day)).isoformat(),
            "state": state,
        }
        for day in range(DAYS)
    ]
    push_rows(url, Source.STORE_EVENTS, rows, now=LOADED_AT, patience=timedelta(seconds=5))


def test_events_count_for_hours_but_an_outage_does_not(database_url: str) -> None:
    # Both list 09:00 to 17:00. `late` is down each morning, `long` is up by its polls as listed.
    load(
        database_url,
        *(
            f"{store} {hour:02}:30 {'up' if first <= hour % 24 < 17 else 'down'}"
            for store, first in (("late", 11), ("long", 9))
            for hour in range(DAYS * 24)
        ),
    )
    stores = ("late", "long")
    load_hours(
        database_url, *(f"{store},{day},09:00,17:00" for store in stores for day in range(7))
    )
    load_zones(database_url, *(f"{store},UTC" for store in stores))
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    assert contradictions(database_url) == {"late": ("opens later", 2)}
    push_daily(database_url, "late", "08:50", "11:10", "down")
    push_daily(database_url, "long", "17:00", "18:10", "up")
    assert contradictions(database_url) == {"long": ("closes later", 1)}
