"""The lake that has all polls and status runs in place of the database, and which version counts.

PostgreSQL names the version in one row. So it is changed in the transaction that belongs to it: a
version that no transaction has named does not count, even if it is the newest one.
"""

from dataclasses import dataclass
from functools import lru_cache

import sqlalchemy as sa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.tables import lake_of_polls
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Manifest, read_manifest


@dataclass(frozen=True, slots=True)
class LakeOfPolls:
    """A lake, and the version of it that has the polls."""

    folder: LakeFolder
    manifest: Manifest


def read_lake_of_polls(bulk: Bulk) -> LakeOfPolls | None:
    """Where the polls are in the transaction's snapshot; None: in the database.

    It is read once per transaction, and each manifest once per process. Raises NoLakeError and
    UnreachableError.
    """
    place_and_version = bulk.once(_read_row)
    return None if place_and_version is None else _open_version(*place_and_version)


def has_lake_of_polls(connection: sa.Connection) -> bool:
    """Whether a lake has the polls in place of the database."""
    return connection.scalar(sa.select(lake_of_polls.c.version)) is not None


def set_lake_of_polls(bulk: Bulk, lake: LakeFolder, version: int) -> None:
    """From this transaction on, this version of the lake has the polls.

    The transaction holds the lock of writers of polls.
    """
    bulk.execute(
        """
        INSERT INTO lake_of_polls (place, version) VALUES ($1, $2)
        ON CONFLICT (is_only_row) DO UPDATE
        SET place = excluded.place, version = excluded.version
        """,
        (str(lake), version),
    )
    bulk.forget(_read_row)


def unset_lake_of_polls(bulk: Bulk) -> None:
    """From this transaction on the database has the polls. It holds the lock of their writers."""
    bulk.execute("DELETE FROM lake_of_polls")
    bulk.forget(_read_row)


def _read_row(bulk: Bulk) -> tuple[str, int] | None:
    rows = bulk.fetch("SELECT place, version FROM lake_of_polls").to_pylist()
    return (rows[0]["place"], rows[0]["version"]) if rows else None


@lru_cache(maxsize=4)
def _open_version(place: str, version: int) -> LakeOfPolls:
    """A version never changes, so it is read once."""
    lake = LakeFolder(place)
    return LakeOfPolls(lake, read_manifest(lake, version))
