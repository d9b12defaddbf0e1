"""Sums of the rows of a report, by group or region."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from storemon_pipeline.database.tables import store_details
from storemon_pipeline.domain.amounts import (
    AMOUNTS,
    BUSINESS,
    DOUBT_COLUMN,
    LIKELY_HIGHEST,
    LIKELY_LOWEST,
    UPTIME,
    spread_column,
)
from storemon_pipeline.domain.windows import IntArray, Window
from storemon_pipeline.fleet_days.daily_sums import Split
from storemon_pipeline.likelihood.doubts import doubts_of_totals
from storemon_pipeline.likelihood.likely_figures import ranges_of_sums, squares
from storemon_pipeline.reports.columns import STORE_ID, decode_rows
from storemon_pipeline.reports.rows import only, read_parts
from storemon_pipeline.stores.store_keys import all_stores

_SUMMED: Final = tuple(
    amount.column(window) for amount in AMOUNTS if amount.is_additive for window in Window
)


@dataclass(frozen=True, slots=True)
class ReportTotal:
    """The sums of the rows of one group or region; `amounts` are by column.

    Amounts that cannot be summed are left out.
    """

    name: str | None
    stores: int
    amounts: dict[str, int | None]
    likely: dict[str, int | None]
    """The likely range by column; None without one."""
    doubt: int
    """Why the likely range is not to be trusted."""


@dataclass(frozen=True, slots=True)
class _Names:
    """The names of groups or regions in order, and the place of each store's name in it."""

    names: list[str]
    store_ids: pa.Array
    places: pa.Array


def read_report_totals(
    connection: sa.Connection,
    result_id: int,
    *,
    split: Split | None,
    store_ids: AbstractSet[str] | None,
) -> list[ReportTotal]:
    """The sums by name of the group, None last; with `store_ids` only of these stores."""
    names = _read_names(connection, split)
    # Summed part by part, so that only one part is in memory.
    sums, places, doubts = [], [], []
    for part in read_parts(connection, result_id, store_ids):
        rows_of_part = only(decode_rows(part), store_ids)
        place = _places(rows_of_part, names)
        sums.append(_sums(rows_of_part, place))
        places.append(place.to_numpy())
        doubts.append(_doubts(rows_of_part))
    if not sums:
        return []
    rows = _sum_by_place(pa.concat_tables(sums)).sort_by("place").to_pylist()
    doubt = doubts_of_totals(
        np.concatenate(doubts), np.concatenate(places), len(names.names) + 1
    ).tolist()
    return [
        ReportTotal(
            names.names[row["place"]] if row["place"] < len(names.names) else None,
            row["stores"],
            {column: row[column] for column in _SUMMED},
            _likely(row),
            doubt[row["place"]],
        )
        for row in rows
    ]


def _likely(row: dict[str, Any]) -> dict[str, int | None]:
    """The likely range of a total, by column, from the sums over its rows."""
    columns = [(LIKELY_LOWEST.column(window), LIKELY_HIGHEST.column(window)) for window in Window]
    if row[_squares_column(Window.WEEK)] is None:
        return {column: None for both in columns for column in both}
    limits = ranges_of_sums(
        *(
            np.array([row[name(window)] for window in Window])
            for name in (_squares_column, _apart_column, _reach_column)
        ),
        uptime_us=np.array([row[UPTIME.column(window)] for window in Window]),
        business_us=np.array([row[BUSINESS.column(window)] for window in Window]),
    )
    return {
        column: int(limit)
        for both, pair in zip(columns, zip(*limits, strict=True), strict=True)
        for column, limit in zip(both, pair, strict=True)
    }


def _squares_column(window: Window) -> str:
    return f"squares_last_{window}"


def _apart_column(window: Window) -> str:
    return spread_column("apart", window)


def _reach_column(window: Window) -> str:
    return spread_column("reach", window)


_SPREAD: Final = tuple(
    name(window) for name in (_squares_column, _apart_column, _reach_column) for window in Window
)


def _spread(rows: pa.Table) -> dict[str, pa.Array]:
    """What the likely ranges of totals are made of, by column; null in results without ranges."""
    if _apart_column(Window.WEEK) not in rows.column_names:
        return dict.fromkeys(_SPREAD, pa.nulls(rows.num_rows, pa.int64()))
    of_squares = {
        _squares_column(window): pa.array(
            squares(
                rows[_apart_column(window)].to_numpy(),
                rows[spread_column("deviation", window)].to_numpy(),
            )
        )
        for window in Window
    }
    others = [name(window) for name in (_apart_column, _reach_column) for window in Window]
    return of_squares | {name: rows[name].cast(pa.int64()) for name in others}


def _read_names(connection: sa.Connection, split: Split | None) -> _Names:
    if split is None:
        return _Names([], pa.array([], pa.string()), pa.array([], pa.int64()))
    name = store_details.c.group_name if split is Split.GROUP else store_details.c.region
    rows = connection.execute(
        sa.select(all_stores.c.store_id, name)
        .select_from(
            store_details.join(all_stores, all_stores.c.store_key == store_details.c.store_key)
        )
        .where(name.is_not(None))
        .order_by(name)
    ).all()
    places = {row[1]: None for row in rows}
    number = {text: place for place, text in enumerate(places)}
    return _Names(
        list(places),
        pa.array([row[0] for row in rows], pa.string()),
        pa.array([number[row[1]] for row in rows], pa.int64()),
    )


def _places(rows: pa.Table, names: _Names) -> pa.ChunkedArray:
    """The place of the name of each row; those without a name come last."""
    place = names.places.take(pc.index_in(rows[STORE_ID], value_set=names.store_ids))
    return pc.fill_null(place, len(names.names))


def _doubts(rows: pa.Table) -> IntArray:
    """The doubts about each row; none in results without ranges."""
    if DOUBT_COLUMN not in rows.column_names:
        return np.zeros(rows.num_rows, np.int64)
    doubts: IntArray = rows[DOUBT_COLUMN].to_numpy().astype(np.int64)
    return doubts


def _sums(rows: pa.Table, place: pa.ChunkedArray) -> pa.Table:
    """The sums of the rows by the place of their names."""
    summed = {name: rows[name] for name in _SUMMED} | _spread(rows)
    return _sum_by_place(
        pa.table(
            summed
            | {
                "place": place,
                "stores": pa.array(np.ones(rows.num_rows, np.int64)),
            }
        )
    )


def _sum_by_place(rows: pa.Table) -> pa.Table:
    columns = ["stores", *_SUMMED, *_SPREAD]
    sums = rows.group_by("place").aggregate([(name, "sum") for name in columns])
    return sums.rename_columns({f"{name}_sum": name for name in columns})
