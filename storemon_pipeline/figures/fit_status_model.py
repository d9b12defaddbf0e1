"""Fitting a version of the status model to the polls."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np

from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.figures.status_models import ModelFit, read_newest_fit, write_status_model
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.fit import fit_model
from storemon_pipeline.polls.status_run_queries import read_status_runs
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import read_stores

PERIOD: Final = timedelta(weeks=4)
"""A version is fitted to the polls of this period. Longer ones hold habits of the past."""


def fit_status_model(url: str, *, fitted_at: datetime) -> ModelFit | None:
    """Fit a version to the polls of `PERIOD` up to the newest one; None without polls."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        since = as_of - PERIOD
        stores = read_stores(bulk)
        status_runs = read_status_runs(bulk, stores, as_of=as_of, look_back=PERIOD)
        calendar = read_calendar(
            bulk, stores, start_us=microseconds(since), end_us=microseconds(as_of)
        )
        max_gap_us = read_max_gap_us(bulk)
    status_runs = status_runs.clip(microseconds(since), microseconds(as_of))
    model, parameters = fit_model(status_runs, calendar, max_gap_us=max_gap_us)
    with bulk_transaction(url) as bulk:
        return write_status_model(
            bulk,
            stores,
            model,
            parameters,
            polled=np.unique(status_runs.store),
            as_of=as_of,
            fitted_at=fitted_at,
        )


def fit_first_status_model(url: str, *, fitted_at: datetime) -> ModelFit | None:
    """Fit a version if there is none that this release can compute with; None if there is."""
    with bulk_transaction(url) as bulk:
        newest = read_newest_fit(bulk)
    return None if newest is not None else fit_status_model(url, fitted_at=fitted_at)
