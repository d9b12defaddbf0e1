"""The extended report as JSON, NDJSON, Parquet and XLSX. It has more columns than the CSV."""

import io
import json
from collections.abc import Collection, Iterator
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final, assert_never

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import xlsxwriter
from xlsxwriter.format import Format
from xlsxwriter.worksheet import Worksheet

from storemon_pipeline.domain.amounts import (
    BUSINESS,
    DOUBT_COLUMN,
    LIKELY_HIGHEST,
    LIKELY_LOWEST,
    SPREAD_COLUMNS,
    WITH_PERCENT,
)
from storemon_pipeline.domain.windows import Policy, Window
from storemon_pipeline.likelihood.likely_figures import flags_of
from storemon_pipeline.likelihood.verdict import judge
from storemon_pipeline.reports.columns import STOREFRONTS
from storemon_pipeline.reports.csv_file import spreadsheet_safe


class ReportFormat(StrEnum):
    """Formats of the extended report; the value is the extension in its URL."""

    JSON = "json"
    NDJSON = "ndjson"
    PARQUET = "parquet"
    XLSX = "xlsx"


MEDIA_TYPES: Final[dict[ReportFormat, str]] = {
    ReportFormat.JSON: "application/json",
    ReportFormat.NDJSON: "application/x-ndjson",
    ReportFormat.PARQUET: "application/vnd.apache.parquet",
    ReportFormat.XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
}


FLAGS_COLUMN: Final = "likely_flags"


def extended(rows: pa.Table, objective: Decimal | None = None) -> pa.Table:
    """The rows with percentages, which are computed from the columns in microseconds.

    They are rounded down to two decimals, and null without business time. Why a likely range is not
    to be trusted is written in words. With an objective there is a verdict on each window.
    """
    rows = _with_flags(rows)
    for amount in WITH_PERCENT:
        for window in Window:
            part = rows[amount.column(window)]
            whole = rows[BUSINESS.column(window)].to_numpy()
            percent = part.fill_null(0).to_numpy() * 10_000 // np.maximum(whole, 1) / 100
            is_unknown = (whole == 0) | part.is_null().to_numpy()
            rows = rows.append_column(
                amount.percent_column(window), pa.array(percent, pa.float64(), mask=is_unknown)
            )
    if objective is not None:
        for window in Window:
            rows = rows.append_column(f"verdict_last_{window}", _verdicts(rows, window, objective))
    return rows


def _with_flags(rows: pa.Table) -> pa.Table:
    """The rows with flags in words, and without the columns that only totals need."""
    if DOUBT_COLUMN not in rows.column_names:
        return rows.append_column(FLAGS_COLUMN, pa.nulls(rows.num_rows, pa.string()))
    doubts = rows[DOUBT_COLUMN].combine_chunks().dictionary_encode()
    words = [" ".join(flags_of(doubt)) or None for doubt in doubts.dictionary.to_pylist()]
    flags = pa.array(words, pa.string()).take(doubts.indices)
    return rows.drop_columns([DOUBT_COLUMN, *SPREAD_COLUMNS]).append_column(FLAGS_COLUMN, flags)


def _verdicts(rows: pa.Table, window: Window, objective: Decimal) -> pa.Array:
    amounts = (
        rows[amount.column(window)].to_pylist()
        for amount in (LIKELY_LOWEST, LIKELY_HIGHEST, BUSINESS)
    )
    return pa.array(
        [
            judge(lowest, highest, business, objective_percent=objective).value
            for lowest, highest, business in zip(*amounts, strict=True)
        ],
        pa.string(),
    )


def mark_rejected_hours(rows: pa.Table, store_ids: Collection[str] | None) -> pa.Table:
    """The rows with a column that marks these stores, whose rows of hours were all rejected.

    The column is null when they are not known, as for reports of older versions.
    """
    if store_ids is None:
        marks = pa.nulls(rows.num_rows, pa.bool_())
    else:
        marks = pc.is_in(rows["store_id"], pa.array(sorted(store_ids), pa.string()))
    return rows.append_column("hours_rejected", marks)


