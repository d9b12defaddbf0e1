"""Writing polls and status runs into the lake that has them in place of the database.

Files are written first, then the manifest of a new version. It counts once the caller's transaction
is committed, because that names the version. The transaction holds the lock of writers of polls.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import instant, microseconds, timestamps
from storemon_pipeline.database.overlap import results_in_order
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.lake_files.append_polls import LatePollsError, append_polls, begin_appending
from storemon_pipeline.lake_files.data_files import (
    NO_POLLS,
    PollRows,
    make_bucket,
    newest_poll_us,
    of_kind,
    read_kind,
    read_polls,
    read_status_runs,
    write_file,
)
from storemon_pipeline.lake_files.divide_bucket import STORES_PER_BUCKET, divide_bucket
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import (
    Bucket,
    DataFile,
    Kind,
    Manifest,
    commit_free,
    read_contents,
)
from storemon_pipeline.lake_files.rewrite_bucket import PollChanges, read_since, rewrite_bucket
from storemon_pipeline.loads.load_log import Load, RowCounts
from storemon_pipeline.polls.arrivals.compare_arrivals import compare_arrivals
from storemon_pipeline.polls.arrivals.poll_changes import (
    NO_REGION,
    KnownPolls,
    PollBatch,
    Region,
    UndonePolls,
    cut_off,
    distinct,
    earliest_of_stores,
    late_stores,
    status_runs_around,
    status_runs_without,
)
from storemon_pipeline.polls.lake_of_polls import LakeOfPolls, set_lake_of_polls
from storemon_pipeline.stores.store_index import has_storefronts
from storemon_pipeline.uptime.status_runs import StatusRuns

_THREADS: Final = 2
"""Buckets that are written at once. Arrow and NumPy leave the interpreter to each other."""

_BUCKETS_AHEAD: Final = 8
"""Meanwhile the files of the next ones are read: less than a megabyte each."""


@dataclass(frozen=True, slots=True)
class NamedStores:
    """Stores by their keys, shape `(n,)`, and the ids that polls named them by."""

    keys: IntArray
    store_ids: npt.NDArray[np.object_]

    def in_order(self) -> "NamedStores":
        """The stores sorted by key."""
        order = np.argsort(self.keys)
        return NamedStores(self.keys[order], self.store_ids[order])

    def ids_of(self, keys: IntArray) -> pa.Array:
        """The ids of these stores, of stores in order."""
        return pa.array(self.store_ids[np.searchsorted(self.keys, keys)], pa.string())


def load_into_lake(
    bulk: Bulk,
    lake: LakeOfPolls,
    load: Load,
    batch: PollBatch,
    named: NamedStores,
    *,
    max_gap_us: int,
) -> RowCounts:
    """Write a batch of polls into the next version of the lake, which counts from now on.

    `named` are the stores of the batch. Buckets whose stores have only later polls get them
    appended, several at once; in the others late and changed polls are merged.
    """
    if not lake.manifest.buckets:
        first = make_bucket(lake.folder, "", [], newest_poll_us=None)
        lake = replace(lake, manifest=replace(lake.manifest, buckets=(first,)))
    named = named.in_order()
    parts = dict(_by_bucket(lake.manifest, batch, named))
    with lake.folder.concurrently() as folder:
        writer = _BucketWriter(
            folder, load.load_id, named, _storefronts_among(bulk, named), max_gap_us
        )
        own = [lake.manifest.buckets[number] for number in parts]
        opened = results_in_order(partial(begin_appending, folder), own, at_once=_BUCKETS_AHEAD)
        appended = results_in_order(
            partial(_append, writer),
            zip(own, opened, parts.values(), strict=True),
            at_once=_THREADS,
        )
        changed = {
            number: bucket
            for number, bucket in zip(parts, appended, strict=True)
            if bucket is not None
        }
        counts = RowCounts(sum(len(parts[number].store) for number in changed), 0, 0, 0)
        for number, part in parts.items():
            if number not in changed:
                bucket = lake.manifest.buckets[number]
                changed[number], merged = _merge(bulk, writer, load, bucket, part)
                counts += merged
    _commit(bulk, lake, changed)
    return counts


def undo_in_lake(bulk: Bulk, lake: LakeOfPolls, load_id: int, *, max_gap_us: int) -> UndonePolls:
    """Undo the polls of a load, in the next version of the lake, which counts from now on.

    Polls that the load replaced are restored from `superseded_polls`.
    """
    changed: dict[int, Bucket] = {}
    removed = 0
    stores = []
    for number, files, owned in _owned_polls(bulk, lake, load_id):
        gone, back = _split_by_superseded(bulk, owned)
        removed += len(gone)
        stores += [gone.store_key, back.store_key]
        gone_batch, back_batch = _to_batch(gone), _to_batch(back)
        region = _read_region(
            lake.folder, files, *earliest_of_stores(gone_batch, back_batch), max_gap_us=max_gap_us
        )
        after = status_runs_without(region, gone_batch, back_batch, max_gap_us=max_gap_us)
        rewritten = rewrite_bucket(
            lake.folder,
            files,
            PollChanges(NO_POLLS, back, gone),
            old=region.status_runs,
            new=after,
        )
        changed[number] = make_bucket(
            lake.folder,
            lake.manifest.buckets[number].first_store_id,
            rewritten,
            newest_poll_us=newest_poll_us(rewritten),
        )
    replaced = bulk.fetch(
        "DELETE FROM superseded_polls WHERE load_id = $1 RETURNING store_key", (load_id,)
    )
    if changed:
        _commit(bulk, lake, changed)
    named = np.unique(np.concatenate([*stores, replaced["store_key"].to_numpy()]))
    return UndonePolls(removed, named)


@dataclass(frozen=True, slots=True)
class _BucketWriter:
    """What writes the polls of a load into buckets. `named` are its stores in order of keys.

    `fronts` are the keys of those that are storefronts and no stores.
    """

    lake: LakeFolder
    load_id: int
    named: NamedStores
    fronts: IntArray
    max_gap_us: int

    def open(self, files: list[DataFile], stores: IntArray) -> tuple[list[DataFile], StatusRuns]:
        """The files of the bucket, which knows these stores, and the last status runs of all."""
        last = read_status_runs(self.lake, of_kind(files, Kind.LAST_STATUS_RUNS))
        first_polled = np.setdiff1d(stores, last.store, assume_unique=True)
        if len(first_polled):
            files = self._with_stores(files, first_polled)
        return files, last

    def _with_stores(self, files: list[DataFile], keys: IntArray) -> list[DataFile]:
        is_front = np.isin(keys, self.fronts)
        for kind, own in ((Kind.STORES, keys[~is_front]), (Kind.STOREFRONT_IDS, keys[is_front])):
            known = read_kind(self.lake, files, kind)
            new = np.setdiff1d(own, known["store_key"].to_numpy(), assume_unique=True)
            if len(new):
                rows = {"store_key": new.astype(np.int32), "store_id": self.named.ids_of(new)}
                ids = pa.concat_tables([known, pa.table(rows)]).sort_by("store_id")
                others = [file for file in files if file.kind is not kind]
                files = [write_file(self.lake, kind, ids), *others]
        return files

    def close(self, bucket: Bucket, files: Sequence[DataFile]) -> Bucket:
        """The bucket with these files."""
        newest_us = newest_poll_us(files)
        return make_bucket(self.lake, bucket.first_store_id, files, newest_poll_us=newest_us)

    def rows(self, polls: PollBatch) -> PollRows:
        """Polls as rows of this load."""
        load_id = np.full(len(polls.store), self.load_id)
        return PollRows(polls.store, polls.polled_at_us, polls.is_active, load_id)


def _storefronts_among(bulk: Bulk, named: NamedStores) -> IntArray:
    """The keys of those that are storefronts and no stores."""
    if not has_storefronts(bulk):
        return np.empty(0, np.int64)
    rows = bulk.fetch(
        """
        SELECT storefront_key FROM storefronts
        WHERE storefront_key <> store_key AND storefront_key = ANY ($1)
        """,
        (named.keys.tolist(),),
    )
    keys: IntArray = rows["storefront_key"].to_numpy()
    return keys


def _by_bucket(
    manifest: Manifest, batch: PollBatch, named: NamedStores
) -> Iterator[tuple[int, PollBatch]]:
    """The polls of each bucket that has any, by its number."""
    number = manifest.buckets_of(named.store_ids).astype(np.uint16)
    of_poll = number[np.searchsorted(named.keys, batch.store)]
    order = np.argsort(of_poll, kind="stable")
    edges = np.flatnonzero(np.diff(of_poll[order].astype(np.int64), prepend=-1))
    for first, end in zip(edges, np.append(edges[1:], len(order)), strict=True):
        which = order[first:end]
        yield int(of_poll[which[0]]), batch.take(which)


def _append(
    writer: _BucketWriter, opened: tuple[Bucket, list[DataFile], PollBatch]
) -> Bucket | None:
    """The bucket with these polls; None if some are not later than all others of their store."""
    bucket, files, polls = opened
    files, last = writer.open(files, distinct(polls.store))
    rows = writer.rows(polls)
    try:
        files = append_polls(writer.lake, files, rows, last=last, max_gap_us=writer.max_gap_us)
    except LatePollsError:
        return None
    return writer.close(bucket, files)


def _merge(
    bulk: Bulk, writer: _BucketWriter, load: Load, bucket: Bucket, batch: PollBatch
) -> tuple[Bucket, RowCounts]:
    """The bucket with polls of which some are late, or change others."""
    stores = distinct(batch.store)
    files, last = writer.open(read_contents(writer.lake, bucket), stores)
    tails = last.take(np.isin(last.store, stores))
    region = _read_region(
        writer.lake, files, *late_stores(batch, tails), max_gap_us=writer.max_gap_us
    )
    known = region.known
    matched, is_arrival = compare_arrivals(bulk, load, batch, known)
    is_new = matched < 0
    was_active = known.is_active[matched] if len(known.store) else batch.is_active
    is_changed = ~is_new & is_arrival & (was_active != batch.is_active)
    old, new = status_runs_around(
        batch, is_new | is_changed, matched, tails, region, max_gap_us=writer.max_gap_us
    )
    is_taken = is_arrival & ~is_new
    _keep_superseded(bulk, known, matched[is_taken])
    polls = PollChanges(
        writer.rows(batch.take(is_new)), writer.rows(batch.take(is_taken)), NO_POLLS
    )
    files = rewrite_bucket(writer.lake, files, polls, old=old, new=new)
    counts = int(is_new.sum()), int(is_changed.sum())
    unchanged = len(batch.store) - sum(counts)
    return writer.close(bucket, files), RowCounts(*counts, unchanged, 0)


def _keep_superseded(bulk: Bulk, known: KnownPolls, rows: IntArray) -> None:
    bulk.append(
        "superseded_polls",
        pa.table(
            {
                "store_key": known.store[rows].astype(np.int32),
                "polled_at": timestamps(known.polled_at_us[rows]),
                "load_id": known.load_id[rows].astype(np.int32),
                "is_active": known.is_active[rows],
            }
        ),
    )


def _read_region(
    lake: LakeFolder,
    files: Sequence[DataFile],
    stores: IntArray,
    since_us: IntArray,
    *,
    max_gap_us: int,
) -> Region:
    """What the bucket has of these stores around their earliest changed polls, and after them.

    Polls of one status run are at most the largest gap apart. So nothing before it can change.
    """
    if len(stores) == 0:
        return NO_REGION
    from_us = int(since_us.min()) - max_gap_us
    polls, status_runs = read_since(lake, files, stores, since_us=from_us)
    began = status_runs.first_poll_us < since_us[np.searchsorted(stores, status_runs.store)]
    is_anchor = began.copy()
    is_anchor[:-1] &= ~began[1:] | (status_runs.store[1:] != status_runs.store[:-1])
    whole = status_runs.take(is_anchor)
    since_of_anchor = since_us[np.searchsorted(stores, whole.store)]
    anchor_us = np.minimum(whole.last_poll_us, _last_before(polls, whole.store, since_of_anchor))
    after_us = np.full(len(stores), np.iinfo(np.int64).min)
    after_us[np.searchsorted(stores, whole.store)] = anchor_us
    polls = polls.take(polls.at_us > after_us[np.searchsorted(stores, polls.store_key)])
    known = KnownPolls(polls.store_key, polls.at_us, polls.is_active, polls.load_id)
    changing = status_runs.take(~began | is_anchor)
    return Region(cut_off(whole, anchor_us, known), known, changing)


def _last_before(polls: PollRows, stores: IntArray, before_us: IntArray) -> IntArray:
    """The last of these polls before an instant, for each store; without any, the instant."""
    place = np.minimum(np.searchsorted(stores, polls.store_key), max(len(stores) - 1, 0))
    is_before = np.isin(polls.store_key, stores)
    is_before[is_before] = polls.at_us[is_before] < before_us[place[is_before]]
    last = before_us.copy()
    # In order of time, so the last one stays.
    last[place[is_before]] = polls.at_us[is_before]
    return last


def _owned_polls(
    bulk: Bulk, lake: LakeOfPolls, load_id: int
) -> Iterator[tuple[int, list[DataFile], PollRows]]:
    """The current polls of a load in each bucket that has any, with the bucket's files."""
    (bounds,) = bulk.fetch(
        "SELECT first_polled_at, last_polled_at FROM loads WHERE load_id = $1", (load_id,)
    ).to_pylist()
    if bounds["first_polled_at"] is None:
        return
    first_us, last_us = map(microseconds, bounds.values())
    for number, bucket in enumerate(lake.manifest.buckets):
        files = read_contents(lake.folder, bucket)
        near = [
            file
            for file in of_kind(files, Kind.POLLS)
            if file.last_us >= first_us and file.first_us <= last_us
        ]
        polls = read_polls(lake.folder, near)
        owned = polls.take(polls.load_id == load_id).in_order()
        if len(owned):
            yield number, files, owned


