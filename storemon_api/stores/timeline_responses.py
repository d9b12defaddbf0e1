"""Serialise ledgers to segments of a timeline and entries of an explanation. No I/O."""

from collections.abc import Iterator
from typing import Final

import numpy as np

from storemon_api.stores.store_schemas import (
    EventSaid,
    LedgerEntry,
    Segment,
    SegmentKind,
)
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.windows import (
    IntArray,
    Policy,
)
from storemon_pipeline.events.event_texts import EventText, StoreEvents
from storemon_pipeline.uptime.estimates import NO_STATUS_RUN, Status
from storemon_pipeline.uptime.ledger import Ledger
from storemon_pipeline.uptime.status_runs import StatusRuns

_STATUS_KINDS: Final = {
    Status.UP: SegmentKind.UP,
    Status.DOWN: SegmentKind.DOWN,
    Status.UNKNOWN: SegmentKind.UNKNOWN,
}


def timeline_segments(
    ledger: Ledger, planned_start: IntArray, planned_end: IntArray, events: StoreEvents
) -> Iterator[Segment]:
    """Yield the ledger as segments, with planned closures marked and equal neighbours merged.

    Time that different events cover is not merged.
    """
    edges = np.unique(np.concatenate([ledger.start_us, ledger.end_us, planned_start, planned_end]))
    if len(ledger) == 0:
        return
    begin, end = edges[:-1], edges[1:]
    entry = np.searchsorted(ledger.start_us, begin, side="right") - 1
    planned = np.searchsorted(planned_start, begin, side="right") - 1
    is_planned = (planned >= 0) & (begin < planned_end[planned]) if len(planned_start) else None
    open_segment: tuple[int, int, SegmentKind, bool, EventText | None] | None = None
    for number in range(len(begin)):
        row = int(entry[number])
        event = None
        if ledger.is_business[row]:
            kind = _STATUS_KINDS[Status(int(ledger.status[row]))]
            is_certain = bool(ledger.is_certain[row])
            event = events.at(int(begin[number]))
        else:
            is_closure = is_planned is not None and bool(is_planned[number])
            kind = SegmentKind.CLOSURE if is_closure else SegmentKind.CLOSED
            is_certain = True
        if open_segment and open_segment[2:] == (kind, is_certain, event):
            open_segment = (open_segment[0], int(end[number]), kind, is_certain, event)
            continue
        if open_segment:
            yield _segment(*open_segment)
        open_segment = (int(begin[number]), int(end[number]), kind, is_certain, event)
    if open_segment:
        yield _segment(*open_segment)


def _segment(
    start_us: int,
    end_us: int,
    kind: SegmentKind,
    is_certain: bool,  # noqa: FBT001
    event: EventText | None,
) -> Segment:
    return Segment(
        start=instant(start_us),
        end=instant(end_us),
        kind=kind,
        is_certain=is_certain,
        event=None if event is None else EventSaid(source=event.source, reason=event.reason),
    )


def ledger_entries(
    ledger: Ledger, runs: StatusRuns, policy: Policy, events: StoreEvents
) -> Iterator[LedgerEntry]:
    """Yield the ledger's entries, with adjacent closed intervals merged."""
    closed: LedgerEntry | None = None
    for row in range(len(ledger)):
        entry = _ledger_entry(ledger, row, runs, policy, events)
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


def _ledger_entry(
    ledger: Ledger, row: int, runs: StatusRuns, policy: Policy, events: StoreEvents
) -> LedgerEntry:
    run = int(ledger.status_run[row])
    start_us, end_us = int(ledger.start_us[row]), int(ledger.end_us[row])
    is_business = bool(ledger.is_business[row])
    is_share = ledger.parts[row] > 1
    has_run = is_business and run != NO_STATUS_RUN and runs.polls[run] > 0 and not is_share
    kind = _STATUS_KINDS[Status(int(ledger.status[row]))] if is_business else SegmentKind.CLOSED
    if not is_business:
        reason = "outside opening hours"
    elif is_share:
        reason = "the share of its storefronts that are online"
    else:
        reason = _reason(ledger, row, runs, policy, events)
    return LedgerEntry(
        start=instant(start_us),
        end=instant(end_us),
        kind=kind,
        is_certain=bool(ledger.is_certain[row]) or not is_business,
        counted_us=end_us - start_us if is_business else 0,
        storefronts=int(ledger.parts[row]),
        storefronts_up=int(ledger.up[row]),
        run_first_poll=instant(int(runs.first_poll_us[run])) if has_run else None,
        run_last_poll=instant(int(runs.last_poll_us[run])) if has_run else None,
        run_polls=int(runs.polls[run]) if has_run else None,
        reason=reason,
    )


def _reason(ledger: Ledger, row: int, runs: StatusRuns, policy: Policy, events: StoreEvents) -> str:
    """Return in a few words why an interval of business time counts as up or down."""
    run = int(ledger.status_run[row])
    if run == NO_STATUS_RUN:
        return "no check within 8 days"
    word = "online" if runs.is_active[run] else "offline"
    if ledger.is_certain[row] and runs.polls[run] == 0:
        text = events.at(int(ledger.start_us[row]))
        origin = f" of {text.source}" if text and text.source else ""
        reason = f": {text.reason}" if text and text.reason else ""
        teller = "a correction" if text and text.is_correction else f"an event{origin}"
        return f"{teller} says {word}{reason}"
    if ledger.is_certain[row]:
        return f"between {word} checks"
    if ledger.start_us[row] >= runs.last_poll_us[run]:
        if run == len(runs) - 1:
            return f"last check was {word}"
        before = "previous" if policy is Policy.PREVIOUS else "nearest"
        return f"{before} check was {word}"
    return f"first check was {word}" if run == 0 else f"nearest check was {word}"


def empty_ledger(ledger: Ledger) -> Ledger:
    """Return a ledger without entries, with the columns of `ledger`."""
    return Ledger(*(getattr(ledger, name)[:0] for name in Ledger.__dataclass_fields__))
