"""What handlers share: settings, database engines, the Dagster client, write slots.

Dependencies are `async`, because FastAPI sends plain ones through the thread pool one by one.
A room with a service of its own (the dispatcher, the fleet cache) declares its dependency itself.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Annotated, Any

import sqlalchemy as sa
from anyio import CapacityLimiter
from fastapi import Depends, Request

from storemon_api.settings import ApiSettings
from storemon_pipeline.dagster_graphql import DagsterGraphQL


@dataclass(frozen=True, slots=True)
class Services:
    """The services that most handlers use, made by `create_app`."""

    settings: ApiSettings
    engine: sa.Engine
    reader: sa.Engine
    """The same connections without a transaction around each statement."""
    dagster_probe: DagsterGraphQL
    """A client with a timeout short enough for a readiness check."""
    write_slots: CapacityLimiter
    """Limits how many requests write at the same time."""


def from_state(name: str) -> Callable[[Request], Awaitable[Any]]:
    """Return a dependency that gives handlers the application's `state.<name>`."""

    async def read(request: Request) -> Any:  # noqa: ANN401 - each alias names its type
        return getattr(request.app.state, name)

    return read


ServicesDep = Annotated[Services, Depends(from_state("services"))]
