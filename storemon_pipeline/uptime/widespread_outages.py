"""Widespread outages: which incidents began together with those of many other stores, and how long.

Which stores belong together, such as those of a region, is told by the caller.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from typing import Final

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import DAY_US, HOUR_US, BoolArray, IntArray
from storemon_pipeline.uptime.incidents import NO_POLL, Incidents

BIN_US: Final = HOUR_US // 4
"""Stores are counted in the middle of each quarter of an hour."""

TOGETHER_US: Final = HOUR_US
"""What begins, or ends, at most this far apart may do so together."""

UNSURE_US: Final = HOUR_US // 2
"""An instant that is not a poll may be estimated, and is this far off at most."""

NARROW_BINS: Final = 2
"""An incident that began within this number of bins may belong to one more on both sides."""

MOST_LOST_EARLIER_US: Final = HOUR_US
"""An incident that had cost more than this before a widespread outage began was so by itself."""

MOST_CHANCE: Final = 1e-3
"""The highest probability with which others go down together by chance in a widespread outage."""

LEAST_OTHERS: Final = 3
"""At least this number of other stores went down together."""

LEAST_RATIO: Final = 4
"""The others that went down are at least this many times the usual number."""

LEAST_SHARE: Final = 0.3
"""The others that went down are at least this share of the set's other stores."""

STILL_DOWN_SHARE: Final = 0.3
"""A widespread outage is over when less than this share of its stores is still down."""

LEAST_SHARE_WITH_OTHERS: Final = 0.5
"""An incident is marked *with others* from this share of its lost time on."""

_REACH: Final = TOGETHER_US // BIN_US
_BINS_A_DAY: Final = DAY_US // BIN_US
FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class PeerCounts:
    """The other stores of one set, for each incident; every array has shape `(n,)`.

    `stores` are those that were open around the incident's start and not down all the time, of
    which `went_down` began an incident together with it. `down` of `stores_then` were down at the
    same moment: the one in the incident's first hour when most were. The usual numbers are the
    usual shares of as many stores. A widespread outage lasted in `[from_us, until_us)`; 0 stands
    for none. `from_us` is not before the incident.
    """

    stores: IntArray
    went_down: IntArray
    usually_went_down: FloatArray
    stores_then: IntArray
    down: IntArray
    usually_down: FloatArray
    from_us: IntArray
    until_us: IntArray


@dataclass(frozen=True, slots=True)
class WidespreadOutages:
    """What other stores did during each incident; every array has shape `(n,)`.

    Only incidents that begin inside of the calendar, after an active poll, are compared.
    `with_others_us` is the part of an incident's lost time in which a widespread outage lasted:
    that in `[from_us, until_us)`, apart from channels. `peers` has an entry for each kind of set.
    """

    is_compared: BoolArray
    is_with_others: BoolArray
    from_us: IntArray
    until_us: IntArray
    with_others_us: IntArray
    peers: tuple[PeerCounts, ...]


@dataclass(frozen=True, slots=True)
class _Stretches:
    """Stretches `[start_us, end_us)` of stores, by store and time; every array has shape `(n,)`."""

    store: IntArray
    start_us: IntArray
    end_us: IntArray

    def clip(self, start_us: IntArray, end_us: IntArray) -> "_Stretches":
        """What lies within these bounds of each stretch."""
        start, end = np.maximum(self.start_us, start_us), np.minimum(self.end_us, end_us)
        kept = np.flatnonzero(start < end)
        return _Stretches(self.store[kept], start[kept], end[kept])


@dataclass(frozen=True, slots=True)
class _Onsets:
    """The first business instant of each incident; every array has shape `(n,)`.

    `lost_until_us` is the end of the business time that is lost without a break. `bin` is -1 for an
    incident that is not compared. `is_first` is false for a store that began another just before.
    """

    at_us: IntArray
    lost_until_us: IntArray
    bin: IntArray
    is_first: BoolArray


