"""What is said of every asset in one place: its owner, freshness, and when it is tried again."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Final

import adbc_driver_manager as adbc
import dagster as dg
import sqlalchemy as sa

from storemon_pipeline.database.connections import is_disk_full
from storemon_pipeline.domain.rejections import UnusableFileError
from storemon_pipeline.files.folders import LocationError, UnreachableError
from storemon_pipeline.ingestion.find_files import MissingSourceError
from storemon_pipeline.ingestion.ingest_files import UnusableFilesError
from storemon_pipeline.polls.retention import PollsNotKeptError

OWNERS: Final = ["team:storemon"]

FRESHNESS: Final = dg.FreshnessPolicy.time_window(
    warn_window=timedelta(hours=1, minutes=30), fail_window=timedelta(hours=3)
)
"""The refresh is hourly: one that is missed warns, two are a failure."""

_TRIES: Final = 3
_SECONDS_BETWEEN_TRIES: Final = 2

REFRESH_TAGS: Final = {
    "dagster/max_retries": "2",
    # A step that failed has been tried again already; a process that died has not.
    "dagster/retry_on_asset_or_op_failure": "false",
}


DISK_FULL: Final = (
    "Disk full: the database found no space for what was to be written, and wrote nothing of it. "
    "Free some space; the next refresh goes on from here."
)


@contextmanager
def told_apart() -> Iterator[None]:
    """Failures are told apart: what may pass is tried again, what lasts fails the step at once.

    A lost connection passes, so does a place that cannot be reached, and so do polls that grew too
    old while they were read. A file that is missing or cannot be used does not pass before someone
    changes it, nor does a full disk, and any other error is a fault of the program.
    """
    try:
        yield
    except (
        MissingSourceError,
        UnusableFileError,
        UnusableFilesError,
        LocationError,
    ) as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    except (adbc.Error, sa.exc.DBAPIError) as error:
        if is_disk_full(error):
            raise dg.Failure(description=DISK_FULL, allow_retries=False) from error
        if not isinstance(error, adbc.OperationalError | sa.exc.OperationalError):
            raise
        raise dg.RetryRequested(_TRIES - 1, _SECONDS_BETWEEN_TRIES) from error
    except (PollsNotKeptError, UnreachableError) as error:
        raise dg.RetryRequested(_TRIES - 1, _SECONDS_BETWEEN_TRIES) from error
