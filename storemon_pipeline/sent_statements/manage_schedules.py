"""Creating, ending and listing schedules, and queueing what they make due."""

from collections.abc import Set as AbstractSet
from dataclasses import replace
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.access.audit_log import AuditEvent, record_event
from storemon_pipeline.sent_statements.delivery_table import (
    Delivery,
    NewSchedule,
    Schedule,
    Target,
    cancel_schedule,
    has_due,
    insert_schedule,
    lock_schedules,
    queue_delivery,
    read_deliveries,
    read_schedules,
)
from storemon_pipeline.sent_statements.schedule import due_since
from storemon_pipeline.sent_statements.sent_table import SentStatement


class NoScheduleError(Exception):
    """No schedule with this id is active, or it has other stores than the sender may see."""


class SameScheduleError(Exception):
    """An active schedule sends the same statement to an address at the same time."""

    def __init__(self, schedule_id: int, address: str) -> None:
        super().__init__(
            f"Schedule {schedule_id} sends this statement to {address} at this time already."
        )


def add_schedule(
    engine: sa.Engine, new: NewSchedule, *, now: datetime, audit: AuditEvent | None = None
) -> int:
    """Create a schedule; return its id. Raises SameScheduleError."""
    with engine.begin() as connection:
        lock_schedules(connection)
        for schedule in read_schedules(connection, only_stores=None):
            same = schedule.new.addresses_in_both(new)
            if same:
                raise SameScheduleError(schedule.schedule_id, same[0])
        schedule_id = insert_schedule(connection, new, now=now)
        if audit is not None:
            record_event(connection, audit)
    return schedule_id


def end_schedule(
    engine: sa.Engine,
    schedule_id: int,
    *,
    now: datetime,
    only_stores: AbstractSet[str] | None = None,
    audit: AuditEvent | None = None,
) -> None:
    """End a schedule; what it has queued is still sent. Raises NoScheduleError."""
    with engine.begin() as connection:
        if not cancel_schedule(connection, schedule_id, now=now, only_stores=only_stores):
            raise NoScheduleError
        if audit is not None:
            record_event(connection, audit)


def list_schedules(engine: sa.Engine, *, only_stores: AbstractSet[str] | None) -> list[Schedule]:
    """The active schedules of these stores."""
    with engine.connect() as connection:
        return read_schedules(connection, only_stores=only_stores)


def list_deliveries(
    engine: sa.Engine,
    *,
    only_stores: AbstractSet[str] | None,
    offset: int,
    limit: int,
    statement_id: int | None = None,
) -> list[Delivery]:
    """A page of deliveries of these stores, or of one statement, the newest first."""
    with engine.connect() as connection:
        return read_deliveries(
            connection,
            only_stores=only_stores,
            offset=offset,
            limit=limit,
            statement_id=statement_id,
        )


def queue_sent(engine: sa.Engine, sent: SentStatement, target: Target, *, now: datetime) -> None:
    """Queue a sent statement for an address."""
    with engine.begin() as connection:
        queue_delivery(connection, sent.request, target, due_at=now, statement_id=sent.statement_id)


def queue_due(engine: sa.Engine, *, now: datetime) -> int:
    """Every statement that is due by a schedule is queued once for each of its addresses.

    Returns how many are new or old. A statement that was due while nothing ran is queued now. The
    unique key of schedule, period and address keeps two processes, or one that was interrupted,
    from queueing it twice.
    """
    due = _due(engine, now)
    with engine.begin() as connection:
        for schedule, one, period in due:
            request = replace(schedule.new.request, period=period)
            for target in schedule.new.targets:
                queue_delivery(
                    connection, request, target, due_at=one, schedule_id=schedule.schedule_id
                )
    return len(due)


def is_anything_due(engine: sa.Engine, *, now: datetime) -> bool:
    """Whether a statement is to be queued or sent now."""
    if _due(engine, now):
        return True
    with engine.connect() as connection:
        return has_due(connection, now=now)


def _due(engine: sa.Engine, now: datetime) -> list[tuple[Schedule, datetime, str]]:
    return [
        (schedule, due.at, due.period.text)
        for schedule in list_schedules(engine, only_stores=None)
        for due in due_since(
            schedule.new.timetable, schedule.last_due_at or schedule.created_at, now
        )
    ]
