"""Serialise engine arrays to response models about stores. No I/O."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Final, TypeVar

from fastapi import Response
from pydantic import BaseModel

from storemon_api.downloads.table_file import Cell, Column, hours, table_file
from storemon_api.downloads.table_format import Listing, page_response
from storemon_api.sales.sales_columns import lost_columns
from storemon_api.sales.sales_responses import (
    sales_of,
    sales_of_incident,
    sums_of_incidents,
)
from storemon_api.sales.sales_schemas import Sales
from storemon_api.stores.incident_details import (
    compared_time,
    comparison,
    incident_reasons,
    reason_totals,
    reasons_text,
    widespread_outages_text,
)
from storemon_api.stores.store_schemas import (
    CorrectionResponse,
    HistoryAmounts,
    IncidentResponse,
    IncidentsPage,
    IncidentsSummary,
    StorefrontResponse,
    StoreSummary,
    WindowFigures,
)
from storemon_pipeline.corrections.correction_table import StoredCorrection
from storemon_pipeline.database.instants import instant
from storemon_pipeline.demand.lost_sales import IncidentSales
from storemon_pipeline.domain.amounts import (
    AMOUNTS,
    BUSINESS,
    LIKELY_HIGHEST,
    LIKELY_LOWEST,
    UNKNOWN,
    WITH_PERCENT,
    Amount,
)
from storemon_pipeline.domain.windows import DEFAULT_ZONE, BoolArray, IntArray, Window
from storemon_pipeline.likelihood.likely_figures import flags_of
from storemon_pipeline.likelihood.verdict import judge
from storemon_pipeline.uptime.figures import Figures
from storemon_pipeline.uptime.history import Amounts
from storemon_pipeline.uptime.incidents import Ending, Incidents
from storemon_pipeline.uptime.percentages import share_percent
from storemon_pipeline.uptime.store_state import STORE_STATES
from storemon_pipeline.views.compared_incidents import ComparedIncidents
from storemon_pipeline.views.fleet_view import Fleet
from storemon_pipeline.views.incident_events import IncidentEvents
from storemon_pipeline.views.storefronts_view import StorefrontsView

Row = TypeVar("Row")

_WALL_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - a wall clock has no zone
_ENDINGS: Final = {
    Ending.OPEN: "open",
    Ending.ENDED: "ended",
    Ending.NO_LONGER_POLLED: "no longer polled",
}

AMOUNT_COLUMNS: Final[Sequence[Column[HistoryAmounts]]] = (
    Column("uptime_percent", lambda row: row.uptime_percent),
    Column("uptime_hours", lambda row: hours(row.uptime_us)),
    Column("downtime_hours", lambda row: hours(row.downtime_us)),
    Column("unknown_hours", lambda row: hours(row.unknown_us)),
    Column("open_hours", lambda row: hours(row.business_us)),
    Column("likely_lowest_hours", lambda row: hours(row.likely_lowest_uptime_us)),
    Column("likely_highest_hours", lambda row: hours(row.likely_highest_uptime_us)),
)
"""The amounts of a period of history in a file, of one store or of many."""

_INCIDENT_COLUMNS: Final[Sequence[Column[IncidentResponse]]] = (
    Column("store_id", lambda one: one.store_id),
    Column("name", lambda one: one.name),
    Column("ending", lambda one: one.ending),
    Column("start_utc", lambda one: one.start),
    Column("end_utc", lambda one: one.end),
    Column("last_online_check_utc", lambda one: one.last_active_poll),
    Column("first_offline_check_utc", lambda one: one.first_inactive_poll),
    Column("last_offline_check_utc", lambda one: one.last_inactive_poll),
    Column("next_online_check_utc", lambda one: one.next_active_poll),
    Column("offline_checks", lambda one: one.polls),
    Column("open_hours_lost", lambda one: hours(one.lost_us)),
    Column("other_stores", lambda one: one.mark),
    Column("hours_with_others", lambda one: hours(one.with_others_us)),
    Column("widespread_outages", lambda one: widespread_outages_text(one.peers)),
)

_SALES_COLUMNS: Final[Sequence[Column[IncidentResponse]]] = lost_columns(lambda one: one.sales)

_REASON_COLUMNS: Final[Sequence[Column[IncidentResponse]]] = (
    Column("reasons", lambda one: reasons_text(one.reasons)),
)


def window_columns(
    figures_of: Callable[[Row], Mapping[Window, BaseModel] | None], *, has_verdict: bool = False
) -> list[Column[Row]]:
    """Return the columns of the figures of each window; empty for rows without figures."""

    def column(window: Window, name: str, field: str) -> Column[Row]:
        def cell(row: Row) -> Cell:
            figures = figures_of(row)
            value: Cell = None if figures is None else getattr(figures[window], field)
            return hours(value) if isinstance(value, int) else value

        return Column(f"{name}_last_{window}", cell)

    fields = (
        ("uptime_percent", "uptime_percent"),
        ("uptime_hours", "uptime_us"),
        ("downtime_hours", "downtime_us"),
        ("open_hours", "business_us"),
        ("likely_lowest_hours", "likely_lowest_uptime_us"),
        ("likely_highest_hours", "likely_highest_uptime_us"),
        *((("verdict", "verdict"),) if has_verdict else ()),
    )
    return [column(window, *names) for window in Window for names in fields]


def correction_response(correction: StoredCorrection) -> CorrectionResponse:
    """Return a correction for a response."""
    return CorrectionResponse(
        correction_id=correction.correction_id,
        store_id=correction.store_id,
        from_utc=correction.from_at,
        to_utc=correction.to_at,
        kind=correction.kind,
        reason=correction.reason,
        author=correction.author,
        recorded_at=correction.recorded_at,
    )


def wall_clock(local_us: int) -> datetime:
    """Return microseconds on a local clock as a naive datetime."""
    return _WALL_EPOCH + timedelta(microseconds=local_us)


def store_summary(fleet: Fleet, position: int, objective: Decimal | None = None) -> StoreSummary:
    """Return one store at the newest poll."""
    details, row = fleet.details, int(fleet.incident_row[position])
    timezone = details.timezones[position]
    bounds = _bounds(fleet.incidents, row) if row >= 0 else (None, None)
    return StoreSummary(
        store_id=fleet.store_ids[position],
        name=details.names[position],
        group=details.groups[position],
        region=details.regions[position],
        timezone=timezone or DEFAULT_ZONE,
        has_timezone=timezone is not None,
        has_hours=bool(details.has_hours[position]),
        hours_rejected=bool(details.are_hours_rejected[position]),
        standing=STORE_STATES[int(fleet.state[position])],
        channels_down=fleet.down_channels.get(position, []),
        last_poll_at=instant(int(fleet.last_poll_us[position]))
        if fleet.has_poll[position]
        else None,
        down_since=instant(int(fleet.incidents.start_us[row])) if row >= 0 else None,
        last_active_poll_at=bounds[0],
        first_inactive_poll_at=bounds[1],
        lost_us=int(fleet.incidents.lost_us[row]) if row >= 0 else 0,
        sales_lost=sales_of_incident(fleet.incident_sales, row) if row >= 0 else None,
        sales=window_sales(fleet, position),
        figures=window_figures(fleet, position, objective),
        likely_flags=likely_flags(fleet, position),
    )


def likely_flags(fleet: Fleet, position: int) -> list[str]:
    """Return why the store's likely ranges are not to be trusted."""
    row = int(fleet.figure_row[position])
    return [] if row < 0 else list(flags_of(int(fleet.figures.doubt[row])))


