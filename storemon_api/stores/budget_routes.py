"""The route about a store's error budget."""

from decimal import Decimal
from typing import Annotated, Literal

from fastapi import Query, Response

from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import NO_OBJECTIVE, UNKNOWN_STORE, ProblemError
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.stores.budget_schemas import BudgetResponse, BurnResponse
from storemon_api.stores.store_filters import Percentage
from storemon_api.stores.store_in_path import STORE_PROBLEMS, StoreIdPath, store_view_of, zone_of
from storemon_api.stores.time_params import TimeBound
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.database.instants import instant
from storemon_pipeline.objectives.budgets import Budget
from storemon_pipeline.uptime.percentages import share_percent

router = Router(tag="stores")


@router.get(
    f"/stores/{STORE_ID}/budget",
    summary="A store's error budget for an objective",
    responses={
        200: {"model": BudgetResponse},
        **STORE_PROBLEMS,
        **problem_responses(UNKNOWN_STORE, NO_OBJECTIVE),
    },
)
def get_store_budget(
    services: ServicesDep,
    store_id: StoreIdPath,
    objective: Annotated[
        Percentage | None,
        Query(
            description="The percentage of opening time in which the store is to be up. Default: "
            "the stored objective that holds for the store.",
            examples=[98.5],
        ),
    ] = None,
    by: Literal["week", "month"] = "month",
    at: Annotated[
        TimeBound | None,
        Query(
            description="An instant or a date in the week or month. Default and maximum: the "
            "newest poll."
        ),
    ] = None,
) -> Response:
    """Return how much downtime the objective allows, how much was spent, and when it runs out.

    Weeks begin on Monday. Weeks and months are those of the store's own clock.
    """
    with store_view_of(services, store_id) as view:
        is_stored = objective is None
        if objective is None:
            objective = view.objectives(at).get(Period(by))
        if objective is None:
            raise ProblemError(NO_OBJECTIVE)
        budget, verdict = view.budget(at, period=Period(by), objective_percent=objective)
        timezone = zone_of(view)
    so_far = budget.so_far
    uptime_us, downtime_us = int(so_far.uptime_us[0]), int(so_far.downtime_us[0])
    return json_response(
        BudgetResponse(
            store_id=store_id,
            timezone=timezone,
            objective=float(objective),
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
            uptime_percent=share_percent(uptime_us, uptime_us + downtime_us),
            verdict=verdict,
            burns=_burns(budget, objective),
            runs_out_at=None if budget.runs_out_us is None else instant(budget.runs_out_us),
        )
    )


def _burns(budget: Budget, objective: Decimal) -> list[BurnResponse]:
    return [
        BurnResponse(
            length_us=burn.length_us,
            opening_us=burn.opening_us,
            downtime_us=burn.downtime_us,
            rate=None if rate is None else round(float(rate), 2),
        )
        for burn in budget.burns
        for rate in [burn.rate(objective)]
    ]
