"""Readable inputs for tests of the engine, and the two ways to reckon with them.

Inputs are the oracle's plain rows. `engine` turns them into arrays and asks the product, `oracle`
asks the slow reference; both answer in the same form. Random inputs belong to `strategies`.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Final, Protocol

import numpy as np

import oracle
from storemon_pipeline.business_time.calendar import (
    ALWAYS,
    OPEN_END,
    Calendar,
    Closures,
    HoursVersions,
    ZoneVersions,
    build_calendar,
)
from storemon_pipeline.business_time.special_hours import DailyRows, SpecialHours
from storemon_pipeline.business_time.weeks import WeekIntervals, normalise_weeks
from storemon_pipeline.channels.joined_status import join_storefronts, over_storefronts
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import IntArray, Policy
from storemon_pipeline.uptime.estimates import counted_status_runs
from storemon_pipeline.uptime.event_stretches import (
    OPEN_EVENT,
    EventStretches,
    resolve_events,
    with_corrections,
)
from storemon_pipeline.uptime.evidence import add_events_of_report
from storemon_pipeline.uptime.figures import compute_figures
from storemon_pipeline.uptime.status_runs import StatusRuns, compress

STORE: Final = "store"
"""The store of a test that needs only one."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_UNITS_US: Final = {"h": oracle.HOUR, "m": oracle.MINUTE, "s": oracle.SECOND, "us": 1}


def utc(text: str) -> datetime:
    """Read `2023-01-25 18:00` as UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def us(instant: datetime) -> int:
    """Microseconds since 1970, UTC."""
    return (instant - _EPOCH) // _MICROSECOND


def span(text: str) -> int:
    """Read `1h`, `2h 30m` or `192h -1us` as microseconds."""
    parts = re.findall(r"(-?[\d.]+)(us|h|m|s)\b", text)
    return sum(round(float(amount) * _UNITS_US[unit]) for amount, unit in parts)


def polls(as_of: datetime, *texts: str, store_id: str = STORE) -> list[oracle.Poll]:
    """Read `up 90m` as a poll 90 minutes before `as_of`, `down -5m` as one 5 minutes after."""
    rows = []
    for text in texts:
        status, age = text.split(maxsplit=1)
        polled_at = as_of - span(age) * _MICROSECOND
        rows.append(oracle.Poll(store_id, polled_at, is_active={"up": True, "down": False}[status]))
    return rows


def hours(
    *texts: str,
    store_id: str = STORE,
    valid_from: oracle.ValidFrom = "always",
    loaded_at: datetime = _EPOCH,
) -> list[oracle.HoursRow]:
    """Read `Mon 09:00-17:00`, `Mon-Fri 09:00-17:00` or `daily 22:00-02:00`."""
    rows = []
    for text in texts:
        days, times = text.split()
        first, _, last = ("Mon-Sun" if days == "daily" else days).partition("-")
        start, end = times.split("-")
        rows += [
            oracle.HoursRow(store_id, day, start, end, valid_from, loaded_at)
            for day in range(_DAYS.index(first), _DAYS.index(last or first) + 1)
        ]
    return rows


def zone(
    timezone: str,
    *,
    store_id: str = STORE,
    valid_from: oracle.ValidFrom = "always",
    loaded_at: datetime = _EPOCH,
) -> oracle.ZoneRow:
    """One zone of a store."""
    return oracle.ZoneRow(store_id, timezone, valid_from, loaded_at)


def closure(start: str, end: str | None = None, *, store_id: str = STORE) -> oracle.Closure:
    """Read `2023-12-24 18:00` as the wall clock on which a closure starts or ends."""
    until = None if end is None else datetime.fromisoformat(end)
    return oracle.Closure(store_id, datetime.fromisoformat(start), until)


def special(
    day: str,
    *times: str,
    store_id: str = STORE,
    valid_from: oracle.ValidFrom = "always",
    loaded_at: datetime = _EPOCH,
) -> list[oracle.SpecialRow]:
    """Read `2023-12-24` and `10:00-14:00`, …; no times: closed."""
    pairs: list[list[str | None]] = [list(each.split("-")) for each in times] or [[None, None]]
    return [
        oracle.SpecialRow(store_id, date.fromisoformat(day), start, end, valid_from, loaded_at)
        for start, end in pairs
    ]


class Reckoner(Protocol):
    """Something that can tell business time and figures from plain rows."""

    def business_time(
        self, inputs: oracle.Inputs, store_id: str, start: datetime, end: datetime
    ) -> int:
        """Give a store's business time in `[start, end)` in microseconds."""

    def rows(
        self,
        inputs: oracle.Inputs,
        *,
        as_of: datetime,
        policy: Policy,
        max_gap: int,
        rule: ChannelRule = ChannelRule.ANY_UP,
    ) -> Mapping[str, oracle.Row]:
        """Give the rows of a report by store."""


