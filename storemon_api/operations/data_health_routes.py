"""Data quality: sources, rejected rows, stores with missing or doubtful data."""

from collections.abc import Iterable, Mapping, Sequence
from enum import StrEnum, unique
from itertools import compress
from typing import Annotated, Final

import numpy as np
from fastapi import Query, Request, Response

from storemon_api.downloads.body_tables import body_response
from storemon_api.downloads.table_file import Column, table_file
from storemon_api.downloads.table_format import ALL_ROWS, TableFormatDep, listing_responses
from storemon_api.http.openapi import problem_responses
from storemon_api.http.problems import DATABASE_UNAVAILABLE, INVALID_REQUEST
from storemon_api.http.routing import Router
from storemon_api.http.services import ServicesDep
from storemon_api.live.fleet_cache import FleetCacheDep
from storemon_api.operations.schemas import (
    ContradictingPoll,
    ContradictionResponse,
    DataHealth,
    RejectedRowExample,
    RejectedRows,
    SourceStatus,
    StoreNames,
    UnreadFileResponse,
)
from storemon_api.security.request_access import visible_stores
from storemon_pipeline.checks.contradictions import DataCheck
from storemon_pipeline.checks.data_health import (
    read_rejected_reasons,
    read_rejected_reasons_of,
    read_source_health,
    read_source_health_of,
)
from storemon_pipeline.database.instants import instant
from storemon_pipeline.domain.rejections import shortened
from storemon_pipeline.domain.windows import DEFAULT_ZONE, HOUR_US
from storemon_pipeline.figures.uptime_table import read_uptime_state
from storemon_pipeline.loads.rejected_hours import read_rejected_hours
from storemon_pipeline.loads.unread_files import read_unread_files
from storemon_pipeline.uptime.store_state import STORE_STATES, StoreState

router = Router(tag="fleet")

_MAX_NAMED_STORES: Final = 100
_MAX_CONTRADICTIONS: Final = 500
_MAX_UNREAD_FILES: Final = 100
_MAX_CONTRADICTING_POLLS: Final = 100


@unique
class HealthTable(StrEnum):
    """The tables of the data's quality; the value is the field."""

    SOURCES = "sources"
    UNREAD_FILES = "unread_files"
    SILENT = "silent"
    WITHOUT_HOURS = "without_hours"
    WITHOUT_TIMEZONE = "without_timezone"
    ONLY_REJECTED_HOURS = "only_rejected_hours"
    CONTRADICTIONS = "contradictions"
    CONTRADICTING_POLLS = "contradicting_polls"


_STORE_COLUMNS: Final[Sequence[Column[tuple[str, str | None]]]] = (
    Column("store_id", lambda one: one[0]),
    Column("name", lambda one: one[1]),
)


