"""The tables are laid out so that they can be distributed by store."""

import pytest
import sqlalchemy as sa

from storemon_pipeline.database.tables import metadata

ON_EVERY_NODE = {
    "stores",
    "former_stores",
    "closures",
    "objectives",
    "alerts",
    "store_events",
    "corrections",
    "channels",
    "storefronts",
}
"""Tables whose own key is another one: small enough to be copied to every node."""

OF_STORES = [
    table
    for table in metadata.tables.values()
    if "store_key" in table.columns and table.name not in ON_EVERY_NODE
]


def test_there_are_tables_of_stores() -> None:
    assert len(OF_STORES) == 18


@pytest.mark.parametrize("table", OF_STORES, ids=lambda table: table.name)
def test_every_unique_key_of_a_table_of_stores_carries_the_store(table: sa.Table) -> None:
    unique = [
        constraint.columns
        for constraint in table.constraints
        if isinstance(constraint, sa.PrimaryKeyConstraint | sa.UniqueConstraint)
    ] + [index.columns for index in table.indexes if index.unique]
    assert unique
    assert all("store_key" in columns for columns in unique)


def test_no_table_of_stores_refers_to_another_by_a_foreign_key() -> None:
    assert [table.name for table in OF_STORES if table.foreign_keys] == []
