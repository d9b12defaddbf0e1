"""Widespread outages of channels in the incidents of stores: pure functions over arrays.

Which storefronts went down together is found in `uptime.widespread_outages`.
"""

from dataclasses import dataclass

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.uptime.incidents import Incidents
from storemon_pipeline.uptime.widespread_outages import WidespreadOutages, mark_incidents


@dataclass(frozen=True, slots=True)
class StorefrontIncidents:
    """Incidents of storefronts, compared with those of other storefronts of the same channel.

    `store`, of shape `(storefronts,)`, is the position of each one's store, ascending.
    `incidents.store` and the rows of `found` are about storefronts.
    """

    store: IntArray
    incidents: Incidents
    found: WidespreadOutages

    def during(self, store: int, start_us: int, end_us: int) -> list[int]:
        """The rows of compared incidents of a store's storefronts that overlap `[start, end)`."""
        incidents = self.incidents
        fronts = np.searchsorted(self.store, [store, store + 1])
        first, last = np.searchsorted(incidents.store, fronts).tolist()
        own = slice(first, last)
        is_during = (incidents.start_us[own] < end_us) & (incidents.end_us[own] > start_us)
        rows: list[int] = (first + np.flatnonzero(is_during & self.found.is_compared[own])).tolist()
        return rows


def add_channel_outages(
    found: WidespreadOutages,
    incidents: Incidents,
    calendar: Calendar,
    fronts: StorefrontIncidents,
    *,
    rule: ChannelRule,
) -> WidespreadOutages:
    """The comparison of stores, with the time that widespread outages of channels cost them."""
    outages = found.from_us, found.until_us
    shared_us = time_in_outages(incidents, outages, calendar, fronts, rule=rule)
    return mark_incidents(found, incidents, np.where(found.is_compared, shared_us, 0))


def time_in_outages(
    incidents: Incidents,
    outages: tuple[IntArray, IntArray],
    calendar: Calendar,
    fronts: StorefrontIncidents,
    *,
    rule: ChannelRule,
) -> IntArray:
    """The opening time of each incident in widespread outages, shape `(n,)`.

    `outages` are the bounds of those of sets of stores, as `WidespreadOutages` has them. An outage
    of a channel costs the time in which a store would have been up without it: with `ALL_UP`, the
    time in which all of its storefronts that are down are in one; with the other rules, that in
    which any of them is.
    """
    (counts,) = fronts.found.peers
    of_fronts = fronts.incidents
    store = fronts.store[of_fronts.store]
    from_us = np.clip(counts.from_us, of_fronts.start_us, of_fronts.end_us)
    until_us = np.clip(counts.until_us, from_us, of_fronts.end_us)
    one, number = np.ones_like(store), np.arange(len(incidents)) + 1
    pieces = _overlay(
        _Weighed(store, from_us, until_us, one),
        _Weighed(store, of_fronts.start_us, from_us, one),
        _Weighed(store, until_us, of_fronts.end_us, one),
        _Weighed(incidents.store, *outages, number),
        # The incidents of a store do not overlap, so that the sum is the number of one of them.
        _Weighed(incidents.store, incidents.start_us, incidents.end_us, number),
    )
    widespread, before, after, of_sets, incident = pieces.weights
    is_with_others = widespread > 0
    if rule is ChannelRule.ALL_UP:
        is_with_others &= (before == 0) & (after == 0)
    row = np.flatnonzero((is_with_others | (of_sets > 0)) & (incident > 0))
    own = pieces.store[row]
    lost_us = calendar.business_us(own, pieces.end_us[row])
    lost_us -= calendar.business_us(own, pieces.start_us[row])
    shared_us = np.zeros(len(incidents), np.int64)
    np.add.at(shared_us, incident[row] - 1, lost_us)
    return shared_us


@dataclass(frozen=True, slots=True)
class _Weighed:
    """Stretches `[start_us, end_us)` of stores, with a weight; every array has shape `(n,)`."""

    store: IntArray
    start_us: IntArray
    end_us: IntArray
    weight: IntArray


@dataclass(frozen=True, slots=True)
class _Pieces:
    """Pieces of time, by store and time, shape `(n,)`; `weights` has shape `(k, n)`."""

    store: IntArray
    start_us: IntArray
    end_us: IntArray
    weights: IntArray


def _overlay(*kinds: _Weighed) -> _Pieces:
    """Pieces in which no stretch begins or ends, with the sum of the weights of each kind.

    >>> store = np.array([7])
    >>> pieces = _overlay(
    ...     _Weighed(store, np.array([10]), np.array([30]), np.array([1])),
    ...     _Weighed(store, np.array([20]), np.array([40]), np.array([5])),
    ... )
    >>> pieces.start_us.tolist(), pieces.end_us.tolist(), pieces.weights.tolist()
    ([10, 20, 30], [20, 30, 40], [[1, 1, 0], [0, 5, 5]])
    """
    store = np.concatenate([kind.store for kind in kinds for _ in range(2)])
    at_us = np.concatenate([at_us for kind in kinds for at_us in (kind.start_us, kind.end_us)])
    change = np.zeros((len(kinds), len(at_us)), np.int64)
    first = 0
    for number, kind in enumerate(kinds):
        end = first + 2 * len(kind.store)
        change[number, first:end] = np.append(kind.weight, -kind.weight)
        first = end
    order = np.lexsort((at_us, store))
    store, at_us = store[order], at_us[order]
    weights = np.cumsum(change[:, order], axis=1)
    row = np.flatnonzero((store[1:] == store[:-1]) & (at_us[1:] > at_us[:-1]))
    return _Pieces(store[row], at_us[row], at_us[row + 1], weights[:, row])