def window_figures(
    fleet: Fleet, position: int, objective: Decimal | None = None
) -> dict[Window, WindowFigures] | None:
    """Return the store's newest figures; None for a silent store."""
    row = int(fleet.figure_row[position])
    return None if row < 0 else _figures_of_row(fleet.figures, row, objective)


def storefront_responses(
    view: StorefrontsView, objective: Decimal | None = None
) -> list[StorefrontResponse]:
    """Return the storefronts of a store with their newest figures."""
    return [
        StorefrontResponse(
            channel=one.channel,
            channel_store_id=one.channel_store_id,
            standing=one.state,
            last_poll_at=None if one.last_poll_us is None else instant(one.last_poll_us),
            figures=_figures_of_row(one.figures, 0, objective) if len(one.figures.store) else None,
        )
        for one in view.storefronts
    ]


def _figures_of_row(
    figures: Figures, row: int, objective: Decimal | None
) -> dict[Window, WindowFigures]:
    return {
        window: figures_of_window(
            {amount: known(int(getattr(figures, amount.field)[row, column])) for amount in AMOUNTS},
            objective,
        )
        for column, window in enumerate(Window)
    }


def window_sales(fleet: Fleet, position: int) -> dict[Window, Sales] | None:
    """Return the store's sales in each window; None for a silent store or without demand."""
    row = int(fleet.figure_row[position])
    currency = None if fleet.sales is None else fleet.sales.currency[position]
    if fleet.sales is None or currency is None or row < 0:
        return None
    figures = fleet.figures
    return {
        window: sales_of(
            currency,
            lost=amounts.lost.at(position),
            up=amounts.up.at(position),
            uptime_us=int(figures.uptime_us[row, column]),
            downtime_us=int(figures.downtime_us[row, column]),
            likely_us=(
                int(figures.likely_lowest_uptime_us[row, column]),
                int(figures.likely_highest_uptime_us[row, column]),
            ),
            distances=amounts.distances_at(position),
        )
        for column, (window, amounts) in enumerate(zip(Window, fleet.sales.windows, strict=True))
    }


def known(amount_us: int) -> int | None:
    """An amount of an array, or None where it is not known."""
    return None if amount_us == UNKNOWN else amount_us


def figures_of_window(
    amounts: Mapping[Amount, int | None], objective: Decimal | None = None
) -> WindowFigures:
    """The amounts of one window, with their percentages, and the verdict on an objective."""
    business = amounts[BUSINESS]
    percents = {}
    for amount in WITH_PERCENT:
        part = amounts.get(amount)
        percents[amount.percent_field] = (
            None if part is None or business is None else share_percent(part, business)
        )
    verdict = None
    if objective is not None:
        verdict = judge(
            amounts.get(LIKELY_LOWEST),
            amounts.get(LIKELY_HIGHEST),
            business or 0,
            objective_percent=objective,
        )
    return WindowFigures(
        **{amount.field: value for amount, value in amounts.items()}, **percents, verdict=verdict
    )


