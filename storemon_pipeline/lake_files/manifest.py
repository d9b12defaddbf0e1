"""Manifests: each version of the lake is one file that names all data files of that version.

A version is complete before it appears, and never changes. So a reader that keeps to one version
sees one state of the data, and a writer that dies leaves the version before as the newest one.
"""

import json
from bisect import bisect_right
from collections.abc import Container, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from itertools import pairwise
from typing import Final, Self

import numpy as np
import numpy.typing as npt

from storemon_pipeline.domain.channels import ChannelRule
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.lake_files.lake_folder import LakeFolder

_FOLDER: Final = "manifests"
_IDS_AT_ONCE: Final = 100_000
"""Compared as texts of equal length, which one long id makes large."""

_FORMAT: Final = 1
"""The form of manifests and data files; a release that changes it must still read the old ones."""


class NoLakeError(Exception):
    """The folder has no manifest, or one that this release cannot read."""


class MissingFileError(NoLakeError):
    """A version names a file that somebody has deleted."""

    def __init__(self, lake: LakeFolder, name: str) -> None:
        super().__init__(
            f"The lake {lake} has lost the file {name}, which a version of it needs: bring it back "
            "from a copy, or let `storemon lake import` make a lake in another folder."
        )


class LakeChangedError(Exception):
    """Another writer has added a version since this writer read the newest one."""


class Kind(StrEnum):
    """What a data file of a bucket holds."""

    STORES = "stores"
    STOREFRONTS = "storefronts"
    """The storefronts of the bucket's stores. Their polls are in the buckets of their own ids."""
    STOREFRONT_IDS = "storefront_ids"
    """The storefronts whose polls are in the bucket, whichever their store."""
    WEEK_PATTERNS = "week_patterns"
    WEEKS = "weeks"
    ZONES = "zones"
    SPECIAL_DAYS = "special_days"
    SPECIAL_INTERVALS = "special_intervals"
    SPECIAL_WEEKS = "special_weeks"
    CLOSURES = "closures"
    EVENTS = "events"
    CORRECTIONS = "corrections"
    LAST_STATUS_RUNS = "last_status_runs"
    """The last status run of each store, which later polls may extend."""
    STATUS_RUNS = "status_runs"
    """Status runs before the last one of their store: later polls do not change them."""
    POLLS = "polls"


TIMED: Final = frozenset({Kind.LAST_STATUS_RUNS, Kind.STATUS_RUNS, Kind.POLLS})
"""Files of the polls' own; all others describe the stores."""


@dataclass(frozen=True, slots=True)
class DataFile:
    """A Parquet file. `first_us` to `last_us` are the instants of its polls, for `TIMED` ones.

    Files that grow by the hour are merged into larger ones; `level` says how often this one was.
    """

    kind: Kind
    name: str
    rows: int
    bytes: int
    first_us: int = 0
    last_us: int = 0
    level: int = 0


@dataclass(frozen=True, slots=True)
class Bucket:
    """The stores with ids from `first_store_id` up to the next bucket's, and their data files.

    `contents` is the name of the file that lists the data files.
    """

    first_store_id: str
    stores: int
    polls: int
    status_runs: int
    bytes: int
    newest_poll_us: int | None
    contents: str
    storefronts: int = 0

    @property
    def polled(self) -> int:
        """How many ids may have polls in the bucket: `storefronts` are those beside the stores."""
        return self.stores + self.storefronts


