"""Response models about error budgets."""

from typing import Literal, Self

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.store_schemas import PERCENT
from storemon_pipeline.database.instants import instant
from storemon_pipeline.likelihood.verdict import Verdict
from storemon_pipeline.objectives.budgets import Budget
from storemon_pipeline.objectives.precedence import percentage
from storemon_pipeline.uptime.percentages import share_percent


class BurnResponse(ResponseBody):
    """How fast the budget was spent in the last day, or in the last three."""

    length_us: int
    opening_us: int = Field(description="Opening time with known status.")
    downtime_us: int
    rate: float | None = Field(
        description="1 is as fast as the objective allows. Null without opening time, and for an "
        "objective of 100 %."
    )


def burn_responses(budget: Budget) -> list[BurnResponse]:
    """Return the burn of the last day, and of the last three."""
    return [
        BurnResponse(
            length_us=burn.length_us,
            opening_us=burn.opening_us,
            downtime_us=burn.downtime_us,
            rate=None if burn.rate is None else round(burn.rate, 2),
        )
        for burn in budget.burns
    ]


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

    @classmethod
    def of(
        cls,
        budget: Budget,
        verdict: Verdict,
        *,
        store_id: str,
        timezone: str,
        by: Literal["week", "month"],
        is_stored: bool,
        **further: object,
    ) -> Self:
        """Return the response about a budget; `further` are fields of a subclass."""
        return cls(
            store_id=store_id,
            timezone=timezone,
            objective=float(percentage(budget.objective_ppm)),
            is_stored=is_stored,
            by=by,
            start=instant(budget.start_us),
            end=instant(budget.end_us),
            until=instant(budget.until_us),
            opening_us=budget.opening_us,
            unknown_us=budget.unknown_us,
            budget_us=budget.budget_us,
            spent_us=budget.spent_us,
            left_us=budget.left_us,
            is_spent=budget.is_spent,
            uptime_percent=share_percent(budget.uptime_us, budget.uptime_us + budget.spent_us),
            verdict=verdict,
            burns=burn_responses(budget),
            runs_out_at=None if budget.runs_out_us is None else instant(budget.runs_out_us),
            **further,
        )
