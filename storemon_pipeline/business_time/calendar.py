"""Business time of stores: weekly hours, zones and closures as one cumulative function.

Weekly hours are normalised in `weeks`. Status does not belong here.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from storemon_pipeline.business_time.interval_sets import IntervalSet
from storemon_pipeline.business_time.special_hours import SpecialHours, merge, open_in_spans, ranges
from storemon_pipeline.business_time.weeks import WeekIntervals
from storemon_pipeline.business_time.zones import offset_changes, zone_of
from storemon_pipeline.domain.windows import DAY_US, DEFAULT_ZONE, WEEK_US, BoolArray, IntArray

ALWAYS: Final = -(2**62)
"""`valid_from_us` of a version that holds for all time before, too."""

OPEN_END: Final = 2**62
"""`end_local_us` of a closure without an end."""

EVERY_STORE: Final = -1
"""`store` of a closure that holds for all stores."""

_MONDAY_SHIFT_US: Final = 3 * DAY_US
"""1970-01-01 was a Thursday: the time since that week's Monday 00:00."""


@dataclass(frozen=True, slots=True)
class HoursVersions:
    """The week pattern of stores, and the instant from which it holds; shape `(n,)` each.

    `week` is the number of a pattern in `WeekIntervals`; a pattern without intervals is never open.
    Rows are in order of loading: for the same store and start the later row counts. A store is
    always open before its first version, and when it has none.
    """

    store: IntArray
    valid_from_us: IntArray
    week: IntArray


@dataclass(frozen=True, slots=True)
class ZoneVersions:
    """The zone of stores, and the instant from which it holds; shape `(n,)` each.

    `zone` is an index into `names` (IANA keys). Rows are in order of loading. A store has the zone
    of its first version before that version as well, and `DEFAULT_ZONE` when it has none.
    """

    store: IntArray
    valid_from_us: IntArray
    zone: IntArray
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Closures:
    """Closures, which do not count as business time; every array has shape `(n,)`.

    `[start_local_us, end_local_us)` is local time of each store, in microseconds since local
    1970-01-01T00:00, or UTC where `is_utc`. `store` is one store or `EVERY_STORE`.
    """

    store: IntArray
    start_local_us: IntArray
    end_local_us: IntArray
    is_utc: BoolArray


@dataclass(frozen=True, slots=True)
class LocalSpans:
    """Intervals of constant UTC offset that fill a calendar; every array has shape `(n,)`.

    Sorted by store and time. `[start_us, end_us)` is UTC; local time is UTC plus `offset_us`.
    """

    store: IntArray
    start_us: IntArray
    end_us: IntArray
    offset_us: IntArray


@dataclass(frozen=True, slots=True)
class _Steps:
    """A step function per store: each value holds from an instant on.

    `key` combines store and instant, ascending.
    """

    key: IntArray
    value: IntArray

    def at(self, key: IntArray) -> IntArray:
        """The value at each key; every store has a step at the calendar's start."""
        if np.array_equal(key, self.key):
            return self.value
        return self.value[np.searchsorted(self.key, key, side="right") - 1]


