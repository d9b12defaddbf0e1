"""Bringing the lake to the state of the database: all of it, or what has changed since."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Final

import numpy as np
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.figures.data_version import read_input_version
from storemon_pipeline.lake.append_polls import LatePollsError, append_polls
from storemon_pipeline.lake.data_files import (
    PollRows,
    make_bucket,
    of_stores,
    read_kind,
    read_polls,
    read_status_runs,
    timed,
    write_polls,
)
from storemon_pipeline.lake.database_rows import (
    Counts,
    NewLoads,
    count_rows,
    read_all_status_runs,
    read_first_kept_week,
    read_last_load,
    read_new_loads,
    read_polls_by_week,
    read_store_rows,
)
from storemon_pipeline.lake.lake_folder import LakeFolder
from storemon_pipeline.lake.manifest import (
    Bucket,
    DataFile,
    Kind,
    LakeChangedError,
    Manifest,
    NoLakeError,
    commit,
    newest_version,
    read_contents,
    read_manifest,
)
from storemon_pipeline.lake.write_bucket import (
    store_tables,
    write_all_status_runs,
    write_store_rows,
)
from storemon_pipeline.stores.store_index import StoreIndex, has_storefronts, read_stores

STORES_PER_BUCKET: Final = 50_000
"""The figures of a bucket take about 150 MB of memory, and its files some megabytes each."""

_TRIES: Final = 5


class LakeDiffersError(Exception):
    """What was read back from the lake is not what the database holds."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The version that an import made, and the rows of the database that it was compared with."""

    manifest: Manifest
    database: Counts


def import_database(
    url: str, lake: LakeFolder, *, stores_per_bucket: int = STORES_PER_BUCKET
) -> Imported:
    """Copy all of the database into a new version of the lake, and compare both.

    Both are of one snapshot of the database. Every file is read back. Raises LakeDiffersError and
    LakeChangedError; then the lake has the version that it had before.
    """
    base = newest_version(lake)
    with bulk_transaction(url) as bulk:
        _refuse_storefronts(bulk)
        stores = read_stores(bulk)
        buckets = [
            _import_bucket(bulk, lake, chunk, first_store_id=_first_id(chunk, number))
            for number, chunk in enumerate(stores.chunks(stores_per_bucket))
        ]
        manifest = Manifest(
            base,
            read_max_gap_us(bulk),
            read_last_load(bulk),
            read_input_version(bulk),
            tuple(buckets),
        )
        database = count_rows(bulk)
    of_lake = Counts(manifest.stores, manifest.polls, manifest.status_runs)
    if of_lake != database:
        raise LakeDiffersError(f"the lake has {of_lake}, the database {database}")
    return Imported(commit(lake, manifest), database)


def refresh_lake(
    url: str, lake: LakeFolder, *, stores_per_bucket: int = STORES_PER_BUCKET
) -> Manifest:
    """The version of the lake that has everything that the database has now.

    Polls that are later than all of their store are appended. A bucket with other polls has its
    polls and status runs copied again. When anything but polls was loaded, all that describes the
    stores is copied again. Without changes there is no new version.
    """
    for _ in range(_TRIES):
        with suppress(LakeChangedError):
            return _refresh(url, lake, stores_per_bucket)
    raise LakeChangedError(f"other writers changed the lake {lake} {_TRIES} times meanwhile")


def _refuse_storefronts(bulk: Bulk) -> None:
    if has_storefronts(bulk):
        raise LakeDiffersError(
            "a lake cannot hold storefronts, and channels.csv names some: unset STOREMON_LAKE"
        )


def _refresh(url: str, lake: LakeFolder, stores_per_bucket: int) -> Manifest:
    try:
        manifest = read_manifest(lake)
    except NoLakeError:
        if newest_version(lake):
            raise
        return import_database(url, lake, stores_per_bucket=stores_per_bucket).manifest
    with bulk_transaction(url) as bulk:
        _refuse_storefronts(bulk)
        version = read_input_version(bulk)
        if version == manifest.data_version:
            return manifest
        changes = _Changes(
            bulk,
            lake,
            manifest,
            read_new_loads(bulk, manifest.load_id),
            # The weeks of the stores, or the rules of zones.
            is_described_anew=version.split("/")[1:] != manifest.data_version.split("/")[1:],
        )
        stores = read_stores(bulk)
        largest = max(map(len, _by_bucket(manifest, stores)))
        changed = {} if largest > 2 * stores_per_bucket else dict(changes.buckets(stores))
    if largest > 2 * stores_per_bucket:
        # Many stores came: all are divided into buckets again.
        return import_database(url, lake, stores_per_bucket=stores_per_bucket).manifest
    return commit(
        lake,
        replace(
            manifest.with_buckets(changed),
            load_id=changes.loads.last_load_id,
            data_version=version,
        ),
    )


