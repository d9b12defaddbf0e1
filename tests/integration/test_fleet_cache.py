"""The cached fleet is computed in the background, and is never older than a request."""

import asyncio
import time
from dataclasses import fields
from datetime import timedelta
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from stored import at, load
from storemon_api.live import data_events
from storemon_api.live.fleet_cache import FleetCache
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.sample_data import DEFAULT_END, write_sample_data
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.uptime.figures import Figures
from storemon_pipeline.uptime.history import Amounts
from storemon_pipeline.uptime.incidents import Incidents
from storemon_pipeline.views.fleet_view import Fleet, read_fleet
from waiting import DEADLINE_SECONDS


def test_newer_data_is_computed_without_any_request_or_listener(
    database_url: str, engine: sa.Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(data_events, "_POLL_SECONDS", 0.1)
    monkeypatch.setattr(data_events, "_CHECK_SECONDS", 0.1)
    load(database_url, "A 09:00 up")
    fleet = FleetCache(database_url, engine)

    async def wait_until_current() -> None:
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not await asyncio.to_thread(fleet.is_current):
            assert time.monotonic() < deadline, "nothing was made in the background"
            await asyncio.sleep(0.05)

    async def watch() -> None:
        events = data_events.DataEvents(fleet)
        events.start()
        await wait_until_current()
        await asyncio.to_thread(load, database_url, "A 10:00 down")
        await wait_until_current()
        await events.stop(timedelta(seconds=20))

    asyncio.run(watch())
    made = fleet.fleet(None)
    assert made is not None
    assert made.as_of == at("10:00")


def test_an_answer_is_never_older_than_its_question(database_url: str, engine: sa.Engine) -> None:
    load(database_url, "A 09:00 up")
    fleet = FleetCache(database_url, engine)
    for minute in range(1, 4):
        load(database_url, f"A 09:0{minute} up")
        made = fleet.fleet(None)
        assert made is not None
        assert made.as_of == at("09:00") + timedelta(minutes=minute)


def test_a_fleet_that_is_made_some_stores_at_a_time_is_the_same(
    database_url: str, tmp_path: Path
) -> None:
    write_sample_data(tmp_path, stores=40, days=16, seed=5)
    for source in (Source.STORE_STATUS, Source.BUSINESS_HOURS, Source.STORE_TIMEZONES):
        ingest_source(database_url, tmp_path, source, now=DEFAULT_END, run_id=None)
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    whole, parts = read_fleet(database_url), read_fleet(database_url, stores_per_chunk=7)
    assert whole is not None
    assert parts is not None
    assert len(whole.incidents) > 2
    assert whole.previous[2] is not None
    assert parts.store_ids == whole.store_ids
    assert arrays(parts) == arrays(whole)
    assert arrays(parts.figures) == arrays(whole.figures)
    assert arrays(parts.incidents) == arrays(whole.incidents)
    for some, others in zip(parts.previous, whole.previous, strict=True):
        assert some is not None
        assert others is not None
        assert arrays(some) == arrays(others)


def arrays(holder: Fleet | Figures | Incidents | Amounts) -> dict[str, tuple[str, object]]:
    """Every array with its type and its values."""
    values = {field.name: getattr(holder, field.name) for field in fields(holder)}
    return {
        name: (str(value.dtype), value.tolist())
        for name, value in values.items()
        if isinstance(value, np.ndarray)
    }
