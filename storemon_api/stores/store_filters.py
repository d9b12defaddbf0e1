"""Query parameters that filter and sort lists of stores."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from itertools import compress
from typing import Annotated

import numpy as np
from fastapi import Depends, Query, Request
from pydantic import Field

from storemon_api.http.problems import invalid_field
from storemon_api.security.request_access import visible_stores
from storemon_pipeline.domain.windows import DEFAULT_ZONE, HOUR_US, BoolArray, IntArray, Window
from storemon_pipeline.stores.store_details import StoreDetails
from storemon_pipeline.uptime.store_state import STORE_STATES, StoreState
from storemon_pipeline.views.fleet_view import Fleet


class StoreOrder(StrEnum):
    """Sort key of a list of stores."""

    STORE_ID = "store_id"
    NAME = "name"
    STANDING = "standing"
    SINCE = "since"
    LOST = "lost"
    UPTIME_HOUR = "uptime_hour"
    UPTIME_DAY = "uptime_day"
    UPTIME_WEEK = "uptime_week"
    DOWNTIME_HOUR = "downtime_hour"
    DOWNTIME_DAY = "downtime_day"
    DOWNTIME_WEEK = "downtime_week"
    LAST_POLL = "last_poll"
    SALES_LOST = "sales_lost"
    SALES_LOST_HOUR = "sales_lost_hour"
    SALES_LOST_DAY = "sales_lost_day"
    SALES_LOST_WEEK = "sales_lost_week"


class Direction(StrEnum):
    """Sort direction."""

    ASCENDING = "asc"
    DESCENDING = "desc"


_SHARES = (StoreOrder.UPTIME_HOUR, StoreOrder.UPTIME_DAY, StoreOrder.UPTIME_WEEK)
_SALES = (StoreOrder.SALES_LOST_HOUR, StoreOrder.SALES_LOST_DAY, StoreOrder.SALES_LOST_WEEK)
_LOSSES = (StoreOrder.DOWNTIME_HOUR, StoreOrder.DOWNTIME_DAY, StoreOrder.DOWNTIME_WEEK)


Percentage = Annotated[Decimal, Field(ge=0, le=100, max_digits=7, decimal_places=4)]

Objective = Annotated[
    Percentage | None,
    Query(
        description="A percentage to hold the likely ranges against; adds `verdict`.",
        examples=[98.5],
    ),
]
"""What uptime should at least be, as a percentage of business time."""


@dataclass(frozen=True, slots=True)
class StoreFilter:
    """Conditions on the listed stores; None means any."""

    q: str | None
    group: str | None
    region: str | None
    timezone: str | None
    only: AbstractSet[str] | None
    """Ids of the stores that the request may see; None means all."""

    def matches(self, store_ids: list[str], details: StoreDetails) -> BoolArray:
        """Return which stores match, shape `(stores,)`."""
        only = self.only
        kept = np.array([only is None or store_id in only for store_id in store_ids], np.bool_)
        zones = [zone or DEFAULT_ZONE for zone in details.timezones]
        for accepted, values in (
            (self.group, details.groups),
            (self.region, details.regions),
            (self.timezone, zones),
        ):
            if accepted is not None:
                kept &= np.array([value == accepted for value in values], np.bool_)
        if self.q:
            words = self.q.strip().casefold()
            kept &= np.array(
                [
                    words in store_id.casefold() or words in (name or "").casefold()
                    for store_id, name in zip(store_ids, details.names, strict=True)
                ],
                np.bool_,
            )
        return kept


async def _store_filter(
    request: Request,
    q: Annotated[str | None, Query(description="Part of the id or the name.")] = None,
    group: str | None = None,
    region: str | None = None,
    timezone: str | None = None,
) -> StoreFilter:
    check_texts(group=group, region=region, timezone=timezone)
    return StoreFilter(q, group, region, timezone, visible_stores(request))


StoreFilterDep = Annotated[StoreFilter, Depends(_store_filter)]


def check_texts(**values: str | None) -> None:
    """Raise a 422 problem for a parameter that the database cannot store as text."""
    for name, value in values.items():
        if value is not None and not is_storable(value):
            raise invalid_field(name, f"`{name}` holds a character that no name can have.")


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can store this text: no NUL, no lone surrogate."""
    return "\x00" not in text and not any("\ud800" <= letter <= "\udfff" for letter in text)


def is_in_state(fleet: Fleet, states: list[StoreState]) -> BoolArray:
    """Which stores stand so, shape `(stores,)`."""
    return np.isin(fleet.state, [STORE_STATES.index(state) for state in states])


NeverOnline = Annotated[
    bool | None,
    Query(
        description="Whether the stores that were open in the last week and never up are "
        "listed alone (`true`) or left out (`false`)."
    ),
]


def was_never_online(fleet: Fleet) -> BoolArray:
    """Which stores were open in the last week and never up, shape `(stores,)`."""
    which: BoolArray = (_of_week(fleet, "business_us") > 0) & (_of_week(fleet, "uptime_us") == 0)
    return which


def never_online_ids(fleet: Fleet | None) -> frozenset[str]:
    """Return the ids of the stores that `was_never_online` names; none without polls."""
    if fleet is None:
        return frozenset()
    return frozenset(compress(fleet.store_ids, was_never_online(fleet).tolist()))


