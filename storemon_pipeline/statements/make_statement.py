"""Make a statement from the data: its figures are of one snapshot."""

from collections import defaultdict
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Final

import numpy as np

from storemon_pipeline.business_time.calendar import Calendar
from storemon_pipeline.business_time.local_periods import Period
from storemon_pipeline.business_time.zones import utc_offset_us, zone_of
from storemon_pipeline.database.bulk import Bulk, bulk_transaction
from storemon_pipeline.database.instants import instant, microseconds
from storemon_pipeline.demand.demand_table import read_demand
from storemon_pipeline.demand.expected_sales import expect_sales
from storemon_pipeline.demand.money import amounts_text, by_currency
from storemon_pipeline.domain.amounts import UNKNOWN
from storemon_pipeline.domain.windows import (
    DEFAULT_ZONE,
    HOUR_US,
    MINUTE_US,
    BoolArray,
    IntArray,
)
from storemon_pipeline.events.evidence_queries import with_events_of_incidents
from storemon_pipeline.figures.compute_uptime import STORES_PER_CHUNK
from storemon_pipeline.figures.status_models import ModelVersion, read_status_model
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.bridges import FloatArray
from storemon_pipeline.likelihood.ranges import OpenTime, limits_of_totals
from storemon_pipeline.likelihood.verdict import judge
from storemon_pipeline.objectives.objective_table import read_versions
from storemon_pipeline.objectives.precedence import (
    NO_OBJECTIVE,
    PPM_PER_PERCENT,
    Version,
    objectives_of,
    parts_per_million,
    percentage,
)
from storemon_pipeline.polls.status_run_queries import read_status_runs_of_incidents_since
from storemon_pipeline.schedules.calendars import read_calendar
from storemon_pipeline.schedules.closures import read_closures
from storemon_pipeline.schedules.special_hours import read_special_hours_between
from storemon_pipeline.statements.period_corrections import read_period_corrections
from storemon_pipeline.statements.period_figures import (
    PeriodFigures,
    period_figures,
    reach_of,
)
from storemon_pipeline.statements.period_reasons import (
    read_reasons_of_outages,
    totals_by_reason,
)
from storemon_pipeline.statements.statement import (
    Scope,
    Statement,
    StatementClosure,
    StatementCorrection,
    StatementIncident,
    StatementReason,
    StatementSpecialHours,
    StoreLine,
    Summary,
)
from storemon_pipeline.statements.statement_period import StatementPeriod
from storemon_pipeline.stores.store_details import StoreDetails, read_details
from storemon_pipeline.stores.store_index import StoreIndex, read_store, read_stores
from storemon_pipeline.uptime.history import Amounts, build_history
from storemon_pipeline.uptime.incidents import Ending, Incidents
from storemon_pipeline.uptime.percentages import share_percent
from storemon_pipeline.uptime.status_runs import StatusRuns
from storemon_pipeline.views.compared_incidents import (
    COMPARED,
    ComparedIncidents,
    read_compared_incidents,
)
from storemon_pipeline.views.store_view import NoPollsError, UnknownStoreError

_LATEST_MIDNIGHT: Final = timedelta(hours=12)
"""Midnight is nowhere later than this after UTC midnight."""

_CLOSURES_PER_QUERY: Final = 1_000


class FuturePeriodError(Exception):
    """The period begins after the newest poll."""


@dataclass(frozen=True, slots=True)
class _Chunk:
    """Some stores in the period; arrays are by position of the store, up to the newest poll.

    `[start_us, end_us)` is the whole period. `lost_us` is what each incident cost in it, and
    `sales_lost` the same in money, in the unit of `Money.exact`. `currency` is None for a store
    without demand. `reasons` are those of each incident.
    """

    stores: StoreIndex
    details: StoreDetails
    start_us: IntArray
    end_us: IntArray
    amounts: Amounts
    incidents: Incidents
    lost_us: IntArray
    likely: "_Likely"
    currency: list[str | None]
    sales_lost: list[int]
    reasons: list[list[StatementReason]]
    corrections: list[StatementCorrection]


@dataclass(frozen=True, slots=True)
class _Likely:
    """The likely range of each store; `has_range` is false for a store that has none.

    `apart_hours`, `variance` and `reach_hours` are what the range of the total is made of: by how
    much the mean lies above the uptime, its variance, and what adds up as it is.
    """

    has_range: BoolArray
    lowest_us: IntArray
    highest_us: IntArray
    apart_hours: FloatArray
    variance: FloatArray
    reach_hours: FloatArray


