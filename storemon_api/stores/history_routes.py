"""Routes about stores: the list, one store, its history, incidents, timeline and ledger."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Annotated, Final

import numpy as np
from fastapi import Path, Query, Request, Response

from storemon_api.http.openapi import problem_responses
from storemon_api.http.paging import PagingDep
from storemon_api.http.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    NO_POLLS,
    UNKNOWN_STORE,
    ProblemError,
)
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import Services, ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.live.fleet_cache import FleetCacheDep
from storemon_api.security.access_control import visible_stores
from storemon_api.stores.store_filters import (
    Direction,
    StoreFilterDep,
    StoreOrder,
    is_in_state,
    is_storable,
    ordered,
)
from storemon_api.stores.store_responses import (
    history_amounts,
    incident_response,
    incidents_page,
    store_summary,
    wall_clock,
)
from storemon_api.stores.store_schemas import (
    HistoryPage,
    HistoryRow,
    IncidentsPage,
    LedgerEntry,
    LedgerResponse,
    OffsetSpan,
    OpenInterval,
    Segment,
    SegmentKind,
    StoreResponse,
    StoresPage,
    TimelinePoll,
    TimelineResponse,
)
from storemon_api.stores.time_params import BoundedInstant, FromBound, ToBound, check_length
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import (
    DAY_US,
    DEFAULT_ZONE,
    HOUR_US,
    WEEK_US,
    WINDOW_US,
    IntArray,
    Policy,
    Window,
)
from storemon_pipeline.uptime.daily import Days
from storemon_pipeline.uptime.estimates import NO_STATUS_RUN, Status
from storemon_pipeline.uptime.history import Amounts, PeriodAmounts
from storemon_pipeline.uptime.incidents import Ending
from storemon_pipeline.uptime.ledger import Ledger
from storemon_pipeline.uptime.status_runs import StatusRuns
from storemon_pipeline.uptime.store_state import StoreState
from storemon_pipeline.views.store_view import (
    NoPollsError,
    StoreView,
    UnknownStoreError,
    store_view,
)

router = Router(tag="stores")

_LONGEST_HOURS: Final = timedelta(days=92)
_LONGEST_TIMELINE: Final = timedelta(days=31)
_LONGEST_HISTORY: Final = timedelta(days=3660)
_DEFAULT_LENGTH_US: Final = {
    Period.HOUR: WEEK_US,
    Period.DAY: 90 * DAY_US,
    Period.WEEK: 364 * DAY_US,
    Period.MONTH: 731 * DAY_US,
}
_PROBLEMS: Final = problem_responses(UNKNOWN_STORE, NO_POLLS, INVALID_REQUEST, DATABASE_UNAVAILABLE)

_StoreId = Annotated[str, Path(examples=["7482936150293847561"])]


@router.get(
    "/stores",
    summary="All stores at the newest poll",
    responses={200: {"model": StoresPage}, **problem_responses(INVALID_REQUEST)},
)
def get_stores(
    fleet_cache: FleetCacheDep,
    paging: PagingDep,
    store_filter: StoreFilterDep,
    standing: Annotated[list[StoreState] | None, Query()] = None,
    sort: StoreOrder = StoreOrder.STORE_ID,
    order: Direction = Direction.ASCENDING,
) -> Response:
    """Return the stores that match the filters, with their figures and open incidents.

    Stores whose sort value is unknown come last. By standing, stores that are down come
    first, then those that are up, closed and silent.
    """
    fleet = fleet_cache.fleet(store_filter.only)
    if fleet is None:
        empty = StoresPage(
            as_of=None, total=0, offset=paging.offset, limit=paging.limit, next=None, stores=[]
        )
        return json_response(empty)
    kept = store_filter.matches(fleet.store_ids, fleet.details)
    if standing:
        kept &= is_in_state(fleet, standing)
    found = ordered(fleet, np.flatnonzero(kept), sort, order)
    return json_response(
        StoresPage(
            as_of=fleet.as_of,
            total=len(found),
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(len(found)),
            stores=[store_summary(fleet, position) for position in found[paging.rows].tolist()],
        )
    )


@router.get(
    f"/stores/{STORE_ID}/uptime",
    summary="A store's history by local hour, day, week or month",
    responses={200: {"model": HistoryPage}, **_PROBLEMS},
)
def get_store_uptime(
    services: ServicesDep,
    paging: PagingDep,
    store_id: _StoreId,
    begin: FromBound = None,
    end: ToBound = None,
    by: Period = Period.DAY,
) -> Response:
    """Return a row per local period, oldest first, and their sum.

    The first and the last period are clipped to `from` and `to`. History uses all polls up to the
    newest, so a past day may differ from an earlier report. Without `from`, history begins with
    the day of the first poll, at most 90 days before its end (hours: 7, weeks: 364, months: 731).
    """
    with _view(services, store_id) as view:
        start_us, end_us = view.period(begin, end, _DEFAULT_LENGTH_US[by])
        if begin is None:
            start_us = _first_day(view, start_us, end_us)
        longest = _LONGEST_HOURS if by is Period.HOUR else _LONGEST_HISTORY
        check_length(timedelta(microseconds=end_us - start_us), longest, f"by {by}")
        history = view.history(start_us, end_us, by) if start_us < end_us else None
        days = view.days(start_us, end_us) if by is Period.DAY and history else None
        name = _zone(view)
    rows = [] if history is None else _history_rows(history, paging.rows, days)
    total = 0 if history is None else len(history.store)
    return json_response(
        HistoryPage(
            store_id=store_id,
            timezone=name,
            by=by,
            start=instant(start_us),
            end=instant(end_us),
            total=total,
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(total),
            sum=history_amounts(history.amounts if history else _ZERO_AMOUNTS, slice(None)),
            periods=rows,
        )
    )


@router.get(
    f"/stores/{STORE_ID}/incidents",
    summary="A store's incidents",
    responses={200: {"model": IncidentsPage}, **_PROBLEMS},
)
def get_store_incidents(
    services: ServicesDep,
    paging: PagingDep,
    store_id: _StoreId,
    begin: FromBound = None,
    end: ToBound = None,
) -> Response:
    """Return the incidents that overlap the period; without `from` and `to`, all of them."""
    with _view(services, store_id) as view:
        incidents = view.incidents()
        if begin is not None or end is not None:
            start_us, end_us = view.period(begin, end, 10 * 366 * DAY_US)
            incidents = incidents.take(
                (incidents.end_us > start_us) & (incidents.start_us < end_us)
            )
        as_of, name = view.as_of, view.details.names[0]
    is_open = incidents.ending == Ending.OPEN
    order = np.lexsort((-incidents.start_us, ~is_open))
    return json_response(incidents_page(paging, as_of, incidents.take(order), [store_id], [name]))


@router.get(
    f"/stores/{STORE_ID}/timeline",
    summary="What happened at a store, minute by minute",
    responses={200: {"model": TimelineResponse}, **_PROBLEMS},
)
def get_store_timeline(
    services: ServicesDep, store_id: _StoreId, begin: FromBound = None, end: ToBound = None
) -> Response:
    """Return the segments and polls of a period of up to 31 days (default: the last 7)."""
    with _view(services, store_id) as view:
        start_us, end_us = view.period(begin, end, WEEK_US)
        check_length(
            timedelta(microseconds=end_us - start_us), _LONGEST_TIMELINE, "for the timeline"
        )
        ledger, spans, planned_start, planned_end = view.ledger(start_us, end_us)
        ticks = view.raw_polls(start_us, end_us)
        name = _zone(view)
    return json_response(
        TimelineResponse(
            store_id=store_id,
            timezone=name,
            start=instant(start_us),
            end=instant(end_us),
            offsets=[
                OffsetSpan(start=instant(at), offset_seconds=offset // 1_000_000)
                for at, offset in zip(
                    spans.start_us.tolist(), spans.offset_us.tolist(), strict=True
                )
            ],
            segments=list(_segments(ledger, planned_start, planned_end)),
            polls=[
                TimelinePoll(at=instant(at), is_active=active)
                for at, active in zip(
                    ticks.polled_at_us.tolist(), ticks.is_active.tolist(), strict=True
                )
            ],
        )
    )


@router.get(
    f"/stores/{STORE_ID}/explain",
    summary="The intervals that sum to a report's figure",
    responses={200: {"model": LedgerResponse}, **_PROBLEMS},
)
def explain_store(
    services: ServicesDep,
    store_id: _StoreId,
    window: Window = Window.DAY,
    as_of: Annotated[BoundedInstant | None, Query(description="Default: the newest poll.")] = None,
    policy: Policy = Policy.NEAREST,
) -> Response:
    """Return the ledger of one window: intervals that sum to the figure to the microsecond.

    A store without a poll in the 192 hours before `as_of` has no figure and no entries.
    """
    with _view(services, store_id) as view:
        instant_of = view.as_of if as_of is None else as_of
        ledger, runs = view.explain(instant_of, window_us=WINDOW_US[window], policy=policy)
        name = _zone(view)
    length = ledger.end_us - ledger.start_us
    if len(runs) == 0:
        ledger, length = _empty_ledger(ledger), length[:0]
    is_up = ledger.is_business & (ledger.status == Status.UP)
    is_sure = ledger.is_business & ledger.is_certain
    business = int(length[ledger.is_business].sum())
    sure_down = int(length[is_sure & (ledger.status == Status.DOWN)].sum())
    return json_response(
        LedgerResponse(
            store_id=store_id,
            timezone=name,
            as_of=instant_of,
            policy=policy,
            window=window,
            start=instant(microseconds(instant_of) - WINDOW_US[window]),
            business_us=business,
            uptime_us=int(length[is_up].sum()),
            downtime_us=int(length[ledger.is_business & ~is_up].sum()),
            lowest_uptime_us=int(length[is_up & ledger.is_certain].sum()),
            highest_uptime_us=business - sure_down,
            entries=list(_ledger_entries(ledger, runs, policy)),
        )
    )


@router.get(
    f"/stores/{STORE_ID}",
    summary="One store at the newest poll",
    responses={200: {"model": StoreResponse}, **_PROBLEMS},
)
def get_store(
    request: Request, services: ServicesDep, fleet_cache: FleetCacheDep, store_id: _StoreId
) -> Response:
    """Return the store's figures, weekly hours and open incident."""
    fleet = fleet_cache.fleet(visible_stores(request))
    if fleet is None or store_id not in fleet.position:
        raise ProblemError(UNKNOWN_STORE)
    position = fleet.position[store_id]
    row = int(fleet.incident_row[position])
    summary = store_summary(fleet, position)
    with _view(services, store_id) as view:
        starts, ends = view.week()
        first_poll_us, polls = view.first_poll_us, int(view.status_runs.polls.sum())
    return json_response(
        StoreResponse(
            **dict(summary),
            as_of=fleet.as_of,
            hours=[_open_interval(a, b) for a, b in zip(starts, ends, strict=True)],
            first_poll_at=instant(first_poll_us) if polls else None,
            polls=polls,
            open_incident=None
            if row < 0
            else incident_response(
                fleet.incidents, row, store_id=store_id, name=fleet.details.names[position]
            ),
        )
    )


