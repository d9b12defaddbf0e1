"""Turning the engine's arrays into the bodies of answers about stores. Asks nobody anything."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import compress
from typing import Final

import numpy as np
import numpy.typing as npt
from fastapi import Response
from pydantic import BaseModel

from storemon_api.paging import Paging
from storemon_api.store_schemas import (
    GroupTotals,
    HistoryAmounts,
    IncidentAnswer,
    IncidentsPage,
    IncidentsSummary,
    ShareOfWindow,
    StoreSummary,
    Totals,
    WindowFigures,
)
from storemon_pipeline.operations.read_fleet import Fleet
from storemon_pipeline.storage.instants import instant
from storemon_pipeline.uptime.history import Amounts
from storemon_pipeline.uptime.incidents import NO_POLL, Ending, Incidents
from storemon_pipeline.uptime.shares import share_percent
from storemon_pipeline.uptime.standing import STANDINGS
from storemon_pipeline.uptime.windows import DEFAULT_ZONE, BoolArray, IntArray, Window

_WALL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_ENDINGS: Final = {
    Ending.OPEN: "open",
    Ending.ENDED: "ended",
    Ending.LOST_SIGHT: "lost sight of",
}


def wall_clock(local_us: int) -> datetime:
    """Microseconds on a wall clock as a datetime without a zone."""
    return _WALL_EPOCH + timedelta(microseconds=local_us)


def store_summary(fleet: Fleet, position: int) -> StoreSummary:
    """One store at the newest poll."""
    details, row = fleet.details, int(fleet.incident_row[position])
    timezone = details.timezones[position]
    return StoreSummary(
        store_id=fleet.store_ids[position],
        name=details.names[position],
        group=details.groups[position],
        region=details.regions[position],
        timezone=timezone or DEFAULT_ZONE,
        has_timezone=timezone is not None,
        has_hours=bool(details.has_hours[position]),
        standing=STANDINGS[int(fleet.standing[position])],
        last_poll_at=instant(int(fleet.last_poll_us[position]))
        if fleet.has_poll[position]
        else None,
        down_since=instant(int(fleet.incidents.start_us[row])) if row >= 0 else None,
        last_active_poll_at=_poll(fleet.incidents.last_active_us[row]) if row >= 0 else None,
        first_inactive_poll_at=_poll(fleet.incidents.first_inactive_us[row]) if row >= 0 else None,
        lost_us=int(fleet.incidents.lost_us[row]) if row >= 0 else 0,
        figures=window_figures(fleet, position),
    )


def window_figures(fleet: Fleet, position: int) -> dict[Window, WindowFigures] | None:
    """The store's newest figures; None when it has none."""
    row = int(fleet.figure_row[position])
    if row < 0:
        return None
    figures = fleet.figures
    made = {}
    for column, window in enumerate(Window):
        business, uptime = (
            int(figures.business_us[row, column]),
            int(figures.uptime_us[row, column]),
        )
        observed = int(figures.observed_us[row, column])
        made[window] = WindowFigures(
            business_us=business,
            uptime_us=uptime,
            downtime_us=int(figures.downtime_us[row, column]),
            lowest_uptime_us=int(figures.lowest_us[row, column]),
            highest_uptime_us=int(figures.highest_us[row, column]),
            observed_us=observed,
            uptime_percent=share_percent(uptime, business),
            observed_percent=share_percent(observed, business),
        )
    return made


def incident_answer(
    incidents: Incidents, row: int, *, store_id: str, name: str | None
) -> IncidentAnswer:
    """One incident."""
    return IncidentAnswer(
        store_id=store_id,
        name=name,
        ending=_ENDINGS[Ending(int(incidents.ending[row]))],
        start=instant(int(incidents.start_us[row])),
        end=instant(int(incidents.end_us[row])),
        last_active_poll=_poll(incidents.last_active_us[row]),
        first_inactive_poll=instant(int(incidents.first_inactive_us[row])),
        last_inactive_poll=instant(int(incidents.last_inactive_us[row])),
        next_active_poll=_poll(incidents.next_active_us[row]),
        polls=int(incidents.polls[row]),
        lost_us=int(incidents.lost_us[row]),
    )


def _poll(at_us: int) -> datetime | None:
    return None if at_us == NO_POLL else instant(int(at_us))


def incidents_summary(incidents: Incidents) -> IncidentsSummary:
    """Incidents in numbers."""
    ended = incidents.lost_us[incidents.ending == Ending.ENDED]
    return IncidentsSummary(
        count=len(incidents),
        open=int((incidents.ending == Ending.OPEN).sum()),
        lost_us=int(incidents.lost_us.sum()),
        longest_us=int(incidents.lost_us.max(initial=0)),
        mean_to_recovery_us=int(ended.sum()) // len(ended) if len(ended) else None,
    )


def history_amounts(amounts: Amounts, rows: IntArray | BoolArray | slice) -> HistoryAmounts:
    """The sum of some rows of amounts."""
    business, uptime, downtime, unknown, uncertain, lowest = (
        int(values[rows].sum())
        for values in (
            amounts.business_us,
            amounts.uptime_us,
            amounts.downtime_us,
            amounts.unknown_us,
            amounts.uncertain_us,
            amounts.lowest_us,
        )
    )
    return HistoryAmounts(
        business_us=business,
        uptime_us=uptime,
        downtime_us=downtime,
        unknown_us=unknown,
        uncertain_us=uncertain,
        lowest_uptime_us=lowest,
        highest_uptime_us=lowest + uncertain,
        uptime_percent=share_percent(uptime, uptime + downtime),
    )


