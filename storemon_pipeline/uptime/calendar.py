"""Business time of stores: weekly hours, zones and closures as one cumulative function.

How hours are normalised is `weeks`' matter; what is up and down is `figures`'.
"""

from dataclasses import dataclass
from typing import Final
from zoneinfo import ZoneInfo

import numpy as np

from storemon_pipeline.uptime.weeks import WeekIntervals
from storemon_pipeline.uptime.windows import DAY_US, DEFAULT_ZONE, WEEK_US, BoolArray, IntArray
from storemon_pipeline.uptime.zones import offset_changes

ALWAYS: Final = -(2**62)
"""`valid_from_us` of a version that has always held."""

OPEN_END: Final = 2**62
"""`end_local_us` of a closure without an end."""

EVERY_STORE: Final = -1
"""`store` of a closure that holds for all stores."""

_MONDAY_SHIFT_US: Final = 3 * DAY_US
"""1970-01-01 was a Thursday: so much later than its week's Monday 00:00."""


@dataclass(frozen=True, slots=True)
class HoursVersions:
    """Which week pattern a store has from when on; every array has shape `(n,)`.

    `week` numbers a pattern of `WeekIntervals`; a pattern without intervals is never open. Rows
    are in order of loading: of two with the same store and start the later one counts. Before its
    first version, and without any, a store is always open.
    """

    store: IntArray
    valid_from_us: IntArray
    week: IntArray


@dataclass(frozen=True, slots=True)
class ZoneVersions:
    """Which zone a store has from when on; every array has shape `(n,)`.

    `zone` is an index into `names` (IANA keys). Rows are in order of loading. Before its first
    version a store has that version's zone; without any it has `DEFAULT_ZONE`.
    """

    store: IntArray
    valid_from_us: IntArray
    zone: IntArray
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closures:
    """Time taken out of business time; every array has shape `(n,)`.

    `[start_local_us, end_local_us)` lies on the wall clock of each store, counted in microseconds
    since 1970-01-01T00:00 on that clock. `store` is `EVERY_STORE` or one store.
    """

    store: IntArray
    start_local_us: IntArray
    end_local_us: IntArray


@dataclass(frozen=True, slots=True)
class _Steps:
    """Values that hold from an instant on, per store; sorted by `key`, which joins the two."""

    key: IntArray
    value: IntArray

    def at(self, key: IntArray) -> IntArray:
        """The value in force at each key; every store has a step at its beginning."""
        return self.value[np.searchsorted(self.key, key, side="right") - 1]


@dataclass(frozen=True, slots=True)
class _Weeks:
    """Cumulative open time of week patterns; each pattern has an entry that starts at 0."""

    key: IntArray
    start_us: IntArray
    length_us: IntArray
    open_before_us: IntArray
    total_us: IntArray

    def open_us(self, week: IntArray, local_us: IntArray) -> IntArray:
        """Open time of a pattern from an origin of its own to each local instant."""
        whole, rest = np.divmod(local_us + _MONDAY_SHIFT_US, WEEK_US)
        at = np.searchsorted(self.key, week * WEEK_US + rest, side="right") - 1
        inside = np.minimum(rest - self.start_us[at], self.length_us[at])
        return whole * self.total_us[week] + self.open_before_us[at] + inside


@dataclass(frozen=True, slots=True)
class Calendar:
    """Business time of `stores` stores within `[start_us, end_us]`, UTC.

    A span is a stretch in which a store's UTC offset and week pattern stay the same; a closure is
    a span whose pattern is never open.
    """

    stores: int
    start_us: int
    end_us: int
    _weeks: _Weeks
    _span_key: IntArray
    _span_offset_us: IntArray
    _span_week: IntArray
    _span_adjust_us: IntArray

    def business_us(self, store: IntArray, at_us: IntArray) -> IntArray:
        """Business time of each store from the calendar's start to each instant, microseconds.

        Both arrays have the same shape. Instants outside the calendar count as its ends. The
        function never falls, so that business time in `[a, b)` is a difference of two calls.
        """
        at = np.clip(at_us, self.start_us, self.end_us)
        if len(self._span_key) == self.stores:
            span = store
        else:
            key = _store_key(store, at, self.start_us, self.end_us)
            span = np.searchsorted(self._span_key, key, side="right") - 1
        local = at + self._span_offset_us[span]
        return self._span_adjust_us[span] + self._weeks.open_us(self._span_week[span], local)


