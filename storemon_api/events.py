"""Telling open pages that there is new data: one look at the database for all of them."""

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from typing import Final

import adbc_driver_manager
import sqlalchemy as sa
from fastapi.concurrency import run_in_threadpool

from storemon_api.fleet_cache import FleetCache
from storemon_pipeline.storage.fleet_version import FleetVersion

_LOOK_SECONDS: Final = 2.0
_KEEP_ALIVE_SECONDS: Final = 15.0
_STREAM_SECONDS: Final = 240.0
"""A stream ends by itself, and the browser opens the next: none is forgotten for ever."""

_logger = logging.getLogger(__name__)


class Announcer:
    """Looks for newer data while anybody listens, and wakes the listeners; of one event loop."""

    def __init__(self, fleet: FleetCache) -> None:
        self._fleet = fleet
        self._version: FleetVersion | None = None
        self._changed = asyncio.Event()
        self._listeners = 0
        self._watch: asyncio.Task[None] | None = None
        self._is_stopping = False

    def start(self) -> None:
        """Begin to look, in the running event loop."""
        self._watch = asyncio.create_task(self._look_for_ever())

    async def stop(self) -> None:
        """End all streams and stop to look."""
        self._is_stopping = True
        self._changed.set()
        if self._watch is not None:
            self._watch.cancel()

    async def stream(self, *, has_load_ids: bool) -> AsyncIterator[bytes]:
        """Yield a server-sent event for the data of now, and one whenever there is newer data."""
        self._listeners += 1
        loop = asyncio.get_running_loop()
        until = loop.time() + _STREAM_SECONDS
        told: FleetVersion | None = None
        try:
            yield b"retry: 2000\n\n"
            while not self._is_stopping and loop.time() < until:
                if self._version is not None and self._version != told:
                    told = self._version
                    yield _event(told, has_load_ids=has_load_ids)
                changed = self._changed
                try:
                    await asyncio.wait_for(changed.wait(), _KEEP_ALIVE_SECONDS)
                except TimeoutError:
                    yield b": still here\n\n"
        finally:
            self._listeners -= 1

    async def _look_for_ever(self) -> None:
        # The first look is for nobody: it makes the fleet before the first page asks for it.
        await self._look()
        while True:
            await asyncio.sleep(_LOOK_SECONDS)
            if self._listeners:
                await self._look()

    async def _look(self) -> None:
        try:
            version = await run_in_threadpool(self._fleet.version)
            if version == self._version:
                return
            # Made before it is announced, so that the pages that then ask need not wait.
            await run_in_threadpool(self._fleet.fleet, None)
        except (sa.exc.SQLAlchemyError, adbc_driver_manager.Error) as error:
            _logger.info("No database to look for newer data: %s", error)
            return
        self._version = version
        changed, self._changed = self._changed, asyncio.Event()
        changed.set()


def _event(version: FleetVersion, *, has_load_ids: bool) -> bytes:
    load_id, refreshed_at = version
    shown_id = load_id if has_load_ids else None
    data = {"load_id": shown_id, "refreshed_at": refreshed_at and refreshed_at.isoformat()}
    return f"event: data\ndata: {json.dumps(data)}\n\n".encode()
