"""Noticing changes of the files in the data folder, without opening them."""

import hashlib
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.uptime_table import touch_uptime_state
from storemon_pipeline.files.folders import Folder, FoundFile
from storemon_pipeline.ingestion.file_changes import has_been_read, is_quiet
from storemon_pipeline.loads.file_states import read_file_states
from storemon_pipeline.loads.source_checks import record_check, renew_check
from storemon_pipeline.loads.unread_files import PassedOverFile, record_passed_over_files
from storemon_pipeline.sources.find_files import survey_files


@dataclass(frozen=True, slots=True)
class Listing:
    """A listing of the data folder.

    `passed_over` are other files that somebody may have meant to be read, with the reasons.
    `digest` changes with the name, size, or time of change of any file. It changes once more when
    a changed file becomes quiet: then its last line is read even without an end.
    """

    files: dict[Source, tuple[FoundFile, ...]]
    passed_over: tuple[PassedOverFile, ...]
    digest: str


def list_files(data: str | Path | Folder, *, now: datetime) -> Listing:
    """List the files of all sources. Raises LocationError and UnreachableError."""
    survey = survey_files(data)
    files = {source: tuple(survey.files.get(source, ())) for source in Source}
    digest = hashlib.sha256()
    for source in Source:
        for file in files[source]:
            seen = (file.file_path, file.size_bytes, file.modified_ns, file.etag)
            digest.update(repr((source.value, *seen, is_quiet(file, now))).encode())
    return Listing(files, tuple(survey.passed_over), digest.hexdigest())


def is_all_read(url: str, listing: Listing) -> bool:
    """Whether all files of the listing have been read."""
    with bulk_transaction(url) as bulk:
        known = {source: read_file_states(bulk, source) for source in listing.files}
    return all(
        has_been_read(file, known[source].get(file.file_path))
        for source, files in listing.files.items()
        for file in files
    )


def record_passed_over(url: str, listing: Listing, *, now: datetime) -> None:
    """Record the files of the data folder that belong to no source."""
    with bulk_transaction(url) as bulk:
        record_passed_over_files(bulk, listing.passed_over, found_at=now)


def record_unchanged(url: str, listing: Listing, *, now: datetime) -> None:
    """A refresh found nothing new: sources and figures count as refreshed `now`."""
    with bulk_transaction(url) as bulk:
        for source, files in listing.files.items():
            if files:
                record_check(bulk, source, now)
            else:
                renew_check(bulk, source, now)
        touch_uptime_state(bulk, refreshed_at=now)
