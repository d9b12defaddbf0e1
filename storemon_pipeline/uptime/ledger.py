"""The ledger of a figure: one store's period as intervals, each with the status run behind it."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.windows import BoolArray, IntArray, Policy
from storemon_pipeline.uptime.estimates import Estimates, counted_status_runs, estimate_status
from storemon_pipeline.uptime.status_runs import StatusRuns


@dataclass(frozen=True, slots=True)
class Ledger:
    """Intervals that fill a period without gaps or overlaps; every array has shape `(n,)`.

    The `is_business` intervals with status up add up to the period's uptime, those with status down
    to its downtime, exactly. `status_run` is the row of the status run that determines the status,
    or `NO_STATUS_RUN`.
    """

    start_us: IntArray
    end_us: IntArray
    is_business: BoolArray
    status: npt.NDArray[np.int8]
    is_certain: BoolArray
    status_run: IntArray

    def __len__(self) -> int:
        return len(self.start_us)


def build_ledger(estimates: Estimates, calendar: Calendar, *, store: int) -> Ledger:
    """Build the ledger of one store over the period of its estimates."""
    mine = estimates.store == store
    starts, ends = estimates.start_us[mine], estimates.end_us[mine]
    if len(starts) == 0:
        none = np.empty(0, np.int64)
        no = np.empty(0, np.bool_)
        return Ledger(none, none, no, np.empty(0, np.int8), no, none)
    opens, closes = calendar.open_intervals(store)
    edges = np.unique(np.concatenate([starts, ends, opens, closes]))
    edges = edges[(edges >= starts[0]) & (edges <= ends[-1])]
    begin = edges[:-1]
    estimate = np.searchsorted(starts, begin, side="right") - 1
    opening = np.searchsorted(opens, begin, side="right") - 1
    is_business = np.zeros(len(begin), np.bool_)
    if len(opens):
        is_business = (opening >= 0) & (begin < closes[opening])
    return Ledger(
        begin,
        edges[1:],
        is_business,
        estimates.status[mine][estimate],
        estimates.is_certain[mine][estimate],
        estimates.status_run[mine][estimate],
    )


def explain(
    status_runs: StatusRuns, calendar: Calendar, *, as_of_us: int, window_us: int, policy: Policy
) -> tuple[Ledger, StatusRuns]:
    """The ledger of a report's window for a calendar's only store, and the status runs counted.

    The intervals add up to the result of `compute_figures` for the same arguments.
    """
    counted = counted_status_runs(status_runs, as_of_us=as_of_us)
    estimates = estimate_status(
        counted,
        stores=1,
        start_us=as_of_us - window_us,
        end_us=as_of_us,
        policy=policy,
        has_status_before_first_poll=True,
    )
    return build_ledger(estimates, calendar, store=0), counted
