"""Computing one local day of `store_uptime_daily` again, for all stores."""

from datetime import UTC, date, datetime, time

import numpy as np

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.figures.daily_table import (
    append_days,
    delete_day,
    mark_days_changed,
    read_daily_state,
)
from storemon_pipeline.figures.refresh_daily import (
    DAY_REACH_US,
    EARLIEST_OFFSET_US,
    STORES_PER_REFRESHED_CHUNK,
    compute_stored_days,
)
from storemon_pipeline.figures.status_models import read_status_model
from storemon_pipeline.polls.lake_of_polls import read_lake_of_polls
from storemon_pipeline.stores.store_index import read_stores


class DayNotRebuiltError(Exception):
    """This day cannot be computed; `str()` says why, and which days can."""


def rebuild_day(url: str, day: date) -> int:
    """The rows of this local date are what the status runs of now make; returns how many.

    All other days stay as they are. Polls that came after the last refresh do not count: the next
    refresh adds them. Raises DayNotRebuiltError.
    """
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        state = read_daily_state(bulk)
        if state is None:
            raise DayNotRebuiltError("No day has been computed yet: refresh first.")
        if read_lake_of_polls(bulk) is not None:
            raise DayNotRebuiltError(
                "The lake has the polls, so days are computed when they are asked for."
            )
        midnight_us = microseconds(datetime.combine(day, time(), UTC))
        since_us = midnight_us - EARLIEST_OFFSET_US
        if since_us >= microseconds(state.as_of):
            raise DayNotRebuiltError(
                f"{day} has not begun anywhere: the days reach to the newest poll, {state.as_of}."
            )
        until = min(state.as_of, instant(since_us + DAY_REACH_US))
        delete_day(bulk, day)
        model = read_status_model(bulk)
        rows = 0
        for chunk in read_stores(bulk).chunks(STORES_PER_REFRESHED_CHUNK):
            made, _, _ = compute_stored_days(
                bulk, chunk, np.full(len(chunk), since_us), until, model
            )
            wanted = made.take(made.days.begin_local_us == midnight_us)
            append_days(bulk, chunk, wanted)
            rows += len(wanted.days.store)
        mark_days_changed(bulk)
        return rows
