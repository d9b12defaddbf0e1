"""Rows of another database, by a query of the user's, written as CSV.

storemon's own statements do not belong here.
"""

import csv
import re
from collections.abc import Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final, TextIO

import sqlalchemy as sa
from sqlalchemy.engine import URL, make_url

from storemon_pipeline.database.connections import CONNECT_TIMEOUT_SECONDS

_ROWS: Final = 10_000
_POSTGRES_OPTIONS: Final = (
    "-c default_transaction_read_only=on -c statement_timeout=600000 -c timezone=UTC"
)


class QueryError(Exception):
    """A query, or the URL of its database, that cannot be used. A retry does not help."""


class DatabaseUnreachableError(Exception):
    """A database that does not answer. A retry may help."""


def write_rows(url: str, query: str, file: TextIO) -> None:
    """Write the rows of the query as CSV below a header.

    PostgreSQL runs it read-only, for at most ten minutes. Raises QueryError and
    DatabaseUnreachableError.
    """
    try:
        engine = _engine(make_url(url))
        with engine.connect().execution_options(stream_results=True) as connection:
            # A colon in the query, as in 'HH24:MI', begins no parameter.
            result = connection.execute(sa.text(re.sub(r"(?<!:):(?!:)", r"\:", query)))
            if not result.returns_rows:
                raise QueryError("the query returns no rows")
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(result.keys())
            for rows in result.partitions(_ROWS):
                writer.writerows(_texts(row) for row in rows)
    except sa.exc.OperationalError as error:
        raise DatabaseUnreachableError(_first_line(error)) from error
    except (sa.exc.SQLAlchemyError, ModuleNotFoundError) as error:
        raise QueryError(_first_line(error)) from error


def _engine(url: URL) -> sa.Engine:
    if url.get_backend_name() != "postgresql":
        return sa.create_engine(url, poolclass=sa.pool.NullPool)
    return sa.create_engine(
        url.set(drivername="postgresql+psycopg"),
        poolclass=sa.pool.NullPool,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_SECONDS, "options": _POSTGRES_OPTIONS},
    )


def _texts(row: Sequence[object]) -> list[str]:
    return [_text(value) for value in row]


def _text(value: object) -> str:
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case datetime():
            return value.isoformat(sep=" ")
        case date() | time():
            return value.isoformat()
        case Decimal():
            return f"{value:f}"
        case _:
            return str(value)


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0]
