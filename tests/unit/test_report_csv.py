"""The report as CSV: its header, its lines, and ids that a spreadsheet would execute."""

import csv
import io
from decimal import Decimal

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from storemon_pipeline.reports.csv_file import (
    HEADER,
    header_line,
    report_lines,
    spreadsheet_safe,
)

COLUMNS = (
    "uptime_last_hour_minutes",
    "uptime_last_day_hours",
    "uptime_last_week_hours",
    "downtime_last_hour_minutes",
    "downtime_last_day_hours",
    "downtime_last_week_hours",
)


def written(store_ids: list[str], *rows: tuple[str, ...]) -> bytes:
    """Write a report of these figures; stores without any get zeros."""
    filled = [*rows, *[("0.0000",) * 6] * (len(store_ids) - len(rows))]
    columns = zip(*filled, strict=True) if filled else ((),) * 6
    figures = {
        name: pa.array([Decimal(value) for value in column], pa.decimal128(12, 4))
        for name, column in zip(COLUMNS, columns, strict=True)
    }
    return header_line() + report_lines(pa.array(store_ids, pa.string()), figures)


def test_the_header_is_the_contracts_to_the_letter() -> None:
    assert HEADER == (
        "store_id,uptime_last_hour(in minutes),uptime_last_day(in hours),"
        "uptime_last_week(in hours),downtime_last_hour(in minutes),downtime_last_day(in hours),"
        "downtime_last_week(in hours)"
    )


def test_a_report_without_stores_is_only_the_header() -> None:
    assert written([]) == f"{HEADER}\n".encode()


def test_every_line_has_six_figures_with_four_decimals_and_ends_in_a_line_feed() -> None:
    content = written(
        ["10", "é"],
        ("60.0000", "24.0000", "168.0000", "0.0000", "0.0000", "0.0000"),
        ("0.0001", "12.3450", "99.9999", "59.9999", "11.6550", "68.0001"),
    )
    assert content.decode() == (
        f"{HEADER}\n"
        "10,60.0000,24.0000,168.0000,0.0000,0.0000,0.0000\n"
        "é,0.0001,12.3450,99.9999,59.9999,11.6550,68.0001\n"
    )


@pytest.mark.parametrize(
    ("store_id", "safe"),
    [
        ("=1+1", "'=1+1"),
        ("=", "'="),
        ("+1", "+1"),
        ("+1.5", "'+1.5"),
        ("+1 2", "'+1 2"),
        ("+cmd|' /C calc'!A0", "'+cmd|' /C calc'!A0"),
        ("-5", "-5"),
        ("-", "'-"),
        ("-x", "'-x"),
        ("--5", "'--5"),
        ("-5\n", "'-5\n"),
        ("@SUM(A1)", "'@SUM(A1)"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("\r\n=1", "'\r\n=1"),
        ("1=1", "1=1"),
        ("a=1", "a=1"),
        ("a\n=1", "a\n=1"),
        ("1\n-x", "1\n-x"),
        ("'=1", "'=1"),
        (" =1", " =1"),
        ("8419537941919820732", "8419537941919820732"),
        ("-8419537941919820732", "-8419537941919820732"),
        ("962610a8-3865-442f-96f5-91f774837eca", "962610a8-3865-442f-96f5-91f774837eca"),
        ("-٣", "'-٣"),
        ("\uff1d1", "\uff1d1"),
    ],
)
def test_an_id_that_a_spreadsheet_could_run_gets_a_quote(store_id: str, safe: str) -> None:
    assert spreadsheet_safe(pa.array([store_id])).to_pylist() == [safe]


@pytest.mark.parametrize(
    ("store_id", "field"),
    [
        ("a,b", '"a,b"'),
        ('say "hi"', '"say ""hi"""'),
        ('"', '""""'),
        ("two\nlines", '"two\nlines"'),
        ("two\rlines", '"two\rlines"'),
        ('=HYPERLINK("x")', '"\'=HYPERLINK(""x"")"'),
        ("-1,5", '"\'-1,5"'),
        ("plain text; with 'marks'", "plain text; with 'marks'"),
    ],
)
def test_an_id_is_quoted_where_csv_needs_it(store_id: str, field: str) -> None:
    body = written([store_id]).decode().removeprefix(f"{HEADER}\n")
    assert body == f"{field},0.0000,0.0000,0.0000,0.0000,0.0000,0.0000\n"


def test_stores_keep_the_order_in_which_they_are_given() -> None:
    ids = ["z", "a", "10", "9"]
    lines = written(ids).decode().splitlines()[1:]
    assert [line.split(",")[0] for line in lines] == ids


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"]), min_size=1), max_size=8))
def test_any_ids_are_read_back_by_another_reader(store_ids: list[str]) -> None:
    content = written(store_ids).decode()
    rows = list(csv.reader(io.StringIO(content, newline="")))
    assert rows[0] == HEADER.split(",")
    assert [row[1:] for row in rows[1:]] == [["0.0000"] * 6] * len(store_ids)
    read_back = [row[0] for row in rows[1:]]
    assert len(read_back) == len(store_ids)
    for store_id, field in zip(store_ids, read_back, strict=True):
        assert field.removeprefix("'") == store_id.removeprefix("'")
        assert field[0] not in set("=+-@\t\r") or field[1:].isdecimal()