def totals_of(fleet: Fleet, kept: BoolArray) -> Totals:
    """Totals of the stores that are kept."""
    code = np.where(kept, 0, -1)
    return _totals(fleet, code, 1)[0]


def group_totals(fleet: Fleet, names: Sequence[str | None], kept: BoolArray) -> list[GroupTotals]:
    """Totals of the kept stores of each name, those without one last; `names` are by position."""
    order = sorted(set(compress(names, kept)), key=lambda name: (name is None, name or ""))
    number = {name: code for code, name in enumerate(order)}
    code = np.array([number.get(name, -1) for name in names], np.int64)
    totals = zip(order, _totals(fleet, np.where(kept, code, -1), len(order)), strict=True)
    return [GroupTotals(name=name, **dict(total)) for name, total in totals]


def _totals(fleet: Fleet, code: IntArray, groups: int) -> list[Totals]:
    """Totals of groups; `code` is the group of each store, or -1."""
    sums = _GroupSums(code, groups)
    standing = np.stack([sums.of(fleet.standing == n) for n in range(len(STANDINGS))], axis=1)
    down = fleet.incident_row >= 0
    lost = np.zeros(len(code), np.int64)
    lost[down] = fleet.incidents.lost_us[fleet.incident_row[down]]
    counts, incidents, lost_us = sums.of(np.ones(len(code), np.bool_)), sums.of(down), sums.of(lost)
    windows = [_window_shares(fleet, code, sums, column) for column in range(len(Window))]
    return [
        Totals(
            stores=int(counts[group]),
            standing={one: int(standing[group, number]) for number, one in enumerate(STANDINGS)},
            open_incidents=int(incidents[group]),
            lost_us=int(lost_us[group]),
            windows={window: shares[group] for window, shares in zip(Window, windows, strict=True)},
        )
        for group in range(groups)
    ]


def _window_shares(
    fleet: Fleet, code: IntArray, sums: "_GroupSums", column: int
) -> list[ShareOfWindow]:
    """The summed figures of each group in one window, and the share in the window before."""
    figures = fleet.figures
    of_figures = _GroupSums(code[figures.store], sums.groups)
    counts = of_figures.of(np.ones(len(figures.store), np.bool_))
    business, uptime, downtime, lowest, highest, observed = (
        of_figures.of(values[:, column])
        for values in (
            figures.business_us,
            figures.uptime_us,
            figures.downtime_us,
            figures.lowest_us,
            figures.highest_us,
            figures.observed_us,
        )
    )
    before = fleet.previous[column]
    up_before = None if before is None else sums.of(before.uptime_us)
    down_before = None if before is None else sums.of(before.downtime_us)
    return [
        ShareOfWindow(
            stores=int(counts[group]),
            business_us=int(business[group]),
            uptime_us=int(uptime[group]),
            downtime_us=int(downtime[group]),
            lowest_uptime_us=int(lowest[group]),
            highest_uptime_us=int(highest[group]),
            observed_us=int(observed[group]),
            uptime_percent=share_percent(int(uptime[group]), int(business[group])),
            previous_percent=None
            if up_before is None or down_before is None
            else share_percent(
                int(up_before[group]), int(up_before[group]) + int(down_before[group])
            ),
        )
        for group in range(sums.groups)
    ]


class _GroupSums:
    """Exact sums over the members of each group; who has the code -1 belongs to none."""

    def __init__(self, code: IntArray, groups: int) -> None:
        self.groups = groups
        order = np.argsort(code, kind="stable")
        self._order = order[np.searchsorted(code[order], 0) :]
        self._ends = np.searchsorted(code[self._order], np.arange(groups + 1))

    def of(self, values: npt.NDArray[np.bool_] | IntArray) -> IntArray:
        """The sum of each group, shape `(groups,)`."""
        until = np.append(0, np.cumsum(values[self._order], dtype=np.int64))
        sums: IntArray = until[self._ends[1:]] - until[self._ends[:-1]]
        return sums


def incidents_page(
    paging: Paging,
    as_of: datetime | None,
    incidents: Incidents,
    store_ids: Sequence[str],
    names: Sequence[str | None],
) -> IncidentsPage:
    """A page of incidents that are in order; ids and names are by the position of the store."""
    stores = incidents.store.tolist()
    return IncidentsPage(
        as_of=as_of,
        total=len(incidents),
        offset=paging.offset,
        limit=paging.limit,
        next=paging.next_address(len(incidents)),
        summary=incidents_summary(incidents),
        incidents=[
            incident_answer(
                incidents, row, store_id=store_ids[stores[row]], name=names[stores[row]]
            )
            for row in range(*paging.rows.indices(len(incidents)))
        ],
    )


def now_utc() -> datetime:
    """The clock of the server."""
    return datetime.now(UTC)


def json_answer(body: BaseModel) -> Response:
    """The body as JSON, nulls included."""
    # FastAPI would validate and serialise a returned model in two more trips to a thread.
    return Response(body.model_dump_json(), media_type="application/json")
