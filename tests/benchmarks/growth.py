"""How work grows: of a report with stores and polls, of a refresh with history. Drawn as a plot.

Work is time of the processor, this process's and PostgreSQL's: what else the machine does meanwhile
does not show in it.
"""

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import matplotlib as mpl
from matplotlib.figure import Figure

from benchmarks.loaded import (
    ENDING_SECONDS,
    database_cpu_seconds,
    load,
    load_all,
    make_database,
    server,
)
from benchmarks.report_work import report_seconds
from storemon_pipeline.domain.sources import Source
from storemon_pipeline.figures.refresh_daily import refresh_daily
from storemon_pipeline.figures.refresh_uptime import refresh_uptime
from storemon_pipeline.sample_data import DEFAULT_END, write_sample_data

_STORES: Final = (1_000, 5_000, 14_092, 40_000, 100_000)
_DAYS: Final = 2.0
_POLLED_STORES: Final = 14_092
_POLLED_DAYS: Final = (1.0, 3.0, 7.0, 14.0)
_HISTORY_STORES: Final = 3_000
_HISTORY_DAYS: Final = (7.0, 21.0, 60.0)
_TIMES: Final = 5
_TWO_DIGITS: Final = 10
_TICKS: Final = (0.03, 0.1, 0.3, 1.0, 3.0)


@dataclass(frozen=True, slots=True)
class _Line:
    """Seconds of CPU against something; both axes are logarithmic."""

    title: str
    against: str
    seconds: Mapping[float, float]


def draw(work: Path, plot: Path) -> None:
    """Measure, and write the plot as SVG."""
    with server(work / "growth") as server_url:
        lines = [
            _Line("report", "stores", {n: _report(server_url, work, n, _DAYS)[1] for n in _STORES}),
            _Line(
                f"report, {_POLLED_STORES:,} stores",
                "polls",
                dict(_report(server_url, work, _POLLED_STORES, days) for days in _POLLED_DAYS),
            ),
            _Line(
                f"hourly refresh, {_HISTORY_STORES:,} stores",
                "days of history",
                {days: _refresh(server_url, work, days) for days in _HISTORY_DAYS},
            ),
        ]
    _write(lines, plot)


def _report(server_url: str, work: Path, stores: int, days: float) -> tuple[int, float]:
    """The number of polls, and the least work of a report, in seconds."""
    name = f"report_{stores}_{days:g}".replace(".", "_")
    data = work / name
    polls = write_sample_data(data, stores=stores, days=days, seed=1).polls
    url = make_database(server_url, name)
    load_all(url, data)
    seconds = min(_work_seconds(lambda: report_seconds(url, times=1)) for _ in range(_TIMES))
    sys.stderr.write(f"report: {stores:,} stores, {polls:,} polls: {seconds:.3f} s\n")
    return polls, seconds


def _refresh(server_url: str, work: Path, days: float) -> float:
    """The least work of a refresh that finds one new poll of each store."""
    name = f"history_{days:g}".replace(".", "_")
    data = work / name
    write_sample_data(data, stores=_HISTORY_STORES, days=days, seed=1)
    url = make_database(server_url, name)
    load_all(url, data)
    _bring_forward(url)
    polls = data / "store_status.csv"
    ids = sorted({line.split(",")[0] for line in polls.read_text().splitlines()[1:]} - {""})
    taken = []
    for hour in range(1, _TIMES + 1):
        _append_hour(polls, ids, DEFAULT_END + timedelta(hours=hour))
        taken.append(_work_seconds(lambda: _refresh_once(url, data)))
    seconds = min(taken)
    sys.stderr.write(f"refresh: {days:g} days of history: {seconds:.3f} s\n")
    return seconds


def _append_hour(polls: Path, ids: Sequence[str], at: datetime) -> None:
    with polls.open("a") as file:
        file.writelines(f"{store_id},active,{at:%Y-%m-%d %H:%M:%S} UTC\n" for store_id in ids)


def _refresh_once(url: str, data: Path) -> None:
    load(url, data, Source.STORE_STATUS)
    _bring_forward(url)


def _work_seconds(work: Callable[[], object]) -> float:
    """Seconds of CPU that a piece of work took here and in the server's processes it has ended."""

    def so_far() -> float:
        return time.process_time() + database_cpu_seconds()

    before = so_far()
    work()
    time.sleep(ENDING_SECONDS)
    return so_far() - before


def _bring_forward(url: str) -> None:
    refresh_uptime(url, refreshed_at=datetime.now(UTC))
    refresh_daily(url)


def _short(amount: float) -> str:
    for size, name in ((1_000_000, "M"), (1_000, "k")):
        if amount >= size:
            return f"{amount / size:.{0 if amount >= _TWO_DIGITS * size else 1}f}{name}"
    return f"{amount:g}"


def _write(lines: Sequence[_Line], plot: Path) -> None:
    # Text as text, and the same bytes for the same figures.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": "storemon", "font.size": 9}):
        figure = Figure(figsize=(9, 2.8), layout="constrained")
        panels = figure.subplots(1, len(lines))
        for panel, line in zip(panels, lines, strict=True):
            panel.plot([*line.seconds], [*line.seconds.values()], "o-", color="#0b6e4f")
            panel.set(
                title=line.title,
                xlabel=line.against,
                ylabel="seconds of CPU",
                xscale="log",
                yscale="log",
            )
            panel.minorticks_off()
            panel.set_xticks([*line.seconds], [_short(amount) for amount in line.seconds])
            panel.set_yticks(_TICKS, [f"{seconds:g}" for seconds in _TICKS])
            panel.set_ylim(_TICKS[0], _TICKS[-1])
            panel.grid(visible=True, alpha=0.3)
        figure.savefig(plot, format="svg", metadata={"Date": None})