@dataclass(frozen=True, slots=True)
class WeekFilter:
    """Conditions on the last week of the listed stores; None means any."""

    never_online: bool | None
    min_open_hours: float | None

    def matches(self, fleet: Fleet) -> BoolArray:
        """Return which stores match, shape `(stores,)`."""
        kept = np.ones(len(fleet.store_ids), np.bool_)
        if self.never_online is not None:
            kept &= was_never_online(fleet) == self.never_online
        if self.min_open_hours is not None:
            kept &= _of_week(fleet, "business_us") >= self.min_open_hours * HOUR_US
        return kept


async def _week_filter(
    never_online: NeverOnline = None,
    min_open_hours: Annotated[
        float | None, Query(ge=0, le=168, description="At least these opening hours in 7 days.")
    ] = None,
) -> WeekFilter:
    return WeekFilter(never_online, min_open_hours)


WeekFilterDep = Annotated[WeekFilter, Depends(_week_filter)]


def _of_week(fleet: Fleet, field: str) -> IntArray:
    """An amount of the last week, shape `(stores,)`; 0 for stores without figures."""
    week = list(Window).index(Window.WEEK)
    amount = np.zeros(len(fleet.figure_row), np.int64)
    has_figures = fleet.figure_row >= 0
    amount[has_figures] = getattr(fleet.figures, field)[fleet.figure_row[has_figures], week]
    return amount


def ordered(fleet: Fleet, found: IntArray, sort: StoreOrder, order: Direction) -> IntArray:
    """Return the positions sorted by `sort`, stores without a value last.

    Ties of downtime are in the order of the uptime's share, the lowest first where most downtime
    comes first. Ties of the share are in the order of the downtime, the most first where the lowest
    share comes first; and among stores that were always up, the longest opening time comes first.
    All other ties are by id. Amounts of money are compared within a currency only, one currency
    after the other.
    """
    if sort is StoreOrder.SALES_LOST or sort in _SALES:
        return _by_sales(fleet, found, sort, order)
    value, is_known = _values(fleet, found, sort)
    sign = -1 if order is Direction.DESCENDING else 1
    tie = np.zeros(len(found), np.int64)
    if sort in _LOSSES:
        tie = -_values(fleet, found, _SHARES[_LOSSES.index(sort)])[0]
    elif sort in _SHARES and len(fleet.figures.store):
        column, row = _SHARES.index(sort), fleet.figure_row[found]
        down = fleet.figures.downtime_us[row, column]
        tie = np.where(down > 0, -down, fleet.figures.business_us[row, column])
    return found[np.lexsort((found, sign * tie, sign * value, ~is_known))]


def _by_sales(fleet: Fleet, found: IntArray, sort: StoreOrder, order: Direction) -> IntArray:
    sales = fleet.sales
    if sales is None:
        return found
    currencies = sorted({one for one in sales.currency if one is not None})
    number = {currency: place for place, currency in enumerate(currencies)}
    unknown = len(currencies)
    currency = np.array(
        [number.get(sales.currency[position] or "", unknown) for position in found.tolist()],
        np.int64,
    )
    if sort is StoreOrder.SALES_LOST:
        row = fleet.incident_row[found]
        is_known = row >= 0
        lost = sales.incidents.lost.take(np.maximum(row, 0)) if is_known.any() else None
    else:
        is_known = fleet.figure_row[found] >= 0
        lost = sales.windows[_SALES.index(sort)].lost.take(found)
    if lost is None:
        return found
    is_known &= currency < unknown
    sign = -1 if order is Direction.DESCENDING else 1
    return found[np.lexsort((found, sign * lost.part, sign * lost.whole, currency, ~is_known))]


def _values(fleet: Fleet, found: IntArray, sort: StoreOrder) -> tuple[IntArray, BoolArray]:
    """Return the sort values and which of them are known."""
    value, known = found, np.ones(len(found), np.bool_)
    if sort is StoreOrder.NAME:
        names = [fleet.details.names[position] for position in found.tolist()]
        rank = {name: number for number, name in enumerate(sorted({name or "" for name in names}))}
        value = np.array([rank[name or ""] for name in names], np.int64)
        known = np.array([name is not None for name in names], np.bool_)
    elif sort is StoreOrder.STANDING:
        value = fleet.state[found].astype(np.int64)
    elif sort is StoreOrder.LAST_POLL:
        value, known = fleet.last_poll_us[found], fleet.has_poll[found]
    elif sort in {StoreOrder.SINCE, StoreOrder.LOST}:
        row = fleet.incident_row[found]
        known = row >= 0
        of_incident = (
            fleet.incidents.start_us if sort is StoreOrder.SINCE else fleet.incidents.lost_us
        )
        value = of_incident[row] if len(of_incident) else found
    elif sort in _SHARES:
        column, row = _SHARES.index(sort), fleet.figure_row[found]
        figures = fleet.figures
        if len(figures.store):
            business = figures.business_us[row, column]
            value = figures.uptime_us[row, column] * 1_000_000 // np.maximum(business, 1)
            known = (row >= 0) & (business > 0)
        else:
            known = row >= 0
    elif sort in _LOSSES:
        row = fleet.figure_row[found]
        known = row >= 0
        if len(fleet.figures.store):
            value = fleet.figures.downtime_us[row, _LOSSES.index(sort)]
    return value, known
