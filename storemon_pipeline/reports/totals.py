"""Sums of the rows of a report, by group or region."""

from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

import sqlalchemy as sa

from storemon_pipeline.database.tables import store_details, uptime_report
from storemon_pipeline.domain.amounts import AMOUNTS
from storemon_pipeline.domain.windows import Window
from storemon_pipeline.figures.daily_sums import Split
from storemon_pipeline.stores.store_keys import keys_of

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


def read_report_totals(
    connection: sa.Connection,
    result_id: int,
    *,
    split: Split | None,
    store_ids: AbstractSet[str] | None,
) -> list[ReportTotal]:
    """The sums by name of the group, None last; with `store_ids` only of these stores."""
    name: sa.ColumnElement[str | None] = sa.cast(sa.null(), sa.Text)
    if split is not None:
        name = store_details.c.group_name if split is Split.GROUP else store_details.c.region
    query = (
        sa.select(
            name.label("name"),
            sa.func.count(),
            *(sa.cast(sa.func.sum(uptime_report.c[column]), sa.BigInteger) for column in _SUMMED),
        )
        .select_from(
            uptime_report.outerjoin(
                store_details, store_details.c.store_key == uptime_report.c.store_key
            )
        )
        .where(uptime_report.c.result_id == result_id)
        .group_by(sa.text("1"))
        .order_by(sa.text("1 NULLS LAST"))
    )
    if store_ids is not None:
        query = query.where(uptime_report.c.store_key.in_(keys_of(store_ids)))
    return [
        ReportTotal(row[0], row[1], dict(zip(_SUMMED, row[2:], strict=True)))
        for row in connection.execute(query)
    ]
