"""Changing one store's past: versions of its hours, and previews of changes of any kind."""

from collections.abc import Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Final, assert_never

import numpy as np

from storemon_pipeline.access.audit_log import AuditEvent, append_event
from storemon_pipeline.corrections.correction_table import NewCorrection
from storemon_pipeline.corrections.manage_corrections import write_entry, write_taking_back
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.domain.windows import WEEK_US, Policy, Window
from storemon_pipeline.ingestion.forget_stores import forget_stores
from storemon_pipeline.ingestion.push_schedules import (
    parse_rows,
    write_cancellation,
    write_rows,
    write_withdrawal,
)
from storemon_pipeline.loads.load_undo import read_load, record_undo
from storemon_pipeline.schedules.hours_versions import (
    HoursVersion,
    has_pushed_hours,
    read_hours_versions,
)
from storemon_pipeline.schedules.versions import BUSINESS_HOURS, undo_versions
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals
from storemon_pipeline.uptime.figures import compute_figures
from storemon_pipeline.views.change_log import LoggedChange, read_changes
from storemon_pipeline.views.store_view import StoreView, open_store_view

_MOST_DAYS: Final = 60
"""A preview lists this many changed days, the latest ones."""


class NoHoursError(Exception):
    """No hours of the store were pushed with this load, or they were taken back."""


