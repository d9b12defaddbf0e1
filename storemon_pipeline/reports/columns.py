"""The rows of a report as compressed columns: a Parquet file of its own for some of the stores.

A file has the columns that reports had when it was made. What was added later is null.
"""

from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storemon_pipeline.domain.amounts import (
    AMOUNTS,
    BUSINESS,
    DOWNTIME,
    EXACT_COLUMNS,
    ROUNDED,
    ROUNDED_COLUMNS,
    UPTIME,
    Amount,
)
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.figures.figure_rows import rounded_figures

STORE_ID: Final = "store_id"

_LEFT_OF: Final = {
    "uptime": "business",
    "lowest_uptime": "uptime",
    "highest_uptime": "business",
    "observed": "business",
    "likely_lowest_uptime": "uptime",
    "likely_highest_uptime": "business",
}
"""Amounts that are kept as what is left of another one without them: small numbers, often 0."""

_BY_NAME: Final = {amount.name: amount for amount in AMOUNTS}


def _kept_column(amount: Amount, window: Window) -> str:
    """The column in the file, whose name says what it is."""
    whole = _LEFT_OF.get(amount.name)
    return f"{whole}_minus_{amount.column(window)}" if whole else amount.column(window)


_OF_AMOUNTS: Final = frozenset(
    [*EXACT_COLUMNS, *ROUNDED_COLUMNS]
    + [_kept_column(amount, window) for amount in AMOUNTS for window in Window]
)
_OF_FIGURES: Final = (
    STORE_ID,
    *(_kept_column(amount, window) for amount in (BUSINESS, UPTIME) for window in Window),
)
"""The columns that the rounded figures follow from."""


def encode_rows(rows: pa.Table) -> bytes:
    """The rows, `store_id` and the amounts in microseconds, as a Parquet file.

    Downtime and rounded figures are left out, because they follow from the others. Any column that
    is no amount is kept as it is.
    """
    kept = {STORE_ID: rows[STORE_ID]}
    for amount in AMOUNTS:
        for window in Window:
            if amount is not DOWNTIME and amount.column(window) in rows.column_names:
                kept[_kept_column(amount, window)] = _kept(rows, amount, window)
    for name in rows.column_names:
        if name not in kept and name not in _OF_AMOUNTS:
            kept[name] = rows[name]
    table = pa.table(kept)
    sink = pa.BufferOutputStream()
    pq.write_table(
        table,
        sink,
        compression="zstd",
        compression_level=1,
        use_dictionary=False,
        write_statistics=False,
        store_schema=False,
        column_encoding={name: _encoding(table[name]) for name in table.column_names},
    )
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _kept(rows: pa.Table, amount: Amount, window: Window) -> pa.ChunkedArray:
    whole = _LEFT_OF.get(amount.name)
    own = rows[amount.column(window)]
    return pc.subtract(rows[_BY_NAME[whole].column(window)], own) if whole else own


def _encoding(column: pa.ChunkedArray) -> str:
    """The encoding that zstd makes the smallest file of."""
    if pa.types.is_string(column.type):
        return "DELTA_BYTE_ARRAY"
    if pa.types.is_int64(column.type) and pc.count_distinct(column).as_py() > len(column) / 2:
        return "BYTE_STREAM_SPLIT"
    return "PLAIN"


def decode_rows(content: bytes) -> pa.Table:
    """All columns of a file: `store_id`, rounded figures, all amounts, then any others."""
    file = pq.read_table(pa.BufferReader(content), use_threads=False)
    exact = {
        amount.column(window): _exact(file, amount, window)
        for amount in AMOUNTS
        for window in Window
    }
    others = {name: file[name] for name in file.column_names if name not in _OF_AMOUNTS}
    return pa.table({STORE_ID: others.pop(STORE_ID)} | rounded_figures(exact) | exact | others)


def no_rows() -> pa.Table:
    """As `decode_rows`, of no stores."""
    none = pa.table({name: pa.array([], pa.int64()) for name in EXACT_COLUMNS})
    return decode_rows(encode_rows(none.add_column(0, STORE_ID, pa.array([], pa.string()))))


def decode_figures(content: bytes) -> pa.Table:
    """As `decode_rows`, with `store_id` and the rounded figures alone."""
    file = pq.read_table(pa.BufferReader(content), columns=list(_OF_FIGURES), use_threads=False)
    exact = {
        amount.column(window): _exact(file, amount, window)
        for amount in ROUNDED
        for window in Window
    }
    return pa.table({STORE_ID: file[STORE_ID]} | rounded_figures(exact))


def decode_store_ids(content: bytes) -> pa.ChunkedArray:
    """The store ids of a file."""
    return pq.read_table(pa.BufferReader(content), columns=[STORE_ID], use_threads=False)[STORE_ID]


def _exact(file: pa.Table, amount: Amount, window: Window) -> pa.ChunkedArray:
    """An amount in microseconds; null where the file lacks it."""
    if amount is DOWNTIME:
        return pc.subtract(_exact(file, BUSINESS, window), _exact(file, UPTIME, window))
    name = _kept_column(amount, window)
    if name not in file.column_names:
        return pa.chunked_array([pa.nulls(file.num_rows, pa.int64())])
    whole = _LEFT_OF.get(amount.name)
    return pc.subtract(_exact(file, _BY_NAME[whole], window), file[name]) if whole else file[name]
