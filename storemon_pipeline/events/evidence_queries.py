"""Reading what polls and events say of stores, as one sequence of status runs for each."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from storemon_pipeline.business_time.special_hours import ranges
from storemon_pipeline.channels.joined_status import join_storefronts, over_storefronts
from storemon_pipeline.channels.storefront_index import Storefronts, read_storefronts
from storemon_pipeline.corrections.correction_table import read_corrected_stretches
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds, microseconds_of
from storemon_pipeline.domain.windows import LOOKBACK_US, IntArray, Policy
from storemon_pipeline.polls.status_run_queries import (
    read_first_poll,
    read_first_polls,
    read_status_runs,
    read_status_runs_of_store,
    read_status_runs_since,
)
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.estimates import counted_status_runs
from storemon_pipeline.uptime.event_stretches import (
    OPEN_EVENT,
    EventStretches,
    no_stretches,
    resolve_events,
    with_corrections,
    with_single_events,
)
from storemon_pipeline.uptime.evidence import add_events, add_events_of_report
from storemon_pipeline.uptime.status_runs import StatusRuns

REACH: Final = timedelta(microseconds=2 * LOOKBACK_US)
"""Polls further apart never decide the status between them, so none further back matters."""

_EVER: Final = datetime.min.replace(tzinfo=UTC)

_BEGINNINGS: Final = """
    SELECT store_key, from_at FROM store_events WHERE cancelled_by_load_id IS NULL
    UNION ALL
    SELECT store_key, from_at FROM corrections
    WHERE cancelled_by_load_id IS NULL AND kind <> 'taken_out'
"""


def read_stretches(
    bulk: Bulk, stores: StoreIndex, *, until: datetime, since: datetime = _EVER
) -> EventStretches:
    """The stretches of events and corrections that began by `until` and lasted beyond `since`.

    They are whole. An event without an end that no other of its source has ended lasts up to
    `OPEN_EVENT`. Where a correction counts time as up or down, no event does.
    """
    return with_corrections(
        _read_events(bulk, stores, until=until, since=since),
        read_corrected_stretches(bulk, stores, until=until, since=since),
    )


def read_told_stretches(
    bulk: Bulk, stores: StoreIndex, *, until: datetime, since: datetime = _EVER
) -> EventStretches:
    """As `read_stretches`, for telling what events say.

    A store with one storefront has those of the storefront, too, where it has none of its own.
    """
    stretches = read_stretches(bulk, stores, until=until, since=since)
    return _told(bulk, stretches, read_storefronts(bulk, stores), until=until, since=since)


def _told(
    bulk: Bulk,
    stretches: EventStretches,
    fronts: Storefronts | None,
    *,
    until: datetime,
    since: datetime,
) -> EventStretches:
    if fronts is None:
        return stretches
    positions = np.setdiff1d(fronts.stores, fronts.several)
    single = fronts.of_stores(positions)
    of_fronts = _read_own_stretches(bulk, single, until=until, since=since)
    of_fronts = replace(of_fronts, store=positions[single.store[of_fronts.store]])
    return with_single_events(stretches, of_fronts)


def _read_events(
    bulk: Bulk, stores: StoreIndex, *, until: datetime, since: datetime
) -> EventStretches:
    if not bulk.scalar("SELECT EXISTS (SELECT FROM store_events) AS has_events"):
        return no_stretches()
    chosen = stores.condition(parameter=3)
    rows = bulk.fetch(
        f"""
        SELECT e.event_id, e.store_key, e.source, e.from_at, e.to_at, e.is_up
        FROM store_events e
        WHERE e.cancelled_by_load_id IS NULL AND e.from_at <= $1 AND {chosen.sql}
          AND (e.from_at > $2 OR e.to_at > $2 OR e.to_at IS NULL AND NOT EXISTS (
              SELECT FROM store_events n
              WHERE n.store_key = e.store_key AND n.source = e.source AND n.from_at > e.from_at
                AND n.from_at <= $2 AND n.cancelled_by_load_id IS NULL
          ))
        ORDER BY e.event_id
        """,  # noqa: S608  (conditions are made of names and numbers)
        (until, since, *chosen.parameters),
    )
    return event_stretches(rows, stores)


def event_stretches(rows: pa.Table, stores: StoreIndex) -> EventStretches:
    """The stretches of events from rows of `store_events` in force, by `event_id`."""
    if rows.num_rows == 0:
        return no_stretches()
    ends = pc.fill_null(rows["to_at"].cast("int64"), OPEN_EVENT).to_numpy()
    return resolve_events(
        stores.positions(rows["store_key"].to_numpy()),
        microseconds_of(rows["from_at"]),
        ends,
        rows["is_up"].to_numpy(),
        rows["event_id"].to_numpy().astype(np.int64),
        rows["source"].combine_chunks().dictionary_encode().indices.to_numpy().astype(np.int64),
    )


def with_events_of_report(
    bulk: Bulk, stores: StoreIndex, status_runs: StatusRuns, *, as_of: datetime, policy: Policy
) -> StatusRuns:
    """The status runs that count for a report, with the events that do, of all storefronts."""
    fronts = read_storefronts(bulk, stores)
    return evidence_of_report(bulk, stores, fronts, status_runs, as_of=as_of, policy=policy)


def evidence_of_report(
    bulk: Bulk,
    stores: StoreIndex,
    fronts: Storefronts | None,
    status_runs: StatusRuns,
    *,
    as_of: datetime,
    policy: Policy,
) -> StatusRuns:
    """As `with_events_of_report`, with the stores' storefronts."""
    since = _earlier(as_of, timedelta(microseconds=LOOKBACK_US))
    stretches = read_stretches(bulk, stores, since=since, until=as_of)
    as_of_us = microseconds(as_of)
    if fronts is not None:
        of_fronts = read_storefronts_of_report(bulk, fronts, as_of=as_of, policy=policy)
        return join_of_report(
            status_runs, of_fronts, fronts, stretches, as_of_us=as_of_us, policy=policy
        )
    return add_events_of_report(status_runs, stretches, as_of_us=as_of_us, policy=policy)


