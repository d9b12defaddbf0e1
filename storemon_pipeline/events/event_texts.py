"""What events say in words: the source and reason behind a stretch of time."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.uptime.event_stretches import EventStretches


@dataclass(frozen=True, slots=True)
class EventText:
    """Source and reason of an event, either may be empty; or those of a correction."""

    source: str
    reason: str
    is_correction: bool = False


@dataclass(frozen=True, slots=True)
class StoreEvents:
    """The stretches of one store's events that hold, with their texts by the id of the event."""

    stretches: EventStretches
    texts: Mapping[int, EventText]

    def at(self, at_us: int) -> EventText | None:
        """The text of the event that holds at an instant; None where no event does."""
        row = int(np.searchsorted(self.stretches.start_us, at_us, side="right")) - 1
        if row < 0 or at_us >= self.stretches.end_us[row]:
            return None
        return self.texts[int(self.stretches.event[row])]


def read_event_texts(bulk: Bulk, stretches: EventStretches) -> dict[int, EventText]:
    """The texts of the events and corrections of these stretches, by id."""
    if len(stretches) == 0:
        return {}
    ids = ",".join(map(str, np.unique(stretches.event).tolist()))
    rows = bulk.fetch(
        f"""
        SELECT event_id, source, reason FROM store_events
        WHERE event_id = ANY ('{{{ids}}}'::bigint[])
        UNION ALL
        SELECT -correction_id, 'correction', reason FROM corrections
        WHERE -correction_id = ANY ('{{{ids}}}'::bigint[])
        """  # noqa: S608  (numbers)
    ).to_pylist()
    return {
        row["event_id"]: EventText(row["source"], row["reason"], is_correction=row["event_id"] < 0)
        for row in rows
    }
