"""The engine alone: runs and weeks in memory become figures."""

from benchmarks.goals import Measured, median_ms, seconds_of
from storemon_pipeline.business_time.calendar import build_calendar
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.windows import WEEK_US, Policy
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.polls.status_run_queries import read_status_runs
from storemon_pipeline.schedules import calendars
from storemon_pipeline.stores.store_index import read_stores
from storemon_pipeline.uptime.figures import compute_figures

_TIMES = 25


def measure(url: str) -> list[Measured]:
    """The median from runs, hours, zones and closures in memory to the figures of all stores."""
    with bulk_transaction(url) as bulk:
        as_of = read_newest_poll(bulk)
        if as_of is None:
            raise ValueError("the data has no polls")
        stores = read_stores(bulk)
        runs = read_status_runs(bulk, stores, as_of=as_of)
        weeks, hours = calendars._read_hours(bulk, stores)
        zones = calendars._read_zones(bulk, stores)
        closures = calendars._read_closures(bulk, stores)
        max_gap_us = read_max_gap_us(bulk)
    as_of_us = microseconds(as_of)

    def figures() -> None:
        calendar = build_calendar(
            stores=len(stores),
            start_us=as_of_us - WEEK_US,
            end_us=as_of_us,
            weeks=weeks,
            hours=hours,
            zones=zones,
            closures=closures,
        )
        compute_figures(
            runs, calendar, as_of_us=as_of_us, policy=Policy.NEAREST, max_gap_us=max_gap_us
        )

    taken = median_ms(seconds_of(figures, times=_TIMES))
    note = f"{len(stores):,} stores, {len(runs):,} runs"
    return [Measured("engine: runs and weeks to figures", 20, taken, "ms", note)]