def join_of_report(
    status_runs: StatusRuns,
    of_fronts: StatusRuns,
    fronts: Storefronts,
    stretches: EventStretches,
    *,
    as_of_us: int,
    policy: Policy,
) -> StatusRuns:
    """The status runs of stores for a report, with events (`stretches`), of all storefronts.

    `of_fronts` are those of `read_storefronts_of_report`.
    """
    joined = join_storefronts(
        of_fronts,
        fronts.store,
        rule=fronts.rule,
        policy=policy,
        until_us=as_of_us,
        is_report=True,
    )
    return add_events_of_report(
        _replace_at(status_runs, joined, fronts.stores),
        over_storefronts(stretches, fronts.several),
        as_of_us=as_of_us,
        policy=policy,
    )


def read_storefronts_of_report(
    bulk: Bulk, fronts: Storefronts, *, as_of: datetime, policy: Policy
) -> StatusRuns:
    """The status runs of storefronts that count for a report, with events of their own."""
    since = _earlier(as_of, timedelta(microseconds=LOOKBACK_US))
    return storefronts_of_report(
        read_status_runs(bulk, fronts.index, as_of=as_of),
        _read_own_stretches(bulk, fronts, since=since, until=as_of),
        as_of_us=microseconds(as_of),
        policy=policy,
    )


def storefronts_of_report(
    status_runs: StatusRuns, stretches: EventStretches, *, as_of_us: int, policy: Policy
) -> StatusRuns:
    """As `read_storefronts_of_report`, from status runs and events of the storefronts' own."""
    evidence = add_events_of_report(status_runs, stretches, as_of_us=as_of_us, policy=policy)
    return counted_status_runs(evidence, as_of_us=as_of_us)


def read_storefronts_since(
    bulk: Bulk, fronts: Storefronts, *, since: datetime, until: datetime
) -> StatusRuns:
    """The status runs of storefronts that tell their status from `since` on, with their events."""
    earlier = _earlier(since, REACH)
    return add_events(
        read_status_runs_since(bulk, fronts.index, since=earlier, until=until),
        _read_own_stretches(bulk, fronts, since=earlier, until=until).clip(
            microseconds(earlier), OPEN_EVENT
        ),
        until_us=microseconds(until),
    )


def with_single_storefronts(
    bulk: Bulk,
    stores: StoreIndex,
    status_runs: StatusRuns,
    *,
    as_of: datetime,
    look_back: timedelta,
) -> StatusRuns:
    """The result of `read_status_runs`, with those of the storefront of stores that have one."""
    fronts = read_storefronts(bulk, stores)
    if fronts is None:
        return status_runs
    positions = np.setdiff1d(fronts.stores, fronts.several)
    single = fronts.of_stores(positions)
    own = read_status_runs(bulk, single.index, as_of=as_of, look_back=look_back)
    return _replace(status_runs, own, positions)


