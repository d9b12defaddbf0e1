"""Bringing the lake to the state of the database: all of it, or what has changed since."""

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Final, Self

import numpy as np

from storemon_pipeline.channels.channel_rule import read_channel_rule
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.overlap import results_in_order
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.counts import counted
from storemon_pipeline.domain.windows import WEEK_US, IntArray
from storemon_pipeline.figures.data_version import read_input_version
from storemon_pipeline.lake.bucket_ids import BucketIds
from storemon_pipeline.lake.database_rows import (
    Counts,
    NewLoads,
    count_rows,
    read_all_status_runs,
    read_last_load,
    read_new_loads,
    read_polls_by_week,
    read_store_rows,
)
from storemon_pipeline.lake.describe_stores import (
    LakeDiffersError,
    describe_stores,
    refuse_lake_of_polls,
)
from storemon_pipeline.lake.write_bucket import (
    store_tables,
    write_store_rows,
)
from storemon_pipeline.lake_files.append_polls import LatePollsError, append_polls, begin_appending
from storemon_pipeline.lake_files.data_files import (
    PollRows,
    make_bucket,
    of_stores,
    read_kind,
    read_polls,
    read_status_runs,
    timed,
    write_polls,
)
from storemon_pipeline.lake_files.divide_bucket import STORES_PER_BUCKET
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import (
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
from storemon_pipeline.lake_files.polls_of_period import (
    count_polls,
    first_poll_us,
    read_polls_of_stores,
)
from storemon_pipeline.lake_files.status_run_files import write_all_status_runs
from storemon_pipeline.polls.poll_weeks import PollWeek, count_week, read_first_kept_week
from storemon_pipeline.polls.retention import read_lake_of_dropped_polls, read_polls_kept_from
from storemon_pipeline.stores.store_index import StoreIndex

_TRIES: Final = 5

_BUCKETS_AHEAD: Final = 8
"""While one gets its polls, the files of the next are read: less than a megabyte each."""


@dataclass(frozen=True, slots=True)
class Imported:
    """The version that an import made, and the rows of the database that it was compared with."""

    manifest: Manifest
    database: Counts
    dropped_polls: int
    """How many polls the lake has that the database has dropped."""


def import_database(
    url: str, lake: LakeFolder, *, stores_per_bucket: int = STORES_PER_BUCKET
) -> Imported:
    """Copy all of the database into a new version of the lake, and compare both.

    Polls that the database has dropped are copied from the lake that keeps them.

    Both are of one snapshot of the database. Every file is read back. Raises LakeDiffersError and
    LakeChangedError; then the lake has the version that it had before.
    """
    base = newest_version(lake)
    with bulk_transaction(url) as bulk:
        refuse_lake_of_polls(bulk)
        ids = BucketIds.read(bulk)
        dropped = _DroppedPolls.of(bulk, lake, base)
        buckets = [
            _import_bucket(
                bulk, lake, chunk, dropped, first_store_id=_first_id(chunk.polled, number)
            )
            for number, chunk in enumerate(ids.chunks(stores_per_bucket))
        ]
        manifest = Manifest(
            base,
            read_max_gap_us(bulk),
            read_last_load(bulk),
            read_input_version(bulk),
            tuple(buckets),
            read_channel_rule(bulk),
        )
        database = count_rows(bulk)
    older = 0 if dropped is None else dropped.copied
    of_lake = Counts(manifest.stores, manifest.polls - older, manifest.status_runs)
    if of_lake != database:
        raise LakeDiffersError(
            f"The lake {lake} stays as it was: {of_lake} were read back, and the database has "
            f"{database}."
        )
    return Imported(commit(lake, manifest), database, older)


@dataclass(slots=True)
class _DroppedPolls:
    """The polls in a version of a lake that the database has dropped: those before an instant."""

    lake: LakeFolder
    manifest: Manifest
    border_us: int
    copied: int = 0

    @classmethod
    def of(cls, bulk: Bulk, lake: LakeFolder, version: int) -> Self | None:
        """Those of the lake that the database names, or else of this version; None without any."""
        kept = read_first_kept_week(bulk)
        if read_polls_kept_from(bulk) is None or kept is None:
            return None
        place = read_lake_of_dropped_polls(bulk)
        if place not in (None, str(lake)):
            other = LakeFolder(place)
            return cls(other, read_manifest(other), microseconds(kept))
        return cls(lake, read_manifest(lake, version), microseconds(kept)) if version else None

    def files(self, lake: LakeFolder, stores: StoreIndex) -> Iterator[DataFile]:
        """Those of some stores, in files of a week each."""
        first_us = first_poll_us(self.lake, self.manifest)
        weeks = 0 if first_us is None else -((first_us - self.border_us) // WEEK_US)
        for before in range(weeks, 0, -1):
            start_us = self.border_us - before * WEEK_US
            polls = read_polls_of_stores(
                self.lake, self.manifest, stores, start_us=start_us, end_us=start_us + WEEK_US
            )
            if len(polls):
                self.copied += len(polls)
                yield write_polls(lake, polls, level=2)


def refresh_lake(
    url: str, lake: LakeFolder, *, stores_per_bucket: int = STORES_PER_BUCKET
) -> Manifest:
    """The version of the lake that has everything that the database has now.

    Polls that are later than all of their store are appended. A bucket with other polls has its
    polls and status runs copied again. When anything but polls was loaded, all that describes the
    stores is copied again. Without changes there is no new version. A lake that has the polls in
    place of the database gets what describes the stores alone.
    """
    described = describe_stores(url, lake)
    if described is not None:
        return described
    for _ in range(_TRIES):
        with suppress(LakeChangedError):
            return _refresh(url, lake, stores_per_bucket)
    raise LakeChangedError(f"other writers changed the lake {lake} {_TRIES} times meanwhile")


def bring_into_lake(url: str, lake: LakeFolder, weeks: Sequence[PollWeek]) -> None:
    """The lake has all polls of these weeks, which do not change any more.

    Raises LakeDiffersError if it has another number of polls of a week than the database.
    """
    manifest = refresh_lake(url, lake)
    for week in weeks:
        with bulk_transaction(url) as bulk:
            polls = count_week(bulk, week)
        kept = count_polls(
            lake, manifest, start_us=microseconds(week.start), end_us=microseconds(week.end)
        )
        if kept != polls:
            raise LakeDiffersError(
                f"The lake {lake} has {counted(kept, 'poll')} of the week of {week.monday}, and "
                f"the database has {polls}: they stay in the database."
            )


def _refresh(url: str, lake: LakeFolder, stores_per_bucket: int) -> Manifest:
    try:
        manifest = read_manifest(lake)
    except NoLakeError:
        if newest_version(lake):
            raise
        return import_database(url, lake, stores_per_bucket=stores_per_bucket).manifest
    with bulk_transaction(url) as bulk:
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
        chunks = BucketIds.read(bulk).by_bucket(manifest)
        largest = max(len(chunk.polled) for chunk in chunks)
        changed = {} if largest > 2 * stores_per_bucket else changes.buckets(chunks)
        rule = read_channel_rule(bulk)
    if largest > 2 * stores_per_bucket:
        # Many stores came: all are divided into buckets again.
        return import_database(url, lake, stores_per_bucket=stores_per_bucket).manifest
    return commit(
        lake,
        replace(
            manifest.with_buckets(changed),
            load_id=changes.loads.last_load_id,
            data_version=version,
            channel_rule=rule,
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

    def buckets(self, chunks: Sequence[BucketIds]) -> dict[int, Bucket]:
        """The buckets that change, by number, of those with these ids."""
        last_key = max(int(chunk.polled.store_keys.max(initial=0)) for chunk in chunks)
        bucket_of_key = np.zeros(last_key + 1, np.int64)
        for number, chunk in enumerate(chunks):
            bucket_of_key[chunk.polled.store_keys] = number
        of_poll = bucket_of_key[self.loads.polls.store_key]
        order = np.argsort(of_poll, kind="stable")
        edges = np.searchsorted(of_poll[order], np.arange(len(chunks) + 1))
        changing = [
            number
            for number, chunk in enumerate(chunks)
            if edges[number] < edges[number + 1] or self._is_described_anew(number, chunk)
        ]
        with self.lake.concurrently() as lake:

            def begin(number: int) -> list[DataFile]:
                has_polls = edges[number] < edges[number + 1] and not self.loads.has_undo
                begin_files = begin_appending if has_polls else read_contents
                return begin_files(lake, self.manifest.buckets[number])

            here = replace(self, lake=lake)
            opened = results_in_order(begin, changing, at_once=_BUCKETS_AHEAD)
            return {
                number: here.bucket(
                    number,
                    chunks[number],
                    self.loads.polls.take(order[edges[number] : edges[number + 1]]),
                    files,
                )
                for number, files in zip(changing, opened, strict=True)
            }

    def _is_described_anew(self, number: int, ids: BucketIds) -> bool:
        return (
            self.is_described_anew
            or not self.loads.is_only_polls
            or self.loads.has_undo
            or len(ids.stores) != self.manifest.buckets[number].stores
        )

    def bucket(self, number: int, ids: BucketIds, polls: PollRows, files: list[DataFile]) -> Bucket:
        """The bucket with these files after the changes."""
        own = self.manifest.buckets[number]
        if self._is_described_anew(number, ids):
            described = write_store_rows(self.lake, read_store_rows(self.bulk, ids))
            files = [*described, *timed(files)]
        newest_us = own.newest_poll_us
        if self.loads.has_undo:
            files, newest_us = self._copied_again(files, ids.polled)
        elif len(polls):
            try:
                files = append_polls(self.lake, files, polls, max_gap_us=self.manifest.max_gap_us)
                newest_us = _newest(newest_us, int(polls.at_us.max()))
            except LatePollsError:
                files, newest_us = self._copied_again(files, ids.polled)
        return make_bucket(self.lake, own.first_store_id, files, newest_poll_us=newest_us)

    def _copied_again(
        self, files: list[DataFile], stores: StoreIndex
    ) -> tuple[list[DataFile], int | None]:
        """The files with polls and status runs as the database has them.

        Polls of weeks that the database has dropped stay: they cannot change any more.
        """
        copied, newest_us = _copy_polls(self.bulk, self.lake, stores)
        kept = read_first_kept_week(self.bulk)
        older = [] if kept is None else _files_before(self.lake, files, microseconds(kept))
        return [*of_stores(files), *older, *copied], newest_us


def _files_before(lake: LakeFolder, files: Sequence[DataFile], border_us: int) -> list[DataFile]:
    """The files of polls before an instant; what files across it have is written again."""
    before = [file for file in files if file.kind is Kind.POLLS and file.first_us < border_us]
    whole = [file for file in before if file.last_us < border_us]
    polls = read_polls(lake, [file for file in before if file.last_us >= border_us])
    polls = polls.take(polls.at_us < border_us).in_order()
    return [*whole, write_polls(lake, polls, level=2)] if len(polls) else whole


def _newest(one: int | None, other: int) -> int:
    return other if one is None else max(one, other)


def _first_id(stores: StoreIndex, number: int) -> str:
    """The first id of a bucket: the first bucket takes all before it."""
    return "" if number == 0 else str(stores.store_ids[0])


def _import_bucket(
    bulk: Bulk,
    lake: LakeFolder,
    ids: BucketIds,
    dropped: _DroppedPolls | None,
    *,
    first_store_id: str,
) -> Bucket:
    rows = read_store_rows(bulk, ids)
    described = write_store_rows(lake, rows)
    for kind, table in store_tables(rows).items():
        if not read_kind(lake, described, kind).equals(
            table.cast(read_kind(lake, [], kind).schema)
        ):
            raise LakeDiffersError.of(lake, f"rows of {kind}", ids.polled)
    copied, newest_us = _copy_polls(bulk, lake, ids.polled)
    older = [] if dropped is None else dropped.files(lake, ids.polled)
    files = [*described, *older, *copied]
    return make_bucket(lake, first_store_id, files, newest_poll_us=newest_us)


def _copy_polls(
    bulk: Bulk, lake: LakeFolder, stores: StoreIndex
) -> tuple[list[DataFile], int | None]:
    """Copy the polls and status runs of stores; return the files and the newest poll."""
    status_runs = read_all_status_runs(bulk, stores)
    files = write_all_status_runs(lake, status_runs)
    kept = read_status_runs(lake, files).in_order()
    for name in ("store", "first_poll_us", "last_poll_us", "is_active", "polls"):
        if not np.array_equal(getattr(kept, name), getattr(status_runs, name)):
            raise LakeDiffersError.of(lake, "status runs", stores)
    for polls in read_polls_by_week(bulk, stores):
        file = write_polls(lake, polls, level=2)
        files.append(file)
        back = read_polls(lake, [file])
        if not all(
            np.array_equal(getattr(back, name), getattr(polls, name))
            for name in ("store_key", "at_us", "is_active", "load_id")
        ):
            raise LakeDiffersError.of(lake, "polls", stores)
    newest: IntArray = status_runs.last_poll_us
    return files, int(newest.max()) if len(newest) else None
