"""The rows of a report as compressed columns: a Parquet file of its own for some of the stores.

A file has the columns that reports had when it was made. What was added later is null.
"""

import json
from dataclasses import dataclass
from typing import Final, Self

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storemon_pipeline.domain.amounts import (
    AMOUNTS,
    BUSINESS,
    DOUBT_COLUMN,
    DOWNTIME,
    EXACT_COLUMNS,
    LIKELY_HIGHEST,
    LIKELY_LOWEST,
    ROUNDED,
    ROUNDED_COLUMNS,
    SPREAD_COLUMNS,
    UPTIME,
    Amount,
    spread_column,
)
from storemon_pipeline.domain.windows import MINUTE_US, SECOND_US, IntArray, Window
from storemon_pipeline.figures.figure_rows import rounded_figures

STORE_KEY: Final = "store_key"
STORE_ID: Final = "store_id"
STOREFRONTS: Final = "storefronts"
"""A column of lists, in files of stores that have any."""

_LEFT_OF: Final = {
    "uptime": "business",
    "lowest_uptime": "uptime",
    "highest_uptime": "business",
    "observed": "business",
    "likely_lowest_uptime": "uptime",
    "likely_highest_uptime": "business",
}
"""Amounts that are kept as what is left of another one without them: small numbers, often 0."""

_RANGE: Final = (LIKELY_LOWEST, LIKELY_HIGHEST)

_SHORTER: Final = {Window.DAY: Window.HOUR, Window.WEEK: Window.DAY}
"""The window within another one, of the same end."""

_WIDTH: Final = "microseconds_per_deviation"
"""The name of a number in the file's metadata; see `_ends_from_spread`."""

_UNITS: Final = "microseconds_of_units"
"""The name in the file's metadata of the columns that are in larger units, and of these units."""

_BY_NAME: Final = {amount.name: amount for amount in AMOUNTS}


_MOSTLY_LEFT: Final = frozenset(
    [UPTIME, _BY_NAME["lowest_uptime"], _BY_NAME["highest_uptime"], _BY_NAME["observed"]]
)
"""Amounts of which little is left out in most windows, and often the same as in a shorter one."""


class LostStoreError(Exception):
    """A report refers to a store that no table of stores has any more."""


@dataclass(frozen=True, slots=True)
class Part:
    """Some rows of a result: the file, and the id of each row's store."""

    content: bytes
    store_ids: pa.Array

    @classmethod
    def of(cls, content: bytes, store_keys: pa.Array, store_ids: pa.Array) -> Self:
        """A part by its file, and the keys and ids of stores, all of the file's among them.

        Older files have the ids themselves. Raises LostStoreError.
        """
        if STORE_ID in pq.read_schema(pa.BufferReader(content)).names:
            return cls(content, _read(content, [STORE_ID])[STORE_ID].combine_chunks())
        keys = _read(content, [STORE_KEY])[STORE_KEY].combine_chunks()
        own_ids = store_ids.take(pc.index_in(keys, value_set=store_keys.cast(keys.type)))
        if own_ids.null_count:
            raise LostStoreError(
                f"{own_ids.null_count} stores of a report are in no table of stores"
            )
        return cls(content, own_ids)


def _read(content: bytes, columns: list[str] | None = None) -> pa.Table:
    return pq.read_table(pa.BufferReader(content), columns=columns, use_threads=False)


def _kept_column(amount: Amount, window: Window) -> str:
    """The column in the file, whose name says what it is."""
    whole = _LEFT_OF.get(amount.name)
    return f"{whole}_minus_{amount.column(window)}" if whole else amount.column(window)


def _beyond_column(amount: Amount, window: Window) -> str:
    """The column in the file of what is left out in this window and not in the shorter one."""
    return f"{_kept_column(amount, window)}_beyond_last_{_SHORTER[window]}"


def _end_column(amount: Amount, window: Window) -> str:
    """The column in the file of an end of the likely range, where the file has the spread."""
    return f"end_from_spread_minus_{amount.column(window)}"


_OF_AMOUNTS: Final = frozenset(
    [*EXACT_COLUMNS, *ROUNDED_COLUMNS]
    + [_kept_column(amount, window) for amount in AMOUNTS for window in Window]
    + [_beyond_column(amount, window) for amount in _MOSTLY_LEFT for window in _SHORTER]
    + [_end_column(amount, window) for amount in _RANGE for window in Window]
)
_OF_FIGURES: Final = frozenset(
    [_kept_column(amount, window) for amount in (BUSINESS, UPTIME) for window in Window]
    + [_beyond_column(UPTIME, window) for window in _SHORTER]
)
"""The columns that the rounded figures follow from."""

_IN_UNITS: Final = frozenset(
    [_kept_column(amount, Window.HOUR) for amount in _MOSTLY_LEFT]
    + [_beyond_column(amount, window) for amount in _MOSTLY_LEFT for window in _SHORTER]
)
_FEW: Final = 100

