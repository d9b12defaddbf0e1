"""SQL for the rows of any snapshot's table, by what the tables have in common."""

from storemon_pipeline.database.tables import metadata
from storemon_pipeline.domain.sources import Source


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
