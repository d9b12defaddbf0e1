"""Bodies of responses about all stores together, with examples."""

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import LocalInstant, ResponseBody
from storemon_api.stores.store_schemas import PERCENT, HistoryAmounts, with_amounts
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.uptime.store_state import StoreState


class _StoreCount(ResponseBody):
    stores: int


class ShareOfWindow(with_amounts(_StoreCount)):  # type: ignore[misc] # by the list
    """Summed business time of many stores in one window."""

    uptime_percent: float | None = Field(description=PERCENT)
    previous_percent: float | None = Field(
        description="Of the window before; null where polls do not reach back to its beginning."
    )


class Totals(ResponseBody):
    """Many stores in numbers: sums, never means of percentages."""

    stores: int
    standing: dict[StoreState, int]
    open_incidents: int
    lost_us: int = Field(description="By the open incidents, so far.")
    windows: dict[Window, ShareOfWindow]


class GroupTotals(Totals):
    """The stores of a group, region or zone in numbers."""

    name: str | None = Field(description="Null: the stores without one.")


class FleetNow(Totals):
    """The stores that were asked for, at the newest poll."""

    as_of: AwareDatetime | None
    computed_at: AwareDatetime
    groups: list[GroupTotals]
    regions: list[GroupTotals]
    timezones: list[GroupTotals]


class FleetHistoryRow(HistoryAmounts):
    """One period of all stores, or of those of one group."""

    begin_local: LocalInstant = Field(description="On the clock of each store; by hour: in UTC.")
    group: str | None
    stores: int
    incidents: int | None = Field(default=None, description="Not by hour.")


class FleetHistory(ResponseBody):
    """The fleet's history; sums over stores, each by its own clock."""

    as_of: AwareDatetime | None
    by: Period
    total: int
    offset: int
    limit: int
    next: str | None
    periods: list[FleetHistoryRow]
