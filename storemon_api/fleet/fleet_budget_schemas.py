"""Response models about the error budgets of all stores."""

from typing import Literal

from pydantic import AwareDatetime, Field

from storemon_api.http.schemas import ResponseBody
from storemon_api.stores.budget_schemas import BudgetResponse
from storemon_pipeline.likelihood.verdict import Verdict


class FleetBudgetRow(BudgetResponse):
    """The error budget of one store in a list."""

    name: str | None
    group: str | None
    region: str | None


class FleetBudgets(ResponseBody):
    """A page of error budgets; the counts are of all stores that match, with any verdict."""

    as_of: AwareDatetime | None = Field(description="The newest poll; null while there is none.")
    by: Literal["week", "month"]
    verdicts: dict[Verdict, int]
    spent: int = Field(description="Stores that spent more than their budget has.")
    total: int = Field(description="Stores that match the filters, on all pages.")
    offset: int
    limit: int
    next: str | None = Field(description="Path of the next page; null on the last page.")
    budgets: list[FleetBudgetRow]