@router.get(
    "/data-health",
    summary="Data quality: sources, rejected rows, doubtful stores",
    responses={
        **listing_responses(DataHealth),
        **problem_responses(INVALID_REQUEST, DATABASE_UNAVAILABLE),
    },
)
def get_data_health(
    request: Request,
    services: ServicesDep,
    fleet_cache: FleetCacheDep,
    table_format: TableFormatDep,
    table: Annotated[
        HealthTable, Query(description="The table of a file; JSON has the first rows of all.")
    ] = HealthTable.SOURCES,
) -> Response:
    """Return loads, unread files, rejected rows, and stores with missing or doubtful data.

    `GET /rejected-rows` gives files of rejected rows.
    """
    most = ALL_ROWS if table_format.is_file else None
    visible = visible_stores(request)
    with services.reader.connect() as connection:
        only_rejected = read_rejected_hours(connection).store_ids
        if visible is None:
            sources = read_source_health(connection)
            rejected = read_rejected_reasons(connection)
        else:
            sources = read_source_health_of(connection, visible)
            rejected = read_rejected_reasons_of(connection, visible)
            only_rejected = tuple(one for one in only_rejected if one in visible)
        state = read_uptime_state(connection)
        unread = read_unread_files(connection) if visible is None else []
    fleet, check = fleet_cache.fleet(visible), fleet_cache.data_check(visible)
    store_ids: Sequence[str] = fleet.store_ids if fleet else ()
    names: Sequence[str | None] = fleet.details.names if fleet else ()
    name_of = dict(zip(store_ids, names, strict=True))
    silent = STORE_STATES.index(StoreState.SILENT)

    def named(ids: Iterable[str]) -> StoreNames:
        return _store_names(ids, name_of, most or _MAX_NAMED_STORES)

    health = DataHealth(
        as_of=fleet and fleet.as_of,
        refreshed_at=state and state.refreshed_at,
        dagster_url=services.settings.dagster_url if visible is None else None,
        sources=[
            SourceStatus(
                source=source.source,
                loads=source.loads,
                last_loaded_at=source.last_loaded_at,
                last_file=source.last_file_path,
                last_looked_at=source.last_checked_at,
                last_rows_read=source.last_rows_read,
                last_rows_rejected=source.last_rows_rejected,
                rows_loaded=source.rows_loaded,
                rows_replaced=source.rows_replaced,
            )
            for source in sources
        ],
        unread_files=[
            UnreadFileResponse(
                file=file.file_path,
                source=file.source,
                reason=file.reason,
                is_refused=file.is_refused,
                since=file.found_at,
            )
            for file in unread[: most or _MAX_UNREAD_FILES]
        ],
        unread_files_total=len(unread),
        rejected=[
            RejectedRows(
                source=kind.source,
                reason=kind.reason,
                rows=kind.rows,
                examples=[
                    RejectedRowExample(
                        file=row.file_path, line=row.line, text=shortened(row.row_text)
                    )
                    for row in kind.examples
                ],
            )
            for kind in rejected
        ],
        stores=len(store_ids),
        silent=named(compress(store_ids, fleet.state == silent if fleet else ())),
        without_hours=named(compress(store_ids, ~fleet.details.has_hours if fleet else ())),
        without_timezone=named(
            compress(store_ids, (zone is None for zone in fleet.details.timezones) if fleet else ())
        ),
        only_rejected_hours=named(only_rejected),
        contradictions=_contradictions(check, most or _MAX_CONTRADICTIONS),
        contradictions_total=len(check.contradictions.store) if check else 0,
        contradicting_polls=_contradicting_polls(check, most or _MAX_CONTRADICTING_POLLS),
        contradicting_polls_total=len(check.polls.store) if check else 0,
    )
    if table_format.is_file and isinstance(found := getattr(health, table), StoreNames):
        rows = list(zip(found.store_ids, found.names, strict=True))
        return table_file(
            table_format, table.replace("_", "-"), _STORE_COLUMNS, rows, total=found.total
        )
    return body_response(table_format, health, table, as_of=health.as_of)


def _store_names(
    store_ids: Iterable[str], name_of: Mapping[str, str | None], most: int
) -> StoreNames:
    """Return the number of stores, and ids and names of the first ones."""
    all_ids = list(store_ids)
    first = all_ids[:most]
    return StoreNames(
        total=len(all_ids), store_ids=first, names=[name_of.get(store_id) for store_id in first]
    )


def _contradictions(check: DataCheck | None, most: int) -> list[ContradictionResponse]:
    """Return the contradictions: likely wrong time zones first, then by size."""
    if check is None:
        return []
    found = check.contradictions
    rows = sorted(
        zip(found.store.tolist(), found.kind, found.by_us.tolist(), strict=True),
        key=lambda row: (row[1].value != "shifted", -abs(row[2]), row[0]),
    )
    return [
        ContradictionResponse(
            store_id=check.stores.store_ids[store].as_py(),
            name=check.details.names[store],
            timezone=check.details.timezones[store] or DEFAULT_ZONE,
            kind=kind.value,
            hours=by_us / HOUR_US,
        )
        for store, kind, by_us in rows[:most]
    ]


def _contradicting_polls(check: DataCheck | None, most: int) -> list[ContradictingPoll]:
    """Return the newest polls that contradict an event."""
    if check is None:
        return []
    newest = check.polls.take(np.arange(min(len(check.polls.store), most)))
    return [
        ContradictingPoll(
            store_id=check.stores.store_ids[store].as_py(),
            name=check.details.names[store],
            timezone=check.details.timezones[store] or DEFAULT_ZONE,
            polled_at=instant(at_us),
            poll="active" if is_active else "inactive",
            event="down" if is_active else "up",
        )
        for store, at_us, is_active in zip(
            newest.store.tolist(),
            newest.polled_at_us.tolist(),
            newest.is_active.tolist(),
            strict=True,
        )
    ]