@contextmanager
def _view(services: Services, store_id: str) -> Iterator[StoreView]:
    """Open a view of the store. Raises a 404 or 409 problem."""
    url = services.settings.database_url.get_secret_value()
    if not is_storable(store_id):
        raise ProblemError(UNKNOWN_STORE)
    try:
        with store_view(url, store_id) as view:
            yield view
    except UnknownStoreError as error:
        raise ProblemError(UNKNOWN_STORE) from error
    except NoPollsError as error:
        raise ProblemError(NO_POLLS) from error


def _zone(view: StoreView) -> str:
    return view.details.timezones[0] or DEFAULT_ZONE


def _first_day(view: StoreView, start_us: int, end_us: int) -> int:
    """Return the local midnight before the first poll, but at least `start_us`."""
    spans = view.calendar(view.first_poll_us, view.first_poll_us + 1).local_spans()
    local_us = view.first_poll_us + int(spans.offset_us[0])
    midnight_us = local_us // DAY_US * DAY_US - int(spans.offset_us[0])
    return min(max(start_us, midnight_us), end_us)


def _history_rows(history: PeriodAmounts, rows: slice, days: Days | None) -> list[HistoryRow]:
    """Return the rows of one page."""
    incidents: dict[int, int] = {}
    if days is not None:
        incidents = dict(zip(days.begin_local_us.tolist(), days.incidents.tolist(), strict=True))
    return [
        HistoryRow(
            **dict(history_amounts(history.amounts, np.array([row]))),
            begin_local=wall_clock(int(history.begin_local_us[row])),
            start=instant(int(history.start_us[row])),
            end=instant(int(history.end_us[row])),
            incidents=incidents.get(int(history.begin_local_us[row]), 0)
            if days is not None
            else None,
        )
        for row in range(*rows.indices(len(history.store)))
    ]


