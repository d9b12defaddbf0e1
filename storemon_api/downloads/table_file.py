"""Rows of a list as a CSV or XLSX file: one implementation for all tables.

Lengths of time are hours as numbers, instants are dates in UTC. Text that a spreadsheet would run
as a formula gets an apostrophe before it.
"""

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Final, Generic, TypeAlias, TypeVar, assert_never

import pyarrow as pa
import xlsxwriter
from fastapi import Response
from starlette.responses import StreamingResponse

from storemon_api.downloads.table_format import MEDIA_TYPES, TableFormat
from storemon_api.http.problems import INVALID_REQUEST, ProblemError
from storemon_pipeline.domain.windows import HOUR_US
from storemon_pipeline.reports.csv_file import spreadsheet_safe

Cell: TypeAlias = str | int | float | bool | datetime | None
Row_contra = TypeVar("Row_contra", contravariant=True)

_CHUNK_ROWS: Final = 1_000
_MOST_SHEET_ROWS: Final = 1_048_575
"""A sheet has 1,048,576 rows, and one of them is the header."""


@dataclass(frozen=True, slots=True)
class Column(Generic[Row_contra]):
    """A column of a file: its name, and the cell of a row."""

    name: str
    cell: Callable[[Row_contra], Cell]


def hours(amount_us: int | None) -> float | None:
    """Return microseconds as hours with four decimals, a third of a second."""
    return None if amount_us is None else round(amount_us / HOUR_US, 4)


def table_file(
    table_format: TableFormat,
    name: str,
    columns: Sequence[Column[Row_contra]],
    rows: Iterable[Row_contra],
    *,
    total: int,
    as_of: datetime | None = None,
) -> Response:
    """Return the rows as a file whose name has the instant `as_of`.

    Raises a 422 problem for more rows (`total`) than a sheet can have.
    """
    instant = "" if as_of is None else f"-{as_of.astimezone(UTC):%Y-%m-%dT%H%M%SZ}"
    headers = {
        "Content-Disposition": f'attachment; filename="{name}{instant}.{table_format.value}"',
        "Cache-Control": "no-store",
        "Vary": "Accept",
    }
    media_type = MEDIA_TYPES[table_format]
    match table_format:
        case TableFormat.CSV:
            lines = _csv(columns, rows)
            return StreamingResponse(
                lines, headers=headers, media_type=f"{media_type}; charset=utf-8"
            )
        case TableFormat.XLSX:
            if total > _MOST_SHEET_ROWS:
                raise ProblemError(
                    INVALID_REQUEST,
                    f"A sheet holds {_MOST_SHEET_ROWS:,} rows, and these are {total:,}. "
                    "Filter the list, or take it as CSV.",
                )
            return Response(_workbook(name, columns, rows), headers=headers, media_type=media_type)
        case TableFormat.JSON:
            raise ValueError("JSON is not a file format")
        case _:
            assert_never(table_format)


def _cells(
    columns: Sequence[Column[Row_contra]], rows: Iterable[Row_contra]
) -> Iterator[list[Cell]]:
    """Yield the cells of each row, with harmless text."""
    left = iter(rows)
    while chunk := list(islice(left, _CHUNK_ROWS)):
        lines = [[column.cell(row) for column in columns] for row in chunk]
        places = [
            (line, number)
            for line in lines
            for number, cell in enumerate(line)
            if isinstance(cell, str)
        ]
        texts = pa.array([line[number] for line, number in places], pa.string())
        for (line, number), text in zip(places, spreadsheet_safe(texts).to_pylist(), strict=True):
            line[number] = text
        yield from lines


def _csv(columns: Sequence[Column[Row_contra]], rows: Iterable[Row_contra]) -> Iterator[str]:
    """Yield the lines of a CSV file, many at once."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([column.name for column in columns])
    for number, cells in enumerate(_cells(columns, rows), start=1):
        writer.writerow([_csv_text(cell) for cell in cells])
        if number % _CHUNK_ROWS == 0:
            yield text.getvalue()
            text.seek(0)
            text.truncate()
    yield text.getvalue()


def _csv_text(cell: Cell) -> str | int | float | None:
    match cell:
        case bool():
            return "true" if cell else "false"
        case datetime():
            return _without_zone(cell).isoformat(sep=" ", timespec="seconds")
        case _:
            return cell


def _workbook(
    name: str, columns: Sequence[Column[Row_contra]], rows: Iterable[Row_contra]
) -> bytes:
    file = io.BytesIO()
    # A row is written before the next one is made.
    book = xlsxwriter.Workbook(file, {"constant_memory": True})
    bold = book.add_format({"bold": True})
    instant = book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"})
    sheet = book.add_worksheet(name)
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, len(columns) - 1, 20)
    for number, column in enumerate(columns):
        sheet.write_string(0, number, column.name, bold)
    last = 0
    for last, cells in enumerate(_cells(columns, rows), start=1):
        for number, cell in enumerate(cells):
            match cell:
                case None:
                    pass
                case bool():
                    sheet.write_boolean(last, number, cell)
                case str():
                    sheet.write_string(last, number, cell)
                case datetime():
                    sheet.write_datetime(last, number, _without_zone(cell), instant)
                case _:
                    sheet.write_number(last, number, cell)
    sheet.autofilter(0, 0, last, len(columns) - 1)
    book.close()
    return file.getvalue()


def _without_zone(instant: datetime) -> datetime:
    """Return an instant as UTC without its zone, and a local time as it is."""
    in_utc = instant if instant.tzinfo is None else instant.astimezone(UTC).replace(tzinfo=None)
    return in_utc.replace(microsecond=0)
