"""Which exceptions make Dagster retry a step, and which fail it at once."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import adbc_driver_manager as adbc
import dagster as dg
import sqlalchemy as sa

from storemon_pipeline.channels.storefronts import StorefrontsRefusedError
from storemon_pipeline.database.connections import is_disk_full
from storemon_pipeline.figures.rebuild_day import DayNotRebuiltError
from storemon_pipeline.files.folders import LocationError, UnreachableError
from storemon_pipeline.lake.describe_stores import LakeDiffersError
from storemon_pipeline.lake.make_lake_reports import NoPlanError
from storemon_pipeline.lake_files.manifest import LakeChangedError, NoLakeError
from storemon_pipeline.polls.retention import PollsNotKeptError
from storemon_pipeline.sources.find_files import MissingSourceError
from storemon_pipeline.sources.source_settings import SettingsError

_RETRIES: Final = 2
_SECONDS_BETWEEN_TRIES: Final = 2

DISK_FULL: Final = (
    "Disk full: the database had no space for this transaction, and wrote nothing of it. Free some "
    "space; the next refresh continues from here."
)


@contextmanager
def map_failures() -> Iterator[None]:
    """Map exceptions to Dagster's: transient ones request a retry, permanent ones fail the step.

    Transient are a lost database connection, an unreachable data folder or lake, another writer of
    the lake, and polls that retention dropped while they were read. Permanent are a missing file, a
    wrong setting or run config, too many storefronts, a lake that differs from the database or
    lacks a file, a run without a plan, and a full disk: none of them passes before somebody acts.
    Any other exception is a fault of the program and passes through.
    """
    try:
        yield
    except (
        MissingSourceError,
        SettingsError,
        LocationError,
        DayNotRebuiltError,
        LakeDiffersError,
        NoLakeError,
        NoPlanError,
        StorefrontsRefusedError,
    ) as error:
        raise dg.Failure(description=str(error), allow_retries=False) from error
    except (adbc.Error, sa.exc.DBAPIError) as error:
        if is_disk_full(error):
            raise dg.Failure(description=DISK_FULL, allow_retries=False) from error
        if not isinstance(error, adbc.OperationalError | sa.exc.OperationalError):
            raise
        raise dg.RetryRequested(_RETRIES, _SECONDS_BETWEEN_TRIES) from error
    except (PollsNotKeptError, UnreachableError, LakeChangedError) as error:
        raise dg.RetryRequested(_RETRIES, _SECONDS_BETWEEN_TRIES) from error