@dataclass(frozen=True, slots=True)
class Manifest:
    """One version of the lake. Buckets ascend by their ids.

    `load_id` and `data_version` say which state of the database it was made from, `channel_rule` by
    which rule storefronts are joined.
    """

    version: int
    max_gap_us: int
    load_id: int
    data_version: str
    buckets: tuple[Bucket, ...]
    channel_rule: ChannelRule = ChannelRule.ANY_UP

    @property
    def newest_poll_us(self) -> int | None:
        """The newest poll of all stores; None without polls."""
        newest = [bucket.newest_poll_us for bucket in self.buckets]
        return max((at for at in newest if at is not None), default=None)

    @property
    def stores(self) -> int:
        """How many stores the lake knows."""
        return sum(bucket.stores for bucket in self.buckets)

    @property
    def polls(self) -> int:
        """How many polls the lake keeps."""
        return sum(bucket.polls for bucket in self.buckets)

    @property
    def status_runs(self) -> int:
        """How many status runs the lake keeps."""
        return sum(bucket.status_runs for bucket in self.buckets)

    @property
    def bytes(self) -> int:
        """The size of all data files."""
        return sum(bucket.bytes for bucket in self.buckets)

    def bucket_of(self, store_id: str) -> int:
        """The number of the bucket that a store belongs to, also a new one."""
        firsts = [bucket.first_store_id.encode() for bucket in self.buckets]
        return max(0, bisect_right(firsts, store_id.encode()) - 1)

    def buckets_of(self, store_ids: npt.NDArray[np.object_]) -> IntArray:
        """As `bucket_of`, for many stores, shape `(n,)`."""
        firsts = np.array([bucket.first_store_id.encode() for bucket in self.buckets])
        numbers = [
            np.searchsorted(firsts, [one.encode() for one in some], side="right") - 1
            for first in range(0, len(store_ids), _IDS_AT_ONCE)
            if len(some := store_ids[first : first + _IDS_AT_ONCE])
        ]
        found: IntArray = np.maximum(np.concatenate([np.empty(0, np.int64), *numbers]), 0)
        return found

    def with_buckets(self, changed: dict[int, Bucket]) -> Self:
        """The manifest with other buckets at these numbers."""
        return replace(
            self,
            buckets=tuple(changed.get(number, own) for number, own in enumerate(self.buckets)),
        )

    def shares(self, count: int) -> list[range]:
        """The numbers of the buckets, divided into at most this many shares of adjacent ones.

        >>> empty = Bucket("", 0, 0, 0, 0, None, "")
        >>> Manifest(1, 0, 0, "", (empty,) * 5).shares(2)
        [range(0, 2), range(2, 5)]
        """
        count = min(count, len(self.buckets))
        edges = [number * len(self.buckets) // max(count, 1) for number in range(count + 1)]
        return [range(first, end) for first, end in pairwise(edges)]


def newest_version(lake: LakeFolder) -> int:
    """The number of the newest version; 0 without any."""
    return max(_versions(lake), default=0)


def read_manifest(lake: LakeFolder, version: int | None = None) -> Manifest:
    """A version of the lake, by default the newest. Raises NoLakeError."""
    version = newest_version(lake) if version is None else version
    if version == 0:
        raise NoLakeError(f"There is no lake at {lake}: `storemon lake import` makes one.")
    try:
        values = json.loads(lake.read(_name(version)))
    except FileNotFoundError as error:
        raise NoLakeError(f"The lake {lake} has no version {version}, or no longer.") from error
    if values.pop("format") != _FORMAT:
        raise NoLakeError(f"The lake {lake} was written by a later release of storemon.")
    buckets = tuple(Bucket(**bucket) for bucket in values.pop("buckets"))
    rule = ChannelRule(values.pop("channel_rule", ChannelRule.ANY_UP))
    return Manifest(version=version, buckets=buckets, channel_rule=rule, **values)


def commit(lake: LakeFolder, manifest: Manifest) -> Manifest:
    """The manifest, as the version after its own. Raises LakeChangedError if there is one already.

    All its files are complete.
    """
    if newest_version(lake) != manifest.version:
        raise LakeChangedError(f"the lake {lake} has a version after {manifest.version}")
    return _create(lake, manifest, manifest.version + 1)


def commit_free(lake: LakeFolder, manifest: Manifest) -> Manifest:
    """The manifest, as the next version that is free, for a lake whose newest one may not count.

    All its files are complete. Raises LakeChangedError if another writer was faster.
    """
    return _create(lake, manifest, newest_version(lake) + 1)


def _create(lake: LakeFolder, manifest: Manifest, version: int) -> Manifest:
    values = asdict(manifest) | {"format": _FORMAT}
    del values["version"]
    try:
        lake.create(_name(version), json.dumps(values).encode())
    except FileExistsError as error:
        raise LakeChangedError(f"another writer made version {version} of {lake}") from error
    return replace(manifest, version=version)


def kept_versions(lake: LakeFolder) -> list[int]:
    """The numbers of all versions that were not deleted, oldest first."""
    return sorted(_versions(lake))


def delete_versions(lake: LakeFolder, *, newest: int, others: Container[int]) -> int:
    """Delete all versions but the newest `newest` ones and `others`; return how many."""
    old = [version for version in kept_versions(lake)[:-newest] if version not in others]
    lake.delete(map(_name, old))
    return len(old)


def read_named(lake: LakeFolder, name: str) -> bytes:
    """The bytes of a file that a version names. Raises MissingFileError and UnreachableError."""
    try:
        return lake.read(name)
    except FileNotFoundError as error:
        raise MissingFileError(lake, name) from error


def read_contents(lake: LakeFolder, bucket: Bucket) -> list[DataFile]:
    """The data files of a bucket, oldest first within a kind."""
    listed = json.loads(read_named(lake, bucket.contents))
    return [DataFile(**file | {"kind": Kind(file["kind"])}) for file in listed]


def write_contents(lake: LakeFolder, name: str, files: Sequence[DataFile]) -> None:
    """Write the list of a bucket's data files."""
    lake.write(name, json.dumps([asdict(file) for file in files]).encode())


def _versions(lake: LakeFolder) -> Iterator[int]:
    for name in lake.names(_FOLDER):
        digits, _, extension = name.partition(".")
        if extension == "json" and digits.isdigit():
            yield int(digits)


def _name(version: int) -> str:
    return f"{_FOLDER}/{version:012}.json"