_ZERO: Final = np.zeros(1, np.int64)
_ZERO_AMOUNTS: Final = Amounts(_ZERO, _ZERO, _ZERO, _ZERO, _ZERO, _ZERO)


def _segments(ledger: Ledger, planned_start: IntArray, planned_end: IntArray) -> Iterator[Segment]:
    """Yield the ledger as segments, with planned closures marked and equal neighbours merged."""
    edges = np.unique(np.concatenate([ledger.start_us, ledger.end_us, planned_start, planned_end]))
    if len(ledger) == 0:
        return
    begin, end = edges[:-1], edges[1:]
    entry = np.searchsorted(ledger.start_us, begin, side="right") - 1
    planned = np.searchsorted(planned_start, begin, side="right") - 1
    is_planned = (planned >= 0) & (begin < planned_end[planned]) if len(planned_start) else None
    open_segment: tuple[int, int, SegmentKind, bool] | None = None
    for number in range(len(begin)):
        row = int(entry[number])
        if ledger.is_business[row]:
            kind = _STATUS_KINDS[Status(int(ledger.status[row]))]
            is_certain = bool(ledger.is_certain[row])
        else:
            is_closure = is_planned is not None and bool(is_planned[number])
            kind = SegmentKind.CLOSURE if is_closure else SegmentKind.CLOSED
            is_certain = True
        if open_segment and open_segment[2:] == (kind, is_certain):
            open_segment = (open_segment[0], int(end[number]), kind, is_certain)
            continue
        if open_segment:
            yield _segment(*open_segment)
        open_segment = (int(begin[number]), int(end[number]), kind, is_certain)
    if open_segment:
        yield _segment(*open_segment)