def _split_by_superseded(bulk: Bulk, owned: PollRows) -> tuple[PollRows, PollRows]:
    """Polls of no other load, and the others as they were before; these are superseded no more."""
    bulk.stage(
        "owned_polls",
        pa.table(
            {
                "position": np.arange(len(owned)),
                "store_key": owned.store_key.astype(np.int32),
                "polled_at": timestamps(owned.at_us),
            }
        ),
    )
    rows = bulk.fetch(
        """
        WITH last_superseded AS (
            SELECT DISTINCT ON (store_key, polled_at) o.position, s.*
            FROM superseded_polls s JOIN pg_temp.owned_polls o USING (store_key, polled_at)
            ORDER BY store_key, polled_at, load_id DESC
        )
        DELETE FROM superseded_polls s USING last_superseded l
        WHERE s.store_key = l.store_key AND s.polled_at = l.polled_at AND s.load_id = l.load_id
        RETURNING l.position, s.is_active, s.load_id
        """
    )
    position = rows["position"].to_numpy()
    has_earlier = np.zeros(len(owned), np.bool_)
    has_earlier[position] = True
    is_active, load_id = owned.is_active.copy(), owned.load_id.copy()
    is_active[position] = rows["is_active"].to_numpy()
    load_id[position] = rows["load_id"].to_numpy()
    before = PollRows(owned.store_key, owned.at_us, is_active, load_id)
    return owned.take(~has_earlier), before.take(has_earlier)


