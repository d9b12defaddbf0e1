"""The reasons that events and corrections give for outages, with the opening time each has cost."""

from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.events.event_texts import EventText, read_event_texts
from storemon_pipeline.events.evidence_queries import read_told_stretches
from storemon_pipeline.statements.statement import ReasonTotal, StatementIncident, StatementReason
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.event_stretches import EventStretches, what_holds


def read_reasons_of_outages(
    bulk: Bulk,
    stores: StoreIndex,
    calendar: Calendar,
    store: IntArray,
    start_us: IntArray,
    end_us: IntArray,
) -> list[list[StatementReason]]:
    """See `reasons_of_outages`, with the events and corrections in the database."""
    if len(store) == 0:
        return []
    stretches = read_told_stretches(
        bulk, stores, since=instant(int(start_us.min())), until=instant(int(end_us.max()))
    )
    texts = read_event_texts(bulk, stretches)
    return reasons_of_outages(stretches, texts, calendar, store, start_us, end_us)


def reasons_of_outages(
    stretches: EventStretches,
    texts: Mapping[int, EventText],
    calendar: Calendar,
    store: IntArray,
    start_us: IntArray,
    end_us: IntArray,
) -> list[list[StatementReason]]:
    """The reasons of each outage `[start_us, end_us)`, in order of time.

    Outages are sorted by store and time, and do not overlap. What costs no opening time is left
    out. A reason that holds several times during one outage is one line.
    """
    found: list[dict[tuple[str, str], int]] = [{} for _ in store]
    if len(stretches) and len(store):
        down = what_holds(stretches)
        first_us, last_us = int(start_us.min()), int(end_us.max())
        down = down.take(~down.is_up).clip(first_us, last_us)
        outage, row = _touching(down, store, start_us, end_us)
        of_store = down.store[row]
        lost_us = calendar.business_us(
            of_store, np.minimum(down.end_us[row], end_us[outage])
        ) - calendar.business_us(of_store, np.maximum(down.start_us[row], start_us[outage]))
        for place, event, lost in zip(
            outage.tolist(), down.event[row].tolist(), lost_us.tolist(), strict=True
        ):
            if lost:
                text = texts[event]
                reason = (text.source, text.reason)
                found[place][reason] = found[place].get(reason, 0) + lost
    return [
        [StatementReason(source, reason, lost) for (source, reason), lost in own.items()]
        for own in found
    ]


def totals_by_reason(incidents: Iterable[StatementIncident]) -> list[ReasonTotal]:
    """The opening time lost for each reason, the largest first."""
    lost_us: dict[tuple[str, str], int] = {}
    outages: dict[tuple[str, str], int] = {}
    for incident in incidents:
        for one in incident.reasons:
            key = (one.source, one.reason)
            lost_us[key] = lost_us.get(key, 0) + one.lost_us
            outages[key] = outages.get(key, 0) + 1
    return [
        ReasonTotal(*key, incidents=outages[key], lost_us=lost_us[key])
        for key in sorted(lost_us, key=lambda key: (-lost_us[key], key))
    ]


def reasons_text(reasons: Sequence[StatementReason]) -> str:
    """The reasons of one outage as one text.

    >>> reasons_text([StatementReason("till", "paper", 1), StatementReason("", "storm", 2)])
    'till: paper; storm'
    """
    return "; ".join(
        ": ".join(filter(None, (one.source, one.reason))) or "no reason given" for one in reasons
    )


def _touching(
    down: EventStretches, store: IntArray, start_us: IntArray, end_us: IntArray
) -> tuple[IntArray, IntArray]:
    """The pairs of outage and stretch that overlap, as positions; sorted by outage."""
    if len(down) == 0:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    # One axis on which the time of each store follows that of the store before it.
    first_us = start_us.min()
    width = end_us.max() - first_us + 1
    outage_start, outage_end, stretch_start, stretch_end = (
        of_store * width + (at_us - first_us)
        for of_store, at_us in (
            (store, start_us),
            (store, end_us),
            (down.store, down.start_us),
            (down.store, down.end_us),
        )
    )
    first = np.searchsorted(stretch_end, outage_start, side="right")
    count = np.maximum(np.searchsorted(stretch_start, outage_end, side="left") - first, 0)
    outage = np.repeat(np.arange(len(store)), count)
    before = np.cumsum(count) - count
    return outage, np.arange(len(outage)) + (first - before)[outage]