def build_calendar(
    *,
    stores: int,
    start_us: int,
    end_us: int,
    weeks: WeekIntervals,
    hours: HoursVersions,
    zones: ZoneVersions,
    closures: Closures | None = None,
) -> Calendar:
    """The calendar of stores `0 .. stores - 1` for `[start_us, end_us]`.

    Raises ValueError when stores times length cannot be told apart in 64 bits (beyond about
    290,000 store-years): take fewer stores at a time.
    """
    if (end_us - start_us + 1) * (stores + 1) >= 2**63:
        raise ValueError(
            f"a calendar of {stores} stores over {end_us - start_us} microseconds is too large"
        )
    patterns = 1 + max(_largest(weeks.week), _largest(hours.week))
    always_open, never_open = patterns, patterns + 1
    cumulative = _cumulate(weeks, patterns)
    offsets = _offset_steps(stores, start_us, end_us, zones)
    week_steps = _version_steps(
        stores,
        start_us,
        end_us,
        store=hours.store,
        valid_from_us=hours.valid_from_us,
        value=hours.week,
        default=always_open,
    )
    edges = [offsets.key, week_steps.key]
    closed = _closed_steps(stores, start_us, end_us, offsets, closures)
    if closed is not None:
        edges.append(closed.key)
    key = np.unique(np.concatenate(edges))
    week = week_steps.at(key)
    if closed is not None:
        week = np.where(closed.at(key) > 0, never_open, week)
    offset = offsets.at(key)

    store, since = np.divmod(key, end_us - start_us + 1)
    begin = start_us + since
    is_last = np.append(store[1:] != store[:-1], True)
    finish = np.where(is_last, end_us, np.append(begin[1:], end_us))
    open_at_begin = cumulative.open_us(week, begin + offset)
    within = cumulative.open_us(week, finish + offset) - open_at_begin
    before = np.cumsum(within) - within
    first_span = np.searchsorted(store, np.arange(stores))
    before -= before[first_span][store] if stores else before
    return Calendar(stores, start_us, end_us, cumulative, key, offset, week, before - open_at_begin)


def _largest(values: IntArray) -> int:
    return int(values.max()) if len(values) else -1


def _store_key(store: IntArray, at_us: IntArray, start_us: int, end_us: int) -> IntArray:
    """One sortable number for (store, instant inside the calendar)."""
    return store * (end_us - start_us + 1) + (at_us - start_us)


def _cumulate(weeks: WeekIntervals, patterns: int) -> _Weeks:
    """Cumulative patterns, with two more: always open, and after it never open."""
    marks = np.arange(patterns + 2)
    week = np.concatenate([weeks.week, marks])
    start = np.concatenate([weeks.start_us, np.zeros(patterns + 2, np.int64)])
    end = np.concatenate([weeks.end_us, np.where(marks == patterns, WEEK_US, 0)])
    # A mark sorts before a real interval that starts at 0, which then answers for it.
    order = np.lexsort((end, start, week))
    week, start, end = week[order], start[order], end[order]
    length = end - start
    total = np.zeros(patterns + 2, np.int64)
    np.add.at(total, week, length)
    running = np.cumsum(length) - length
    first = np.searchsorted(week, marks)
    return _Weeks(week * WEEK_US + start, start, length, running - running[first][week], total)


def _offset_steps(stores: int, start_us: int, end_us: int, zones: ZoneVersions) -> _Steps:
    """UTC offsets of every store: zone versions and the clock changes of their zones."""
    names = (*zones.names, DEFAULT_ZONE)
    # A zone holds backwards from a store's first version, so that version is made to hold always.
    order = np.lexsort((zones.valid_from_us, zones.store))
    store, valid_from = zones.store[order], zones.valid_from_us[order]
    is_first = np.ones(len(store), np.bool_)
    is_first[1:] = store[1:] != store[:-1]
    # Of versions that start together the last one loaded counts, also for the time before them.
    rank = np.cumsum(is_first) - 1
    first_from = valid_from[is_first][rank] if len(store) else valid_from
    steps = _version_steps(
        stores,
        start_us,
        end_us,
        store=store,
        valid_from_us=np.where(valid_from == first_from, ALWAYS, valid_from),
        value=zones.zone[order],
        default=len(zones.names),
    )
    used = np.unique(steps.value)
    changes = {int(z): offset_changes(ZoneInfo(names[z]), start_us, end_us) for z in used}
    if all(len(change) == 1 for change in changes.values()):
        offset_of = np.zeros(len(names), np.int64)
        for zone, change in changes.items():
            offset_of[zone] = change[0][1]
        return _Steps(steps.key, offset_of[steps.value])
    return _clock_changes(steps, changes, start_us, end_us)


