"""Serialise what is known about incidents beside their times: other stores, reasons. No I/O."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from storemon_api.stores.store_schemas import IncidentReason, PeersResponse, ReasonTotal
from storemon_pipeline.database.instants import instant
from storemon_pipeline.events.event_texts import EventText
from storemon_pipeline.uptime.incidents import Incidents
from storemon_pipeline.views.compared_incidents import ComparedIncidents, sets_text
from storemon_pipeline.views.incident_events import IncidentEvents, IncidentPart


def comparison(compared: ComparedIncidents | None, store_id: str, start_us: int) -> dict[str, Any]:
    """Return the fields of one incident that tell whether others went down together with it."""
    row = -1
    if compared is not None:
        row = compared.row(store_id, start_us)
    if compared is None or row < 0:
        return {"mark": None, "with_others_us": None, "peers": []}
    found = compared.found
    return {
        "mark": "with others" if found.is_with_others[row] else "alone",
        "with_others_us": int(found.with_others_us[row]),
        "peers": _peers(compared, row),
    }


def compared_time(
    compared: ComparedIncidents | None,
    incidents: Incidents,
    store_ids: Sequence[str],
) -> tuple[int, int]:
    """Return the time lost in compared incidents, and the part lost in widespread outages."""
    if compared is None:
        return 0, 0
    rows = np.array(
        [
            compared.row(store_ids[store], start_us)
            for store, start_us in zip(
                incidents.store.tolist(), incidents.start_us.tolist(), strict=True
            )
        ],
        np.int64,
    )
    with_others_us = compared.found.with_others_us[rows[rows >= 0]]
    return int(incidents.lost_us[rows >= 0].sum()), int(with_others_us.sum())


def _peers(compared: ComparedIncidents, row: int) -> list[PeersResponse]:
    """Return the sets of the incident's store in which there are other stores."""
    found = []
    for one in compared.peers(row):
        counts, at = one.counts, one.row
        until_us = int(counts.until_us[at])
        found.append(
            PeersResponse(
                kind=one.kind,
                name=one.name,
                stores=int(counts.stores_then[at]),
                down=int(counts.down[at]),
                usually_down=round(float(counts.usually_down[at]), 2),
                stores_at_start=int(counts.stores[at]),
                went_down=int(counts.went_down[at]),
                usually_went_down=round(float(counts.usually_went_down[at]), 2),
                widespread_outage_until=instant(until_us) if until_us else None,
            )
        )
    return found


def widespread_outages_text(peers: Sequence[PeersResponse]) -> str | None:
    """Return the sets in whose widespread outages the incident was, or None."""
    return sets_text((one.kind, one.name) for one in peers if one.widespread_outage_until) or None


def incident_reasons(
    events: IncidentEvents | None, incidents: Incidents, row: int
) -> list[IncidentReason]:
    """Return the parts of one incident that events cover, in order of time."""
    return [
        IncidentReason(
            source=part.text.source,
            reason=part.text.reason,
            start=instant(part.start_us),
            end=instant(part.end_us),
            lost_us=part.lost_us,
        )
        for part in _parts(events, incidents, row)
    ]


def reason_totals(events: IncidentEvents | None, incidents: Incidents) -> list[ReasonTotal]:
    """Return the business time lost by source and reason, the largest first."""
    lost_us: dict[EventText, int] = defaultdict(int)
    rows: dict[EventText, set[int]] = defaultdict(set)
    if events is not None:
        for row in range(len(incidents)):
            for part in _parts(events, incidents, row):
                lost_us[part.text] += part.lost_us
                rows[part.text].add(row)
    order = sorted(lost_us, key=lambda text: (-lost_us[text], text.source, text.reason))
    return [
        ReasonTotal(
            source=text.source,
            reason=text.reason,
            incidents=len(rows[text]),
            lost_us=lost_us[text],
        )
        for text in order
    ]


def reasons_text(reasons: Sequence[IncidentReason]) -> str:
    """Return the different reasons as one text: "platform: tablet offline; till: paper"."""
    texts = (": ".join(filter(None, [one.source, one.reason])) for one in reasons)
    return "; ".join(dict.fromkeys(filter(None, texts)))


def _parts(events: IncidentEvents | None, incidents: Incidents, row: int) -> list[IncidentPart]:
    if events is None:
        return []
    return events.during(
        int(incidents.store[row]), int(incidents.start_us[row]), int(incidents.end_us[row])
    )
