"""The table `source_looks`: the last successful check of the files of each source."""

from datetime import datetime

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.domain.sources import Source


def record_check(bulk: Bulk, source: Source, checked_at: datetime) -> None:
    """Record a check of a source, whether its files had changed or not."""
    bulk.execute(
        """
        INSERT INTO source_looks (source, looked_at) VALUES ($1, $2)
        ON CONFLICT (source) DO UPDATE
        SET looked_at = greatest(source_looks.looked_at, excluded.looked_at)
        """,
        (source.value, checked_at),
    )


def renew_check(bulk: Bulk, source: Source, checked_at: datetime) -> None:
    """Record a check of an optional source without files, if it was ever checked before."""
    bulk.execute(
        "UPDATE source_looks SET looked_at = greatest(looked_at, $2) WHERE source = $1",
        (source.value, checked_at),
    )


def has_been_checked(bulk: Bulk, source: Source) -> bool:
    """Whether the files of a source were ever checked with success."""
    return bool(
        bulk.scalar(
            "SELECT EXISTS (SELECT FROM source_looks WHERE source = $1) AS is_known",
            (source.value,),
        )
    )
