"""The tables of schedules and deliveries: the outbox of statements."""

import re
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import StrEnum, unique
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from storemon_pipeline.database.locks import AdvisoryLock
from storemon_pipeline.database.tables import statement_deliveries, statement_schedules
from storemon_pipeline.sent_statements.request import StatementRequest
from storemon_pipeline.sent_statements.schedule import Every, Timetable
from storemon_pipeline.statements.statement import Scope

MOST_TRIES: Final = 12
"""About a day of attempts."""

_FIRST_PAUSE: Final = timedelta(minutes=1)
_LONGEST_PAUSE: Final = timedelta(hours=4)

ABANDONED_AFTER: Final = timedelta(minutes=10)
"""An attempt without outcome after this time was interrupted; none takes five minutes."""


ADDRESS: Final = r"^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]+$"
"""An email address. Apprise reads a comma or a space as the start of another one."""

LONGEST_ADDRESS: Final = 254
MOST_ADDRESSES: Final = 20
"""Of one schedule."""


def is_address(text: str) -> bool:
    """Whether a text is an email address."""
    return len(text) <= LONGEST_ADDRESS and re.fullmatch(ADDRESS, text) is not None


@unique
class FileFormat(StrEnum):
    """The file that is attached; the value is its extension."""

    PDF = "pdf"
    XLSX = "xlsx"
    CSV = "csv"


@dataclass(frozen=True, slots=True)
class Target:
    """Where a statement goes: an email address, and the file attached."""

    address: str
    file_format: FileFormat


