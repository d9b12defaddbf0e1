"""Sending a statement: its figures and files are kept, and a change makes a new revision."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from storemon_pipeline.access.audit_log import AuditEvent, record_event
from storemon_pipeline.database.connections import create_engine
from storemon_pipeline.sent_statements.reasons import read_reasons
from storemon_pipeline.sent_statements.request import StatementRequest
from storemon_pipeline.sent_statements.revision_files import revision_files
from storemon_pipeline.sent_statements.sent_table import (
    SentStatement,
    insert_sent,
    read_file,
    read_last_load_id,
    read_list,
    read_newest,
    read_revisions,
    read_sent,
    read_statement,
)
from storemon_pipeline.statements.changes import Change, compare, makes_revision
from storemon_pipeline.statements.make_statement import make_statement
from storemon_pipeline.statements.revision import Revision
from storemon_pipeline.statements.statement import Statement
from storemon_pipeline.statements.statement_period import StatementPeriod


class NoStatementError(Exception):
    """No such statement was sent, or it has other stores than the sender may see."""


class IncompleteError(Exception):
    """The newest poll is older than the end of the period."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a new revision would change; nothing when only estimates differ."""

    changes: list[Change]
    reasons: list[str]


def send_statement(
    url: str,
    request: StatementRequest,
    *,
    now: datetime,
    sent_by: str | None = None,
    audit: AuditEvent | None = None,
    must_be_complete: bool = False,
) -> int:
    """The newest revision of the statement has the figures of now; return its id.

    A revision is made when there is none, or when more than estimates changed since the last one.
    Raises as `make_statement`, and IncompleteError when the statement must be complete and is not.
    """
    with _engine(url) as engine:
        while True:
            with engine.connect() as connection:
                # A load between these two reads counts as a reason; it never goes unnamed.
                last_load_id = read_last_load_id(connection)
                newest = read_newest(connection, request.subject)
            statement = _make(url, request)
            if must_be_complete and not statement.is_complete:
                raise IncompleteError
            changes: list[Change] = []
            if newest is not None:
                with engine.connect() as connection:
                    changes = compare(read_statement(connection, newest.statement_id), statement)
                if not makes_revision(changes):
                    if audit is not None:
                        with engine.begin() as connection:
                            record_event(connection, audit)
                    return newest.statement_id
            with engine.connect() as connection:
                reasons = _reasons(connection, newest, statement, changes)
            number = 1 if newest is None else newest.revision.number + 1
            revision = Revision(number, now, changes, reasons)
            files = revision_files(statement, revision)
            with engine.begin() as connection:
                statement_id = insert_sent(
                    connection,
                    request,
                    statement,
                    revision,
                    files,
                    sent_by=sent_by,
                    last_load_id=last_load_id,
                )
                if audit is not None and statement_id is not None:
                    record_event(connection, audit)
            if statement_id is not None:
                return statement_id


def compare_with_now(engine: sa.Engine, url: str, sent: SentStatement) -> Difference:
    """What a new revision after this one would change."""
    with engine.connect() as connection:
        before = read_statement(connection, sent.statement_id)
    after = _make(url, sent.request)
    changes = compare(before, after)
    if not makes_revision(changes):
        return Difference([], [])
    with engine.connect() as connection:
        return Difference(changes, _reasons(connection, sent, after, changes))


def find_sent(
    engine: sa.Engine, statement_id: int, *, only_stores: AbstractSet[str] | None
) -> SentStatement:
    """A revision about these stores alone. Raises NoStatementError."""
    with engine.connect() as connection:
        found = read_sent(connection, statement_id, only_stores=only_stores)
    if found is None:
        raise NoStatementError
    return found


def find_newest(engine: sa.Engine, request: StatementRequest) -> SentStatement | None:
    """The newest revision of a statement; None when it was never sent."""
    with engine.connect() as connection:
        return read_newest(connection, request.subject)


def list_sent(
    engine: sa.Engine, *, only_stores: AbstractSet[str] | None, offset: int, limit: int
) -> list[SentStatement]:
    """A page of all revisions about these stores alone, the newest first."""
    with engine.connect() as connection:
        return read_list(connection, only_stores=only_stores, offset=offset, limit=limit)


def list_revisions(
    engine: sa.Engine, sent: SentStatement, *, only_stores: AbstractSet[str] | None
) -> list[SentStatement]:
    """The revisions of this statement that are about these stores alone, the newest first."""
    with engine.connect() as connection:
        return read_revisions(connection, sent.request.subject, only_stores=only_stores)


def sent_figures(engine: sa.Engine, sent: SentStatement) -> Statement:
    """The figures as they were sent."""
    with engine.connect() as connection:
        return read_statement(connection, sent.statement_id)


def sent_file(engine: sa.Engine, sent: SentStatement, name: str) -> bytes | None:
    """A file as it was sent."""
    with engine.connect() as connection:
        return read_file(connection, sent.statement_id, name)


def _make(url: str, request: StatementRequest) -> Statement:
    return make_statement(
        url,
        request.scope,
        StatementPeriod.parse(request.period),
        only=request.only,
        objective_percent=request.objective_percent,
    )


def _reasons(
    connection: sa.Connection,
    before: SentStatement | None,
    statement: Statement,
    changes: list[Change],
) -> list[str]:
    if before is None:
        return []
    return read_reasons(connection, statement, changes, after_load_id=before.last_load_id)


@contextmanager
def _engine(url: str) -> Iterator[sa.Engine]:
    engine = create_engine(url, application_name="storemon statements", pool_size=1)
    try:
        yield engine
    finally:
        engine.dispose()
