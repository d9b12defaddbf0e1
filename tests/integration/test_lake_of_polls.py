"""Which version of a lake has the polls: the database names it, in its writer's transaction."""

from dataclasses import replace

import pytest

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.lake_files.data_files import make_bucket
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Manifest, NoLakeError, commit
from storemon_pipeline.polls.lake_of_polls import (
    read_lake_of_polls,
    set_lake_of_polls,
    unset_lake_of_polls,
)


@pytest.fixture
def first(lake: LakeFolder) -> Manifest:
    bucket = make_bucket(lake, "", [], newest_poll_us=None)
    return commit(lake, Manifest(0, 1, 0, "", (bucket,)))


def named(url: str) -> Manifest | None:
    with bulk_transaction(url) as bulk:
        lake = read_lake_of_polls(bulk)
    return None if lake is None else lake.manifest


def test_without_a_row_the_polls_are_in_the_database(database_url: str) -> None:
    assert named(database_url) is None


def test_only_the_version_that_a_transaction_named_counts(
    database_url: str, lake: LakeFolder, first: Manifest
) -> None:
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        set_lake_of_polls(bulk, lake, first.version)
    second = commit(lake, replace(first, load_id=2))
    assert named(database_url) == first
    with bulk_transaction(database_url, is_writing_polls=True, is_kept=False) as bulk:
        assert read_lake_of_polls(bulk) is not None
        set_lake_of_polls(bulk, lake, second.version)
        own = read_lake_of_polls(bulk)
        assert own is not None
        assert own.manifest == second
    assert named(database_url) == first
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        set_lake_of_polls(bulk, lake, second.version)
    assert named(database_url) == second
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        unset_lake_of_polls(bulk)
        assert read_lake_of_polls(bulk) is None
    assert named(database_url) is None


def test_a_snapshot_keeps_to_the_version_that_it_saw(
    database_url: str, lake: LakeFolder, first: Manifest
) -> None:
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        set_lake_of_polls(bulk, lake, first.version)
    with bulk_transaction(database_url) as reader:
        reader.fetch("SELECT 1 AS one")
        with bulk_transaction(database_url, is_writing_polls=True) as bulk:
            set_lake_of_polls(bulk, lake, commit(lake, first).version)
        seen = read_lake_of_polls(reader)
        assert seen is not None
        assert seen.manifest == first


def test_a_version_that_is_gone_is_an_error(
    database_url: str, lake: LakeFolder, first: Manifest
) -> None:
    with bulk_transaction(database_url, is_writing_polls=True) as bulk:
        set_lake_of_polls(bulk, lake, first.version + 1)
    with pytest.raises(NoLakeError, match="no version 2"):
        named(database_url)
