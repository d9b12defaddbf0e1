"""The route about a store's error budget."""

from typing import Annotated, Literal

from fastapi import Query, Response

from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import NO_OBJECTIVE, UNKNOWN_STORE, ProblemError
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import ServicesDep
from storemon_api.http.store_paths import STORE_ID
from storemon_api.stores.budget_schemas import BudgetResponse
from storemon_api.stores.store_filters import Percentage
from storemon_api.stores.store_in_path import STORE_PROBLEMS, StoreIdPath, store_view_of, zone_of
from storemon_api.stores.time_params import TimeBound
from storemon_pipeline.business_time.local_periods import Period

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
        found = view.budget(at, period=Period(by), objective_percent=objective)
        timezone = zone_of(view)
    if found is None:
        raise ProblemError(NO_OBJECTIVE)
    return json_response(
        BudgetResponse.of(
            *found, store_id=store_id, timezone=timezone, by=by, is_stored=objective is None
        )
    )
