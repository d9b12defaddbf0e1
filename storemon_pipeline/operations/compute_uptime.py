"""One computation for everything that speaks of an instant: read the inputs, ask the engine."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from storemon_pipeline.storage.bulk import Bulk
from storemon_pipeline.storage.instants import microseconds
from storemon_pipeline.storage.parameters import read_max_gap_us
from storemon_pipeline.storage.uptime_inputs import (
    StoreIndex,
    read_report_calendar,
    read_runs,
    read_stores,
)
from storemon_pipeline.uptime.figures import Figures, compute_figures
from storemon_pipeline.uptime.windows import Policy


class InvariantError(Exception):
    """Figures that contradict themselves: nothing made of them may be shown to anyone."""


@dataclass(frozen=True, slots=True)
class Computed:
    """Figures, and the stores that their positions mean."""

    stores: StoreIndex
    figures: Figures


def compute_uptime(bulk: Bulk, *, as_of: datetime, policy: Policy) -> Computed:
    """The figures of all stores at an instant, out of one snapshot of the database.

    Raises InvariantError instead of giving figures that cannot be.
    """
    as_of_us = microseconds(as_of)
    stores = read_stores(bulk)
    figures = compute_figures(
        read_runs(bulk, stores, as_of=as_of),
        read_report_calendar(bulk, stores, as_of_us=as_of_us),
        as_of_us=as_of_us,
        policy=policy,
        max_gap_us=read_max_gap_us(bulk),
    )
    for rule, is_kept in {
        "uptime + downtime = business time": figures.uptime_us + figures.downtime_us
        == figures.business_us,
        "lowest <= uptime <= highest": (figures.lowest_us <= figures.uptime_us)
        & (figures.uptime_us <= figures.highest_us),
        "observed <= business time": figures.observed_us <= figures.business_us,
    }.items():
        broken = np.flatnonzero(~is_kept.all(axis=1))
        if len(broken):
            store_id = stores.store_ids[int(figures.store[broken[0]])]
            raise InvariantError(
                f"{rule} does not hold for {len(broken)} stores as of {as_of}, first for {store_id}"
            )
    return Computed(stores, figures)
