"""Noticing changes of the files in the data folder, without opening them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.uptime_table import touch_uptime_state
from storemon_pipeline.files.folders import Folder, FoundFile, data_folder
from storemon_pipeline.ingestion.file_changes import has_been_read, is_quiet
from storemon_pipeline.ingestion.find_files import MissingSourceError, find_files, find_passed_over
from storemon_pipeline.loads.file_states import read_file_states
from storemon_pipeline.loads.source_checks import record_check, renew_check
from storemon_pipeline.loads.unread_files import record_passed_over_files


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing of the data folder.

    `digest` changes with the name, size, or time of change of any file. It changes once more when
    a changed file becomes quiet: then its last line is read even without an end.
    """

    files: dict[Source, tuple[FoundFile, ...]]
    digest: str


def list_files(data: str | Path | Folder, *, now: datetime) -> Listing:
    """List the files of all sources. Raises LocationError and UnreachableError."""
    folder = data_folder(data)
    files: dict[Source, tuple[FoundFile, ...]] = {}
    digest = hashlib.sha256()
    for source in Source:
        try:
            files[source] = tuple(find_files(folder, source))
        except MissingSourceError:
            files[source] = ()
        for file in files[source]:
            seen = (file.file_path, file.size_bytes, file.modified_ns, file.etag)
            digest.update(repr((source.value, *seen, is_quiet(file, now))).encode())
    return Listing(files, digest.hexdigest())


def is_all_read(url: str, listing: Listing) -> bool:
    """Whether all files of the listing have been read."""
    with bulk_transaction(url) as bulk:
        known = {source: read_file_states(bulk, source) for source in listing.files}
    return all(
        has_been_read(file, known[source].get(file.file_path))
        for source, files in listing.files.items()
        for file in files
    )


def record_passed_over(
    url: str, data: str | Path | Folder, listing: Listing, *, now: datetime
) -> None:
    """Record the files of the data folder that are in no source's listing because of their names.

    Raises LocationError and UnreachableError.
    """
    used = {file.file_path for files in listing.files.values() for file in files}
    passed_over = find_passed_over(data, used)
    with bulk_transaction(url) as bulk:
        record_passed_over_files(bulk, passed_over, found_at=now)


def record_unchanged(url: str, listing: Listing, *, now: datetime) -> None:
    """A refresh found nothing new: sources and figures count as refreshed `now`."""
    with bulk_transaction(url) as bulk:
        for source, files in listing.files.items():
            if files:
                record_check(bulk, source, now)
            else:
                renew_check(bulk, source, now)
        touch_uptime_state(bulk, refreshed_at=now)
