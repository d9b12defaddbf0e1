"""The stores of a group or region."""

import sqlalchemy as sa

from storemon_pipeline.database.tables import store_details, stores


def read_group_store_ids(
    connection: sa.Connection, *, group: str | None, region: str | None
) -> frozenset[str]:
    """The ids of the stores that are now in the group and the region; None means any."""
    return frozenset(
        connection.scalars(
            sa.select(stores.c.store_id)
            .select_from(
                stores.outerjoin(store_details, store_details.c.store_key == stores.c.store_key)
            )
            .where(*_conditions(group, region))
        )
    )


def _conditions(group: str | None, region: str | None) -> list[sa.ColumnElement[bool]]:
    wanted = ((store_details.c.group_name, group), (store_details.c.region, region))
    return [column == value for column, value in wanted if value is not None]