def make_statement(
    url: str,
    scope: Scope,
    period: StatementPeriod | Period,
    *,
    only: AbstractSet[str] | None = None,
    objective_percent: Decimal | None = None,
    stores_per_chunk: int = STORES_PER_CHUNK,
) -> Statement:
    """The statement of the stores of a scope; with `only`, of these among them.

    A `Period` stands for the last week or month that has ended for all stores. Without
    `objective_percent` each store is held against its stored objective. Incidents are compared with
    those of the stores in `only`. Raises NoPollsError, UnknownStoreError and FuturePeriodError.
    """
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            raise NoPollsError
        if isinstance(period, Period):
            period = StatementPeriod.before((as_of - _LATEST_MIDNIGHT).date(), period)
        if microseconds(as_of) <= reach_of(period, microseconds(as_of))[0]:
            raise FuturePeriodError
        every = _read_stores(bulk, scope)
        details = read_details(bulk, every, as_of=as_of)
        chosen = chosen_positions(every, details, scope, only)
        if len(chosen) == 0 and scope.store_id is not None:
            raise UnknownStoreError
        stores = every if len(chosen) == len(every) else every.take(chosen)
        versions = [] if objective_percent is not None else read_versions(bulk, stores)
        model = read_status_model(bulk)
        chunks = []
        first = 0
        for chunk in stores.chunks(stores_per_chunk) if len(stores) else ():
            own = details.take(chosen[first : first + len(chunk)])
            chunks.append(_read_chunk(bulk, chunk, own, period, as_of, model))
            first += len(chunk)
        closures = _read_closures(bulk, stores, period)
        special_hours = _read_special_hours(bulk, stores, period, as_of)
    compared = _compare(url, period, as_of, only)
    lines: list[StoreLine] = []
    incidents: list[StatementIncident] = []
    for part in chunks:
        objective_ppm = _objectives(part, period, objective_percent, versions)
        found, of_store = _incidents(part, compared)
        incidents += found
        lines += _lines(part, objective_ppm, of_store)
    incidents.sort(key=lambda one: (one.start, one.store_id))
    return Statement(
        scope=scope,
        period=period.text,
        begin=period.begin,
        end=period.end,
        as_of=as_of,
        is_complete=all(bool((part.end_us <= microseconds(as_of)).all()) for part in chunks),
        total=_total(chunks, lines, has_model=model is not None),
        stores=lines,
        incidents=incidents,
        closures=closures,
        corrections=sorted(
            (one for part in chunks for one in part.corrections),
            key=lambda one: (one.start, one.store_id),
        ),
        reasons=totals_by_reason(incidents),
        special_hours=special_hours,
    )


def _read_stores(bulk: Bulk, scope: Scope) -> StoreIndex:
    """The only store of a scope, or all stores."""
    if scope.store_id is None:
        return read_stores(bulk)
    stores = read_store(bulk, scope.store_id)
    if stores is None:
        raise UnknownStoreError
    return stores


def chosen_positions(
    stores: StoreIndex, details: StoreDetails, scope: Scope, only: AbstractSet[str] | None
) -> IntArray:
    """The positions of the stores of a scope that are also in `only`."""
    return np.array(
        [
            position
            for position, (store_id, group, region) in enumerate(
                zip(stores.store_ids.to_pylist(), details.groups, details.regions, strict=True)
            )
            if (only is None or store_id in only)
            and scope.store_id in {None, store_id}
            and scope.group in {None, group}
            and scope.region in {None, region}
        ],
        np.int64,
    )


def _read_chunk(
    bulk: Bulk,
    stores: StoreIndex,
    details: StoreDetails,
    period: StatementPeriod,
    as_of: datetime,
    model: ModelVersion | None,
) -> _Chunk:
    as_of_us = microseconds(as_of)
    since_us, after_us, horizon_us = reach_of(period, as_of_us)
    whole = read_calendar(bulk, stores, start_us=since_us, end_us=horizon_us)
    calendar = whole
    if as_of_us < after_us:
        calendar = read_calendar(bulk, stores, start_us=since_us, end_us=as_of_us)
    since = instant(since_us)
    status_runs = with_events_of_incidents(
        bulk,
        stores,
        read_status_runs_of_incidents_since(bulk, stores, since=since, until=as_of),
        since=since,
        until=as_of,
    )
    found = period_figures(status_runs, whole, calendar, period, as_of_us=as_of_us)
    currency, sales_lost = _sales_lost(bulk, stores, calendar, found)
    store = found.incidents.store
    reasons = read_reasons_of_outages(
        *(bulk, stores, calendar, store),
        np.maximum(found.incidents.start_us, found.start_us[store]),
        np.minimum(found.incidents.end_us, found.until_us[store]),
    )
    return _Chunk(
        stores,
        details,
        found.start_us,
        found.end_us,
        found.amounts,
        found.incidents,
        found.lost_us,
        _likely(status_runs, calendar, model, stores, found.start_us, found.until_us),
        currency,
        sales_lost,
        reasons,
        read_period_corrections(bulk, stores, details, found.start_us, found.end_us),
    )