_MANY_VALUES: Final = frozenset(
    [_beyond_column(amount, window) for amount in _MOSTLY_LEFT - {UPTIME} for window in _SHORTER]
    + [spread_column("deviation", window) for window in Window]
)
_FEW_VALUES: Final = frozenset(
    [_end_column(amount, window) for amount in _RANGE for window in Window]
    + [BUSINESS.column(window) for window in Window]
    + [*SPREAD_COLUMNS, DOUBT_COLUMN]
) - frozenset(_MANY_VALUES)
"""Columns that are smaller in another encoding than the plain one, as measured on sample data."""


NO_STORES: Final = pa.table(
    {STORE_KEY: pa.array([], pa.int32())} | dict.fromkeys(EXACT_COLUMNS, pa.array([], pa.int64()))
)
"""What `encode_rows` takes, of no stores."""


def encode_rows(rows: pa.Table) -> bytes:
    """The rows, `store_key` and the amounts in microseconds, as a Parquet file.

    Downtime and rounded figures are left out, because they follow from the others. Any column that
    is not an amount is kept as it is.
    """
    kept = {STORE_KEY: rows[STORE_KEY]}
    has_spread = set(SPREAD_COLUMNS) <= set(rows.column_names)
    for amount in AMOUNTS:
        for window in Window:
            is_kept = amount is not DOWNTIME and amount.column(window) in rows.column_names
            if is_kept and amount in _MOSTLY_LEFT:
                kept |= _beyond_shorter(rows, amount, window)
            elif is_kept and not (has_spread and amount in _RANGE):
                kept[_kept_column(amount, window)] = _kept(rows, amount, window)
    metadata = {_UNITS: json.dumps(_to_units(kept))}
    if has_spread:
        width_us = _width_us(rows)
        metadata[_WIDTH] = str(width_us)
        for window in Window:
            ends = _ends_from_spread(rows, rows, window, width_us)
            for amount, end in zip(_RANGE, ends, strict=True):
                own = rows[amount.column(window)].to_numpy()
                kept[_end_column(amount, window)] = pa.array(end - own)
    for name in rows.column_names:
        if name not in kept and name not in _OF_AMOUNTS:
            kept[name] = rows[name]
    table = pa.table(kept)
    sink = pa.BufferOutputStream()
    with pq.ParquetWriter(
        sink,
        table.schema,
        compression="zstd",
        compression_level=1,
        use_dictionary=[name for name in kept if name in _FEW_VALUES],
        write_statistics=False,
        store_schema=False,
        column_encoding={
            name: _encoding(name)
            for name in kept
            if name not in _FEW_VALUES and name != STOREFRONTS
        },
    ) as writer:
        writer.write_table(table)
        writer.add_key_value_metadata(metadata)
    return sink.getvalue().to_pybytes()  # type: ignore[no-any-return]


def _kept(rows: pa.Table, amount: Amount, window: Window) -> pa.ChunkedArray:
    whole = _LEFT_OF.get(amount.name)
    own = rows[amount.column(window)]
    return pc.subtract(rows[_BY_NAME[whole].column(window)], own) if whole else own


def _beyond_shorter(rows: pa.Table, amount: Amount, window: Window) -> dict[str, pa.ChunkedArray]:
    """The column of what is left out in a window and not in the shorter one; null for nothing.

    A null takes less than a bit, a number of microseconds that is seldom the same 3 to 5 bytes.
    """
    kept = _kept(rows, amount, window)
    if window in _SHORTER:
        kept = pc.subtract(kept, _kept(rows, amount, _SHORTER[window]))
        name = _beyond_column(amount, window)
    else:
        name = _kept_column(amount, window)
    return {name: pc.if_else(pc.equal(kept, 0), None, kept)}


def _to_units(kept: dict[str, pa.ChunkedArray]) -> dict[str, int]:
    """The columns that are in larger units now, and these units in microseconds."""
    units = {name: unit for name in kept if (unit := _unit_us(kept[name], name)) > 1}
    for name, unit in units.items():
        kept[name] = pc.divide(kept[name], unit)
    return units


def _unit_us(kept: pa.ChunkedArray, name: str) -> int:
    """The largest part of a minute that divides all numbers: a second if polls are in seconds."""
    if name not in _IN_UNITS:
        return 1
    values = kept.drop_null().to_numpy()
    unit = int(np.gcd.reduce(values[:_FEW], initial=MINUTE_US))
    return unit if unit == 1 else int(np.gcd.reduce(values, initial=MINUTE_US))


def _encoding(name: str) -> str:
    if name == STORE_KEY:
        return "DELTA_BINARY_PACKED"
    return "BYTE_STREAM_SPLIT" if name in _MANY_VALUES else "PLAIN"


