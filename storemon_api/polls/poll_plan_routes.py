"""The route of the poll plan."""

import csv
import io
from typing import Annotated, Final

from fastapi import Query, Request, Response

from storemon_api.http.negotiation import CSV, JSON, preferred
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import DATABASE_UNAVAILABLE, INVALID_REQUEST
from storemon_api.http.routing import Router
from storemon_api.http.schemas import json_response
from storemon_api.http.services import ServicesDep
from storemon_api.polls.poll_plan_schemas import PlannedPoll, PollPlanResponse
from storemon_api.security.request_access import visible_stores
from storemon_api.stores.time_params import BoundedInstant
from storemon_pipeline.database.instants import instant
from storemon_pipeline.poll_plan.read_plan import PollPlan, read_poll_plan

router = Router(tag="polls")

_MOST_POLLS: Final = 1_000_000
_CSV_EXAMPLE: Final = "store_id,poll_at\n7482936150293847561,2023-01-25T18:20:05Z\n"


@router.get(
    "/poll-plan",
    summary="Which stores to poll when in the next hour",
    response_class=Response,
    responses={
        200: {
            "model": PollPlanResponse,
            "description": "The plan, as JSON or, when `Accept` prefers it, as CSV.",
            "content": {CSV: {"schema": {"type": "string"}, "example": _CSV_EXAMPLE}},
        },
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_poll_plan(
    request: Request,
    services: ServicesDep,
    polls_per_hour: Annotated[
        int, Query(ge=0, le=_MOST_POLLS, description="The most polls in the hour.")
    ],
    start: Annotated[
        BoundedInstant | None,
        Query(
            description=(
                "When the hour begins. Default: the newest poll, or the next time a store opens."
            )
        ),
    ] = None,
) -> Response:
    """Return the polls of an hour, from half an hour before opening to half an hour after closing.

    The time between two polls is the same for all stores, except that stores whose status changed
    in the last 192 hours are polled twice as often, and stores that went down in the last hour
    half as often again. The same data gives the same plan.
    """
    plan = read_poll_plan(
        services.settings.database_url.get_secret_value(),
        polls_per_hour=polls_per_hour,
        start=start,
        only=visible_stores(request),
    )
    polls = _polls(plan)
    accept = ", ".join(request.headers.getlist("Accept"))
    if preferred(accept, (JSON, CSV)) == CSV:
        response = Response(_csv(polls), media_type="text/csv; charset=utf-8")
    else:
        response = json_response(
            PollPlanResponse(
                as_of=plan.as_of,
                start=plan.start,
                end=plan.end,
                polls_per_hour=polls_per_hour,
                total=len(polls),
                polls=polls,
            )
        )
    response.headers["Vary"] = "Accept"
    return response


def _polls(plan: PollPlan) -> list[PlannedPoll]:
    store_ids = plan.stores.store_ids.to_pylist()
    return [
        PlannedPoll(store_id=store_ids[store], poll_at=instant(at_us))
        for store, at_us in zip(
            plan.polls.store.tolist(), plan.polls.poll_at_us.tolist(), strict=True
        )
    ]


def _csv(polls: list[PlannedPoll]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["store_id", "poll_at"])
    writer.writerows([poll.store_id, f"{poll.poll_at:%Y-%m-%dT%H:%M:%SZ}"] for poll in polls)
    return text.getvalue()
