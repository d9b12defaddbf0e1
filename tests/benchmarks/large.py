"""A chain of 1.41 million stores: load, report, refresh, and the memory that each takes.

Also, for a smaller chain, whether one more hour costs the same after a longer history.
"""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from benchmarks.apart import Cost, peak_of_processes, run_apart
from benchmarks.goals import Measured
from benchmarks.large_data import write_large_data, write_later_polls
from benchmarks.loaded import make_database, server, vacuum
from benchmarks.reference import plain_copy, sort_and_merge

STORES: Final = 1_410_000
_DAYS: Final = 1.61
_GIB: Final = 1 << 30
_LOADS: Final = ("store_status", "business_hours", "store_timezones")
_REFRESH: Final = ("intervals", "model", "uptime", "days", "checks")
_HOUR: Final = ("poll checks", "intervals", "uptime", "days", "checks")
_PAGES: Final = ("fleet", "contradictions")
_HISTORY_STORES: Final = 28_200
_TIMES_THE_HISTORY: Final = 4


def measure(work: Path, *, stores: int = STORES) -> list[Measured]:
    """Each step in a process of its own; the report twice, of which the second one counts."""
    data, next_hour = work / "large-data", work / "next-hour.csv"
    data.mkdir()
    made = write_large_data(data, next_hour, stores=stores, days=_DAYS)
    costs: dict[str, Cost] = {}
    with server(work / "large-server") as server_url, peak_of_processes("postgres") as database:
        url = make_database(server_url, "large")
        for task in _LOADS:
            costs[task] = _tell(task, run_apart(task, url, data))
        for task in _REFRESH:
            costs[task] = _tell(task, run_apart(task, url))
        _tell("report", run_apart("report", url))
        costs["report"] = _tell("report", run_apart("report", url))
        for task in _PAGES:
            costs[task] = _tell(task, run_apart(task, url))
        hour = _measure_hour(url, data, next_hour)
        copy = plain_copy(url)
    loaded = sum(costs[task].seconds for task in _LOADS)
    report = costs["report"]
    note = f"{made.stores:,} stores, {made.polls:,} polls"
    peaks = ", ".join(f"{task} {cost.peak_bytes / _GIB:.2f}" for task, cost in costs.items())
    return [
        Measured("large: load of all files", 120, loaded, "s", note, copy),
        Measured(
            "large: report work",
            10,
            report.seconds,
            "s",
            f"{report.cpu_seconds:.1f} s of CPU",
            sort_and_merge(stores),
        ),
        Measured(
            "large: one more hour",
            60,
            sum(cost.seconds for cost in hour.values()),
            "s",
            f"{_work_seconds(hour):.1f} s of CPU; "
            + ", ".join(f"{task} {cost.seconds:.1f}" for task, cost in hour.items()),
            copy,
        ),
        _measure_history(work, min(stores, _HISTORY_STORES)),
        Measured(
            "large: largest process",
            2,
            max(database.bytes, *(cost.peak_bytes for cost in (*costs.values(), *hour.values())))
            / _GIB,
            "GiB",
            f"{peaks}; PostgreSQL {database.bytes / _GIB:.2f}",
        ),
    ]


def _measure_hour(url: str, data: Path, next_hour: Path) -> dict[str, Cost]:
    """What a refresh does an hour later, when one more file of polls has come."""
    folder = data / "store_status"
    folder.mkdir(exist_ok=True)
    next_hour.rename(folder / next_hour.name)
    hour = {task: _tell(f"hour: {task}", run_apart(task, url, data)) for task in _LOADS}
    return hour | {task: _tell(f"hour: {task}", run_apart(task, url)) for task in _HOUR}


def _measure_history(work: Path, stores: int) -> Measured:
    """The work of an hour after a short and after a long history of equal stores."""
    with server(work / "history-server") as server_url:
        short, long = (
            _measure_second_hour(server_url, work, f"history_{times}", stores, _DAYS * times)
            for times in (1, _TIMES_THE_HISTORY)
        )
    return Measured(
        f"large: one more hour with {_TIMES_THE_HISTORY} times the history",
        1.2,
        long / short,
        "times",
        f"{stores:,} stores; {short:.1f} and {long:.1f} s of CPU",
    )


def _measure_second_hour(server_url: str, work: Path, name: str, stores: int, days: float) -> float:
    """The work of the second hour; a vacuum follows the first, as in a running system."""
    data, hour = work / name, work / f"{name}.csv"
    data.mkdir()
    write_large_data(data, hour, stores=stores, days=days)
    later = work / f"{name}-later.csv"
    write_later_polls(hour, later)
    url = make_database(server_url, name)
    for task in _LOADS:
        run_apart(task, url, data)
    for task in _REFRESH:
        run_apart(task, url)
    _measure_hour(url, data, hour)
    vacuum(url)
    return _work_seconds(_measure_hour(url, data, later))


def _work_seconds(costs: Mapping[str, Cost]) -> float:
    return sum(cost.cpu_seconds + cost.database_seconds for cost in costs.values())


def _tell(task: str, cost: Cost) -> Cost:
    sys.stderr.write(
        f"{task}: {cost.seconds:.1f} s ({cost.cpu_seconds:.1f} s of CPU, "
        f"{cost.database_seconds:.1f} s in PostgreSQL), "
        f"{cost.peak_bytes / _GIB:.2f} GiB\n"
    )
    return cost
