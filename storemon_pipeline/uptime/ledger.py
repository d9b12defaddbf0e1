"""The ledger of a figure: one store's period as intervals, each with the status run behind it."""

from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.domain.shares import NO_SHARES, Shares
from storemon_pipeline.domain.windows import BoolArray, IntArray, Policy
from storemon_pipeline.uptime.estimates import (
    Estimates,
    Status,
    counted_status_runs,
    estimate_status,
)
from storemon_pipeline.uptime.status_runs import StatusRuns


@dataclass(frozen=True, slots=True)
class Ledger:
    """Intervals that fill a period without gaps or overlaps; every array has shape `(n,)`.

    The `is_business` intervals with status up add up to the period's uptime, those with status down
    to its downtime, exactly. `status_run` is the row of the status run that determines the status,
    or `NO_STATUS_RUN`.

    `up`, `sure_up` and `sure_down` are numbers of the `parts` storefronts, as in `Shares`. Where no
    shares decide, they tell the status as of one storefront.
    """

    start_us: IntArray
    end_us: IntArray
    is_business: BoolArray
    status: npt.NDArray[np.int8]
    is_certain: BoolArray
    status_run: IntArray
    parts: IntArray
    up: IntArray
    sure_up: IntArray
    sure_down: IntArray

    def __len__(self) -> int:
        return len(self.start_us)

    def business_us(self, part: IntArray | None = None) -> int:
        """Business time; with a column of the storefronts' numbers, the share that it is.

        It is rounded down to a microsecond, once.
        """
        length = (self.end_us - self.start_us) * self.is_business
        if part is None:
            return int(length.sum())
        amounts = zip(*(each.tolist() for each in (length * part, self.parts)), strict=True)
        return int(sum(Fraction(amount, parts) for amount, parts in amounts))


def build_ledger(
    estimates: Estimates, calendar: Calendar, *, store: int, shares: Shares | None = None
) -> Ledger:
    """Build the ledger of one store over the period of its estimates, cut at its shares, too."""
    mine = estimates.store == store
    starts, ends = estimates.start_us[mine], estimates.end_us[mine]
    if len(starts) == 0:
        none = np.empty(0, np.int64)
        no = np.empty(0, np.bool_)
        return Ledger(none, none, no, np.empty(0, np.int8), no, none, none, none, none, none)
    opens, closes = calendar.open_intervals(store)
    shares = NO_SHARES if shares is None else shares.of_stores(store, store + 1)
    bounds = (starts, ends, opens, closes, shares.start_us, shares.end_us)
    edges = np.unique(np.concatenate(bounds))
    edges = edges[(edges >= starts[0]) & (edges <= ends[-1])]
    begin = edges[:-1]
    estimate = np.searchsorted(starts, begin, side="right") - 1
    opening = np.searchsorted(opens, begin, side="right") - 1
    is_business = np.zeros(len(begin), np.bool_)
    if len(opens):
        is_business = (opening >= 0) & (begin < closes[opening])
    status = estimates.status[mine][estimate]
    is_certain = estimates.is_certain[mine][estimate]
    share = np.searchsorted(shares.start_us, begin, side="right") - 1
    shared = np.flatnonzero((share >= 0) & (begin < np.append(shares.end_us, 0)[share]))
    alone = np.stack(
        [
            np.ones(len(begin), np.int64),
            status == Status.UP,
            (status == Status.UP) & is_certain,
            (status == Status.DOWN) & is_certain,
        ]
    )
    alone[:, shared] = np.stack([shares.parts, shares.up, shares.sure_up, shares.sure_down])[
        :, share[shared]
    ]
    parts, up, sure_up, sure_down = alone
    is_certain[shared] = (sure_up + sure_down == parts)[shared]
    return Ledger(
        begin,
        edges[1:],
        is_business,
        status,
        is_certain,
        estimates.status_run[mine][estimate],
        parts,
        up,
        sure_up,
        sure_down,
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
    return build_ledger(estimates, calendar, store=0, shares=counted.shares), counted
