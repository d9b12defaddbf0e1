"""Sums of the rows of a report, by group or region."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sqlalchemy as sa

from storemon_pipeline.database.tables import store_details
from storemon_pipeline.domain.amounts import AMOUNTS
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.figures.daily_sums import Split
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
    amounts: dict[str, int]


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
    sums = [
        _sums(only(decode_rows(part), store_ids), names)
        for part in read_parts(connection, result_id, store_ids)
    ]
    if not sums:
        return []
    rows = _sum_by_place(pa.concat_tables(sums)).sort_by("place").to_pylist()
    return [
        ReportTotal(
            names.names[row["place"]] if row["place"] < len(names.names) else None,
            row["stores"],
            {column: row[column] for column in _SUMMED},
        )
        for row in rows
    ]


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


def _sums(rows: pa.Table, names: _Names) -> pa.Table:
    """The sums of the rows by the place of their names; those without a name come last."""
    place = names.places.take(pc.index_in(rows[STORE_ID], value_set=names.store_ids))
    return _sum_by_place(
        rows.select(_SUMMED)
        .append_column("place", pc.fill_null(place, len(names.names)))
        .append_column("stores", pa.array(np.ones(rows.num_rows, np.int64)))
    )


def _sum_by_place(rows: pa.Table) -> pa.Table:
    columns = ["stores", *_SUMMED]
    sums = rows.group_by("place").aggregate([(name, "sum") for name in columns])
    return sums.rename_columns({f"{name}_sum": name for name in columns})