def incident_response(
    incidents: Incidents,
    row: int,
    *,
    store_id: str,
    name: str | None,
    compared: ComparedIncidents | None,
    sales: IncidentSales | None,
    events: IncidentEvents | None,
) -> IncidentResponse:
    """Return one incident; `compared` is None where no incident was compared.

    `sales`, by row as the incidents, are None without demand.
    """
    start_us = int(incidents.start_us[row])
    last_active, first_inactive, last_inactive, next_active = _bounds(incidents, row)
    return IncidentResponse(
        store_id=store_id,
        name=name,
        ending=_ENDINGS[Ending(int(incidents.ending[row]))],
        start=instant(start_us),
        end=instant(int(incidents.end_us[row])),
        last_active_poll=last_active,
        first_inactive_poll=first_inactive,
        last_inactive_poll=last_inactive,
        next_active_poll=next_active,
        polls=int(incidents.polls[row]),
        lost_us=int(incidents.lost_us[row]),
        reasons=incident_reasons(events, incidents, row),
        sales=sales_of_incident(sales, row),
        **comparison(compared, store_id, start_us),
    )


def _bounds(incidents: Incidents, row: int) -> tuple[datetime | None, ...]:
    """Return the four polls that an incident lies between; None where there is no such poll."""
    bounds = (
        incidents.last_active_us,
        incidents.first_inactive_us,
        incidents.last_inactive_us,
        incidents.next_active_us,
    )
    return tuple(
        instant(int(at_us[row])) if is_poll else None
        for at_us, is_poll in zip(bounds, incidents.is_polled[row].tolist(), strict=True)
    )


def incidents_summary(
    incidents: Incidents,
    store_ids: Sequence[str],
    compared: ComparedIncidents | None,
    sales: IncidentSales | None,
    events: IncidentEvents | None,
) -> IncidentsSummary:
    """Return count, sum and mean of the incidents."""
    compared_us, with_others_us = compared_time(compared, incidents, store_ids)
    ended = incidents.lost_us[incidents.ending == Ending.ENDED]
    return IncidentsSummary(
        count=len(incidents),
        open=int((incidents.ending == Ending.OPEN).sum()),
        lost_us=int(incidents.lost_us.sum()),
        longest_us=int(incidents.lost_us.max(initial=0)),
        mean_to_recovery_us=int(ended.sum()) // len(ended) if len(ended) else None,
        compared_us=compared_us,
        with_others_us=with_others_us,
        sales_lost=sums_of_incidents(sales),
        reasons=reason_totals(events, incidents),
    )


def history_amounts(
    amounts: Amounts,
    rows: IntArray | BoolArray | slice,
    likely_us: tuple[int, int] = (UNKNOWN, UNKNOWN),
) -> HistoryAmounts:
    """Return the sum of some rows of amounts, with its likely range."""
    business, uptime, downtime, unknown, uncertain, lowest = (
        int(values[rows].sum())
        for values in (
            amounts.business_us,
            amounts.uptime_us,
            amounts.downtime_us,
            amounts.unknown_us,
            amounts.uncertain_us,
            amounts.lowest_uptime_us,
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
        likely_lowest_uptime_us=known(likely_us[0]),
        likely_highest_uptime_us=known(likely_us[1]),
        uptime_percent=share_percent(uptime, uptime + downtime),
    )


def incidents_response(
    listing: Listing,
    as_of: datetime | None,
    incidents: Incidents,
    store_ids: Sequence[str],
    names: Sequence[str | None],
    compared: ComparedIncidents | None,
    sales: IncidentSales | None,
    events: IncidentEvents | None,
) -> Response:
    """Return sorted incidents as a page or file.

    `store_ids` and `names` are indexed by store position, `sales` by row as the incidents.
    """
    stores = incidents.store.tolist()
    paging = listing.paging
    rows = (
        incident_response(
            incidents,
            row,
            store_id=store_ids[stores[row]],
            name=names[stores[row]],
            compared=compared,
            sales=sales,
            events=events,
        )
        for row in range(*paging.rows.indices(len(incidents)))
    )
    if listing.is_file:
        return table_file(
            listing.format,
            "outages",
            (
                *_INCIDENT_COLUMNS,
                *(() if sales is None else _SALES_COLUMNS),
                *(() if events is None else _REASON_COLUMNS),
            ),
            rows,
            total=len(incidents),
            as_of=as_of,
        )
    return page_response(
        IncidentsPage(
            as_of=as_of,
            total=len(incidents),
            offset=paging.offset,
            limit=paging.limit,
            next=paging.next_address(len(incidents)),
            summary=incidents_summary(incidents, store_ids, compared, sales, events),
            incidents=list(rows),
        )
    )


def now_utc() -> datetime:
    """Return the server's time."""
    return datetime.now(UTC)
