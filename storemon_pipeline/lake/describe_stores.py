"""Bringing what describes stores into a lake that has the polls in place of the database."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Self

import pyarrow as pa

from storemon_pipeline.channels.channel_rule import read_channel_rule
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.figures.data_version import read_input_version
from storemon_pipeline.lake.bucket_ids import BucketIds
from storemon_pipeline.lake.database_rows import (
    read_last_load,
    read_new_loads,
    read_store_rows,
)
from storemon_pipeline.lake.write_bucket import write_store_rows
from storemon_pipeline.lake_files.data_files import make_bucket, newest_poll_us, timed
from storemon_pipeline.lake_files.divide_bucket import STORES_PER_BUCKET, divide_bucket
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import Bucket, Manifest, commit_free, read_contents
from storemon_pipeline.polls.lake_of_polls import (
    LakeOfPolls,
    read_lake_of_polls,
    set_lake_of_polls,
)
from storemon_pipeline.stores.store_index import StoreIndex


class LakeDiffersError(Exception):
    """The lake is not what the database says, or cannot be; `str()` says why."""

    @classmethod
    def of(cls, lake: LakeFolder, what: str, stores: StoreIndex) -> Self:
        """In what rows they differ, of a bucket with these stores."""
        first = str(stores.store_ids[0]) if len(stores) else ""
        return cls(
            f"The lake {lake} stays as it was: {what} that were read back, of the stores from "
            f"{first!r} on, are not those of the database."
        )


def describe_stores(url: str, lake: LakeFolder) -> Manifest | None:
    """The version of the lake that has the polls, after all that was loaded about its stores.

    None when the database has the polls. When anything but polls was loaded, all that describes
    stores is copied again. Raises LakeDiffersError when another lake has the polls.
    """
    with bulk_transaction(url) as bulk:
        own = _read_own(bulk, lake)
        if own is None or own.manifest.data_version == read_input_version(bulk):
            return None if own is None else own.manifest
        # Loads need not wait for this.
        ahead = _describe(bulk, own, _NOTHING)
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        own = _read_own(bulk, lake)
        return None if own is None else _commit(bulk, own, _describe(bulk, own, ahead))


@dataclass(frozen=True, slots=True)
class _Described:
    """What describes stores in a state of the database, as buckets that no version names yet.

    `buckets` are by the contents of the bucket that they take the place of.
    """

    last_load_id: int
    data_version: str
    buckets: Mapping[str, Sequence[Bucket]]


_NOTHING: Final = _Described(0, "", {})


def _read_own(bulk: Bulk, lake: LakeFolder) -> LakeOfPolls | None:
    own = read_lake_of_polls(bulk)
    if own is not None and str(own.folder) != str(lake):
        raise LakeDiffersError(
            f"The polls are in the lake {own.folder}: set STOREMON_LAKE to it, in place of {lake}."
        )
    return own


def _describe(bulk: Bulk, lake: LakeOfPolls, ahead: _Described) -> _Described:
    """All buckets that have to be described anew; those described ahead are not made again."""
    version = read_input_version(bulk)
    if _has_more_than_polls(bulk, ahead.last_load_id, ahead.data_version, version):
        ahead = _NOTHING
    manifest = lake.manifest
    described: dict[str, Sequence[Bucket]] = {}
    if _has_more_than_polls(bulk, manifest.load_id, manifest.data_version, version):
        own = manifest.buckets or (make_bucket(lake.folder, "", [], newest_poll_us=None),)
        chunks = BucketIds.read(bulk).by_bucket(replace(manifest, buckets=own))
        for bucket, ids in zip(own, chunks, strict=True):
            made = ahead.buckets.get(bucket.contents)
            described[bucket.contents] = made or _described(bulk, lake.folder, bucket, ids)
    return _Described(read_last_load(bulk), version, described)


def _has_more_than_polls(bulk: Bulk, load_id: int, data_version: str, version: str) -> bool:
    """Whether more than polls came since a load: others, weeks of stores, rules of zones."""
    loads = read_new_loads(bulk, load_id)
    return (
        not loads.is_only_polls
        or loads.has_undo
        or version.split("/")[1:] != data_version.split("/")[1:]
    )


def _commit(bulk: Bulk, lake: LakeOfPolls, described: _Described) -> Manifest:
    """The next version has the described buckets, and counts from now on."""
    made: list[Bucket] = []
    for bucket in lake.manifest.buckets:
        made += described.buckets.get(bucket.contents, [bucket])
    if not lake.manifest.buckets:
        made = [bucket for buckets in described.buckets.values() for bucket in buckets]
    manifest = commit_free(
        lake.folder,
        replace(
            lake.manifest,
            buckets=tuple(made),
            load_id=described.last_load_id,
            data_version=described.data_version,
            channel_rule=read_channel_rule(bulk),
        ),
    )
    set_lake_of_polls(bulk, lake.folder, manifest.version)
    return manifest


def _described(bulk: Bulk, lake: LakeFolder, bucket: Bucket, ids: BucketIds) -> list[Bucket]:
    """The bucket with all that the database says of its stores; several, if it has too many."""
    parts = [bucket]
    if len(ids.polled) > 2 * STORES_PER_BUCKET:
        rows = pa.table({"store_key": ids.polled.store_keys, "store_id": ids.polled.store_ids})
        parts = divide_bucket(lake, bucket, stores_per_bucket=STORES_PER_BUCKET, stores=rows)
    chunks = [ids] if len(parts) == 1 else list(ids.chunks(STORES_PER_BUCKET))
    described = []
    for part, chunk in zip(parts, chunks, strict=True):
        own = timed(read_contents(lake, part))
        files = [*write_store_rows(lake, read_store_rows(bulk, chunk)), *own]
        described.append(
            make_bucket(lake, part.first_store_id, files, newest_poll_us=newest_poll_us(own))
        )
    return described


def refuse_lake_of_polls(bulk: Bulk) -> None:
    """Raise LakeDiffersError if a lake has the polls, which cannot be copied from the database."""
    own = read_lake_of_polls(bulk)
    if own is not None:
        raise LakeDiffersError(f"The polls are in the lake {own.folder} already.")
