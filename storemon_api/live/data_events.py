"""Server-sent events about new data. One database poll serves all streams.

The same poll refreshes the fleet cache before the first request needs it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from typing import Annotated, Final

import adbc_driver_manager
import sqlalchemy as sa
from fastapi import Depends
from fastapi.concurrency import run_in_threadpool
from fastapi.sse import ServerSentEvent

from storemon_api.http.services import from_state
from storemon_api.live.fleet_cache import FleetCache
from storemon_pipeline.figures.compute_uptime import InvariantError
from storemon_pipeline.figures.data_version import DataVersion
from storemon_pipeline.files.folders import UnreachableError
from storemon_pipeline.lake_files.manifest import NoLakeError

_POLL_SECONDS: Final = 2.0
_REST_FACTOR: Final = 5
"""After a refresh that took t seconds, the next one waits 5 t: at most a sixth of the time is spent
on refreshing while data keeps arriving."""
_CHECK_SECONDS: Final = 5.0
"""Delay of the data check after an event, so that open pages get everything else first."""
_ACCESS_CHECK_SECONDS: Final = 0.5
_STREAM_SECONDS: Final = 240.0
"""A stream ends after this time and the browser reconnects, so abandoned streams go away."""

_logger = logging.getLogger(__name__)


class DataEvents:
    """Polls the version of the data and wakes the streams. Belongs to one event loop."""

    def __init__(self, fleet: FleetCache) -> None:
        self._fleet = fleet
        self._version: DataVersion | None = None
        self._checked: DataVersion | None = None
        self._rest_until = 0.0
        self._check_after = 0.0
        self._changed = asyncio.Event()
        self._watch: asyncio.Task[None] | None = None
        self._stopping = asyncio.Event()

    def start(self) -> None:
        """Start polling in the running event loop."""
        self._watch = asyncio.create_task(self._poll_forever())

    async def stop(self, time_limit: timedelta) -> None:
        """End all streams and stop polling; a poll that has begun may end within the limit."""
        self._stopping.set()
        self._changed.set()
        if self._watch is not None:
            await asyncio.wait([self._watch], timeout=time_limit.total_seconds())
            self._watch.cancel()

    async def stream(
        self, *, has_load_ids: bool, is_allowed: Callable[[], bool]
    ) -> AsyncIterator[ServerSentEvent]:
        """Yield an event for the current data, and one whenever newer data arrives.

        Ends after some minutes, at shutdown, and soon after `is_allowed` becomes false.
        """
        loop = asyncio.get_running_loop()
        until = loop.time() + _STREAM_SECONDS
        sent: DataVersion | None = None
        yield ServerSentEvent(retry=2_000)
        while not self._stopping.is_set() and is_allowed() and loop.time() < until:
            if self._version is not None and self._version != sent:
                sent = self._version
                yield _event(sent, has_load_ids=has_load_ids)
            changed = self._changed
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(changed.wait(), _ACCESS_CHECK_SECONDS)

    async def _poll_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while not self._stopping.is_set():
            try:
                if loop.time() >= self._rest_until:
                    await self._poll_database(loop)
            except (sa.exc.SQLAlchemyError, adbc_driver_manager.Error) as error:
                _logger.info("The database is not available to poll for new data: %s", error)
            except (NoLakeError, UnreachableError) as error:
                _logger.info("The lake cannot be read for the fleet cache: %s", error)
            except InvariantError:
                _logger.exception("The fleet cache could not be refreshed; no event is sent")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _POLL_SECONDS)

    async def _poll_database(self, loop: asyncio.AbstractEventLoop) -> None:
        version = await run_in_threadpool(self._fleet.version)
        if version != self._version:
            # Refreshed before the event, so that the requests it causes need not wait.
            began = loop.time()
            await run_in_threadpool(self._fleet.fleet, None)
            self._version = version
            changed, self._changed = self._changed, asyncio.Event()
            changed.set()
            self._rest_until = self._rest_after(loop, began)
            self._check_after = max(self._check_after, loop.time() + _CHECK_SECONDS)
        if (
            version != self._checked
            and loop.time() >= self._check_after
            and not self._stopping.is_set()
        ):
            began = loop.time()
            await run_in_threadpool(self._fleet.data_check, None)
            self._checked = version
            self._check_after = self._rest_after(loop, began)

    def _rest_after(self, loop: asyncio.AbstractEventLoop, began: float) -> float:
        """Return when work that began then may be repeated."""
        return loop.time() + _REST_FACTOR * (loop.time() - began)


def _event(version: DataVersion, *, has_load_ids: bool) -> ServerSentEvent:
    data = {
        "load_id": version.load_id if has_load_ids else None,
        "refreshed_at": version.refreshed_at and version.refreshed_at.isoformat(),
    }
    return ServerSentEvent(event="data", data=data)


DataEventsDep = Annotated[DataEvents, Depends(from_state("data_events"))]
