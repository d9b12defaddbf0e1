"""SQL for the rows of any snapshot's table, by what the tables have in common."""

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import metadata
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import IntArray


def from_own_rows(source: Source) -> str:
    """A FROM clause: the rows of a snapshot about the stores in `own`, or about every store.

    The statement defines `own` with a column `store_key`.
    """
    is_own = "store_key IN (SELECT store_key FROM own)"
    if metadata.tables[source.value].c.store_key.nullable:
        is_own = f"(store_key IS NULL OR {is_own})"
    return f"FROM {source.value} WHERE {is_own}"


def load_columns(source: Source) -> list[str]:
    """The columns of a snapshot's table that name a load."""
    names = (column.name for column in metadata.tables[source.value].columns)
    return [name for name in names if name.endswith("load_id")]


def undo_cancellable_rows(bulk: Bulk, load_id: int, source: Source) -> IntArray:
    """Restore the rows that the load cancelled, and delete those that it inserted.

    Returns the keys of the stores of the deleted ones. The source's rows can be cancelled, as
    closures and objectives can.
    """
    bulk.execute(
        f"UPDATE {source} SET cancelled_by_load_id = NULL WHERE cancelled_by_load_id = $1",  # noqa: S608  (a constant)
        (load_id,),
    )
    stores = bulk.fetch(
        f"""
        WITH deleted AS (DELETE FROM {source} WHERE load_id = $1 RETURNING store_key)
        SELECT DISTINCT store_key FROM deleted WHERE store_key IS NOT NULL
        """,  # noqa: S608  (as above)
        (load_id,),
    )
    keys: IntArray = stores["store_key"].to_numpy()
    return keys
