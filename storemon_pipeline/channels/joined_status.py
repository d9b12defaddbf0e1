"""The status of a store from the status of its storefronts: pure functions over arrays.

The result is status runs again, so that every figure is computed from them as from polls.
"""

from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.shares import Shares
from storemon_pipeline.domain.windows import LOOKBACK_US, BoolArray, IntArray, Policy
from storemon_pipeline.uptime.estimates import Estimates, Status, estimate_status
from storemon_pipeline.uptime.event_stretches import EventStretches, what_holds
from storemon_pipeline.uptime.status_runs import StatusRuns

_BITS: Final = 15
_MOST_US: Final = 2**61
"""Storefronts times the length of their history stay below this in one step, to fit 64 bits."""


def join_storefronts(
    evidence: StatusRuns,
    store: IntArray,
    *,
    rule: ChannelRule,
    policy: Policy,
    until_us: int,
    is_report: bool,
) -> StatusRuns:
    """The status runs of stores from those of their storefronts, up to an instant.

    `evidence.store` numbers storefronts; `store` has the number of each one's store. A storefront
    takes part where its status is known, which is from its first poll on. Where all that matter are
    certain, the result is a status run. Elsewhere markers stand where the estimated status changes
    and where polls were: status runs without length and polls, for a report before its end. A
    store with one storefront has the same status runs as that storefront. By the rule of shares,
    the status is that of any up, and the others have shares besides.

    >>> from storemon_pipeline.uptime.status_runs import compress
    >>> hour = 3_600_000_000
    >>> evidence = compress(
    ...     np.array([0, 0, 0, 1, 1, 1]), hour * np.array([0, 1, 2, 0, 1, 2]),
    ...     np.array([True, False, False, True, True, False]), max_gap_us=3 * hour,
    ... )
    >>> joined = join_storefronts(
    ...     evidence, np.array([0, 0]), rule=ChannelRule.ANY_UP, policy=Policy.NEAREST,
    ...     until_us=2 * hour, is_report=False,
    ... )
    >>> (joined.first_poll_us // hour).tolist(), joined.is_active.tolist()
    ([0, 2], [True, False])
    """
    evidence = evidence.take(evidence.first_poll_us <= until_us)
    if len(evidence) == 0:
        return evidence
    evidence = evidence.clip(int(evidence.first_poll_us.min()), until_us)
    is_alone = np.bincount(store)[store[evidence.store]] == 1
    alone = evidence.take(is_alone)
    joined = replace(alone, store=store[alone.store]).in_order()
    rest = evidence.take(~is_alone)
    for part in _parts(rest, store, until_us):
        joined = joined.merge(
            _join(part, store, rule=rule, policy=policy, until_us=until_us, is_report=is_report)
        )
    return joined


def over_storefronts(stretches: EventStretches, several: IntArray) -> EventStretches:
    """The stretches, those of stores with several storefronts (`several`) as of corrections.

    So an event of such a store changes nothing outside of the time that it covers.
    """
    is_over = np.isin(stretches.store, several)
    if not is_over.any():
        return stretches
    over = what_holds(stretches.take(is_over))
    over = replace(over, event=np.full(len(over), -1))
    return stretches.take(~is_over).merge(over)


