"""What handlers are given: the parts of the running application, the validated body of a trigger.

Dependencies are `async`, because FastAPI sends plain ones through the thread pool one by one.
"""

from dataclasses import dataclass
from typing import Annotated, Final

import sqlalchemy as sa
from anyio import CapacityLimiter
from fastapi import Depends, Request

from storemon_api.bodies import parse_json, read_body
from storemon_api.events import Announcer
from storemon_api.fleet_cache import FleetCache
from storemon_api.launcher import Dispatcher
from storemon_api.metrics import Metrics
from storemon_api.schemas import TriggerRequest
from storemon_api.settings import ApiSettings
from storemon_pipeline.dagster_graphql import DagsterGraphQL

TRIGGER_MAX_BYTES: Final = 16 * 1024


@dataclass(frozen=True, slots=True)
class Services:
    """The parts of one application, made by `create_app`."""

    settings: ApiSettings
    engine: sa.Engine
    reader: sa.Engine
    """The same connections without a transaction around each statement."""
    dispatcher: Dispatcher
    dagster_probe: DagsterGraphQL
    """A client that gives up soon enough for a readiness answer."""
    metrics: Metrics
    fleet: FleetCache
    announcer: Announcer
    writers: CapacityLimiter
    """Who may write at the same time."""


async def _services(request: Request) -> Services:
    services: Services = request.app.state.services
    return services


ServicesDep = Annotated[Services, Depends(_services)]


async def _trigger_request(request: Request, services: ServicesDep) -> TriggerRequest:
    body = await read_body(
        request, max_bytes=TRIGGER_MAX_BYTES, time_limit=services.settings.body_timeout
    )
    return parse_json(body, request.headers.get("Content-Type"), TriggerRequest)


TriggerRequestDep = Annotated[TriggerRequest, Depends(_trigger_request)]
