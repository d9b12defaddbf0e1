"""The tables of sent statements and their files. Rows are never changed; a trigger refuses it."""

import hashlib
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from pydantic import TypeAdapter

from storemon_pipeline.database.tables import loads, sent_statement_files, sent_statements
from storemon_pipeline.sent_statements.request import StatementRequest
from storemon_pipeline.statements.revision import Revision
from storemon_pipeline.statements.statement import Scope, Statement
from storemon_pipeline.statements.statement_json import read_statement_json, statement_json

_REVISION: Final = TypeAdapter(Revision)


@dataclass(frozen=True, slots=True)
class SentStatement:
    """A revision of a statement, without its figures.

    `newest_id` is the id of the statement's newest revision, and `last_load_id` that of the last
    load when its figures were read.
    """

    statement_id: int
    newest_id: int
    request: StatementRequest
    revision: Revision
    as_of: datetime
    sent_by: str | None
    stores: int
    last_load_id: int


def read_last_load_id(connection: sa.Connection) -> int:
    """The id of the last load; 0 before the first one."""
    found = connection.execute(sa.select(sa.func.max(loads.c.load_id))).scalar_one()
    return found or 0


def insert_sent(
    connection: sa.Connection,
    request: StatementRequest,
    statement: Statement,
    revision: Revision,
    files: Mapping[str, bytes],
    *,
    sent_by: str | None,
    last_load_id: int,
) -> int | None:
    """Insert a revision with its files; None when another process inserted this number before."""
    statement_id: int | None = connection.execute(
        sa.dialects.postgresql.insert(sent_statements)
        .values(
            subject=request.subject,
            revision=revision.number,
            store_id=request.scope.store_id,
            group_name=request.scope.group,
            region=request.scope.region,
            period=request.period,
            objective_percent=request.objective_percent,
            only_stores=None if request.only is None else sorted(request.only),
            store_ids=[line.store_id for line in statement.stores],
            as_of=statement.as_of,
            sent_at=revision.sent_at,
            sent_by=sent_by,
            last_load_id=last_load_id,
            statement=statement_json(statement),
            changes=_REVISION.dump_json(revision),
        )
        .on_conflict_do_nothing()
        .returning(sent_statements.c.statement_id)
    ).scalar_one_or_none()
    if statement_id is not None:
        connection.execute(
            sa.insert(sent_statement_files),
            [
                {
                    "statement_id": statement_id,
                    "name": name,
                    "content": content,
                    "sha256": hashlib.sha256(content).digest(),
                }
                for name, content in files.items()
            ],
        )
    return statement_id


def read_newest(connection: sa.Connection, subject: str) -> SentStatement | None:
    """The newest revision of a statement; None when it was never sent."""
    found = _read(
        connection, sa.and_(sent_statements.c.subject == subject, _is_newest()), offset=0, limit=1
    )
    return found[0] if found else None


def read_sent(
    connection: sa.Connection, statement_id: int, *, only_stores: AbstractSet[str] | None
) -> SentStatement | None:
    """A revision; None when there is none, or it has other stores than these."""
    found = _read(
        connection,
        sa.and_(sent_statements.c.statement_id == statement_id, _is_visible(only_stores)),
        offset=0,
        limit=1,
    )
    return found[0] if found else None


def read_revisions(
    connection: sa.Connection, subject: str, *, only_stores: AbstractSet[str] | None
) -> list[SentStatement]:
    """The revisions of a statement that are about these stores alone, the newest first."""
    of_subject = sa.and_(sent_statements.c.subject == subject, _is_visible(only_stores))
    return _read(connection, of_subject, offset=0, limit=None)


def read_list(
    connection: sa.Connection, *, only_stores: AbstractSet[str] | None, offset: int, limit: int
) -> list[SentStatement]:
    """A page of all revisions, the newest first."""
    return _read(connection, _is_visible(only_stores), offset=offset, limit=limit)


def read_statement(connection: sa.Connection, statement_id: int) -> Statement:
    """The figures of a revision."""
    content = connection.execute(
        sa.select(sent_statements.c.statement).where(sent_statements.c.statement_id == statement_id)
    ).scalar_one()
    return read_statement_json(bytes(content))


def read_file(connection: sa.Connection, statement_id: int, name: str) -> bytes | None:
    """A file of a revision; None when it has none of this name."""
    content = connection.execute(
        sa.select(sent_statement_files.c.content).where(
            sent_statement_files.c.statement_id == statement_id,
            sent_statement_files.c.name == name,
        )
    ).scalar_one_or_none()
    return None if content is None else bytes(content)


def _is_visible(only_stores: AbstractSet[str] | None) -> sa.ColumnElement[bool]:
    """Whether a revision is about some of these stores alone."""
    if only_stores is None:
        return sa.true()
    own = sa.cast(sorted(only_stores), sa.ARRAY(sa.Text))
    return sa.and_(
        sent_statements.c.store_ids.contained_by(own),
        sa.func.cardinality(sent_statements.c.store_ids) > 0,
    )


def _is_newest() -> sa.ColumnElement[bool]:
    later = sent_statements.alias()
    return ~sa.exists().where(
        later.c.subject == sent_statements.c.subject,
        later.c.revision > sent_statements.c.revision,
    )


def _read(
    connection: sa.Connection, condition: sa.ColumnElement[bool], *, offset: int, limit: int | None
) -> list[SentStatement]:
    sent = sent_statements.c
    other = sent_statements.alias()
    newest = (
        sa.select(other.c.statement_id)
        .where(other.c.subject == sent.subject)
        .order_by(other.c.revision.desc())
        .limit(1)
        .scalar_subquery()
        .label("newest_id")
    )
    rows = connection.execute(
        sa.select(
            *(sent.statement_id, newest, sent.store_id, sent.group_name, sent.region, sent.period),
            *(sent.objective_percent, sent.only_stores, sent.changes, sent.as_of, sent.sent_by),
            *(sa.func.cardinality(sent.store_ids).label("stores"), sent.last_load_id),
        )
        .where(condition)
        .order_by(sent.statement_id.desc())
        .offset(offset)
        .limit(limit)
    )
    return [_sent(row) for row in rows.all()]


def _sent(row: Any) -> SentStatement:  # noqa: ANN401 - a row of the query above
    only = None if row.only_stores is None else frozenset(row.only_stores)
    scope = Scope(row.store_id, row.group_name, row.region)
    return SentStatement(
        row.statement_id,
        row.newest_id,
        StatementRequest(scope, row.period, row.objective_percent, only),
        _REVISION.validate_json(bytes(row.changes)),
        row.as_of,
        row.sent_by,
        row.stores,
        row.last_load_id,
    )
