"""The engine alone: status runs and weeks in memory become figures, without and with ranges."""

from benchmarks.goals import Measured
from benchmarks.reference import sort_and_merge
from benchmarks.timing import median_ms, seconds_of
from storemon_pipeline.business_time.calendar import Calendar, build_calendar
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.instants import microseconds
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.windows import WEEK_US, Policy
from storemon_pipeline.figures.uptime_table import read_newest_poll
from storemon_pipeline.likelihood.fit import fit_model
from storemon_pipeline.likelihood.ranges import likely_ranges
from storemon_pipeline.polls.status_run_queries import read_status_runs
from storemon_pipeline.schedules import calendars
from storemon_pipeline.stores.store_index import read_stores
from storemon_pipeline.uptime.estimates import counted_status_runs
from storemon_pipeline.uptime.figures import Figures, Positions, compute_with_positions

_TIMES = 25


def measure(url: str) -> list[Measured]:
    """The median from runs, hours, zones and closures in memory to the figures of all stores.

    The likely ranges are measured in turn with it, as a multiple of its time.
    """
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

    def calendar() -> Calendar:
        return build_calendar(
            stores=len(stores),
            start_us=as_of_us - WEEK_US,
            end_us=as_of_us,
            weeks=weeks,
            hours=hours,
            zones=zones,
            closures=closures,
        )

    def figures(of_week: Calendar) -> tuple[Figures, Positions]:
        return compute_with_positions(
            runs, of_week, as_of_us=as_of_us, policy=Policy.NEAREST, max_gap_us=max_gap_us
        )

    counted = counted_status_runs(runs, as_of_us=as_of_us)
    model, parameters = fit_model(runs, calendar(), max_gap_us=max_gap_us)

    def ranges() -> None:
        of_week = calendar()
        without, positions = figures(of_week)
        likely_ranges(
            counted,
            of_week,
            without,
            model,
            parameters,
            as_of_us=as_of_us,
            positions=positions,
        )

    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(_TIMES):
        taken[0].extend(seconds_of(lambda: figures(calendar()), times=1))
        taken[1].extend(seconds_of(ranges, times=1))
    alone, with_ranges = (median_ms(seconds) for seconds in taken)
    note = f"{len(stores):,} stores, {len(runs):,} runs"
    return [
        Measured(
            "engine: runs and weeks to figures", 20, alone, "ms", note, sort_and_merge(len(runs))
        ),
        Measured("engine: with likely ranges", 2, with_ranges / alone, "times", note),
    ]