def find_widespread_outages(
    incidents: Incidents,
    calendar: Calendar,
    *,
    first_us: IntArray,
    last_us: IntArray,
    kinds: Sequence[IntArray],
) -> WidespreadOutages:
    """Compare each incident with those of the other stores of its sets.

    `incidents` are all that overlap the calendar, by store and time. Each store has a status in
    `[first_us, last_us)`, shape `(stores,)`. Each of `kinds` numbers the set of every store, shape
    `(stores,)`; -1 means none.

    A widespread outage of a set begins at the instant, within an hour, at which most of its stores
    can have gone down: between the last active and the first inactive poll of each. Apart from one
    these are at least `LEAST_OTHERS`, a share of `LEAST_SHARE` of the stores that were open, and
    `LEAST_RATIO` times the usual number, which has a probability of at most `MOST_CHANCE`. Where
    most of them are in an outage of another set that hit a higher share, the rest has to be enough.
    It lasts as long as a share of `STILL_DOWN_SHARE` of these stores is down. The usual share is
    the mean over the calendar or, where it is higher, the mean at the same time of day without the
    highest day. An incident belongs to it if it can have begun then, or if it had cost at most
    `MOST_LOST_EARLIER_US` until then and can have ended with it.
    """
    bins = max(-(-(calendar.end_us - calendar.start_us) // BIN_US), 1)
    opened = _Stretches(*calendar.all_open_intervals())
    opened = opened.clip(first_us[opened.store], last_us[opened.store])
    onsets = _onsets(incidents, calendar, opened)
    lost = _lost_stretches(incidents, calendar, opened)
    known = _Stretches(np.arange(calendar.stores), first_us, last_us)
    begins = _Begins.of(incidents, calendar.start_us, bins)
    grids = [
        _Grids(numbers, int(numbers.max(initial=0)) + 1, calendar.start_us, bins)
        for numbers in kinds
    ]
    downs = [grid_of.stretches(lost) for grid_of in grids]
    opens = [grid_of.stretches(opened) for grid_of in grids]
    starts = [
        _find_starts(incidents, onsets, begins, grid_of, open_now, down, grid_of.stretches(known))
        for grid_of, open_now, down in zip(grids, opens, downs, strict=True)
    ]
    starts = [
        own.without(_explained(own, [other for other in starts if other is not own]))
        for own in starts
    ]
    peers = [
        _count_peers(incidents, calendar, onsets, own, grid_of, open_now, down)
        for own, grid_of, open_now, down in zip(starts, grids, opens, downs, strict=True)
    ]
    nothing = np.zeros(len(incidents), np.int64)
    found = WidespreadOutages(onsets.bin >= 0, nothing > 0, nothing, nothing, nothing, tuple(peers))
    for counts in peers:
        end_us = np.minimum(counts.until_us, incidents.end_us)
        lost_us = calendar.business_us(incidents.store, end_us)
        lost_us -= calendar.business_us(incidents.store, np.minimum(counts.from_us, end_us))
        is_more = lost_us > found.with_others_us
        found = replace(
            found,
            from_us=np.where(is_more, counts.from_us, found.from_us),
            until_us=np.where(is_more, end_us, found.until_us),
            with_others_us=np.where(is_more, lost_us, found.with_others_us),
        )
    return mark_incidents(found, incidents, found.with_others_us)


def mark_incidents(
    found: WidespreadOutages, incidents: Incidents, with_others_us: IntArray
) -> WidespreadOutages:
    """The comparison with this part of the lost time in widespread outages, and marked by it."""
    is_most = with_others_us >= LEAST_SHARE_WITH_OTHERS * incidents.lost_us
    return replace(
        found, is_with_others=is_most & (with_others_us > 0), with_others_us=with_others_us
    )


def _onsets(incidents: Incidents, calendar: Calendar, opened: _Stretches) -> _Onsets:
    row = np.searchsorted(
        _key(calendar, opened.store, opened.end_us),
        _key(calendar, incidents.store, incidents.start_us),
        side="right",
    )
    # Without an earlier active poll nobody saw it begin.
    is_compared = (incidents.start_us >= calendar.start_us) & (incidents.last_active_us != NO_POLL)
    is_compared &= np.append(opened.store, -1)[row] == incidents.store
    at_us = np.maximum(np.append(opened.start_us, 0)[row], incidents.start_us)
    is_compared &= at_us < incidents.end_us
    until_us = np.minimum(np.append(opened.end_us, 0)[row], incidents.end_us)
    is_first = is_compared.copy()
    is_first[1:] &= (incidents.store[1:] != incidents.store[:-1]) | (
        at_us[1:] - at_us[:-1] > 2 * TOGETHER_US
    )
    return _Onsets(
        at_us,
        until_us,
        np.where(is_compared, (at_us - calendar.start_us) // BIN_US, -1),
        is_first,
    )


def _lost_stretches(incidents: Incidents, calendar: Calendar, opened: _Stretches) -> _Stretches:
    """The business time lost in incidents, as stretches."""
    first = np.searchsorted(
        _key(calendar, opened.store, opened.end_us),
        _key(calendar, incidents.store, incidents.start_us),
        side="right",
    )
    last = np.searchsorted(
        _key(calendar, opened.store, opened.start_us),
        _key(calendar, incidents.store, incidents.end_us),
        side="left",
    )
    touched = np.maximum(last - first, 0)
    incident = np.repeat(np.arange(len(incidents)), touched)
    row = np.arange(len(incident)) + np.repeat(first - np.cumsum(touched) + touched, touched)
    return _Stretches(opened.store[row], opened.start_us[row], opened.end_us[row]).clip(
        incidents.start_us[incident], incidents.end_us[incident]
    )


def _key(calendar: Calendar, store: IntArray, at_us: IntArray) -> IntArray:
    """One sortable integer for a store and an instant, clipped to the calendar."""
    inside = np.clip(at_us, calendar.start_us, calendar.end_us) - calendar.start_us
    return store * (calendar.end_us - calendar.start_us + 1) + inside


@dataclass(frozen=True, slots=True)
class _Grids:
    """Counts stores by set and bin, shape `(sets, bins)`."""

    set_of_store: IntArray
    sets: int
    start_us: int
    bins: int

    def stretches(self, stretches: _Stretches) -> IntArray:
        """How many stretches cover the middle of each bin."""
        first, end = (
            np.clip(_first_middle(at_us - self.start_us), 0, self.bins)
            for at_us in (stretches.start_us, stretches.end_us)
        )
        return self.ranges(stretches.store, first, end)

    def ranges(self, store: IntArray, first: IntArray, end: IntArray) -> IntArray:
        """How many ranges `[first, end)` of bins cover each bin."""
        number = self.set_of_store[store]
        is_member = number >= 0
        row = number[is_member] * (self.bins + 1)
        size = self.sets * (self.bins + 1)
        begins, ends = (
            np.bincount(row + at[is_member], minlength=size).reshape(self.sets, self.bins + 1)
            for at in (first, end)
        )
        covered: IntArray = np.cumsum(begins - ends, axis=1)[:, :-1]
        return covered

    def instants(self, store: IntArray, at_bin: IntArray) -> IntArray:
        """How many instants lie in each bin."""
        number = self.set_of_store[store]
        is_member = number >= 0
        row = number[is_member] * self.bins + at_bin[is_member]
        return np.bincount(row, minlength=self.sets * self.bins).reshape(self.sets, self.bins)


def _first_middle(since_us: IntArray) -> IntArray:
    """The first bin whose middle is not before an instant."""
    return -((BIN_US // 2 - since_us) // BIN_US)


@dataclass(frozen=True, slots=True)
class _Begins:
    """The bins in which each incident can have begun, from `first` to `last`; shape `(n,)`.

    From `counted` on they are not those of the store's incident before.
    """

    first: IntArray
    last: IntArray
    counted: IntArray

    @classmethod
    def of(cls, incidents: Incidents, start_us: int, bins: int) -> "_Begins":
        unsure_us = np.where(incidents.is_polled[:, :2], 0, UNSURE_US)
        first = np.clip((incidents.last_active_us - start_us - unsure_us[:, 0]) // BIN_US, 0, bins)
        last = (incidents.first_inactive_us - start_us + unsure_us[:, 1]) // BIN_US
        first, last = np.minimum(first, bins - 1), np.clip(last, 0, bins - 1)
        # Stores notice the same outage some minutes apart.
        slack = (last - first < NARROW_BINS).astype(np.int64)
        first, last = np.maximum(first - slack, 0), np.minimum(last + slack, bins - 1)
        before = np.append(-1, last[:-1])[: len(last)]
        before[1:][incidents.store[1:] != incidents.store[:-1]] = -1
        counted = np.minimum(np.maximum(first, before + 1), last + 1)
        return cls(first, last, counted)


@dataclass(frozen=True, slots=True)
class _Starts:
    """Where widespread outages of one kind of set begin; the first arrays have shape `(k,)`.

    `at` are the cells, ascending: flat positions of set and bin. `could_begin` tells how many
    incidents can have begun then, `of` how many stores that were open around it could, `of_known`
    how many of all, and `usual` the usual share of the latter. Each incident is compared in `cell`,
    and belongs to the outage `start`, a position in `at`; both are -1 for none, shape `(n,)`.
    `around` are the stores that could go down around each bin, shape `(sets, bins)`.
    """

    at: IntArray
    could_begin: IntArray
    of: IntArray
    of_known: IntArray
    usual: FloatArray
    cell: IntArray
    start: IntArray
    around: IntArray

    def share(self) -> FloatArray:
        """The share of the stores that can have gone down with each incident."""
        share: FloatArray = np.append(self.could_begin / np.maximum(self.of, 1), 0.0)[self.start]
        return share

    def without(self, explained: IntArray) -> "_Starts":
        """The starts that are left without this number of incidents at each."""
        is_left = _is_widespread(
            self.could_begin - explained,
            self.of - explained,
            self.of_known - explained,
            self.usual,
        )
        number = np.where(is_left, np.cumsum(is_left) - 1, -1)
        at = self.at[is_left]
        return replace(self, at=at, start=np.append(number, -1)[self.start])


def _find_starts(
    incidents: Incidents,
    onsets: _Onsets,
    begins: _Begins,
    grid_of: _Grids,
    opened: IntArray,
    down: IntArray,
    known: IntArray,
) -> _Starts:
    number = grid_of.set_of_store[incidents.store]
    is_compared = (number >= 0) & (onsets.bin >= 0)
    row = np.flatnonzero(is_compared)
    could_begin = grid_of.ranges(incidents.store[row], begins.counted[row], begins.last[row] + 1)
    # A store that is down all the time cannot go down.
    lowest_down = _highest_around(-down)
    around = _highest_around(opened) + lowest_down
    of_known = np.maximum(known + lowest_down, could_begin)
    at = _peaks(could_begin)
    usual = _usual_share(could_begin, of_known, *np.divmod(at, grid_of.bins))
    count, known_at = could_begin.ravel()[at], of_known.ravel()[at]
    of = np.maximum(around.ravel()[at], count)
    is_start = _is_widespread(count, of, known_at, usual)
    at = at[is_start]
    own = np.where(is_compared, number, 0) * grid_of.bins
    latest = np.searchsorted(at, own + begins.last, side="right") - 1
    is_joined = is_compared & (np.append(at, -1)[latest] >= own + begins.first)
    return _Starts(
        at,
        count[is_start],
        of[is_start],
        known_at[is_start],
        usual[is_start],
        np.where(is_compared, own + onsets.bin, -1),
        np.where(is_joined, latest, -1),
        around,
    )


def _peaks(count: IntArray) -> IntArray:
    """The cells with more than `LEAST_OTHERS` that are the first of the highest around them."""
    bins, flat = count.shape[1], count.ravel()
    cell = np.flatnonzero(flat > LEAST_OTHERS)
    for step in range(1, _REACH + 1):
        column, here = cell % bins, flat[cell]
        is_peak = (column < step) | (flat[cell - step] < here)
        is_peak &= (column + step >= bins) | (flat[(cell + step) % len(flat)] <= here)
        cell = cell[is_peak]
    return cell


def _explained(own: _Starts, others: Sequence[_Starts]) -> IntArray:
    """For each start, how many incidents one of another kind explains better, if most."""
    explained = np.zeros(len(own.at), np.int64)
    size = np.bincount(own.start[own.start >= 0], minlength=len(own.at))
    share = own.share()
    for other in others:
        is_better = (own.start >= 0) & (other.share() > share)
        pair, count = np.unique(
            np.column_stack([own.start, other.start])[is_better], axis=0, return_counts=True
        )
        is_most = 2 * count > size[pair[:, 0]]
        np.maximum.at(explained, pair[is_most, 0], count[is_most])
    return explained


def _count_peers(
    incidents: Incidents,
    calendar: Calendar,
    onsets: _Onsets,
    starts: _Starts,
    grid_of: _Grids,
    opened: IntArray,
    down: IntArray,
) -> PeerCounts:
    """Compare the incidents of one kind of set."""
    bins, start_us = grid_of.bins, grid_of.start_us
    is_compared = starts.cell >= 0
    if not is_compared.any():
        none, nought = np.zeros(len(incidents), np.int64), np.zeros(len(incidents))
        return PeerCounts(none, none, nought, none, none, nought, none, none)
    row, column = np.divmod(np.maximum(starts.cell, 0), bins)
    began_around = _sum_around(
        grid_of.instants(incidents.store[onsets.is_first], onsets.bin[onsets.is_first])
    )
    around = starts.around
    from_us, until_us = _stretches_of_outages(incidents, calendar, starts)
    cell = np.where(starts.start >= 0, np.append(starts.at, 0)[starts.start] % bins, column)
    # The incident's own store does not count as another.
    is_counted = onsets.is_first & (np.abs(cell - column) <= _REACH)
    went_down = began_around[row, cell] - is_counted
    stores = np.maximum(around[row, cell] - 1, went_down)
    usually_went_down = stores * _usual_share(began_around, around, row, cell)

    first = _first_middle(onsets.at_us - start_us)
    end = np.minimum(_first_middle(onsets.lost_until_us - start_us), bins)
    then, is_inside = column, np.zeros(len(incidents), np.bool_)
    for step in range(_REACH + 1):
        candidate = np.minimum(np.where(is_compared, first + step, 0), bins - 1)
        is_better = (first + step < end) & (~is_inside | (down[row, candidate] > down[row, then]))
        then, is_inside = np.where(is_better, candidate, then), is_inside | is_better
    stores_then = np.maximum(opened[row, then] - is_inside, 0)
    counts = PeerCounts(
        stores,
        went_down,
        usually_went_down,
        stores_then,
        np.clip(down[row, then] - is_inside, 0, stores_then),
        stores_then * _usual_share(down, opened, row, then),
        from_us,
        until_us,
    )
    return PeerCounts(
        *(np.where(is_compared, getattr(counts, field.name), 0) for field in fields(counts))
    )


def _stretches_of_outages(
    incidents: Incidents, calendar: Calendar, starts: _Starts
) -> tuple[IntArray, IntArray]:
    """From when until when each incident was part of a widespread outage; 0 for none."""
    ends_us = np.append(_ends_of_starts(starts, incidents.end_us), 0)
    is_joined = starts.start >= 0
    from_us, until_us = np.where(is_joined, incidents.start_us, 0), ends_us[starts.start]
    # Those that had cost next to nothing before the outage that they ended with.
    start_us, bins = calendar.start_us, starts.around.shape[1]
    row = np.flatnonzero((starts.cell >= 0) & ~is_joined)
    own = starts.cell[row] // bins * bins
    end_bin = np.clip(_first_middle(incidents.end_us[row] - start_us), 0, bins)
    start = np.searchsorted(starts.at, own + end_bin) - 1
    while True:
        at = np.append(starts.at, -1)[start]
        at_us = start_us + at % bins * BIN_US + BIN_US // 2
        is_during = np.flatnonzero((at >= own) & (at_us > incidents.start_us[row]))
        if len(is_during) == 0:
            return from_us, until_us
        row, own, start, at_us = (values[is_during] for values in (row, own, start, at_us))
        store, end_us, next_active_us = (
            incidents.store[row],
            ends_us[start],
            incidents.next_active_us[row],
        )
        lost_us = calendar.business_us(store, at_us)
        lost_us -= calendar.business_us(store, incidents.start_us[row])
        is_with = (end_us > at_us) & (lost_us <= MOST_LOST_EARLIER_US)
        is_with &= end_us >= incidents.last_inactive_us[row] - TOGETHER_US
        is_with &= (end_us <= next_active_us + TOGETHER_US) | (next_active_us == NO_POLL)
        from_us[row[is_with]], until_us[row[is_with]] = at_us[is_with], end_us[is_with]
        # The start before that one.
        row, own, start = row[~is_with], own[~is_with], start[~is_with] - 1


def _sum_around(count: IntArray) -> IntArray:
    """The sum of each bin and those up to `TOGETHER_US` from it."""
    bins = count.shape[1]
    until = np.pad(np.cumsum(count, axis=1), ((0, 0), (1, 0)))
    number = np.arange(bins)
    total: IntArray = (
        until[:, np.minimum(number + _REACH + 1, bins)] - until[:, np.maximum(number - _REACH, 0)]
    )
    return total


def _highest_around(count: IntArray) -> IntArray:
    """The highest of each bin and those up to `TOGETHER_US` from it."""
    highest = count.copy()
    for step in range(1, _REACH + 1):
        np.maximum(highest[:, step:], count[:, :-step], out=highest[:, step:])
        np.maximum(highest[:, :-step], count[:, step:], out=highest[:, :-step])
    return highest


def _usual_share(count: IntArray, stores: IntArray, row: IntArray, column: IntArray) -> FloatArray:
    """The usual share of the stores in these sets and bins: the higher of two means.

    One is over all bins, the other over the bins at the same time of day without the highest.
    """
    sets, bins = count.shape
    overall = count.sum(axis=1) / np.maximum(stores.sum(axis=1), 1)
    days = -(-bins // _BINS_A_DAY)
    padding = ((0, 0), (0, days * _BINS_A_DAY - bins))
    by_day, stores_by_day = (
        np.pad(values, padding).reshape(sets, days, _BINS_A_DAY) for values in (count, stores)
    )
    highest = by_day.argmax(axis=1)[:, np.newaxis]
    rest, rest_of = (
        values.sum(axis=1) - np.take_along_axis(values, highest, axis=1)[:, 0]
        for values in (by_day, stores_by_day)
    )
    at_time = rest / np.maximum(rest_of, 1)
    share: FloatArray = np.maximum(overall[row], at_time[row, column % _BINS_A_DAY])
    return share


def _is_widespread(
    began: IntArray, of: IntArray, of_known: IntArray, usual: FloatArray
) -> BoolArray:
    """Whether so many incidents began that it cannot be chance; all arrays have the same shape."""
    others = began - 1
    of_others, of_known = np.maximum(of - 1, others), np.maximum(of_known - 1, others)
    is_widespread = (
        (others >= LEAST_OTHERS)
        & (others >= LEAST_SHARE * of_others)
        & (others >= LEAST_RATIO * usual * of_known)
    )
    is_widespread[is_widespread] = (
        _chance(others[is_widespread], of_known[is_widespread], usual[is_widespread]) <= MOST_CHANCE
    )
    return is_widespread


def _chance(count: IntArray, of: IntArray, share: FloatArray) -> FloatArray:
    """A close upper bound of the binomial probability of at least `count` of `of`.

    The tail is bounded by a geometric series, and is 1 where `count` is not above the mean.

    >>> _chance(np.array([3]), np.array([3]), np.array([0.1])).round(6).tolist()
    [0.001]
    """
    log_factorial = np.append(0.0, np.cumsum(np.log(np.arange(1, int(of.max(initial=0)) + 1))))
    share = np.clip(share, np.finfo(np.float64).tiny, 1 - np.finfo(np.float64).eps)
    rest = np.maximum(of - count, 0)
    log_first = log_factorial[of] - log_factorial[np.minimum(count, of)] - log_factorial[rest]
    log_first += count * np.log(share) + rest * np.log1p(-share)
    ratio = rest * share / ((count + 1) * (1 - share))
    bound = np.exp(log_first) / np.maximum(1 - ratio, np.finfo(np.float64).eps)
    return np.where(count > of * share, np.minimum(bound, 1.0), 1.0)


def _ends_of_starts(starts: _Starts, end_us: IntArray) -> IntArray:
    """When the outage of each start ends, or 0."""
    joined = np.flatnonzero(starts.start >= 0)
    of_start, ends = starts.start[joined], end_us[joined]
    order = np.lexsort((ends, of_start))
    of_start, ends = of_start[order], ends[order]
    last = np.flatnonzero(np.append(of_start[1:] != of_start[:-1], True)[: len(of_start)])
    size = np.diff(last, prepend=-1)
    still_down = np.ceil(STILL_DOWN_SHARE * size).astype(np.int64)
    until_us = np.zeros(len(starts.at), np.int64)
    until_us[of_start[last]] = ends[last - still_down + 1]
    return until_us
