"""A statement as JSON, and read from it."""

from typing import Final

from pydantic import TypeAdapter

from storemon_pipeline.statements.statement import Statement

_STATEMENT: Final = TypeAdapter(Statement)


def statement_json(statement: Statement) -> bytes:
    """The statement as JSON; equal statements give equal bytes."""
    return _STATEMENT.dump_json(statement)


def read_statement_json(content: bytes) -> Statement:
    """The statement of a JSON text that `statement_json` wrote."""
    return _STATEMENT.validate_json(content)