def _width_us(rows: pa.Table) -> int:
    """Half the width of likely ranges, in microseconds for each second of deviation.

    The median of the rows. Any number gives the same rows back; this one gives a small file.
    """
    lowest, uptime = (rows[one.column(Window.WEEK)].to_numpy() for one in (LIKELY_LOWEST, UPTIME))
    apart, deviation, reach = _spread(rows, Window.WEEK)
    is_free = np.flatnonzero((lowest > 0) & (lowest < uptime) & (deviation > 0))
    if len(is_free) == 0:
        return 0
    half_us = (uptime - lowest + (apart - reach) * SECOND_US)[is_free]
    return int(np.median(half_us // deviation[is_free]))


def _ends_from_spread(
    exact: dict[str, pa.ChunkedArray] | pa.Table, spread: pa.Table, window: Window, width_us: int
) -> tuple[IntArray, IntArray]:
    """About where a likely range ends, as its spread says, which was rounded to seconds."""
    business, uptime = (exact[one.column(window)].to_numpy() for one in (BUSINESS, UPTIME))
    apart, deviation, reach = _spread(spread, window)
    mean = uptime + apart * SECOND_US
    half = deviation * width_us + reach * SECOND_US
    lowest = (mean - half) // SECOND_US * SECOND_US
    highest = -(-(mean + half) // SECOND_US) * SECOND_US
    return np.clip(lowest, 0, uptime), np.clip(highest, uptime, business)


def _spread(rows: pa.Table, window: Window) -> tuple[IntArray, ...]:
    return tuple(
        rows[spread_column(name, window)].to_numpy().astype(np.int64)
        for name in ("apart", "deviation", "reach")
    )


def decode_rows(part: Part) -> pa.Table:
    """All columns of a part: `store_id`, rounded figures, all amounts, then any others."""
    file = _read(part.content)
    exact = _all_exact(file)
    others = {
        name: file[name]
        for name in file.column_names
        if name not in _OF_AMOUNTS and name not in (STORE_KEY, STORE_ID)
    }
    return pa.table({STORE_ID: part.store_ids} | rounded_figures(exact) | exact | others)


def decode_newest(content: bytes) -> pa.Table:
    """The rows as `store_uptime` has them, from a file of this release."""
    file = _read(content)
    exact = _all_exact(file)
    has_ranges = DOUBT_COLUMN in file.column_names
    doubt = file[DOUBT_COLUMN] if has_ranges else np.zeros(len(file), np.int16)
    return pa.table(
        {STORE_KEY: file[STORE_KEY]} | rounded_figures(exact) | exact | {DOUBT_COLUMN: doubt}
    )


def _all_exact(file: pa.Table) -> dict[str, pa.ChunkedArray]:
    """All amounts in microseconds by column name."""
    exact: dict[str, pa.ChunkedArray] = {}
    for amount in AMOUNTS:
        for window in Window:
            exact[amount.column(window)] = _exact(file, amount, window)
    width_us = (file.schema.metadata or {}).get(_WIDTH.encode())
    if width_us is not None:
        for window in Window:
            ends = _ends_from_spread(exact, file, window, int(width_us))
            for amount, end in zip(_RANGE, ends, strict=True):
                own = end - file[_end_column(amount, window)].to_numpy()
                exact[amount.column(window)] = pa.chunked_array([own])
    return exact


def no_rows() -> pa.Table:
    """As `decode_rows`, of no stores."""
    return decode_rows(Part(encode_rows(NO_STORES), pa.array([], pa.string())))


def decode_figures(part: Part) -> pa.Table:
    """As `decode_rows`, with `store_id` and the rounded figures alone."""
    names = pq.read_schema(pa.BufferReader(part.content)).names
    file = _read(part.content, [name for name in names if name in _OF_FIGURES])
    exact = {
        amount.column(window): _exact(file, amount, window)
        for amount in ROUNDED
        for window in Window
    }
    return pa.table({STORE_ID: part.store_ids} | rounded_figures(exact))


def _exact(file: pa.Table, amount: Amount, window: Window) -> pa.ChunkedArray:
    """An amount in microseconds; null where the file lacks it."""
    if amount is DOWNTIME:
        return pc.subtract(_exact(file, BUSINESS, window), _exact(file, UPTIME, window))
    kept = _read_kept(file, amount, window)
    if kept is None:
        return pa.chunked_array([pa.nulls(file.num_rows, pa.int64())])
    whole = _LEFT_OF.get(amount.name)
    return pc.subtract(_exact(file, _BY_NAME[whole], window), kept) if whole else kept


def _read_kept(file: pa.Table, amount: Amount, window: Window) -> pa.ChunkedArray | None:
    """What the file keeps of an amount in microseconds; None where the file lacks it."""
    if window in _SHORTER and _beyond_column(amount, window) in file.column_names:
        beyond = _in_microseconds(file, _beyond_column(amount, window))
        return pc.add(_read_kept(file, amount, _SHORTER[window]), beyond)
    name = _kept_column(amount, window)
    if name not in file.column_names:
        return None
    return _in_microseconds(file, name) if amount in _MOSTLY_LEFT else file[name]


def _in_microseconds(file: pa.Table, name: str) -> pa.ChunkedArray:
    """A column of `_MOSTLY_LEFT`."""
    units: dict[str, int] = json.loads((file.schema.metadata or {}).get(_UNITS.encode(), b"{}"))
    return pc.multiply(pc.fill_null(file[name], 0), units.get(name, 1))
