"""Parsing rows of expected sales per hour."""

import re
from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.domain.rejections import Reason, Verdict
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import (
    VALID_FROM,
    SnapshotRead,
    parse_valid_from,
    read_snapshot,
    repeated_text_column,
)
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (
    Column("store_id"),
    Column("weekday"),
    Column("hour"),
    Column("sales_per_hour"),
    Column("currency"),
    VALID_FROM,
)

_UNREADABLE: Final = -1
_AMOUNT: Final = re.compile(r"(?P<units>\d{1,10})(?:\.(?P<hundredths>\d{1,2}))?", re.ASCII)
_CURRENCY: Final = re.compile(r"[A-Za-z]{3}", re.ASCII)
_LAST_WEEKDAY: Final = 6
_LAST_HOUR: Final = 23


def read_demand_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of expected sales.

    Columns of the frame: store_id and currency (categories of str), day_of_week and hour (int16,
    0 = Monday), sales_per_hour (int64, hundredths of a currency unit), valid_from_us (Int64, see
    parse_valid_from), line (int64). Raises UnusableFileError.
    """
    return read_snapshot(file, COLUMNS, parse_demand)


def parse_demand(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_demand_file without `line`, for all rows; reject the bad ones."""
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    weekdays, weekday = distinct_texts(columns["weekday"])
    day_of_week = np.array([_read_whole(text, _LAST_WEEKDAY) for text in weekdays], np.int16)
    verdict.reject((day_of_week == _UNREADABLE)[weekday], Reason.WEEKDAY)
    hours, number = distinct_texts(columns["hour"])
    hour = np.array([_read_whole(text, _LAST_HOUR) for text in hours], np.int16)
    verdict.reject((hour == _UNREADABLE)[number], Reason.HOUR)
    amounts, amount = distinct_texts(columns["sales_per_hour"])
    sales = np.array([read_amount(text) for text in amounts], np.int64)
    verdict.reject((sales == _UNREADABLE)[amount], Reason.SALES)
    currencies, currency = distinct_texts(columns["currency"])
    is_code = np.array([is_currency(text) for text in currencies], np.bool_)
    verdict.reject(~is_code[currency], Reason.CURRENCY)
    codes = sorted({text.upper() for text in currencies})
    code = np.array([codes.index(text.upper()) for text in currencies], np.int32)
    return pd.DataFrame(
        {
            "store_id": repeated_text_column(ids, store),
            "day_of_week": day_of_week[weekday],
            "hour": hour[number],
            "sales_per_hour": sales[amount],
            "currency": repeated_text_column(codes, code[currency]),
            "valid_from_us": parse_valid_from(columns, verdict),
        }
    )


def read_amount(text: str) -> int:
    """Parse an amount of money into hundredths; -1 if it cannot be read, or is below 0.

    >>> read_amount("12.5"), read_amount("7"), read_amount("-1"), read_amount("1.005")
    (1250, 700, -1, -1)
    """
    found = _AMOUNT.fullmatch(text)
    if found is None:
        return _UNREADABLE
    return int(found["units"]) * 100 + int((found["hundredths"] or "0").ljust(2, "0"))


def is_currency(text: str) -> bool:
    """Whether a text is a code of three letters."""
    return _CURRENCY.fullmatch(text) is not None


def _read_whole(text: str, last: int) -> int:
    is_number = text.isascii() and text.isdigit() and len(text) <= len("00")
    return int(text) if is_number and int(text) <= last else _UNREADABLE