def _sales_lost(
    bulk: Bulk, stores: StoreIndex, calendar: Calendar, found: PeriodFigures
) -> tuple[list[str | None], list[int]]:
    """The currency of each store, and the sales lost in each incident inside of the period."""
    incidents, store = found.incidents, found.incidents.store
    curves = read_demand(bulk, stores)
    if curves is None:
        return [None] * len(stores), [0] * len(incidents)
    lost = expect_sales(curves, calendar).between(
        store,
        np.maximum(incidents.start_us, found.start_us[store]),
        np.minimum(incidents.end_us, found.until_us[store]),
    )
    return curves.currency, lost.exact()


def _likely(
    status_runs: StatusRuns,
    calendar: Calendar,
    model: ModelVersion | None,
    stores: StoreIndex,
    start_us: IntArray,
    until_us: IntArray,
) -> _Likely:
    """The likely range of each store from its first poll on."""
    status_runs = status_runs.take(status_runs.first_poll_us < calendar.end_us)
    count = len(stores)
    likely = _Likely(
        np.zeros(count, np.bool_),
        np.full(count, UNKNOWN),
        np.full(count, UNKNOWN),
        np.zeros(count),
        np.zeros(count),
        np.zeros(count),
    )
    if model is None or len(status_runs) == 0:
        return likely
    store, first_row = np.unique(status_runs.store, return_index=True)
    from_us = np.minimum(
        np.maximum(start_us[store], status_runs.first_poll_us[first_row]), until_us[store]
    )
    amounts = build_history(status_runs, calendar).amounts(store, from_us, until_us[store])
    ranges = OpenTime.of(status_runs, calendar, model.model, model.parameters_of(stores)).ranges(
        store,
        from_us,
        until_us[store],
        uptime_us=amounts.uptime_us,
        lowest_us=amounts.lowest_uptime_us,
        highest_us=amounts.highest_uptime_us,
        known_us=amounts.business_us - amounts.unknown_us,
    )
    is_known = (amounts.unknown_us == 0) & (amounts.business_us > 0)
    own = store[is_known]
    likely.has_range[own] = True
    likely.lowest_us[own] = ranges.lowest_us[is_known]
    likely.highest_us[own] = ranges.highest_us[is_known]
    likely.apart_hours[own] = (ranges.mean_hours - amounts.uptime_us / HOUR_US)[is_known]
    likely.variance[own] = ranges.variance[is_known]
    likely.reach_hours[own] = ranges.reach_hours[is_known]
    return likely


def _read_special_hours(
    bulk: Bulk, stores: StoreIndex, period: StatementPeriod, as_of: datetime
) -> list[StatementSpecialHours]:
    """The hours of single dates of the period, by date."""
    if len(stores) == 0:
        return []
    return [
        StatementSpecialHours(
            one.store_id,
            one.local_date,
            ", ".join(
                f"{_clock(start)} to {_clock(end)}"
                for start, end in zip(one.starts_us, one.ends_us, strict=True)
            )
            or "closed",
        )
        for one in read_special_hours_between(
            bulk, stores, begin=period.begin, end=period.end, as_of=as_of
        )
    ]


def _clock(us: int) -> str:
    return f"{us // HOUR_US:02}:{us % HOUR_US // MINUTE_US:02}"


def _read_closures(
    bulk: Bulk, stores: StoreIndex, period: StatementPeriod
) -> list[StatementClosure]:
    """The closures of these stores that touch the period, by start."""
    store_ids = frozenset(stores.store_ids.to_pylist())
    begin = datetime.combine(period.begin, time())
    end = datetime.combine(period.end, time())
    only = None if stores.is_whole else store_ids
    found: list[StatementClosure] = []
    after = 0
    while rows := read_closures(bulk, only_stores=only, after=after, limit=_CLOSURES_PER_QUERY):
        found += [
            StatementClosure(row.store_id, row.start_local, row.end_local, row.reason)
            for row in rows
            if row.start_local < end and (row.end_local is None or row.end_local > begin)
        ]
        after = rows[-1].closure_id
    return sorted(found, key=lambda closure: (closure.start_local, closure.store_id))


