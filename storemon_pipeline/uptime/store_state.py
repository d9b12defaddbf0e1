"""The state of every store at the newest poll: up, down, closed or silent."""

from enum import StrEnum

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import LOOKBACK_US, BoolArray, IntArray
from storemon_pipeline.uptime.status_runs import StatusRuns


class StoreState(StrEnum):
    """The state of a store. The order matches the numbers that `states_at` returns."""

    DOWN = "down"
    UP = "up"
    CLOSED = "closed"
    SILENT = "silent"


STORE_STATES = tuple(StoreState)


def last_status_runs(status_runs: StatusRuns, stores: int) -> tuple[IntArray, BoolArray]:
    """The row of each store's last status run, and whether it has one; both `(stores,)`."""
    row = np.zeros(stores, np.int64)
    has_status_run = np.zeros(stores, np.bool_)
    is_last = np.append(status_runs.store[1:] != status_runs.store[:-1], True)[: len(status_runs)]
    row[status_runs.store[is_last]] = np.flatnonzero(is_last)
    has_status_run[status_runs.store[is_last]] = True
    return row, has_status_run


def states_at(
    status_runs: StatusRuns, calendar: Calendar, *, as_of_us: int
) -> npt.NDArray[np.int8]:
    """The state of each store at `as_of_us`, shape `(stores,)`, as an index into `STORE_STATES`.

    `status_runs` includes the last one of each store; no poll is newer than `as_of_us`. The
    calendar covers the microsecond from there. A store without a poll in the look-back is silent; a
    store outside of business time is closed, whatever its polls say.
    """
    every = np.arange(calendar.stores)
    row, has_status_run = last_status_runs(status_runs, calendar.stores)
    now = np.full(calendar.stores, as_of_us)
    is_open = calendar.business_us(every, now + 1) > calendar.business_us(every, now)
    if len(status_runs) == 0:
        return np.full(calendar.stores, STORE_STATES.index(StoreState.SILENT), np.int8)
    is_heard = has_status_run & (status_runs.last_poll_us[row] > as_of_us - LOOKBACK_US)
    found = np.where(
        status_runs.is_active[row],
        STORE_STATES.index(StoreState.UP),
        STORE_STATES.index(StoreState.DOWN),
    )
    found = np.where(is_open, found, STORE_STATES.index(StoreState.CLOSED))
    return np.where(is_heard, found, STORE_STATES.index(StoreState.SILENT)).astype(np.int8)
