"""Parsing rows of orders. Summing them by hour belongs to `hourly_orders`."""

from pathlib import Path
from typing import Final

import numpy as np
import pandas as pd
import pyarrow as pa

from storemon_pipeline.demand.demand_file import is_currency, read_amount
from storemon_pipeline.domain.rejections import Reason, Verdict
from storemon_pipeline.domain.windows import HOUR_US
from storemon_pipeline.files.csv_text import Column
from storemon_pipeline.files.distinct_texts import distinct_texts
from storemon_pipeline.files.folders import OpenFile
from storemon_pipeline.files.snapshots import (
    SnapshotRead,
    read_snapshot,
    repeated_text_column,
    text_column,
)
from storemon_pipeline.files.timestamps import parse_instants
from storemon_pipeline.stores.store_ids import reject_bad_ids

COLUMNS: Final = (
    Column("store_id"),
    Column("ordered_at"),
    Column("amount"),
    Column("currency"),
    Column("order_id", is_needed=False),
)


def read_orders_file(file: Path | OpenFile) -> SnapshotRead:
    """Read a file of orders.

    Columns of the frame: store_id and currency (categories of str), hour_us (int64, the start of
    the UTC hour of the order), amount (int64, hundredths of a currency unit), order_id (str,
    possibly empty), line (int64). Raises UnusableFileError.
    """
    return read_snapshot(file, COLUMNS, parse_orders)


def parse_orders(columns: dict[str, pa.Array], verdict: Verdict) -> pd.DataFrame:
    """Return the frame of read_orders_file without `line`, for all rows; reject the bad ones."""
    ids, store = distinct_texts(columns["store_id"])
    reject_bad_ids(verdict, ids, store)
    ordered_us, is_read = parse_instants(columns["ordered_at"])
    verdict.reject(~is_read, Reason.UNREADABLE_TIMESTAMP)
    amounts, amount = distinct_texts(columns["amount"])
    hundredths = np.array([read_amount(text) for text in amounts], np.int64)
    verdict.reject((hundredths < 0)[amount], Reason.SALES)
    currencies, currency = distinct_texts(columns["currency"])
    is_code = np.array([is_currency(text) for text in currencies], np.bool_)
    verdict.reject(~is_code[currency], Reason.CURRENCY)
    codes = sorted({text.upper() for text in currencies})
    code = np.array([codes.index(text.upper()) for text in currencies], np.int32)
    if "order_id" in columns:
        order_id = text_column(*distinct_texts(columns["order_id"]))
    else:
        order_id = text_column([""], np.zeros(len(store), np.int32))
    return pd.DataFrame(
        {
            "store_id": repeated_text_column(ids, store),
            "hour_us": ordered_us // HOUR_US * HOUR_US,
            "amount": hundredths[amount],
            "currency": repeated_text_column(codes, code[currency]),
            "order_id": order_id,
        }
    )