@dataclass(frozen=True, slots=True)
class NewSchedule:
    """A schedule to create; the request's period is empty."""

    request: StatementRequest
    timetable: Timetable
    addresses: tuple[str, ...]
    file_format: FileFormat
    created_by: str | None = None

    @property
    def targets(self) -> list[Target]:
        """Where each statement goes."""
        return [Target(address, self.file_format) for address in self.addresses]

    def addresses_in_both(self, other: "NewSchedule") -> list[str]:
        """The addresses to which both send the same file of the same stores at the same time."""
        if (self.request, self.timetable, self.file_format) != (
            other.request,
            other.timetable,
            other.file_format,
        ):
            return []
        known = {address.casefold() for address in self.addresses}
        return [address for address in other.addresses if address.casefold() in known]


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule; `last_due_at` is when the last statement that was queued was due."""

    schedule_id: int
    new: NewSchedule
    created_at: datetime
    last_due_at: datetime | None


@dataclass(frozen=True, slots=True)
class Delivery:
    """A statement to one address. `statement_id` is None until its figures are kept."""

    delivery_id: int
    schedule_id: int | None
    statement_id: int | None
    request: StatementRequest
    target: Target
    due_at: datetime
    state: str
    tries: int
    next_try_at: datetime
    is_repeated: bool
    sent_at: datetime | None
    error: str | None


def lock_schedules(connection: sa.Connection) -> None:
    """Wait until no other transaction adds a schedule, and let none begin before this one ends."""
    connection.execute(sa.select(sa.func.pg_advisory_xact_lock(int(AdvisoryLock.ADD_SCHEDULE))))


def insert_schedule(connection: sa.Connection, new: NewSchedule, *, now: datetime) -> int:
    """Insert a schedule; its first statement is the next one."""
    schedule_id: int = connection.execute(
        sa.insert(statement_schedules)
        .values(
            **_request_columns(new.request),
            every=new.timetable.every.value,
            at_local=new.timetable.at,
            timezone=new.timetable.timezone,
            addresses=list(new.addresses),
            file_format=new.file_format.value,
            created_at=now,
            created_by=new.created_by,
        )
        .returning(statement_schedules.c.schedule_id)
    ).scalar_one()
    return schedule_id


def cancel_schedule(
    connection: sa.Connection,
    schedule_id: int,
    *,
    now: datetime,
    only_stores: AbstractSet[str] | None,
) -> bool:
    """End a schedule; False when none with this id is active, or it is not of these stores."""
    own = statement_schedules.c
    cancelled = connection.execute(
        sa.update(statement_schedules)
        .where(
            own.schedule_id == schedule_id,
            own.cancelled_at.is_(None),
            _is_visible(own, only_stores),
        )
        .values(cancelled_at=now)
        .returning(own.schedule_id)
    ).one_or_none()
    return cancelled is not None


def read_schedules(
    connection: sa.Connection, *, only_stores: AbstractSet[str] | None
) -> list[Schedule]:
    """The active schedules of these stores, by id."""
    own = statement_schedules.c
    last = (
        sa.select(sa.func.max(statement_deliveries.c.due_at))
        .where(statement_deliveries.c.schedule_id == own.schedule_id)
        .scalar_subquery()
        .label("last_due_at")
    )
    rows = connection.execute(
        sa.select(statement_schedules, last)
        .where(own.cancelled_at.is_(None), _is_visible(own, only_stores))
        .order_by(own.schedule_id)
    )
    return [_schedule(row) for row in rows.all()]


def queue_delivery(
    connection: sa.Connection,
    request: StatementRequest,
    target: Target,
    *,
    due_at: datetime,
    schedule_id: int | None = None,
    statement_id: int | None = None,
) -> None:
    """Queue a statement. A schedule queues each period once for each address."""
    connection.execute(
        postgresql.insert(statement_deliveries)
        .values(
            **_request_columns(request),
            period=request.period,
            schedule_id=schedule_id,
            statement_id=statement_id,
            address=target.address,
            file_format=target.file_format.value,
            due_at=due_at,
            next_try_at=due_at,
        )
        .on_conflict_do_nothing()
    )


def claim(connection: sa.Connection, *, now: datetime) -> Delivery | None:
    """Claim a delivery that is due, or return None.

    One whose attempt was interrupted is sent again once: it may arrive twice, never three times.
    """
    own = statement_deliveries.c
    abandoned = now - ABANDONED_AFTER
    connection.execute(
        sa.update(statement_deliveries)
        .where(own.state == "sending", own.is_repeated, own.claimed_at < abandoned)
        .values(state="failed", error="interrupted twice while it was sent; it may have arrived")
    )
    chosen = (
        sa.select(own.delivery_id)
        .where(_is_due(now))
        .order_by(own.next_try_at, own.delivery_id)
        .limit(1)
        .with_for_update(skip_locked=True)
        .scalar_subquery()
    )
    row = connection.execute(
        sa.update(statement_deliveries)
        .where(own.delivery_id == chosen)
        .values(
            state="sending",
            tries=own.tries + 1,
            claimed_at=now,
            # Without its figures kept, the mail was not even made.
            is_repeated=sa.or_(
                own.is_repeated,
                sa.and_(own.state == "sending", own.statement_id.is_not(None)),
            ),
        )
        .returning(*own)
    ).one_or_none()
    return None if row is None else _delivery(row)


def attach_statement(connection: sa.Connection, delivery_id: int, statement_id: int) -> None:
    """Note which statement is sent."""
    _update(connection, delivery_id, statement_id=statement_id)


def statement_of_schedule(connection: sa.Connection, delivery: Delivery) -> int | None:
    """The statement that another address got for this period by the same schedule, if any did."""
    own = statement_deliveries.c
    statement_id: int | None = connection.scalar(
        sa.select(sa.func.max(own.statement_id)).where(
            own.schedule_id == delivery.schedule_id, own.period == delivery.request.period
        )
    )
    return statement_id


def record_sent(connection: sa.Connection, delivery: Delivery, *, now: datetime) -> None:
    """The mail server took the message."""
    _update(connection, delivery.delivery_id, state="sent", sent_at=now, error=None)


def record_failure(
    connection: sa.Connection, delivery: Delivery, error: str, *, now: datetime
) -> None:
    """The message was not taken: it is sent again later, unless this was the last attempt."""
    pause = min(_FIRST_PAUSE * 2 ** (delivery.tries - 1), _LONGEST_PAUSE)
    _update(
        connection,
        delivery.delivery_id,
        state="failed" if delivery.tries >= MOST_TRIES else "waiting",
        error=error,
        next_try_at=now + pause,
    )


def postpone(connection: sa.Connection, delivery: Delivery, why: str, *, until: datetime) -> None:
    """Try again later; this was no attempt."""
    _update(
        connection,
        delivery.delivery_id,
        state="waiting",
        error=why,
        next_try_at=until,
        tries=delivery.tries - 1,
    )


def has_due(connection: sa.Connection, *, now: datetime) -> bool:
    """Whether a delivery could be sent now."""
    return bool(connection.execute(sa.select(sa.exists().where(_is_due(now)))).scalar_one())


def read_deliveries(
    connection: sa.Connection,
    *,
    only_stores: AbstractSet[str] | None,
    offset: int,
    limit: int,
    statement_id: int | None = None,
) -> list[Delivery]:
    """A page of the deliveries of these stores, or of one statement, the newest first."""
    own = statement_deliveries.c
    is_of_statement = sa.true() if statement_id is None else own.statement_id == statement_id
    rows = connection.execute(
        sa.select(statement_deliveries)
        .where(_is_visible(own, only_stores), is_of_statement)
        .order_by(own.delivery_id.desc())
        .offset(offset)
        .limit(limit)
    )
    return [_delivery(row) for row in rows.all()]


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    own = statement_deliveries.c
    return sa.or_(
        sa.and_(own.state == "waiting", own.next_try_at <= now),
        sa.and_(own.state == "sending", ~own.is_repeated, own.claimed_at < now - ABANDONED_AFTER),
    )


def _is_visible(own: Any, only_stores: AbstractSet[str] | None) -> sa.ColumnElement[bool]:  # noqa: ANN401 - the columns of either table
    """Whether a row is about some of these stores alone."""
    if only_stores is None:
        return sa.true()
    stores = sa.cast(sorted(only_stores), postgresql.ARRAY(sa.Text))
    is_own: sa.ColumnElement[bool] = sa.or_(
        own.store_id == sa.any_(stores), own.only_stores.contained_by(stores)
    )
    return is_own


def _update(connection: sa.Connection, delivery_id: int, **values: object) -> None:
    connection.execute(
        sa.update(statement_deliveries)
        .where(statement_deliveries.c.delivery_id == delivery_id)
        .values(**values)
    )


def _request_columns(request: StatementRequest) -> dict[str, object]:
    return {
        "store_id": request.scope.store_id,
        "group_name": request.scope.group,
        "region": request.scope.region,
        "objective_percent": request.objective_percent,
        "only_stores": None if request.only is None else sorted(request.only),
    }


def _request(row: Any, period: str) -> StatementRequest:  # noqa: ANN401 - a row of either table
    return StatementRequest(
        Scope(row.store_id, row.group_name, row.region),
        period,
        row.objective_percent,
        None if row.only_stores is None else frozenset(row.only_stores),
    )


def _schedule(row: Any) -> Schedule:  # noqa: ANN401 - as above
    at: time = row.at_local
    return Schedule(
        row.schedule_id,
        NewSchedule(
            _request(row, ""),
            Timetable(Every(row.every), at, row.timezone),
            tuple(row.addresses),
            FileFormat(row.file_format),
            row.created_by,
        ),
        row.created_at,
        row.last_due_at,
    )


def _delivery(row: Any) -> Delivery:  # noqa: ANN401 - as above
    return Delivery(
        row.delivery_id,
        row.schedule_id,
        row.statement_id,
        _request(row, row.period),
        Target(row.address, FileFormat(row.file_format)),
        row.due_at,
        row.state,
        row.tries,
        row.next_try_at,
        row.is_repeated,
        row.sent_at,
        row.error,
    )
