"""The view of one store for the pages and the JSON API, from one snapshot."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar, LocalSpans
from storemon_pipeline.business_time.local_periods import Period, first_instant_at
from storemon_pipeline.channels.storefront_index import Storefronts, read_storefronts
from storemon_pipeline.corrections.correction_table import (
    StoredCorrection,
    read_corrections_within,
)
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.demand.demand_table import read_demand
from storemon_pipeline.demand.expected_sales import (
    SalesAmounts,
    sales_history,
)
from storemon_pipeline.demand.lost_sales import IncidentSales, sales_of_incidents
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.domain.windows import (
    DAY_US,
    WEEK_US,
    WINDOW_US,
    IntArray,
    Policy,
    Window,
)
from storemon_pipeline.events.event_texts import StoreEvents, read_event_texts
from storemon_pipeline.events.evidence_queries import (
    evidence_of_report,
    read_evidence_of_store,
)
from storemon_pipeline.figures.status_models import read_status_model
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.likely_figures import ranges_of_periods, with_likely_ranges
from storemon_pipeline.likelihood.verdict import Verdict
from storemon_pipeline.objectives.budgets import Budget, local_periods
from storemon_pipeline.objectives.objective_table import read_versions
from storemon_pipeline.objectives.precedence import NO_OBJECTIVE, parts_per_million, percentage
from storemon_pipeline.polls.status_run_queries import (
    RawPolls,
    read_raw_polls,
    read_status_runs_since,
)
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.schedules.special_hours import StoredSpecialHours, read_special_hours
from storemon_pipeline.schedules.weekly_intervals import read_week
from storemon_pipeline.stores.store_details import StoreDetails, read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_store
from storemon_pipeline.uptime.daily import Days, compute_days
from storemon_pipeline.uptime.event_stretches import EventStretches, what_holds
from storemon_pipeline.uptime.figures import compute_figures
from storemon_pipeline.uptime.history import Amounts, PeriodAmounts, build_history
from storemon_pipeline.uptime.incidents import Incidents, find_incidents
from storemon_pipeline.uptime.ledger import Ledger, build_ledger, explain
from storemon_pipeline.uptime.status_runs import StatusRuns
from storemon_pipeline.views.budgets_view import (
    MONTH_REACH_US,
    read_budgets,
    stored_objectives,
)
from storemon_pipeline.views.incident_events import IncidentEvents, read_incident_events
from storemon_pipeline.views.storefronts_view import StorefrontsView, read_storefronts_view

PeriodBound = date | datetime
"""The start or end of a period: an instant, or local midnight of a date."""

_EVER: Final = datetime.min.replace(tzinfo=UTC)
_LOCAL_REACH_US: Final = 2 * DAY_US
"""No local midnight is further from UTC midnight of the same date."""


class UnknownStoreError(Exception):
    """No source has ever mentioned this store."""


class NoPollsError(Exception):
    """There are no polls in the database yet."""


@dataclass(frozen=True, slots=True)
class LikelyRange:
    """The likely range of one figure, by a version of the status model."""

    status_model_id: int
    lowest_us: int
    highest_us: int
    doubt: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """Why a figure is what it is; `likely` is None without a status model."""

    ledger: Ledger
    status_runs: StatusRuns
    likely: LikelyRange | None


@dataclass(frozen=True, slots=True)
class StoreView:
    """One store with all that is known of its status; `as_of` is the newest poll of all stores.

    `fronts` are its storefronts, if it has any. `polls` are the status runs of its own polls alone,
    `stretches` those of its events; `status_runs` are of both, and of all storefronts.
    """

    as_of: datetime
    stores: StoreIndex
    details: StoreDetails
    fronts: Storefronts | None
    polls: StatusRuns
    stretches: EventStretches
    status_runs: StatusRuns
    _bulk: Bulk

    @property
    def as_of_us(self) -> int:
        """The newest poll in microseconds."""
        return microseconds(self.as_of)

    @property
    def first_poll_us(self) -> int:
        """The store's first poll; `as_of_us` when it has none."""
        return int(self.status_runs.first_poll_us[0]) if len(self.status_runs) else self.as_of_us

    def period(
        self, begin: PeriodBound | None, end: PeriodBound | None, default_us: int
    ) -> tuple[int, int]:
        """The requested period `[start, end)`, cut off at the newest poll; it may be empty.

        Without `begin` its length is `default_us`.
        """
        until_us = min(self._bound_us(end, self.as_of_us), self.as_of_us)
        return min(self._bound_us(begin, until_us - default_us), until_us), until_us

    def history(self, start_us: int, end_us: int, period: Period) -> PeriodAmounts:
        """Amounts by local period."""
        calendar = self.calendar(start_us, end_us)
        return build_history(self.status_runs, calendar).by_period(period)

    def likely_ranges(
        self, start_us: IntArray, end_us: IntArray, amounts: Amounts
    ) -> tuple[IntArray, IntArray]:
        """The likely range of the uptime in each of some periods, by the newest status model.

        `UNKNOWN` while there is no model, and where some of the time is unknown.
        """
        model = read_status_model(self._bulk)
        if model is None or len(start_us) == 0:
            unknown = np.full(start_us.shape, UNKNOWN)
            return unknown, unknown
        return ranges_of_periods(
            self.status_runs,
            # Up to the newest poll: a poll after the periods tells of the time before it.
            self.calendar(int(start_us.min()), self.as_of_us),
            model.model,
            model.parameters_of(self.stores),
            start_us=start_us,
            end_us=end_us,
            amounts=amounts,
        )

    def budget(
        self, at: PeriodBound | None, *, period: Period, objective_percent: Decimal | None
    ) -> tuple[Budget, Verdict] | None:
        """The error budget of the local week or month of an instant, and whether it was kept.

        Without `at`, or after the newest poll, it is that of the newest poll. Without an objective
        it is for the stored one; None if there is none. The verdict is on the period so far, from
        the first poll on.
        """
        if objective_percent is None:
            objectives = stored_objectives(
                read_versions(self._bulk, self.stores), self.stores, self.details, period
            )
        else:
            objective_ppm = parts_per_million(objective_percent)

            def objectives(end_us: IntArray) -> IntArray:
                return np.full_like(end_us, objective_ppm)

        _, budgets, verdicts = read_budgets(
            self._bulk,
            self.stores,
            at_us=self._instant_us(at),
            as_of_us=self.as_of_us,
            period=period,
            objectives=objectives,
        )
        return (budgets.row(0), verdicts[0]) if verdicts else None

    def objectives(self) -> dict[Period, Decimal]:
        """The stored objectives that hold for the store in the newest poll's week and month."""
        versions = read_versions(self._bulk, self.stores)
        found = {}
        for period in sorted({version.period for version in versions}):
            at_us = self.as_of_us
            spans = self.calendar(at_us - MONTH_REACH_US, at_us + MONTH_REACH_US).local_spans()
            _, end_us = local_periods(spans, at_us, period, stores=1)
            held = stored_objectives(versions, self.stores, self.details, period)(end_us)
            if held[0] != NO_OBJECTIVE:
                found[period] = percentage(int(held[0]))
        return found

    def _instant_us(self, at: PeriodBound | None) -> int:
        """The instant, or the newest poll if that is earlier."""
        return min(self._bound_us(at, self.as_of_us), self.as_of_us)

    def days(self, start_us: int, end_us: int) -> Days:
        """Whole local days with their incidents, from the day of `start_us` to that of `end_us`."""
        calendar = self.calendar(start_us - _LOCAL_REACH_US, end_us)
        return compute_days(self.status_runs, calendar, since_us=np.array([start_us]))[0]

    def incidents(self) -> tuple[Incidents, IncidentSales | None, IncidentEvents | None]:
        """All incidents, from the first poll to the newest, their lost sales and their events.

        Without demand there are no sales.
        """
        calendar = self.calendar(self.first_poll_us, self.as_of_us)
        found = find_incidents(self.status_runs, calendar, as_of_us=self.as_of_us)
        events = None
        if len(self.stretches):
            events = read_incident_events(self._bulk, self.stores, found, until=self.as_of)
        curves = read_demand(self._bulk, self.stores)
        if curves is None:
            return found, None, events
        return found, sales_of_incidents(found, curves, calendar), events

    def events(self) -> StoreEvents:
        """What the store's events say, and when."""
        return StoreEvents(what_holds(self.stretches), read_event_texts(self._bulk, self.stretches))

    def sales(self, history: PeriodAmounts) -> tuple[str, SalesAmounts] | None:
        """The currency and the sales of each period of a history; None without demand.

        The periods follow each other without gaps.
        """
        curves = read_demand(self._bulk, self.stores)
        currency = None if curves is None else curves.currency[0]
        if curves is None or currency is None:
            return None
        calendar = self.calendar(int(history.start_us.min()), int(history.end_us.max()))
        estimates = build_history(self.status_runs, calendar).estimates
        sales = sales_history(curves, calendar, estimates)
        return currency, sales.amounts(history.store, history.start_us, history.end_us)

    def ledger(self, start_us: int, end_us: int) -> tuple[Ledger, LocalSpans, IntArray, IntArray]:
        """The ledger of a period, its UTC offsets, and the open intervals without closures."""
        calendar = self.calendar(start_us, end_us)
        ledger = build_ledger(
            build_history(self.status_runs, calendar).estimates,
            calendar,
            store=0,
            shares=self.status_runs.shares,
        )
        planned = self.calendar(start_us, end_us, has_closures=False)
        return ledger, calendar.local_spans(), *planned.open_intervals(0)

    def corrections(self, start: datetime, end: datetime) -> list[StoredCorrection]:
        """The corrections that touch a period, by start."""
        return read_corrections_within(self._bulk, self.stores, start, end)

    def raw_polls(self, start_us: int, end_us: int) -> RawPolls:
        """The raw polls of a period, of all storefronts."""
        polled = self.stores if self.fronts is None else self.fronts.index
        return read_raw_polls(self._bulk, polled, start=instant(start_us), end=instant(end_us))

    def explain(self, as_of: datetime, *, window: Window, policy: Policy) -> Explanation:
        """The ledger of a report's window, its status runs, and its likely range."""
        as_of_us = microseconds(as_of)
        calendar = self.calendar(as_of_us - WEEK_US, as_of_us)
        of_report = self.status_runs_of_report(as_of, policy=policy)
        ledger, status_runs = explain(
            of_report,
            calendar,
            as_of_us=as_of_us,
            window_us=WINDOW_US[window],
            policy=policy,
        )
        model = read_status_model(self._bulk)
        if model is None or len(status_runs) == 0:
            return Explanation(ledger, status_runs, None)
        figures = with_likely_ranges(
            compute_figures(
                of_report,
                calendar,
                as_of_us=as_of_us,
                policy=policy,
                max_gap_us=read_max_gap_us(self._bulk),
            ),
            of_report,
            calendar,
            model.model,
            model.parameters_of(self.stores),
            as_of_us=as_of_us,
        )
        column = list(Window).index(window)
        return Explanation(
            ledger,
            status_runs,
            LikelyRange(
                model.status_model_id,
                int(figures.likely_lowest_uptime_us[0, column]),
                int(figures.likely_highest_uptime_us[0, column]),
                int(figures.doubt[0]),
            ),
        )

    def status_runs_of_report(self, as_of: datetime, *, policy: Policy) -> StatusRuns:
        """The status runs that count for a report, with the events that do."""
        return evidence_of_report(
            self._bulk, self.stores, self.fronts, self.polls, as_of=as_of, policy=policy
        )

    def calendar(self, start_us: int, end_us: int, *, has_closures: bool = True) -> Calendar:
        """The store's business time in a period."""
        return read_calendar(
            self._bulk,
            self.stores,
            start_us=start_us,
            end_us=end_us,
            has_closures=has_closures,
        )

    def storefronts(self) -> StorefrontsView | None:
        """The store's storefronts with their newest figures; None when it has none."""
        if self.fronts is None:
            return None
        return read_storefronts_view(self._bulk, self.stores, self.fronts, as_of_us=self.as_of_us)

    def polls_kept(self) -> tuple[int | None, int]:
        """The first poll, and how many polls there are, of all storefronts."""
        polls = self.polls
        if self.fronts is not None:
            polls = read_status_runs_since(
                self._bulk, self.fronts.index, since=_EVER, until=self.as_of
            )
        if len(polls) == 0:
            return None, 0
        return int(polls.first_poll_us.min()), int(polls.polls.sum())

    def week(self) -> tuple[list[int], list[int]]:
        """Starts and ends of the current weekly intervals, in microseconds since Monday 00:00."""
        return read_week(self._bulk, self.stores, as_of=self.as_of)

    def special_hours(self) -> list[StoredSpecialHours]:
        """The hours of single dates, from a week before the newest poll to 60 days after it."""
        (store_id,) = self.stores.store_ids.to_pylist()
        first, last = self.as_of - timedelta(days=7), self.as_of + timedelta(days=60)
        return read_special_hours(
            self._bulk, store_id, first=first.date(), last=last.date(), as_of=self.as_of
        )

    def _bound_us(self, bound: PeriodBound | None, default_us: int) -> int:
        match bound:
            case None:
                return default_us
            case datetime():
                return microseconds(bound)
            case date():
                local_us = (bound - date(1970, 1, 1)).days * DAY_US
                near = self.calendar(local_us - _LOCAL_REACH_US, local_us + _LOCAL_REACH_US)
                return first_instant_at(near.local_spans(), local_us)


@contextmanager
def store_view(url: str, store_id: str) -> Iterator[StoreView]:
    """The current view of one store; all its queries see one snapshot.

    Raises UnknownStoreError and NoPollsError.
    """
    with bulk_transaction(url) as bulk:
        yield open_store_view(bulk, store_id)


def open_store_view(bulk: Bulk, store_id: str) -> StoreView:
    """The view of one store in a transaction. Raises as `store_view` does."""
    stores = read_store(bulk, store_id)
    if stores is None:
        raise UnknownStoreError
    as_of = read_newest_poll(bulk)
    if as_of is None:
        raise NoPollsError
    fronts = read_storefronts(bulk, stores)
    polls, stretches, status_runs = read_evidence_of_store(bulk, stores, fronts, until=as_of)
    return StoreView(
        as_of,
        stores,
        read_details(bulk, stores, as_of=as_of),
        fronts,
        polls,
        stretches,
        status_runs,
        bulk,
    )