@dataclass(frozen=True, slots=True)
class Reference:
    """The oracle as a reckoner."""

    def business_time(
        self, inputs: oracle.Inputs, store_id: str, start: datetime, end: datetime
    ) -> int:
        """Ask the oracle."""
        return oracle.business_time(inputs, store_id, start, end)

    def rows(
        self,
        inputs: oracle.Inputs,
        *,
        as_of: datetime,
        policy: Policy,
        max_gap: int,
        rule: ChannelRule = ChannelRule.ANY_UP,
    ) -> Mapping[str, oracle.Row]:
        """Ask the oracle."""
        return oracle.make_report(
            inputs, as_of=as_of, policy=policy.value, max_gap=max_gap, rule=rule.value
        ).rows


@dataclass(frozen=True, slots=True)
class Engine:
    """The product as a reckoner; its calendars reach `margin` further than they need to."""

    margin: timedelta = timedelta(0)

    def business_time(
        self, inputs: oracle.Inputs, store_id: str, start: datetime, end: datetime
    ) -> int:
        """Take the difference of two answers of a calendar."""
        made = calendar(inputs, start - self.margin, end + self.margin)
        number = store_ids(inputs).index(store_id)
        before, after = made.business_us(np.array([number, number]), np.array([us(start), us(end)]))
        return int(after - before)

    def rows(
        self,
        inputs: oracle.Inputs,
        *,
        as_of: datetime,
        policy: Policy,
        max_gap: int,
        rule: ChannelRule = ChannelRule.ANY_UP,
    ) -> Mapping[str, oracle.Row]:
        """Compress the polls into runs and compute the figures from those."""
        told = with_corrections_of(inputs, stretches(inputs))
        polled = runs(inputs, max_gap=max_gap)
        if inputs.channels:
            polled, told = _joined(inputs, polled, told, us(as_of), policy, rule)
        evidence = add_events_of_report(polled, told, as_of_us=us(as_of), policy=policy)
        figures = compute_figures(
            evidence,
            calendar(inputs, as_of - timedelta(hours=168) - self.margin, as_of + self.margin),
            as_of_us=us(as_of),
            policy=policy,
            max_gap_us=max_gap,
        )
        names = store_ids(inputs)
        columns = (
            figures.business_us,
            figures.uptime_us,
            figures.downtime_us,
            figures.lowest_uptime_us,
            figures.highest_uptime_us,
            figures.observed_us,
        )
        return {
            names[store]: oracle.Row(*(_three(column[index].tolist()) for column in columns))
            for index, store in enumerate(figures.store.tolist())
        }


RECKONERS: Final[dict[str, Reckoner]] = {"engine": Engine(), "oracle": Reference()}


def store_ids(inputs: oracle.Inputs) -> list[str]:
    """All stores that any row names; a store's number is its index here."""
    kinds = (inputs.polls, inputs.hours, inputs.zones, inputs.special, inputs.events)
    ids = {row.store_id for kind in kinds for row in kind}
    return sorted(ids.union(*((row.store_id, row.channel_store_id) for row in inputs.channels)))


def runs(inputs: oracle.Inputs, *, max_gap: int) -> StatusRuns:
    """Compress all polls; of two rows for one identity the later one counts."""
    number = {store_id: index for index, store_id in enumerate(store_ids(inputs))}
    statuses = {
        (number[poll.store_id], us(poll.polled_at)): poll.is_active for poll in inputs.polls
    }
    identities = sorted(statuses)
    return compress(
        _ints(store for store, _ in identities),
        _ints(polled for _, polled in identities),
        np.array([statuses[identity] for identity in identities], np.bool_),
        max_gap_us=max_gap,
    )