@dataclass(frozen=True, slots=True)
class NewRows:
    """Rows of hours, special hours or closures, as text."""

    source: Source
    rows: Sequence[Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class CancelledClosure:
    """A closure that is cancelled."""

    closure_id: int


@dataclass(frozen=True, slots=True)
class WithdrawnHours:
    """Hours that are taken back, by the load that wrote them."""

    load_id: int


@dataclass(frozen=True, slots=True)
class WithdrawnDate:
    """A date whose special hours are taken back."""

    day: date


@dataclass(frozen=True, slots=True)
class CancelledCorrection:
    """A correction that is taken back."""

    correction_id: int


Change = (
    NewRows
    | CancelledClosure
    | WithdrawnHours
    | WithdrawnDate
    | NewCorrection
    | CancelledCorrection
)


@dataclass(frozen=True, slots=True)
class Totals:
    """Opening time and its parts, in microseconds."""

    business_us: int
    uptime_us: int
    downtime_us: int


_NOTHING: Final = Totals(0, 0, 0)


@dataclass(frozen=True, slots=True)
class ChangedDay:
    """A local day's amounts before and after a change."""

    begin_local_us: int
    before: Totals
    after: Totals


@dataclass(frozen=True, slots=True)
class Preview:
    """What a change does to a store's past figures.

    `windows` is empty when the store has no newest figures. `days` are the latest of the
    `days_changed` days.
    """

    as_of: datetime
    windows: dict[Window, tuple[Totals, Totals]]
    days: list[ChangedDay]
    days_changed: int


def list_hours(url: str, store_id: str) -> list[HoursVersion]:
    """See `schedules.hours_versions.read_hours_versions`."""
    with bulk_transaction(url) as bulk:
        return read_hours_versions(bulk, store_id)


def list_changes(url: str, store_id: str, *, limit: int) -> list[LoggedChange]:
    """See `views.change_log.read_changes`."""
    with bulk_transaction(url) as bulk:
        return read_changes(bulk, store_id, limit=limit)


def withdraw_hours(
    url: str,
    store_id: str,
    load_id: int,
    *,
    now: datetime,
    patience: timedelta,
    audit: AuditEvent | None = None,
) -> None:
    """Take back hours that were pushed for the store, as if they had never been; write `audit`.

    Raises NoHoursError, and BusyError as `push_polls` does.
    """
    with bulk_transaction(url, is_writing_polls=True, patience=patience) as bulk:
        _withdraw(bulk, store_id, load_id, now=now)
        append_event(bulk, audit)


def preview_change(
    url: str,
    store_id: str,
    change: Change,
    *,
    now: datetime,
    patience: timedelta,
    only_stores: AbstractSet[str] | None = None,
) -> Preview:
    """What the change would do to the store's past figures; nothing is kept of it.

    It is made in a transaction that is rolled back, so that the preview follows the rules of the
    change itself. Raises as the change would, UnknownStoreError, NoPollsError, and BusyError as
    `push_polls` does.
    """
    make = _maker(store_id, change, now, only_stores)
    with bulk_transaction(url, is_writing_polls=True, patience=patience, is_kept=False) as bulk:
        view = open_store_view(bulk, store_id)
        since_us = view.first_poll_us
        if isinstance(change, NewCorrection):
            # What a correction says counts from its start on, also before the first poll.
            since_us = min(since_us, microseconds(change.from_at))
        windows, days = _figures(bulk, view), _days(view, since_us)
        make(bulk)
        view_after = open_store_view(bulk, store_id)
        windows_after, days_after = _figures(bulk, view_after), _days(view_after, since_us)
    changed = [
        ChangedDay(begin, days.get(begin, _NOTHING), days_after.get(begin, _NOTHING))
        for begin in sorted(days.keys() | days_after.keys())
        if days.get(begin, _NOTHING) != days_after.get(begin, _NOTHING)
    ]
    return Preview(
        view.as_of,
        {
            window: (windows.get(window, _NOTHING), windows_after.get(window, _NOTHING))
            for window in Window
            if window in windows or window in windows_after
        },
        changed[-_MOST_DAYS:],
        len(changed),
    )


def _maker(
    store_id: str, change: Change, now: datetime, only_stores: AbstractSet[str] | None
) -> Callable[[Bulk], object]:
    """What makes the change in a transaction. Raises BadRowsError."""
    match change:
        case NewRows(source, rows):
            return partial(write_rows, source=source, frame=parse_rows(source, rows), now=now)
        case CancelledClosure(closure_id):
            return partial(
                write_cancellation, closure_id=closure_id, now=now, only_stores=only_stores
            )
        case WithdrawnHours(load_id):
            return partial(_withdraw, store_id=store_id, load_id=load_id, now=now)
        case WithdrawnDate(day):
            return partial(write_withdrawal, store_id=store_id, day=day, now=now)
        case NewCorrection():
            return partial(write_entry, new=change, now=now)
        case CancelledCorrection(correction_id):
            return partial(
                write_taking_back, correction_id=correction_id, now=now, only_stores=only_stores
            )
        case _:
            assert_never(change)


def _withdraw(bulk: Bulk, store_id: str, load_id: int, *, now: datetime) -> None:
    load = read_load(bulk, load_id)
    if load is None or not has_pushed_hours(bulk, store_id, load_id):
        raise NoHoursError(f"no hours of the store {store_id} were pushed with load {load_id}")
    forget_stores(bulk, undo_versions(bulk, load_id, BUSINESS_HOURS))
    refresh_intervals(bulk)
    record_undo(bulk, load, undone_at=now, rows_removed=0)


def _figures(bulk: Bulk, view: StoreView) -> dict[Window, Totals]:
    figures = compute_figures(
        view.status_runs_of_report(instant(view.as_of_us), policy=Policy.NEAREST),
        view.calendar(view.as_of_us - WEEK_US, view.as_of_us),
        as_of_us=view.as_of_us,
        policy=Policy.NEAREST,
        max_gap_us=read_max_gap_us(bulk),
    )
    if len(figures.store) == 0:
        return {}
    return {
        window: Totals(
            int(figures.business_us[0, column]),
            int(figures.uptime_us[0, column]),
            int(figures.downtime_us[0, column]),
        )
        for column, window in enumerate(Window)
    }


def _days(view: StoreView, since_us: int) -> dict[int, Totals]:
    """The local days from that of `since_us` on, by when they begin on the store's clock."""
    days = view.days(since_us, view.as_of_us)
    amounts = days.amounts
    columns = (amounts.business_us, amounts.uptime_us, amounts.downtime_us)
    return {
        begin: Totals(*row)
        for begin, row in zip(
            days.begin_local_us.tolist(), np.stack(columns, axis=1).tolist(), strict=True
        )
    }
