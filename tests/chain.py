"""A database of ten stores with everything that figures depend on."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from stored import execute, load, load_hours, load_zones
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.fit_status_model import fit_first_status_model
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

NOW: Final = datetime(2023, 2, 1, 12, tzinfo=UTC)
STORES: Final = ["up", "down", "é", "=1", "10", "9", "B", "a,b", "change", "silent"]


def fill(url: str, folder: Path) -> None:
    """Load polls, hours in versions, zones, special hours, closures, events and corrections."""
    load(
        url,
        *(f"{store_id} {100 + 9 * number}:00 up" for number, store_id in enumerate(STORES[:-1])),
        *(f"{store_id} {101 + 9 * number}:30 down" for number, store_id in enumerate(STORES[1:-1])),
        *(f"change {hour}:10 {'up' if hour % 7 else 'down'}" for hour in range(90, 200)),
        "silent -200:00 up",
        "up 200:00 up",
    )
    load_hours(url, "10,0,09:00,17:00", "up,1,08:00,12:00", "é,6,22:00,02:00", "9,0,09:00,17:00")
    load_hours(url, "10,0,09:00,15:00,2023-01-25T00:00:00Z", "up,1,08:00,12:00")
    load_zones(url, "B,UTC", "10,Asia/Kolkata", "é,Europe/Berlin")
    (folder / "special_hours.csv").write_text(
        "store_id,date,start_time_local,end_time_local,valid_from\n"
        "change,2023-01-29,10:00,14:00,always\n"
        "up,2023-01-30,,,always\n"
    )
    ingest_source(url, folder, Source.SPECIAL_HOURS, now=NOW, run_id=None)
    execute(
        url,
        """
        INSERT INTO closures (store_key, start_local, end_local, reason, load_id)
        VALUES (NULL, '2023-01-28 02:00'::timestamp, '2023-01-28 05:00'::timestamp, 'test', 1),
               ((SELECT store_key FROM stores WHERE store_id = 'B'),
                '2023-01-30 02:00', NULL, 'test', 1)
        """,
        """
        INSERT INTO store_events (store_key, source, from_at, to_at, is_up, reason, load_id)
        SELECT store_key, 'till', '2023-01-29 08:00Z'::timestamptz,
               CASE store_id WHEN 'change' THEN '2023-01-29 11:00Z'::timestamptz END,
               false, 'test', 1
        FROM stores WHERE store_id IN ('change', '9')
        """,
        """
        INSERT INTO corrections (store_key, from_at, to_at, kind, reason, recorded_at, load_id)
        SELECT store_key, '2023-01-30 08:00Z'::timestamptz, '2023-01-30 10:00Z'::timestamptz,
               kind, 'test', now(), 1
        FROM stores JOIN (VALUES ('change', 'up'), ('a,b', 'taken_out')) c (store_id, kind)
        USING (store_id)
        """,
    )
    refresh_weeks(url)
    fit_first_status_model(url, fitted_at=NOW)


def refresh_weeks(url: str) -> None:
    """The weekly intervals follow the hours."""
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