@dataclass(frozen=True, slots=True)
class Calendar:
    """Business time of stores `0 .. stores - 1` within `[start_us, end_us]`, UTC.

    The stores share one axis of instants and one axis of business time, one store after the other:
    on both, store 1 begins where store 0 ends.
    """

    stores: int
    start_us: int
    end_us: int
    _open: IntervalSet
    _span_key: IntArray
    _span_offset_us: IntArray

    def business_us(self, store: IntArray, at_us: IntArray) -> IntArray:
        """Business time of each store from the calendar's start to each instant, in microseconds.

        Both arrays have the same shape. Instants outside the calendar are clipped to it. Business
        time in `[a, b)` is the difference of two calls.
        """
        begin = np.full(self.stores, self.start_us)
        return (
            self.position_us(store, at_us) - self.position_us(np.arange(self.stores), begin)[store]
        )

    def position_us(self, store: IntArray, at_us: IntArray) -> IntArray:
        """The position of each instant on the axis of business time of all stores.

        The two arrays broadcast against each other. Positions never decrease from one store to the
        next, nor within a store.
        """
        at = np.clip(at_us, self.start_us, self.end_us)
        return self._open.before(_store_key(store, at, self.start_us, self.end_us))

    def ascending_positions_us(self, store: IntArray, at_us: IntArray) -> IntArray:
        """As `position_us`, but faster: for ascending instants inside the calendar.

        `store` has shape `(n,)`; `at_us` and the result have shape `(k, n)`. The instants ascend
        by store, then column, then row.
        """
        key = _store_key(store, at_us, self.start_us, self.end_us).T
        amount = self._open.before_ascending(key.ravel())
        return np.ascontiguousarray(amount.reshape(key.shape).T)

    def slice_stores(self, first: int, end: int) -> Self:
        """The calendar of the stores `first .. end - 1` only, without copies."""
        key = _store_key(np.array([first, end]), np.array(0), 0, self.end_us - self.start_us)
        return replace(self, _open=self._open.between(*key.tolist()))

    def take(self, stores: IntArray) -> Self:
        """The calendar of the stores at these positions, which may repeat, numbered from 0."""
        length = self.end_us - self.start_us + 1
        number = np.arange(len(stores))

        def moved(key: IntArray) -> tuple[IntArray, IntArray]:
            """The rows of these stores, and their keys afterwards."""
            first = np.searchsorted(key, stores * length)
            count = np.searchsorted(key, (stores + 1) * length) - first
            row = ranges(first, count)
            return row, key[row] + np.repeat((number - stores) * length, count)

        opened, start = moved(self._open.start[1:])
        span, span_key = moved(self._span_key)
        return replace(
            self,
            stores=len(stores),
            _open=IntervalSet.of(start, self._open.length[1:][opened]),
            _span_key=span_key,
            _span_offset_us=self._span_offset_us[span],
        )

    def local_spans(self) -> LocalSpans:
        """The UTC offsets of each store over time; adjacent intervals of a store differ."""
        store, begin, finish = self._bounds()
        is_first = np.ones(len(store), np.bool_)
        is_first[1:] = (store[1:] != store[:-1]) | (
            self._span_offset_us[1:] != self._span_offset_us[:-1]
        )
        is_last = np.append(is_first[1:], True)[: len(store)]
        return LocalSpans(
            store[is_first], begin[is_first], finish[is_last], self._span_offset_us[is_first]
        )

    def open_intervals(self, store: int) -> tuple[IntArray, IntArray]:
        """Starts and ends (UTC, each `(n,)`) of one store's business time, ascending.

        Intervals that touch are joined.
        """
        origin = _store_key(np.array(store), np.array(0), self.start_us, self.end_us)
        bounds = origin + np.array([self.start_us, self.end_us + 1])
        opened, length = self._open.start[1:], self._open.length[1:]
        own = slice(*np.searchsorted(opened, bounds))
        start = opened[own] - origin
        end = start + length[own]
        is_apart = start[1:] > end[:-1]
        return start[np.append(True, is_apart)[: len(start)]], end[
            np.append(is_apart, True)[: len(end)]
        ]

    def all_open_intervals(self) -> tuple[IntArray, IntArray, IntArray]:
        """Store, start and end (UTC) of every open interval, each `(n,)`, by store and time.

        Intervals of a store may touch, for example at the end of a week.
        """
        store, since = np.divmod(self._open.start[1:], self.end_us - self.start_us + 1)
        start = self.start_us + since
        return store, start, start + self._open.length[1:]

    def _bounds(self) -> tuple[IntArray, IntArray, IntArray]:
        """Store, start and end of every interval of constant offset."""
        length = self.end_us - self.start_us + 1
        store, since = np.divmod(self._span_key, length)
        begin = self.start_us + since
        is_last = np.append(store[1:] != store[:-1], True)[: len(store)]
        finish = np.where(is_last, self.end_us, np.append(begin[1:], self.end_us)[: len(store)])
        return store, begin, finish


