"""A refresh and a report, without Dagster around, on a history and on one ten times as long."""

import statistics
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv

from benchmarks.goals import Measured
from benchmarks.loaded import load_all, make_database, server
from benchmarks.reference import plain_copy
from benchmarks.report_work import report_seconds
from benchmarks.timing import seconds_of
from storemon_pipeline.checks.check_intervals import check_intervals
from storemon_pipeline.checks.table_checks import (
    compare_status_runs,
    count_lost_polls,
    count_uptime_faults,
)
from storemon_pipeline.database.bulk import bulk_transaction
from storemon_pipeline.database.parameters import read_max_gap_us
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import compare_daily, refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.ingestion.ingest_files import ingest_source
from storemon_pipeline.loads.load_log import read_first_polled_at
from storemon_pipeline.sample_data import write_sample_data
from storemon_pipeline.schedules.weekly_intervals import refresh_intervals

_STORES: Final = 14_092
_DAYS: Final = 8.0
_TIMES_THE_HISTORY: Final = 10
_HOURS: Final = 24
_WARM_UP: Final = 2
_REPORTS: Final = 9
_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class _Fleet:
    """A loaded database, and the hours that have not arrived yet, each as the text of a file."""

    url: str
    data: Path
    hours: Iterator[tuple[int, pa.Table]]
    polls: int


def measure(work: Path) -> list[Measured]:
    """Hour by hour on both histories in turn: the same machine, the same minute."""
    taken: list[tuple[float, float]] = []
    new_polls: list[int] = []
    with server(work / "hourly-server") as server_url:
        short = _fleet(server_url, work / "short", _DAYS)
        long = _fleet(server_url, work / "long", _DAYS * _TIMES_THE_HISTORY)
        for (hour, new), (_, other) in zip(short.hours, long.hours, strict=True):
            new_polls.append(new.num_rows)
            pair = (_refresh_seconds(short, hour, new), _refresh_seconds(long, hour, other))
            taken.append(pair)
            sys.stderr.write(f"hour {hour}: {pair[0]:.2f} s, {pair[1]:.2f} s\n")
        reports = [
            (report_seconds(short.url, times=1), report_seconds(long.url, times=1))
            for _ in range(_REPORTS)
        ]
        reference = plain_copy(short.url)
    counted = taken[_WARM_UP:]
    note = f"median of {len(counted)} hours, {statistics.median(new_polls):,.0f} new polls each"
    ratio = statistics.median(long for _, long in counted) / statistics.median(
        short for short, _ in counted
    )
    return [
        Measured(
            "work of an hourly refresh",
            1,
            statistics.median(first for first, _ in counted),
            "s",
            note,
            reference,
        ),
        Measured(
            "the same with ten times the history",
            1.2,
            ratio,
            "times",
            f"{short.polls:,} and {long.polls:,} polls",
        ),
        Measured(
            "report work with ten times the polls",
            1.2,
            statistics.median(long for _, (long,) in reports[_WARM_UP:])
            / statistics.median(short for (short,), _ in reports[_WARM_UP:]),
            "times",
        ),
    ]


def _fleet(server_url: str, folder: Path, days: float) -> _Fleet:
    """All but the last hours are loaded, and the figures and days of them made."""
    write_sample_data(folder, stores=_STORES, days=days, seed=1)
    whole = folder / "store_status.csv"
    options = pa_csv.ConvertOptions(
        column_types=dict.fromkeys(("store_id", "timestamp_utc", "status"), pa.string())
    )
    polls = pa_csv.read_csv(whole, convert_options=options)
    whole.unlink()
    instants = pc.utf8_slice_codeunits(polls["timestamp_utc"], 0, 19)
    at = pc.strptime(instants, "%Y-%m-%d %H:%M:%S", "us", error_is_null=True)
    # Rows that nobody can read are left out.
    polls, at_us = polls.filter(pc.is_valid(at)), pc.drop_null(at).cast(pa.int64())
    newest_us = pc.max(at_us).as_py()
    ago = pc.divide(pc.subtract(newest_us, at_us), _HOUR_US)
    (folder / "store_status").mkdir()
    history = polls.filter(pc.greater_equal(ago, _HOURS))
    pa_csv.write_csv(history, folder / "store_status" / "history.csv")
    url = make_database(server_url, folder.name)
    load_all(url, folder)
    refresh_uptime(url, refreshed_at=datetime.now(UTC))
    refresh_daily(url)
    last = polls.append_column("ago", ago).filter(pc.less(ago, _HOURS))
    hours = (
        (hour, last.filter(pc.equal(last["ago"], _HOURS - 1 - hour)).drop_columns("ago"))
        for hour in range(_HOURS)
    )
    return _Fleet(url, folder, hours, history.num_rows)


def _refresh_seconds(fleet: _Fleet, hour: int, new: pa.Table) -> float:
    pa_csv.write_csv(new, fleet.data / "store_status" / f"hour-{hour:02}.csv")
    (seconds,) = seconds_of(lambda: _refresh(fleet.url, fleet.data), times=1)
    return seconds


def _refresh(url: str, data: Path) -> None:
    """What the assets of the refresh job do, and their checks."""
    now = datetime.now(UTC)
    load = ingest_source(url, data, Source.STORE_STATUS, now=now, run_id=None)
    with bulk_transaction(url) as bulk:
        since = read_first_polled_at(bulk, load.load_ids)
        faults = count_lost_polls(bulk, load.load_ids)
        faults += compare_status_runs(
            bulk, since=since or now, max_gap_us=read_max_gap_us(bulk)
        ).different
    for source in (Source.BUSINESS_HOURS, Source.STORE_TIMEZONES):
        ingest_source(url, data, source, now=now, run_id=None)
    with bulk_transaction(url, is_writing_polls=True) as bulk:
        refresh_intervals(bulk)
    faults += check_intervals(url)
    refresh_uptime(url, refreshed_at=now)
    with bulk_transaction(url) as bulk:
        faults += count_uptime_faults(bulk)
    refresh_daily(url)
    faults += compare_daily(url, seed=now.hour).different
    if faults:
        raise RuntimeError(f"the checks have found {faults} faults")
