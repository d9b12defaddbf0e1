"""Liveness and readiness checks."""

from datetime import UTC, datetime
from typing import Final

import sqlalchemy as sa
from fastapi import Response

from storemon_api.http.error_handlers import is_database_away
from storemon_api.http.openapi import json_content, problem_responses
from storemon_api.http.problems import NOT_READY, ProblemError
from storemon_api.http.routing import Router
from storemon_api.http.services import Services, ServicesDep
from storemon_api.operations.schemas import Health, Readiness
from storemon_pipeline.checks.zone_rules import find_zone_rules_warning
from storemon_pipeline.dagster_graphql import DagsterRefusedError, DagsterUnavailableError
from storemon_pipeline.database.schema_version import is_current
from storemon_pipeline.figures.uptime_table import read_uptime_state
from storemon_pipeline.loads.unread_files import read_unread_files, summary
from storemon_pipeline.reports.requests import LONG_WAIT, read_longest_wait

router = Router(tag="operation", is_strict=False)

_OK: Final = "ok"
# Even a report of a large chain takes less.
_READY: Final = Readiness(
    checks=dict.fromkeys(("database", "schema", "first_refresh", "dagster"), _OK)
)
_HEALTH: Final = Health().model_dump_json()


@router.get("/healthz", summary="Liveness", responses={200: {"model": Health}})
async def healthz() -> Response:
    """Return ok without any check: a process that waits for its database must not be killed."""
    return Response(_HEALTH, media_type="application/json")


@router.get(
    "/readyz",
    summary="Readiness",
    responses={
        200: {"model": Readiness, "content": json_content(ready=_READY)},
        **problem_responses(NOT_READY),
    },
)
def readyz(services: ServicesDep) -> Response:
    """Check everything that a report needs; 503 names what is missing.

    While Dagster's schedules do not run, reports still work but the data gets old. That is a
    warning: another instance would not help.
    """
    checks = _database_checks(services.reader) | {"dagster": _dagster_check(services)}
    missing = [name for name, found in checks.items() if found != _OK]
    if missing:
        detail = f"Not ready yet: {', '.join(missing)}."
        # A refused file may be why the first refresh fails.
        can_read = checks["schema"] == _OK
        warnings = (_refused_files(services.reader) or None) if can_read else None
        raise ProblemError(NOT_READY, detail, checks=checks, warnings=warnings)
    ready = Readiness(checks=checks, warnings=_warnings(services))
    return Response(ready.model_dump_json(), media_type="application/json")


def _database_checks(reader: sa.Engine) -> dict[str, str]:
    """Return the state of the database, its schema and the first refresh."""
    checks = dict.fromkeys(("database", "schema", "first_refresh"), "unknown")
    try:
        with reader.connect() as connection:
            checks["database"] = _OK
            if not is_current(connection):
                return checks | {"schema": "not the newest version"}
            checks["schema"] = _OK
            has_refreshed = read_uptime_state(connection) is not None
            checks["first_refresh"] = _OK if has_refreshed else "not done yet"
    except sa.exc.SQLAlchemyError as error:
        if not is_database_away(error):
            raise
        checks["database"] = "not reachable"
    return checks


def _warnings(services: Services) -> dict[str, str]:
    try:
        is_alive = services.dagster_probe.are_daemons_alive()
    except (DagsterUnavailableError, DagsterRefusedError):
        is_alive = False
    warnings = {} if is_alive else {"schedules": "not running: Dagster's daemon is not alive"}
    with services.reader.connect() as connection:
        wait = read_longest_wait(connection)
    if wait is not None and wait > LONG_WAIT:
        warnings["reports"] = f"the oldest request has waited for {wait.total_seconds():.0f} s"
    zone_rules = find_zone_rules_warning(datetime.now(UTC).date())
    if zone_rules is not None:
        warnings["zone_rules"] = f"tzdata {zone_rules}"
    return warnings | _refused_files(services.reader)


def _refused_files(reader: sa.Engine) -> dict[str, str]:
    with reader.connect() as connection:
        refused = [file for file in read_unread_files(connection) if file.is_refused]
    return {"refused_files": summary(refused)} if refused else {}


def _dagster_check(services: Services) -> str:
    try:
        return _OK if services.dagster_probe.is_location_loaded() else "still loading its code"
    except DagsterUnavailableError:
        return "not reachable"
    except DagsterRefusedError:
        return "cannot load its code"
