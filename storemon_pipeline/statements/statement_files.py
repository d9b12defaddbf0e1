"""A statement as CSV and XLSX."""

import csv
import io
from typing import Final

import pyarrow as pa
import xlsxwriter

from storemon_pipeline.reports.csv_file import spreadsheet_safe
from storemon_pipeline.statements.revision import Revision, changes_table, revision_facts
from storemon_pipeline.statements.statement import Statement
from storemon_pipeline.statements.statement_tables import (
    Cell,
    Table,
    TableName,
    facts_of,
    table_names,
    table_of,
    title_of,
)

_NUMBER: Final = "#,##0.00"


def statement_csv(statement: Statement, table: Table) -> bytes:
    """One table, without totals; each row begins with the period and the newest poll."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["period", "as_of", *(column.name for column in table.columns)])
    about = [statement.period, statement.as_of.isoformat()]
    writer.writerows([*about, *_safe(row)] for row in table.rows)
    return text.getvalue().encode()


def statement_xlsx(statement: Statement, revision: Revision | None = None) -> bytes:
    """A workbook: what the statement is about with its totals, then a sheet for each table.

    A revision that replaces another one has a sheet with its changes.
    """
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_numbers": False})
    # With the current time, two downloads of one statement would differ.
    created = statement.as_of.replace(tzinfo=None)
    book.set_properties({"created": created, "title": f"Statement of {title_of(statement)}"})
    _add_summary(book, statement, revision)
    for name in table_names(statement):
        _add_table(book, name.value, table_of(statement, name))
    if revision is not None and revision.changes:
        _add_table(book, "changes", changes_table(revision.changes))
    book.close()
    return file.getvalue()


def _add_summary(
    book: xlsxwriter.Workbook, statement: Statement, revision: Revision | None
) -> None:
    """Add the first sheet, with a line for each fact and each total."""
    bold = book.add_format({"bold": True, "align": "left"})
    plain = book.add_format({"align": "left"})
    number = book.add_format({"align": "left", "num_format": _NUMBER})
    sheet = book.add_worksheet("statement")
    sheet.set_column(0, 0, 22)
    sheet.set_column(1, 1, 60)
    table = table_of(statement, TableName.STORES)
    totals = [
        (column.heading, value)
        for column, value in zip(table.columns, table.total or [], strict=True)
        if value not in {None, "", "Total"}
    ]
    facts = facts_of(statement) + ([] if revision is None else revision_facts(revision))
    lines: list[tuple[str, Cell]] = [*facts, ("", None), *totals]
    for row, (label, value) in enumerate(lines):
        sheet.write_string(row, 0, label, bold)
        _write(sheet, row, 1, value, plain, number)


def _add_table(book: xlsxwriter.Workbook, name: str, table: Table) -> None:
    heading = book.add_format({"bold": True, "text_wrap": True, "valign": "top"})
    plain, number = book.add_format(), book.add_format({"num_format": _NUMBER})
    total = book.add_format({"bold": True, "top": 1})
    total_number = book.add_format({"bold": True, "top": 1, "num_format": _NUMBER})
    sheet = book.add_worksheet(name)
    sheet.set_landscape()
    sheet.fit_to_pages(1, 0)
    sheet.repeat_rows(0)
    sheet.freeze_panes(1, 2)
    for place, column in enumerate(table.columns):
        sheet.set_column(place, place, column.width)
        sheet.write_string(0, place, column.heading, heading)
    for row, values in enumerate(table.rows, start=1):
        for place, value in enumerate(_safe(values)):
            _write(sheet, row, place, value, plain, number)
    for place, value in enumerate(table.total or []):
        _write(sheet, len(table.rows) + 1, place, value, total, total_number)
    if table.rows:
        sheet.autofilter(0, 0, len(table.rows), len(table.columns) - 1)


def _write(
    sheet: xlsxwriter.worksheet.Worksheet,
    row: int,
    place: int,
    value: Cell,
    plain: xlsxwriter.format.Format,
    number: xlsxwriter.format.Format,
) -> None:
    """Write a cell: hours and percentages with two decimals, counts without."""
    if isinstance(value, str):
        sheet.write_string(row, place, value, plain)
    elif value is not None:
        sheet.write_number(row, place, value, number if isinstance(value, float) else plain)


def _safe(row: list[Cell]) -> list[Cell]:
    """The cells, with an apostrophe before texts that a spreadsheet would run as a formula."""
    texts = [value if isinstance(value, str) else "" for value in row]
    safe = spreadsheet_safe(pa.array(texts, pa.string())).to_pylist()
    return [
        text if isinstance(value, str) else value for value, text in zip(row, safe, strict=True)
    ]
