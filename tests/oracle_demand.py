"""A slow reference for expected sales: every quarter of an hour is asked once.

Written from the manual alone, over the stretches of `oracle_history`. Nothing of the product is
imported.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final, Literal

from oracle import HOUR, _wall
from oracle_history import Label, Period, Stretch, _label, _next_full_quarter

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Week = Mapping[tuple[int, int], int]
"""Sales per hour by weekday and hour, in hundredths of a currency unit; 0 where it has none."""


@dataclass(frozen=True, slots=True)
class Version:
    """A week, and from when it holds; None: always."""

    valid_from: datetime | None
    week: Week


@dataclass(slots=True)
class Sales:
    """Sales by the status of a store, in hundredths times microseconds per hour."""

    up: int = 0
    down: int = 0
    unknown: int = 0


def sales(
    found: Sequence[Stretch], versions: Sequence[Version], period: Period
) -> dict[Label, Sales]:
    """Sum the expected sales of stretches by the local period that they lie in."""
    sums: defaultdict[Label, Sales] = defaultdict(Sales)
    starts = sorted(_us(one.valid_from) for one in versions if one.valid_from is not None)
    for stretch in found:
        at = stretch.start
        while at < stretch.end:
            until = min(_next_full_quarter(stretch.zone, at), stretch.end)
            until = min([until, *(start for start in starts if at < start)])
            if stretch.is_business:
                amount = (until - at) * _rate(versions, stretch.zone, at)
                of_period = sums[_label(stretch.zone, at, period)]
                _add(of_period, stretch.state, amount)
            at = until
    return dict(sums)


def _add(sums: Sales, state: Literal["up", "down", "unknown"], amount: int) -> None:
    match state:
        case "up":
            sums.up += amount
        case "down":
            sums.down += amount
        case "unknown":
            sums.unknown += amount


def _rate(versions: Sequence[Version], zone: str, at: int) -> int:
    """The rate at an instant: of the version that began last, else of the first one."""
    begun = [one for one in versions if one.valid_from is None or _us(one.valid_from) <= at]
    if not begun:
        begun = [min(versions, key=lambda one: _us(one.valid_from or _EPOCH))]
    latest = max(
        begun, key=lambda one: -(10**18) if one.valid_from is None else _us(one.valid_from)
    )
    wall = _EPOCH + timedelta(microseconds=_wall(zone, at) // HOUR * HOUR)
    return latest.week.get((wall.weekday(), wall.hour), 0)


def _us(at: datetime) -> int:
    return (at - _EPOCH) // timedelta(microseconds=1)