def encode_report(
    rows: pa.Table,
    form: ReportFormat,
    *,
    report_id: str,
    as_of: datetime,
    policy: Policy,
    zone_rules: str | None,
    status_model_id: int | None,
) -> bytes:
    """The extended rows in a format, with what the report is about where it has a place."""
    about = {"report_id": report_id, "as_of": as_of.isoformat(), "policy": policy.value}
    if zone_rules is not None:
        about["zone_rules"] = zone_rules
    if status_model_id is not None:
        about["status_model"] = str(status_model_id)
    match form:
        case ReportFormat.JSON:
            return json.dumps(about | {"rows": list(_records(rows))}).encode()
        case ReportFormat.NDJSON:
            return "".join(f"{json.dumps(record)}\n" for record in _records(rows)).encode()
        case ReportFormat.PARQUET:
            sink = pa.BufferOutputStream()
            named = {f"storemon.{name}": value for name, value in about.items()}
            pq.write_table(rows.replace_schema_metadata(named), sink)
            return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]
        case ReportFormat.XLSX:
            return _workbook(rows, about, as_of)
        case _:
            assert_never(form)


def _records(rows: pa.Table) -> Iterator[dict[str, object]]:
    """One dictionary per row. Decimals become floats, which print the same four places."""
    columns = [
        column.cast(pa.float64()) if pa.types.is_decimal(column.type) else column
        for column in rows.columns
    ]
    names = rows.column_names
    for values in zip(*(column.to_pylist() for column in columns), strict=True):
        yield dict(zip(names, values, strict=True))


def _workbook(rows: pa.Table, about: dict[str, str], as_of: datetime) -> bytes:
    """A workbook with the rows, and a sheet about the report."""
    file = io.BytesIO()
    book = xlsxwriter.Workbook(file, {"in_memory": True, "strings_to_numbers": False})
    # With the current time, two downloads of one report would differ.
    book.set_properties({"created": as_of.replace(tzinfo=None), "title": "storemon report"})
    bold = book.add_format({"bold": True})
    storefronts = None
    if STOREFRONTS in rows.column_names:
        storefronts = _storefront_rows(rows)
        rows = rows.drop_columns(STOREFRONTS)
    _write_sheet(book.add_worksheet("report"), rows, bold)
    if storefronts is not None:
        _write_sheet(book.add_worksheet(STOREFRONTS), storefronts, bold)
    notes = book.add_worksheet("about")
    notes.set_column(0, 1, 44)
    for row, (name, value) in enumerate(about.items()):
        notes.write_string(row, 0, name, bold)
        notes.write_string(row, 1, value)
    book.close()
    return file.getvalue()


def _storefront_rows(rows: pa.Table) -> pa.Table:
    """One row for each storefront, with the id of its store."""
    lists = rows[STOREFRONTS].combine_chunks()
    store_ids = rows["store_id"].combine_chunks().take(pc.list_parent_indices(lists))
    fronts = pa.Table.from_struct_array(pc.list_flatten(lists))
    names = (name for name in fronts.column_names if pa.types.is_string(fronts[name].type))
    for name in names:
        safe = spreadsheet_safe(fronts[name].combine_chunks())
        fronts = fronts.set_column(fronts.column_names.index(name), name, safe)
    return fronts.add_column(0, "store_id", store_ids)


def _write_sheet(sheet: Worksheet, rows: pa.Table, bold: Format) -> None:
    """Write the rows below their names."""
    sheet.freeze_panes(1, 1)
    sheet.set_column(0, 0, 24)
    sheet.set_column(1, rows.num_columns - 1, 14)
    safe = spreadsheet_safe(pc.cast(rows["store_id"].combine_chunks(), pa.string()))
    for number, name in enumerate(rows.column_names):
        sheet.write_string(0, number, name, bold)
        if name == "store_id":
            for row, store_id in enumerate(safe.to_pylist(), start=1):
                sheet.write_string(row, number, store_id)
            continue
        for row, value in enumerate(rows[name].to_pylist(), start=1):
            if isinstance(value, str):
                sheet.write_string(row, number, value)
            elif isinstance(value, bool):
                sheet.write_boolean(row, number, value)
            elif value is not None:
                sheet.write_number(row, number, value)
    sheet.autofilter(0, 0, rows.num_rows, rows.num_columns - 1)
