"""Fitting a version of the status model to the polls."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import numpy as np

from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.windows import IntArray
from storemon_pipeline.events.evidence_queries import with_single_storefronts
from storemon_pipeline.figures.status_models import ModelFit, read_newest_fit, write_status_model
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.fit import fit_model
from storemon_pipeline.likelihood.model import StatusModel, StoreParameters, joined
from storemon_pipeline.polls.status_run_queries import read_status_runs
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.stores.store_index import StoreIndex, read_stores

PERIOD: Final = timedelta(weeks=4)
"""A version is fitted to the polls of this period. Longer ones hold habits of the past."""


_STORES_PER_FIT: Final = 50_000
"""A larger fleet is fitted in chunks of this size: each takes some 500 MB of memory."""

_MOST_STORES_AT_ONCE: Final = 200_000
"""A refresh does not wait for the first version of a larger fleet, which takes minutes."""


def fit_status_model(
    url: str, *, fitted_at: datetime, stores_per_fit: int = _STORES_PER_FIT
) -> ModelFit | None:
    """Fit a version to the polls of `PERIOD` up to the newest one; None without polls."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            return None
        stores = read_stores(bulk)
        fits = [_fit(bulk, chunk, as_of) for chunk in stores.chunks(stores_per_fit)]
    model, parameters = joined([(fit.model, fit.parameters) for fit in fits])
    polled = [fit.polled + number * stores_per_fit for number, fit in enumerate(fits)]
    with bulk_transaction(url) as bulk:
        return write_status_model(
            bulk,
            stores,
            model,
            parameters,
            polled=np.concatenate(polled),
            as_of=as_of,
            fitted_at=fitted_at,
        )


@dataclass(frozen=True, slots=True)
class _Fit:
    """The model of a chunk of stores; `polled` are the positions of those with polls."""

    model: StatusModel
    parameters: StoreParameters
    polled: IntArray


def _fit(bulk: Bulk, stores: StoreIndex, as_of: datetime) -> _Fit:
    since_us, as_of_us = microseconds(as_of - PERIOD), microseconds(as_of)
    status_runs = with_single_storefronts(
        bulk,
        stores,
        read_status_runs(bulk, stores, as_of=as_of, look_back=PERIOD),
        as_of=as_of,
        look_back=PERIOD,
    )
    status_runs = status_runs.clip(since_us, as_of_us)
    calendar = read_calendar(bulk, stores, start_us=since_us, end_us=as_of_us)
    fitted = fit_model(status_runs, calendar, max_gap_us=read_max_gap_us(bulk))
    return _Fit(*fitted, np.unique(status_runs.store))


def fit_first_status_model(url: str, *, fitted_at: datetime) -> ModelFit | None:
    """Fit a version if there is none that this release can compute with; None if there is.

    Of a very large fleet the daily job fits the first version as well.
    """
    with bulk_transaction(url) as bulk:
        is_needed = read_newest_fit(bulk) is None and len(read_stores(bulk)) <= _MOST_STORES_AT_ONCE
    return fit_status_model(url, fitted_at=fitted_at) if is_needed else None
