"""Business time lost on local dates, by the reasons that events and corrections give."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import Period, divide
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import DAY_US, IntArray
from storemon_pipeline.events.event_texts import EventText, read_event_texts
from storemon_pipeline.events.evidence_queries import read_told_stretches
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_details import read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_stores
from storemon_pipeline.uptime.event_stretches import EventStretches, what_holds

_STORES_PER_CHUNK: Final = 2_000
"""Stores per chunk: their calendar of a year takes about 300 MB."""

_NEAR_US: Final = 2 * DAY_US
"""No local midnight is further from UTC midnight of the same date."""


@dataclass(frozen=True, slots=True)
class PeriodReason:
    """A reason, in how many stores it cost business time, and how much."""

    source: str
    reason: str
    stores: int
    lost_us: int


def read_period_reasons(
    url: str,
    *,
    start: date,
    end: date,
    until: datetime,
    only: AbstractSet[str] | None,
    group: str | None,
    region: str | None,
) -> list[PeriodReason]:
    """The reasons of downtime on local dates in `[start, end)` up to an instant, the largest first.

    Of the stores `only`, or of all, of a group and region or of any. Downtime that no event or
    correction covers has no reason.
    """
    first_us, last_us = (microseconds(datetime.combine(day, time(), UTC)) for day in (start, end))
    since_us = first_us - _NEAR_US
    until_us = min(last_us + _NEAR_US, microseconds(until))
    lost: dict[EventText, int] = {}
    stores_of: dict[EventText, int] = {}
    if since_us >= until_us:
        return []
    with bulk_transaction(url) as bulk:
        stores = _read_chosen(bulk, until, only=only, group=group, region=region)
        down = what_holds(
            read_told_stretches(bulk, stores, since=instant(since_us), until=instant(until_us))
        )
        down = down.take(~down.is_up).clip(since_us, until_us)
        texts = read_event_texts(bulk, down)
        named = np.unique(down.store)
        for first in range(0, len(named), _STORES_PER_CHUNK):
            own = named[first : first + _STORES_PER_CHUNK]
            calendar = read_calendar(bulk, stores.take(own), start_us=since_us, end_us=until_us)
            chunk = down.take(np.isin(down.store, own))
            row, lost_us = _lost_on_dates(
                calendar, chunk, np.searchsorted(own, chunk.store), first_us, last_us
            )
            of_store: dict[tuple[EventText, int], int] = {}
            for event, store, amount in zip(
                chunk.event[row].tolist(),
                chunk.store[row].tolist(),
                lost_us.tolist(),
                strict=True,
            ):
                key = texts[event], store
                of_store[key] = of_store.get(key, 0) + amount
            for (text, _), amount in of_store.items():
                if amount:
                    lost[text] = lost.get(text, 0) + amount
                    stores_of[text] = stores_of.get(text, 0) + 1
    order = sorted(lost, key=lambda text: (-lost[text], text.source, text.reason))
    return [PeriodReason(text.source, text.reason, stores_of[text], lost[text]) for text in order]


def _read_chosen(
    bulk: Bulk,
    as_of: datetime,
    *,
    only: AbstractSet[str] | None,
    group: str | None,
    region: str | None,
) -> StoreIndex:
    stores = read_stores(bulk)
    if only is None and group is None and region is None:
        return stores
    is_chosen = np.ones(len(stores), np.bool_) if only is None else stores.marked(only)
    if group is not None or region is not None:
        details = read_details(bulk, stores, as_of=as_of)
        for wanted, names in ((group, details.groups), (region, details.regions)):
            if wanted is not None:
                is_chosen &= np.array([name == wanted for name in names], np.bool_)
    return stores.take(np.flatnonzero(is_chosen))


def _lost_on_dates(
    calendar: Calendar, down: EventStretches, store: IntArray, first_us: int, last_us: int
) -> tuple[IntArray, IntArray]:
    """Rows of `down`, and the business time of each on local dates in `[first_us, last_us)`.

    `store` is the store of each stretch in the calendar. A row is there once for each piece of time
    on these dates that it overlaps: most stores have one piece.
    """
    days = divide(calendar.local_spans(), Period.DAY)
    kept = (days.begin_local_us >= first_us) & (days.begin_local_us < last_us)
    of_store, start_us, end_us = days.store[kept], days.start_us[kept], days.end_us[kept]
    is_first = np.ones(len(of_store), np.bool_)
    is_first[1:] = (of_store[1:] != of_store[:-1]) | (start_us[1:] != end_us[:-1])
    is_last = np.append(is_first[1:], True)[: len(of_store)]
    of_store, start_us, end_us = of_store[is_first], start_us[is_first], end_us[is_last]
    first = np.searchsorted(of_store, store)
    pieces = np.searchsorted(of_store, store, side="right") - first
    row = np.repeat(np.arange(len(store)), pieces)
    piece = np.repeat(first - np.cumsum(pieces) + pieces, pieces) + np.arange(len(row))
    start = np.maximum(down.start_us[row], start_us[piece])
    end = np.minimum(down.end_us[row], end_us[piece])
    overlaps = start < end
    row, start, end = row[overlaps], start[overlaps], end[overlaps]
    lost_us = calendar.business_us(store[row], end) - calendar.business_us(store[row], start)
    return row, lost_us