def _to_batch(polls: PollRows) -> PollBatch:
    return PollBatch(polls.store_key, polls.at_us, polls.is_active)


def _commit(bulk: Bulk, lake: LakeOfPolls, changed: dict[int, Bucket]) -> None:
    """The next version has these buckets, and counts from now on."""
    buckets: list[Bucket] = []
    manifest = lake.manifest
    is_divided = False
    for number, bucket in enumerate(manifest.buckets):
        after = changed.get(number, bucket)
        if after.polled > 2 * STORES_PER_BUCKET:
            buckets += divide_bucket(lake.folder, after, stores_per_bucket=STORES_PER_BUCKET)
            is_divided = True
        else:
            buckets.append(after)
    if is_divided:
        # No version of the data: what describes the stores is missing.
        manifest = replace(manifest, data_version="")
    made = commit_free(lake.folder, replace(manifest, buckets=tuple(buckets)))
    set_lake_of_polls(bulk, lake.folder, made.version)
    _set_newest_poll(bulk, made.newest_poll_us)


def _set_newest_poll(bulk: Bulk, newest_us: int | None) -> None:
    """As the triggers of `status_runs` do it."""
    if newest_us is None:
        bulk.execute("DELETE FROM newest_poll")
        return
    bulk.execute(
        """
        INSERT INTO newest_poll (polled_at) VALUES ($1)
        ON CONFLICT (is_only_row) DO UPDATE SET polled_at = excluded.polled_at
        """,
        (instant(newest_us),),
    )