def _parts(evidence: StatusRuns, store: IntArray, until_us: int) -> list[StatusRuns]:
    """Whole stores at a time, so that a storefront and an instant fit into one number."""
    if len(evidence) == 0:
        return []
    length = until_us + 2 - int(evidence.first_poll_us.min())
    if int(store.max() + 1) * length < _MOST_US and len(store) * length < _MOST_US:
        return [evidence]
    at_once = max(_MOST_US // length, 1)
    own = store[evidence.store]
    # By the rank of the store among those here, and of a storefront within them.
    rank = np.unique(own, return_inverse=True)[1]
    first_front = np.unique(evidence.store, return_index=True)[1]
    fronts = np.zeros(int(rank.max()) + 1, np.int64)
    np.add.at(fronts, rank[first_front], 1)
    part = (np.cumsum(fronts) - 1) // at_once
    return [evidence.take(part[rank] == number) for number in np.unique(part)]


def _join(
    evidence: StatusRuns,
    store: IntArray,
    *,
    rule: ChannelRule,
    policy: Policy,
    until_us: int,
    is_report: bool,
) -> StatusRuns:
    fronts, front = np.unique(evidence.store, return_inverse=True)
    stores, own = np.unique(store[fronts], return_inverse=True)
    evidence = replace(evidence, store=front)
    estimates = estimate_status(
        evidence,
        stores=len(fronts),
        start_us=int(evidence.first_poll_us.min()),
        end_us=until_us + 1,
        policy=policy,
    )
    times = _Times.of(estimates, own, is_any=rule is not ChannelRule.ALL_UP)
    evidence = replace(evidence, store=own[front])
    ends = _Ends.outside(times, evidence)
    certain = _certain(times, evidence, ends)
    made = _with_markers(
        times, evidence, ends, certain, policy=policy, until_us=until_us, is_report=is_report
    )
    made = replace(made, store=stores[made.store]).in_order()
    if rule is not ChannelRule.SHARE:
        return made
    shares = _shares(times, since_us=until_us - LOOKBACK_US if is_report else None)
    return replace(made, shares=replace(shares, store=stores[shares.store]))


def _shares(times: "_Times", *, since_us: int | None) -> Shares:
    """How many storefronts are up. From `since_us` on, the first stretch decides before it, too."""
    row = np.flatnonzero(times.parts > 0)
    shares = Shares(
        times.store[row],
        times.start_us[row],
        times.end_us[row],
        times.parts[row],
        times.deciding[row],
        times.sure_deciding[row],
        times.sure_others[row],
    )
    if since_us is None:
        return shares
    first = shares.take(np.flatnonzero(np.diff(shares.store, prepend=-1)))
    none = np.zeros(len(first), np.int64)
    before = replace(
        first,
        start_us=np.minimum(since_us, first.start_us),
        end_us=first.start_us,
        sure_up=none,
        sure_down=none,
    )
    return before.merge(shares)


@dataclass(frozen=True, slots=True)
class _Times:
    """Stretches in which no storefront of a store changes; every array has shape `(n,)`.

    Sorted by store and time, `key` being a number for both. `is_known`: a storefront takes part.
    `parts` is how many do. The status that one storefront alone decides is up where `is_any`, else
    down; `deciding` have it, `sure_deciding` certainly, and `sure_others` certainly have the other.
    """

    is_any: bool
    origin_us: int
    width_us: int
    key: IntArray
    store: IntArray
    start_us: IntArray
    end_us: IntArray
    parts: IntArray
    deciding: IntArray
    sure_deciding: IntArray
    sure_others: IntArray
    is_up: BoolArray
    is_certain: BoolArray

    @classmethod
    def of(cls, estimates: Estimates, own: IntArray, *, is_any: bool) -> Self:
        is_up = estimates.status == Status.UP
        is_down = estimates.status == Status.DOWN
        decides, others = (is_up, is_down) if is_any else (is_down, is_up)
        # Four counters in one number: a store has fewer storefronts than a counter holds.
        counted = (
            (is_up | is_down).astype(np.int64)
            + (decides.astype(np.int64) << _BITS)
            + ((decides & estimates.is_certain).astype(np.int64) << 2 * _BITS)
            + ((others & estimates.is_certain).astype(np.int64) << 3 * _BITS)
        )
        origin = int(estimates.start_us.min())
        width = int(estimates.end_us.max()) - origin + 1
        # What each interval changes where it begins, and what goes where the last one ends.
        is_last = np.append(estimates.store[1:] != estimates.store[:-1], True)
        change = np.diff(counted, prepend=0)
        change[1:][is_last[:-1]] = counted[1:][is_last[:-1]]
        changed = np.flatnonzero(change)
        last = np.flatnonzero(is_last & (counted != 0))
        store = own[estimates.store]
        key = np.concatenate(
            [
                store[changed] * width + (estimates.start_us[changed] - origin),
                store[last] * width + (estimates.end_us[last] - origin),
            ]
        )
        change = np.concatenate([change[changed], -counted[last]])
        order = np.argsort(key, kind="stable")
        key = key[order]
        is_end = np.append(key[1:] != key[:-1], True)
        counts = np.cumsum(change[order])[is_end]
        key = key[is_end]
        parts, deciding, sure_deciding, sure_others = (
            counts >> place * _BITS & (1 << _BITS) - 1 for place in range(4)
        )
        is_decided = deciding > 0
        at = key % width + origin
        of_store = key // width
        end = np.append(at[1:], 0)
        end[np.append(of_store[1:] != of_store[:-1], True)] = origin
        return cls(
            is_any,
            origin,
            width,
            key,
            of_store,
            at,
            end,
            parts,
            deciding,
            sure_deciding,
            sure_others,
            is_decided == is_any,
            (parts > 0) & np.where(is_decided, sure_deciding > 0, sure_others == parts),
        )

    def keys(self, store: IntArray, at_us: IntArray) -> IntArray:
        keys: IntArray = store * self.width_us + (at_us - self.origin_us)
        return keys

    def row(self, store: IntArray, at_us: IntArray) -> IntArray:
        """The stretch that each instant lies in."""
        rows: IntArray = np.searchsorted(self.key, self.keys(store, at_us), side="right") - 1
        return rows


@dataclass(frozen=True, slots=True)
class _Ends:
    """The first and last polls that lie in no stretch of certain status; of shape `(n,)`.

    `of` is the row of the status run, `row` that of the stretch.
    """

    of: IntArray
    at_us: IntArray
    row: IntArray

    @classmethod
    def outside(cls, times: _Times, evidence: StatusRuns) -> Self:
        longer = np.flatnonzero(evidence.last_poll_us > evidence.first_poll_us)
        of = np.concatenate([np.arange(len(evidence)), longer])
        at_us = np.concatenate([evidence.first_poll_us, evidence.last_poll_us[longer]])
        row = times.row(evidence.store[of], at_us)
        return cls(of, at_us, row).take(~times.is_certain[row])

    def take(self, which: BoolArray) -> Self:
        return type(self)(self.of[which], self.at_us[which], self.row[which])


def _certain(times: _Times, evidence: StatusRuns, ends: _Ends) -> StatusRuns:
    """Status runs where the status of the stores is certain, with the polls that say so."""
    is_start = times.is_certain.copy()
    goes_on = times.is_certain[1:] & times.is_certain[:-1] & (times.is_up[1:] == times.is_up[:-1])
    goes_on &= times.store[1:] == times.store[:-1]
    is_start[1:] &= ~goes_on
    is_end = times.is_certain.copy()
    is_end[:-1] &= ~goes_on
    begin, end = np.flatnonzero(is_start), np.flatnonzero(is_end)
    lasting = StatusRuns(
        times.store[begin],
        times.start_us[begin],
        times.end_us[end],
        times.is_up[begin],
        np.zeros(len(begin), np.int64),
    )
    polled = evidence.take(evidence.polls > 0)
    single = _single(times, evidence, polled, ends.take(evidence.polls[ends.of] > 0))
    cover = _Cover.of(times, lasting)
    single = single.take(~cover.holds(single.store, single.first_poll_us, single.is_active))
    runs = lasting.merge(single)
    return replace(runs, polls=_polls(times, runs, polled))


def _single(times: _Times, evidence: StatusRuns, polled: StatusRuns, ends: _Ends) -> StatusRuns:
    """The instants of polls at which the status is certain, if only at that instant."""
    store, is_active = evidence.store[ends.of], evidence.is_active[ends.of]
    at_us, row = ends.at_us, ends.row
    agrees = times.is_up[row] == is_active
    decides = is_active == times.is_any
    # Of the status that one alone does not decide: all storefronts were polled then.
    others = polled.take(polled.is_active != times.is_any)
    key = times.keys(store, at_us)
    begun = np.searchsorted(np.sort(times.keys(others.store, others.first_poll_us)), key, "right")
    ended = np.searchsorted(np.sort(times.keys(others.store, others.last_poll_us)), key, "left")
    kept = agrees & (decides | (begun - ended == times.parts[row]))
    _, first = np.unique(key[kept], return_index=True)
    rows = np.flatnonzero(kept)[first]
    return StatusRuns(
        store[rows], at_us[rows], at_us[rows], is_active[rows], np.zeros(len(rows), np.int64)
    )


def _polls(times: _Times, runs: StatusRuns, polled: StatusRuns) -> IntArray:
    """How many polls of the storefronts lie in each status run and agree with it."""
    first = np.searchsorted(
        times.keys(runs.store, runs.last_poll_us), times.keys(polled.store, polled.first_poll_us)
    )
    end = np.searchsorted(
        times.keys(runs.store, runs.first_poll_us),
        times.keys(polled.store, polled.last_poll_us),
        side="right",
    )
    touched = np.maximum(end - first, 0)
    row = np.repeat(np.arange(len(polled)), touched)
    of = first[row] + np.arange(len(row)) - np.repeat(np.cumsum(touched) - touched, touched)
    length = polled.last_poll_us[row] - polled.first_poll_us[row]
    common = np.minimum(polled.last_poll_us[row], runs.last_poll_us[of]) - np.maximum(
        polled.first_poll_us[row], runs.first_poll_us[of]
    )
    share = common / np.maximum(length, 1)
    polls = np.where(
        common < length, 1 + ((polled.polls[row] - 1) * share).astype(np.int64), polled.polls[row]
    )
    counted = np.zeros(len(runs), np.int64)
    np.add.at(counted, of, polls * (polled.is_active[row] == runs.is_active[of]))
    return counted


@dataclass(frozen=True, slots=True)
class _Cover:
    """Status runs, sorted, and which instants they hold."""

    times: _Times
    key: IntArray
    runs: StatusRuns

    @classmethod
    def of(cls, times: _Times, runs: StatusRuns) -> Self:
        return cls(times, times.keys(runs.store, runs.first_poll_us), runs)

    def before(self, store: IntArray, at_us: IntArray) -> IntArray:
        """The last status run of the store that begins by each instant; -1 without one."""
        row = np.searchsorted(self.key, self.times.keys(store, at_us), side="right") - 1
        if len(self.runs):
            row = np.where((row >= 0) & (self.runs.store[row] == store), row, -1)
        return row

    def holds(self, store: IntArray, at_us: IntArray, is_up: BoolArray) -> BoolArray:
        """Whether an instant lies in a status run of this status, both ends included."""
        row = self.before(store, at_us)
        if len(self.runs) == 0:
            return np.zeros(len(store), np.bool_)
        held: BoolArray = (
            (row >= 0)
            & (at_us <= self.runs.last_poll_us[row])
            & (is_up == self.runs.is_active[row])
        )
        return held


def _with_markers(
    times: _Times,
    evidence: StatusRuns,
    ends: _Ends,
    certain: StatusRuns,
    *,
    policy: Policy,
    until_us: int,
    is_report: bool,
) -> StatusRuns:
    """The certain status runs, and markers where these alone would give another status."""
    is_known = times.parts > 0
    follows = np.append(False, times.store[1:] == times.store[:-1])
    changes = follows & is_known
    changes[1:] &= is_known[:-1] & (times.is_up[1:] != times.is_up[:-1])
    change = np.flatnonzero(changes)
    # No storefront takes part in between: the time up to there has the status before it.
    is_last_known = np.zeros(len(times.store), np.bool_)
    is_last_known[1:] = follows[1:] & ~is_known[1:] & is_known[:-1]
    is_short = times.end_us - times.start_us <= LOOKBACK_US
    has_next = np.append(times.store[1:] == times.store[:-1], False)
    ended = np.flatnonzero(is_last_known & is_short & has_next)
    store = np.concatenate(
        [evidence.store[ends.of], np.tile(times.store[change], 2), times.store[ended]]
    )
    at_us = np.concatenate(
        [
            ends.at_us,
            times.start_us[change] - 1,
            times.start_us[change],
            times.start_us[ended] - 1,
        ]
    )
    if is_report:
        # At the very end a marker would count as an event that begins.
        at_us = np.minimum(at_us, until_us - 1)
    _, first = np.unique(times.keys(store, at_us), return_index=True)
    store, at_us = store[first], at_us[first]
    row = np.maximum(times.row(store, at_us), 0)
    is_up = times.is_up[row]
    cover = _Cover.of(times, certain)
    needed = (
        (times.store[row] == store) & (times.parts[row] > 0) & ~cover.holds(store, at_us, is_up)
    )
    plain = _plain_gaps(times, certain, change, policy)
    before = cover.before(store, at_us)
    if len(certain):
        needed &= (before < 0) | ~plain[before]
    store, at_us, is_up = store[needed], at_us[needed], is_up[needed]
    return certain.merge(StatusRuns(store, at_us, at_us, is_up, np.zeros(len(store), np.int64)))


def _plain_gaps(times: _Times, certain: StatusRuns, change: IntArray, policy: Policy) -> BoolArray:
    """After which of the certain status runs the next one alone gives the status in between."""
    plain = np.zeros(len(certain), np.bool_)
    if len(certain) < 2:  # noqa: PLR2004 - there is no gap
        return plain
    last, following = certain.last_poll_us[:-1], certain.first_poll_us[1:]
    same = certain.store[1:] == certain.store[:-1]
    last_key = times.keys(certain.store[:-1], last)
    next_key = times.keys(certain.store[1:], following)
    change_key = times.key[change]
    first = np.searchsorted(change_key, last_key)
    count = np.searchsorted(change_key, next_key, side="right") - first
    at = np.append(times.start_us[change], 0)[np.minimum(first, len(change))]
    expected = following if policy is Policy.PREVIOUS else (last + following + 1) // 2
    differs = certain.is_active[1:] != certain.is_active[:-1]
    unknown_key = times.key[times.parts == 0]
    is_known = np.searchsorted(unknown_key, next_key) == np.searchsorted(unknown_key, last_key)
    is_near = following - last <= 2 * LOOKBACK_US
    as_expected = np.where(differs, (count == 1) & (at == expected), count == 0)
    plain[:-1] = same & is_known & is_near & as_expected
    return plain
