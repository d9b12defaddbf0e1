"""A slow reference for what stands beside a report's figures: history and incidents.

Written from the contract alone, with the stores of `oracle`: every stretch in which no answer can
change is asked once, in its middle. Nothing of the product is imported.
"""

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, pairwise
from typing import Final, Literal

from oracle import HOUR, LOOKBACK, Inputs, _Store, _stores, _us, _wall

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)

Period = Literal["hour", "day", "week", "month"]
Label = tuple[str, int]
"""Where a period begins on the wall clock, and the offset from UTC (0 but for hours)."""


@dataclass(slots=True)
class Amounts:
    """Parts of a period's business time, in microseconds."""

    business: int = 0
    up: int = 0
    down: int = 0
    unknown: int = 0
    uncertain: int = 0
    certain_up: int = 0


@dataclass(frozen=True, slots=True)
class Incident:
    """One incident; polls are microseconds since 1970, None where there is none."""

    start: int
    end: int
    last_active: int | None
    first_inactive: int
    last_inactive: int
    next_active: int | None
    ending: Literal["open", "ended", "no longer polled"]
    lost: int


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch in which nothing changes."""

    start: int
    end: int
    is_business: bool
    state: Literal["up", "down", "unknown"]
    is_certain: bool
    zone: str


def stretches(
    inputs: Inputs, store_id: str, start: datetime, end: datetime, *, as_of: datetime, max_gap: int
) -> list[Stretch]:
    """Fill `[start, end)` with stretches, out of the polls up to `as_of`."""
    store = _stores(_until(inputs, as_of))[store_id]
    low, high = _us(start), _us(end)
    changes = store.business_changes(low, high)
    for before, after in pairwise([None, *store.polled, None]):
        if before is not None:
            changes.update((before, before + LOOKBACK))
        if after is not None:
            changes.update((after, after - LOOKBACK))
        if before is not None and after is not None:
            changes.add((before + after + 1) // 2)
    found = []
    for since, until in pairwise(sorted(at for at in changes if low <= at <= high)):
        inside = since + (until - since) // 2
        found.append(
            Stretch(
                since,
                until,
                store.is_business(inside),
                _state(store, inside),
                store.is_certain(inside, max_gap),
                store.zone(inside),
            )
        )
    return found


def history(found: list[Stretch], period: Period) -> dict[Label, Amounts]:
    """Sum stretches by the local period that they lie in."""
    sums: defaultdict[Label, Amounts] = defaultdict(Amounts)
    for stretch in found:
        at = stretch.start
        while at < stretch.end:
            until = min(_next_full_quarter(stretch.zone, at), stretch.end)
            _count(sums[_label(stretch.zone, at, period)], stretch, until - at)
            at = until
    return dict(sums)


def incidents(
    inputs: Inputs, store_id: str, start: datetime, *, as_of: datetime, max_gap: int
) -> list[Incident]:
    """List the incidents from before all polls up to `as_of`."""
    polls = _stores(_until(inputs, as_of))[store_id]
    found = stretches(inputs, store_id, start, as_of, as_of=as_of, max_gap=max_gap)
    made = []
    for state, group in groupby(found, key=lambda stretch: stretch.state):
        parts = list(group)
        lost = sum(part.end - part.start for part in parts if part.is_business)
        if state == "down" and lost:
            made.append(_incident(polls, parts[0].start, parts[-1].end, lost, _us(as_of)))
    return made


def lost_by_source(inputs: Inputs, store_id: str, start: datetime, end: datetime) -> dict[str, int]:
    """Sum the business time in which an event down holds, by the source of that event."""
    store = _stores(inputs)[store_id]
    told = [event for event in inputs.events if event.store_id == store_id]
    spans = []
    for event in told:
        following = [o.start for o in told if o.source == event.source and o.start > event.start]
        ends = event.end if event.end is not None else min(following, default=end)
        spans.append((_us(event.start), _us(ends), event))
    low, high = _us(start), _us(end)
    changes = store.business_changes(low, high)
    changes.update(at for span in spans for at in span[:2] if low <= at <= high)
    sums: defaultdict[str, int] = defaultdict(int)
    for since, until in pairwise(sorted(changes)):
        inside = since + (until - since) // 2
        held = [span for span in spans if span[0] <= inside < span[1]]
        if held and store.is_business(inside):
            # The one that began last holds; of two that began together, the one told last.
            event = max(enumerate(held), key=lambda pair: (pair[1][0], pair[0]))[1][2]
            if not event.is_up:
                sums[event.source] += until - since
    return dict(sums)


def _incident(store: _Store, start: int, end: int, lost: int, as_of: int) -> Incident:
    inside = [
        polled
        for polled, active in zip(store.polled, store.active, strict=True)
        if start <= polled <= end and not active
    ]
    before = [polled for polled in store.polled if polled < inside[0]]
    after = [polled for polled in store.polled if polled > inside[-1]]
    came_from_sight = before and inside[0] - before[-1] <= 2 * LOOKBACK
    stays_in_sight = after and after[0] - inside[-1] <= 2 * LOOKBACK
    if stays_in_sight:
        ending: Literal["open", "ended", "no longer polled"] = "ended"
    elif after or inside[-1] + LOOKBACK <= as_of:
        ending = "no longer polled"
    else:
        ending = "open"
    return Incident(
        start,
        end,
        before[-1] if came_from_sight else None,
        inside[0],
        inside[-1],
        after[0] if stays_in_sight else None,
        ending,
        lost,
    )


def _until(inputs: Inputs, as_of: datetime) -> Inputs:
    polls = [poll for poll in inputs.polls if poll.polled_at <= as_of]
    # A store stays known by its later polls: a row of another kind names it.
    return Inputs(polls, inputs.hours, inputs.zones, inputs.closures, inputs.special)


def _state(store: _Store, at: int) -> Literal["up", "down", "unknown"]:
    middle = 2 * at + 1
    after = bisect_right(store.polled, at)
    if after == 0:
        return "unknown"
    near = [index for index in (after - 1, after) if 0 <= index < len(store.polled)]
    near = [index for index in near if abs(middle - 2 * store.polled[index]) <= 2 * LOOKBACK]
    if not near:
        return "unknown"
    nearest = min(near, key=lambda index: (abs(middle - 2 * store.polled[index]), index))
    return "up" if store.active[nearest] else "down"


def _count(amounts: Amounts, stretch: Stretch, length: int) -> None:
    if not stretch.is_business:
        return
    amounts.business += length
    match stretch.state:
        case "unknown":
            amounts.unknown += length
            return
        case "up":
            amounts.up += length
        case "down":
            amounts.down += length
    if not stretch.is_certain:
        amounts.uncertain += length
    elif stretch.state == "up":
        amounts.certain_up += length


def _next_full_quarter(zone: str, at: int) -> int:
    """Give the next instant at which a local period may begin, if no clock changes before it."""
    quarter = HOUR // 4
    return at + quarter - _wall(zone, at) % quarter


def _label(zone: str, at: int, period: Period) -> Label:
    wall = _EPOCH + timedelta(microseconds=_wall(zone, at))
    begin = wall.replace(minute=0, second=0, microsecond=0)
    offset = 0
    match period:
        case "hour":
            offset = _wall(zone, at) - at
        case "day":
            begin = begin.replace(hour=0)
        case "week":
            begin = begin.replace(hour=0) - timedelta(days=wall.weekday())
        case "month":
            begin = begin.replace(day=1, hour=0)
    return f"{begin:%Y-%m-%dT%H:%M}", offset
