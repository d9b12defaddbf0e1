"""Computing the figures of stores at an instant, for `store_uptime` and for reports."""

from collections.abc import Iterator
from datetime import datetime
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.database.bulk import Bulk
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.amounts import AMOUNTS, UNKNOWN
from storemon_pipeline.domain.windows import BoolArray, Policy
from storemon_pipeline.events.evidence_queries import with_events_of_report
from storemon_pipeline.figures.status_models import ModelVersion
from storemon_pipeline.likelihood.likely_figures import with_likely_ranges
from storemon_pipeline.polls.status_run_queries import (
    CHUNKS_PER_QUERY,
    read_status_runs,
    split_into_chunks,
)
from storemon_pipeline.schedules.calendars import read_report_calendar
from storemon_pipeline.stores.store_index import StoreIndex
from storemon_pipeline.uptime.figures import Figures, compute_with_positions
from storemon_pipeline.uptime.status_runs import StatusRuns


class InvariantError(Exception):
    """Figures that contradict each other. They must not be stored or shown."""


STORES_PER_CHUNK: Final = 100_000
"""Their inputs and figures take about 300 MB of memory."""


def compute_uptime(
    bulk: Bulk,
    stores: StoreIndex,
    *,
    as_of: datetime,
    policy: Policy,
    model: ModelVersion | None,
    stores_per_chunk: int = STORES_PER_CHUNK,
) -> Iterator[tuple[StoreIndex, Figures]]:
    """The figures of the stores at an instant, one chunk of stores after the other, in order.

    Without a version of the status model there are no likely ranges. All chunks see one snapshot of
    the database. Raises InvariantError.
    """
    max_gap_us = read_max_gap_us(bulk)
    for part in stores.chunks(stores_per_chunk * CHUNKS_PER_QUERY):
        read = with_events_of_report(
            bulk, part, read_status_runs(bulk, part, as_of=as_of), as_of=as_of, policy=policy
        )
        for chunk, status_runs in split_into_chunks(part, read, stores_per_chunk):
            figures = figures_of(
                chunk,
                status_runs,
                read_report_calendar(bulk, chunk, as_of_us=microseconds(as_of)),
                as_of=as_of,
                policy=policy,
                model=model,
                max_gap_us=max_gap_us,
            )
            yield chunk, figures


def figures_of(
    stores: StoreIndex,
    status_runs: StatusRuns,
    calendar: Calendar,
    *,
    as_of: datetime,
    policy: Policy,
    model: ModelVersion | None,
    max_gap_us: int,
) -> Figures:
    """The figures of stores from their status runs with events, and the calendar of a report.

    Raises InvariantError.
    """
    as_of_us = microseconds(as_of)
    figures, positions = compute_with_positions(
        status_runs, calendar, as_of_us=as_of_us, policy=policy, max_gap_us=max_gap_us
    )
    if model is not None:
        figures = with_likely_ranges(
            figures,
            status_runs,
            calendar,
            model.model,
            model.parameters_of(stores),
            as_of_us=as_of_us,
            positions=positions,
        )
    for rule, is_kept in _rules(figures):
        broken = np.flatnonzero(~is_kept.all(axis=1))
        if len(broken):
            store_id = stores.store_ids[int(figures.store[broken[0]])]
            raise InvariantError(
                f"{rule} does not hold for {len(broken)} stores as of {as_of}, first for {store_id}"
            )
    return figures


def _rules(figures: Figures) -> Iterator[tuple[str, BoolArray]]:
    """The invariants by name, and where they hold; shape `(n, 3)`."""
    yield (
        "uptime + downtime = business time",
        figures.uptime_us + figures.downtime_us == figures.business_us,
    )
    highest_us = figures.likely_highest_uptime_us
    yield (
        "uptime <= likely_highest_uptime",
        (figures.uptime_us <= highest_us) | (highest_us == UNKNOWN),
    )
    for amount in AMOUNTS:
        if amount.at_most is not None:
            upper = getattr(figures, f"{amount.at_most}_us")
            yield f"{amount.name} <= {amount.at_most}", getattr(figures, amount.field) <= upper