def build_calendar(
    *,
    stores: int,
    start_us: int,
    end_us: int,
    weeks: WeekIntervals,
    hours: HoursVersions,
    zones: ZoneVersions,
    special: SpecialHours | None = None,
    closures: Closures | None = None,
) -> Calendar:
    """Build the calendar of stores `0 .. stores - 1` for `[start_us, end_us]`.

    Raises ValueError when stores times length exceeds 64 bits (about 290,000 store-years): use
    smaller chunks of stores.
    """
    if (end_us - start_us + 1) * (stores + 1) >= 2**63:
        raise ValueError(
            f"a calendar of {stores} stores over {end_us - start_us} microseconds is too large"
        )
    patterns = 1 + max(_largest(weeks.week), _largest(hours.week))
    always_open, never_open = patterns, patterns + 1
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
    if special is not None:
        inside = (special.valid_from_us > start_us) & (special.valid_from_us < end_us)
        changed = special.store[inside], special.valid_from_us[inside]
        edges.append(np.sort(_store_key(*changed, start_us, end_us)))
    key = _union(edges)
    week = week_steps.at(key)
    if closed is not None:
        week = np.where(closed.at(key) > 0, never_open, week)
    offset = offsets.at(key)
    opened = None
    if special is not None and len(special.store):
        is_special = np.isin(key // (end_us - start_us + 1), special.store)
        opened = _special_intervals(
            special, key, offset, is_special & (week != never_open), start_us, end_us
        )
        week = np.where(is_special, never_open, week)
    open_key, length_us = _open_intervals(
        key, offset, week, _with_always_open(weeks, always_open), start_us, end_us
    )
    if opened is not None:
        open_key = np.concatenate([open_key, opened[0]])
        length_us = np.concatenate([length_us, opened[1]])
        order = np.argsort(open_key)
        open_key, length_us = open_key[order], length_us[order]
    return Calendar(stores, start_us, end_us, IntervalSet.of(open_key, length_us), key, offset)


def _union(keys: list[IntArray]) -> IntArray:
    """The distinct values of several ascending arrays, ascending."""
    if all(np.array_equal(keys[0], others) for others in keys[1:]):
        return keys[0]
    merged = np.concatenate(keys)
    merged.sort(kind="stable")  # fast: the keys are nearly sorted
    return merged[_ends_group(merged)]


def _by_store_and_time(store: IntArray, at_us: IntArray) -> IntArray:
    """The order of rows by store and instant; equal rows keep their order."""
    place = np.full(int(store.max(initial=-1)) + 1, -1)
    place[store] = np.arange(len(store))
    order: IntArray = place[place >= 0]
    return order if len(order) == len(store) else np.lexsort((at_us, store))


def _with_always_open(weeks: WeekIntervals, always_open: int) -> WeekIntervals:
    return WeekIntervals(
        np.append(weeks.week, always_open),
        np.append(weeks.start_us, 0),
        np.append(weeks.end_us, WEEK_US),
    )


def _open_intervals(
    key: IntArray,
    offset_us: IntArray,
    week: IntArray,
    weeks: WeekIntervals,
    start_us: int,
    end_us: int,
) -> tuple[IntArray, IntArray]:
    """The start of each open interval, as a key of store and instant, and its length.

    A span begins at each `key` and ends at the next one or at the end of the calendar. Within a
    span the UTC offset and the week pattern are constant. Each week that a span touches is expanded
    and clipped to the span.
    """
    length = end_us - start_us + 1
    until_key = _until(key, start_us, end_us)
    # The key of the last local Monday 00:00 at or before the span's start.
    since_monday_us = (start_us + key % length + offset_us + _MONDAY_SHIFT_US) % WEEK_US
    monday_key = key - since_monday_us
    weeks_touched = (until_key - monday_key + WEEK_US - 1) // WEEK_US

    row_count = np.bincount(weeks.week, minlength=int(week.max(initial=-1)) + 1)
    first_row = np.cumsum(row_count) - row_count
    span = np.repeat(np.arange(len(key)), weeks_touched)
    number = ranges(np.zeros_like(weeks_touched), weeks_touched)
    rows = row_count[week[span]]
    row = ranges(first_row[week[span]], rows)
    base = np.repeat(monday_key[span] + number * WEEK_US, rows)
    begin = np.maximum(base + weeks.start_us[row], np.repeat(key[span], rows))
    end = np.minimum(base + weeks.end_us[row], np.repeat(until_key[span], rows))
    real = np.flatnonzero(begin < end)
    begin = begin[real]
    return begin, end[real] - begin


def _until(key: IntArray, start_us: int, end_us: int) -> IntArray:
    """The key at which the span that begins at each key ends."""
    length = end_us - start_us + 1
    same_store = key[1:] // length == key[:-1] // length
    last_key = key // length * length + (end_us - start_us)
    return np.append(np.where(same_store, key[1:], last_key[:-1]), last_key[-1:])


def _special_intervals(
    special: SpecialHours,
    key: IntArray,
    offset_us: IntArray,
    is_chosen: BoolArray,
    start_us: int,
    end_us: int,
) -> tuple[IntArray, IntArray]:
    """As `_open_intervals`, in the chosen spans, which are those of stores with special hours."""
    length = end_us - start_us + 1
    chosen = np.flatnonzero(is_chosen)
    store = key[chosen] // length
    origin_us = start_us - store * length
    span, begin_us, finish_us = open_in_spans(
        special,
        store=store,
        begin_us=key[chosen] + origin_us,
        end_us=_until(key, start_us, end_us)[chosen] + origin_us,
        offset_us=offset_us[chosen],
    )
    begin, finish = merge(begin_us - origin_us[span], finish_us - origin_us[span])
    return begin, finish - begin


def _largest(values: IntArray) -> int:
    return int(values.max()) if len(values) else -1


def _ends_group(values: IntArray) -> BoolArray:
    """Whether each of the sorted values, shape `(n,)`, is the last of a group of equal ones."""
    is_last = np.ones(len(values), np.bool_)
    is_last[:-1] = values[1:] != values[:-1]
    return is_last


def _store_key(store: IntArray, at_us: IntArray, start_us: int, end_us: int) -> IntArray:
    """One sortable integer for a store and an instant inside the calendar."""
    return (store * (end_us - start_us + 1) - start_us) + at_us


def _offset_steps(stores: int, start_us: int, end_us: int, zones: ZoneVersions) -> _Steps:
    """UTC offsets of every store, from zone versions and the clock changes of their zones."""
    names = (*zones.names, DEFAULT_ZONE)
    # A store's first zone holds for all time before it, too: its start becomes ALWAYS.
    order = _by_store_and_time(zones.store, zones.valid_from_us)
    store, valid_from = zones.store[order], zones.valid_from_us[order]
    is_first = np.ones(len(store), np.bool_)
    is_first[1:] = store[1:] != store[:-1]
    # Of versions with the same start the last one loaded counts, also for the time before.
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
    used = np.flatnonzero(np.bincount(steps.value))
    changes = {int(z): offset_changes(zone_of(names[z]), start_us, end_us) for z in used}
    if all(len(change) == 1 for change in changes.values()):
        offset_of = np.zeros(len(names), np.int64)
        for zone, change in changes.items():
            offset_of[zone] = change[0][1]
        return _Steps(steps.key, offset_of[steps.value])
    return _clock_changes(steps, changes, start_us, end_us)


def _clock_changes(
    steps: _Steps, changes: dict[int, list[tuple[int, int]]], start_us: int, end_us: int
) -> _Steps:
    """Turn steps of zones into steps of UTC offsets, with a step at each clock change."""
    length = end_us - start_us + 1
    store, since = np.divmod(steps.key, length)
    same_store = ~_ends_group(store)
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
    """The value of each store over time; earlier versions count at the calendar's start."""
    counts = valid_from_us <= end_us
    every = np.arange(stores)
    all_store = np.concatenate([every, store[counts]])
    exact = np.concatenate([np.full(stores, ALWAYS - 1), valid_from_us[counts]])
    all_value = np.concatenate([np.full(stores, default), value[counts]])
    order = np.lexsort((exact, all_store))  # stable: of equal rows the later one comes last
    key = _store_key(all_store[order], np.maximum(exact[order], start_us), start_us, end_us)
    last = np.flatnonzero(_ends_group(key))
    return _Steps(key[last], all_value[order[last]].astype(np.int64, copy=False))


def _closed_steps(
    stores: int, start_us: int, end_us: int, offsets: _Steps, closures: Closures | None
) -> _Steps | None:
    """The number of closures in force per store and instant; None without any."""
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
    same_store = ~_ends_group(span_store)
    finish = np.where(same_store, np.append(begin[1:], 0), end_us + 1)
    keys: list[IntArray] = [
        _store_key(np.arange(stores), np.full(stores, start_us), start_us, end_us)
    ]
    deltas: list[IntArray] = [np.zeros(stores, np.int64)]
    for closed_store, start_local, end_local, is_utc in zip(
        closures.store[near],
        closures.start_local_us[near],
        closures.end_local_us[near],
        closures.is_utc[near],
        strict=True,
    ):
        spans = (
            slice(None)
            if closed_store == EVERY_STORE
            else slice(*np.searchsorted(span_store, [closed_store, closed_store + 1]))
        )
        offset = 0 if is_utc else offsets.value[spans]
        opened = np.maximum(start_local - offset, begin[spans])
        ended = np.minimum(end_local - offset, finish[spans])
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
    # Ends beyond the calendar were left out, so each store's count starts from zero again.
    first = np.searchsorted(key, np.arange(stores) * length)
    carried = count[first] - change[first]
    return _Steps(key, count - carried[key // length])
