"""Services that handlers get as dependencies: settings, database engines, Dagster client.

Dependencies are `async`, because FastAPI runs each plain one in the thread pool.
A room with its own service (the dispatcher, the fleet cache) declares that dependency itself.
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
    """Services that most handlers use, created by `create_app`."""

    settings: ApiSettings
    engine: sa.Engine
    reader: sa.Engine
    """The same pool in autocommit mode, for reading."""
    dagster_probe: DagsterGraphQL
    """A Dagster client with a short timeout, for readiness checks."""
    write_slots: CapacityLimiter
    """Limits the number of concurrent writes."""


def from_state(name: str) -> Callable[[Request], Awaitable[Any]]:
    """Return a dependency that provides the application's `state.<name>`."""

    async def read(request: Request) -> Any:  # noqa: ANN401 - each alias names its type
        return getattr(request.app.state, name)

    return read


ServicesDep = Annotated[Services, Depends(from_state("services"))]