def _joined(
    inputs: oracle.Inputs,
    polled: StatusRuns,
    told: EventStretches,
    as_of_us: int,
    policy: Policy,
    rule: ChannelRule,
) -> tuple[StatusRuns, EventStretches]:
    """Join the storefronts of stores with channels; the rows of storefronts are empty then."""
    names = store_ids(inputs)
    parent = {names.index(row.channel_store_id): names.index(row.store_id)
              for row in inputs.channels}  # fmt: skip
    with_own = set(parent.values()) & set(polled.store.tolist())
    fronts = sorted({front for front, store in parent.items() if front != store} | with_own)
    store = _ints(parent.get(front, front) for front in fronts)
    is_of_front = np.isin(polled.store, fronts)
    number = np.searchsorted(fronts, polled.store[is_of_front])
    own = replace(polled.take(is_of_front), store=number)
    is_told = np.isin(told.store, fronts) & ~np.isin(told.store, sorted(parent.values()))
    of_fronts = told.take(is_told)
    evidence = add_events_of_report(
        own,
        replace(of_fronts, store=np.searchsorted(fronts, of_fronts.store)),
        as_of_us=as_of_us,
        policy=policy,
    )
    joined = join_storefronts(
        counted_status_runs(evidence, as_of_us=as_of_us),
        store,
        rule=rule,
        policy=policy,
        until_us=as_of_us,
        is_report=True,
    )
    several = np.flatnonzero(np.bincount(store) > 1)
    return polled.take(~is_of_front).merge(joined), over_storefronts(told.take(~is_told), several)


def stretches(inputs: oracle.Inputs) -> EventStretches:
    """Resolve all events; of two rows for one store, source and start the later one counts."""
    number = {store_id: index for index, store_id in enumerate(store_ids(inputs))}
    told = {(event.store_id, event.source, event.start): event for event in inputs.events}
    sources = sorted({source for _, source, _ in told})
    return resolve_events(
        _ints(number[event.store_id] for event in told.values()),
        _ints(us(event.start) for event in told.values()),
        _ints(OPEN_EVENT if event.end is None else us(event.end) for event in told.values()),
        np.array([event.is_up for event in told.values()], np.bool_),
        _ints(range(len(told))),
        _ints(sources.index(event.source) for event in told.values()),
    )


def with_corrections_of(inputs: oracle.Inputs, events: EventStretches) -> EventStretches:
    """Add the corrections that say up or down to the stretches of events."""
    number = {store_id: index for index, store_id in enumerate(store_ids(inputs))}
    rows = [row for row in inputs.corrections if row.is_up is not None]
    rows.sort(key=lambda row: (number[row.store_id], row.start))
    corrections = EventStretches(
        _ints(number[row.store_id] for row in rows),
        _ints(us(row.start) for row in rows),
        _ints(us(row.end) for row in rows),
        np.array([row.is_up for row in rows], np.bool_),
        _ints(-1 - index for index in range(len(rows))),
    )
    return with_corrections(events, corrections)


def calendar(inputs: oracle.Inputs, start: datetime, end: datetime) -> Calendar:
    """Build the calendar of all stores for `[start, end]`; closures of others are left out."""
    names = store_ids(inputs)
    number = {store_id: index for index, store_id in enumerate(names)}
    number[oracle.EVERY_STORE] = -1
    closures = [row for row in inputs.closures if row.store_id in number]
    taken_out = [row for row in inputs.corrections if row.is_up is None]
    closed: list[oracle.Closure | oracle.Correction] = [*closures, *taken_out]
    hours_rows = sorted(inputs.hours, key=lambda row: row.loaded_at)
    versions = list(
        dict.fromkeys((row.store_id, row.loaded_at, _valid_from_us(row)) for row in hours_rows)
    )
    zone_rows = sorted(inputs.zones, key=lambda row: row.loaded_at)
    zone_names = tuple(dict.fromkeys(row.timezone for row in zone_rows))
    return build_calendar(
        stores=len(names),
        start_us=us(start),
        end_us=us(end),
        weeks=normalise_weeks(
            _ints(
                versions.index((row.store_id, row.loaded_at, _valid_from_us(row)))
                for row in hours_rows
            ),
            _ints(row.day for row in hours_rows),
            _ints(_time_us(row.start) for row in hours_rows),
            _ints(_time_us(row.end) for row in hours_rows),
        ),
        hours=HoursVersions(
            store=_ints(number[store_id] for store_id, _, _ in versions),
            valid_from_us=_ints(valid_from for _, _, valid_from in versions),
            week=_ints(range(len(versions))),
        ),
        zones=ZoneVersions(
            store=_ints(number[row.store_id] for row in zone_rows),
            valid_from_us=_ints(_valid_from_us(row) for row in zone_rows),
            zone=_ints(zone_names.index(row.timezone) for row in zone_rows),
            names=zone_names,
        ),
        special=_special_hours(inputs, number) if inputs.special else None,
        closures=Closures(
            store=_ints(number[row.store_id] for row in closed),
            start_local_us=_ints(us(row.start.replace(tzinfo=UTC)) for row in closed),
            end_local_us=_ints(
                OPEN_END if row.end is None else us(row.end.replace(tzinfo=UTC)) for row in closed
            ),
            is_utc=np.repeat([False, True], [len(closures), len(taken_out)]),
        ),
    )