def _compare(
    url: str, period: StatementPeriod, as_of: datetime, only: AbstractSet[str] | None
) -> ComparedIncidents | None:
    """The incidents of the period, and of at least `COMPARED`, compared with each other."""
    after = datetime.combine(period.end, time(), UTC) + timedelta(days=1)
    until = min(after, as_of)
    begin = datetime.combine(period.begin, time(), UTC) - timedelta(days=1)
    compared = read_compared_incidents(url, since=min(begin, until - COMPARED), until=until)
    return compared if compared is None or only is None else compared.subset(only)


def _objectives(
    part: _Chunk,
    period: StatementPeriod,
    objective_percent: Decimal | None,
    versions: list[Version],
) -> list[int]:
    """The objective of each store in parts per million, or NO_OBJECTIVE."""
    if objective_percent is not None:
        return [parts_per_million(objective_percent)] * len(part.stores)
    found: list[int] = objectives_of(
        versions,
        period=period.by,
        store_keys=part.stores.store_keys,
        groups=part.details.groups,
        regions=part.details.regions,
        end_us=part.end_us,
    ).tolist()
    return found


@dataclass(slots=True)
class _OfStore:
    """Counts over the incidents of one store."""

    incidents: int = 0
    compared_us: int = 0
    with_others_us: int = 0
    sales_lost: int = 0


def _incidents(
    part: _Chunk, compared: ComparedIncidents | None
) -> tuple[list[StatementIncident], defaultdict[int, _OfStore]]:
    """The incidents of a chunk, and their counts by position of the store."""
    zones = [zone_of(name or DEFAULT_ZONE) for name in part.details.timezones]

    def local(store: int, at_us: int) -> datetime:
        return instant(at_us + utc_offset_us(zones[store], at_us)).replace(tzinfo=None)

    store_ids = part.stores.store_ids.to_pylist()
    found = []
    counts: defaultdict[int, _OfStore] = defaultdict(_OfStore)
    incidents = part.incidents
    rows, shared_us = _with_others(part, compared, store_ids)
    for store, start_us, end_us, ending, lost_us, sales_lost, reasons, row, with_others_us in zip(
        incidents.store.tolist(),
        incidents.start_us.tolist(),
        incidents.end_us.tolist(),
        incidents.ending.tolist(),
        part.lost_us.tolist(),
        part.sales_lost,
        part.reasons,
        rows,
        shared_us,
        strict=True,
    ):
        is_with_others = False
        count = counts[store]
        count.incidents += 1
        count.sales_lost += sales_lost
        currency = part.currency[store]
        if compared is not None and row >= 0:
            is_with_others = bool(compared.found.is_with_others[row])
            count.compared_us += lost_us
            count.with_others_us += with_others_us
        found.append(
            StatementIncident(
                store_id=store_ids[store],
                start=instant(start_us),
                end=instant(end_us),
                start_local=local(store, start_us),
                end_local=local(store, end_us),
                is_open=ending == Ending.OPEN,
                lost_us=lost_us,
                mark=None if row < 0 else "with others" if is_with_others else "alone",
                sales_lost=None if currency is None else amounts_text({currency: sales_lost}),
                reasons=reasons,
                widespread_outages="" if compared is None else compared.widespread_text(row),
            )
        )
    return found, counts


def _with_others(
    part: _Chunk, compared: ComparedIncidents | None, store_ids: list[str]
) -> tuple[list[int], list[int]]:
    """The row of each incident of a chunk among the compared ones, or -1, and its shared time.

    That is the time in widespread outages within the period, in microseconds.
    """
    store = part.incidents.store
    if compared is None:
        return [-1] * len(store), [0] * len(store)
    row = np.array(
        [
            compared.row(store_ids[own], start_us)
            for own, start_us in zip(store.tolist(), part.incidents.start_us.tolist(), strict=True)
        ],
        np.int64,
    )
    found = np.flatnonzero(row >= 0)
    bounds_us = part.start_us[store[found]], part.end_us[store[found]]
    shared_us = np.zeros(len(store), np.int64)
    shared_us[found] = compared.shared_us(row[found], *bounds_us)
    return row.tolist(), shared_us.tolist()