def read_joined_since(
    bulk: Bulk, fronts: Storefronts, *, since: datetime, until: datetime
) -> StatusRuns:
    """The joined status of the storefronts' stores from `since` on, without the stores' events."""
    return join_storefronts(
        read_storefronts_since(bulk, fronts, since=_earlier(since, REACH), until=until),
        fronts.store,
        rule=fronts.rule,
        policy=Policy.NEAREST,
        until_us=microseconds(until),
        is_report=False,
    )


def _read_own_stretches(
    bulk: Bulk, fronts: Storefronts, *, until: datetime, since: datetime
) -> EventStretches:
    """The events of storefronts; those of the store's own id are the store's."""
    stretches = read_stretches(bulk, fronts.index, until=until, since=since)
    return stretches.take(~fronts.is_own[stretches.store])


def with_events_since(
    bulk: Bulk, stores: StoreIndex, status_runs: StatusRuns, *, since: datetime, until: datetime
) -> StatusRuns:
    """The result of `read_status_runs_since`, with events; of their stores it begins earlier."""
    earlier = _earlier(since, REACH)
    fronts = read_storefronts(bulk, stores)
    if fronts is not None:
        joined = read_joined_since(bulk, fronts, since=earlier, until=until)
        status_runs = _replace_at(status_runs, joined, fronts.stores)
    stretches = read_stretches(bulk, stores, since=earlier, until=until)
    if len(stretches) == 0:
        return status_runs
    rows = np.unique(stretches.store)
    if fronts is not None:
        stretches = over_storefronts(stretches, fronts.several)
        rows = np.setdiff1d(rows, fronts.stores)
    own = read_status_runs_since(bulk, stores.take(rows), since=earlier, until=until)
    return add_events(
        _replace(status_runs, own, rows),
        stretches.clip(microseconds(earlier), OPEN_EVENT),
        until_us=microseconds(until),
    )


def with_events_of_incidents(
    bulk: Bulk, stores: StoreIndex, status_runs: StatusRuns, *, since: datetime, until: datetime
) -> StatusRuns:
    """The result of `read_status_runs_of_incidents_since`, with events.

    For open incidents, `since` is `until`. Of stores with events, two weeks more are read; of those
    that are not known to have been up before, everything.
    """
    fronts = read_storefronts(bulk, stores)
    if fronts is not None:
        # Nothing is left of their own status runs: they are read as those of stores with events.
        status_runs = status_runs.take(~np.isin(status_runs.store, fronts.stores))
    earlier = _earlier(since, 2 * REACH)
    first_us = int(status_runs.first_poll_us.min(initial=microseconds(earlier)))
    stretches = read_stretches(bulk, stores, since=_earlier(instant(first_us), REACH), until=until)
    if len(stretches) == 0 and fronts is None:
        return status_runs
    rows = np.unique(stretches.store)
    if fronts is not None:
        rows = np.union1d(rows, fronts.stores)
        stretches = over_storefronts(stretches, fronts.several)
    own = _read_since(bulk, stores, fronts, rows, since=earlier, until=until)
    until_us = microseconds(until)
    evidence = add_events(_replace(status_runs, own, rows), stretches, until_us=until_us)
    is_up_before = np.zeros(len(stores), np.bool_)
    is_before = evidence.is_active & (evidence.first_poll_us <= microseconds(since))
    if fronts is not None:
        # Their status is not joined of all storefronts before that.
        is_before &= evidence.last_poll_us >= microseconds(earlier)
    is_up_before[evidence.store[is_before]] = True
    rows = rows[~is_up_before[rows]]
    if len(rows) == 0:
        return evidence
    stretches = read_stretches(bulk, stores.take(rows), until=until)
    if fronts is not None:
        stretches = over_storefronts(stretches, np.flatnonzero(np.isin(rows, fronts.several)))
    own = add_events(
        _read_since(bulk, stores, fronts, rows, since=_EVER, until=until),
        stretches,
        until_us=until_us,
    )
    return _replace(evidence, own, rows)


