"""A slow reference for every figure of a report, written from the contract alone.

Here belongs what the contract says, asked of one instant at a time: business time is read off the
zone's own clock, a status is looked up in the raw polls. Nothing of the product is imported, no
array library is used, and speed is sought only by remembering a zone's clock changes.

The method: list every instant at which any answer could change, then ask once inside each stretch
between two of them. Instants are integers, microseconds since 1970-01-01T00:00Z; a wall clock is
the same count on that clock. An instant stands for the microsecond that it begins, so a distance
is measured from the middle of that microsecond (in half microseconds, to stay with integers).
"""

import csv
import io
import re
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal, localcontext
from fractions import Fraction
from functools import cache
from itertools import chain, pairwise
from pathlib import Path
from typing import Final, Generic, Literal, TypeVar
from zoneinfo import ZoneInfo, available_timezones

SECOND: Final = 1_000_000
MINUTE: Final = 60 * SECOND
HOUR: Final = 60 * MINUTE
DAY: Final = 24 * HOUR
WEEK: Final = 7 * DAY
LOOKBACK: Final = 192 * HOUR
DEFAULT_MAX_GAP: Final = 3 * HOUR
WINDOWS: Final = (HOUR, DAY, WEEK)
FIGURE_UNITS: Final = (MINUTE, HOUR, HOUR)

EVERY_STORE: Final = "*"
ZONE_OF_LAST_RESORT: Final = "America/Chicago"
FURTHEST_FUTURE: Final = timedelta(minutes=5)

HEADER: Final = (
    "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),uptime_last_week(in hours),"
    "downtime_last_hour(in minutes),downtime_last_day(in hours),downtime_last_week(in hours)"
)

Policy = Literal["nearest", "previous"]
Rule = Literal["any_up", "all_up", "share"]
ValidFrom = datetime | Literal["always"] | None
PerWindow = tuple[int, int, int]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_WALL_EPOCH: Final = datetime.fromisoformat("1970-01-01")
_MICROSECOND: Final = timedelta(microseconds=1)
_MONDAY: Final = 4 * DAY  # 1970-01-05
_ALWAYS: Final = -(10**18)  # before any year that a datetime can name
_TIME_OF_DAY: Final = re.compile(r"(\d{1,2}):([0-5]\d)(?::([0-5]\d)(?:\.(\d+))?)?", re.ASCII)
_DATE_AND_TIME: Final = re.compile(r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d", re.ASCII)
_PLAIN_INTEGER: Final = re.compile(r"[+-]?[0-9]+")


@dataclass(frozen=True, slots=True)
class Poll:
    """One row of store_status; `polled_at` is aware."""

    store_id: str
    polled_at: datetime
    is_active: bool


@dataclass(frozen=True, slots=True)
class HoursRow:
    """One row of business_hours; times as text or as microseconds since local midnight."""

    store_id: str
    day: int
    start: str | int
    end: str | int
    valid_from: ValidFrom = None
    loaded_at: datetime = _EPOCH


@dataclass(frozen=True, slots=True)
class ZoneRow:
    """One row of store_timezones."""

    store_id: str
    timezone: str
    valid_from: ValidFrom = None
    loaded_at: datetime = _EPOCH


@dataclass(frozen=True, slots=True)
class Closure:
    """Closed from `start` up to `end` (None: open end) on the store's wall clock; `*` is all."""

    store_id: str
    start: datetime
    end: datetime | None = None


@dataclass(frozen=True, slots=True)
class SpecialRow:
    """Hours of one local date in place of the weekly ones; without `start` and `end`: closed."""

    store_id: str
    day: date
    start: str | int | None = None
    end: str | int | None = None
    valid_from: ValidFrom = None
    loaded_at: datetime = _EPOCH
    is_pushed: bool = False


@dataclass(frozen=True, slots=True)
class Event:
    """One row of store_events; `end` None lasts until the next event of the same source."""

    store_id: str
    start: datetime
    end: datetime | None
    is_up: bool
    source: str = ""


@dataclass(frozen=True, slots=True)
class Channel:
    """One row of channels: the polls and events of `channel_store_id` are of a store's channel."""

    store_id: str
    channel: str
    channel_store_id: str


@dataclass(frozen=True, slots=True)
class Correction:
    """One row of corrections: `[start, end)` is up, down, or with None no business time."""

    store_id: str
    start: datetime
    end: datetime
    is_up: bool | None


@dataclass(frozen=True, slots=True)
class Inputs:
    """All rows, each kind in the order of its arrival."""

    polls: Sequence[Poll] = ()
    hours: Sequence[HoursRow] = ()
    zones: Sequence[ZoneRow] = ()
    closures: Sequence[Closure] = ()
    special: Sequence[SpecialRow] = ()
    events: Sequence[Event] = ()
    channels: Sequence[Channel] = ()
    corrections: Sequence[Correction] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One store's row, in microseconds of the last hour, day and week."""

    business_us: PerWindow
    uptime_us: PerWindow
    downtime_us: PerWindow
    lowest_uptime_us: PerWindow
    highest_uptime_us: PerWindow
    observed_us: PerWindow

    @property
    def figures(self) -> tuple[Decimal, ...]:
        """The six figures in the order of the CSV's columns."""
        amounts = self.uptime_us + self.downtime_us
        return tuple(map(rounded, amounts, FIGURE_UNITS * 2))


@dataclass(frozen=True, slots=True)
class Report:
    """The rows by store id, and how many known stores have none."""

    rows: Mapping[str, Row]
    silent_stores: int


def make_report(
    inputs: Inputs,
    *,
    as_of: datetime | None = None,
    policy: Policy = "nearest",
    max_gap: int = DEFAULT_MAX_GAP,
    rule: Rule = "any_up",
) -> Report:
    """Give the report at `as_of`, which is the newest poll unless it is named.

    `max_gap` is an even number of microseconds. A store is known when any row names it. `rule` says
    when a store with several storefronts is up.
    """
    if as_of is None:
        as_of = max(poll.polled_at for poll in inputs.polls)
    stores, fronts = _stores_with_fronts(inputs)
    rows = {}
    for store_id, store in stores.items():
        own = [
            front
            for front in fronts.get(store_id, [])
            if front.has_poll(_us(as_of)) or front.has_event(_us(as_of))
        ]
        if own:
            rows[store_id] = _row_of_fronts(
                store, own, _us(as_of), policy=policy, max_gap=max_gap, rule=rule
            )
        elif store.has_poll(_us(as_of)) or store.has_event(_us(as_of)):
            rows[store_id] = _row(store, _us(as_of), policy=policy, max_gap=max_gap)
    return Report(rows, silent_stores=len(stores) - len(rows))


def business_time(inputs: Inputs, store_id: str, start: datetime, end: datetime) -> int:
    """Give the business time of a known store in `[start, end)`, in microseconds."""
    store = _stores(inputs)[store_id]
    stretches = pairwise(sorted(store.business_changes(_us(start), _us(end))))
    return sum(until - since for since, until in stretches if store.is_business(since))


def rounded(amount_us: int, unit_us: int) -> Decimal:
    """Give the amount in units, rounded half-even to four decimals."""
    with localcontext(prec=60):
        return (Decimal(amount_us) / unit_us).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)