def _segment(start_us: int, end_us: int, kind: SegmentKind, is_certain: bool) -> Segment:  # noqa: FBT001
    return Segment(start=instant(start_us), end=instant(end_us), kind=kind, is_certain=is_certain)


_STATUS_KINDS: Final = {
    Status.UP: SegmentKind.UP,
    Status.DOWN: SegmentKind.DOWN,
    Status.UNKNOWN: SegmentKind.UNKNOWN,
}


def _ledger_entries(ledger: Ledger, runs: StatusRuns, policy: Policy) -> Iterator[LedgerEntry]:
    """Yield the ledger's entries, with adjacent closed intervals merged."""
    closed: LedgerEntry | None = None
    for row in range(len(ledger)):
        entry = _ledger_entry(ledger, row, runs, policy)
        if entry.kind is not SegmentKind.CLOSED:
            if closed is not None:
                yield closed
                closed = None
            yield entry
        elif closed is None:
            closed = entry
        else:
            closed = closed.model_copy(update={"end": entry.end})
    if closed is not None:
        yield closed


def _ledger_entry(ledger: Ledger, row: int, runs: StatusRuns, policy: Policy) -> LedgerEntry:
    run = int(ledger.status_run[row])
    start_us, end_us = int(ledger.start_us[row]), int(ledger.end_us[row])
    is_business = bool(ledger.is_business[row])
    has_run = is_business and run != NO_STATUS_RUN
    kind = _STATUS_KINDS[Status(int(ledger.status[row]))] if is_business else SegmentKind.CLOSED
    return LedgerEntry(
        start=instant(start_us),
        end=instant(end_us),
        kind=kind,
        is_certain=bool(ledger.is_certain[row]) or not is_business,
        counted_us=end_us - start_us if is_business else 0,
        run_first_poll=instant(int(runs.first_poll_us[run])) if has_run else None,
        run_last_poll=instant(int(runs.last_poll_us[run])) if has_run else None,
        run_polls=int(runs.polls[run]) if has_run else None,
        reason=_reason(ledger, row, runs, policy) if is_business else "outside opening hours",
    )


def _reason(ledger: Ledger, row: int, runs: StatusRuns, policy: Policy) -> str:
    """Return in a few words why an interval of business time counts as up or down."""
    run = int(ledger.status_run[row])
    if run == NO_STATUS_RUN:
        return "no poll within 192 hours"
    word = "active" if runs.is_active[run] else "inactive"
    if ledger.is_certain[row]:
        return f"between {word} polls"
    if ledger.start_us[row] >= runs.last_poll_us[run]:
        if run == len(runs) - 1:
            return f"after the last poll, which was {word}"
        before = "the last poll before was" if policy is Policy.PREVIOUS else "the nearest poll was"
        return f"{before} {word}"
    return (
        f"before the first poll, which was {word}" if run == 0 else f"the nearest poll was {word}"
    )


def _empty_ledger(ledger: Ledger) -> Ledger:
    return Ledger(*(getattr(ledger, name)[:0] for name in Ledger.__dataclass_fields__))


def _open_interval(start_us: int, end_us: int) -> OpenInterval:
    day = start_us // DAY_US
    return OpenInterval(
        day_of_week=day, start=_clock(start_us - day * DAY_US), end=_clock(end_us - day * DAY_US)
    )


def _clock(us: int) -> str:
    minutes, seconds = divmod(us // 1_000_000, 60)
    return f"{minutes * 60_000_000 // HOUR_US:02}:{minutes % 60:02}:{seconds:02}"
