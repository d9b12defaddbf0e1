"""The rows of a complete report, for some of its stores."""

from collections.abc import Collection
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import pyarrow as pa
import sqlalchemy as sa

from storemon_pipeline.database.tables import stores, uptime_report
from storemon_pipeline.domain.amounts import ROUNDED_COLUMNS
from storemon_pipeline.figures.figure_rows import FIGURE_TYPE
from storemon_pipeline.stores.store_keys import all_stores, keys_of


@dataclass(frozen=True, slots=True)
class ReportRows:
    """Ids and the rounded figures by column, shape `(n,)`, in the report's order."""

    store_ids: pa.Array
    figures: dict[str, pa.Array]


def read_report_rows(
    connection: sa.Connection, result_id: int, store_ids: AbstractSet[str]
) -> ReportRows:
    """The rows of those of these stores that the result has."""
    rows = connection.execute(
        sa.select(all_stores.c.store_id, *(uptime_report.c[name] for name in ROUNDED_COLUMNS))
        .select_from(
            uptime_report.join(all_stores, all_stores.c.store_key == uptime_report.c.store_key)
        )
        .where(
            uptime_report.c.result_id == result_id,
            uptime_report.c.store_key.in_(keys_of(store_ids)),
        )
        .order_by(all_stores.c.store_id)
    ).all()
    columns = list(zip(*rows, strict=True)) or [()] * (1 + len(ROUNDED_COLUMNS))
    ids, *figures = columns
    return ReportRows(
        pa.array(ids, pa.string()),
        {
            name: pa.array(values, FIGURE_TYPE)
            for name, values in zip(ROUNDED_COLUMNS, figures, strict=True)
        },
    )


def count_stores(
    connection: sa.Connection, result_ids: Collection[int], store_ids: AbstractSet[str]
) -> dict[int, tuple[int, int]]:
    """How many of these stores have a row in each result, and how many known ones have none."""
    known = (
        sa.select(stores.c.store_key)
        .where(stores.c.store_key.in_(keys_of(store_ids)))
        .cte("known_stores")
    )
    known_count = connection.scalar(sa.select(sa.func.count()).select_from(known)) or 0
    is_known = uptime_report.c.store_key.in_(sa.select(known.c.store_key))
    with_row = connection.execute(
        sa.select(uptime_report.c.result_id, sa.func.count(), sa.func.count().filter(is_known))
        .where(
            uptime_report.c.result_id.in_(result_ids),
            uptime_report.c.store_key.in_(keys_of(store_ids)),
        )
        .group_by(uptime_report.c.result_id)
    ).all()
    counts = dict.fromkeys(result_ids, (0, known_count))
    for result_id, count, of_known in with_row:
        counts[result_id] = count, known_count - of_known
    return counts