def _clock_changes(
    steps: _Steps, changes: dict[int, list[tuple[int, int]]], start_us: int, end_us: int
) -> _Steps:
    """Zones in force as UTC offsets in force, with a step at each change of clocks."""
    length = end_us - start_us + 1
    store, since = np.divmod(steps.key, length)
    same_store = np.append(store[1:] == store[:-1], False)
    until = np.where(same_store, np.append(since[1:], 0), length)
    keys: list[IntArray] = []
    offsets: list[IntArray] = []
    for zone, change in changes.items():
        in_zone = steps.value == zone
        begin = store[in_zone] * length
        for number, (changed_at, offset) in enumerate(change):
            change_since = changed_at - start_us
            change_until = change[number + 1][0] - start_us if number + 1 < len(change) else length
            first = np.maximum(since[in_zone], change_since)
            is_real = first < np.minimum(until[in_zone], change_until)
            keys.append((begin + first)[is_real])
            offsets.append(np.full(int(is_real.sum()), offset, np.int64))
    key = np.concatenate(keys)
    order = np.argsort(key)
    return _Steps(key[order], np.concatenate(offsets)[order])


def _version_steps(
    stores: int,
    start_us: int,
    end_us: int,
    *,
    store: IntArray,
    valid_from_us: IntArray,
    value: IntArray,
    default: int,
) -> _Steps:
    """The value in force per store; versions that start before the calendar hold at its start."""
    counts = valid_from_us <= end_us
    every = np.arange(stores)
    all_store = np.concatenate([every, store[counts]])
    exact = np.concatenate([np.full(stores, ALWAYS - 1), valid_from_us[counts]])
    all_value = np.concatenate([np.full(stores, default), value[counts]])
    order = np.lexsort((exact, all_store))  # stable: the later row of equals comes last
    key = _store_key(all_store[order], np.maximum(exact[order], start_us), start_us, end_us)
    is_last = np.append(key[1:] != key[:-1], True)
    return _Steps(key[is_last], all_value[order][is_last].astype(np.int64))


def _closed_steps(
    stores: int, start_us: int, end_us: int, offsets: _Steps, closures: Closures | None
) -> _Steps | None:
    """How many closures hold per store and instant; None when there is none in the calendar."""
    if closures is None:
        return None
    near = (closures.start_local_us < end_us + 2 * DAY_US) & (
        closures.end_local_us > start_us - 2 * DAY_US
    )
    if not near.any():
        return None
    length = end_us - start_us + 1
    span_store, since = np.divmod(offsets.key, length)
    begin = start_us + since
    same_store = np.append(span_store[1:] == span_store[:-1], False)
    finish = np.where(same_store, np.append(begin[1:], 0), end_us + 1)
    keys: list[IntArray] = [
        _store_key(np.arange(stores), np.full(stores, start_us), start_us, end_us)
    ]
    deltas: list[IntArray] = [np.zeros(stores, np.int64)]
    for closed_store, start_local, end_local in zip(
        closures.store[near],
        closures.start_local_us[near],
        closures.end_local_us[near],
        strict=True,
    ):
        spans = (
            slice(None)
            if closed_store == EVERY_STORE
            else slice(*np.searchsorted(span_store, [closed_store, closed_store + 1]))
        )
        opened = np.maximum(start_local - offsets.value[spans], begin[spans])
        ended = np.minimum(end_local - offsets.value[spans], finish[spans])
        is_real: BoolArray = opened < ended
        for edge, delta in ((opened, 1), (ended, -1)):
            is_inside = is_real & (edge <= end_us)
            inside_store = span_store[spans][is_inside]
            keys.append(_store_key(inside_store, edge[is_inside], start_us, end_us))
            deltas.append(np.full(len(inside_store), delta, np.int64))
    key, edge_of = np.unique(np.concatenate(keys), return_inverse=True)
    change = np.zeros(len(key), np.int64)
    np.add.at(change, edge_of, np.concatenate(deltas))
    count = np.cumsum(change)
    # An edge beyond the calendar was left out, so each store begins from its own zero.
    first = np.searchsorted(key, np.arange(stores) * length)
    carried = count[first] - change[first]
    return _Steps(key, count - carried[key // length])