def report_csv(report: Report) -> str:
    """Write the report as the contract's CSV."""
    text = io.StringIO()
    text.write(HEADER + "\n")
    writer = csv.writer(text, lineterminator="\n")
    for store_id in sorted(report.rows, key=str.encode):
        figures = report.rows[store_id].figures
        writer.writerow([spreadsheet_safe(store_id), *(f"{figure:f}" for figure in figures)])
    return text.getvalue()


def spreadsheet_safe(store_id: str) -> str:
    """Put a quote before a store id that a spreadsheet could run."""
    is_formula = store_id[:1] in set("=+-@\t\r") and not _PLAIN_INTEGER.fullmatch(store_id)
    return f"'{store_id}" if is_formula else store_id


def read_csvs(folder: Path, *, now: datetime, stores: Collection[str] | None = None) -> Inputs:
    """Read a data folder's files as one load at `now`, leaving out rows that are to be rejected.

    With `stores`, rows of other stores are left out too, before anything in them is parsed.
    """
    polls = _records(folder, ("store_status.csv",), stores)
    hours = _records(folder, ("business_hours.csv", "menu_hours.csv"), stores)
    zones = _records(folder, ("store_timezones.csv", "timezones.csv"), stores)
    closures: Iterable[Mapping[str, str]] = ()
    if (folder / "closures.csv").exists():
        of_stores = None if stores is None else {*stores, EVERY_STORE}
        closures = _records(folder, ("closures.csv",), of_stores)
    return Inputs(
        polls=list(_readable(_poll(record, now) for record in polls)),
        hours=list(_readable(_hours_row(record, now) for record in hours)),
        zones=list(_readable(_zone_row(record, now) for record in zones)),
        closures=list(_readable(_closure(record) for record in closures)),
    )


def clock_changes(zone: str, start: datetime, end: datetime) -> list[datetime]:
    """List the instants in `(start, end]` at which the zone's offset from UTC changes."""
    changes, _ = _offsets(zone, _us(start), _us(end))
    return [_EPOCH + change * _MICROSECOND for change in changes]


Value = TypeVar("Value")
AnyRow = TypeVar("AnyRow", Poll, HoursRow, ZoneRow, SpecialRow, Event)