@dataclass(frozen=True, slots=True)
class _Changes:
    """What came into the database since a version of the lake."""

    bulk: Bulk
    lake: LakeFolder
    manifest: Manifest
    loads: NewLoads
    is_described_anew: bool

    def buckets(self, stores: StoreIndex) -> Iterator[tuple[int, Bucket]]:
        """The buckets that change, by number."""
        chunks = _by_bucket(self.manifest, stores)
        bucket_of_key = np.zeros(int(stores.store_keys.max(initial=0)) + 1, np.int64)
        for number, chunk in enumerate(chunks):
            bucket_of_key[chunk.store_keys] = number
        of_poll = bucket_of_key[self.loads.polls.store_key]
        for number, (own, chunk) in enumerate(zip(self.manifest.buckets, chunks, strict=True)):
            polls = self.loads.polls.take(of_poll == number)
            made = self._bucket(own, chunk, polls)
            if made is not None:
                yield number, made

    def _bucket(self, own: Bucket, stores: StoreIndex, polls: PollRows) -> Bucket | None:
        """The bucket after the changes; None without any."""
        is_described_anew = (
            self.is_described_anew
            or not self.loads.is_only_polls
            or self.loads.has_undo
            or len(stores) != own.stores
        )
        if not (is_described_anew or len(polls)):
            return None
        files = read_contents(self.lake, own)
        if is_described_anew:
            described = write_store_rows(self.lake, read_store_rows(self.bulk, stores))
            files = [*described, *timed(files)]
        newest_us = own.newest_poll_us
        if self.loads.has_undo:
            files, newest_us = self._copied_again(files, stores)
        elif len(polls):
            try:
                files = append_polls(self.lake, files, polls, max_gap_us=self.manifest.max_gap_us)
                newest_us = _newest(newest_us, int(polls.at_us.max()))
            except LatePollsError:
                files, newest_us = self._copied_again(files, stores)
        return make_bucket(self.lake, own.first_store_id, files, newest_poll_us=newest_us)

    def _copied_again(
        self, files: list[DataFile], stores: StoreIndex
    ) -> tuple[list[DataFile], int | None]:
        """The files with polls and status runs as the database has them.

        Polls of weeks that the database has dropped stay: they cannot change any more.
        """
        copied, newest_us = _copy_polls(self.bulk, self.lake, stores)
        border = read_first_kept_week(self.bulk)
        if border is not None:
            old = [
                file
                for file in files
                if file.kind is Kind.POLLS and file.first_us < microseconds(border)
            ]
            polls = read_polls(self.lake, old)
            polls = polls.take(polls.at_us < microseconds(border)).in_order()
            if len(polls):
                copied.append(write_polls(self.lake, polls, level=2))
        return [*of_stores(files), *copied], newest_us


def _newest(one: int | None, other: int) -> int:
    return other if one is None else max(one, other)


def _by_bucket(manifest: Manifest, stores: StoreIndex) -> list[StoreIndex]:
    """The stores of each bucket; the first one also takes those before its beginning."""
    ids = np.array(stores.store_ids.cast(pa.binary()).to_pylist(), object)
    firsts = np.array([one.first_store_id.encode() for one in manifest.buckets[1:]], object)
    edges = [0, *np.searchsorted(ids, firsts).tolist(), len(ids)]
    return [
        StoreIndex(
            stores.store_ids[first:end],
            stores.store_keys[first:end],
            is_whole=stores.is_whole and len(edges) == 2,  # noqa: PLR2004  (one bucket)
            is_range=True,
        )
        for first, end in pairwise(edges)
    ]


def _first_id(stores: StoreIndex, number: int) -> str:
    """The first id of a bucket: the first bucket takes all before it."""
    return "" if number == 0 else str(stores.store_ids[0])


def _import_bucket(
    bulk: Bulk, lake: LakeFolder, stores: StoreIndex, *, first_store_id: str
) -> Bucket:
    rows = read_store_rows(bulk, stores)
    described = write_store_rows(lake, rows)
    for kind, table in store_tables(rows).items():
        if not read_kind(lake, described, kind).equals(
            table.cast(read_kind(lake, [], kind).schema)
        ):
            raise LakeDiffersError(f"{kind} of the bucket from {first_store_id!r} on")
    copied, newest_us = _copy_polls(bulk, lake, stores)
    return make_bucket(lake, first_store_id, [*described, *copied], newest_poll_us=newest_us)


def _copy_polls(
    bulk: Bulk, lake: LakeFolder, stores: StoreIndex
) -> tuple[list[DataFile], int | None]:
    """Copy the polls and status runs of stores; return the files and the newest poll."""
    status_runs = read_all_status_runs(bulk, stores)
    files = write_all_status_runs(lake, status_runs)
    kept = read_status_runs(lake, files).in_order()
    for name in ("store", "first_poll_us", "last_poll_us", "is_active", "polls"):
        if not np.array_equal(getattr(kept, name), getattr(status_runs, name)):
            raise LakeDiffersError(f"{name} of status runs from store {_name(stores)} on")
    for polls in read_polls_by_week(bulk, stores):
        file = write_polls(lake, polls, level=2)
        files.append(file)
        back = read_polls(lake, [file])
        if not all(
            np.array_equal(getattr(back, name), getattr(polls, name))
            for name in ("store_key", "at_us", "is_active")
        ):
            raise LakeDiffersError(f"polls from store {_name(stores)} on")
    newest: IntArray = status_runs.last_poll_us
    return files, int(newest.max()) if len(newest) else None


def _name(stores: StoreIndex) -> str:
    return str(stores.store_ids[0]) if len(stores) else "(none)"
