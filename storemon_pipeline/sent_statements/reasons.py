"""Why a statement changed: the loads since its revision before."""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.database.tables import loads
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.statements.changes import Change, Line
from storemon_pipeline.statements.statement import Statement

_MOST: Final = 10
_REACH: Final = timedelta(days=1)
"""Of polls before and after a period some count in it: those of other zones, and the next one."""

_OPENING: Final = {"opening_us"}
_OBJECTIVE: Final = {"objective_percent"}
_AMOUNTS: Final = {"up_us", "down_us", "unknown_us", "lost_us", "line", "opening_us"}
_DETAILS: Final = {"name", "group", "region", "line"}
_CAUSES: Final[dict[Source, set[str]]] = {
    Source.STORE_STATUS: _AMOUNTS,
    Source.STORE_EVENTS: _AMOUNTS | {"reasons"},
    Source.BUSINESS_HOURS: _OPENING,
    Source.SPECIAL_HOURS: _OPENING,
    Source.STORE_TIMEZONES: _OPENING | {"timezone"},
    Source.CLOSURES: _OPENING | {"line"},
    Source.STORE_DETAILS: _DETAILS,
    Source.OBJECTIVES: _OBJECTIVE,
    Source.DEMAND: set(),
    Source.HOURLY_ORDERS: set(),
    Source.CHANNELS: _AMOUNTS,
}
"""The figures that a load of each source can change."""

_WORDS: Final = {
    Source.STORE_STATUS: "polls of this period arrived late",
    Source.STORE_EVENTS: "events or corrections were entered",
    Source.BUSINESS_HOURS: "opening hours were changed",
    Source.SPECIAL_HOURS: "hours of single dates were changed",
    Source.STORE_TIMEZONES: "time zones were changed",
    Source.CLOSURES: "closures were changed",
    Source.STORE_DETAILS: "names, groups or regions were changed",
    Source.OBJECTIVES: "objectives were changed",
    Source.CHANNELS: "channels of stores, or their rule, were changed",
}


def read_reasons(
    connection: sa.Connection, statement: Statement, changes: list[Change], *, after_load_id: int
) -> list[str]:
    """Why these changes happened, as far as loads explain them; for people to read.

    A load is named when it is of the period and of a kind that can change these figures.
    """
    changed = {change.field for change in changes}
    found = list(_reasons(connection, statement, changed, after_load_id))
    if any(change.line is Line.STATEMENT for change in changes):
        found.insert(0, "the period has ended since")
    if not found and changes:
        found.append("no load explains it: the status model or the rules of time zones changed")
    more = len(found) - _MOST
    return found[:_MOST] + ([f"and {more} more loads"] if more > 0 else [])


def _reasons(
    connection: sa.Connection, statement: Statement, changed: set[str], after_load_id: int
) -> Iterator[str]:
    undone = loads.alias()
    own = loads.c
    rows = connection.execute(
        sa.select(
            *(own.load_id, own.source, own.undoes_load_id, own.first_polled_at),
            *(own.last_polled_at, undone.c.first_polled_at, undone.c.last_polled_at),
        )
        .join_from(loads, undone, undone.c.load_id == own.undoes_load_id, isouter=True)
        .where(
            own.load_id > after_load_id,
            sa.or_(own.undoes_load_id.is_not(None), own.rows_loaded + own.rows_replaced > 0),
        )
        .order_by(own.load_id)
    )
    for load_id, name, undoes, first, last, undone_first, undone_last in rows:
        source = _source(name)
        if source is None or not changed & _CAUSES.get(source, changed):
            continue
        if undoes is not None:
            if _touches(statement, undone_first, undone_last):
                yield f"load {undoes} was undone (load {load_id})"
        elif _touches(statement, first, last):
            words = _WORDS.get(source, f"{source.label} were changed")
            yield f"{words} (load {load_id})"


def _source(name: str) -> Source | None:
    return next((source for source in Source if source.value == name), None)


def _touches(statement: Statement, first: datetime | None, last: datetime | None) -> bool:
    """Whether polls between these instants can count in the period; yes for other rows."""
    if first is None or last is None:
        return True
    begin = datetime.combine(statement.begin, time(), UTC) - _REACH
    end = datetime.combine(statement.end, time(), UTC) + _REACH
    return first < end and last >= begin
