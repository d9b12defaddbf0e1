"""Response models about comparing two periods."""

from datetime import date

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import ResponseBody
from storemon_api.sales.sales_schemas import Sales
from storemon_api.stores.store_schemas import HistoryAmounts
from storemon_pipeline.views.period_comparison import Trend


class ComparedPeriod(ResponseBody):
    """Local dates, on each store's clock."""

    start: date
    end: date = Field(description="Exclusive.")


class PeriodFigures(HistoryAmounts):
    """The sums of a period."""

    stores: int
    incidents: int = Field(description="Each counts on every day on which it cost time.")
    sales: list[Sales] = Field(
        default=[],
        description="With `sales=true`: sales in each currency; empty without demand.",
    )


class DifferenceResponse(ResponseBody):
    """The later uptime minus the earlier one."""

    points: float | None = Field(
        description="Percentage points; null where nothing is known of a period.", examples=[-1.25]
    )
    lowest_points: float | None = Field(
        description="Lower end of the likely range of the difference; null without likely ranges."
    )
    highest_points: float | None
    trend: Trend = Field(
        description="`better` or `worse` when the difference is more than the likely ranges allow."
    )
    downtime_us: int = Field(description="Later minus earlier.")
    incidents: int = Field(description="Later minus earlier.")


class Comparison(ResponseBody):
    """Two periods of all stores of the scope, or of one group or region of it."""

    group: str | None
    later: PeriodFigures
    earlier: PeriodFigures
    difference: DifferenceResponse


class ComparisonResponse(ResponseBody):
    """A comparison of two periods."""

    as_of: AwareDatetime | None = Field(description="The newest poll that the days include.")
    later: ComparedPeriod
    earlier: ComparedPeriod
    total: int = Field(description="How many comparisons there are.")
    comparisons: list[Comparison] = Field(
        description="One, or with `split` one for each group or region."
    )
