"""The status runs of some stores in a version of the lake.

Each question reads the buckets of its stores alone, and of each bucket as few files as answer it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final, Self

import numpy as np

from storemon_pipeline.domain.windows import BoolArray, IntArray
from storemon_pipeline.lake_files.cached_files import data_files_of, read_row_groups
from storemon_pipeline.lake_files.data_files import status_runs_of_rows
from storemon_pipeline.lake_files.lake_folder import LakeFolder
from storemon_pipeline.lake_files.manifest import DataFile, Kind, Manifest
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.status_runs import StatusRuns

NEVER: Final = 2**62
"""An instant later than any poll."""

_FILES_AT_ONCE: Final = 4
"""Of an object store, where it is not known how far back the answer lies."""

_KINDS: Final = (Kind.STATUS_RUNS, Kind.LAST_STATUS_RUNS)
_NOTHING: Final = np.empty(0, np.int64)
_NO_STATUS_RUNS: Final = StatusRuns(
    _NOTHING, _NOTHING, _NOTHING, _NOTHING.astype(np.bool_), _NOTHING
)

Chosen = Callable[[StatusRuns], BoolArray]
"""Which of some status runs are meant, shape `(n,)`."""


def read_back_to(
    lake: LakeFolder,
    manifest: Manifest,
    stores: StoreIndex,
    is_wanted: Chosen,
    *,
    since_us: int,
    until_us: int = NEVER,
) -> StatusRuns:
    """The status runs that began by `until_us`, from the last wanted one of each store on.

    Of a store without a wanted one these are all. No wanted one begins after `since_us`. Raises
    UnreachableError.
    """
    parts = [
        bucket.back_to(is_wanted, since_us=since_us, until_us=until_us)
        for bucket in _buckets(lake, manifest, stores)
    ]
    return _joined(parts).in_order()


def read_touching(
    lake: LakeFolder, manifest: Manifest, stores: StoreIndex, *, since_us: int, until_us: int
) -> StatusRuns:
    """The status runs that touch `(since_us, until_us]`, whole. Raises UnreachableError."""
    parts = [
        part
        for bucket in _buckets(lake, manifest, stores)
        for part in bucket.read(
            [
                file
                for file in bucket.files
                if file.last_us > since_us and file.first_us <= until_us
            ],
            lambda found: (found.last_poll_us > since_us) & (found.first_poll_us <= until_us),
        )
    ]
    return _joined(parts).in_order()


def read_last(lake: LakeFolder, manifest: Manifest, stores: StoreIndex) -> StatusRuns:
    """The last status run of each store that has one. Raises UnreachableError."""
    parts = [
        part
        for bucket in _buckets(lake, manifest, stores)
        for part in bucket.read(
            [file for file in bucket.files if file.kind is Kind.LAST_STATUS_RUNS]
        )
    ]
    return _joined(parts).in_order()


def read_first_polls_us(lake: LakeFolder, manifest: Manifest, stores: StoreIndex) -> IntArray:
    """The instant of each store's first poll, shape `(stores,)`; `NEVER` without polls.

    Raises UnreachableError.
    """
    first_us = np.full(len(stores), NEVER)
    for bucket in _buckets(lake, manifest, stores):
        bucket.add_first_polls(first_us)
    return first_us


def first_poll_us_of_all(lake: LakeFolder, manifest: Manifest) -> int | None:
    """The instant of the first poll; None without any. Raises UnreachableError."""
    files = (file for bucket in manifest.buckets for file in data_files_of(lake, bucket))
    return min((file.first_us for file in files if file.kind in _KINDS and file.rows), default=None)


@dataclass(frozen=True, slots=True)
class _Bucket:
    """Some stores of a bucket, and its files of status runs.

    `keys` ascend; `positions` are those in the index that was asked for.
    """

    lake: LakeFolder
    files: tuple[DataFile, ...]
    keys: IntArray
    positions: IntArray

    def back_to(self, is_wanted: Chosen, *, since_us: int, until_us: int) -> StatusRuns:
        """The part of `read_back_to`, in no order."""
        # By position: from where on, and up to where nothing is missing.
        most = int(self.positions.max(initial=-1)) + 1
        from_us, settled_us = np.full(most, -NEVER), np.full(most, -NEVER)
        parts = [_NO_STATUS_RUNS]
        own = self
        for files in self._batches(since_us, until_us):
            # Later status runs than a wanted one end after it, and so does their file.
            own = own.take(settled_us[own.positions] < files[0].last_us)
            if len(own.keys) == 0:
                break
            for part in own.read(files, lambda found: found.first_poll_us <= until_us):
                parts.append(part)
                wanted = part.take(is_wanted(part))
                np.maximum.at(from_us, wanted.store, wanted.first_poll_us)
                np.maximum.at(settled_us, wanted.store, wanted.last_poll_us)
        read = _joined(parts)
        return read.take(read.first_poll_us >= from_us[read.store])

    def _batches(self, since_us: int, until_us: int) -> Iterator[list[DataFile]]:
        """The files that began by an instant, the newest first: those that are needed at once."""
        begun = [file for file in self.files if file.first_us <= until_us]
        begun.sort(key=lambda file: file.last_us, reverse=True)
        needed = sum(file.last_us > since_us for file in begun)
        if needed:
            yield begun[:needed]
        size = 1 if self.lake.is_local else _FILES_AT_ONCE
        for first in range(needed, len(begun), size):
            yield begun[first : first + size]

    def add_first_polls(self, first_us: IntArray) -> None:
        """Lower the instants of `first_us` to those of the first status runs of these stores."""
        own = self
        for file in sorted(self.files, key=lambda file: file.first_us):
            own = own.take(first_us[own.positions] > file.first_us)
            if len(own.keys) == 0:
                break
            for part in own.read([file]):
                np.minimum.at(first_us, part.store, part.first_poll_us)

    def take(self, which: BoolArray) -> Self:
        """These of the stores."""
        if which.all():
            return self
        return type(self)(self.lake, self.files, self.keys[which], self.positions[which])

    def read(
        self, files: Sequence[DataFile], is_wanted: Chosen | None = None
    ) -> Iterator[StatusRuns]:
        """The wanted status runs of these stores in files, by position."""
        for rows in read_row_groups(self.lake, files, self.keys):
            found = status_runs_of_rows(rows)
            if is_wanted is not None:
                found = found.take(is_wanted(found))
            place = np.minimum(np.searchsorted(self.keys, found.store), len(self.keys) - 1)
            is_own = self.keys[place] == found.store
            found = found.take(is_own)
            yield StatusRuns(
                self.positions[place[is_own]],
                found.first_poll_us,
                found.last_poll_us,
                found.is_active,
                found.polls,
            )


def _buckets(lake: LakeFolder, manifest: Manifest, stores: StoreIndex) -> Iterator[_Bucket]:
    """The buckets that have some of the stores."""
    for bucket, of_bucket in zip(manifest.buckets, _positions(manifest, stores), strict=True):
        if len(of_bucket) == 0:
            continue
        positions = of_bucket[np.argsort(stores.store_keys[of_bucket])]
        files = tuple(
            file for file in data_files_of(lake, bucket) if file.kind in _KINDS and file.rows
        )
        yield _Bucket(lake, files, stores.store_keys[positions], positions)


def _positions(manifest: Manifest, stores: StoreIndex) -> list[IntArray]:
    """The positions of the stores that belong to each bucket."""
    if len(manifest.buckets) <= 1 or stores.is_whole or stores.is_range:
        edges = [0, *(_place(stores, bucket.first_store_id) for bucket in manifest.buckets[1:])]
        return [np.arange(first, end) for first, end in pairwise([*edges, len(stores)])]
    # Storefronts are in order of their stores, not of their own ids.
    number = manifest.buckets_of(np.array(stores.store_ids.to_pylist(), object))
    order = np.argsort(number, kind="stable")
    return np.split(order, np.searchsorted(number[order], np.arange(1, len(manifest.buckets))))


def _place(stores: StoreIndex, first_store_id: str) -> int:
    """How many of the stores come before this id."""
    return bisect_left(
        range(len(stores)),
        first_store_id.encode(),
        key=lambda position: stores.store_ids[position].as_py().encode(),
    )


def _joined(parts: list[StatusRuns]) -> StatusRuns:
    """All status runs of these parts, one after another."""
    parts = parts or [_NO_STATUS_RUNS]
    return StatusRuns(
        np.concatenate([part.store for part in parts]),
        np.concatenate([part.first_poll_us for part in parts]),
        np.concatenate([part.last_poll_us for part in parts]),
        np.concatenate([part.is_active for part in parts]),
        np.concatenate([part.polls for part in parts]),
    )
