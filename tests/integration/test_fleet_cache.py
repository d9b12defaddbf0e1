"""What all requests share is made anew in the background, and is never older than a question."""

import asyncio
import time
from datetime import timedelta

import sqlalchemy as sa

from stored import at, load
from storemon_api.events import Announcer
from storemon_api.fleet_cache import FleetCache


def test_newer_data_is_made_ready_while_nobody_asks_or_listens(
    database_url: str, engine: sa.Engine
) -> None:
    load(database_url, "A 09:00 up")
    fleet = FleetCache(database_url, engine)

    async def wait_until_current() -> None:
        deadline = time.monotonic() + 20
        while not await asyncio.to_thread(fleet.is_current):
            assert time.monotonic() < deadline, "nothing was made in the background"
            await asyncio.sleep(0.05)

    async def watch() -> None:
        announcer = Announcer(fleet)
        announcer.start()
        await wait_until_current()
        await asyncio.to_thread(load, database_url, "A 10:00 down")
        assert not fleet.is_current()
        await wait_until_current()
        await announcer.stop()

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
