"""Deleting old versions of the lake, and the files that no version needs any more."""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from typing import Final

from storemon_pipeline.database.overlap import results_in_order
from storemon_pipeline.lake.report_rows import all_plans
from storemon_pipeline.lake_files.data_files import BUCKETS
from storemon_pipeline.lake_files.lake_folder import AT_ONCE, LakeFolder
from storemon_pipeline.lake_files.manifest import (
    Kind,
    delete_versions,
    kept_versions,
    read_contents,
    read_manifest,
)

VERSIONS_KEPT: Final = 24
"""The newest versions; beside them those that an unfinished report reads."""

UNUSED_FOR: Final = timedelta(days=1)
"""A file is deleted when no version has named it for so long. No writer takes longer."""

_UNUSED: Final = "unused.json"


@dataclass(frozen=True, slots=True)
class Cleaned:
    """How many versions and files were deleted."""

    versions: int
    files: int


def clean_lake(lake: LakeFolder, *, counting: int, now: datetime) -> Cleaned:
    """Delete versions before the newest ones, and files that no version has named for a day.

    `counting` is the version that counts, which stays.
    A file that is not named yet may belong to a writer that is still at work. So a first call only
    notes the file, and a later one deletes it.
    """
    needed = {counting} | {plan.version for plan in all_plans(lake)}
    versions = delete_versions(lake, newest=VERSIONS_KEPT, others=needed)
    unused = _all_files(lake) - _named_files(lake, kept_versions(lake))
    noted = _read_noted(lake)
    since = {name: noted.get(name, now) for name in unused}
    old = {name for name, at in since.items() if at <= now - UNUSED_FOR}
    lake.delete(sorted(old))
    left = {name: at.isoformat() for name, at in since.items() if name not in old}
    lake.write(_UNUSED, json.dumps(left).encode())
    return Cleaned(versions, len(old))


def _all_files(lake: LakeFolder) -> set[str]:
    return {
        f"{folder}/{name}" for folder in (*map(str, Kind), BUCKETS) for name in lake.names(folder)
    }


def _named_files(lake: LakeFolder, versions: Iterable[int]) -> set[str]:
    """The files of these versions; a bucket that several of them share is read once."""
    buckets = {
        bucket.contents: bucket
        for version in versions
        for bucket in read_manifest(lake, version).buckets
    }
    contents = results_in_order(partial(read_contents, lake), buckets.values(), at_once=AT_ONCE)
    return {file.name for files in contents for file in files} | buckets.keys()


def _read_noted(lake: LakeFolder) -> dict[str, datetime]:
    """When an earlier call first found each unused file."""
    try:
        noted = json.loads(lake.read(_UNUSED))
    except FileNotFoundError:
        return {}
    return {name: datetime.fromisoformat(at) for name, at in noted.items()}
