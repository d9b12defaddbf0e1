"""Response models about error budgets."""

from typing import Literal

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.store_schemas import PERCENT
from storemon_pipeline.likelihood.verdict import Verdict


class BurnResponse(ResponseBody):
    """How fast the budget was spent in the last day, or in the last three."""

    length_us: int
    opening_us: int = Field(description="Opening time with known status.")
    downtime_us: int
    rate: float | None = Field(
        description="1 is as fast as the objective allows. Null without opening time, and for an "
        "objective of 100 %."
    )


class BudgetResponse(ResponseBody):
    """The error budget of one store in a local week or month."""

    store_id: str
    timezone: str
    objective: float = Field(examples=[98.5])
    is_stored: bool = Field(description="Whether it is a stored objective, or that of the request.")
    by: Literal["week", "month"]
    start: AwareDatetime
    end: AwareDatetime
    until: AwareDatetime = Field(description="The newest poll, or the end if that is earlier.")
    opening_us: int = Field(
        description="Opening time of the whole period, with what is still to come and without "
        "unknown time."
    )
    unknown_us: int
    budget_us: int = Field(description="The downtime that the objective allows, rounded down.")
    spent_us: int = Field(description="The downtime so far.")
    left_us: int = Field(description="Negative if more was spent than the budget has.")
    is_spent: bool
    uptime_percent: float | None = Field(description=PERCENT)
    verdict: Verdict = Field(
        description="On the period so far, from the first poll on, by its likely range: met, "
        "missed, or cannot be told."
    )
    burns: list[BurnResponse] = Field(description="Of the last day, and of the last three.")
    runs_out_at: AwareDatetime | None = Field(
        description="When the budget was spent, or will be by the burn of three days; null if that "
        "is not before the period ends."
    )
