"""The lists of response bodies as files, with the fields of their rows as columns.

A table that needs other columns than its fields gives them itself.
"""

from collections.abc import Sequence
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, Final, TypeVar, get_args

from fastapi import Response
from pydantic import AwareDatetime, BaseModel

from storemon_api.downloads.table_file import Cell, Column, hours, table_file
from storemon_api.downloads.table_format import TableFormat, page_response

_Row = TypeVar("_Row", bound=BaseModel)
_MICROSECONDS: Final = "_us"


def body_response(
    table_format: TableFormat,
    body: BaseModel,
    table: str,
    columns: Sequence[Column[Any]] | None = None,
    *,
    rows: Sequence[Any] | None = None,
    name: str | None = None,
    as_of: datetime | None = None,
    exclude_none: bool = False,
) -> Response:
    """Return the body as JSON, or its list `table` as a file.

    `columns` are by default all fields of the list's rows, `rows` all rows in their order, and the
    file's name is that of the list.
    """
    if not table_format.is_file:
        return page_response(body, exclude_none=exclude_none)
    (model,) = get_args(type(body).model_fields[table].annotation)
    shown = getattr(body, table) if rows is None else rows
    return table_file(
        table_format,
        name or table.replace("_", "-"),
        columns or columns_of(model),
        shown,
        total=len(shown),
        as_of=as_of,
    )


@cache
def columns_of(model: type[_Row], *left_out: str) -> tuple[Column[_Row], ...]:
    """Return a column for each field: hours for microseconds, times in UTC, lists as one text."""
    return tuple(
        _column(name, is_instant=_is_instant(field.annotation))
        for name, field in model.model_fields.items()
        if name not in left_out
    )


def _is_instant(annotation: object) -> bool:
    return AwareDatetime in (annotation, *get_args(annotation))


def _column(field: str, *, is_instant: bool) -> Column[Any]:
    def cell(row: BaseModel) -> Cell:
        value = getattr(row, field)
        return hours(value) if field.endswith(_MICROSECONDS) else _plain(value)

    if field.endswith(_MICROSECONDS):
        return Column(f"{field.removesuffix(_MICROSECONDS)}_hours", cell)
    if is_instant:
        return Column(f"{field.removesuffix('_at').removesuffix('_utc')}_utc", cell)
    return Column(field, cell)


def _plain(value: object) -> Cell:
    match value:
        case Enum():
            return str(value.value)
        case str() | int() | float() | datetime() | None:
            return value
        case date():
            return value.isoformat()
        case list():
            return "; ".join(value)
        case _:
            raise TypeError(f"no column for {type(value).__name__}")
