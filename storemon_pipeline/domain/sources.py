"""The sources of data, and what every room may know of them without reading a file.

How a source is found, read, written and undone stands in sources/registry.py.
"""

from enum import StrEnum, unique
from typing import Final

SETTINGS_FILE: Final = "sources.toml"
"""The file in the data folder with the settings of sources."""


@unique
class Source(StrEnum):
    """The polls, or one of the snapshots around them: small files that are read whole.

    A source's value is the name of its table, its asset and its `source` in the API. The order
    numbers the refresh locks: a new source comes last.
    """

    STORE_STATUS = "store_status"
    BUSINESS_HOURS = "business_hours"
    STORE_TIMEZONES = "store_timezones"
    CLOSURES = "closures"
    STORE_DETAILS = "store_details"
    OBJECTIVES = "objectives"
    SPECIAL_HOURS = "special_hours"
    DEMAND = "demand"
    STORE_EVENTS = "store_events"
    HOURLY_ORDERS = "hourly_orders"
    CHANNELS = "channels"

    @property
    def is_snapshot(self) -> bool:
        """Whether it is read whole each time; polls are read on from where the last load ended."""
        return self is not Source.STORE_STATUS

    @property
    def changes_figures(self) -> bool:
        """Whether a report depends on it. Names, objectives and sales change none of it."""
        return self not in {
            Source.STORE_DETAILS,
            Source.OBJECTIVES,
            Source.DEMAND,
            Source.HOURLY_ORDERS,
        }

    @property
    def label(self) -> str:
        """What alerts call it."""
        return _LABELS[self]


_LABELS: Final = {
    Source.STORE_STATUS: "store checks",
    Source.BUSINESS_HOURS: "opening hours",
    Source.STORE_TIMEZONES: "time zones",
    Source.CLOSURES: "closures",
    Source.STORE_DETAILS: "names of stores",
    Source.OBJECTIVES: "objectives",
    Source.SPECIAL_HOURS: "special hours",
    Source.DEMAND: "expected sales",
    Source.STORE_EVENTS: "events",
    Source.HOURLY_ORDERS: "orders",
    Source.CHANNELS: "channels of stores",
}
