"""Routes about a store's timeline and the ledger of a figure."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Annotated, Final

from fastapi import Query, Response

from storemon_api.downloads.body_tables import body_response, columns_of
from storemon_api.downloads.table_file import Cell, Column, hours
from storemon_api.downloads.table_format import TableFormatDep, listing_responses
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import (
    DATABASE_UNAVAILABLE,
    INVALID_REQUEST,
    LAKE_UNAVAILABLE,
    NO_POLLS,
    UNKNOWN_STORE,
)
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.stores.store_in_path import STORE_PROBLEMS, StoreIdPath, store_view_of, zone_of
from storemon_api.stores.store_responses import correction_response
from storemon_api.stores.store_schemas import (
    EventSaid,
    LedgerEntry,
    LedgerResponse,
    OffsetSpan,
    Segment,
    SegmentKind,
    TimelinePoll,
    TimelineResponse,
)
from storemon_api.stores.time_params import BoundedInstant, FromBound, ToBound, check_length
from storemon_api.stores.timeline_responses import empty_ledger, ledger_entries, timeline_segments
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.domain.windows import (
    WEEK_US,
    WINDOW_US,
    Policy,
    Window,
)
from storemon_pipeline.likelihood.likely_figures import flags_of

router = Router(tag="stores")

_TIMELINE_PROBLEMS: Final = problem_responses(
    UNKNOWN_STORE, NO_POLLS, INVALID_REQUEST, DATABASE_UNAVAILABLE, LAKE_UNAVAILABLE
)
_LONGEST_TIMELINE: Final = timedelta(days=31)


def _event(of: Callable[[EventSaid], str | None]) -> Callable[[Segment], Cell]:
    return lambda segment: None if segment.event is None else of(segment.event)


_SEGMENT_COLUMNS: Final[Sequence[Column[Segment]]] = (
    *columns_of(Segment, "event"),
    Column("hours", lambda one: hours(microseconds(one.end) - microseconds(one.start))),
    Column("event_source", _event(lambda event: event.source)),
    Column("event_reason", _event(lambda event: event.reason)),
)


def _up_us(entry: LedgerEntry) -> int:
    """Return the time that counts as up: of several storefronts the share that is up."""
    if entry.storefronts > 1:
        return round(entry.counted_us * entry.storefronts_up / entry.storefronts)
    return entry.counted_us if entry.kind is SegmentKind.UP else 0


_ENTRY_COLUMNS: Final[Sequence[Column[LedgerEntry]]] = (
    *columns_of(LedgerEntry),
    Column("uptime_hours", lambda one: hours(_up_us(one))),
    Column("downtime_hours", lambda one: hours(one.counted_us - _up_us(one))),
)


@router.get(
    f"/stores/{STORE_ID}/timeline",
    summary="What happened at a store, minute by minute",
    responses={**listing_responses(TimelineResponse), **_TIMELINE_PROBLEMS},
)
def get_store_timeline(
    services: ServicesDep,
    table_format: TableFormatDep,
    store_id: StoreIdPath,
    begin: FromBound = None,
    end: ToBound = None,
) -> Response:
    """Return the segments and polls of a period of up to 31 days (default: the last 7).

    A file has the segments, the newest first.
    """
    with store_view_of(services, store_id) as view:
        start_us, end_us = view.period(begin, end, WEEK_US)
        check_length(
            timedelta(microseconds=end_us - start_us), _LONGEST_TIMELINE, "for the timeline"
        )
        ledger, spans, planned_start, planned_end = view.ledger(start_us, end_us)
        ticks = view.raw_polls(start_us, end_us)
        events = view.events()
        name = zone_of(view)
    segments = list(timeline_segments(ledger, planned_start, planned_end, events))
    return body_response(
        table_format,
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
            segments=segments,
            polls=[
                TimelinePoll(at=instant(at), is_active=active)
                for at, active in zip(
                    ticks.polled_at_us.tolist(), ticks.is_active.tolist(), strict=True
                )
            ],
        ),
        "segments",
        _SEGMENT_COLUMNS,
        rows=segments[::-1],
        name="timeline",
        as_of=instant(end_us),
    )


@router.get(
    f"/stores/{STORE_ID}/explain",
    summary="The intervals that sum to a report's figure",
    responses={**listing_responses(LedgerResponse), **STORE_PROBLEMS},
)
def explain_store(
    services: ServicesDep,
    table_format: TableFormatDep,
    store_id: StoreIdPath,
    *,
    window: Window = Window.DAY,
    as_of: Annotated[BoundedInstant | None, Query(description="Default: the newest poll.")] = None,
    policy: Policy = Policy.NEAREST,
) -> Response:
    """Return the ledger of one window: intervals that sum to the figure to the microsecond.

    A store without a poll in the 192 hours before `as_of` has no figure and no entries. A file has
    the entries.
    """
    with store_view_of(services, store_id) as view:
        instant_of = view.as_of if as_of is None else as_of
        explanation = view.explain(instant_of, window=window, policy=policy)
        events = view.events()
        name = zone_of(view)
        start = instant(microseconds(instant_of) - WINDOW_US[window])
        corrections = view.corrections(start, instant_of)
    ledger, runs, likely = explanation.ledger, explanation.status_runs, explanation.likely
    if len(runs) == 0:
        ledger = empty_ledger(ledger)
    business, uptime = ledger.business_us(), ledger.business_us(ledger.up)
    return body_response(
        table_format,
        LedgerResponse(
            store_id=store_id,
            timezone=name,
            as_of=instant_of,
            policy=policy,
            window=window,
            start=start,
            business_us=business,
            uptime_us=uptime,
            downtime_us=business - uptime,
            lowest_uptime_us=ledger.business_us(ledger.sure_up),
            highest_uptime_us=ledger.business_us(ledger.parts - ledger.sure_down),
            likely_lowest_uptime_us=likely and likely.lowest_us,
            likely_highest_uptime_us=likely and likely.highest_us,
            likely_flags=[] if likely is None else list(flags_of(likely.doubt)),
            status_model=likely and likely.status_model_id,
            entries=list(ledger_entries(ledger, runs, policy, events)),
            corrections=[correction_response(one) for one in corrections],
        ),
        "entries",
        _ENTRY_COLUMNS,
        name=f"explain-{window}",
        as_of=instant_of,
    )