@dataclass(slots=True)
class _Versions(Generic[Value]):
    """What held from when on, in the order of loading."""

    starts: list[int] = field(default_factory=list)
    values: list[Value] = field(default_factory=list)

    def at(self, at_us: int) -> Value | None:
        best: int | None = None
        for index, start in enumerate(self.starts):
            if start <= at_us and (best is None or start >= self.starts[best]):
                best = index
        return None if best is None else self.values[best]

    def earliest(self) -> Value | None:
        return self.at(min(self.starts)) if self.starts else None


@dataclass(slots=True)
class _Store:
    """Everything known of one store, and the questions that can be asked of an instant."""

    polled: list[int] = field(default_factory=list)
    active: list[bool] = field(default_factory=list)
    weeks: _Versions[frozenset[tuple[int, int]]] = field(default_factory=_Versions)
    zones: _Versions[str] = field(default_factory=_Versions)
    closures: list[tuple[int, int | None]] = field(default_factory=list)
    special: dict[int, _Versions[frozenset[tuple[int, int]]]] = field(default_factory=dict)
    events: list[tuple[int, int | None, bool]] = field(default_factory=list)
    corrections: list[tuple[int, int, bool | None]] = field(default_factory=list)

    def zone(self, at_us: int) -> str:
        return self.zones.at(at_us) or self.zones.earliest() or ZONE_OF_LAST_RESORT

    def correction(self, at_us: int) -> bool | None:
        """Tell what a correction counts the instant as; None without one."""
        return next((up for start, end, up in self.corrections if start <= at_us < end), None)

    def told(self, at_us: int, as_of_us: int) -> bool | None:
        """Tell what a correction says, or else the event that holds."""
        corrected = self.correction(at_us)
        return self.event(at_us, as_of_us) if corrected is None else corrected

    def is_business(self, at_us: int) -> bool:
        if any(up is None and start <= at_us < end for start, end, up in self.corrections):
            return False
        wall = _wall(self.zone(at_us), at_us)
        if any(start <= wall and (end is None or wall < end) for start, end in self.closures):
            return False
        midnight = wall - wall % DAY
        return any(
            start <= wall - day < end
            for day in (midnight, midnight - DAY, midnight - 2 * DAY)
            for start, end in self.hours_of(day, at_us)
        )

    def hours_of(self, midnight: int, at_us: int) -> set[tuple[int, int]]:
        """Give the intervals that start on a local date, as known at an instant."""
        special = self.special[midnight].at(at_us) if midnight in self.special else None
        if special is not None:
            return set(special)
        week = self.weeks.at(at_us)
        if week is None:
            return {(0, DAY)}
        since_monday = (midnight - _MONDAY) % WEEK
        return {
            (start % DAY, start % DAY + end - start)
            for start, end in week
            if start % WEEK - start % DAY == since_monday
        }

    def business_changes(self, start_us: int, end_us: int) -> set[int]:
        """Both ends, and every instant between them at which business time may begin or end."""
        changes = {start_us, end_us, *self.weeks.starts, *self.zones.starts}
        changes.update(at for correction in self.corrections for at in correction[:2])
        walls = {wall for closure in self.closures for wall in closure if wall is not None}
        edges = {edge % WEEK for week in self.weeks.values for times in week for edge in times}
        monday = start_us - (start_us - _MONDAY) % WEEK - WEEK
        while monday < end_us + WEEK:
            walls.update(monday + edge for edge in edges)
            walls.update(monday + day * DAY for day in range(7) if self.special)
            monday += WEEK
        for midnight, versions in self.special.items():
            changes.update(versions.starts)
            walls.update(midnight + edge for day in versions.values for at in day for edge in at)
        for zone in {*self.zones.values} or {ZONE_OF_LAST_RESORT}:
            zone_changes, offsets = _offsets(zone, start_us, end_us)
            changes.update(zone_changes)
            changes.update(wall - offset for wall in walls for offset in offsets)
        return {change for change in changes if start_us <= change <= end_us}

    def has_poll(self, as_of_us: int) -> bool:
        first, last = self.counted(as_of_us)
        return first <= last

    def counted(self, as_of_us: int) -> tuple[int, int]:
        """Index of the first and of the last poll that counts."""
        first = bisect_right(self.polled, as_of_us - LOOKBACK)
        return first, bisect_right(self.polled, as_of_us) - 1

    def has_event(self, as_of_us: int) -> bool:
        return any(
            start <= as_of_us and (end is None or end > as_of_us - LOOKBACK)
            for start, end, _ in self.events
        )

    def event(self, at_us: int, as_of_us: int) -> bool | None:
        """Tell what the event says that holds, which is the one that began last."""
        held: tuple[int, bool] | None = None
        for start, end, is_up in self.events:
            covers = start <= at_us and start <= as_of_us and (end is None or at_us < end)
            if covers and (held is None or start >= held[0]):
                held = start, is_up
        return None if held is None else held[1]

    def outside(self, as_of_us: int, max_gap: int) -> "_Outside":
        """What is known beside the events: polls, and the edges of events inside a run."""
        first, last = self.counted(as_of_us)
        told = {
            polled: self.active[index]
            for index, polled in enumerate(self.polled[: last + 1])
            if index >= first and self.event(polled, as_of_us) is None
        }
        edges = []
        for edge in sorted({at for event in self.events for at in event[:2] if at is not None}):
            before, after = (self.event(at, as_of_us) is not None for at in (edge - 1, edge))
            if before == after or not as_of_us - LOOKBACK < edge <= as_of_us:
                continue
            edges.append(edge)
            if self.is_certain(edge - 1, max_gap) and (after or edge not in self.polled):
                told[edge] = self.active[bisect_right(self.polled, edge - 1) - 1]
        return _Outside(sorted(told), [told[at] for at in sorted(told)], edges)

    def is_active(self, at_us: int, as_of_us: int, policy: Policy) -> bool:
        first, last = self.counted(as_of_us)
        before = bisect_right(self.polled, at_us) - 1
        if before < first:
            return self.active[first]
        if policy == "previous" or before == last:
            return self.active[before]
        middle = 2 * at_us + 1
        since, until = middle - 2 * self.polled[before], 2 * self.polled[before + 1] - middle
        return self.active[before] if since <= until else self.active[before + 1]

    def is_certain(self, at_us: int, max_gap: int) -> bool:
        """Tell whether the polls on both sides are of one run (whatever came after `as_of`)."""
        after = bisect_right(self.polled, at_us)
        return (
            0 < after < len(self.polled)
            and self.active[after - 1] == self.active[after]
            and self.polled[after] - self.polled[after - 1] <= max_gap
        )

    def is_observed(self, at_us: int, as_of_us: int, max_gap: int) -> bool:
        if self.is_certain(at_us, max_gap):
            return True
        first, last = self.counted(as_of_us)
        after = bisect_right(self.polled, at_us)
        middle = 2 * at_us + 1
        return (after > first and middle - 2 * self.polled[after - 1] <= max_gap) or (
            after <= last and 2 * self.polled[after] - middle <= max_gap
        )

    def status_changes(self, as_of_us: int, max_gap: int) -> Iterator[int]:
        """Every instant up to `as_of` at which one of the answers about status may change."""
        first, last = self.counted(as_of_us)
        for index in range(first, last + 1):
            polled = self.polled[index]
            yield from (polled, polled - max_gap // 2, polled + max_gap // 2)
            if index < last:
                yield (polled + self.polled[index + 1] + 1) // 2


@dataclass(frozen=True, slots=True)
class _Outside:
    """The polls outside of events by time, and the edges of the time that events cover."""

    polled: list[int]
    active: list[bool]
    edges: list[int]

    def changes(self, max_gap: int) -> Iterator[int]:
        for told in (self.polled, self.edges, sorted({*self.polled, *self.edges})):
            for at in told:
                yield from (at, at - max_gap // 2, at + max_gap // 2)
            yield from ((before + after + 1) // 2 for before, after in pairwise(told))

    def is_active(self, at_us: int, policy: Policy) -> bool | None:
        """Tell the status by polls; None without any."""
        if not self.polled:
            return None
        store = _Store(self.polled, self.active)
        return store.is_active(at_us, self.polled[-1], policy)

    def is_observed(self, at_us: int, max_gap: int) -> bool:
        middle = 2 * at_us + 1
        return any(abs(middle - 2 * at) <= max_gap for at in (*self.polled, *self.edges))


def _row_with_events(store: _Store, as_of_us: int, *, policy: Policy, max_gap: int) -> Row:
    business, uptime, downtime, lowest, uncertain, observed = ([0, 0, 0] for _ in range(6))
    starts = [as_of_us - window for window in WINDOWS]
    outside = store.outside(as_of_us, max_gap)
    changes = store.business_changes(starts[-1], as_of_us)
    changes.update(starts, store.status_changes(as_of_us, max_gap), outside.changes(max_gap))
    changes.update(at for event in store.events for at in event[:2] if at is not None)
    for since, until in pairwise(sorted(at for at in changes if starts[-1] <= at <= as_of_us)):
        inside = since + (until - since) // 2
        if not store.is_business(inside):
            continue
        event = store.told(inside, as_of_us)
        is_active = event
        if is_active is None:
            is_active = outside.is_active(inside, policy)
        if is_active is None:
            is_active = _beside_events(store, inside, as_of_us, outside.edges, policy)
        is_certain = event is not None or store.is_certain(inside, max_gap)
        amounts = [business, uptime if is_active else downtime]
        if not is_certain:
            amounts.append(uncertain)
        elif is_active:
            amounts.append(lowest)
        if is_certain or outside.is_observed(inside, max_gap):
            amounts.append(observed)
        for amount in amounts:
            for window, start in enumerate(starts):
                amount[window] += until - since if since >= start else 0
    highest = [sure + unsure for sure, unsure in zip(lowest, uncertain, strict=True)]
    return Row(*(_three(a) for a in (business, uptime, downtime, lowest, highest, observed)))


def _beside_events(
    store: _Store, at_us: int, as_of_us: int, edges: Sequence[int], policy: Policy
) -> bool:
    """Tell the status where only events are known: that of the nearest one."""

    def status(edge: int) -> bool:
        beside = edge if store.event(edge, as_of_us) is not None else edge - 1
        return bool(store.event(beside, as_of_us))

    before = [edge for edge in edges if edge <= at_us]
    after = [edge for edge in edges if edge > at_us]
    if not before or not after:
        return status((before or after)[-1 if before else 0])
    is_nearer = 2 * at_us + 1 - 2 * before[-1] <= 2 * after[0] - 2 * at_us - 1
    return status(before[-1] if is_nearer or policy == "previous" else after[0])


def _row(store: _Store, as_of_us: int, *, policy: Policy, max_gap: int) -> Row:
    if store.events or store.corrections:
        return _row_with_events(store, as_of_us, policy=policy, max_gap=max_gap)
    business, uptime, downtime, lowest, uncertain, observed = ([0, 0, 0] for _ in range(6))
    starts = [as_of_us - window for window in WINDOWS]
    changes = store.business_changes(starts[-1], as_of_us)
    changes.update(starts, store.status_changes(as_of_us, max_gap))
    stretches = pairwise(sorted(at for at in changes if starts[-1] <= at <= as_of_us))
    for since, until in stretches:
        inside = since + (until - since) // 2
        if not store.is_business(inside):
            continue
        is_active = store.is_active(inside, as_of_us, policy)
        is_certain = store.is_certain(inside, max_gap)
        amounts = [business, uptime if is_active else downtime]
        if not is_certain:
            amounts.append(uncertain)
        elif is_active:
            amounts.append(lowest)
        if store.is_observed(inside, as_of_us, max_gap):
            amounts.append(observed)
        for amount in amounts:
            for window, start in enumerate(starts):
                amount[window] += until - since if since >= start else 0
    highest = [sure + unsure for sure, unsure in zip(lowest, uncertain, strict=True)]
    return Row(*(_three(a) for a in (business, uptime, downtime, lowest, highest, observed)))


_Shares = tuple[Fraction, Fraction, Fraction]
"""Which share of a store's storefronts is up, is certainly up, and is certainly down."""


def _row_of_fronts(
    store: _Store,
    fronts: Sequence[_Store],
    as_of_us: int,
    *,
    policy: Policy,
    max_gap: int,
    rule: Rule,
) -> Row:
    """Give the row of a store with storefronts.

    A storefront takes part from the first thing on that is known of it. Before the first one of
    all, it is the one that decides.
    """
    edges = sorted(
        {at for event in store.events for at in event[:2] if at is not None}
        | {as_of_us - LOOKBACK, *(as_of_us - window for window in WINDOWS), as_of_us}
    )
    outsides = [front.outside(as_of_us, max_gap) for front in fronts]
    changes = store.business_changes(as_of_us - LOOKBACK, as_of_us)
    changes.update(edges)
    for front, outside in zip(fronts, outsides, strict=True):
        changes.update(front.status_changes(as_of_us, max_gap), outside.changes(max_gap))
        changes.update(at for event in front.events for at in event[:2] if at is not None)
    firsts = [
        # The microsecond before an event has the status by polls, if there are any.
        min(
            [
                *outside.polled,
                *(edge - bool(outside.polled) for edge in outside.edges),
                *_covering(front, as_of_us),
            ]
        )
        for front, outside in zip(fronts, outsides, strict=True)
    ]
    changes.update(firsts)

    def of_fronts(at_us: int) -> list[tuple[bool, bool]]:
        """Whether each one is up, and whether that is certain; an event of the store is of all."""
        told = store.event(at_us, as_of_us)
        if told is not None:
            return [(told, True)]
        return [
            _of_front(front, outside, at_us, as_of_us, policy=policy, max_gap=max_gap)
            for front, outside, first in zip(fronts, outsides, firsts, strict=True)
            if first <= max(at_us, min(firsts))
        ]

    def status(at_us: int) -> tuple[bool, bool]:
        """Whether it is up, and whether that is certain."""
        answers = of_fronts(at_us)
        is_up = (all if rule == "all_up" else any)(up for up, _ in answers)
        deciding = [sure for up, sure in answers if up == is_up]
        alone = is_up == (rule != "all_up")
        return is_up, (any if alone else all)(deciding)

    def shares(at_us: int) -> _Shares:
        answers = of_fronts(at_us) if rule == "share" else [status(at_us)]
        counts = (
            sum(up for up, _ in answers),
            sum(up and sure for up, sure in answers),
            sum(sure and not up for up, sure in answers),
        )
        up, sure_up, sure_down = (Fraction(count, len(answers)) for count in counts)
        return up, sure_up, sure_down

    stretches = [
        (since, until)
        for since, until in pairwise(sorted(at for at in changes if as_of_us - LOOKBACK <= at))
        if until <= as_of_us
    ]
    told = [(since, until, shares(since)) for since, until in stretches]
    sure = [(since, until) for since, until in stretches if status(since)[1]]

    def is_sure_at(at_us: int) -> bool:
        begun = [front for front, first in zip(fronts, firsts, strict=True) if first <= at_us]
        return _is_sure_at(at_us, begun, is_up=status(at_us)[0], max_gap=max_gap, rule=rule)

    for front, first in zip(fronts, firsts, strict=True):
        sure += [(at, at) for at in front.polled if first <= at <= as_of_us and is_sure_at(at)]
    return _summed(store, told, sure, as_of_us, max_gap)


def _summed(
    store: _Store,
    told: Sequence[tuple[int, int, _Shares]],
    sure: Sequence[tuple[int, int]],
    as_of_us: int,
    max_gap: int,
) -> Row:
    amounts = [[Fraction(0)] * 3 for _ in range(5)]
    starts = [as_of_us - window for window in WINDOWS]
    reach = max_gap // 2
    seen = {at + by for each in sure for at in each for by in (-reach, 0, reach)}
    for begin, end, shares in told:
        inner = sorted({begin, end, *(at for at in seen if begin < at < end)})
        for since, until in pairwise(inner):
            if not store.is_business(since):
                continue
            up, sure_up, sure_down = shares
            is_seen = any(one - reach <= since and until <= other + reach for one, other in sure)
            of_each = (Fraction(1), up, sure_up, 1 - sure_down, Fraction(is_seen))
            for amount, share in zip(amounts, of_each, strict=True):
                for window, start in enumerate(starts):
                    amount[window] += share * (until - since) if since >= start else 0
    # A share of a microsecond is left out, once.
    business, uptime, lowest, highest, observed = ([int(one) for one in a] for a in amounts)
    downtime = [each - up for each, up in zip(business, uptime, strict=True)]
    return Row(*(_three(a) for a in (business, uptime, downtime, lowest, highest, observed)))


def _covering(front: _Store, as_of_us: int) -> list[int]:
    """Give the beginning of the look-back where an event holds there."""
    begin = as_of_us - LOOKBACK
    return [begin] if front.event(begin, as_of_us) is not None else []


def _of_front(
    front: _Store, outside: _Outside, at_us: int, as_of_us: int, *, policy: Policy, max_gap: int
) -> tuple[bool, bool]:
    """Whether a storefront is up at an instant, and whether that is certain."""
    if not front.events:
        return front.is_active(at_us, as_of_us, policy), front.is_certain(at_us, max_gap)
    event = front.event(at_us, as_of_us)
    is_active = event
    if is_active is None:
        is_active = outside.is_active(at_us, policy)
    if is_active is None:
        is_active = _beside_events(front, at_us, as_of_us, outside.edges, policy)
    return is_active, event is not None or front.is_certain(at_us, max_gap)


def _is_sure_at(
    at_us: int, fronts: Sequence[_Store], *, is_up: bool, max_gap: int, rule: Rule
) -> bool:
    """Tell whether what was polled makes the status of an instant certain, as the ends of runs."""
    sure = [
        (at_us in front.polled or front.is_certain(at_us, max_gap))
        and front.active[bisect_right(front.polled, at_us) - 1] == is_up
        for front in fronts
    ]
    return any(sure) if is_up == (rule != "all_up") else all(sure)


def _three(amounts: Sequence[int]) -> PerWindow:
    hour, day, week = amounts
    return hour, day, week


def _stores(inputs: Inputs) -> dict[str, _Store]:
    zones = [row for row in inputs.zones if row.timezone in _known_zones()]
    named: Iterable[Poll | HoursRow | ZoneRow | SpecialRow | Event] = chain(
        inputs.polls, inputs.hours, zones, inputs.special, inputs.events
    )
    stores = {row.store_id: _Store() for row in named}
    for store_id, polls in _by_store(inputs.polls).items():
        statuses = {_us(poll.polled_at): poll.is_active for poll in polls}
        stores[store_id].polled = sorted(statuses)
        stores[store_id].active = [statuses[polled] for polled in sorted(statuses)]
    for store_id, hours_rows in _by_store(inputs.hours).items():
        stores[store_id].weeks = _week_versions(hours_rows)
    for store_id, zone_rows in _by_store(zones).items():
        stores[store_id].zones = _zone_versions(zone_rows)
    for store_id, special_rows in _by_store(inputs.special).items():
        stores[store_id].special = _special_versions(special_rows)
    for store_id, event_rows in _by_store(inputs.events).items():
        told = {(event.source, _us(event.start)): event for event in event_rows}
        for (source, start), event in told.items():
            followers = [at for other, at in told if other == source and at > start]
            stops = min(followers, default=None) if event.end is None else _us(event.end)
            stores[store_id].events.append((start, stops, event.is_up))
    _add_corrections(stores, inputs.corrections)
    for closure in inputs.closures:
        local = _wall_us(closure.start), None if closure.end is None else _wall_us(closure.end)
        for store_id, store in stores.items():
            if closure.store_id in {store_id, EVERY_STORE}:
                store.closures.append(local)
    return stores


def _stores_with_fronts(inputs: Inputs) -> tuple[dict[str, _Store], dict[str, list[_Store]]]:
    """All stores, and the storefronts of those that have channels: they are no stores themselves.

    Polls of the store's own id are of a storefront, too. Its events are of the store.
    """
    stores = _stores(inputs)
    for row in inputs.channels:
        stores.setdefault(row.store_id, _Store())
    fronts: dict[str, list[_Store]] = {}
    parents = {row.channel_store_id: row.store_id for row in inputs.channels}
    for front_id, store_id in parents.items():
        if store_id not in fronts:
            own = stores[store_id]
            fronts[store_id] = [replace(own, events=[])] if own.polled else []
        if front_id != store_id:
            fronts[store_id].append(stores.pop(front_id, _Store()))
    return stores, fronts


def _add_corrections(stores: Mapping[str, _Store], rows: Iterable[Correction]) -> None:
    for row in rows:
        stores[row.store_id].corrections.append((_us(row.start), _us(row.end), row.is_up))


def _by_store(rows: Iterable[AnyRow]) -> dict[str, list[AnyRow]]:
    by_store: defaultdict[str, list[AnyRow]] = defaultdict(list)
    for row in rows:
        by_store[row.store_id].append(row)
    return by_store


def _week_versions(rows: Iterable[HoursRow]) -> _Versions[frozenset[tuple[int, int]]]:
    weeks: defaultdict[tuple[datetime, ValidFrom], set[tuple[int, int]]] = defaultdict(set)
    for row in rows:
        weeks[row.loaded_at, row.valid_from].add(weekly_interval(row.day, row.start, row.end))
    return _in_order_of_loading({version: frozenset(week) for version, week in weeks.items()})


def _special_versions(
    rows: Iterable[SpecialRow],
) -> dict[int, _Versions[frozenset[tuple[int, int]]]]:
    days: defaultdict[date, defaultdict[tuple[datetime, ValidFrom], set[tuple[int, int]]]]
    days = defaultdict(lambda: defaultdict(set))
    pushed: set[date] = set()
    for row in rows:
        intervals = days[row.day][row.loaded_at, row.valid_from]
        if row.start is not None and row.end is not None:
            intervals.add(weekly_interval(0, row.start, row.end))
        if row.is_pushed:
            pushed.add(row.day)
    return {
        (day.toordinal() - _EPOCH.toordinal()) * DAY: (
            _in_order_of_pushes if day in pushed else _in_order_of_loading
        )({version: frozenset(intervals) for version, intervals in versions.items()})
        for day, versions in days.items()
    }


def _zone_versions(rows: Iterable[ZoneRow]) -> _Versions[str]:
    return _in_order_of_loading({(row.loaded_at, row.valid_from): row.timezone for row in rows})


def _in_order_of_loading(
    loaded: Mapping[tuple[datetime, ValidFrom], Value],
) -> _Versions[Value]:
    versions: _Versions[Value] = _Versions()
    first_load = min(loaded_at for loaded_at, _ in loaded)
    newest_unnamed: Value | None = None
    for (loaded_at, valid_from), value in sorted(loaded.items(), key=lambda item: item[0][0]):
        match valid_from:
            case "always":
                start = _ALWAYS
            case None:
                if value == newest_unnamed:
                    continue
                newest_unnamed = value
                start = _ALWAYS if loaded_at == first_load else _us(loaded_at)
            case _:
                start = _us(valid_from)
        versions.starts.append(start)
        versions.values.append(value)
    return versions


def _in_order_of_pushes(loaded: Mapping[tuple[datetime, ValidFrom], Value]) -> _Versions[Value]:
    """As `_in_order_of_loading`, but what is pushed to hold always replaces all from before."""
    versions: _Versions[Value] = _Versions()
    for (loaded_at, valid_from), value in sorted(loaded.items(), key=lambda item: item[0][0]):
        match valid_from:
            case "always":
                versions = _Versions([_ALWAYS], [value])
                continue
            case None:
                if value == versions.at(_us(loaded_at)):
                    continue
                start = _us(loaded_at) if versions.starts else _ALWAYS
            case _:
                start = _us(valid_from)
        versions.starts.append(start)
        versions.values.append(value)
    return versions


def weekly_interval(day: int, start: str | int, end: str | int) -> tuple[int, int]:
    """Give a row's `[start, end)` since local Monday 00:00; both may lie in the next week."""
    opens = start if isinstance(start, int) else time_of_day(start)
    closes = end if isinstance(end, int) else time_of_day(end)
    if DAY - MINUTE <= closes <= DAY:
        closes = DAY
    while closes <= opens:
        closes += DAY
    return day * DAY + opens, day * DAY + closes


def time_of_day(text: str) -> int:
    """Read `H:MM[:SS[.f]]`, at most 48:00, as microseconds since midnight; ValueError if not."""
    parts = _TIME_OF_DAY.fullmatch(text)
    if parts is None:
        raise ValueError(f"{text!r} is no time of day")
    hours, minutes, seconds, fraction = parts.groups(default="0")
    amount = int(hours) * HOUR + int(minutes) * MINUTE + int(seconds) * SECOND
    amount += int(fraction[:6].ljust(6, "0"))
    if amount > 2 * DAY:
        raise ValueError(f"{text!r} is after 48:00")
    return amount


def _us(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _wall_us(wall: datetime) -> int:
    return (wall - _WALL_EPOCH) // _MICROSECOND


def _wall(zone: str, at_us: int) -> int:
    """Read the zone's wall clock; from UTC to local there is never a choice to make."""
    local = (_EPOCH + timedelta(microseconds=at_us)).astimezone(_zone(zone))
    return _wall_us(local.replace(tzinfo=None))


@cache
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)


@cache
def _known_zones() -> frozenset[str]:
    return frozenset(available_timezones())


@cache
def _offsets(zone: str, start_us: int, end_us: int) -> tuple[tuple[int, ...], frozenset[int]]:
    """Find the zone's clock changes in `(start, end]` and all its offsets in `[start, end]`.

    The clock is looked at every hour; where it has moved, halving finds the microsecond.
    """

    def offset(at_us: int) -> int:
        return _wall(zone, at_us) - at_us

    looks = [*range(start_us, end_us, HOUR), end_us]
    changes = []
    for before, after in pairwise(looks):
        low, high = before, after
        if offset(low) == offset(high):
            continue
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if offset(middle) == offset(before) else (low, middle)
        changes.append(high)
    return tuple(changes), frozenset(offset(at_us) for at_us in looks)


def _records(
    folder: Path, names: Sequence[str], stores: Collection[str] | None
) -> Iterator[dict[str, str]]:
    path = next(folder / name for name in names if (folder / name).exists())
    with path.open(encoding="utf-8-sig", newline="") as file:
        lines = csv.reader(file)
        header = [name.strip().lower() for name in next(lines)]
        store_column = header.index("store_id")
        for cells in lines:
            if len(cells) < len(header):
                continue
            if stores is None or cells[store_column].strip() in stores:
                yield dict(zip(header, map(str.strip, cells), strict=False))


def _readable(rows: Iterable[Value | None]) -> Iterator[Value]:
    return (row for row in rows if row is not None)


def _poll(record: Mapping[str, str], now: datetime) -> Poll | None:
    status = record["status"].lower()
    try:
        polled_at = _timestamp(record["timestamp_utc"])
    except ValueError:
        return None
    is_readable = record["store_id"] and status in {"active", "inactive"}
    if not is_readable or polled_at > now + FURTHEST_FUTURE:
        return None
    return Poll(record["store_id"], polled_at, is_active=status == "active")


def _hours_row(record: Mapping[str, str], now: datetime) -> HoursRow | None:
    day = next(record[name] for name in ("dayofweek", "day", "day_of_week") if name in record)
    try:
        start = time_of_day(record["start_time_local"])
        end = time_of_day(record["end_time_local"])
        valid_from = _valid_from(record)
    except ValueError:
        return None
    if not record["store_id"] or day not in set("0123456"):
        return None
    return HoursRow(record["store_id"], int(day), start, end, valid_from, now)


def _zone_row(record: Mapping[str, str], now: datetime) -> ZoneRow | None:
    try:
        valid_from = _valid_from(record)
    except ValueError:
        return None
    if not record["store_id"] or record["timezone_str"] not in _known_zones():
        return None
    return ZoneRow(record["store_id"], record["timezone_str"], valid_from, now)


def _closure(record: Mapping[str, str]) -> Closure | None:
    end = record["end_local"]
    try:
        start_local = datetime.fromisoformat(record["start_local"])
        end_local = datetime.fromisoformat(end) if end else None
    except ValueError:
        return None
    return Closure(record["store_id"], start_local, end_local)


def _valid_from(record: Mapping[str, str]) -> ValidFrom:
    text = record.get("valid_from", "")
    if text == "":
        return None
    return "always" if text.lower() == "always" else _timestamp(text)


def _timestamp(text: str) -> datetime:
    if _DATE_AND_TIME.match(text) is None:
        raise ValueError(f"{text!r} is no timestamp")
    instant = datetime.fromisoformat(text.removesuffix("UTC").strip())
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)
