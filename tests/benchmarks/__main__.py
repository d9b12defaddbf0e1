"""`python -m benchmarks`: make or take the data, measure, print one table."""

import argparse
import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks import (
    engine,
    first_load,
    fleet_days,
    growth,
    hourly,
    lake,
    lake_costs,
    lake_hours,
    lake_pages,
    large,
    plan,
    report_work,
    running,
    truth,
)
from benchmarks.goals import Measured, table
from benchmarks.loaded import load_all, make_database, server
from storemon_pipeline.sample_data import write_sample_data
from storemon_pipeline.service.processes import RUN_ENVIRONMENT

_STORES = 14_092
_DAYS = 7.0
_SEED = 1
_KINDS = ("load", "engine", "report", "service")
_TABLES = {"truth": truth.write, "days": fleet_days.write, "plan": plan.write}
"""Measurements on known outages, which print tables of their own."""

_LONG_KINDS = ("hourly", "large", "growth", "truth", "days", "plan")
_LAKE_KINDS = ("lake", "lake-costs", "lake-hours", "lake-pages")


def main() -> None:
    """Read the command line and measure what it names."""
    parser = _parser()
    given = parser.parse_args()
    kinds = _kinds(parser, given)
    for kind, write in _TABLES.items():
        if kind in kinds:
            write(given.truth)
    rows: list[Measured] = []
    with _work_folder() as work:
        if set(kinds) & set(_KINDS):
            data = _data(given, work)
            if set(kinds) & {"load", "engine", "report"}:
                rows += _measure_without_service(work, data, kinds)
            if "service" in kinds:
                rows += running.measure(work / "service", data)
        rows += _measure_long(work, given, kinds)
        if "growth" in kinds:
            growth.draw(work, given.plot)
    if rows:
        sys.stdout.write(f"{table(rows)}\n")


def _measure_long(work: Path, given: argparse.Namespace, kinds: list[str]) -> list[Measured]:
    rows: list[Measured] = []
    if "hourly" in kinds:
        rows += hourly.measure(work)
    if "large" in kinds:
        rows += large.measure(work, stores=given.large_stores)
    if "lake" in kinds:
        rows += lake.measure(work, stores=given.large_stores, days=given.days)
    if "lake-costs" in kinds:
        rows += lake_costs.measure(work)
    if "lake-hours" in kinds:
        rows += lake_hours.measure(work, stores=given.large_stores)
    if "lake-pages" in kinds:
        rows += lake_pages.measure(work)
    return rows


def _kinds(parser: argparse.ArgumentParser, given: argparse.Namespace) -> list[str]:
    """The measurements that were named, or those that are made by default."""
    kinds = given.kinds or list(_KINDS)
    if unknown := set(kinds) - {*_KINDS, *_LONG_KINDS, *_LAKE_KINDS}:
        parser.error(f"no such measurement: {', '.join(sorted(unknown))}")
    return kinds


def _data(given: argparse.Namespace, work: Path) -> Path:
    """The data folder that was named, or one of sample data."""
    data: Path = given.data or work / "data"
    if given.data is None:
        write_sample_data(data, stores=given.stores, days=given.days, seed=_SEED)
    return data.resolve()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "kinds",
        nargs="*",
        help=f"any of {', '.join(_KINDS)} (default: all), {', '.join(_LONG_KINDS + _LAKE_KINDS)}",
    )
    parser.add_argument("--data", type=Path, help="a data folder (default: sample data)")
    parser.add_argument("--stores", type=int, default=_STORES, help="stores of the sample data")
    parser.add_argument("--days", type=float, default=_DAYS, help="days of the sample data")
    parser.add_argument(
        "--large-stores", type=int, default=large.STORES, help="stores of the large chain"
    )
    parser.add_argument(
        "--plot", type=Path, default=Path("growth.svg"), help="where the plot of growth goes"
    )
    parser.add_argument(
        "--truth", type=Path, help="a folder with files of real outages (default: made-up ones)"
    )
    return parser


@contextmanager
def _work_folder() -> Iterator[Path]:
    """A folder that the database server's own user can pass through, gone afterwards."""
    with tempfile.TemporaryDirectory(prefix="storemon-benchmarks-") as folder:
        Path(folder).chmod(0o711)
        yield Path(folder)


def _measure_without_service(work: Path, data: Path, kinds: list[str]) -> list[Measured]:
    by_kind: dict[str, Callable[[str], list[Measured]]] = {
        "engine": engine.measure,
        "report": report_work.measure,
    }
    rows: list[Measured] = []
    with server(work / "server") as server_url:
        if "load" in kinds:
            rows += first_load.measure(server_url, data)
        if set(kinds) & set(by_kind):
            url = make_database(server_url, "loaded")
            load_all(url, data)
            for kind, measure in by_kind.items():
                if kind in kinds:
                    rows += measure(url)
    return rows


if __name__ == "__main__":
    if not RUN_ENVIRONMENT.items() <= os.environ.items():
        # What runs do is measured as in the process of a run.
        environment = {**os.environ, **RUN_ENVIRONMENT}
        os.execve(sys.executable, [sys.executable, "-m", "benchmarks", *sys.argv[1:]], environment)  # noqa: S606
    main()
