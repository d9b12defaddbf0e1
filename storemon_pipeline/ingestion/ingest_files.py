"""Loading the data folder into the database, one source at a time."""

from datetime import datetime
from pathlib import Path

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.files.csv_text import Progress
from storemon_pipeline.files.folders import Folder
from storemon_pipeline.ingestion.ingest_polls import ingest_polls
from storemon_pipeline.ingestion.ingest_snapshots import ingest_snapshot
from storemon_pipeline.ingestion.source_load import Refresh, SourceLoad
from storemon_pipeline.loads.file_states import read_file_states
from storemon_pipeline.loads.refresh_lock import refresh_lock
from storemon_pipeline.loads.source_checks import has_been_checked, record_check, renew_check
from storemon_pipeline.loads.unread_files import RefusedFile, record_refused_files
from storemon_pipeline.polls.retention import read_polls_kept_from_us
from storemon_pipeline.sources.find_files import MissingSourceError, find_files


def ingest_source(
    url: str,
    data: str | Path | Folder,
    source: Source,
    *,
    now: datetime,
    run_id: str | None,
    on_progress: Progress | None = None,
) -> SourceLoad:
    """The rows of the source's files are in the database, the bad ones as rejected rows.

    `now` is the ingesting clock. Nothing is read twice: of a poll file only the lines that were
    appended, of an unchanged file nothing. Each poll file has a transaction of its own. The files
    of a snapshot are one union, written in one transaction. A file that cannot be used is recorded
    as refused, and does not stop the others. A file that has vanished changes nothing.

    A second call for the same source waits until the first one has ended. Raises
    MissingSourceError, LocationError, UnreachableError and PollsNotKeptError.
    """
    with refresh_lock(url, source):
        with bulk_transaction(url) as bulk:
            known = read_file_states(bulk, source)
            kept_from_us = read_polls_kept_from_us(bulk)
        refresh = Refresh(url, source, now, run_id, on_progress, kept_from_us)
        files = find_files(data, source)
        ingest = ingest_snapshot if source.is_snapshot else ingest_polls
        load = ingest(refresh, files, known)
        with bulk_transaction(url) as bulk:
            record_refused_files(bulk, source, load.refused, found_at=now)
            if not load.refused or len(load.refused) < load.files:
                record_check(bulk, source, now)
        return load


def record_missing_source(
    url: str, error: MissingSourceError, *, is_optional: bool, now: datetime
) -> SourceLoad:
    """Record that a source has no file any more: its earlier rows stay.

    An optional source counts as checked, if it ever had a file. For another one its file is
    recorded as refused; raises `error` if it was never loaded.
    """
    source = error.source
    with bulk_transaction(url) as bulk:
        if is_optional:
            renew_check(bulk, source, now)
            refused = []
        elif has_been_checked(bulk, source):
            refused = [RefusedFile(error.names[0], "it is gone; its earlier rows still count")]
        else:
            raise error
        record_refused_files(bulk, source, refused, found_at=now)
    return SourceLoad(0, (), tuple(refused))