def _lines(
    part: _Chunk, objective_ppm: list[int], of_store: defaultdict[int, _OfStore]
) -> list[StoreLine]:
    details, amounts, likely = part.details, part.amounts, part.likely
    lines = []
    for position, store_id in enumerate(part.stores.store_ids.to_pylist()):
        count = of_store.get(position, _OfStore())
        has_range = bool(likely.has_range[position])
        unknown_us = int(amounts.unknown_us[position])
        currency = part.currency[position]
        lines.append(
            StoreLine(
                store_id=store_id,
                name=details.names[position],
                group=details.groups[position],
                region=details.regions[position],
                timezone=details.timezones[position] or DEFAULT_ZONE,
                start=instant(int(part.start_us[position])),
                end=instant(int(part.end_us[position])),
                summary=_summary(
                    opening_us=int(amounts.business_us[position]),
                    up_us=int(amounts.uptime_us[position]),
                    down_us=int(amounts.downtime_us[position]),
                    unknown_us=unknown_us,
                    likely=(int(likely.lowest_us[position]), int(likely.highest_us[position]))
                    if has_range
                    else None,
                    objective_ppm=objective_ppm[position],
                    count=count,
                    sales_lost={} if currency is None else {currency: count.sales_lost},
                ),
            )
        )
    return lines


def _summary(
    *,
    opening_us: int,
    up_us: int,
    down_us: int,
    unknown_us: int,
    likely: tuple[int, int] | None,
    objective_ppm: int,
    count: _OfStore,
    sales_lost: dict[str, int],
) -> Summary:
    lowest_us, highest_us = likely or (None, None)
    has_objective = objective_ppm != NO_OBJECTIVE
    return Summary(
        opening_us=opening_us,
        up_us=up_us,
        down_us=down_us,
        unknown_us=unknown_us,
        uptime_percent=share_percent(up_us, up_us + down_us),
        likely_lowest_us=lowest_us,
        likely_highest_us=highest_us,
        objective_percent=objective_ppm / PPM_PER_PERCENT if has_objective else None,
        verdict=judge(
            lowest_us, highest_us, up_us + down_us, objective_percent=percentage(objective_ppm)
        )
        if has_objective
        else None,
        incidents=count.incidents,
        compared_us=count.compared_us,
        with_others_us=count.with_others_us,
        sales_lost=amounts_text(sales_lost) if sales_lost else None,
    )


def _total(chunks: list[_Chunk], lines: list[StoreLine], *, has_model: bool) -> Summary:
    """The sums over all stores. Stores with different objectives have none together."""
    rows = [line.summary for line in lines]
    if len(rows) == 1:
        return rows[0]
    objectives = {
        NO_OBJECTIVE
        if row.objective_percent is None
        else parts_per_million(Decimal(str(row.objective_percent)))
        for row in rows
    }
    return _summary(
        opening_us=sum(row.opening_us for row in rows),
        up_us=sum(row.up_us for row in rows),
        down_us=sum(row.down_us for row in rows),
        unknown_us=sum(row.unknown_us for row in rows),
        likely=_likely_total(chunks) if has_model else None,
        objective_ppm=objectives.pop() if len(objectives) == 1 else NO_OBJECTIVE,
        count=_OfStore(
            sum(row.incidents for row in rows),
            sum(row.compared_us for row in rows),
            sum(row.with_others_us for row in rows),
        ),
        sales_lost=_total_sales_lost(chunks),
    )


def _total_sales_lost(chunks: list[_Chunk]) -> dict[str, int]:
    """The exact sum over all incidents in each currency that a store has."""
    sums: dict[str, int] = {}
    for part in chunks:
        for currency, lost in by_currency(
            [*part.sales_lost, *(0 for _ in part.currency)],
            [*(part.currency[store] for store in part.incidents.store.tolist()), *part.currency],
        ).items():
            sums[currency] = sums.get(currency, 0) + lost
    return dict(sorted(sums.items()))


def _likely_total(chunks: list[_Chunk]) -> tuple[int, int]:
    """The likely range of the total; a store without a range counts with what its polls allow."""
    variance = apart = reach = 0.0
    up_us = known_us = lowest_us = highest_us = 0
    for part in chunks:
        likely, amounts = part.likely, part.amounts
        own, others = likely.has_range, ~likely.has_range
        variance += float((likely.variance + likely.apart_hours**2)[own].sum())
        apart += float(likely.apart_hours[own].sum())
        reach += float(likely.reach_hours[own].sum())
        up_us += int(amounts.uptime_us[own].sum())
        known_us += int((amounts.business_us - amounts.unknown_us)[own].sum())
        lowest_us += int(amounts.lowest_uptime_us[others].sum())
        highest_us += int(amounts.highest_uptime_us[others].sum())
    low, high = limits_of_totals(
        np.array([variance]),
        np.array([apart]),
        np.array([reach]),
        uptime_us=np.array([up_us]),
        known_us=np.array([known_us]),
    )
    return int(low[0]) + lowest_us, int(high[0]) + highest_us
