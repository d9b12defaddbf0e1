"""Planned closures as an iCalendar feed (RFC 5545), of one store or of all."""

from collections.abc import Set as AbstractSet
from datetime import UTC, datetime, timedelta
from typing import Final
from uuid import NAMESPACE_URL, uuid5

import numpy as np
from icalendar import Calendar, Event

from storemon_pipeline.business_time.zones import local_to_utc_us
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.files.icalendar_events import OPEN_END, STORE_MARK
from storemon_pipeline.schedules.closures import EVERY_STORE_ID, StoredClosure, read_closures
from storemon_pipeline.stores.store_details import read_zones_of
from storemon_pipeline.stores.store_index import read_store
from storemon_pipeline.views.store_view import UnknownStoreError

MOST_CLOSURES: Final = 10_000
_NO_REASON: Final = "Closed"
_KEPT: Final = timedelta(days=366)
_DAY: Final = timedelta(days=1)


class TooManyClosuresError(Exception):
    """There are more than MOST_CLOSURES closures for one feed."""


def closure_feed(
    url: str, *, store_id: str | None, only_stores: AbstractSet[str] | None, now: datetime
) -> bytes:
    """The closures of a store, or of `only_stores` (None: of all), that are not over for a year.

    Those of every store are among them. Raises UnknownStoreError and TooManyClosuresError.
    """
    with bulk_transaction(url) as bulk:
        if store_id is not None:
            if read_store(bulk, store_id) is None:
                raise UnknownStoreError
            only_stores = {store_id}
        closures = read_closures(
            bulk,
            only_stores=only_stores,
            ended_after=now.replace(tzinfo=None) - _KEPT,
            limit=MOST_CLOSURES + 1,
        )
        ids = {closure.store_id for closure in closures} - {EVERY_STORE_ID}
        zones = read_zones_of(bulk, ids if store_id is None else {store_id}, as_of=now)
    if len(closures) > MOST_CLOSURES:
        raise TooManyClosuresError
    calendar = Calendar()
    calendar.add("prodid", "-//storemon//closures//EN")
    calendar.add("version", "2.0")
    calendar.add("x-wr-calname", f"Closures of {store_id}" if store_id else "Closures")
    for closure in closures:
        # In the feed of a store, closures of every store are by its clock; else by nobody's.
        zone = zones.get(store_id or closure.store_id)
        calendar.add_component(_event(closure, zone, feed=store_id or ""))
    feed: bytes = calendar.to_ical()
    return feed


def _event(closure: StoredClosure, zone: str | None, *, feed: str) -> Event:
    """The closure as an event; without a zone its times are those of whoever reads them."""
    event = Event()
    identity = f"{feed} {closure.closure_id} {closure.loaded_at.isoformat()}"
    event.add("uid", str(uuid5(NAMESPACE_URL, f"storemon:{identity}")))
    event.add("dtstamp", closure.loaded_at)
    event.add("summary", closure.reason or _NO_REASON)
    if closure.store_id != EVERY_STORE_ID:
        event.add("location", f"{STORE_MARK}{closure.store_id}")
    start, end = closure.start_local, closure.end_local
    if end is None:
        # Events have an end: such a closure is a day that is repeated without end.
        event.add("rrule", {"freq": "daily"})
        event.add(OPEN_END, "TRUE")
        end = start + _DAY
    event.add("dtstart", _time(start, zone))
    event.add("dtend", _time(end, zone))
    return event


def _time(local: datetime, zone: str | None) -> datetime:
    """The instant of a local time to the second; without a zone the local time itself."""
    local = local.replace(microsecond=0)
    if zone is None:
        return local
    local_us = microseconds(local.replace(tzinfo=UTC))
    (at_us,), _ = local_to_utc_us(zone, np.array([local_us], np.int64))
    return instant(int(at_us))