def _special_hours(inputs: oracle.Inputs, number: Mapping[str, int]) -> SpecialHours:
    versions: dict[tuple[int, int, int], set[tuple[int, int]]] = {}
    newest: dict[tuple[int, int, int], datetime] = {}
    for row in sorted(inputs.special, key=lambda row: row.loaded_at):
        day = row.day.toordinal() - _EPOCH.toordinal()
        version = number[row.store_id], day, _valid_from_us(row)
        if newest.setdefault(version, row.loaded_at) != row.loaded_at:
            versions[version], newest[version] = set(), row.loaded_at
        intervals = versions.setdefault(version, set())
        if row.start is not None and row.end is not None:
            intervals.add(oracle.weekly_interval(0, row.start, row.end))
    days = [each for intervals in versions.values() for each in sorted(intervals)]
    stores = {store for store, _, _ in versions}
    hours_rows = [row for row in inputs.hours if number[row.store_id] in stores]
    last = {(row.store_id, _valid_from_us(row)): row.loaded_at for row in _by_load(hours_rows)}
    weekly = [
        (
            number[row.store_id],
            _valid_from_us(row),
            oracle.weekly_interval(row.day, row.start, row.end),
        )
        for row in hours_rows
        if last[row.store_id, _valid_from_us(row)] == row.loaded_at
    ]
    return SpecialHours(
        store=_ints(store for store, _, _ in versions),
        day=_ints(day for _, day, _ in versions),
        valid_from_us=_ints(valid_from for _, _, valid_from in versions),
        intervals=_ints(len(intervals) for intervals in versions.values()),
        start_us=_ints(start for start, _ in days),
        end_us=_ints(end for _, end in days),
        weekly=DailyRows(
            store=_ints(store for store, _, _ in weekly),
            valid_from_us=_ints(valid_from for _, valid_from, _ in weekly),
            day_of_week=_ints(start // oracle.DAY % 7 for _, _, (start, _) in weekly),
            start_us=_ints(start % oracle.DAY for _, _, (start, _) in weekly),
            end_us=_ints(start % oracle.DAY + end - start for _, _, (start, end) in weekly),
        ),
    )


def _by_load(rows: Iterable[oracle.HoursRow]) -> list[oracle.HoursRow]:
    return sorted(rows, key=lambda row: row.loaded_at)


def weeks(*texts: str) -> WeekIntervals:
    """Normalise rows written as for `hours`, all of one pattern numbered 0."""
    rows = hours(*texts)
    return normalise_weeks(
        _ints(0 for _ in rows),
        _ints(row.day for row in rows),
        _ints(_time_us(row.start) for row in rows),
        _ints(_time_us(row.end) for row in rows),
    )


def _valid_from_us(row: oracle.HoursRow | oracle.ZoneRow | oracle.SpecialRow) -> int:
    if isinstance(row.valid_from, datetime):
        return us(row.valid_from)
    if row.valid_from == "always" or row.loaded_at == _EPOCH:
        return ALWAYS
    raise ValueError(f"{row} must say from when on it holds; which is first is storage's matter")


def _time_us(time: str | int) -> int:
    return time if isinstance(time, int) else oracle.time_of_day(time)


def _ints(values: Iterable[int]) -> IntArray:
    return np.array(list(values), np.int64)


def _three(amounts: Sequence[int]) -> oracle.PerWindow:
    hour, day, week = amounts
    return hour, day, week