def read_storefronts_of_incidents(
    bulk: Bulk,
    stores: StoreIndex,
    fronts: Storefronts,
    status_runs: StatusRuns,
    *,
    since: datetime,
    until: datetime,
) -> StatusRuns:
    """The status runs of storefronts that tell their incidents from `since` on.

    `status_runs` are those that `with_events_of_incidents` returned: the only storefront of a store
    has these. Events and corrections of a store hold for each of its several storefronts.
    """
    is_of_several = np.isin(fronts.store, fronts.several)
    number = np.full(len(stores), -1)
    number[fronts.store[~is_of_several]] = np.flatnonzero(~is_of_several)
    single = status_runs.take(number[status_runs.store] >= 0)
    single = replace(single, store=number[single.store], shares=None)
    several = fronts.of_stores(fronts.several)
    earlier = _earlier(since, 2 * REACH)
    stretches = over_storefronts(
        read_stretches(bulk, stores.take(fronts.several), since=earlier, until=until),
        np.arange(len(fronts.several)),
    )
    first = np.searchsorted(stretches.store, several.store)
    count = np.searchsorted(stretches.store, several.store, side="right") - first
    stretches = replace(
        stretches.take(ranges(first, count)), store=np.repeat(np.arange(len(several.store)), count)
    )
    own = add_events(
        read_storefronts_since(bulk, several, since=earlier, until=until),
        stretches.clip(microseconds(earlier), OPEN_EVENT),
        until_us=microseconds(until),
    )
    return single.merge(replace(own, store=np.flatnonzero(is_of_several)[own.store]))


def _read_since(
    bulk: Bulk,
    stores: StoreIndex,
    fronts: Storefronts | None,
    rows: IntArray,
    *,
    since: datetime,
    until: datetime,
) -> StatusRuns:
    """The status runs of the stores at these positions, numbered by place there, without events."""
    status_runs = read_status_runs_since(bulk, stores.take(rows), since=since, until=until)
    if fronts is None:
        return status_runs
    with_fronts = np.intersect1d(rows, fronts.stores)
    joined = read_joined_since(bulk, fronts.of_stores(with_fronts), since=since, until=until)
    return _replace(status_runs, joined, np.searchsorted(rows, with_fronts))


def read_evidence_of_store(
    bulk: Bulk, stores: StoreIndex, fronts: Storefronts | None, *, until: datetime
) -> tuple[StatusRuns, EventStretches, StatusRuns]:
    """The polls, the events, and both together, of an index with one store, all that there are.

    The polls are those of the store's own id, the events those of `read_told_stretches`; the last
    status runs are of all its storefronts.
    """
    polls = read_status_runs_of_store(bulk, stores)
    stretches = read_stretches(bulk, stores, until=until)
    if fronts is None:
        return polls, stretches, add_events(polls, stretches, until_us=microseconds(until))
    status_runs = add_events(
        read_joined_since(bulk, fronts, since=_EVER, until=until),
        over_storefronts(stretches, fronts.several),
        until_us=microseconds(until),
    )
    return polls, _told(bulk, stretches, fronts, until=until, since=_EVER), status_runs


def read_first_evidence(bulk: Bulk, stores: StoreIndex) -> IntArray:
    """As `read_first_polls`, with events, and corrections that count time as up or down."""
    first = read_first_polls(bulk, stores)
    chosen = stores.condition()
    rows = bulk.fetch(
        f"""
        SELECT store_key, min(from_at) AS from_at FROM ({_BEGINNINGS}) e
        WHERE {chosen.sql} GROUP BY store_key
        """,  # noqa: S608  (as above)
        chosen.parameters,
    )
    store = stores.positions(rows["store_key"].to_numpy())
    first[store] = np.minimum(first[store], microseconds_of(rows["from_at"]))
    fronts = read_storefronts(bulk, stores)
    if fronts is not None:
        others = np.flatnonzero(~fronts.is_own)
        if len(others):
            # A storefront has no storefronts itself.
            own = read_first_evidence(bulk, fronts.index.take(others))
            np.minimum.at(first, fronts.store[others], own)
    return first


def read_first_evidence_of_all(bulk: Bulk) -> datetime | None:
    """As `read_first_poll`, with events, and corrections that count time as up or down."""
    beginning = bulk.scalar(f"SELECT min(from_at) AS first FROM ({_BEGINNINGS}) e")  # noqa: S608
    return min((at for at in (read_first_poll(bulk), beginning) if at is not None), default=None)


def _replace_at(status_runs: StatusRuns, own: StatusRuns, rows: IntArray) -> StatusRuns:
    """As `_replace`, with `own` numbered as `status_runs` are."""
    return status_runs.without(rows).merge(own)


def _replace(status_runs: StatusRuns, own: StatusRuns, rows: IntArray) -> StatusRuns:
    """The status runs with `own` in place of those of the stores at these positions."""
    shares = own.shares
    if shares is not None:
        shares = replace(shares, store=rows[shares.store])
    return status_runs.without(rows).merge(replace(own, store=rows[own.store], shares=shares))


def _earlier(at: datetime, by: timedelta) -> datetime:
    return max(at, _EVER + by) - by
