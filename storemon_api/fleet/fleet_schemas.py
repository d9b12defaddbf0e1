"""Response models about all stores together."""

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import LocalInstant, ResponseBody
from storemon_api.sales.sales_schemas import Sales, SalesLost
from storemon_api.stores.store_schemas import PERCENT, VERDICT, HistoryAmounts, with_amounts
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.likelihood.verdict import Verdict
from storemon_pipeline.uptime.store_state import StoreState


class _StoreCount(ResponseBody):
    stores: int


class ShareOfWindow(with_amounts(_StoreCount)):  # type: ignore[misc] # by the list
    """Business time of several stores in one window, summed."""

    uptime_percent: float | None = Field(description=PERCENT)
    previous_percent: float | None = Field(
        description="Uptime of the window before; null when polls do not cover all of it."
    )
    verdict: Verdict | None = Field(default=None, description=VERDICT)
    sales: list[Sales] = Field(
        default=[], description="Sales in each currency; empty without demand."
    )


class Totals(ResponseBody):
    """Totals of several stores. Percentages are computed from sums."""

    stores: int
    standing: dict[StoreState, int]
    open_incidents: int
    lost_us: int = Field(description="Business time lost in open incidents so far.")
    sales_lost: list[SalesLost] = Field(
        default=[],
        description="Sales lost in open incidents so far, in each currency; empty without demand.",
    )
    windows: dict[Window, ShareOfWindow]
    likely_flags: list[str] = Field(
        default=[],
        description="Why the likely ranges of the totals are not to be trusted.",
        examples=[["missed_when_down"]],
    )


class GroupTotals(Totals):
    """Totals of a group, region or time zone."""

    name: str | None = Field(description="Null for the stores without one.")


class FleetNow(Totals):
    """Totals of the matching stores at the newest poll."""

    as_of: AwareDatetime | None
    computed_at: AwareDatetime
    groups: list[GroupTotals]
    regions: list[GroupTotals]
    timezones: list[GroupTotals]


class FleetHistoryRow(HistoryAmounts):
    """One period of all stores, or of one group or region."""

    begin_local: LocalInstant = Field(description="On each store's clock; by hour, in UTC.")
    group: str | None
    stores: int
    incidents: int | None = Field(default=None, description="Null by hour.")
    sales: list[Sales] = Field(
        default=[],
        description="With `sales=true`: sales in each currency; empty without demand.",
    )
    likely_flags: list[str] = Field(
        default=[],
        description="Why the likely range is not to be trusted.",
        examples=[["missed_when_down"]],
    )


class FleetHistory(ResponseBody):
    """The fleet's history: sums over stores by period."""

    as_of: AwareDatetime | None
    by: Period
    total: int
    offset: int
    limit: int
    next: str | None
    periods: list[FleetHistoryRow]
