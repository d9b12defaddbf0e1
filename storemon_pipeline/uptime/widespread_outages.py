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
"""Incidents that begin at most this far apart began together: polls are about an hour apart."""

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
    usual shares of as many stores. A widespread outage lasted until `until_us`; 0 stands for none.
    """

    stores: IntArray
    went_down: IntArray
    usually_went_down: FloatArray
    stores_then: IntArray
    down: IntArray
    usually_down: FloatArray
    until_us: IntArray


@dataclass(frozen=True, slots=True)
class WidespreadOutages:
    """What other stores did during each incident; every array has shape `(n,)`.

    Only incidents that begin inside of the calendar, after an active poll, are compared.
    `with_others_us` is the part of an incident's lost time in which a widespread outage lasted.
    `peers` has an entry for each kind of set.
    """

    is_compared: BoolArray
    is_with_others: BoolArray
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

    A widespread outage of a set begins where, within an hour, a store went down and with it at
    least `LEAST_OTHERS` others, a share of `LEAST_SHARE`, and `LEAST_RATIO` times the usual number,
    which has a probability of at most `MOST_CHANCE`. It lasts as long as a share of
    `STILL_DOWN_SHARE` of these stores is down. The usual share is the mean over the calendar or,
    where it is higher, the mean at the same time of day without the highest day. An incident
    belongs to a widespread outage that began between its last active and its first inactive poll.
    """
    bins = max(-(-(calendar.end_us - calendar.start_us) // BIN_US), 1)
    opened = _Stretches(*calendar.all_open_intervals())
    opened = opened.clip(first_us[opened.store], last_us[opened.store])
    onsets = _onsets(incidents, calendar, opened)
    lost = _lost_stretches(incidents, calendar, opened)
    until_us = np.zeros(len(incidents), np.int64)
    peers = []
    for set_of_store in kinds:
        sets = int(set_of_store.max(initial=-1)) + 1
        grid_of = _Grids(set_of_store, sets, calendar.start_us, bins)
        counts = _count_peers(
            incidents,
            onsets,
            set_of_store[incidents.store],
            grid_of.stretches(opened),
            grid_of.stretches(lost),
            grid_of.instants(incidents.store[onsets.is_first], onsets.bin[onsets.is_first]),
            calendar.start_us,
        )
        until_us = np.maximum(until_us, counts.until_us)
        peers.append(counts)
    start_us = incidents.start_us
    end_us = np.clip(until_us, start_us, incidents.end_us)
    with_others_us = calendar.business_us(incidents.store, end_us) - calendar.business_us(
        incidents.store, start_us
    )
    none = np.zeros(len(incidents), np.bool_)
    found = WidespreadOutages(onsets.bin >= 0, none, with_others_us, tuple(peers))
    return mark_incidents(found, incidents, with_others_us)


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
        number = self.set_of_store[stretches.store]
        is_member = number >= 0
        row = number[is_member] * (self.bins + 1)
        size = self.sets * (self.bins + 1)
        begins, ends = (
            np.bincount(
                row + np.clip(_first_middle(at[is_member] - self.start_us), 0, self.bins),
                minlength=size,
            ).reshape(self.sets, self.bins + 1)
            for at in (stretches.start_us, stretches.end_us)
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


def _count_peers(
    incidents: Incidents,
    onsets: _Onsets,
    number: IntArray,
    opened: IntArray,
    down: IntArray,
    began: IntArray,
    start_us: int,
) -> PeerCounts:
    """Compare the incidents of one kind of set; `number` is the set of each incident, or -1."""
    bins = opened.shape[1]
    is_compared = (number >= 0) & (onsets.bin >= 0)
    if not is_compared.any():
        none, nought = np.zeros(len(incidents), np.int64), np.zeros(len(incidents))
        return PeerCounts(none, none, nought, none, none, nought, none)
    row, column = np.where(is_compared, number, 0), np.where(is_compared, onsets.bin, 0)
    # A store that is down all the time cannot go down.
    around, began_around = _highest_around(opened) + _highest_around(-down), _sum_around(began)
    usual = _usual_share(began_around, around)
    is_widespread = _is_widespread(began_around, around, usual)
    # It may have begun at any instant between the two polls.
    may_begin, may_end = (
        np.clip((at_us - start_us) // BIN_US, 0, bins - 1)
        for at_us in (incidents.last_active_us, incidents.first_inactive_us)
    )
    until_us = _ends_of_widespread_outages(
        is_widespread, is_compared, row * bins + column, incidents.end_us
    )
    latest = np.maximum.accumulate(np.where(is_widespread, np.arange(bins), -1), axis=1)[
        row, may_end
    ]
    is_joined = is_compared & (latest >= may_begin)
    until_us = np.where(is_joined, until_us[row, np.maximum(latest, 0)], 0)
    cell = np.where(is_joined, latest, column)
    # The incident's own store does not count as another.
    is_counted = onsets.is_first & (np.abs(cell - column) <= _REACH)
    went_down = began_around[row, cell] - is_counted
    stores = np.maximum(around[row, cell] - 1, went_down)
    usually_went_down = stores * usual[row, cell]

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
        stores_then * _usual_share(down, opened)[row, then],
        until_us,
    )
    return PeerCounts(
        *(np.where(is_compared, getattr(counts, field.name), 0) for field in fields(counts))
    )


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


def _usual_share(count: IntArray, stores: IntArray) -> FloatArray:
    """The usual share of the stores in each bin: the higher of two means.

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
    at_time = np.tile(rest / np.maximum(rest_of, 1), (1, days))[:, :bins]
    share: FloatArray = np.maximum(overall[:, np.newaxis], at_time)
    return share


def _is_widespread(began: IntArray, of: IntArray, usual: FloatArray) -> BoolArray:
    """Whether so many incidents began that it cannot be chance; all arrays have the same shape."""
    others, of_others = began - 1, np.maximum(of - 1, began - 1)
    is_widespread = (
        (others >= LEAST_OTHERS)
        & (others >= LEAST_SHARE * of_others)
        & (others >= LEAST_RATIO * usual * of_others)
    )
    is_widespread[is_widespread] = (
        _chance(others[is_widespread], of_others[is_widespread], usual[is_widespread])
        <= MOST_CHANCE
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


def _ends_of_widespread_outages(
    is_widespread: BoolArray, is_compared: BoolArray, cell: IntArray, end_us: IntArray
) -> IntArray:
    """When the outage of each set and bin ends, or 0; `cell` is the set and bin of an incident."""
    bins = is_widespread.shape[1]
    is_wanted = is_widespread.ravel()
    compared = np.flatnonzero(is_compared)
    own, column = cell[compared], cell[compared] % bins
    cells, members = [], []
    for step in range(-_REACH, _REACH + 1):
        is_in_set = (column + step >= 0) & (column + step < bins)
        is_member = is_in_set & is_wanted[np.where(is_in_set, own + step, 0)]
        cells.append(own[is_member] + step)
        members.append(compared[is_member])
    of_cell, ends = np.concatenate(cells), end_us[np.concatenate(members)]
    order = np.lexsort((ends, of_cell))
    of_cell, ends = of_cell[order], ends[order]
    last = np.flatnonzero(np.append(of_cell[1:] != of_cell[:-1], True)[: len(of_cell)])
    size = np.diff(last, prepend=-1)
    still_down = np.ceil(STILL_DOWN_SHARE * size).astype(np.int64)
    until_us = np.zeros(is_widespread.size, np.int64)
    until_us[of_cell[last]] = ends[last - still_down + 1]
    return until_us.reshape(is_widespread.shape)
